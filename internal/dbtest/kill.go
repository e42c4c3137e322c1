package dbtest

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/arcadia-cloud/arcadia/internal/db"
)

// ErrKilled is what everything that a killed process asks of its database ends with.
var ErrKilled = errors.New("dbtest: the process was killed")

// A killer lets a process take so many steps: before a statement is one, and after it,
// and so with each COMMIT.
type killer struct {
	mu    sync.Mutex
	left  int
	where string // it was killed; empty: it lives
}

func (k *killer) around(what string, run func() error) error {
	if k.step("before " + what) {
		return ErrKilled
	}
	if err := run(); err != nil {
		return err
	}
	if k.step("after " + what) {
		return ErrKilled
	}
	return nil
}

func (k *killer) step(where string) (dead bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.where != "" {
		return true
	}
	if k.left--; k.left < 0 {
		k.where = where
	}
	return k.where != ""
}

func (k *killer) died() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.where
}

// A Killing is a process that may be killed at any of its statements.
type Killing struct {
	Prepare func(t *testing.T, d *db.DB)       // makes the database, once
	Do      func(t *testing.T, d *db.DB) error // is what is killed
	// Check looks at what is left, at first as the killed process left it and with
	// nothing that it held; where tells the statement. It may do what the next process
	// does.
	Check func(t *testing.T, d *db.DB, where string)
}

// Every kills Do before and after each of its statements and COMMITs, each time on a
// database of its own as Prepare has left it, and returns at how many points: every
// stride-th of them, since on PostgreSQL a database costs more. Last it lets Do live.
func (k Killing) Every(t *testing.T, engine db.Engine, stride int) (points int) {
	t.Helper()
	fresh := k.prepared(t, engine)
	for n := 0; ; n += stride { // what is not killed leaves some steps, so this ends
		uncut := false
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			url := fresh(t)
			kill := &killer{left: n}
			d, err := db.Open(t.Context(), url, db.Options{ReadConns: 4, WriteConns: 8, Around: kill.around})
			if err != nil {
				t.Fatal(err)
			}
			err = k.Do(t, d)
			if closed := d.Close(); closed != nil {
				t.Error(closed)
			}
			where := kill.died()
			if uncut = where == ""; uncut != (err == nil) {
				t.Fatalf("killed %q, and it ended with %v", where, err)
			}
			if !uncut {
				points++
			}
			k.Check(t, open(t, url), where)
		})
		if uncut || t.Failed() {
			return points
		}
	}
}

// prepared returns what makes further databases as Prepare has left one.
func (k Killing) prepared(t *testing.T, engine db.Engine) func(t *testing.T) (url string) {
	t.Helper()
	prepare := func(url string) {
		d, err := db.Open(t.Context(), url, db.Options{ReadConns: 4, WriteConns: 8})
		if err != nil {
			t.Fatal(err)
		}
		k.Prepare(t, d)
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if engine == db.Postgres {
		url := Postgres(t)
		prepare(url)
		return func(t *testing.T) string { return create(t, requireServer(t), databaseOf(url)) }
	}
	url := SQLite(t)
	prepare(url)
	content, err := os.ReadFile(url[len("sqlite://"):]) // Close has folded the log into it
	if err != nil {
		t.Fatal(err)
	}
	return func(t *testing.T) string { return write(t, content) }
}
