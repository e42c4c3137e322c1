package inventory

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/exact"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

// A Sort is what a list of resources is sorted by. Those that are alike in it follow
// each other by their URNs.
type Sort string

// The sorts.
const (
	SortName    Sort = "name"
	SortCost    Sort = "cost"
	SortChanged Sort = "changed"
	SortKind    Sort = "kind"
	SortCreated Sort = "created"
)

// sortKeys are the columns of the sorts.
var sortKeys = map[Sort]string{
	SortName: "v.name", SortCost: "COALESCE(v.monthly, -1)", SortChanged: "v.at", SortKind: "v.kind", SortCreated: "COALESCE(v.created_at, 0)",
}

// A Page is which part of a list is asked for.
type Page struct {
	Sort   Sort // default SortName
	Desc   bool
	Limit  int // default 50, at most 500
	Cursor string
}

// A Found is a resource of a list, with whose it is and what it costs.
type Found struct {
	Resource
	Tenant  string // slug; empty: nobody's
	Verdict Verdict
	Cost    Cost
}

// A Facet is how many of the resources found have a value.
type Facet struct {
	Value string // empty: none
	Name  string // for people
	Count int
}

// A ResourceList is one page of what a query finds, with what all pages have in sum.
type ResourceList struct {
	Items  []Found
	Next   string // the cursor of the next page; empty on the last
	Total  int
	Cost   Cost // of all that was found
	Facets map[string][]Facet
}

// facets are what is counted over all that was found, with the columns, which are
// read in this order.
var facets = []struct{ name, column string }{
	{"kind", "v.kind"}, {"region", "v.region"}, {"account", "v.account"}, {"status", "v.status"}, {"tenant", "COALESCE(a.tenant_id, '')"},
}

// Resources finds resources, as they are or as they were. Ties between two others
// and what DigitalOcean sells are found only where the query names their kind. A
// tenant that there is not is a fault.Invalid.
func (s *Service) Resources(ctx context.Context, q Query, p Page) (l ResourceList, err error) {
	if p.Sort == "" {
		p.Sort = SortName
	}
	if p.Limit == 0 {
		p.Limit = 50
	}
	key, ok := sortKeys[p.Sort]
	if !ok || p.Limit < 1 || p.Limit > 500 {
		return l, fault.New(fault.Invalid, "A list is sorted by name, cost, changed, kind or created, and a page holds 1 to 500 resources.")
	}
	w, err := s.compile(ctx, q)
	if err != nil {
		return l, err
	}
	found, err := s.countFound(ctx, w, &l)
	if err != nil {
		return l, err
	}
	page := w.clone()
	order, beyond := "ASC", ">"
	if p.Desc {
		order, beyond = "DESC", "<"
	}
	if p.Cursor != "" {
		last, urn, err := cursorOf(p)
		if err != nil {
			return l, err
		}
		page.and(fmt.Sprintf("(%s, v.urn) %s (?, ?)", key, beyond), last, urn)
	}
	page.args = append(page.args, p.Limit+1)
	rows, err := s.db.Read().QueryContext(ctx, `SELECT `+resourceColumns+`, COALESCE(a.tenant_id, ''), COALESCE(a.rule, ''), COALESCE(a.evidence, ''),
			COALESCE(a.confidence, 0), `+key+page.from()+
		fmt.Sprintf(" ORDER BY %s %s, v.urn %s LIMIT $%d", key, order, order, len(page.args)), page.args...)
	if err != nil {
		return l, err
	}
	defer rows.Close()
	var values []any
	for rows.Next() {
		var f Found
		var value any
		if f.Resource, err = scanResource(appended{rows, []any{&f.Verdict.Tenant, &f.Verdict.Rule, &f.Verdict.Evidence, &f.Verdict.Confidence, &value}}); err != nil {
			return l, err
		}
		f.Verdict.URN = f.URN
		l.Items, values = append(l.Items, f), append(values, value)
	}
	if err := rows.Err(); err != nil {
		return l, err
	}
	if len(l.Items) > p.Limit {
		l.Items = l.Items[:p.Limit]
		if l.Next, err = p.cursor(values[p.Limit-1], l.Items[p.Limit-1].URN); err != nil {
			return l, err
		}
	}
	return l, s.fillFound(ctx, q.AsOf, found, &l)
}

// appended scans further columns after those of a resource.
type appended struct {
	scanner
	more []any
}

func (a appended) Scan(dest ...any) error { return a.scanner.Scan(append(dest, a.more...)...) }

// countFound counts what a query finds, in all and by facets, in one pass, and says
// which resources those are.
func (s *Service) countFound(ctx context.Context, w *where, l *ResourceList) (found map[string]bool, err error) {
	found, l.Facets = map[string]bool{}, map[string][]Facet{}
	columns, counts := "v.urn", make([]map[string]int, len(facets))
	values := make([]string, 1+len(facets))
	into := []any{&values[0]}
	for i, f := range facets {
		columns += ", " + f.column
		counts[i], into = map[string]int{}, append(into, &values[1+i])
	}
	err = s.eachRow(ctx, func(rows *sql.Rows) error {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		found[values[0]] = true
		for i, v := range values[1:] {
			counts[i][v]++
		}
		return nil
	}, `SELECT `+columns+w.from(), w.args...)
	l.Total = len(found)
	for i, f := range facets {
		for value, n := range counts[i] {
			l.Facets[f.name] = append(l.Facets[f.name], Facet{Value: value, Count: n})
		}
		slices.SortFunc(l.Facets[f.name], func(a, b Facet) int {
			return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Value, b.Value))
		})
	}
	return found, err
}

// fillFound fills in names and costs.
func (s *Service) fillFound(ctx context.Context, asOf time.Time, found map[string]bool, l *ResourceList) error {
	all, err := s.tenants.All(ctx)
	if err != nil {
		return err
	}
	slugs := map[tenant.ID]string{}
	for _, t := range all {
		slugs[t.ID] = t.Slug
	}
	for name, counted := range l.Facets {
		for i, f := range counted {
			switch {
			case f.Value == "":
				counted[i].Name = "none"
			case name == "tenant":
				counted[i].Name = slugs[tenant.ID(f.Value)]
				counted[i].Value = counted[i].Name
			case name == "kind":
				counted[i].Name = KindNamed(f.Value).Many
			default:
				counted[i].Name = f.Value
			}
		}
	}
	costs, err := s.recentCosts(ctx, asOf)
	if err != nil {
		return err
	}
	of := map[string]Cost{}
	for _, c := range costs {
		if found[c.URN] {
			l.Cost.add(c.Cost)
			of[c.URN] = c.Cost
		}
	}
	for i := range l.Items {
		f := &l.Items[i]
		f.Tenant, f.Cost = slugs[f.Verdict.Tenant], of[f.URN]
	}
	return nil
}

// cursor says where the page ends.
func (p Page) cursor(value any, urn string) (string, error) {
	if b, ok := value.([]byte); ok {
		value = string(b)
	}
	text, err := json.Marshal([]any{string(p.Sort), p.Desc, fmt.Sprint(value), urn})
	return base64.RawURLEncoding.EncodeToString(text), err
}

// cursorOf reads the cursor of an earlier page of the same order.
func cursorOf(p Page) (value any, urn string, err error) {
	no := fault.New(fault.Invalid, "This is no cursor of this list: take it from next of the page before.")
	text, err := base64.RawURLEncoding.DecodeString(p.Cursor)
	var parts []any
	if err != nil || json.Unmarshal(text, &parts) != nil || len(parts) != 4 || parts[0] != string(p.Sort) || parts[1] != p.Desc {
		return nil, "", no
	}
	last, ok := parts[2].(string)
	if urn, _ = parts[3].(string); !ok || urn == "" || strings.ContainsRune(last+urn, 0) {
		return nil, "", no
	}
	if p.Sort == SortName || p.Sort == SortKind {
		return last, urn, nil
	}
	n, err := strconv.ParseInt(last, 10, 64)
	if err != nil {
		return nil, "", no
	}
	return n, urn, nil
}

// A where is the condition of a query, with its arguments.
type where struct {
	joins      string
	conditions []string
	args       []any
}

func (w *where) clone() *where {
	return &where{w.joins, append([]string{}, w.conditions...), append([]any{}, w.args...)}
}

// and adds a condition, each ? of which is the next argument.
func (w *where) and(condition string, args ...any) {
	w.conditions = append(w.conditions, w.bind(condition, args...))
}

func (w *where) bind(condition string, args ...any) string {
	for _, a := range args {
		w.args = append(w.args, a)
		condition = strings.Replace(condition, "?", fmt.Sprintf("$%d", len(w.args)), 1)
	}
	return condition
}

func (w *where) from() string {
	return ` FROM inv_versions v JOIN inv_resources r ON r.urn = v.urn ` + w.joins + ` WHERE ` + strings.Join(w.conditions, " AND ")
}

// compile makes SQL of a query, the same text for now and for then.
func (s *Service) compile(ctx context.Context, q Query) (*where, error) {
	w := &where{}
	now, named, deleted := q.AsOf, false, "no"
	for _, t := range q.Terms {
		named = named || t.Key == "kind" && !t.Not || t.Key == "urn" || t.Key == "id"
		if t.Key == "deleted" {
			deleted = t.Values[0]
		}
	}
	if q.AsOf.IsZero() {
		now = s.Now("")
		w.joins = `LEFT JOIN inv_attributions a ON a.urn = v.urn AND a.until IS NULL`
		switch deleted {
		case "no":
			w.and("v.until IS NULL AND NOT v.gone")
		case "yes": // as they were last
			w.and("r.ended_to IS NOT NULL AND v.version = r.version - 1")
		default:
			w.and("(v.until IS NULL AND NOT v.gone OR r.ended_to IS NOT NULL AND v.version = r.version - 1)")
		}
	} else {
		at := db.Micros(q.AsOf)
		w.joins = w.bind(`LEFT JOIN inv_attributions a ON a.urn = v.urn AND a.since <= ? AND (a.until IS NULL OR a.until > ?)`, at, at)
		w.and("v.at <= ? AND (v.until IS NULL OR v.until > ?) AND NOT v.gone", at, at)
		if deleted == "yes" { // since then
			w.and("r.ended_to IS NOT NULL")
		}
	}
	if !named {
		var aside []any
		for _, k := range kinds {
			if k.Link || k.Sold {
				aside = append(aside, k.Name)
			}
		}
		w.and("v.kind NOT IN (?"+strings.Repeat(", ?", len(aside)-1)+")", aside...)
	}
	for _, t := range q.Terms {
		if err := s.compileTerm(ctx, w, t, now); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// columns are those of the terms that compare a text.
var columns = map[string]string{
	"kind": "v.kind", "region": "v.region", "account": "v.account", "status": "v.status", "size": "v.size", "name": "v.name", "id": "v.id", "urn": "v.urn",
}

func (s *Service) compileTerm(ctx context.Context, w *where, t Term, now time.Time) error {
	var any []string
	for _, v := range t.Values {
		c, err := s.compileValue(ctx, w, t, v, now)
		if err != nil {
			return err
		}
		if c != "" {
			any = append(any, c)
		}
	}
	if len(any) == 0 {
		return nil
	}
	condition := "(" + strings.Join(any, " OR ") + ")"
	if t.Not {
		condition = "NOT COALESCE(" + condition + ", FALSE)"
	}
	w.conditions = append(w.conditions, condition)
	return nil
}

func (s *Service) compileValue(ctx context.Context, w *where, t Term, v string, now time.Time) (string, error) {
	if column, ok := columns[t.Key]; ok {
		return w.bind("LOWER("+column+`) LIKE ? ESCAPE '!'`, like(strings.ToLower(v), true)), nil
	}
	switch t.Key {
	case "":
		return w.bind(`v.words LIKE ? ESCAPE '!'`, "%"+like(strings.ToLower(v), false)+"%"), nil
	case "tag":
		return w.bind(`v.tag_lines LIKE ? ESCAPE '!'`, "%\n"+like(strings.ToLower(v), true)+"\n%"), nil
	case "ip":
		return w.bind(`v.words LIKE ? ESCAPE '!'`, "%\n"+like(strings.ToLower(v), true)+"\n%"), nil
	case "tenant":
		if v == "none" {
			return "a.tenant_id IS NULL", nil
		}
		of, err := s.tenants.Tenant(ctx, v)
		if err != nil {
			return "", fault.Wrap(fault.Invalid, err, "%s", fault.Message(err))
		}
		return w.bind("a.tenant_id = ?", string(of.ID)), nil
	case "project":
		return w.bind(`v.urn IN (SELECT e.source FROM inv_edges e JOIN inv_versions p ON p.urn = e.target AND p.until IS NULL
			WHERE e.type = 'member_of' AND p.kind = 'project' AND (LOWER(p.name) LIKE ? ESCAPE '!' OR p.id = ?))`, like(strings.ToLower(v), true), v), nil
	case "cost":
		if v == "unknown" {
			return "v.monthly IS NULL", nil
		}
		n, err := exact.ParseDecimal(v)
		if err != nil {
			return "", err
		}
		return w.bind("v.monthly "+t.Op+" CAST(? AS BIGINT)", n.Units(microDigits).Int64()), nil
	case "managed":
		return map[string]string{"yes": "r.managed_by IS NOT NULL", "no": "r.managed_by IS NULL"}[v], nil
	case "missing":
		return map[string]string{"yes": "r.missing_since IS NOT NULL", "no": "r.missing_since IS NULL"}[v], nil
	case "age":
		d, _ := span(v)
		return w.bind("v.created_at "+turned(t.Op)+" CAST(? AS BIGINT)", db.Micros(now.Add(-d))), nil
	case "created", "changed":
		column := map[string]string{"created": "v.created_at", "changed": "v.at"}[t.Key]
		if d, ok := span(v); ok { // so long ago
			return w.bind(column+" "+turned(t.Op)+" CAST(? AS BIGINT)", db.Micros(now.Add(-d))), nil
		}
		at, _ := day(v)
		return w.bind(column+" "+t.Op+" CAST(? AS BIGINT)", db.Micros(at)), nil
	}
	return "", nil // deleted: it is in the query's frame
}

// turned is a comparison of ages as one of times: what is older was earlier.
func turned(op string) string {
	return strings.NewReplacer("<", ">", ">", "<").Replace(op)
}

// like is a text as a pattern of LIKE, escaped with !; * is any text where globs are
// meant.
func like(text string, glob bool) string {
	text = strings.NewReplacer("!", "!!", "%", "!%", "_", "!_").Replace(text)
	if glob {
		text = strings.ReplaceAll(text, "*", "%")
	}
	return text
}
