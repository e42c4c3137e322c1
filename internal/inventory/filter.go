package inventory

import (
	"context"
	"database/sql"
	"net/netip"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/exact"
	"github.com/arcadia-cloud/arcadia/internal/fault"
)

// A sight is an entry in one of its versions, as a query looks at it.
type sight struct {
	*entry
	*shelved
	tenant word32 // whose it was then
	at     int64  // when it changed last: to this version, or away
}

// A test says whether a sight fits.
type test func(sight) bool

// A filter is a query made ready to look through a shelf.
type filter struct {
	shelf   *shelf
	at      int64     // as of when; 0: now
	deleted string    // yes, no or any
	aside   []bool    // by kind: found only where the query names it
	now     time.Time // what ages are counted from
	tests   []test
}

// compile makes a query ready. A tenant that there is not is a fault.Invalid.
func (s *Service) compile(ctx context.Context, sh *shelf, q Query) (*filter, error) {
	f := &filter{shelf: sh, deleted: "no", now: q.AsOf, aside: make([]bool, len(sh.words.texts))}
	if q.AsOf.IsZero() {
		f.now = s.Now("")
	} else {
		f.at = db.Micros(q.AsOf)
	}
	named := false
	for _, t := range q.Terms {
		named = named || !t.Not && (t.Key == "kind" || t.Key == "urn" || t.Key == "id")
		if t.Key == "deleted" {
			f.deleted = t.Values[0]
		}
	}
	if !named {
		f.aside = sh.aside()
	}
	for _, t := range q.Terms {
		var any []test
		for _, v := range t.Values {
			one, err := s.compileValue(ctx, f, t, v)
			if err != nil {
				return nil, err
			}
			if one != nil {
				any = append(any, one)
			}
		}
		if len(any) > 0 {
			f.tests = append(f.tests, anyFits(any, t.Not))
		}
	}
	return f, nil
}

func anyFits(any []test, not bool) test {
	return func(s sight) bool {
		for _, fits := range any {
			if fits(s) {
				return !not
			}
		}
		return not
	}
}

// each calls see with all that the query finds, in no order.
func (f *filter) each(see func(sight)) {
	for i := range f.shelf.entries {
		t := &f.shelf.entries[i]
		if f.aside[t.kind] {
			continue
		}
		if one, ok := f.sight(t); ok && f.fits(one) {
			see(one)
		}
	}
}

// sight is the thing in the version that the query asks for, if it has one.
func (f *filter) sight(t *entry) (sight, bool) {
	v := t.in(f.at)
	if v == nil || f.at != 0 && f.deleted == "yes" && !t.gone() {
		return sight{}, false
	}
	changed := v.at
	if f.at == 0 {
		switch gone := v.look == nil; {
		case gone && f.deleted == "no", !gone && f.deleted == "yes":
			return sight{}, false
		case gone:
			v = t.last() // as it was
		}
	}
	if v == nil || v.look == nil {
		return sight{}, false
	}
	return sight{t, v, t.whose(f.at), changed}, true
}

func (f *filter) fits(s sight) bool {
	for _, fits := range f.tests {
		if !fits(s) {
			return false
		}
	}
	return true
}

// compileValue is the test of one value of a term; nil where it is in the filter's
// frame.
func (s *Service) compileValue(ctx context.Context, f *filter, t Term, v string) (test, error) {
	low := strings.ToLower(v)
	switch t.Key {
	case "":
		return func(s sight) bool { return strings.Contains(s.look.words, low) }, nil
	case "kind":
		return f.wordFits(globOf(low), func(s sight) word32 { return s.kind }), nil
	case "region":
		return f.wordFits(globOf(low), func(s sight) word32 { return s.look.region }), nil
	case "account":
		return f.wordFits(globOf(low), func(s sight) word32 { return s.look.account }), nil
	case "status":
		return f.wordFits(globOf(low), func(s sight) word32 { return s.look.status }), nil
	case "size":
		return f.wordFits(globOf(low), func(s sight) word32 { return s.look.size }), nil
	case "name":
		return textFits(low, func(s sight) string { return s.look.name }), nil
	case "id":
		return textFits(low, func(s sight) string { return s.id }), nil
	case "urn":
		return textFits(low, func(s sight) string { return s.urn }), nil
	case "tag":
		return f.wordFits(anyLine(globOf(low)), func(s sight) word32 { return s.look.tags }), nil
	case "ip":
		fits := anyLine(allOf(globOf(low), isAddress))
		return func(s sight) bool { return fits(s.look.words) }, nil
	case "tenant":
		return s.compileTenant(ctx, f, v)
	case "project":
		return f.compileProject(v), nil
	case "cost":
		return compileCost(t.Op, v)
	case "managed":
		return func(s sight) bool { return s.managed == (v == "yes") }, nil
	case "missing":
		return s.compileMissing(ctx, v)
	}
	return f.compileTime(t, v), nil
}

// wordFits compares a text that many things share: each text once.
func (f *filter) wordFits(fits func(string) bool, of func(sight) word32) test {
	known := make([]int8, len(f.shelf.words.texts)) // 1 fits, -1 does not
	return func(s sight) bool {
		n := of(s)
		if known[n] == 0 {
			if known[n] = -1; fits(strings.ToLower(f.shelf.words.text(n))) {
				known[n] = 1
			}
		}
		return known[n] > 0
	}
}

func textFits(pattern string, of func(sight) string) test {
	fits := globOf(pattern)
	return func(s sight) bool { return fits(strings.ToLower(of(s))) }
}

// anyLine says whether one line of a text fits.
func anyLine(fits func(line string) bool) func(string) bool {
	return func(text string) bool {
		for line := range strings.SplitSeq(text, "\n") {
			if line != "" && fits(line) {
				return true
			}
		}
		return false
	}
}

func allOf(a, b func(string) bool) func(string) bool {
	return func(text string) bool { return a(text) && b(text) }
}

func isAddress(text string) bool {
	_, err := netip.ParseAddr(text)
	return err == nil
}

// globOf says whether a text is as a pattern says, in which * is any text.
func globOf(pattern string) func(string) bool {
	parts := strings.Split(pattern, "*")
	first, last := parts[0], parts[len(parts)-1]
	if len(parts) == 1 {
		return func(text string) bool { return text == pattern }
	}
	between := parts[1 : len(parts)-1]
	return func(text string) bool {
		rest, ok := strings.CutPrefix(text, first)
		if !ok {
			return false
		}
		if rest, ok = strings.CutSuffix(rest, last); !ok {
			return false
		}
		for _, part := range between {
			if _, rest, ok = strings.Cut(rest, part); !ok {
				return false
			}
		}
		return true
	}
}

func (s *Service) compileTenant(ctx context.Context, f *filter, v string) (test, error) {
	if v == "none" {
		return func(s sight) bool { return s.tenant == 0 }, nil
	}
	of, err := s.tenants.Tenant(ctx, v)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "%s", fault.Message(err))
	}
	id, owns := f.shelf.words.of[string(of.ID)]
	return func(s sight) bool { return owns && s.tenant == id }, nil
}

// compileProject looks for members of a project, by its name or its id, as of the
// query's time: where a document does not say so itself, the project's list does.
func (f *filter) compileProject(v string) test {
	fits, within := globOf(strings.ToLower(v)), make([]bool, len(f.shelf.words.texts))
	for i := range f.shelf.entries {
		t := &f.shelf.entries[i]
		if f.shelf.words.text(t.kind) != "project" {
			continue
		}
		if now := t.in(f.at); now != nil && now.look != nil && (t.id == v || fits(strings.ToLower(now.look.name))) {
			if n, ok := f.shelf.words.of[t.id]; ok {
				within[n] = true
			}
		}
	}
	listed := map[string]bool{}
	f.shelf.members(f.at, func(urn string, project word32) {
		if within[project] {
			listed[urn] = true
		}
	})
	return func(s sight) bool { return within[s.look.project] || listed[s.urn] }
}

// members calls see for what lists of projects have, as of a time, now where at is 0.
func (sh *shelf) members(at int64, see func(urn string, project word32)) {
	for _, i := range sh.joined {
		if v := sh.entries[i].in(at); v != nil && v.look != nil {
			see(urnInProject(v.look.name), v.look.project)
		}
	}
}

func compileCost(op, v string) (test, error) {
	if v == "unknown" {
		return func(s sight) bool { return !s.look.priced }, nil
	}
	n, err := exact.ParseDecimal(v)
	if err != nil {
		return nil, err
	}
	compare, than := comparison(op), n.Units(microDigits).Int64()
	return func(s sight) bool { return s.look.priced && compare(s.look.monthly, than) }, nil
}

// comparison is one of the grammar.
func comparison(op string) func(a, b int64) bool {
	switch op {
	case "<":
		return func(a, b int64) bool { return a < b }
	case "<=":
		return func(a, b int64) bool { return a <= b }
	case ">":
		return func(a, b int64) bool { return a > b }
	}
	return func(a, b int64) bool { return a >= b }
}

// compileMissing asks the database: what lists lack right now is not in the history.
func (s *Service) compileMissing(ctx context.Context, v string) (test, error) {
	missing := map[string]bool{}
	err := db.Each(ctx, s.db.Read(), func(rows *sql.Rows) error {
		var urn string
		err := rows.Scan(&urn)
		missing[urn] = true
		return err
	}, `SELECT urn FROM inv_resources WHERE missing_since IS NOT NULL`)
	return func(s sight) bool { return missing[s.urn] == (v == "yes") }, err
}

func (f *filter) compileTime(t Term, v string) test {
	op, than := t.Op, int64(0)
	if d, ok := span(v); ok { // so long ago
		op, than = turned(t.Op), db.Micros(f.now.Add(-d))
	} else if at, ok := day(v); ok {
		than = db.Micros(at)
	}
	compare := comparison(op)
	switch t.Key {
	case "age", "created":
		return func(s sight) bool { return s.look.dated && compare(s.look.created, than) }
	case "changed":
		return func(s sight) bool { return compare(s.at, than) }
	}
	return nil // deleted
}

// turned is a comparison of ages as one of times: what is older was earlier.
func turned(op string) string {
	return strings.NewReplacer("<", ">", ">", "<").Replace(op)
}
