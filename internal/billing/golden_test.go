package billing_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/arcadia-cloud/arcadia/internal/golden"
)

// A subscription with everything: two items, a trial, an upgrade known late, a
// suspension, late usage, coupons, two taxes, credit, a resource, a commitment.
func TestGoldenInvoices(t *testing.T) {
	w := world{
		zone:    "Europe/Berlin",
		meters:  `{id: calls, event_type: use, aggregate: sum}, {id: seats, event_type: seat, aggregate: time_weighted}`,
		taxes:   `{id: vat, rate: "19"}, {id: levy, rate: "1.5"}`,
		coupons: `{id: welcome, percent: "10", duration: {periods: 2}}`,
		plan: `proration: {unit: day}, trial_days: 10, charges: [{id: fee, type: recurring, model: unit, price: "29.90"},
			{id: calls, type: usage, meter: calls, model: graduated, included: "100", tiers: [{up_to: "1000", unit: "0.012"}, {unit: "0.008"}]},
			{id: servers, type: resource, model: cost_plus, markup: "1.3", tax: vat}]`,
		plans: `  - {id: q, version: 2, period: {unit: month}, proration: {unit: day}, commitment: "120.00", charges: [{id: fee, type: recurring, model: unit, price: "59.90"},
			{id: calls, type: usage, meter: calls, price: "0.007"}, {id: seats, type: usage, meter: seats, model: volume, tiers: [{up_to: "5", unit: "4"}, {unit: "3.50"}]}]}
  - {id: backup, version: 1, period: {unit: month}, proration: {unit: second}, charges: [{id: space, type: recurring, price: "7.77"}]}` + "\n",
		sub: "taxes: [vat, levy]\ncoupons: [welcome]\ncredit: \"15.00\"\nsuspended: [{from: 2026-03-10, to: 2026-03-13}]",
		phases: `{plan: p@1, from: 2026-01-10, quantity: "2"}, {plan: q@2, from: 2026-02-16, quantity: "2", recorded_at: 2026-02-20},
			{item: backup, plan: backup@1, from: "2026-03-29T01:30:00Z"}, {plan: null, from: 2026-04-20, recorded_at: 2026-04-20}`,
		usage: []string{
			`{"specversion":"1.0","id":"a","source":"gw","type":"use","subject":"acme","time":"2026-01-20T10:00:00Z","data":{"value":1500}}`,
			`{"specversion":"1.0","id":"b","source":"gw","type":"use","subject":"acme","time":"2026-01-21T10:00:00Z","recordedtime":"2026-02-05T10:00:00Z","data":{"value":"250.5"}}`,
			`{"specversion":"1.0","id":"c","source":"gw","type":"use","subject":"acme","time":"2026-02-18T10:00:00Z","data":{"value":3000}}`,
			`{"specversion":"1.0","id":"d","source":"gw","type":"seat","subject":"acme","time":"2026-02-16T00:00:00Z","data":{"value":4}}`,
			`{"specversion":"1.0","id":"e","source":"gw","type":"seat","subject":"acme","time":"2026-03-20T12:00:00Z","data":{"value":3}}`,
		},
		resources: `{"urn":"do:droplet:1","kind":"droplet","size":"s-1vcpu-2gb","price_monthly":"12.00","from":"2026-01-12T00:00:00Z","to":"2026-02-10T06:00:00Z"}`,
		at:        "2026-06-01",
	}
	golden.Equal(t, "testdata/everything.txt", short(w.preview(t)))
	golden.Equal(t, "testdata/everything.json", encoded(t, w.preview(t)))
}

// Trap: DST. Half a month by the second, in four zones: the month and the part are an
// hour, or half an hour, longer or shorter, or not. A unit of price an hour.
func TestMonthsAcrossDST(t *testing.T) {
	for _, tt := range []struct{ zone, from, to, price, want string }{
		// March has 743 h; from the 16th, 16 days less the hour that is skipped on the 29th.
		{"Europe/Berlin", "2026-03-16", "2026-03-31", "743.00", "03-15T23:00 advance: fee[03-15T23:00..03-31T22:00]=38300 total=38300"},
		// Skipped on the 8th already: 16 whole days.
		{"America/New_York", "2026-03-16", "2026-03-31", "743.00", "03-16T04:00 advance: fee[03-16T04:00..04-01T04:00]=38400 total=38400"},
		// April has 720.5 h; from the 2nd, 29 days and the half hour that comes twice on the 5th.
		{"Australia/Lord_Howe", "2026-04-02", "2026-04-30", "720.50", "04-01T13:00 advance: fee[04-01T13:00..04-30T13:30]=69650 total=69650"},
		{"Asia/Kolkata", "2026-03-16", "2026-03-31", "744.00", "03-15T18:30 advance: fee[03-15T18:30..03-31T18:30]=38400 total=38400"},
	} {
		t.Run(tt.zone, func(t *testing.T) {
			w := world{zone: tt.zone, plan: `charges: [{id: fee, type: recurring, price: "` + tt.price + `"}]`, phases: `{plan: p@1, from: ` + tt.from + `}`, at: tt.to}
			expect(t, w.preview(t), tt.want)
			// In days the clocks do not matter: 16 of 31 days of 31.00, or 29 of 30 of 30.00.
			w.plan = `proration: {unit: day}, ` + monthly
			want := int64(1600)
			if tt.zone == "Australia/Lord_Howe" {
				want = 2997 // 31.00·29/30
			}
			if got := w.preview(t).Invoices[0].Total; got != want {
				t.Errorf("by days %d, want %d", got, want)
			}
		})
	}
}

// Trap: anchors on the 29th, 30th and 31st, in a common and in a leap year: whole
// months at the whole price, none twice, none left out.
func TestAnchorsAtTheEndOfMonthsNeverDrift(t *testing.T) {
	for _, tt := range []struct{ start, at, want string }{
		{"2026-01-31", "2026-05-01", "01-31 02-28 03-31 04-30"}, {"2026-01-30", "2026-05-01", "01-30 02-28 03-30 04-30"},
		{"2026-01-29", "2026-05-01", "01-29 02-28 03-29 04-29"}, {"2028-01-31", "2028-05-01", "01-31 02-29 03-31 04-30"},
		{"2028-01-30", "2028-05-01", "01-30 02-29 03-30 04-30"}, {"2028-01-29", "2028-05-01", "01-29 02-29 03-29 04-29"},
	} {
		for _, unit := range []string{"second", "day", "day, day_end: inclusive"} {
			w := world{period: `unit: month, anchor: anniversary`, plan: `proration: {unit: ` + unit + `}, ` + monthly, phases: `{plan: p@1, from: ` + tt.start + `}`, at: tt.at}
			var days string
			for _, i := range w.preview(t).Invoices {
				if i.Total != 3100 {
					t.Errorf("%s, %s: %v costs %d", tt.start, unit, i.Period, i.Total)
				}
				if days != "" {
					days += " "
				}
				days += i.Period.From.Format("01-02")
			}
			if days != tt.want {
				t.Errorf("%s, %s: periods begin on %s, want %s", tt.start, unit, days, tt.want)
			}
		}
	}
}

// Trap: leap years. A year of 366 days costs what one of 365 does, a part of it by its
// own days, and one that begins on 29 February comes back to it.
func TestLeapYears(t *testing.T) {
	for _, tt := range []struct {
		name, period, price, from, at string
		want                          []string
	}{
		{"from July of a leap year: 184 of 366 days", "unit: year", "366.00", "2028-07-01", "2029-01-01", []string{"2028-01-01 18400", "2029-01-01 36600"}},
		{"from July of a common year: 184 of 365 days", "unit: year", "365.00", "2027-07-01", "2028-01-01", []string{"2027-01-01 18400", "2028-01-01 36500"}},
		{"from 1 March of a leap year: 306 of 366 days", "unit: year", "366.00", "2028-03-01", "2028-12-31", []string{"2028-01-01 30600"}},
		{"a leap year as a whole", "unit: year", "366.00", "2028-01-01", "2028-12-31", []string{"2028-01-01 36600"}},
		{"years from 29 February", "unit: year, anchor: anniversary", "366.00", "2028-02-29", "2032-03-01",
			[]string{"2028-02-29 36600", "2029-02-28 36600", "2030-02-28 36600", "2031-02-28 36600", "2032-02-29 36600"}},
		{"a month of a leap year: 15 of 29 days", "unit: month", "29.00", "2028-02-15", "2028-02-29", []string{"2028-02-01 1500"}},
	} {
		for _, unit := range []string{"second", "day"} {
			w := world{
				period: tt.period, plan: `proration: {unit: ` + unit + `}, charges: [{id: fee, type: recurring, price: "` + tt.price + `"}]`,
				phases: `{plan: p@1, from: ` + tt.from + `}`, at: tt.at,
			}
			var got []string
			for _, i := range w.preview(t).Invoices {
				got = append(got, fmt.Sprint(i.Period.From.Format("2006-01-02"), " ", i.Total))
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("%s, by %s: %v, want %v", tt.name, unit, got, tt.want)
			}
		}
	}
}
