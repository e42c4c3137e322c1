package inventory

import (
	"context"
	"database/sql"
	"errors"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// TestAnOlderListIsRefused applies a list that was begun before the one that was applied
// last: what it lacks may have come since, so that it says nothing.
func TestAnOlderListIsRefused(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		sagas, err := saga.New(d, saga.Options{})
		if err != nil {
			t.Fatal(err)
		}
		s, ctx, at := New(d, sagas, Settings{Accounts: func(context.Context) ([]string, error) { return []string{"main"}, nil }}), t.Context(), time.Date(2026, 11, 10, 9, 0, 0, 0, time.UTC)
		run, err := s.StartSync(ctx, "main", []string{volume.Name}, "test")
		if err != nil {
			t.Fatal(err)
		}
		apply := func(began time.Time) error {
			g := Generation{Run: run.ID, Account: "main", Kind: volume.Name, State: Complete, BeganAt: began, EndedAt: began, AsOf: began}
			return s.apply(ctx, nil, "main", volume, reading{complete: true, began: began, at: began}, &g)
		}
		if err := apply(at); err != nil {
			t.Fatal(err)
		}
		if err := apply(at.Add(-time.Second)); !errors.Is(err, errSuperseded) {
			t.Errorf("an older list: %v, want %v", err, errSuperseded)
		}
		if h, err := s.head(ctx, "main", volume.Name); err != nil || !h.asOf.Equal(at) {
			t.Errorf("the head is of %v, %v; want %v", h.asOf, err, at)
		}
		err = d.Write(ctx, func(tx *sql.Tx) error { return stillNewest(ctx, tx, "other", volume, at.Add(-time.Second)) })
		if err != nil {
			t.Errorf("another account's list: %v", err)
		}
	})
}
