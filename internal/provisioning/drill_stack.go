package provisioning

import (
	"context"
	"database/sql"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/id"
	"github.com/arcadia-cloud/arcadia/internal/provisioning/blueprint"
	"github.com/arcadia-cloud/arcadia/internal/saga"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

// DrillStackKind tries a restore out.
const DrillStackKind = "drill_stack"

// A Drill is the state of a saga that makes droplets and volumes of a backup beside the
// stack, probes them, and destroys them.
type Drill struct {
	Building // what is made: its spec is no stack's

	Drill   DrillID   `json:"drill"`
	BeganAt time.Time `json:"began_at,omitzero"`
	ReadyAt time.Time `json:"ready_at,omitzero"` // when all probes were content
	Failure string    `json:"failure,omitempty"` // what the probes said otherwise
}

// drillOrder is the order in which a drill makes things: the firewall, which names a tag,
// is in force before there is a droplet that has the tag.
var drillOrder = []blueprint.Kind{blueprint.TagKind, blueprint.VPCKind, blueprint.VolumeKind, blueprint.FirewallKind, blueprint.DropletKind}

func (p *Steps) drillStack() saga.Kind[Drill] {
	again := p.patient()
	k := saga.Kind[Drill]{
		Name: DrillStackKind,
		Begin: func(s *Drill) error {
			if s.Drill == "" || s.Origin == "" || s.Saga != "" || len(s.Made)+len(s.Health) > 0 {
				return fault.New(fault.Invalid, "A restore is tried out by applying a plan: arcadia stack drill, then arcadia stack apply.")
			}
			return nil
		},
		Subjects: func(s Drill) []string { return []string{"drill:" + string(s.Stack), s.Origin.subject()} }, // the stack itself stays free
		Policy:   saga.Refuse,
		Steps: []saga.Step[Drill]{{Name: "check_room", NothingToUndo: onlyReads, Do: func(ctx context.Context, s *Drill) error {
			s.BeganAt = saga.Current(ctx).Now()
			return p.checkRoom(ctx, &s.Building)
		}}},
	}
	names := func(kind blueprint.Kind) (create, remove string) {
		for _, one := range builds {
			if one.kind == kind {
				return one.make, one.remove
			}
		}
		panic("provisioning: no step makes a " + string(kind))
	}
	of := func(f func(context.Context, *Building, blueprint.Kind) error, kind blueprint.Kind) func(context.Context, *Drill) error {
		return unfrozen(p, func(ctx context.Context, s *Drill) error { return f(ctx, &s.Building, kind) })
	}
	for _, kind := range drillOrder {
		create, _ := names(kind)
		k.Steps = append(k.Steps, saga.Step[Drill]{Name: create, Do: of(p.buildAll, kind), Undo: of(p.unbuildAll, kind), Retry: again, Again: again})
	}
	k.Steps = append(k.Steps, saga.Step[Drill]{Name: "probe", Do: p.probeDrill, NothingToUndo: onlyReads})
	for _, kind := range slices.Backward(drillOrder) {
		_, remove := names(kind)
		k.Steps = append(k.Steps, saga.Step[Drill]{
			Name: remove, Do: of(p.removeAll, kind), Retry: again, NothingToUndo: "what it deletes is to be deleted in any case",
		})
	}
	k.Steps = append(k.Steps, saga.Step[Drill]{Name: "record_drill", Local: recordDrill, NothingToUndo: "it is the last step"})
	return k
}

// probeDrill asks the probes until all are content. That they are not is a result too.
func (p *Steps) probeDrill(ctx context.Context, s *Drill) error {
	err := p.checkHealth(ctx, &s.Building)
	switch {
	case err == nil:
		s.ReadyAt = saga.Current(ctx).Now()
	case saga.IsWait(err):
		return err
	default:
		s.Failure = fault.Message(err)
	}
	return nil
}

// scratch is what a drill makes of a backup: the droplets and volumes that it has, with
// names of their own, in a network of their own where the stack has one, under one
// firewall that lets in what is probed, and nothing out. What leads others to the stack,
// its addresses and records, is not among it, and no user data is run.
func scratch(b StackBackup) blueprint.Spec {
	name := "drill-" + id.Random8(string(b.ID))
	tag := blueprint.StackTagPrefix + name
	spec := blueprint.Spec{
		Blueprint: b.Spec.Blueprint, Version: b.Spec.Version, Tenant: b.Spec.Tenant, Stack: blueprint.Stack{ID: name, Name: name},
		Region: b.Spec.Region, Health: map[string]blueprint.Probe{},
	}
	spec.Resources = append(spec.Resources, blueprint.Resource{ID: "tag." + tag, Kind: blueprint.TagKind, Key: tag, Name: tag})
	items := map[string]BackupItem{}
	for _, i := range b.Items {
		items[i.Key] = i
	}
	first := ""
	for _, r := range b.Spec.Resources {
		r.Name, r.DependsOn, r.Tags = name+"-"+r.Key, nil, append([]string{tag}, ownersTags(r.Tags)...)
		i, copied := items[r.ID]
		switch {
		case r.VPC != nil:
			r.VPC, r.Tags = &blueprint.VPCSpec{Region: r.VPC.Region}, nil
		case r.Volume != nil && copied:
			v := *r.Volume
			v.SizeGiB = max(v.SizeGiB, i.MinDiskGiB)
			r.Volume = &v
		case r.Droplet != nil && copied:
			d := *r.Droplet
			d.UserData, d.Backups, d.Monitoring = nil, nil, false
			d.Volumes = slices.DeleteFunc(slices.Clone(d.Volumes), func(v string) bool { return items[v].Key == "" })
			r.Droplet = &d
			if first == "" {
				first = r.Key
			}
		default:
			continue
		}
		spec.Resources = append(spec.Resources, r)
	}
	firewall := &blueprint.FirewallSpec{Droplets: []string{}, Tags: []string{tag}}
	for key, probe := range b.Spec.Health {
		if probe.Type == "callback" || first == "" {
			continue
		}
		if probe.Type == "https" { // its certificate is for the stack's name
			probe = blueprint.Probe{Type: "tcp", Port: probe.Port, Timeout: probe.Timeout}
		}
		probe.Target = blueprint.Expr("${droplet." + probed(b.Spec, b.Spec.Health[key], first) + ".public_ip}")
		spec.Health[key] = probe
	}
	ports := []int{}
	for _, probe := range spec.Health {
		ports = append(ports, probe.Port)
	}
	slices.Sort(ports)
	for _, port := range slices.Compact(ports) {
		firewall.Inbound = append(firewall.Inbound, blueprint.RuleSpec{Protocol: "tcp", Ports: strconv.Itoa(port), Addresses: []blueprint.Expr{"0.0.0.0/0", "::/0"}})
	}
	if len(ports) == 0 { // a firewall has a rule; this one lets nobody in
		firewall.Inbound = []blueprint.RuleSpec{{Protocol: "tcp", Ports: "22", Addresses: []blueprint.Expr{"127.0.0.1/32"}}}
	}
	spec.Resources = append(spec.Resources, blueprint.Resource{ID: "firewall.drill", Kind: blueprint.FirewallKind, Key: "drill", Name: name, Firewall: firewall})
	return spec
}

// ownersTags are those of the tags that say whose a thing is.
func ownersTags(tags []string) (all []string) {
	for _, tag := range tags {
		if strings.HasPrefix(tag, tenant.TagPrefix) || strings.HasPrefix(tag, blueprint.TenantTagPrefix) {
			all = append(all, tag)
		}
	}
	return all
}

// probed is the key of the droplet that a probe asks, by way of an address or a name of
// the stack's: the one that the address leads to, else the first.
func probed(spec blueprint.Spec, p blueprint.Probe, first string) string {
	for _, word := range p.Target.References() {
		kind, rest, _ := strings.Cut(word, ".")
		key, _, _ := strings.Cut(rest, ".")
		r, ok := spec.Resource(kind + "." + key)
		switch {
		case ok && r.Droplet != nil:
			return r.Key
		case ok && r.ReservedIP != nil:
			return strings.TrimPrefix(r.ReservedIP.Droplet, string(blueprint.DropletKind)+".")
		}
	}
	return first
}

var drillOperation = Operation{
	Verb: TryOut, Kind: DrillStackKind, Help: "Make a backup's droplets beside the stack, probe them and destroy them.", From: []StackState{StackActive, StackSuspended, StackGone},
	Options: []Option{{Name: "backup", Type: TextOption, Help: "The backup's id; empty: the newest."}},
	draw:    (*Service).drawDrill, sweep: (*Service).sweepStack,
}

func (s *Service) drawDrill(ctx context.Context, r PlanRequest, d *drawn) error {
	from, err := s.usable(ctx, d.stack, r.Options["backup"])
	if err != nil {
		return err
	}
	if err := s.snapshotsAreThere(ctx, from); err != nil {
		return err
	}
	c, err := s.steps.cloud(ctx, d.Account)
	if err != nil {
		return err
	}
	drill := Drill{Drill: DrillID(id.New("drill")), Building: Building{
		Account: d.Account, Tenant: string(d.Tenant), Stack: d.Stack, Name: d.Name, Spec: scratch(from), Origin: from.ID,
		From: map[string]string{}, Disks: map[string]string{},
	}}
	for _, i := range from.Items {
		if drill.From[i.Key] = i.Snapshot; i.Kind == string(blueprint.VolumeKind) {
			drill.Disks[i.Key] = i.Name
		}
	}
	delete(d.Read, "revision of the stack") // it stays as it is, whatever becomes of it
	d.Read["backup"] = string(from.ID)
	d.building = drill.Building
	before := d.Read
	d.Room = map[string]string{}
	if err := s.readCatalog(ctx, c, d); err != nil {
		return err
	}
	d.Read, d.After = before, 0 // it is there for minutes
	calls := d.creates()
	for _, one := range builds {
		for range drill.of(one.kind) {
			calls[one.remove] = append(calls[one.remove], strings.Replace(one.call, "POST", "DELETE", 1)+"/{id}")
		}
	}
	for _, change := range slices.Clone(d.Changes) {
		change.Action, change.Monthly, change.Detail = "destroy", nil, "which the drill made"
		d.Changes = append(d.Changes, change)
	}
	d.Warnings = append(d.Warnings, "What it makes is charged for as long as it is there, by the hour or the second as DigitalOcean does. The sums a month do not count it.")
	if len(drill.Spec.Health) == 0 {
		d.Warnings = append(d.Warnings, "The stack has no probe that could be asked: the drill shows only that its droplets come up.")
	}
	d.Steps = planned(s.steps.drillStack(), calls)
	d.input = func(of PlanID) any {
		drill.Plan = of
		return drill
	}
	d.begin = func(ctx context.Context, tx *sql.Tx, of saga.ID, at time.Time) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO stack_drills (id, stack_id, backup_id, saga_id, began_at, outcome, said) VALUES ($1, $2, $3, $4, $5, 'running', '')`,
			string(drill.Drill), string(d.Stack), string(from.ID), string(of), db.Micros(at))
		return err
	}
	return nil
}

// A DrillID names a drill, "drill_…".
type DrillID string

// A StackDrill is a restore that was tried out.
type StackDrill struct {
	ID      DrillID
	Stack   StackID
	Backup  BackupID
	Saga    saga.ID
	BeganAt time.Time
	ReadyAt time.Time // when all probes were content; zero: they were not
	EndedAt time.Time // when all was destroyed again
	Outcome string    // running, passed, failed, or undone: it did not get as far as the probes
	Said    string    // why it failed
}

// recordDrill writes down what became of a drill.
func recordDrill(ctx context.Context, tx *sql.Tx, s *Drill) error {
	outcome := "passed"
	if s.Failure != "" {
		outcome = "failed"
	}
	_, err := tx.ExecContext(ctx, `UPDATE stack_drills SET outcome = $1, said = $2, began_at = $3, ready_at = $4, ended_at = $5 WHERE saga_id = $6`,
		outcome, s.Failure, db.Micros(s.BeganAt), db.NullTime{Time: s.ReadyAt}, db.Micros(time.Now()), string(s.Saga))
	return err
}

// Drills are the drills of a stack, or of all where it is empty, the newest first.
func (s *Service) Drills(ctx context.Context, of StackID) ([]StackDrill, error) {
	return s.drills(ctx, `$1 = '' OR stack_id = $1`, string(of))
}

func (s *Service) drills(ctx context.Context, where string, args ...any) ([]StackDrill, error) {
	all, err := db.All(ctx, s.db.Read(), func(rows *sql.Rows) (d StackDrill, err error) {
		var (
			began        int64
			ready, ended db.NullTime
		)
		err = rows.Scan(&d.ID, &d.Stack, &d.Backup, &d.Saga, &began, &ready, &ended, &d.Outcome, &d.Said)
		d.BeganAt, d.ReadyAt, d.EndedAt = db.Time(began), ready.Time, ended.Time
		return d, err
	}, `SELECT id, stack_id, backup_id, saga_id, began_at, ready_at, ended_at, outcome, said FROM stack_drills WHERE `+where+` ORDER BY began_at DESC, id DESC`, args...)
	if err != nil {
		return nil, err
	}
	for i, d := range all {
		if d.Outcome != "running" {
			continue
		}
		of, err := s.engine.Saga(ctx, d.Saga)
		if err != nil {
			return nil, err
		}
		if of.State == saga.RolledBack {
			all[i].Outcome, all[i].Said = "undone", "it could not be made"
			if of.Error != nil {
				all[i].Said = of.Error.Message
			}
		}
	}
	return all, nil
}

// runDrills begins the drills that blueprints ask for and that are due: of stacks that
// have a backup, counted from the last drill on. What was missed is made up once.
func (s *Service) runDrills(ctx context.Context, at time.Time) error {
	found, err := s.stacks(ctx, s.db.Read(), `state = 'active' AND spec->'backup_policy'->>'drill' IS NOT NULL
		AND EXISTS (SELECT 1 FROM stack_backups b WHERE b.stack_id = stacks.id AND b.deleted_at IS NULL)`)
	if err != nil {
		return err
	}
	for _, one := range found {
		rest := "drill " + string(one.ID)
		if !s.rests.over(rest, at) {
			continue
		}
		since := one.CreatedAt
		if drills, err := s.Drills(ctx, one.ID); err != nil {
			return err
		} else if len(drills) > 0 {
			since = drills[0].BeganAt
		}
		plan, err := parseCron(one.Spec.BackupPolicy.Drill, one.Spec.Tenant.Zone)
		if err == nil && plan.next(since).After(at) {
			continue
		}
		if err == nil {
			err = s.beginDue(ctx, PlanRequest{Verb: TryOut, Stack: string(one.ID)}, one, at)
		}
		if err != nil {
			s.rests.begin(rest, at)
			s.steps.log.Warn("a drill that is due could not begin", "stack", one.ID, "err", err)
		}
	}
	return nil
}
