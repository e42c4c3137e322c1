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
	"github.com/arcadia-cloud/arcadia/internal/fault"
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

// maxTags is how many tags are counted at most: the most frequent ones.
const maxTags = 100

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
	if sorts[p.Sort] == nil || p.Limit < 1 || p.Limit > 500 {
		return l, fault.New(fault.Invalid, "A list is sorted by name, cost, changed, kind or created, and a page holds 1 to 500 resources.")
	}
	var after *sortKey
	if p.Cursor != "" {
		if after, err = cursorOf(p); err != nil {
			return l, err
		}
	}
	names, err := s.tenantNames(ctx)
	if err != nil {
		return l, err
	}
	sh, done, err := s.shelf(ctx)
	if err != nil {
		return l, err
	}
	defer done()
	f, err := s.compile(ctx, sh, q)
	if err != nil {
		return l, err
	}
	counted, page := newTally(sh), newTop(p, after, sh)
	costs := s.newCosting(sh, q.AsOf, func(_ *life, c Cost) { l.Cost.add(c) })
	f.each(func(one sight) {
		l.Total++
		counted.add(one)
		costs.add(one.entry)
		page.add(one)
	})
	l.Facets = counted.facets(names)
	if err := costs.finish(ctx); err != nil {
		return l, err
	}
	shown, more := page.sorted()
	of := make(map[string]Cost, len(shown))
	costs.see = func(l *life, c Cost) { of[l.of.urn] = c }
	for _, one := range shown {
		costs.add(one.entry)
	}
	if err := costs.finish(ctx); err != nil {
		return l, err
	}
	if l.Items, err = s.fetch(ctx, shown, q.AsOf); err != nil {
		return l, err
	}
	for i := range l.Items {
		one := &l.Items[i]
		one.Tenant, one.Cost = names[string(one.Verdict.Tenant)], of[one.URN]
	}
	if more {
		l.Next, err = p.cursor(page.key(shown[len(shown)-1]))
	}
	return l, err
}

func (s *Service) tenantNames(ctx context.Context) (map[string]string, error) {
	all, err := s.tenants.All(ctx)
	slugs := map[string]string{}
	for _, t := range all {
		slugs[string(t.ID)] = t.Slug
	}
	return slugs, err
}

// fetch reads the documents of what a page shows.
func (s *Service) fetch(ctx context.Context, shown []sight, asOf time.Time) ([]Found, error) {
	if len(shown) == 0 {
		return nil, nil
	}
	args, place := []any{}, map[string]int{}
	var pairs strings.Builder
	for i, one := range shown {
		fmt.Fprintf(&pairs, ", ($%d, CAST($%d AS BIGINT))", len(args)+1, len(args)+2)
		args, place[one.urn] = append(args, one.urn, one.number), i
	}
	whose := "a.until IS NULL"
	if !asOf.IsZero() {
		args = append(args, db.Micros(asOf))
		whose = fmt.Sprintf("a.since <= $%d AND (a.until IS NULL OR a.until > $%[1]d)", len(args))
	}
	items, found := make([]Found, len(shown)), 0
	err := db.Each(ctx, s.db.Read(), func(rows *sql.Rows) (err error) {
		var f Found
		v := &f.Verdict
		if f.Resource, err = scanResource(appended{rows, []any{&v.Tenant, &v.Rule, &v.Evidence, &v.Confidence}}); err != nil {
			return err
		}
		v.URN = f.URN
		items[place[f.URN]] = f
		found++
		return nil
	}, `SELECT `+resourceColumns+`, COALESCE(a.tenant_id, ''), COALESCE(a.rule, ''), COALESCE(a.evidence, ''), COALESCE(a.confidence, 0)
		FROM inv_versions v JOIN inv_resources r ON r.urn = v.urn LEFT JOIN inv_attributions a ON a.urn = v.urn AND `+whose+`
		WHERE (v.urn, v.version) IN (VALUES `+pairs.String()[2:]+`)`, args...)
	if err == nil && found != len(shown) {
		err = fault.New(fault.Conflict, "Old versions were removed while they were looked at. Search again.")
	}
	return items, err
}

// appended scans further columns after those of a resource.
type appended struct {
	scanner
	more []any
}

func (a appended) Scan(dest ...any) error { return a.scanner.Scan(append(dest, a.more...)...) }

// A tally counts what is found by what it has in common: by words of the shelf.
type tally struct {
	shelf                                       *shelf
	kind, region, account, status, tenant, tags []int
	managed, unmanaged                          int
}

func newTally(sh *shelf) *tally {
	t := &tally{shelf: sh}
	for _, counts := range []*[]int{&t.kind, &t.region, &t.account, &t.status, &t.tenant, &t.tags} {
		*counts = make([]int, len(sh.words.texts))
	}
	return t
}

func (t *tally) add(one sight) {
	t.kind[one.kind]++
	t.region[one.look.region]++
	t.account[one.look.account]++
	t.status[one.look.status]++
	t.tenant[one.tenant]++
	t.tags[one.look.tags]++
	if one.managed {
		t.managed++
	} else {
		t.unmanaged++
	}
}

// facets are the counts, the most frequent first, in words for people.
func (t *tally) facets(tenants map[string]string) map[string][]Facet {
	all := map[string][]Facet{}
	add := func(facet, value string, n int) {
		if n == 0 {
			return
		}
		f := Facet{Value: value, Name: value, Count: n}
		switch {
		case value == "":
			f.Name = "none"
		case facet == "tenant":
			f.Name = tenants[value]
			f.Value = f.Name
		case facet == "kind":
			if k := KindNamed(value); k != nil {
				f.Name = k.Many
			}
		}
		all[facet] = append(all[facet], f)
	}
	for facet, counts := range map[string][]int{"kind": t.kind, "region": t.region, "account": t.account, "status": t.status, "tenant": t.tenant} {
		for word, n := range counts {
			add(facet, t.shelf.words.text(word32(word)), n)
		}
	}
	tags := map[string]int{}
	for word, n := range t.tags {
		for tag := range strings.SplitSeq(t.shelf.words.text(word32(word)), "\n") {
			if n > 0 && tag != "" {
				tags[tag] += n
			}
		}
	}
	for tag, n := range tags {
		add("tag", tag, n)
	}
	add("managed", "yes", t.managed)
	add("managed", "no", t.unmanaged)
	for _, counted := range all {
		slices.SortFunc(counted, func(a, b Facet) int {
			return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Value, b.Value))
		})
	}
	all["tag"] = all["tag"][:min(maxTags, len(all["tag"]))]
	return all
}

// A sortKey is what a sight is sorted by: a text or a number, and the URN.
type sortKey struct {
	text   string
	number int64
	urn    string
}

func (a sortKey) compare(b sortKey) int {
	return cmp.Or(strings.Compare(a.text, b.text), cmp.Compare(a.number, b.number), strings.Compare(a.urn, b.urn))
}

// sorts are what the sorts compare.
var sorts = map[Sort]func(sh *shelf, s sight) sortKey{
	SortName: func(_ *shelf, s sight) sortKey { return sortKey{text: s.look.name} },
	SortKind: func(sh *shelf, s sight) sortKey { return sortKey{text: sh.words.text(s.kind)} },
	SortCost: func(_ *shelf, s sight) sortKey {
		if !s.look.priced {
			return sortKey{number: -1}
		}
		return sortKey{number: s.look.monthly}
	},
	SortChanged: func(_ *shelf, s sight) sortKey { return sortKey{number: s.at} },
	SortCreated: func(_ *shelf, s sight) sortKey { return sortKey{number: s.look.created} },
}

// A top keeps the first page of what it is given.
type top struct {
	page  Page
	shelf *shelf
	sort  func(*shelf, sight) sortKey
	after *sortKey // where the page before ended
	found []ranked
	worst *sortKey // of a full page
}

type ranked struct {
	sight
	at sortKey
}

func newTop(p Page, after *sortKey, sh *shelf) *top {
	return &top{page: p, shelf: sh, sort: sorts[p.Sort], after: after}
}

func (t *top) key(s sight) sortKey {
	k := t.sort(t.shelf, s)
	k.urn = s.urn
	return k
}

func (t *top) compare(a, b sortKey) int {
	if t.page.Desc {
		return b.compare(a)
	}
	return a.compare(b)
}

func (t *top) add(s sight) {
	k := t.key(s)
	if t.after != nil && t.compare(k, *t.after) <= 0 || t.worst != nil && t.compare(k, *t.worst) >= 0 {
		return
	}
	if t.found = append(t.found, ranked{s, k}); len(t.found) >= 4*(t.page.Limit+1) {
		t.cut()
	}
}

// cut keeps a page and one more, which says that there is more.
func (t *top) cut() {
	slices.SortFunc(t.found, func(a, b ranked) int { return t.compare(a.at, b.at) })
	if n := t.page.Limit + 1; len(t.found) >= n {
		t.found = t.found[:n]
		t.worst = &sortKey{}
		*t.worst = t.found[n-1].at
	}
}

// sorted is the page, and whether there is more.
func (t *top) sorted() (page []sight, more bool) {
	t.cut()
	for _, r := range t.found[:min(len(t.found), t.page.Limit)] {
		page = append(page, r.sight)
	}
	return page, len(t.found) > t.page.Limit
}

// cursor says where the page ends.
func (p Page) cursor(last sortKey) (string, error) {
	value := last.text
	if p.Sort != SortName && p.Sort != SortKind {
		value = strconv.FormatInt(last.number, 10)
	}
	text, err := json.Marshal([]any{string(p.Sort), p.Desc, value, last.urn})
	return base64.RawURLEncoding.EncodeToString(text), err
}

// cursorOf reads the cursor of an earlier page of the same order.
func cursorOf(p Page) (*sortKey, error) {
	no := fault.New(fault.Invalid, "This is no cursor of this list: take it from next of the page before.")
	text, err := base64.RawURLEncoding.DecodeString(p.Cursor)
	var parts []any
	if err != nil || json.Unmarshal(text, &parts) != nil || len(parts) != 4 || parts[0] != string(p.Sort) || parts[1] != p.Desc {
		return nil, no
	}
	value, ok := parts[2].(string)
	urn, _ := parts[3].(string)
	if !ok || urn == "" {
		return nil, no
	}
	if p.Sort == SortName || p.Sort == SortKind {
		return &sortKey{text: value, urn: urn}, nil
	}
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		return nil, no
	}
	return &sortKey{number: n, urn: urn}, nil
}
