// Package journal is money in double entry. An entry is postings to accounts that add
// up to nothing in each currency, which the database enforces; it is never changed,
// and what was wrong with it is put right by another. Balances are sums of postings
// and stand nowhere by themselves. The package knows no invoice: whoever posts says
// what for, with a key of its own, so that the same cause posts once.
//
// A debit is above zero, a credit below: what a tenant owes is a positive balance of
// its receivable, what was earned a negative one of revenue.
package journal

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/id"
	"github.com/arcadia-cloud/arcadia/internal/money"
)

// An Account is where money is or was. Each tenant has its own of each.
type Account string

// The accounts.
const (
	Receivable     Account = "receivable"      // what was invoiced and is not paid
	Accrued        Account = "accrued"         // what was used and is not invoiced
	Revenue        Account = "revenue"         // net of tax
	TaxPayable     Account = "tax_payable"     // what is owed to tax offices
	CustomerCredit Account = "customer_credit" // what bills gave back: the next bills of the same subscription use it
	AccountCredit  Account = "account_credit"  // what tenants paid too much, or were credited: it pays any invoice
	CashClearing   Account = "cash_clearing"   // what came in, or went out, at banks
	Fees           Account = "fees"
	BadDebt        Account = "bad_debt"
	CloudCost      Account = "cloud_cost"       // what resources cost at DigitalOcean
	CloudPayable   Account = "cloud_payable"    // what is owed to DigitalOcean for them
	Carried        Account = "carried_forward"  // what tenants owed another system when they came from it
	Opening        Account = "opening_balances" // what balances that were brought along stand against
)

var accounts = map[Account]bool{Receivable: true, Accrued: true, Revenue: true, TaxPayable: true, CustomerCredit: true, AccountCredit: true, CashClearing: true, Fees: true,
	BadDebt: true, CloudCost: true, CloudPayable: true, Carried: true, Opening: true}

// A Posting moves an amount, in minor units: a debit above zero, a credit below.
type Posting struct {
	Account Account
	Tenant  string // the tenant's id; empty: of no tenant
	Amount  money.Amount
}

// An Entry is one thing that happened to money.
type Entry struct {
	ID          string
	Key         string    // of its cause; a second entry of a key is refused
	At          time.Time // when it happened
	EnteredAt   time.Time
	Actor       string
	Description string
	Postings    []Posting
}

// check returns an entry's postings that are not nothing, or what is wrong with it.
func (e *Entry) check() ([]Posting, error) {
	sums := make(map[money.Currency]money.Amount)
	var postings []Posting
	for _, p := range e.Postings {
		if !accounts[p.Account] {
			return nil, fault.New(fault.Invalid, "There is no account %q.", string(p.Account))
		}
		sum, err := money.Sum(p.Amount.Currency, p.Amount, money.New(sums[p.Amount.Currency].Minor, p.Amount.Currency))
		if err != nil {
			return nil, err
		}
		if sums[p.Amount.Currency] = sum; p.Amount.Minor != 0 {
			postings = append(postings, p)
		}
	}
	for _, sum := range sums {
		if sum.Minor != 0 {
			return nil, fault.New(fault.Invalid, "The postings of %q are off by %s: they add up to nothing.", e.Key, sum)
		}
	}
	if e.Key == "" || len(postings) == 0 {
		return nil, fault.New(fault.Invalid, "An entry has a key, and postings that are not nothing.")
	}
	return postings, nil
}

// PostTx enters an entry in the caller's transaction and returns its id. Postings of
// nothing are left out. It answers fault.Conflict where an entry of this key is there,
// and fault.Invalid for postings that do not add up to nothing.
func PostTx(ctx context.Context, tx *sql.Tx, e Entry) (string, error) {
	postings, err := e.check()
	if err != nil {
		return "", err
	}
	e.ID = id.New("entry")
	_, err = tx.ExecContext(ctx, `INSERT INTO journal_entries (id, key, at, entered_at, actor, description) VALUES ($1, $2, $3, $4, $5, $6)`,
		e.ID, e.Key, db.Micros(e.At), db.Micros(e.EnteredAt), e.Actor, e.Description)
	if db.IsUnique(err) {
		return "", fault.Wrap(fault.Conflict, err, "There is an entry of %q already.", e.Key)
	}
	if err != nil {
		return "", err
	}
	for i, p := range postings {
		_, err := tx.ExecContext(ctx, `INSERT INTO journal_postings (entry_id, line, account, tenant_id, currency, amount) VALUES ($1, $2, $3, $4, $5, $6)`,
			e.ID, i+1, string(p.Account), p.Tenant, string(p.Amount.Currency), p.Amount.Minor)
		if err != nil {
			return "", err
		}
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO journal_seals (entry_id) VALUES ($1)`, e.ID)
	return e.ID, err
}

// PostAllTx enters entries in the caller's transaction of d, like PostTx and many times
// as fast for many. A key that is there is a violated constraint ([db.IsUnique]), which
// may come as late as with the COMMIT.
func PostAllTx(ctx context.Context, d *db.DB, tx *sql.Tx, all []Entry) error {
	var entries, posted, seals [][]any
	for _, e := range all {
		postings, err := e.check()
		if err != nil {
			return err
		}
		of := id.New("entry")
		entries = append(entries, []any{of, e.Key, db.Micros(e.At), db.Micros(e.EnteredAt), e.Actor, e.Description})
		for i, p := range postings {
			posted = append(posted, []any{of, int64(i + 1), string(p.Account), p.Tenant, string(p.Amount.Currency), p.Amount.Minor})
		}
		seals = append(seals, []any{of})
	}
	return d.Pipeline(ctx, tx, db.Statement{Bulk: insertEntries, Rows: entries}, db.Statement{Bulk: insertPostings, Rows: posted},
		db.Statement{Bulk: insertSeals, Rows: seals})
}

var (
	insertEntries = db.NewBulk(`INSERT INTO journal_entries (id, key, at, entered_at, actor, description)
		SELECT id, key, at, entered_at, actor, description FROM given`,
		db.Column{Name: "id"}, db.Column{Name: "key"}, db.Column{Name: "at", Type: db.Integer}, db.Column{Name: "entered_at", Type: db.Integer},
		db.Column{Name: "actor"}, db.Column{Name: "description"})
	insertPostings = db.NewBulk(`INSERT INTO journal_postings (entry_id, line, account, tenant_id, currency, amount)
		SELECT entry_id, line, account, tenant_id, currency, amount FROM given`,
		db.Column{Name: "entry_id"}, db.Column{Name: "line", Type: db.Integer}, db.Column{Name: "account"}, db.Column{Name: "tenant_id"},
		db.Column{Name: "currency"}, db.Column{Name: "amount", Type: db.Integer})
	insertSeals = db.NewBulk(`INSERT INTO journal_seals (entry_id) SELECT entry_id FROM given`, db.Column{Name: "entry_id"})
)

// A Balance is what the postings of an account add up to.
type Balance struct {
	Account Account
	Tenant  string
	Amount  money.Amount
}

// Balances are those of a tenant, of all where it is empty, that are not nothing, by
// tenant, account and currency.
func Balances(ctx context.Context, q db.Queryer, tenant string) ([]Balance, error) {
	return db.All(ctx, q, func(rows *sql.Rows) (b Balance, err error) {
		err = rows.Scan(&b.Tenant, (*string)(&b.Account), (*string)(&b.Amount.Currency), &b.Amount.Minor)
		return b, err
	}, `SELECT p.tenant_id, p.account, p.currency, CAST(SUM(p.amount) AS BIGINT) FROM journal_postings p
		JOIN journal_seals s ON s.entry_id = p.entry_id WHERE CAST($1 AS TEXT) = '' OR p.tenant_id = $1
		GROUP BY p.tenant_id, p.account, p.currency HAVING SUM(p.amount) <> 0 ORDER BY p.tenant_id, p.account, p.currency`, tenant)
}

// Totals are what one account of all tenants adds up to, by currency, where that is not
// nothing.
func Totals(ctx context.Context, q db.Queryer, account Account) ([]money.Amount, error) {
	return db.All(ctx, q, func(rows *sql.Rows) (sum money.Amount, err error) {
		err = rows.Scan((*string)(&sum.Currency), &sum.Minor)
		return sum, err
	}, `SELECT p.currency, CAST(SUM(p.amount) AS BIGINT) FROM journal_postings p JOIN journal_seals s ON s.entry_id = p.entry_id
		WHERE p.account = $1 GROUP BY p.currency HAVING SUM(p.amount) <> 0 ORDER BY p.currency`, string(account))
}

// BalancesTx are those of one account of some tenants that are not nothing, in the
// caller's transaction of d, in the order of the tenants.
func BalancesTx(ctx context.Context, d *db.DB, tx *sql.Tx, account Account, tenants []string) ([]Balance, error) {
	rows := make([][]any, len(tenants))
	for i, t := range tenants {
		rows[i] = []any{t, string(account)}
	}
	var all []Balance
	err := d.Pipeline(ctx, tx, db.Statement{Bulk: selectBalances, Rows: rows, Answer: func(scan func(...any) error) error {
		b := Balance{Account: account}
		err := scan(&b.Tenant, (*string)(&b.Amount.Currency), &b.Amount.Minor)
		all = append(all, b)
		return err
	}})
	slices.SortFunc(all, func(a, b Balance) int {
		return cmp.Or(cmp.Compare(slices.Index(tenants, a.Tenant), slices.Index(tenants, b.Tenant)), cmp.Compare(a.Amount.Currency, b.Amount.Currency))
	})
	return all, err
}

var selectBalances = db.NewBulk(`SELECT g.tenant, p.currency, CAST(SUM(p.amount) AS BIGINT) FROM given g JOIN journal_postings p ON p.tenant_id = g.tenant AND p.account = g.account
	JOIN journal_seals s ON s.entry_id = p.entry_id GROUP BY g.tenant, p.currency HAVING SUM(p.amount) <> 0`, db.Column{Name: "tenant"}, db.Column{Name: "account"})

// BalanceOf is what the postings of one account of a tenant add up to.
func BalanceOf(ctx context.Context, q db.Queryer, account Account, tenant string, c money.Currency) (money.Amount, error) {
	sum := money.New(0, c)
	err := q.QueryRowContext(ctx, `SELECT CAST(COALESCE(SUM(p.amount), 0) AS BIGINT) FROM journal_postings p JOIN journal_seals s ON s.entry_id = p.entry_id
		WHERE p.tenant_id = $1 AND p.account = $2 AND p.currency = $3`, tenant, string(account), string(c)).Scan(&sum.Minor)
	return sum, err
}

// SumOfKind is what entries of a kind, the first word of their keys, post to an account
// of a tenant.
func SumOfKind(ctx context.Context, q db.Queryer, kind string, account Account, tenant string, c money.Currency) (money.Amount, error) {
	sum := money.New(0, c)
	err := q.QueryRowContext(ctx, `SELECT CAST(COALESCE(SUM(p.amount), 0) AS BIGINT) FROM journal_postings p JOIN journal_seals s ON s.entry_id = p.entry_id
		JOIN journal_entries e ON e.id = p.entry_id
		WHERE p.tenant_id = $1 AND p.account = $2 AND p.currency = $3 AND e.key LIKE $4`, tenant, string(account), string(c), kind+"/%").Scan(&sum.Minor)
	return sum, err
}

// ByEntry is what each entry posts to an account, of whatever tenant, in minor units.
func ByEntry(ctx context.Context, q db.Queryer, account Account) (map[string]int64, error) {
	sums := make(map[string]int64)
	err := db.Each(ctx, q, func(rows *sql.Rows) error {
		var entry string
		var sum int64
		err := rows.Scan(&entry, &sum)
		sums[entry] = sum
		return err
	}, `SELECT p.entry_id, CAST(SUM(p.amount) AS BIGINT) FROM journal_postings p JOIN journal_seals s ON s.entry_id = p.entry_id
		WHERE p.account = $1 GROUP BY p.entry_id`, string(account))
	return sums, err
}

// EachPosting calls see with each posting to some accounts of an entry that happened
// within [from, to), and with when it did.
func EachPosting(ctx context.Context, q db.Queryer, from, to time.Time, see func(p Posting, at time.Time) error, of ...Account) error {
	args := []any{db.Micros(from), db.Micros(to)}
	var list []string
	for _, a := range of {
		args = append(args, string(a))
		list = append(list, "$"+strconv.Itoa(len(args)))
	}
	return db.Each(ctx, q, func(rows *sql.Rows) error {
		var p Posting
		var at int64
		if err := rows.Scan((*string)(&p.Account), &p.Tenant, (*string)(&p.Amount.Currency), &p.Amount.Minor, &at); err != nil {
			return err
		}
		return see(p, db.Time(at))
	}, `SELECT p.account, p.tenant_id, p.currency, p.amount, e.at FROM journal_entries e
		JOIN journal_seals s ON s.entry_id = e.id JOIN journal_postings p ON p.entry_id = e.id
		WHERE e.at >= $1 AND e.at < $2 AND p.account IN (`+strings.Join(list, ", ")+`) ORDER BY e.at, e.id, p.line`, args...)
}

// Find is the entry of a key; fault.NotFound where there is none.
func Find(ctx context.Context, q db.Queryer, key string) (Entry, error) {
	all, err := Entries(ctx, q, key, nil)
	if err == nil && len(all) == 0 {
		err = fault.New(fault.NotFound, "There is no entry of %q.", strings.ToValidUTF8(key, "�"))
	}
	if err != nil {
		return Entry{Key: key}, err
	}
	return all[0], nil
}

// Entries are the entry of a key and those with some ids, in the order in which they
// were entered. What there is not is left out.
func Entries(ctx context.Context, q db.Queryer, key string, ids []string) ([]Entry, error) {
	in, args := "", []any{key}
	for _, id := range ids {
		args = append(args, id)
		in += fmt.Sprintf(", $%d", len(args))
	}
	all, err := db.All(ctx, q, func(rows *sql.Rows) (e Entry, err error) {
		var at, entered int64
		err = rows.Scan(&e.ID, &e.Key, &at, &entered, &e.Actor, &e.Description)
		e.At, e.EnteredAt = db.Time(at), db.Time(entered)
		return e, err
	}, `SELECT e.id, e.key, e.at, e.entered_at, e.actor, e.description FROM journal_entries e JOIN journal_seals s ON s.entry_id = e.id
		WHERE e.key = $1 OR e.id IN (''`+in+`) ORDER BY e.entered_at, e.id`, args...)
	for n := range all {
		e := &all[n]
		if err == nil {
			e.Postings, err = db.All(ctx, q, func(rows *sql.Rows) (p Posting, err error) {
				err = rows.Scan((*string)(&p.Account), &p.Tenant, (*string)(&p.Amount.Currency), &p.Amount.Minor)
				return p, err
			}, `SELECT account, tenant_id, currency, amount FROM journal_postings WHERE entry_id = $1 ORDER BY line`, e.ID)
		}
	}
	return all, err
}

// A Wrong entry is one that does not add up, or was never sealed.
type Wrong struct{ ID, Why string }

// Verify looks at every entry: how many there are, and which are wrong.
func Verify(ctx context.Context, q db.Queryer) (entries int64, wrong []Wrong, err error) {
	if err := q.QueryRowContext(ctx, `SELECT COUNT(*) FROM journal_entries`).Scan(&entries); err != nil {
		return 0, nil, err
	}
	wrong, err = db.All(ctx, q, func(rows *sql.Rows) (w Wrong, err error) {
		err = rows.Scan(&w.ID, &w.Why)
		return w, err
	}, `SELECT p.entry_id, 'its postings do not add up to nothing' FROM journal_postings p
		GROUP BY p.entry_id, p.currency HAVING SUM(p.amount) <> 0
		UNION SELECT e.id, 'it is not sealed' FROM journal_entries e WHERE NOT EXISTS (SELECT 1 FROM journal_seals s WHERE s.entry_id = e.id) ORDER BY 1`)
	return entries, wrong, err
}
