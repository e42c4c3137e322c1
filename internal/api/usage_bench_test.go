package api_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/api"
	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/metering"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

// BenchmarkIngest sends usage events over HTTP, a tenth of them twice, and inserts as
// many rows into a table of the same shape with a multi-row INSERT that looks for
// nothing: no HTTP, no JSON, no duplicates. Both take turns, and the medians of five
// are compared.
func BenchmarkIngest(b *testing.B) {
	for _, engine := range []db.Engine{db.SQLite, db.Postgres} {
		for _, clients := range []int{1, 4} {
			for _, size := range []int{100, 1000} {
				b.Run(fmt.Sprintf("%s/%d-clients/batches-of-%d", engine, clients, size), func(b *testing.B) {
					d := dbtest.New(b)
					if engine == db.Postgres {
						d = dbtest.NewPostgres(b)
					}
					ingestBesideInserts(b, d, clients, size)
				})
			}
		}
	}
}

func ingestBesideInserts(b *testing.B, d *db.DB, clients, size int) {
	b.Helper()
	acme, err := tenant.New(d).Add(b.Context(), tenant.Entry{Slug: "acme"}, time.Now())
	if err != nil {
		b.Fatal(err)
	}
	exec(b, d, `CREATE TABLE plain (tenant_id TEXT NOT NULL, source TEXT NOT NULL, id TEXT NOT NULL, hash TEXT NOT NULL, type TEXT NOT NULL,
		at BIGINT NOT NULL, recorded_at BIGINT NOT NULL, counts BOOLEAN NOT NULL, data TEXT NOT NULL, PRIMARY KEY (tenant_id, source, id))`)
	exec(b, d, `CREATE INDEX plain_at ON plain (tenant_id, type, at)`)
	server := httptest.NewServer(api.New(api.Options{Tenants: tenant.New(d), Metering: metering.New(d, nil, nil)}).Handler())
	b.Cleanup(server.Close)
	batches := max(4*clients, 6000/size) / clients * clients
	const rounds = 5
	var ingested, inserted []float64
	sent, at := 0, time.Now().UTC().Format(time.RFC3339)
	for b.Loop() {
		for range rounds {
			var bodies [][]byte
			for range batches {
				bodies = append(bodies, body(sent, size, at))
				sent++
			}
			took := inParallel(b, clients, bodies, func(body []byte) error { return post(server, body) })
			ingested = append(ingested, float64(batches*size)/took.Seconds())
			var rows [][][]any
			for range batches {
				rows = append(rows, plainRows(string(acme.ID), sent, size))
				sent++
			}
			took = inParallel(b, clients, rows, func(rows [][]any) error {
				return d.Write(b.Context(), func(tx *sql.Tx) error {
					return d.Pipeline(b.Context(), tx, db.Statement{Bulk: insertPlain, Rows: rows})
				})
			})
			inserted = append(inserted, float64(batches*size)/took.Seconds())
		}
	}
	b.ReportMetric(median(ingested), "events/s")
	b.ReportMetric(median(inserted), "inserts/s")
	b.ReportMetric(median(ingested)/median(inserted), "ratio")
	b.ReportMetric(0, "ns/op")
}

// body is a batch; every tenth of its events was told in the batch before it.
func body(batch, size int, at string) []byte {
	var text bytes.Buffer
	text.WriteByte('[')
	for i := range size {
		of, n := batch, i
		if i%10 == 9 && batch > 0 {
			of, n = batch-1, i-1
		}
		if i > 0 {
			text.WriteByte(',')
		}
		fmt.Fprintf(&text, `{"specversion":"1.0","id":%q,"source":"gateway","type":"http.request","subject":"acme","time":%q,`+
			`"data":{"bytes":"%d","path":"/a/b","region":"fra1"}}`, eventID(of, n), at, n)
	}
	text.WriteByte(']')
	return text.Bytes()
}

// eventID is ordered by time, as producers are told to make them.
func eventID(batch, i int) string {
	r := rand.New(rand.NewPCG(uint64(batch), uint64(i)))
	return fmt.Sprintf("%08x-%04x-7%03x-%04x-%012x", batch, i, r.IntN(1<<12), r.IntN(1<<16), r.Int64N(1<<48))
}

func plainRows(of string, batch, size int) (rows [][]any) {
	at := time.Now().UnixMicro()
	for i := range size {
		rows = append(rows, []any{
			of, "gateway", eventID(batch, i), fmt.Sprintf("%016x%016x", batch, i), "http.request", at, at, true,
			fmt.Sprintf(`{"bytes":"%d","path":"/a/b","region":"fra1"}`, i),
		})
	}
	return rows
}

var insertPlain = db.NewBulk(`INSERT INTO plain (tenant_id, source, id, hash, type, at, recorded_at, counts, data)
	SELECT tenant_id, source, id, hash, type, at, recorded_at, counts, data FROM given`,
	db.Column{Name: "tenant_id"}, db.Column{Name: "source"}, db.Column{Name: "id"}, db.Column{Name: "hash"}, db.Column{Name: "type"},
	db.Column{Name: "at", Type: db.Integer}, db.Column{Name: "recorded_at", Type: db.Integer}, db.Column{Name: "counts", Type: db.Boolean},
	db.Column{Name: "data"})

func exec(b *testing.B, d *db.DB, query string) {
	b.Helper()
	err := d.Write(b.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(b.Context(), query)
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
}

// inParallel does all work, shared between so many.
func inParallel[T any](b *testing.B, workers int, work []T, do func(T) error) time.Duration {
	b.Helper()
	began := time.Now()
	var running sync.WaitGroup
	for w := range workers {
		running.Go(func() {
			for i := w; i < len(work); i += workers {
				if err := do(work[i]); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	running.Wait()
	return time.Since(began)
}

func post(s *httptest.Server, body []byte) error {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, s.URL+"/v1/usage", bytes.NewReader(body))
	if err != nil {
		return err
	}
	res, err := s.Client().Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err == nil && (res.StatusCode != http.StatusOK || bytes.Contains(answer, []byte(`"rejected"`+`,`))) {
		err = fmt.Errorf("%d %.300s", res.StatusCode, answer)
	}
	return err
}

func median(all []float64) float64 {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[len(sorted)/2]
}
