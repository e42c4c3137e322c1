package inventory

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/arcadia-cloud/arcadia/internal/exact"
	"github.com/arcadia-cloud/arcadia/internal/fault"
)

// A Query is what somebody looks for: words and terms, all of which have to hold.
// "kind:droplet tenant:acme cost>20 changed<24h as-of:2026-11-01 web" is one.
type Query struct {
	Terms []Term
	AsOf  time.Time // zero: now
}

// A Term is one condition. A term without a key is a word that some of the
// resource's names, ids, addresses or tags has in it.
type Term struct {
	Key    string
	Op     string   // ":" where the value is one of Values, or "<", "<=", ">", ">=" with one
	Values []string // as they were written
	Not    bool
}

// A queryKey is something to look by.
type queryKey struct {
	key  string
	ops  []string
	help string // an example
}

// queryKeys are the keys with the operators that they take, in the order in which
// they are offered.
var queryKeys = []queryKey{
	{"kind", isOp, "kind:droplet,volume"},
	{"tenant", isOp, "tenant:acme, tenant:none"},
	{"tag", isOp, "tag:env:production"},
	{"region", isOp, "region:nyc3"},
	{"project", isOp, "project:web"},
	{"account", isOp, "account:default"},
	{"status", isOp, "status:off"},
	{"size", isOp, "size:s-1vcpu-*"},
	{"name", isOp, "name:web-*"},
	{"id", isOp, "id:3164494"},
	{"urn", isOp, "urn:do:droplet:3164494"},
	{"ip", isOp, "ip:192.0.2.7"},
	{"cost", anyOp, "cost>20, cost:unknown"},
	{"age", orderOps, "age>30d"},
	{"created", orderOps, "created<2026-01-01"},
	{"changed", orderOps, "changed<24h"},
	{"managed", isOp, "managed:yes"},
	{"missing", isOp, "missing:yes"},
	{"deleted", isOp, "deleted:yes, deleted:any"},
	{"as-of", isOp, "as-of:2026-11-01"},
}

var (
	isOp     = []string{":"}
	orderOps = []string{"<", "<=", ">", ">="}
	anyOp    = []string{":", "<", "<=", ">", ">="}
)

// QueryExamples are one example for each key of the grammar.
func QueryExamples() []string {
	var all []string
	for _, k := range queryKeys {
		all = append(all, k.help)
	}
	return all
}

// A QueryError says which word of a query is wrong. It is a fault.Invalid.
type QueryError struct {
	Text     string
	From, To int // of the word in Text, in bytes
	Reason   string
}

// Error points at the word.
func (e *QueryError) Error() string {
	return fmt.Sprintf("%s At %q, character %d.", e.Reason, e.Text[e.From:e.To], utf8.RuneCountInString(e.Text[:e.From])+1)
}

// Unwrap makes it a fault.
func (e *QueryError) Unwrap() error { return fault.New(fault.Invalid, "%s", e.Error()) }

// Caret is the query with a line below it that marks the word.
func (e *QueryError) Caret() string {
	before, word := utf8.RuneCountInString(e.Text[:e.From]), utf8.RuneCountInString(e.Text[e.From:e.To])
	return e.Text + "\n" + strings.Repeat(" ", before) + strings.Repeat("^", max(1, word))
}

// maxQuery bounds a query, in bytes and in terms.
const (
	maxQuery = 2000
	maxTerms = 40
)

// ParseQuery reads a query. What is wrong with it is a *QueryError.
func ParseQuery(text string) (q Query, err error) {
	if len(text) > maxQuery || !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
		return q, fault.New(fault.Invalid, "A query is a text of at most %d bytes.", maxQuery)
	}
	for _, w := range wordsOf(text) {
		t, reason := w.term()
		if reason == "" && len(q.Terms) >= maxTerms {
			reason = fmt.Sprintf("A query has %d terms at most.", maxTerms)
		}
		if reason == "" && t.Key == "deleted" && slices.ContainsFunc(q.Terms, func(o Term) bool { return o.Key == t.Key }) {
			reason = "deleted is said once."
		}
		if reason == "" && t.Key == "as-of" {
			q.AsOf, reason = t.instant(q.AsOf)
		} else if reason == "" {
			q.Terms = append(q.Terms, t)
		}
		if reason != "" {
			return Query{}, &QueryError{Text: text, From: w.from, To: w.to, Reason: reason}
		}
	}
	return q, nil
}

// String is the query in the grammar. It reads back as the same query.
func (q Query) String() string {
	var parts []string
	for _, t := range q.Terms {
		parts = append(parts, t.String())
	}
	if !q.AsOf.IsZero() {
		parts = append(parts, "as-of:"+q.AsOf.UTC().Format(time.RFC3339Nano))
	}
	return strings.Join(parts, " ")
}

// String is the term in the grammar.
func (t Term) String() string {
	sign := ""
	if t.Not {
		sign = "-"
	}
	values := make([]string, len(t.Values))
	for i, v := range t.Values {
		values[i] = quoteWord(v, t.Key == "")
	}
	return sign + t.Key + t.Op + strings.Join(values, ",")
}

// quoteWord puts a value into quotes where it would be read as something else.
func quoteWord(v string, bare bool) string {
	special := v == "" || strings.ContainsAny(v, `" ,`) || strings.ContainsFunc(v, unicode.IsSpace)
	if bare {
		special = special || strings.ContainsAny(v, ":<>") || strings.HasPrefix(v, "-")
	} else {
		special = special || strings.ContainsAny(v[:1], "<>=:")
	}
	if !special {
		return v
	}
	return `"` + strings.ReplaceAll(strings.ReplaceAll(v, `\`, `\\`), `"`, `\"`) + `"`
}

// A word is a piece of a query between spaces that stand in no quotes.
type word struct {
	from, to int
	runes    []queryRune
	open     bool // a quote was not closed
}

// A queryRune is a character, and whether it stood in quotes.
type queryRune struct {
	r      rune
	quoted bool
}

func wordsOf(text string) (words []word) {
	var w *word
	quoted, escaped := false, false
	for i, r := range text {
		if w == nil {
			if unicode.IsSpace(r) {
				continue
			}
			w = &word{from: i}
		}
		w.to = i + utf8.RuneLen(r)
		switch {
		case escaped:
			w.runes, escaped = append(w.runes, queryRune{r, true}), false
		case quoted && r == '\\':
			escaped = true
		case r == '"':
			if quoted = !quoted; quoted {
				w.runes = append(w.runes, queryRune{0, true}) // so that "" is a value too
			}
		case !quoted && unicode.IsSpace(r):
			w.to = i
			words, w = append(words, *w), nil
		default:
			w.runes = append(w.runes, queryRune{r, quoted})
		}
	}
	if w != nil {
		w.open = quoted
		words = append(words, *w)
	}
	return words
}

// term reads a word; reason says what is wrong with it.
func (w word) term() (t Term, reason string) {
	if w.open {
		return t, "A quote is not closed."
	}
	rest := w.runes
	if len(rest) > 1 && rest[0] == (queryRune{'-', false}) {
		t.Not, rest = true, rest[1:]
	}
	at := slices.IndexFunc(rest, func(r queryRune) bool { return !r.quoted && strings.ContainsRune(":<>", r.r) })
	if at < 0 {
		t.Values = []string{textOf(rest)}
		if t.Values[0] == "" {
			return t, "There is nothing to look for."
		}
		return t, ""
	}
	t.Key, t.Op, rest = strings.ToLower(textOf(rest[:at])), string(rest[at].r), rest[at+1:]
	if t.Op != ":" && len(rest) > 0 && rest[0] == (queryRune{'=', false}) {
		t.Op, rest = t.Op+"=", rest[1:]
	}
	known := slices.IndexFunc(queryKeys, func(k queryKey) bool { return k.key == t.Key })
	if known < 0 {
		return t, fmt.Sprintf("There is nothing called %q to look by%s.", t.Key, suggestion(t.Key))
	}
	if k := queryKeys[known]; !slices.Contains(k.ops, t.Op) {
		return t, fmt.Sprintf("%s is written as %s.", k.key, k.help)
	}
	values := [][]queryRune{nil}
	for _, r := range rest {
		if r == (queryRune{',', false}) && t.Op == ":" {
			values = append(values, nil)
			continue
		}
		values[len(values)-1] = append(values[len(values)-1], r)
	}
	for _, v := range values {
		if len(v) == 0 {
			return t, fmt.Sprintf("%s lacks a value: it is written as %s.", t.Key, queryKeys[known].help)
		}
		t.Values = append(t.Values, textOf(v))
	}
	return t, t.check()
}

func textOf(runes []queryRune) string {
	var b strings.Builder
	for _, r := range runes {
		if r.r != 0 {
			b.WriteRune(r.r)
		}
	}
	return b.String()
}

// suggestion is a key that somebody may have meant.
func suggestion(typed string) string {
	var keys []string
	for _, k := range queryKeys {
		if typed != "" && (strings.HasPrefix(k.key, typed) || strings.HasPrefix(typed, k.key) || oneOff(typed, k.key)) {
			return ": did you mean " + k.key
		}
		keys = append(keys, k.key)
	}
	return ": the keys are " + strings.Join(keys, ", ")
}

// oneOff reports whether two words differ by one letter that is wrong, missing, too
// many, or changed places with the next.
func oneOff(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	switch len(b) - len(a) {
	case 0:
		return a[min(i+1, len(a)):] == b[min(i+1, len(b)):] ||
			i+1 < len(a) && a[i] == b[i+1] && a[i+1] == b[i] && a[i+2:] == b[i+2:]
	case 1:
		return a[i:] == b[i+1:]
	}
	return false
}

// check says what is wrong with the values of a term.
func (t Term) check() string {
	for _, v := range t.Values {
		switch t.Key {
		case "kind":
			if KindNamed(v) == nil {
				return fmt.Sprintf("There is no kind %q.", clip(v))
			}
		case "managed", "missing":
			if v != "yes" && v != "no" {
				return t.Key + " is yes or no."
			}
		case "deleted":
			if v != "yes" && v != "no" && v != "any" {
				return "deleted is yes, no or any."
			}
		case "cost":
			if t.Op == ":" && v == "unknown" {
				continue
			}
			if n, err := exact.ParseDecimal(v); err != nil || t.Op == ":" || !n.Units(microDigits).IsInt64() {
				return "cost is dollars a month: it is written as cost>20 or cost:unknown."
			}
		case "age":
			if _, ok := span(v); !ok {
				return "age is a time span: it is written as age>30d, with m, h, d or w."
			}
		case "created", "changed":
			if _, ok := span(v); ok {
				continue
			}
			if _, ok := day(v); !ok {
				return fmt.Sprintf("%s is a day or a time span: it is written as %s<2026-01-01 or %s<24h.", t.Key, t.Key, t.Key)
			}
		}
	}
	if t.Key == "deleted" && (t.Not || len(t.Values) != 1) {
		return "deleted is yes, no or any, once and without a minus."
	}
	return ""
}

// instant reads the value of as-of.
func (t Term) instant(already time.Time) (time.Time, string) {
	if !already.IsZero() || t.Not || len(t.Values) != 1 {
		return already, "as-of is one time."
	}
	at, ok := day(t.Values[0])
	if !ok || at.IsZero() {
		return already, "as-of is a day or a time: it is written as as-of:2026-11-01 or as-of:2026-11-01T12:00:00Z."
	}
	return at, ""
}

// day reads a day, or a time with its zone.
func day(text string) (time.Time, bool) {
	for _, layout := range []string{time.DateOnly, time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02T15:04"} {
		if at, err := time.Parse(layout, text); err == nil {
			return at.UTC().Truncate(time.Microsecond), at.Year() >= 1970
		}
	}
	return time.Time{}, false
}

// span reads a time span: a whole number of minutes, hours, days or weeks.
func span(text string) (time.Duration, bool) {
	if len(text) < 2 {
		return 0, false
	}
	unit, ok := map[byte]time.Duration{'m': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour}[text[len(text)-1]]
	n, err := strconv.ParseUint(text[:len(text)-1], 10, 16)
	return time.Duration(n) * unit, ok && err == nil
}
