package saga_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// history is a saga's events as "type step", with the path of a call.
func history(t *testing.T, e *saga.Engine, id saga.ID) (lines []string, events []saga.Event) {
	t.Helper()
	events, err := e.Events(t.Context(), id, 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, ev := range events {
		line := strings.TrimSpace(ev.Type + " " + ev.Step)
		if ev.Type == saga.APICall {
			line += " " + callOf(t, ev).Path
		}
		lines = append(lines, line)
	}
	return lines, events
}

func callOf(t *testing.T, ev saga.Event) (c saga.Call) {
	t.Helper()
	if err := json.Unmarshal(ev.Detail, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// An entry's calls stand in the ledger before its end, however it ended, and cost
// no commit of their own.
func TestCallsAreInTheBoundaryOfTheirEntry(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		call := func(ctx context.Context, path string) {
			saga.Current(ctx).Record(saga.Call{Method: "GET", Path: path, Status: 200, RequestID: "req-" + path, TookMS: 1500, Attempt: 1})
		}
		o := quick()
		o.Retry.Attempts = 2
		e := newEngine(t, d, o, saga.Kind[count]{Name: "calls", Steps: []saga.Step[count]{
			{
				Name: "a",
				Do: func(ctx context.Context, c *count) error {
					c.N++
					call(ctx, fmt.Sprintf("/do/%d", c.N))
					switch c.N {
					case 1:
						return saga.Save("saved")
					case 2:
						return errors.New("not yet")
					}
					return nil
				},
				Undo: func(ctx context.Context, _ *count) error { call(ctx, "/undo"); return nil },
			},
			{Name: "b", NothingToUndo: "it does nothing", Do: func(context.Context, *count) error { return nil }},
			{
				Name: "c", NothingToUndo: "it does nothing",
				Do: func(ctx context.Context, _ *count) error { call(ctx, "/c"); return saga.Permanent(errors.New("no")) },
			},
		}})
		serve(t, e)
		s := await(t, e, launch(t, e, "calls", count{}).ID, saga.RolledBack)
		lines, events := history(t, e, s.ID)
		want := []string{
			"started", "step_started a", "api_call a /do/1", "step_waiting a", "step_started a", "api_call a /do/2", "step_retry a",
			"step_started a", "api_call a /do/3", "step_completed a", "step_started b", "step_completed b",
			"step_started c", "api_call c /c", "step_failed c", "turned_back", "undo_started a", "api_call a /undo", "undo_completed a", "rolled_back",
		}
		if !slices.Equal(lines, want) {
			t.Errorf("the history reads\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
		}
		if s.Rev != 8 {
			t.Errorf("%d commits; want 8: two claims, and one for each of 6 entries", s.Rev)
		}
		for i, ev := range events {
			if ev.Type != saga.APICall {
				continue
			}
			if end := events[i+1]; ev.Rev != end.Rev || ev.Epoch != end.Epoch {
				t.Errorf("the call %s is of rev %d, its entry's end of rev %d", ev.Detail, ev.Rev, end.Rev)
			}
			if end := events[i+1]; end.At.Sub(ev.At) < 1400*time.Millisecond {
				t.Errorf("a call of 1.5 s that ended with its entry began %s before it", end.At.Sub(ev.At))
			}
		}
		got := callOf(t, events[2])
		if (got.Method != "GET") || got.Status != 200 || got.RequestID != "req-/do/1" || got.TookMS != 1500 || got.Attempt != 1 {
			t.Errorf("the call is kept as %+v", got)
		}
	})
}

// Nothing that a step records may keep its boundary from being committed, or make
// the ledger grow without bounds.
func TestCallsAreBounded(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		e := newEngine(t, d, quick(), saga.Kind[count]{Name: "chatty", Steps: []saga.Step[count]{{
			Name: "a", NothingToUndo: "it does nothing",
			Do: func(ctx context.Context, _ *count) error {
				for range 60 {
					saga.Current(ctx).Record(saga.Call{
						Method: "GET\x00", Path: strings.Repeat("/ü", 1000), Error: "a\x00b\nc\xff" + strings.Repeat("€", 1000), Attempt: 1,
					})
				}
				return nil
			},
		}}})
		serve(t, e)
		s := await(t, e, launch(t, e, "chatty", count{}).ID, saga.Completed)
		lines, events := history(t, e, s.ID)
		if len(lines) != 2+50+3 || lines[52] != "api_calls_omitted a" || string(events[52].Detail) != `{"calls":10}` {
			t.Fatalf("%d events, want 50 calls and one that says that 10 more were made: %v", len(lines), lines)
		}
		for _, ev := range events[2:52] {
			if c := callOf(t, ev); len(ev.Detail) > 1200 || strings.ContainsAny(c.Method+c.Error, "\x00\n") || !utf8.ValidString(c.Path) {
				t.Fatalf("a call is kept as %d bytes: %s", len(ev.Detail), ev.Detail)
			}
		}
	})
}

// Whoever has lost a saga writes nothing of it, its calls included.
func TestCallsOfALostLeaseAreNotWritten(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		entered, gate := make(chan struct{}), make(chan struct{})
		var entries atomic.Int64
		e := newEngine(t, d, quick(), saga.Kind[count]{Name: "lost", Steps: []saga.Step[count]{{
			Name: "a", NothingToUndo: "it does nothing",
			Do: func(ctx context.Context, _ *count) error {
				n := entries.Add(1)
				saga.Current(ctx).Record(saga.Call{Method: "GET", Path: fmt.Sprintf("/entry/%d", n), Attempt: 1})
				if n == 1 {
					close(entered)
					<-gate
				}
				return nil
			},
		}}})
		serve(t, e)
		id := launch(t, e, "lost", count{}).ID
		<-entered
		if _, err := e.ForceRelease(t.Context(), id, operator); err != nil {
			t.Fatal(err)
		}
		close(gate)
		await(t, e, id, saga.Completed)
		lines, _ := history(t, e, id)
		if entries.Load() != 2 || slices.Contains(lines, "api_call a /entry/1") || !slices.Contains(lines, "api_call a /entry/2") {
			t.Errorf("%d entries left the history\n%s\nwant that of the second alone", entries.Load(), strings.Join(lines, "\n"))
		}
	})
}
