package provisioning

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/id"
	"github.com/arcadia-cloud/arcadia/internal/inventory"
	"github.com/arcadia-cloud/arcadia/internal/provisioning/blueprint"
)

// The verbs of suspensions.
const (
	Suspend Verb = "suspend"
	Resume  Verb = "resume"
)

var suspendOperation = Operation{
	Verb: Suspend, Kind: SuspendStackKind, Help: "Take a stack out of service, so that it can be resumed.", From: []StackState{StackActive, StackSuspended},
	Options: []Option{
		{Name: "level", Type: ChoiceOption, Choices: []string{"1", "2", "3"}, Default: "1",
			Help: "1 quarantines it with a firewall, 2 switches its droplets off, 3 keeps snapshots and destroys droplets and volumes: this alone ends what DigitalOcean charges for them."},
		{Name: "ssh_from", Type: TextOption, Help: "Addresses that a quarantine lets in by SSH, like 198.51.100.7 192.0.2.0/24; none where it is left away."},
	},
	draw: (*Service).drawSuspend, sweep: (*Service).sweepSuspension,
}

var resumeOperation = Operation{
	Verb: Resume, Kind: ResumeStackKind, Help: "Put a suspended stack back into service.", From: []StackState{StackSuspended},
	Options: []Option{
		{Name: "skip_probe", Type: SwitchOption, Default: "false", Help: "Do not ask the stack's health probes, and so do not go back where they are not content."},
	},
	draw: (*Service).drawResume, sweep: (*Service).sweepStack,
}

// A ledger works out what a plan does to what a stack costs.
type ledger struct {
	d     *drawn
	sizes []digitalocean.Size
}

// price is what a resource costs in a month as it stands, or as a reserved address that
// leads nowhere; nil where that is not known.
func (l *ledger) price(r blueprint.Resource, idle bool) (*int64, error) {
	if idle {
		micros, known, err := inventory.MonthlyOf("reserved_ip", map[string]any{"ip": "192.0.2.1", "droplet": nil}, time.Now())
		return pricedAs(micros, known), err
	}
	micros, known, err := monthlyOf(r, l.sizes, time.Now())
	return pricedAs(micros, known), err
}

func pricedAs(micros int64, known bool) *int64 {
	if !known {
		return nil
	}
	return &micros
}

// counts adds a resource to what a stack costs before and after, and answers the
// difference. A price that is not known counts in neither.
func (l *ledger) counts(r blueprint.Resource, before, after, idleBefore, idleAfter bool) (*int64, error) {
	difference := int64(0)
	for _, side := range []struct {
		there, idle bool
		sum         *int64
		sign        int64
	}{{before, idleBefore, &l.d.Before, -1}, {after, idleAfter, &l.d.After, 1}} {
		if !side.there {
			continue
		}
		price, err := l.price(r, side.idle)
		if err != nil {
			return nil, err
		}
		if price == nil {
			l.d.Unpriced = append(l.d.Unpriced, r.ID)
			return nil, nil
		}
		*side.sum += *price
		difference += side.sign * *price
	}
	return &difference, nil
}

// change notes what becomes of a resource.
func (l *ledger) change(action string, r blueprint.Resource, detail string, monthly *int64) {
	urn := ""
	if m := l.d.building.Made[r.ID]; m != nil && m.ID != "" {
		urn = resourceURN(l.d.Account, r, m.ID)
	}
	l.d.Changes = append(l.d.Changes, Change{Action: action, Key: r.ID, Kind: string(r.Kind), Name: r.Name, URN: urn, Detail: detail, Size: sizeOf(r), Monthly: monthly})
}

// ledger reads prices, and each droplet of the stack: one that is not there any more is
// a conflict.
func (s *Service) ledger(ctx context.Context, d *drawn) (*ledger, *digitalocean.Client, map[string]digitalocean.Droplet, error) {
	c, err := s.steps.cloud(ctx, d.Account)
	if err != nil {
		return nil, nil, nil, err
	}
	sizes, err := c.Sizes(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	droplets := map[string]digitalocean.Droplet{}
	for _, r := range d.building.standingOf(blueprint.DropletKind) {
		n, err := strconv.ParseInt(d.building.made(r.ID).ID, 10, 64)
		if err != nil {
			return nil, nil, nil, err
		}
		is, err := c.Droplet(ctx, n)
		if errors.Is(err, digitalocean.NotFound) {
			return nil, nil, nil, fault.New(fault.Conflict, "%s (%d) is not there any more. Tear the stack down, or make it anew.", r.ID, n)
		}
		if err != nil {
			return nil, nil, nil, err
		}
		droplets[r.ID] = is
		d.Read[r.ID] = is.Status + ", " + is.Size
	}
	return &ledger{d: d, sizes: sizes.Items}, c, droplets, nil
}

func (s *Service) drawSuspend(ctx context.Context, r PlanRequest, d *drawn) error {
	level, err := strconv.Atoi(r.Options["level"])
	if err != nil {
		return err
	}
	if level <= d.stack.Level {
		return fault.New(fault.Conflict, "Stack %s is suspended at level %d already. A level is only raised; to lower it: arcadia stack resume %s", d.Name, d.stack.Level, d.Name)
	}
	operators, err := addressesOf(r.Options["ssh_from"], level)
	if err != nil {
		return err
	}
	l, c, droplets, err := s.ledger(ctx, d)
	if err != nil {
		return err
	}
	d.Read["level of suspension"] = strconv.Itoa(d.stack.Level)
	state := Suspension{Building: d.building, Level: level}
	calls := map[string][]string{}
	switch level {
	case Quarantined:
		err = s.drawQuarantine(ctx, l, c, &state, operators, calls)
	case PoweredOff:
		drawPowerOff(l, &state, droplets, calls)
	case Archived:
		err = s.drawArchive(ctx, l, &state, droplets, calls)
	}
	if err != nil {
		return err
	}
	if err := l.rest(&state); err != nil {
		return err
	}
	if level < Archived {
		d.Warnings = append(d.Warnings, "It saves nothing at DigitalOcean, which charges for droplets that are off or quarantined as for any: level 3 alone ends that.")
	}
	d.Steps = planned(s.steps.suspendStack(), calls)
	if level < Archived { // what comes before the last step is taken back
		d.Steps = slices.DeleteFunc(d.Steps, func(step PlanStep) bool { return len(step.Calls) == 0 && step.Name != "record_stack" })
	}
	d.input = func(of PlanID) any {
		state.Plan = of
		return state
	}
	return nil
}

// addressesOf reads the addresses that a quarantine lets in.
func addressesOf(text string, level int) (all []string, err error) {
	for _, word := range namesIn(text) {
		_, prefix := netip.ParsePrefix(word)
		if _, err := netip.ParseAddr(word); err != nil && prefix != nil {
			return nil, fault.New(fault.Invalid, "`ssh_from` has addresses and networks, like 198.51.100.7 192.0.2.0/24, and %q is neither.", clip(word))
		}
		all = append(all, word)
	}
	if len(all) > 0 && level != Quarantined {
		return nil, fault.New(fault.Invalid, "`ssh_from` is for level 1: at level %d there is nothing to come in to.", level)
	}
	return all, nil
}

// mostFirewalled is how many droplets DigitalOcean's firewalls name at most.
const mostFirewalled = 10

func (s *Service) drawQuarantine(ctx context.Context, l *ledger, c *digitalocean.Client, state *Suspension, operators []string, calls map[string][]string) error {
	var ids []string
	members := map[int64]string{}
	for _, r := range state.standingOf(blueprint.DropletKind) {
		ids = append(ids, r.ID)
		n, err := strconv.ParseInt(state.made(r.ID).ID, 10, 64)
		if err != nil {
			return err
		}
		members[n] = r.ID
	}
	if len(ids) > mostFirewalled {
		return fault.New(fault.Unprocessable, "A firewall of DigitalOcean's names at most %d droplets, and stack %s has %d: suspend it at level 2.", mostFirewalled, l.d.Name, len(ids))
	}
	quarantine := quarantineOf(state.Spec, ids, operators)
	state.Spec.Resources = append(slices.Clone(state.Spec.Resources), quarantine)
	l.change("create", quarantine, "lets nothing in"+orNobody(operators), new(int64))
	calls["quarantine"] = []string{"POST /v2/firewalls"}
	own := map[string]bool{}
	for _, r := range state.ownFirewalls() {
		own[state.made(r.ID).ID] = true
		l.change("change", r, "its droplets are taken out, until the stack is resumed", new(int64))
		calls["leave_firewalls"] = append(calls["leave_firewalls"], "DELETE /v2/firewalls/{id}/droplets")
	}
	return warnOfFirewalls(ctx, l, c, members, own)
}

func orNobody(operators []string) string {
	if len(operators) == 0 {
		return ""
	}
	return " but SSH from " + strings.Join(operators, ", ")
}

// warnOfFirewalls tells of firewalls that are not the stack's and cover its droplets:
// what they let in still comes in.
func warnOfFirewalls(ctx context.Context, l *ledger, c *digitalocean.Client, members map[int64]string, own map[string]bool) error {
	list, err := c.Firewalls(ctx)
	if err != nil {
		return err
	}
	tags := map[string]bool{}
	for n := range members {
		is, err := c.Droplet(ctx, n)
		if err != nil {
			return err
		}
		for _, tag := range is.Tags {
			tags[strings.ToLower(tag)] = true
		}
	}
	for _, f := range list.Items {
		covers := slices.ContainsFunc(f.Droplets, func(n int64) bool { return members[n] != "" }) ||
			slices.ContainsFunc(f.Tags, func(tag string) bool { return tags[strings.ToLower(tag)] })
		if covers && !own[f.ID] {
			l.d.Warnings = append(l.d.Warnings, fmt.Sprintf("Firewall %s (%s) covers droplets of the stack and is not the stack's: what it lets in still comes in.", f.Name, f.ID))
			l.d.Read["firewall "+f.Name] = f.ID
		}
	}
	return nil
}

func drawPowerOff(l *ledger, state *Suspension, droplets map[string]digitalocean.Droplet, calls map[string][]string) {
	for _, r := range state.standingOf(blueprint.DropletKind) {
		if droplets[r.ID].Status == "off" {
			continue
		}
		l.change("change", r, "it shuts itself down, or is switched off after "+politely.String(), new(int64))
		calls["power_off"] = append(calls["power_off"], "POST /v2/droplets/{id}/actions")
	}
}

func (s *Service) drawArchive(ctx context.Context, l *ledger, state *Suspension, droplets map[string]digitalocean.Droplet, calls map[string][]string) error {
	if err := ProtectedBy(ctx, s.db.Read(), l.d.Name, state.protectable()); err != nil {
		return err
	}
	volumes := map[string]bool{}
	for _, r := range state.standingOf(blueprint.VolumeKind) {
		volumes[state.made(r.ID).ID] = true
	}
	for _, r := range state.standingOf(blueprint.DropletKind) {
		is := droplets[r.ID]
		if is.Status != "off" {
			calls["power_off"] = append(calls["power_off"], "POST /v2/droplets/{id}/actions")
		}
		calls["snapshot_droplets"] = append(calls["snapshot_droplets"], "POST /v2/droplets/{id}/actions")
		calls["delete_droplets"] = append(calls["delete_droplets"], "DELETE /v2/droplets/{id}")
		if err := l.archive(state, r, blueprint.SnapshotSpec{Region: r.Droplet.Region, SizeGB: strconv.Itoa(is.DiskGiB), PrivateIP: is.PrivateIPv4}); err != nil {
			return err
		}
		for _, id := range is.VolumeIDs {
			if !volumes[id] {
				l.d.Warnings = append(l.d.Warnings, fmt.Sprintf("Volume %s is attached to %s and is not the stack's: it stays, and is not attached again.", id, r.ID))
			}
		}
		if r.Droplet.Backups != nil {
			l.d.Warnings = append(l.d.Warnings, fmt.Sprintf("The automatic backups that DigitalOcean has of %s end with it.", r.ID))
		}
	}
	for _, r := range state.standingOf(blueprint.VolumeKind) {
		calls["snapshot_volumes"] = append(calls["snapshot_volumes"], "POST /v2/volumes/{id}/snapshots")
		calls["delete_volumes"] = append(calls["delete_volumes"], "DELETE /v2/volumes/{id}")
		if err := l.archive(state, r, blueprint.SnapshotSpec{Region: r.Volume.Region, SizeGB: strconv.Itoa(r.Volume.SizeGiB)}); err != nil {
			return err
		}
	}
	if r, ok := state.Spec.Resource(quarantineID); ok {
		calls[liftQuarantineStep] = []string{"DELETE /v2/firewalls/{id}"}
		l.change("destroy", r, "there is nothing left to quarantine", new(int64))
	}
	l.d.Warnings = append(l.d.Warnings,
		"Snapshots are counted at the most that they can take; what they come to is known once they are taken.",
		"Droplets get other addresses of their own when the stack is resumed. Reserved addresses stay, and are charged for while they lead nowhere; records stay too.")
	return nil
}

// archive notes that a snapshot comes to stand for a resource.
func (l *ledger) archive(state *Suspension, r blueprint.Resource, spec blueprint.SnapshotSpec) error {
	spec.Of = r.ID
	key := strings.ReplaceAll(r.ID, ".", "-")
	snapshot := blueprint.Resource{
		ID: string(blueprint.SnapshotKind) + "." + key, Kind: blueprint.SnapshotKind, Key: key, Name: r.Name, Tags: stackTags(r.Tags), Snapshot: &spec,
	}
	state.Spec.Resources = append(slices.Clone(state.Spec.Resources), snapshot)
	monthly, err := l.counts(snapshot, false, true, false, false)
	if err != nil {
		return err
	}
	l.change("create", snapshot, "of "+r.ID+", at most "+spec.SizeGB+" GB", monthly)
	if monthly, err = l.counts(r, true, false, false, false); err != nil {
		return err
	}
	l.change("destroy", r, detailOf(r)+"; a snapshot stands for it", monthly)
	return nil
}

// stackTags are those that say whose a thing is.
func stackTags(tags []string) (own []string) {
	for _, tag := range tags {
		if strings.HasPrefix(tag, "arcadia:") || strings.HasPrefix(tag, "tenant:") {
			own = append(own, tag)
		}
	}
	return own
}

// rest counts what a suspension leaves as it is: reserved addresses lead nowhere once
// their droplets are gone.
func (l *ledger) rest(state *Suspension) error {
	archived := map[string]bool{}
	for _, r := range state.of(blueprint.SnapshotKind) {
		archived[r.Snapshot.Of] = true
	}
	for _, r := range state.Spec.Resources {
		m := state.Made[r.ID]
		if m == nil || m.ID == "" || archived[r.ID] {
			continue
		}
		idle := r.ReservedIP != nil && archived[r.ReservedIP.Droplet]
		monthly, err := l.counts(r, true, true, false, idle)
		if err != nil {
			return err
		}
		if idle {
			l.change("change", r, "it is kept, and leads nowhere", monthly)
		}
	}
	return nil
}

func (s *Service) drawResume(ctx context.Context, r PlanRequest, d *drawn) error {
	l, c, droplets, err := s.ledger(ctx, d)
	if err != nil {
		return err
	}
	level := d.stack.Level
	d.Read["level of suspension"] = strconv.Itoa(level)
	for _, one := range d.building.of(blueprint.ProjectKind) {
		if err := s.findProject(ctx, s.steps.forPlan(string(d.Stack), d.Account), c, one, d); err != nil {
			return err
		}
	}
	state := Resumption{Building: d.building, Level: level, SkipProbe: r.Options["skip_probe"] == "true"}
	calls := map[string][]string{}
	add := func(step, call string) { calls[step] = append(calls[step], call) }
	if err := s.drawRestored(ctx, l, c, &state, add); err != nil {
		return err
	}
	for _, one := range state.standingOf(blueprint.DropletKind) {
		if droplets[one.ID].Status == "off" {
			l.change("change", one, "it is switched on", new(int64))
			add("power_on", "POST /v2/droplets/{id}/actions")
		}
	}
	for _, one := range state.ownFirewalls() {
		if level == Archived {
			l.change("change", one, "it is for the droplets that are made anew", new(int64))
			add("join_firewalls", "PUT /v2/firewalls/{id}")
		} else {
			l.change("change", one, "it is for the stack's droplets again", new(int64))
			add("join_firewalls", "POST /v2/firewalls/{id}/droplets")
		}
	}
	if one, ok := state.Spec.Resource(quarantineID); ok {
		l.change("destroy", one, "it ends the quarantine", new(int64))
		add(liftQuarantineStep, "DELETE /v2/firewalls/{id}")
	}
	for range state.of(blueprint.ProjectKind) {
		add(joinProjectStep, "POST /v2/projects/{id}/resources")
	}
	if len(state.Spec.Health) == 0 || state.SkipProbe {
		d.Warnings = append(d.Warnings, "No probe is asked whether the stack works before it counts as resumed.")
	}
	if level == Archived {
		drawGate(state.Spec, calls)
	}
	d.Steps = planned(s.steps.resumeStack(), calls)
	d.input = func(of PlanID) any {
		if state.Plan = of; level == Archived {
			state.Backup = BackupID(id.New("backup"))
		}
		return state
	}
	return nil
}

// drawRestored counts what is made again of snapshots, and what that changes.
func (s *Service) drawRestored(ctx context.Context, l *ledger, c *digitalocean.Client, state *Resumption, add func(step, call string)) error {
	archived, kept := map[string]bool{}, int64(0)
	for _, one := range state.of(blueprint.SnapshotKind) {
		r, ok := state.Spec.Resource(one.Snapshot.Of)
		id := state.made(one.ID).ID
		if _, err := c.Snapshot(ctx, id); !ok || errors.Is(err, digitalocean.NotFound) {
			return fault.New(fault.Conflict, "Snapshot %s, which stands for %s, is not there any more: the stack cannot be resumed.", id, one.Snapshot.Of)
		} else if err != nil {
			return err
		}
		archived[r.ID] = true
		l.d.Read[one.ID] = id
		monthly, err := l.counts(r, false, true, false, false)
		if err != nil {
			return err
		}
		l.change("create", r, detailOf(r)+"; of snapshot "+id, monthly)
		if r.Kind == blueprint.DropletKind {
			add("restore_droplets", "POST /v2/droplets")
		} else {
			add("restore_volumes", "POST /v2/volumes")
		}
		if monthly, err = l.counts(one, true, true, false, false); err != nil {
			return err
		}
		l.change("change", one, fmt.Sprintf("it is kept as a backup for %d days once the stack works", resumedDays), monthly)
		if price, err := l.price(one, false); err != nil {
			return err
		} else if price != nil {
			kept += *price
		}
	}
	for _, r := range state.Spec.Resources {
		if m := state.Made[r.ID]; m == nil || m.ID == "" || r.Kind == blueprint.SnapshotKind {
			continue
		}
		idle := r.ReservedIP != nil && archived[r.ReservedIP.Droplet]
		monthly, err := l.counts(r, true, true, idle, false)
		if err != nil {
			return err
		}
		if idle {
			l.change("change", r, "it leads to "+r.ReservedIP.Droplet+" again", monthly)
			add("assign_addresses", "POST /v2/reserved_ips/{ip}/actions")
		}
		if r.Record != nil && slices.ContainsFunc(r.Record.Data.References(), func(word string) bool {
			return strings.HasPrefix(word, "droplet.") && archived[strings.Join(strings.Split(word, ".")[:2], ".")]
		}) {
			l.change("change", r, "it says the new address", new(int64))
			add("rewrite_records", "PUT /v2/domains/{domain}/records/{id}")
		}
	}
	if len(archived) == 0 {
		return nil
	}
	l.d.Warnings = append(l.d.Warnings, "Droplets get new addresses of their own, and run no user data again: their disks have been set up already.",
		fmt.Sprintf("The snapshots that it is made of are kept as a backup for %d days once it works, and longer as long as that is its newest: %s USD of what it costs a month until then.", resumedDays, inventory.Micros(kept)))
	room, err := roomFor(ctx, s.steps.forPlan(string(l.d.Stack), l.d.Account), c, state.lacking())
	if err != nil {
		return err
	}
	if short := room.short(); short != "" {
		return fault.New(fault.Unprocessable, "%s", short)
	}
	return nil
}
