package provisioning

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/provisioning/blueprint"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// ProvisionStackKind makes a stack from its blueprint.
const ProvisionStackKind = "provision_stack"

// builds are the steps that make resources, in their order, and those of a teardown
// that delete them.
var builds = []struct {
	kind         blueprint.Kind
	make, remove string // steps
	call         string // the request for each
}{
	{blueprint.TagKind, "create_tags", "delete_tags", "POST /v2/tags"},
	{blueprint.VPCKind, "create_network", "delete_network", "POST /v2/vpcs"},
	{blueprint.VolumeKind, "create_volumes", "delete_volumes", "POST /v2/volumes"},
	{blueprint.DropletKind, "create_droplets", "delete_droplets", "POST /v2/droplets"},
	{blueprint.ReservedIPKind, "reserve_addresses", releaseAddressesStep, "POST /v2/reserved_ips"},
	{blueprint.FirewallKind, "create_firewalls", deleteFirewallsStep, "POST /v2/firewalls"},
	{blueprint.RecordKind, "create_records", "delete_records", "POST /v2/domains/{domain}/records"},
}

// deleteFirewallsStep deletes firewalls, once no droplet is behind them any more.
const deleteFirewallsStep = "delete_firewalls"

// Why steps that send nothing leave nothing to undo.
const (
	onlyReads = "it only reads"
	onlyWaits = "it only waits"
)

// planned are the steps of a kind that have something to do as a plan shows them, each with
// its requests: those of which calls has some, those that look or wait, and those that write
// down what there is. A step of another sort that is to be shown is in calls with none, and
// idle names those that find nothing to look at.
func planned[S any](k saga.Kind[S], calls map[string][]string, idle ...string) (steps []PlanStep) {
	for _, step := range k.Steps {
		_, does := calls[step.Name]
		does = does || step.Local != nil || step.NothingToUndo == onlyReads || step.NothingToUndo == onlyWaits
		if does && !slices.Contains(idle, step.Name) {
			steps = append(steps, PlanStep{Name: step.Name, Calls: calls[step.Name], Pivot: step.Pivot})
		}
	}
	return steps
}

// joinProjectStep puts what was made into a project.
const joinProjectStep = "join_project"

func (p *Steps) provisionStack() saga.Kind[Building] {
	k := saga.Kind[Building]{
		Name:  ProvisionStackKind,
		Begin: beginBuilding,
		Subjects: func(s Building) []string {
			all := []string{s.Stack.subject()}
			for _, r := range s.of(blueprint.RecordKind) { // two stacks that want one name would both find it free
				all = append(all, "dns:"+r.Record.Domain+"/"+r.Record.Name)
			}
			if s.Origin != "" {
				all = append(all, s.Origin.subject())
			}
			slices.Sort(all)
			return slices.Compact(all)
		},
		Policy: saga.Refuse,
		Steps: []saga.Step[Building]{{
			Name: "check_room", Do: p.checkRoom, NothingToUndo: onlyReads,
		}},
	}
	for _, one := range builds {
		if one.kind == blueprint.DropletKind {
			k.Steps = append(k.Steps, saga.Step[Building]{
				Name: closeGateStep, Retry: p.patient(), Again: p.patient(), Do: unfrozen(p, p.closeGate), Undo: unfrozen(p, p.unprotect),
			})
		}
		k.Steps = append(k.Steps, saga.Step[Building]{
			Name: one.make, Retry: p.patient(), Again: p.patient(),
			Do: unfrozen(p, func(ctx context.Context, s *Building) error { return p.buildAll(ctx, s, one.kind) }),
			Undo: unfrozen(p, func(ctx context.Context, s *Building) error {
				if one.kind == blueprint.FirewallKind {
					return p.findFirewalls(ctx, s) // no droplet stands without those that it has
				}
				return p.unbuildAll(ctx, s, one.kind)
			}),
		})
	}
	k.Steps = append(k.Steps,
		saga.Step[Building]{
			Name: joinProjectStep, Do: unfrozen(p, p.joinProject), Retry: p.patient(), NothingToUndo: "what leaves DigitalOcean leaves its project",
		},
		saga.Step[Building]{Name: "check_health", Do: p.checkHealth, NothingToUndo: onlyReads},
		saga.Step[Building]{
			Name: openGateStep, Retry: p.patient(), Do: unfrozen(p, p.openGate), NothingToUndo: "what it deletes is to be deleted in any case",
		},
		saga.Step[Building]{Name: "record_stack", Local: recordStack, NothingToUndo: "it is the last step"},
	)
	return k
}

// patient is how often a step that got an error tries again.
func (p *Steps) patient() saga.Backoff {
	return saga.Backoff{Attempts: 30, Base: p.set.Poll / 5, Max: 12 * p.set.Poll}
}

func beginBuilding(s *Building) error {
	if s.Stack == "" || s.Account == "" || len(s.Spec.Resources) == 0 {
		return fault.New(fault.Invalid, "A stack is made by applying a plan: arcadia stack plan, then arcadia stack apply.")
	}
	if len(s.Made) > 0 || len(s.Known) > 0 || len(s.Health) > 0 || s.Saga != "" {
		return fault.New(fault.Invalid, "What a stack is made of is found out by its saga alone.")
	}
	return nil
}

// checkRoom asks whether the account has room for the stack, before anything is made.
func (p *Steps) checkRoom(ctx context.Context, s *Building) error {
	s.Saga = saga.Current(ctx).Saga
	return p.hasRoom(ctx, s.Account, s.Spec)
}

// hasRoom answers an error that no retry cures where an account has no room for a spec.
func (p *Steps) hasRoom(ctx context.Context, account string, spec blueprint.Spec) error {
	c, err := p.cloud(ctx, account)
	if err != nil {
		return saga.Permanent(err)
	}
	room, err := roomFor(ctx, p.forStep(account), c, spec)
	if err != nil {
		return err
	}
	saga.Current(ctx).Note(room)
	if short := room.short(); short != "" {
		return saga.Permanent(fault.New(fault.Unprocessable, "%s Ask DigitalOcean to raise the limit, or make room, and plan again.", short))
	}
	return nil
}

// buildAll makes all resources of a kind, and waits until all work.
func (p *Steps) buildAll(ctx context.Context, s *Building, kind blueprint.Kind) error {
	b, err := p.builder(ctx, s)
	if err != nil {
		return saga.Permanent(err)
	}
	return p.makeAll(ctx, s.of(kind), b.thing, s.made)
}

// unbuildAll takes back what buildAll made.
func (p *Steps) unbuildAll(ctx context.Context, s *Building, kind blueprint.Kind) error {
	return p.unbuild(ctx, s, kind, s.of(kind))
}

// unbuild deletes resources of one kind. Nobody asks any more for what their addresses
// give.
func (p *Steps) unbuild(ctx context.Context, s *Building, kind blueprint.Kind, all []blueprint.Resource) error {
	if kind == blueprint.DropletKind {
		if err := p.closeAddresses(ctx, s, ""); err != nil {
			return err
		}
	}
	b, err := p.builder(ctx, s)
	if err != nil {
		return err
	}
	return p.unmakeAll(ctx, all, b.thing, s.made)
}

// joinProject puts the stack's resources into its project. To ask twice is to ask once.
func (p *Steps) joinProject(ctx context.Context, s *Building) error {
	b, err := p.builder(ctx, s)
	if err != nil {
		return saga.Permanent(err)
	}
	for _, r := range s.of(blueprint.ProjectKind) {
		request := digitalocean.ProjectAssign{Project: s.Project}
		for _, member := range r.Project.Members {
			request.URNs = append(request.URNs, projectURN(member, b.id(member)))
		}
		members, err := b.c.AssignToProject(b.permitted(ctx, request.Permit()), request)
		if errors.Is(err, digitalocean.Unknown) {
			return saga.Wait(saga.Current(ctx).Now().Add(p.set.Poll), "the answer of the project was lost")
		}
		if err != nil {
			return err
		}
		for _, m := range members {
			if m.Status != "ok" && m.Status != "assigned" && m.Status != "already_assigned" {
				return fault.New(fault.Unavailable, "Project %s did not take %s: %s.", r.Name, m.URN, m.Status)
			}
		}
		saga.Current(ctx).Known()
	}
	return nil
}

// projectURN is a resource as projects name it.
func projectURN(resource, id string) string {
	kind, _, _ := strings.Cut(resource, ".")
	return "do:" + map[string]string{"droplet": "droplet", "volume": "volume", "reserved_ip": "floatingip"}[kind] + ":" + id
}

// recordStack says that the stack is there.
func recordStack(ctx context.Context, tx *sql.Tx, s *Building) error {
	return settleStack(ctx, tx, s, s.Saga, StackActive, 0)
}

// resourceURN names a resource as the inventory does.
func resourceURN(account string, r blueprint.Resource, id string) string {
	switch r.Kind {
	case blueprint.TagKind:
		return "do:tag:" + account + "/" + id
	case blueprint.RecordKind:
		return "do:domain_record:" + id
	}
	return fmt.Sprintf("do:%s:%s", r.Kind, id)
}
