package metering_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/metering"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

// now is when the tests' events become known.
var now = time.Date(2026, 1, 20, 12, 30, 0, 0, time.UTC)

// tenants adds tenants and returns their ids in the order of the slugs.
func tenants(t testing.TB, d *db.DB, slugs ...string) []tenant.ID {
	t.Helper()
	ids := make([]tenant.ID, len(slugs))
	for i, slug := range slugs {
		one, err := tenant.New(d).Add(t.Context(), tenant.Entry{Slug: slug}, now.AddDate(-1, 0, 0))
		if err != nil {
			t.Fatal(err)
		}
		ids[i] = one.ID
	}
	return ids
}

// told reads events, one a line.
func told(t testing.TB, lines ...string) []metering.Told {
	t.Helper()
	events, err := metering.ReadBatch([]byte(strings.Join(lines, "\n")))
	if err != nil {
		t.Fatal(err)
	}
	return events
}

// use is an event: "n" units of acme's, at a time.
func use(id, at, n string, more ...string) string {
	return useOf("acme", id, at, n, more...)
}

func useOf(slug, id, at, n string, more ...string) string {
	return fmt.Sprintf(`{"specversion":"1.0","source":"s","type":"use","subject":%q,"id":%q,"time":%q,"data":{"n":%q}%s}`,
		slug, id, at, n, strings.Join(append([]string{""}, more...), ","))
}

// words are the results as statuses and reasons.
func words(results []metering.Result) string {
	var all []string
	for _, r := range results {
		word := string(r.Status)
		if r.Reason != "" {
			word = string(r.Reason)
		}
		if r.Late {
			word += "(late)"
		}
		all = append(all, word)
	}
	return strings.Join(all, " ")
}

func push(t testing.TB, s *metering.Service, lines ...string) string {
	t.Helper()
	results, err := s.Push(t.Context(), told(t, lines...), "", now)
	if err != nil {
		t.Fatal(err)
	}
	return words(results)
}

func count(t testing.TB, d *db.DB, query string, args ...any) (n int64) {
	t.Helper()
	if err := d.Read().QueryRowContext(t.Context(), query, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestPushSaysWhatBecameOfEachEvent(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		tenants(t, d, "acme", "globex", "gone")
		if _, err := tenant.New(d).Close(t.Context(), "gone", now.AddDate(0, 0, -1)); err != nil {
			t.Fatal(err)
		}
		s := metering.New(d, nil, nil)
		got := push(t, s,
			use("b", "2026-01-20T12:00:00Z", "1"),
			use("a", "2026-01-20T12:00:00Z", "1"),
			use("a", "2026-01-20T13:00:00+01:00", "1"), // the same instant
			use("a", "2026-01-20T12:00:00Z", "2"),
			use("c", "2026-01-20T12:35:00Z", "1"),
			use("d", "2026-01-20T12:35:00.000001Z", "1"),
			use("e", "2026-01-18T12:29:59Z", "1"),
			useOf("initech", "f", "2026-01-20T12:00:00Z", "1"),
			useOf("gone", "g", "2026-01-20T12:00:00Z", "1"),
			useOf("gone", "h", "2026-01-19T12:00:00Z", "1"),
			`{"id":"i"}`,
			`[]`,
			useOf("globex", "a", "2026-01-20T12:00:00Z", "9"),
			use("old", "2024-12-16T12:30:00Z", "1"), // 400 days
			use("older", "2024-12-16T12:29:59Z", "1"),
			use("ancient", "1999-01-01T00:00:00Z", "1"),
		)
		want := "accepted accepted duplicate conflict accepted too_far_ahead accepted(late) unknown_tenant closed_tenant accepted malformed malformed accepted accepted(late) too_old too_old"
		if got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		if n := count(t, d, `SELECT COUNT(*) FROM usage_events`); n != 7 {
			t.Errorf("%d events are kept, want 7", n)
		}
		again := push(t, s, use("e", "2026-01-18T12:29:59Z", "1"), use("b", "2026-01-20T12:00:00Z", "1.0"), use("b", "2026-01-20T12:00:00Z", "1"))
		if again != "duplicate conflict duplicate" {
			t.Errorf("told again: %s", again)
		}
		conflicts, err := s.Conflicts(t.Context(), "", time.Time{}, 10)
		if err != nil || len(conflicts) != 2 {
			t.Fatalf("conflicts: %+v, %v", conflicts, err)
		}
		if c := conflicts[0]; c.ID != "a" || c.Data["n"] != "2" || c.Counts.Data["n"] != "1" || c.Told != 1 {
			t.Errorf("the conflict is %+v", c)
		}
	})
}

func TestABatchOfOneTenantTakesNoOthersEvents(t *testing.T) {
	d := dbtest.New(t)
	ids := tenants(t, d, "acme", "globex")
	s := metering.New(d, nil, nil)
	nameless := strings.Replace(use("c", "2026-01-20T12:00:00Z", "1"), `"subject":"acme",`, "", 1)
	batch := told(t, use("a", "2026-01-20T12:00:00Z", "1"), useOf("globex", "b", "2026-01-20T12:00:00Z", "1"), nameless,
		useOf(string(ids[0]), "d", "2026-01-20T12:00:00Z", "1"))
	for _, tt := range []struct{ only, want string }{
		{"", "accepted accepted malformed accepted"},
		{"acme", "duplicate wrong_tenant accepted duplicate"},
		{string(ids[0]), "duplicate wrong_tenant duplicate duplicate"},
	} {
		results, err := s.Push(t.Context(), batch, tt.only, now)
		if err != nil || words(results) != tt.want {
			t.Errorf("only %q: %s, %v, want %s", tt.only, words(results), err, tt.want)
		}
	}
	if _, err := s.Push(t.Context(), batch, "initech", now); !errors.Is(err, fault.NotFound) {
		t.Errorf("a batch of nobody's: %v", err)
	}
}

func TestCorrections(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		tenants(t, d, "acme", "globex")
		s := metering.New(d, nil, nil)
		const at = "2026-01-20T12:00:00Z"
		replaces := func(id string) string { return `"replaces":"` + id + `"` }
		voids := func(id string) string { return `"voids":"` + id + `"` }
		for _, tt := range []struct{ name, got, want string }{
			{"usage", push(t, s, use("a", at, "1"), use("b", at, "2"), use("c", at, "4")), "accepted accepted accepted"},
			{"another tenant's event", push(t, s, useOf("globex", "x", at, "1", voids("a"))), "unknown_event"},
			{"no event", push(t, s, use("x", at, "1", replaces("none"))), "unknown_event"},
			{"replaced, voided", push(t, s, use("a2", at, "10", replaces("a")), use("b2", at, "0", voids("b"))), "accepted accepted"},
			{"told again", push(t, s, use("a2", at, "10", replaces("a")), use("b2", at, "0", voids("b"))), "duplicate duplicate"},
			{"told again otherwise", push(t, s, use("a2", at, "10"), use("b2", at, "0", voids("c"))), "conflict conflict"},
			{"corrected twice", push(t, s, use("a3", at, "11", replaces("a")), use("b3", at, "0", voids("b"))), "already_corrected already_corrected"},
			{"a correction of a correction, in one batch", push(t, s, use("a4", at, "12", replaces("a3b")), use("a3b", at, "11", replaces("a2"))), "unknown_event accepted"},
			{"and in order", push(t, s, use("a5", at, "12", replaces("a3b")), use("a6", at, "0", voids("a5"))), "accepted accepted"},
			{"of a voiding", push(t, s, use("b4", at, "0", voids("b2"))), "unknown_event"},
			{"two of one event in a batch", push(t, s, use("c2", at, "5", replaces("c")), use("c3", at, "6", replaces("c"))), "accepted already_corrected"},
			{"of itself", push(t, s, use("z", at, "5", replaces("z"))), "malformed"},
			{"both", push(t, s, use("z", at, "5", replaces("c2"), voids("c2"))), "malformed"},
		} {
			if tt.got != tt.want {
				t.Errorf("%s: %s, want %s", tt.name, tt.got, tt.want)
			}
		}
		events, err := s.Events(t.Context(), metering.EventFilter{Tenant: acme(t, d)})
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, e := range events {
			names = append(names, e.ID)
		}
		if slices.Sort(names); fmt.Sprint(names) != "[c2]" {
			t.Errorf("%v count, want c2 alone", names)
		}
		// What counted before it was corrected can be told, for what was billed by then.
		all, err := s.Events(t.Context(), metering.EventFilter{Tenant: acme(t, d), Corrected: true})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range all {
			if counts := e.CountsAt(now.AddDate(1, 0, 0)); counts != (e.ID == "c2") || !e.CorrectedAt.IsZero() && e.CountsAt(e.CorrectedAt) {
				t.Errorf("%s counts: %t; it was corrected at %s", e.ID, counts, e.CorrectedAt)
			}
		}
		if len(all) < 3 {
			t.Errorf("%d events with those that were corrected", len(all))
		}
	})
}

// A correction is of the tenant's own event alone: another's of the same source and id
// counts on, and nothing of it says that it was corrected.
func TestCorrectionsTouchNoOtherTenant(t *testing.T) {
	d := dbtest.New(t)
	tenants(t, d, "acme", "globex")
	s := metering.New(d, nil, nil)
	const at = "2026-01-20T12:00:00Z"
	if got := push(t, s, use("a", at, "1"), use("b", at, "2"), useOf("globex", "a", at, "3"), useOf("globex", "b", at, "4")); got != "accepted accepted accepted accepted" {
		t.Fatal(got)
	}
	read := func() (all [][]metering.Event) {
		t.Helper()
		for _, f := range []metering.EventFilter{{}, {Corrected: true}, {Known: now.AddDate(1, 0, 0)}} {
			f.Tenant = acme(t, d)
			events, err := s.Events(t.Context(), f)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, events)
		}
		return all
	}
	before := read()
	if len(before[0]) != 2 {
		t.Fatalf("%d events count", len(before[0]))
	}
	if got := push(t, s, useOf("globex", "x", at, "0", `"voids":"a"`), useOf("globex", "y", at, "9", `"replaces":"b"`)); got != "accepted accepted" {
		t.Fatal(got)
	}
	if after := read(); !reflect.DeepEqual(before, after) {
		t.Errorf("after another tenant's corrections: %+v, want %+v", after, before)
	}
}

func acme(t testing.TB, d *db.DB) tenant.ID {
	t.Helper()
	one, err := tenant.New(d).Tenant(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	return one.ID
}

// 16 writers tell the same events in different orders and batches, each of them 10 %
// twice: every event is accepted exactly once.
func TestManyWritersCountOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		tenants(t, d, "acme", "globex")
		s := metering.New(d, nil, nil)
		const writers, each, shared = 16, 150, 100
		var accepted, duplicates atomic.Int64
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				random := rand.New(rand.NewPCG(1, uint64(w)))
				var lines []string
				for i := range each {
					lines = append(lines, useOf([]string{"acme", "globex"}[i%2], fmt.Sprintf("w%d-%d", w, i), "2026-01-20T12:00:00Z", "1"))
				}
				for i := range shared { // by all of them
					lines = append(lines, use(fmt.Sprintf("all-%d", i), "2026-01-20T12:00:00Z", "1"))
				}
				lines = append(lines, lines[:each/10]...)
				random.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
				for part := range slices.Chunk(lines, 50) {
					if !counted(t, s, part, now, &accepted, &duplicates) {
						return
					}
				}
			})
		}
		wg.Wait()
		const want = writers*each + shared
		if n := count(t, d, `SELECT COUNT(*) FROM usage_events`); n != want || accepted.Load() != want {
			t.Errorf("%d events are kept and %d were accepted, want %d", n, accepted.Load(), want)
		}
		if got := duplicates.Load(); got != writers*(each/10+shared)-shared {
			t.Errorf("%d duplicates", got)
		}
	})
}

// counted pushes events and counts what becomes of them: they are accepted, or there
// already.
func counted(t *testing.T, s *metering.Service, lines []string, now time.Time, accepted, duplicates *atomic.Int64) bool {
	results, err := s.Push(t.Context(), told(t, lines...), "", now)
	if err != nil {
		t.Error(err)
		return false
	}
	for _, r := range results {
		switch r.Status {
		case metering.Accepted:
			accepted.Add(1)
		case metering.Duplicate:
			duplicates.Add(1)
		default:
			t.Errorf("%+v", r)
		}
	}
	return true
}

// Many corrections of one event at once: one is accepted.
func TestManyCorrectionsOfOneEvent(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		tenants(t, d, "acme")
		s := metering.New(d, nil, nil)
		const at = "2026-01-20T12:00:00Z"
		push(t, s, use("a", at, "1"))
		var accepted atomic.Int64
		var wg sync.WaitGroup
		for w := range 8 {
			batch := told(t, use(fmt.Sprint("fix", w), at, "2", `"replaces":"a"`))
			wg.Go(func() {
				results, err := s.Push(t.Context(), batch, "", now)
				if err != nil {
					t.Error(err)
				} else if results[0].Status == metering.Accepted {
					accepted.Add(1)
				} else if results[0].Reason != metering.CorrectedOnce {
					t.Errorf("%+v", results[0])
				}
			})
		}
		wg.Wait()
		if n := count(t, d, `SELECT COUNT(*) FROM usage_events`); accepted.Load() != 1 || n != 2 {
			t.Errorf("%d corrections were accepted and %d events are kept", accepted.Load(), n)
		}
	})
}

// A batch whose writing is broken off anywhere leaves nothing of it, and can be told
// again.
func TestIngestIsCutAnywhere(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		tenants(t, d, "acme")
		s := metering.New(d, nil, nil)
		const at = "2026-01-20T12:00:00Z"
		push(t, s, use("old", at, "1"))
		batch := told(t, use("a", at, "1"), use("b", at, "1", `"replaces":"old"`), use("old", at, "7"))
		cuts := 0
		for n := 1; ; n += 1 + n/16 {
			ctx, cut := cutAfter(t.Context(), n)
			results, err := s.Push(ctx, batch, "", now)
			if !cut() {
				if err != nil || words(results) != "accepted accepted conflict" && words(results) != "duplicate duplicate conflict" {
					t.Fatalf("uncut: %s, %v", words(results), err)
				}
				break
			}
			cuts++
			events := count(t, d, `SELECT COUNT(*) FROM usage_events`)
			corrections := count(t, d, `SELECT COUNT(*) FROM usage_corrections`)
			marks := count(t, d, `SELECT COUNT(*) FROM usage_marks`)
			if whole := events == 3 && corrections == 1 && marks == 2; !whole && (events != 1 || corrections != 0 || marks != 1) {
				t.Fatalf("cut %d left %d events, %d corrections, %d marks", n, events, corrections, marks)
			}
		}
		if cuts < 3 {
			t.Errorf("only %d cuts", cuts)
		}
		if n := count(t, d, `SELECT COUNT(*) FROM usage_conflicts`); n != 1 {
			t.Errorf("%d conflicts", n)
		}
	})
}

// cutAfter ends the context once it was asked n times whether it is done.
func cutAfter(ctx context.Context, n int) (context.Context, func() bool) {
	ctx, cancel := context.WithCancel(ctx)
	c := &cutting{Context: ctx, cancel: cancel}
	c.left.Store(int64(n))
	return c, func() bool { return c.left.Load() <= 0 }
}

type cutting struct {
	context.Context
	cancel context.CancelFunc
	left   atomic.Int64
}

func (c *cutting) spend() {
	if c.left.Add(-1) <= 0 {
		c.cancel()
	}
}

func (c *cutting) Done() <-chan struct{} { c.spend(); return c.Context.Done() }
func (c *cutting) Err() error            { c.spend(); return c.Context.Err() }

func FuzzReadBatch(f *testing.F) {
	f.Add(use("a", "2026-01-20T12:00:00Z", "1"))
	f.Add("[" + use("a", "2026-01-20T12:00:00Z", "1") + ",{},1]")
	f.Add(`[{"id":"\u0000","data":{"n":1e400}}]]`)
	f.Add(`{"id":null,"data":[1]} {"Id":"a"}`)
	f.Fuzz(func(t *testing.T, body string) {
		events, err := metering.ReadBatch([]byte(body))
		if err != nil {
			if k := fault.KindOf(err); k != fault.Invalid && k != fault.TooLarge || len(events) > 0 {
				t.Fatalf("%d events, %v", len(events), err)
			}
			return
		}
		for _, e := range events {
			if e.Err == nil && (e.ID == "" || e.Source == "" || e.Type == "" || e.At.IsZero()) {
				t.Fatalf("an event without a key: %+v", e)
			}
		}
	})
}
