package billing_test

import (
	"fmt"
	"testing"
)

// Trap: where tax is rounded. Three lines of 0.33 and two rates of 7.5 % and 2.5 %.
//
//	per rate:    0.99·7.5 % = 0.07425 → 0.07; 0.99·2.5 % = 0.02475 → 0.02; 0.09
//	per line:    0.33·7.5 % = 0.02475 → 0.02, thrice 0.06; 0.33·2.5 % = 0.00825 → 0.01, thrice 0.03; 0.09
//	per invoice: 0.09900 → 0.10, and the rates shown are 0.07 and 0.02
func TestWhereTaxIsRounded(t *testing.T) {
	for rounding, want := range map[string]string{
		"per_rate": "state(99)=7 city(99)=2 total=108", "per_line": "state(99)=6 city(99)=3 total=108", "per_invoice": "state(99)=7 city(99)=2 total=109",
	} {
		w := world{
			taxes: `{id: state, rate: "7.5"}, {id: city, rate: "2.5"}`,
			plan: `tax: {round: ` + rounding + `}, charges: [{id: a, type: recurring, price: "0.33"}, {id: b, type: recurring, price: "0.33"},
				{id: c, type: recurring, price: "0.33"}]`,
			sub: `taxes: [state, city]`, phases: `{plan: p@1, from: 2026-01-01}`, at: "2026-01-01",
		}
		t.Run(rounding, func(t *testing.T) {
			expect(t, w.preview(t), `01-01 advance: a[01-01..02-01]=33 b[01-01..02-01]=33 c[01-01..02-01]=33 `+want)
		})
	}
}

// Tax-inclusive prices: net = gross/(1 + rate), and tax is the rest. 3·9.99 at 19 %:
// 29.97/1.19 = 25.1848… → 25.18, tax 4.79, total as the prices say.
func TestInclusiveTax(t *testing.T) {
	w := world{
		taxes: `{id: vat, rate: "19", mode: inclusive}`,
		plan:  `charges: [{id: a, type: recurring, model: unit, price: "9.99"}]`,
		sub:   `taxes: [vat]`, phases: `{plan: p@1, from: 2026-01-01, quantity: "3"}`, at: "2026-01-01",
	}
	expect(t, w.preview(t), `01-01 advance: a[01-01..02-01]=2997 vat(2518)=479 total=2997`)
	w.plan = `tax: {round: per_line}, ` + w.plan
	expect(t, w.preview(t), `01-01 advance: a[01-01..02-01]=2997 vat(2518)=479 total=2997`)
	w.plan = `tax: {round: per_invoice}, charges: [{id: a, type: recurring, model: unit, price: "9.99"}]`
	expect(t, w.preview(t), `01-01 advance: a[01-01..02-01]=2997 vat(2518)=479 total=2997`)
	// Two at once: 107.00/(1 + 5 % + 2 %) = 100.00 net.
	w.taxes, w.sub = `{id: gst, rate: "5", mode: inclusive}, {id: pst, rate: "2", mode: inclusive}`, `taxes: [gst, pst]`
	w.plan = `charges: [{id: a, type: recurring, price: "107.00"}]`
	expect(t, w.preview(t), `01-01 advance: a[01-01..02-01]=10700 gst(10000)=500 pst(10000)=200 total=10700`)
}

func TestAChargesTaxWins(t *testing.T) {
	w := world{
		taxes: `{id: vat, rate: "20"}, {id: reduced, rate: "5"}`,
		plan: `charges: [{id: a, type: recurring, price: "10"}, {id: book, type: recurring, price: "10", tax: reduced},
			{id: stamp, type: recurring, price: "10", tax: []}]`,
		sub: `taxes: [vat]`, phases: `{plan: p@1, from: 2026-01-01}`, at: "2026-01-01",
	}
	expect(t, w.preview(t), `01-01 advance: a[01-01..02-01]=1000 book[01-01..02-01]=1000 stamp[01-01..02-01]=1000 vat(1000)=200 reduced(1000)=50 total=3250`)
}

// A rate that changes on 1 March: the tax point is the end of the service, or the
// issue where that is earlier. February in arrears is taxed as before, though it is
// issued in March; a reversal is taxed as the line that it takes back.
func TestDatedTaxRates(t *testing.T) {
	w := world{
		taxes: `{id: vat, rate: "16"}, {id: vat, rate: "19", from: 2026-03-01}`,
		plan: `proration: {unit: day}, charges: [{id: fee, type: recurring, price: "100"}, {id: past, type: recurring, when: arrears, price: "100"},
			{id: long, type: one_off, price: "100"}]`,
		sub: `taxes: [vat]`, phases: `{plan: p@1, from: 2026-02-01}, {plan: null, from: 2026-02-28, recorded_at: 2026-03-10}`, at: "2026-03-10",
	}
	expect(t, w.preview(t), `
		02-01 advance: long[02-01..02-01]=10000 fee[02-01..03-01]=10000 vat(20000)=3200 total=23200
		03-01 advance: fee[03-01..04-01]=10000 vat(10000)=1900 total=11900
		03-03 arrears: past[02-01..03-01]=10000 vat(10000)=1600 total=11600
		03-10 arrears: past[02-28..03-01]=-357 vat(-357)=-57 total=-414 due=0
		03-10 advance: fee[02-28..03-01]=-357 fee[03-01..04-01]=-10000 vat(-357)=-57 vat(-10000)=-1900 total=-12314 due=0`)
}

// Coupons go one after the other on what remains, in proportion to the lines that
// they are about, by the largest remainder, and never below zero.
func TestCoupons(t *testing.T) {
	three := `charges: [{id: a, type: recurring, price: "1.00"}, {id: b, type: recurring, price: "1.00"}, {id: c, type: recurring, price: "1.00"}]`
	for _, tt := range []struct{ name, coupons, sub, at, want string }{
		{"a percentage, for ever", `{id: x, percent: "10", duration: forever}`, `coupons: [x]`, "2026-02-01", `
			01-01 advance: a[01-01..02-01]=100 b[01-01..02-01]=100 c[01-01..02-01]=100 x=-30 total=270
			02-01 advance: a[02-01..03-01]=100 b[02-01..03-01]=100 c[02-01..03-01]=100 x=-30 total=270`},
		{"an amount, once", `{id: x, amount: "1.00", duration: once}`, `coupons: [x]`, "2026-02-01", `
			01-01 advance: a[01-01..02-01]=100 b[01-01..02-01]=100 c[01-01..02-01]=100 x=-100 total=200
			02-01 advance: a[02-01..03-01]=100 b[02-01..03-01]=100 c[02-01..03-01]=100 total=300`},
		{"for two periods", `{id: x, amount: "1.00", duration: {periods: 2}}`, `coupons: [x]`, "2026-03-01", `
			01-01 advance: a[01-01..02-01]=100 b[01-01..02-01]=100 c[01-01..02-01]=100 x=-100 total=200
			02-01 advance: a[02-01..03-01]=100 b[02-01..03-01]=100 c[02-01..03-01]=100 x=-100 total=200
			03-01 advance: a[03-01..04-01]=100 b[03-01..04-01]=100 c[03-01..04-01]=100 total=300`},
		{"several, on what remains", `{id: x, percent: "50", duration: forever}, {id: y, percent: "50", duration: forever}`, `coupons: [y, x]`, "2026-01-01",
			`01-01 advance: a[01-01..02-01]=100 b[01-01..02-01]=100 c[01-01..02-01]=100 y=-150 x=-75 total=75`},
		{"no more than there is", `{id: x, amount: "9.00", duration: forever}, {id: y, amount: "9.00", duration: forever}`, `coupons: [x, y]`, "2026-01-01",
			`01-01 advance: a[01-01..02-01]=100 b[01-01..02-01]=100 c[01-01..02-01]=100 x=-300 total=0`},
		{"some charges alone", `{id: x, percent: "50", duration: forever, charges: [b]}`, `coupons: [x]`, "2026-01-01",
			`01-01 advance: a[01-01..02-01]=100 b[01-01..02-01]=100 c[01-01..02-01]=100 x=-50 total=250`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := world{coupons: tt.coupons, plan: three, sub: tt.sub, phases: `{plan: p@1, from: 2026-01-01}`, at: tt.at}
			expect(t, w.preview(t), tt.want)
		})
	}
}

// The remainder of a discount decides the tax of lines with different rates: 1.00
// over three lines is 34, 33, 33.
func TestDiscountsComeBeforeTaxByLargestRemainder(t *testing.T) {
	w := world{
		taxes:   `{id: high, rate: "50"}, {id: low, rate: "10"}`,
		coupons: `{id: x, amount: "1.00", duration: once}`,
		plan: `charges: [{id: a, type: recurring, price: "1.00", tax: high}, {id: b, type: recurring, price: "1.00", tax: low},
			{id: c, type: recurring, price: "1.00", tax: low}]`,
		sub: `coupons: [x]`, phases: `{plan: p@1, from: 2026-01-01}`, at: "2026-01-01",
	}
	expect(t, w.preview(t), `01-01 advance: a[01-01..02-01]=100 b[01-01..02-01]=100 c[01-01..02-01]=100 x=-100 high(66)=33 low(134)=13 total=246`)
	// Lago keeps the shares unrounded: (1 − 1/3)·(50 % + 2·10 %) = 0.4666… → 0.47.
	w.plan = `tax: {round: per_invoice}, ` + w.plan
	expect(t, w.preview(t), `01-01 advance: a[01-01..02-01]=100 b[01-01..02-01]=100 c[01-01..02-01]=100 x=-100 high(67)=33 low(133)=13 total=247`)
}

// What is taken back gives back its part of a discount: nobody gets more than was
// paid. 10 % off 31.00 in January; from the 11th, 21.00 go back with 2.10 of it, and
// 42.00 come with 4.20.
func TestReversalsGiveBackTheirDiscount(t *testing.T) {
	w := world{
		coupons: `{id: x, percent: "10", duration: forever}`,
		plan:    `proration: {unit: day}, ` + monthly,
		plans:   `  - {id: q, version: 1, period: {unit: month}, proration: {unit: day}, charges: [{id: fee, type: recurring, price: "62.00"}]}`,
		sub:     `coupons: [x]`, phases: `{plan: p@1, from: 2026-01-01}, {plan: q@1, from: 2026-01-11, recorded_at: 2026-01-11}`, at: "2026-01-11",
	}
	expect(t, w.preview(t), `
		01-01 advance: fee[01-01..02-01]=3100 x=-310 total=2790
		01-11 advance: fee[01-11..02-01]=-2100 fee[01-11..02-01]=4200 x=-210 total=1890`)
	// Where nothing comes in its place, that is a line.
	w.phases = `{plan: p@1, from: 2026-01-01}, {plan: null, from: 2026-01-11, recorded_at: 2026-01-11}`
	expect(t, w.preview(t), `
		01-01 advance: fee[01-01..02-01]=3100 x=-310 total=2790
		01-11 advance: fee[01-11..02-01]=-2100 coupon[01-11..02-01]=210 total=-1890 due=0`)
	// An amount is for a period: it is not had twice in one, nor lost by a change.
	w.coupons = `{id: x, amount: "6.20", duration: forever}`
	w.phases = `{plan: p@1, from: 2026-01-01}, {plan: q@1, from: 2026-01-11, recorded_at: 2026-01-11}`
	expect(t, w.preview(t), `
		01-01 advance: fee[01-01..02-01]=3100 x=-620 total=2480
		01-11 advance: fee[01-11..02-01]=-2100 fee[01-11..02-01]=4200 total=2100`)
	// A credit note says it too.
	w.coupons, w.at = `{id: x, percent: "10", duration: forever}`, "2026-01-11"
	w.plan = `proration: {unit: day, credit: note}, ` + monthly
	expect(t, w.preview(t), `
		01-01 advance: fee[01-01..02-01]=3100 x=-310 total=2790
		01-11 advance: fee[01-11..02-01]=4200 x=-420 total=3780 credit=1890 due=1890
		01-11 credit_note: fee[01-11..02-01]=2100 x=-210 total=1890 due=0`)
}

// Trap: minor units. A third of a month of 100 in yen, dinars and dollars, and tax on it.
func TestMinorUnits(t *testing.T) {
	for currency, want := range map[string]string{
		"JPY": "fee[04-21..05-01]=33 vat(33)=3 total=36", "USD": "fee[04-21..05-01]=3333 vat(3333)=333 total=3666", "KWD": "fee[04-21..05-01]=33333 vat(33333)=3333 total=36666",
	} {
		w := world{currency: currency, taxes: `{id: vat, rate: "10"}`, plan: `proration: {unit: day}, charges: [{id: fee, type: recurring, price: "100"}]`,
			sub: `taxes: [vat]`, phases: `{plan: p@1, from: 2026-04-21}`, at: "2026-04-21"}
		t.Run(currency, func(t *testing.T) { expect(t, w.preview(t), `04-21 advance: `+want) })
	}
	w := world{currency: "JPY", plan: monthly, sub: `credit: "0.5"`, phases: `{plan: p@1, from: 2026-04-21}`, at: "2026-04-21"}
	if _, err := w.try(t); err == nil {
		t.Error("half a yen was taken for credit")
	}
}

const droplet = `{"urn":"do:droplet:%d","kind":"droplet","size":"s-1vcpu-1gb","price_monthly":"%s","from":"%s","to":%s}` + "\n"

// What resources cost at DigitalOcean: per second, a month is 672 hours and costs no
// more; at least 60 seconds and at least 0.01.
func TestCostPlus(t *testing.T) {
	costPlus := `late: {grace: 0s}, charges: [{id: do, type: resource, model: cost_plus%s}]`
	for _, tt := range []struct {
		name, more, resources, want string
	}{
		{"336 h are half a month", "", fmt.Sprintf(droplet, 1, "10", "2026-01-01", `"2026-01-15"`), "do[01-01..02-01]=500 total=500"},
		{"700 h are capped", "", fmt.Sprintf(droplet, 1, "10", "2026-01-01", `"2026-01-30T04:00:00Z"`), "do[01-01..02-01]=1000 total=1000"},
		{"all of a long month", "", fmt.Sprintf(droplet, 1, "10", "2025-12-01", `null`), "do[01-01..02-01]=1000 total=1000"},
		{"60 s of a droplet of $4 cost a cent", "", fmt.Sprintf(droplet, 1, "4", "2026-01-05", `"2026-01-05T00:01:00Z"`), "do[01-01..02-01]=1 total=1"},
		{"1 s of a dear one costs 60 s", "", fmt.Sprintf(droplet, 1, "24192", "2026-01-05", `"2026-01-05T00:00:01Z"`), "do[01-01..02-01]=60 total=60"},
		{"the markup comes before the rounding", `, markup: "1.5"`, fmt.Sprintf(droplet, 1, "5", "2026-01-01", `"2026-01-02T16:00:00Z"`), "do[01-01..02-01]=45 total=45"}, // 40 h·5/672 = 0.29761…, ·1.5 = 0.446…
		{"each resource is a line", "", fmt.Sprintf(droplet, 1, "5", "2026-01-01", `"2026-01-02T16:00:00Z"`) + fmt.Sprintf(droplet, 2, "5", "2026-01-01", `"2026-01-02T16:00:00Z"`),
			"do[01-01..02-01]=30 do[01-01..02-01]=30 total=60"},
		{"a maximum for all of them", `, maximum: "0.50"`, fmt.Sprintf(droplet, 1, "5", "2026-01-01", `"2026-01-02T16:00:00Z"`) + fmt.Sprintf(droplet, 2, "5", "2026-01-01", `"2026-01-02T16:00:00Z"`),
			"do[01-01..02-01]=30 do[01-01..02-01]=20 total=50"},
		{"a minimum for all of them", `, minimum: "2"`, fmt.Sprintf(droplet, 1, "5", "2026-01-01", `"2026-01-02T16:00:00Z"`), "do[01-01..02-01]=30 do[01-01..02-01]=170 total=200"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := world{plan: fmt.Sprintf(costPlus, tt.more), phases: `{plan: p@1, from: 2026-01-01}`, at: "2026-02-01", resources: tt.resources}
			expect(t, w.preview(t), `02-01 arrears: `+tt.want)
		})
	}
}

// Parts of a month add up to the month's bill: a resource that reached its cap on the
// 29th costs nothing on the days after it, whoever has it then.
func TestPartsOfAMonthAddUpToItsCap(t *testing.T) {
	w := world{
		plan:   `late: {grace: 0s}, charges: [{id: do, type: resource, model: cost_plus}]`,
		plans:  `  - {id: q, version: 1, period: {unit: month}, late: {grace: 0s}, charges: [{id: do, type: resource, model: cost_plus, markup: "2"}]}`,
		phases: `{plan: p@1, from: 2026-01-01}, {plan: q@1, from: 2026-01-15, recorded_at: 2026-01-15}`, at: "2026-02-01",
		resources: fmt.Sprintf(droplet, 1, "10", "2025-12-20", `null`),
	}
	expect(t, w.preview(t), `
		01-15 arrears: do[01-01..01-15]=500 total=500
		02-01 arrears: do[01-15..02-01]=1000 total=1000`)
}

// Lifetimes may be counted as a quantity too: the mean number over the period.
func TestResourcesAsAQuantity(t *testing.T) {
	w := world{
		meters: `{id: big, event_type: droplet, aggregate: time_weighted, filter: {size: [s-1vcpu-1gb]}}`,
		plan:   `late: {grace: 0s}, charges: [{id: droplets, type: resource, meter: big, price: "31.00"}]`,
		phases: `{plan: p@1, from: 2026-01-01}`, at: "2026-02-01",
		resources: fmt.Sprintf(droplet, 1, "5", "2025-12-01", `null`) + fmt.Sprintf(droplet, 2, "5", "2026-01-22", `null`) +
			`{"urn":"do:volume:1","kind":"volume","price_monthly":"1","from":"2026-01-01"}`,
	}
	expect(t, w.preview(t), `02-01 arrears: droplets[01-01..02-01]=4100 total=4100`)
}

// Groups of a meter are priced apart, each by its own tiers.
func TestGroups(t *testing.T) {
	at := func(day, region, value string) string {
		events++
		return fmt.Sprintf(`{"specversion":"1.0","id":"g%d","source":"t","type":"use","subject":"acme","time":"2026-01-%sT00:00:00Z","data":{"value":%s,"region":%q}}`, events, day, value, region)
	}
	w := world{
		meters: `{id: m, event_type: use, aggregate: sum, group_by: [region], filter: {region: [ams3, nyc1]}}`,
		plan:   `late: {grace: 0s}, charges: [{id: u, type: usage, meter: m, included: "1", price: "1.00"}]`,
		phases: `{plan: p@1, from: 2026-01-01}`, at: "2026-02-01",
		usage: []string{at("02", "nyc1", "3"), at("03", "ams3", "5"), at("04", "nyc1", "4"), at("05", "sgp1", "100")},
	}
	out := w.preview(t)
	expect(t, out, `02-01 arrears: u[01-01..02-01]=400 u[01-01..02-01]=600 total=1000`)
	if got := out.Invoices[0].Lines[0].Group["region"]; got != "ams3" {
		t.Errorf("the first group is %q, want ams3", got)
	}
	w.plan = `late: {grace: 0s}, charges: [{id: u, type: usage, meter: m, price: "1.00", maximum: "8", minimum: "20"}]`
	if _, err := w.try(t); err == nil {
		t.Error("a minimum above the maximum was taken")
	}
	w.plan = `late: {grace: 0s}, charges: [{id: u, type: usage, meter: m, price: "1.00", minimum: "20"}]`
	expect(t, w.preview(t), `02-01 arrears: u[01-01..02-01]=500 u[01-01..02-01]=700 u[01-01..02-01]=800 total=2000`)
}
