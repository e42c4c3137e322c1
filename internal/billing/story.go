package billing

import (
	"context"
	"database/sql"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/journal"
)

// A StateChange is how it stood with a document from an instant on.
type StateChange struct {
	State  InvoiceState
	At     time.Time
	Actor  string
	Reason string // what brought it about; empty of the issue
}

// A Story is what became of a document: its states and what settled it, in their order,
// and the entries of the journal that came of both.
type Story struct {
	States      []StateChange
	Settlements []Settlement
	Entries     []journal.Entry
}

// Story tells what became of a document.
func (s *Service) Story(ctx context.Context, i Issued) (st Story, err error) {
	q := s.db.Read()
	st.States, err = db.All(ctx, q, func(rows *sql.Rows) (c StateChange, err error) {
		var at int64
		err = rows.Scan((*string)(&c.State), &at, &c.Actor, &c.Reason)
		c.At = db.Time(at)
		return c, err
	}, `SELECT state, at, actor, reason FROM billing_states WHERE invoice_id = $1 ORDER BY seq`, i.ID)
	if err != nil {
		return st, err
	}
	if st.Settlements, err = listSettlements(ctx, q, "x.invoice_id = $1", i.ID); err != nil {
		return st, err
	}
	ids := make([]string, len(st.Settlements))
	for n, x := range st.Settlements {
		ids[n] = x.Entry
	}
	st.Entries, err = journal.Entries(ctx, q, "invoice/"+i.ID, ids)
	return st, err
}

// Upcoming are the documents that are due of a subscription after those that were
// issued, up to the end of the period that an instant is in and its grace, by what is
// known now.
func (s *Service) Upcoming(ctx context.Context, sub SubscriptionID, at time.Time) ([]Invoice, error) {
	a, err := s.Agreement(ctx, sub)
	if err != nil {
		return nil, err
	}
	return s.upcoming(ctx, &a, at)
}
