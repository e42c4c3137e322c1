package web_test

import (
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

var hiddenField = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)"`)

// hidden are the hidden fields of the form on a page.
func hidden(t testing.TB, body string) url.Values {
	t.Helper()
	_, form, found := strings.Cut(body, `id="confirm"`)
	if !found {
		t.Fatalf("no form in\n%.1500s", body)
	}
	fields := url.Values{}
	for _, f := range hiddenField.FindAllStringSubmatch(form, -1) {
		fields.Add(f[1], f[2])
	}
	return fields
}

// All that a search finds is assigned after a page that says what would change, and
// only where that is still what would; and it can be taken back to the last word.
func TestAllThatMatchIsAssignedAndTakenBack(t *testing.T) {
	s := serve(t, dbtest.New(t), dosim.Options{Params: map[string]string{"lag.list_after_create": "0s", "lag.replica": "0s"}})
	for _, slug := range []string{"acme", "zebra"} {
		if _, err := s.tenants.Add(t.Context(), tenant.Entry{Slug: slug}, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		s.cloud.SeedDroplet(dosim.SeedDroplet{Name: "many"})
	}
	r, err := s.stock.StartSync(t.Context(), "default", []string{"droplet"}, "test")
	s.synced(t, r, err)
	list := s.get(t, "/inventory?q=kind%3Adroplet").body
	open := regexp.MustCompile(`href="(/inventory/assign\?all=yes[^"]+)"[^>]*>Assign all 4<`).FindStringSubmatch(list)
	if open == nil {
		t.Fatalf("the list does not offer to assign all four")
	}
	whose := func() map[string]int { // slugs with how many
		t.Helper()
		counts := map[string]int{}
		for _, slug := range []string{"acme", "zebra", "none"} {
			counts[slug] = strings.Count(s.get(t, "/inventory.csv?q=kind%3Adroplet+tenant%3A"+slug).body, "do:droplet:")
		}
		return counts
	}
	want := func(acme, zebra, none int, when string) {
		t.Helper()
		if got := whose(); got["acme"] != acme || got["zebra"] != zebra || got["none"] != none {
			t.Errorf("%s: %v, want %d acme, %d zebra, %d none", when, got, acme, zebra, none)
		}
	}
	want(1, 0, 3, "by its tag")
	// One of them was said by hand before: that is what an undo has to come back to.
	said := url.Values{"urn": {"do:droplet:" + s.drop}, "tenant": {"none"}, "reason": {"ours, for the lab"}}
	s.do(t, "POST", "/inventory/assign", said)
	want(0, 0, 4, "said by hand")

	form := hidden(t, s.get(t, strings.ReplaceAll(open[1], "&amp;", "&")).body)
	form.Set("tenant", "zebra")
	form.Set("reason", "sold")
	dry := s.do(t, "POST", "/inventory/assign", form)
	if dry.status != 200 || !strings.Contains(dry.body, "4 resources: nobody → zebra") {
		t.Fatalf("the dry run: %d\n%.3000s", dry.status, dry.body)
	}
	want(0, 0, 4, "after the dry run")
	sure := hidden(t, dry.body)
	s.cloud.SeedDroplet(dosim.SeedDroplet{Name: "late"})
	s.sync(t, "droplet")
	again := s.do(t, "POST", "/inventory/assign", sure)
	if again.status != 200 || !strings.Contains(again.body, "Other resources match") || !strings.Contains(again.body, "5 resources: nobody → zebra") {
		t.Errorf("with one more it is done, or it does not say why not: %d", again.status)
	}
	want(0, 0, 5, "after one more came")
	done := s.do(t, "POST", "/inventory/assign", hidden(t, again.body))
	to := done.header.Get("Location")
	if done.status != 303 || !strings.HasPrefix(to, "/inventory?did=assign&q=kind%3Adroplet&undo=form_") {
		t.Fatalf("assign: %d to %q", done.status, to)
	}
	want(0, 5, 0, "after all")

	undo := regexp.MustCompile(`href="(/inventory/undo\?form=[^"]+)"`).FindStringSubmatch(s.get(t, to).body)
	if undo == nil {
		t.Fatal("it does not offer to take that back")
	}
	if ask := s.get(t, undo[1]); !strings.Contains(ask.body, "1 resource: what was said by hand") || !strings.Contains(ask.body, "4 resources: the rules decide again") {
		t.Errorf("the question is %d %.2000s", ask.status, ask.body)
	}
	if a := s.do(t, "POST", undo[1], url.Values{}); a.status != 303 {
		t.Errorf("undo: %d", a.status)
	}
	want(0, 0, 5, "after the undo")
	if body := s.get(t, "/inventory/do:droplet:"+s.drop).body; !strings.Contains(body, "ours, for the lab") {
		t.Error("what was said by hand before is not said again")
	}
	if a := s.do(t, "POST", undo[1], url.Values{}); a.status != 404 {
		t.Errorf("the same undo again: %d", a.status)
	}
}
