package provisioning

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/exact"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/provisioning/blueprint"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// Copying is what a saga's state knows of the backup that it makes: a snapshot of each
// volume and each droplet of the stack. A saga without a Backup makes none.
type Copying struct {
	Backup  BackupID     `json:"backup,omitempty"`
	Reason  BackupReason `json:"reason,omitempty"`
	KeepFor int          `json:"keep_for,omitempty"` // days; 0: as its reason says

	Volumes  map[string]*Made      `json:"volume_copies,omitempty"`  // by volume
	Droplets map[string]*Snapshot  `json:"droplet_copies,omitempty"` // by droplet
	Items    map[string]BackupItem `json:"items,omitempty"`          // that were verified
	Until    time.Time             `json:"verify_until,omitzero"`
}

// copySteps are the steps that make a backup. Volumes come first, one request after the
// other: their snapshots are of the moment of the request, so that the data are of one
// moment within seconds. The droplets' follow, all at once, and take minutes.
func copySteps[S any](p *Steps, of func(*S) (*Building, *Copying)) []saga.Step[S] {
	step := func(f func(context.Context, *Building, *Copying) error) func(context.Context, *S) error {
		return unfrozen(p, func(ctx context.Context, s *S) error {
			b, c := of(s)
			if c.Backup == "" {
				return nil
			}
			b.Saga = saga.Current(ctx).Saga
			return f(ctx, b, c)
		})
	}
	return []saga.Step[S]{
		{Name: "copy_volumes", Do: step(p.copyVolumes), Undo: step(p.uncopyVolumes), Retry: p.patient(), Again: p.patient()},
		{Name: "copy_droplets", Do: step(p.copyDroplets), Undo: step(p.uncopyDroplets), Retry: p.patient(), Again: p.patient()},
		{Name: verifyCopiesStep, Do: step(p.verifyCopies), Retry: p.patient(), NothingToUndo: onlyReads},
	}
}

// verifyCopiesStep looks at the copies, where there are any.
const verifyCopiesStep = "verify_copies"

// copyCalls are the requests of those steps.
func (s *Building) copyCalls() map[string][]string {
	calls := map[string][]string{}
	for range s.standingOf(blueprint.VolumeKind) {
		calls["copy_volumes"] = append(calls["copy_volumes"], "POST /v2/volumes/{id}/snapshots")
	}
	for range s.standingOf(blueprint.DropletKind) {
		calls["copy_droplets"] = append(calls["copy_droplets"], "POST /v2/droplets/{id}/actions")
	}
	return calls
}

// volumeCopyMarker is the name of a saga's snapshot of a volume.
func volumeCopyMarker(key string, of saga.ID) string {
	return "arcadia-snap-" + strings.ReplaceAll(key, "_", "-") + "-" + of.Marker8()
}

// volumeCopy is a snapshot of a volume.
func (b *builder) volumeCopy(r blueprint.Resource) thing {
	name := volumeCopyMarker(r.Key, b.state.Saga)
	return thing{
		what: "snapshot of volume " + r.Name, kind: string(blueprint.SnapshotKind),
		find: func(ctx context.Context) ([]string, error) {
			list, err := b.c.Snapshots(ctx)
			ours := slices.DeleteFunc(list.Items, func(s digitalocean.Snapshot) bool { return s.Name != name })
			return idsOf(ours, func(s digitalocean.Snapshot) string { return s.ID }), err
		},
		create: func(ctx context.Context) (string, int64, error) {
			request := digitalocean.VolumeSnapshot{Volume: b.id(r.ID), Name: name, Tags: r.Tags, Marker: name}
			made, err := b.c.SnapshotVolume(b.permitted(ctx, request.Permit()), request)
			return made.ID, 0, err
		},
		read: func(ctx context.Context, id string) (bool, string, error) {
			_, err := b.c.Snapshot(ctx, id)
			return err == nil, "", err
		},
		delete: func(ctx context.Context, id string) error {
			return b.c.DeleteSnapshot(b.permitted(ctx, digitalocean.DeleteSnapshotPermit(id)), id)
		},
	}
}

func (p *Steps) copyVolumes(ctx context.Context, s *Building, c *Copying) error {
	b, err := p.builder(ctx, s)
	if err != nil {
		return saga.Permanent(err)
	}
	return p.makeAll(ctx, s.standingOf(blueprint.VolumeKind), b.volumeCopy, c.ofVolume)
}

func (p *Steps) uncopyVolumes(ctx context.Context, s *Building, c *Copying) error {
	b, err := p.builder(ctx, s)
	if err != nil {
		return err
	}
	return p.unmakeAll(ctx, s.standingOf(blueprint.VolumeKind), b.volumeCopy, c.ofVolume)
}

// ofVolume is what is known of the copy of a volume.
func (c *Copying) ofVolume(id string) *Made { return entry(&c.Volumes, id) }

// dropletCopies are the states of the snapshots of droplets, in their order.
func (c *Copying) dropletCopies(of saga.ID, s *Building) (all []*Snapshot, err error) {
	for _, r := range s.standingOf(blueprint.DropletKind) {
		n, err := strconv.ParseInt(s.Made[r.ID].ID, 10, 64)
		if err != nil {
			return nil, err
		}
		snap := entry(&c.Droplets, r.ID)
		snap.Account, snap.Tenant, snap.DropletID, snap.DropletName, snap.SnapshotName = s.Account, s.Tenant, n, r.Name, snapshotMarker(n, of)
		all = append(all, snap)
	}
	return all, nil
}

// copyDroplets asks for one snapshot after the other, each answer committed before the
// next request, so that what is unknown is always about the first that has no action;
// then it awaits all.
func (p *Steps) copyDroplets(ctx context.Context, s *Building, c *Copying) error {
	all, err := c.dropletCopies(saga.Current(ctx).Saga, s)
	if err != nil {
		return saga.Permanent(err)
	}
	for _, snap := range all {
		if snap.ActionID != 0 || snap.SnapshotID != "" {
			continue
		}
		switch err := p.takeSnapshot(ctx, snap); {
		case snap.ActionID != 0 && saga.IsWait(err):
			return saga.Save("the snapshot of droplet %s is under way as action %d", snap.DropletName, snap.ActionID)
		case err != nil:
			return err
		}
	}
	for _, snap := range all {
		if err := p.takeSnapshot(ctx, snap); err != nil {
			return err
		}
	}
	return nil
}

// uncopyDroplets begins with those that have no action: an unknown request is about one
// of them, and what is found of another says nothing of it.
func (p *Steps) uncopyDroplets(ctx context.Context, s *Building, c *Copying) error {
	all, err := c.dropletCopies(saga.Current(ctx).Saga, s)
	if err != nil {
		return err
	}
	slices.SortStableFunc(all, func(a, b *Snapshot) int { return named(a) - named(b) })
	for _, snap := range all {
		if err := p.deleteSnapshot(ctx, snap); err != nil {
			return err
		}
	}
	return nil
}

// named is 1 for a snapshot of which the ledger has an action or an id.
func named(s *Snapshot) int {
	if s.ActionID != 0 || s.SnapshotID != "" {
		return 1
	}
	return 0
}

// verifyCopies asks that each snapshot is one that a stack can be made of, before the
// backup counts: it answers by its id and is listed, both as one of its droplet or
// volume; it has a size; it is in the region; and what it was taken of is large enough
// for it.
func (p *Steps) verifyCopies(ctx context.Context, s *Building, c *Copying) error {
	client, err := p.cloud(ctx, s.Account)
	if err != nil {
		return saga.Permanent(err)
	}
	a := saga.Current(ctx)
	if c.Until.IsZero() {
		c.Until = a.Now().Add(max(p.set.Horizon, 12*p.set.Poll))
	}
	list, err := client.Snapshots(ctx)
	if err != nil {
		return err
	}
	listed := map[string]digitalocean.Snapshot{}
	for _, one := range list.Items {
		listed[one.ID] = one
	}
	items := map[string]BackupItem{}
	for _, one := range c.items(s) {
		is, err := client.Snapshot(ctx, one.Snapshot)
		if err != nil && !errors.Is(err, digitalocean.NotFound) {
			return err
		}
		wrong := "it does not answer by its id"
		if err == nil {
			wrong = one.faultOf(is, listed[one.Snapshot])
		}
		if wrong == "" {
			one.SizeGB, one.MinDiskGiB = is.SizeGigabytes, is.MinDiskGiB
			items[one.Key] = one
			continue
		}
		if a.Now().After(c.Until) {
			return saga.Permanent(fault.New(fault.Unavailable, "Snapshot %s of %s cannot be used as a backup: %s.", one.Snapshot, one.Key, wrong))
		}
		return saga.Wait(a.Now().Add(p.set.Poll), "snapshot %s of %s is not good yet: %s", one.Snapshot, one.Key, wrong)
	}
	c.Items = items
	a.Note(items)
	return nil
}

// items are the copies that there should be.
func (c *Copying) items(s *Building) (all []BackupItem) {
	for _, r := range s.standingOf(blueprint.VolumeKind) {
		one := BackupItem{
			Key: r.ID, Kind: string(r.Kind), Marker: volumeCopyMarker(r.Key, s.Saga), Source: s.Made[r.ID].ID, Name: r.Name, Region: r.Volume.Region,
		}
		if m := c.Volumes[r.ID]; m != nil {
			one.Snapshot = m.ID
		}
		all = append(all, one)
	}
	for _, r := range s.standingOf(blueprint.DropletKind) {
		one := BackupItem{Key: r.ID, Kind: string(r.Kind), Source: s.Made[r.ID].ID, Name: r.Name, Region: r.Droplet.Region}
		if m := c.Droplets[r.ID]; m != nil {
			one.Snapshot, one.Marker = m.SnapshotID, m.SnapshotName
		}
		all = append(all, one)
	}
	return all
}

// faultOf says why a snapshot, as it answers and as it is listed, is no copy of what it
// should be one of; empty: it is one.
func (i BackupItem) faultOf(is, listed digitalocean.Snapshot) string {
	size, err := exact.ParseDecimal(is.SizeGigabytes)
	switch {
	case listed.ID == "":
		return "it is not listed"
	case is.Name != i.Marker:
		return "its name is " + is.Name
	case is.Resource != i.Source || listed.Resource != i.Source:
		return "it is of " + is.Resource + ", not of " + i.Source
	case is.ResourceType != i.Kind:
		return "it is of a " + is.ResourceType
	case err != nil || size.Sign() < 0 || size.Sign() == 0 && i.Kind == string(blueprint.DropletKind): // a volume may be empty
		return "it has no size"
	case !slices.Contains(is.Regions, i.Region):
		return "it is not in " + i.Region
	case is.MinDiskGiB < 1:
		return "it does not say which disk it needs"
	}
	return ""
}
