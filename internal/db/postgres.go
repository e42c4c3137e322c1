package db

import (
	"context"
	"database/sql"
	"strconv"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/arcadia-cloud/arcadia/internal/fault"
)

// openPostgres opens two pools, so that a read never waits for a connection that
// a write which waits for that read is holding. Both keep prepared statements by
// their text, as pgx does unless told otherwise.
func (d *DB) openPostgres(ctx context.Context, url string, o Options) error {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return fault.New(fault.Invalid, "The PostgreSQL URL cannot be read. It looks like postgres://user:password@host:5432/database.")
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "arcadia"
	}
	d.engine = Postgres
	d.pgConfig = config
	// Groups have a lane of their own: one, for the bigger their batches the fewer
	// the statements, and their own, so that a write which waits for another node's
	// lock does not keep them.
	d.fenced, d.grouped = &committer{lanes: o.Committers}, &committer{lanes: 1}

	writes := config.Copy()
	writes.RuntimeParams["idle_in_transaction_session_timeout"] = strconv.FormatInt(o.IdleInTx.Milliseconds(), 10)
	d.write = d.openPool(writes, o.WriteConns)
	if err := d.write.PingContext(ctx); err != nil {
		d.write.Close()
		return d.explain(err)
	}
	keyed := writes.Copy()
	// Fenced writes look their rows up by key, a few of many. A plan that is made
	// while a table is new and small would read all of it, and would be kept for as
	// long as nobody has analysed the table, however large it grows.
	for _, way := range []string{"enable_seqscan", "enable_hashjoin", "enable_mergejoin"} {
		keyed.RuntimeParams[way] = "off"
	}
	keyed.RuntimeParams["plan_cache_mode"] = "force_generic_plan"
	d.keyed = d.openPool(keyed, o.Committers+1)
	reads := config.Copy()
	reads.RuntimeParams["default_transaction_read_only"] = "on"
	d.read = d.openPool(reads, o.ReadConns)
	return nil
}

func (d *DB) openPool(config *pgx.ConnConfig, conns int) *sql.DB {
	pool := sql.OpenDB(pgConnector{stdlib.GetConnector(*config), d.around})
	pool.SetMaxOpenConns(conns)
	pool.SetMaxIdleConns(conns)
	return pool
}

// PgxPool opens a further pool on PostgreSQL with at most so many connections,
// for River's workers alone: they listen, which database/sql cannot. The caller
// closes it before the DB.
func (d *DB) PgxPool(ctx context.Context, conns int32) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(d.pgConfig.ConnString())
	if err != nil {
		return nil, err
	}
	config.ConnConfig = d.pgConfig.Copy()
	config.MaxConns = conns
	return pgxpool.NewWithConfig(ctx, config)
}
