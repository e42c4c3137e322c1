package provisioning

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/id"
	"github.com/arcadia-cloud/arcadia/internal/provisioning/blueprint"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// RebuildStackKind writes the disk of a droplet of a stack over with an image.
const RebuildStackKind = "rebuild_stack"

// rebuildStep is the one that writes over a disk.
const rebuildStep = "rebuild"

// A Rebuilding is the state of a saga that rebuilds a droplet.
type Rebuilding struct {
	Building // as it was, which the backup is of
	Copying  // before it

	To        blueprint.Spec `json:"to"`     // as it is to be
	Target    string         `json:"target"` // id of the droplet's resource
	Image     string         `json:"image"`
	SkipProbe bool           `json:"skip_probe,omitempty"`
	Looked    bool           `json:"looked,omitempty"`
	Before    int64          `json:"before,omitempty"` // the newest rebuild that there was before
	Rebuild   Act            `json:"rebuild,omitzero"`
}

func (p *Steps) rebuildStack() saga.Kind[Rebuilding] {
	steps := []saga.Step[Rebuilding]{{Name: "check_protection", Do: p.checkRebuilding, NothingToUndo: onlyReads}}
	steps = append(steps, copySteps(p, func(s *Rebuilding) (*Building, *Copying) { return &s.Building, &s.Copying })...)
	return saga.Kind[Rebuilding]{
		Name: RebuildStackKind,
		Begin: func(s *Rebuilding) error {
			if s.Stack == "" || s.Target == "" || s.Image == "" || s.Saga != "" || s.Looked || len(s.Volumes)+len(s.Droplets)+len(s.Items)+len(s.Health) > 0 {
				return fault.New(fault.Invalid, "A droplet is rebuilt by applying a plan: arcadia stack rebuild, then arcadia stack apply.")
			}
			return nil
		},
		Subjects: func(s Rebuilding) []string { return s.locks() },
		Policy:   saga.Refuse,
		Steps: append(steps,
			saga.Step[Rebuilding]{Name: rebuildStep, Pivot: true, Retry: p.patient(), Do: unfrozen(p, p.rebuild)},
			saga.Step[Rebuilding]{Name: "record_backup", Forward: true, Local: func(ctx context.Context, tx *sql.Tx, s *Rebuilding) error {
				return recordBackup(ctx, tx, &s.Building, &s.Copying)
			}},
			saga.Step[Rebuilding]{Name: "check_health", NothingToUndo: onlyReads, Do: func(ctx context.Context, s *Rebuilding) error {
				return p.healthAfter(ctx, &s.Building, s.SkipProbe)
			}},
			saga.Step[Rebuilding]{Name: "record_stack", Forward: true, Local: func(ctx context.Context, tx *sql.Tx, s *Rebuilding) error {
				s.Spec = s.To
				return settleChanged(ctx, tx, &s.Building)
			}},
		),
	}
}

// rebuildProtected are all that a protection may name of a droplet that is written over.
func (s *Rebuilding) rebuildProtected() []string {
	r, _ := s.Spec.Resource(s.Target)
	return []string{"tenant:" + s.Tenant, "stack:" + string(s.Stack), resourceURN(s.Account, r, s.made(s.Target).ID)}
}

func (p *Steps) checkRebuilding(ctx context.Context, s *Rebuilding) error {
	s.Saga = saga.Current(ctx).Saga
	return p.unprotected(ctx, s.rebuildProtected())
}

// rebuild writes the disk over, once: to do it again would lose what has been written
// since. Nothing of the droplet shows that it was done, for its image may be the one
// that it had. After a lost answer the list of its actions tells, which has one that was
// not there before.
func (p *Steps) rebuild(ctx context.Context, s *Rebuilding) error {
	b, err := p.builder(ctx, &s.Building)
	if err != nil {
		return err
	}
	r, _ := s.Spec.Resource(s.Target)
	n, err := b.number(s.Target)
	if err != nil {
		return err
	}
	a := saga.Current(ctx)
	if s.Rebuild.Action == 0 && !s.Rebuild.Done && (!s.Looked || s.Rebuild.Requests > 0 || !a.UnknownSince.IsZero()) {
		began := a.Now()
		newest, err := p.newestRebuild(ctx, b, n)
		if err != nil {
			return err
		}
		if !s.Looked {
			s.Looked, s.Before = true, newest.ID
			return saga.Save("looked for earlier rebuilds of droplet %s", r.Name)
		}
		if newest.ID > s.Before {
			s.Rebuild.Action, s.Rebuild.LostAt, s.Before = newest.ID, time.Time{}, newest.ID
			s.Rebuild.Until = a.Now().Add(p.set.Longest)
			a.Known()
			return saga.Save("found the rebuild of droplet %s as action %d", r.Name, newest.ID)
		}
		if err := p.certain(a, s.Rebuild.Requests, began); err != nil {
			return err
		}
	}
	if s.Rebuild.untouched(a) {
		if err := p.unprotected(ctx, s.rebuildProtected()); err != nil { // since the backup was begun
			return p.notRebuilt(ctx, s, err)
		}
		if err := b.rearm(ctx, r); err != nil {
			return err
		}
	}
	request := digitalocean.DropletAct{Droplet: n, Type: "rebuild", Image: s.Image}
	d := b.dropletDeed(r, request, func(d digitalocean.Droplet) (bool, string) {
		return s.Rebuild.Action != 0 && d.Status == "active", "its status is " + d.Status
	})
	d.byAction = true
	err = p.act(ctx, b.c, d, &s.Rebuild)
	s.Before = max(s.Before, s.Rebuild.Action) // one that ends as errored is not found again
	if m := s.Rebuild; m.Failed && m.Errored == 0 && m.Action == 0 && a.UnknownSince.IsZero() {
		return p.notRebuilt(ctx, s, err)
	}
	return err
}

// notRebuilt has the saga turn back, whose disk is as it was, for a reason.
func (p *Steps) notRebuilt(ctx context.Context, s *Rebuilding, why error) error {
	if err := p.closeAddresses(ctx, &s.Building, s.Target); err != nil {
		return err
	}
	return saga.NotDone(why)
}

// newestRebuild is the last rebuild among a droplet's actions; its id is 0 where there
// was none.
func (p *Steps) newestRebuild(ctx context.Context, b *builder, droplet int64) (newest digitalocean.Action, err error) {
	actions, err := b.c.DropletActions(ctx, droplet)
	for _, one := range actions.Items {
		if one.Type == "rebuild" && one.ID > newest.ID {
			newest = one
		}
	}
	return newest, err
}

// Rebuild is the verb.
const Rebuild Verb = "rebuild"

var rebuildOperation = Operation{
	Verb: Rebuild, Kind: RebuildStackKind, Help: "Write the disk of a droplet over with an image.", From: []StackState{StackActive},
	Options: []Option{
		{Name: "droplet", Type: TextOption, Help: "The droplet's key in the blueprint; may be left away where there is one."},
		{Name: "image", Type: TextOption, Help: "A public image like debian-12-x64, or the id of one of the account's; left away, the one that the stack has."},
		{Name: "backup", Type: SwitchOption, Default: "true", Help: "Make a backup of the stack first."},
		{Name: "skip_probe", Type: SwitchOption, Default: "false", Help: "Do not ask the stack's health probes."},
	},
	draw: (*Service).drawRebuild, sweep: (*Service).sweepCopies,
}

func (s *Service) drawRebuild(ctx context.Context, r PlanRequest, d *drawn) error {
	c, err := s.steps.cloud(ctx, d.Account)
	if err != nil {
		return err
	}
	target, err := chosen(&d.building, blueprint.DropletKind, r.Options["droplet"])
	if err != nil {
		return err
	}
	image := r.Options["image"]
	if image == "" {
		image = target.Droplet.Image
	}
	state := Rebuilding{Building: d.building, Target: target.ID, Image: image, SkipProbe: r.Options["skip_probe"] == "true"}
	if err := ProtectedBy(ctx, s.db.Read(), d.Name, state.rebuildProtected()); err != nil {
		return err
	}
	if err := s.checkImage(ctx, c, d, target, image); err != nil {
		return err
	}
	calls := map[string][]string{}
	sizes, err := s.priceStanding(ctx, c, d)
	if err != nil {
		return err
	}
	if r.Options["backup"] == "true" {
		state.Reason = SafetyBackup
		d.warnOfRunning()
		if err := drawCopies(d, &state.Copying, sizes); err != nil {
			return err
		}
		calls = d.building.copyCalls()
	}
	calls[rebuildStep] = []string{"POST /v2/droplets/{id}/actions"}
	l := &ledger{d: d}
	l.change("destroy", target, "its disk is written over with "+image+"; its addresses and its volumes stay", new(int64))
	d.Changes[len(d.Changes)-1].Stays = true
	d.Warnings = append(d.Warnings, fmt.Sprintf("Everything on the own disk of %s is lost.", target.ID))
	if err := s.warnOfUserData(ctx, d, target); err != nil {
		return err
	}
	to := *target.Droplet
	to.Image = image
	after := target
	after.Droplet = &to
	changed := d.building
	changed.Spec = with(changed.Spec, after)
	if image != target.Droplet.Image {
		if err := s.findParameter(ctx, d, &changed, image); err != nil {
			return err
		}
	}
	state.To = changed.Spec
	idle := []string{}
	if state.Reason == "" {
		idle = append(idle, verifyCopiesStep, "record_backup")
	}
	d.Steps = planned(s.steps.rebuildStack(), calls, idle...)
	d.input = func(of PlanID) any {
		state.Plan = of
		if state.Reason != "" {
			state.Backup = BackupID(id.New("backup"))
		}
		return state
	}
	return nil
}

// checkImage asks that a droplet can be made of an image: it is available, in its region,
// and not larger than its disk.
func (s *Service) checkImage(ctx context.Context, c *digitalocean.Client, d *drawn, target blueprint.Resource, image string) error {
	n, err := strconv.ParseInt(d.building.made(target.ID).ID, 10, 64)
	if err != nil {
		return err
	}
	is, err := c.Droplet(ctx, n)
	if errors.Is(err, digitalocean.NotFound) {
		return fault.New(fault.Conflict, "%s (%d) is not there any more.", target.ID, n)
	}
	if err != nil {
		return err
	}
	of, err := c.Image(ctx, image)
	switch {
	case errors.Is(err, digitalocean.NotFound):
		return fault.New(fault.NotFound, "The account has no image %q, and DigitalOcean none of that name.", clip(image))
	case err != nil:
		return err
	case of.Status != "" && of.Status != "available":
		return fault.New(fault.Unprocessable, "Image %s is %s.", image, of.Status)
	case !slices.Contains(of.Regions, is.Region):
		return fault.New(fault.Unprocessable, "Image %s is not in %s.", image, is.Region)
	case of.MinDiskGB > is.DiskGiB:
		return fault.New(fault.Unprocessable, "Image %s needs a disk of %d GiB, and %s has %d.", image, of.MinDiskGB, target.ID, is.DiskGiB)
	}
	d.Read[target.ID] = is.Status + ", " + is.Size
	d.Read["image "+image] = strconv.FormatInt(of.ID, 10)
	return nil
}

// warnOfUserData says what the new disk is set up by, and looks whether the droplet can ask
// once more for what it is to ask for.
func (s *Service) warnOfUserData(ctx context.Context, d *drawn, target blueprint.Resource) error {
	if target.Droplet.UserData == nil {
		return nil
	}
	maker, err := s.engine.Saga(ctx, d.building.made(target.ID).By)
	if err != nil {
		return err
	}
	made, err := saga.StateOf[Building](maker)
	if err != nil {
		return err
	}
	needs := map[string]bool{}
	switch {
	case maker.Kind == ProvisionStackKind && made.From[target.ID] == "":
		if err := s.readNeeds(ctx, d, target, needs); err != nil {
			return err
		}
		said := "DigitalOcean keeps the user data that " + target.ID + " was made with, and runs it again."
		if len(needs) > 0 {
			said += " Its one-time addresses answer once more, for this rebuild alone: " + strings.Join(slices.Sorted(maps.Keys(needs)), ", ") + "."
		}
		d.Warnings = append(d.Warnings, said)
		if len(needs) > 0 && made.PublicURL != s.steps.set.PublicURL {
			d.Warnings = append(d.Warnings, "It asks at "+made.PublicURL+", and droplets reach Arcadia at "+s.steps.set.PublicURL+" by now.")
		}
	default:
		d.Warnings = append(d.Warnings, target.ID+" was made of a snapshot and has no user data: it comes up as bare as the image is.")
	}
	return nil
}
