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
		ID: p.ID, Key: p.Key, Tenant: p.Slug, Currency: string(p.Amount.Currency), Amount: p.Amount.Minor, Fee: p.Fee, PaidAt: client.Time{Time: p.PaidAt}, Reference: p.Reference,
		Payer: p.Payer, RecordedAt: client.Time{Time: p.RecordedAt}, RecordedBy: p.RecordedBy, Settled: Settlements(p.Settled), Credit: p.Credit,
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
	return client.CreditUse{Tenant: u.Slug, Currency: string(u.Currency), Settled: Settlements(u.Settled), Left: u.Left, Done: u.Done, Fingerprint: u.Fingerprint}
}
