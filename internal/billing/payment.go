package billing

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/id"
	"github.com/arcadia-cloud/arcadia/internal/journal"
	"github.com/arcadia-cloud/arcadia/internal/metering"
	"github.com/arcadia-cloud/arcadia/internal/money"
	"github.com/arcadia-cloud/arcadia/internal/period"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

// A Payment is money that a tenant sent, as a bank's statement has it.
type Payment struct {
	ID         string
	Key        string // of the bank's line: it is booked once
	Tenant     tenant.ID
	Slug       string
	Zone       string       // of the customer's dates
	Amount     money.Amount // that the tenant sent
	Fee        int64        // of it, what the bank kept
	PaidAt     time.Time
	Reference  string // as the tenant wrote it
	Payer      string
	RecordedAt time.Time
	RecordedBy string
	Entry      string       // in the journal
	Settled    []Settlement // of invoices
	Carried    int64        // of what the tenant brought with it
	Credit     int64        // the rest, which became credit of the account
	Reversed   *Reversal    // nil: it stands
}

// A Reversal is that a bank took a payment back.
type Reversal struct {
	At         time.Time
	Fee        int64 // of the bank, beside the amount
	Reason     string
	RecordedAt time.Time
	RecordedBy string
	Entry      string
}

// A PaymentOrder is a payment to be booked.
type PaymentOrder struct {
	Rehearsal
	Tenant    string // slug or id; empty: of the invoices that are named
	Amount    money.Amount
	Fee       int64
	At        string   // date, or instant, on which the bank has it; empty: today
	Invoices  []string // numbers or ids; none: those that Reference names, else the first due first
	Reference string
	Payer     string
	Key       string // empty: none is known, and it is booked however often it is said
	By        string
}

// A Booking is a payment that was booked, or would be.
type Booking struct {
	Payment
	Fingerprint string
	Done        bool
	Again       bool // it was booked before
}

// RecordPayment books a payment: it settles the invoices that are named, else those
// that are open, the first due first, and what is left becomes credit of the tenant's
// account. A payment of the same key is booked once; it answers fault.Conflict where
// that was another, or where other would be done than expected.
func (s *Service) RecordPayment(ctx context.Context, o PaymentOrder, now time.Time) (b Booking, err error) {
	if err := o.tidy(); err != nil {
		return b, err
	}
	b.Fingerprint, b.Done, err = s.rehearse(ctx, o.Rehearsal, now, func(tx *sql.Tx) (string, error) {
		b = Booking{}
		var text string
		b.Payment, b.Again, text, err = s.book(ctx, tx, o, now)
		return digest(text), err
	})
	if db.IsUnique(err) { // another booked this key meanwhile
		return s.RecordPayment(ctx, o, now)
	}
	return b, err
}

// digest is the fingerprint of what was, or would be, done.
func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// tidy checks what can be without looking anything up.
func (o *PaymentOrder) tidy() error {
	c, err := money.ParseCurrency(string(o.Amount.Currency))
	if err != nil {
		return err
	}
	o.Amount.Currency = c
	switch {
	case o.Amount.Minor <= 0 || o.Amount.Minor > maxMinor:
		return fault.New(fault.Invalid, "A payment is more than nothing and at most %s: say what arrived. What a bank took back is reversed: arcadia payment reverse PAYMENT", money.New(maxMinor, c))
	case o.Fee < 0 || o.Fee > o.Amount.Minor:
		return fault.New(fault.Invalid, "The bank's fee is a part of the payment, not %s.", money.New(o.Fee, c))
	}
	return checkTexts(named{"reference", &o.Reference, 500}, named{"payer", &o.Payer, 200}, named{"bank's reference", &o.Key, 200})
}

// book books a payment in a transaction. What it answers besides is what it did, for a
// fingerprint.
func (s *Service) book(ctx context.Context, tx *sql.Tx, o PaymentOrder, now time.Time) (p Payment, again bool, text string, err error) {
	p = Payment{ID: id.New("payment"), Key: o.Key, Amount: o.Amount, Fee: o.Fee, Reference: o.Reference, Payer: o.Payer, RecordedAt: micros(now), RecordedBy: o.By}
	targets, err := s.targets(ctx, tx, o)
	if err != nil {
		return p, false, "", err
	}
	if p.Tenant, p.Slug, err = s.payerOf(ctx, o, targets); err != nil {
		return p, false, "", err
	}
	customer, err := findCustomer(ctx, tx, p.Tenant)
	if err != nil {
		return p, false, "", err
	}
	p.Zone = customer.Zone
	if p.PaidAt, err = paidAt(o.At, customer.Zone, now); err != nil {
		return p, false, "", err
	}
	if p.Key != "" {
		before, found, err := s.bookedBefore(ctx, tx, o, p)
		if err != nil || found {
			return before, found, "again " + before.ID, err
		}
	} else {
		p.Key = p.ID
	}
	if o.Amount.Currency != customer.Currency {
		return p, false, "", fault.New(fault.Invalid, "Tenant %s is billed in %s: a payment in %s cannot be booked to it.", p.Slug, customer.Currency, o.Amount.Currency)
	}
	c := p.Amount.Currency
	owed, err := carried(ctx, tx, p.Tenant, c)
	if err != nil {
		return p, false, "", err
	}
	if len(targets) == 0 { // the oldest first
		p.Carried = min(owed, p.Amount.Minor)
		if targets, err = openInvoices(ctx, tx, p.Tenant, c); err != nil {
			return p, false, "", err
		}
	}
	shares, rest := spread(p.Amount.Minor-p.Carried, targets)
	if p.Carried == 0 {
		p.Carried = min(owed, rest)
		rest -= p.Carried
	}
	p.Credit = rest
	p.Entry, err = journal.PostTx(ctx, tx, journal.Entry{
		Key: "payment/" + p.ID, At: p.PaidAt, EnteredAt: p.RecordedAt, Actor: p.RecordedBy, Description: paymentText(p, shares),
		Postings: []journal.Posting{
			posting(p.Tenant, c, journal.CashClearing, p.Amount.Minor-p.Fee), posting(p.Tenant, c, journal.Fees, p.Fee),
			posting(p.Tenant, c, journal.Receivable, -shared(shares)), posting(p.Tenant, c, journal.Carried, -p.Carried), posting(p.Tenant, c, journal.AccountCredit, -rest),
		},
	})
	if err != nil {
		return p, false, "", err
	}
	if err := insertPayment(ctx, tx, &p); err != nil {
		return p, false, "", err
	}
	if err := settle(ctx, tx, settling{kind: ByPayment, source: p.ID, entry: p.Entry, at: p.RecordedAt, by: p.RecordedBy}, shares); err != nil {
		return p, false, "", err
	}
	p.Settled = settlementsOf(ByPayment, p.ID, shares)
	return p, false, settlementsText(fmt.Sprintf("payment of %s fee %d by %s on %d carried %d", p.Amount, p.Fee, p.Tenant, p.PaidAt.UnixMicro(), p.Carried), p.Settled), nil
}

func paymentText(p Payment, shares []share) string {
	text := "payment"
	if p.Payer != "" {
		text += " by " + p.Payer
	}
	if len(shares) > 0 {
		text += " for " + refsOf(shares)
	}
	if p.Reference != "" {
		text += ": " + p.Reference
	}
	return text
}

// targets are the invoices that an order means by itself: those it names, else those
// its reference does. Of the latter, those that are settled already are kept, since
// they tell whose payment it is, and take nothing.
func (s *Service) targets(ctx context.Context, tx *sql.Tx, o PaymentOrder) ([]Issued, error) {
	if len(o.Invoices) == 0 {
		return invoicesIn(ctx, tx, o.Reference)
	}
	var targets []Issued
	for _, ref := range o.Invoices {
		i, err := s.invoiceIn(ctx, tx, ref)
		switch {
		case err != nil:
			return nil, err
		case i.Open == 0:
			return nil, fault.New(fault.Conflict, "Nothing is open on %s: it is %s.", i.Ref(), stateText(i))
		case slices.ContainsFunc(targets, func(x Issued) bool { return x.ID == i.ID }):
			return nil, fault.New(fault.Invalid, "%s is named twice.", i.Ref())
		case i.Currency != o.Amount.Currency:
			return nil, fault.New(fault.Invalid, "%s is in %s, the payment in %s.", i.Ref(), i.Currency, o.Amount.Currency)
		}
		targets = append(targets, i)
	}
	return targets, nil
}

// stateText is how it stands with a document, in words.
func stateText(i Issued) string {
	if i.Purpose == Credit {
		return "a credit note"
	}
	return strings.ReplaceAll(string(i.State), "_", " ")
}

// payerOf is the tenant that an order names, or whose invoices it names.
func (s *Service) payerOf(ctx context.Context, o PaymentOrder, targets []Issued) (tenant.ID, string, error) {
	ref := o.Tenant
	if ref == "" {
		if len(targets) == 0 {
			return "", "", fault.New(fault.Invalid, "Whose payment it is cannot be told: its reference names no invoice. Say the tenant.")
		}
		ref = string(targets[0].Tenant)
	}
	t, err := s.tenants.Tenant(ctx, ref)
	if err != nil {
		return "", "", err
	}
	for _, i := range targets {
		if i.Tenant != t.ID {
			return "", "", fault.New(fault.Invalid, "%s is not an invoice of %s. Say the tenant, and which invoices are meant.", i.Ref(), t.Slug)
		}
	}
	return t.ID, t.Slug, nil
}

// paidAt reads when a bank had a payment, which is not to come.
func paidAt(text, zone string, now time.Time) (time.Time, error) {
	z, err := period.Zone(zone)
	if err != nil {
		return time.Time{}, err
	}
	if text == "" {
		text = now.In(z).Format(time.DateOnly)
	}
	at, err := metering.ParseTime(text, z)
	switch {
	case err != nil:
		return at, fault.New(fault.Invalid, "The payment's date: %v.", err)
	case at.After(now):
		return at, fault.New(fault.Invalid, "%s is still to come: a payment is booked when the bank has it.", cut(text))
	}
	return micros(at), nil
}

// bookedBefore is the payment that has the order's key, if one has. It is a conflict
// where that one is another.
func (s *Service) bookedBefore(ctx context.Context, tx *sql.Tx, o PaymentOrder, p Payment) (Payment, bool, error) {
	list, err := listPayments(ctx, tx, PaymentFilter{key: o.Key, Limit: 1})
	if err != nil || len(list) == 0 {
		return p, false, err
	}
	before := list[0]
	before.Slug = p.Slug
	same := before.Tenant == p.Tenant && before.Amount == p.Amount && before.Fee == p.Fee && (o.At == "" || before.PaidAt.Equal(p.PaidAt)) && before.Reference == p.Reference
	if !same {
		return before, false, fault.New(fault.Conflict, "The bank's reference %q is that of another payment, %s of %s.", cut(o.Key), before.ID, before.Amount)
	}
	return before, true, completePayment(ctx, tx, &before)
}

// invoiceIn is an invoice by id or number; credit notes are none.
func (s *Service) invoiceIn(ctx context.Context, q db.Queryer, ref string) (Issued, error) {
	i, err := s.find(ctx, q, ref)
	if err == nil && i.Purpose == Credit {
		err = fault.New(fault.Invalid, "%s is a credit note, not an invoice.", i.Ref())
	}
	return i, err
}

// A PaymentFilter selects payments; empty fields select all.
type PaymentFilter struct {
	Tenant  string // slug or id
	Invoice string // number or id
	Cursor  string // next of an earlier page
	Limit   int    // of a page, 1 to 1000; 0 is 100

	tenant  tenant.ID
	invoice string
	id      string
	key     string
}

// Payments lists payments, the last recorded first, and the cursor of the next page,
// which is empty on the last one.
func (s *Service) Payments(ctx context.Context, f PaymentFilter) (list []Payment, next string, err error) {
	if f.Limit, err = pageOf(f.Limit, f.Cursor, "payment", "payments"); err != nil {
		return nil, "", err
	}
	if f.tenant, err = s.tenantOf(ctx, f.Tenant); err != nil {
		return nil, "", err
	}
	if f.Invoice != "" {
		i, err := s.invoiceIn(ctx, s.db.Read(), f.Invoice)
		if err != nil {
			return nil, "", err
		}
		f.invoice = i.ID
	}
	if list, err = listPayments(ctx, s.db.Read(), f); err != nil {
		return nil, "", err
	}
	if len(list) > f.Limit {
		list = list[:f.Limit]
		next = list[f.Limit-1].ID
	}
	return list, next, s.completePayments(ctx, list)
}

// Payment is the payment with this id or bank's reference.
func (s *Service) Payment(ctx context.Context, ref string) (Payment, error) {
	f := PaymentFilter{key: ref, Limit: 1}
	if id.Check("payment", ref) == nil {
		f = PaymentFilter{id: ref, Limit: 1}
	}
	list, err := listPayments(ctx, s.db.Read(), f)
	if err == nil && len(list) == 0 {
		err = fault.New(fault.NotFound, "There is no payment %q. Those there are: arcadia payment list", cut(ref))
	}
	if err != nil {
		return Payment{}, err
	}
	return list[0], s.completePayments(ctx, list[:1])
}

func (s *Service) completePayments(ctx context.Context, list []Payment) error {
	all, err := s.tenants.All(ctx)
	if err != nil {
		return err
	}
	for i := range list {
		n := slices.IndexFunc(all, func(t tenant.Tenant) bool { return t.ID == list[i].Tenant })
		if n < 0 {
			return errors.New("billing: a payment is of no tenant")
		}
		list[i].Slug = all[n].Slug
		if err := completePayment(ctx, s.db.Read(), &list[i]); err != nil {
			return err
		}
	}
	return nil
}

// completePayment reads what a payment settled, and that it was reversed.
func completePayment(ctx context.Context, q db.Queryer, p *Payment) (err error) {
	if p.Settled, err = listSettlements(ctx, q, "x.source = $1", p.ID); err != nil {
		return err
	}
	p.Credit = p.Amount.Minor - p.Carried
	for _, x := range p.Settled {
		if x.Amount > 0 {
			p.Credit -= x.Amount
		}
	}
	p.Reversed, err = findReversal(ctx, q, p.ID)
	return err
}
