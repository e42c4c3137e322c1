package db_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
)

// A heap is values of a group that wait behind one that is blocked, so that all
// of them make the next batch.
type heap struct {
	t       *testing.T
	d       *db.DB
	group   *db.Group[string]
	release chan struct{}
	wg      sync.WaitGroup
	added   int

	mu    sync.Mutex
	calls [][]string      // the values of each call of write
	txs   map[*sql.Tx]int // how many calls each transaction made
}

func newHeap(t *testing.T, d *db.DB, write func(ctx context.Context, tx *sql.Tx, values []string) error) *heap {
	h := &heap{t: t, d: d, release: make(chan struct{}), txs: map[*sql.Tx]int{}}
	blocked := make(chan struct{})
	h.group = db.NewGroup(d, func(ctx context.Context, tx *sql.Tx, values []string) error {
		if values[0] == "first" {
			close(blocked)
			<-h.release
			return nil
		}
		h.mu.Lock()
		h.calls = append(h.calls, slices.Clone(values))
		h.txs[tx]++
		h.mu.Unlock()
		return write(ctx, tx, values)
	})
	h.wg.Go(func() {
		if err := h.group.Write(t.Context(), "", "first"); err != nil {
			t.Error(err)
		}
	})
	<-blocked
	return h
}

// add queues a value and returns when it waits.
func (h *heap) add(key, value string, then func(err error, panicked any)) {
	h.added++
	h.wg.Go(func() {
		defer func() {
			if v := recover(); v != nil {
				then(nil, v)
			}
		}()
		then(h.group.Write(h.t.Context(), key, value), nil)
	})
	eventually(h.t, fmt.Sprintf("%d values are queued", h.added), func() bool { return h.d.Queued() == h.added })
}

func (h *heap) run() {
	close(h.release)
	h.wg.Wait()
}

func TestValuesOfAGroupAreWrittenTogetherInKeyOrder(t *testing.T) {
	eachLane(t, func(t *testing.T, d *db.DB) {
		h := newHeap(t, d, func(ctx context.Context, tx *sql.Tx, values []string) error {
			return d.Pipeline(ctx, tx, db.Statement{Bulk: insertRows, Rows: rowsOf(values...)})
		})
		for i := range 40 {
			key := fmt.Sprintf("%02d", (i*7)%40)
			h.add(key, key, func(err error, _ any) {
				if err != nil {
					t.Errorf("%s: %v", key, err)
				}
			})
		}
		// Two writes of one row are not one statement's.
		h.add("05", "05 again", func(err error, _ any) {
			if err != nil {
				t.Errorf("05 again: %v", err)
			}
		})
		h.run()
		if len(h.txs) != 1 || len(h.calls) != 2 || !slices.IsSorted(h.calls[0]) || slices.Contains(h.calls[0], "05 again") {
			t.Errorf("the values were written in %d transactions, by these calls: %q", len(h.txs), h.calls)
		}
		if got := strings.Count(ids(t, d), "0"); !strings.Contains(ids(t, d), "05 again") || len(strings.Fields(ids(t, d))) != 42 || got == 0 {
			t.Errorf("rows are %q", ids(t, d))
		}
	})
}

// Some values make the write of all fail. The others are as if those had never
// been there, and every caller hears of its own end alone.
func TestOneValueOfAGroupDoesNotHarmTheOthers(t *testing.T) {
	eachLane(t, func(t *testing.T, d *db.DB) {
		exec(t, d, `INSERT INTO rows_written (id) VALUES ('taken')`)
		mine := errors.New("mine")
		h := newHeap(t, d, func(ctx context.Context, tx *sql.Tx, values []string) error {
			if slices.Contains(values, "refused") {
				return mine
			}
			if slices.Contains(values, "panics") {
				panic(mine)
			}
			d.AfterCommit(tx, func() {})
			return d.Pipeline(ctx, tx, db.Statement{Bulk: insertRows, Rows: rowsOf(values...)})
		})
		type end struct {
			err      error
			panicked any
		}
		ends := make(map[string]end)
		var mu sync.Mutex
		bad := map[int]string{3: "refused", 11: "panics", 17: "taken"}
		var want []string
		for i := range 20 {
			key := fmt.Sprintf("%02d", i)
			value := key
			if b, ok := bad[i]; ok {
				value = b
			} else {
				want = append(want, key)
			}
			h.add(key, value, func(err error, panicked any) {
				mu.Lock()
				defer mu.Unlock()
				ends[key] = end{err, panicked}
			})
		}
		h.run()
		for i := range 20 {
			got, ok := ends[fmt.Sprintf("%02d", i)], false
			switch bad[i] {
			case "refused":
				ok = errors.Is(got.err, mine)
			case "panics":
				ok = got.panicked == any(mine)
			case "taken":
				ok = db.IsUnique(got.err)
			default:
				ok = got == end{}
			}
			if !ok {
				t.Errorf("value %d ended with %v, %v", i, got.err, got.panicked)
			}
		}
		if got := ids(t, d); got != strings.Join(append(want, "taken"), " ") {
			t.Errorf("rows are %q", got)
		}
	})
}

// A group's write is a write: it may not be nested, and its answer may be lost.
func TestAGroupRefusesToBeNested(t *testing.T) {
	eachWrite(t, func(t *testing.T, d *db.DB, write func(func(*sql.Tx) error) error) {
		group := db.NewGroup(d, func(context.Context, *sql.Tx, []string) error { return nil })
		var inner error
		if err := write(func(*sql.Tx) error { inner = group.Write(t.Context(), "a", "a"); return nil }); err != nil || inner == nil {
			t.Errorf("the nested write returned %v, the outer %v", inner, err)
		}
	})
}

// What is held back until COMMIT is sent with it, and with it its answer is lost.
func TestALostAnswerToAGroupsCommitIsUnknown(t *testing.T) {
	direct := dbtest.Postgres(t)
	proxy, through := newCutter(t, direct)
	d, err := db.Open(t.Context(), through, db.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	exec(t, d, `CREATE TABLE rows_written (id TEXT PRIMARY KEY)`)
	group := db.NewGroup(d, func(ctx context.Context, tx *sql.Tx, values []string) error {
		return d.Pipeline(ctx, tx, db.Statement{Bulk: insertRows, Rows: rowsOf(values...)})
	})
	rows := ""
	for i, tt := range []struct {
		cut       cut
		committed bool
	}{{cutBeforeCommit, false}, {cutAfterCommit, true}} {
		// The connection's first commit prepares COMMIT.
		first, second := fmt.Sprint(i, "a"), fmt.Sprint(i, "b")
		if err := group.Write(t.Context(), first, first); err != nil {
			t.Fatal(err)
		}
		proxy.next(tt.cut)
		if err := group.Write(t.Context(), second, second); !errors.Is(err, db.ErrCommitUnknown) {
			t.Errorf("the write returned %v", err)
		}
		rows += " " + first
		if tt.committed {
			rows += " " + second
		}
		if got := ids(t, d); got != rows[1:] {
			t.Errorf("rows are %q, want %q", got, rows[1:])
		}
	}
}
