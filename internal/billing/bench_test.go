package billing

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/metering"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

const fiveLines = `currency: EUR
taxes:
  - {id: vat, rate: "20"}
meters:
  - {id: calls, event_type: calls, aggregate: sum, value: n}
  - {id: bytes, event_type: bytes, aggregate: sum, value: n}
  - {id: peak, event_type: peak, aggregate: max, value: n}
plans:
  - id: basic
    version: 1
    period: {unit: month}
    charges:
      - {id: fee, type: recurring, when: arrears, price: "30.00"}
      - {id: seats, type: recurring, when: arrears, model: unit, price: "4.50"}
      - {id: calls, type: usage, meter: calls, model: graduated, included: "100", tiers: [{up_to: "1000", unit: "0.012"}, {up_to: "10000", unit: "0.010"}, {unit: "0.008"}]}
      - {id: bytes, type: usage, meter: bytes, model: package, package_size: "1000", price: "0.10"}
      - {id: peak, type: usage, meter: peak, model: volume, tiers: [{up_to: "5", unit: "4"}, {unit: "3.50"}]}
`

// BenchmarkBillingRun issues an invoice of five lines to each of 100,000 customers, from
// facts in memory: rated, numbered, chained, and posted. Beside it the same rows are
// inserted, as many in a transaction, by whoever has them ready: once into tables of the
// same shape without a trigger or a reference, once into the billing run's own.
func BenchmarkBillingRun(b *testing.B) {
	invoices := 100_000
	if n, err := strconv.Atoi(os.Getenv("ARCADIA_BENCH_INVOICES")); err == nil {
		invoices = n
	}
	dbtest.Bench(b, func(b *testing.B, d *db.DB) {
		s := manyCustomers(b, d, invoices, time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC))
		at := time.Date(2026, 4, 10, 0, 0, 0, 0, time.UTC)
		for b.Loop() {
			runtime.GC()
			began, used := time.Now(), processorTime(b)
			run, err := s.RunBilling(b.Context(), RunOrder{By: "bench"}, at)
			took, used := time.Since(began), processorTime(b)-used
			if err != nil || len(run.Issued) != invoices || len(run.Failed) > 0 {
				b.Fatalf("%d invoices, %+v, %v", len(run.Issued), run.Failed, err)
			}
			if lines := strings.Count(string(run.Issued[0].Document), `"kind":"charge"`); lines != 5 {
				b.Fatalf("%d lines: %s", lines, run.Issued[0].Document)
			}
			like := run.Issued[0]
			run.Issued = nil
			runtime.GC()
			plain, plainUsed := insertPlainly(b, d, like, invoices, s.together)
			checked := insertChecked(b, d, like, invoices, s.together)
			b.ReportMetric(float64(invoices)/took.Seconds(), "invoices/s")
			b.ReportMetric(float64(invoices)/plain.Seconds(), "inserts/s")
			b.ReportMetric(float64(invoices)/checked.Seconds(), "checked-inserts/s")
			b.ReportMetric(plain.Seconds()/took.Seconds(), "ratio")
			b.ReportMetric(checked.Seconds()/took.Seconds(), "checked-ratio")
			b.ReportMetric(float64(used.Microseconds())/float64(invoices), "cpu-µs/invoice")
			b.ReportMetric(float64(plainUsed.Microseconds())/float64(invoices), "cpu-µs/insert")
			b.ReportMetric(0, "ns/op")
		}
	})
}

// The benchmarks copy rows of tables that change.
func TestManyCustomersAreBilled(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := manyCustomers(t, d, 20, time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC))
		run, err := s.RunBilling(t.Context(), RunOrder{By: "bench"}, time.Date(2026, 4, 10, 0, 0, 0, 0, time.UTC))
		if err != nil || len(run.Issued) != 20 || len(run.Failed) > 0 {
			t.Errorf("%d invoices, %+v, %v", len(run.Issued), run.Failed, err)
		}
	})
}

// BenchmarkHourlyPass is the billing run on the clock when nothing is due: all that was
// ever billed of each subscription is worked out again, and compared.
func BenchmarkHourlyPass(b *testing.B) {
	subscriptions := 10_000
	if n, err := strconv.Atoi(os.Getenv("ARCADIA_BENCH_SUBSCRIPTIONS")); err == nil {
		subscriptions = n
	}
	for _, months := range []int{1, 12} {
		b.Run(fmt.Sprintf("%d-months", months), func(b *testing.B) {
			dbtest.Bench(b, func(b *testing.B, d *db.DB) {
				s := manyCustomers(b, d, subscriptions, time.Date(2026, time.Month(4-months), 1, 0, 0, 0, 0, time.UTC))
				at := time.Date(2026, 4, 10, 0, 0, 0, 0, time.UTC)
				if run, err := s.RunBilling(b.Context(), RunOrder{By: "bench"}, at); err != nil || len(run.Issued) != subscriptions*months {
					b.Fatalf("%d invoices, %+v, %v", len(run.Issued), run.Failed, err)
				}
				for b.Loop() {
					runtime.GC()
					began, used := time.Now(), processorTime(b)
					p, err := s.BillDue(b.Context(), DueOrder{By: "bench"}, at.Add(time.Hour))
					took, used := time.Since(began), processorTime(b)-used
					if err != nil || p.Done != int64(subscriptions) || p.Issued+p.Drafted != 0 || len(p.Failed) > 0 {
						b.Fatalf("%+v, %v", p, err)
					}
					b.ReportMetric(float64(subscriptions)/took.Seconds(), "subscriptions/s")
					b.ReportMetric(float64(used.Microseconds())/float64(subscriptions), "cpu-µs/subscription")
					b.ReportMetric(0, "ns/op")
				}
			})
		})
	}
}

// processorTime is what this process has used, of all processors. A PostgreSQL server is
// another process.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// manyCustomers is a house with so many customers, each with a subscription from a day on.
func manyCustomers(b testing.TB, d *db.DB, n int, from time.Time) *Service {
	b.Helper()
	ctx := b.Context()
	var events []metering.Event
	for at := from.AddDate(0, 0, 11); at.Before(time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC)); at = at.AddDate(0, 1, 0) {
		for _, of := range []string{"calls", "bytes", "peak"} {
			events = append(events, metering.Event{Line: len(events) + 1, Source: "app", ID: at.Format(time.DateOnly) + of, Type: of, At: at, RecordedAt: at, Data: metering.Data{"n": "5432"}})
		}
	}
	s := New(d, func(context.Context, Asked) (Facts, error) { return Facts{Events: events}, nil }, nil)
	must := func(_ any, err error) {
		if err != nil {
			b.Fatal(err)
		}
	}
	began := from.AddDate(0, 0, -9)
	must(s.ApplyCatalog(ctx, Application{Name: "c.yaml", Document: []byte(fiveLines), By: "bench"}, began))
	must(s.PutIssuer(ctx, Issuer{ID: "main", LegalName: "Host GmbH", Address: seat, Series: "R-"}, "bench", began))
	must(tenant.New(d).Add(ctx, tenant.Entry{Slug: "acme", Name: "Acme"}, began))
	must(s.PutCustomer(ctx, "acme", Profile{Issuer: "main", Currency: "EUR", Zone: "Europe/Berlin", Address: seat, TermsDays: 14}, "bench", began))
	a, _, err := s.Subscribe(ctx, Order{Tenant: "acme", Plan: "basic@1", Quantity: "3", From: from.Format(time.DateOnly), Taxes: []string{"vat"}, By: "bench"}, began)
	must(a, err)
	const many = `WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < $1) `
	for _, query := range []string{
		`INSERT INTO tenants (id, slug, name, contact, state, created_at, changed_at) ` + many +
			`SELECT id || '_' || i, slug || '-' || i, name, contact, state, created_at, changed_at FROM tenants, n`,
		`INSERT INTO billing_customers (` + customerColumns + `) ` + many +
			`SELECT ` + strings.Replace(customerColumns, "tenant_id", "tenant_id || '_' || i", 1) + ` FROM billing_customers, n`,
		`INSERT INTO billing_subscriptions (id, tenant_id, currency, zone, anchor_day, taxes, coupons, started_at, created_at, created_by) ` + many +
			`SELECT id || '_' || i, tenant_id || '_' || i, currency, zone, anchor_day, taxes, coupons, started_at, created_at, created_by FROM billing_subscriptions, n`,
		`INSERT INTO billing_changes (subscription_id, seq, type, item, plan, quantity, effective_at, until_at, recorded_at, entered_at, actor, reason) ` + many +
			`SELECT subscription_id || '_' || i, seq, type, item, plan, quantity, effective_at, until_at, recorded_at, entered_at, actor, reason FROM billing_changes, n`,
	} {
		err := d.Write(ctx, func(tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, query, n)
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	return s
}

// plainTables are the billing run's, without triggers and references.
var plainTables = []string{
	`CREATE TABLE plain_invoices (id TEXT PRIMARY KEY, tenant_id TEXT NOT NULL, subscription_id TEXT NOT NULL, purpose TEXT NOT NULL, period_from BIGINT NOT NULL,
		period_to BIGINT NOT NULL, revision BIGINT NOT NULL, series TEXT NOT NULL, number BIGINT NOT NULL, issue_at BIGINT NOT NULL, issued_at BIGINT NOT NULL,
		issued_by TEXT NOT NULL, due_at BIGINT NOT NULL, currency TEXT NOT NULL, total BIGINT NOT NULL, due BIGINT NOT NULL, document JSON NOT NULL, parties JSON NOT NULL,
		previous_hash TEXT NOT NULL, hash TEXT NOT NULL, UNIQUE (series, number), UNIQUE (subscription_id, purpose, period_from, period_to, revision))`,
	`CREATE INDEX plain_invoices_tenant ON plain_invoices (tenant_id, issued_at)`,
	`CREATE TABLE plain_states (invoice_id TEXT NOT NULL, seq BIGINT NOT NULL, state TEXT NOT NULL, at BIGINT NOT NULL, actor TEXT NOT NULL, reason TEXT NOT NULL,
		PRIMARY KEY (invoice_id, seq))`,
	`CREATE TABLE plain_marks (subscription_id TEXT PRIMARY KEY, billed_to BIGINT NOT NULL)`,
	`CREATE TABLE plain_entries (id TEXT PRIMARY KEY, key TEXT NOT NULL UNIQUE, at BIGINT NOT NULL, entered_at BIGINT NOT NULL, actor TEXT NOT NULL, description TEXT NOT NULL)`,
	`CREATE TABLE plain_postings (entry_id TEXT NOT NULL, line BIGINT NOT NULL, account TEXT NOT NULL, tenant_id TEXT NOT NULL, currency TEXT NOT NULL,
		amount BIGINT NOT NULL, PRIMARY KEY (entry_id, line))`,
	`CREATE INDEX plain_postings_account ON plain_postings (tenant_id, account, currency)`,
	`CREATE TABLE plain_seals (entry_id TEXT PRIMARY KEY)`,
}

// plainly inserts rows of a table whose columns are names with their types.
func plainly(table string, columns ...string) *db.Bulk {
	types := map[string]db.Type{"text": db.Text, "bigint": db.Integer, "json": db.Object}
	var names []string
	var typed []db.Column
	for _, c := range columns {
		name, kind, _ := strings.Cut(c, " ")
		names, typed = append(names, name), append(typed, db.Column{Name: name, Type: types[kind]})
	}
	list := strings.Join(names, ", ")
	return db.NewBulk(`INSERT INTO `+table+` (`+list+`) SELECT `+list+` FROM given`, typed...)
}

var plainBulks = []*db.Bulk{
	plainly("plain_invoices", "id text", "tenant_id text", "subscription_id text", "purpose text", "period_from bigint", "period_to bigint", "revision bigint", "series text",
		"number bigint", "issue_at bigint", "issued_at bigint", "issued_by text", "due_at bigint", "currency text", "total bigint", "due bigint", "document json", "parties json",
		"previous_hash text", "hash text"),
	plainly("plain_states", "invoice_id text", "seq bigint", "state text", "at bigint", "actor text", "reason text"),
	plainly("plain_marks", "subscription_id text", "billed_to bigint"),
	plainly("plain_entries", "id text", "key text", "at bigint", "entered_at bigint", "actor text", "description text"),
	plainly("plain_postings", "entry_id text", "line bigint", "account text", "tenant_id text", "currency text", "amount bigint"),
	plainly("plain_seals", "entry_id text"),
}

// insertPlainly inserts the rows of n invoices, all like one that was issued.
func insertPlainly(b *testing.B, d *db.DB, like Issued, n, together int) (took, used time.Duration) {
	b.Helper()
	err := d.Write(b.Context(), func(tx *sql.Tx) error {
		for _, table := range plainTables {
			if _, err := tx.ExecContext(b.Context(), table); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	tax, err := like.check()
	if err != nil {
		b.Fatal(err)
	}
	for first := 0; first < n; first += together {
		e := rowsLike(like, tax, first, min(first+together, n), func(id string, i int) string { return fmt.Sprintf("%s_%d", id, i) })
		rows := [][][]any{e.invoices, e.states, e.markRows(), nil, nil, nil}
		for i, entry := range e.entries {
			of := fmt.Sprintf("entry_%s%08d", like.ID[4:28], first+i)
			rows[3] = append(rows[3], []any{of, entry.Key, db.Micros(entry.At), db.Micros(entry.EnteredAt), entry.Actor, entry.Description})
			for line, p := range entry.Postings {
				rows[4] = append(rows[4], []any{of, int64(line), string(p.Account), p.Tenant, string(p.Amount.Currency), p.Amount.Minor})
			}
			rows[5] = append(rows[5], []any{of})
		}
		var statements []db.Statement
		for i, bulk := range plainBulks {
			statements = append(statements, db.Statement{Bulk: bulk, Rows: rows[i]})
		}
		began, before := time.Now(), processorTime(b)
		if err := d.Write(b.Context(), func(tx *sql.Tx) error { return d.Pipeline(b.Context(), tx, statements...) }); err != nil {
			b.Fatal(err)
		}
		took, used = took+time.Since(began), used+processorTime(b)-before
	}
	return took, used
}

// rowsLike is the rows of the invoices first to end, all like one, of customers whose ids are
// made of its own.
func rowsLike(like Issued, tax int64, first, end int, of func(id string, i int) string) (e entered) {
	for i := first; i < end; i++ {
		one := like
		one.ID, one.Number = fmt.Sprintf("%s%08d", like.ID[:28], i), int64(i+1)
		one.Tenant, one.Subscription = tenant.ID(of(string(like.Tenant), i)), SubscriptionID(of(string(like.Subscription), i))
		e.add(&one, tax)
	}
	return e
}

// insertChecked inserts the rows of n invoices, all like one that was issued, into the
// tables that they belong in, of another database of the same kind.
func insertChecked(b *testing.B, d *db.DB, like Issued, n, together int) (took time.Duration) {
	b.Helper()
	fresh := dbtest.New
	if d.Engine() == db.Postgres {
		fresh = dbtest.NewPostgres
	}
	other := fresh(b)
	manyCustomers(b, other, n, time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC))
	tax, err := like.check()
	if err != nil {
		b.Fatal(err)
	}
	q, _ := other.SQLDB()
	var owner, agreement string
	if err := q.QueryRowContext(b.Context(), `SELECT tenant_id, id FROM billing_subscriptions ORDER BY length(id), id LIMIT 1`).Scan(&owner, &agreement); err != nil {
		b.Fatal(err)
	}
	like.Tenant, like.Subscription = tenant.ID(owner), SubscriptionID(agreement)
	for first := 0; first < n; first += together {
		e := rowsLike(like, tax, first, min(first+together, n), func(id string, i int) string {
			if i == 0 {
				return id
			}
			return id + "_" + strconv.Itoa(i+1) // as manyCustomers counts
		})
		began := time.Now()
		if err := other.Write(b.Context(), func(tx *sql.Tx) error { return e.insert(b.Context(), other, tx) }); err != nil {
			b.Fatal(err)
		}
		took += time.Since(began)
	}
	return took
}
