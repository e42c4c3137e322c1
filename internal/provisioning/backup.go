package provisioning

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/provisioning/blueprint"
	"github.com/arcadia-cloud/arcadia/internal/saga"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

// A BackupID names a backup, "backup_…".
type BackupID string

// A BackupReason is why a backup was made, which says how long it is kept.
type BackupReason string

// The reasons.
const (
	ManualBackup    BackupReason = "manual"   // somebody asked: kept until somebody deletes it, or for the days that were asked for
	ScheduledBackup BackupReason = "schedule" // kept as the schedule's retention says
	SafetyBackup    BackupReason = "safety"   // before a restore in place
	FinalBackup     BackupReason = "final"    // before a teardown, or what an archived stack was resumed of
)

// A StackBackup is a snapshot of each droplet and each volume of a stack, which were
// verified before the backup was recorded.
type StackBackup struct {
	ID        BackupID
	Stack     StackID
	Tenant    tenant.ID
	Account   string
	Saga      saga.ID
	Reason    BackupReason
	Spec      blueprint.Spec // of the stack when it was taken
	TakenAt   time.Time
	ExpiresAt time.Time // zero: no time is set
	DeletedAt time.Time // zero: it is there
	Items     []BackupItem
	Lost      []string // keys of those whose snapshot is gone, as far as the inventory knows: it cannot be restored
}

// A BackupItem is the snapshot of one droplet or volume.
type BackupItem struct {
	Key        string `json:"key"`  // of the resource
	Kind       string `json:"kind"` // droplet or volume
	Snapshot   string `json:"snapshot"`
	Marker     string `json:"marker"` // its name
	Source     string `json:"source"` // id of what it is of
	Name       string `json:"name"`   // of what it is of, at the time
	Region     string `json:"region"`
	SizeGB     string `json:"size_gb"`      // decimal, of what it holds
	MinDiskGiB int    `json:"min_disk_gib"` // of what is made of it
}

// subject is what a saga that needs a backup locks, so that no other deletes it.
func (id BackupID) subject() string { return "backup:" + string(id) }

// recordBackup writes down, in the transaction of a saga's step, that a backup is good.
func recordBackup(ctx context.Context, tx *sql.Tx, s *Building, c *Copying) error {
	if c.Backup == "" {
		return nil
	}
	b := StackBackup{ID: c.Backup, Stack: s.Stack, Tenant: tenant.ID(s.Tenant), Account: s.Account, Saga: s.Saga, Reason: c.Reason, Spec: s.Spec, TakenAt: time.Now()}
	if c.KeepFor > 0 {
		b.ExpiresAt = b.TakenAt.Add(time.Duration(c.KeepFor) * 24 * time.Hour)
	}
	for _, want := range c.items(s) {
		i, ok := c.Items[want.Key]
		if !ok {
			return fmt.Errorf("backup %s: %s was not verified", c.Backup, want.Key)
		}
		b.Items = append(b.Items, i)
	}
	return insertBackup(ctx, tx, b)
}

// recordArchive makes the snapshots that stand for an archived stack a final backup of it.
func recordArchive(ctx context.Context, tx *sql.Tx, s *Building, id BackupID, items []BackupItem, takenAt time.Time, days int) error {
	b := StackBackup{ID: id, Stack: s.Stack, Tenant: tenant.ID(s.Tenant), Account: s.Account, Saga: s.Saga, Reason: FinalBackup, Spec: s.Spec, TakenAt: takenAt, Items: items}
	b.Spec.Resources = slices.DeleteFunc(slices.Clone(b.Spec.Resources), func(r blueprint.Resource) bool { return r.Kind == blueprint.SnapshotKind })
	if days > 0 {
		b.ExpiresAt = time.Now().Add(time.Duration(days) * 24 * time.Hour)
	}
	return insertBackup(ctx, tx, b)
}

func insertBackup(ctx context.Context, tx *sql.Tx, b StackBackup) error {
	if _, err := tx.ExecContext(ctx, `INSERT INTO stack_backups (id, stack_id, tenant_id, account, saga_id, reason, spec, taken_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		string(b.ID), string(b.Stack), string(b.Tenant), b.Account, string(b.Saga), string(b.Reason), db.JSON[blueprint.Spec]{V: b.Spec}, db.Micros(b.TakenAt), db.NullTime{Time: b.ExpiresAt}); err != nil {
		return err
	}
	for _, i := range b.Items {
		if _, err := tx.ExecContext(ctx, `INSERT INTO stack_backup_items (backup_id, key, kind, snapshot, marker, source, name, region, size_gb, min_disk_gib)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
			string(b.ID), i.Key, i.Kind, i.Snapshot, i.Marker, i.Source, i.Name, i.Region, i.SizeGB, i.MinDiskGiB); err != nil {
			return err
		}
	}
	return nil
}

const backupColumns = `id, stack_id, tenant_id, account, saga_id, reason, spec, taken_at, expires_at, deleted_at`

func scanBackup(row row) (b StackBackup, err error) {
	var (
		spec             db.JSON[blueprint.Spec]
		taken            int64
		expires, deleted db.NullTime
	)
	err = row.Scan(&b.ID, &b.Stack, &b.Tenant, &b.Account, &b.Saga, &b.Reason, &spec, &taken, &expires, &deleted)
	b.Spec, b.TakenAt, b.ExpiresAt, b.DeletedAt = spec.V, db.Time(taken), expires.Time, deleted.Time
	return b, err
}

// Backups are the backups of a stack that are there, or of all stacks where it is empty,
// the newest first; deleted ones too where gone is set.
func (s *Service) Backups(ctx context.Context, of StackID, gone bool) ([]StackBackup, error) {
	all, err := backups(ctx, s.db.Read(), `($1 = '' OR stack_id = $1) AND ($2 OR deleted_at IS NULL)`, string(of), gone)
	if err != nil {
		return nil, err
	}
	return s.withLost(ctx, all)
}

func backups(ctx context.Context, q db.Queryer, where string, args ...any) ([]StackBackup, error) {
	all, err := db.All(ctx, q, func(rows *sql.Rows) (StackBackup, error) { return scanBackup(rows) },
		`SELECT `+backupColumns+` FROM stack_backups WHERE `+where+` ORDER BY taken_at DESC, id DESC`, args...)
	if err != nil {
		return nil, err
	}
	items, err := db.All(ctx, q, scanBackupItem, `SELECT backup_id, `+backupItemColumns+` FROM stack_backup_items
		WHERE backup_id IN (SELECT id FROM stack_backups WHERE `+where+`) ORDER BY kind, key`, args...)
	if err != nil {
		return nil, err
	}
	of := map[BackupID][]BackupItem{}
	for _, one := range items {
		of[one.backup] = append(of[one.backup], one.BackupItem)
	}
	for i := range all {
		all[i].Items = of[all[i].ID]
	}
	return all, nil
}

const backupItemColumns = `key, kind, snapshot, marker, source, name, region, size_gb, min_disk_gib`

// A backupItem is an item with whose it is.
type backupItem struct {
	backup BackupID
	BackupItem
}

func scanBackupItem(rows *sql.Rows) (i backupItem, err error) {
	err = rows.Scan(&i.backup, &i.Key, &i.Kind, &i.Snapshot, &i.Marker, &i.Source, &i.Name, &i.Region, &i.SizeGB, &i.MinDiskGiB)
	return i, err
}

// Backup is a backup by its id. It answers fault.NotFound.
func (s *Service) Backup(ctx context.Context, id BackupID) (StackBackup, error) {
	found, err := backups(ctx, s.db.Read(), `id = $1`, string(id))
	if err == nil && len(found) == 0 {
		err = fault.New(fault.NotFound, "There is no backup %s. See: arcadia stack backups STACK", clip(string(id)))
	}
	if err == nil {
		found, err = s.withLost(ctx, found)
	}
	if err != nil {
		return StackBackup{}, err
	}
	return found[0], nil
}

// usable is a backup of a stack that is there: the one that is named, or the newest of
// which nothing is lost.
func (s *Service) usable(ctx context.Context, of Stack, ref string) (StackBackup, error) {
	if ref == "" {
		all, err := s.Backups(ctx, of.ID, false)
		if err == nil && len(all) == 0 {
			err = fault.New(fault.NotFound, "Stack %s has no backup. Make one with: arcadia stack backup %s", of.Name, of.Name)
		}
		if err != nil {
			return StackBackup{}, err
		}
		if n := lastGood(all); n >= 0 {
			return all[n], nil
		}
		return StackBackup{}, fault.New(fault.Conflict, "None of the backups of stack %s can be restored. %s Make another with: arcadia stack backup %s", of.Name, lostSays(all), of.Name)
	}
	b, err := s.Backup(ctx, BackupID(ref))
	switch {
	case err != nil:
		return b, err
	case b.Stack != of.ID:
		return b, fault.New(fault.Invalid, "Backup %s is of another stack than %s.", b.ID, of.Name)
	case !b.DeletedAt.IsZero():
		return b, fault.New(fault.Conflict, "Backup %s was deleted at %s.", b.ID, minute(b.DeletedAt))
	}
	return b, nil
}
