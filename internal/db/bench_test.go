package db_test

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
)

// BenchmarkWriteFenced commits what a saga's boundary does (a compare-and-swap,
// two step rows, an event) with so many callers in flight.
func BenchmarkWriteFenced(b *testing.B) {
	for _, engine := range []string{"sqlite", "postgres"} {
		for _, lanes := range []int{1, 2, 4, 8, 16} {
			if engine == "sqlite" && lanes > 1 {
				continue
			}
			for _, flight := range []int{1, 16, 100} {
				b.Run(fmt.Sprintf("%s/lanes=%d/flight=%d", engine, lanes, flight), func(b *testing.B) {
					url := dbtest.SQLite(b)
					if engine == "postgres" {
						url = dbtest.Postgres(b)
					}
					d, err := db.Open(b.Context(), url, db.Options{Committers: lanes})
					if err != nil {
						b.Fatal(err)
					}
					b.Cleanup(func() { d.Close() })
					benchmarkFenced(b, d, flight)
				})
			}
		}
	}
}

func benchmarkFenced(b *testing.B, d *db.DB, flight int) {
	exec(b, d, `CREATE TABLE bench_sagas (id TEXT PRIMARY KEY, rev BIGINT NOT NULL, data TEXT)`)
	exec(b, d, `CREATE TABLE bench_steps (saga_id TEXT NOT NULL, position BIGINT NOT NULL, state TEXT NOT NULL, PRIMARY KEY (saga_id, position))`)
	exec(b, d, `CREATE TABLE bench_events (saga_id TEXT NOT NULL, seq BIGINT NOT NULL, detail TEXT, PRIMARY KEY (saga_id, seq))`)
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	for i := range flight {
		exec(b, d, `INSERT INTO bench_sagas (id, rev) VALUES ($1, 0)`, fmt.Sprint("saga_", i))
	}
	b.ResetTimer()
	var n atomic.Int64
	var wg sync.WaitGroup
	for i := range flight {
		saga := fmt.Sprint("saga_", i)
		wg.Go(func() {
			for rev := 0; n.Add(1) <= int64(b.N); rev++ {
				err := d.WriteFenced(ctx, saga, func(tx *sql.Tx) error {
					if _, err := tx.ExecContext(ctx, `UPDATE bench_sagas SET rev = $2 + 1, data = $3 WHERE id = $1 AND rev = $2`, saga, rev, `{"a":1}`); err != nil {
						return err
					}
					for p := range 2 {
						if _, err := tx.ExecContext(ctx, `INSERT INTO bench_steps (saga_id, position, state) VALUES ($1, $2, $3)
							ON CONFLICT (saga_id, position) DO UPDATE SET state = excluded.state`, saga, p, "completed"); err != nil {
							return err
						}
					}
					_, err := tx.ExecContext(ctx, `INSERT INTO bench_events (saga_id, seq, detail) VALUES ($1, $2, $3)`, saga, rev, "{}")
					return err
				})
				if err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
}
