package api_test

import (
	"context"
	"database/sql"
	"errors"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

var errHangUp = errors.New("hang up")

// A client that comes back with the id of its last event gets every event, once
// and in order, however often it hangs up while many write.
func TestEventsResume(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := serve(t, d, false)
		const writers, verbs = 8, 12
		var ids []saga.ID
		for range writers {
			ids = append(ids, s.created(t).ID)
		}
		var writing sync.WaitGroup
		for _, id := range ids {
			writing.Go(func() {
				by := saga.Actor{Name: "cli:tester"}
				if _, err := s.engine.Start(t.Context(), id, by); err != nil {
					t.Errorf("start: %v", err)
				}
				for range verbs {
					if _, err := s.engine.Pause(t.Context(), id, by); err != nil {
						t.Errorf("pause: %v", err)
					}
					if _, err := s.engine.Resume(t.Context(), id, by); err != nil {
						t.Errorf("resume: %v", err)
					}
				}
			})
		}
		want := writers * (1 + 2*verbs)
		var got []int64
		last, hangUps := "0", 0
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		for len(got) < want {
			patience := 1 + rand.IntN(20)
			err := s.client.Follow(ctx, "", last, func(n client.Note) error {
				number, err := strconv.ParseInt(n.Feed, 10, 64)
				if err != nil {
					return err
				}
				got, last = append(got, number), n.Feed
				if patience--; patience == 0 || len(got) == want {
					return errHangUp
				}
				return nil
			})
			if !errors.Is(err, errHangUp) {
				t.Fatalf("follow ended after %d of %d events: %v", len(got), want, err)
			}
			hangUps++
		}
		writing.Wait()
		if hangUps < 3 {
			t.Errorf("the client hung up %d times; that shows little", hangUps)
		}
		var all []int64
		notes, err := s.engine.Feed(t.Context(), 0, 10*want)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range notes {
			all = append(all, n.Feed)
		}
		if !slices.Equal(got, all) {
			t.Errorf("got the events\n%v\nof\n%v", got, all)
		}
	})
}

// On PostgreSQL a later number may be committed first. It waits for the earlier one.
func TestEventsWaitForEarlierCommits(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		if d.Engine() == db.SQLite {
			return // one writer: numbers are committed in their order
		}
		s := serve(t, d, false)
		first := s.created(t)
		by := saga.Actor{Name: "cli:tester"}
		held := func(hold <-chan struct{}, began chan<- struct{}) error {
			return d.WriteFenced(t.Context(), "held", func(tx *sql.Tx) error {
				_, err := tx.ExecContext(t.Context(), `INSERT INTO saga_events (saga_id, seq, rev, at, type, epoch) VALUES ($1, 1000, 0, 0, 'late', 0)`, first.ID)
				close(began)
				<-hold
				return err
			})
		}
		hold, began, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
		go func() { ended <- held(hold, began) }()
		<-began
		if _, err := s.engine.Start(t.Context(), s.created(t).ID, by); err != nil { // a later number, committed first
			t.Fatal(err)
		}
		var got []int64
		following := make(chan error, 1)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // a machine that stalls for longer than the feed's patience loses the late one
		defer cancel()
		go func() {
			following <- s.client.Follow(ctx, "", "0", func(n client.Note) error {
				number, err := strconv.ParseInt(n.Feed, 10, 64)
				if got = append(got, number); len(got) == 2 {
					return errHangUp
				}
				return err
			})
		}()
		select {
		case err := <-following:
			t.Errorf("the later event %v did not wait for the earlier one (%v)", got, err)
			following <- err
		case <-time.After(time.Second):
		}
		close(hold)
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		if err := <-following; !errors.Is(err, errHangUp) || len(got) < 2 || got[0] >= got[1] {
			t.Errorf("got %v, %v; want both in order", got, err)
		}
	})
}

// Who comes back to one saga gets what it missed of that one alone.
func TestEventsOfOneSagaResume(t *testing.T) {
	s := serve(t, dbtest.New(t), false)
	mine, others := s.created(t).ID, s.created(t).ID
	by := saga.Actor{Name: "cli:tester"}
	for _, id := range []saga.ID{others, mine, others, mine} {
		if _, err := s.engine.Cancel(t.Context(), id, by); err != nil {
			t.Fatal(err)
		}
	}
	seen := 0
	err := s.client.Follow(t.Context(), "", "0", func(client.Note) error { // now they are the past
		if seen++; seen == 4 {
			return errHangUp
		}
		return nil
	})
	if !errors.Is(err, errHangUp) {
		t.Fatal(err)
	}
	seen = 0
	err = s.client.Follow(t.Context(), string(mine), "0", func(n client.Note) error {
		if n.ID != string(mine) {
			t.Errorf("got a note of %s, want %s alone", n.ID, mine)
		}
		if seen++; seen == 2 {
			return errHangUp
		}
		return nil
	})
	if !errors.Is(err, errHangUp) {
		t.Error(err)
	}
}

// Only what is asked for comes, and a stream that begins now begins now.
func TestEventsOfOneSaga(t *testing.T) {
	s := serve(t, dbtest.New(t), false)
	mine, others := s.created(t).ID, s.created(t).ID
	by := saga.Actor{Name: "cli:tester"}
	started := make(chan struct{})
	got := make(chan client.Note, 10)
	go func() {
		close(started)
		_ = s.client.Follow(t.Context(), string(mine), "", func(n client.Note) error { got <- n; return nil }) // it ends with the test
	}()
	<-started
	deadline := time.After(10 * time.Second)
	for heard := false; !heard; { // from when on it listens is not to be seen: so again until it does
		for _, id := range []saga.ID{others, mine} {
			if _, err := s.engine.Cancel(t.Context(), id, by); err != nil {
				t.Fatal(err)
			}
		}
		select {
		case n := <-got:
			heard = true
			if n.ID != string(mine) || n.State != "created" {
				t.Errorf("got a note of %s in state %s, want %s created", n.ID, n.State, mine)
			}
		case <-time.After(100 * time.Millisecond):
		case <-deadline:
			t.Fatal("nothing came")
		}
	}
}
