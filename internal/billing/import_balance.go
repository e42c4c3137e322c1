package billing

import (
	"context"
	"database/sql"
	"fmt"
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

// importBalances posts what tenants owed another system, or had to their credit there,
// an entry for each new line. What was owed is carried forward until payments settle
// it; what was to the credit pays later invoices, as all credit of an account does.
func (s *Service) importBalances(ctx context.Context, tx *sql.Tx, m *importing) error {
	fresh, err := s.newLines(ctx, tx, m)
	if err != nil {
		return err
	}
	closed, err := closedMonths(ctx, tx)
	if err != nil {
		return err
	}
	for _, line := range fresh {
		n, customer := line.n, line.customer
		r, l := m.rows[n], &m.lines[n]
		amount, err := balanceOf(r, customer)
		if err := r.blame("amount", err); err != nil {
			return err
		}
		at, err := pastDay(r.text("date"), customer.Zone, m.at)
		if err == nil {
			err = stillOpen(at, customer.Zone, closed)
		}
		if err := r.blame("date", err); err != nil {
			return err
		}
		note := r.text("note")
		if err := r.blame("note", checkTexts(named{"note", &note, 200})); err != nil {
			return err
		}
		l.Amount = amount
		switch {
		case len(r.Problems) > 0:
			continue
		case amount.Minor == 0:
			l.Action, l.What = ImportUnchanged, customer.Slug+" owed nothing"
			continue
		case amount.Minor > 0:
			l.What = fmt.Sprintf("%s owes %s", customer.Slug, amount)
		default:
			l.What = fmt.Sprintf("%s has %s to its credit", customer.Slug, money.New(-amount.Minor, amount.Currency))
		}
		text := "opening balance"
		if note != "" {
			text += ": " + note
		}
		owed, credit := max(0, amount.Minor), max(0, -amount.Minor)
		entry, err := journal.PostTx(ctx, tx, journal.Entry{
			Key: "opening/" + r.text("key"), At: at, EnteredAt: m.at, Actor: m.by, Description: text,
			Postings: posted(posting(customer.Tenant, amount.Currency, journal.Carried, owed), posting(customer.Tenant, amount.Currency, journal.AccountCredit, -credit),
				posting(customer.Tenant, amount.Currency, journal.Opening, -amount.Minor)),
		})
		if err != nil {
			return err
		}
		if err := m.land(ctx, tx, n, entry); err != nil {
			return err
		}
	}
	return nil
}

// balanceOf reads what a line says that a tenant owes.
func balanceOf(r *sheetRow, customer Customer) (money.Amount, error) {
	c, err := money.ParseCurrency(r.text("currency"))
	if err == nil && c != customer.Currency {
		err = fault.New(fault.Invalid, "Tenant %s is billed in %s.", customer.Slug, customer.Currency)
	}
	if err != nil {
		return money.New(0, customer.Currency), r.blame("currency", err)
	}
	amount, err := money.Parse(r.text("amount"), c)
	if err == nil && (amount.Minor > maxMinor || amount.Minor < -maxMinor) {
		err = fault.New(fault.Invalid, "%s is too large an amount of money.", amount)
	}
	return amount, err
}

// pastDay reads a day, or an instant, that has come.
func pastDay(text, zone string, now time.Time) (time.Time, error) {
	z, err := period.Zone(zone)
	if err != nil {
		return time.Time{}, err
	}
	at, err := metering.ParseTime(text, z)
	switch {
	case err != nil:
		return at, fault.New(fault.Invalid, "%s.", upper(err.Error()))
	case at.After(now):
		return at, fault.New(fault.Invalid, "%s is still to come.", cut(text))
	}
	return at, nil
}

// stillOpen refuses an instant of a month that is closed.
func stillOpen(at time.Time, zone string, closed map[string]bool) error {
	z, err := period.Zone(zone)
	if err != nil {
		return err
	}
	if month := at.In(z).Format("2006-01"); closed[month] {
		return fault.New(fault.Conflict, "%s is closed: give a day after it.", month)
	}
	return nil
}

// carried is what a tenant still owes of what it brought with it, above zero.
func carried(ctx context.Context, q db.Queryer, t tenant.ID, c money.Currency) (int64, error) {
	balance, err := journal.BalanceOf(ctx, q, journal.Carried, string(t), c)
	return balance.Minor, err
}

// creditPaysCarried has credit of a tenant's account pay what it brought with it.
func creditPaysCarried(ctx context.Context, tx *sql.Tx, t tenant.ID, c money.Currency, most int64, by string, at time.Time) (int64, error) {
	owed, err := carried(ctx, tx, t, c)
	sum := min(owed, most)
	if err != nil || sum == 0 {
		return 0, err
	}
	_, err = journal.PostTx(ctx, tx, journal.Entry{
		Key: "credit/" + id.New("use"), At: at, EnteredAt: at, Actor: by, Description: "credit pays the opening balance",
		Postings: []journal.Posting{posting(t, c, journal.AccountCredit, sum), posting(t, c, journal.Carried, -sum)},
	})
	return sum, err
}

// uncarry has credit take back what it paid of what a tenant brought with it, and says
// how much that is.
func uncarry(ctx context.Context, tx *sql.Tx, t tenant.ID, c money.Currency, amount int64, by string, at time.Time) (int64, error) {
	paid, err := journal.SumOfKind(ctx, tx, "credit", journal.Carried, string(t), c)
	back := min(amount, -paid.Minor)
	if err != nil || back == 0 {
		return 0, err
	}
	_, err = journal.PostTx(ctx, tx, journal.Entry{
		Key: "credit/" + id.New("use"), At: at, EnteredAt: at, Actor: by, Description: "credit does not pay the opening balance any more",
		Postings: []journal.Posting{posting(t, c, journal.AccountCredit, -back), posting(t, c, journal.Carried, back)},
	})
	return back, err
}

// verifyOpenings checks that what was imported is in the journal, and that no more of it
// was paid than was owed.
func (s *Service) verifyOpenings(ctx context.Context, balances []journal.Balance) (Verification, error) {
	v := Verification{Name: "opening balances are in the journal, and paid once"}
	keys, err := db.All(ctx, s.db.Read(), func(rows *sql.Rows) (key string, err error) {
		err = rows.Scan(&key)
		return key, err
	}, `SELECT key FROM billing_imports WHERE kind = $1 ORDER BY key`, string(ImportBalances))
	if err != nil {
		return v, err
	}
	v.Count = int64(len(keys))
	for _, key := range keys {
		if _, err := journal.Find(ctx, s.db.Read(), "opening/"+key); fault.KindOf(err) == fault.NotFound {
			v.Wrong = append(v.Wrong, key+" is not in the journal")
		} else if err != nil {
			return v, err
		}
	}
	for _, b := range balances {
		if b.Account == journal.Carried && b.Amount.Minor < 0 {
			v.Wrong = append(v.Wrong, fmt.Sprintf("%s: %s more was paid than it brought with it", b.Tenant, money.New(-b.Amount.Minor, b.Amount.Currency)))
		}
	}
	return v, nil
}
