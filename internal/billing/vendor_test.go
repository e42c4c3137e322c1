package billing_test

import "testing"

// The conventions of other engines, by the fields of a plan. The numbers are worked
// out by hand.

// Stripe: to the second of elapsed time. A month of 31 days is 2,678,400 s; from 16
// January 12:00 there are 15.5 days left, half the month:
//
//	10 seats at 20.00 → 12: −(10·20)·½ = −100.00, +(12·20)·½ = +120.00
//
// March in New York is an hour short (743 h). From 8 March 00:00 EST, before the
// clocks change, 575 h are left: 24 days of 24 h less one. 240·575/743 is 185.7335….
func TestStripeProratesBySeconds(t *testing.T) {
	w := world{
		plan:   `proration: {unit: second}, charges: [{id: seats, type: recurring, model: unit, price: "20.00"}]`,
		phases: `{plan: p@1, from: 2026-01-01, quantity: "10"}, {plan: p@1, from: "2026-01-16T12:00:00Z", quantity: "12", recorded_at: "2026-01-16T12:00:00Z"}`,
		at:     "2026-02-01",
	}
	expect(t, w.preview(t), `
		01-01 advance: seats[01-01..02-01]=20000 total=20000
		01-16T12:00 advance: seats[01-16T12:00..02-01]=-10000 seats[01-16T12:00..02-01]=12000 total=2000
		02-01 advance: seats[02-01..03-01]=24000 total=24000`)

	w.zone, w.at = "America/New_York", "2026-03-20"
	w.phases = `{plan: p@1, from: 2026-03-08, quantity: "12"}`
	expect(t, w.preview(t), `03-08T05:00 advance: seats[03-08T05:00..04-01T04:00]=18573 total=18573`)
}

// Kill Bill: whole days, end exclusive. Start on 10 January with the anchor on the
// 1st: 22 days of the cycle that ends on 1 February (31), a ratio of 0.709677419.
// A change on 16 February: 13 days of 28, 0.464285714, back and anew.
//
//	30.00·0.709677419 = 21.29032257 → 21.29
//	30.00·0.464285714 = 13.92857142 → 13.93;  50.00·0.464285714 = 23.2142857 → 23.21
func TestKillBillProratesByDays(t *testing.T) {
	w := world{
		plan:   `proration: {unit: day}, charges: [{id: fee, type: recurring, price: "30.00"}]`,
		plans:  `  - {id: q, version: 1, period: {unit: month}, proration: {unit: day}, charges: [{id: fee, type: recurring, price: "50.00"}]}`,
		phases: `{plan: p@1, from: 2026-01-10}, {plan: q@1, from: "2026-02-16T18:00:00Z", recorded_at: "2026-02-16T18:00:00Z"}`,
		at:     "2026-02-28",
	}
	out := w.preview(t)
	expect(t, out, `
		01-10 advance: fee[01-10..02-01]=2129 total=2129
		02-01 advance: fee[02-01..03-01]=3000 total=3000
		02-16T18:00 advance: fee[02-16T18:00..03-01]=-1393 fee[02-16T18:00..03-01]=2321 total=928`)
	if got := out.Invoices[0].Lines[0].Exact.String(); got != "21.29032257" {
		t.Errorf("the ratio of nine decimals shows in exact: %s", got)
	}
}

// Kill Bill's cycles are reckoned by the calendar from the clipped day: with the
// anchor on the 31st, service from 10 to 28 February is measured by the month that
// ends there, 28 January to 28 February: 18 of 31 days. Service that ends before its
// first boundary is measured by the month up to its end: 5 to 15 March by 15 February
// to 15 March: 10 of 28.
func TestKillBillMeasuresByTheCycleOfThePart(t *testing.T) {
	w := world{plan: `proration: {unit: day}, charges: [{id: fee, type: recurring, price: "31.00"}]`,
		sub: "anchor_day: 31", phases: `{plan: p@1, from: 2026-02-10}`, at: "2026-02-27"}
	expect(t, w.preview(t), `02-10 advance: fee[02-10..02-28]=1800 total=1800`)

	w = world{plan: `proration: {unit: day}, charges: [{id: fee, type: recurring, price: "28.00"}]`,
		phases: `{plan: p@1, from: 2026-03-05, to: 2026-03-15}`, at: "2026-04-02"}
	expect(t, w.preview(t), `03-05 advance: fee[03-05..03-15]=1000 total=1000`)
}

// Kill Bill in arrears: a part before the first boundary is billed on it, and what
// ends is billed on its end. 20 January to 1 February: 12 of 31 days of 31.00.
func TestKillBillInArrears(t *testing.T) {
	w := world{plan: `late: {grace: 0s}, proration: {unit: day}, charges: [{id: fee, type: recurring, when: arrears, price: "31.00"}]`,
		phases: `{plan: p@1, from: 2026-01-20, to: 2026-03-11}`, at: "2026-03-11"}
	expect(t, w.preview(t), `
		02-01 arrears: fee[01-20..02-01]=1200 total=1200
		03-01 arrears: fee[02-01..03-01]=3100 total=3100
		03-11 arrears: fee[03-01..03-11]=1000 total=1000`)
}

// Kill Bill's fixed month: 30 days, and days across a month's end count as if the
// month had 30. 10 January to 1 February: 22 − (31 − 30) = 21 of 30; 1 to 15 February: 14 of 30.
func TestKillBillFixedMonth(t *testing.T) {
	w := world{plan: `proration: {unit: day, denominator: "30"}, charges: [{id: fee, type: recurring, price: "30.00"}]`,
		phases: `{plan: p@1, from: 2026-01-10, to: 2026-02-15}`, at: "2026-03-01"}
	expect(t, w.preview(t), `
		01-10 advance: fee[01-10..02-01]=2100 total=2100
		02-01 advance: fee[02-01..02-15]=1400 total=1400`)
}

// Lago: days inclusive, by the days of the whole period. A start on 10 January pays
// for 22 of 31 days; an upgrade on 16 February credits N(16, 28) = 13 of 28 days of the
// old plan and pays as many of the new one: the day of the change belongs to it. A
// cancellation on 20 March credits the days after it, 11 of 31.
//
//	31.00·22/31 = 22.00;  28.00·13/28... fee 31.00: 31·13/28 = 14.3928… → 14.39
//	62·13/28 = 28.7857… → 28.79;  62·11/31 = 22.00
func TestLagoProratesByDaysInclusive(t *testing.T) {
	w := world{
		plan:  `proration: {unit: day, day_end: inclusive}, charges: [{id: fee, type: recurring, price: "31.00"}]`,
		plans: `  - {id: q, version: 1, period: {unit: month}, proration: {unit: day, day_end: inclusive}, charges: [{id: fee, type: recurring, price: "62.00"}]}`,
		phases: `{plan: p@1, from: 2026-01-10}, {plan: q@1, from: "2026-02-16T10:00:00Z", recorded_at: "2026-02-16T10:00:00Z"},
			{plan: null, from: "2026-03-20T10:00:00Z", recorded_at: "2026-03-20T10:00:00Z"}`,
		at: "2026-03-25",
	}
	expect(t, w.preview(t), `
		01-10 advance: fee[01-10..02-01]=2200 total=2200
		02-01 advance: fee[02-01..03-01]=3100 total=3100
		02-16T10:00 advance: fee[02-16T10:00..03-01]=-1439 fee[02-16T10:00..03-01]=2879 total=1440
		03-01 advance: fee[03-01..04-01]=6200 total=6200
		03-20T10:00 advance: fee[03-21..04-01]=-2200 total=-2200 due=0`)
}

// Lago in arrears: an end at local midnight still counts its day, 16 of 31 days; an
// end at its very start counts one.
func TestLagoCountsTheLastDay(t *testing.T) {
	w := world{plan: `late: {grace: 0s}, proration: {unit: day, day_end: inclusive}, charges: [{id: fee, type: recurring, when: arrears, price: "31.00"}]`,
		phases: `{plan: p@1, from: 2026-01-01, to: 2026-01-16}`, at: "2026-02-01"}
	expect(t, w.preview(t), `01-16 arrears: fee[01-01..01-16]=1600 total=1600`)
	w.phases = `{plan: p@1, from: 2026-01-16, to: 2026-01-16}`
	expect(t, w.preview(t), `01-16 arrears: fee[01-16..01-16]=100 total=100`)
}

// OpenMeter: usage discount, price, percentage off, maximum, minimum, in this order,
// and the first tier's flat fee at zero usage. 1,250 calls, 50 of them included, in
// tiers 0.10 to 1,000 (flat 5) and 0.05 above: 5 + 100 + 10 = 115; 20 % off: 92; at
// most 90. In February nothing: 5 less 20 % is 4, at least 6.
func TestOpenMeterOrdersDiscountAndBounds(t *testing.T) {
	w := world{
		meters: `{id: calls, event_type: use, aggregate: sum}`,
		plan: `late: {grace: 1h}, charges: [{id: calls, type: usage, meter: calls, model: graduated, included: "50", percent_off: "20", maximum: "90", minimum: "6",
			tiers: [{up_to: "1000", unit: "0.10", flat: "5"}, {unit: "0.05"}]}]`,
		phases: `{plan: p@1, from: 2026-01-01}`,
		usage:  []string{used("2026-01-05T00:00:00Z", "1000"), used("2026-01-31T23:59:59Z", "250")},
		at:     "2026-03-02",
	}
	expect(t, w.preview(t), `
		02-01T01:00 arrears: calls[01-01..02-01]=9000 total=9000
		03-01T01:00 arrears: calls[02-01..03-01]=600 total=600`)
}
