package billing_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/arcadia-cloud/arcadia/internal/billing"
)

func day(n int) string {
	return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, n).Format(time.DateOnly)
}

// anyWorld is a catalog of two plans of any convention, a subscription that changes,
// is suspended and is discounted, and usage, some of it late.
func anyWorld(t *rapid.T) world {
	pick := func(name string, options ...string) string { return rapid.SampledFrom(options).Draw(t, name) }
	n := func(name string, from, to int) int { return rapid.IntRange(from, to).Draw(t, name) }
	price := func(name string) string { return fmt.Sprintf("%d.%04d", n(name, 0, 99), n(name+" fraction", 0, 9999)) }
	currency := pick("currency", "USD", "JPY", "KWD")
	commitment, off := "20.00", "3.33"
	if currency == "JPY" {
		commitment, off = "20", "3"
	}
	convention := func() string {
		return fmt.Sprintf(`proration: {unit: %s, day_end: %s, credit: %s, bill: %s}, tax: {round: %s}, late: {grace: %s}, trial_days: %d, commitment: "%s"`,
			pick("unit", "second", "day", "none"), pick("day_end", "exclusive", "inclusive"), pick("credit", "line", "note"), pick("bill", "now", "next"),
			pick("round", "per_rate", "per_line", "per_invoice"), pick("grace", "0s", "1h", "48h"), pick2(t, "trial", 0, 0, 5, 40), pick("commitment", "0", commitment))
	}
	charges := func() string {
		return fmt.Sprintf(`charges: [
			{id: fee, type: recurring, model: unit, price: "%s"}, {id: past, type: recurring, when: arrears, price: "%s"}, {id: setup, type: one_off, price: "%s"},
			{id: calls, type: usage, meter: calls, model: %s, tiers: [{up_to: "10", unit: "0.5", flat: "1"}, {unit: "%s"}], included: "2", percent_off: "10"},
			{id: level, type: usage, meter: level, price: "%s", minimum: "1.00"}, {id: box, type: resource, model: cost_plus, markup: "1.2"}]`,
			price("fee"), price("past"), price("setup"), pick("model", "graduated", "volume"), price("calls"), price("level"))
	}
	w := world{
		currency: currency,
		zone:     pick("zone", "UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"),
		meters:   `{id: calls, event_type: use, aggregate: sum}, {id: level, event_type: use, aggregate: time_weighted}`,
		taxes:    fmt.Sprintf(`{id: vat, rate: "%s", mode: %s}, {id: city, rate: "2.125"}`, pick("rate", "19", "7.7"), pick("mode", "exclusive", "inclusive")),
		coupons: fmt.Sprintf(`{id: part, percent: "12.5", duration: %s}, {id: some, amount: "%s", duration: {periods: 2}, charges: [fee, calls]}`,
			pick("duration", "once", "forever"), off),
		period: `unit: month, anchor: ` + pick("anchor", "calendar", "anniversary"),
		plan:   convention() + ", " + charges(),
		plans: fmt.Sprintf("  - {id: q, version: 1, period: {unit: %s, count: %d, anchor: anniversary}, %s, %s}\n",
			pick("unit of q", "month", "week"), n("count of q", 1, 2), convention(), charges()),
		sub: fmt.Sprintf("credit: \"%d\"\ntaxes: %s\ncoupons: %s", n("credit", 0, 30), pick("taxes", "[]", "[vat]", "[vat, city]"), pick("coupons", "[]", "[part]", "[some, part]")),
		at:  day(150),
	}
	if currency != "USD" {
		w.exchange = fmt.Sprintf(`{pair: USD/%[1]s, from: 2025-01-01, rate: "151.37"}, {pair: %[1]s/USD, from: "%[2]s", rate: "0.0071"}`, currency, day(n("exchange", 1, 150)))
	}
	start := n("start", 0, 31)
	var phases []string
	from := start
	for i := range n("phases", 1, 4) {
		plan := "p@1"
		if i > 0 {
			plan = pick("plan", "p@1", "q@1", "null")
		}
		known := max(start, from+n("known", -10, 20))
		phases = append(phases, fmt.Sprintf(`{plan: %s, from: %s, quantity: "%d", recorded_at: %s}`, plan, day(from), n("quantity", 0, 3), day(max(known, start))))
		from += n("gap", 1, 40)
	}
	if rapid.Bool().Draw(t, "second item") {
		phases = append(phases, fmt.Sprintf(`{item: extra, plan: q@1, from: %s, to: %s}`, day(start+5), day(start+60)))
	}
	w.phases = strings.Join(phases, ", ")
	if n("suspended", 0, 2) == 0 {
		at := start + n("suspension", 0, 60)
		w.sub += fmt.Sprintf("\nsuspended: [{from: %s, to: %s}]", day(at), day(at+n("suspended for", 0, 20)))
	}
	for i := range n("events", 0, 12) {
		at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(n("event at", 0, 150*24*60)) * time.Minute)
		known := at.Add(time.Duration(pick2(t, "late by", 0, 0, 1, 30, 90)) * 24 * time.Hour)
		w.usage = append(w.usage, fmt.Sprintf(`{"specversion":"1.0","id":"%d","source":"t","type":"use","subject":"acme","time":%q,"recordedtime":%q,"data":{"value":"%d.5"}}`,
			i, at.Format(time.RFC3339), known.Format(time.RFC3339), n("value", -5, 20)))
	}
	w.resources = fmt.Sprintf(droplet, 1, "12", day(n("born", 0, 60)), `null`)
	return w
}

func pick2(t *rapid.T, name string, options ...int) int {
	return rapid.SampledFrom(options).Draw(t, name)
}

func (w world) mustPreview(t *rapid.T) *billing.Outcome {
	out, err := w.try(nopTB{TB: nil, t: t})
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, w.catalog(), w.subscription())
	}
	return out
}

// nopTB lets a world be tried inside of rapid.
type nopTB struct {
	testing.TB
	t *rapid.T
}

func (n nopTB) Helper()           {}
func (n nopTB) Fatal(args ...any) { n.t.Fatal(args...) }

func encode(t *rapid.T, v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Whatever happens: what is shown adds up, the same facts in any order give the same
// bytes, and no invoice that was issued is ever changed by what comes later.
func TestInvoicesAreSoundWhateverHappens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := anyWorld(t)
		out := w.mustPreview(t)
		checkTotals(t, out)
		for _, i := range slices.Concat(out.Invoices, out.CreditNotes) {
			if got, want := string(i.AppendJSON(nil)), encode(t, i); got != want {
				t.Fatalf("the bytes of an invoice are\n%s\nand encoding/json makes\n%s", got, want)
			}
		}

		again := w
		again.usage = slices.Clone(w.usage)
		slices.Reverse(again.usage)
		if a, b := encode(t, out.Invoices), encode(t, again.mustPreview(t).Invoices); a != b {
			t.Fatalf("usage in another order gives other invoices:\n%s\n%s", a, b)
		}

		earlier := w
		earlier.at = day(rapid.IntRange(31, 150).Draw(t, "earlier"))
		before := earlier.mustPreview(t)
		n := len(before.Invoices)
		if n > len(out.Invoices) || encode(t, before.Invoices) != encode(t, out.Invoices[:n]) {
			t.Fatalf("by %s there were\n%s\nand later they are\n%s\n%s%s", earlier.at, short(before), short(out), w.catalog(), w.subscription())
		}
		for _, i := range out.Invoices[n:] {
			if at := i.IssueAt.Time; at.Before(mustTime(t, earlier.at)) && w.zone == "UTC" {
				t.Fatalf("an invoice of %v was not due by %s", at, earlier.at)
			}
		}
		soundFees(t, out, w)
	})
}

func mustTime(t *rapid.T, date string) time.Time {
	at, err := time.Parse(time.DateOnly, date)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// soundFees asks that no fee was given back beyond what was charged, and that no
// service was billed twice, net of reversals.
func soundFees(t *rapid.T, out *billing.Outcome, w world) {
	net := make(map[string]int64)
	covered := make(map[string]map[int64]int) // by plan and charge and quantity, hour → times
	for _, i := range append(slices.Clone(out.CreditNotes), out.Invoices...) {
		sign := int64(1)
		if i.Purpose == billing.Credit {
			sign = -1
		}
		for _, l := range i.Lines {
			if l.Charge != "fee" && l.Charge != "past" && l.Charge != "setup" {
				continue
			}
			net[l.Item+l.Plan+l.Charge] += sign * l.Amount
			key := l.Item + l.Charge
			if covered[key] == nil {
				covered[key] = make(map[int64]int)
			}
			step := 1
			if l.Kind == billing.ReversalLine {
				step = -1
			}
			for h := l.Service.From.Unix() / 3600; h < l.Service.To.Unix()/3600; h++ {
				covered[key][h] += step
			}
		}
	}
	for key, amount := range net {
		if amount < 0 {
			t.Fatalf("%s: %d was given back more than was charged:\n%s", key, -amount, short(out))
		}
	}
	if strings.Contains(w.plan+w.plans, "unit: none") {
		return // a whole fee for a part of a period may stand beside that of another period
	}
	for key, hours := range covered {
		for h, n := range hours {
			if n > 1 {
				t.Fatalf("%s: %v is billed %d times:\n%s\n%s%s", key, time.Unix(h*3600, 0).UTC(), n, short(out), w.catalog(), w.subscription())
			}
		}
	}
}

// A phase that is cut in two where nothing changes is the same phase.
func TestSplittingAPeriodChangesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := world{
			zone:   rapid.SampledFrom([]string{"UTC", "Europe/Berlin", "America/New_York"}).Draw(t, "zone"),
			meters: `{id: calls, event_type: use, aggregate: sum}`,
			plan: fmt.Sprintf(`proration: {unit: %s}, charges: [{id: fee, type: recurring, model: unit, price: "31.07"}, {id: past, type: recurring, when: arrears, price: "17.3"},
				{id: calls, type: usage, meter: calls, model: graduated, tiers: [{up_to: "10", unit: "0.5", flat: "1"}, {unit: "0.3"}]}]`,
				rapid.SampledFrom([]string{"second", "day", "day, day_end: inclusive", "none"}).Draw(t, "unit")),
			usage: []string{used("2026-01-20T00:00:00Z", "7"), used("2026-02-20T00:00:00Z", "8"), used("2026-03-03T00:00:00Z", "30")},
			at:    day(120),
		}
		start := rapid.IntRange(0, 30).Draw(t, "start")
		end := start + rapid.IntRange(2, 100).Draw(t, "length")
		cut := rapid.IntRange(start+1, end-1).Draw(t, "cut")
		w.phases = fmt.Sprintf(`{plan: p@1, from: %s, to: %s, quantity: "3"}`, day(start), day(end))
		whole := w.mustPreview(t)
		w.phases = fmt.Sprintf(`{plan: p@1, from: %s, to: %s, quantity: "3"}, {plan: p@1, from: %s, to: %s, quantity: "3"}`, day(start), day(cut), day(cut), day(end))
		if a, b := encode(t, whole.Invoices), encode(t, w.mustPreview(t).Invoices); a != b {
			t.Fatalf("whole\n%s\ncut at %s\n%s", a, day(cut), b)
		}
	})
}

// When a change becomes known moves lines between invoices; what is paid for fees in
// the end is the same, but for the rounding of the lines.
func TestWhenAChangeIsKnownDoesNotMatterInTheEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := world{
			plan:  `charges: [{id: fee, type: recurring, model: unit, price: "31.07"}]`,
			plans: `  - {id: q, version: 1, period: {unit: month}, charges: [{id: fee, type: recurring, model: unit, price: "77.31"}]}`,
			at:    day(140),
		}
		change, end := rapid.IntRange(1, 60).Draw(t, "change"), rapid.IntRange(61, 100).Draw(t, "end")
		total := func(known int) (sum, lines int64) {
			w.phases = fmt.Sprintf(`{plan: p@1, from: %s}, {plan: q@1, from: %s, quantity: "2", recorded_at: %s}, {plan: null, from: %s, recorded_at: %s}`,
				day(0), day(change), day(known), day(end), day(max(known, end)))
			for _, i := range w.mustPreview(t).Invoices {
				sum, lines = sum+i.Subtotal, lines+int64(len(i.Lines))
			}
			return sum, lines
		}
		early, n := total(0)
		late, m := total(rapid.IntRange(0, 130).Draw(t, "known"))
		if off := early - late; off > (n+m)/2+1 || -off > (n+m)/2+1 {
			t.Fatalf("known at once %d, known late %d", early, late)
		}
	})
}

func FuzzReadCatalog(f *testing.F) {
	w := world{meters: `{id: m, event_type: use, aggregate: sum}`, taxes: `{id: vat, rate: "20"}`, coupons: `{id: c, percent: "10", duration: once}`,
		plan:   `proration: {unit: day}, charges: [{id: u, type: usage, meter: m, model: graduated, tiers: [{up_to: "10", unit: "1e-3"}, {unit: "2", flat: "1"}]}]`,
		phases: `{plan: p@1, from: 2026-01-01}`, at: "2026-06-01"}
	f.Add(w.catalog(), w.subscription())
	f.Add(`{"currency":"JPY","plans":[{"id":"p","version":1,"period":{"unit":"week"},"charges":[{"id":"a","type":"recurring","price":"1"}]}]}`,
		`{"tenant":"t","phases":[{"plan":"p@1","from":"2026-01-01","to":null}]}`)
	f.Fuzz(func(t *testing.T, catalog, subscription string) {
		c, err := billing.ReadCatalog("c", []byte(catalog))
		if err != nil {
			return
		}
		s, err := billing.ReadSubscription("s", []byte(subscription), c)
		if err != nil {
			return
		}
		out, err := billing.Preview(c, s, billing.Facts{}, s.Start().AddDate(0, 3, 0))
		if err != nil {
			return
		}
		checkTotals(t, out)
	})
}
