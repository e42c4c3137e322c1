package metering_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/metering"
	"github.com/arcadia-cloud/arcadia/internal/period"
)

// ARCADIA_TEST_EVENTS=1000000 runs the test below whole; it is 16 batches without.
const eventsVariable = "ARCADIA_TEST_EVENTS"

// 16 writers tell many events of two tenants, a tenth of them twice and by two writers at
// a time. Both tenants' events have the same sources and ids: each event is counted once,
// for its tenant, and neither tenant's void or batch reaches one of the other's.
func TestEachOfManyEventsCountsOnce(t *testing.T) {
	const writers, size = 16, 500
	batches := 2 * writers
	if n, err := strconv.Atoi(os.Getenv(eventsVariable)); err == nil {
		batches = max(writers, n/size)
	}
	began := now.Add(-20 * time.Hour)
	slugs := []string{"acme", "globex"}
	// event is the i-th of a batch: the tenants take turns, with one id for both.
	event := func(batch, i int) (line string, of, n int) {
		of, n = i%2, (batch*size+i)%97
		at := began.Add(time.Duration(batch*size+i) * 10 * time.Millisecond)
		return useOf(slugs[of], fmt.Sprintf("%d-%d", batch, i/2), at.Format(time.RFC3339Nano), strconv.Itoa(n)), of, n
	}
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ids := tenants(t, d, slugs...)
		s := metering.New(d, nil, nil)
		apply(t, s, metering.Meter{ID: "used", EventType: "use", Aggregate: metering.Sum, Value: "n"}, metering.Meter{ID: "calls", EventType: "use", Aggregate: metering.Count})
		var accepted, duplicates, next atomic.Int64
		var sums [2]atomic.Int64
		start := time.Now()
		var running sync.WaitGroup
		for range writers {
			running.Go(func() {
				for b := int(next.Add(1)) - 1; b < batches; b = int(next.Add(1)) - 1 {
					var lines []string
					for i := range size {
						line, of, n := event(b, i)
						lines = append(lines, line)
						sums[of].Add(int64(n))
					}
					for i := range size / 10 { // those of the batch that another writer tells now
						line, _, _ := event((b+1)%batches, i*10)
						lines = append(lines, line)
					}
					if !counted(t, s, lines, now, &accepted, &duplicates) {
						return
					}
				}
			})
		}
		running.Wait()
		took := time.Since(start)
		all := int64(batches * size)
		if n := count(t, d, `SELECT COUNT(*) FROM usage_events`); n != all || accepted.Load() != all || duplicates.Load() != all/10 {
			t.Fatalf("%d events are kept, %d were accepted and %d duplicates, want %d, %d and %d", n, accepted.Load(), duplicates.Load(), all, all, all/10)
		}
		month := period.Period{From: now.AddDate(0, -1, 0), To: now.AddDate(0, 1, 0)}
		check := func(of int, events, sum int64) {
			t.Helper()
			for meter, want := range map[string]int64{"used": sum, "calls": events} {
				totals, err := s.Totals(t.Context(), ids[of], meter, month)
				if err != nil || len(totals) != 1 || totals[0].Quantity.String() != strconv.FormatInt(want, 10) {
					t.Errorf("%s of %s: %+v, %v, want %d", meter, slugs[of], totals, err, want)
				}
			}
		}
		check(0, all/2, sums[0].Load())
		check(1, all/2, sums[1].Load())
		if _, err := s.Roll(t.Context()); err != nil {
			t.Fatal(err)
		}
		// The second tenant voids its event of an id that the first has too.
		_, _, own := event(0, 3)
		at := began.Format(time.RFC3339Nano)
		batch := told(t, useOf("globex", "blank", at, "0", `"voids":"0-1"`), useOf("acme", "1-1", at, "1"), useOf("globex", "blank-2", at, "0", `"voids":"of acme"`))
		results, err := s.Push(t.Context(), batch, "globex", now)
		if err != nil || words(results) != "accepted wrong_tenant unknown_event" {
			t.Fatalf("%s, %v", words(results), err)
		}
		check(0, all/2, sums[0].Load())
		check(1, all/2-1, sums[1].Load()-int64(own))
		for of := range slugs {
			events, err := s.Events(t.Context(), metering.EventFilter{Tenant: ids[of], Types: []string{"use"}, From: began, To: began.Add(time.Second)})
			if err != nil || len(events) == 0 {
				t.Fatal(len(events), err)
			}
			for _, e := range events {
				var batch, half int
				if _, err := fmt.Sscanf(strings.ReplaceAll(e.ID, "-", " "), "%d %d", &batch, &half); err != nil {
					t.Fatal(err)
				}
				if _, _, n := event(batch, 2*half+of); string(e.Data["n"]) != strconv.Itoa(n) {
					t.Errorf("%s sees %s with %s, want %d", slugs[of], e.ID, e.Data["n"], n)
				}
			}
		}
		t.Logf("%d events and %d again from %d writers in %s", all, all/10, writers, took.Round(time.Second/10))
	})
}
