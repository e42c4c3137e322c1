package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"modernc.org/sqlite"

	"github.com/arcadia-cloud/arcadia/internal/fault"
)

// openSQLite opens the file at path with one writer and a read-only pool.
func (d *DB) openSQLite(ctx context.Context, path string, o Options) error {
	if !filepath.IsAbs(path) {
		return fault.New(fault.Invalid, "A SQLite URL holds an absolute path, as in sqlite:///var/lib/arcadia/arcadia.db; %q is none.", path)
	}
	if err := createPrivate(path); err != nil {
		return err
	}
	// A driver of our own, not the one that the package registers for everybody,
	// so that the function belongs to these connections alone.
	drv := new(sqlite.Driver)
	err := drv.RegisterFunction("arcadia_now", &sqlite.FunctionImpl{
		// Called on the goroutine that runs the statement: inside a synctest
		// bubble it sees the bubble's clock.
		Scalar: func(*sqlite.FunctionContext, []driver.Value) (driver.Value, error) {
			return Micros(time.Now()), nil
		},
	})
	if err != nil {
		return err
	}
	d.engine = SQLite
	d.fenced = &committer{lanes: 1}
	d.grouped = d.fenced

	d.write = sql.OpenDB(&sqliteConnector{drv, sqliteDSN(path, url.Values{"_txlock": {"immediate"}}), d.around})
	d.write.SetMaxOpenConns(1)
	if err := d.write.PingContext(ctx); err != nil { // before the readers: it makes the file a WAL database
		d.write.Close()
		return d.explain(err)
	}
	d.keyed = d.write
	d.read = sql.OpenDB(&sqliteConnector{drv, sqliteDSN(path, url.Values{"_query_only": {"1"}}), d.around})
	d.read.SetMaxOpenConns(o.ReadConns)
	d.read.SetMaxIdleConns(o.ReadConns)
	return nil
}

// createPrivate makes the database file, which holds encrypted secrets and a
// company's books, readable by its owner alone. SQLite gives the files beside
// it the same mode.
func createPrivate(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	switch {
	case err == nil:
		return f.Close()
	case errors.Is(err, fs.ErrNotExist):
		return fault.Wrap(fault.Unavailable, err, "The directory %s does not exist. Make it, or name another one.", filepath.Dir(path))
	case errors.Is(err, fs.ErrPermission):
		return fault.Wrap(fault.Unavailable, err, "The database %s may not be written by this user. Change its owner or name another file.", path)
	default:
		return fault.Wrap(fault.Unavailable, err, "The database %s cannot be opened. Check that it is a file on a writable disk.", path)
	}
}

func sqliteDSN(path string, more url.Values) string {
	query := url.Values{
		"_busy_timeout": {"10000"}, // another process, such as a backup
		"_journal_mode": {"WAL"},
		"_synchronous":  {"FULL"},
		"_foreign_keys": {"on"},
		"_dqs":          {"0"},
		// What a statement of many rows may have to take back is kept in memory: it
		// would be written to a file, page by page, and never be read.
		"_pragma": {"temp_store(memory)"},
	}
	for key, values := range more {
		query[key] = values
	}
	return (&url.URL{Scheme: "file", Path: path, RawQuery: query.Encode()}).String()
}

// A sqliteConnector opens connections that keep their statements.
type sqliteConnector struct {
	driver *sqlite.Driver
	dsn    string
	around around
}

func (c *sqliteConnector) Driver() driver.Driver { return c.driver }

func (c *sqliteConnector) Connect(ctx context.Context) (driver.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	conn, err := c.driver.Open(c.dsn)
	if err != nil {
		return nil, err
	}
	return newSQLiteConn(conn.(modernConn), c.around), nil
}
