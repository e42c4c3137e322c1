package inventory

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

// A ChangeType says what happened to a resource.
type ChangeType string

// The types of changes.
const (
	Created    ChangeType = "created"
	Updated    ChangeType = "updated"
	Deleted    ChangeType = "deleted"
	Reappeared ChangeType = "reappeared" // was taken for gone, and is not: the same lifetime goes on
	Assigned   ChangeType = "assigned"   // belongs to another tenant than before
)

// A CauseType says who or what brought a change about.
type CauseType string

// The causes.
const (
	FirstSight CauseType = "first_sight" // it was there when the inventory first looked
	BySaga     CauseType = "saga"        // one of ours
	ByAction   CauseType = "action"      // one that DigitalOcean lists, which no saga of ours asked for
	OutOfBand  CauseType = "out_of_band" // nothing says why: somebody's hand, or DigitalOcean's
	ByOperator CauseType = "operator"    // somebody said whose it is, or removed its account
	ByRule     CauseType = "rule"        // a rule of attribution said so
)

// A Cause is what brought a change about, with what shows it.
type Cause struct {
	Type   CauseType `json:"type"`
	Saga   string    `json:"saga,omitempty"`
	Step   string    `json:"step,omitempty"`
	Action int64     `json:"action,omitempty"`      // DigitalOcean's id
	What   string    `json:"action_type,omitempty"` // "resize"
	Actor  string    `json:"actor,omitempty"`       // who asked for it, as far as we know
}

// Drift reports whether the change came from outside of us.
func (c Cause) Drift() bool { return c.Type == OutOfBand || c.Type == ByAction }

// A Field is one thing in a document that a change changed, as JSON.
type Field struct {
	Path   string          `json:"path"` // a JSON pointer, "/size_slug"
	Before json.RawMessage `json:"before,omitempty"`
	After  json.RawMessage `json:"after,omitempty"`
}

// A Change is one thing that happened to a resource, with its number in the feed.
type Change struct {
	Seq     int64
	URN     string
	Account string
	Kind    string
	Version int64 // that it made
	Type    ChangeType
	After   time.Time // it happened later than this; zero: nobody knows
	At      time.Time // and no later than this; by DigitalOcean's clock
	Seen    time.Time // when it was noticed, by the same clock
	Cause   Cause
	Name    string  // of the resource, then
	Fields  []Field // of an update: what is different, at most maxFields of them
	More    int     // how many further fields are different
	Tenant  string  // of an assignment: whose it is now, empty for nobody's
	Former  string  // and whose it was
}

// Exact reports whether the time of the change is known and not only its bounds.
func (c Change) Exact() bool { return c.After.Equal(c.At) }

// A detail is what a change keeps beside its columns.
type detail struct {
	Cause  Cause   `json:"cause"`
	Name   string  `json:"name,omitempty"`
	Fields []Field `json:"fields,omitempty"`
	More   int     `json:"more,omitempty"`
	Tenant string  `json:"tenant,omitempty"`
	Former string  `json:"former,omitempty"`
}

// appendChanges gives changes the next numbers of the feed and records them. The
// row of inv_feed stays locked until the commit: whoever reads number n has seen
// everything below it. It is the last statement of its transaction where it can
// be, so that others wait for no longer than a commit.
func appendChanges(ctx context.Context, d *db.DB, tx *sql.Tx, changes []Change) error {
	if len(changes) == 0 {
		return nil
	}
	var last int64
	err := tx.QueryRowContext(ctx, `UPDATE inv_feed SET last = last + $1 WHERE id = 1 RETURNING last`, len(changes)).Scan(&last)
	if err != nil {
		return err
	}
	rows := make([][]any, len(changes))
	for i, c := range changes {
		kept, err := json.Marshal(detail{c.Cause, c.Name, c.Fields, c.More, c.Tenant, c.Former})
		if err != nil {
			return err
		}
		seq := last - int64(len(changes)-1-i)
		rows[i] = []any{
			seq, c.URN, c.Account, c.Kind, c.Version, string(c.Type), nullMicros(c.After), db.Micros(c.At), db.Micros(c.Seen),
			string(c.Cause.Type), string(kept),
		}
	}
	return d.Pipeline(ctx, tx, db.Statement{Bulk: insertChanges, Rows: rows})
}

var insertChanges = db.NewBulk(`INSERT INTO inv_changes (seq, urn, account, kind, version, type, after, at, seen, cause, detail)
	SELECT seq, urn, account, kind, version, type, after, at, seen, cause, detail FROM given`,
	db.Column{Name: "seq", Type: db.Integer}, db.Column{Name: "urn"}, db.Column{Name: "account"}, db.Column{Name: "kind"},
	db.Column{Name: "version", Type: db.Integer}, db.Column{Name: "type"}, db.Column{Name: "after", Type: db.Integer},
	db.Column{Name: "at", Type: db.Integer}, db.Column{Name: "seen", Type: db.Integer}, db.Column{Name: "cause"},
	db.Column{Name: "detail", Type: db.Object})

// nullMicros is a time as a nullable column of a Bulk.
func nullMicros(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return db.Micros(t)
}

// A ChangeFilter selects changes; empty fields select all.
type ChangeFilter struct {
	Follow   bool   // the oldest first: those after After. Else the newest first
	After    int64  // numbers above this one
	Before   int64  // numbers below this one; 0: all
	URN      string // of this resource
	Account  string
	Kinds    []string
	Types    []ChangeType
	Causes   []CauseType
	Tenant   tenant.ID // of resources that are this tenant's now
	Since    time.Time // noticed then or later
	Untagged bool      // without the tags that sagas made and deleted: each marks its own with some
	Limit    int       // default 100, at most 1000
}

// Changes reads the feed: forwards for a follower, whose After is the number of the
// last change that it got, or else backwards from the newest.
func (s *Service) Changes(ctx context.Context, f ChangeFilter) ([]Change, error) {
	if f.Limit == 0 {
		f.Limit = 100
	}
	if f.Limit < 1 || f.Limit > 1000 {
		return nil, fault.New(fault.Invalid, "A page holds 1 to 1000 changes, not %d.", f.Limit)
	}
	where, args := []string{"1 = 1"}, []any{}
	and := func(condition string, values ...any) {
		for _, v := range values {
			args = append(args, v)
			condition = strings.Replace(condition, "?", fmt.Sprintf("$%d", len(args)), 1)
		}
		where = append(where, condition)
	}
	order := "DESC"
	if f.Follow {
		order = "ASC"
	}
	if f.After > 0 {
		and("seq > ?", f.After)
	}
	if f.Before > 0 {
		and("seq < ?", f.Before)
	}
	if f.URN != "" {
		and("urn = ?", f.URN)
	}
	if f.Account != "" {
		and("account = ?", f.Account)
	}
	if f.Tenant != "" {
		and("urn IN (SELECT a.urn FROM inv_attributions a WHERE a.tenant_id = ? AND a.until IS NULL)", string(f.Tenant))
	}
	if !f.Since.IsZero() {
		and("seen >= ?", db.Micros(f.Since))
	}
	if f.Untagged {
		and("NOT (kind = ? AND cause = ?)", tag.Name, string(BySaga))
	}
	anyOf(and, "kind", f.Kinds)
	anyOf(and, "type", f.Types)
	anyOf(and, "cause", f.Causes)
	args = append(args, f.Limit)
	return readChanges(ctx, s.db.Read(), `SELECT seq, urn, account, kind, version, type, after, at, seen, detail FROM inv_changes WHERE `+
		strings.Join(where, " AND ")+fmt.Sprintf(" ORDER BY seq %s LIMIT $%d", order, len(args)), args...)
}

func anyOf[T ~string](and func(string, ...any), column string, values []T) {
	if len(values) == 0 {
		return
	}
	in := make([]any, len(values))
	for i, v := range values {
		in[i] = string(v)
	}
	and(column+" IN (?"+strings.Repeat(", ?", len(values)-1)+")", in...)
}

// FeedEnd is the number of the newest change, 0 before the first.
func (s *Service) FeedEnd(ctx context.Context) (last int64, err error) {
	err = s.db.Read().QueryRowContext(ctx, `SELECT last FROM inv_feed WHERE id = 1`).Scan(&last)
	return last, err
}

func readChanges(ctx context.Context, q db.Queryer, query string, args ...any) ([]Change, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var changes []Change
	for rows.Next() {
		var (
			c        Change
			after    db.NullTime
			at, seen int64
			more     db.JSON[detail]
		)
		if err := rows.Scan(&c.Seq, &c.URN, &c.Account, &c.Kind, &c.Version, &c.Type, &after, &at, &seen, &more); err != nil {
			return nil, err
		}
		c.After, c.At, c.Seen = after.Time, db.Time(at), db.Time(seen)
		c.Cause, c.Name, c.Fields, c.More, c.Tenant, c.Former = more.V.Cause, more.V.Name, more.V.Fields, more.V.More, more.V.Tenant, more.V.Former
		changes = append(changes, c)
	}
	return changes, rows.Err()
}
