package billing

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/metering"
)

// A customer's taxes change on a day that is to come, or has been: for what has its tax
// point from then on and is not issued, of subscriptions that there are and of new ones.
func TestTaxesChangeOnADay(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s, ctx := New(d, nil, nil), t.Context()
		apply(t, s, taxed, noon)
		c := customer(t, d, s)
		put := func(at, from string, taxes ...string) Customer {
			t.Helper()
			p := c.Profile
			p.Zone, p.Taxes, p.TaxesFrom = "UTC", taxes, from
			c, err := s.PutCustomer(ctx, "acme", p, "test", day(t, at))
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		follow := func(at, from string) SubscriptionID {
			t.Helper()
			a, _, err := s.Subscribe(ctx, Order{Tenant: "acme", Plan: "basic@1", From: from, By: "test"}, day(t, at))
			if err != nil {
				t.Fatal(err)
			}
			return a.ID
		}
		bears := func(sub SubscriptionID, want string) {
			t.Helper()
			issued, err := listIssued(ctx, d.Read(), IssuedFilter{subscriptions: []SubscriptionID{sub}, Limit: -1})
			if err != nil {
				t.Fatal(err)
			}
			slices.Reverse(issued)
			if got := strings.Join(taxesOf(issued), ", "); got != want {
				t.Errorf("taxes:\n%s, want\n%s", got, want)
			}
		}
		put("2026-03-02", "2026-03-15", "vat")
		early := follow("2026-03-03", "2026-04-01")
		own, _, err := s.Subscribe(ctx, Order{Tenant: "acme", Plan: "basic@1", From: "2026-04-01", Taxes: []string{"local"}, By: "test"}, day(t, "2026-03-03"))
		if err != nil {
			t.Fatal(err)
		}
		told := put("2026-04-05", "2026-05-01") // no taxes
		if now, then := told.TaxesAt(day(t, "2026-04-30")), told.TaxesAt(day(t, "2026-05-01")); !slices.Equal(now, []string{"vat"}) || len(then) != 0 {
			t.Errorf("in April %v, in May %v", now, then)
		}
		if kept, err := s.Customer(ctx, "acme"); err != nil || fmt.Sprint(kept.TaxChanges) != fmt.Sprint(told.TaxChanges) {
			t.Errorf("read back: %v, %v", kept.TaxChanges, err)
		}
		late := follow("2026-04-06", "2026-04-16")
		runAt(t, s, day(t, "2026-04-20"))
		runAt(t, s, day(t, "2026-05-05"))
		// On 20 May somebody tells that from 10 May on there is tax again: what was issued stays.
		put("2026-05-20", "2026-05-10", "vat")
		runAt(t, s, day(t, "2026-06-05"))
		bears(early, "advance 04-01 20, advance 05-01 , arrears 05-03 20, advance 06-01 25, arrears 06-03 25")
		bears(late, "advance 04-16 20, advance 05-01 , arrears 05-03 20, advance 06-01 25, arrears 06-03 25")
		if a, err := s.Agreement(ctx, own.ID); err != nil || len(a.Amendments) != 0 {
			t.Errorf("taxes of its own: %+v, %v", a.Amendments, err)
		}
		for name, change := range map[string]func(*Profile){
			"no day": func(p *Profile) { p.TaxesFrom = "soon" }, "no tax": func(p *Profile) { p.Taxes, p.TaxesFrom = []string{"nosuch"}, "2026-07-01" },
		} {
			p := c.Profile
			change(&p)
			if _, err := s.PutCustomer(ctx, "acme", p, "test", day(t, "2026-06-06")); !errors.Is(err, fault.Invalid) {
				t.Errorf("%s: %v", name, err)
			}
		}
		// The same again changes nothing, and a day that was said twice is what was said last.
		if again := put("2026-06-07", "", "vat"); len(again.TaxChanges) != 3 {
			t.Errorf("the same again: %v", again.TaxChanges)
		}
		put("2026-06-07", "2026-07-01")
		if twice := put("2026-06-08", "2026-07-01", "vat", "local"); len(twice.TaxChanges) != 4 || len(twice.TaxesAt(day(t, "2026-07-01"))) != 2 {
			t.Errorf("a day that was said twice: %v", twice.TaxChanges)
		}
		sound(t, s, 15)
	})
}

// Taxes that change for a time that was billed: what is given back of it has those that
// it was billed with, and what is charged more has those that hold.
func TestWhatIsGivenBackHasItsTaxes(t *testing.T) {
	for _, tt := range []struct{ name, plan, told, events, want string }{
		{"usage", `late: {grace: 0s}, charges: [{id: u, type: usage, meter: m, price: "1"}]`, "2026-02-05",
			"10@2026-01-05, -4@2026-02-10, 3@2026-03-10, -1@2026-04-10", "02-01 1200, 03-01 -480, 04-01 300, 05-01 -120"},
		{"a commitment", `late: {grace: 0s}, commitment: "20.00", charges: [{id: u, type: usage, meter: m, price: "1"}]`, "2026-02-05",
			"9@2026-01-05, 5@2026-02-10", "02-01 2400, 03-01 1900, 04-01 2000, 05-01 2000"}, // in March 20.00 + 5.00 − (5.00 + 1.00)
		{"a minimum alone", `late: {grace: 48h}, charges: [{id: u, type: resource, model: cost_plus, minimum: "31.00"}]`, "2026-02-02",
			"", "02-03 3100, 03-03 3100, 04-03 3100, 05-03 3100"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := ReadCatalog("c", []byte(`{currency: EUR, taxes: [{id: vat, rate: "20"}],
				meters: [{id: m, event_type: use, aggregate: sum, value: n}],
				plans: [{id: p, version: 1, period: {unit: month}, `+tt.plan+`}]}`))
			if err != nil {
				t.Fatal(err)
			}
			sub, err := ReadSubscription("s", []byte(`{tenant: acme, zone: UTC, taxes: [vat], phases: [{plan: p@1, from: 2026-01-01}]}`), c)
			if err != nil {
				t.Fatal(err)
			}
			sub.Amendments = []Amendment{{Seq: 1, Type: TaxesAmendment, IDs: []string{}, EffectiveAt: day(t, "2026-01-01"), RecordedAt: day(t, tt.told)}}
			var facts Facts
			for n, text := range strings.FieldsFunc(tt.events, func(r rune) bool { return r == ',' }) {
				units, recorded, _ := strings.Cut(strings.TrimSpace(text), "@")
				facts.Events = append(facts.Events, metering.Event{Line: n + 1, Source: "app", ID: fmt.Sprint(n), Type: "use", At: day(t, "2026-01-05"), RecordedAt: day(t, recorded),
					Data: metering.Data{"n": metering.Value(units)}})
			}
			out, err := Preview(c, sub, facts, day(t, "2026-05-10"))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, i := range out.Invoices {
				got = append(got, fmt.Sprintf("%s %d", i.IssueAt.Format("01-02"), i.Total))
			}
			if got := strings.Join(got, ", "); got != tt.want {
				t.Errorf("totals %s, want %s", got, tt.want)
			}
		})
	}
}
