package provisioning

import (
	"context"
	"database/sql"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/provisioning/blueprint"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// A BackupSchedule says when a stack is backed up by itself, and which of these backups
// are kept.
type BackupSchedule struct {
	Stack     StackID
	Cron      string // five fields; empty: it was taken away
	Zone      string
	Keep      blueprint.Retention
	Actor     string // "blueprint" where it is the policy of that
	SetAt     time.Time
	NextAt    time.Time // when it is due
	LastAt    time.Time // when a backup was begun by it last; zero: never
	LastSaga  saga.ID
	LastError string // why none could be begun since
}

// scheduler is the actor of what is done by schedules.
const scheduler = "system:schedule"

// retryAfter is how long after one could not be begun a backup is tried again, and so is a
// pruning or a drill.
const retryAfter = 10 * time.Minute

const scheduleColumns = `stack_id, cron, zone, keep, actor, set_at, next_at, last_at, COALESCE(last_saga, ''), COALESCE(last_error, '')`

func (s *Service) schedules(ctx context.Context, q db.Queryer, where string, args ...any) ([]BackupSchedule, error) {
	return db.All(ctx, q, func(rows *sql.Rows) (b BackupSchedule, err error) {
		var (
			keep       db.JSON[blueprint.Retention]
			set        int64
			next, last db.NullTime
		)
		err = rows.Scan(&b.Stack, &b.Cron, &b.Zone, &keep, &b.Actor, &set, &next, &last, &b.LastSaga, &b.LastError)
		b.Keep, b.SetAt, b.NextAt, b.LastAt = keep.V, db.Time(set), next.Time, last.Time
		return b, err
	}, `SELECT `+scheduleColumns+` FROM stack_schedules WHERE `+where+` ORDER BY stack_id`, args...)
}

// BackupSchedules are the schedules of one stack, none or one, or of all where it is empty.
func (s *Service) BackupSchedules(ctx context.Context, of StackID) ([]BackupSchedule, error) {
	return s.schedules(ctx, s.db.Read(), `cron <> '' AND ($1 = '' OR stack_id = $1)`, string(of))
}

// SetBackupSchedule has a stack be backed up by cron, in a zone; an empty one is that of
// the stack. It answers fault.Invalid for a schedule that is none, and for a retention
// that keeps nothing.
func (s *Service) SetBackupSchedule(ctx context.Context, of Stack, cron, zone string, keep blueprint.Retention, actor string, at time.Time) (b BackupSchedule, err error) {
	if of.State != StackActive && of.State != StackSuspended {
		return b, fault.New(fault.Conflict, "Stack %s is %s: there is nothing to back up.", of.Name, of.State)
	}
	if zone == "" {
		zone = of.Spec.Tenant.Zone
	}
	plan, err := parseCron(cron, zone)
	if err != nil {
		return b, err
	}
	for _, n := range []int{keep.Daily, keep.Weekly, keep.Monthly, keep.Yearly} {
		if n < 0 || n > 1000 {
			return b, fault.New(fault.Invalid, "Of days, weeks, months and years from 0 to 1000 are kept, not %d.", n)
		}
	}
	if keep == (blueprint.Retention{}) {
		return b, fault.New(fault.Invalid, "Nothing would be kept. Say of how many days, weeks, months or years.")
	}
	b = BackupSchedule{Stack: of.ID, Cron: cron, Zone: zone, Keep: keep, Actor: actor, SetAt: at, NextAt: plan.next(at)}
	return b, s.db.Write(ctx, func(tx *sql.Tx) error { return keepSchedule(ctx, tx, b) })
}

// RemoveBackupSchedule ends a stack's schedule. The backups stay, and with them what was
// made by it.
func (s *Service) RemoveBackupSchedule(ctx context.Context, of Stack, actor string, at time.Time) error {
	return s.db.Write(ctx, func(tx *sql.Tx) error {
		return keepSchedule(ctx, tx, BackupSchedule{Stack: of.ID, Zone: "UTC", Actor: actor, SetAt: at})
	})
}

// endSchedule ends the schedule of a stack that is no more, in the transaction that says so.
func endSchedule(ctx context.Context, tx *sql.Tx, of StackID) error {
	_, err := tx.ExecContext(ctx, `UPDATE stack_schedules SET cron = '', next_at = NULL, last_error = NULL WHERE stack_id = $1`, string(of))
	return err
}

func keepSchedule(ctx context.Context, tx *sql.Tx, b BackupSchedule) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO stack_schedules (stack_id, cron, zone, keep, actor, set_at, next_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (stack_id) DO UPDATE SET cron = excluded.cron, zone = excluded.zone, keep = excluded.keep, actor = excluded.actor,
			set_at = excluded.set_at, next_at = excluded.next_at, last_error = NULL`,
		string(b.Stack), b.Cron, b.Zone, db.JSON[blueprint.Retention]{V: b.Keep}, b.Actor, db.Micros(b.SetAt), db.NullTime{Time: b.NextAt})
	return err
}

// over are the backups of a stack that are to be deleted at a time.
func (s *Service) over(ctx context.Context, of Stack, all []StackBackup, at time.Time) ([]StackBackup, error) {
	found, err := s.BackupSchedules(ctx, of.ID)
	if err != nil {
		return nil, err
	}
	var by *BackupSchedule
	if len(found) == 1 {
		by = &found[0]
	}
	keep, zone, err := by.retention()
	if err != nil {
		return nil, err
	}
	return expired(all, keep, zone, !of.State.over(), at), nil
}

// RunSchedules begins the backups that are due, and the deletion of those whose time is
// over. What was missed is made up once. Several processes may call it at once.
func (s *Service) RunSchedules(ctx context.Context, at time.Time) error {
	if err := s.adoptPolicies(ctx, at); err != nil {
		return err
	}
	due, err := s.schedules(ctx, s.db.Read(), `cron <> '' AND next_at <= $1`, db.Micros(at))
	if err != nil {
		return err
	}
	var failed []error
	for _, b := range due {
		if err := s.runSchedule(ctx, b, at); err != nil {
			s.steps.log.Warn("a scheduled backup could not begin", "stack", b.Stack, "err", err)
			failed = append(failed, s.postpone(ctx, b, fault.Message(err), at))
		}
	}
	return errors.Join(append(failed, s.pruneAll(ctx, at), s.runDrills(ctx, at))...)
}

// adoptPolicies gives the stacks whose blueprint has a policy its schedule, unless
// somebody set another or took it away.
func (s *Service) adoptPolicies(ctx context.Context, at time.Time) error {
	found, err := s.stacks(ctx, s.db.Read(), `state = 'active' AND spec->>'backup_policy' IS NOT NULL
		AND NOT EXISTS (SELECT 1 FROM stack_schedules h WHERE h.stack_id = stacks.id)`)
	if err != nil {
		return err
	}
	for _, one := range found {
		p := one.Spec.BackupPolicy
		if _, err := s.SetBackupSchedule(ctx, one, p.Schedule, "", p.Keep, "blueprint", at); err != nil {
			s.steps.log.Warn("a blueprint's backup policy cannot be followed", "stack", one.ID, "err", err)
		}
	}
	return nil
}

// runSchedule begins the backup of a schedule that is due. While the last one is under
// way none begins, and the schedule stays due.
func (s *Service) runSchedule(ctx context.Context, b BackupSchedule, at time.Time) error {
	stack, err := s.Stack(ctx, string(b.Stack))
	if err != nil {
		return err
	}
	if stack.State.over() {
		return s.RemoveBackupSchedule(ctx, stack, scheduler, at)
	}
	if b.LastSaga != "" {
		last, err := s.engine.Saga(ctx, b.LastSaga)
		if err != nil || !last.State.Ended() && last.State != saga.Stuck {
			return err
		}
	}
	return s.beginDue(ctx, PlanRequest{Verb: BackUp, Stack: string(b.Stack), Due: b.NextAt}, stack, at)
}

// beginDue begins what is due of a stack. A freeze is looked for first: a plan that cannot
// be applied would cost requests, and be kept, at every try.
func (s *Service) beginDue(ctx context.Context, r PlanRequest, of Stack, at time.Time) error {
	if err := s.Frozen(ctx, of.Account, of.Tenant); err != nil {
		return err
	}
	p, err := s.PlanStack(ctx, r, scheduler, at)
	if err != nil {
		return err
	}
	_, _, err = s.ApplyPlan(ctx, p.ID, scheduler, at)
	return err
}

// Rests are until when what could not begin is not tried again by this process.
type rests struct {
	mu    sync.Mutex
	until map[string]time.Time
}

func (r *rests) over(what string, at time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !at.Before(r.until[what])
}

func (r *rests) begin(what string, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	maps.DeleteFunc(r.until, func(_ string, until time.Time) bool { return !at.Before(until) })
	if r.until == nil {
		r.until = map[string]time.Time{}
	}
	r.until[what] = at.Add(retryAfter)
}

// tick notes, in the transaction that begins a schedule's backup, that it did. It answers
// fault.Conflict where another process was faster.
func (s *Service) tick(ctx context.Context, tx *sql.Tx, of Stack, due time.Time, by saga.ID, at time.Time) error {
	found, err := s.schedules(ctx, tx, `stack_id = $1 AND cron <> '' AND next_at = $2`, string(of.ID), db.Micros(due))
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return fault.New(fault.Conflict, "The backup of stack %s that was due was begun already.", of.Name)
	}
	plan, err := parseCron(found[0].Cron, found[0].Zone)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `UPDATE stack_schedules SET next_at = $1, last_at = $2, last_saga = $3, last_error = NULL WHERE stack_id = $4`,
		db.Micros(plan.next(at)), db.Micros(at), string(by), string(of.ID))
	return err
}

// postpone notes why a schedule's backup could not begin, and has it tried again.
func (s *Service) postpone(ctx context.Context, b BackupSchedule, why string, at time.Time) error {
	return s.db.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE stack_schedules SET next_at = $1, last_error = $2 WHERE stack_id = $3 AND next_at = $4`,
			db.Micros(at.Add(retryAfter)), why, string(b.Stack), db.Micros(b.NextAt))
		return err
	})
}

// pruneAll begins the deletion of backups whose time is over. A stack of which one is
// under way gets no other beside it: it may wait for a cap.
func (s *Service) pruneAll(ctx context.Context, at time.Time) error {
	found, err := s.stacks(ctx, s.db.Read(), `state IN ('active','suspended','gone') AND EXISTS (SELECT 1 FROM stack_backups b WHERE b.stack_id = stacks.id AND b.deleted_at IS NULL)`)
	if err != nil || len(found) == 0 {
		return err
	}
	under, err := s.underWay(ctx, ExpireBackupsKind)
	if err != nil {
		return err
	}
	for _, one := range found {
		rest := "prune " + string(one.ID)
		if under[one.ID] || !s.rests.over(rest, at) {
			continue
		}
		all, err := s.Backups(ctx, one.ID, false)
		if err != nil {
			return err
		}
		over, err := s.over(ctx, one, all, at)
		if err != nil {
			return err
		}
		if len(over) == 0 {
			continue
		}
		if err := s.beginDue(ctx, PlanRequest{Verb: Prune, Stack: string(one.ID)}, one, at); err != nil {
			s.rests.begin(rest, at)
			s.steps.log.Warn("backups whose time is over stay", "stack", one.ID, "err", err)
		}
	}
	return nil
}

// underWay are the stacks of which a saga of a kind is under way. One that is stuck is not.
func (s *Service) underWay(ctx context.Context, kind string) (map[StackID]bool, error) {
	open := slices.DeleteFunc(saga.Open(), func(state saga.State) bool { return state == saga.Stuck })
	under := map[StackID]bool{}
	f := saga.Filter{States: open, Kind: kind, Limit: 200}
	for {
		sagas, next, err := s.engine.Sagas(ctx, f)
		if err != nil {
			return nil, err
		}
		for _, one := range sagas {
			state, err := saga.StateOf[Building](one)
			if err != nil {
				return nil, err
			}
			under[state.Stack] = true
		}
		if f.Cursor = next; next == "" {
			return under, nil
		}
	}
}
