package cli_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/arcadia-cloud/arcadia/internal/cli"
	"github.com/arcadia-cloud/arcadia/internal/golden"
)

// run runs a command line and returns its exit code and what it printed.
func run(t *testing.T, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	code = cli.Run(t.Context(), cli.Host{}, cli.Streams{In: strings.NewReader(""), Out: &o, Err: &e}, args)
	return code, o.String(), e.String()
}

const handbook = "../../docs/billing-preview.md"

var (
	block   = regexp.MustCompile("(?ms)^```(\\w+) ([^\n]*)\n(.*?)^```$")
	command = "$ arcadia "
)

// The handbook's examples are run as they stand there, and their output is part of it.
func TestTheHandbooksExamples(t *testing.T) {
	text, err := os.ReadFile(handbook)
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	ran := 0
	got := block.ReplaceAllStringFunc(string(text), func(found string) string {
		part := block.FindStringSubmatch(found)
		title, body := part[2], part[3]
		line, isCommand := strings.CutPrefix(title, command)
		if !isCommand {
			if err := os.WriteFile(title, []byte(body), 0o644); err != nil {
				t.Fatal(err)
			}
			return found
		}
		ran++
		code, out, errs := run(t, strings.Fields(line)...)
		if code != 0 {
			t.Errorf("%s: exit %d: %s", line, code, errs)
		}
		return "```" + part[1] + " " + title + "\n" + strings.TrimRight(out, "\n") + "\n```"
	})
	if ran < 3 {
		t.Fatalf("only %d commands were found", ran)
	}
	t.Chdir(origin)
	golden.Equal(t, handbook, got)
}

var origin, _ = os.Getwd()

// Whatever is wrong with the files ends with exit code 2, no invoice, and a sentence
// that names the place.
func TestPreviewRefusesWhatIsMalformed(t *testing.T) {
	files := map[string]string{
		"c.yaml":   "currency: USD\nplans:\n  - id: p\n    version: 1\n    period: {unit: month}\n    charges:\n      - {id: fee, type: recurring, price: \"1\"}\n",
		"bad.yaml": "currency: USD\nplans:\n  - id: p\n    version: 1\n    period: {unit: month}\n    charges:\n      - {id: fee, type: recurring, prize: \"1\"}\n",
		"s.json":   "{\n  \"tenant\": \"acme\",\n  \"phases\": [\n    {\"plan\": \"p@1\",\n     \"from\": \"2026-01-10\", \"to\": null}\n  ]\n}\n",
		"u.ndjson": "{\"id\": \"1\"}\n{\"id\": \n",
	}
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for name, content := range files {
		if err := os.WriteFile(at(name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"an unknown field", []string{"--catalog", at("bad.yaml"), "--subscription", at("s.json"), "--at", "2026-02-01"}, "bad.yaml:7: plans[0].charges[0].prize: There is no such field."},
		{"usage", []string{"--catalog", at("c.yaml"), "--subscription", at("s.json"), "--usage", at("u.ndjson"), "--at", "2026-02-01"}, "u.ndjson:2: "},
		{"a time before the start", []string{"--catalog", at("c.yaml"), "--subscription", at("s.json"), "--at", "2026-01-09"}, "at: 2026-01-09T00:00:00Z is before"},
		{"no time", []string{"--catalog", at("c.yaml"), "--subscription", at("s.json"), "--at", "tomorrow"}, `--at: "tomorrow" is no time`},
		{"no file", []string{"--catalog", at("no.yaml"), "--subscription", at("s.json"), "--at", "2026-02-01"}, "no.yaml cannot be read: no such file or directory."},
		{"no flag", []string{"--catalog", at("c.yaml")}, "Missing flags"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, more := range [][]string{nil, {"--json"}} {
				code, out, errs := run(t, append(append([]string{"billing", "preview"}, tt.args...), more...)...)
				if code != 2 || out != "" || !strings.Contains(strings.ReplaceAll(errs, `\"`, `"`), tt.want) {
					t.Errorf("exit %d, %q, %q; want exit 2 and %q", code, out, errs, tt.want)
				}
			}
		})
	}
	code, out, errs := run(t, "billing", "preview", "--catalog", at("c.yaml"), "--subscription", at("s.json"), "--at", "2026-01-10", "--json")
	var got struct {
		Invoices []struct {
			Total int64
			Due   int64
			Lines []map[string]any
		}
		CreditNotes []any `json:"credit_notes"`
		Rejected    []any
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil || code != 0 || errs != "" {
		t.Fatalf("exit %d, %v, %s", code, err, errs)
	}
	if len(got.Invoices) != 1 || got.Invoices[0].Due != 71 || got.CreditNotes == nil || got.Rejected == nil {
		t.Errorf("got %s", out)
	}
	for _, field := range []string{"charge", "service", "quantity", "unit_price", "exact", "amount", "tax", "explain"} {
		if _, ok := got.Invoices[0].Lines[0][field]; !ok {
			t.Errorf("a line has no %s: %s", field, out)
		}
	}
}
