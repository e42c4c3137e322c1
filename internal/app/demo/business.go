package demo

import (
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/billing"
	"github.com/arcadia-cloud/arcadia/internal/exact"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/metering"
	"github.com/arcadia-cloud/arcadia/internal/money"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

//go:embed catalog-eur.yaml
var catalogEUR []byte

//go:embed catalog-usd.yaml
var catalogUSD []byte

//go:embed logo.png
var logo []byte

// A customer is a tenant of the fleet that is billed. The other tenants are not.
type customer struct {
	slug, plan  string
	coupons     []string
	anniversary bool // its periods begin at another day than the first
	profile     billing.Profile
	busy        int // thousands of requests a day, about
}

func inEuros(name, street, code, city, country, zone, language, vat string) billing.Profile {
	p := billing.Profile{
		Issuer: "gmbh", Currency: "EUR", Zone: zone, LegalName: name, TermsDays: 14, Language: language,
		Address: billing.Address{Lines: []string{street}, PostalCode: code, City: city, Country: country},
	}
	if vat != "" {
		p.TaxIDs = []billing.TaxID{{Type: "eu_vat", Value: vat}}
	}
	if country == "DE" {
		p.Taxes = []string{"vat"}
	}
	return p
}

func inDollars(name, street, code, city, region, zone string) billing.Profile {
	return billing.Profile{
		Issuer: "inc", Currency: "USD", Zone: zone, LegalName: name, TermsDays: 14, Language: "en",
		Address: billing.Address{Lines: []string{street}, PostalCode: code, City: city, Region: region, Country: "US"},
	}
}

var customers = []customer{
	{slug: "atlas-freight", plan: "managed@1", profile: inDollars("Atlas Freight LLC", "12 Pier Road", "07302", "Jersey City", "NJ", "America/New_York"), busy: 31},
	{slug: "bluefin-foods", plan: "team@1", profile: inEuros("Bluefin Foods B.V.", "Havenkade 4", "3011 AA", "Rotterdam", "NL", "Europe/Amsterdam", "en", "NL000099998B57"), busy: 9},
	{slug: "cobalt-labs", plan: "business@1", profile: inEuros("Cobalt Labs SAS", "3 rue des Ateliers", "69007", "Lyon", "FR", "Europe/Paris", "fr", "FRXX999999999"), busy: 44},
	{slug: "fjord-energy", plan: "business@1", profile: inEuros("Fjord Energy GmbH", "Am Kai 17", "20457", "Hamburg", "DE", "Europe/Berlin", "de", "DE136695976"), busy: 58},
	{slug: "granite-legal", plan: "team@1", coupons: []string{"first-steps"}, anniversary: true, profile: inEuros("Granite Legal PartG mbB", "Lindenallee 2", "50968", "Köln", "DE", "Europe/Berlin", "de", ""), busy: 5},
	{slug: "harbor-health", plan: "team@1", profile: inDollars("Harbor Health Inc.", "400 Bay Street", "94133", "San Francisco", "CA", "America/Los_Angeles"), busy: 17},
	{slug: "juniper-schools", plan: "team@1", profile: inDollars("Juniper Schools", "9 College Avenue", "02139", "Cambridge", "MA", "America/New_York"), busy: 6},
	{slug: "kestrel-media", plan: "team@1", profile: inEuros("Kestrel Media GmbH", "Studiostr. 8", "10997", "Berlin", "DE", "Europe/Berlin", "de", ""), busy: 12},
	{slug: "lumen-analytics", plan: "managed@1", profile: inDollars("Lumen Analytics Inc.", "77 Harvest Way", "78701", "Austin", "TX", "America/Chicago"), busy: 72},
}

// open says what is sold, by whom and to whom.
func (h *History) open(ctx context.Context, at time.Time) error {
	for _, document := range [][]byte{catalogEUR, catalogUSD} {
		if _, err := h.Bills.ApplyCatalog(ctx, billing.Application{Name: "catalog.yaml", Document: document, By: Actor}, at); err != nil {
			return err
		}
	}
	// What DigitalOcean charges is in dollars, also for those who pay in euros.
	rate := billing.Rate{Pair: "EUR/USD", From: at.UTC().Format(time.DateOnly), Rate: exact.Must("1.0850"), Source: "the demo", SetBy: Actor}
	if _, err := h.Bills.SetRate(ctx, rate, at); err != nil {
		return err
	}
	for _, issuer := range []billing.Issuer{
		{
			ID: "gmbh", LegalName: "Host GmbH", Address: billing.Address{Lines: []string{"Hauptstr. 1"}, PostalCode: "10115", City: "Berlin", Country: "DE"},
			TaxIDs: []billing.TaxID{{Type: "eu_vat", Value: "DE136695976"}}, Bank: billing.Bank{IBAN: "DE89 3704 0044 0532 0130 00", BIC: "COBADEFFXXX", Name: "Hausbank"},
			Footer: "Questions about this invoice: billing@host.example", Series: "R-", CreditSeries: "G-",
			Picture: &logo,
		},
		{
			ID: "inc", LegalName: "Host Inc.", Address: billing.Address{Lines: []string{"1 Main Street"}, PostalCode: "10001", City: "New York", Region: "NY", Country: "US"},
			Footer: "Questions about this invoice: billing@host.example", Series: "US-", CreditSeries: "USC-",
			Picture: &logo,
		},
	} {
		if _, err := h.Bills.PutIssuer(ctx, issuer, Actor, at); err != nil {
			return err
		}
	}
	for _, c := range customers {
		_, err := h.Tenants.Add(ctx, tenant.Entry{Slug: c.slug, Name: c.profile.LegalName, Contact: "office@" + c.slug + ".example"}, at)
		if err != nil && fault.KindOf(err) != fault.Conflict { // tags may have named it already
			return err
		}
		p := c.profile
		p.Email = "invoices@" + c.slug + ".example"
		if _, err := h.Bills.PutCustomer(ctx, c.slug, p, Actor, at); err != nil {
			return err
		}
	}
	return nil
}

// subscribe makes a customer's subscription where it has none.
func (h *History) subscribe(ctx context.Context, o billing.Order, at time.Time) error {
	there, err := h.Bills.Subscriptions(ctx, o.Tenant)
	if err != nil || len(there) > 0 {
		return err
	}
	_, _, err = h.Bills.Subscribe(ctx, o, at)
	return err
}

// A told event is a CloudEvent as a product tells it.
type told struct {
	Version string         `json:"specversion"`
	ID      string         `json:"id"`
	Source  string         `json:"source"`
	Type    string         `json:"type"`
	Subject string         `json:"subject"`
	Time    time.Time      `json:"time"`
	Data    map[string]any `json:"data"`
}

// use tells what all customers used on a day, as far as that has happened. first is the
// first day of all.
func (h *History) use(ctx context.Context, first, day, at time.Time) error {
	var events []told
	for n, c := range customers {
		date := day.Format(time.DateOnly)
		add := func(hour int, source, kind string, data map[string]any) {
			when := day.Add(time.Duration(hour)*time.Hour + time.Duration(n)*time.Minute)
			if when.Before(at) {
				events = append(events, told{"1.0", fmt.Sprintf("%s-%s-%02d", c.slug, date, hour), source, kind, c.slug, when, data})
			}
		}
		r := rand.New(rand.NewPCG(uint64(n), uint64(day.Unix()))) //nolint:gosec // the same for everybody
		quiet := 1
		if day.Weekday() == time.Saturday || day.Weekday() == time.Sunday {
			quiet = 3
		}
		for hour := 2; hour < 24; hour += 4 {
			load := c.busy * 1000 / 6 / quiet * (60 + r.IntN(80)) / 100
			if hour < 6 {
				load /= 4
			}
			add(hour, "gateway", "api.request", map[string]any{"n": load, "region": regions[n%len(regions)]})
		}
		switch since := int(day.Sub(first).Hours() / 24); { // changes of level
		case since == 0:
			add(0, "volumes", "storage.size", map[string]any{"gib": 40 + c.busy*4})
		case since%7 == n%7:
			add(0, "volumes", "storage.size", map[string]any{"gib": c.busy/4 - r.IntN(4)})
		}
		if c.slug == "kestrel-media" || c.slug == "juniper-schools" {
			add(12, "mailer", "mail.sent", map[string]any{"n": 100 + r.IntN(900)}) // no meter is about it
		}
	}
	return h.tell(ctx, events, at)
}

// late tells what happened in a month that was billed, and an event again with another
// content, which is a conflict.
func (h *History) late(ctx context.Context, at time.Time) error {
	before := at.AddDate(0, 0, -9)
	again := time.Date(before.Year(), before.Month(), before.Day(), 10, 1, 0, 0, time.UTC)
	return h.tell(ctx, []told{
		{"1.0", "fjord-energy-backlog", "gateway", "api.request", "fjord-energy", before, map[string]any{"n": 265000, "region": "fra1"}},
		{"1.0", "bluefin-foods-" + again.Format(time.DateOnly) + "-10", "gateway", "api.request", "bluefin-foods", again, map[string]any{"n": 7}},
	}, at)
}

func (h *History) tell(ctx context.Context, events []told, at time.Time) error {
	if len(events) == 0 {
		return nil
	}
	body, err := json.Marshal(events)
	if err != nil {
		return err
	}
	batch, err := metering.ReadBatch(body)
	if err != nil {
		return err
	}
	_, err = h.Metering.Push(ctx, batch, "", at)
	return err
}

// bill is the billing run that a server makes by itself.
func (h *History) bill(ctx context.Context, at time.Time) error {
	run, err := h.Bills.BillDue(ctx, billing.DueOrder{By: "schedule"}, at)
	if err == nil && len(run.Failed) > 0 {
		return fmt.Errorf("subscription %s of %s: %s", run.Failed[0].Subscription, run.Failed[0].Tenant, run.Failed[0].Why)
	}
	return err
}

// unpaid are the invoices of a customer that waited to be paid at an instant, the first
// due first.
func (h *History) unpaid(ctx context.Context, slug string, at time.Time) ([]billing.Issued, error) {
	list, _, err := h.Bills.Invoices(ctx, billing.IssuedFilter{Tenant: slug, Open: true, Limit: 100})
	list = slices.DeleteFunc(list, func(i billing.Issued) bool { return i.IssuedAt.After(at) })
	slices.SortFunc(list, func(a, b billing.Issued) int {
		return cmp.Or(a.DueAt.Compare(b.DueAt), cmp.Compare(a.Number, b.Number))
	})
	return list, err
}

// pays has customers pay each invoice that is open.
func (h *History) pays(slugs ...string) func(context.Context, time.Time) error {
	return func(ctx context.Context, at time.Time) error {
		for _, slug := range slugs {
			list, err := h.unpaid(ctx, slug, at)
			if err != nil {
				return err
			}
			for _, i := range list {
				if err := h.pay(ctx, i, i.Open, at); err != nil {
					return err
				}
			}
		}
		return nil
	}
}

// pay books what a customer sent for an invoice.
func (h *History) pay(ctx context.Context, i billing.Issued, minor int64, at time.Time) error {
	_, err := h.Bills.RecordPayment(ctx, billing.PaymentOrder{
		Tenant: i.Slug, Amount: money.New(minor, i.Currency), At: at.Format(time.RFC3339), Invoices: []string{i.Ref()},
		Reference: "Invoice " + i.Ref(), Key: "bank/" + i.Ref(), By: Actor,
	}, at)
	return err
}

// paysPart has a customer pay a half of what it owes longest.
func (h *History) paysPart(ctx context.Context, at time.Time) error {
	list, err := h.unpaid(ctx, "bluefin-foods", at)
	if err != nil || len(list) == 0 {
		return err
	}
	return h.pay(ctx, list[0], list[0].Due/2, at)
}

// paysRest has it pay all but what it paid a part of.
func (h *History) paysRest(ctx context.Context, at time.Time) error {
	list, err := h.unpaid(ctx, "bluefin-foods", at)
	for _, i := range list {
		if i.State == billing.InvoicePartlyPaid {
			continue
		}
		if err := h.pay(ctx, i, i.Open, at); err != nil {
			return err
		}
	}
	return err
}

// paysMore has a customer pay more than it owes: the rest is credit of its account.
func (h *History) paysMore(ctx context.Context, at time.Time) error {
	list, err := h.unpaid(ctx, "lumen-analytics", at)
	for n, i := range list {
		minor := i.Open
		if n == len(list)-1 {
			minor += 150_00
		}
		if err := h.pay(ctx, i, minor, at); err != nil {
			return err
		}
	}
	return err
}

// upgrade gives a customer a larger plan.
func (h *History) upgrade(ctx context.Context, at time.Time) error {
	return h.change(ctx, "harbor-health", billing.ChangeOrder{Type: billing.PlanChange, Plan: "managed@1", Reason: "more traffic than expected"}, at)
}

// cancel has a customer leave at the end of its period.
func (h *History) cancel(ctx context.Context, at time.Time) error {
	return h.change(ctx, "kestrel-media", billing.ChangeOrder{Type: billing.CancelChange, When: "period_end", Reason: "moves in-house"}, at)
}

// change changes a customer's subscription, which was not changed before.
func (h *History) change(ctx context.Context, slug string, o billing.ChangeOrder, at time.Time) error {
	list, err := h.Bills.Subscriptions(ctx, slug)
	if err != nil || len(list) == 0 || len(list[0].Changes) > 1 {
		return err
	}
	o.By = Actor
	_, _, err = h.Bills.ChangeSubscription(ctx, list[0].ID, o, at)
	return err
}

// credit gives a customer back a part of what it was last billed.
func (h *History) credit(ctx context.Context, at time.Time) error {
	list, _, err := h.Bills.Invoices(ctx, billing.IssuedFilter{Tenant: "atlas-freight", Limit: 100})
	if err != nil || slices.ContainsFunc(list, func(i billing.Issued) bool { return i.Purpose == billing.Credit }) {
		return err
	}
	n := slices.IndexFunc(list, func(i billing.Issued) bool { return i.Purpose == billing.Advance && !i.IssuedAt.After(at) })
	if n < 0 {
		return fmt.Errorf("atlas-freight has no invoice that could be credited")
	}
	_, err = h.Bills.CreditInvoice(ctx, billing.NoteOrder{Invoice: list[n].Ref(), Amount: 25_00, Reason: "the service was down on the 18th", By: Actor}, at)
	return err
}
