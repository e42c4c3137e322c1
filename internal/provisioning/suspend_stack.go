package provisioning

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/provisioning/blueprint"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// SuspendStackKind takes a stack out of service, so that it can be resumed.
const SuspendStackKind = "suspend_stack"

// The levels of a suspension. Each is further than the one before.
const (
	Quarantined = 1 // a firewall lets nothing in; it runs on
	PoweredOff  = 2 // its droplets are off; DigitalOcean charges for them all the same
	Archived    = 3 // snapshots stand for its droplets and volumes, which are destroyed
)

// pointOfNoReturn is the step that only says that from here on nothing is taken back.
const pointOfNoReturn = "point_of_no_return"

// deleteSnapshotsStep deletes the snapshots that stood for what was archived.
const deleteSnapshotsStep = "delete_snapshots"

// A Suspension is the state of a saga that suspends a stack.
type Suspension struct {
	Building // with the quarantine's firewall and the snapshots among its resources

	Level     int                  `json:"level"`
	Member    map[string]*Member   `json:"member,omitempty"`    // by firewall of the stack's
	Power     map[string]*Power    `json:"power,omitempty"`     // by droplet
	Snapshots map[string]*Snapshot `json:"snapshots,omitempty"` // by droplet
}

// A Member is what a saga's state knows of which droplets a firewall is for.
type Member struct {
	Sent    bool `json:"sent,omitempty"`   // a request may have been
	Asked   bool `json:"asked,omitempty"`  // one was answered
	Undone  bool `json:"undone,omitempty"` // a request to take that back was answered
	InForce bool `json:"in_force,omitempty"`
}

// entry is what a map has under a key, made where it has nothing.
func entry[V any](m *map[string]*V, key string) *V {
	if *m == nil {
		*m = map[string]*V{}
	}
	if (*m)[key] == nil {
		(*m)[key] = new(V)
	}
	return (*m)[key]
}

func (p *Steps) suspendStack() saga.Kind[Suspension] {
	again := p.patient()
	step := func(name string, level int, do, undo func(context.Context, *Suspension) error) saga.Step[Suspension] {
		at := func(f func(context.Context, *Suspension) error) func(context.Context, *Suspension) error {
			return unfrozen(p, func(ctx context.Context, s *Suspension) error {
				if s.Level < level {
					return nil
				}
				return f(ctx, s)
			})
		}
		one := saga.Step[Suspension]{Name: name, Retry: again, Again: again, Do: at(do)}
		if undo == nil {
			one.Forward = true
			return one
		}
		one.Undo = at(undo)
		return one
	}
	return saga.Kind[Suspension]{
		Name: SuspendStackKind,
		Begin: func(s *Suspension) error {
			if s.Stack == "" || s.Level < Quarantined || s.Level > Archived || s.Saga != "" || len(s.Power)+len(s.Snapshots)+len(s.Member) > 0 {
				return fault.New(fault.Invalid, "A stack is suspended by applying a plan: arcadia stack suspend, then arcadia stack apply.")
			}
			return nil
		},
		Subjects: func(s Suspension) []string { return s.locks() },
		Policy:   saga.Refuse,
		Steps: []saga.Step[Suspension]{
			{Name: "check_protection", Do: p.checkSuspension, NothingToUndo: onlyReads},
			step("quarantine", Quarantined, p.quarantine, p.unquarantine),
			step("leave_firewalls", Quarantined, p.leaveFirewalls, p.rejoinFirewalls),
			step("power_off", PoweredOff, p.suspendPower, p.unsuspendPower),
			step("snapshot_droplets", Archived, p.snapshotDroplets, p.unsnapshotDroplets),
			step("snapshot_volumes", Archived, p.snapshotVolumes, p.unsnapshotVolumes),
			{Name: "verify_snapshots", Do: p.verifySnapshots, NothingToUndo: onlyReads, Retry: again},
			{Name: pointOfNoReturn, Pivot: true, Local: mayArchive},
			step("delete_droplets", Archived, p.archive(blueprint.DropletKind), nil),
			step("delete_volumes", Archived, p.archive(blueprint.VolumeKind), nil),
			step(liftQuarantineStep, Archived, func(ctx context.Context, s *Suspension) error { return p.liftQuarantine(ctx, &s.Building) }, nil),
			{Name: "record_stack", Local: recordSuspension, Forward: true},
		},
	}
}

// locks are what a saga that changes the droplets of a stack has for itself: no snapshot
// is taken of one meanwhile.
func (s *Building) locks() []string {
	locks := []string{s.Stack.subject()}
	for _, r := range s.of(blueprint.DropletKind) {
		if m := s.Made[r.ID]; m != nil && m.ID != "" {
			locks = append(locks, resourceURN(s.Account, r, m.ID))
		}
	}
	return locks
}

// standingOf are the resources of a kind that are there.
func (s *Building) standingOf(kind blueprint.Kind) []blueprint.Resource {
	return slices.DeleteFunc(s.of(kind), func(r blueprint.Resource) bool {
		m := s.Made[r.ID]
		return m == nil || m.ID == "" || m.Deleted
	})
}

// protectable are all that a protection may name of a stack.
func (s *Building) protectable() []string {
	all := []string{"tenant:" + s.Tenant, "stack:" + string(s.Stack)}
	for _, r := range s.Spec.Resources {
		if m := s.Made[r.ID]; m != nil && m.ID != "" {
			all = append(all, resourceURN(s.Account, r, m.ID))
		}
	}
	return all
}

// checkSuspension asks once more whether somebody protects what would be destroyed.
func (p *Steps) checkSuspension(ctx context.Context, s *Suspension) error {
	s.Saga = saga.Current(ctx).Saga
	if s.Level < Archived {
		return nil
	}
	return p.unprotected(ctx, s.protectable())
}

// mayArchive asks it for the last time.
func mayArchive(ctx context.Context, tx *sql.Tx, s *Suspension) error {
	if s.Level < Archived {
		return nil
	}
	return stillUnprotected(ctx, tx, &s.Building, s.protectable())
}

// quarantineID is the firewall of a quarantine. No blueprint has a key with a dash.
const quarantineID = "firewall.arcadia-quarantine"

// quarantineOf is the firewall that keeps everything out but what operators come in by.
// What goes out is names and time alone: a machine that cannot ask for them does harm to
// itself, and nothing else tells others of it.
func quarantineOf(spec blueprint.Spec, droplets, operators []string) blueprint.Resource {
	_, key, _ := strings.Cut(quarantineID, ".")
	everywhere := []blueprint.Expr{"0.0.0.0/0", "::/0"}
	r := blueprint.Resource{
		ID: quarantineID, Kind: blueprint.FirewallKind, Key: key, Name: spec.Stack.Name + "-quarantine", DependsOn: droplets,
		Firewall: &blueprint.FirewallSpec{Droplets: droplets, Outbound: []blueprint.RuleSpec{
			{Protocol: "udp", Ports: "53", Addresses: everywhere}, {Protocol: "tcp", Ports: "53", Addresses: everywhere},
			{Protocol: "udp", Ports: "123", Addresses: everywhere},
		}},
	}
	if len(operators) > 0 {
		from := blueprint.RuleSpec{Protocol: "tcp", Ports: "22"}
		for _, one := range operators {
			from.Addresses = append(from.Addresses, blueprint.Literal(one))
		}
		r.Firewall.Inbound = []blueprint.RuleSpec{from}
	}
	return r
}

// quarantine puts the firewall over the droplets, beside those of the stack. It does so
// for the first level alone: what is off, or gone, needs none.
func (p *Steps) quarantine(ctx context.Context, s *Suspension) error {
	r, ok := s.Spec.Resource(quarantineID)
	if !ok || s.Level != Quarantined {
		return nil
	}
	b, err := p.builder(ctx, &s.Building)
	if err != nil {
		return saga.Permanent(err)
	}
	return p.makeAll(ctx, []blueprint.Resource{r}, b.thing, s.made)
}

// unquarantine undoes quarantine. One that an earlier saga began stays.
func (p *Steps) unquarantine(ctx context.Context, s *Suspension) error {
	if s.Level != Quarantined {
		return nil
	}
	return p.liftQuarantine(ctx, &s.Building)
}

// liftQuarantineStep deletes the firewall of a quarantine.
const liftQuarantineStep = "lift_quarantine"

func (p *Steps) liftQuarantine(ctx context.Context, s *Building) error {
	r, ok := s.Spec.Resource(quarantineID)
	if !ok {
		return nil
	}
	b, err := p.builder(ctx, s)
	if err != nil {
		return err
	}
	return p.unmake(ctx, b.thing(r), s.made(r.ID))
}

// ownFirewalls are the stack's, but for a quarantine's.
func (s *Building) ownFirewalls() []blueprint.Resource {
	return slices.DeleteFunc(s.standingOf(blueprint.FirewallKind), func(r blueprint.Resource) bool { return r.ID == quarantineID })
}

// leaveFirewalls takes the droplets from under the stack's own firewalls, once the
// quarantine's is in force: what several let in is let in by all together.
func (p *Steps) leaveFirewalls(ctx context.Context, s *Suspension) error {
	if s.Level != Quarantined {
		return nil
	}
	b, err := p.builder(ctx, &s.Building)
	if err != nil {
		return saga.Permanent(err)
	}
	return all(s.ownFirewalls(), func(r blueprint.Resource) error {
		return p.member(ctx, b, r, entry(&s.Member, r.ID), false)
	})
}

func (p *Steps) rejoinFirewalls(ctx context.Context, s *Suspension) error {
	if s.Level != Quarantined {
		return nil
	}
	b, err := p.builder(ctx, &s.Building)
	if err != nil {
		return err
	}
	return all(s.ownFirewalls(), func(r blueprint.Resource) error {
		return p.unmember(ctx, b, r, entry(&s.Member, r.ID), true)
	})
}

// member has a stack's firewall be for its droplets, or for none of them. To ask for it
// twice is to ask once.
func (p *Steps) member(ctx context.Context, b *builder, r blueprint.Resource, m *Member, in bool) error {
	if m.InForce {
		return nil
	}
	if !m.Asked {
		m.Sent = true
		if err := p.askMembers(ctx, b, r, in); err != nil {
			return err
		}
		m.Asked = true
	}
	if err := p.awaitMembers(ctx, b, r, in); err != nil {
		return err
	}
	m.InForce = true
	return nil
}

// unmember takes member back: in is what it was before.
func (p *Steps) unmember(ctx context.Context, b *builder, r blueprint.Resource, m *Member, in bool) error {
	a := saga.Current(ctx)
	if !m.Sent && a.UnknownSince.IsZero() {
		return nil
	}
	if err := p.settled(a); err != nil {
		return err
	}
	if !m.Undone {
		if err := p.askMembers(ctx, b, r, in); err != nil {
			return err
		}
		m.Undone = true
	}
	return p.awaitMembers(ctx, b, r, in)
}

// settled waits until a request of this step whose answer was lost has been carried out,
// if it ever is.
func (p *Steps) settled(a *saga.Attempt) error {
	if until := a.UnknownSince.Add(p.set.Settle); !a.UnknownSince.IsZero() && a.Now().Before(until) {
		return saga.Wait(until, "the answer to a request was lost: if it was carried out, it was by then")
	}
	return nil
}

// membersOf are the droplets of a firewall that are there.
func (b *builder) membersOf(r blueprint.Resource) (ids []int64) {
	for _, droplet := range r.Firewall.Droplets {
		if n, err := strconv.ParseInt(b.id(droplet), 10, 64); err == nil {
			ids = append(ids, n)
		}
	}
	return ids
}

func (p *Steps) askMembers(ctx context.Context, b *builder, r blueprint.Resource, in bool) error {
	request := digitalocean.FirewallDroplets{Firewall: b.id(r.ID), Droplets: b.membersOf(r)}
	if len(request.Droplets) == 0 {
		return nil
	}
	var err error
	if in {
		err = b.c.AddFirewallDroplets(b.permitted(ctx, request.AddPermit()), request)
	} else {
		err = b.c.RemoveFirewallDroplets(b.permitted(ctx, request.RemovePermit()), request)
	}
	if errors.Is(err, digitalocean.Unknown) {
		return saga.Wait(saga.Current(ctx).Now().Add(p.set.Poll), "the answer of firewall %s was lost", r.Name)
	}
	return err
}

// awaitMembers waits until a firewall is for its droplets, or for none, and that is in
// force.
func (p *Steps) awaitMembers(ctx context.Context, b *builder, r blueprint.Resource, in bool) error {
	is, err := b.c.Firewall(ctx, b.id(r.ID))
	if err != nil {
		return err
	}
	for _, n := range b.membersOf(r) {
		if slices.Contains(is.Droplets, n) != in || is.Pending {
			return saga.Wait(saga.Current(ctx).Now().Add(p.set.Poll), "firewall %s does not follow yet", r.Name)
		}
	}
	return nil
}

func (p *Steps) suspendPower(ctx context.Context, s *Suspension) error {
	b, err := p.builder(ctx, &s.Building)
	if err != nil {
		return saga.Permanent(err)
	}
	return all(s.standingOf(blueprint.DropletKind), func(r blueprint.Resource) error {
		return p.powerOff(ctx, b, r, entry(&s.Power, r.ID))
	})
}

func (p *Steps) unsuspendPower(ctx context.Context, s *Suspension) error {
	b, err := p.builder(ctx, &s.Building)
	if err != nil {
		return err
	}
	return all(s.standingOf(blueprint.DropletKind), func(r blueprint.Resource) error {
		return p.powerBack(ctx, b, r, entry(&s.Power, r.ID))
	})
}

// snapshotDroplets takes one snapshot after the other: what is unknown is always about
// the first that has none.
func (p *Steps) snapshotDroplets(ctx context.Context, s *Suspension) error {
	b, err := p.builder(ctx, &s.Building)
	if err != nil {
		return saga.Permanent(err)
	}
	for _, r := range s.of(blueprint.SnapshotKind) {
		of, ok := s.Spec.Resource(r.Snapshot.Of)
		if !ok || of.Kind != blueprint.DropletKind {
			continue
		}
		n, err := b.number(of.ID)
		if err != nil {
			return err
		}
		snap := entry(&s.Snapshots, of.ID)
		snap.Account, snap.Tenant, snap.DropletID, snap.DropletName = s.Account, s.Tenant, n, of.Name
		done := snap.SnapshotID != ""
		if err := p.takeSnapshot(ctx, snap); err != nil {
			return err
		}
		m := s.made(r.ID)
		m.ID, m.FoundAt = snap.SnapshotID, snap.FoundAt
		if !done {
			return saga.Save("snapshot %s of droplet %s is taken", snap.SnapshotID, of.Name)
		}
	}
	return nil
}

func (p *Steps) unsnapshotDroplets(ctx context.Context, s *Suspension) error {
	for _, r := range s.of(blueprint.SnapshotKind) {
		if snap := s.Snapshots[r.Snapshot.Of]; snap != nil {
			if err := p.deleteSnapshot(ctx, snap); err != nil {
				return err
			}
			s.made(r.ID).Deleted = snap.Deleted
		}
	}
	return nil
}

// volumeSnapshots are the snapshots that are to stand for volumes.
func (s *Suspension) volumeSnapshots() []blueprint.Resource {
	return slices.DeleteFunc(s.of(blueprint.SnapshotKind), func(r blueprint.Resource) bool {
		of, ok := s.Spec.Resource(r.Snapshot.Of)
		return !ok || of.Kind != blueprint.VolumeKind
	})
}

func (p *Steps) snapshotVolumes(ctx context.Context, s *Suspension) error {
	b, err := p.builder(ctx, &s.Building)
	if err != nil {
		return saga.Permanent(err)
	}
	for _, r := range s.volumeSnapshots() {
		if err := p.ensure(ctx, b.thing(r), s.made(r.ID)); err != nil {
			return err
		}
	}
	return nil
}

func (p *Steps) unsnapshotVolumes(ctx context.Context, s *Suspension) error {
	b, err := p.builder(ctx, &s.Building)
	if err != nil {
		return err
	}
	return p.unmakeAll(ctx, s.volumeSnapshots(), b.thing, s.made)
}

// verifySnapshots asks that each snapshot is one that the stack can be made of again,
// before anything is destroyed: it answers by its id, it is listed under its name, it
// has a size, and is in the region.
func (p *Steps) verifySnapshots(ctx context.Context, s *Suspension) error {
	if s.Level < Archived {
		return nil
	}
	b, err := p.builder(ctx, &s.Building)
	if err != nil {
		return saga.Permanent(err)
	}
	list, err := b.c.Snapshots(ctx)
	if err != nil {
		return err
	}
	for _, r := range s.of(blueprint.SnapshotKind) {
		m := s.made(r.ID)
		if err := p.ready(ctx, b.thing(r), m); err != nil {
			return err
		}
		of := s.made(r.Snapshot.Of).ID
		if !slices.ContainsFunc(list.Items, func(one digitalocean.Snapshot) bool { return one.ID == m.ID && one.Resource == of }) {
			return p.patiently(saga.Current(ctx), m, fault.New(fault.Unavailable, "Snapshot %s is not among those that DigitalOcean lists for %s.", m.ID, r.Snapshot.Of),
				"snapshot %s is not listed yet", m.ID)
		}
	}
	saga.Current(ctx).Note(s.of(blueprint.SnapshotKind))
	return nil
}

// archive destroys what snapshots stand for.
func (p *Steps) archive(kind blueprint.Kind) func(context.Context, *Suspension) error {
	return func(ctx context.Context, s *Suspension) error { return p.removeAll(ctx, &s.Building, kind) }
}

// recordSuspension says that the stack is suspended.
func recordSuspension(ctx context.Context, tx *sql.Tx, s *Suspension) error {
	if err := settleStack(ctx, tx, &s.Building, s.Saga, StackSuspended, s.Level); err != nil {
		return err
	}
	return dropSpent(ctx, tx, &s.Building)
}

// dropSpent takes what a suspension adds to a stack out of its spec, once it is deleted.
func dropSpent(ctx context.Context, tx *sql.Tx, s *Building) error {
	return drop(ctx, tx, s, func(r blueprint.Resource) bool {
		return (r.ID == quarantineID || r.Kind == blueprint.SnapshotKind) && s.made(r.ID).Deleted
	})
}

// drop takes resources out of a stack's spec.
func drop(ctx context.Context, tx *sql.Tx, s *Building, these func(blueprint.Resource) bool) error {
	if !slices.ContainsFunc(s.Spec.Resources, these) {
		return nil
	}
	s.Spec.Resources = slices.DeleteFunc(slices.Clone(s.Spec.Resources), these)
	_, err := tx.ExecContext(ctx, `UPDATE stacks SET spec = $1 WHERE id = $2`, db.JSON[blueprint.Spec]{V: s.Spec}, string(s.Stack))
	return err
}
