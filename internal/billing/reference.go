package billing

import (
	"cmp"
	"context"
	"database/sql"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/arcadia-cloud/arcadia/internal/db"
)

// A numbered is the number of a document: of a series, from 1.
type numbered struct {
	series string
	number int64
}

// namedIn finds the numbers of series that a text names, in the order of the text.
// Banks and people write numbers with other marks than we do: "R-12" is found in "Inv.
// r 12, with thanks", but neither R-1 nor R-2. Where two series could be meant, the
// longer is.
func namedIn(text string, series []string) []numbered {
	type place struct {
		from, to int
		numbered
	}
	var found []place
	text = strings.ToUpper(text)
	for _, s := range series {
		if marks.ReplaceAllString(strings.ToUpper(s), "") == "" {
			continue // any number would be one
		}
		form := numberForm(s)
		for at := 0; at < len(text); {
			m := form.FindStringSubmatchIndex(text[at:])
			if m == nil {
				break
			}
			digits := text[at+m[4] : at+m[5]]
			if n, err := strconv.ParseInt(digits, 10, 64); err == nil && digits[0] != '0' {
				found = append(found, place{at + m[2], at + m[5], numbered{s, n}})
			}
			at += m[5]
		}
	}
	slices.SortStableFunc(found, func(a, b place) int {
		return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(b.to, a.to), cmp.Compare(len(b.series), len(a.series)))
	})
	var named []numbered
	end := 0
	for _, p := range found {
		if p.from < end {
			continue
		}
		if end = p.to; !slices.Contains(named, p.numbered) {
			named = append(named, p.numbered)
		}
	}
	return named
}

var marks = regexp.MustCompile(`[^A-Z0-9]+`)

// numberForm is how a number of a series may be written. Its first group is the series,
// its second the number. Marks within a series, and after it, may be others or
// none, but for one between digits, which tells a year from the number.
func numberForm(series string) *regexp.Regexp {
	parts := marks.Split(strings.ToUpper(series), -1)
	var b strings.Builder
	b.WriteString(`(?:^|[^A-Z0-9])(`)
	for i, part := range parts {
		if i > 0 {
			if endsInDigit(parts[i-1]) {
				b.WriteString(`[^A-Z0-9]{1,3}`)
			} else {
				b.WriteString(`[^A-Z0-9]{0,3}`)
			}
		}
		b.WriteString(regexp.QuoteMeta(part))
	}
	if last := parts[len(parts)-1]; last != "" && !endsInDigit(last) {
		b.WriteString(`[^A-Z0-9]{0,3}`)
	}
	b.WriteString(`)([0-9]{1,18})(?:[^0-9]|$)`)
	return regexp.MustCompile(b.String())
}

func endsInDigit(s string) bool { return s != "" && s[len(s)-1] >= '0' && s[len(s)-1] <= '9' }

// invoicesIn are the invoices that a text names, and that there are, in its order.
func invoicesIn(ctx context.Context, q db.Queryer, text string) ([]Issued, error) {
	series, err := db.All(ctx, q, func(rows *sql.Rows) (s string, err error) {
		err = rows.Scan(&s)
		return s, err
	}, `SELECT series FROM billing_series ORDER BY series`)
	if err != nil {
		return nil, err
	}
	var all []Issued
	for _, n := range namedIn(text, series) {
		list, err := listIssued(ctx, q, IssuedFilter{series: n.series, number: n.number, Limit: 1})
		if err != nil {
			return nil, err
		}
		for _, i := range list {
			if i.Purpose != Credit {
				all = append(all, i)
			}
		}
	}
	return all, nil
}
