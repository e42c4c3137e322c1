package provisioning

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
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
	days, err := daysOf(r, "keep_days")
	if err != nil {
		return err
	}
	backup := Backup{Building: d.building, Copying: Copying{Reason: ManualBackup, KeepFor: days}}
	if err := s.drawBackedUp(ctx, d, &backup.Copying); err != nil {
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
func daysOf(r PlanRequest, option string) (int, error) {
	text := r.Options[option]
	if text == "" {
		return 0, nil
	}
	days, err := strconv.Atoi(text)
	if err != nil || days < 0 || days > 36500 {
		return 0, fault.New(fault.Invalid, "`%s` is a number of days from 0 to 36500, not %q.", option, clip(text))
	}
	return days, nil
}

// drawBackedUp shows what the stack costs as it is, and its copies.
func (s *Service) drawBackedUp(ctx context.Context, d *drawn, c *Copying) error {
	client, err := s.steps.cloud(ctx, d.Account)
	if err != nil {
		return err
	}
	sizes, err := s.priceStanding(ctx, client, d)
	if err != nil {
		return err
	}
	d.warnOfRunning()
	return drawCopies(d, c, sizes)
}

// warnOfRunning says what a copy of a droplet that runs is.
func (d *drawn) warnOfRunning() {
	if d.stack.Level < PoweredOff && len(d.building.standingOf(blueprint.DropletKind)) > 0 {
		d.Warnings = append(d.Warnings, "Droplets are copied as they run, as after a power cut: what their programs have not written yet is in no snapshot. To have files closed, stop the service, or switch the droplets off, before.")
	}
}

// drawCopies shows what is copied, and what the snapshots cost at most: what a disk
// holds is known only once it was copied.
func drawCopies(d *drawn, c *Copying, sizes []digitalocean.Size) error {
	if len(c.items(&d.building)) == 0 {
		return fault.New(fault.Unprocessable, "Stack %s has no droplet and no volume that could be copied.", d.Name)
	}
	for _, i := range c.items(&d.building) {
		r, _ := d.building.Spec.Resource(i.Key)
		d.Read["resource "+i.Key] = resourceURN(d.Account, r, i.Source)
		most, err := mostOf(r, sizes)
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

// priceStanding adds what the stack costs as it is to both sums of a plan, and returns
// the sizes that it read.
func (s *Service) priceStanding(ctx context.Context, c *digitalocean.Client, d *drawn) ([]digitalocean.Size, error) {
	sizes, err := c.Sizes(ctx)
	if err != nil {
		return nil, err
	}
	l := &ledger{d: d, sizes: sizes.Items}
	for _, r := range d.stack.Spec.Resources {
		if d.building.Made[r.ID] == nil {
			continue
		}
		if _, err := l.counts(r, true, true, false, false); err != nil {
			return nil, err
		}
	}
	return sizes.Items, nil
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
	state, err := saga.StateOf[Backup](w.Saga) // what every saga with a Copying has
	if err != nil {
		return err
	}
	if state.Backup == "" {
		return s.engine.SweepDone(ctx, w, []string{})
	}
	c, err := s.steps.cloud(ctx, state.Account)
	if err != nil {
		return err
	}
	list, err := c.Snapshots(ctx)
	if err != nil {
		return err
	}
	state.Saga = w.Saga.ID
	if _, err := state.dropletCopies(w.Saga.ID, &state.Building); err != nil {
		return err
	}
	owned, markers := map[string]bool{}, map[string]bool{}
	for _, i := range state.items(&state.Building) {
		owned[i.Snapshot] = w.Saga.Direction == saga.Forward
		markers[i.Marker] = true
	}
	left := slices.DeleteFunc(list.Items, func(one digitalocean.Snapshot) bool { return owned[one.ID] || !markers[one.Name] })
	removed, err := s.sweepSnapshots(ctx, w, state.Tenant, c, left)
	if err != nil {
		return err
	}
	return s.engine.SweepDone(ctx, w, removed)
}
