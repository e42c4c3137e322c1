package inventory_test

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/inventory"
)

// A plain is a resource in two versions, as a test without a database sees it.
type plain struct {
	urn, kind, name, region string
	status                  [2]string // before and after the turn
	tags                    []string
	monthly                 int64 // micro-dollars; -1: unknown
	born                    time.Time
	gone                    bool // since the turn
}

// stock makes n resources at random, which began at start and changed at turn.
func stock(r *rand.Rand, n int, start time.Time) []plain {
	pick := func(of ...string) string { return of[r.IntN(len(of))] }
	all := make([]plain, n)
	for i := range all {
		kind := pick("droplet", "volume", "load_balancer", "domain_record")
		p := plain{
			urn: fmt.Sprintf("do:%s:%d", kind, i), kind: kind, name: fmt.Sprintf("%s%s%d", pick("web", "Web", "db", "50"), pick("-", "_", "%"), r.IntN(20)),
			region: pick("nyc3", "fra1", ""), status: [2]string{pick("active", "off"), pick("active", "off")}, monthly: r.Int64N(40_000_001),
			born: start.Add(-time.Duration(r.IntN(90*24)) * time.Hour), gone: r.IntN(10) == 0,
		}
		if r.IntN(10) == 0 {
			p.monthly = -1
		}
		for _, tag := range []string{"env:production", "web", "a_b"} {
			if r.IntN(3) == 0 {
				p.tags = append(p.tags, tag)
			}
		}
		all[i] = p
	}
	return all
}

// put writes resources as syncs at start and at turn would have.
func put(tb testing.TB, d *db.DB, all []plain, start, turn time.Time) {
	tb.Helper()
	err := d.Write(tb.Context(), func(tx *sql.Tx) error {
		for _, p := range all {
			tags, err := json.Marshal(append([]string{}, p.tags...))
			if err != nil {
				return err
			}
			id := p.urn[strings.LastIndex(p.urn, ":")+1:]
			words := "\n" + strings.ToLower(strings.Join(append([]string{p.name, p.urn}, p.tags...), "\n")) + "\n"
			tagLines := "\n" + strings.Join(p.tags, "\n") + "\n"
			var monthly, ended any
			if p.monthly >= 0 {
				monthly = p.monthly
			}
			if p.gone {
				ended = db.Micros(turn)
			}
			if _, err := tx.ExecContext(tb.Context(), `INSERT INTO inv_resources (urn, account, kind, id, parent, version, hash, first_seen, last_changed,
					born_to, born_by, ended_from, ended_to, ended_by) VALUES ($1, 'main', $2, $3, '', 2, '', $4, $5, $6, 'document', $7, $8, $9)`,
				p.urn, p.kind, id, db.Micros(start), db.Micros(turn), db.Micros(p.born), ended, ended, map[bool]any{true: "lists"}[p.gone]); err != nil {
				return err
			}
			for i, status := range p.status {
				at, until, gone := db.Micros(start), any(db.Micros(turn)), false
				if i == 1 {
					at, until, gone = db.Micros(turn), nil, p.gone
				}
				if _, err := tx.ExecContext(tb.Context(), `INSERT INTO inv_versions (urn, version, at, until, account, kind, id, gone, name, region, status, size,
						project, tags, tag_lines, words, monthly, created_at, doc)
						VALUES ($1, $2, $3, $4, 'main', $5, $6, $7, $8, $9, $10, '', '', $11, $12, $13, $14, $15, '{}')`,
					p.urn, i+1, at, until, p.kind, id, gone, p.name, p.region, status, string(tags), tagLines, words, monthly, db.Micros(p.born)); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
}

// A clause is a term of a query, and what it means.
type clause struct {
	text  string
	holds func(p plain, then bool) bool
}

// clauses are terms made at random.
func clauses(r *rand.Rand, n int) (all []clause) {
	statusOf := func(p plain, then bool) string {
		if then {
			return p.status[0]
		}
		return p.status[1]
	}
	for range n {
		var c clause
		switch r.IntN(8) {
		case 0:
			c = clause{"kind:droplet,volume", func(p plain, _ bool) bool { return p.kind == "droplet" || p.kind == "volume" }}
		case 1:
			c = clause{"region:fra1", func(p plain, _ bool) bool { return p.region == "fra1" }}
		case 2:
			c = clause{"status:off", func(p plain, then bool) bool { return statusOf(p, then) == "off" }}
		case 3:
			tag := []string{"env:production", "web", "a_b"}[r.IntN(3)]
			c = clause{"tag:" + tag, func(p plain, _ bool) bool { return slices.Contains(p.tags, tag) }}
		case 4:
			dollars := r.Int64N(40)
			c = clause{fmt.Sprintf("cost>%d", dollars), func(p plain, _ bool) bool { return p.monthly > dollars*1_000_000 }}
		case 5:
			start := []string{"web_", "WEB", "50%", "db-1"}[r.IntN(4)]
			c = clause{"name:" + start + "*", func(p plain, _ bool) bool { return strings.HasPrefix(strings.ToLower(p.name), strings.ToLower(start)) }}
		case 6:
			word := []string{"eb-", "production", "%1", "droplet:"}[r.IntN(4)]
			c = clause{`"` + word + `"`, func(p plain, _ bool) bool {
				return strings.Contains(strings.ToLower(strings.Join(append([]string{p.name, p.urn}, p.tags...), "\n")), word)
			}}
		case 7:
			day := time.Date(2026, 9, 1+r.IntN(60), 0, 0, 0, 0, time.UTC)
			c = clause{"created<" + day.Format(time.DateOnly), func(p plain, _ bool) bool { return p.born.Before(day) }}
		}
		if r.IntN(3) == 0 {
			not := c.holds
			c = clause{"-" + c.text, func(p plain, then bool) bool { return !not(p, then) }}
		}
		all = append(all, c)
	}
	return all
}

// TestSearchFindsWhatAPlainFilterDoes asks at random, now and as of before, and pages
// through the answers in a random order.
func TestSearchFindsWhatAPlainFilterDoes(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		seed := rand.Uint64()
		r := rand.New(rand.NewPCG(seed, 1))
		start := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
		turn := start.Add(24 * time.Hour)
		all := stock(r, 300, start)
		put(t, d, all, start, turn)
		s := inventory.New(d, nil, inventory.Settings{})
		sorts := []inventory.Sort{inventory.SortName, inventory.SortCost, inventory.SortChanged, inventory.SortKind, inventory.SortCreated}
		for range 60 {
			terms, then := clauses(r, 1+r.IntN(3)), r.IntN(2) == 0
			var parts []string
			for _, c := range terms {
				parts = append(parts, c.text)
			}
			if then {
				parts = append(parts, "as-of:"+start.Add(time.Hour).Format(time.RFC3339))
			}
			text := strings.Join(parts, " ")
			named := slices.ContainsFunc(terms, func(c clause) bool { return strings.HasPrefix(c.text, "kind:") })
			var want []string
			for _, p := range all {
				link := inventory.KindNamed(p.kind).Link
				fits := !slices.ContainsFunc(terms, func(c clause) bool { return !c.holds(p, then) })
				if fits && (then || !p.gone) && (named || !link) {
					want = append(want, p.urn)
				}
			}
			page := inventory.Page{Sort: sorts[r.IntN(len(sorts))], Desc: r.IntN(2) == 0, Limit: 1 + r.IntN(100)}
			if got := paged(t, s, text, page); !slices.Equal(sorted(got...), sorted(want...)) {
				t.Fatalf("seed %d: %s by %+v: got %d %q, want %d %q", seed, text, page, len(got), got, len(want), want)
			}
		}
		lately := "kind:droplet,volume,load_balancer,domain_record deleted:yes changed>=" + turn.Format(time.RFC3339)
		gone := 0
		for _, p := range all {
			if p.gone {
				gone++
			}
		}
		if got := paged(t, s, lately, inventory.Page{}); len(got) != gone {
			t.Errorf("%d went at the turn, %d are found as changed then", gone, len(got))
		}
	})
}

// paged are the URNs of all pages, in their order.
func paged(t *testing.T, s *inventory.Service, text string, p inventory.Page) (urns []string) {
	t.Helper()
	q, err := inventory.ParseQuery(text)
	if err != nil {
		t.Fatal(err)
	}
	for {
		l, err := s.Resources(t.Context(), q, p)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		for _, f := range l.Items {
			urns = append(urns, f.URN)
		}
		if p.Cursor = l.Next; l.Next == "" {
			return urns
		}
	}
}
