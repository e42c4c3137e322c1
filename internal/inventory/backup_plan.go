package inventory

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
)

// How often a droplet is backed up decides what its backups cost, and stands in no
// document of the droplet. The inventory keeps the plan within the droplet's document
// none the less, as it is known from the list of policies: what a version costs follows
// from the version alone, and a plan that changes is a change of the droplet.

// planKey is where the plan stands in a droplet's document, as it does in its policy.
const planKey = "backup_policy"

// backupSKU begins the names that a plan's price has in the price book.
const backupSKU = "backup:"

// A planned is a version of a droplet's document, by its hash, and a plan.
type planned struct{ hash, plan string }

// addPlans puts the plans of their backups into the documents of droplets, as far as
// policies are known. What is as it was the last time is not read for it.
func (s *Service) addPlans(ctx context.Context, account string, droplets []found) error {
	plans := map[string]string{}
	err := db.Each(ctx, s.db.Read(), func(rows *sql.Rows) error {
		var id, plan string
		err := rows.Scan(&id, &plan)
		plans[id] = plan
		return err
	}, `SELECT id, size FROM inv_versions WHERE kind = $1 AND account = $2 AND until IS NULL AND NOT gone AND status = 'on' AND size <> ''`,
		backupPolicy.Name, account)
	if err != nil {
		return err
	}
	s.mu.Lock()
	before := s.planned[account]
	s.mu.Unlock()
	now := map[planned]string{}
	for i := range droplets {
		f := &droplets[i]
		if f.plan = plans[f.id]; f.plan == "" {
			continue
		}
		version := planned{f.hash, f.plan}
		hash, ok := before[version]
		if ok && f.doc.object == nil {
			f.hash = hash
		} else if err := f.open(account); err != nil {
			return err
		}
		now[version] = f.hash
	}
	s.mu.Lock()
	s.planned[account] = now
	s.mu.Unlock()
	return nil
}

// addPlan puts the plan into the document.
func (f *found) addPlan() (err error) {
	if f.plan == "" || f.doc.At(planKey) != nil || !hasBackups(f.doc) {
		return nil
	}
	f.doc.object[planKey] = map[string]any{"plan": f.plan}
	f.kept, f.hash, err = canonical(f.kind, f.doc)
	return err
}

// hasBackups reports whether a droplet's document says that it is backed up.
func hasBackups(d Doc) bool { return contains(d.Texts("features"), "backups") }

// onlyPlan reports whether nothing but the plan of a droplet's backups is different.
func onlyPlan(fields []Field) bool {
	for _, f := range fields {
		if f.Path != "/"+planKey && !strings.HasPrefix(f.Path, "/"+planKey+"/") {
			return false
		}
	}
	return len(fields) > 0
}

// explainPlan says since when a droplet has its plan: policies are listed less often
// than droplets, so that the action that set it may have been over for a while. A plan
// of which nothing was known before has been the droplet's all along.
func (s *Service) explainPlan(ctx context.Context, account string, e *edit) error {
	if e.change.Cause.Type != OutOfBand {
		return nil
	}
	a, err := scanAction(s.db.Read().QueryRowContext(ctx, `SELECT id, status, type, resource_type, resource, started_at, completed_at FROM inv_actions
		WHERE account = $1 AND resource_type = 'droplet' AND resource = $2 AND type IN ('enable_backups', 'change_backup_policy')
			AND completed_at > $3 ORDER BY started_at DESC, id DESC LIMIT 1`,
		account, e.found.id, db.Micros(e.change.Seen.Add(-2*every[backupPolicy.Tier]))))
	learned := e.change.Fields[0].Before == nil
	switch {
	case errors.Is(err, sql.ErrNoRows) && learned:
		e.change.Cause, e.change.At = Cause{Type: FirstSight}, e.old.at.Add(time.Microsecond)
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case err != nil:
		return err
	default:
		e.change.Cause, e.change.At = Cause{Type: ByAction, Action: a.id, What: a.kind}, a.completedAt
		if least := e.old.at.Add(time.Microsecond); e.change.At.Before(least) {
			e.change.At = least
		}
	}
	e.change.After = e.change.At
	return nil
}

// fillBacked reads since when droplets have been backed up that were so when they were
// first seen: an action says it, where their documents say since when they exist.
func (s *Service) fillBacked(ctx context.Context, sh *shelf, of string, args []any) error {
	return db.Each(ctx, s.db.Read(), func(rows *sql.Rows) error {
		var (
			urn string
			on  int64
		)
		if err := rows.Scan(&urn, &on); err != nil {
			return err
		}
		if i, ok := sh.at[urn]; ok {
			sh.entries[i].backed = on
		}
		return nil
	}, `SELECT r.urn, MAX(a.completed_at) FROM inv_resources r JOIN inv_actions a ON r.kind = 'droplet'
			AND a.resource_type = 'droplet' AND a.resource = r.id AND a.type = 'enable_backups' AND a.status = 'completed' AND a.completed_at < r.first_seen`+
		of+` GROUP BY r.urn`, args...)
}
