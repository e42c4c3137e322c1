package blueprint_test

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/golden"
	"github.com/arcadia-cloud/arcadia/internal/provisioning/blueprint"
)

func parsed(t testing.TB, document string) *blueprint.Blueprint {
	t.Helper()
	bp, err := blueprint.Parse("x.yaml", []byte(document))
	if err != nil {
		t.Fatal(err)
	}
	return bp
}

func shippedBlueprint(t testing.TB, name string) *blueprint.Blueprint {
	t.Helper()
	for _, bp := range blueprint.All() {
		if bp.Name == name {
			return bp
		}
	}
	t.Fatalf("no %s is shipped", name)
	return nil
}

func resolved(t testing.TB, bp *blueprint.Blueprint, values map[string]string) blueprint.Spec {
	t.Helper()
	spec, err := blueprint.Resolve(bp, values, acme, stack)
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

var skyValues = map[string]string{"domain": "sky.example.com", "ssh_key": "512190", "api_key": "acme-api-key", "greeting": "Say \"hello\"; don't $(reboot)."}

func TestSkyAI(t *testing.T) {
	spec := resolved(t, shippedBlueprint(t, "sky-ai"), skyValues)
	text, err := json.MarshalIndent(spec, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden.Equal(t, "testdata/sky-ai.json", string(text)+"\n")
	userData, err := blueprint.RenderUserData(spec, "web", blueprint.Known{
		"secret.acme-api-key": "https://arcadia.example/once/5f1c", "callback.boot": "https://arcadia.example/callback/93ab"})
	if err != nil {
		t.Fatal(err)
	}
	golden.Equal(t, "testdata/sky-ai.cloud-config", userData)
}

// A Spec that was kept as JSON is the same Spec, whatever its parameters are.
func TestResolvingIsDeterministicAndKeepsAsJSON(t *testing.T) {
	bp := shippedBlueprint(t, "sky-ai")
	rapid.Check(t, func(t *rapid.T) {
		values := maps.Clone(skyValues)
		values["greeting"] = rapid.StringMatching(`[ -~éß\n\t"$'{}]{0,30}`).Draw(t, "greeting")
		values["disk_gib"] = rapid.StringMatching(`[1-9][0-9]{1,3}`).Draw(t, "disk_gib")
		values["telemetry"] = rapid.SampledFrom([]string{"true", "false"}).Draw(t, "telemetry")
		first, err := blueprint.Resolve(bp, values, acme, stack)
		if err != nil {
			t.Fatal(err)
		}
		again, _ := blueprint.Resolve(bp, maps.Clone(values), acme, stack)
		text, err := json.Marshal(first)
		if err != nil {
			t.Fatal(err)
		}
		var kept blueprint.Spec
		if err := json.Unmarshal(text, &kept); err != nil {
			t.Fatal(err)
		}
		if first.Hash() != again.Hash() || first.Hash() != kept.Hash() {
			t.Errorf("hashes %s, again %s, kept %s", first.Hash(), again.Hash(), kept.Hash())
		}
		if d := blueprint.Compare(first, kept); !d.IsEmpty() {
			t.Errorf("a Spec differs from itself in %+v", d)
		}
		place := make(map[string]int)
		for i, r := range first.Resources {
			place[r.ID] = i
			for _, other := range r.DependsOn {
				if at, ok := place[other]; !ok || at >= i {
					t.Errorf("%s stands before %s, which it depends on", r.ID, other)
				}
			}
		}
	})
}

// What a value says is never read as a reference, late ones included.
func TestValuesAreNotReadAsReferences(t *testing.T) {
	bp := parsed(t, head+`parameters:
  a: {type: string}
dns:
  domain: example.com
  records:
    txt: {type: TXT, name: www, data: 'a=${param.a}${droplet.web.public_ip} $${x} $5'}
`)
	for _, value := range []string{"$", "$$", "${droplet.web.private_ip}", "${", "{", "x$", "$${a.b}"} {
		spec := resolved(t, bp, map[string]string{"a": value})
		record, _ := spec.Resource("domain_record.txt")
		got, err := record.Record.Data.Value(map[string]string{"droplet.web.public_ip": "192.0.2.7", "droplet.web.private_ip": "10.0.0.7"})
		if want := "a=" + value + "192.0.2.7 ${x} $5"; err != nil || got != want {
			t.Errorf("with %q the data is %q, %v, want %q", value, got, err, want)
		}
		if got := record.Record.Data.References(); !slices.Equal(got, []string{"droplet.web.public_ip"}) {
			t.Errorf("with %q the references are %v", value, got)
		}
	}
}

func TestValuesThatCannotBe(t *testing.T) {
	for _, tt := range []struct {
		name   string
		values map[string]string
		tenant blueprint.Tenant
		stack  blueprint.Stack
		want   string
	}{
		{"nothing given", nil, acme, stack, "The parameter api_key has no value and no default. It is: The key that callers show.\nThe parameter domain has no value"},
		{"an unknown parameter", map[string]string{"domian": "x"}, acme, stack, "There is no parameter domian. There is admin_range, api_key, disk_gib, domain, "},
		{"a near one", map[string]string{"domian": "x"}, acme, stack, "Did you mean domain?"},
		{"no number", map[string]string{"disk_gib": "1e2"}, acme, stack, `The parameter disk_gib: "1e2" is no whole number.`},
		{"too small", map[string]string{"disk_gib": "9"}, acme, stack, "The parameter disk_gib: 9 is less than 10"},
		{"no region", map[string]string{"region": "Frankfurt"}, acme, stack, `"Frankfurt" is no region. One is like fra1.`},
		{"no switch", map[string]string{"telemetry": "yes"}, acme, stack, `"yes" is neither true nor false.`},
		{"not of the form", map[string]string{"model": "a b"}, acme, stack, `The parameter model: "a b" is not of the form`},
		{"only a part of it is of the form", map[string]string{"model": "a\nb"}, acme, stack, "is not of the form"},
		{"a control character", map[string]string{"greeting": "a\x1bb"}, acme, stack, "The parameter greeting: It has characters in it that are no text."},
		{"too long", map[string]string{"greeting": strings.Repeat("a", 5000)}, acme, stack, "It is longer than 4096 bytes."},
		{"no secret's name", map[string]string{"api_key": "hunter2 !"}, acme, stack, "is no name of a secret."},
		{"no tenant", nil, blueprint.Tenant{Slug: "A B", Zone: "UTC"}, stack, `"A B" is no slug`},
		{"no zone", nil, blueprint.Tenant{Slug: "acme", Zone: "Mars"}, stack, `"Mars" is no time zone.`},
		{"no name", nil, acme, blueprint.Stack{ID: "stk_1", Name: "Main"}, `"Main" is no name of a stack.`},
		{"no id", nil, acme, blueprint.Stack{ID: "a:b", Name: "main"}, `"a:b" is no id of a stack.`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			spec, err := blueprint.Resolve(shippedBlueprint(t, "sky-ai"), tt.values, tt.tenant, tt.stack)
			if !errors.Is(err, fault.Invalid) || !strings.Contains(fault.Message(err), tt.want) || spec.Resources != nil {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func TestWhatOnlyValuesMakeWrong(t *testing.T) {
	for _, tt := range []struct{ name, document, value, want string }{
		{"a tag that is none", "tags: ['x:${param.a}']\n", "a b", `tags.0: "x:a b" is not a tag`},
		{"a name in DNS that is none", "dns: {domain: example.com, records: {a: {type: A, name: '${param.a}', data: 192.0.2.1}}}\n", "a b", `dns.records.a.name: "a b" is not a name within the domain`},
		{"a droplet far from its network", "vpc: {}\ndroplets: {web: {size: s-1vcpu-1gb, image: debian-12-x64, region: '${param.a}'}}\n", "nyc3", "The droplet web is in nyc3. The stack's network is in fra1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bp := parsed(t, "name: test\nversion: 1\nregion: fra1\nparameters: {a: {type: string}}\n"+tt.document)
			_, err := blueprint.Resolve(bp, map[string]string{"a": tt.value}, acme, stack)
			if !errors.Is(err, fault.Invalid) || !strings.Contains(fault.Message(err), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func TestOrderFollowsReferences(t *testing.T) {
	spec := resolved(t, parsed(t, `name: test
version: 1
region: fra1
vpc: {ip_range: 10.20.0.0/20}
volumes:
  data: {size_gib: 10, droplet: app}
droplets:
  app:
    size: s-1vcpu-1gb
    image: 12345
    cloud_init: |
      #!/bin/sh
      echo {{ .droplet.db.private_ip }} > /etc/db
  db: {size: s-1vcpu-1gb, image: debian-12-x64}
firewalls:
  a: {droplets: [db], inbound: [{protocol: tcp, ports: 5432, droplets: [app]}]}
`), nil)
	var got []string
	for _, r := range spec.Resources {
		if r.Kind != blueprint.TagKind {
			got = append(got, r.ID)
		}
	}
	want := []string{"vpc.net", "volume.data", "droplet.db", "droplet.app", "firewall.a"}
	if !slices.Equal(got, want) {
		t.Errorf("order %v, want %v", got, want)
	}
	app, _ := spec.Resource("droplet.app")
	if want := []string{"droplet.db", "tag.arcadia:stack:stk_1", "tag.arcadia:tenant:acme", "tag.tenant:acme", "volume.data", "vpc.net"}; !slices.Equal(app.DependsOn, want) {
		t.Errorf("app depends on %v, want %v", app.DependsOn, want)
	}
	if want := []string{"droplet.db.private_ip"}; !slices.Equal(app.Droplet.UserData.Needs, want) {
		t.Errorf("app's user data needs %v, want %v", app.Droplet.UserData.Needs, want)
	}
}

func TestLoopsAreToldByLine(t *testing.T) {
	_, err := blueprint.Parse("x.yaml", []byte(`name: test
version: 1
region: fra1
droplets:
  a:
    size: s-1vcpu-1gb
    image: debian-12-x64
    cloud_init: |
      #!/bin/sh
      echo {{ .droplet.b.private_ip }}
  b:
    size: s-1vcpu-1gb
    image: debian-12-x64
    cloud_init: |
      #!/bin/sh
      echo {{ .reserved_ip.front.address }}
reserved_ips:
  front: {droplet: a}
`))
	want := "x.yaml:18:20: reserved_ips.front.droplet: Each is made after the next: droplet.a → droplet.b → reserved_ip.front → droplet.a."
	if !errors.Is(err, fault.Invalid) || !strings.Contains(fault.Message(err), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestCompare(t *testing.T) {
	before := resolved(t, shippedBlueprint(t, "sky-ai"), skyValues)
	with := func(name, value string) blueprint.Spec {
		values := maps.Clone(skyValues)
		values[name] = value
		return resolved(t, shippedBlueprint(t, "sky-ai"), values)
	}
	edited := func(edit func(*blueprint.Blueprint)) blueprint.Spec {
		bp := shippedBlueprint(t, "sky-ai")
		edit(bp)
		return resolved(t, bp, skyValues)
	}
	other, err := blueprint.Resolve(shippedBlueprint(t, "sky-ai"), skyValues, acme, blueprint.Stack{ID: "stk_2", Name: "acme-main"})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		after  blueprint.Spec
		effect blueprint.Effect
		want   []string // resources, actions, fields and effects
	}{
		{"nothing", with("model", "llama3.2:3b"), blueprint.Live, nil},
		{"a larger machine", with("size", "s-8vcpu-16gb"), blueprint.Resize, []string{"change droplet.web size:resize"}},
		{"a larger disk", with("disk_gib", "200"), blueprint.Resize, []string{"change volume.data size_gib:resize"}},
		{"a smaller disk", with("disk_gib", "50"), blueprint.Never, []string{"change volume.data size_gib:never"}},
		{"another model is other user data", with("model", "qwen3:4b"), blueprint.Rebuild, []string{"change droplet.web user_data:rebuild loses"}},
		{"another secret is other user data", with("api_key", "second-key"), blueprint.Rebuild, []string{"change droplet.web user_data:rebuild loses"}},
		{"another image", with("image", "debian-13-x64"), blueprint.Rebuild, []string{"change droplet.web image:rebuild loses"}},
		{"another range for SSH", with("admin_range", "192.0.2.0/24"), blueprint.Live, []string{"change firewall.edge inbound:live"}},
		{"another region", with("region", "nyc3"), blueprint.Never, []string{"change vpc.net region:never", "change volume.data region:never", "change droplet.web region:never", "change reserved_ip.front region:never"}},
		{"no volume any more", edited(func(bp *blueprint.Blueprint) {
			delete(bp.Volumes, "data")
			bp.Droplets["web"].CloudInit = ""
		}), blueprint.Rebuild, []string{"change droplet.web user_data:rebuild volumes:live loses", "delete volume.data loses"}},
		{"one more tag", edited(func(bp *blueprint.Blueprint) { bp.Tags = append(bp.Tags, "gold") }), blueprint.Live,
			[]string{"create tag.gold", "change volume.data tags:live", "change droplet.web tags:live"}},
		{"backups at another time", edited(func(bp *blueprint.Blueprint) { bp.BackupPolicy.Schedule = "0 4 * * *" }), blueprint.Live, nil},
		{"another stack", other, blueprint.Never, []string{"create tag.arcadia:stack:stk_2", "change volume.data tags:live", "change droplet.web tags:live", "delete tag.arcadia:stack:stk_1"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := blueprint.Compare(before, tt.after)
			var got []string
			for _, r := range d.Resources {
				line := string(r.Action) + " " + r.ID
				for _, f := range r.Fields {
					line += " " + f.Field + ":" + string(f.Effect)
				}
				if r.Loses {
					line += " loses"
				}
				got = append(got, line)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" || d.Effect != tt.effect {
				t.Errorf("effect %s, want %s; resources (- want, + got):\n%s", d.Effect, tt.effect, diff)
			}
		})
	}
}
