// Package billing is what tenants are to pay: catalogs of plans, subscriptions to
// them, and the invoices that follow. Its core is pure: [Preview] makes documents of
// values that were read. [Service] keeps those values and what was issued, and issues
// what Preview makes of them beyond that: there is no second way to compute.
//
// The way from a subscription to its invoices, each step a function of the one
// before it:
//
//   - Phases become service. What is known at an instant is every phase recorded by
//     then; each cuts off what its item had before, from its start on. What is left
//     are runs: an item, a plan, a quantity, without a gap.
//   - Runs are cut into billing periods, by boundaries that are counted from the
//     anchor day in the tenant's zone, and placed on the axis of their plan's
//     convention: microseconds, or local days (rating.Convention).
//   - Fees become parts: a charge, for a span of that axis, due when its service
//     begins (in advance) or has ended and the grace is over (in arrears). Usage is
//     metered in the windows of runs, due in arrears.
//   - At each instant when something may be due, what ought to be billed by what is
//     known then is compared with what was. Spans that are due and not covered make
//     lines. Spans that are covered and not wanted any more, by a change or by a
//     suspension, are taken back. Usage that was billed is rated again, and rounded is
//     compared with rounded. So a change that becomes known late, late usage and a
//     run that is done twice need no rule of their own, and no document is ever
//     edited.
//   - A line is an exact amount, rounded once. Discounts go off lines, taxes go on
//     what is left, credit pays the total.
package billing
