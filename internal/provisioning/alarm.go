package provisioning

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// An AlarmKind says what did not work.
type AlarmKind string

// The kinds.
const (
	BackupFailed  AlarmKind = "backup_failed"
	BackupOverdue AlarmKind = "backup_overdue"
	BackupLost    AlarmKind = "backup_lost"
	DrillFailed   AlarmKind = "drill_failed"
)

// An Alarm is that what keeps a stack's data safe did not work. It is over once a backup
// was made, or a drill passed.
type Alarm struct {
	Kind  AlarmKind
	Stack Stack
	Slug  string // of the tenant
	URNs  []string
	Says  string // a sentence
}

// overdueAfter is how long after it was due a backup may be missing without anybody
// knowing why: longer than an action may take.
const overdueAfter = 3 * time.Hour

// Alarms are what did not work of the stacks of an account that are there, at an instant:
// backups by schedule that failed or are missing, and drills. A stack that is suspended at
// level 3 has nothing to back up.
func (s *Service) Alarms(ctx context.Context, account string, at time.Time) ([]Alarm, error) {
	stacks, err := s.stacks(ctx, s.db.Read(), `account = $1 AND (state = 'active' OR state = 'suspended' AND level < 3)`, account)
	if err != nil || len(stacks) == 0 {
		return nil, err
	}
	scheduled := map[StackID]BackupSchedule{}
	all, err := s.BackupSchedules(ctx, "")
	if err != nil {
		return nil, err
	}
	for _, b := range all {
		scheduled[b.Stack] = b
	}
	backups, err := s.Backups(ctx, "", false)
	if err != nil {
		return nil, err
	}
	ofStack := map[StackID][]StackBackup{}
	for _, b := range backups {
		ofStack[b.Stack] = append(ofStack[b.Stack], b)
	}
	last, err := s.lastBackups(ctx)
	if err != nil {
		return nil, err
	}
	drilled, err := s.lastDrills(ctx)
	if err != nil {
		return nil, err
	}
	slugs, err := s.tenants.Slugs(ctx)
	if err != nil {
		return nil, err
	}
	var alarms []Alarm
	for _, stack := range stacks {
		var kind AlarmKind
		var says string
		if b, ok := scheduled[stack.ID]; ok {
			if kind, says, err = s.missed(ctx, b, last[stack.ID], at); err != nil {
				return nil, err
			}
		}
		found := map[AlarmKind]string{kind: says, BackupLost: lostSays(ofStack[stack.ID])}
		if d, ok := drilled[stack.ID]; ok {
			if found[DrillFailed], err = s.drillSays(ctx, d); err != nil {
				return nil, err
			}
		}
		for _, kind := range []AlarmKind{BackupFailed, BackupOverdue, BackupLost, DrillFailed} {
			if found[kind] == "" {
				continue
			}
			has, err := s.StackResources(ctx, stack.ID)
			if err != nil {
				return nil, err
			}
			alarm := Alarm{Kind: kind, Stack: stack, Slug: slugs[stack.Tenant], Says: found[kind]}
			for _, r := range has {
				alarm.URNs = append(alarm.URNs, r.URN)
			}
			alarms = append(alarms, alarm)
		}
	}
	return alarms, nil
}

// missed says what is wrong with the backups of a schedule, of which the last good one was
// taken at an instant; zero: none was.
func (s *Service) missed(ctx context.Context, b BackupSchedule, good, at time.Time) (AlarmKind, string, error) {
	if b.LastError != "" {
		return BackupFailed, "The backup that is due cannot begin: " + b.LastError, nil
	}
	if b.LastSaga != "" && good.Before(b.LastAt) {
		last, err := s.engine.Saga(ctx, b.LastSaga)
		if err != nil {
			return "", "", err
		}
		if last.State == saga.RolledBack || last.State == saga.Stuck {
			return BackupFailed, fmt.Sprintf("The backup by schedule of %s failed, and none was made since (%s): %s", minute(b.LastAt), last.ID, why(last)), nil
		}
	}
	plan, err := parseCron(b.Cron, b.Zone)
	if err != nil {
		return "", "", err
	}
	since := b.SetAt
	if good.After(since) {
		since = good
	}
	due := plan.next(since)
	if due.IsZero() || !at.After(due.Add(overdueAfter)) {
		return "", "", nil
	}
	if good.IsZero() {
		return BackupOverdue, fmt.Sprintf("A backup is due since %s, and there was never one.", minute(due)), nil
	}
	return BackupOverdue, fmt.Sprintf("A backup is due since %s; the last one is of %s.", minute(due), minute(good)), nil
}

// drillSays is what is wrong with a drill; empty where it passed or is under way.
func (s *Service) drillSays(ctx context.Context, d StackDrill) (string, error) {
	switch d.Outcome {
	case "failed", "undone":
		return fmt.Sprintf("The drill of %s failed: %s", minute(d.BeganAt), cmp.Or(d.Said, "nobody knows why.")), nil
	case "running":
		of, err := s.engine.Saga(ctx, d.Saga)
		if err != nil || of.State != saga.Stuck {
			return "", err
		}
		return fmt.Sprintf("The drill of %s is stuck (%s): %s", minute(d.BeganAt), of.ID, why(of)), nil
	}
	return "", nil
}

func why(of saga.Saga) string {
	if of.Error == nil {
		return "it was undone."
	}
	return of.Error.Message
}

func minute(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// lastBackups is when the last good backup of each stack was taken, deleted ones too.
func (s *Service) lastBackups(ctx context.Context) (map[StackID]time.Time, error) {
	last := map[StackID]time.Time{}
	err := db.Each(ctx, s.db.Read(), func(rows *sql.Rows) error {
		var of string
		var taken int64
		err := rows.Scan(&of, &taken)
		last[StackID(of)] = db.Time(taken)
		return err
	}, `SELECT stack_id, MAX(taken_at) FROM stack_backups GROUP BY stack_id`)
	return last, err
}

// lastDrills is the newest drill of each stack.
func (s *Service) lastDrills(ctx context.Context) (map[StackID]StackDrill, error) {
	found, err := s.drills(ctx, `NOT EXISTS (SELECT 1 FROM stack_drills n WHERE n.stack_id = stack_drills.stack_id AND n.began_at > stack_drills.began_at)`)
	last := map[StackID]StackDrill{}
	for _, d := range found {
		if _, ok := last[d.Stack]; !ok {
			last[d.Stack] = d
		}
	}
	return last, err
}
