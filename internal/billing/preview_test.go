package billing_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/billing"
	"github.com/arcadia-cloud/arcadia/internal/metering"
)

// A world is a catalog of one plan "p", or more, and a subscription, written short.
type world struct {
	currency  string // USD
	meters    string
	taxes     string
	coupons   string
	plan      string // fields of plan p@1 beside id, version and period; period: month
	period    string
	plans     string // other plans
	exchange  string // rates
	zone      string
	sub       string // fields of the subscription beside tenant, zone and phases
	phases    string
	usage     []string
	resources string
	at        string
}

func (w world) catalog() string {
	or := func(s, or string) string {
		if s == "" {
			return or
		}
		return s
	}
	return fmt.Sprintf("currency: %s\nmeters: [%s]\ntaxes: [%s]\ncoupons: [%s]\nexchange: [%s]\nplans:\n  - {id: p, version: 1, period: {%s}, %s}\n%s",
		or(w.currency, "USD"), w.meters, w.taxes, w.coupons, w.exchange, or(w.period, "unit: month"), w.plan, w.plans)
}

func (w world) subscription() string {
	zone := w.zone
	if zone == "" {
		zone = "UTC"
	}
	return fmt.Sprintf("tenant: acme\nzone: %s\n%s\nphases: [%s]\n", zone, w.sub, w.phases)
}

// preview runs the world; at is a date or an instant.
func (w world) preview(t testing.TB) *billing.Outcome {
	t.Helper()
	out, err := w.try(t)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (w world) try(t testing.TB) (*billing.Outcome, error) {
	t.Helper()
	c, err := billing.ReadCatalog("catalog.yaml", []byte(w.catalog()))
	if err != nil {
		return nil, err
	}
	s, err := billing.ReadSubscription("subscription.yaml", []byte(w.subscription()), c)
	if err != nil {
		return nil, err
	}
	var f billing.Facts
	f.Events, f.Rejected, err = metering.ReadEvents("usage.ndjson", strings.NewReader(strings.Join(w.usage, "\n")), s.Tenant)
	if err != nil {
		return nil, err
	}
	if f.Lifetimes, err = metering.ReadLifetimes("resources.ndjson", strings.NewReader(w.resources), s.Zone); err != nil {
		return nil, err
	}
	at, err := metering.ParseTime(w.at, s.Zone)
	if err != nil {
		t.Fatal(err)
	}
	return billing.Preview(c, s, f, at)
}

var events int

// used is a usage event of type "use" at a time; more is further attributes.
func used(at, value string, more ...string) string {
	events++
	text := fmt.Sprintf(`{"specversion":"1.0","id":"%d","source":"test","type":"use","subject":"acme","time":"%s","data":{"value":"%s"}`, events, at, value)
	for _, m := range more {
		text += "," + m
	}
	return text + "}"
}

func recorded(at string) string { return fmt.Sprintf(`"recordedtime":%q`, at) }

// short writes invoices as lines of text: when, what for, lines, totals.
func short(out *billing.Outcome) string {
	var b strings.Builder
	write := func(i billing.Invoice) {
		stamp := func(t billing.Instant) string {
			if t.Equal(t.Truncate(24 * time.Hour)) {
				return t.Format("01-02")
			}
			return t.Format("01-02T15:04")
		}
		fmt.Fprintf(&b, "%s %s:", stamp(i.IssueAt), i.Purpose)
		for _, l := range i.Lines {
			fmt.Fprintf(&b, " %s[%s..%s]=%d", l.Charge, stamp(l.Service.From), stamp(l.Service.To), l.Amount)
		}
		for _, d := range i.Discounts {
			fmt.Fprintf(&b, " %s=-%d", d.Coupon, d.Amount)
		}
		for _, x := range i.Taxes {
			fmt.Fprintf(&b, " %s(%d)=%d", x.ID, x.Base, x.Amount)
		}
		fmt.Fprintf(&b, " total=%d", i.Total)
		if i.CreditApplied != 0 {
			fmt.Fprintf(&b, " credit=%d", i.CreditApplied)
		}
		if i.Due != i.Total {
			fmt.Fprintf(&b, " due=%d", i.Due)
		}
		b.WriteByte('\n')
	}
	for _, i := range out.Invoices {
		write(i)
	}
	for _, i := range out.CreditNotes {
		write(i)
	}
	return b.String()
}

func expect(t *testing.T, out *billing.Outcome, want string) {
	t.Helper()
	var lines []string
	for _, l := range strings.Split(strings.TrimSpace(want), "\n") {
		lines = append(lines, strings.TrimSpace(l))
	}
	if got := strings.TrimSpace(short(out)); got != strings.Join(lines, "\n") {
		t.Errorf("got\n%s\nwant\n%s", got, strings.Join(lines, "\n"))
	}
	checkTotals(t, out)
}

// checkTotals asks that what is shown adds up.
func checkTotals(t interface {
	Helper()
	Errorf(string, ...any)
}, out *billing.Outcome) {
	t.Helper()
	for _, i := range append(append([]billing.Invoice{}, out.Invoices...), out.CreditNotes...) {
		var sum, tax, discounts, rates, onTop int64
		for _, l := range i.Lines {
			sum, tax = sum+l.Amount, tax+l.Tax
			if rounded := l.Exact.Units(i.Currency.Digits()).Int64(); rounded != l.Amount {
				t.Errorf("%s: %v is rounded to %d", l.Charge, l.Exact, l.Amount)
			}
		}
		for _, d := range i.Discounts {
			discounts += d.Amount
			if d.Amount <= 0 {
				t.Errorf("coupon %s takes %d off", d.Coupon, d.Amount)
			}
		}
		for _, x := range i.Taxes {
			rates += x.Amount
			if x.Mode == "exclusive" {
				onTop += x.Amount
			}
		}
		if sum != i.Subtotal || tax != i.TaxTotal {
			t.Errorf("lines sum to %d and their tax to %d, subtotal is %d and tax %d", sum, tax, i.Subtotal, i.TaxTotal)
		}
		if rates == i.TaxTotal && i.Total != i.Subtotal-discounts+onTop {
			t.Errorf("%d − %d + %d is not %d", i.Subtotal, discounts, onTop, i.Total)
		}
		if i.Purpose != billing.Credit && (i.CreditApplied < 0 || i.Due != max(0, i.Total)-i.CreditApplied) {
			t.Errorf("total %d, credit %d, due %d", i.Total, i.CreditApplied, i.Due)
		}
	}
}

func encoded(t testing.TB, out *billing.Outcome) string {
	t.Helper()
	text, err := json.MarshalIndent(out, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text) + "\n"
}

func encodedLine(n int, text string) string { return fmt.Sprintf("%d %s", n, text) }
