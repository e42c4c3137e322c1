package inventory_test

import (
	"database/sql"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/inventory"
)

const (
	benchResources = 100_000
	benchVersions  = 10 // of each, one every six days
	benchAsked     = 100
)

// BenchmarkSearch asks for pages of 100,000 resources in a million versions, and
// prints the median and the 99th percentile in milliseconds: the first page of all,
// a filtered one, a word, one of a tenant, and the same as of a month ago. It also
// prints how long the history takes to read into memory, once, and what that holds.
func BenchmarkSearch(b *testing.B) {
	dbtest.Bench(b, func(b *testing.B, d *db.DB) {
		now := time.Now().UTC().Truncate(time.Second)
		manyVersions(b, d, now)
		for b.Loop() {
			before := heap()
			s := inventory.New(d, nil, inventory.Settings{})
			begun := time.Now()
			if n, versions, err := s.WarmUp(b.Context()); err != nil || n != benchResources || versions != benchResources*benchVersions {
				b.Fatal(n, versions, err)
			}
			b.ReportMetric(time.Since(begun).Seconds(), "s-to-read")
			b.ReportMetric(float64(heap()-before)/(1<<20), "MB-in-memory")
			ago := " as-of:" + now.AddDate(0, 0, -30).Format(time.RFC3339)
			for _, ask := range []struct{ name, text string }{
				{"all", ""}, {"filter", "kind:droplet region:fra1 cost>20"}, {"word", "web-77"}, {"tenant", "tenant:none status:off"},
				{"all-then", ago}, {"filter-then", "kind:droplet region:fra1 cost>20" + ago}, {"word-then", "web-77" + ago},
			} {
				median, worst := askOften(b, s, ask.text)
				b.ReportMetric(median, ask.name+"-p50-ms")
				b.ReportMetric(worst, ask.name+"-p99-ms")
			}
		}
	})
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapInuse
}

// askOften asks the same many times, by each sort in turn.
func askOften(b *testing.B, s *inventory.Service, text string) (median, worst float64) {
	q, err := inventory.ParseQuery(text)
	if err != nil {
		b.Fatal(err)
	}
	sorts := []inventory.Sort{inventory.SortName, inventory.SortCost, inventory.SortChanged, inventory.SortKind}
	took := make([]time.Duration, benchAsked)
	for i := range took {
		begun := time.Now()
		l, err := s.Resources(b.Context(), q, inventory.Page{Sort: sorts[i%len(sorts)], Desc: i%2 == 0})
		if err != nil || l.Total == 0 || len(l.Items) == 0 {
			b.Fatal(text, l.Total, err)
		}
		took[i] = time.Since(begun)
	}
	slices.Sort(took)
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	return ms(took[len(took)/2]), ms(took[len(took)*99/100])
}

// manyVersions writes a history: the database makes the rows itself.
func manyVersions(b *testing.B, d *db.DB, now time.Time) {
	b.Helper()
	numbers := func(name string, n int) string {
		return fmt.Sprintf("%s(i) AS (SELECT CAST(0 AS BIGINT) UNION ALL SELECT i + 1 FROM %[1]s WHERE i < %d)", name, n-1)
	}
	const kind = "CASE n.i % 4 WHEN 0 THEN 'droplet' WHEN 1 THEN 'volume' WHEN 2 THEN 'snapshot' ELSE 'load_balancer' END"
	urn := "'do:' || " + kind + " || ':' || CAST(n.i AS TEXT)"
	name := "'web-' || CAST(n.i % 5000 AS TEXT)"
	step, start := 6*24*time.Hour.Microseconds(), db.Micros(now.AddDate(0, 0, -6*benchVersions))
	at := fmt.Sprintf("CAST(%d AS BIGINT) + k.i * CAST(%d AS BIGINT)", start, step)
	for _, query := range []string{
		fmt.Sprintf(`WITH RECURSIVE %s INSERT INTO inv_resources (urn, account, kind, id, parent, version, hash, first_seen, last_changed, born_to, born_by)
			SELECT %s, 'main', %s, CAST(n.i AS TEXT), '', %d, '', %d, %[5]d, %[5]d, 'document' FROM n`, numbers("n", benchResources), urn, kind, benchVersions, start),
		fmt.Sprintf(`WITH RECURSIVE %s, %s INSERT INTO inv_versions (urn, version, at, until, account, kind, id, gone, name, region, status, size, project,
				tags, tag_lines, words, monthly, created_at, doc)
			SELECT %s, k.i + 1, %s, CASE WHEN k.i < %d THEN %[4]s + %[6]d END, 'main', %s, CAST(n.i AS TEXT), FALSE, %s,
				CASE n.i %% 3 WHEN 0 THEN 'fra1' WHEN 1 THEN 'nyc3' ELSE 'sgp1' END, CASE (n.i + k.i) %% 2 WHEN 0 THEN 'active' ELSE 'off' END,
				's-1vcpu-1gb', '', '["env:production","team:a"]', %s, %s,
				CASE WHEN n.i %% 50 = 0 AND k.i > 5 THEN 48000000 ELSE (n.i %% 40 + 1) * 1000000 END, %d, '{}'
			FROM n CROSS JOIN k`, numbers("n", benchResources), numbers("k", benchVersions), urn, at, benchVersions-1, step, kind, name,
			"'|env:production|team:a|'", "'|' || "+name+" || '|' || "+urn+" || '|env:production|team:a|10.0.0.1|'", start),
		`UPDATE inv_versions SET tag_lines = REPLACE(tag_lines, '|', CHAR10), words = REPLACE(words, '|', CHAR10)`,
	} {
		newline := "char(10)"
		if d.Engine() == db.Postgres {
			newline = "chr(10)"
		}
		query = strings.ReplaceAll(query, "CHAR10", newline)
		if err := d.Write(b.Context(), func(tx *sql.Tx) error {
			_, err := tx.ExecContext(b.Context(), query)
			return err
		}); err != nil {
			b.Fatal(err)
		}
	}
}
