package provisioning

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// ExpireBackupsKind deletes backups of a stack.
const ExpireBackupsKind = "expire_backups"

// An Expiry is the state of a saga that deletes backups.
type Expiry struct {
	Building
	Backups []BackupID      `json:"backups"`
	Items   []BackupItem    `json:"items"`          // of all of them
	Gone    map[string]bool `json:"gone,omitempty"` // by snapshot
	Kept    map[string]bool `json:"kept,omitempty"` // by snapshot: by somebody's word since the backups were forgotten
}

func (p *Steps) expireBackups() saga.Kind[Expiry] {
	return saga.Kind[Expiry]{
		Name: ExpireBackupsKind,
		Begin: func(s *Expiry) error {
			if s.Stack == "" || len(s.Backups) == 0 || len(s.Gone) > 0 {
				return fault.New(fault.Invalid, "Backups are deleted by applying a plan: arcadia stack prune, then arcadia stack apply.")
			}
			return nil
		},
		Subjects: func(s Expiry) (all []string) { // the stack itself stays free
			for _, id := range s.Backups {
				all = append(all, id.subject())
			}
			return all
		},
		Policy: saga.Refuse,
		Steps: []saga.Step[Expiry]{
			{Name: "check_markers", Do: p.checkMarkers, Retry: p.patient(), NothingToUndo: onlyReads},
			{Name: pointOfNoReturn, Pivot: true, Local: forgetBackups},
			{Name: deleteSnapshotsStep, Do: unfrozen(p, p.deleteCopies), Retry: p.patient(), Forward: true},
		},
	}
}

// checkMarkers asks that what would be deleted is what the backup was made of: each
// snapshot has the name that its saga gave it.
func (p *Steps) checkMarkers(ctx context.Context, s *Expiry) error {
	c, err := p.cloud(ctx, s.Account)
	if err != nil {
		return saga.Permanent(err)
	}
	for _, i := range s.Items {
		switch is, err := c.Snapshot(ctx, i.Snapshot); {
		case errors.Is(err, digitalocean.NotFound):
		case err != nil:
			return err
		case is.Name != i.Marker:
			return saga.Permanent(fault.New(fault.Conflict, "Snapshot %s is named %s and not %s: it is not what the backup was made of.", i.Snapshot, is.Name, i.Marker))
		}
	}
	return nil
}

// forgetBackups says, before the first snapshot goes, that there are no such backups any
// more: nothing is restored from a half of one. A backup of which a snapshot is kept by
// somebody's word since it was planned stays whole.
func forgetBackups(ctx context.Context, tx *sql.Tx, s *Expiry) error {
	for _, id := range s.Backups {
		found, err := backups(ctx, tx, `id = $1`, string(id))
		if err != nil || len(found) == 0 {
			return errors.Join(err, fault.New(fault.NotFound, "There is no backup %s any more.", id))
		}
		switch err := ProtectedBy(ctx, tx, string(id), found[0].snapshotURNs()); {
		case errors.Is(err, fault.Conflict):
			s.Items = slices.DeleteFunc(s.Items, func(i BackupItem) bool {
				return slices.ContainsFunc(found[0].Items, func(kept BackupItem) bool { return kept.Snapshot == i.Snapshot })
			})
			continue
		case err != nil:
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE stack_backups SET deleted_at = $1 WHERE id = $2 AND deleted_at IS NULL`, db.Micros(time.Now()), string(id)); err != nil {
			return err
		}
	}
	return nil
}

// deleteCopies deletes what the backups were made of, and lets a snapshot be that is kept
// by somebody's word since they were forgotten.
func (p *Steps) deleteCopies(ctx context.Context, s *Expiry) error {
	c, err := p.cloud(ctx, s.Account)
	if err != nil {
		return err
	}
	for _, i := range s.Items {
		if s.Gone[i.Snapshot] || s.Kept[i.Snapshot] {
			continue
		}
		if p.set.Protected != nil {
			err := p.set.Protected(ctx, []string{snapshotURN(i.Snapshot)})
			if errors.Is(err, fault.Conflict) {
				note(&s.Kept, i.Snapshot)
				continue
			}
			if err != nil {
				return err
			}
		}
		err := c.DeleteSnapshot(capabilityOf(ctx, s.Tenant, digitalocean.DeleteSnapshotPermit(i.Snapshot)), i.Snapshot)
		if err != nil && !errors.Is(err, digitalocean.NotFound) {
			return untilCap(err)
		}
		note(&s.Gone, i.Snapshot)
	}
	if len(s.Kept) > 0 {
		saga.Current(ctx).Note(map[string]any{"kept": slices.Sorted(maps.Keys(s.Kept))})
	}
	return nil
}

// note adds a word to a set that may not have been made yet.
func note(set *map[string]bool, word string) {
	if *set == nil {
		*set = map[string]bool{}
	}
	(*set)[word] = true
}

var pruneOperation = Operation{
	Verb: Prune, Kind: ExpireBackupsKind, Help: "Delete the backups whose time is over, or one.", From: []StackState{StackActive, StackSuspended, StackGone, StackReleased},
	Options: []Option{{Name: "backup", Type: TextOption, Help: "One backup's id; empty: all whose time is over."}},
	draw:    (*Service).drawPrune,
}

func (s *Service) drawPrune(ctx context.Context, r PlanRequest, d *drawn) error {
	all, err := s.Backups(ctx, d.stack.ID, false)
	if err != nil {
		return err
	}
	over, err := s.over(ctx, d.stack, all, time.Now())
	if err != nil {
		return err
	}
	if ref := r.Options["backup"]; ref != "" {
		one, err := s.usable(ctx, d.stack, ref)
		if err != nil {
			return err
		}
		if n := lastGood(all); !d.stack.State.over() && n >= 0 && one.ID == all[n].ID {
			return fault.New(fault.Conflict, "Backup %s is the last good one of stack %s. Make another first.", one.ID, d.Name)
		}
		over = []StackBackup{one}
		if err := ProtectedBy(ctx, s.db.Read(), "Backup "+ref, one.snapshotURNs()); err != nil {
			return err
		}
	}
	if over, err = s.withoutKept(ctx, over); err != nil {
		return err
	}
	if len(over) == 0 {
		return fault.New(fault.Unprocessable, "No backup of stack %s is to be deleted by now.", d.Name)
	}
	over, later := s.atOnce(over)
	if later > 0 {
		d.Warnings = append(d.Warnings, fmt.Sprintf("%d more backups whose time is over stay until the next pruning: one operation destroys no more.", later))
	}
	if err := s.oneStays(ctx, d.stack, all, over); err != nil {
		return err
	}
	expiry := Expiry{Building: d.building}
	delete(d.Read, "revision of the stack") // it stays as it is, whatever becomes of it
	calls := map[string][]string{}
	for _, b := range over {
		expiry.Backups = append(expiry.Backups, b.ID)
		expiry.Items = append(expiry.Items, b.Items...)
		d.Read["backup "+string(b.ID)] = fmt.Sprintf("%d snapshots", len(b.Items))
		for _, i := range b.Items {
			d.Changes = append(d.Changes, Change{
				Action: "destroy", Key: "snapshot." + i.Snapshot, Kind: "snapshot", Name: i.Marker, URN: snapshotURN(i.Snapshot),
				Detail: fmt.Sprintf("of %s, %s GB, %s", i.Key, i.SizeGB, minute(b.TakenAt)),
			})
			calls[deleteSnapshotsStep] = append(calls[deleteSnapshotsStep], "DELETE /v2/snapshots/{id}")
		}
	}
	d.Steps = planned(s.steps.expireBackups(), calls)
	d.input = func(of PlanID) any {
		expiry.Plan = of
		return expiry
	}
	d.begin = func(context.Context, *sql.Tx, saga.ID, time.Time) error { return nil }
	return nil
}

// atOnce are as many of the backups as one operation may destroy the snapshots of, the
// oldest first, and how many are left for another. One that is too much by itself is
// passed over as long as there is another, so that it does not hold up the rest.
func (s *Service) atOnce(over []StackBackup) (now []StackBackup, later int) {
	room := s.steps.set.Destroys.WithDefaults().Operation
	for _, b := range slices.Backward(over) {
		if len(b.Items) <= room {
			now, room = append(now, b), room-len(b.Items)
		}
	}
	if len(now) == 0 {
		now = over[len(over)-1:] // the plan is refused, and names the cap
	}
	return now, len(over) - len(now)
}

// withoutKept are those of the backups of which no snapshot is kept by somebody's word.
func (s *Service) withoutKept(ctx context.Context, over []StackBackup) (free []StackBackup, err error) {
	for _, b := range over {
		switch err := ProtectedBy(ctx, s.db.Read(), string(b.ID), b.snapshotURNs()); {
		case err == nil:
			free = append(free, b)
		case !errors.Is(err, fault.Conflict):
			return nil, err
		}
	}
	return free, nil
}

// snapshotURNs name what a backup is made of.
func (b StackBackup) snapshotURNs() []string {
	urns := []string{"backup:" + string(b.ID)} // never none, which would be all protections
	for _, i := range b.Items {
		urns = append(urns, snapshotURN(i.Snapshot))
	}
	return urns
}

// oneStays asks that one of a stack's backups that are not to be deleted can be restored:
// somebody may have deleted the snapshots of the newest. It answers fault.Conflict where
// none can. A stack that is gone needs none.
func (s *Service) oneStays(ctx context.Context, of Stack, all, over []StackBackup) error {
	if of.State.over() {
		return nil
	}
	var lost error // of the newest that stays
	for _, b := range all {
		if slices.ContainsFunc(over, func(one StackBackup) bool { return one.ID == b.ID }) {
			continue
		}
		err := s.snapshotsAreThere(ctx, b)
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, fault.NotFound) && !errors.Is(err, fault.Unprocessable):
			return err
		case lost == nil:
			lost = err
		}
	}
	return fault.New(fault.Conflict, "None of the backups of stack %s that would stay can be restored. %s Make another first: arcadia stack backup %s", of.Name, fault.Message(lost), of.Name)
}
