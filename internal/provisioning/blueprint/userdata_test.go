package blueprint_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"os/exec"
	"strings"
	"testing"
	"unicode"

	"github.com/goccy/go-yaml"
	"pgregory.net/rapid"

	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/provisioning/blueprint"
)

var (
	acme  = blueprint.Tenant{Slug: "acme", Zone: "Europe/Berlin"}
	stack = blueprint.Stack{ID: "stk_1", Name: "acme-main"}
)

// withCloudInit is a blueprint whose droplet runs the template, with a text x of the
// tenant's, a word w, a text o of the operator's, a number n, a switch b and a secret.
func withCloudInit(template string) string {
	return head[:strings.LastIndex(head, "  web:")] + `  web:
    size: s-1vcpu-1gb
    image: debian-12-x64
    cloud_init: |
` + "      " + strings.ReplaceAll(strings.TrimSuffix(template, "\n"), "\n", "\n      ") + `
parameters:
  x: {type: string, set_by: tenant, default: x}
  w: {type: string, set_by: tenant, default: word, pattern: '[a-z][a-z-]*'}
  o: {type: string, default: 'a: 1'}
  n: {type: integer, default: 7}
  b: {type: boolean, default: true}
  key: {type: secret, default: main-key}
health:
  boot: {type: callback, droplet: web}
`
}

func userData(t interface {
	Helper()
	Fatal(...any)
}, template string, values map[string]string) string {
	t.Helper()
	bp, err := blueprint.Parse("x.yaml", []byte(withCloudInit(template)))
	if err != nil {
		t.Fatal(err)
	}
	spec, err := blueprint.Resolve(bp, values, acme, stack)
	if err != nil {
		t.Fatal(err)
	}
	text, err := blueprint.RenderUserData(spec, "web", blueprint.Known{"secret.main-key": "https://arcadia.example/once?a=1&b='2'", "callback.boot": "https://arcadia.example/back"})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// everywhere has a value in every place where one may stand.
const everywhere = `#cloud-config
plain: {{ .param.x }}
quoted: "{{ .param.x }}"
flow: [{{ .param.x }}, "b", {c: {{ .param.x }}}]
runcmd:
  - printf %s {{ .param.x }}
  - printf %s a{{ .param.x | quote }}b --x={{ .param.x }}
write_files:
  - content: |
      #!/bin/sh
      x={{ .param.x }}
      for y in {{ .param.x }}; do printf '%s|%s' "$x" "$y"; done
  - content: |
      {"a": {{ .param.x | json }}, "b": [{{ .param.n | json }}]}
  - content: |
      a: {{ .param.x | yaml }}
      b: 1
  - content: |
      x={{ .param.x | quote }}
      y='{{ .param.w }}'
  - content: before {{ .param.x | base64 }} after
`

// run is what a shell prints.
func run(t interface {
	Helper()
	Fatal(...any)
}, script string) string {
	t.Helper()
	out, err := exec.Command("/bin/sh", "-c", script).CombinedOutput()
	if err != nil {
		t.Fatal(err, string(out), script)
	}
	return string(out)
}

// Whatever the value of a parameter is, it ends up as exactly that: in YAML, in a
// word of a shell, in files of JSON, YAML and assignments.
func TestNoValueIsAnythingButData(t *testing.T) {
	pieces := rapid.SampledFrom([]string{"'", "\"", "\\", "$(reboot)", "`id`", "${IFS}", "\n", "\n- a: b", ": ", " #", "{{ .param.o }}", "}}", "{%", "&a *a !!x", "|", "a", " ", "\t", "\r", "-", "~", "*", "é", "\u2028", "\ufeff", "😀", "EOF\n", "arc00x0x", "'\\''", "0x1f", "yes", "null", "%s", ";", "&&"})
	texts := rapid.OneOf(
		rapid.Map(rapid.SliceOfN(pieces, 0, 8), func(all []string) string { return strings.Join(all, "") }),
		rapid.StringOfN(rapid.Rune(), 0, 40, 200),
	).Filter(func(s string) bool {
		return !strings.ContainsFunc(s, func(c rune) bool {
			return unicode.IsControl(c) && c != '\n' && c != '\t' && c != '\r' || c >= 0xfdd0 && c <= 0xfdef || c&0xfffe == 0xfffe
		})
	})
	rapid.Check(t, func(t *rapid.T) {
		x := texts.Draw(t, "x")
		text := userData(t, everywhere, map[string]string{"x": x})
		var got struct {
			Plain, Quoted string
			Flow          []any
			Runcmd        []string
			Files         []struct{ Content string } `yaml:"write_files"`
		}
		if err := yaml.Unmarshal([]byte(text), &got); err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		if got.Plain != x || got.Quoted != x {
			t.Errorf("YAML has %q and %q, want %q", got.Plain, got.Quoted, x)
		}
		if len(got.Flow) != 3 || got.Flow[0] != x || got.Flow[1] != "b" || got.Flow[2].(map[string]any)["c"] != x {
			t.Errorf("flow is %v, want three things with %q", got.Flow, x)
		}
		if len(got.Runcmd) != 2 || len(got.Files) != 5 {
			t.Fatalf("commands %q, files %q", got.Runcmd, got.Files)
		}
		script := got.Runcmd[0] + "; printf '\\1'; " + got.Runcmd[1] + "; printf '\\1'\n" + got.Files[0].Content + "\nprintf '\\1'; " + got.Files[3].Content + "\nprintf %s \"$x$y\""
		want := x + "\x01a" + x + "b--x=" + x + "\x01" + x + "|" + x + "\x01" + x + "word"
		if printed := run(t, script); printed != want {
			t.Errorf("the shell printed %q, want %q, by\n%s", printed, want, script)
		}
		var inJSON struct {
			A string
			B []int
		}
		if err := json.Unmarshal([]byte(got.Files[1].Content), &inJSON); err != nil || inJSON.A != x || len(inJSON.B) != 1 || inJSON.B[0] != 7 {
			t.Errorf("JSON is %v, %v, want %q", inJSON, err, x)
		}
		var inYAML map[string]any
		if err := yaml.Unmarshal([]byte(got.Files[2].Content), &inYAML); err != nil || inYAML["a"] != x || len(inYAML) != 2 {
			t.Errorf("the file of YAML is %v, %v, want %q", inYAML, err, x)
		}
		if want := "before " + base64.StdEncoding.EncodeToString([]byte(x)) + " after"; got.Files[4].Content != want {
			t.Errorf("base64 is %q, want %q", got.Files[4].Content, want)
		}
	})
}

func TestPlacesWhereNoValueMayStand(t *testing.T) {
	for _, tt := range []struct{ name, template, want string }{
		{"within double quotes of a shell", "runcmd:\n  - echo \"{{ .param.x }}\"\n", "line 3: Its value may have characters that mean something here. In a script it stands without quotes"},
		{"within single quotes of a shell", "runcmd:\n  - echo '{{ .param.x }}'\n", "it stands without quotes"},
		{"quote within quotes", "runcmd:\n  - echo \"{{ .param.x | quote }}\"\n", "it stands without quotes"},
		{"in a comment of a shell", "runcmd:\n  - |\n    echo a # {{ .param.x }}\n", "it stands without quotes"},
		{"in a here document", "runcmd:\n  - |\n    cat <<E\n    {{ .param.x }}\n    E\n", "it stands without quotes"},
		{"in arithmetic", "runcmd:\n  - echo $(( {{ .param.x }} ))\n", "it stands without quotes"},
		{"as a pattern", "runcmd:\n  - case a in {{ .param.x }}) ;; esac\n", "it stands without quotes"},
		{"after a backslash", "runcmd:\n  - echo \\{{ .param.x }}\n", "it stands without quotes"},
		{"given to eval", "runcmd:\n  - eval {{ .param.x }}\n", "not as an argument of what runs its arguments"},
		{"given to another shell", "runcmd:\n  - sudo /bin/sh -c {{ .param.x }}\n", "not as an argument of what runs its arguments"},
		{"json is no way out", "runcmd:\n  - echo \"{{ .param.x | json }}\"\n", "it stands without quotes"},
		{"as a command", "runcmd:\n  - \"{{ .param.x }}\"\n", "A value cannot be the name of a command or of a variable."},
		{"a word as a command", "runcmd:\n  - echo $({{ .param.w }})\n", "A value cannot be the name of a command or of a variable."},
		{"a word as a variable", "runcmd:\n  - \"{{ .param.w }}=1 true\"\n", "A value cannot be the name of a command or of a variable."},
		{"as a word of a command in words", "runcmd:\n  - [sh, -c, \"{{ .param.x }}\"]\n", "A command in words takes no values"},
		{"a script that is none", "runcmd:\n  - if {{ .param.x }}\n", "This is no script that can be read"},
		{"as a field", "{{ .param.w }}: 1\n", "A value cannot be the name of a field."},
		{"bare in a file", "write_files:\n  - content: |\n      server_name {{ .param.x }};\n", "line 4: Its value may have characters that mean something here. Say how it is written"},
		{"json in what is no JSON", "write_files:\n  - content: server_name {{ .param.x | json }};\n", "json is for a text that is JSON all through"},
		{"json within quotes", "write_files:\n  - content: '{\"a\": \"b {{ .param.x | json }}\"}'\n", "json is for a text that is JSON all through"},
		{"yaml within quotes", "write_files:\n  - content: |\n      a: \"{{ .param.x | yaml }}\"\n", "yaml is for a text that is YAML all through"},
		{"quote in what no shell reads", "write_files:\n  - content: |\n      a \"{{ .param.x | quote }}\"\n", "quote is for a text that a shell reads"},
		{"raw of the tenant's", "a: {{ .param.x | raw }}\n", "raw: the tenant sets the parameter x, so that it is never written without quotes."},
		{"raw of what is no parameter", "a: {{ .tenant.slug | raw }}\n", "raw takes a parameter and nothing else"},
		{"raw of a text with the tenant's in it", "a: {{ or .param.x .param.o | raw }}\n", "raw takes a parameter and nothing else"},
		{"a secret written out", "a: {{ .param.key }}\n", `A secret is never written out. Take {{ secret "key" }}`},
		{"a secret that is none", "a: {{ secret \"x\" }}\n", "there is no parameter of type secret with this name"},
		{"a loop", "{{ range 1000000000 }}{{ end }}a: 1\n", "A template has values in {{ }}, if, else and end. It has no range."},
		{"a definition", "{{ define \"a\" }}{{ template \"a\" }}{{ end }}a: 1\n", "A template has no definitions of others."},
		{"a variable", "{{ $x := .param.x }}a: 1\n", "A template has no variables."},
		{"the whole of the data", "a: {{ . }}\n", "a template has values like .param.size"},
		{"a function of Go's", "a: {{ printf \"%999999999d\" 1 }}\n", "A template has no printf."},
		{"a method", "a: {{ .param.x.String }}\n", "line 2: .param.x.String is no value."},
		{"an unknown parameter", "a: 1\nb: {{ .param.y }}\n", "line 3: .param.y: there is no parameter y."},
		{"an unknown callback", "a: {{ .callback.bot }}\n", "There is no health probe bot of type callback for this droplet."},
		{"something after an encoding", "a: {{ .param.x | json | print }}\n", "json stands at the end"},
		{"an end too few", "{{ if .param.b }}a: 1\n", "The template cannot be read"},
		{"its own address", "a: {{ .droplet.web.private_ip }}\n", "line 2: Each is made after the next: droplet.web → droplet.web."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := blueprint.Parse("x.yaml", []byte(withCloudInit("#cloud-config\n"+tt.template)))
			want := tt.want
			if line, message, ok := strings.Cut(want, ": "); ok && strings.HasPrefix(line, "line ") {
				// The template begins on line 9 of the document.
				want = "x.yaml:" + map[string]string{"line 2": "10", "line 3": "11", "line 4": "12"}[line] + ":1: droplets.web.cloud_init: " + message
			}
			if !errors.Is(err, fault.Invalid) || !strings.Contains(fault.Message(err), want) {
				t.Errorf("got %v, want %s", err, want)
			}
		})
	}
}

func TestUserDataBeginsAsSomethingKnown(t *testing.T) {
	for _, first := range []string{"## template: jinja\n#cloud-config\n", "#include\n", "#!/usr/bin/python3\n", "packages: []\n", "#cloud-config-archive\n"} {
		_, err := blueprint.Parse("x.yaml", []byte(withCloudInit(first+"a: 1\n")))
		if !errors.Is(err, fault.Invalid) || !strings.Contains(fault.Message(err), "It begins with #cloud-config, or with the #! line of a shell") {
			t.Errorf("%q: %v", first, err)
		}
	}
}

func TestUserDataAsItIsWritten(t *testing.T) {
	for _, tt := range []struct{ name, template, want string }{
		{"what stands alone keeps its type", "#cloud-config\na: {{ .param.n }}\nb: \"{{ .param.n }}\"\nc: {{ .param.b }}\nd: {{ .param.x }}\n", "#cloud-config\na: 7\nb: \"7\"\nc: true\nd: \"x\"\n"},
		{"conditions", "#cloud-config\n{{ if and .param.b (eq .param.n 7) }}a: 1\n{{ else }}b: 1\n{{ end -}}\nc: []\n", "#cloud-config\na: 1\nc: []\n"},
		{"words as they are", "#cloud-config\na: yes\nb: 0644\nc: ~\n\"on\": \"no\"\nd: {}\n", "#cloud-config\na: yes\nb: 0644\nc: null\n\"on\": \"no\"\nd: {}\n"},
		{"a word within quotes", "#cloud-config\nruncmd:\n  - echo \"{{ .param.w }}\" $(( {{ .param.n }} + 1 ))\n", "#cloud-config\nruncmd:\n  - \"echo \\\"word\\\" $(( 7 + 1 ))\"\n"},
		{"a secret is an address in quotes", "#cloud-config\nruncmd:\n  - curl {{ secret \"key\" }}\n", "#cloud-config\nruncmd:\n  - \"curl 'https://arcadia.example/once?a=1&b='\\\\''2'\\\\'''\"\n"},
		{"raw of the operator's", "#cloud-config\n{{ .param.o | raw }}\n", "#cloud-config\na: 1\n"},
		{"a script", "#!/bin/bash\nx={{ .param.x }}\n[[ $x == a ]] && curl {{ .callback.boot }}\n", "#!/bin/bash\nx=x\n[[ $x == a ]] && curl https://arcadia.example/back\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := userData(t, tt.template, nil); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

func TestUserDataWaitsForWhatItNeeds(t *testing.T) {
	bp, err := blueprint.Parse("x.yaml", []byte(withCloudInit("#cloud-config\na: {{ secret \"key\" }}\n")))
	if err != nil {
		t.Fatal(err)
	}
	spec, err := blueprint.Resolve(bp, nil, acme, stack)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		droplet string
		known   blueprint.Known
		want    fault.Kind
	}{
		"nothing is known": {"web", nil, fault.Conflict},
		"another secret":   {"web", blueprint.Known{"secret.other": "https://arcadia.example"}, fault.Conflict},
		"no text":          {"web", blueprint.Known{"secret.main-key": "a\x00b"}, fault.Invalid},
		"no such droplet":  {"db", nil, fault.NotFound},
	} {
		if text, err := blueprint.RenderUserData(spec, tt.droplet, tt.known); !errors.Is(err, tt.want) || text != "" {
			t.Errorf("%s: %q, %v, want %v", name, text, err, tt.want)
		}
	}
}

// A parameter whose pattern admits only words may stand bare in any file.
func TestPatternsOfWords(t *testing.T) {
	for pattern, want := range map[string]bool{
		"[a-z]+": true, `[a-z0-9]([a-z0-9-]*[a-z0-9])?`: true, `\d+`: true, "a|b:c/d": true, `\w+`: true, "(?i)[a-h]+": true,
		".+": false, "(?s).": false, "[^a]": false, "[a-z ]+": false, "[a-z]*": false, `\S+`: false, "-a": false,
		"[a-z-]+": false, "a?-b": false, "(a|-)b": false, `^-x`: false, "[\u0100-\u0200]+": false, "(?i)k": false, "a;b": false,
	} {
		document := strings.Replace(withCloudInit("#cloud-config\nwrite_files:\n  - content: a {{ .param.w }};\n"), "'[a-z][a-z-]*'", "'"+pattern+"'", 1)
		document = strings.Replace(document, "default: word, ", "", 1)
		_, err := blueprint.Parse("x.yaml", []byte(document))
		if got := err == nil; got != want || err != nil && !strings.Contains(err.Error(), "Say how it is written") {
			t.Errorf("%s may stand bare: %t (%v), want %t", pattern, got, err, want)
		}
	}
}
