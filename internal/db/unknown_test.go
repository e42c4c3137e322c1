package db_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
)

// A cutter is a proxy before PostgreSQL that can cut a connection at COMMIT:
// before the server hears of it, or after the server has answered.
type cutter struct {
	listener net.Listener
	server   string
	wg       sync.WaitGroup

	mu  sync.Mutex
	cut cut
}

type cut int

const (
	cutNothing cut = iota
	cutBeforeCommit
	cutAfterCommit
)

// newCutter returns a proxy, and the URL of the database through it.
func newCutter(t *testing.T, databaseURL string) (*cutter, string) {
	u, err := url.Parse(databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{listener: listener, server: u.Host}
	c.wg.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			c.wg.Go(func() { c.serve(client) })
		}
	})
	t.Cleanup(func() { listener.Close(); c.wg.Wait() })
	u.Host = listener.Addr().String()
	return c, u.String()
}

// preparedCommit is how pgx calls COMMIT once it has prepared it.
var preparedCommit = func() []byte {
	digest := sha256.Sum256([]byte("COMMIT"))
	return fmt.Appendf(nil, "\x00stmtcache_%x\x00", digest[:24])
}()

// next has the next COMMIT cut.
func (c *cutter) next(how cut) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut = how
}

// take returns how a client's message is to be cut, once.
func (c *cutter) take(message []byte) (how cut) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if bytes.Contains(message, []byte("COMMIT\x00")) || bytes.Contains(message, preparedCommit) {
		how, c.cut = c.cut, cutNothing
	}
	return how
}

func (c *cutter) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", c.server)
	if err != nil {
		return
	}
	defer server.Close()
	var swallow atomic.Bool // what the server answers from here on
	c.wg.Go(func() {
		buf := make([]byte, 64<<10)
		for {
			n, err := client.Read(buf)
			if err != nil {
				server.Close()
				return
			}
			switch c.take(buf[:n]) {
			case cutBeforeCommit:
				server.Close()
				return
			case cutAfterCommit:
				swallow.Store(true)
				_, _ = server.Write(buf[:n])
				// The server reads the end after COMMIT, so when it hangs up
				// it has committed and answered.
				_ = server.(*net.TCPConn).CloseWrite()
				return
			}
			if _, err := server.Write(buf[:n]); err != nil {
				return
			}
		}
	})
	buf := make([]byte, 64<<10)
	for {
		n, err := server.Read(buf)
		if err != nil {
			return
		}
		if swallow.Load() {
			continue
		}
		if _, err := client.Write(buf[:n]); err != nil {
			return
		}
	}
}

func TestALostAnswerToCommitIsUnknown(t *testing.T) {
	direct := dbtest.Postgres(t)
	proxy, through := newCutter(t, direct)
	d, err := db.Open(t.Context(), through, db.Options{Committers: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	observer, err := db.Open(t.Context(), direct, db.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer observer.Close()
	exec(t, observer, `CREATE TABLE rows_written (id TEXT PRIMARY KEY)`)

	for _, tt := range []struct {
		name      string
		cut       cut
		committed bool
	}{
		{"before the server heard of it", cutBeforeCommit, false},
		{"after the server had answered", cutAfterCommit, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, w := range both {
				exec(t, observer, `DELETE FROM rows_written`)
				tries := 0
				err := w.write(d, t.Context(), func(tx *sql.Tx) error {
					tries++
					d.AfterCommit(tx, func() { t.Error("AfterCommit ran without an answer") })
					proxy.next(tt.cut)
					return insert(t.Context(), tx, "a")
				})
				if !errors.Is(err, db.ErrCommitUnknown) {
					t.Errorf("%s returned %v", w.name, err)
				}
				if tries != 1 {
					t.Errorf("%s ran %d times; it may not decide to run again", w.name, tries)
				}
				if got := ids(t, observer) == "a"; got != tt.committed {
					t.Errorf("%s: committed = %t, want %t", w.name, got, tt.committed)
				}
				// The connection is replaced.
				if err := w.write(d, t.Context(), func(tx *sql.Tx) error { return insert(t.Context(), tx, "b") }); err != nil {
					t.Errorf("the next %s: %v", w.name, err)
				}
			}
		})
	}
}

func TestALostAnswerConcernsAWholeBatch(t *testing.T) {
	direct := dbtest.Postgres(t)
	proxy, through := newCutter(t, direct)
	d, err := db.Open(t.Context(), through, db.Options{Committers: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	exec(t, d, `CREATE TABLE rows_written (id TEXT PRIMARY KEY)`)

	q := newQueue(t, d)
	var mu sync.Mutex
	unknown := 0
	for i := range 10 {
		key := fmt.Sprint(i)
		q.add(t.Context(), key, func(tx *sql.Tx) error {
			if i == 9 {
				proxy.next(cutAfterCommit)
			}
			return insert(t.Context(), tx, key)
		}, func(err error, _ any) {
			mu.Lock()
			defer mu.Unlock()
			if errors.Is(err, db.ErrCommitUnknown) {
				unknown++
			}
		})
	}
	q.run()
	if unknown != 10 {
		t.Errorf("%d of 10 callers heard that the answer was lost", unknown)
	}
	if got := ids(t, d); got != "0 1 2 3 4 5 6 7 8 9" {
		t.Errorf("rows are %q, want all ten", got)
	}
}

// A connection that is lost before COMMIT is no riddle: nothing happened.
func TestAConnectionLostBeforeCommitIsKnown(t *testing.T) {
	d, err := db.Open(t.Context(), dbtest.Postgres(t), db.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	exec(t, d, `CREATE TABLE rows_written (id TEXT PRIMARY KEY)`)
	for _, w := range both {
		err := w.write(d, t.Context(), func(tx *sql.Tx) error {
			if err := insert(t.Context(), tx, "a"); err != nil {
				return err
			}
			var pid int
			if err := tx.QueryRowContext(t.Context(), `SELECT pg_backend_pid()`).Scan(&pid); err != nil {
				return err
			}
			// From the side, and gone before the transaction goes on.
			ctx := context.WithoutCancel(t.Context())
			if _, err := d.Read().ExecContext(ctx, `SELECT pg_terminate_backend($1, 10000)`, pid); err != nil {
				return err
			}
			return insert(t.Context(), tx, "b")
		})
		if err == nil || errors.Is(err, db.ErrCommitUnknown) {
			t.Errorf("%s returned %v", w.name, err)
		}
	}
	if got := ids(t, d); got != "" {
		t.Errorf("rows are %q", got)
	}
}
