package billing

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/journal"
	"github.com/arcadia-cloud/arcadia/internal/metering"
	"github.com/arcadia-cloud/arcadia/internal/money"
	"github.com/arcadia-cloud/arcadia/internal/period"
)

// A StatementOrder asks for a statement of a tenant's account.
type StatementOrder struct {
	Tenant string // slug or id
	From   string // date of the customer's zone, or instant; empty: from the first entry
	To     string // date, which is included, or instant, which is not; empty: to the last
}

// A Statement is how a tenant's account moved: what it owes less what it has to its
// credit, by the journal alone. Above zero the tenant owes.
type Statement struct {
	Slug     string
	Zone     string    // of the customer's dates
	From, To time.Time // zero: open
	Accounts []StatementAccount
}

// A StatementAccount is a statement in one currency.
type StatementAccount struct {
	Currency money.Currency
	Opening  int64
	Closing  int64
	Lines    []StatementLine
}

// A StatementLine is an entry of the journal as it moves the account.
type StatementLine struct {
	Entry   string
	At      time.Time
	Kind    string // invoice, payment, reversal, write_off and so on: the first word of the entry's key
	Text    string
	Amount  int64 // above zero: owed
	Balance int64 // after it
}

// Statement is that of a tenant's account. Entries that move nothing between tenant and
// house, as where credit pays an invoice, are left out.
func (s *Service) Statement(ctx context.Context, o StatementOrder) (Statement, error) {
	t, err := s.tenants.Tenant(ctx, o.Tenant)
	if err != nil {
		return Statement{}, err
	}
	customer, err := findCustomer(ctx, s.db.Read(), t.ID)
	if err != nil {
		return Statement{}, unbilled(err, t.Slug)
	}
	st := Statement{Slug: t.Slug, Zone: customer.Zone}
	if st.From, st.To, err = between(o.From, o.To, customer.Zone); err != nil {
		return st, err
	}
	moves, err := journal.Moves(ctx, s.db.Read(), string(t.ID), journal.Receivable, journal.Carried, journal.AccountCredit, journal.CustomerCredit)
	if err != nil {
		return st, err
	}
	zone, err := period.Zone(customer.Zone)
	if err != nil {
		return st, err
	}
	st.Accounts = statementOf(inDays(moves, zone), st.From, st.To)
	return st, nil
}

// between reads the bounds of a statement.
func between(from, to, zone string) (f, t time.Time, err error) {
	z, err := period.Zone(zone)
	if err != nil {
		return f, t, err
	}
	if from != "" {
		if f, err = metering.ParseTime(from, z); err != nil {
			return f, t, fault.New(fault.Invalid, "from: %v.", err)
		}
	}
	if to != "" {
		if t, err = metering.ParseTime(to, z); err != nil {
			return f, t, fault.New(fault.Invalid, "to: %v.", err)
		}
		if _, err := time.Parse(time.DateOnly, to); err == nil {
			t = t.In(z).AddDate(0, 0, 1) // the day is included
		}
	}
	if !f.IsZero() && !t.IsZero() && t.Before(f) {
		return f, t, fault.New(fault.Invalid, "The statement ends before it begins.")
	}
	return f.UTC(), t.UTC(), nil
}

// inDays sorts moves by their days in a zone, those of a day as they were entered: a bank
// says on which day it had a payment and not when, and what pays an invoice comes after it.
func inDays(moves []journal.Move, zone *time.Location) []journal.Move {
	slices.SortStableFunc(moves, func(a, b journal.Move) int {
		return cmp.Or(cmp.Compare(period.DateOf(a.At, zone), period.DateOf(b.At, zone)), a.EnteredAt.Compare(b.EnteredAt))
	})
	return moves
}

// statementOf adds up moves by currency: what was before, then each in its order.
func statementOf(moves []journal.Move, from, to time.Time) []StatementAccount {
	accounts := []StatementAccount{}
	at := make(map[money.Currency]int)
	for _, m := range moves {
		n, known := at[m.Amount.Currency]
		if !known {
			n = len(accounts)
			at[m.Amount.Currency] = n
			accounts = append(accounts, StatementAccount{Currency: m.Amount.Currency, Lines: []StatementLine{}})
		}
		if m.At.Before(from) {
			accounts[n].Opening += m.Amount.Minor
			accounts[n].Closing += m.Amount.Minor
		}
	}
	for _, m := range moves {
		if m.At.Before(from) || !to.IsZero() && !m.At.Before(to) {
			continue
		}
		a := &accounts[at[m.Amount.Currency]]
		a.Closing += m.Amount.Minor
		a.Lines = append(a.Lines, StatementLine{Entry: m.Entry, At: m.At, Kind: m.Kind, Text: m.Description, Amount: m.Amount.Minor, Balance: a.Closing})
	}
	return accounts
}
