package billing

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/journal"
	"github.com/arcadia-cloud/arcadia/internal/money"
)

// A purse is an account of a tenant in a currency.
type purse struct {
	tenant   string
	currency money.Currency
}

// verifyMoney checks what was paid: that what tenants owe by the journal is what their
// invoices have open, that no credit was spent twice, or otherwise than in its order, that whatever settles an invoice
// is in the journal, and that states are what settlements make of them.
func (s *Service) verifyMoney(ctx context.Context, issued []Issued) ([]Verification, error) {
	balances, err := journal.Balances(ctx, s.db.Read(), "")
	if err != nil {
		return nil, err
	}
	settled, err := listSettlements(ctx, s.db.Read(), "1 = 1")
	if err != nil {
		return nil, err
	}
	booked, err := s.verifyBooked(ctx, settled)
	if err != nil {
		return nil, err
	}
	totals, err := noteTotals(ctx, s.db.Read(), "")
	if err != nil {
		return nil, err
	}
	back, err := s.verifyGivenBack(ctx, issued, totals)
	if err != nil {
		return nil, err
	}
	owed, credit := verifyOwed(issued, balances), verifyCredit(balances)
	left, err := s.verifyLeft(ctx, issued, balances)
	if err != nil {
		return nil, err
	}
	burned, err := s.verifyBurned(ctx, issued, settled)
	if err != nil {
		return nil, err
	}
	openings, err := s.verifyOpenings(ctx, balances)
	return []Verification{owed, credit, burned, left, booked, back, verifyStates(issued, settled, totals), openings}, err
}

func verifyOwed(issued []Issued, balances []journal.Balance) Verification {
	owed := make(map[purse]int64)
	for _, i := range issued {
		owed[purse{string(i.Tenant), i.Currency}] += i.Open
	}
	v := Verification{Name: "what tenants owe is what their invoices have open", Count: int64(len(owed))}
	for _, b := range balances {
		if b.Account == journal.Receivable {
			owed[purse{b.Tenant, b.Amount.Currency}] -= b.Amount.Minor
		}
	}
	for p, off := range owed {
		if off != 0 {
			v.Wrong = append(v.Wrong, fmt.Sprintf("%s: open invoices are %s off", p.tenant, money.New(off, p.currency)))
		}
	}
	slices.Sort(v.Wrong)
	return v
}

func verifyCredit(balances []journal.Balance) Verification {
	v := Verification{Name: "no credit is spent twice"}
	for _, b := range balances {
		if b.Account != journal.AccountCredit && b.Account != journal.CustomerCredit {
			continue
		}
		if v.Count++; b.Amount.Minor > 0 {
			v.Wrong = append(v.Wrong, fmt.Sprintf("%s: %s of %s more than there was", b.Tenant, b.Amount, b.Account))
		}
	}
	return v
}

// verifyLeft compares the credit of subscriptions with what their documents gave and
// counted in, and with what was released of it.
func (s *Service) verifyLeft(ctx context.Context, issued []Issued, balances []journal.Balance) (Verification, error) {
	left := make(map[purse]int64)
	of := make(map[SubscriptionID]purse)
	for _, i := range issued {
		p := purse{string(i.Tenant), i.Currency}
		of[i.Subscription] = p
		switch {
		case i.revision < 0: // by hand: it is credit of the account
		case i.Purpose == Credit:
			left[p] += i.Total
		default:
			left[p] += i.Due - i.Total
		}
	}
	v := Verification{Name: "credit of subscriptions is what their documents leave", Count: int64(len(left))}
	err := db.Each(ctx, s.db.Read(), func(rows *sql.Rows) error {
		var sub string
		var released int64
		err := rows.Scan(&sub, &released)
		left[of[SubscriptionID(sub)]] -= released
		return err
	}, `SELECT subscription_id, amount FROM billing_releases`)
	for _, b := range balances {
		if b.Account == journal.CustomerCredit {
			left[purse{b.Tenant, b.Amount.Currency}] += b.Amount.Minor
		}
	}
	for p, off := range left {
		if off != 0 {
			v.Wrong = append(v.Wrong, fmt.Sprintf("%s: the journal is %s off", p.tenant, money.New(off, p.currency)))
		}
	}
	slices.Sort(v.Wrong)
	return v, err
}

// verifyBooked compares settlements and payments with their entries.
func (s *Service) verifyBooked(ctx context.Context, settled []Settlement) (Verification, error) {
	v := Verification{Name: "payments, refunds and what settles invoices are in the journal"}
	receivable, err := journal.ByEntry(ctx, s.db.Read(), journal.Receivable)
	if err != nil {
		return v, err
	}
	sums := make(map[string]int64)
	for _, x := range settled {
		sums[x.Entry] += x.Amount
	}
	for entry, sum := range sums {
		if receivable[entry] != -sum {
			v.Wrong = append(v.Wrong, fmt.Sprintf("%s settles %d and posts %d", entry, sum, -receivable[entry]))
		}
	}
	cash, err := journal.ByEntry(ctx, s.db.Read(), journal.CashClearing)
	if err != nil {
		return v, err
	}
	payments, err := listPayments(ctx, s.db.Read(), PaymentFilter{Limit: -1})
	if err != nil {
		return v, err
	}
	refunds, err := listRefunds(ctx, s.db.Read(), "1 = 1")
	if err != nil {
		return v, err
	}
	for _, r := range refunds {
		if cash[r.Entry] != -r.Amount.Minor {
			v.Wrong = append(v.Wrong, fmt.Sprintf("%s is %s and posts %s", r.ID, r.Amount, money.New(-cash[r.Entry], r.Amount.Currency)))
		}
	}
	v.Count = int64(len(payments) + len(settled) + len(refunds))
	byPayment := make(map[string]int64)
	for _, x := range settled {
		byPayment[x.Source] += x.Amount
	}
	amounts := make(map[string]Payment, len(payments))
	for _, p := range payments {
		amounts[p.ID] = p
		if cash[p.Entry] != p.Amount.Minor-p.Fee {
			v.Wrong = append(v.Wrong, fmt.Sprintf("%s is %s and posts %s", p.ID, p.Amount, money.New(cash[p.Entry], p.Amount.Currency)))
		}
		if left := byPayment[p.ID]; left < 0 || left > p.Amount.Minor {
			v.Wrong = append(v.Wrong, fmt.Sprintf("%s is %s and settles %s", p.ID, p.Amount, money.New(left, p.Amount.Currency)))
		}
	}
	err = db.Each(ctx, s.db.Read(), func(rows *sql.Rows) error {
		var payment, entry string
		var fee int64
		if err := rows.Scan(&payment, &entry, &fee); err != nil {
			return err
		}
		p := amounts[payment]
		if want := p.Amount.Minor - p.Fee + fee; cash[entry] != -want {
			v.Wrong = append(v.Wrong, fmt.Sprintf("%s was reversed with %s and posts %s", payment, money.New(want, p.Amount.Currency), money.New(-cash[entry], p.Amount.Currency)))
		}
		if byPayment[payment] != 0 {
			v.Wrong = append(v.Wrong, payment+" was reversed and settles something")
		}
		return nil
	}, `SELECT payment_id, entry_id, fee FROM billing_reversals`)
	slices.Sort(v.Wrong)
	return v, err
}

// verifyGivenBack checks that no more of any invoice, and of any of its lines, was given
// back than it charged: by credit notes by hand and by later bills together.
func (s *Service) verifyGivenBack(ctx context.Context, issued []Issued, totals map[string]int64) (Verification, error) {
	v := Verification{Name: "no more is given back than was charged"}
	notes, err := notesOf(ctx, s.db.Read(), "")
	if err != nil {
		return v, err
	}
	of := make(map[SubscriptionID][]Issued)
	for _, i := range issued {
		of[i.Subscription] = append(of[i.Subscription], i)
	}
	catalogs := s.catalogs(ctx)
	for _, bills := range of {
		taken, err := takenBack(bills)
		if err != nil {
			return v, err
		}
		for _, i := range bills {
			if i.Purpose == Credit {
				continue
			}
			v.Count++
			if total := totals[i.ID]; total > max(0, i.Total) {
				v.Wrong = append(v.Wrong, fmt.Sprintf("%s is %s, and %s of it are credited", i.Ref(), money.New(i.Total, i.Currency), money.New(total, i.Currency)))
			}
			if len(notes[i.ID]) == 0 && len(taken[i.ID]) == 0 {
				continue
			}
			catalog, err := catalogs.of(i.Currency)
			if err != nil {
				return v, err
			}
			r, err := remains(&i, catalog, notes[i.ID], taken[i.ID])
			if err != nil && fault.KindOf(err) == fault.Internal {
				return v, err
			}
			for _, line := range r.over {
				v.Wrong = append(v.Wrong, fmt.Sprintf("more of line %d of %s is given back than it charged", line, i.Ref()))
			}
		}
	}
	slices.Sort(v.Wrong)
	return v, nil
}

func verifyStates(issued []Issued, settled []Settlement, totals map[string]int64) Verification {
	sums := make(map[string]map[SettlementKind]int64)
	for _, x := range settled {
		if sums[x.Invoice] == nil {
			sums[x.Invoice] = make(map[SettlementKind]int64)
		}
		sums[x.Invoice][x.Kind] += x.Amount
	}
	v := Verification{Name: "states of invoices follow from what settled them"}
	for _, i := range issued {
		if i.Purpose == Credit {
			continue
		}
		v.Count++
		if state := stateOf(&i, sums[i.ID], totals[i.ID]); state != i.State {
			v.Wrong = append(v.Wrong, fmt.Sprintf("%s is %s and should be %s", i.Ref(), i.State, state))
		}
		if i.Open < 0 || i.Open > i.Due {
			v.Wrong = append(v.Wrong, fmt.Sprintf("%s has %s open", i.Ref(), money.New(i.Open, i.Currency)))
		}
	}
	return v
}
