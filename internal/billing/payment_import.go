package billing

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/money"
)

// A Match says how a line of a bank's statement is matched with invoices.
type Match string

// The matches. Lines of the first two kinds are booked.
const (
	MatchExact     Match = "exact"     // it names invoices, and is what they have open
	MatchDiffers   Match = "differs"   // whose it is is certain, and it is more or less than what is open
	MatchAmbiguous Match = "ambiguous" // it could be of several
	MatchNone      Match = "unmatched"
	MatchDuplicate Match = "duplicate" // booked before
	MatchOutgoing  Match = "outgoing"  // not money that came in
	MatchRefused   Match = "refused"   // it cannot be read
)

// A BankFile is a bank's statement to be imported, and how the bank writes it.
type BankFile struct {
	Rehearsal
	CSV      string
	Columns  map[string]string // what the file calls date, amount, currency, reference, payer, bank_ref, tenant, invoice, fee, where that is otherwise
	Currency string            // of all lines, where the file has no column of it
	Comma    bool              // amounts have a decimal comma: 1.234,56
	Dates    string            // how dates are written: YYYY-MM-DD, DD.MM.YYYY, DD/MM/YYYY or MM/DD/YYYY; empty: the first
	By       string
}

// A BankLine is a line of a bank's statement, and what becomes of it.
type BankLine struct {
	Line       int // of the file, from 1
	Key        string
	Amount     money.Amount
	Reference  string
	Payer      string
	Match      Match
	Why        string
	Candidates []string // numbers of invoices that it could be of
	Payment    *Payment // that was booked, or would be; nil: none
	Problems   []Problem
}

// A BankImport is what became, or would become, of a bank's statement.
type BankImport struct {
	Lines       []BankLine
	Fingerprint string // empty where a line is refused
	Done        bool
}

// Count is how many lines have a match.
func (b BankImport) Count(m Match) (n int) {
	for _, l := range b.Lines {
		if l.Match == m {
			n++
		}
	}
	return n
}

var bankForm = sheetForm{
	columns:  []string{"date", "amount", "currency", "reference", "payer", "bank_ref", "tenant", "invoice", "fee"},
	required: []string{"date", "amount"},
	lenient:  true,
}

// dateForms are how banks write dates, as package time has it.
var dateForms = map[string]string{"": time.DateOnly, "YYYY-MM-DD": time.DateOnly, "DD.MM.YYYY": "02.01.2006", "DD/MM/YYYY": "02/01/2006", "MM/DD/YYYY": "01/02/2006"}

// ImportPayments books the lines of a bank's statement whose payers are certain: those
// that name invoices of one tenant, and those that name a tenant. The others are left,
// and answered with what they could be. A line is booked once, by the bank's reference,
// else by all that it says, so that a statement can be imported again when its open
// lines were booked by hand. Where a line cannot be read nothing is booked.
func (s *Service) ImportPayments(ctx context.Context, f BankFile, now time.Time) (b BankImport, err error) {
	form := bankForm
	form.named = f.Columns
	sheet, err := readSheet(f.CSV, form)
	if err != nil {
		return b, err
	}
	layout, ok := dateForms[strings.ToUpper(f.Dates)]
	if !ok {
		return b, fault.New(fault.Invalid, "%q is no form of dates: it is YYYY-MM-DD, DD.MM.YYYY, DD/MM/YYYY or MM/DD/YYYY.", cut(f.Dates))
	}
	orders, lines, err := f.read(sheet, layout)
	if err != nil {
		return b, err
	}
	if slices.ContainsFunc(lines, func(l BankLine) bool { return l.Match == MatchRefused }) {
		return BankImport{Lines: lines}, nil
	}
	b.Fingerprint, b.Done, err = s.rehearse(ctx, f.Rehearsal, now, func(tx *sql.Tx) (string, error) {
		b.Lines = slices.Clone(lines)
		sum, bookedAs := sha256.New(), make(map[string]int)
		for n := range b.Lines {
			l := &b.Lines[n]
			if l.Match == "" {
				if err := s.match(ctx, tx, l, orders[n], now); err != nil {
					return "", err
				}
			}
			if line := bookedAs[l.Key]; line != 0 && l.Match == MatchDuplicate {
				l.Why = fmt.Sprintf("it is line %d once more", line)
			}
			if l.Payment != nil {
				bookedAs[l.Key] = l.Line
			}
			fmt.Fprintf(sum, "%d %q %s %s\n", l.Line, l.Key, l.Match, l.text())
		}
		if slices.ContainsFunc(b.Lines, func(l BankLine) bool { return l.Match == MatchRefused }) {
			return "", errRehearsed
		}
		return hex.EncodeToString(sum.Sum(nil)), nil
	})
	if db.IsUnique(err) { // another booked a line meanwhile
		return s.ImportPayments(ctx, f, now)
	}
	return b, err
}

// text is what is done of a line, without anything of chance.
func (l *BankLine) text() string {
	switch {
	case l.Match == MatchDuplicate:
		return ""
	case l.Payment == nil:
		return l.Why
	}
	return settlementsText(fmt.Sprintf("%s %s %d %d", l.Payment.Slug, l.Payment.Amount, l.Payment.Carried, l.Payment.Credit), l.Payment.Settled)
}

// read reads the lines of a statement as orders of payments.
func (f BankFile) read(sheet *sheet, layout string) ([]PaymentOrder, []BankLine, error) {
	orders, lines := make([]PaymentOrder, len(sheet.rows)), make([]BankLine, len(sheet.rows))
	same := make(map[string]int)
	for n, r := range sheet.rows {
		o := PaymentOrder{Tenant: r.text("tenant"), Invoices: r.list("invoice"), Reference: squeeze(r.text("reference")), Payer: squeeze(r.text("payer")), Key: r.text("bank_ref"), By: f.By}
		currency := r.text("currency")
		if currency == "" {
			currency = f.Currency
		}
		c, err := money.ParseCurrency(currency)
		if err != nil {
			if currency == "" {
				err = fault.New(fault.Invalid, "The line names no currency. Say that of all lines, or which column has it.")
			}
			if err := r.blame("currency", err); err != nil {
				return nil, nil, err
			}
			c = "EUR" // for its decimals alone: the line is refused
		}
		if o.Amount, err = f.amount(r.text("amount"), c); err != nil {
			r.refuse("amount", "%s", fault.Message(err))
		}
		if text := r.text("fee"); text != "" {
			fee, err := f.amount(text, c)
			if err != nil {
				r.refuse("fee", "%s", fault.Message(err))
			}
			o.Fee = fee.Minor
		}
		if day, err := time.Parse(layout, r.text("date")); err != nil {
			r.refuse("date", "%q is no date of the form that was named.", cut(r.text("date")))
		} else {
			o.At = day.Format(time.DateOnly)
		}
		if o.Key == "" {
			content := fmt.Sprintf("%s %d %s %q %q", o.At, o.Amount.Minor, c, o.Reference, o.Payer)
			same[content]++ // two lines that say the same are two payments
			o.Key = "line/" + digest(fmt.Sprintf("%s %d", content, same[content]))[:32]
		}
		lines[n] = BankLine{Line: r.Line, Key: o.Key, Amount: o.Amount, Reference: o.Reference, Payer: o.Payer}
		if len(r.Problems) == 0 && o.Amount.Minor <= 0 {
			lines[n].Match, lines[n].Why = MatchOutgoing, "not money that came in"
			continue
		}
		if len(r.Problems) == 0 {
			if err := r.blame("", o.tidy()); err != nil {
				return nil, nil, err
			}
		}
		if orders[n] = o; len(r.Problems) > 0 {
			lines[n].Match, lines[n].Problems = MatchRefused, r.Problems
		}
	}
	return orders, lines, nil
}

// squeeze makes one line of a text that a bank has broken.
func squeeze(text string) string { return strings.Join(strings.Fields(text), " ") }

// amount reads what a bank writes: with marks between thousands, and a sign on either
// side.
func (f BankFile) amount(text string, c money.Currency) (money.Amount, error) {
	thousands, point := ",", "."
	if f.Comma {
		thousands, point = ".", ","
	}
	plain := strings.NewReplacer(" ", "", "\u00a0", "", "'", "", "\u202f", "", "\u2212", "-").Replace(text)
	if rest, minus := strings.CutSuffix(plain, "-"); minus {
		plain = "-" + rest
	}
	whole, fraction, _ := strings.Cut(strings.TrimPrefix(plain, "+"), point)
	if groups := strings.Split(whole, thousands); len(groups) > 1 {
		for _, g := range groups[1:] {
			if len(g) != 3 { // 1,50 is not a hundred and fifty
				return money.New(0, c), fault.New(fault.Invalid, "%q is no amount with a decimal %q: say how the bank writes it.", cut(text), point)
			}
		}
		whole = strings.Join(groups, "")
	}
	if fraction != "" {
		whole += "." + fraction
	}
	return money.Parse(whole, c)
}

// match books a line where its payer is certain, else says what it could be.
func (s *Service) match(ctx context.Context, tx *sql.Tx, l *BankLine, o PaymentOrder, now time.Time) error {
	before, err := listPayments(ctx, tx, PaymentFilter{key: o.Key, Limit: 1})
	if err != nil {
		return err
	}
	if len(before) > 0 {
		p := before[0]
		l.Match, l.Why = MatchDuplicate, "booked before, as "+p.ID
		if p.Amount != o.Amount {
			l.refuse("bank_ref", fmt.Sprintf("The bank's reference is that of another payment, %s of %s.", p.ID, p.Amount))
		}
		return nil
	}
	named, err := s.targets(ctx, tx, o)
	if err != nil {
		return l.blame("invoice", err)
	}
	if o.Tenant == "" && len(named) == 0 {
		if o, err = s.guess(ctx, tx, l, o); err != nil || l.Match != "" {
			return err
		}
		if named, err = s.targets(ctx, tx, o); err != nil {
			return err
		}
	}
	if o.Tenant == "" && len(o.Invoices) == 0 && named[0].Currency != o.Amount.Currency {
		l.Match, l.Why, l.Candidates = MatchNone, fmt.Sprintf("it names %s, which is in %s", named[0].Ref(), named[0].Currency), []string{named[0].Ref()}
		return nil
	}
	if first := slices.IndexFunc(named, func(i Issued) bool { return i.Tenant != named[0].Tenant }); o.Tenant == "" && first > 0 {
		l.Match, l.Why = MatchAmbiguous, "it names invoices of several tenants"
		for _, i := range named {
			l.Candidates = append(l.Candidates, i.Ref())
		}
		return nil
	}
	p, _, _, err := s.book(ctx, tx, o, now)
	if err != nil {
		return l.blame("", err)
	}
	l.Payment, l.Match = &p, MatchExact
	c := p.Amount.Currency
	var open int64
	for _, i := range named {
		open += i.Open
	}
	switch paid := p.Amount.Minor - p.Credit - p.Carried; {
	case p.Credit > 0:
		l.Match, l.Why = MatchDiffers, money.New(p.Credit, c).String()+" too much: they become credit"
	case len(named) > 0 && paid < open:
		l.Match, l.Why = MatchDiffers, money.New(open-paid, c).String()+" too little"
	case len(named) == 0 && len(o.Invoices) == 0:
		l.Match, l.Why = MatchDiffers, "it names no invoice: what is due first is paid"
	}
	return nil
}

// guess looks for whose a line is that names neither invoice nor tenant. Somebody whose
// name it has, and who owes just as much on one invoice, is certain; an amount alone
// is not.
func (s *Service) guess(ctx context.Context, tx *sql.Tx, l *BankLine, o PaymentOrder) (PaymentOrder, error) {
	open, err := listIssued(ctx, tx, IssuedFilter{currency: o.Amount.Currency, openOf: o.Amount.Minor, Limit: 100})
	if err != nil {
		return o, err
	}
	var certain []string
	for _, i := range open {
		customer, err := findCustomer(ctx, tx, i.Tenant)
		if err != nil {
			return o, err
		}
		l.Candidates = append(l.Candidates, i.Ref())
		if o.Payer != "" && strings.EqualFold(squeeze(customer.LegalName), o.Payer) {
			certain = append(certain, i.Ref())
		}
	}
	switch {
	case len(certain) == 1:
		l.Candidates, o.Invoices = nil, certain
	case len(l.Candidates) == 0:
		l.Match, l.Why = MatchNone, "it names no invoice, and none has this amount open"
	default:
		l.Match, l.Why = MatchAmbiguous, "it names no invoice; these have this amount open"
	}
	return o, nil
}

func (l *BankLine) refuse(column, why string) {
	l.Match, l.Why, l.Problems = MatchRefused, "", append(slices.Clip(l.Problems), Problem{column, why})
}

// blame refuses a line for a fault, and answers every other error.
func (l *BankLine) blame(column string, err error) error {
	if fault.KindOf(err) == fault.Internal {
		return err
	}
	l.refuse(column, fault.Message(err))
	return nil
}
