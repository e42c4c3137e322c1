package demo

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/billing"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/inventory"
	"github.com/arcadia-cloud/arcadia/internal/metering"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

// The history has something of everything that billing shows, whatever the day on which
// a demonstration begins, and nothing in it is wrong by billing's own checks. Where it
// was cut off and is made from its beginning again, nothing is there twice.
func TestTheHistoryIsWhole(t *testing.T) {
	t.Parallel()
	for _, day := range []string{"2026-11-26", "2027-03-01"} {
		t.Run(day, func(t *testing.T) {
			t.Parallel()
			began, err := time.Parse(time.DateTime, day+" 11:20:00")
			if err != nil {
				t.Fatal(err)
			}
			h := history(t)
			steps := h.steps(began)
			run := func(steps []step) {
				t.Helper()
				for _, s := range steps {
					if err := s.do(t.Context(), s.at); err != nil {
						t.Fatalf("%s: %v", s.at, err)
					}
				}
			}
			run(steps[:len(steps)*3/4])
			run(steps)
			states, currencies, overdue := map[string]int{}, map[string]int{}, 0
			for _, i := range h.list(t) {
				states[string(i.State)+" "+string(i.Purpose)]++
				currencies[string(i.Currency)]++
				if i.Open > 0 && i.DueAt.Before(began) {
					overdue++
				}
			}
			if len(currencies) != 2 || states["paid advance"] < 10 || states["paid arrears"] < 10 || states["partially_paid advance"]+states["partially_paid arrears"] == 0 ||
				states["issued credit_note"] != 1 || overdue == 0 {
				t.Errorf("there are %v in %v, %d of them overdue", states, currencies, overdue)
			}
			if drafts, err := h.Bills.Drafts(t.Context(), ""); err != nil || len(drafts) == 0 {
				t.Errorf("%d drafts wait, %v; want one at least", len(drafts), err)
			}
			if unmetered, err := h.Metering.Unmetered(t.Context()); err != nil || len(unmetered) != 2 {
				t.Errorf("%v is in no meter, %v; want mails of two tenants", unmetered, err)
			}
			if conflicts, err := h.Metering.Conflicts(t.Context(), "", time.Time{}, 10); err != nil || len(conflicts) != 1 {
				t.Errorf("the conflicts are %v, %v; want one", conflicts, err)
			}
			checks, err := h.Bills.VerifyBilling(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range checks {
				if len(c.Wrong) > 0 {
					t.Errorf("%s: %v", c.Name, c.Wrong)
				}
			}
			if agreements, err := h.Bills.Subscriptions(t.Context(), ""); err != nil || len(agreements) != len(customers) {
				t.Errorf("%d subscriptions, %v; want one of each of %d customers", len(agreements), err, len(customers))
			}
		})
	}
}

func history(t *testing.T) *History {
	d := dbtest.New(t)
	h := &History{Tenants: tenant.New(d), Metering: metering.New(d, inventory.New(d, nil, inventory.Settings{}), nil), Dir: t.TempDir(), Log: slog.New(slog.DiscardHandler)}
	h.Bills = billing.New(d, func(ctx context.Context, asked billing.Asked) (f billing.Facts, err error) {
		if len(asked.Types) == 0 { // as where it is asked for what belongs to nobody
			return f, nil
		}
		f.Events, err = h.Metering.Events(ctx, metering.EventFilter{Tenant: asked.Tenant, Types: asked.Types, To: asked.Until, Known: asked.Until, Corrected: true})
		for i := range f.Events {
			f.Events[i].Line = i + 1
		}
		return f, err
	}, nil)
	return h
}

func (h *History) list(t *testing.T) []billing.Issued {
	t.Helper()
	list, _, err := h.Bills.Invoices(t.Context(), billing.IssuedFilter{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	return list
}
