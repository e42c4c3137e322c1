package metering_test

import (
	"database/sql"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/metering"
	"github.com/arcadia-cloud/arcadia/internal/period"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

// BenchmarkTotals makes totals of a month of 2,000 meters of tenants out of 5,000,000
// events that nobody has rolled up yet, and reports the most memory in use meanwhile.
func BenchmarkTotals(b *testing.B) {
	events := 5_000_000
	if n, err := strconv.Atoi(os.Getenv(eventsVariable)); err == nil {
		events = n
	}
	const ofTenants, ofMeters = 200, 10
	month := period.Period{From: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), To: time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)}
	dbtest.Bench(b, func(b *testing.B, d *db.DB) {
		s := metering.New(d, nil, nil)
		for i := range ofMeters {
			apply(b, s, metering.Meter{ID: fmt.Sprint("m", i), EventType: fmt.Sprint("t", i), Aggregate: metering.Sum, Value: "n"})
		}
		for _, query := range []string{
			`INSERT INTO usage_events (tenant_id, source, id, hash, type, at, recorded_at, counts, data)
				WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < CAST($1 AS BIGINT))
				SELECT 'tenant-' || (i % 200), 's', CAST(100000000 + i AS TEXT), CAST(i AS TEXT), 't' || ((i / 200) % 10), CAST($2 AS BIGINT) + i * (CAST($3 AS BIGINT) / CAST($1 AS BIGINT)), CAST($2 AS BIGINT), TRUE,
					CAST('{"n":"' || (i % 1000) || '","path":"/a/b","region":"fra1"}' AS JSON) FROM n`,
			`INSERT INTO usage_marks (tenant_id, type, hour) SELECT DISTINCT tenant_id, type, at - at % 3600000000 FROM usage_events
				WHERE at < CAST($1 AS BIGINT) + CAST($2 AS BIGINT) + CAST($3 AS BIGINT)`,
		} {
			if d.Engine() == db.SQLite {
				query = sqliteJSON(query)
			}
			err := d.Write(b.Context(), func(tx *sql.Tx) error {
				_, err := tx.ExecContext(b.Context(), query, int64(events), month.From.UnixMicro(), month.Duration().Microseconds())
				return err
			})
			if err != nil {
				b.Fatal(err)
			}
		}
		for b.Loop() {
			peak, stop := watchMemory()
			began := time.Now()
			var counted int64
			for t := range ofTenants {
				for m := range ofMeters {
					totals, err := s.Totals(b.Context(), tenant.ID(fmt.Sprint("tenant-", t)), fmt.Sprint("m", m), month)
					if err != nil || len(totals) != 1 {
						b.Fatal(totals, err)
					}
					counted += totals[0].Events
				}
			}
			took := time.Since(began)
			stop()
			if counted != int64(events) {
				b.Fatalf("%d events counted, want %d", counted, events)
			}
			b.ReportMetric(float64(events)/took.Seconds(), "events/s")
			b.ReportMetric(float64(peak.Load())/(1<<20), "MB")
			b.ReportMetric(0, "ns/op")
			if most := int64(512 << 20); peak.Load() > most {
				b.Errorf("%d bytes in use, more than %d", peak.Load(), most)
			}
		}
	})
}

// sqliteJSON leaves the cast away, which on SQLite would make a number.
func sqliteJSON(query string) string {
	return strings.ReplaceAll(strings.ReplaceAll(query, "CAST('{", "('{"), "}' AS JSON)", "}')")
}

// watchMemory follows how much memory the runtime has from the system, until stopped.
func watchMemory() (peak *atomic.Int64, stop func()) {
	peak = new(atomic.Int64)
	done, over := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(over)
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak.Store(max(peak.Load(), int64(m.Sys-m.HeapReleased)))
			select {
			case <-done:
				return
			case <-tick.C:
			}
		}
	}()
	return peak, func() { close(done); <-over }
}
