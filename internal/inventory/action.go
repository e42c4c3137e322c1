package inventory

import (
	"context"
	"database/sql"
	"slices"
	"strconv"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/period"
)

// ActionKind is the name under which the state of the list of actions is kept,
// beside those of the kinds: no resources, but why they changed.
const ActionKind = "action"

// An action is something that DigitalOcean did: why something changed, and often
// that it did.
type action struct {
	id           int64
	status       digitalocean.ActionStatus
	kind         string // "resize"
	resourceType string
	resource     string
	startedAt    time.Time
	completedAt  time.Time // zero while it runs
}

// urn is what the action was done to, "" for what no kind knows.
func (a action) urn() string {
	i := slices.IndexFunc(kinds, func(k *Kind) bool { return k.Actions != "" && k.Actions == a.resourceType })
	if i < 0 {
		return ""
	}
	return kinds[i].URN("", a.resource)
}

// firstActions is how far back the list of actions is read at least where nothing
// newer is known. The first time it is read from the month's beginning: since when a
// droplet's backups have been on decides what the month costs.
const firstActions = 24 * time.Hour

// pullActions reads what DigitalOcean did since the last time, with what was not
// finished then.
func (s *Service) pullActions(ctx context.Context, c *digitalocean.Client, account string, now time.Time) error {
	h, err := s.head(ctx, account, ActionKind)
	if err != nil {
		return err
	}
	since := now.Add(-firstActions)
	if h.firstAsOf.IsZero() {
		since = period.Earlier(since, MonthOf(now).From)
	}
	var newest, running sql.NullInt64
	err = s.db.Read().QueryRowContext(ctx, `SELECT MAX(started_at), MIN(CASE WHEN completed_at IS NULL AND status = 'in-progress' THEN started_at END)
		FROM inv_actions WHERE account = $1 AND started_at >= $2`, account, db.Micros(since)).Scan(&newest, &running)
	if err != nil {
		return err
	}
	if newest.Valid {
		since = db.Time(newest.Int64).Add(-2 * s.settings.Horizon) // what was late to show
	}
	if running.Valid && db.Time(running.Int64).Before(since) {
		since = db.Time(running.Int64)
	}
	list, err := c.Actions(ctx, since)
	if err != nil {
		return err
	}
	rows := make([][]any, 0, len(list.Items))
	for _, a := range list.Items {
		if a.StartedAt.Before(since) {
			continue
		}
		rows = append(rows, []any{
			a.ID, account, string(a.Status), a.Type, a.ResourceType, strconv.FormatInt(a.Resource, 10),
			db.Micros(a.StartedAt), nullMicros(a.CompletedAt),
		})
	}
	return s.db.Write(ctx, func(tx *sql.Tx) error {
		return s.db.Pipeline(ctx, tx, db.Statement{Bulk: upsertActions, Rows: rows})
	})
}

var upsertActions = db.NewBulk(`INSERT INTO inv_actions (id, account, status, type, resource_type, resource, started_at, completed_at)
	SELECT id, account, status, type, resource_type, resource, started_at, completed_at FROM given WHERE true
	ON CONFLICT (id) DO UPDATE SET status = excluded.status, completed_at = excluded.completed_at
	WHERE inv_actions.status <> excluded.status OR inv_actions.completed_at IS NULL`,
	db.Column{Name: "id", Type: db.Integer}, db.Column{Name: "account"}, db.Column{Name: "status"}, db.Column{Name: "type"},
	db.Column{Name: "resource_type"}, db.Column{Name: "resource"}, db.Column{Name: "started_at", Type: db.Integer},
	db.Column{Name: "completed_at", Type: db.Integer})

type scanner interface{ Scan(dest ...any) error }

func scanAction(row scanner) (a action, err error) {
	var started int64
	var completed db.NullTime
	if err := row.Scan(&a.id, &a.status, &a.kind, &a.resourceType, &a.resource, &started, &completed); err != nil {
		return a, err
	}
	a.startedAt, a.completedAt = db.Time(started), completed.Time
	return a, nil
}
