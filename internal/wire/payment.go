package wire

import (
	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/billing"
)

// Settlements are what was settled of invoices, or is open again.
func Settlements(list []billing.Settlement) []client.Settlement {
	items := make([]client.Settlement, len(list))
	for i, x := range list {
		items[i] = client.Settlement{Invoice: x.Invoice, Number: x.Number, Kind: string(x.Kind), Source: Text(x.Source), Amount: x.Amount, At: client.At(x.At), Actor: x.Actor}
	}
	return items
}

// Payment is money that a tenant sent.
func Payment(p billing.Payment) client.Payment {
	w := client.Payment{
		ID: p.ID, Key: p.Key, Tenant: p.Slug, Zone: p.Zone, Currency: string(p.Amount.Currency), Amount: p.Amount.Minor, Fee: p.Fee, PaidAt: client.Time{Time: p.PaidAt}, Reference: p.Reference,
		Payer: p.Payer, RecordedAt: client.Time{Time: p.RecordedAt}, RecordedBy: p.RecordedBy, Settled: Settlements(p.Settled), Carried: p.Carried, Credit: p.Credit,
	}
	if r := p.Reversed; r != nil {
		w.Reversed = &client.PaymentReversal{At: client.Time{Time: r.At}, Fee: r.Fee, Reason: r.Reason, RecordedAt: client.Time{Time: r.RecordedAt}, RecordedBy: r.RecordedBy}
	}
	return w
}

// PaymentBooked is a payment that was, or would be, booked.
func PaymentBooked(b billing.Booking) client.PaymentBooked {
	w := client.PaymentBooked{Payment: Payment(b.Payment), Done: b.Done, Again: b.Again, Fingerprint: b.Fingerprint}
	if !b.Done && !b.Again {
		w.Payment = rehearsed(w.Payment)
	}
	return w
}

// rehearsed is a payment without what only a booked one has.
func rehearsed(p client.Payment) client.Payment {
	if p.Key == p.ID {
		p.Key = ""
	}
	p.ID = ""
	for i := range p.Settled {
		p.Settled[i].Source = nil
	}
	return p
}

// PaymentReversed is a payment that was, or would be, taken back.
func PaymentReversed(r billing.Reversed) client.PaymentReversed {
	return client.PaymentReversed{Payment: Payment(r.Payment), Reopened: Settlements(r.Reopened), Done: r.Done, Again: r.Again, Fingerprint: r.Fingerprint}
}

// CreditUse is what credit paid, or would pay.
func CreditUse(u billing.CreditUse) client.CreditUse {
	return client.CreditUse{Tenant: u.Slug, Currency: string(u.Currency), Settled: Settlements(u.Settled), Carried: u.Carried, Left: u.Left, Done: u.Done, Fingerprint: u.Fingerprint}
}

// Note is a credit note that was, or would be, issued by hand.
func Note(n billing.Note) (w client.CreditNote, err error) {
	w = client.CreditNote{Settled: Settlements(n.Settled), Credit: n.Credit, Done: n.Done, Fingerprint: n.Fingerprint}
	if w.Note, err = Invoice(n.Issued); err != nil {
		return w, err
	}
	if !n.Done && !n.IsTest() {
		w.Note.ID, w.Note.IssuedAt, w.Note.DueAt, w.Note.Hash = "", nil, nil, ""
		for i := range w.Settled {
			w.Settled[i].Source = nil
		}
	}
	w.Invoice, err = Invoice(n.Of)
	return w, err
}

// WriteOff is what was, or would be, written off.
func WriteOff(x billing.WriteOff) (w client.WriteOff, err error) {
	w = client.WriteOff{Amount: x.Amount, Done: x.Done, Fingerprint: x.Fingerprint}
	w.Invoice, err = Invoice(x.Of)
	return w, err
}

// Statement is how a tenant's account moved.
func Statement(s billing.Statement) client.Statement {
	w := client.Statement{Tenant: s.Slug, Zone: s.Zone, From: client.At(s.From), To: client.At(s.To), Accounts: make([]client.StatementAccount, len(s.Accounts))}
	for i, a := range s.Accounts {
		lines := make([]client.StatementLine, len(a.Lines))
		for n, l := range a.Lines {
			lines[n] = client.StatementLine{Entry: l.Entry, At: client.Time{Time: l.At}, Kind: l.Kind, Text: l.Text, Amount: l.Amount, Balance: l.Balance}
		}
		w.Accounts[i] = client.StatementAccount{Currency: string(a.Currency), Opening: a.Opening, Closing: a.Closing, Lines: lines}
	}
	return w
}

// Refund is credit that was paid back.
func Refund(r billing.Refund) client.Refund {
	return client.Refund{
		ID: r.ID, Key: r.Key, Tenant: r.Slug, Zone: r.Zone, Currency: string(r.Amount.Currency), Amount: r.Amount.Minor, RefundedAt: client.Time{Time: r.RefundedAt}, Reason: r.Reason,
		RecordedAt: client.Time{Time: r.RecordedAt}, RecordedBy: r.RecordedBy,
	}
}

// Refunded is a refund that was, or would be, booked.
func Refunded(r billing.Refunded) client.Refunded {
	w := client.Refunded{Refund: Refund(r.Refund), Left: r.Left, Done: r.Done, Again: r.Again, Fingerprint: r.Fingerprint}
	if !r.Done && !r.Again {
		if w.Refund.Key == w.Refund.ID {
			w.Refund.Key = ""
		}
		w.Refund.ID = ""
	}
	return w
}
