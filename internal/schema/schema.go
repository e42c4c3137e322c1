// Package schema is the shape of the database: one history of migrations for
// both engines, each a file migrations/NNNN_name.sql in PostgreSQL's words, which
// [For] translates for SQLite. A file that has been applied never changes again;
// what it lacks, a later one adds.
package schema

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/fault"
)

//go:embed migrations/*.sql
var files embed.FS

// lockKey names the advisory lock on PostgreSQL under which one process at a
// time migrates. The number is any that nobody else uses.
const lockKey = 0x617263_61646961

// A migration is one file of the history.
type migration struct {
	version  int64
	name     string // without number and extension
	text     string
	checksum string // SHA-256 of text, hexadecimal
}

// Migrate brings the database to this binary's schema and returns how many of
// our migrations it applied; River's own tables come with them. Each migration
// is one transaction, and processes that migrate at the same time take turns. A
// database that is newer than the binary, or whose applied migrations are not
// those of the binary, is a fault of kind Conflict and is left as it is.
func Migrate(ctx context.Context, d *db.DB) (applied int, err error) {
	sub, err := fs.Sub(files, "migrations")
	if err != nil {
		return 0, err
	}
	history, err := load(sub)
	if err != nil {
		return 0, err
	}
	return migrate(ctx, d, history)
}

// Fingerprint identifies the schema that Migrate makes: it changes with every
// change to a migration.
func Fingerprint() (string, error) {
	sub, err := fs.Sub(files, "migrations")
	if err != nil {
		return "", err
	}
	history, err := load(sub)
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	for _, m := range history {
		fmt.Fprintln(sum, m.version, m.checksum)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// load reads the migrations, which are numbered from 1 without gaps.
func load(dir fs.FS) ([]migration, error) {
	names, err := fs.Glob(dir, "*.sql")
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	var history []migration
	for i, file := range names {
		number, name, ok := strings.Cut(strings.TrimSuffix(path.Base(file), ".sql"), "_")
		version, err := strconv.ParseInt(number, 10, 64)
		if !ok || err != nil || len(number) != 4 {
			return nil, fmt.Errorf("schema: %s is not named NNNN_name.sql", file)
		}
		if version != int64(i+1) {
			return nil, fmt.Errorf("schema: %s should be number %04d: there is a gap or a number twice", file, i+1)
		}
		text, err := fs.ReadFile(dir, file)
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(text)
		history = append(history, migration{version, name, string(text), hex.EncodeToString(sum[:])})
	}
	return history, nil
}

func migrate(ctx context.Context, d *db.DB, history []migration) (applied int, err error) {
	pool, _ := d.SQLDB()
	if d.Engine() == db.Postgres {
		unlock, err := lock(ctx, pool)
		if err != nil {
			return 0, err
		}
		defer unlock()
	}
	done, err := readHistory(ctx, d)
	if err != nil {
		return 0, err
	}
	if err := compare(done, history); err != nil {
		return 0, err
	}
	for _, m := range history[len(done):] {
		fresh, err := apply(ctx, d, m)
		if err != nil {
			return applied, fmt.Errorf("schema: migration %04d_%s: %w", m.version, m.name, err)
		}
		if fresh {
			applied++
		}
	}
	if err := migrateRiver(ctx, d); err != nil {
		return applied, fmt.Errorf("schema: River's tables: %w", err)
	}
	return applied, nil
}

// lock waits for the advisory lock on a connection of its own. SQLite needs
// none: its transactions begin with the only write lock there is.
func lock(ctx context.Context, pool *sql.DB) (unlock func(), err error) {
	conn, err := pool.Conn(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := conn.ExecContext(ctx, "SELECT pg_advisory_lock($1)", int64(lockKey)); err != nil {
		conn.Close()
		return nil, err
	}
	return func() {
		// A connection that cannot unlock is dead, and its lock with it.
		conn.ExecContext(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock($1)", int64(lockKey)) //nolint:errcheck // see above
		conn.Close()
	}, nil
}

// readHistory returns what has been applied, oldest first, and makes the table
// that says so where there is none yet.
func readHistory(ctx context.Context, d *db.DB) (done []migration, err error) {
	err = d.Write(ctx, func(tx *sql.Tx) error {
		create, err := For(d.Engine(), `
			CREATE TABLE IF NOT EXISTS schema_migrations (
				version    BIGINT PRIMARY KEY,
				name       TEXT   NOT NULL,
				checksum   TEXT   NOT NULL,
				applied_at BIGINT NOT NULL
			);`)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, create); err != nil {
			return err
		}
		done = nil
		rows, err := tx.QueryContext(ctx, "SELECT version, name, checksum FROM schema_migrations ORDER BY version")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var m migration
			if err := rows.Scan(&m.version, &m.name, &m.checksum); err != nil {
				return err
			}
			done = append(done, m)
		}
		return rows.Err()
	})
	return done, err
}

// compare refuses a database whose past is not the beginning of history.
func compare(done, history []migration) error {
	if len(done) > len(history) {
		return fault.New(fault.Conflict,
			"The database has schema version %d, and this version of arcadia knows only %d. Use the arcadia that migrated it, or a newer one.",
			done[len(done)-1].version, len(history))
	}
	for i, m := range done {
		if want := history[i]; m.version != want.version || m.checksum != want.checksum {
			return fault.New(fault.Conflict,
				"Migration %04d_%s of the database is not the one that this version of arcadia has. Use the arcadia that migrated it, or restore a backup.",
				m.version, m.name)
		}
	}
	return nil
}

// apply runs one migration; false when another process did so first.
func apply(ctx context.Context, d *db.DB, m migration) (fresh bool, err error) {
	text, err := For(d.Engine(), m.text)
	if err != nil {
		return false, err
	}
	err = d.Write(ctx, func(tx *sql.Tx) error {
		var there bool
		err := tx.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM schema_migrations WHERE version = $1)", m.version).Scan(&there)
		if fresh = !there; err != nil || there {
			return err
		}
		if err := runScript(ctx, d.Engine(), tx, text); err != nil {
			return err
		}
		now, err := d.Now(ctx, tx)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "INSERT INTO schema_migrations (version, name, checksum, applied_at) VALUES ($1, $2, $3, $4)",
			m.version, m.name, m.checksum, db.Micros(now))
		return err
	})
	return fresh, err
}

// runScript runs many statements, which PostgreSQL takes only unprepared.
func runScript(ctx context.Context, engine db.Engine, tx *sql.Tx, script string) error {
	var args []any
	if engine == db.Postgres {
		args = append(args, pgx.QueryExecModeSimpleProtocol)
	}
	_, err := tx.ExecContext(ctx, script, args...)
	return err
}

// migrateRiver makes River's tables. River keeps a history of its own.
func migrateRiver(ctx context.Context, d *db.DB) error {
	pool, _ := d.SQLDB()
	if d.Engine() == db.Postgres {
		migrator, err := rivermigrate.New(riverdatabasesql.New(pool), nil)
		if err != nil {
			return err
		}
		_, err = migrator.Migrate(ctx, rivermigrate.DirectionUp, nil)
		return err
	}
	migrator, err := rivermigrate.New(riversqlite.New(pool), nil)
	if err != nil {
		return err
	}
	return d.Write(ctx, func(tx *sql.Tx) error {
		//nolint:staticcheck // deprecated because of PostgreSQL's enums; here the transaction is the lock
		_, err := migrator.MigrateTx(ctx, tx, rivermigrate.DirectionUp, nil)
		return err
	})
}
