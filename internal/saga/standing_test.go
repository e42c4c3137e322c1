package saga_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// moods is a kind whose sagas go where their input says.
type mood struct {
	Mood    string   `json:"mood"`
	Subject []string `json:"subject,omitempty"`
}

func moods(hold <-chan struct{}) saga.Kind[mood] {
	return saga.Kind[mood]{Name: "moods", Subjects: func(m mood) []string { return m.Subject }, Steps: []saga.Step[mood]{
		{
			Name: "first", Do: func(context.Context, *mood) error { return nil },
			Undo: func(_ context.Context, m *mood) error {
				if m.Mood == "stuck" {
					return saga.Stop(errors.New("it is not there"))
				}
				return nil
			},
		},
		{Name: "second", NothingToUndo: "nothing is done", Do: func(ctx context.Context, m *mood) error {
			switch m.Mood {
			case "waiting":
				return saga.Wait(time.Now().Add(time.Hour), "for an hour")
			case "rolled_back", "stuck":
				return saga.Permanent(errors.New("no"))
			case "running":
				select {
				case <-hold:
				case <-ctx.Done():
				}
			}
			return nil
		}},
	}}
}

// In every state exactly those verbs are offered that would be done. What was asked
// for already and has not happened yet may be asked for again, and is not offered.
func TestOfferedVerbsAreTheLegalOnes(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		hold := make(chan struct{})
		defer close(hold)
		e := newEngine(t, d, quick(), moods(hold))
		ctx := t.Context()
		verbs := map[string]func(saga.ID) error{}
		for name, act := range map[string]func(context.Context, saga.ID, saga.Actor) (saga.Saga, error){
			"start": e.Start, "pause": e.Pause, "resume": e.Resume, "cancel": e.Cancel, "retry": e.Retry, "force-release": e.ForceRelease,
		} {
			verbs[name] = func(id saga.ID) error { _, err := act(ctx, id, operator); return err }
		}
		verbs["skip"] = func(id saga.ID) error { _, err := e.Skip(ctx, id, "", operator); return err }
		verbs["mark-done"] = func(id saga.ID) error { _, err := e.MarkDone(ctx, id, "", nil, operator); return err }

		sagas := map[string][]saga.ID{} // as many of each state as there are verbs
		stop := serve(t, e)
		for _, state := range []saga.State{saga.Waiting, saga.Paused, saga.Completed, saga.RolledBack, saga.Stuck} {
			for range verbs {
				m := mood{Mood: string(state)}
				if state == saga.Paused {
					m.Mood = "waiting"
				}
				s := launch(t, e, "moods", m)
				if state == saga.Paused {
					await(t, e, s.ID, saga.Waiting)
					if err := verbs["pause"](s.ID); err != nil {
						t.Fatal(err)
					}
				}
				await(t, e, s.ID, state)
				sagas[string(state)] = append(sagas[string(state)], s.ID)
			}
		}
		for range verbs {
			s := launch(t, e, "moods", mood{Mood: "running"})
			await(t, e, s.ID, saga.Running)
			sagas["running"] = append(sagas["running"], s.ID)
			made, _, err := e.Create(ctx, saga.Request{Kind: "moods", Input: mood{}, RequestedBy: "cli:test"})
			if err != nil {
				t.Fatal(err)
			}
			sagas["created"] = append(sagas["created"], made.ID)
		}
		for state, ids := range sagas {
			i := 0
			for name, act := range verbs {
				id := ids[i]
				i++
				st, err := e.Standing(ctx, id)
				if err != nil {
					t.Fatal(err)
				}
				offered := slices.Contains(st.Verbs, name)
				done := act(id)
				if (done == nil) != offered {
					t.Errorf("%s of a saga that is %s: offered %t, and asked for it came to %v", name, state, offered, done)
				}
				if done != nil && !errors.Is(done, fault.Conflict) {
					t.Errorf("%s of a saga that is %s: %v, want a conflict", name, state, done)
				}
			}
		}
		stop()
	})
}

// A subject's line names who has it and who waits, in the order of their turns.
func TestStandingNamesTheLine(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		hold := make(chan struct{})
		e := newEngine(t, d, quick(), moods(hold))
		serve(t, e)
		defer close(hold)
		var ids []saga.ID
		for i := range 3 {
			s := launch(t, e, "moods", mood{Mood: "running", Subject: []string{"do:droplet:1"}})
			ids = append(ids, s.ID)
			await(t, e, s.ID, map[bool]saga.State{true: saga.Running, false: saga.Waiting}[i == 0])
		}
		st, err := e.Standing(t.Context(), ids[2])
		if err != nil {
			t.Fatal(err)
		}
		if len(st.Lines) != 1 || st.Lines[0].Holder != ids[0] || len(st.Lines[0].Waiting) != 2 || st.Lines[0].Waiting[0].ID != ids[1] || st.Lines[0].Waiting[1].ID != ids[2] {
			t.Errorf("the line is %+v, want %s before %v", st.Lines, ids[0], ids[1:])
		}
	})
}

// Counts, pages and hours see the same sagas, and a later saga moves no page.
func TestListsAgree(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		hold := make(chan struct{})
		defer close(hold)
		e := newEngine(t, d, quick(), moods(hold))
		ctx := t.Context()
		serve(t, e)
		for i := range 25 {
			s := launch(t, e, "moods", mood{Mood: []string{"completed", "rolled_back", "waiting"}[i%3]})
			await(t, e, s.ID, []saga.State{saga.Completed, saga.RolledBack, saga.Waiting}[i%3])
		}
		for _, f := range []saga.Filter{{}, {Ascending: true}, {By: saga.ByState}, {By: saga.ByState, Ascending: true}, {By: saga.ByKind}, {State: saga.Completed}, {States: saga.Open()}, {Kind: "moods", Since: time.Now().Add(-time.Hour)}, {Since: time.Now().Add(time.Hour)}} {
			want, err := e.Count(ctx, f)
			if err != nil {
				t.Fatal(err)
			}
			f.Limit = 4
			seen, states := map[saga.ID]bool{}, []string{}
			for n := 0; ; n++ {
				page, next, err := e.Sagas(ctx, f)
				if err != nil {
					t.Fatal(err)
				}
				for _, s := range page {
					if f.By == saga.ByState {
						states = append(states, string(s.State))
					}
					if seen[s.ID] {
						t.Errorf("%+v: %s is on two pages", f, s.ID)
					}
					seen[s.ID] = true
				}
				if n == 0 && f.By == saga.ByCreation && !f.Ascending && f.UpTo == "" { // what comes meanwhile stands above the first page
					late, _, err := e.Create(ctx, saga.Request{Kind: "moods", Input: mood{}, RequestedBy: "cli:test"})
					if err != nil {
						t.Fatal(err)
					}
					defer func(f saga.Filter) {
						if seen[late.ID] {
							t.Errorf("%+v: a later saga came into a page", f)
						}
					}(f)
				}
				if f.Cursor = next; next == "" {
					break
				}
			}
			if !f.Ascending {
				slices.Reverse(states)
			}
			if !slices.IsSorted(states) {
				t.Errorf("%+v: the states come as %s", f, states)
			}
			if int64(len(seen)) != want {
				t.Errorf("%+v: the pages hold %d sagas, the count is %d", f, len(seen), want)
			}
		}
		some := "saga_00000000000000000000000000000000"
		for _, f := range []saga.Filter{
			{Kind: "\x00"}, {Subject: "\xff"}, {Cursor: "x"}, {Cursor: "a." + some}, {By: saga.ByState, Cursor: some}, {By: saga.ByKind, Cursor: "\x00." + some},
		} {
			if _, _, err := e.Sagas(ctx, f); fault.KindOf(err) != fault.Invalid {
				t.Errorf("%+v: %v", f, err)
			}
		}
		census, err := e.Census(ctx, time.Now().Add(-time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		hours, err := e.Hours(ctx, time.Now().Add(-time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		for _, state := range saga.States() {
			n, err := e.Count(ctx, saga.Filter{State: state})
			if err != nil {
				t.Fatal(err)
			}
			var inHours int64
			for _, h := range hours {
				inHours += h.States[state]
			}
			if census[state] != n || inHours != n {
				t.Errorf("%s: counted %d, in the census %d, in the hours %d", state, n, census[state], inHours)
			}
		}
		turns, err := e.Turns(ctx, 10)
		if err != nil || len(turns) != 10 || !slices.IsSortedFunc(turns, func(a, b saga.Turn) int { return b.At.Compare(a.At) }) {
			t.Errorf("turns: %v, %v", fmt.Sprint(len(turns)), err)
		}
	})
}
