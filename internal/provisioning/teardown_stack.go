package provisioning

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/id"
	"github.com/arcadia-cloud/arcadia/internal/provisioning/blueprint"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// TeardownStackKind destroys a stack.
const TeardownStackKind = "teardown_stack"

// Steps that a teardown may have nothing to do in.
const (
	graceStep         = "grace"
	verifyArchiveStep = "verify_archive"
	holdAddressesStep = "hold_addresses"
	releaseHeldStep   = "release_held_addresses"

	releaseAddressesStep = "release_addresses"
)

// LongestGrace is the most that a teardown waits before it destroys anything.
const LongestGrace = 90 * 24 * time.Hour

// A Removal is the state of a saga that destroys a stack.
type Removal struct {
	Building // what there is to destroy: everything in Made has its id
	Copying  // the final backup; none without a Backup

	Power   map[string]*Power `json:"power,omitempty"`   // by droplet: off while it is copied
	Archive []BackupItem      `json:"archive,omitempty"` // of an archived stack: the snapshots that become the final backup
	TakenAt time.Time         `json:"taken_at,omitzero"` // the first of them

	Grace time.Duration `json:"grace,omitempty"` // how long after its begin nothing is done yet
	Until time.Time     `json:"until,omitzero"`  // when that is over

	HoldName      time.Duration `json:"hold_name,omitempty"`      // how long its name is not given to another
	HoldAddresses time.Duration `json:"hold_addresses,omitempty"` // how long its reserved addresses stay the account's
	HeldUntil     time.Time     `json:"held_until,omitzero"`
}

func (p *Steps) teardownStack() saga.Kind[Removal] {
	k := saga.Kind[Removal]{
		Name: TeardownStackKind,
		Begin: func(s *Removal) error {
			if s.Stack == "" || len(s.Made) == 0 || s.Grace < 0 {
				return fault.New(fault.Invalid, "A stack is torn down by applying a plan: arcadia stack teardown, then arcadia stack apply.")
			}
			return nil
		},
		Subjects: func(s Removal) []string { return s.locks() },
		Policy:   saga.Refuse,
		Steps: []saga.Step[Removal]{
			{Name: graceStep, Do: p.waitForGrace, NothingToUndo: onlyWaits},
			{Name: "check_protection", NothingToUndo: onlyReads, Do: func(ctx context.Context, s *Removal) error { // after the grace
				return p.unprotected(ctx, s.protectable())
			}},
			{Name: "power_off", Do: p.copiedDroplets(p.powerOff), Undo: p.copiedDroplets(p.powerBack), Retry: p.patient(), Again: p.patient()},
		},
	}
	k.Steps = append(k.Steps, copySteps(p, func(s *Removal) (*Building, *Copying) { return &s.Building, &s.Copying })...)
	k.Steps = append(k.Steps, saga.Step[Removal]{Name: verifyArchiveStep, Do: p.verifyArchive, Retry: p.patient(), NothingToUndo: onlyReads})
	k.Steps = append(k.Steps, saga.Step[Removal]{Name: pointOfNoReturn, Pivot: true, Local: func(ctx context.Context, tx *sql.Tx, s *Removal) error {
		if err := stillUnprotected(ctx, tx, &s.Building, s.protectable()); err != nil {
			return err
		}
		if len(s.Archive) > 0 {
			return recordArchive(ctx, tx, &s.Building, s.Backup, s.Archive, s.TakenAt, s.KeepFor)
		}
		return recordBackup(ctx, tx, &s.Building, &s.Copying)
	}})
	remove := func(step string, kind blueprint.Kind) {
		k.Steps = append(k.Steps, saga.Step[Removal]{
			Name: step, Forward: true, Retry: p.patient(),
			Do: func(ctx context.Context, s *Removal) error {
				if kind == blueprint.ReservedIPKind && s.HoldAddresses > 0 {
					return nil // they go with the last step
				}
				return unfrozen(p, func(ctx context.Context, b *Building) error { return p.removeAll(ctx, b, kind) })(ctx, &s.Building)
			},
		})
	}
	for _, one := range slices.Backward(builds) {
		if one.kind != blueprint.FirewallKind {
			remove(one.remove, one.kind)
		}
		if one.kind == blueprint.DropletKind { // no droplet stands without the firewalls that it has
			remove(deleteFirewallsStep, blueprint.FirewallKind)
		}
	}
	remove(deleteSnapshotsStep, blueprint.SnapshotKind) // of a stack that is archived
	k.Steps = append(k.Steps,
		saga.Step[Removal]{Name: "forget_stack", Local: forgetStack, Forward: true},
		saga.Step[Removal]{Name: holdAddressesStep, Do: p.holdAddresses, Forward: true},
		saga.Step[Removal]{Name: releaseHeldStep, Forward: true, Retry: p.patient(), Do: func(ctx context.Context, s *Removal) error {
			return unfrozen(p, func(ctx context.Context, b *Building) error { return p.removeAll(ctx, b, blueprint.ReservedIPKind) })(ctx, &s.Building)
		}},
	)
	return k
}

func (p *Steps) waitForGrace(ctx context.Context, s *Removal) error {
	a := saga.Current(ctx)
	if s.Until.IsZero() {
		s.Until = a.Now().Add(s.Grace)
	}
	if a.Now().Before(s.Until) {
		return saga.Wait(s.Until, "nothing is destroyed before %s: cancel the saga until then to keep the stack", minute(s.Until))
	}
	return nil
}

// copiedDroplets does something with each droplet of which the final backup has a copy:
// they are off meanwhile, so that their files are closed in it.
func (p *Steps) copiedDroplets(do func(context.Context, *builder, blueprint.Resource, *Power) error) func(context.Context, *Removal) error {
	return unfrozen(p, func(ctx context.Context, s *Removal) error {
		if s.Backup == "" {
			return nil
		}
		b, err := p.builder(ctx, &s.Building)
		if err != nil {
			return err
		}
		return all(s.standingOf(blueprint.DropletKind), func(r blueprint.Resource) error {
			err := do(ctx, b, r, entry(&s.Power, r.ID))
			if errors.Is(err, digitalocean.NotFound) {
				return fault.Wrap(fault.NotFound, err, "%s is not there any more, so that no final backup can be made of it. Plan the teardown anew: its backup is of what is left.", r.ID)
			}
			return err
		})
	})
}

// verifyArchive asks that the snapshots which stand for an archived stack are there,
// before they are all that is left of it.
func (p *Steps) verifyArchive(ctx context.Context, s *Removal) (err error) {
	if len(s.Archive) == 0 {
		return nil
	}
	s.Saga = saga.Current(ctx).Saga
	s.Archive, s.TakenAt, err = p.readArchive(ctx, s.Account, s.Archive)
	return err
}

// holdAddresses waits with what leads nowhere any more: the tenant may come back, and
// want the addresses that others know. Who skips the steps keeps them for good.
func (p *Steps) holdAddresses(ctx context.Context, s *Removal) error {
	if s.HoldAddresses == 0 || len(s.standingOf(blueprint.ReservedIPKind)) == 0 {
		return nil
	}
	a := saga.Current(ctx)
	if s.HeldUntil.IsZero() {
		s.HeldUntil = a.Now().Add(s.HoldAddresses)
	}
	if a.Now().Before(s.HeldUntil) {
		return saga.Wait(s.HeldUntil, "the stack is gone, and its addresses are held until %s", minute(s.HeldUntil))
	}
	return nil
}

// removeAll deletes all resources of a kind that are there, the last first.
func (p *Steps) removeAll(ctx context.Context, s *Building, kind blueprint.Kind) error {
	return p.unbuild(ctx, s, kind, s.standingOf(kind))
}

// forgetStack says that the stack is gone.
func forgetStack(ctx context.Context, tx *sql.Tx, s *Removal) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM stack_resources WHERE stack_id = $1`, string(s.Stack)); err != nil {
		return err
	}
	if err := endSchedule(ctx, tx, s.Stack); err != nil {
		return err
	}
	at, held := time.Now(), db.NullTime{}
	if s.HoldName > 0 {
		held.Time = at.Add(s.HoldName)
	}
	_, err := tx.ExecContext(ctx, `UPDATE stacks SET state = 'gone', level = 0, gone_at = $1, updated_at = $1, name_held_until = $3, rev = rev + 1 WHERE id = $2`, db.Micros(at), string(s.Stack), held)
	return err
}

var teardownOperation = Operation{
	Verb: Teardown, Kind: TeardownStackKind, Help: "Destroy a stack and all that it has.", From: []StackState{StackActive, StackSuspended},
	Options: []Option{
		{Name: "final_snapshot", Type: SwitchOption, Default: "true", Help: "Make a verified backup first."},
		{Name: "final_days", Type: NumberOption, Default: "30", Help: "For how many days that is kept."},
		{Name: "grace", Type: TextOption, Help: "How long to wait before anything is destroyed, like 24h; empty: as the settings say."},
		{Name: "quarantine_days", Type: NumberOption, Default: "7", Help: "For how many days the tenant gets no other stack of the name; 0: it does at once."},
		{Name: "keep_addresses", Type: SwitchOption, Default: "false", Help: "Release reserved addresses only after these days."},
	},
	draw: (*Service).drawTeardown, sweep: (*Service).sweepCopies,
}

// drawOptions reads what a teardown is told besides.
func (s *Service) drawOptions(r PlanRequest, d *drawn, removal *Removal) error {
	if text := r.Options["grace"]; text != "" {
		grace, err := time.ParseDuration(text)
		if err != nil || grace < 0 || grace > LongestGrace {
			return fault.New(fault.Invalid, "`grace` is a time from 0s to %.0fh, like 30m or 24h, not %q.", LongestGrace.Hours(), clip(text))
		}
		removal.Grace = grace
	}
	held, err := daysOf(r, "quarantine_days")
	if err != nil {
		return err
	}
	removal.HoldName = time.Duration(held) * 24 * time.Hour
	if r.Options["keep_addresses"] == "true" {
		removal.HoldAddresses = removal.HoldName
	}
	if removal.KeepFor, err = daysOf(r, "final_days"); err != nil {
		return err
	}
	tell := func(format string, args ...any) { d.Warnings = append(d.Warnings, fmt.Sprintf(format, args...)) }
	if removal.Grace > 0 {
		tell("For %s after it is applied nothing is destroyed or copied: cancel the saga within that time to keep the stack.", days(removal.Grace))
	}
	d.Read["grace"] = removal.Grace.String()
	if held > 0 {
		tell("The name %s is held for %d days afterwards.", d.Name, held)
	}
	if removal.HoldAddresses > 0 {
		tell("Its reserved addresses are released %d days afterwards.", held)
	}
	switch {
	case r.Options["final_snapshot"] != "true":
		tell("There is no final backup: its data are lost for good.")
	case len(removal.items(&d.building))+len(d.building.archive()) == 0:
		tell("It has no droplet and no volume of which a final backup could be made.")
	default:
		removal.Reason = FinalBackup
		tell("Its final backup is kept %s. A stack is made of it with: arcadia stack restore %s --into NAME", keptFor(removal.KeepFor), d.Stack)
	}
	return nil
}

// keptFor says how long something is kept; 0: no time is set.
func keptFor(days int) string {
	if days == 0 {
		return "until somebody deletes it"
	}
	return fmt.Sprintf("for %d days", days)
}

func (s *Service) drawTeardown(ctx context.Context, r PlanRequest, d *drawn) error {
	c, err := s.steps.cloud(ctx, d.Account)
	if err != nil {
		return err
	}
	if err := s.passOver(ctx, c, d); err != nil {
		return err
	}
	removal := Removal{Building: d.building, Grace: s.steps.set.Grace}
	if err := s.drawOptions(r, d, &removal); err != nil {
		return err
	}
	removal.Made = map[string]*Made{}
	if removal.Reason != "" {
		removal.Archive = d.building.archive()
	}
	sizes, err := s.readRemoval(ctx, c, d, &removal)
	if err != nil {
		return err
	}
	if err := ProtectedBy(ctx, s.db.Read(), d.Name, removal.protectable()); err != nil {
		return err
	}
	d.warnOfEnds()
	calls := d.deletes()
	switch {
	case len(removal.Archive) > 0:
		if _, _, err := s.steps.readArchive(ctx, d.Account, removal.Archive); err != nil {
			return err
		}
		delete(calls, deleteSnapshotsStep)
	case removal.Reason != "":
		if err := drawCopies(d, &removal.Copying, sizes); err != nil {
			return err
		}
		maps.Copy(calls, d.building.copyCalls())
		if droplets := d.building.standingOf(blueprint.DropletKind); d.stack.Level < PoweredOff && len(droplets) > 0 {
			tell := fmt.Sprintf("Before they are copied, droplets shut themselves down, or are switched off after %.0f minutes: the stack is out of service from then on.", politely.Minutes())
			d.Warnings = append(d.Warnings, tell)
			for range droplets {
				calls["power_off"] = append(calls["power_off"], "POST /v2/droplets/{id}/actions")
			}
		}
	}
	if held := calls[releaseAddressesStep]; len(held) > 0 && removal.HoldAddresses > 0 { // they go once they were held
		delete(calls, releaseAddressesStep)
		calls[holdAddressesStep], calls[releaseHeldStep] = nil, held
	}
	d.Steps = planned(s.steps.teardownStack(), calls, removal.idle()...)
	d.input = func(of PlanID) any {
		if removal.Plan = of; removal.Reason != "" {
			removal.Backup = BackupID(id.New("backup"))
		}
		return removal
	}
	return nil
}

// idle are the steps that look or wait and have nothing to.
func (s *Removal) idle() (steps []string) {
	if s.Grace == 0 {
		steps = append(steps, graceStep)
	}
	if s.Reason == "" || len(s.Archive) > 0 {
		steps = append(steps, verifyCopiesStep)
	}
	if len(s.Archive) == 0 {
		steps = append(steps, verifyArchiveStep)
	}
	return steps
}

// passOver takes droplets and volumes out of what is torn down that somebody has destroyed
// already: no backup is made of them, and nothing is to be deleted. So soon after a saga
// changed the stack that one is not found says nothing.
func (s *Service) passOver(ctx context.Context, c *digitalocean.Client, d *drawn) error {
	if time.Now().Before(d.stack.UpdatedAt.Add(s.steps.set.Horizon)) {
		return nil
	}
	b := &builder{c: c, set: &s.steps.set, state: &d.building}
	for _, r := range slices.Concat(d.building.standingOf(blueprint.DropletKind), d.building.standingOf(blueprint.VolumeKind)) {
		_, err := b.tagsOf(ctx, r.ID)
		switch {
		case errors.Is(err, digitalocean.NotFound):
			urn := resourceURN(d.Account, r, b.id(r.ID))
			d.Warnings = append(d.Warnings, fmt.Sprintf("%s (%s) is not there any more: nothing of it is destroyed, and no backup is made of it.", r.ID, urn))
			d.Read["resource "+r.ID] = "not there any more"
			delete(d.building.Made, r.ID)
		case err != nil:
			return err
		}
	}
	return nil
}

// warnOfEnds tells what ends with a stack beside what is in its list.
func (d *drawn) warnOfEnds() {
	droplets := d.building.standingOf(blueprint.DropletKind)
	for _, r := range droplets {
		if r.Droplet.Backups != nil {
			d.Warnings = append(d.Warnings, fmt.Sprintf("The automatic backups that DigitalOcean has of %s end with it.", r.ID))
		}
	}
	if len(droplets)+len(d.building.standingOf(blueprint.ReservedIPKind)) > 0 {
		d.Warnings = append(d.Warnings, "Its addresses go to other customers of DigitalOcean's: whatever still leads to them then, like DNS records elsewhere and lists of who is let in, leads to these.")
	}
}

// readRemoval lists what there is to destroy, with what it costs, and returns the sizes
// that it read.
func (s *Service) readRemoval(ctx context.Context, c *digitalocean.Client, d *drawn, removal *Removal) ([]digitalocean.Size, error) {
	made := map[string]StackResource{}
	for _, r := range d.has {
		made[r.Key] = r
	}
	sizes, err := c.Sizes(ctx)
	if err != nil {
		return nil, err
	}
	for _, r := range slices.Backward(d.stack.Spec.Resources) {
		one, ok := made[r.ID]
		if !ok || d.building.Made[r.ID] == nil {
			continue
		}
		if r.Kind == blueprint.TagKind && !strings.HasPrefix(r.Name, blueprint.StackTagPrefix) {
			continue // others carry it too
		}
		change := Change{Action: "destroy", Key: r.ID, Kind: string(r.Kind), Name: r.Name, URN: one.URN, Detail: detailOf(r)}
		stays := r.Kind == blueprint.SnapshotKind && len(removal.Archive) > 0
		if stays {
			change.Action, change.Detail = "change", "it is kept as the final backup "+keptFor(removal.KeepFor)
		} else {
			removal.Made[r.ID] = d.building.Made[r.ID]
		}
		monthly, known, err := monthlyOf(r, sizes.Items, time.Now())
		switch {
		case err != nil || !known:
			d.Unpriced = append(d.Unpriced, r.ID)
		case stays:
			d.Before, d.After, change.Monthly = d.Before+monthly, d.After+monthly, new(int64)
		default:
			d.Before += monthly
			less := -monthly
			change.Monthly = &less
		}
		d.Changes = append(d.Changes, change)
		d.Read["resource "+r.ID] = one.URN
	}
	return sizes.Items, nil
}

// deletes are the requests of a teardown, by step.
func (d *drawn) deletes() map[string][]string {
	calls := map[string][]string{}
	for _, one := range builds {
		for _, c := range d.Changes {
			if c.Kind == string(one.kind) {
				calls[one.remove] = append(calls[one.remove], strings.Replace(one.call, "POST", "DELETE", 1)+"/{id}")
			}
		}
	}
	for range d.building.standingOf(blueprint.SnapshotKind) {
		calls[deleteSnapshotsStep] = append(calls[deleteSnapshotsStep], "DELETE /v2/snapshots/{id}")
	}
	return calls
}
