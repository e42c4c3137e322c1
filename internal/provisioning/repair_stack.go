package provisioning

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/provisioning/blueprint"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// RepairStackKind brings what a stack has back to what it expects.
const RepairStackKind = "repair_stack"

// A Repairing is the state of a saga that repairs a stack. What is to be made again is not
// in Made.
type Repairing struct {
	Building

	Mends     map[string][]string `json:"mends"` // by key: fields, or missing
	Sizes     map[string]string   `json:"sizes"` // that droplets have, by key
	Names     map[string]string   `json:"names"` // likewise
	SkipProbe bool                `json:"skip_probe,omitempty"`

	Power     map[string]*Power     `json:"power,omitempty"` // by droplet, which is resized
	There     map[string]*Act       `json:"there,omitempty"`
	Back      map[string]*Act       `json:"back,omitempty"`
	On        map[string]*Act       `json:"on,omitempty"`
	OffAgain  map[string]*Act       `json:"off_again,omitempty"`
	Turns     map[string]*Turn      `json:"turns,omitempty"` // by key and field
	Addresses map[string]*Leading   `json:"addresses,omitempty"`
	Tags      map[string]*Retagging `json:"tags,omitempty"`
	Firewalls map[string]*Rewall    `json:"firewalls,omitempty"`
	Records   map[string]*Resay     `json:"records,omitempty"`
}

// A Turn is what a saga's state knows of an action and of the one that takes it back.
type Turn struct {
	To   Act `json:"to,omitzero"`
	Back Act `json:"back,omitzero"`
}

// A Retagging is what a saga's state knows of the tags of a thing that it changes.
type Retagging struct {
	Looked  bool     `json:"looked,omitempty"`
	Adds    []string `json:"adds,omitempty"`
	Removes []string `json:"removes,omitempty"`
	Done    bool     `json:"done,omitempty"`
	Undone  bool     `json:"undone,omitempty"`
}

// A Rewall is what a saga's state knows of having a firewall say something else.
type Rewall struct {
	Before *digitalocean.Firewall `json:"before,omitempty"`
	Done   bool                   `json:"done,omitempty"`
	Undone bool                   `json:"undone,omitempty"`
}

// A Resay is what a saga's state knows of having a record say something else.
type Resay struct {
	Before *digitalocean.Record `json:"before,omitempty"`
	Done   bool                 `json:"done,omitempty"`
	Undone bool                 `json:"undone,omitempty"`
}

// missingField stands among a resource's fields for the resource itself.
const missingField = string(MissingThing)

// mends reports whether a repair is about one of the fields of a resource.
func (s *Repairing) mends(key string, fields ...string) bool {
	return slices.ContainsFunc(s.Mends[key], func(field string) bool { return slices.Contains(fields, field) })
}

// with are the resources of a kind that a repair is about in one of these fields.
func (s *Repairing) with(kind blueprint.Kind, fields ...string) []blueprint.Resource {
	return slices.DeleteFunc(s.of(kind), func(r blueprint.Resource) bool { return !s.mends(r.ID, fields...) })
}

// sayings are the fields of a firewall, and of a record, that are said as a whole.
var (
	wallFields   = []string{"name", "inbound", "outbound", "droplets"}
	recordFields = []string{"name", "ttl", "priority", "port", "weight", "data"}
)

func (p *Steps) repairStack() saga.Kind[Repairing] {
	again := p.patient()
	type each = func(context.Context, *builder, *Repairing, blueprint.Resource) error
	// step does something to each resource of a kind that is about one of the fields.
	step := func(name string, kind blueprint.Kind, do, undo each, fields ...string) saga.Step[Repairing] {
		of := func(f each) func(context.Context, *Repairing) error {
			return unfrozen(p, func(ctx context.Context, s *Repairing) error {
				about := s.with(kind, fields...)
				if len(about) == 0 {
					return nil
				}
				b, err := p.builder(ctx, &s.Building)
				if err != nil {
					return err
				}
				return all(about, func(r blueprint.Resource) error { return f(ctx, b, s, r) })
			})
		}
		return saga.Step[Repairing]{Name: name, Retry: again, Again: again, Do: of(do), Undo: of(undo)}
	}
	makes := func(name string, kind blueprint.Kind) saga.Step[Repairing] {
		return saga.Step[Repairing]{
			Name: name, Retry: again, Again: again,
			Do:   unfrozen(p, func(ctx context.Context, s *Repairing) error { return p.makeMissing(ctx, s, kind, true) }),
			Undo: unfrozen(p, func(ctx context.Context, s *Repairing) error { return p.makeMissing(ctx, s, kind, false) }),
		}
	}
	return saga.Kind[Repairing]{
		Name: RepairStackKind,
		Begin: func(s *Repairing) error {
			if s.Stack == "" || len(s.Mends) == 0 || s.Saga != "" || len(s.Health)+len(s.Power)+len(s.Turns) > 0 {
				return fault.New(fault.Invalid, "A stack is repaired by applying a plan: arcadia stack repair, then arcadia stack apply.")
			}
			return nil
		},
		Subjects: func(s Repairing) []string { return s.locks() },
		Policy:   saga.Refuse,
		Steps: []saga.Step[Repairing]{
			{Name: "begin_repair", NothingToUndo: "it does nothing", Do: func(ctx context.Context, s *Repairing) error {
				s.Saga = saga.Current(ctx).Saga
				return nil
			}},
			makes("create_tags", blueprint.TagKind),
			step("power_off", blueprint.DropletKind, p.repairOff, p.unrepairOff, "size"),
			step("resize", blueprint.DropletKind, p.repairSize, p.unrepairSize, "size"),
			step("power_on", blueprint.DropletKind, p.repairOn, p.unrepairOn, "size", "power"),
			step("rename", blueprint.DropletKind, p.turn("name", true), p.turn("name", false), "name"),
			step("enable_backups", blueprint.DropletKind, p.turn("backups", true), p.turn("backups", false), "backups"),
			step("attach_volumes", blueprint.VolumeKind, p.turn("attached", true), p.turn("attached", false), "attached"),
			makes("reserve_addresses", blueprint.ReservedIPKind),
			step("assign_addresses", blueprint.ReservedIPKind, p.repairLeading, p.unrepairLeading, "leads_to"),
			step("tag_droplets", blueprint.DropletKind, p.retag, p.unretag, "tags"),
			step("tag_volumes", blueprint.VolumeKind, p.retag, p.unretag, "tags"),
			makes("create_firewalls", blueprint.FirewallKind),
			step("replace_firewalls", blueprint.FirewallKind, p.rewall, p.unrewall, wallFields...),
			makes("create_records", blueprint.RecordKind),
			step("replace_records", blueprint.RecordKind, p.resay, p.unresay, recordFields...),
			{Name: "check_health", NothingToUndo: onlyReads, Do: func(ctx context.Context, s *Repairing) error {
				return p.healthAfter(ctx, &s.Building, s.SkipProbe)
			}},
			{Name: "record_stack", NothingToUndo: "it is the last step", Local: func(ctx context.Context, tx *sql.Tx, s *Repairing) error {
				return settleStack(ctx, tx, &s.Building, s.Saga, StackActive, 0)
			}},
		},
	}
}

// makeMissing makes the resources of a kind that are gone, or takes that back.
func (p *Steps) makeMissing(ctx context.Context, s *Repairing, kind blueprint.Kind, do bool) error {
	about := s.with(kind, missingField)
	if len(about) == 0 {
		return nil
	}
	b, err := p.builder(ctx, &s.Building)
	if err != nil {
		return saga.Permanent(err)
	}
	if !do {
		return p.unmakeAll(ctx, about, b.thing, s.made)
	}
	if kind == blueprint.FirewallKind || kind == blueprint.RecordKind {
		if err := p.acquaint(ctx, b); err != nil {
			return err
		}
	}
	return p.makeAll(ctx, about, b.thing, s.made)
}

// acquaint reads what expressions may ask for of what is there, whether it runs or not.
func (p *Steps) acquaint(ctx context.Context, b *builder) error {
	s := b.state
	for _, r := range s.standingOf(blueprint.ReservedIPKind) {
		s.know("reserved_ip."+r.Key+".address", b.id(r.ID))
	}
	for _, kind := range []blueprint.Kind{blueprint.VPCKind, blueprint.VolumeKind, blueprint.DropletKind} {
		for _, r := range s.standingOf(kind) {
			if _, _, err := b.thing(r).read(ctx, b.id(r.ID)); err != nil {
				return err
			}
			if kind != blueprint.DropletKind {
				continue
			}
			n, err := b.number(r.ID)
			if err != nil {
				return err
			}
			is, err := b.c.Droplet(ctx, n)
			if err != nil {
				return err
			}
			s.know("droplet."+r.Key+".public_ip", is.PublicIPv4)
			s.know("droplet."+r.Key+".private_ip", is.PrivateIPv4)
			s.know("droplet."+r.Key+".public_ipv6", is.PublicIPv6)
		}
	}
	return nil
}

func (p *Steps) repairOff(ctx context.Context, b *builder, s *Repairing, r blueprint.Resource) error {
	return p.powerOff(ctx, b, r, entry(&s.Power, r.ID))
}

func (p *Steps) unrepairOff(ctx context.Context, b *builder, s *Repairing, r blueprint.Resource) error {
	return p.powerBack(ctx, b, r, entry(&s.Power, r.ID))
}

func (p *Steps) repairSize(ctx context.Context, b *builder, s *Repairing, r blueprint.Resource) error {
	d, err := b.sizing(r, r.Droplet.Size, false)
	if err != nil {
		return err
	}
	d.believed = true // it has another, as the plan read
	return p.act(ctx, b.c, d, entry(&s.There, r.ID))
}

func (p *Steps) unrepairSize(ctx context.Context, b *builder, s *Repairing, r blueprint.Resource) error {
	a := saga.Current(ctx)
	if entry(&s.There, r.ID).untouched(a) {
		return nil
	}
	if err := p.settled(a); err != nil {
		return err
	}
	d, err := b.sizing(r, s.Sizes[r.ID], false)
	if err != nil {
		return err
	}
	return p.act(ctx, b.c, d, entry(&s.Back, r.ID))
}

// repairOn switches on what is to run: what was switched off to be resized, and what was
// found off, where the repair is about that too.
func (p *Steps) repairOn(ctx context.Context, b *builder, s *Repairing, r blueprint.Resource) error {
	if !s.mends(r.ID, "power") && entry(&s.Power, r.ID).Before == "off" {
		return nil
	}
	return p.powerOn(ctx, b, r, entry(&s.On, r.ID))
}

func (p *Steps) unrepairOn(ctx context.Context, b *builder, s *Repairing, r blueprint.Resource) error {
	if entry(&s.On, r.ID).untouched(saga.Current(ctx)) {
		return nil
	}
	return p.unPowerOn(ctx, b, r, entry(&s.OffAgain, r.ID))
}

// turn does the deed about a field of a resource, or takes it back.
func (p *Steps) turn(field string, there bool) func(context.Context, *builder, *Repairing, blueprint.Resource) error {
	return func(ctx context.Context, b *builder, s *Repairing, r blueprint.Resource) error {
		m := entry(&s.Turns, r.ID+" "+field)
		d, err := s.turning(b, r, field, there)
		if err != nil {
			return err
		}
		if there {
			return p.act(ctx, b.c, d, &m.To)
		}
		a := saga.Current(ctx)
		if m.To.untouched(a) {
			return nil
		}
		if err := p.settled(a); err != nil {
			return err
		}
		return p.act(ctx, b.c, d, &m.Back)
	}
}

// turning is the deed about a field, or the one that takes it back: believed where nothing
// of this saga's was before it.
func (s *Repairing) turning(b *builder, r blueprint.Resource, field string, there bool) (d deed, err error) {
	if field == "attached" {
		droplet, err := b.number(r.Volume.Droplet)
		act := "detach"
		if there {
			act = "attach"
		}
		d = b.volumeDeed(r, b.id(r.ID), act, droplet)
		d.believed = there
		return d, err
	}
	n, err := b.number(r.ID)
	if err != nil {
		return d, err
	}
	if field == "name" {
		name := s.Names[r.ID]
		if there {
			name = r.Name
		}
		d = b.dropletDeed(r, digitalocean.DropletAct{Droplet: n, Type: "rename", Name: name}, func(is digitalocean.Droplet) (bool, string) {
			return is.Name == name, "its name is " + is.Name
		})
		d.believed = there
		return d, nil
	}
	request := digitalocean.DropletAct{Droplet: n, Type: "disable_backups"}
	if there {
		plan := r.Droplet.Backups
		request.Type, request.BackupPlan = "enable_backups", &digitalocean.BackupPlan{Plan: plan.Plan, Weekday: plan.Weekday, Hour: plan.Hour}
	}
	d = b.dropletDeed(r, request, func(is digitalocean.Droplet) (bool, string) {
		return slices.Contains(is.Features, "backups") == there, "its features are " + strings.Join(is.Features, ", ")
	})
	d.believed = there
	return d, nil
}

func (p *Steps) repairLeading(ctx context.Context, b *builder, s *Repairing, r blueprint.Resource) error {
	return p.lead(ctx, b, r, entry(&s.Addresses, r.ID))
}

func (p *Steps) unrepairLeading(ctx context.Context, b *builder, s *Repairing, r blueprint.Resource) error {
	return p.unlead(ctx, b, r, entry(&s.Addresses, r.ID))
}

// retag has a thing carry the tags that it is to, and no others but markers.
func (p *Steps) retag(ctx context.Context, b *builder, s *Repairing, r blueprint.Resource) error {
	m := entry(&s.Tags, r.ID)
	if m.Done {
		return nil
	}
	if !m.Looked {
		has, err := b.carried(ctx, r)
		if err != nil {
			return err
		}
		m.Adds, m.Removes, m.Looked = without(r.Tags, has), strangers(has, r.Tags), true
		return saga.Save("%s is to get the tags %q, and to lose %q", r.ID, m.Adds, m.Removes)
	}
	if err := p.putTags(ctx, b, r, m.Adds, m.Removes); err != nil {
		return err
	}
	m.Done = true
	return nil
}

func (p *Steps) unretag(ctx context.Context, b *builder, s *Repairing, r blueprint.Resource) error {
	m := entry(&s.Tags, r.ID)
	if !m.Looked || m.Undone {
		return nil
	}
	if err := p.settled(saga.Current(ctx)); err != nil {
		return err
	}
	if err := p.putTags(ctx, b, r, m.Removes, m.Adds); err != nil {
		return err
	}
	m.Undone = true
	return nil
}

// putTags puts tags on a thing and takes others off it. To ask twice is to ask once.
func (p *Steps) putTags(ctx context.Context, b *builder, r blueprint.Resource, adds, removes []string) error {
	urn := resourceURN(b.state.Account, r, b.id(r.ID))
	for _, one := range adds {
		request := digitalocean.Tagging{Tag: one, URNs: []string{urn}}
		if err := p.answered(ctx, b.c.TagResources(b.permitted(ctx, request.TagPermit()), request), "tags of "+r.Name); err != nil {
			return err
		}
	}
	for _, one := range removes {
		request := digitalocean.Tagging{Tag: one, URNs: []string{urn}}
		err := b.c.UntagResources(b.permitted(ctx, request.UntagPermit()), request)
		if err := p.answered(ctx, err, "tags of "+r.Name); err != nil && !errors.Is(err, digitalocean.NotFound) {
			return err
		}
	}
	return nil
}

// answered waits where the answer to a request was lost that may be sent again.
func (p *Steps) answered(ctx context.Context, err error, what string) error {
	if errors.Is(err, digitalocean.Unknown) {
		return saga.Wait(saga.Current(ctx).Now().Add(p.set.Poll), "the answer about the %s was lost", what)
	}
	return err
}

// carried are the tags that a droplet or a volume carries.
func (b *builder) carried(ctx context.Context, r blueprint.Resource) ([]string, error) {
	if r.Volume != nil {
		is, err := b.c.Volume(ctx, b.id(r.ID))
		return is.Tags, err
	}
	n, err := b.number(r.ID)
	if err != nil {
		return nil, err
	}
	is, err := b.c.Droplet(ctx, n)
	return is.Tags, err
}

// without are those of the tags that others lack.
func without(tags, others []string) (all []string) {
	for _, one := range tags {
		if !slices.ContainsFunc(others, func(other string) bool { return strings.EqualFold(one, other) }) {
			all = append(all, one)
		}
	}
	return all
}

// strangers are those of the tags that are neither wanted nor markers.
func strangers(tags, wanted []string) []string {
	return slices.DeleteFunc(without(tags, wanted), func(one string) bool { return strings.HasPrefix(strings.ToLower(one), "arcadia:") })
}

// rewall has a firewall say what the stack expects.
func (p *Steps) rewall(ctx context.Context, b *builder, s *Repairing, r blueprint.Resource) error {
	m := entry(&s.Firewalls, r.ID)
	if m.Done {
		return nil
	}
	if m.Before == nil {
		is, err := b.c.Firewall(ctx, b.id(r.ID))
		if err != nil {
			return err
		}
		m.Before = &is
		return saga.Save("firewall %s had %d rules in and %d out", is.Name, len(is.Inbound), len(is.Outbound))
	}
	if err := p.acquaint(ctx, b); err != nil {
		return err
	}
	spec := *r.Firewall
	spec.Droplets = slices.DeleteFunc(slices.Clone(spec.Droplets), func(key string) bool { return b.id(key) == "" })
	r.Firewall = &spec
	name := m.Before.Name
	if s.mends(r.ID, "name") {
		name = b.firewallName(r)
	}
	request, err := b.firewallRequest(r, name)
	if err != nil {
		return err
	}
	if _, err := b.c.ReplaceFirewall(b.permitted(ctx, request.ReplacePermit(m.Before.ID)), m.Before.ID, request); err != nil {
		return p.answered(ctx, err, "firewall "+r.Name)
	}
	m.Done = true
	return nil
}

func (p *Steps) unrewall(ctx context.Context, b *builder, s *Repairing, r blueprint.Resource) error {
	m := entry(&s.Firewalls, r.ID)
	if m.Before == nil || m.Undone {
		return nil
	}
	if err := p.settled(saga.Current(ctx)); err != nil {
		return err
	}
	was := m.Before
	request := digitalocean.FirewallCreate{Name: was.Name, Inbound: was.Inbound, Outbound: was.Outbound, Droplets: was.Droplets, Tags: was.Tags}
	if _, err := b.c.ReplaceFirewall(b.permitted(ctx, request.ReplacePermit(was.ID)), was.ID, request); err != nil {
		return p.answered(ctx, err, "firewall "+r.Name)
	}
	m.Undone = true
	return nil
}

// resay has a record say what the stack expects.
func (p *Steps) resay(ctx context.Context, b *builder, s *Repairing, r blueprint.Resource) error {
	m := entry(&s.Records, r.ID)
	if m.Done {
		return nil
	}
	id, err := b.number(r.ID)
	if err != nil {
		return err
	}
	if m.Before == nil {
		is, err := b.c.Record(ctx, r.Record.Domain, id)
		if err != nil {
			return err
		}
		m.Before = &is
		return saga.Save("record %s said %s", r.Name, is.Data)
	}
	if err := p.acquaint(ctx, b); err != nil {
		return err
	}
	data, err := s.value(r.Record.Data)
	if err != nil {
		return saga.Permanent(err)
	}
	if err := p.replaceRecord(ctx, b, r, id, data); err != nil {
		return err
	}
	m.Done = true
	return nil
}

func (p *Steps) unresay(ctx context.Context, b *builder, s *Repairing, r blueprint.Resource) error {
	m := entry(&s.Records, r.ID)
	if m.Before == nil || m.Undone {
		return nil
	}
	if err := p.settled(saga.Current(ctx)); err != nil {
		return err
	}
	was := m.Before
	request := digitalocean.RecordCreate{
		Domain: r.Record.Domain, Type: was.Type, Name: was.Name, Data: was.Data, TTL: was.TTL, Priority: was.Priority, Port: was.Port, Weight: was.Weight,
	}
	if _, err := b.c.ReplaceRecord(b.permitted(ctx, request.ReplacePermit(was.ID)), was.ID, request); err != nil {
		return p.answered(ctx, err, "record "+strconv.FormatInt(was.ID, 10))
	}
	m.Undone = true
	return nil
}
