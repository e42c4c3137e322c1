package metering

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
)

// insert writes those of the entries that are not kept yet, what they correct, and marks
// for the hours that are others now. It returns those that correct what they cannot, which
// it left out. Its error is of a unique key where another batch told of one of them
// meanwhile; then it wrote nothing.
//
// An INSERT that looks for conflicts itself takes PostgreSQL a quarter longer, and has to
// answer with what it inserted: this one goes with its COMMIT.
func (s *Service) insert(ctx context.Context, entries []*entry, kept map[key]string, at time.Time) (wrong map[key]Result, err error) {
	if len(kept) == len(entries) {
		return nil, nil
	}
	err = s.db.Write(ctx, func(tx *sql.Tx) error {
		var corrections []correction
		if corrections, wrong, err = checkCorrections(ctx, tx, entries); err != nil {
			return err
		}
		recorded := db.Micros(at)
		rows := make([][]any, 0, len(entries))
		marks := make(map[mark]bool)
		for _, e := range entries {
			_, there := kept[e.key]
			if _, refused := wrong[e.key]; there || refused {
				continue
			}
			rows = append(rows, []any{string(e.tenant), e.source, e.id, e.hash, e.Type, db.Micros(e.At), recorded, e.Voids == "", e.text})
			if e.Voids == "" {
				marks[mark{string(e.tenant), e.Type, hourOf(e.At)}] = true
			}
		}
		var corrected [][]any
		for _, c := range corrections {
			marks[mark{string(c.target.tenant), c.kind, hourOf(c.at)}] = true
			corrected = append(corrected, []any{string(c.target.tenant), c.target.source, c.target.id, c.by.id, c.by.Voids != "", recorded})
		}
		return s.db.Pipeline(ctx, tx, db.Statement{Bulk: insertEvents, Rows: rows}, db.Statement{Bulk: insertCorrections, Rows: corrected},
			db.Statement{Bulk: insertMarks, Rows: markRows(marks)})
	})
	return wrong, err
}

// A mark names an hour of one tenant's events of one type.
type mark struct {
	tenant, kind string
	hour         int64 // microseconds, at its beginning
}

func markRows(marks map[mark]bool) [][]any {
	rows := make([][]any, 0, len(marks))
	for m := range marks {
		rows = append(rows, []any{m.tenant, m.kind, m.hour})
	}
	return rows
}

const hour = int64(time.Hour / time.Microsecond)

// hourOf is the beginning of the hour of UTC that t is in; no event is older than
// the year 1970.
func hourOf(t time.Time) int64 {
	micros := db.Micros(t)
	return micros - micros%hour
}

var (
	insertEvents = db.NewBulk(`INSERT INTO usage_events (tenant_id, source, id, hash, type, at, recorded_at, counts, data)
		SELECT tenant_id, source, id, hash, type, at, recorded_at, counts, data FROM given`,
		db.Column{Name: "tenant_id"}, db.Column{Name: "source"}, db.Column{Name: "id"}, db.Column{Name: "hash"}, db.Column{Name: "type"},
		db.Column{Name: "at", Type: db.Integer}, db.Column{Name: "recorded_at", Type: db.Integer}, db.Column{Name: "counts", Type: db.Boolean},
		db.Column{Name: "data", Type: db.Object})

	// The primary key refuses a second correction of one event.
	insertCorrections = db.NewBulk(`INSERT INTO usage_corrections (tenant_id, source, id, by_id, voids, recorded_at)
		SELECT tenant_id, source, id, by_id, voids, recorded_at FROM given`,
		db.Column{Name: "tenant_id"}, db.Column{Name: "source"}, db.Column{Name: "id"}, db.Column{Name: "by_id"},
		db.Column{Name: "voids", Type: db.Boolean}, db.Column{Name: "recorded_at", Type: db.Integer})

	insertMarks = db.NewBulk(`INSERT INTO usage_marks (tenant_id, type, hour) SELECT tenant_id, type, hour FROM given`,
		db.Column{Name: "tenant_id"}, db.Column{Name: "type"}, db.Column{Name: "hour", Type: db.Integer})

	// A conflict that is told many times is one conflict.
	insertConflicts = db.NewBulk(`INSERT INTO usage_conflicts (tenant_id, source, id, hash, type, at, data, told, first_at, last_at)
		SELECT tenant_id, source, id, hash, type, at, data, 1, told_at, told_at FROM given WHERE 1 = 1
		ON CONFLICT (tenant_id, source, id, hash) DO UPDATE SET told = usage_conflicts.told + 1, last_at = excluded.last_at`,
		db.Column{Name: "tenant_id"}, db.Column{Name: "source"}, db.Column{Name: "id"}, db.Column{Name: "hash"}, db.Column{Name: "type"},
		db.Column{Name: "at", Type: db.Integer}, db.Column{Name: "data", Type: db.Object}, db.Column{Name: "told_at", Type: db.Integer})
)

// keepConflicts records what contradicts what counts. A crash before it loses
// nothing: the producer got no answer, and tells it again.
func (s *Service) keepConflicts(ctx context.Context, conflicts []*entry, at time.Time) error {
	if len(conflicts) == 0 {
		return nil
	}
	slices.SortStableFunc(conflicts, func(a, b *entry) int { return a.compare(b.key) })
	var rows [][]any
	seen := make(map[string]bool)
	for _, e := range conflicts {
		if !seen[e.hash] {
			seen[e.hash] = true
			rows = append(rows, []any{string(e.tenant), e.source, e.id, e.hash, e.Type, db.Micros(e.At), e.text, db.Micros(at)})
		}
	}
	s.log.WarnContext(ctx, "metering: events were told again with another content", "events", len(rows), "tenant", string(conflicts[0].tenant),
		"source", conflicts[0].source, "id", conflicts[0].id)
	return s.db.Write(ctx, func(tx *sql.Tx) error {
		return s.db.Pipeline(ctx, tx, db.Statement{Bulk: insertConflicts, Rows: rows})
	})
}

// A keptEvent is what is asked of an event that is there.
type keptEvent struct {
	hash   string
	kind   string
	at     time.Time
	counts bool
}

// selectHashes asks for each key in a subquery of its own, so that PostgreSQL looks it up in
// the index also by a plan that it made while the table was small: joined with the keys it
// would read the whole table by it.
var selectHashes = db.NewBulk(`SELECT entry, hash FROM (SELECT entry, (SELECT e.hash FROM usage_events e
		WHERE e.tenant_id = given.tenant_id AND e.source = given.source AND e.id = given.id) AS hash FROM given) looked WHERE hash IS NOT NULL`, db.Column{Name: "entry", Type: db.Integer}, db.Column{Name: "tenant_id"}, db.Column{Name: "source"}, db.Column{Name: "id"})

// hashes are those of what is there under the keys of entries.
func (s *Service) hashes(ctx context.Context, entries []*entry) (map[key]string, error) {
	rows := make([][]any, len(entries))
	for i, e := range entries {
		rows[i] = []any{int64(i), string(e.tenant), e.source, e.id}
	}
	found := make(map[key]string)
	err := s.db.Look(ctx, db.Statement{Bulk: selectHashes, Rows: rows, Answer: func(scan func(...any) error) error {
		var i int64
		var hash string
		err := scan(&i, &hash)
		found[entries[i].key] = hash
		return err
	}})
	return found, err
}

// keptEvents are those of the events with these keys that are there.
func keptEvents(ctx context.Context, q db.Queryer, keys []key) (map[key]keptEvent, error) {
	found := make(map[key]keptEvent)
	err := byKeys(ctx, q, `SELECT e.tenant_id, e.source, e.id, e.hash, e.type, e.at, e.counts FROM usage_events e`, keys, func(rows *sql.Rows) error {
		var k key
		var e keptEvent
		var at int64
		err := rows.Scan((*string)(&k.tenant), &k.source, &k.id, &e.hash, &e.kind, &at, &e.counts)
		e.at = db.Time(at)
		found[k] = e
		return err
	})
	return found, err
}

// correctedEvents are the ids of the corrections of those of the events with these
// keys that were corrected.
func correctedEvents(ctx context.Context, q db.Queryer, keys []key) (map[key]string, error) {
	found := make(map[key]string)
	err := byKeys(ctx, q, `SELECT e.tenant_id, e.source, e.id, e.by_id FROM usage_corrections e`, keys, func(rows *sql.Rows) error {
		var k key
		var by string
		err := rows.Scan((*string)(&k.tenant), &k.source, &k.id, &by)
		found[k] = by
		return err
	})
	return found, err
}

// byKeys calls see with what a query finds of e under keys. The texts of the queries
// are few: the last key is asked for again until a text is full. Each key is a SELECT of
// its own, so that PostgreSQL looks it up in the index also by a plan that it made while
// the table was small: joined with a list of keys it would read the whole table by it.
func byKeys(ctx context.Context, q db.Queryer, query string, keys []key, see func(*sql.Rows) error) error {
	const most = 64
	for part := range slices.Chunk(keys, most) {
		n := 1
		for n < len(part) {
			n *= 2
		}
		var selects []string
		args := make([]any, 0, 3*n)
		for i := range n {
			k := part[min(i, len(part)-1)]
			selects = append(selects, fmt.Sprintf("%s WHERE e.tenant_id = $%d AND e.source = $%d AND e.id = $%d", query, 3*i+1, 3*i+2, 3*i+3))
			args = append(args, string(k.tenant), k.source, k.id)
		}
		if err := db.Each(ctx, q, see, strings.Join(selects, " UNION ALL "), args...); err != nil {
			return err
		}
	}
	return nil
}
