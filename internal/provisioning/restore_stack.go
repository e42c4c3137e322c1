package provisioning

import (
	"context"
	"database/sql"
	"slices"
	"strconv"

	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/id"
	"github.com/arcadia-cloud/arcadia/internal/provisioning/blueprint"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// RestoreStackKind puts a stack's disks back to what they were at a backup.
const RestoreStackKind = "restore_stack"

// safetyDays is how long the backup that a restore makes before it begins is kept.
const safetyDays = 7

// A Restoration is the state of a saga that restores a stack in place.
type Restoration struct {
	Building
	Copying // of what is written over; without a Backup nothing is copied

	Of        BackupID            `json:"of"`
	Snapshots map[string]string   `json:"snapshots"`          // by droplet or volume: what it is restored from
	Power     map[string]*Power   `json:"power,omitempty"`    // by droplet
	Detached  map[string]*Act     `json:"detached,omitempty"` // by volume
	New       map[string]*Made    `json:"new,omitempty"`      // by volume, of the snapshot
	Attached  map[string]*Act     `json:"attached,omitempty"` // by volume
	Rewound   map[string]*Rewound `json:"rewound,omitempty"`  // by droplet
	On        map[string]*Act     `json:"on,omitempty"`       // by droplet
	SkipProbe bool                `json:"skip_probe,omitempty"`
}

// A Rewound is what a saga's state knows of restoring a droplet's disk.
type Rewound struct {
	Looked bool   `json:"looked,omitempty"`
	Image  string `json:"image,omitempty"` // id of the image that it was of before
	Act    Act    `json:"act,omitzero"`
}

func (p *Steps) restoreStack() saga.Kind[Restoration] {
	again := p.patient()
	on := func(kind blueprint.Kind, do func(context.Context, *builder, *Restoration, blueprint.Resource) error) func(context.Context, *Restoration) error {
		return unfrozen(p, func(ctx context.Context, s *Restoration) error {
			b, err := p.builder(ctx, &s.Building)
			if err != nil {
				return err
			}
			resources := slices.DeleteFunc(s.of(kind), func(r blueprint.Resource) bool { return s.Snapshots[r.ID] == "" })
			return all(resources, func(r blueprint.Resource) error { return do(ctx, b, s, r) })
		})
	}
	forward := func(name string, do func(context.Context, *Restoration) error) saga.Step[Restoration] {
		return saga.Step[Restoration]{Name: name, Do: do, Forward: true, Retry: again}
	}
	k := saga.Kind[Restoration]{
		Name: RestoreStackKind,
		Begin: func(s *Restoration) error {
			if s.Stack == "" || s.Of == "" || len(s.Snapshots) == 0 || s.Saga != "" || len(s.Volumes)+len(s.Droplets)+len(s.Items)+len(s.New)+len(s.Rewound) > 0 {
				return fault.New(fault.Invalid, "A stack is restored by applying a plan: arcadia stack restore, then arcadia stack apply.")
			}
			return nil
		},
		Subjects: func(s Restoration) []string { return append(s.locks(), s.Of.subject()) },
		Policy:   saga.Refuse,
		Steps:    []saga.Step[Restoration]{{Name: "check_protection", Do: p.checkRestoration, NothingToUndo: onlyReads}},
	}
	k.Steps = append(k.Steps, copySteps(p, func(s *Restoration) (*Building, *Copying) { return &s.Building, &s.Copying })...)
	k.Steps = append(k.Steps,
		saga.Step[Restoration]{Name: pointOfNoReturn, Pivot: true, Local: func(ctx context.Context, tx *sql.Tx, s *Restoration) error {
			if err := stillUnprotected(ctx, tx, &s.Building, s.protectable()); err != nil {
				return err
			}
			return recordBackup(ctx, tx, &s.Building, &s.Copying)
		}},
		forward("power_off", on(blueprint.DropletKind, func(ctx context.Context, b *builder, s *Restoration, r blueprint.Resource) error {
			return p.powerOff(ctx, b, r, entry(&s.Power, r.ID))
		})),
		forward("detach_volumes", on(blueprint.VolumeKind, p.detachVolume)),
		forward("delete_volumes", on(blueprint.VolumeKind, func(ctx context.Context, b *builder, s *Restoration, r blueprint.Resource) error {
			return p.unmake(ctx, b.thing(r), s.made(r.ID))
		})),
		forward("create_volumes", unfrozen(p, p.createVolumes)),
		forward("attach_volumes", on(blueprint.VolumeKind, p.attachVolume)),
		forward("restore_droplets", on(blueprint.DropletKind, p.rewind)),
		forward("power_on", on(blueprint.DropletKind, func(ctx context.Context, b *builder, s *Restoration, r blueprint.Resource) error {
			return p.powerOn(ctx, b, r, entry(&s.On, r.ID))
		})),
		forward("check_health", p.restoreHealth),
		saga.Step[Restoration]{Name: "record_stack", Forward: true, Local: func(ctx context.Context, tx *sql.Tx, s *Restoration) error {
			for key, m := range s.New {
				s.Made[key] = m
			}
			return settleStack(ctx, tx, &s.Building, s.Saga, StackActive, 0)
		}},
	)
	return k
}

// checkRestoration asks once more whether somebody protects what is written over.
func (p *Steps) checkRestoration(ctx context.Context, s *Restoration) error {
	s.Saga = saga.Current(ctx).Saga
	return p.unprotected(ctx, s.protectable())
}

// volumeDeed attaches a volume to a droplet, or detaches it.
func (b *builder) volumeDeed(r blueprint.Resource, id, act string, droplet int64) deed {
	request := digitalocean.VolumeAct{Volume: id, Type: act, Droplet: droplet, Region: r.Volume.Region}
	return deed{
		what: act + " of volume " + r.Name, account: b.state.Account, kind: "volume", id: id, believed: true,
		seen: func(ctx context.Context) (bool, string, error) {
			is, err := b.c.Volume(ctx, id)
			return err == nil && slices.Contains(is.Droplets, droplet) == (act == "attach"), "it is attached to " + droplets(is.Droplets), err
		},
		ask: func(ctx context.Context) (digitalocean.Action, error) {
			return b.c.ActOnVolume(b.permitted(ctx, request.Permit()), request)
		},
	}
}

func droplets(ids []int64) string {
	if len(ids) == 0 {
		return "no droplet"
	}
	return "droplet " + strconv.FormatInt(ids[0], 10)
}

func (p *Steps) detachVolume(ctx context.Context, b *builder, s *Restoration, r blueprint.Resource) error {
	if r.Volume.Droplet == "" || s.made(r.ID).Deleted {
		return nil
	}
	n, err := b.number(r.Volume.Droplet)
	if err != nil {
		return err
	}
	return p.act(ctx, b.c, b.volumeDeed(r, b.id(r.ID), "detach", n), entry(&s.Detached, r.ID))
}

// createVolumes makes each volume of its snapshot, one after the other. It has the name of
// the one that is gone, for the droplet finds its disk by that.
func (p *Steps) createVolumes(ctx context.Context, s *Restoration) error {
	fresh := s.Building
	fresh.Made = map[string]*Made{} // so that the marker is this saga's
	b, err := p.builder(ctx, &fresh)
	if err != nil {
		return err
	}
	b.from = s.Snapshots
	for _, r := range s.of(blueprint.VolumeKind) {
		if s.Snapshots[r.ID] == "" {
			continue
		}
		m := entry(&s.New, r.ID)
		if err := p.ensure(ctx, b.thing(r), m); err != nil {
			return err
		}
		if err := p.ready(ctx, b.thing(r), m); err != nil {
			return err
		}
	}
	return nil
}

func (p *Steps) attachVolume(ctx context.Context, b *builder, s *Restoration, r blueprint.Resource) error {
	if r.Volume.Droplet == "" {
		return nil
	}
	n, err := b.number(r.Volume.Droplet)
	if err != nil {
		return err
	}
	made := entry(&s.New, r.ID)
	d := b.volumeDeed(r, made.ID, "attach", n)
	d.madeAt = made.FoundAt
	return p.act(ctx, b.c, d, entry(&s.Attached, r.ID))
}

// rewind has a droplet's disk be that of its snapshot. Where the snapshot is of a droplet
// that was there before this one, DigitalOcean restores nothing, and the disk is rebuilt
// of it: the result is the same. To do it twice does no harm, for nothing is written
// before the stack is switched on.
func (p *Steps) rewind(ctx context.Context, b *builder, s *Restoration, r blueprint.Resource) error {
	n, err := b.number(r.ID)
	if err != nil {
		return err
	}
	m, from := entry(&s.Rewound, r.ID), s.Snapshots[r.ID]
	if !m.Looked {
		is, err := b.c.Droplet(ctx, n)
		if err != nil {
			return err
		}
		m.Looked, m.Image = true, is.Image
		return saga.Save("droplet %s is of image %s", r.Name, is.Image)
	}
	request := digitalocean.DropletAct{Droplet: n, Type: "restore", Image: from}
	if !s.own(r.ID) {
		request.Type = "rebuild"
	}
	d := b.dropletDeed(r, request, nil)
	d.seen = func(ctx context.Context) (bool, string, error) {
		if m.Act.Action != 0 { // its end is the best witness
			action, err := b.c.DropletAction(ctx, n, m.Act.Action)
			if err == nil {
				return action.Status == digitalocean.ActionCompleted, "its action is " + string(action.Status), nil
			}
		}
		is, err := b.c.Droplet(ctx, n)
		return err == nil && is.Image == from && m.Image != from, "it is of image " + is.Image, err
	}
	return p.act(ctx, b.c, d, &m.Act)
}

// own reports whether the snapshot of a droplet is of the one that is there.
func (s *Restoration) own(key string) bool {
	return s.Known["backup."+key] == s.made(key).ID
}

func (p *Steps) restoreHealth(ctx context.Context, s *Restoration) error {
	if s.SkipProbe {
		return nil
	}
	now := s.Building
	now.Made = map[string]*Made{}
	for key, m := range s.Made {
		now.Made[key] = m
	}
	for key, m := range s.New {
		now.Made[key] = m
	}
	b, err := p.builder(ctx, &now)
	if err != nil {
		return err
	}
	err = p.learn(ctx, b)
	s.Known = now.Known
	if err != nil {
		return err
	}
	return p.checkHealth(ctx, &s.Building)
}

var restoreOperation = Operation{
	Verb: Restore, Kind: RestoreStackKind, Help: "Put a stack's disks back to a backup, or make a new stack of one.", From: []StackState{StackActive, StackSuspended, StackGone},
	Options: []Option{
		{Name: "backup", Type: TextOption, Help: "The backup's id; empty: the newest."},
		{Name: "into", Type: TextOption, Help: "Make a new stack of this name instead, and leave this one as it is."},
		{Name: "dns", Type: SwitchOption, Default: "false", Help: "Of a new stack: make its DNS records too. They have to be free."},
		{Name: "safety_backup", Type: SwitchOption, Default: "true", Help: "Back up what is written over first; it is kept for 7 days."},
		{Name: "skip_probe", Type: SwitchOption, Default: "false", Help: "Do not ask the health probes in the end."},
	},
	draw: (*Service).drawRestore, sweep: (*Service).sweepCopies,
}

func (s *Service) drawRestore(ctx context.Context, r PlanRequest, d *drawn) error {
	from, err := s.usable(ctx, d.stack, r.Options["backup"])
	if err != nil {
		return err
	}
	d.Read["backup"] = string(from.ID)
	if err := s.snapshotsAreThere(ctx, from); err != nil {
		return err
	}
	if r.Options["into"] != "" {
		return s.drawInto(ctx, r, from, d)
	}
	if d.stack.State != StackActive {
		return fault.New(fault.Conflict, "Stack %s is %s: only an active one is restored in place. Name a new one with `into`.", d.Name, d.stack.State)
	}
	restoration := Restoration{Building: d.building, Of: from.ID, Snapshots: map[string]string{}, SkipProbe: r.Options["skip_probe"] == "true"}
	for _, i := range from.Items {
		resource, ok := d.stack.Spec.Resource(i.Key)
		if m := d.building.Made[i.Key]; !ok || m == nil {
			return fault.New(fault.Conflict, "The backup has %s, which stack %s has no more. Restore it into a new stack.", i.Key, d.Name)
		}
		if resource.Volume != nil && resource.Volume.SizeGiB < i.MinDiskGiB {
			return fault.New(fault.Conflict, "The backup of %s needs %d GiB, and the volume has %d.", i.Key, i.MinDiskGiB, resource.Volume.SizeGiB)
		}
		restoration.Snapshots[i.Key] = i.Snapshot
		restoration.know("backup."+i.Key, i.Source)
	}
	for _, one := range (&Copying{}).items(&d.building) {
		if restoration.Snapshots[one.Key] == "" {
			d.Warnings = append(d.Warnings, one.Key+" is not in the backup, and stays as it is.")
		}
	}
	if err := ProtectedBy(ctx, s.db.Read(), d.Name, restoration.protectable()); err != nil {
		return err
	}
	return s.drawInPlace(ctx, r, from, d, &restoration)
}

func (s *Service) drawInPlace(ctx context.Context, r PlanRequest, from StackBackup, d *drawn, restoration *Restoration) error {
	calls, idle := map[string][]string{}, []string{}
	if r.Options["safety_backup"] == "true" {
		restoration.Reason, restoration.KeepFor = SafetyBackup, safetyDays
		if err := s.drawBackedUp(ctx, d, &restoration.Copying); err != nil {
			return err
		}
		calls = d.building.copyCalls()
	} else {
		c, err := s.steps.cloud(ctx, d.Account)
		if err != nil {
			return err
		}
		if _, err := s.priceStanding(ctx, c, d); err != nil {
			return err
		}
		d.Warnings = append(d.Warnings, "Nothing is backed up first: what was written since the backup is lost for good.")
		idle = append(idle, verifyCopiesStep)
	}
	add := func(step, call string) { calls[step] = append(calls[step], call) }
	for _, i := range from.Items {
		resource, _ := d.stack.Spec.Resource(i.Key)
		d.Read["resource "+i.Key] = resourceURN(d.Account, resource, d.building.Made[i.Key].ID)
		d.Changes = append(d.Changes, Change{
			Action: "destroy", Key: i.Key, Kind: i.Kind, Name: resource.Name, URN: resourceURN(d.Account, resource, d.building.Made[i.Key].ID),
			Detail: "what is on it is replaced by what was at " + minute(from.TakenAt), Stays: true, Monthly: new(int64),
		})
		if resource.Volume != nil {
			if resource.Volume.Droplet != "" {
				add("detach_volumes", "POST /v2/volumes/{id}/actions")
				add("attach_volumes", "POST /v2/volumes/{id}/actions")
			}
			add("delete_volumes", "DELETE /v2/volumes/{id}")
			add("create_volumes", "POST /v2/volumes")
			continue
		}
		for _, step := range []string{"power_off", "restore_droplets", "power_on"} {
			add(step, "POST /v2/droplets/{id}/actions")
		}
	}
	calls["check_health"] = nil
	if restoration.SkipProbe {
		idle = append(idle, "check_health")
	}
	d.Steps = planned(s.steps.restoreStack(), calls, idle...)
	d.input = func(of PlanID) any {
		restoration.Plan = of
		if restoration.Reason != "" {
			restoration.Backup = BackupID(id.New("backup"))
		}
		return *restoration
	}
	return nil
}

// snapshotsAreThere asks whether what a backup is made of is still there: somebody may
// have deleted it.
func (s *Service) snapshotsAreThere(ctx context.Context, b StackBackup) error {
	c, err := s.steps.cloud(ctx, b.Account)
	if err != nil {
		return err
	}
	for _, i := range b.Items {
		is, err := c.Snapshot(ctx, i.Snapshot)
		if err != nil {
			return fault.Wrap(fault.KindOf(err), err, "Snapshot %s of backup %s cannot be read: %s", i.Snapshot, b.ID, fault.Message(err))
		}
		if wrong := i.faultOf(is, is); wrong != "" {
			return fault.New(fault.Unprocessable, "Snapshot %s of backup %s cannot be used: %s.", i.Snapshot, b.ID, wrong)
		}
	}
	return nil
}
