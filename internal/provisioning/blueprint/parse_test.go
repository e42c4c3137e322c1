package blueprint_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/manifest"
	"github.com/arcadia-cloud/arcadia/internal/provisioning/blueprint"
)

// head is what every blueprint of a test begins with, five lines of it.
const head = `name: test
version: 1
region: fra1
droplets:
  web: {size: s-1vcpu-1gb, image: debian-12-x64}
`

func TestErrorsSayWhereAndWhatIsAllowed(t *testing.T) {
	for _, tt := range []struct{ name, document, want string }{
		{"an unknown field", "name: test\nversion: 1\nregion: fra1\ndropletz: {}\n", "x.yaml:4:1: dropletz: There is no such field here. The fields are backup_policy, description, dns, droplets, firewalls, health, name, parameters, project, region, reserved_ips, tags, tenant_plan, version, volumes, vpc. Did you mean droplets?"},
		{"an unknown field inside", "name: test\nversion: 1\nregion: fra1\ndroplets:\n  web:\n    sise: x\n    size: s-1vcpu-1gb\n    image: debian-12-x64\n", "x.yaml:6:5: droplets.web.sise: There is no such field here."},
		{"what is missing", "version: 1\nregion: fra1\n", "x.yaml:1:1: name: It is missing."},
		{"a wrong type", "name: test\nversion: one\nregion: fra1\n", "x.yaml:2:10: version: It must be a whole number, and is a text."},
		{"a key that is none", "name: test\nversion: 1\nregion: fra1\ndroplets:\n  Web-1: {size: a, image: b}\n", "x.yaml:5:3: droplets.Web-1: It cannot be called so. A key has up to 20 small letters and digits and begins with a letter."},
		{"an unknown word", head + "volumes:\n  data: {size_gib: 10, filesystem: ext5}\n", "x.yaml:7:36: volumes.data.filesystem: \"ext5\" is not known. It is one of ext4, xfs. Did you mean ext4?"},
		{"too large a volume", head + "volumes:\n  data: {size_gib: 99999}\n", "x.yaml:7:20: volumes.data.size_gib: It must not be more than 16384."},
		{"a whole number with an exponent", "name: test\nversion: 1.0\nregion: fra1\n", "A whole number is written with digits alone."},
		{"an anchor", head + "tags: &all [a]\n", "x.yaml:6:7: Anchors, aliases and tags are not read."},

		{"an unknown parameter", head + "parameters: {domain: {type: string}}\ntags: [\"${param.doman}\"]\n", "x.yaml:7:8: tags[0]: ${param.doman}: there is no parameter doman. There is domain. Did you mean domain?"},
		{"no such reference", head + "tags: ['${foo.bar}']\n", "x.yaml:6:8: tags[0]: ${foo.bar}: there is no foo. A reference begins with param, tenant, stack, droplet, volume, reserved_ip, vpc."},
		{"no such droplet", head + "dns: {domain: example.com, records: {a: {type: A, name: '@', data: '${droplet.wep.public_ip}'}}}\n", "${droplet.wep.public_ip}: there is no droplet wep. There is web. Did you mean web?"},
		{"no such field of a droplet", head + "dns: {domain: example.com, records: {a: {type: A, name: '@', data: '${droplet.web.ip}'}}}\n", "there is no field of a droplet ip. There is name, id, public_ip, private_ip, public_ipv6."},
		{"an address too early", head + "tags: ['${droplet.web.public_ip}']\n", "x.yaml:6:8: tags[0]: ${droplet.web.public_ip} is known only once it was made."},
		{"an expression that is none", head + "tags: ['${1 + 1}']\n", "${1 + 1} is no reference."},
		{"an expression without an end", head + "tags: ['${param.x']\n", "does not end with }"},
		{"a parameter of another type", head + "parameters: {n: {type: string}}\nvolumes: {data: {size_gib: '${param.n}'}}\n", "volumes.data.size_gib: ${param.n} is of type string. Here it must be integer."},
		{"a secret written out", head + "parameters: {key: {type: secret}}\nproject: '${param.key}'\n", `a secret is never written out. cloud_init has {{ secret "key" }} for it.`},
		{"a default that is not allowed", head + "parameters: {n: {type: integer, min: 3, default: 2}}\n", "parameters.n.default: 2 is less than 3, the least that is allowed."},
		{"a promise that does not hold", "name: test\nversion: 1\nregion: fra1\nparameters: {image: {type: image, changeable: live}}\ndroplets: {web: {size: s-1vcpu-1gb, image: '${param.image}'}}\n", "parameters.image.changeable: It cannot be live, because of droplets.web.image. It is rebuild or never."},
		{"a pattern that is none", head + "parameters: {n: {type: string, pattern: '('}}\n", "parameters.n.pattern: It is no regular expression"},

		{"a volume of nobody", head + "volumes: {data: {size_gib: 1, droplet: wep}}\n", "volumes.data.droplet: There is no droplet wep. There is web. Did you mean web?"},
		{"a second address", head + "reserved_ips: {a: {droplet: web}, b: {droplet: web}}\n", "reserved_ips.b.droplet: a leads to droplet web already."},
		{"a rule without ports", head + "firewalls: {f: {droplets: [web], inbound: [{protocol: tcp, addresses: [0.0.0.0/0]}]}}\n", "firewalls.f.inbound[0].ports: A rule for tcp or udp has ports"},
		{"a rule for nobody", head + "firewalls: {f: {droplets: [web], inbound: [{protocol: icmp}]}}\n", "A rule names addresses or droplets."},
		{"ports that are none", head + "firewalls: {f: {droplets: [web], inbound: [{protocol: tcp, ports: 90-80, addresses: [0.0.0.0/0]}]}}\n", `"90-80" is no port, no range like 8000-9000, and not all.`},
		{"a range that is none", head + "firewalls: {f: {droplets: [web], inbound: [{protocol: tcp, ports: 80, addresses: [10.1.2.3/8]}]}}\n", `"10.1.2.3/8" is no range: it begins at 10.0.0.0/8.`},
		{"a private range that is none", head + "vpc: {ip_range: 8.8.0.0/20}\n", "is no private range from /16 to /28"},
		{"an address of the wrong sort", head + "dns: {domain: example.com, records: {a: {type: AAAA, name: www, data: 192.0.2.1}}}\n", `dns.records.a.data: "192.0.2.1" is no address of a record of type AAAA.`},
		{"a schedule that is none", head + "backup_policy: {schedule: '0 25 * * *', keep: {daily: 1}}\n", "backup_policy.schedule: It is no schedule"},
		{"a schedule that never comes", head + "backup_policy: {schedule: '0 0 31 2 *', keep: {daily: 1}}\n", "backup_policy.schedule: It never comes."},
		{"a schedule with a zone", head + "backup_policy: {schedule: 'TZ=UTC 0 0 1 * *', keep: {daily: 1}}\n", "It has no zone of its own"},
		{"a schedule that is a zone alone", head + "backup_policy: {schedule: 'CRON_TZ=UTC', keep: {daily: 1}}\n", "It has no zone of its own"},
		{"backups that keep nothing", head + "backup_policy: {schedule: '0 1 * * *', keep: {daily: 0}}\n", "backup_policy.keep: Nothing would be kept."},
		{"a callback of nobody", head + "health: {boot: {type: callback}}\n", "health.boot.droplet: A callback names the droplet that calls."},
		{"a probe with what it has not", head + "health: {ssh: {type: tcp, target: example.com, port: 22, path: /x}}\n", "health.ssh.path: A probe of type tcp does not have it."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bp, err := blueprint.Parse("x.yaml", []byte(tt.document))
			if bp != nil || !errors.Is(err, fault.Invalid) || !strings.Contains(fault.Message(err), tt.want) {
				t.Errorf("got %v, %v, want %s", bp, err, tt.want)
			}
		})
	}
}

func TestAllErrorsAreToldAtOnceAndEachOnce(t *testing.T) {
	_, err := blueprint.Parse("x.yaml", []byte(`name: T
version: 0
region: nowhere
droplets:
  web: {size: [], image: debian-12-x64}
volumes:
  data: {size_gib: 10, droplet: wep}
`))
	problems, _ := errors.AsType[manifest.Problems](err)
	var lines []int
	for _, p := range problems {
		lines = append(lines, p.Line)
	}
	if len(lines) != 5 || lines[0] != 1 || lines[1] != 2 || lines[2] != 3 || lines[3] != 5 || lines[4] != 7 {
		t.Errorf("got\n%v, want one problem on each of the lines 1, 2, 3, 5 and 7", err)
	}
}

func TestAParameterAsksForWhatItsUsesDo(t *testing.T) {
	bp, err := blueprint.Parse("x.yaml", []byte(`name: test
version: 1
region: fra1
parameters:
  size: {type: size, default: s-1vcpu-1gb}
  image: {type: image, default: debian-12-x64}
  label: {type: string, default: a}
  cautious: {type: string, default: a, changeable: never}
tags: ['${param.label}', '${param.cautious}']
droplets:
  web: {size: '${param.size}', image: '${param.image}'}
`))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]blueprint.Effect{"size": blueprint.Resize, "image": blueprint.Rebuild, "label": blueprint.Live, "cautious": blueprint.Never} {
		if got := bp.Parameters[name].Changeable; got != want {
			t.Errorf("changeable of %s = %s, want %s", name, got, want)
		}
	}
}

func TestWhatIsShippedIsRight(t *testing.T) {
	for _, name := range blueprint.Names() {
		source, _ := blueprint.Source(name)
		if bp, err := blueprint.Parse(name+".yaml", source); err != nil || bp.Name != name {
			t.Errorf("%s: %v, %v", name, bp, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, name := range blueprint.Names() {
		source, _ := blueprint.Source(name)
		f.Add(source)
	}
	f.Add([]byte(head + "tags: ['${param.x}', '$${x}', '${']\nvpc: {}\nhealth: {a: null}\n"))
	f.Add([]byte(`{"name": "test", "version": 1, "region": "fra1", "droplets": {"a": {"size": "x", "image": 1, "cloud_init": "#cloud-config\nruncmd: [\"{{ .param.x }}\"]"}}}`))
	f.Fuzz(func(t *testing.T, source []byte) {
		bp, err := blueprint.Parse("x.yaml", source)
		if err != nil && (!errors.Is(err, fault.Invalid) || fault.Message(err) == "") {
			t.Fatal(err)
		}
		if err == nil && (bp.Name == "" || bp.Version < 1) {
			t.Fatalf("accepted %+v", bp)
		}
	})
}

func FuzzExpression(f *testing.F) {
	for _, text := range []string{"", "a", "${param.x}", "a${stack.name}b", "$${param.x}", "$$${a.b}", "${", "${a}", "$", "}{", "${a.b}${c.d.e}"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e := blueprint.Expr(text)
		known := make(map[string]string)
		for _, r := range e.References() {
			known[r] = "<" + r + ">"
		}
		if _, err := e.Value(known); err != nil && len(known) > 0 {
			t.Errorf("%q has references %v and no value: %v", text, known, err)
		}
		if value, err := blueprint.Literal(text).Value(nil); err != nil || value != text {
			t.Errorf("the literal of %q has the value %q, %v", text, value, err)
		}
	})
}

func TestTheExampleOfTheReferenceIsRight(t *testing.T) {
	text, err := os.ReadFile("../../../docs/blueprints.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), "```yaml\n")
	example, _, found := strings.Cut(after, "```\n")
	bp, err := blueprint.Parse("shop.yaml", []byte(example))
	if err != nil || !found {
		t.Fatal(err)
	}
	if spec := resolved(t, bp, map[string]string{"domain": "shops.example.com"}); len(spec.Resources) < 10 {
		t.Errorf("only %d resources", len(spec.Resources))
	}
	for _, field := range []string{"parameters", "tags", "project", "vpc", "droplets", "volumes", "firewalls", "reserved_ips", "dns", "backup_policy", "health", "tenant_plan"} {
		if !strings.Contains(example, "\n"+field+":") {
			t.Errorf("the example has no %s", field)
		}
	}
}
