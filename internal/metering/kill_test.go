package metering_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/metering"
	"github.com/arcadia-cloud/arcadia/internal/period"
)

// Ingest and the roll-up that follows it are killed before and after every statement: a
// batch is there whole or not at all, and the producer that tells it again, having had
// no answer, makes it what it is without a death.
func TestIngestIsKilledAtEveryStatement(t *testing.T) {
	const at = "2026-01-20T12:00:00Z"
	told := []string{
		use("a", at, "1"), use("b", at, "10", `"replaces":"old"`), use("gone", at, "0", `"voids":"older"`), use("old", at, "7"), use("known", at, "100"),
		useOf("globex", "a", at, "1000"), use("x", at, "1", `"voids":"none"`),
	}
	const first, again = "accepted accepted accepted conflict duplicate accepted unknown_event", "duplicate duplicate duplicate conflict duplicate duplicate unknown_event"
	month := period.Period{From: now.AddDate(0, -1, 0), To: now.AddDate(0, 1, 0)}
	total := func(t *testing.T, s *metering.Service, d *db.DB) string {
		totals, err := s.Totals(t.Context(), acme(t, d), "used", month)
		if err != nil || len(totals) != 1 {
			t.Fatal(totals, err)
		}
		return totals[0].Quantity.String()
	}
	killing := dbtest.Killing{
		Prepare: func(t *testing.T, d *db.DB) {
			tenants(t, d, "acme", "globex")
			s := metering.New(d, nil, nil)
			apply(t, s, metering.Meter{ID: "used", EventType: "use", Aggregate: metering.Sum, Value: "n"})
			push(t, s, use("old", at, "2"), use("older", at, "4"), use("known", at, "100"))
			if _, err := s.Roll(t.Context()); err != nil {
				t.Fatal(err)
			}
		},
		Do: func(t *testing.T, d *db.DB) error {
			s := metering.New(d, nil, nil)
			events, err := metering.ReadBatch([]byte(strings.Join(told, "\n")))
			if err != nil {
				return err
			}
			if _, err = s.Push(t.Context(), events, "", now); err != nil {
				return err
			}
			_, err = s.Roll(t.Context())
			return err
		},
		Check: func(t *testing.T, d *db.DB, where string) {
			s := metering.New(d, nil, nil)
			left := total(t, s, d)
			if left != "106" && left != "111" { // 2 + 4 + 100, or 1 + 10 + 100
				t.Errorf("killed %s it comes to %s", where, left)
			}
			want := []string{again}
			if left == "106" {
				want = []string{first, again}
			}
			var conflicts int64
			for _, want := range slices.Concat(want, []string{again}) {
				if got := push(t, s, told...); got != want {
					t.Errorf("killed %s, and told again: %s, want %s", where, got, want)
				}
				if _, err := s.Roll(t.Context()); err != nil {
					t.Fatal(err)
				}
				if got := total(t, s, d); got != "111" {
					t.Errorf("killed %s, and told again it comes to %s, want 111", where, got)
				}
				conflicts = count(t, d, `SELECT COUNT(*) FROM usage_conflicts`)
			}
			events, marks := count(t, d, `SELECT COUNT(*) FROM usage_events`), count(t, d, `SELECT COUNT(*) FROM usage_marks`)
			if events != 7 || marks != 0 || conflicts != 1 {
				t.Errorf("killed %s: %d events, %d marks, %d conflicts, want 7, 0 and 1", where, events, marks, conflicts)
			}
		},
	}
	t.Logf("killed at %d points on SQLite", killing.Every(t, db.SQLite, 1))
	t.Run("postgres", func(t *testing.T) { t.Logf("killed at %d points on PostgreSQL", killing.Every(t, db.Postgres, 7)) })
}
