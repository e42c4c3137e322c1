package main

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
)

// A store is one of the two databases that everybody is measured on.
type store string

const (
	postgres   store = "PostgreSQL"
	sqliteFull store = "SQLite FULL"
)

// A lab makes fresh databases: one for each engine and round, so that no round
// pays for the rows of the one before.
type lab struct {
	dir      string // holds the SQLite files
	server   string // URL of a PostgreSQL that may be written to at will
	serverID int    // its process, where it is one of this machine
	database atomic.Int64
}

// fresh returns an empty database: a PostgreSQL URL, or the path of an SQLite
// file that does not exist yet. drop removes it.
func (l *lab) fresh(ctx context.Context, s store) (where string, drop func(), err error) {
	name := fmt.Sprintf("bench_%d_%d", os.Getpid(), l.database.Add(1))
	if s == sqliteFull {
		dir := filepath.Join(l.dir, name)
		return filepath.Join(dir, "bench.db"), func() { os.RemoveAll(dir) }, os.Mkdir(dir, 0o700)
	}
	if err := l.admin(ctx, "CREATE DATABASE "+name); err != nil {
		return "", nil, err
	}
	u, err := url.Parse(l.server)
	if err != nil {
		return "", nil, err
	}
	u.Path = "/" + name
	drop = func() {
		_ = l.admin(context.WithoutCancel(ctx), "DROP DATABASE "+name+" WITH (FORCE)") // the server is thrown away after
	}
	return u.String(), drop, nil
}

func (l *lab) admin(ctx context.Context, statement string) error {
	conn, err := pgx.Connect(ctx, l.server)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, statement)
	return err
}

// durable asks the server whether a commit survives a power cut, which is what
// is compared here. It answers with what is wrong, or nothing.
func (l *lab) durable(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, l.server)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	for _, setting := range []string{"fsync", "synchronous_commit", "full_page_writes"} {
		var value string
		if err := conn.QueryRow(ctx, "SHOW "+setting).Scan(&value); err != nil {
			return err
		}
		if value != "on" {
			return fmt.Errorf("%s is %s on this server: its figures would compare nothing", setting, value)
		}
	}
	var backend int
	if err := conn.QueryRow(ctx, "SELECT pg_backend_pid()").Scan(&backend); err != nil {
		return err
	}
	l.serverID = parentOf(backend)
	return nil
}

// openSQLite opens a file the way each peer opens its own, but synchronous=FULL.
func openSQLite(path string, connections int) (*sql.DB, error) {
	d, err := sql.Open("sqlite", "file:"+path+"?"+strings.Join([]string{
		"_txlock=immediate",
		"_pragma=busy_timeout(5000)",
		"_pragma=foreign_keys(ON)",
		"_pragma=journal_mode(WAL)",
		"_pragma=synchronous(FULL)",
	}, "&"))
	if err != nil {
		return nil, err
	}
	d.SetMaxOpenConns(connections)
	d.SetMaxIdleConns(connections)
	return d, nil
}
