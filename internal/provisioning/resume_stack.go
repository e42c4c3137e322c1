package provisioning

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/provisioning/blueprint"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// ResumeStackKind puts a suspended stack back into service.
const ResumeStackKind = "resume_stack"

// A Resumption is the state of a saga that resumes a stack.
type Resumption struct {
	Building // with the quarantine's firewall and the snapshots among its resources

	Level     int                 `json:"level"` // of the suspension
	SkipProbe bool                `json:"skip_probe,omitempty"`
	Backup    BackupID            `json:"backup,omitempty"`    // that the snapshots become once the stack works; empty: there are none
	Items     []BackupItem        `json:"items,omitempty"`     // what they are
	TakenAt   time.Time           `json:"taken_at,omitzero"`   // the first of them
	Power     map[string]*Power   `json:"power,omitempty"`     // by droplet
	Addresses map[string]*Leading `json:"addresses,omitempty"` // by reserved address
	Records   map[string]*Rewrite `json:"records,omitempty"`   // by record
	Member    map[string]*Member  `json:"member,omitempty"`    // by firewall
}

// A Leading is what a saga's state knows of having an address lead to its droplet.
type Leading struct {
	Looked bool  `json:"looked,omitempty"`
	Before int64 `json:"before,omitempty"` // the droplet that it led to; 0: none
	To     Act   `json:"to,omitzero"`
	Back   Act   `json:"back,omitzero"`
}

// A Rewrite is what a saga's state knows of having a record say something else.
type Rewrite struct {
	Before string `json:"before,omitempty"` // what it said; empty until that is known
	Data   string `json:"data,omitempty"`   // what it is to say
	Asked  bool   `json:"asked,omitempty"`
	Undone bool   `json:"undone,omitempty"`
}

func (p *Steps) resumeStack() saga.Kind[Resumption] {
	again := p.patient()
	step := func(name string, do, undo func(context.Context, *Resumption) error) saga.Step[Resumption] {
		return saga.Step[Resumption]{Name: name, Do: unfrozen(p, do), Undo: unfrozen(p, undo), Retry: again, Again: again}
	}
	return saga.Kind[Resumption]{
		Name: ResumeStackKind,
		Begin: func(s *Resumption) error {
			if s.Stack == "" || s.Level < Quarantined || s.Level > Archived || s.Saga != "" || len(s.Health)+len(s.Records)+len(s.Member) > 0 {
				return fault.New(fault.Invalid, "A stack is resumed by applying a plan: arcadia stack resume, then arcadia stack apply.")
			}
			return nil
		},
		Subjects: func(s Resumption) []string { return s.locks() },
		Policy:   saga.Refuse,
		Steps: []saga.Step[Resumption]{
			{Name: "check_room", Do: p.checkResumption, NothingToUndo: onlyReads, Retry: again},
			step("restore_volumes", p.restoreAll(blueprint.VolumeKind), p.unrestoreAll(blueprint.VolumeKind)),
			step(closeGateStep, ofArchived(p.closeGate), ofArchived(p.openGate)),
			step("restore_droplets", p.restoreAll(blueprint.DropletKind), p.unrestoreAll(blueprint.DropletKind)),
			step("power_on", p.resumePower, p.unresumePower),
			step("assign_addresses", p.leadAddresses, p.unleadAddresses),
			step("join_firewalls", p.joinFirewalls, p.unjoinFirewalls),
			step("rewrite_records", p.rewriteRecords, p.unrewriteRecords),
			{Name: joinProjectStep, Do: unfrozen(p, func(ctx context.Context, s *Resumption) error { return p.joinProject(ctx, &s.Building) }), Retry: again, NothingToUndo: "what leaves DigitalOcean leaves its project"},
			{Name: "check_health", Do: p.resumeHealth, NothingToUndo: onlyReads},
			{Name: pointOfNoReturn, Pivot: true, Local: func(context.Context, *sql.Tx, *Resumption) error { return nil }},
			{Name: openGateStep, Do: unfrozen(p, ofArchived(p.openGate)), Forward: true, Retry: again},
			{Name: liftQuarantineStep, Do: unfrozen(p, func(ctx context.Context, s *Resumption) error { return p.liftQuarantine(ctx, &s.Building) }), Forward: true, Retry: again},
			{Name: "record_stack", Local: recordResumption, Forward: true},
		},
	}
}

// ofArchived does something where droplets are made again.
func ofArchived(do func(context.Context, *Building) error) func(context.Context, *Resumption) error {
	return func(ctx context.Context, s *Resumption) error {
		if s.Level != Archived {
			return nil
		}
		return do(ctx, &s.Building)
	}
}

// archived are the resources of a kind that snapshots stand for, with their snapshots.
func (s *Resumption) archived(kind blueprint.Kind) (all []blueprint.Resource, from map[string]string) {
	from = map[string]string{}
	for _, one := range s.of(blueprint.SnapshotKind) {
		if r, ok := s.Spec.Resource(one.Snapshot.Of); ok && r.Kind == kind {
			all, from[r.ID] = append(all, r), s.made(one.ID).ID
		}
	}
	return all, from
}

// checkResumption asks whether the account has room for what is made again.
func (p *Steps) checkResumption(ctx context.Context, s *Resumption) error {
	s.Saga = saga.Current(ctx).Saga
	var err error
	if s.Items, s.TakenAt, err = p.readArchive(ctx, s.Account, s.archive()); err != nil {
		return err
	}
	return p.hasRoom(ctx, s.Account, s.lacking())
}

// resumedDays is how long the snapshots that a stack was resumed of are kept as a backup:
// that its probes are content does not say that all data are there.
const resumedDays = 7

// archive are the snapshots that stand for what a suspension destroyed, as the stack
// knows them.
func (s *Building) archive() (items []BackupItem) {
	for _, one := range s.standingOf(blueprint.SnapshotKind) {
		if of, ok := s.Spec.Resource(one.Snapshot.Of); ok {
			items = append(items, BackupItem{Key: of.ID, Kind: string(of.Kind), Snapshot: s.made(one.ID).ID, Name: of.Name, Region: one.Snapshot.Region})
		}
	}
	return items
}

// readArchive reads what these are, and when the first of them was taken. It answers
// fault.Conflict where one is not there any more.
func (p *Steps) readArchive(ctx context.Context, account string, items []BackupItem) (all []BackupItem, takenAt time.Time, err error) {
	c, err := p.cloud(ctx, account)
	if err != nil {
		return nil, takenAt, saga.Permanent(err)
	}
	takenAt = time.Now()
	for _, one := range items {
		is, err := c.Snapshot(ctx, one.Snapshot)
		if errors.Is(err, digitalocean.NotFound) {
			return nil, takenAt, fault.Wrap(fault.Conflict, err, "Snapshot %s, which stands for %s, is not there any more: the stack cannot be resumed, and is torn down with --no-final-snapshot.", one.Snapshot, one.Key)
		}
		if err != nil {
			return nil, takenAt, err
		}
		if !is.CreatedAt.IsZero() && is.CreatedAt.Before(takenAt) {
			takenAt = is.CreatedAt
		}
		one.Marker, one.Source, one.SizeGB, one.MinDiskGiB = is.Name, is.Resource, is.SizeGigabytes, is.MinDiskGiB
		all = append(all, one)
	}
	return all, takenAt, nil
}

// lacking is a spec of what snapshots stand for.
func (s *Resumption) lacking() (spec blueprint.Spec) {
	for _, kind := range []blueprint.Kind{blueprint.VolumeKind, blueprint.DropletKind} {
		all, _ := s.archived(kind)
		spec.Resources = append(spec.Resources, all...)
	}
	return spec
}

// restoreAll makes again, of their snapshots, what a suspension destroyed.
func (p *Steps) restoreAll(kind blueprint.Kind) func(context.Context, *Resumption) error {
	return func(ctx context.Context, s *Resumption) error {
		b, err := p.builder(ctx, &s.Building)
		if err != nil {
			return saga.Permanent(err)
		}
		all, from := s.archived(kind)
		b.from = from
		return p.makeAll(ctx, all, b.thing, s.made)
	}
}

func (p *Steps) unrestoreAll(kind blueprint.Kind) func(context.Context, *Resumption) error {
	return func(ctx context.Context, s *Resumption) error {
		b, err := p.builder(ctx, &s.Building)
		if err != nil {
			return err
		}
		all, _ := s.archived(kind)
		return p.unmakeAll(ctx, all, b.thing, s.made)
	}
}

// resumePower switches on what is off, and then reads all that expressions may ask for.
func (p *Steps) resumePower(ctx context.Context, s *Resumption) error {
	b, err := p.builder(ctx, &s.Building)
	if err != nil {
		return saga.Permanent(err)
	}
	err = all(s.standingOf(blueprint.DropletKind), func(r blueprint.Resource) error {
		m := entry(&s.Power, r.ID)
		if m.Before == "" {
			return lookAtPower(ctx, b, r, m)
		}
		if m.Before == "active" {
			return nil
		}
		return p.powerOn(ctx, b, r, &m.On)
	})
	if err != nil {
		return err
	}
	return p.learn(ctx, b)
}

func (p *Steps) unresumePower(ctx context.Context, s *Resumption) error {
	b, err := p.builder(ctx, &s.Building)
	if err != nil {
		return err
	}
	return all(s.standingOf(blueprint.DropletKind), func(r blueprint.Resource) error {
		m := entry(&s.Power, r.ID)
		if m.Before == "" || m.Before == "active" || m.On.untouched(saga.Current(ctx)) {
			return nil
		}
		return p.unPowerOn(ctx, b, r, &m.Off)
	})
}

// learn reads what expressions may ask for of what is there.
func (p *Steps) learn(ctx context.Context, b *builder) error {
	s := b.state
	for _, r := range s.standingOf(blueprint.ReservedIPKind) {
		s.know("reserved_ip."+r.Key+".address", b.id(r.ID))
	}
	for _, kind := range []blueprint.Kind{blueprint.VPCKind, blueprint.VolumeKind, blueprint.DropletKind} {
		for _, r := range s.standingOf(kind) {
			ready, lacks, err := b.thing(r).read(ctx, b.id(r.ID))
			if err != nil {
				return err
			}
			if !ready {
				return saga.Wait(saga.Current(ctx).Now().Add(p.set.Poll), "waiting for %s: %s", r.Name, lacks)
			}
		}
	}
	moved := map[string]string{}
	for _, r := range s.of(blueprint.SnapshotKind) {
		of, _ := s.Spec.Resource(r.Snapshot.Of)
		if is := s.Known["droplet."+of.Key+".private_ip"]; of.Kind == blueprint.DropletKind && is != r.Snapshot.PrivateIP {
			moved[of.ID] = "its private address was " + r.Snapshot.PrivateIP + " and is " + is
		}
	}
	if len(moved) > 0 {
		saga.Current(ctx).Note(moved)
	}
	return nil
}

// leadAddresses has each reserved address lead to its droplet.
func (p *Steps) leadAddresses(ctx context.Context, s *Resumption) error {
	b, err := p.builder(ctx, &s.Building)
	if err != nil {
		return saga.Permanent(err)
	}
	return all(s.standingOf(blueprint.ReservedIPKind), func(r blueprint.Resource) error {
		return p.lead(ctx, b, r, entry(&s.Addresses, r.ID))
	})
}

// lead has a reserved address lead to its droplet.
func (p *Steps) lead(ctx context.Context, b *builder, r blueprint.Resource, m *Leading) error {
	droplet, err := b.number(r.ReservedIP.Droplet)
	if err != nil {
		return err
	}
	if !m.Looked {
		is, err := b.c.ReservedIP(ctx, b.id(r.ID))
		if err != nil {
			return err
		}
		m.Before, m.Looked = is.Droplet, true
		return saga.Save("address %s leads to droplet %d", is.IP, is.Droplet)
	}
	if m.Before == droplet {
		return nil
	}
	return p.act(ctx, b.c, b.leading(r, droplet), &m.To)
}

// unleadAddresses has them lead to what they led to before.
func (p *Steps) unleadAddresses(ctx context.Context, s *Resumption) error {
	b, err := p.builder(ctx, &s.Building)
	if err != nil {
		return err
	}
	return all(s.standingOf(blueprint.ReservedIPKind), func(r blueprint.Resource) error {
		return p.unlead(ctx, b, r, entry(&s.Addresses, r.ID))
	})
}

// unlead has it lead to what it led to before.
func (p *Steps) unlead(ctx context.Context, b *builder, r blueprint.Resource, m *Leading) error {
	a := saga.Current(ctx)
	if !m.Looked || m.To.untouched(a) {
		return nil
	}
	if err := p.settled(a); err != nil {
		return err
	}
	return p.act(ctx, b.c, b.leading(r, m.Before), &m.Back)
}

// leading is the deed that has an address lead to a droplet, or nowhere: 0. Whether it
// does is asked of the address itself, which an action locks.
func (b *builder) leading(r blueprint.Resource, droplet int64) deed {
	request := digitalocean.ReservedIPAct{IP: b.id(r.ID), Type: "assign", Droplet: droplet}
	if droplet == 0 {
		request.Type = "unassign"
	}
	return deed{
		what: request.Type + " of address " + request.IP, account: b.state.Account, kind: "reserved_ip", id: request.IP,
		believed: droplet != 0, // no view from before can show a droplet that was made since
		seen: func(ctx context.Context) (bool, string, error) {
			is, err := b.c.ReservedIP(ctx, request.IP)
			return err == nil && is.Droplet == droplet && !is.Locked, "it leads to droplet " + strconv.FormatInt(is.Droplet, 10), err
		},
		ask: func(ctx context.Context) (digitalocean.Action, error) {
			return b.c.ActOnReservedIP(b.permitted(ctx, request.Permit()), request)
		},
	}
}

// joinFirewalls puts the droplets under the stack's own firewalls again. Where droplets
// were made anew, their rules may name them, and are said again as a whole.
func (p *Steps) joinFirewalls(ctx context.Context, s *Resumption) error {
	b, err := p.builder(ctx, &s.Building)
	if err != nil {
		return saga.Permanent(err)
	}
	return all(s.ownFirewalls(), func(r blueprint.Resource) error {
		m := entry(&s.Member, r.ID)
		if s.Level == Archived && !m.Asked {
			m.Sent = true
			if err := p.replaceFirewall(ctx, b, r); err != nil {
				return err
			}
			m.Asked = true
		}
		return p.member(ctx, b, r, m, true)
	})
}

// replaceFirewall has a firewall say what its spec says, under the name that it has.
func (p *Steps) replaceFirewall(ctx context.Context, b *builder, r blueprint.Resource) error {
	is, err := b.c.Firewall(ctx, b.id(r.ID))
	if err != nil {
		return err
	}
	request, err := b.firewallRequest(r, is.Name)
	if err != nil {
		return err
	}
	request.Tags = is.Tags
	_, err = b.c.ReplaceFirewall(b.permitted(ctx, request.ReplacePermit(is.ID)), is.ID, request)
	if errors.Is(err, digitalocean.Unknown) {
		return saga.Wait(saga.Current(ctx).Now().Add(p.set.Poll), "the answer of firewall %s was lost", r.Name)
	}
	return err
}

// unjoinFirewalls takes the droplets out again, where they were there before and not
// behind the firewalls: at the first level alone does a suspension take them out. Those that
// were made anew stay behind them until they are deleted.
func (p *Steps) unjoinFirewalls(ctx context.Context, s *Resumption) error {
	if s.made(quarantineID).ID == "" || s.Level == Archived {
		return nil
	}
	b, err := p.builder(ctx, &s.Building)
	if err != nil {
		return err
	}
	return all(s.ownFirewalls(), func(r blueprint.Resource) error {
		return p.unmember(ctx, b, r, entry(&s.Member, r.ID), false)
	})
}

// rewriteRecords has each record say what its spec says now: one that leads to a
// droplet's own address leads to another one, once the droplet was made anew.
func (p *Steps) rewriteRecords(ctx context.Context, s *Resumption) error {
	b, err := p.builder(ctx, &s.Building)
	if err != nil {
		return saga.Permanent(err)
	}
	return all(s.standingOf(blueprint.RecordKind), func(r blueprint.Resource) error {
		m := entry(&s.Records, r.ID)
		id, err := b.number(r.ID)
		if err != nil {
			return err
		}
		if m.Before == "" {
			is, err := b.c.Record(ctx, r.Record.Domain, id)
			if errors.Is(err, digitalocean.NotFound) {
				return saga.Permanent(err)
			}
			if err != nil {
				return err
			}
			if m.Data, err = s.value(r.Record.Data); err != nil {
				return saga.Permanent(err)
			}
			m.Before = is.Data
			return saga.Save("record %s says %s", r.Name, is.Data)
		}
		if m.Asked || sameData(m.Before, m.Data) {
			return nil
		}
		if err := p.replaceRecord(ctx, b, r, id, m.Data); err != nil {
			return err
		}
		m.Asked = true
		return nil
	})
}

func (p *Steps) unrewriteRecords(ctx context.Context, s *Resumption) error {
	b, err := p.builder(ctx, &s.Building)
	if err != nil {
		return err
	}
	return all(s.standingOf(blueprint.RecordKind), func(r blueprint.Resource) error {
		m := entry(&s.Records, r.ID)
		if m.Before == "" || m.Undone || sameData(m.Before, m.Data) {
			return nil
		}
		id, err := b.number(r.ID)
		if err != nil {
			return err
		}
		if err := p.settled(saga.Current(ctx)); err != nil {
			return err
		}
		if err := p.replaceRecord(ctx, b, r, id, m.Before); err != nil {
			return err
		}
		m.Undone = true
		return nil
	})
}

// replaceRecord has a record say something else. To ask twice is to ask once.
func (p *Steps) replaceRecord(ctx context.Context, b *builder, r blueprint.Resource, id int64, data string) error {
	request := recordSaying(r.Record, data)
	_, err := b.c.ReplaceRecord(b.permitted(ctx, request.ReplacePermit(id)), id, request)
	if errors.Is(err, digitalocean.Unknown) {
		return saga.Wait(saga.Current(ctx).Now().Add(p.set.Poll), "the answer of record %s was lost", r.Name)
	}
	return err
}

// resumeHealth asks the probes, where they count.
func (p *Steps) resumeHealth(ctx context.Context, s *Resumption) error {
	if s.SkipProbe {
		return nil
	}
	return p.checkHealth(ctx, &s.Building)
}

// recordResumption says that the stack is in service, and that the snapshots are a backup
// of it, which is kept for a while.
func recordResumption(ctx context.Context, tx *sql.Tx, s *Resumption) error {
	if err := settleStack(ctx, tx, &s.Building, s.Saga, StackActive, 0); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM stack_resources WHERE stack_id = $1 AND kind = $2`, string(s.Stack), string(blueprint.SnapshotKind)); err != nil {
		return err
	}
	if err := drop(ctx, tx, &s.Building, func(r blueprint.Resource) bool { return r.ID == quarantineID || r.Kind == blueprint.SnapshotKind }); err != nil {
		return err
	}
	if s.Backup == "" {
		return nil
	}
	return recordArchive(ctx, tx, &s.Building, s.Backup, s.Items, s.TakenAt, resumedDays)
}
