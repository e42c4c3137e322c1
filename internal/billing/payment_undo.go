package billing

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/journal"
	"github.com/arcadia-cloud/arcadia/internal/money"
	"github.com/arcadia-cloud/arcadia/internal/period"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

// A ReverseOrder says that a bank took a payment back.
type ReverseOrder struct {
	Rehearsal
	Payment string // id or bank's reference
	At      string // date or instant; empty: today
	Fee     int64  // what the bank took for it, beside the amount
	Reason  string
	By      string
}

// A Reversed payment is one that was reversed, or would be, and what is open again.
type Reversed struct {
	Payment
	Reopened    []Settlement // below zero: what is open again; above: what other credit pays of it
	Fingerprint string
	Done        bool
	Again       bool // it was reversed before
}

// ReversePayment takes a payment back: what it settled is open again. Where it became
// credit that paid other invoices meanwhile, as much of those is open again, the last
// paid first. Other credit of the account pays what it can of it.
func (s *Service) ReversePayment(ctx context.Context, o ReverseOrder, now time.Time) (r Reversed, err error) {
	if err := checkTexts(named{"reason", &o.Reason, 200}); err != nil {
		return r, err
	}
	if o.Reason == "" {
		return r, fault.New(fault.Invalid, "Say why the payment is taken back: the reason is kept.")
	}
	if o.Fee < 0 || o.Fee > maxMinor {
		return r, fault.New(fault.Invalid, "The bank's fee is not below nothing.")
	}
	before, err := s.Payment(ctx, o.Payment)
	if err != nil {
		return r, err
	}
	r.Fingerprint, r.Done, err = s.rehearse(ctx, o.Rehearsal, now, func(tx *sql.Tx) (string, error) {
		r = Reversed{Payment: before}
		text, err := s.reverse(ctx, tx, &r, o, now)
		return digest(text), err
	})
	return r, err
}

func (s *Service) reverse(ctx context.Context, tx *sql.Tx, r *Reversed, o ReverseOrder, now time.Time) (string, error) {
	p := &r.Payment
	if err := completePayment(ctx, tx, p); err != nil {
		return "", err
	}
	if r.Again = p.Reversed != nil; r.Again {
		return "again", nil
	}
	customer, err := findCustomer(ctx, tx, p.Tenant)
	if err != nil {
		return "", err
	}
	at, err := paidAt(o.At, customer.Zone, now)
	if err != nil {
		return "", err
	}
	if at.Before(p.PaidAt) {
		return "", fault.New(fault.Invalid, "The payment came on %s: it cannot have been taken back before.", period.DayIn(p.PaidAt, customer.Zone))
	}
	again, err := s.reopen(ctx, tx, ByPayment, p.ID, p.Amount.Minor-p.Credit-p.Carried, nil)
	if err != nil {
		return "", err
	}
	c := p.Amount.Currency
	credit, err := accountCredit(ctx, tx, p.Tenant, c)
	if err != nil {
		return "", err
	}
	var spent []share
	if missing := p.Credit - credit; missing > 0 {
		if spent, err = s.reopen(ctx, tx, ByCredit, "", missing, p); err != nil {
			return "", err
		}
		back, err := uncarry(ctx, tx, p.Tenant, c, missing+shared(spent), o.By, micros(now))
		if err != nil {
			return "", err
		}
		if left := missing + shared(spent) - back; left != 0 {
			return "", fault.New(fault.Conflict, "The payment became credit, and %s of it is not there any more.", money.New(left, c))
		}
	}
	p.Reversed = &Reversal{At: at, Fee: o.Fee, Reason: o.Reason, RecordedAt: micros(now), RecordedBy: o.By}
	open, undone := -shared(again), -shared(spent)
	entry, err := journal.PostTx(ctx, tx, journal.Entry{
		Key: "reversal/" + p.ID, At: at, EnteredAt: p.Reversed.RecordedAt, Actor: o.By, Description: "reversal of a payment: " + o.Reason,
		Postings: []journal.Posting{
			posting(p.Tenant, c, journal.CashClearing, -(p.Amount.Minor - p.Fee + o.Fee)), posting(p.Tenant, c, journal.Fees, o.Fee-p.Fee),
			posting(p.Tenant, c, journal.Receivable, open+undone), posting(p.Tenant, c, journal.Carried, p.Carried), posting(p.Tenant, c, journal.AccountCredit, p.Credit-undone),
		},
	})
	if err != nil {
		return "", err
	}
	p.Reversed.Entry = entry
	if err := insertReversal(ctx, tx, p.ID, p.Reversed); err != nil {
		return "", err
	}
	x := settling{kind: ByPayment, source: p.ID, entry: entry, at: p.Reversed.RecordedAt, by: o.By, reason: "payment reversed: " + o.Reason}
	if err := settle(ctx, tx, x, again); err != nil {
		return "", err
	}
	if x.kind, x.source = ByCredit, ""; len(spent) > 0 {
		if err := settle(ctx, tx, x, spent); err != nil {
			return "", err
		}
	}
	var reopened []Issued
	for _, part := range again {
		i, err := s.find(ctx, tx, part.invoice.ID)
		if err != nil {
			return "", err
		}
		reopened = append(reopened, i)
	}
	used, err := useCredit(ctx, tx, p.Tenant, c, reopened, maxMinor, o.By, p.Reversed.RecordedAt)
	if err != nil {
		return "", err
	}
	r.Reopened = append(settlementsOf(ByPayment, p.ID, again), append(settlementsOf(ByCredit, "", spent), settlementsOf(ByCredit, "", used)...)...)
	return settlementsText(fmt.Sprintf("reversal of %s fee %d at %d", p.ID, o.Fee, at.UnixMicro()), r.Reopened), completePayment(ctx, tx, p)
}

// settlementsText is what was done, without anything of chance.
func settlementsText(head string, list []Settlement) string {
	var b strings.Builder
	b.WriteString(head)
	for _, x := range list {
		fmt.Fprintf(&b, " %s %s %d", x.Invoice, x.Kind, x.Amount)
	}
	return b.String()
}

// reopen is what is taken back of settlements of one kind: those of a source, or where
// a payment of the same tenant is given of all its invoices, the last settled first.
// The shares are below zero.
func (s *Service) reopen(ctx context.Context, tx *sql.Tx, kind SettlementKind, source string, amount int64, of *Payment) ([]share, error) {
	query, args := `x.kind = $1 AND x.source = $2`, []any{string(kind), source}
	if of != nil {
		query, args = query+` AND i.tenant_id = $3 AND i.currency = $4`, append(args, string(of.Tenant), string(of.Amount.Currency))
	}
	type settled struct {
		invoice string
		amount  int64
	}
	all, err := db.All(ctx, tx, func(rows *sql.Rows) (x settled, err error) {
		err = rows.Scan(&x.invoice, &x.amount)
		return x, err
	}, `SELECT x.invoice_id, CAST(SUM(x.amount) AS BIGINT) FROM billing_settlements x JOIN billing_invoices i ON i.id = x.invoice_id WHERE `+query+`
		GROUP BY x.invoice_id HAVING SUM(x.amount) > 0 ORDER BY MAX(x.id) DESC`, args...)
	if err != nil {
		return nil, err
	}
	var shares []share
	for _, x := range all {
		part := min(amount, x.amount)
		if part == 0 {
			break
		}
		i, err := s.find(ctx, tx, x.invoice)
		if err != nil {
			return nil, err
		}
		shares = append(shares, share{&i, -part})
		amount -= part
	}
	return shares, nil
}

// A CreditOrder says that credit of a tenant's account is to pay invoices.
type CreditOrder struct {
	Rehearsal
	Tenant   string   // slug or id
	Invoices []string // numbers or ids; none: all that are open, the first due first
	Amount   int64    // at most; 0: as much as there is
	By       string
}

// A CreditUse is what credit paid, or would pay.
type CreditUse struct {
	Tenant      tenant.ID
	Slug        string
	Currency    money.Currency
	Settled     []Settlement
	Carried     int64 // that it paid of what the tenant brought with it
	Left        int64 // credit of the account, after it
	Fingerprint string
	Done        bool
}

// ApplyCredit has credit of a tenant's account pay open invoices.
func (s *Service) ApplyCredit(ctx context.Context, o CreditOrder, now time.Time) (u CreditUse, err error) {
	if o.Amount < 0 {
		return u, fault.New(fault.Invalid, "Credit pays more than nothing.")
	}
	t, err := s.tenants.Tenant(ctx, o.Tenant)
	if err != nil {
		return u, err
	}
	u.Fingerprint, u.Done, err = s.rehearse(ctx, o.Rehearsal, now, func(tx *sql.Tx) (string, error) {
		customer, err := findCustomer(ctx, tx, t.ID)
		if err != nil {
			return "", err
		}
		c := customer.Currency
		u = CreditUse{Tenant: t.ID, Slug: t.Slug, Currency: c}
		credit, err := accountCredit(ctx, tx, t.ID, c)
		switch {
		case err != nil:
			return "", err
		case credit == 0:
			return "", fault.New(fault.Conflict, "Tenant %s has no credit on its account.", t.Slug)
		case o.Amount > credit:
			return "", fault.New(fault.Conflict, "Tenant %s has only %s to its credit.", t.Slug, money.New(credit, c))
		}
		var open []Issued
		if len(o.Invoices) == 0 {
			open, err = openInvoices(ctx, tx, t.ID, c)
		} else {
			named := PaymentOrder{Tenant: t.Slug, Invoices: o.Invoices, Amount: money.New(credit, c)}
			if open, err = s.targets(ctx, tx, named); err == nil {
				_, _, err = s.payerOf(ctx, named, open)
			}
		}
		if err != nil {
			return "", err
		}
		most := o.Amount
		if most == 0 {
			most = credit
		}
		if len(o.Invoices) == 0 {
			if u.Carried, err = creditPaysCarried(ctx, tx, t.ID, c, most, o.By, micros(now)); err != nil {
				return "", err
			}
		}
		shares, err := useCredit(ctx, tx, t.ID, c, open, most-u.Carried, o.By, micros(now))
		used := u.Carried + shared(shares)
		switch {
		case err != nil:
			return "", err
		case used == 0:
			return "", fault.New(fault.Conflict, "Tenant %s has no open invoice in %s.", t.Slug, c)
		case o.Amount > used:
			return "", fault.New(fault.Conflict, "Only %s is open.", money.New(used, c))
		}
		u.Left = credit - used
		u.Settled = settlementsOf(ByCredit, "", shares)
		return settlementsText(fmt.Sprintf("credit of %s carried %d", t.ID, u.Carried), u.Settled), nil
	})
	return u, err
}
