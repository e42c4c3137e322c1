// Package internal_test keeps the house in order: who stands on whose shoulders,
// which table belongs to whom, and how long a file may be.
package internal_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/arcadia-cloud/arcadia"

// floors is the house from roof to ground (DESIGN.md, "The house"). A package
// imports only from floors below its own; packages on one floor do not know
// each other. Packages inside a listed one belong to it and its floor. A new
// package needs a line here.
var floors = [][]string{
	{"cmd/arcadia", "bench"},
	{"internal/app"},
	{"internal/cli", "internal/web", "internal/api", "internal/mcp"},
	{"internal/wire", "internal/origin"},
	{"internal/report"},
	{"internal/billing"},
	{"internal/rating"},
	{"internal/metering"},
	{"internal/provisioning"},
	{"internal/inventory"},
	{"internal/access", "internal/secret"},
	{"internal/tenant"},
	{"internal/saga"},
	{"internal/digitalocean"},
	{"internal/journal"},
	{"internal/jobs"},
	{"internal/vault", "internal/audit"},
	{"internal/dbtest"},
	{"internal/schema"},
	{"internal/db", "internal/datadir"},
	{"internal/manifest"},
	{"internal/money", "internal/id", "internal/period", "internal/golden"},
	{"internal/exact"},
	{"internal/fault"},
}

// beside are the packages that stand beside the house, with what they may import
// of it. Above the floor given, the house may import them; below it, only tests.
var beside = map[string]struct {
	imports []string
	from    string
}{
	"internal/dosim": {[]string{"internal/fault", "internal/money", "internal/id", "internal/period", "internal/golden"}, "internal/report"},
	"client":         {nil, "internal/report"},
}

// kits are for tests: no code of the product imports them, and tests on any
// floor may, whatever their own floor is.
var kits = []string{"internal/dbtest", "internal/golden", "internal/saga/sagatest", "internal/dosim/dosimtest"}

// owners says which package owns which table. Nobody else names a table in SQL,
// but for report, which reads across the house, and tests.
var owners = map[string]string{
	"schema_migrations": "internal/schema",

	"sagas":         "internal/saga",
	"saga_steps":    "internal/saga",
	"saga_events":   "internal/saga",
	"saga_subjects": "internal/saga",
	"saga_locks":    "internal/saga",
	"saga_keys":     "internal/saga",
	"saga_sweeps":   "internal/saga",
	"saga_nodes":    "internal/saga",
	"saga_duties":   "internal/saga",

	"do_tokens":   "internal/access",
	"do_accounts": "internal/access",

	"secrets":            "internal/secret",
	"one_time_addresses": "internal/secret",

	"tenants": "internal/tenant",

	"inv_heads":        "internal/inventory",
	"inv_runs":         "internal/inventory",
	"inv_generations":  "internal/inventory",
	"inv_resources":    "internal/inventory",
	"inv_versions":     "internal/inventory",
	"inv_feed":         "internal/inventory",
	"inv_changes":      "internal/inventory",
	"inv_edges":        "internal/inventory",
	"inv_actions":      "internal/inventory",
	"inv_attributions": "internal/inventory",
	"inv_assignments":  "internal/inventory",
	"inv_rules":        "internal/inventory",
	"inv_findings":     "internal/inventory",
	"inv_mutes":        "internal/inventory",

	"usage_events":         "internal/metering",
	"usage_corrections":    "internal/metering",
	"usage_conflicts":      "internal/metering",
	"usage_meters":         "internal/metering",
	"usage_marks":          "internal/metering",
	"usage_hours":          "internal/metering",
	"usage_counts":         "internal/metering",
	"usage_lifetimes":      "internal/metering",
	"usage_lifetimes_past": "internal/metering",
	"usage_cursor":         "internal/metering",

	"billing_catalog":       "internal/billing",
	"billing_issuers":       "internal/billing",
	"billing_logos":         "internal/billing",
	"billing_customers":     "internal/billing",
	"billing_subscriptions": "internal/billing",
	"billing_changes":       "internal/billing",
	"billing_series":        "internal/billing",
	"billing_rates":         "internal/billing",
	"billing_closes":        "internal/billing",
	"billing_amendments":    "internal/billing",
	"billing_requests":      "internal/billing",
	"billing_marks":         "internal/billing",
	"billing_invoices":      "internal/billing",
	"billing_states":        "internal/billing",
	"billing_payments":      "internal/billing",
	"billing_reversals":     "internal/billing",
	"billing_settlements":   "internal/billing",
	"billing_drafts":        "internal/billing",
	"billing_runs":          "internal/billing",
	"billing_credit_notes":  "internal/billing",
	"billing_imports":       "internal/billing",
	"billing_refunds":       "internal/billing",
	"billing_releases":      "internal/billing",

	"billing_test_documents": "internal/billing",

	"journal_entries":  "internal/journal",
	"journal_postings": "internal/journal",
	"journal_seals":    "internal/journal",

	"blueprints":      "internal/provisioning",
	"stacks":          "internal/provisioning",
	"stack_resources": "internal/provisioning",
	"plans":           "internal/provisioning",
	"freezes":         "internal/provisioning",
	"destructions":    "internal/provisioning",
	"protections":     "internal/provisioning",

	"stack_backups":       "internal/provisioning",
	"stack_backup_items":  "internal/provisioning",
	"stack_schedules":     "internal/provisioning",
	"stack_drills":        "internal/provisioning",
	"stack_drift_ignores": "internal/provisioning",
	"cleanup_marks":       "internal/provisioning",

	"river_job":          "internal/jobs",
	"river_queue":        "internal/jobs",
	"river_leader":       "internal/jobs",
	"river_client":       "internal/jobs",
	"river_client_queue": "internal/jobs",
	"river_migration":    "internal/jobs",
	"river_notification": "internal/jobs",
}

// A source is one Go file of the module.
type source struct {
	path    string // relative to the module, with slashes
	dir     string
	test    bool
	content []byte
}

// sources reads every Go file of the module. Directories with a go.mod of their
// own are other modules.
func sources(t *testing.T) []source {
	t.Helper()
	var all []source
	walk(t, func(name string, content []byte) {
		if strings.HasSuffix(name, ".go") {
			all = append(all, source{name, path.Dir(name), strings.HasSuffix(name, "_test.go"), content})
		}
	})
	if len(all) < 20 {
		t.Fatalf("only %d Go files found", len(all))
	}
	return all
}

// walk calls see for every file of this module.
func walk(t *testing.T, see func(name string, content []byte)) {
	t.Helper()
	err := filepath.WalkDir("..", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			_, err := os.Stat(filepath.Join(name, "go.mod"))
			nested := err == nil && name != ".."
			if nested || slices.Contains([]string{".git", "bin", "node_modules"}, entry.Name()) {
				return filepath.SkipDir
			}
			return nil
		}
		if !entry.Type().IsRegular() || entry.Name() == ".git" { // a file in a linked work tree
			return nil
		}
		content, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel("..", name)
		see(filepath.ToSlash(rel), content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// room returns the listed package that dir is, or is inside of.
func room(dir string) (string, bool) {
	for ; dir != "."; dir = path.Dir(dir) {
		if _, ok := beside[dir]; ok || floorOf(dir) >= 0 {
			return dir, true
		}
	}
	return "", false
}

// floorOf is the index in floors, -1 for what stands beside.
func floorOf(dir string) int {
	return slices.IndexFunc(floors, func(rooms []string) bool { return slices.Contains(rooms, dir) })
}

// isKit reports whether dir is a test kit or inside one.
func isKit(dir string) bool {
	return slices.ContainsFunc(kits, func(kit string) bool { return dir == kit || strings.HasPrefix(dir, kit+"/") })
}

// mayImport returns why the package in from may not import the one in to, or "".
// Tests, and kits, which are for them, may also use kits and what stands beside.
func mayImport(from, to string, test bool) string {
	home, ok := room(from)
	if !ok {
		return "it is not listed in internal/house_test.go"
	}
	target, ok := room(to)
	switch {
	case !ok:
		return to + " is not listed in internal/house_test.go"
	case test && isKit(to):
		return ""
	case isKit(to) && !isKit(from) && home != target:
		return to + " is for tests"
	case home == target:
		return ""
	}
	guest, isGuest := beside[home]
	if isGuest {
		if !test && !slices.Contains(guest.imports, target) {
			return home + " stands beside the house and imports nothing of it but the ground"
		}
		return ""
	}
	if neighbour, ok := beside[target]; ok {
		if !test && floorOf(home) >= floorOf(neighbour.from) {
			return target + " stands beside the house; only the surfaces and the roof import it"
		}
		return ""
	}
	if floorOf(target) <= floorOf(home) {
		return target + " does not stand below " + home
	}
	return ""
}

func TestImportsOnlyGoDown(t *testing.T) {
	for _, s := range sources(t) {
		if s.dir == "internal" || s.dir == "." {
			continue
		}
		if _, ok := room(s.dir); !ok {
			t.Errorf("%s: the package %s is not listed in internal/house_test.go", s.path, s.dir)
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), s.path, s.content, parser.ImportsOnly)
		if err != nil {
			t.Error(err)
			continue
		}
		for _, spec := range file.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Error(err)
			}
			to, ours := strings.CutPrefix(name, module+"/")
			if !ours {
				continue
			}
			if why := mayImport(s.dir, to, s.test || isKit(s.dir)); why != "" {
				t.Errorf("%s imports %s: %s", s.path, to, why)
			}
		}
	}
}

func TestTheRulesOfTheHouse(t *testing.T) {
	for _, tt := range []struct {
		from, to string
		test, ok bool
	}{
		{"internal/saga", "internal/db", false, true},
		{"internal/db", "internal/saga", false, false},
		{"internal/digitalocean", "internal/saga", false, false},
		{"internal/api", "internal/cli", false, false},
		{"internal/schema", "internal/db", false, true},
		{"internal/saga/model", "internal/saga", false, true},
		{"internal/provisioning", "internal/saga/model", false, true},
		{"internal/saga", "internal/provisioning", true, false}, // nor in a test
		{"internal/db", "internal/dbtest", true, true},
		{"internal/db", "internal/dbtest", false, false},
		{"internal/provisioning", "internal/saga/sagatest", false, false},
		{"internal/digitalocean", "internal/dosim", true, true},
		{"internal/digitalocean", "internal/dosim", false, false},
		{"internal/app", "internal/dosim", false, true},
		{"internal/dosim", "internal/id", false, true},
		{"internal/dosim", "internal/db", false, false},
		{"internal/cli", "client", false, true},
		{"client", "internal/fault", false, false},
		{"cmd/arcadia", "internal/app", false, true},
		{"internal/app", "cmd/arcadia", false, false},
		{"internal/util", "internal/fault", false, false},
		{"internal/app", "internal/util", false, false},
	} {
		if why := mayImport(tt.from, tt.to, tt.test); (why == "") != tt.ok {
			t.Errorf("%s imports %s, in a test %t: refused with %q, want allowed %t", tt.from, tt.to, tt.test, why, tt.ok)
		}
	}
}

var (
	createTable = regexp.MustCompile(`(?i)CREATE\s+TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?"?(\w+)`)
	dropTable   = regexp.MustCompile(`(?i)DROP\s+TABLE\s+(?:IF\s+EXISTS\s+)?"?(\w+)`)
	sqlWord     = regexp.MustCompile(`\b(SELECT|INSERT|UPDATE|DELETE|FROM|JOIN|INTO|TABLE|WHERE)\b`)
	word        = regexp.MustCompile(`\w+`)
)

// tablesIn returns the owned tables that a string literal names, if it is SQL.
func tablesIn(literal string) []string {
	if !sqlWord.MatchString(literal) {
		return nil
	}
	var tables []string
	for _, name := range word.FindAllString(literal, -1) {
		if _, owned := owners[name]; owned && !slices.Contains(tables, name) {
			tables = append(tables, name)
		}
	}
	return tables
}

func TestEachTableIsNamedByItsOwnerAlone(t *testing.T) {
	named := make(map[string]bool)
	for _, s := range sources(t) {
		home, _ := room(s.dir)
		if s.test || isKit(s.dir) || home == "internal/report" {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), s.path, s.content, parser.SkipObjectResolution)
		if err != nil {
			t.Error(err)
			continue
		}
		ast.Inspect(file, func(n ast.Node) bool {
			literal, ok := n.(*ast.BasicLit)
			if !ok || literal.Kind != token.STRING {
				return true
			}
			text, err := strconv.Unquote(literal.Value)
			if err != nil {
				return true
			}
			for _, table := range tablesIn(text) {
				named[table] = true
				if home != owners[table] {
					t.Errorf("%s names the table %s, which belongs to %s: ask it instead", s.path, table, owners[table])
				}
			}
			return true
		})
	}
	for _, table := range []string{"sagas", "schema_migrations"} {
		if !named[table] {
			t.Errorf("the owner of %s was not seen to name it, so nobody is looked at", table)
		}
	}
}

// Every table that the migrations make has an owner, and no owner has a table
// that they do not make.
func TestEachTableHasAnOwner(t *testing.T) {
	files, err := filepath.Glob("schema/migrations/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatalf("no migrations: %v", err)
	}
	made := make(map[string]bool)
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range createTable.FindAllSubmatch(text, -1) {
			table := string(match[1])
			made[table] = true
			if owners[table] == "" {
				t.Errorf("%s makes the table %s, which has no owner in internal/house_test.go", name, table)
			}
		}
		for _, match := range dropTable.FindAllSubmatch(text, -1) {
			delete(made, string(match[1]))
		}
	}
	for table, owner := range owners {
		if !made[table] && owner != "internal/jobs" && owner != "internal/schema" { // those make their own
			t.Errorf("%s owns the table %s, which no migration makes", owner, table)
		}
	}
}

func TestFilesAreShort(t *testing.T) {
	const most = 600
	generated := regexp.MustCompile(`(?m)^// Code generated .* DO NOT EDIT\.$`)
	for _, s := range sources(t) {
		if lines := bytes.Count(s.content, []byte("\n")); lines > most && !generated.Match(s.content) {
			t.Errorf("%s has %d lines, more than %d", s.path, lines, most)
		}
	}
}

func TestNamesSaySomething(t *testing.T) {
	for _, s := range sources(t) {
		for _, part := range strings.Split(strings.TrimSuffix(s.path, ".go"), "/") {
			if slices.Contains([]string{"util", "utils", "common", "helper", "helpers", "manager", "base", "impl", "misc"}, part) {
				t.Errorf("%s: %q says nothing about what is inside", s.path, part)
			}
		}
	}
}

// Nothing in the repository knows the machine it was written on.
func TestNoPathsOfOneMachine(t *testing.T) {
	home := regexp.MustCompile(`(^|[\s"'=(:` + "`" + `])/(root|work|home/\w+|Users/\w+)/\w`)
	scratch := regexp.MustCompile(`["` + "`" + `]/tmp/`)
	walk(t, func(name string, content []byte) {
		if bytes.IndexByte(content, 0) >= 0 {
			return // not text
		}
		if found := home.Find(content); found != nil {
			t.Errorf("%s holds %q, a path of one machine", name, bytes.TrimSpace(found))
		}
		if strings.HasSuffix(name, ".go") && scratch.Match(content) {
			t.Errorf("%s holds a path in a fixed temporary directory; tests have t.TempDir", name)
		}
	})
}
