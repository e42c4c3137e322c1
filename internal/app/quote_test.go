package app

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/billing"
	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
	"github.com/arcadia-cloud/arcadia/internal/provisioning"
	"github.com/arcadia-cloud/arcadia/internal/saga"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
	"github.com/arcadia-cloud/arcadia/internal/vault"
	"github.com/arcadia-cloud/arcadia/internal/wire"
)

// hosting is a subscription of acme to the catalog that is sold, from November on.
func (a *App) hosting(t *testing.T) billing.Agreement {
	t.Helper()
	ctx := t.Context()
	if _, err := a.bills.ApplyCatalog(ctx, billing.Application{Name: "catalog", Document: []byte(soldCatalog), By: "test"}, time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := a.bills.PutIssuer(ctx, billing.Issuer{ID: "main", LegalName: "Host Inc.", Series: "R-"}, "test", time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := a.bills.PutCustomer(ctx, "acme", billing.Profile{Issuer: "main", Currency: "USD"}, "test", time.Now()); err != nil {
		t.Fatal(err)
	}
	sub, _, err := a.bills.Subscribe(ctx, billing.Order{Tenant: "acme", Plan: "hosting@1", From: "2026-11-01", By: "test"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return sub
}

// withStacks gives an App the service that plans stacks, and the tenant acme.
func (a *App) withStacks(t *testing.T, d *db.DB, cloud *dosimtest.Server) {
	t.Helper()
	c, err := digitalocean.New(digitalocean.Options{
		BaseURL: cloud.URL, Account: account, Purpose: digitalocean.Provisioning, Token: vault.NewSecret(cloud.Token), Transport: cloud.Client.Transport,
	})
	if err != nil {
		t.Fatal(err)
	}
	steps := provisioning.NewSteps(func(context.Context, string) (*digitalocean.Client, error) { return c, nil },
		provisioning.Settings{Account: account, Quote: a.quote}, nil)
	if a.engine, err = saga.New(d, saga.Options{}, steps.Kinds()...); err != nil {
		t.Fatal(err)
	}
	a.provisioning = provisioning.New(d, a.engine, steps)
	if _, err := a.tenants.Add(t.Context(), tenant.Entry{Slug: "acme"}, time.Now()); err != nil {
		t.Fatal(err)
	}
}

// A plan is kept with what it changes on the tenant's invoice, from the droplets that the
// tenant has by what they cost. It says so where nothing changes, and is not stale
// because the subscription is another by then.
func TestAPlanQuotesTheTenantsInvoice(t *testing.T) {
	run := func(t *testing.T, a *App, before int64) {
		ctx := t.Context()
		plan := func() provisioning.Plan {
			t.Helper()
			p, err := a.provisioning.PlanStack(ctx, provisioning.PlanRequest{
				Verb: provisioning.Provision, Blueprint: "minimal", Tenant: "acme", Name: "edge", NewID: "stack_0193a4c0d1e2738fa1b2c3d4e5f60718", Parameters: map[string]string{"region": "nyc3"},
			}, "cli:test", time.Now())
			if err != nil {
				t.Fatal(err)
			}
			return p
		}
		sub := a.hosting(t)
		first := plan()
		next := time.Now().UTC().AddDate(0, 1, 1-time.Now().UTC().Day())
		want := &provisioning.Quote{
			Periods: []provisioning.QuotedPeriod{{
				Subscription: string(sub.ID), Plans: []string{"hosting@1"}, Currency: "USD",
				From: next.Format(time.DateOnly), To: next.AddDate(0, 1, 0).Format(time.DateOnly), Before: before, After: before + 900, // a droplet of $6, times 1.5
			}},
			Notes: []string{"What hosting@1 will meter in that time is not known yet, and in neither sum."},
		}
		if diff := cmp.Diff(want, first.Quote); diff != "" {
			t.Error(diff)
		}
		kept, err := a.provisioning.Plan(ctx, first.ID)
		if diff := cmp.Diff(want, kept.Quote); err != nil || diff != "" {
			t.Fatal(err, diff)
		}
		if got := wire.Plan(kept, "acme").Quote.Periods[0]; got.After != (client.Amount{Currency: "USD", Amount: before + 900}) || got.Before.Amount != before {
			t.Errorf("over the wire: %+v", got)
		}
		if _, _, err := a.bills.ChangeSubscription(ctx, sub.ID, billing.ChangeOrder{Type: billing.CancelChange, When: "period_end", By: "test"}, time.Now()); err != nil {
			t.Fatal(err)
		}
		second := plan()
		if second.Hash != first.Hash {
			t.Error("a plan becomes stale by what is billed")
		}
		if q := second.Quote; q == nil || len(q.Periods) > 0 || !strings.HasPrefix(q.Nothing, "Nothing changes on an invoice: ") {
			t.Errorf("once the service ends: %+v", q)
		}
	}
	t.Run("sqlite", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			time.Sleep(time.Until(time.Date(2026, 11, 3, 0, 0, 0, 0, time.UTC)))
			d, cloud := dbtest.New(t), dosimtest.Pipe(t, dosim.Options{})
			a := sold(t, d, cloud)
			a.withStacks(t, d, cloud)
			launch(t, cloud, "web", "tenant:acme")
			a.sync(t)
			run(t, a, 900)
		})
	})
	t.Run("postgres", func(t *testing.T) {
		d, cloud := dbtest.NewPostgres(t), dosimtest.Start(t)
		a := sold(t, d, cloud)
		a.withStacks(t, d, cloud)
		run(t, a, 0)
	})
}

// What billing is told of a plan is what is made, changed, destroyed or taken: neither
// what stays in its place, nor what nobody owns.
func TestWhatBillingIsToldOfAPlan(t *testing.T) {
	six, nothing := int64(6_000_000), int64(0)
	told := billable([]provisioning.Change{
		{Action: "create", Key: "droplet.web", Kind: "droplet", Size: "s-1vcpu-1gb", Monthly: &six},
		{Action: "destroy", Key: "volume.data", Kind: "volume", URN: "do:volume:1", Stays: true, Monthly: &nothing},
		{Action: "destroy", Key: "volume.old", Kind: "volume", URN: "do:volume:2"},
		{Action: "release", Key: "droplet.db", Kind: "droplet", URN: "do:droplet:2", Monthly: &nothing},
		{Action: "adopt", Key: "droplet.db", Kind: "droplet", URN: "do:droplet:2", Monthly: &nothing},
		{Action: "create", Key: "project.p", Kind: "no_such_kind"},
	})
	var words []string
	for _, c := range told {
		monthly := "?"
		if c.Monthly != nil {
			monthly = c.Monthly.String()
		}
		words = append(words, strings.TrimSpace(strings.Join([]string{string(c.Event), c.Key, c.URN, c.Size, monthly}, " ")))
	}
	want := []string{"made droplet.web  s-1vcpu-1gb 6", "gone volume.old do:volume:2  ?", "taken droplet.db do:droplet:2  0"}
	if !slices.Equal(words, want) {
		t.Errorf("told %q, want %q", words, want)
	}
}
