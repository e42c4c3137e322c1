package billing

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/money"
)

// An ImportKind says what a file has in its lines.
type ImportKind string

// The kinds.
const (
	ImportCustomers     ImportKind = "customers"
	ImportSubscriptions ImportKind = "subscriptions"
	ImportBalances      ImportKind = "balances" // what tenants owed, or had to their credit, elsewhere
)

// An ImportAction says what becomes of a line.
type ImportAction string

// The actions.
const (
	ImportAdded     ImportAction = "added"
	ImportChanged   ImportAction = "changed"
	ImportUnchanged ImportAction = "unchanged"
	ImportRefused   ImportAction = "refused"
)

// An ImportOrder asks for an import.
type ImportOrder struct {
	Rehearsal
	Kind ImportKind
	CSV  string
	By   string
}

// An Imported line is one of a file, and what became of it.
type Imported struct {
	Line     int    // of the file, from 1
	Name     string // what it is about: a tenant's slug, or the key of the line
	Action   ImportAction
	What     string       // that was added or is different
	Amount   money.Amount // that it comes to, where it does: of a balance, of the first bills of a subscription
	Subject  string       // id of what was made; empty in a dry run
	Problems []Problem    // why it is refused: all that is wrong
}

// An Import is what became, or would become, of a file.
type Import struct {
	Kind        ImportKind
	Lines       []Imported
	Totals      []money.Amount // of the lines that are added, by currency
	Fingerprint string         // empty where a line is refused
	Done        bool
}

// Count is how many lines have an action.
func (i Import) Count(a ImportAction) (n int) {
	for _, l := range i.Lines {
		if l.Action == a {
			n++
		}
	}
	return n
}

// forms are the columns of each kind of file.
var forms = map[ImportKind]sheetForm{
	ImportCustomers: {columns: []string{"slug", "name", "contact", "issuer", "currency", "zone", "legal_name", "email", "line1", "line2", "line3", "line4", "postal_code", "city",
		"region", "country", "tax_ids", "taxes", "terms_days", "po_number", "language"}, required: []string{"slug"}},
	ImportSubscriptions: {columns: []string{"key", "tenant", "plan", "from", "quantity", "anchor_day", "taxes", "coupons", "reason"}, required: []string{"key", "tenant", "plan", "from"}},
	ImportBalances:      {columns: []string{"key", "tenant", "amount", "currency", "date", "note"}, required: []string{"key", "tenant", "amount", "currency", "date"}},
}

// Import brings in the lines of a file, all of them or none. The same file again changes
// nothing: customers are known by their slugs, all else by the key of its line. Where
// lines are refused nothing is done, and the answer says of each what is wrong. It
// answers fault.Invalid for what is no such file.
func (s *Service) Import(ctx context.Context, o ImportOrder, now time.Time) (i Import, err error) {
	form, ok := forms[o.Kind]
	if !ok {
		return i, fault.New(fault.Invalid, "There is no import of %q: it is customers, subscriptions or balances.", cut(string(o.Kind)))
	}
	sheet, err := readSheet(o.CSV, form)
	if err != nil {
		return i, err
	}
	told := make([]int, len(sheet.rows)) // problems of the file itself: what a transaction finds is forgotten when it runs again
	for n, r := range sheet.rows {
		told[n] = len(r.Problems)
	}
	run := map[ImportKind]func(context.Context, *sql.Tx, *importing) error{
		ImportCustomers: s.importCustomers, ImportSubscriptions: s.importSubscriptions, ImportBalances: s.importBalances,
	}[o.Kind]
	var made *importing
	i.Fingerprint, i.Done, err = s.rehearse(ctx, o.Rehearsal, now, func(tx *sql.Tx) (string, error) {
		for n, r := range sheet.rows {
			r.Problems = r.Problems[:told[n]]
		}
		made = &importing{kind: o.Kind, rows: sheet.rows, by: o.By, at: micros(now), lines: make([]Imported, len(sheet.rows))}
		if err := run(ctx, tx, made); err != nil {
			return "", err
		}
		if made.refused() {
			return "", errRehearsed
		}
		return made.fingerprint(), nil
	})
	if err != nil {
		return i, err
	}
	if i.Kind, i.Lines = o.Kind, made.lines; made.after != nil {
		if err := made.after(); err != nil {
			return i, err
		}
	}
	i.Totals = totalsOf(made.lines)
	return i, nil
}

// An importing is an import at work.
type importing struct {
	kind  ImportKind
	rows  []*sheetRow
	by    string
	at    time.Time
	lines []Imported
	after func() error // once the transaction is over
}

// refused notes which rows are refused, and says whether any is.
func (m *importing) refused() (any bool) {
	for n, r := range m.rows {
		if m.lines[n].Line = r.Line; len(r.Problems) > 0 {
			m.lines[n].Action, m.lines[n].Problems, any = ImportRefused, r.Problems, true
		}
	}
	return any
}

func (m *importing) fingerprint() string {
	sum := sha256.New()
	for n, l := range m.lines {
		fmt.Fprintf(sum, "%s %d %s %s %s %q\n", m.kind, l.Line, l.Name, l.Action, l.What, m.rows[n].content())
	}
	return hex.EncodeToString(sum.Sum(nil))
}

func totalsOf(lines []Imported) []money.Amount {
	sums := make(map[money.Currency]int64)
	for _, l := range lines {
		if l.Action == ImportAdded && l.Amount.Currency != "" {
			sums[l.Amount.Currency] += l.Amount.Minor
		}
	}
	totals := []money.Amount{}
	for _, c := range slices.Sorted(maps.Keys(sums)) {
		totals = append(totals, money.New(sums[c], c))
	}
	return totals
}

// A landed line is one that was imported, by the key that its file gives it.
type landed struct {
	hash    string
	subject string
}

// known sorts out the lines that were imported before, by their keys: the same line is
// as it was, another of the same key is refused. It answers the rows that are new.
func (m *importing) known(ctx context.Context, tx *sql.Tx) (fresh []int, err error) {
	before := make(map[string]landed)
	err = db.Each(ctx, tx, func(rows *sql.Rows) error {
		var key string
		var l landed
		err := rows.Scan(&key, &l.hash, &l.subject)
		before[key] = l
		return err
	}, `SELECT key, hash, subject FROM billing_imports WHERE kind = $1`, string(m.kind))
	if err != nil {
		return nil, err
	}
	lineOf := make(map[string]int)
	for n, r := range m.rows {
		key := r.text("key")
		l := &m.lines[n]
		l.Name = key
		if err := r.blame("key", checkTexts(named{"key", &key, 100})); err != nil {
			return nil, err
		}
		if line, twice := lineOf[key]; twice && key != "" {
			r.refuse("key", "The key stands twice: line %d has it too.", line)
		}
		lineOf[key] = r.Line
		if len(r.Problems) > 0 {
			continue
		}
		was, known := before[key]
		switch {
		case !known:
			fresh = append(fresh, n)
		case was.hash != digest(r.content()):
			r.refuse("key", "It was imported before with another content, as %s. What was imported is not changed by an import.", was.subject)
		default:
			l.Action, l.What, l.Subject = ImportUnchanged, "imported before", was.subject
		}
	}
	return fresh, nil
}

// land notes that a row was imported.
func (m *importing) land(ctx context.Context, tx *sql.Tx, n int, subject string) error {
	m.lines[n].Action, m.lines[n].Subject = ImportAdded, subject
	_, err := tx.ExecContext(ctx, `INSERT INTO billing_imports (kind, key, hash, subject, imported_at, imported_by) VALUES ($1, $2, $3, $4, $5, $6)`,
		string(m.kind), m.rows[n].text("key"), digest(m.rows[n].content()), subject, db.Micros(m.at), m.by)
	return err
}
