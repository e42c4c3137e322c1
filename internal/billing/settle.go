package billing

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/id"
	"github.com/arcadia-cloud/arcadia/internal/journal"
	"github.com/arcadia-cloud/arcadia/internal/money"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

// A SettlementKind says what settles an invoice.
type SettlementKind string

// The kinds of settlements.
const (
	ByPayment    SettlementKind = "payment"
	ByCredit     SettlementKind = "credit"      // of the account
	ByCreditNote SettlementKind = "credit_note" // that somebody issued by hand
	ByWriteOff   SettlementKind = "write_off"
)

// A Settlement is a part of what is due on an invoice that was settled, or below zero
// one that is open again.
type Settlement struct {
	ID      string
	Invoice string // id
	Number  string // of the invoice, as it is written; empty where it was not asked for
	Kind    SettlementKind
	Source  string // the payment or credit note; empty for the other kinds
	Amount  int64
	Entry   string // in the journal
	At      time.Time
	Actor   string
}

// A share is what of an amount goes to an invoice.
type share struct {
	invoice *Issued
	amount  int64
}

// spread gives an amount to open invoices in their order, and says what is left.
func spread(amount int64, open []Issued) (shares []share, left int64) {
	for i := range open {
		if part := min(amount, open[i].Open); part > 0 {
			shares = append(shares, share{&open[i], part})
			amount -= part
		}
	}
	return shares, amount
}

// shared is the sum of shares.
func shared(shares []share) (sum int64) {
	for _, x := range shares {
		sum += x.amount
	}
	return sum
}

// settlementsOf are shares as they are shown.
func settlementsOf(kind SettlementKind, source string, shares []share) []Settlement {
	list := make([]Settlement, len(shares))
	for i, x := range shares {
		list[i] = Settlement{Invoice: x.invoice.ID, Number: x.invoice.Ref(), Kind: kind, Source: source, Amount: x.amount}
	}
	return list
}

// A settling is what settlements of one cause have in common.
type settling struct {
	kind   SettlementKind
	source string
	entry  string
	at     time.Time
	by     string
	reason string // of a change of state; empty: the kind
}

// settle settles parts of invoices in the transaction that posts the entry, and notes
// how it stands with each by then.
func settle(ctx context.Context, tx *sql.Tx, x settling, shares []share) error {
	for _, part := range shares {
		i := part.invoice
		_, err := tx.ExecContext(ctx, `INSERT INTO billing_settlements (id, invoice_id, kind, source, amount, entry_id, at, actor) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
			id.New("settlement"), i.ID, string(x.kind), x.source, part.amount, x.entry, db.Micros(x.at), x.by)
		if err != nil {
			return err
		}
		i.Open -= part.amount
		if err := moveState(ctx, tx, i, x); err != nil {
			return err
		}
	}
	return nil
}

// moveState notes how it stands with an invoice, where that is not noted yet.
func moveState(ctx context.Context, tx *sql.Tx, i *Issued, x settling) error {
	sums, err := settledBy(ctx, tx, i.ID)
	if err != nil {
		return err
	}
	totals, err := noteTotals(ctx, tx, i.ID)
	if err != nil {
		return err
	}
	state := stateOf(i, sums, totals[i.ID])
	if state == i.State {
		return nil
	}
	i.State = state
	var seq int64
	if err := tx.QueryRowContext(ctx, `SELECT COALESCE(MAX(seq), 0) + 1 FROM billing_states WHERE invoice_id = $1`, i.ID).Scan(&seq); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO billing_states (invoice_id, seq, state, at, actor, reason) VALUES ($1, $2, $3, $4, $5, $6)`,
		i.ID, seq, string(state), db.Micros(x.at), x.by, cmp.Or(x.reason, string(x.kind)))
	return err
}

// stateOf is how it stands with an invoice, by what settled it and what was credited of
// it by hand.
func stateOf(i *Issued, sums map[SettlementKind]int64, credited int64) InvoiceState {
	var settled int64
	for _, sum := range sums {
		settled += sum
	}
	switch {
	case credited > 0 && credited == i.Total:
		return InvoiceVoid
	case settled == 0 && i.Due > 0:
		return InvoiceIssued
	case settled < i.Due:
		return InvoicePartlyPaid
	case sums[ByWriteOff] > 0:
		return InvoiceUncollectible
	}
	return InvoicePaid
}

// settledBy is what was settled of an invoice, by kind.
func settledBy(ctx context.Context, q db.Queryer, invoice string) (map[SettlementKind]int64, error) {
	sums := make(map[SettlementKind]int64)
	err := db.Each(ctx, q, func(rows *sql.Rows) error {
		var kind SettlementKind
		var sum int64
		err := rows.Scan((*string)(&kind), &sum)
		sums[kind] = sum
		return err
	}, `SELECT kind, CAST(SUM(amount) AS BIGINT) FROM billing_settlements WHERE invoice_id = $1 GROUP BY kind`, invoice)
	return sums, err
}

// openInvoices are a tenant's with something open, the first due first.
func openInvoices(ctx context.Context, q db.Queryer, t tenant.ID, c money.Currency) ([]Issued, error) {
	open, err := listIssued(ctx, q, IssuedFilter{tenant: t, currency: c, Open: true, Limit: -1})
	slices.SortFunc(open, func(a, b Issued) int { return cmp.Or(a.DueAt.Compare(b.DueAt), cmp.Compare(a.ID, b.ID)) })
	return open, err
}

// accountCredit is what a tenant has to its credit, above zero.
func accountCredit(ctx context.Context, q db.Queryer, t tenant.ID, c money.Currency) (int64, error) {
	balance, err := journal.BalanceOf(ctx, q, journal.AccountCredit, string(t), c)
	return -balance.Minor, err
}

// posting is one of a tenant's, in minor units.
func posting(t tenant.ID, c money.Currency, account journal.Account, minor int64) journal.Posting {
	return journal.Posting{Account: account, Tenant: string(t), Amount: money.New(minor, c)}
}

// posted are the postings that move anything.
func posted(all ...journal.Posting) []journal.Posting {
	return slices.DeleteFunc(all, func(p journal.Posting) bool { return p.Amount.Minor == 0 })
}

// useCredit has the credit of a tenant's account pay open invoices, in their order.
func useCredit(ctx context.Context, tx *sql.Tx, t tenant.ID, c money.Currency, open []Issued, most int64, by string, at time.Time) ([]share, error) {
	credit, err := accountCredit(ctx, tx, t, c)
	if err != nil {
		return nil, err
	}
	shares, _ := spread(min(most, credit), open)
	sum := shared(shares)
	if sum == 0 {
		return nil, nil
	}
	entry, err := journal.PostTx(ctx, tx, journal.Entry{
		Key: "credit/" + id.New("use"), At: at, EnteredAt: at, Actor: by, Description: "credit pays " + refsOf(shares),
		Postings: []journal.Posting{posting(t, c, journal.AccountCredit, sum), posting(t, c, journal.Receivable, -sum)},
	})
	if err != nil {
		return nil, err
	}
	return shares, settle(ctx, tx, settling{kind: ByCredit, entry: entry, at: at, by: by}, shares)
}

// refsOf are the numbers of invoices, in one line.
func refsOf(shares []share) string {
	const most = 10
	text := ""
	for n, x := range shares {
		switch {
		case n == most:
			return text + " and others"
		case n > 0:
			text += ", "
		}
		text += x.invoice.Ref()
	}
	return text
}

// A Rehearsal is how a change of money is asked for: only to see what it would do, or
// to do what was seen.
type Rehearsal struct {
	DryRun bool
	Expect string // the fingerprint of a dry run: where anything else would be done, nothing is
}

var errRehearsed = errors.New("billing: only rehearsed")

// rehearse runs do in a transaction, which is rolled back where nothing is to be done.
// do answers the fingerprint of what it does, which has nothing of chance in it.
func (s *Service) rehearse(ctx context.Context, r Rehearsal, now time.Time, do func(tx *sql.Tx) (fingerprint string, err error)) (fingerprint string, done bool, err error) {
	err = s.db.Write(ctx, func(tx *sql.Tx) (err error) {
		if fingerprint, err = do(tx); err != nil {
			return err
		}
		if r.Expect != "" && r.Expect != fingerprint {
			return fault.New(fault.Conflict, "What would be done is another than was looked at. Look at it again.")
		}
		if r.DryRun {
			return errRehearsed
		}
		return claimRequest(ctx, tx, now)
	})
	if errors.Is(err, errRehearsed) {
		return fingerprint, false, nil
	}
	return fingerprint, err == nil, err
}
