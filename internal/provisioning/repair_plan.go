package provisioning

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/provisioning/blueprint"
)

// Repair is the verb.
const Repair Verb = "repair"

var repairOperation = Operation{
	Verb: Repair, Kind: RepairStackKind, Help: "Bring what a stack has back to what it expects. What held data is not made again empty.", From: []StackState{StackActive},
	Options: []Option{onlyOption, {Name: "skip_probe", Type: SwitchOption, Default: "false", Help: "Do not ask the stack's health probes, and so do not go back where they are not content."}},
	draw:    (*Service).drawRepair, sweep: (*Service).sweepStack,
}

// mending are the request and the step that put a field of a kind right.
var mending = map[string]struct{ step, call string }{
	"tag " + missingField:           {"create_tags", "POST /v2/tags"},
	"droplet power":                 {"power_on", "POST /v2/droplets/{id}/actions"},
	"droplet name":                  {"rename", "POST /v2/droplets/{id}/actions"},
	"droplet backups":               {"enable_backups", "POST /v2/droplets/{id}/actions"},
	"droplet tags":                  {"tag_droplets", "POST /v2/tags/{tag}/resources"},
	"volume tags":                   {"tag_volumes", "POST /v2/tags/{tag}/resources"},
	"volume attached":               {"attach_volumes", "POST /v2/volumes/{id}/actions"},
	"reserved_ip " + missingField:   {"reserve_addresses", "POST /v2/reserved_ips"},
	"reserved_ip leads_to":          {"assign_addresses", "POST /v2/reserved_ips/{ip}/actions"},
	"firewall " + missingField:      {"create_firewalls", "POST /v2/firewalls"},
	"firewall":                      {"replace_firewalls", "PUT /v2/firewalls/{id}"},
	"domain_record " + missingField: {"create_records", "POST /v2/domains/{domain}/records"},
	"domain_record":                 {"replace_records", "PUT /v2/domains/{domain}/records/{id}"},
}

func (s *Service) drawRepair(ctx context.Context, r PlanRequest, d *drawn) error {
	drift, chosen, err := s.drawDrift(ctx, r, d)
	if err != nil {
		return err
	}
	state := Repairing{Building: d.building, Mends: map[string][]string{}, Sizes: map[string]string{}, Names: map[string]string{}, SkipProbe: r.Options["skip_probe"] == "true"}
	state.Made = maps.Clone(state.Made)
	off := map[string]bool{}
	for _, one := range drift.Differences {
		off[one.Key] = off[one.Key] || one.Field == "power"
		if one.What == MissingThing { // it is made anew, or is not there for what refers to it
			delete(state.Made, one.Key)
		}
	}
	d.Before, d.After = drift.Standing, drift.Standing
	calls := map[string][]string{}
	named := r.Options["only"] != ""
	for _, one := range chosen {
		if one.Repair == "" {
			if named {
				return fault.New(fault.Unprocessable, "A repair does nothing about %s: %s", one.about(), one.RepairNot)
			}
			d.Warnings = append(d.Warnings, fmt.Sprintf("%s stays a difference: %s", one.about(), one.RepairNot))
			continue
		}
		drawMend(d, &state, one, off, calls)
	}
	if len(d.Changes) == 0 {
		return fault.New(fault.Unprocessable, "Nothing of the drift of stack %s can be repaired: %s", d.Name, strings.Join(d.Warnings, " "))
	}
	if err := s.sizesFit(ctx, d, &state); err != nil {
		return err
	}
	drawReaddressed(d, &state, calls)
	for _, step := range []string{"replace_firewalls", "replace_records"} {
		if len(calls[step]) > 0 {
			calls[step] = calls[step][:state.said(step)]
		}
	}
	slices.Sort(d.Unpriced)
	d.Unpriced = slices.Compact(d.Unpriced)
	d.Steps = planned(s.steps.repairStack(), calls)
	d.input = func(of PlanID) any {
		state.Plan = of
		return state
	}
	return nil
}

// said is how many firewalls or records are said anew: each once, whatever of it differs.
func (s *Repairing) said(step string) int {
	if step == "replace_firewalls" {
		return len(s.with(blueprint.FirewallKind, wallFields...))
	}
	return len(s.with(blueprint.RecordKind, recordFields...))
}

// drawMend has a repair put one difference right.
func drawMend(d *drawn, state *Repairing, one Difference, off map[string]bool, calls map[string][]string) {
	field := one.Field
	if one.What == MissingThing {
		field = missingField
	}
	state.Mends[one.Key] = append(state.Mends[one.Key], field)
	add := func(step, call string) { calls[step] = append(calls[step], call) }
	switch {
	case one.Kind == string(blueprint.DropletKind) && field == "size":
		state.Sizes[one.Key] = one.Is
		steps := []string{"resize"}
		if !off[one.Key] {
			steps = []string{"power_off", "resize", "power_on"}
			d.Warnings = append(d.Warnings, one.Key+" is off while its size changes.")
		}
		for _, step := range steps {
			add(step, "POST /v2/droplets/{id}/actions")
		}
	default:
		m, ok := mending[one.Kind+" "+field]
		if !ok {
			m = mending[one.Kind]
		}
		add(m.step, m.call)
	}
	if field == "name" {
		state.Names[one.Key] = one.Is
	}
	var monthly *int64
	switch {
	case one.Monthly == nil:
		d.Unpriced = append(d.Unpriced, one.Key)
	default:
		monthly = new(-*one.Monthly)
		if !slices.Contains(d.Unpriced, one.Key) { // else it is in neither sum
			d.After += *monthly
		}
	}
	change := one.change(one.Repair, monthly)
	if r, ok := d.stack.Spec.Resource(one.Key); ok {
		change.Size = sizeOf(r)
	}
	if field == missingField {
		change.Action, change.URN = "create", ""
		change.Detail = one.Expected + "; " + one.Repair
	} else {
		change.Detail = fmt.Sprintf("%s: %s in place of %s; %s", one.Field, orNothing(one.Expected), orNothing(one.Is), one.Repair)
	}
	d.Changes = append(d.Changes, change)
}

// drawReaddressed has records say the new address where one is reserved anew.
func drawReaddressed(d *drawn, state *Repairing, calls map[string][]string) {
	for _, address := range state.with(blueprint.ReservedIPKind, missingField) {
		for _, r := range state.standingOf(blueprint.RecordKind) {
			about := slices.Contains(r.Record.Data.References(), "reserved_ip."+address.Key+".address")
			if !about || state.mends(r.ID, recordFields...) {
				continue
			}
			state.Mends[r.ID] = append(state.Mends[r.ID], "data")
			m := mending[string(blueprint.RecordKind)]
			calls[m.step] = append(calls[m.step], m.call)
			d.Changes = append(d.Changes, Change{Action: "change", Key: r.ID, Kind: string(r.Kind), Name: r.Name, Detail: "it says the new address", Monthly: new(int64)})
		}
	}
}

// sizesFit answers fault.Unprocessable where a droplet's disk has grown beyond that of the
// size that it is to get back.
func (s *Service) sizesFit(ctx context.Context, d *drawn, state *Repairing) error {
	resized := state.with(blueprint.DropletKind, "size")
	if len(resized) == 0 {
		return nil
	}
	c, err := s.steps.cloud(ctx, d.Account)
	if err != nil {
		return err
	}
	sizes, err := c.Sizes(ctx)
	if err != nil {
		return err
	}
	for _, r := range resized {
		n, err := strconv.ParseInt(state.made(r.ID).ID, 10, 64)
		if err != nil {
			return err
		}
		is, err := c.Droplet(ctx, n)
		if err != nil {
			return err
		}
		d.Read[r.ID+" disk"] = fmt.Sprintf("%d GiB", is.DiskGiB)
		for _, size := range sizes.Items {
			if size.Slug == r.Droplet.Size && size.DiskGiB < is.DiskGiB {
				return fault.New(fault.Unprocessable, "The disk of %s has grown to %d GiB, and size %s has %d: a disk does not get smaller. Absorb its size: arcadia stack absorb %s --only %s --reason WHY",
					r.ID, is.DiskGiB, size.Slug, size.DiskGiB, d.Name, r.ID)
			}
		}
	}
	return nil
}
