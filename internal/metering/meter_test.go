package metering_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/exact"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/metering"
	"github.com/arcadia-cloud/arcadia/internal/period"
)

// meters are one of each aggregate, over the events of useRandomly.
var meters = func() (all []metering.Meter) {
	for _, a := range []metering.Aggregate{
		metering.Sum, metering.Count, metering.Largest, metering.Smallest, metering.Unique, metering.Latest, metering.TimeWeighted,
	} {
		all = append(all, metering.Meter{ID: string(a), EventType: "use", Aggregate: a, Value: "n"})
	}
	return append(all, metering.Meter{
		ID: "grouped", EventType: "use", Aggregate: metering.TimeWeighted, Value: "n", GroupBy: []string{"region"},
		Filter: map[string][]string{"kind": {"a", "b"}},
	})
}()

func apply(t testing.TB, s *metering.Service, all ...metering.Meter) []metering.MeterOutcome {
	t.Helper()
	outcomes, err := s.ApplyMeters(t.Context(), all, "test", now, false)
	if err != nil {
		t.Fatal(err)
	}
	return outcomes
}

// useRandomly is a random event of January; some of them cannot be read.
func useRandomly(r *rand.Rand, id, more string) string {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(r.Int64N(int64(60 * time.Hour))))
	if r.IntN(4) == 0 {
		at = at.Truncate(time.Hour) // on the edge
	}
	n := fmt.Sprintf("%d.%03d", r.IntN(20)-8, r.IntN(1000))
	if r.IntN(20) == 0 {
		n = "many"
	}
	return fmt.Sprintf(`{"source":"s","type":"use","subject":"acme","id":%q,"time":%q,"data":{"n":%q,"kind":%q,"region":%q}%s}`,
		id, at.Format(time.RFC3339Nano), n, []string{"a", "b", "c"}[r.IntN(3)], []string{"fra1", "nyc3"}[r.IntN(2)], more)
}

// naive is what a meter comes to, by the definition of its aggregate.
func naive(m *metering.Meter, events []metering.Event, p period.Period) []metering.Total {
	groups := map[string][]metering.Reading{}
	for i := range events {
		r, about, err := m.Read(&events[i])
		if err != nil || !about || !r.At.Before(p.To) || m.Aggregate != metering.TimeWeighted && r.At.Before(p.From) {
			continue
		}
		id := strings.Join(r.Group, "|")
		groups[id] = append(groups[id], r)
	}
	var totals []metering.Total
	for _, readings := range groups {
		metering.SortReadings(readings)
		total := metering.Total{Group: readings[0].Group}
		var level, area exact.Number
		at := p.From
		distinct := map[string]bool{}
		for _, r := range readings {
			if !r.At.Before(p.From) {
				total.Events++
			}
			distinct[r.Text] = true
			switch q := total.Quantity; m.Aggregate {
			case metering.Sum:
				total.Quantity = q.Add(r.Value)
			case metering.Count, metering.Unique:
			case metering.Largest:
				if total.Events == 1 || r.Value.Cmp(q) > 0 {
					total.Quantity = r.Value
				}
			case metering.Smallest:
				if total.Events == 1 || r.Value.Cmp(q) < 0 {
					total.Quantity = r.Value
				}
			case metering.Latest:
				total.Quantity = r.Value
			case metering.TimeWeighted:
				if r.At.After(at) {
					area = area.Add(level.Mul(exact.Whole(r.At.Sub(at).Microseconds())))
					at = r.At
				}
				level = level.Add(r.Value)
			}
		}
		switch m.Aggregate {
		case metering.Count:
			total.Quantity = exact.Whole(total.Events)
		case metering.Unique:
			total.Quantity = exact.Whole(int64(len(distinct)))
		case metering.TimeWeighted:
			area = area.Add(level.Mul(exact.Whole(p.To.Sub(at).Microseconds())))
			total.Quantity = exact.Quotient(area, exact.Whole(p.Duration().Microseconds()))
		}
		totals = append(totals, total)
	}
	slices.SortFunc(totals, func(a, b metering.Total) int { return slices.Compare(a.Group, b.Group) })
	if len(totals) == 0 && len(m.GroupBy) == 0 {
		totals = []metering.Total{{}}
	}
	return totals
}

func showTotals(totals []metering.Total) string {
	var all []string
	for _, t := range totals {
		all = append(all, fmt.Sprintf("%v %s of %d", t.Group, t.Quantity, t.Events))
	}
	return strings.Join(all, ", ")
}

// Totals are what the events come to, whatever part of them is rolled up, over any
// period: of whole hours, of parts of one, in zones whose days begin at half past.
func TestTotalsAreWhatTheEventsComeTo(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		of := tenants(t, d, "acme")[0]
		s := metering.New(d, nil, nil)
		r := rand.New(rand.NewPCG(7, 7))
		kolkata, err := time.LoadLocation("Asia/Kolkata")
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		for i := range 300 {
			more := ""
			if i > 0 && r.IntN(10) == 0 {
				more = fmt.Sprintf(`,"%s":"e%d"`, []string{"replaces", "voids"}[r.IntN(2)], r.IntN(i))
			}
			lines = append(lines, useRandomly(r, fmt.Sprint("e", i), more))
		}
		check := func(when string) {
			t.Helper()
			events, err := s.Events(t.Context(), metering.EventFilter{Tenant: of})
			if err != nil {
				t.Fatal(err)
			}
			for n := range map[db.Engine]int{db.SQLite: 30, db.Postgres: 6}[d.Engine()] {
				from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(r.Int64N(int64(50 * time.Hour))).Truncate(time.Microsecond))
				p := period.Period{From: from, To: from.Add(1 + time.Duration(r.Int64N(int64(20*time.Hour)))).Truncate(time.Microsecond)}
				switch n % 5 {
				case 0:
					p = period.Period{From: period.DateOf(from, kolkata).Begin(kolkata), To: (period.DateOf(from, kolkata) + 1).Begin(kolkata)}
				case 1:
					p = period.Period{From: from.Truncate(time.Hour), To: from.Truncate(time.Hour).Add(3 * time.Hour)}
				case 2:
					p = period.Period{From: from.Truncate(time.Hour), To: from.Truncate(time.Hour).Add(time.Microsecond)}
				}
				if p.IsEmpty() {
					continue
				}
				for i := range meters {
					m := &meters[i]
					got, err := s.Totals(t.Context(), of, m.ID, p)
					if err != nil {
						t.Fatal(err)
					}
					if want := naive(m, events, p); showTotals(got) != showTotals(want) {
						t.Fatalf("%s, %s in %s: %s, want %s", when, m.ID, p, showTotals(got), showTotals(want))
					}
				}
			}
		}
		push(t, s, lines[:100]...)
		apply(t, s, meters...)
		check("nothing rolled up")
		if n, err := s.Roll(t.Context()); err != nil || n == 0 {
			t.Fatal(n, err)
		}
		check("all rolled up")
		push(t, s, lines[100:]...)
		check("half rolled up")
		if _, err := s.Roll(t.Context()); err != nil {
			t.Fatal(err)
		}
		check("all of it")
		rows := hours(t, d)
		if n, err := s.Rebuild(t.Context()); err != nil || n == 0 {
			t.Fatal(n, err)
		}
		if again := hours(t, d); !reflect.DeepEqual(again, rows) || len(rows) < 100 {
			t.Errorf("rebuilt, %d hours are not what %d were", len(again), len(rows))
		}
		check("rebuilt")
	})
}

// hours are all rows that were rolled up.
func hours(t testing.TB, d *db.DB) (all []string) {
	t.Helper()
	for _, query := range []string{
		`SELECT tenant_id, meter, hour, group_values || ' ' || events || ' ' || bucket FROM usage_hours ORDER BY 1, 2, 3, 4`,
		`SELECT tenant_id, type, hour, events || ' ' || unmetered || ' ' || unreadable FROM usage_counts ORDER BY 1, 2, 3, 4`,
	} {
		all = append(all, lines(t, d, query)...)
	}
	return all
}

// lines are the rows of a query with four columns.
func lines(t testing.TB, d *db.DB, query string) (all []string) {
	t.Helper()
	rows, err := d.Read().QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var a, b, c, e string
		if err := rows.Scan(&a, &b, &c, &e); err != nil {
			t.Fatal(err)
		}
		all = append(all, strings.Join([]string{a, b, c, e}, " "))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// While events come in from many sides and hours are rolled up, nothing is lost: the
// count at the end is that of the events, and no mark is left.
func TestRollingWhileEventsComeIn(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		of := tenants(t, d, "acme")[0]
		s := metering.New(d, nil, nil)
		apply(t, s, metering.Meter{ID: "units", EventType: "use", Aggregate: metering.Sum, Value: "n"})
		var wg sync.WaitGroup
		for w := range 4 {
			wg.Go(func() {
				for b := range 8 {
					var lines []string
					for i := range 10 {
						lines = append(lines, use(fmt.Sprintf("%d-%d-%d", w, b, i), fmt.Sprintf("2026-01-20T%02d:30:00Z", (b+i)%12), "0.1"))
					}
					if got := push(t, s, lines...); strings.Count(got, "accepted") != 10 {
						t.Error(got)
					}
				}
			})
		}
		for range 2 {
			wg.Go(func() {
				for range 6 {
					if _, err := s.Roll(t.Context()); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		day := period.Period{From: time.Date(2026, 1, 20, 0, 0, 0, 0, time.UTC), To: time.Date(2026, 1, 21, 0, 0, 0, 0, time.UTC)}
		for _, when := range []string{"before", "after"} {
			totals, err := s.Totals(t.Context(), of, "units", day)
			if err != nil || showTotals(totals) != "[] 32 of 320" {
				t.Errorf("%s: %s, %v", when, showTotals(totals), err)
			}
			if _, err := s.Roll(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if n := count(t, d, `SELECT COUNT(*) FROM usage_marks`); n != 0 {
			t.Errorf("%d marks are left", n)
		}
	})
}

func TestMetersStayAsTheyAreOnceTheyCounted(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		of := tenants(t, d, "acme")[0]
		s := metering.New(d, nil, nil)
		m := metering.Meter{ID: "units", EventType: "use", Aggregate: metering.Sum, Value: "m"}
		if got := apply(t, s, m)[0].Action; got != metering.MeterAdded {
			t.Error(got)
		}
		push(t, s, use("a", "2026-01-20T12:00:00Z", "1"), use("b", "2026-01-20T11:00:00Z", "2"))
		unmetered, err := s.Unmetered(t.Context())
		if err != nil || len(unmetered) != 1 || unmetered[0].Unreadable != 2 || unmetered[0].Tenant != of {
			t.Errorf("%+v, %v", unmetered, err)
		}
		m.Value = "n" // it has not counted yet
		if got := apply(t, s, m)[0].Action; got != metering.MeterChanged {
			t.Error(got)
		}
		if unmetered, err := s.Unmetered(t.Context()); err != nil || len(unmetered) != 0 {
			t.Errorf("%+v, %v", unmetered, err)
		}
		if got := apply(t, s, m)[0].Action; got != metering.MeterUnchanged {
			t.Error(got)
		}
		m.Aggregate = metering.Largest
		for _, dry := range []bool{true, false} {
			if _, err := s.ApplyMeters(t.Context(), []metering.Meter{m, {ID: "new", EventType: "x", Aggregate: metering.Count}}, "test", now, dry); !errors.Is(err, fault.Conflict) {
				t.Errorf("a meter that has counted was changed: %v", err)
			}
		}
		if err := s.RemoveMeter(t.Context(), "units"); !errors.Is(err, fault.Conflict) {
			t.Errorf("a meter that has counted was removed: %v", err)
		}
		if all, err := s.Meters(t.Context()); err != nil || len(all) != 1 || all[0].Aggregate != metering.Sum {
			t.Errorf("%+v, %v", all, err)
		}
		push(t, s, strings.Replace(use("c", "2026-01-20T11:00:00Z", "2"), `"use"`, `"abuse"`, 1))
		unmetered, err = s.Unmetered(t.Context())
		if err != nil || len(unmetered) != 1 || unmetered[0].Type != "abuse" || unmetered[0].Unmetered != 1 {
			t.Errorf("%+v, %v", unmetered, err)
		}
	})
}
