package app

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/billing"
	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
	"github.com/arcadia-cloud/arcadia/internal/inventory"
	"github.com/arcadia-cloud/arcadia/internal/metering"
	"github.com/arcadia-cloud/arcadia/internal/saga"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
	"github.com/arcadia-cloud/arcadia/internal/vault"
)

const soldCatalog = `currency: USD
meters:
  - {id: calls, event_type: api.call, aggregate: sum, value: n}
  - {id: droplets, event_type: droplet}
plans:
  - id: hosting
    version: 1
    period: {unit: month}
    charges:
      - {id: servers, type: resource, model: cost_plus, meter: droplets, markup: "1.5"}
      - {id: calls, type: usage, meter: calls, price: "0.10"}
`

// TestConflictingUsageIsWarnedOf until seven days after it was told last.
func TestConflictingUsageIsWarnedOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		a := sold(t, dbtest.New(t), dosimtest.Pipe(t, dosim.Options{}))
		if _, err := a.tenants.Add(ctx, tenant.Entry{Slug: "acme"}, time.Now()); err != nil {
			t.Fatal(err)
		}
		at := time.Now().UTC().Format(time.RFC3339)
		tell := func(n string) {
			t.Helper()
			told, err := metering.ReadBatch([]byte(`{"specversion":"1.0","id":"e1","source":"gate","type":"api.call","subject":"acme","time":"` + at + `","data":{"n":` + n + `}}`))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := a.metering.Push(ctx, told, "", time.Now()); err != nil {
				t.Fatal(err)
			}
		}
		want := func(state, says string) {
			t.Helper()
			if got := a.checkUsage(ctx); got.State != state || !strings.Contains(got.Detail, says) {
				t.Errorf("%+v, want %s and %q", got, state, says)
			}
		}
		tell("1")
		want("ok", "no event")
		tell("2")
		want("warn", "7 days: 1, at last e1 of source gate")
		time.Sleep(8 * 24 * time.Hour)
		want("ok", "no event")
		tell("2")
		want("warn", "e1")
	})
}

// From a droplet at the cloud and events of usage to invoices: the inventory sees the
// droplet, metering makes lifetimes of what it saw, and bills are worked out of them.
func TestFactsBecomeInvoices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2026, 10, 30, 0, 0, 0, 0, time.UTC)))
		ctx, d, cloud := t.Context(), dbtest.New(t), dosimtest.Pipe(t, dosim.Options{})
		a := sold(t, d, cloud)
		at := func(day string) {
			when, err := time.Parse("2006-01-02 15:04", day)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Until(when))
		}
		at("2026-10-31 00:00")
		if _, err := a.tenants.Add(ctx, tenant.Entry{Slug: "acme"}, time.Now()); err != nil {
			t.Fatal(err)
		}
		if _, err := a.bills.ApplyCatalog(ctx, billing.Application{Name: "catalog", Document: []byte(soldCatalog), By: "test"}, time.Now()); err != nil {
			t.Fatal(err)
		}
		if _, err := a.bills.PutIssuer(ctx, billing.Issuer{ID: "main", LegalName: "Host Inc.", Series: "R-"}, "test", time.Now()); err != nil {
			t.Fatal(err)
		}
		if _, err := a.bills.PutCustomer(ctx, "acme", billing.Profile{Issuer: "main", Currency: "USD"}, "test", time.Now()); err != nil {
			t.Fatal(err)
		}
		if _, _, err := a.bills.Subscribe(ctx, billing.Order{Tenant: "acme", Plan: "hosting@1", From: "2026-11-01", By: "test"}, time.Now()); err != nil {
			t.Fatal(err)
		}
		push := func(id, n string) {
			told, err := metering.ReadBatch(fmt.Appendf(nil, `{"specversion":"1.0","source":"gateway","id":%q,"type":"api.call","subject":"acme","time":%q,"data":{"n":%q}}`,
				id, time.Now().Format(time.RFC3339), n))
			if err != nil {
				t.Fatal(err)
			}
			if done, err := a.metering.Push(ctx, told, "", time.Now()); err != nil || done[0].Status != metering.Accepted {
				t.Fatal(done, err)
			}
		}
		at("2026-11-08 00:00")
		first := launch(t, cloud, "web", "tenant:acme")
		push("1", "70")
		a.sync(t)
		at("2026-11-15 00:00")
		ask(t, cloud, http.MethodDelete, "/v2/droplets/"+first, "", nil)
		a.sync(t)
		// One that nobody says is acme's until its month was billed.
		at("2026-11-24 00:00")
		second := launch(t, cloud, "db")
		a.sync(t)
		at("2026-12-03 12:00")
		push("2", "1")
		a.sync(t)
		bill := func() string {
			t.Helper()
			time.Sleep(2 * billing.Settle)
			run, err := a.bills.RunBilling(ctx, billing.RunOrder{By: "test"}, time.Now())
			if err != nil || len(run.Failed) > 0 {
				t.Fatalf("%+v, %v", run.Failed, err)
			}
			var lines []string
			for _, i := range run.Issued {
				var doc struct {
					Lines []struct {
						Charge, Kind string
						Amount       int64
						Group        map[string]string
					}
				}
				if err := json.Unmarshal(i.Document, &doc); err != nil {
					t.Fatal(err)
				}
				for _, l := range doc.Lines {
					name := map[string]string{"do:droplet:" + first: "web", "do:droplet:" + second: "db"}[l.Group["urn"]]
					lines = append(lines, strings.TrimSpace(fmt.Sprint(i.Ref(), " ", l.Charge, " ", l.Kind, " ", l.Amount, " ", name)))
				}
			}
			return strings.Join(lines, "\n")
		}
		// A week is a quarter of a month: 6.00 / 4 · 1.5. Destruction is seen by two lists.
		if got, want := bill(), "R-1 servers charge 225 web\nR-1 calls charge 700"; got != want {
			t.Errorf("November:\n%s\nwant\n%s", got, want)
		}
		at("2026-12-15 00:00")
		if _, err := a.inventory.Assign(ctx, []string{"do:droplet:" + second}, "acme", "found out", "test", time.Now()); err != nil {
			t.Fatal(err)
		}
		a.follow(t)
		at("2027-01-03 12:00")
		if got, want := bill(), "R-2 servers charge 900 db\nR-2 calls charge 10\nR-2 servers adjustment 225 db"; got != want {
			t.Errorf("December:\n%s\nwant\n%s", got, want)
		}
		checks, err := a.bills.VerifyBilling(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range checks {
			if len(c.Wrong) > 0 {
				t.Errorf("%s: %v", c.Name, c.Wrong)
			}
		}
	})
}

// sold is an App of those services that bills are made by.
func sold(t *testing.T, d *db.DB, cloud *dosimtest.Server) *App {
	t.Helper()
	sagas, err := saga.New(d, saga.Options{})
	if err != nil {
		t.Fatal(err)
	}
	reader, err := digitalocean.New(digitalocean.Options{
		BaseURL: cloud.URL, Account: account, Purpose: digitalocean.Inventory, Token: vault.NewSecret(cloud.Token), Transport: cloud.Client.Transport,
	})
	if err != nil {
		t.Fatal(err)
	}
	a := &App{db: d, tenants: tenant.New(d), inventory: inventory.New(d, sagas, inventory.Settings{
		Horizon:  3 * time.Minute,
		Client:   func(context.Context, string) (*digitalocean.Client, error) { return reader, nil },
		Accounts: func(context.Context) ([]string, error) { return []string{account}, nil },
	})}
	a.metering = metering.New(d, a.inventory, nil)
	a.bills = billing.New(d, a.facts, nil)
	return a
}

// sync lists the cloud twice: what two lists do not have is gone.
func (a *App) sync(t *testing.T) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	over := make(chan error, 1)
	go func() { over <- a.inventory.Serve(ctx) }()
	defer func() {
		stop()
		if err := <-over; err != nil {
			t.Error(err)
		}
	}()
	for range 2 {
		time.Sleep(10 * time.Minute)
		r, err := a.inventory.StartSync(ctx, account, []string{"droplet", "action"}, "test")
		for err == nil && r.FinishedAt.IsZero() {
			time.Sleep(20 * time.Millisecond)
			r, err = a.inventory.Run(ctx, r.ID)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	a.follow(t)
}

// follow does what is done every minute.
func (a *App) follow(t *testing.T) {
	t.Helper()
	if _, err := a.metering.Follow(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func launch(t *testing.T, cloud *dosimtest.Server, name string, tags ...string) (id string) {
	t.Helper()
	list, err := json.Marshal(append([]string{}, tags...))
	if err != nil {
		t.Fatal(err)
	}
	var made struct{ Droplet struct{ ID json.Number } }
	ask(t, cloud, http.MethodPost, "/v2/droplets", fmt.Sprintf(`{"name":%q,"region":"nyc3","size":"s-1vcpu-1gb","image":"ubuntu-24-04-x64","tags":%s}`, name, list), &made)
	return made.Droplet.ID.String()
}

func ask(t *testing.T, cloud *dosimtest.Server, method, path, body string, answer any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, cloud.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+cloud.Token)
	req.Header.Set("Content-Type", "application/json")
	res, err := cloud.Client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode >= 300 {
		t.Fatalf("%s %s: %s", method, path, res.Status)
	}
	if answer != nil {
		if err := json.NewDecoder(res.Body).Decode(answer); err != nil {
			t.Fatal(err)
		}
	}
}
