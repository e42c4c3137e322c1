package web_test

import (
	"encoding/csv"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/inventory"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

// sync lists kinds, all of them where none is named, and waits for the end.
func (s *server) sync(t testing.TB, kinds ...string) inventory.Run {
	t.Helper()
	r, err := s.stock.StartSync(t.Context(), "default", kinds, "test")
	return s.synced(t, r, err)
}

func (s *server) synced(t testing.TB, r inventory.Run, err error) inventory.Run {
	t.Helper()
	for err == nil && r.FinishedAt.IsZero() {
		time.Sleep(5 * time.Millisecond)
		r, err = s.stock.Run(t.Context(), r.ID)
	}
	if err != nil || r.State() != inventory.Complete {
		t.Fatalf("the sync came to %+v, %v", r, err)
	}
	return r
}

// byHand posts something at DigitalOcean that Arcadia knows nothing of.
func (s *server) byHand(t testing.TB, path, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.cloud.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.cloud.Token)
	req.Header.Set("Content-Type", "application/json")
	res, err := s.cloud.Client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode > 299 {
		t.Fatalf("POST %s answers %s", path, res.Status)
	}
}

// What changed shows with its cause and its fields, and the time before it can be
// looked at.
func TestResourceTellsItsStory(t *testing.T) {
	clock := dosim.NewClock(dosim.Stepped)
	s := serve(t, dbtest.New(t), dosim.Options{Clock: clock})
	clock.Advance(time.Minute) // DigitalOcean tells times to the second
	s.sync(t)
	page := "/inventory/do:droplet:" + s.drop
	before := clock.Now().Add(time.Second).Format(time.RFC3339Nano)
	clock.Advance(time.Minute)
	s.byHand(t, "/v2/droplets/"+s.drop+"/actions", `{"type":"rename","name":"web-2"}`)
	clock.Advance(time.Minute)
	s.sync(t)
	now := s.get(t, page)
	for _, want := range []string{"<h1>web-2</h1>", "/name", "web-1", "Drift", "rename"} {
		if !strings.Contains(now.body, want) {
			t.Errorf("its page lacks %q", want)
		}
	}
	then := s.get(t, page+"?as_of="+url.QueryEscape(before))
	if !strings.Contains(then.body, "<h1>web-1</h1>") || strings.Contains(then.body, "web-2") || strings.Contains(then.body, "Take snapshot") {
		t.Errorf("before the change its page is not as it was:\n%.3000s", then.body)
	}
}

// The stream of changes has every change once, page by page and in its CSV.
func TestChangesArePaged(t *testing.T) {
	s := serve(t, dbtest.New(t))
	for range 70 {
		s.cloud.SeedDroplet(dosim.SeedDroplet{Name: "many"})
	}
	s.byHand(t, "/v2/tags", `{"name":"blue"}`)
	s.sync(t, "droplet", "tag")
	end, err := s.stock.FeedEnd(t.Context())
	if err != nil || end < 71 {
		t.Fatalf("%d changes, %v", end, err)
	}
	seen := map[int64]bool{}
	for path := "/changes.json"; path != ""; {
		var page struct {
			Items []client.Change
			Next  *string
		}
		if err := json.Unmarshal([]byte(s.get(t, path).body), &page); err != nil {
			t.Fatal(err)
		}
		for _, c := range page.Items {
			if seen[c.Seq] {
				t.Errorf("change %d is on two pages", c.Seq)
			}
			seen[c.Seq] = true
		}
		path = ""
		if page.Next != nil {
			path = "/changes.json?cursor=" + *page.Next
		}
	}
	if int64(len(seen)) != end {
		t.Errorf("the pages hold %d changes, want %d", len(seen), end)
	}
	for query, want := range map[string]int64{"": end, "?kind=any": end, "?kind=droplet": 71, "?kind=tag": end - 71, "?cause=first_sight": end, "?cause=drift": 0, "?type=deleted": 0} {
		rows, err := csv.NewReader(strings.NewReader(s.get(t, "/changes.csv"+query).body)).ReadAll()
		if err != nil || int64(len(rows)) != want+1 {
			t.Errorf("%q: %d rows and %v, want %d", query, len(rows)-1, err, want)
		}
	}
}

// A sync is asked for once however often its form is sent, and its page says how it went.
func TestSyncIsAskedForByAForm(t *testing.T) {
	s := serve(t, dbtest.New(t))
	key := regexp.MustCompile(`name="key" value="([^"]+)"`).FindStringSubmatch(s.get(t, "/accounts/default/sync").body)[1]
	form := url.Values{"key": {key}, "kind": {"droplet"}}
	first := s.do(t, "POST", "/accounts/default/sync", form)
	to := strings.TrimSuffix(first.header.Get("Location"), "?did=sync")
	if first.status != http.StatusSeeOther || !strings.HasPrefix(to, "/syncs/sync_") {
		t.Fatalf("%d to %q", first.status, to)
	}
	if again := s.do(t, "POST", "/accounts/default/sync", form); again.status != http.StatusSeeOther {
		t.Errorf("the same form again: %d", again.status)
	}
	runs, err := s.stock.Runs(t.Context(), "default", 10)
	if err != nil || len(runs) != 1 || runs[0].RequestedBy != "web:local" {
		t.Fatalf("twice the same form came to %+v, %v", runs, err)
	}
	r, err := s.stock.Run(t.Context(), runs[0].ID)
	s.synced(t, r, err)
	for path, want := range map[string]string{to: "Complete", "/accounts/default": to} {
		if body := s.get(t, path).body; !strings.Contains(body, want) {
			t.Errorf("%s lacks %q", path, want)
		}
	}
}

// What a token may not read is unknown on the page, and never none.
func TestNotPermittedIsNotNone(t *testing.T) {
	s := serve(t, dbtest.New(t))
	s.cloud.AddFault(dosim.Fault{Kind: dosim.Scope403, Match: dosim.Match{Method: "GET", Path: "/v2/volumes"}})
	s.sync(t, "volume")
	body := s.get(t, "/accounts/default").body
	for _, want := range []string{"may not read everything", "block_storage:read", ">unknown<"} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

// A form gives a resource to a tenant whatever the rules say, with a reason, and
// back to them.
func TestAssigningByForm(t *testing.T) {
	s := serve(t, dbtest.New(t))
	s.sync(t)
	for _, slug := range []string{"acme", "zebra"} {
		if _, err := s.tenants.Add(t.Context(), tenant.Entry{Slug: slug}, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.stock.Attribute(t.Context(), "", time.Time{}); err != nil {
		t.Fatal(err)
	}
	urn := "do:droplet:" + s.drop
	page := "/inventory/" + urn
	owner := func(want string) {
		t.Helper()
		body := s.get(t, page).body
		if !strings.Contains(body, `href="/tenants/`+want+`">`) {
			t.Errorf("its page does not say that it is %s's", want)
		}
	}
	owner("acme") // its tag says so
	form := url.Values{"urn": {urn}, "tenant": {"zebra"}, "reason": {" "}}
	if a := s.do(t, "POST", "/inventory/assign", form); a.status != http.StatusBadRequest || !strings.Contains(a.body, "Say why") {
		t.Errorf("without a reason: %d", a.status)
	}
	owner("acme")
	form.Set("reason", "moved in May")
	if a := s.do(t, "POST", "/inventory/assign", form); a.status != http.StatusSeeOther || !strings.HasPrefix(a.header.Get("Location"), page+"?did=assign&undo=form_") {
		t.Errorf("assign: %d to %q", a.status, a.header.Get("Location"))
	}
	owner("zebra")
	if body := s.get(t, page).body; !strings.Contains(body, "moved in May") || !strings.Contains(body, "Back to the rules") {
		t.Error("its page does not say why, or does not offer to take it back")
	}
	if a := s.do(t, "POST", "/inventory/unassign", url.Values{"urn": {urn}}); a.status != http.StatusSeeOther {
		t.Errorf("unassign: %d", a.status)
	}
	owner("acme")
	form.Set("tenant", "castle")
	if a := s.do(t, "POST", "/inventory/assign", form); a.status != http.StatusNotFound {
		t.Errorf("to no tenant: %d", a.status)
	}
}

// Tenants come from tags by a form that says first what it will do, and what is
// theirs costs what their pages say.
func TestTenantsFromTags(t *testing.T) {
	s := serve(t, dbtest.New(t))
	s.sync(t)
	if body := s.get(t, "/tenants").body; !strings.Contains(body, "There are no tenants yet") || !strings.Contains(body, "name 1 of them") {
		t.Error("the empty page does not suggest what tags name")
	}
	if body := s.get(t, "/tenants/import?from=tags").body; !strings.Contains(body, "1 would be added") {
		t.Error("the form does not say what it would do")
	}
	if a := s.do(t, "POST", "/tenants/import", url.Values{"from": {"tags"}}); a.status != http.StatusSeeOther {
		t.Fatalf("import: %d %.300s", a.status, a.body)
	}
	var list struct {
		Items []struct {
			Slug string
			Cost struct {
				Resources int
				Monthly   string
			}
		}
		Unattributed, All struct{ Monthly string }
	}
	if err := json.Unmarshal([]byte(s.get(t, "/tenants.json").body), &list); err != nil {
		t.Fatal(err)
	}
	if len(list.Items) != 1 || list.Items[0].Slug != "acme" || list.Items[0].Cost.Resources == 0 || list.Items[0].Cost.Monthly != list.All.Monthly || list.Unattributed.Monthly != "0.000000" {
		t.Errorf("the tenants are %+v", list)
	}
	page := s.get(t, "/tenants/acme").body
	for _, want := range []string{"Droplets", "web-1", "100.0 %"} {
		if !strings.Contains(page, want) {
			t.Errorf("the tenant's page lacks %q", want)
		}
	}
	for _, verb := range []string{"suspend", "resume"} {
		if a := s.do(t, "POST", "/tenants/acme/"+verb, url.Values{}); a.status != http.StatusSeeOther {
			t.Errorf("%s: %d", verb, a.status)
		}
	}
	if a := s.do(t, "POST", "/tenants/acme/close", url.Values{}); a.status != http.StatusConflict || !strings.Contains(a.body, "resources are tenant acme") {
		t.Errorf("what has resources is closed: %d", a.status)
	}
	if a := s.do(t, "POST", "/tenants/acme/change", url.Values{"name": {"Acme Ltd"}}); a.status != http.StatusSeeOther || !strings.Contains(s.get(t, "/tenants/acme").body, "<h1>Acme Ltd</h1>") {
		t.Errorf("the name is not changed: %d", a.status)
	}
}

// A finding shows with what it costs, is muted with a reason, and is heard of again.
func TestFindingsAreMutedByForm(t *testing.T) {
	s := serve(t, dbtest.New(t))
	s.sync(t)
	read := func(path string) (found []struct{ ID, Rule, URN string }) {
		t.Helper()
		var list struct {
			Items []struct{ ID, Rule, URN string }
		}
		if err := json.Unmarshal([]byte(s.get(t, path).body), &list); err != nil {
			t.Fatal(err)
		}
		return list.Items
	}
	found := read("/findings.json?rule=unattributed")
	if len(found) != 1 || found[0].URN != "do:droplet:"+s.drop {
		t.Fatalf("unattributed are %+v", found)
	}
	for _, path := range []string{"/findings", "/"} {
		if body := s.get(t, path).body; !strings.Contains(body, "Unattributed") || !strings.Contains(body, "web-1") {
			t.Errorf("%s does not show it", path)
		}
	}
	form := "/findings/" + found[0].ID
	if a := s.do(t, "POST", form+"/mute", url.Values{"for": {"7"}, "reason": {" "}}); a.status != http.StatusBadRequest || !strings.Contains(a.body, "Say why") {
		t.Errorf("muted without a reason: %d", a.status)
	}
	if a := s.do(t, "POST", form+"/mute", url.Values{"for": {"7"}, "reason": {"it is a gift"}}); a.status != http.StatusSeeOther {
		t.Errorf("mute: %d %.300s", a.status, a.body)
	}
	if left := read("/findings.json?rule=unattributed"); len(left) != 0 {
		t.Errorf("what is muted is heard of: %+v", left)
	}
	if body := s.get(t, "/findings?muted=only").body; !strings.Contains(body, "it is a gift") {
		t.Error("what is muted does not say why")
	}
	if a := s.do(t, "POST", form+"/unmute", url.Values{}); a.status != http.StatusSeeOther || len(read("/findings.json?rule=unattributed")) != 1 {
		t.Errorf("unmute: %d", a.status)
	}
}

// The list finds what the query says, page by page and in its CSV, with what it
// costs in sum; and it shows the past.
func TestInventoryIsSearched(t *testing.T) {
	clock := dosim.NewClock(dosim.Stepped)
	s := serve(t, dbtest.New(t), dosim.Options{Clock: clock})
	for i := range 70 {
		s.cloud.SeedDroplet(dosim.SeedDroplet{Name: "many", Region: []string{"nyc3", "fra1"}[i%2]})
	}
	clock.Advance(time.Minute)
	s.sync(t, "droplet", "vpc")
	before := clock.Now().Add(time.Second)
	type page struct {
		Items []client.Resource
		Next  *string
		Total int
		Cost  struct{ Monthly string }
	}
	read := func(path string) (p page) {
		t.Helper()
		if err := json.Unmarshal([]byte(s.get(t, path).body), &p); err != nil {
			t.Fatal(err)
		}
		return p
	}
	for query, want := range map[string]int{"q=kind%3Adroplet": 71, "q=many": 70, "q=kind%3Adroplet+-many": 1, "q=tag%3Atenant%3Aacme&sort=-cost": 1, "q=kind%3Adroplet&sort=-changed": 71} {
		seen := map[string]bool{}
		for path := "/inventory.json?" + query; path != ""; {
			p := read(path)
			if p.Total != want {
				t.Errorf("%s finds %d, want %d", query, p.Total, want)
			}
			for _, r := range p.Items {
				if seen[r.URN] {
					t.Errorf("%s: %s is on two pages", query, r.URN)
				}
				seen[r.URN] = true
			}
			path = ""
			if p.Next != nil {
				path = "/inventory.json?" + query + "&cursor=" + url.QueryEscape(*p.Next)
			}
		}
		rows, err := csv.NewReader(strings.NewReader(s.get(t, "/inventory.csv?"+query).body)).ReadAll()
		if len(seen) != want || err != nil || len(rows) != want+1 {
			t.Errorf("%s: %d on the pages and %d in the CSV, want %d (%v)", query, len(seen), len(rows)-1, want, err)
		}
	}
	clock.Advance(time.Hour)
	s.byHand(t, "/v2/droplets/"+s.drop+"/actions", `{"type":"rename","name":"late"}`)
	clock.Advance(time.Minute)
	s.sync(t, "droplet")
	for query, want := range map[string]int{"q=late": 1, "q=late&as_of=" + url.QueryEscape(before.Format(time.RFC3339)): 0, "q=web-1&as_of=" + url.QueryEscape(before.Format(time.RFC3339)): 1} {
		if p := read("/inventory.json?" + query); p.Total != want {
			t.Errorf("%s finds %d, want %d", query, p.Total, want)
		}
	}
	body := s.get(t, "/inventory?q=kind%3Adroplet").body
	for _, want := range []string{`name="urn" value="do:droplet:` + s.drop + `"`, `href="/inventory?q=kind%3Adroplet+region%3Afra1"`} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
}

// What is typed into the field of every page leads to it, or to what the inventory
// finds; whatever was typed, it is looked for as it stands.
func TestGoingToAResource(t *testing.T) {
	s := serve(t, dbtest.New(t))
	s.sync(t, "droplet")
	for typed, want := range map[string]string{
		"do:volume:1": "/inventory/do:volume:1", "192.0.2.7": "/inventory?q=192.0.2.7", "kind:droplet": "/inventory?q=%22kind%3Adroplet%22", "WEB-1": "/inventory/do:droplet:" + s.drop, s.drop: "/inventory/do:droplet:" + s.drop, "web": "/inventory?q=web",
	} {
		a := s.get(t, "/go?q="+url.QueryEscape(typed))
		if a.status != http.StatusSeeOther || a.header.Get("Location") != want {
			t.Errorf("%q leads to %q (%d), want %q", typed, a.header.Get("Location"), a.status, want)
		} else if to := s.get(t, want); to.status >= 500 || to.status == http.StatusBadRequest {
			t.Errorf("%s answers %d", want, to.status)
		}
	}
}
