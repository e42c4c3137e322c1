package schema_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/schema"
)

// eachEmpty runs fn with a database of each engine that has no schema.
func eachEmpty(t *testing.T, fn func(t *testing.T, d *db.DB)) {
	t.Run("sqlite", func(t *testing.T) { fn(t, openURL(t, "sqlite://"+t.TempDir()+"/x.db")) })
	t.Run("postgres", func(t *testing.T) { fn(t, openURL(t, dbtest.EmptyPostgres(t))) })
}

func openURL(t *testing.T, url string) *db.DB {
	t.Helper()
	d, err := db.Open(t.Context(), url, db.Options{WriteConns: 4, ReadConns: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// history is migrations as files.
func history(texts ...string) fstest.MapFS {
	files := make(fstest.MapFS)
	for i, text := range texts {
		files[fmt.Sprintf("%04d_part.sql", i+1)] = &fstest.MapFile{Data: []byte(text)}
	}
	return files
}

var first, second = "CREATE TABLE one (id TEXT PRIMARY KEY, data JSONB, at BIGINT NOT NULL);",
	"CREATE TABLE two (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, one_id TEXT NOT NULL REFERENCES one (id));\nCREATE INDEX two_one ON two (one_id);"

const clock = "-- only: postgres\nCREATE FUNCTION arcadia_now() RETURNS BIGINT LANGUAGE SQL VOLATILE AS $$ SELECT CAST(0 AS BIGINT) $$;\n-- end\n"

func wantApplied(t *testing.T, got int, err error, want int) {
	t.Helper()
	if got != want || err != nil {
		t.Fatalf("applied %d, %v, want %d", got, err, want)
	}
}

func TestMigrateAppliesWhatIsMissing(t *testing.T) {
	eachEmpty(t, func(t *testing.T, d *db.DB) {
		n, err := schema.MigrateFrom(t.Context(), d, history(clock, first))
		wantApplied(t, n, err, 2)
		n, err = schema.MigrateFrom(t.Context(), d, history(clock, first))
		wantApplied(t, n, err, 0)
		n, err = schema.MigrateFrom(t.Context(), d, history(clock, first, second))
		wantApplied(t, n, err, 1)

		write(t, d, `INSERT INTO one (id, data, at) VALUES ('a', '{}', 1)`)
		write(t, d, `INSERT INTO two (one_id) VALUES ('a')`)
		for name, query := range map[string]string{
			"JSON that is none":  `INSERT INTO one (id, data, at) VALUES ('b', '{', 1)`,
			"text for a number":  `INSERT INTO one (id, at) VALUES ('b', 'soon')`,
			"a child of nobody":  `INSERT INTO two (one_id) VALUES ('b')`,
			"a missing not null": `INSERT INTO one (id) VALUES ('b')`,
		} {
			if err := tryWrite(t, d, query); err == nil {
				t.Errorf("%s is accepted", name)
			}
		}
	})
}

func write(t *testing.T, d *db.DB, query string) {
	t.Helper()
	if err := tryWrite(t, d, query); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

func tryWrite(t *testing.T, d *db.DB, query string) error {
	return d.Write(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), query)
		return err
	})
}

func TestAFailedMigrationLeavesNothing(t *testing.T) {
	eachEmpty(t, func(t *testing.T, d *db.DB) {
		n, err := schema.MigrateFrom(t.Context(), d, history(clock, first, "CREATE TABLE half (id TEXT);\nCREATE TABLE one (id TEXT);"))
		if n != 2 || err == nil || !strings.Contains(err.Error(), "0003_part") {
			t.Fatalf("applied %d, %v, want 2 and an error that names the third", n, err)
		}
		if err := d.Read().QueryRowContext(t.Context(), `SELECT count(*) FROM half`).Scan(new(int)); err == nil {
			t.Error("half of the migration was applied")
		}
		n, err = schema.MigrateFrom(t.Context(), d, history(clock, first, second))
		wantApplied(t, n, err, 1)
	})
}

func TestANewerDatabaseIsRefused(t *testing.T) {
	eachEmpty(t, func(t *testing.T, d *db.DB) {
		n, err := schema.MigrateFrom(t.Context(), d, history(clock, first, second))
		wantApplied(t, n, err, 3)
		_, err = schema.MigrateFrom(t.Context(), d, history(clock, first))
		if !errors.Is(err, fault.Conflict) || !strings.Contains(fault.Message(err), "schema version 3") || !strings.Contains(fault.Message(err), "knows only 2") {
			t.Errorf("got %s: %v", fault.KindOf(err), err)
		}
	})
}

func TestAChangedMigrationIsRefused(t *testing.T) {
	eachEmpty(t, func(t *testing.T, d *db.DB) {
		n, err := schema.MigrateFrom(t.Context(), d, history(clock, first))
		wantApplied(t, n, err, 2)
		_, err = schema.MigrateFrom(t.Context(), d, history(clock, first+" ", second))
		if !errors.Is(err, fault.Conflict) || !strings.Contains(fault.Message(err), "0002_part") {
			t.Errorf("got %s: %v", fault.KindOf(err), err)
		}
		if err := d.Read().QueryRowContext(t.Context(), `SELECT count(*) FROM two`).Scan(new(int)); err == nil {
			t.Error("what followed the changed migration was applied")
		}
	})
}

func TestMigrationsAreNumberedWithoutGaps(t *testing.T) {
	d := openURL(t, "sqlite://"+t.TempDir()+"/x.db")
	for name, files := range map[string]fstest.MapFS{
		"a gap":          {"0001_a.sql": {}, "0003_b.sql": {}},
		"a number twice": {"0001_a.sql": {}, "0001_b.sql": {}},
		"no number":      {"first.sql": {}},
		"a short number": {"1_a.sql": {}},
	} {
		if n, err := schema.MigrateFrom(t.Context(), d, files); err == nil {
			t.Errorf("%s: applied %d", name, n)
		}
	}
}

// Several processes that start at once migrate once.
func TestMigratingAtTheSameTime(t *testing.T) {
	for name, url := range map[string]func() string{
		"sqlite":   func() string { return "sqlite://" + t.TempDir() + "/x.db" },
		"postgres": func() string { return dbtest.EmptyPostgres(t) },
	} {
		t.Run(name, func(t *testing.T) {
			url := url()
			var mu sync.Mutex
			var wg sync.WaitGroup
			total := 0
			for range 4 {
				d := openURL(t, url)
				wg.Go(func() {
					n, err := schema.Migrate(t.Context(), d)
					if err != nil {
						t.Error(err)
					}
					mu.Lock()
					defer mu.Unlock()
					total += n
				})
			}
			wg.Wait()
			want, err := schema.Migrate(t.Context(), openURL(t, "sqlite://"+t.TempDir()+"/y.db"))
			if err != nil || total != want {
				t.Errorf("four processes applied %d migrations, want %d, %v", total, want, err)
			}
		})
	}
}

// A table is columns and indexes as both engines can tell them.
type table struct {
	Columns map[string]column
	Indexes map[string]index
}

type column struct {
	NotNull bool
	Kind    string // integer, text or bytes
	Key     bool   // part of the primary key
}

type index struct {
	Unique  bool
	Columns string // names in order; an expression is (…)
	Partial bool
}

func TestBothEnginesHaveTheSameSchema(t *testing.T) {
	sqlite := sqliteSchema(t, dbtest.New(t))
	postgres := postgresSchema(t, dbtest.NewPostgres(t))
	if diff := cmp.Diff(postgres, sqlite); diff != "" {
		t.Errorf("the schemas differ (- PostgreSQL, + SQLite):\n%s", diff)
	}
	if names := slices.Sorted(maps.Keys(sqlite)); !slices.Contains(names, "sagas") || len(sqlite["sagas"].Columns) < 10 || len(sqlite["sagas"].Indexes) == 0 {
		t.Errorf("the comparison saw little: tables %v, sagas %v", names, sqlite["sagas"])
	}
}

// query calls see with the columns of each row, as text.
func query(t *testing.T, d *db.DB, see func(row []string), text string, args ...any) {
	t.Helper()
	rows, err := d.Read().QueryContext(context.WithoutCancel(t.Context()), text, args...)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		values, into := make([]sql.NullString, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		row := make([]string, len(columns))
		for i, v := range values {
			row[i] = v.String
		}
		see(row)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
}

// ours leaves out River's tables, which are River's to keep alike.
const ours = `NOT LIKE 'river%'`

func sqliteSchema(t *testing.T, d *db.DB) map[string]table {
	tables := make(map[string]table)
	query(t, d, func(row []string) {
		tables[row[0]] = table{make(map[string]column), make(map[string]index)}
		if !strings.HasSuffix(row[1], "STRICT") {
			t.Errorf("the table %s is not STRICT", row[0])
		}
	}, `SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND name `+ours+` AND name NOT LIKE 'sqlite%'`)
	for name, it := range tables {
		query(t, d, func(row []string) {
			kind := map[string]string{"INTEGER": "integer", "TEXT": "text", "BLOB": "bytes"}[row[1]]
			key := row[3] != "0"
			it.Columns[row[0]] = column{NotNull: row[2] == "1" || key, Kind: kind, Key: key} // a key of a STRICT table is never NULL
		}, `SELECT name, type, "notnull", pk FROM pragma_table_info($1)`, name)
		query(t, d, func(row []string) {
			var columns []string
			query(t, d, func(row []string) { columns = append(columns, orExpression(row[0])) },
				`SELECT name FROM pragma_index_info($1) ORDER BY seqno`, row[0])
			switch row[2] {
			case "c": // by CREATE INDEX; a constraint's has a name of the engine's own
				it.Indexes[row[0]] = index{row[1] == "1", strings.Join(columns, ","), row[3] == "1"}
			case "u":
				it.Indexes["UNIQUE "+strings.Join(columns, ",")] = index{true, strings.Join(columns, ","), false}
			}
		}, `SELECT name, "unique", origin, partial FROM pragma_index_list($1)`, name)
	}
	return tables
}

func postgresSchema(t *testing.T, d *db.DB) map[string]table {
	tables := make(map[string]table)
	query(t, d, func(row []string) {
		tables[row[0]] = table{make(map[string]column), make(map[string]index)}
	}, `SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename `+ours)
	query(t, d, func(row []string) {
		kind := map[string]string{
			"bigint": "integer", "integer": "integer", "smallint": "integer", "boolean": "integer",
			"text": "text", "json": "text", "jsonb": "text", "bytea": "bytes",
		}[row[2]]
		tables[row[0]].Columns[row[1]] = column{NotNull: row[3] == "NO", Kind: kind, Key: row[4] == "true"}
	}, `SELECT c.table_name, c.column_name, c.data_type, c.is_nullable, EXISTS (
			SELECT 1 FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
			WHERE i.indisprimary AND i.indrelid = c.table_name::regclass AND a.attname = c.column_name)::text
		FROM information_schema.columns c WHERE c.table_schema = 'public' AND c.table_name `+ours)
	query(t, d, func(row []string) {
		name, columns := row[1], row[4]
		if row[3] == "u" {
			name = "UNIQUE " + columns
		}
		tables[row[0]].Indexes[name] = index{row[2] == "true", columns, row[5] == "true"}
	}, `SELECT t.relname, x.relname, i.indisunique::text, COALESCE(k.contype::text, 'c'),
			(SELECT string_agg(COALESCE(a.attname, '(…)'), ',' ORDER BY key.ordinality)
				FROM unnest(i.indkey) WITH ORDINALITY AS key (attnum, ordinality)
				LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = key.attnum AND key.attnum <> 0),
			(i.indpred IS NOT NULL)::text
		FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
		JOIN pg_namespace n ON n.oid = t.relnamespace LEFT JOIN pg_constraint k ON k.conindid = i.indexrelid AND k.contype = 'u'
		WHERE n.nspname = 'public' AND NOT i.indisprimary AND t.relname `+ours)
	return tables
}

func orExpression(name string) string {
	if name == "" {
		return "(…)"
	}
	return name
}
