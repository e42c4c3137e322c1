package billing

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/id"
	"github.com/arcadia-cloud/arcadia/internal/journal"
	"github.com/arcadia-cloud/arcadia/internal/period"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

// issue gives the documents of bills their numbers and their places in the journal, all
// in one transaction. What another run issued meanwhile is what is issued. A bill whose
// subscription has changed since it was worked out, or that cannot be issued for
// another reason, says so in its err and has no document issued; the others have.
func (s *Service) issue(ctx context.Context, bills []*bill, by string, now time.Time) error {
	return s.issueIn(ctx, bills, by, now, nil)
}

// issueIn issues the documents of bills. In test mode, where spent is not nil, they have
// numbers of test series, and it ends with errTest, which rolls all of it back.
func (s *Service) issueIn(ctx context.Context, bills []*bill, by string, now time.Time, spent spending) error {
	test := spent != nil
	bills = slices.DeleteFunc(slices.Clone(bills), func(b *bill) bool { return b.err != nil || len(b.new)+len(b.nothing) == 0 })
	if len(bills) == 0 {
		return nil
	}
	return s.db.Write(ctx, func(tx *sql.Tx) error {
		present, err := s.standings(ctx, tx, bills)
		if err != nil {
			return err
		}
		for _, b := range bills {
			p := present[b.agreement.ID]
			b.err, b.issued = nil, make([]Issued, len(b.new))
			for n := range b.new {
				b.issued[n] = b.document(&b.new[n])
			}
			if p.changes != int64(len(b.agreement.Changes)+len(b.agreement.Amendments)+len(b.notes)+len(b.releases)) {
				b.err = fault.New(fault.Conflict, "The subscription was changed while it was billed. Run it again.")
			} else if !p.billed.Equal(b.billed) {
				if b.err, err = meanwhile(ctx, tx, b, p.billed); err != nil {
					return err
				}
			}
		}
		if err := spent.spendTx(ctx, tx, bills, by, micros(now)); err != nil {
			return err
		}
		if err := s.number(ctx, tx, bills, by, micros(now), test); err != nil {
			return err
		}
		if test {
			return errTest
		}
		return nil
	})
}

// meanwhile puts in a bill what was issued of it since it was worked out. The rest may
// be issued if it is later.
func meanwhile(ctx context.Context, tx *sql.Tx, b *bill, billed time.Time) (refusal, err error) {
	there, err := listIssued(ctx, tx, IssuedFilter{subscriptions: []SubscriptionID{b.agreement.ID}, Limit: -1})
	if err != nil {
		return nil, err
	}
	for n := range b.issued {
		i := &b.issued[n]
		at := slices.IndexFunc(there, func(other Issued) bool { return other.key() == i.key() })
		switch {
		case at < 0 && !i.IssueAt.After(billed):
			return fault.New(fault.Conflict, "The subscription was billed meanwhile, and otherwise. Run it again."), nil
		case at < 0:
			continue
		case !bytes.Equal(there[at].Document, i.Document):
			return fault.New(fault.Conflict, "%s was issued meanwhile, and is another.", there[at].Ref()), nil
		}
		*i = there[at]
		i.Slug = b.agreement.Slug
	}
	return nil, nil
}

// A series counts numbers on from the last.
type series struct {
	taken      int64 // by this transaction
	number     int64 // the last
	hash       string
	lastIssued time.Time
}

// number gives the documents of bills that have none a number, in the issuing
// transaction, and enters all that belongs to them. Within a series they are in the
// order of their issue: where clocks disagree the later number has no earlier time.
func (s *Service) number(ctx context.Context, tx *sql.Tx, bills []*bill, by string, now time.Time, test bool) error {
	from, err := s.sendersOf(ctx, tx, bills)
	if err != nil {
		return err
	}
	all := make(map[string]*series)
	each := func(see func(b *bill, k *keyed, i *Issued) error) error {
		for _, b := range bills {
			for n := range b.issued {
				if i := &b.issued[n]; b.err == nil && i.Number == 0 {
					if err := see(b, &b.new[n], i); err != nil {
						return err
					}
				}
			}
		}
		return nil
	}
	_ = each(func(_ *bill, _ *keyed, i *Issued) error {
		sender := from[i.Tenant].issuer
		if i.Series = sender.Series; i.Purpose == Credit {
			i.Series = sender.CreditSeries
		}
		if test {
			i.Series = testSeries + i.Series
		}
		if all[i.Series] == nil {
			all[i.Series] = &series{}
		}
		all[i.Series].taken++
		return nil
	})
	for _, name := range slices.Sorted(maps.Keys(all)) { // locked in one order
		if err := takeNumbers(ctx, tx, name, all[name]); err != nil {
			return err
		}
		if test { // behind those that are kept
			next, err := nextTestNumber(ctx, tx, name)
			if err != nil {
				return err
			}
			all[name].number += next - 1
		}
	}
	before, err := correctedBy(ctx, tx, bills)
	if err != nil {
		return err
	}
	var made entered
	err = each(func(b *bill, k *keyed, i *Issued) error {
		of, numbers := from[i.Tenant], all[i.Series]
		zone, err := period.Zone(b.agreement.Zone)
		if err != nil {
			return err
		}
		i.ID, i.IssuedAt, i.IssuedBy, i.State = id.New("inv"), period.Later(now, numbers.lastIssued), by, InvoiceIssued
		i.DueAt = i.IssuedAt.In(zone).AddDate(0, 0, of.customer.TermsDays).UTC()
		numbers.number++
		i.Number, i.PreviousHash, i.Parties = numbers.number, numbers.hash, of.parties[b.agreement.Zone]
		if k.takesBack() {
			there := before[b.agreement.ID]
			made := slices.DeleteFunc(slices.Clone(b.issued), func(o Issued) bool { // by this transaction, and with it
				return o.Number == 0 || slices.ContainsFunc(there, func(x Issued) bool { return x.ID == o.ID })
			})
			if err := i.nameOriginals(of, b.agreement.Zone, slices.Concat(there, made)); err != nil {
				return err
			}
		}
		i.Hash = i.hash()
		numbers.hash = i.Hash
		made.add(i, k.TaxTotal)
		return nil
	})
	if err != nil {
		return err
	}
	for _, b := range bills {
		if n := len(b.nothing); n > 0 && b.err == nil {
			made.billedTo(b.agreement.ID, b.nothing[n-1])
		}
	}
	for name, numbers := range all {
		made.series = append(made.series, []any{name, numbers.hash})
	}
	if err := made.insert(ctx, s.db, tx); err != nil {
		return err
	}
	return s.creditPays(ctx, tx, made.issued)
}

// correctedBy are the documents that were issued of subscriptions whose bills take
// something back: of those it does.
func correctedBy(ctx context.Context, tx *sql.Tx, bills []*bill) (map[SubscriptionID][]Issued, error) {
	var subs []SubscriptionID
	for _, b := range bills {
		if b.err == nil && slices.ContainsFunc(b.new, keyed.takesBack) {
			subs = append(subs, b.agreement.ID)
		}
	}
	if len(subs) == 0 {
		return nil, nil
	}
	list, err := listIssued(ctx, tx, IssuedFilter{subscriptions: subs, Limit: -1})
	of := make(map[SubscriptionID][]Issued)
	for _, i := range list {
		of[i.Subscription] = append(of[i.Subscription], i)
	}
	return of, err
}

// takesBack reports whether a document has a line that gives back what an earlier one
// charged.
func (k keyed) takesBack() bool {
	return slices.ContainsFunc(k.Lines, func(l Line) bool {
		return l.Kind != ChargeLine && l.Charge != couponCharge && (l.Amount < 0) != (k.Purpose == Credit) && l.Amount != 0
	})
}

// nameOriginals has a document name the invoices of which its lines take something back,
// of those of its subscription, of which it is one.
func (i *Issued) nameOriginals(from sender, zone string, issued []Issued) (err error) {
	p := partiesOf(from.issuer, from.customer, zone)
	if p.Originals, err = originalsOf(i.ID, issued); err == nil {
		i.Parties, err = json.Marshal(p)
	}
	return err
}

// creditPays has the credit of accounts pay what was just issued, in its order.
func (s *Service) creditPays(ctx context.Context, tx *sql.Tx, issued []*Issued) error {
	var tenants []string
	for _, i := range issued {
		if i.Open > 0 && !slices.Contains(tenants, string(i.Tenant)) {
			tenants = append(tenants, string(i.Tenant))
		}
	}
	held, err := journal.BalancesTx(ctx, s.db, tx, journal.AccountCredit, tenants)
	if err != nil {
		return err
	}
	for _, b := range held {
		var open []Issued
		for _, i := range issued {
			if string(i.Tenant) == b.Tenant && i.Currency == b.Amount.Currency {
				open = append(open, *i)
			}
		}
		if len(open) == 0 {
			continue
		}
		if _, err := useCredit(ctx, tx, open[0].Tenant, open[0].Currency, open, maxMinor, open[0].IssuedBy, open[0].IssuedAt); err != nil {
			return err
		}
		for _, i := range issued {
			if n := slices.IndexFunc(open, func(o Issued) bool { return o.ID == i.ID }); n >= 0 {
				*i = open[n]
			}
		}
	}
	return nil
}

// A sender is from whom a tenant has its documents, with both as they are shown.
type sender struct {
	customer Customer
	issuer   Issuer
	parties  map[string]json.RawMessage // by the zone of subscriptions
}

// sendersOf finds who sends the documents of bills. A bill that nobody sends says so.
func (s *Service) sendersOf(ctx context.Context, tx *sql.Tx, bills []*bill) (map[tenant.ID]sender, error) {
	var ids [][]any
	for _, b := range bills {
		ids = append(ids, []any{string(b.agreement.Tenant)})
	}
	senders, issuers := make(map[tenant.ID]sender), make(map[string]Issuer)
	err := s.db.Pipeline(ctx, tx, db.Statement{Bulk: selectCustomers, Rows: ids, Answer: func(scan func(...any) error) error {
		c, err := scanCustomer(scan)
		senders[c.Tenant] = sender{customer: c}
		return err
	}})
	if err != nil {
		return nil, err
	}
	for _, b := range bills {
		of, known := senders[b.agreement.Tenant]
		switch {
		case b.err != nil || of.parties[b.agreement.Zone] != nil:
			continue
		case !known:
			b.err = fault.New(fault.NotFound, "Nobody has said how tenant %s is billed.", b.agreement.Tenant)
			continue
		}
		if of.issuer, known = issuers[of.customer.Issuer]; !known {
			of.issuer, err = findIssuer(ctx, tx, of.customer.Issuer)
			if err != nil && fault.KindOf(err) != fault.Internal {
				b.err = err
				continue
			}
			if err != nil {
				return nil, err
			}
			issuers[of.customer.Issuer] = of.issuer
		}
		if of.parties == nil {
			of.parties = make(map[string]json.RawMessage)
		}
		if of.parties[b.agreement.Zone], err = json.Marshal(partiesOf(of.issuer, of.customer, b.agreement.Zone)); err != nil {
			return nil, err
		}
		senders[b.agreement.Tenant] = of
	}
	return senders, nil
}

// postings are what issuing a document does to money: what is due is owed, what credit
// pays or becomes is the tenant's, the rest was earned or is owed to tax offices.
func (i *Issued) postings(tax int64) []journal.Posting {
	receivable, credit, sign := i.Due, i.Total-i.Due, int64(1)
	if i.Purpose == Credit {
		receivable, credit, sign = 0, -i.Total, -1
	}
	return posted(
		posting(i.Tenant, i.Currency, journal.Receivable, receivable), posting(i.Tenant, i.Currency, journal.CustomerCredit, credit),
		posting(i.Tenant, i.Currency, journal.Revenue, -sign*(i.Total-tax)), posting(i.Tenant, i.Currency, journal.TaxPayable, -sign*tax),
	)
}
