package web_test

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/access"
	"github.com/arcadia-cloud/arcadia/internal/billing"
	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
	"github.com/arcadia-cloud/arcadia/internal/inventory"
	"github.com/arcadia-cloud/arcadia/internal/metering"
	"github.com/arcadia-cloud/arcadia/internal/provisioning"
	"github.com/arcadia-cloud/arcadia/internal/saga"
	"github.com/arcadia-cloud/arcadia/internal/saga/feed"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
	"github.com/arcadia-cloud/arcadia/internal/vault"
	"github.com/arcadia-cloud/arcadia/internal/web"
)

var discard = slog.New(slog.DiscardHandler)

// A server is the pages over a database and a simulated cloud. Nobody drives its sagas.
type server struct {
	*httptest.Server
	cloud   *dosimtest.Server
	engine  *saga.Engine
	stock   *inventory.Service
	tenants *tenant.Service
	stacks  *provisioning.Service
	bills   *billing.Service
	usage   *metering.Service
	access  *access.Service
	drop    string // a droplet's id

	reported []inventory.Report
}

// writable knows of a token to provision with, unless it is empty.
func writable(t testing.TB, d *db.DB, token string) *access.Service {
	t.Helper()
	v, err := vault.Open(filepath.Join(t.TempDir(), "master.key"))
	if err != nil {
		t.Fatal(err)
	}
	if token == "" {
		return access.New(d, v)
	}
	return access.New(d, v, access.Given{Purpose: digitalocean.Provisioning, Token: vault.NewSecret(token)})
}

func serve(t testing.TB, d *db.DB, o ...dosim.Options) *server {
	t.Helper()
	return serveAs(t, d, true, o...)
}

// serveAs serves with a token to provision with, or without.
func serveAs(t testing.TB, d *db.DB, writing bool, o ...dosim.Options) *server {
	t.Helper()
	cloud := dosimtest.Start(t, o...)
	s := &server{cloud: cloud, drop: strconv.FormatInt(cloud.SeedDroplet(dosim.SeedDroplet{Name: "web-1", Tags: []string{"tenant:acme"}}), 10)}
	do, err := digitalocean.New(digitalocean.Options{
		BaseURL: cloud.URL, Account: "default", Purpose: digitalocean.Provisioning, Token: vault.NewSecret(cloud.Token),
	})
	if err != nil {
		t.Fatal(err)
	}
	steps := provisioning.NewSteps(func(context.Context, string) (*digitalocean.Client, error) { return do, nil }, provisioning.Settings{
		Quote: func(context.Context, tenant.ID, []provisioning.Change, time.Time) (provisioning.Quote, error) {
			return provisioning.Quote{
				Periods: []provisioning.QuotedPeriod{{Subscription: "sub_7", Plans: []string{"hosting@1"}, Currency: "EUR", From: "2026-12-01", To: "2027-01-01", Before: 12340, After: 11940}},
				Notes:   []string{"Usage is not in it."},
			}, nil
		},
	}, nil)
	if s.engine, err = saga.New(d, saga.Options{}, steps.Kinds()...); err != nil {
		t.Fatal(err)
	}
	token := ""
	if writing {
		token = cloud.Token
	}
	follow := feed.New(s.engine, discard)
	s.tenants = tenant.New(d)
	s.stock = inventory.New(d, s.engine, inventory.Settings{
		Client:   func(context.Context, string) (*digitalocean.Client, error) { return do, nil },
		Accounts: func(context.Context) ([]string, error) { return []string{"default", "prod"}, nil },
		Reports:  func(context.Context, string) ([]inventory.Report, error) { return s.reported, nil },
	})
	s.access = writable(t, d, token)
	s.stacks = provisioning.New(d, s.engine, steps)
	s.stacks.Observe(s.stock)
	s.bills = billing.New(d, nil, nil)
	s.usage = metering.New(d, s.stock, nil)
	pages, err := web.New(web.Options{
		Engine: s.engine, Feed: follow, Provisioning: s.stacks, Account: "default", Logger: discard,
		Inventory: s.stock, Tenants: s.tenants, Bills: s.bills, Metering: s.usage, Access: s.access,
		Checks: func(context.Context) []client.Check { return []client.Check{{Name: "database", State: "ok"}} },
		Budgets: func(account string) map[digitalocean.Purpose]digitalocean.Use {
			if account != "default" {
				return nil
			}
			return map[digitalocean.Purpose]digitalocean.Use{digitalocean.Provisioning: {Hour: 7, HourLimit: 5000}}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Server = httptest.NewServer(pages.Handler())
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { follow.Run(ctx) })
	running.Go(func() { pages.Run(ctx) })
	running.Go(func() {
		if err := s.stock.Serve(ctx); err != nil {
			t.Errorf("the inventory ended: %v", err)
		}
	})
	t.Cleanup(func() {
		stop()
		running.Wait()
		s.Close()
	})
	return s
}

// create records a saga that nobody runs.
func (s *server) create(t testing.TB) saga.Saga { t.Helper(); return s.createOn(t, 1) }

func (s *server) createOn(t testing.TB, droplet int64) saga.Saga {
	t.Helper()
	made, _, err := s.engine.Create(context.Background(), saga.Request{
		Kind: provisioning.SnapshotDropletKind, RequestedBy: "cli:tester",
		Input: provisioning.Snapshot{Account: "default", DropletID: droplet, DropletName: `web<b>"1"`},
	})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// An answer is what came of a request, redirects not followed.
type answer struct {
	status int
	header http.Header
	body   string
}

func (s *server) do(t testing.TB, method, path string, form url.Values, header ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, s.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			req.Host = header[i+1]
		}
		req.Header.Set(header[i], header[i+1])
	}
	c := *s.Client()
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, string(text)}
}

func (s *server) get(t testing.TB, path string, header ...string) answer {
	t.Helper()
	return s.do(t, http.MethodGet, path, nil, header...)
}

// Every page is whole, has its twin, names no other host, and holds no inline style
// or script; what a stranger wrote is text in it.
func TestPagesAreWhole(t *testing.T) {
	s := serve(t, dbtest.New(t), dosim.Options{Params: map[string]string{"lag.tag": "0s", "lag.list_after_create": "0s", "lag.replica": "0s"}})
	s.byHand(t, "/v2/tags", `{"name":"tenant:acme"}`)
	if _, err := s.tenants.Add(t.Context(), tenant.Entry{Slug: "acme", Name: `web<b>"1"`}, time.Now()); err != nil {
		t.Fatal(err)
	}
	made, ran, drop := s.create(t), s.sync(t), "do:droplet:"+s.drop
	inline := regexp.MustCompile(`(?i)<style|<script>|\sstyle=|\son[a-z]+=|javascript:|https?://(?:[^l1]|l[^o])`)
	for path, twin := range map[string]string{
		"/":      "/overview.json",
		"/sagas": "/sagas.json", "/sagas/" + string(made.ID): "/sagas/" + string(made.ID) + ".json",
		"/sagas/" + string(made.ID) + "/cancel": "/sagas/" + string(made.ID) + "/cancel.json",
		"/inventory/" + drop + "/snapshot":      "/inventory/" + drop + "/snapshot.json", "/inventory/" + drop + "/smoke": "/inventory/" + drop + "/smoke.json",
		"/smoke": "/smoke.json", "/inventory": "/inventory.json", "/inventory?q=kind%3Adroplet": "/inventory.json?q=kind%3Adroplet", "/findings": "/findings.json", "/tenants": "/tenants.json", "/tenants/acme": "/tenants/acme.json", "/changes": "/changes.json", "/accounts": "/accounts.json", "/cleanup": "/cleanup.json", "/accounts/default": "/accounts/default.json", "/syncs/" + string(ran.ID): "/syncs/" + string(ran.ID) + ".json",
		"/inventory/" + drop: "/inventory/" + drop + ".json", "/inventory/assign?urn=" + url.QueryEscape(drop): "/inventory/assign.json?urn=" + url.QueryEscape(drop), "/inventory/do:tag:default%2Ftenant:acme": "/inventory/do:tag:default%2Ftenant:acme.json",
	} {
		a := s.get(t, path)
		if a.status != http.StatusOK || !strings.HasPrefix(a.header.Get("Content-Type"), "text/html") {
			t.Errorf("%s: %d %s", path, a.status, a.header.Get("Content-Type"))
		}
		if found := inline.FindString(a.body); found != "" {
			t.Errorf("%s holds %q", path, found)
		}
		if strings.Contains(a.body, "web<b>") {
			t.Errorf("%s takes a name for markup", path)
		}
		for _, part := range []string{`<html lang="en"`, `<main id="main"`, "<h1"} {
			if strings.Count(a.body, part) != 1 {
				t.Errorf("%s has %d × %s", path, strings.Count(a.body, part), part)
			}
		}
		if csp := a.header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
			t.Errorf("%s: its policy is %q", path, csp)
		}
		if !strings.Contains(a.body, `href="`+twin+`"`) {
			t.Errorf("%s does not name its twin %s", path, twin)
		}
		if !strings.Contains(a.body, "<dt>CLI</dt>") && path != "/changes" || !strings.Contains(a.body, "<dt>API</dt>") {
			t.Errorf("%s does not say how a program does the same", path)
		}
		if a := s.get(t, twin); a.status != http.StatusOK || !json.Valid([]byte(a.body)) {
			t.Errorf("%s: %d %.300s", twin, a.status, a.body)
		}
	}
}

func TestRefusals(t *testing.T) {
	s := serve(t, dbtest.New(t))
	made := s.create(t)
	s.sync(t, "droplet", "vpc")
	all, err := s.stock.Resources(t.Context(), inventory.Query{Terms: []inventory.Term{{Key: "kind", Op: ":", Values: []string{"vpc"}}}}, inventory.Page{})
	if err != nil || all.Total == 0 {
		t.Fatalf("%d VPCs, %v", all.Total, err)
	}
	vpc := all.Items[0].URN
	page, drop := "/sagas/"+string(made.ID), "/inventory/do:droplet:"+s.drop
	for _, tt := range []struct {
		name, method, path string
		form               url.Values
		header             []string
		status             int
		says               string
	}{
		{"another name for this machine", "GET", "/", nil, []string{"Host", "evil.example"}, 403, "loopback"},
		{"a form of another page", "POST", page + "/cancel", url.Values{"reason": {"x"}}, []string{"Sec-Fetch-Site", "cross-site"}, 403, "another origin"},
		{"a form of another port", "POST", page + "/cancel", url.Values{"reason": {"x"}}, []string{"Origin", "http://127.0.0.1:1"}, 403, "another origin"},
		{"no such page", "GET", "/nowhere", nil, nil, 404, "no page"},
		{"a list that is sent to", "POST", "/sagas", url.Values{}, nil, 405, "but GET"},
		{"a form that is deleted", "DELETE", page + "/cancel", nil, nil, 405, "but GET and POST"},
		{"colours that are read", "GET", "/theme", nil, nil, 405, "but POST"},
		{"a twin that is sent to", "POST", "/sagas.json", url.Values{}, nil, 405, `"code":"method_not_allowed"`},
		{"no such page to send to", "POST", "/nowhere", url.Values{}, nil, 404, "no page"},
		{"no such saga", "GET", "/sagas/saga_00000000000000000000000000000000", nil, nil, 404, "no saga"},
		{"no id at all", "GET", "/sagas/x", nil, nil, 404, "no saga id"},
		{"no such verb", "GET", page + "/explode", nil, nil, 404, "no page"},
		{"a verb that is not legal now", "GET", page + "/resume", nil, nil, 409, "not possible"},
		{"an illegal verb, sent all the same", "POST", page + "/resume", url.Values{}, nil, 409, "nobody paused it"},
		{"a cancel without a reason", "POST", page + "/cancel", url.Values{"reason": {"  "}}, nil, 400, "Say why"},
		{"a snapshot without a key", "POST", drop + "/snapshot", url.Values{}, nil, 400, "not whole"},
		{"a snapshot of no such droplet", "POST", "/inventory/do:droplet:1/snapshot", url.Values{"key": {"form_0193a4c0d1e2738fa1b2c3d4e5f60718"}}, nil, 404, "knows no do:droplet:1"},
		{"a snapshot of what is no droplet", "GET", "/inventory/" + vpc + "/snapshot", nil, nil, 404, "no page"},
		{"a smoke test of nothing", "POST", "/smoke", url.Values{"key": {"form_0193a4c0d1e2738fa1b2c3d4e5f60718"}}, nil, 404, "knows no"},
		{"no such verb of a droplet", "GET", drop + "/explode", nil, nil, 404, "no page"},
		{"a state that is none", "GET", "/sagas?state=happy", nil, nil, 400, "no saga state"},
		{"a cursor of another order", "GET", "/sagas?sort=state&cursor=" + string(made.ID), nil, nil, 400, "cursor"},
		{"no text", "GET", "/sagas?subject=%00", nil, nil, 400, "not a text"},
		{"an order of sagas that is none", "GET", "/sagas?sort=colour", nil, nil, 400, "sorted"},
		{"no such resource", "GET", "/inventory/do:droplet:1", nil, nil, 404, "knows no do:droplet:1"},
		{"no time", "GET", "/inventory/do:droplet:1?as_of=yesterday", nil, nil, 400, "no time to look at"},
		{"no such kind", "GET", "/changes?kind=castle", nil, nil, 400, "no kind"},
		{"no such type of change", "GET", "/changes?type=castle", nil, nil, 400, "no change of the type"},
		{"no such cause", "GET", "/changes?cause=castle", nil, nil, 400, "no cause"},
		{"a cursor of changes that is none", "GET", "/changes?cursor=x", nil, nil, 400, "cursor"},
		{"no such account", "GET", "/accounts/castle", nil, nil, 404, "no account"},
		{"a sync of no such account", "POST", "/accounts/castle/sync", url.Values{}, nil, 404, "no account"},
		{"a sync of no such kind", "POST", "/accounts/default/sync", url.Values{"kind": {"castle"}}, nil, 400, "no kind"},
		{"no such sync", "GET", "/syncs/sync_00000000000000000000000000000000", nil, nil, 404, "no sync"},
		{"no id of a sync", "GET", "/syncs/x", nil, nil, 404, "no sync id"},
		{"no such tenant", "GET", "/tenants/castle", nil, nil, 404, "no tenant"},
		{"an order of tenants that is none", "GET", "/tenants?sort=colour", nil, nil, 400, "sorted"},
		{"a state of tenants that is none", "GET", "/tenants?state=happy", nil, nil, 400, "no state"},
		{"changes of no tenant", "GET", "/changes?tenant=castle", nil, nil, 404, "no tenant"},
		{"a tenant without a slug", "POST", "/tenants/add", url.Values{"slug": {"A b"}}, nil, 400, "slug"},
		{"an import from nowhere", "GET", "/tenants/import?from=castle", nil, nil, 400, "from tags or from projects"},
		{"no such rule of findings", "GET", "/findings?rule=castle", nil, nil, 400, "no rule of findings"},
		{"no such finding", "GET", "/findings/castle/mute", nil, nil, 404, "no finding"},
		{"a search that is wrong points at the word", "GET", "/inventory?q=kind:droplet+colour:red", nil, nil, 400, "colour:red\n             ^^^"},
		{"a wrong search for a program", "GET", "/inventory.json?q=colour:red", nil, nil, 400, `"code":"invalid"`},
		{"an order of resources that is none", "GET", "/inventory?sort=colour", nil, nil, 400, "sorted by"},
		{"deleted that is none", "GET", "/inventory?deleted=maybe", nil, nil, 400, "deleted"},
		{"a cursor of resources that is none", "GET", "/inventory?cursor=x", nil, nil, 400, "cursor"},
		{"nothing to assign", "GET", "/inventory/assign", nil, nil, 400, "No resource is chosen"},
		{"what is not there is assigned", "GET", "/inventory/assign?urn=do:droplet:1", nil, nil, 404, "knows no do:droplet:1"},
		{"a problem for a program", "GET", "/sagas.json?state=happy", nil, nil, 400, `"code":"invalid"`},
	} {
		a := s.do(t, tt.method, tt.path, tt.form, tt.header...)
		if a.status != tt.status || !strings.Contains(a.body, tt.says) {
			t.Errorf("%s: %d, want %d and %q in\n%.600s", tt.name, a.status, tt.status, tt.says, a.body)
		}
	}
	if after, err := s.engine.Saga(t.Context(), made.ID); err != nil || after.Want != saga.WantRun || after.State != saga.Created {
		t.Errorf("after refusals the saga is %s and wants %s (%v)", after.State, after.Want, err)
	}
}

// A command that a page offers to be copied is harmless, whoever made its address.
func TestCommandsAreQuoted(t *testing.T) {
	s := serve(t, dbtest.New(t))
	for subject, want := range map[string]string{"do:droplet:1": "--subject do:droplet:1<", "$(reboot)": "--subject &#39;$(reboot)&#39;<", "a'; reboot '": "--subject &#39;a&#39;\\&#39;&#39;; reboot &#39;\\&#39;&#39;&#39;<"} {
		if body := s.get(t, "/sagas?subject="+url.QueryEscape(subject)).body; !strings.Contains(body, want) {
			t.Errorf("%s: no %s in the page", subject, want)
		}
	}
}

// A form that is sent again does nothing again, and answers the same.
func TestFormsAreSentOnce(t *testing.T) {
	s := serve(t, dbtest.New(t))
	key := regexp.MustCompile(`name="key" value="([^"]+)"`)
	s.sync(t, "droplet")
	drop := "/inventory/do:droplet:" + s.drop
	ask := s.get(t, drop+"/snapshot").body
	form := url.Values{"key": {key.FindStringSubmatch(ask)[1]}}
	var to string
	for range 3 {
		a := s.do(t, "POST", drop+"/snapshot", form)
		if a.status != http.StatusSeeOther || to != "" && a.header.Get("Location") != to {
			t.Fatalf("%d to %q, earlier to %q", a.status, a.header.Get("Location"), to)
		}
		to = a.header.Get("Location")
	}
	made := s.create(t)
	page := "/sagas/" + string(made.ID)
	form = url.Values{"key": {key.FindStringSubmatch(s.get(t, page+"/start").body)[1]}}
	for range 3 {
		if a := s.do(t, "POST", page+"/start", form); a.status != http.StatusSeeOther {
			t.Fatalf("start: %d", a.status)
		}
	}
	events, err := s.engine.Events(t.Context(), made.ID, 0, 10)
	if err != nil || len(events) != 1 || events[0].Actor != "web:local" {
		t.Errorf("three times the same form came to %+v, %v", events, err)
	}
	if n, err := s.engine.Count(t.Context(), saga.Filter{}); err != nil || n != 2 {
		t.Errorf("%d sagas, %v; want 2", n, err)
	}
}

// The CSV holds what the filter selects, all pages of it.
func TestCSVIsTheFilter(t *testing.T) {
	s := serve(t, dbtest.New(t))
	for i := range 120 {
		made := s.create(t)
		if i%2 == 0 {
			if _, err := s.engine.Start(t.Context(), made.ID, saga.Actor{Name: "cli:tester"}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for query, want := range map[string]int{"": 120, "?state=ready": 60, "?state=open&sort=created": 120, "?sort=-state": 120, "?sort=kind": 120, "?kind=smoke": 0, "?subject=do:droplet:1": 120} {
		a := s.get(t, "/sagas.csv"+query)
		rows, err := csv.NewReader(strings.NewReader(a.body)).ReadAll()
		if err != nil || len(rows) != want+1 {
			t.Errorf("%q: %d rows and %v, want %d", query, len(rows)-1, err, want)
		}
		var list struct{ Total int }
		if err := json.Unmarshal([]byte(s.get(t, "/sagas.json"+query).body), &list); err != nil || list.Total != want {
			t.Errorf("%q: the page counts %d, %v; want %d", query, list.Total, err, want)
		}
	}
}

// Assets may be kept for ever, and a page with all of them is light.
func TestPageWeight(t *testing.T) {
	s := serve(t, dbtest.New(t))
	path := "/sagas/" + string(s.create(t).ID)
	weigh := func(path string) (int, answer) {
		a := s.get(t, path, "Accept-Encoding", "gzip")
		if a.header.Get("Content-Encoding") != "gzip" {
			t.Errorf("%s is not sent small", path)
		}
		return len(a.body), a
	}
	total, _ := weigh(path)
	page := s.get(t, path).body
	for _, asset := range regexp.MustCompile(`/assets/[\w.-]+\.(?:js|css)`).FindAllString(page, -1) {
		n, a := weigh(asset)
		total += n
		if !strings.Contains(a.header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s may not be kept: %q", asset, a.header.Get("Cache-Control"))
		}
		if again := s.get(t, asset, "If-None-Match", a.header.Get("Etag")); again.status != http.StatusNotModified {
			t.Errorf("%s is sent again: %d", asset, again.status)
		}
	}
	if total > 120<<10 {
		t.Errorf("the page and its assets weigh %d bytes, more than 120 KB", total)
	}
	t.Logf("the saga page with its assets: %.1f KB gz", float64(total)/1000)
}
