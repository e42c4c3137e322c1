package dosim_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/golden"
)

// The tables of docs/dosim.md are what the code and DigitalOcean's description
// say. With -update they are written anew.
func TestTheDocumentationIsTrue(t *testing.T) {
	path := filepath.Join("..", "..", "docs", "dosim.md")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	parts := map[string]string{"parameters": parameterTable(), "faults": faultTable(t), "coverage": coverage(t)}
	doc := string(b)
	for _, name := range slices.Sorted(maps.Keys(parts)) {
		begin, end := fmt.Sprintf("<!-- generated: %s -->\n", name), "<!-- end -->"
		head, rest, found := strings.Cut(doc, begin)
		_, tail, ended := strings.Cut(rest, end)
		if !found || !ended {
			t.Fatalf("docs/dosim.md has no generated part %q", name)
		}
		doc = head + begin + "\n" + parts[name] + "\n" + end + tail
	}
	golden.Equal(t, path, doc)
}

func parameterTable() string {
	var s strings.Builder
	s.WriteString("| Parameter | Default | |\n|---|---|---|\n")
	for _, p := range dosim.Params() {
		fmt.Fprintf(&s, "| `%s` | %s | %s |\n", p.Name, p.Default, p.About)
	}
	return s.String()
}

// faultTable is a row for each kind, in the words of the admin port's description.
func faultTable(t *testing.T) string {
	var s strings.Builder
	s.WriteString("| Kind | Effect of the request | What the client sees |\n|---|---|---|\n")
	for _, k := range dosim.FaultKinds() {
		row, ok := faultWords[k]
		if !ok {
			t.Errorf("the kind %s has no words", k)
		}
		fmt.Fprintf(&s, "| `%s` | %s | %s |\n", k, row[0], row[1])
	}
	return s.String()
}

var faultWords = map[dosim.FaultKind][2]string{
	dosim.ServerErrorBefore:    {"none", "503, or the fault's `status`: 500, 502, 504"},
	dosim.ServerErrorAfter:     {"full", "the same"},
	dosim.HTML504Before:        {"none", "504 with the proxy's HTML page"},
	dosim.HTML504:              {"full", "the same"},
	dosim.ResetBefore:          {"none", "the connection is reset"},
	dosim.ResetAfter:           {"full", "the same"},
	dosim.ResetCommitLate:      {"full, after `delay` (10s)", "the connection is reset at once"},
	dosim.Hang:                 {"none", "nothing, until the client goes"},
	dosim.HangAfter:            {"full", "the same"},
	dosim.Slow:                 {"full, after `delay` (3s)", "the answer then"},
	dosim.Burst429:             {"none", "429 with `retry-after`"},
	dosim.Hourly429:            {"none", "429 without"},
	dosim.ResetInPast:          {"none", "429 whose `ratelimit-reset` is over"},
	dosim.Expired401:           {"none", "401"},
	dosim.Scope403:             {"none", "403"},
	dosim.NotFound404:          {"none", "404"},
	dosim.Conflict409:          {"none", "409"},
	dosim.Precondition412:      {"none", "412"},
	dosim.Pending422:           {"none", "422 \"Droplet already has a pending event.\""},
	dosim.TruncatedJSON:        {"full", "half of the body under a true `content-length`"},
	dosim.Empty200:             {"full", "200 without a body"},
	dosim.UnknownFields:        {"full", "every object has a key `x_unknown`"},
	dosim.PriceChange:          {"full", "the prices of sizes in this answer are a quarter higher; invoices are not"},
	dosim.CreateVanishes:       {"full, and undone after `delay` (3s)", "success, then 404 for ever"},
	dosim.ActionErrored:        {"of a POST: the action fails; of a GET: none", "`errored`"},
	dosim.ActionStuck:          {"of a POST: the action never ends; of a GET: none", "`in-progress`"},
	dosim.UnknownStatus:        {"full", "the action ends as `done`"},
	dosim.CompletedAtNull:      {"full", "the action ends without `completed_at`"},
	dosim.ActionPoll404:        {"none", "404 to a read of one action"},
	dosim.ActionPoll500:        {"none", "500 to it"},
	dosim.DuplicateAcrossPages: {"none", "a later page begins with the item that ended the one before"},
	dosim.MissingAcrossPages:   {"none", "a later page lacks its first item"},
}

// coverage is every operation of the description by its group.
func coverage(t *testing.T) string {
	doc, err := document()
	if errors.Is(err, errNoDescription) {
		t.Skip(err)
	} else if err != nil {
		t.Fatal(err)
	}
	served := map[string]bool{}
	for _, op := range dosim.Operations() {
		served[bare(op.Method+" "+op.Path)] = true
	}
	type group struct {
		rows        []string
		served, all int
	}
	groups := map[string]*group{}
	total := group{}
	for _, path := range doc.Paths.InMatchingOrder() {
		item := doc.Paths.Find(path)
		is, not := map[string][]string{}, map[string][]string{}
		for method, o := range item.Operations() {
			tag := "Other"
			if len(o.Tags) > 0 {
				tag = o.Tags[0]
			}
			if groups[tag] == nil {
				groups[tag] = &group{}
			}
			groups[tag].all++
			total.all++
			if served[bare(method+" "+path)] {
				groups[tag].served++
				total.served++
				is[tag] = append(is[tag], method)
			} else {
				not[tag] = append(not[tag], method)
			}
		}
		for tag, g := range groups {
			if len(is[tag])+len(not[tag]) > 0 {
				slices.Sort(is[tag])
				slices.Sort(not[tag])
				g.rows = append(g.rows, fmt.Sprintf("| `%s` | %s | %s |\n", path, strings.Join(is[tag], " "), strings.Join(not[tag], " ")))
			}
		}
	}
	var s strings.Builder
	fmt.Fprintf(&s, "%d of %d operations are served.\n", total.served, total.all)
	for _, tag := range slices.Sorted(maps.Keys(groups)) {
		g := groups[tag]
		slices.Sort(g.rows)
		fmt.Fprintf(&s, "\n### %s: %d of %d\n\n| Path | Served | Not served |\n|---|---|---|\n%s", tag, g.served, g.all, strings.Join(g.rows, ""))
	}
	return s.String()
}
