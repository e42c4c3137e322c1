package billing

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/exact"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/metering"
)

func setRate(t *testing.T, s *Service, r Rate, at time.Time) {
	t.Helper()
	if _, err := s.SetRate(t.Context(), r, at); err != nil {
		t.Fatal(err)
	}
}

// What costs dollars is sold in euros once a rate is known, and billed at that of the
// last day of the service; bills that were issued come out again as they
// were, whatever is set later.
func TestCostInAnotherCurrency(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx := t.Context()
		s := New(d, func(_ context.Context, a Asked) (Facts, error) {
			if a.Nobody {
				return Facts{}, nil
			}
			return Facts{Lifetimes: []metering.Lifetime{{URN: "do:droplet:1", Kind: "droplet", Size: "s", PriceMonthly: exact.Whole(20), From: day(t, "2026-03-01"), RecordedAt: day(t, "2026-03-01")}}}, nil
		}, nil)
		apply(t, s, hosting, noon)
		customer(t, d, s)
		now, hosted := day(t, "2026-04-05"), Order{Tenant: "acme", Plan: "hosting@1", From: "2026-03-01", Taxes: []string{"vat"}, By: "test"}
		_, _, err := s.Subscribe(ctx, hosted, day(t, "2026-02-20"))
		if !errors.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "arcadia fx set USD/EUR RATE --from 2026-03-31") {
			t.Fatalf("without a rate: %v", err)
		}
		rate := func(pair, from, rate string) Rate {
			x, err := exact.ParseDecimal(rate)
			if err != nil {
				t.Fatal(err)
			}
			return Rate{Pair: pair, From: from, Rate: x, Source: "ECB", SetBy: "test"}
		}
		setRate(t, s, rate("EUR/USD", "2026-03-31", "1.25"), now)
		setRate(t, s, rate("USD/EUR", "2026-03-01", "5"), now) // before the first, where there was none
		setRate(t, s, rate("USD/EUR", "2026-04-29", "0.5"), now)
		subscribe(t, s, hosted, day(t, "2026-02-20"))
		march := runAt(t, s, now)
		// 20.00 dollars are 16.00 euros, times 1.5, with 20 % of tax.
		if len(march.Issued) != 1 || march.Issued[0].Total != 2880 || !strings.Contains(string(march.Issued[0].Document), `"rule":"exchange","value":"16","pair":"EUR/USD","rate":"1.25","since":"2026-03-31","source":"ECB"`) {
			t.Fatalf("March: %d documents, %d %s", len(march.Issued), march.Issued[0].Total, march.Issued[0].Document)
		}
		for name, r := range map[string]Rate{
			"a day that has begun": rate("USD/EUR", "2026-04-05", "0.9"), "another for a day that was": rate("USD/EUR", "2026-03-31", "0.9"), "between": rate("USD/EUR", "2026-03-15", "0.9"),
		} {
			if _, err := s.SetRate(ctx, r, now); !errors.Is(err, fault.Conflict) {
				t.Errorf("%s: %v", name, err)
			}
		}
		for name, r := range map[string]Rate{
			"no dollar": rate("EUR/GBP", "2027-01-01", "1"), "dollars twice": rate("USD/USD", "2027-01-01", "1"), "no pair": rate("EUR", "2027-01-01", "1"),
			"no currency": rate("USD/EURO", "2027-01-01", "1"), "nothing": rate("USD/EUR", "2027-01-01", "0"), "no day": rate("USD/EUR", "soon", "1"),
		} {
			if _, err := s.SetRate(ctx, r, now); !errors.Is(err, fault.Invalid) {
				t.Errorf("%s: %v", name, err)
			}
		}
		setRate(t, s, rate("EUR/USD", "2026-03-31", "1.25"), now.AddDate(0, 1, 0)) // the same again
		setRate(t, s, rate("USD/EUR", "2026-04-29", "0.75"), now)                  // it has not begun
		if april := runAt(t, s, day(t, "2026-05-05")); len(april.Issued) != 1 || april.Issued[0].Total != 2700 {
			t.Errorf("April: %+v", april.Issued)
		}
		sound(t, s, 2)
		all, err := s.Rates(ctx, "EUR")
		if err != nil || len(all) != 3 || all[0].From != "2026-04-29" || !all[0].Rate.Equal(exact.Fraction(3, 4)) || all[0].SetBy != "test" {
			t.Errorf("%+v, %v", all, err)
		}
		if _, err := s.ApplyCatalog(ctx, Application{Name: "c.yaml", Document: []byte(hosting + "exchange: [{pair: USD/EUR, from: 2026-01-01, rate: \"1\"}]\n")}, now); !errors.Is(err, fault.Invalid) {
			t.Errorf("a catalog with rates was applied: %v", err)
		}
	})
}
