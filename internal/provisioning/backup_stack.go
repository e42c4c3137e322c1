package provisioning

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/id"
	"github.com/arcadia-cloud/arcadia/internal/inventory"
	"github.com/arcadia-cloud/arcadia/internal/provisioning/blueprint"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// BackupStackKind makes a backup of a stack.
const BackupStackKind = "backup_stack"

// A Backup is the state of a saga that makes one.
type Backup struct {
	Building
	Copying
}

func (p *Steps) backupStack() saga.Kind[Backup] {
	steps := copySteps(p, func(s *Backup) (*Building, *Copying) { return &s.Building, &s.Copying })
	return saga.Kind[Backup]{
		Name: BackupStackKind,
		Begin: func(s *Backup) error {
			if s.Stack == "" || s.Backup == "" || len(s.Volumes)+len(s.Droplets)+len(s.Items) > 0 {
				return fault.New(fault.Invalid, "A backup is made by applying a plan: arcadia stack backup, then arcadia stack apply.")
			}
			return nil
		},
		Subjects: func(s Backup) []string { return s.locks() },
		Policy:   saga.Refuse,
		Steps: append(steps, saga.Step[Backup]{
			Name: "record_backup", NothingToUndo: "it is the last step",
			Local: func(ctx context.Context, tx *sql.Tx, s *Backup) error {
				return recordBackup(ctx, tx, &s.Building, &s.Copying)
			},
		}),
	}
}

var backupOperation = Operation{
	Verb: BackUp, Kind: BackupStackKind, Help: "Take a verified snapshot of each droplet and each volume.", From: []StackState{StackActive, StackSuspended},
	Options: []Option{{Name: "keep_days", Type: NumberOption, Help: "After how many days it may be deleted; empty: somebody has to."}},
	draw:    (*Service).drawBackup, sweep: (*Service).sweepCopies,
}

func (s *Service) drawBackup(ctx context.Context, r PlanRequest, d *drawn) error {
	days, err := daysOf(r.Options["keep_days"])
	if err != nil {
		return err
	}
	backup := Backup{Building: d.building, Copying: Copying{Reason: ManualBackup, KeepFor: days}}
	if err := s.drawCopies(ctx, d, &backup.Copying); err != nil {
		return err
	}
	if !r.Due.IsZero() {
		backup.Reason = ScheduledBackup
		d.begin = func(ctx context.Context, tx *sql.Tx, of saga.ID, at time.Time) error {
			return errors.Join(s.tick(ctx, tx, d.stack, r.Due, of, at), s.moveStack(ctx, tx, d.stack, of, at))
		}
	}
	d.Steps = planned(s.steps.backupStack(), d.building.copyCalls())
	d.input = func(of PlanID) any {
		backup.Plan, backup.Backup = of, BackupID(id.New("backup"))
		return backup
	}
	return nil
}

// daysOf reads an option of days; an empty one is 0.
func daysOf(text string) (int, error) {
	if text == "" {
		return 0, nil
	}
	days, err := strconv.Atoi(text)
	if err != nil || days > 36500 {
		return 0, fault.New(fault.Invalid, "%q is no number of days up to 36500.", clip(text))
	}
	return days, nil
}

// drawCopies shows what is copied, and what the snapshots cost at most: what a disk
// holds is known only once it was copied.
func (s *Service) drawCopies(ctx context.Context, d *drawn, c *Copying) error {
	if len(c.items(&d.building)) == 0 {
		return fault.New(fault.Unprocessable, "Stack %s has no droplet and no volume that could be copied.", d.Name)
	}
	client, err := s.steps.cloud(ctx, d.Account)
	if err != nil {
		return err
	}
	sizes, err := client.Sizes(ctx)
	if err != nil {
		return err
	}
	if err := d.priceStanding(sizes.Items, time.Now()); err != nil {
		return err
	}
	for _, i := range c.items(&d.building) {
		r, _ := d.building.Spec.Resource(i.Key)
		d.Read["resource "+i.Key] = resourceURN(d.Account, r, i.Source)
		most, err := mostOf(r, sizes.Items)
		if err != nil {
			return err
		}
		change := Change{
			Action: "create", Key: "snapshot." + i.Key, Kind: "snapshot", Name: "of " + i.Name,
			Detail: fmt.Sprintf("%s, at most %d GiB: it costs by what the disk holds", i.Region, most),
		}
		monthly, known, err := inventory.MonthlyOf("snapshot", map[string]any{"size_gigabytes": most, "resource_type": i.Kind}, time.Now())
		if err != nil {
			return err
		}
		if known {
			change.Monthly = &monthly
			d.After += monthly
		} else {
			d.Unpriced = append(d.Unpriced, change.Key)
		}
		d.Changes = append(d.Changes, change)
	}
	return nil
}

// priceStanding adds what the stack costs as it is to both sums of a plan.
func (d *drawn) priceStanding(sizes []digitalocean.Size, at time.Time) error {
	for _, r := range d.stack.Spec.Resources {
		if m := d.building.Made[r.ID]; m == nil {
			continue
		}
		monthly, known, err := monthlyOf(r, sizes, at)
		if err != nil {
			return err
		}
		if !known {
			d.Unpriced = append(d.Unpriced, r.ID)
			continue
		}
		d.Before += monthly
		d.After += monthly
	}
	return nil
}

// mostOf is how much a snapshot of a resource holds at most, in GiB.
func mostOf(r blueprint.Resource, sizes []digitalocean.Size) (int, error) {
	if r.Volume != nil {
		return r.Volume.SizeGiB, nil
	}
	for _, size := range sizes {
		if size.Slug == r.Droplet.Size {
			return size.DiskGiB, nil
		}
	}
	return 0, fault.New(fault.Invalid, "DigitalOcean sells no size %s.", r.Droplet.Size)
}

// sweepCopies deletes the snapshots that carry the marker of a saga and are not in its
// ledger.
func (s *Service) sweepCopies(ctx context.Context, w saga.Sweep) error {
	removed, err := s.removeCopies(ctx, w)
	if err != nil {
		return err
	}
	return s.engine.SweepDone(ctx, w, removed)
}

func (s *Service) removeCopies(ctx context.Context, w saga.Sweep) (removed []string, err error) {
	state, err := saga.StateOf[Backup](w.Saga) // what every saga with a Copying has
	if err != nil {
		return nil, err
	}
	removed = []string{}
	if state.Backup == "" {
		return removed, nil
	}
	c, err := s.steps.cloud(ctx, state.Account)
	if err != nil {
		return nil, err
	}
	list, err := c.Snapshots(ctx)
	if err != nil {
		return nil, err
	}
	state.Saga = w.Saga.ID
	if _, err := state.dropletCopies(w.Saga.ID, &state.Building); err != nil {
		return nil, err
	}
	owned, markers := map[string]bool{}, map[string]bool{}
	for _, i := range state.items(&state.Building) {
		owned[i.Snapshot] = w.Saga.Direction == saga.Forward
		markers[i.Marker] = true
	}
	for _, one := range list.Items {
		if owned[one.ID] || !markers[one.Name] {
			continue
		}
		permitted := digitalocean.WithCapability(ctx, &digitalocean.Capability{
			Saga: string(w.Saga.ID), Step: "sweep", Epoch: w.Saga.Epoch, Kind: w.Saga.Kind, Tenant: state.Tenant,
			Permits: []digitalocean.Permit{digitalocean.DeleteSnapshotPermit(one.ID)}, Valid: ctx.Err,
		})
		switch err := c.DeleteSnapshot(permitted, one.ID); {
		case err == nil:
			s.steps.log.Warn("deleted a left-over snapshot", "saga", w.Saga.ID, "snapshot", one.ID, "name", one.Name)
			removed = append(removed, snapshotURN(one.ID))
		case !errors.Is(err, digitalocean.NotFound):
			return nil, err
		}
	}
	return removed, nil
}
