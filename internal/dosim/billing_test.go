package dosim_test

import (
	"encoding/csv"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
)

func billingStories() []story {
	return []story{{"billing", tellBilling}}
}

func tellBilling(d driver) {
	if err := d.s.SetParams(map[string]string{"billing.tax": "625", "billing.outbound_gib": "1200"}); err != nil {
		d.Fatal(err)
	}
	d.get("/v2/customers/my/balance")
	d.get("/v2/customers/my/invoices")
	d.get("/v2/customers/my/invoices/preview")
	d.s.SeedDroplet(dosim.SeedDroplet{Name: "web-1"})
	if err := d.s.GrantCredit("", 250, "Welcome"); err != nil {
		d.Fatal(err)
	}
	time.Sleep(70 * 24 * time.Hour) // since 1 January 2000
	d.get("/v2/customers/my/balance")
	d.get("/v2/customers/my/billing_history?per_page=3")
	invoices := d.get("/v2/customers/my/invoices?per_page=1")
	uuid := text(at(invoices.Body, "invoices", 0, "invoice_uuid"))
	for _, id := range []string{uuid, "preview", text(at(invoices.Body, "invoice_preview", "invoice_uuid"))} {
		path := "/v2/customers/my/invoices/" + id
		d.get(path + "?per_page=1")
		d.get(path + "/summary")
		for extension, begins := range map[string]string{"csv": "product,group_description,description,hours,start,end,USD,project_name,category\nDroplets,", "pdf": "%PDF-1."} {
			if text, name := download(d, d.s, path+"/"+extension); !strings.HasPrefix(text, begins) || !strings.HasSuffix(name, "."+extension+`"`) {
				d.Errorf("the %s %s begins with %.80q, want %q", extension, name, text, begins)
			}
		}
	}
	for _, sub := range []string{"", "/summary", "/csv", "/pdf"} {
		d.want(404, "GET", "/v2/customers/my/invoices/"+uuid+"0"+sub, nil)
	}
	team := "/v2/billing/do:team:" + text(at(d.get("/v2/account").Body, "account", "team", "uuid"))
	d.get(team + "/insights/2000-01-01/2000-01-31?per_page=5&page=2")
	d.want(400, "GET", team+"/insights/2000-01-01/2000-02-02", nil)
	d.want(400, "GET", team+"/insights/2000-01-02/2000-01-01", nil)
	d.want(400, "GET", team+"/insights/2000-01-01/today", nil)
	d.want(400, "GET", "/v2/billing/me/insights/2000-01-01/2000-01-02", nil)
	d.want(404, "GET", team+"0/insights/2000-01-01/2000-01-02", nil)
}

// download gets a file and the name that it is offered under.
func download(t testing.TB, s *dosimtest.Server, path string) (text, disposition string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", s.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+s.Token)
	resp, err := s.Client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 {
		t.Errorf("GET %s: %d (%v)", path, resp.StatusCode, err)
	}
	return string(b), resp.Header.Get("Content-Disposition")
}

// billed is a stepped cloud without lags that begins on 1 March 2026, a month of
// 31 days. It is asked without a socket, for its clock goes months at a time.
func billed(t testing.TB, params map[string]string) *dosimtest.Server {
	t.Helper()
	o := with(params)
	o.Clock = dosim.NewClock(dosim.Stepped)
	s := pipe(t, o)
	if err := s.Import([]byte(`{"version":2,"clock":{"mode":"stepped","now":"2026-03-01T00:00:00Z"}}`)); err != nil {
		t.Fatal(err)
	}
	if err := s.SetParams(o.Params); err != nil {
		t.Fatal(err)
	}
	return s
}

// items are the lines of an invoice, in short.
func invoiceItems(t testing.TB, s *dosimtest.Server, id string) (lines []string) {
	t.Helper()
	for _, i := range list(do(t, s, "GET", "/v2/customers/my/invoices/"+id+"?per_page=200", nil), "invoice_items") {
		lines = append(lines, fmt.Sprintf("%v %v %v", at(i, "product"), at(i, "description"), at(i, "amount")))
	}
	return lines
}

func newest(t testing.TB, s *dosimtest.Server) string {
	t.Helper()
	return text(at(do(t, s, "GET", "/v2/customers/my/invoices", nil).Body, "invoices", 0, "invoice_uuid"))
}

func wantLines(t testing.TB, got []string, want ...string) {
	t.Helper()
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("the lines are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

const day = 24 * time.Hour

func TestInvoicesAppearOnTheFirst(t *testing.T) {
	s := billed(t, nil)
	made := do(t, s, "POST", "/v2/droplets", object{"name": "web", "size": "s-1vcpu-1gb", "image": "debian-12-x64", "backups": true, "backup_policy": object{"plan": "weekly"}})
	s.Clock().Advance(31*day - time.Second)
	if n := len(list(do(t, s, "GET", "/v2/customers/my/invoices", nil), "invoices")); n != 0 {
		t.Errorf("%d invoices within the first month", n)
	}
	s.Clock().Advance(time.Second)
	all := do(t, s, "GET", "/v2/customers/my/invoices", nil)
	if at(all.Body, "invoices", 0, "invoice_period") != "2026-03" || at(all.Body, "invoices", 0, "amount") != "7.20" || at(all.Body, "invoice_preview", "invoice_period") != "2026-04" {
		t.Errorf("on 1 April: %v, want that of March and the preview of April", all.Body)
	}
	wantLines(t, invoiceItems(t, s, newest(t, s)), "Droplets web (s-1vcpu-1gb) 6.00", "Droplet Backups web (s-1vcpu-1gb) 1.20")

	// Off, it costs as much; gone, nothing.
	id := idOf(made, "droplet", "id")
	wantStatus(t, "power_off", do(t, s, "POST", "/v2/droplets/"+id+"/actions", object{"type": "power_off"}), 201)
	s.Clock().Advance(30 * day)
	before, _ := download(t, s, "/v2/customers/my/invoices/"+newest(t, s)+"/csv")
	wantStatus(t, "DELETE", do(t, s, "DELETE", "/v2/droplets/"+id, nil), 204)
	s.Clock().Advance(300 * day)
	all = do(t, s, "GET", "/v2/customers/my/invoices", nil)
	if n := at(all.Body, "meta", "total"); n != 2.0 || at(all.Body, "invoices", 0, "amount") != "7.20" {
		t.Errorf("10 months later: %v, want two invoices", all.Body)
	}
	after, _ := download(t, s, "/v2/customers/my/invoices/"+newest(t, s)+"/csv")
	want := "product,group_description,description,hours,start,end,USD,project_name,category\n" +
		"Droplets,,web (s-1vcpu-1gb),720,2026-04-01 00:00:00 +0000,2026-05-01 00:00:00 +0000,$6.00,first-project,iaas\n" +
		"Droplet Backups,,web (s-1vcpu-1gb),720,2026-04-01 00:00:00 +0000,2026-05-01 00:00:00 +0000,$1.20,first-project,iaas\n"
	if before != want || after != want {
		t.Errorf("the CSV of April is\n%s\nand later\n%s\nwant\n%s", before, after, want)
	}
}

func TestPreviewIsMadeAnewEveryDay(t *testing.T) {
	s := billed(t, nil)
	s.SeedDroplet(dosim.SeedDroplet{Size: "s-2vcpu-4gb"}) // $24: a 28th of it a day
	for _, tt := range []struct {
		advance         time.Duration
		amount, updated string
	}{
		{23 * time.Hour, "0.00", "2026-03-01T00:00:00Z"},
		{time.Hour, "0.86", "2026-03-02T00:00:00Z"},
		{23 * time.Hour, "0.86", "2026-03-02T00:00:00Z"},
		{25 * time.Hour, "2.57", "2026-03-04T00:00:00Z"},
		{28*day - time.Second, "24.00", "2026-03-31T00:00:00Z"},
		{time.Second, "0.00", "2026-04-01T00:00:00Z"},
	} {
		s.Clock().Advance(tt.advance)
		p := at(do(t, s, "GET", "/v2/customers/my/invoices", nil).Body, "invoice_preview")
		balance := do(t, s, "GET", "/v2/customers/my/balance", nil).Body
		if at(p, "amount") != tt.amount || at(p, "updated_at") != tt.updated || balance["month_to_date_usage"] != tt.amount || balance["generated_at"] != tt.updated {
			t.Errorf("%s: the preview is %v, the balance %v, want %s of %s", s.Clock().Now(), p, balance, tt.amount, tt.updated)
		}
	}
	if err := s.SetParams(map[string]string{"billing.preview_hours": "0"}); err != nil {
		t.Fatal(err)
	}
	s.Clock().Advance(14 * time.Hour)
	if got := at(do(t, s, "GET", "/v2/customers/my/invoices", nil).Body, "invoice_preview", "amount"); got != "0.50" {
		t.Errorf("the live preview after 14 hours is %v, want 0.50", got)
	}
}

func TestTaxesCreditsOverageAndPayments(t *testing.T) {
	s := billed(t, map[string]string{"billing.tax": "625", "billing.second_tax": "100"})
	s.SeedDroplet(dosim.SeedDroplet{Name: "a"}) // 1,000 GiB
	for _, err := range []error{s.GrantCredit("", 500, "Welcome"), s.GrantCredit("", 10000, "Sorry"), s.Transfer("", 700)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	s.Clock().Advance(10 * day)
	if err := s.Transfer("", 1800); err != nil { // 1,500 beyond: $15
		t.Fatal(err)
	}
	s.Clock().Advance(21*day + time.Hour)
	wantLines(t, invoiceItems(t, s, newest(t, s)),
		"Droplets a (s-1vcpu-1gb) 6.00", "Bandwidth Outbound transfer overage (1500.00 GiB) 15.00",
		"Taxes SALES TAX (6.25%) 1.31", "Taxes LOCAL SALES TAX (1%) 0.21", "Credits Welcome -5.00", "Credits Sorry -17.52")
	sum := do(t, s, "GET", "/v2/customers/my/invoices/"+newest(t, s)+"/summary", nil).Body
	for k, want := range map[string]string{"product_charges": "6.00", "overages": "15.00", "taxes": "1.52", "credits_and_adjustments": "-22.52"} {
		if got := at(sum, k, "amount"); got != want {
			t.Errorf("the summary's %s is %v, want %s", k, got, want)
		}
	}
	if sum["amount"] != "0.00" || at(sum, "product_charges", "items", 0, "count") != "1" {
		t.Errorf("the summary is %v, want nothing left to pay of one droplet", sum)
	}
	if b := do(t, s, "GET", "/v2/customers/my/balance", nil).Body; b["account_balance"] != "-82.48" {
		t.Errorf("the balance is %v, want 82.48 of the credits left", b)
	}
	s.Clock().Advance(30 * day) // a month of 6.44 is paid by credits; 76.04 are left
	if err := s.Transfer("", 101_000); err != nil {
		t.Fatal(err)
	}
	s.Clock().Advance(31 * day) // May: (6 + 1,000) · 1.0725 = 1,078.94, less 76.04
	b := do(t, s, "GET", "/v2/customers/my/balance", nil).Body
	if b["account_balance"] != "1002.90" {
		t.Errorf("the balance before the payment is %v", b)
	}
	s.Clock().Advance(day)
	history := do(t, s, "GET", "/v2/customers/my/billing_history", nil)
	var got []string
	for _, h := range list(history, "billing_history") {
		got = append(got, fmt.Sprintf("%.10s %v %v", at(h, "date"), at(h, "type"), at(h, "amount")))
	}
	wantLines(t, got, "2026-06-02 Payment -1002.90", "2026-06-01 Invoice 1002.90", "2026-06-01 Adjustment 76.04", "2026-05-01 Adjustment 6.44",
		"2026-04-01 Adjustment 22.52", "2026-03-01 Credit -100.00", "2026-03-01 Credit -5.00")
	if b := do(t, s, "GET", "/v2/customers/my/balance", nil).Body; b["account_balance"] != "0.00" {
		t.Errorf("the balance after the payment is %v", b)
	}
}

// What is out stays as it is, whatever changes afterwards, and comes out the same
// after a reload.
func TestAnInvoiceNeverChanges(t *testing.T) {
	s := billed(t, map[string]string{"billing.tax": "1000"})
	do(t, s, "POST", "/v2/droplets", object{"name": "web", "size": "s-2vcpu-2gb", "image": "debian-12-x64", "tags": []string{"a"}})
	s.Clock().Advance(31 * day)
	march := "/v2/customers/my/invoices/" + newest(t, s)
	want, _ := download(t, s, march+"/csv")
	if !strings.Contains(want, "$18.00") || !strings.Contains(want, "(10%)") || !strings.Contains(want, "$1.80") {
		t.Errorf("March is\n%s", want)
	}
	if err := s.SetParams(map[string]string{"billing.tax": "0", "billing.outbound_gib": "90000"}); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{s.SetPrice("s-2vcpu-2gb", "36", time.Time{}), s.GrantCredit("", 1000, ""), s.Transfer("", 90_000)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	check := func(s *dosimtest.Server, when string) {
		t.Helper()
		if got, _ := download(t, s, march+"/csv"); got != want {
			t.Errorf("March %s is\n%s\nwant\n%s", when, got, want)
		}
	}
	check(s, "after changes")
	s.Clock().Advance(45 * day)
	check(s, "in May")
	april, _ := download(t, s, "/v2/customers/my/invoices/"+newest(t, s)+"/csv")
	if r, err := csv.NewReader(strings.NewReader(april)).ReadAll(); err != nil || len(r) != 4 || r[1][6] != "$36.00" || r[3][0] != "Credits" {
		t.Errorf("April is %q (%v), want web at its new price, the overage and a credit", r, err)
	}
	other := pipe(t, dosim.Options{Clock: dosim.NewClock(dosim.Stepped)})
	if err := other.Import(s.Export()); err != nil {
		t.Fatal(err)
	}
	check(other, "after a reload")
	for _, path := range []string{"invoices/preview", "invoices", "billing_history", "balance"} {
		a, b := do(t, s, "GET", "/v2/customers/my/"+path, nil), do(t, other, "GET", "/v2/customers/my/"+path, nil)
		if fmt.Sprint(a.Body) != fmt.Sprint(b.Body) {
			t.Errorf("%s is %v, and %v after a reload", path, a.Body, b.Body)
		}
	}
}

// DigitalOcean's documentation of insights: the sample's amounts are a day's.
func TestInsightsAreDailyEstimates(t *testing.T) {
	s := billed(t, nil)
	do(t, s, "POST", "/v2/droplets", object{"name": "web", "size": "s-2vcpu-4gb", "image": "debian-12-x64", "region": "fra1"})
	s.Clock().Advance(29*day + 12*time.Hour)
	team := "/v2/billing/do:team:" + text(at(do(t, s, "GET", "/v2/account", nil).Body, "account", "team", "uuid"))
	e := do(t, s, "GET", team+"/insights/2026-03-01/2026-03-31?per_page=10&page=3", nil)
	points := list(e, "data_points")
	if e.Body["total_items"] != 28.0 || e.Body["total_pages"] != 3.0 || e.Body["current_page"] != 3.0 || len(points) != 8 {
		t.Fatalf("%v: want the last 8 of 28 days, for the 29th costs nothing", e.Body)
	}
	p := points[7]
	if at(p, "start_date") != "2026-03-28" || at(p, "total_amount") != "0.86" || at(p, "region") != "fra1" || !strings.HasPrefix(fmt.Sprint(at(p, "sku")), "1-DO-DROP-") {
		t.Errorf("the last day is %v", p)
	}
}

func TestBillingAdmin(t *testing.T) {
	s := billed(t, nil)
	for body, want := range map[string]int{
		`/billing/credits {"amount":"25","description":"Sorry"}`:                        204,
		`/billing/credits {"amount":"0.001"}`:                                           400,
		`/billing/credits {"amount":"-1"}`:                                              422,
		`/billing/credits {"amount":"1","account":"No Such"}`:                           422,
		`/billing/transfers {"gib":1000}`:                                               204,
		`/billing/transfers {"gib":0}`:                                                  422,
		`/billing/prices {"sku":"s-1vcpu-1gb","monthly":"6.72"}`:                        204,
		`/billing/prices {"sku":"s-1vcpu-1gb","monthly":"1/3"}`:                         422,
		`/billing/prices {"sku":"","monthly":"1"}`:                                      422,
		`/billing/prices {"sku":"volume","monthly":"1","since":"2026-02-01T00:00:00Z"}`: 422,
	} {
		path, body, _ := strings.Cut(body, " ")
		if e := admin(t, s, "POST", path, body); e.Status != want {
			t.Errorf("POST %s %s: %d %v, want %d", path, body, e.Status, e.Body, want)
		}
	}
	var found []string
	for _, p := range list(admin(t, s, "GET", "/billing/prices", nil), "items") {
		if at(p, "sku") == "s-1vcpu-1gb" {
			found = append(found, fmt.Sprint(at(p, "monthly"), at(p, "since")))
		}
	}
	if fmt.Sprint(found) != "[6<nil> 6.722026-03-01T00:00:00Z]" {
		t.Errorf("the prices of s-1vcpu-1gb are %v", found)
	}
	if leaks := s.Leaks(0); len(leaks) != 0 {
		t.Errorf("leaks: %v", leaks)
	}
	if e := admin(t, s, "GET", "/billing/unpriced", nil); e.Status != 200 || len(list(e, "items")) != 0 {
		t.Errorf("unpriced: %d %v", e.Status, e.Body)
	}
}

// A price that changes is the catalogue's from then on, and the droplets'.
func TestSizesShowAPriceThatChanges(t *testing.T) {
	s := billed(t, nil)
	id := s.SeedDroplet(dosim.SeedDroplet{Size: "s-1vcpu-1gb"})
	since := s.Clock().Now().Add(time.Hour)
	wantStatus(t, "a price", admin(t, s, "POST", "/billing/prices", fmt.Sprintf(`{"sku":"s-1vcpu-1gb","monthly":"6.72","since":%q}`, since.Format(time.RFC3339))), 204)
	for _, want := range []string{"6 0.00893", "6.72 0.01000"} {
		var shown []string
		for _, size := range list(do(t, s, "GET", "/v2/sizes?per_page=200", nil), "sizes") {
			if at(size, "slug") == "s-1vcpu-1gb" {
				shown = append(shown, fmt.Sprintf("%v %.5f", at(size, "price_monthly"), at(size, "price_hourly")))
			}
		}
		size := at(do(t, s, "GET", fmt.Sprintf("/v2/droplets/%d", id), nil).Body, "droplet", "size")
		shown = append(shown, fmt.Sprintf("%v %.5f", at(size, "price_monthly"), at(size, "price_hourly")))
		if fmt.Sprint(shown) != fmt.Sprint([]string{want, want}) {
			t.Errorf("at %s the size and the droplet's cost %v, want %s", s.Clock().Now().Format(time.TimeOnly), shown, want)
		}
		s.Clock().Advance(time.Hour)
	}
}

func TestAShortLifeHasAMinimum(t *testing.T) {
	s := billed(t, map[string]string{"droplet.create": "0s"})
	if err := s.SetPrice("s-1vcpu-1gb", "24192", time.Time{}); err != nil { // a cent a second
		t.Fatal(err)
	}
	live := func(name, size string, begins, lasts time.Duration) {
		s.Clock().Advance(begins)
		made := do(t, s, "POST", "/v2/droplets", object{"name": name, "size": size, "image": "docker-20-04", "region": "nyc2"})
		s.Clock().Advance(lasts)
		wantStatus(t, "DELETE", do(t, s, "DELETE", "/v2/droplets/"+idOf(made, "droplet", "id"), nil), 204)
	}
	live("no-second", "s-1vcpu-1gb", 100*time.Millisecond, 800*time.Millisecond)
	live("one", "s-1vcpu-1gb", 0, 200*time.Millisecond) // from 0.9 to 1.1
	live("long", "s-1vcpu-1gb", 0, 61*time.Second)
	live("cheap", "s-2vcpu-4gb", 0, time.Second)
	live("gpu", "gpu-h100x8-640gb", 0, time.Second)
	s.Clock().Advance(31*day - 80*time.Second)
	live("edge", "s-1vcpu-1gb", 0, 25*time.Second)
	s.Clock().Advance(31 * day)
	months := list(do(t, s, "GET", "/v2/customers/my/invoices", nil), "invoices")
	wantLines(t, invoiceItems(t, s, text(at(months[1], "invoice_uuid"))),
		"Droplets no-second (s-1vcpu-1gb) 0.60", "Droplets one (s-1vcpu-1gb) 0.60", "Droplets long (s-1vcpu-1gb) 0.61", "Droplets cheap (s-2vcpu-4gb) 0.01",
		"Droplets gpu (gpu-h100x8-640gb) 1.99", "Droplets edge (s-1vcpu-1gb) 0.16")
	wantLines(t, invoiceItems(t, s, text(at(months[0], "invoice_uuid"))), "Droplets edge (s-1vcpu-1gb) 0.44")
}

// Everything else that an account is billed for, in an order of its own.
func TestWhatElseIsBilled(t *testing.T) {
	s := billed(t, map[string]string{
		"action.resize": "0s", "action.assign_ip": "0s", "action.unassign_ip": "0s", "action.resize_volume": "0s", "image.import": "0s",
	})
	made := func(path string, body object, where ...any) string {
		t.Helper()
		e := do(t, s, "POST", path, body)
		if e.Status >= 300 {
			t.Fatalf("POST %s: %d %v", path, e.Status, e.Body)
		}
		return text(at(e.Body, where...))
	}
	made("/v2/images", object{"name": "mine", "url": "http://example.com/a.img", "region": "nyc3", "distribution": "Ubuntu"}, "image", "id")
	volume := made("/v2/volumes", object{"name": "data", "region": "nyc3", "size_gigabytes": 100}, "volume", "id")
	droplet := made("/v2/droplets", object{"name": "web", "size": "c-2", "image": "debian-12-x64", "region": "nyc3"}, "droplet", "id")
	ip := made("/v2/reserved_ips", object{"region": "nyc3"}, "reserved_ip", "ip")
	s.Clock().Advance(7 * day)
	made("/v2/volumes/"+volume+"/actions", object{"type": "resize", "size_gigabytes": 200, "region": "nyc3"}, "action", "id")
	made("/v2/reserved_ips/"+ip+"/actions", object{"type": "assign", "droplet_id": int(number(t, droplet))}, "action", "id")
	made("/v2/volumes/"+volume+"/snapshots", object{"name": "data-1"}, "snapshot", "id")
	made("/v2/droplets/"+droplet+"/actions", object{"type": "enable_backups", "backup_policy": object{"plan": "daily"}}, "action", "id")
	s.Clock().Advance(7 * day)
	wantStatus(t, "DELETE droplet", do(t, s, "DELETE", "/v2/droplets/"+droplet, nil), 204) // its address is nobody's again
	s.Clock().Advance(17*day + time.Hour)
	var got []string
	for _, l := range invoiceItems(t, s, newest(t, s)) {
		if !strings.HasPrefix(l, "Volume Snapshots") {
			got = append(got, l)
		} else if !strings.Contains(l, "data-1 (") {
			t.Errorf("the snapshot is %q", l)
		}
	}
	wantLines(t, got, "Custom Images mine (4.67 GB) 0.28",
		"Volumes data (100 GiB) 2.50", "Volumes data (200 GiB) 17.14", "Droplets web (c-2) 21.00", "Droplet Backups web (c-2) 3.15",
		"Floating IPs Unused Floating IP - "+ip+" 1.25", "Floating IPs Unused Floating IP - "+ip+" 3.04")

	// Nobody knows what a gateway costs: it is told of, not given away.
	gateway := seedThing(t, s, dosim.SeedThing{Kind: "nat_gateway", Data: object{"name": "out", "size": 2}})
	want := []string{"do:nat_gateway:" + gateway + " nat_gateway"}
	unpriced := func() (all []string) {
		for _, u := range list(admin(t, s, "GET", "/billing/unpriced", nil), "items") {
			all = append(all, fmt.Sprint(at(u, "urn"), " ", at(u, "sku")))
		}
		return all
	}
	s.Clock().Advance(day)
	wantLines(t, unpriced(), want...)
	if err := s.SetPrice("nat_gateway", "24", time.Time{}); err != nil {
		t.Fatal(err)
	}
	s.Clock().Advance(30 * day)
	if got := unpriced(); got != nil {
		t.Errorf("with a price, still unpriced: %v", got)
	}
}

func number(t testing.TB, id string) (n int64) {
	t.Helper()
	if _, err := fmt.Sscan(id, &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// DigitalOcean's prices of load balancers: a line for each number of nodes.
func TestALoadBalancerIsBilledByItsNodes(t *testing.T) {
	s := billed(t, nil)
	body := object{
		"name": "front", "region": "nyc3", "size_unit": 1,
		"forwarding_rules": []object{{"entry_protocol": "http", "entry_port": 80, "target_protocol": "http", "target_port": 80}},
	}
	made := do(t, s, "POST", "/v2/load_balancers", body)
	wantStatus(t, "POST", made, 202)
	s.Clock().Advance(7 * day)
	body["size_unit"] = 3
	wantStatus(t, "PUT", do(t, s, "PUT", "/v2/load_balancers/"+text(at(made.Body, "load_balancer", "id")), body), 200)
	s.Clock().Advance(24 * day)
	wantLines(t, invoiceItems(t, s, newest(t, s)), "Load Balancers front (nodes: 1) 3.00", "Load Balancers front (nodes: 3) 30.86")
}
