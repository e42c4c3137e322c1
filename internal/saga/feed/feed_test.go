package feed

import (
	"log/slog"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/saga"
)

func notes(numbers ...int64) (all []saga.Note) {
	for _, n := range numbers {
		all = append(all, saga.Note{Feed: n})
	}
	return all
}

func TestFeedPassesOnUpToTheFirstMissingNumber(t *testing.T) {
	f := New(nil, slog.New(slog.DiscardHandler))
	at := time.Now()
	for _, look := range []struct {
		name  string
		after int64
		notes []saga.Note
		later time.Duration
		want  int
	}{
		{"all that is there", 4, notes(5, 6, 7), 0, 3},
		{"nothing behind a missing number", 7, notes(9, 10, 12), time.Second, 0},
		{"still nothing", 7, notes(9, 10, 12), 5 * time.Second, 0},
		{"the late one, and up to the next missing", 7, notes(8, 9, 10, 12), 5500 * time.Millisecond, 3},
		{"the missing one is given up 5 s after what stands behind it was seen", 10, notes(12, 14), 6 * time.Second, 1},
		{"a number that came later has its own 5 s", 12, notes(14), 10 * time.Second, 0},
		{"and then no more", 12, notes(14), 11 * time.Second, 1},
	} {
		if got := f.settled(look.after, look.notes, at.Add(look.later)); got != look.want {
			t.Errorf("%s: passed on %d, want %d", look.name, got, look.want)
		}
	}
	if len(f.passed) != 0 {
		t.Errorf("it still remembers %v", f.passed)
	}
}

func TestFeedDropsWhoFallsBehind(t *testing.T) {
	f := New(nil, slog.New(slog.DiscardHandler))
	close(f.ready)
	slow, _, err := f.Listen(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	other, _, err := f.Listen(t.Context(), "saga_x")
	if err != nil {
		t.Fatal(err)
	}
	for n := range int64(buffer + 1) {
		for l := range f.listeners {
			f.pass(l, saga.Note{Feed: n, ID: "saga_y"})
		}
	}
	got := 0
	for range slow.Notes { // it ends: the listener was dropped
		got++
	}
	if got != buffer {
		t.Errorf("the slow listener got %d notes before it was dropped, want %d", got, buffer)
	}
	if _, stays := f.listeners[other]; !stays || len(other.Notes) != 0 {
		t.Errorf("a listener of another saga stays: %v, with %d notes; want true, 0", stays, len(other.Notes))
	}
}
