package db_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
)

// received reports whether a hint comes within the time; closed when no more will.
func received(hints <-chan struct{}, within time.Duration) (hint, closed bool) {
	select {
	case _, open := <-hints:
		return open, !open
	case <-time.After(within):
		return false, false
	}
}

const (
	soon  = 10 * time.Second       // far longer than a hint takes
	never = 100 * time.Millisecond // long enough for a wrong one to show
)

// listening is a listener that is ready: on PostgreSQL the first hint says so.
func listening(ctx context.Context, t *testing.T, d *db.DB, channel string) <-chan struct{} {
	t.Helper()
	hints := d.Listen(ctx, channel)
	if d.Engine() == db.Postgres {
		if hint, _ := received(hints, soon); !hint {
			t.Fatal("the listener never began")
		}
	}
	return hints
}

func TestNotifyWakesListenersAfterTheCommit(t *testing.T) {
	withRows(t, func(t *testing.T, d *db.DB) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		woken := listening(ctx, t, d, "woken")
		also := listening(ctx, t, d, "woken")
		other := listening(ctx, t, d, "another")

		for _, w := range both {
			rolledBack := errors.New("rolled back")
			err := w.write(d, t.Context(), func(tx *sql.Tx) error {
				return errors.Join(d.Notify(t.Context(), tx, "woken"), rolledBack)
			})
			if !errors.Is(err, rolledBack) {
				t.Fatal(err)
			}
			if hint, _ := received(woken, never); hint {
				t.Errorf("%s: a rolled-back transaction sent a hint", w.name)
			}
			err = w.write(d, t.Context(), func(tx *sql.Tx) error {
				for range 5 {
					if err := d.Notify(t.Context(), tx, "woken"); err != nil {
						return err
					}
				}
				return insert(t.Context(), tx, w.name)
			})
			if err != nil {
				t.Fatal(err)
			}
			for _, hints := range []<-chan struct{}{woken, also} {
				if hint, _ := received(hints, soon); !hint {
					t.Fatalf("%s: no hint came", w.name)
				}
			}
			if hint, _ := received(woken, never); hint && d.Engine() == db.Postgres {
				t.Errorf("%s: five hints of one transaction came as more than one", w.name)
			}
		}
		if hint, _ := received(other, never); hint {
			t.Error("a hint came on another channel")
		}
		cancel()
		eventually(t, "the channel is closed", func() bool {
			_, closed := received(woken, soon)
			return closed
		})
	})
}

func TestListenEndsWithTheDatabase(t *testing.T) {
	for _, url := range []func(testing.TB) string{dbtest.SQLite, dbtest.Postgres} {
		d, err := db.Open(t.Context(), url(t), db.Options{})
		if err != nil {
			t.Fatal(err)
		}
		hints := listening(t.Context(), t, d, "woken")
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if _, closed := received(hints, soon); !closed {
			t.Errorf("%s: the channel stays open", d.Engine())
		}
	}
}

func TestAListenerComesBackAfterItsConnectionIsLost(t *testing.T) {
	d, err := db.Open(t.Context(), dbtest.Postgres(t), db.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	hints := listening(t.Context(), t, d, "woken")

	var killed int
	err = d.Read().QueryRowContext(t.Context(), `SELECT count(pg_terminate_backend(pid))
		FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'`).Scan(&killed)
	if err != nil || killed != 1 {
		t.Fatalf("ended %d listener connections, %v", killed, err)
	}
	if hint, _ := received(hints, soon); !hint {
		t.Fatal("no hint says that one may have been lost")
	}
	err = d.Write(t.Context(), func(tx *sql.Tx) error { return d.Notify(t.Context(), tx, "woken") })
	if err != nil {
		t.Fatal(err)
	}
	if hint, _ := received(hints, soon); !hint {
		t.Error("the listener is deaf")
	}
}
