package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// A floor is what the machine itself allows: commits a second of the least that
// each store can be asked to make durable.
type floor struct {
	name    string
	clients int
	open    func(ctx context.Context, l *lab) (commit sagaFunc, done func(), err error)
}

func (f floor) String() string {
	if f.clients == 1 {
		return f.name + ", 1 client"
	}
	return fmt.Sprintf("%s, %d clients", f.name, f.clients)
}

var floors = []floor{
	{"append 8 KiB + fsync", 1, openFile},
	{"PostgreSQL, UPDATE of one row", 1, openPostgresRow},
	{"PostgreSQL, UPDATE of one row each", 16, openPostgresRow},
	{"SQLite FULL, UPDATE of one row", 1, openSQLiteRow},
}

func openFile(_ context.Context, l *lab) (sagaFunc, func(), error) {
	f, err := os.Create(filepath.Join(l.dir, "fsync"))
	if err != nil {
		return nil, nil, err
	}
	page := make([]byte, 8<<10)
	commit := func(context.Context) error {
		if _, err := f.Write(page); err != nil {
			return err
		}
		return f.Sync()
	}
	return commit, func() { f.Close(); os.Remove(f.Name()) }, nil
}

const (
	createRows = `CREATE TABLE counter (id BIGINT PRIMARY KEY, n BIGINT NOT NULL)`
	insertRow  = `INSERT INTO counter (id, n) VALUES ($1, 0)`
	updateRow  = `UPDATE counter SET n = n + 1 WHERE id = $1`
	rows       = 64
)

func openPostgresRow(ctx context.Context, l *lab) (sagaFunc, func(), error) {
	where, drop, err := l.fresh(ctx, postgres)
	if err != nil {
		return nil, nil, err
	}
	pool, err := pgxpool.New(ctx, where+"&pool_max_conns=16")
	if err != nil {
		drop()
		return nil, nil, err
	}
	exec := func(ctx context.Context, statement string, args ...any) error {
		_, err := pool.Exec(ctx, statement, args...)
		return err
	}
	return rowUpdates(ctx, exec, func() { pool.Close(); drop() })
}

func openSQLiteRow(ctx context.Context, l *lab) (sagaFunc, func(), error) {
	where, drop, err := l.fresh(ctx, sqliteFull)
	if err != nil {
		return nil, nil, err
	}
	var d *sql.DB
	if d, err = openSQLite(where, 1); err != nil {
		drop()
		return nil, nil, err
	}
	exec := func(ctx context.Context, statement string, args ...any) error {
		_, err := d.ExecContext(ctx, statement, args...)
		return err
	}
	return rowUpdates(ctx, exec, func() { d.Close(); drop() })
}

// rowUpdates makes each commit update the next of a few rows, so that clients
// do not wait for each other's row lock.
func rowUpdates(ctx context.Context, exec func(context.Context, string, ...any) error, done func()) (sagaFunc, func(), error) {
	if err := exec(ctx, createRows); err != nil {
		done()
		return nil, nil, err
	}
	for id := range rows {
		if err := exec(ctx, insertRow, id); err != nil {
			done()
			return nil, nil, err
		}
	}
	var next atomic.Int64
	return func(ctx context.Context) error { return exec(ctx, updateRow, next.Add(1)%rows) }, done, nil
}

// measureFloor returns the commits a second of one round.
func measureFloor(ctx context.Context, l *lab, f floor, measure time.Duration) (float64, error) {
	commit, done, err := f.open(ctx, l)
	if err != nil {
		return 0, err
	}
	defer done()
	s, err := closedLoop(ctx, commit, f.clients, measure/10, measure)
	return s.perSecond, err
}
