package biller_test

import (
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/dosim/biller"
	"github.com/arcadia-cloud/arcadia/internal/period"
)

var (
	march = period.Period{From: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), To: time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC)}
	april = period.Period{From: march.To, To: march.To.AddDate(0, 1, 0)}
)

const (
	day = 24 * time.Hour
	gpu = 5 * time.Minute // the least that a GPU is billed for
)

// used is one thing of this price from an instant of March on.
func used(price string, after, lasts time.Duration, change ...func(*biller.Usage)) biller.Usage {
	p, ok := new(big.Rat).SetString(price)
	if !ok {
		panic(price)
	}
	u := biller.Usage{
		Labels: biller.Labels{Product: "Droplets", Description: "web"}, Of: "do:droplet:1",
		Price: p, Quantity: big.NewRat(1, 1), From: march.From.Add(after), To: march.From.Add(after + lasts),
	}
	for _, c := range change {
		c(&u)
	}
	return u
}

func units(n, of int64) func(*biller.Usage) {
	return func(u *biller.Usage) { u.Quantity = big.NewRat(n, of) }
}

func least(d time.Duration) func(*biller.Usage) {
	return func(u *biller.Usage) {
		u.Unused = max(0, d-u.To.Truncate(time.Second).Sub(u.From.Truncate(time.Second)))
	}
}

func pool(u *biller.Usage) { u.Pool = "workers" }

func cents(lines []biller.Line) string {
	var all []string
	for _, l := range lines {
		all = append(all, fmt.Sprint(l.Cents))
	}
	return strings.Join(all, " ")
}

func TestPricesAsDigitalOceanHasThem(t *testing.T) {
	const second = time.Second
	for _, tt := range []struct {
		name  string
		terms biller.Terms
		used  []biller.Usage
		march string // cents of each line
		april string
	}{
		{name: "the page of Kubernetes: three $100 nodes", used: []biller.Usage{used("100", 0, 2_336_420*second, units(3, 1), pool)}, march: "28973"},
		{name: "a forum's invoice: 40 hours of a $5 droplet", used: []biller.Usage{used("5", 3*day, 40*time.Hour)}, march: "30"},
		{name: "a forum's invoice: 212 hours of it", used: []biller.Usage{used("5", 3*day, 212*time.Hour)}, march: "158"},
		{name: "the sample of a CSV: an unassigned IP at $4 until the 22nd, 18:14:39", used: []biller.Usage{used("4", 0, 21*day+18*time.Hour+14*time.Minute+39*second)}, march: "311"},
		{name: "the sample of insights: a $24 droplet for a day", used: []biller.Usage{used("24", 0, day)}, march: "86"},
		{name: "28 days are the whole price", used: []biller.Usage{used("6", 0, 28*day)}, march: "600"},
		{name: "31 days are no more", used: []biller.Usage{used("6", 0, 31*day)}, march: "600"},
		{name: "a second less than 28 days of a high price", used: []biller.Usage{used("24192", 0, 28*day-second)}, march: "2419199"},
		{name: "each month by itself", used: []biller.Usage{used("6", 17*day, 28*day)}, march: "300", april: "300"},
		{name: "the edge of a month", used: []biller.Usage{used("24192", 31*day-second, 2*second)}, march: "1", april: "1"},
		{name: "gone at the edge", used: []biller.Usage{used("6", day, 30*day)}, march: "600"},
		{name: "a resize is two lines", used: []biller.Usage{used("6", 0, 14*day), used("12", 14*day, 14*day)}, march: "300 600"},
		{name: "each of them has the 28 days", used: []biller.Usage{used("6", 0, 3*day), used("12", 3*day, 28*day)}, march: "64 1200"},
		{name: "or both together", terms: biller.Terms{CapPerThing: true}, used: []biller.Usage{used("6", 0, 3*day), used("12", 3*day, 28*day)}, march: "64 1071"},
		{name: "a minute at least", used: []biller.Usage{used("24192", day, second, least(time.Minute))}, march: "60"},
		{name: "or a cent", used: []biller.Usage{used("6", day, second, least(time.Minute))}, march: "1"},
		{name: "gone at once", used: []biller.Usage{used("24192", day, 0, least(time.Minute))}, march: "60"},
		{name: "gone within the second", used: []biller.Usage{used("24192", day+100*time.Millisecond, 800*time.Millisecond, least(time.Minute))}, march: "60"},
		{name: "the minimum is of the whole life", used: []biller.Usage{used("24192", 31*day-10*second, 20*second, least(time.Minute))}, march: "10", april: "50"},
		{name: "five minutes of eight H100s", used: []biller.Usage{used("16074.24", day, second, least(gpu))}, march: "199"}, // 23.92 / 12 = 1.9933
		{name: "what was there for no second costs nothing", used: []biller.Usage{used("5", day, 0)}, march: ""},
		{name: "whole seconds as the API shows them", used: []biller.Usage{used("24192", day+900*time.Millisecond, 1200*time.Millisecond)}, march: "2"},
		{name: "25 GB of snapshot for half of 28 days", used: []biller.Usage{used("0.06", 0, 14*day, units(25, 1))}, march: "75"},
		{name: "weekly backups are a fifth", used: []biller.Usage{used("6", 0, 31*day, units(1, 5))}, march: "120"},
		{name: "a third of a cent is one", used: []biller.Usage{used("0.06", 0, time.Hour)}, march: "1"},
		{name: "half a cent goes up", used: []biller.Usage{used("0.25", 0, 14*day)}, march: "13"},
		{name: "or to the even one", terms: biller.Terms{Rounding: biller.HalfEven}, used: []biller.Usage{used("0.25", 0, 14*day), used("0.27", 0, 14*day)}, march: "12 14"},
		{name: "or down", terms: biller.Terms{Rounding: biller.HalfDown}, used: []biller.Usage{used("0.27", 0, 14*day)}, march: "13"},
		{name: "a pool's best 28 days", used: []biller.Usage{used("28", 0, 10*day, units(1, 1), pool), used("28", 10*day, 21*day, units(3, 1), pool)}, march: "7000"}, // 21·3 + 7·1
		{name: "a pool and no pool", used: []biller.Usage{used("28", 0, day, pool), used("6", 0, 28*day), used("28", day, day, pool)}, march: "200 600"},
		{name: "a pool at two prices", used: []biller.Usage{used("28", 0, day, pool), used("56", day, day, pool)}, march: "100 200"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := cents(tt.terms.Charges(march, tt.used)); got != tt.march {
				t.Errorf("March costs %q cents, want %q", got, tt.march)
			}
			if got := cents(tt.terms.Charges(april, tt.used)); got != tt.april {
				t.Errorf("April costs %q cents, want %q", got, tt.april)
			}
		})
	}
}

func TestALineSaysFromWhenToWhen(t *testing.T) {
	lines := biller.Terms{}.Charges(april, []biller.Usage{used("28", 30*day, 3*day, pool), used("28", 33*day, time.Hour, units(2, 1), pool)})
	if len(lines) != 1 || !lines[0].From.Equal(april.From) || !lines[0].To.Equal(april.From.Add(2*day+time.Hour)) || lines[0].Description != "web" {
		t.Errorf("%+v, want one line for the two days and the hour of April", lines)
	}
}

// The rounding of the sum of rounded lines is the tax's only one.
func TestTaxesAreOnTheSumOfTheLines(t *testing.T) {
	terms := biller.Terms{Taxes: []biller.Tax{{Name: "STATE SALES TAX", Rate: big.NewRat(1, 16)}, {Name: "NONE", Rate: new(big.Rat)}}}
	lines := terms.Charges(march, []biller.Usage{used("0.24", 0, 28*day), used("0.24", 0, 28*day), used("0.24", 0, 28*day)})
	taxes := terms.TaxLines(march, lines)
	if len(taxes) != 1 || taxes[0].Cents != 5 || taxes[0].Description != "STATE SALES TAX (6.25%)" || taxes[0].To.Format(time.DateTime) != "2026-03-31 23:59:59" {
		t.Errorf("%+v, want 5 cents, of 72 (each line for itself: 6)", taxes)
	}
}

func TestTransferIsPooled(t *testing.T) {
	x := biller.Transfer{Allowance: big.NewRat(1500, 1), Sent: big.NewRat(1500, 1), Price: big.NewRat(1, 100)}
	if _, any := (biller.Terms{}).Overage(march, x); any {
		t.Error("what is within the allowance costs something")
	}
	x.Sent = new(big.Rat).SetFrac64(7*1500+5, 7)
	if l, _ := (biller.Terms{}).Overage(march, x); l.Cents != 1 || l.Exact.RatString() != "1/140" {
		t.Errorf("five sevenths of a GiB are %d cents of %s, want 1", l.Cents, l.Exact)
	}
}

func TestCreditsAreSpentOldestFirst(t *testing.T) {
	grants := []*biller.Grant{{Description: "b", At: april.From, Left: 500}, {Description: "a", At: march.From, Left: 300}, {Description: "c", At: april.To, Left: 1}}
	lines := biller.Spend(april, 700, grants)
	if cents(lines) != "-300 -400" || lines[0].Description != "a" || grants[0].Left != 100 || grants[1].Left != 0 || grants[2].Left != 1 {
		t.Errorf("%s cents, left %d %d %d", cents(lines), grants[0].Left, grants[1].Left, grants[2].Left)
	}
}

func TestInsightsAreOfEachDay(t *testing.T) {
	points := biller.Terms{}.Insights(period.Period{From: march.From.Add(26 * day), To: march.From.Add(33 * day)}, []biller.Usage{
		used("24", 0, 33*day, units(3, 1)), // $2.57 a day, of which 28 count in a month
		used("24192", 32*day+time.Hour, time.Second, least(time.Minute)),
	})
	var got []string
	for _, p := range points {
		got = append(got, fmt.Sprintf("%s %d", p.From.Format("01-02"), p.Cents))
	}
	if s := strings.Join(got, ", "); s != "03-27 257, 03-28 257, 04-01 257, 04-02 257, 04-02 60" {
		t.Errorf("the days are %s", s)
	}
}
