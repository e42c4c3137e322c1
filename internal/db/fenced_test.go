package db_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
)

// eachLane is eachRows with a single lane on PostgreSQL too, so that a test
// decides what is in a batch.
func eachLane(t *testing.T, fn func(t *testing.T, d *db.DB)) {
	urls := map[string]func(testing.TB) string{"sqlite": dbtest.SQLite, "postgres": dbtest.Postgres}
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			d, err := db.Open(t.Context(), urls[engine](t), db.Options{Committers: 1, ReadConns: 4, WriteConns: 4})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { d.Close() })
			exec(t, d, `CREATE TABLE rows_written (id TEXT PRIMARY KEY)`)
			fn(t, d)
		})
	}
}

// A queue is calls of WriteFenced that wait behind one that is blocked, so that
// all of them make the next batch.
type queue struct {
	t       *testing.T
	d       *db.DB
	release chan struct{}
	wg      sync.WaitGroup
	calls   int
}

func newQueue(t *testing.T, d *db.DB) *queue {
	q := &queue{t: t, d: d, release: make(chan struct{})}
	blocked := make(chan struct{})
	q.wg.Go(func() {
		err := d.WriteFenced(t.Context(), "", func(*sql.Tx) error { close(blocked); <-q.release; return nil })
		if err != nil {
			t.Error(err)
		}
	})
	<-blocked
	return q
}

// add queues a call and returns when it waits.
func (q *queue) add(ctx context.Context, key string, fn func(tx *sql.Tx) error, then func(err error, panicked any)) {
	q.calls++
	q.wg.Go(func() {
		defer func() {
			if v := recover(); v != nil {
				then(nil, v)
			}
		}()
		then(q.d.WriteFenced(ctx, key, fn), nil)
	})
	eventually(q.t, fmt.Sprintf("%d calls are queued", q.calls), func() bool { return q.d.Queued() == q.calls })
}

func (q *queue) run() {
	close(q.release)
	q.wg.Wait()
}

func TestCallsThatQueueAreCommittedTogetherInKeyOrder(t *testing.T) {
	eachLane(t, func(t *testing.T, d *db.DB) {
		q := newQueue(t, d)
		var order []string
		batches := make(map[*sql.Tx]int)
		hooks := make(map[string]int)
		var mu sync.Mutex
		for i := range 40 {
			key := fmt.Sprintf("%02d", (i*7)%40)
			q.add(t.Context(), key, func(tx *sql.Tx) error {
				order = append(order, key)
				batches[tx]++
				d.AfterCommit(tx, func() {
					mu.Lock()
					defer mu.Unlock()
					hooks[key]++
				})
				return insert(t.Context(), tx, key)
			}, func(err error, _ any) {
				mu.Lock()
				defer mu.Unlock()
				if err != nil || hooks[key] != 1 {
					t.Errorf("%s: %v, and AfterCommit ran %d times before it returned", key, err, hooks[key])
				}
			})
		}
		q.run()
		if len(batches) != 1 {
			t.Errorf("40 calls that waited were committed in %d transactions", len(batches))
		}
		if !slices.IsSorted(order) || len(order) != 40 {
			t.Errorf("they ran in the order %v", order)
		}
		if got := strings.Count(ids(t, d), " ") + 1; got != 40 {
			t.Errorf("%d rows, want 40", got)
		}
	})
}

// Some of a batch fail, each in another way. The others are as if those had
// never been there, and every caller hears of its own end alone.
func TestOneOfABatchDoesNotHarmTheOthers(t *testing.T) {
	eachLane(t, func(t *testing.T, d *db.DB) {
		exec(t, d, `INSERT INTO rows_written (id) VALUES ('taken')`)
		mine := errors.New("mine")
		cancelled, cancel := context.WithCancel(t.Context())
		defer cancel()

		type end struct {
			err      error
			panicked any
		}
		ends := make(map[string]end)
		hooks := make(map[string]int)
		var mu sync.Mutex
		q := newQueue(t, d)
		for i := range 36 {
			key := fmt.Sprintf("%02d", i)
			q.add(t.Context(), key, func(tx *sql.Tx) error {
				if err := insert(t.Context(), tx, key); err != nil {
					return err
				}
				d.AfterCommit(tx, func() {
					mu.Lock()
					defer mu.Unlock()
					hooks[key]++
				})
				switch i {
				case 0, 5, 6, 35:
					return mine
				case 10:
					return insert(t.Context(), tx, "taken")
				case 15:
					panic(mine)
				case 20: // its own context ends while it runs
					cancel()
					return insert(cancelled, tx, "cancelled")
				case 25: // an error that it keeps to itself
					_ = insert(t.Context(), tx, "taken")
				}
				return nil
			}, func(err error, panicked any) {
				mu.Lock()
				defer mu.Unlock()
				ends[key] = end{err, panicked}
			})
		}
		q.run()

		want := []string{}
		for i := range 36 {
			key := fmt.Sprintf("%02d", i)
			got := ends[key]
			var ok bool
			switch i {
			case 0, 5, 6, 35:
				ok = errors.Is(got.err, mine)
			case 10:
				ok = db.IsUnique(got.err)
			case 15:
				ok = got.panicked == any(mine)
			case 20:
				ok = errors.Is(got.err, context.Canceled)
			case 25:
				// PostgreSQL has ended its transaction, and COMMIT says so;
				// SQLite goes on after a broken constraint.
				ok = (got.err != nil) == (d.Engine() == db.Postgres)
				if d.Engine() == db.SQLite {
					want = append(want, key)
				}
			default:
				ok = got == end{}
				want = append(want, key)
			}
			if !ok {
				t.Errorf("call %s ended with %v, %v", key, got.err, got.panicked)
			}
			if wantHooks := btoi(slices.Contains(want, key)); hooks[key] != wantHooks {
				t.Errorf("AfterCommit of call %s ran %d times, want %d", key, hooks[key], wantHooks)
			}
		}
		want = append(want, "taken")
		if got := ids(t, d); got != strings.Join(want, " ") {
			t.Errorf("rows are %q\nwant     %q", got, strings.Join(want, " "))
		}
	})
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func TestACallLeavesTheQueueWithItsContext(t *testing.T) {
	eachLane(t, func(t *testing.T, d *db.DB) {
		q := newQueue(t, d)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		q.add(ctx, "a", func(*sql.Tx) error { t.Error("fn ran"); return nil }, func(err error, _ any) { ended <- err })
		q.add(t.Context(), "b", func(tx *sql.Tx) error { return insert(t.Context(), tx, "b") }, func(err error, _ any) {
			if err != nil {
				t.Error(err)
			}
		})
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) { // before the first is released
			t.Errorf("the call returned %v", err)
		}
		q.run()
		if got := ids(t, d); got != "b" {
			t.Errorf("rows are %q, want b", got)
		}
	})
}

// Once fn has begun its caller waits for the answer, whatever its context does:
// that of the caller who commits, and that of one who is committed for.
func TestACallThatHasBegunIsAnswered(t *testing.T) {
	eachLane(t, func(t *testing.T, d *db.DB) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		q := newQueue(t, d)
		var ends [3]error
		for i, key := range []string{"a", "b", "c"} {
			q.add(ctx, key, func(tx *sql.Tx) error {
				cancel()
				return insert(t.Context(), tx, key)
			}, func(err error, _ any) { ends[i] = err })
		}
		q.run()
		if rows := ids(t, d); errors.Join(ends[:]...) != nil || rows != "a b c" {
			t.Errorf("the calls returned %v and the rows are %q, want a b c", ends, rows)
		}
	})
}

// t.FailNow in an fn ends a goroutine that commits for others. They hear of it
// and the lane is free again.
func TestTheEndOfALeadersGoroutineIsNoDeadlock(t *testing.T) {
	eachLane(t, func(t *testing.T, d *db.DB) {
		q := newQueue(t, d)
		var lost error
		q.add(t.Context(), "a", func(*sql.Tx) error { runtime.Goexit(); return nil }, func(error, any) {})
		q.add(t.Context(), "b", func(tx *sql.Tx) error { return insert(t.Context(), tx, "b") }, func(err error, _ any) { lost = err })
		q.run()
		if lost == nil {
			t.Error("a call whose leader was ended before it ran was told that it committed")
		}
		if err := d.WriteFenced(t.Context(), "c", func(tx *sql.Tx) error { return insert(t.Context(), tx, "c") }); err != nil {
			t.Error(err)
		}
		if got := ids(t, d); got != "c" {
			t.Errorf("rows are %q, want c", got)
		}
	})
}

// Counters that many callers raise at random, with failures among them, hold
// exactly what the successful calls added.
func TestManyCallersAtOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		exec(t, d, `CREATE TABLE counters (id TEXT PRIMARY KEY, n BIGINT NOT NULL)`)
		const counters, callers, calls = 7, 40, 25
		for i := range counters {
			exec(t, d, `INSERT INTO counters (id, n) VALUES ($1, 0)`, fmt.Sprint(i))
		}
		mine := errors.New("mine")
		var want [counters]int
		var mu sync.Mutex
		var wg sync.WaitGroup
		for caller := range callers {
			wg.Go(func() {
				for call := range calls {
					i, fails := (caller+call)%counters, (caller*calls+call)%9 == 0
					err := d.WriteFenced(t.Context(), fmt.Sprint(i), func(tx *sql.Tx) error {
						if _, err := tx.ExecContext(t.Context(), `UPDATE counters SET n = n + 1 WHERE id = $1`, fmt.Sprint(i)); err != nil {
							return err
						}
						if fails {
							return mine
						}
						return nil
					})
					if fails != errors.Is(err, mine) || !fails && err != nil {
						t.Errorf("call %d of %d: %v", call, caller, err)
					}
					if err == nil {
						mu.Lock()
						want[i]++
						mu.Unlock()
					}
				}
			})
		}
		wg.Wait()
		for i := range counters {
			var n int
			if err := d.Read().QueryRowContext(t.Context(), `SELECT n FROM counters WHERE id = $1`, fmt.Sprint(i)).Scan(&n); err != nil {
				t.Fatal(err)
			}
			if n != want[i] {
				t.Errorf("counter %d is %d after %d calls that succeeded", i, n, want[i])
			}
		}
	})
}

func TestWritingInsideABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := dbtest.New(t)
		exec(t, d, `CREATE TABLE rows_written (id TEXT PRIMARY KEY)`)
		hints := d.Listen(t.Context(), "woken")
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				time.Sleep(time.Duration(i%3) * 24 * time.Hour)
				err := d.WriteFenced(t.Context(), "k", func(tx *sql.Tx) error {
					return errors.Join(insert(t.Context(), tx, fmt.Sprintf("%02d", i)), d.Notify(t.Context(), tx, "woken"))
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		<-hints
		wg.Wait()
		if got := strings.Count(ids(t, d), " ") + 1; got != 20 {
			t.Errorf("%d rows, want 20", got)
		}
	})
}
