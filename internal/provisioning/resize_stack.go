package provisioning

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/provisioning/blueprint"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// ResizeStackKind gives a droplet of a stack another size, or grows a volume.
const ResizeStackKind = "resize_stack"

// growStep grows a disk, which never gets smaller again.
const growStep = "grow_disk"

// A Resizing is the state of a saga that resizes a droplet or grows a volume.
type Resizing struct {
	Building // as it is to be

	Target    string `json:"target"` // id of the resource
	From      string `json:"from"`   // a droplet's size before
	Disk      bool   `json:"disk,omitempty"`
	SkipProbe bool   `json:"skip_probe,omitempty"`
	Power     Power  `json:"power,omitzero"`
	There     Act    `json:"there,omitzero"` // to the new size
	Back      Act    `json:"back,omitzero"`  // to the old one
	On        Act    `json:"on,omitzero"`
	OffAgain  Act    `json:"off_again,omitzero"`
	Grow      Act    `json:"grow,omitzero"`
	OnGrown   Act    `json:"on_grown,omitzero"`
}

func (p *Steps) resizeStack() saga.Kind[Resizing] {
	again := p.patient()
	step := func(name string, does func(*Resizing) bool, do, undo func(context.Context, *builder, blueprint.Resource, *Resizing) error) saga.Step[Resizing] {
		return saga.Step[Resizing]{Name: name, Retry: again, Again: again, Do: p.onTarget(does, do), Undo: p.onTarget(does, undo)}
	}
	return saga.Kind[Resizing]{
		Name: ResizeStackKind,
		Begin: func(s *Resizing) error {
			if s.Stack == "" || s.Target == "" || s.Saga != "" || len(s.Health) > 0 || s.Power.Before != "" {
				return fault.New(fault.Invalid, "A stack is resized by applying a plan: arcadia stack resize, then arcadia stack apply.")
			}
			return nil
		},
		Subjects: func(s Resizing) []string { return s.locks() },
		Policy:   saga.Refuse,
		Steps: []saga.Step[Resizing]{
			{Name: "begin_resize", NothingToUndo: "it does nothing", Do: func(ctx context.Context, s *Resizing) error {
				s.Saga = saga.Current(ctx).Saga
				return nil
			}},
			step("power_off", (*Resizing).ofDroplet,
				func(ctx context.Context, b *builder, r blueprint.Resource, s *Resizing) error {
					return p.powerOff(ctx, b, r, &s.Power)
				},
				func(ctx context.Context, b *builder, r blueprint.Resource, s *Resizing) error {
					return p.powerBack(ctx, b, r, &s.Power)
				}),
			step("resize", (*Resizing).reversible, p.resize, p.resizeBack),
			step("power_on", (*Resizing).reversible, p.powerOnAgain, p.powerOffAgain),
			{Name: "check_health", NothingToUndo: onlyReads, Do: func(ctx context.Context, s *Resizing) error {
				if !s.reversible() {
					return nil
				}
				return p.healthAfter(ctx, &s.Building, s.SkipProbe || s.Power.Before == "off")
			}},
			{Name: growStep, Pivot: true, Retry: again, Do: p.onTarget(func(s *Resizing) bool { return !s.reversible() }, p.grow)},
			{Name: "power_on_grown", Forward: true, Retry: again, Do: p.onTarget(
				func(s *Resizing) bool { return s.ofDroplet() && s.Disk },
				func(ctx context.Context, b *builder, r blueprint.Resource, s *Resizing) error {
					if s.Power.Before == "off" {
						return nil
					}
					return p.powerOn(ctx, b, r, &s.OnGrown)
				})},
			{Name: "check_health_grown", NothingToUndo: onlyReads, Do: func(ctx context.Context, s *Resizing) error {
				if s.reversible() {
					return nil
				}
				return p.healthAfter(ctx, &s.Building, s.SkipProbe || s.Power.Before == "off")
			}},
			{Name: "record_stack", Local: recordResizing, NothingToUndo: "it is the last step"},
		},
	}
}

func (s *Resizing) ofDroplet() bool {
	return strings.HasPrefix(s.Target, string(blueprint.DropletKind)+".")
}

// reversible reports whether the resizing can be taken back: a disk that has grown
// cannot.
func (s *Resizing) reversible() bool { return s.ofDroplet() && !s.Disk }

// onTarget is a step about the one resource that is resized, where it does anything.
func (p *Steps) onTarget(does func(*Resizing) bool, do func(context.Context, *builder, blueprint.Resource, *Resizing) error) func(context.Context, *Resizing) error {
	return unfrozen(p, func(ctx context.Context, s *Resizing) error {
		if !does(s) {
			return nil
		}
		b, err := p.builder(ctx, &s.Building)
		if err != nil {
			return err
		}
		r, ok := s.Spec.Resource(s.Target)
		if !ok {
			return saga.Permanent(fault.New(fault.Internal, "The stack has no %s.", s.Target))
		}
		return do(ctx, b, r, s)
	})
}

// sizing is the deed that gives a droplet a size.
func (b *builder) sizing(r blueprint.Resource, size string, disk bool) (deed, error) {
	n, err := b.number(r.ID)
	request := digitalocean.DropletAct{Droplet: n, Type: "resize", Size: size, Disk: disk}
	return b.dropletDeed(r, request, func(d digitalocean.Droplet) (bool, string) { return d.Size == size, "its size is " + d.Size }), err
}

func (p *Steps) resize(ctx context.Context, b *builder, r blueprint.Resource, s *Resizing) error {
	d, err := b.sizing(r, r.Droplet.Size, false)
	if err != nil {
		return err
	}
	d.believed = true // it never had that size before
	return p.act(ctx, b.c, d, &s.There)
}

func (p *Steps) resizeBack(ctx context.Context, b *builder, r blueprint.Resource, s *Resizing) error {
	a := saga.Current(ctx)
	if s.There.untouched(a) {
		return nil
	}
	if err := p.settled(a); err != nil {
		return err
	}
	d, err := b.sizing(r, s.From, false)
	if err != nil {
		return err
	}
	return p.act(ctx, b.c, d, &s.Back)
}

func (p *Steps) powerOnAgain(ctx context.Context, b *builder, r blueprint.Resource, s *Resizing) error {
	if s.Power.Before == "off" {
		return nil
	}
	return p.powerOn(ctx, b, r, &s.On)
}

// powerOffAgain undoes powerOnAgain: only what is off takes its old size.
func (p *Steps) powerOffAgain(ctx context.Context, b *builder, r blueprint.Resource, s *Resizing) error {
	if s.On.untouched(saga.Current(ctx)) {
		return nil
	}
	return p.unPowerOn(ctx, b, r, &s.OffAgain)
}

// grow grows the disk of a droplet, or a volume. Where DigitalOcean refuses that, nothing
// has grown, and the saga goes back.
func (p *Steps) grow(ctx context.Context, b *builder, r blueprint.Resource, s *Resizing) error {
	d, err := b.growing(r)
	if err != nil {
		return err
	}
	err = p.act(ctx, b.c, d, &s.Grow)
	if s.Grow.Failed && s.Grow.Errored == 0 && s.Grow.Action == 0 && saga.Current(ctx).UnknownSince.IsZero() {
		return saga.NotDone(err)
	}
	return err
}

func (b *builder) growing(r blueprint.Resource) (deed, error) {
	if r.Droplet != nil {
		d, err := b.sizing(r, r.Droplet.Size, true)
		d.believed = true
		return d, err
	}
	request := digitalocean.VolumeAct{Volume: b.id(r.ID), Type: "resize", Region: r.Volume.Region, SizeGiB: int64(r.Volume.SizeGiB)}
	return deed{
		what: "resize of volume " + r.Name, account: b.state.Account, kind: "volume", id: request.Volume, believed: true,
		seen: func(ctx context.Context) (bool, string, error) {
			is, err := b.c.Volume(ctx, request.Volume)
			return err == nil && is.SizeGiB == request.SizeGiB, fmt.Sprintf("it has %d GiB", is.SizeGiB), err
		},
		ask: func(ctx context.Context) (digitalocean.Action, error) {
			return b.c.ActOnVolume(b.permitted(ctx, request.Permit()), request)
		},
	}, nil
}

// healthAfter asks the probes of a stack that was there before, unless they are skipped.
func (p *Steps) healthAfter(ctx context.Context, s *Building, skip bool) error {
	if skip || len(s.Spec.Health) == 0 {
		return nil
	}
	b, err := p.builder(ctx, s)
	if err != nil {
		return err
	}
	if err := p.learn(ctx, b); err != nil {
		return err
	}
	return p.checkHealth(ctx, s)
}

// recordResizing says what the stack is now.
func recordResizing(ctx context.Context, tx *sql.Tx, s *Resizing) error {
	return settleChanged(ctx, tx, &s.Building)
}

// settleChanged says what a stack is whose spec has changed, and its parameters with it.
func settleChanged(ctx context.Context, tx *sql.Tx, s *Building) error {
	values := map[string]string{}
	for name, setting := range s.Spec.Parameters {
		values[name] = setting.Value
	}
	text, err := json.Marshal(values)
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `UPDATE stacks SET parameters = $1 WHERE id = $2`, string(text), string(s.Stack)); err != nil {
		return err
	}
	return settleStack(ctx, tx, s, s.Saga, StackActive, 0)
}

// Resize is the verb.
const Resize Verb = "resize"

var resizeOperation = Operation{
	Verb: Resize, Kind: ResizeStackKind, Help: "Give a droplet another size, or grow a volume.", From: []StackState{StackActive},
	Options: []Option{
		{Name: "droplet", Type: TextOption, Help: "The droplet's key in the blueprint; may be left away where there is one."},
		{Name: "size", Type: TextOption, Help: "The droplet's new size, like s-2vcpu-4gb."},
		{Name: "disk", Type: SwitchOption, Default: "false", Help: "Grow the disk too: for good, there is no way back to a smaller size."},
		{Name: "volume", Type: TextOption, Help: "The key of a volume that grows in place of a droplet; may be left away where there is one."},
		{Name: "size_gib", Type: NumberOption, Help: "The volume's new size in GiB, for good."},
		{Name: "skip_probe", Type: SwitchOption, Default: "false", Help: "Do not ask the stack's health probes."},
	},
	draw: (*Service).drawResize,
}

func (s *Service) drawResize(ctx context.Context, r PlanRequest, d *drawn) error {
	o := r.Options
	ofDroplet, ofVolume := o["size"] != "" || o["droplet"] != "" || o["disk"] == "true", o["size_gib"] != "" || o["volume"] != ""
	if ofDroplet == ofVolume {
		return fault.New(fault.Invalid, "Say either a droplet's new size (`size`) or a volume's (`size_gib`).")
	}
	l, c, droplets, err := s.ledger(ctx, d)
	if err != nil {
		return err
	}
	state := Resizing{Building: d.building, Disk: o["disk"] == "true", SkipProbe: o["skip_probe"] == "true"}
	calls := map[string][]string{}
	var before, after blueprint.Resource
	if ofDroplet {
		before, after, err = drawDropletResize(l, o, &state, droplets, calls)
	} else {
		before, after, err = drawVolumeResize(ctx, l, c, o, &state, calls)
	}
	if err != nil {
		return err
	}
	state.Target = before.ID
	state.Spec = with(state.Spec, after)
	value := ""
	if ofDroplet {
		value = after.Droplet.Size
	} else {
		value = strconv.Itoa(after.Volume.SizeGiB)
	}
	if err := s.findParameter(ctx, d, &state.Building, value); err != nil {
		return err
	}
	if err := l.resized(&state, before, after); err != nil {
		return err
	}
	idle := "check_health"
	if state.reversible() {
		idle = "check_health_grown"
	}
	d.Steps = planned(s.steps.resizeStack(), calls, idle)
	d.input = func(of PlanID) any {
		state.Plan = of
		return state
	}
	return nil
}

// resized counts the stack with one resource as it was and as it is to be.
func (l *ledger) resized(state *Resizing, before, after blueprint.Resource) error {
	for _, r := range state.Spec.Resources {
		if m := state.Made[r.ID]; m == nil || m.ID == "" {
			continue
		}
		if r.ID != before.ID {
			if _, err := l.counts(r, true, true, false, false); err != nil {
				return err
			}
			continue
		}
		was, err := l.counts(before, true, false, false, false)
		if err != nil {
			return err
		}
		is, err := l.counts(after, false, true, false, false)
		if err != nil {
			return err
		}
		var delta *int64
		if was != nil && is != nil {
			sum := *was + *is
			delta = &sum
		}
		l.change("change", after, detailOf(before)+" → "+detailOf(after), delta)
	}
	return nil
}

// chosen is the resource of a kind with a key, or the only one.
func chosen(s *Building, kind blueprint.Kind, key string) (r blueprint.Resource, err error) {
	all := s.standingOf(kind)
	var keys []string
	for _, one := range all {
		keys = append(keys, one.Key)
		if one.Key == key || key == "" && len(all) == 1 {
			return one, nil
		}
	}
	switch {
	case len(all) == 0:
		return r, fault.New(fault.Unprocessable, "The stack has no %s.", kind)
	case key == "":
		return r, fault.New(fault.Invalid, "Say which %s: %s.", kind, strings.Join(keys, ", "))
	}
	return r, fault.New(fault.NotFound, "The stack has no %s %q. There is %s.", kind, clip(key), strings.Join(keys, ", "))
}

func drawDropletResize(l *ledger, o map[string]string, state *Resizing, droplets map[string]digitalocean.Droplet, calls map[string][]string) (before, after blueprint.Resource, err error) {
	if before, err = chosen(&state.Building, blueprint.DropletKind, o["droplet"]); err != nil {
		return before, after, err
	}
	is := droplets[before.ID]
	i := slices.IndexFunc(l.sizes, func(size digitalocean.Size) bool { return size.Slug == o["size"] })
	if i < 0 {
		return before, after, fault.New(fault.Invalid, "DigitalOcean sells no size %q. Say one like s-2vcpu-4gb.", clip(o["size"]))
	}
	size := l.sizes[i]
	switch {
	case !size.Available || !slices.Contains(size.Regions, before.Droplet.Region):
		err = fault.New(fault.Unprocessable, "Size %s is not to be had in %s now.", size.Slug, before.Droplet.Region)
	case size.DiskGiB < is.DiskGiB:
		err = fault.New(fault.Unprocessable, "Size %s has a disk of %d GiB, and %s has %d: a disk does not get smaller.", size.Slug, size.DiskGiB, before.ID, is.DiskGiB)
	case state.Disk && size.DiskGiB == is.DiskGiB:
		err = fault.New(fault.Invalid, "Size %s has the disk that %s has already, %d GiB: leave `disk` away.", size.Slug, before.ID, is.DiskGiB)
	case size.Slug == is.Size:
		err = fault.New(fault.Conflict, "%s is of size %s already.", before.ID, size.Slug)
	}
	if err != nil {
		return before, after, err
	}
	spec := *before.Droplet
	state.From, spec.Size = is.Size, size.Slug
	before.Droplet = new(*before.Droplet)
	before.Droplet.Size = is.Size
	after = before
	after.Droplet = &spec
	act := []string{"POST /v2/droplets/{id}/actions"}
	resize, on := "resize", "power_on"
	if state.Disk {
		resize, on = growStep, "power_on_grown"
		l.d.Warnings = append(l.d.Warnings, fmt.Sprintf("The disk of %s grows from %d to %d GiB for good: no smaller size can be chosen after that.", before.ID, is.DiskGiB, size.DiskGiB))
	} else if size.DiskGiB > is.DiskGiB {
		l.d.Warnings = append(l.d.Warnings, fmt.Sprintf("The disk of %s stays at %d GiB, so that the size can be made smaller again.", before.ID, is.DiskGiB))
	}
	calls[resize] = act
	if is.Status == "off" {
		l.d.Warnings = append(l.d.Warnings, before.ID+" is off, and stays so: no probe is asked.")
		return before, after, nil
	}
	calls["power_off"], calls[on] = act, act
	l.d.Warnings = append(l.d.Warnings, before.ID+" is off while its size changes.")
	return before, after, nil
}

func drawVolumeResize(ctx context.Context, l *ledger, c *digitalocean.Client, o map[string]string, state *Resizing, calls map[string][]string) (before, after blueprint.Resource, err error) {
	if before, err = chosen(&state.Building, blueprint.VolumeKind, o["volume"]); err != nil {
		return before, after, err
	}
	want, err := strconv.Atoi(o["size_gib"])
	if err != nil {
		return before, after, fault.New(fault.Invalid, "Say how large the volume is to be: `size_gib`, in GiB.")
	}
	is, err := c.Volume(ctx, state.made(before.ID).ID)
	if errors.Is(err, digitalocean.NotFound) {
		return before, after, fault.New(fault.Conflict, "%s is not there any more.", before.ID)
	}
	if err != nil {
		return before, after, err
	}
	const most = 16384 // GiB of one volume at DigitalOcean
	switch {
	case int64(want) <= is.SizeGiB:
		return before, after, fault.New(fault.Unprocessable, "%s has %d GiB: a volume only grows.", before.ID, is.SizeGiB)
	case want > most:
		return before, after, fault.New(fault.Unprocessable, "A volume has at most %d GiB.", most)
	}
	l.d.Read[before.ID] = fmt.Sprintf("%d GiB", is.SizeGiB)
	spec := *before.Volume
	spec.SizeGiB = want
	before.Volume = new(*before.Volume)
	before.Volume.SizeGiB = int(is.SizeGiB)
	after = before
	after.Volume = &spec
	calls[growStep] = []string{"POST /v2/volumes/{id}/actions"}
	l.d.Warnings = append(l.d.Warnings, "The volume grows for good. The file system on it does not: grow it on the droplet, with resize2fs or xfs_growfs.")
	return before, after, nil
}

// findParameter finds the parameter of the blueprint that says what is changed, and
// changes nothing else: it gets the new value.
func (s *Service) findParameter(ctx context.Context, d *drawn, to *Building, value string) error {
	draft, err := s.Blueprint(ctx, d.stack.Blueprint)
	if err != nil {
		return err
	}
	for name, setting := range to.Spec.Parameters {
		given := maps.Clone(d.stack.Parameters)
		given[name] = value
		spec, err := blueprint.Resolve(draft.Blueprint, given, to.Spec.Tenant, to.Spec.Stack)
		if err != nil {
			continue // it takes no such value
		}
		spec.Parameters = to.Spec.Parameters
		if spec.Hash() != to.Spec.Hash() {
			continue
		}
		setting.Value = value
		to.Spec.Parameters = maps.Clone(to.Spec.Parameters)
		to.Spec.Parameters[name] = setting
		d.Read["parameter "+name] = d.stack.Parameters[name]
		return nil
	}
	d.Warnings = append(d.Warnings, "No parameter of the blueprint says this alone: the stack is then another than its blueprint and parameters say.")
	return nil
}

// with is a stack's spec with one resource in place of that of its id.
func with(spec blueprint.Spec, r blueprint.Resource) blueprint.Spec {
	spec.Resources = slices.Clone(spec.Resources)
	for i := range spec.Resources {
		if spec.Resources[i].ID == r.ID {
			spec.Resources[i] = r
		}
	}
	return spec
}
