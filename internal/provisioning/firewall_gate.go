package provisioning

import (
	"context"
	"slices"

	"github.com/arcadia-cloud/arcadia/internal/provisioning/blueprint"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// A firewall can name droplets only once they are there. Until then a firewall of the
// saga's own, the gate, stands before whatever has the stack's tag: it lets nothing in,
// and everything out, so that machines that start for the first time can fetch what
// they need. It is in force before there is a droplet, and is deleted once the stack's
// firewalls are.

// gateID is the gate's name among what a saga has made. No blueprint has a key with a
// dash.
const gateID = "firewall.arcadia-gate"

// The steps of a gate.
const (
	closeGateStep = "close_gate"
	openGateStep  = "open_gate"
)

// gateOf is the gate of a stack. There is none where a droplet is to stand without a
// firewall, or does not carry the stack's tag.
func gateOf(spec blueprint.Spec) (blueprint.Resource, bool) {
	tag := blueprint.StackTagPrefix + spec.Stack.ID
	var droplets, behind []string
	for _, r := range spec.Resources {
		switch {
		case r.Droplet != nil && !slices.Contains(r.Tags, tag):
			return blueprint.Resource{}, false
		case r.Droplet != nil:
			droplets = append(droplets, r.ID)
		case r.Firewall != nil && r.ID != quarantineID:
			behind = append(behind, r.Firewall.Droplets...)
		}
	}
	if len(droplets) == 0 || slices.ContainsFunc(droplets, func(id string) bool { return !slices.Contains(behind, id) }) {
		return blueprint.Resource{}, false
	}
	everywhere := []blueprint.Expr{"0.0.0.0/0", "::/0"}
	return blueprint.Resource{
		ID: gateID, Kind: blueprint.FirewallKind, Key: "arcadia-gate", Name: spec.Stack.Name + "-gate",
		Firewall: &blueprint.FirewallSpec{Droplets: []string{}, Tags: []string{tag}, Outbound: []blueprint.RuleSpec{
			{Protocol: "tcp", Ports: "all", Addresses: everywhere}, {Protocol: "udp", Ports: "all", Addresses: everywhere},
			{Protocol: "icmp", Addresses: everywhere},
		}},
	}, true
}

// closeGate puts the gate before droplets that are not there yet.
func (p *Steps) closeGate(ctx context.Context, s *Building) error {
	gate, ok := gateOf(s.Spec)
	if !ok {
		return nil
	}
	b, err := p.builder(ctx, s)
	if err != nil {
		return saga.Permanent(err)
	}
	return p.makeAll(ctx, []blueprint.Resource{gate}, b.thing, s.made)
}

// findFirewalls is what is undone of firewalls while there are droplets behind them: it
// finds the one, if there is one, whose request was lost. All are deleted with the gate.
func (p *Steps) findFirewalls(ctx context.Context, s *Building) error {
	b, err := p.builder(ctx, s)
	if err != nil {
		return err
	}
	for _, r := range s.of(blueprint.FirewallKind) {
		if m := s.made(r.ID); m.ID == "" && !saga.Current(ctx).UnknownSince.IsZero() {
			if err := p.unmakeUnknown(ctx, b.thing(r), m); err != nil {
				return err
			}
		}
	}
	return nil
}

// unprotect undoes firewalls, once the droplets are gone, and then the gate.
func (p *Steps) unprotect(ctx context.Context, s *Building) error {
	if err := p.removeAll(ctx, s, blueprint.FirewallKind); err != nil {
		return err
	}
	return p.openGate(ctx, s)
}

// openGate deletes the gate.
func (p *Steps) openGate(ctx context.Context, s *Building) error {
	gate, ok := gateOf(s.Spec)
	if !ok {
		return nil
	}
	b, err := p.builder(ctx, s)
	if err != nil {
		return err
	}
	return p.unmakeAll(ctx, []blueprint.Resource{gate}, b.thing, s.made)
}

// drawGate adds what the gate of a stack asks for to the requests of a plan.
func drawGate(spec blueprint.Spec, calls map[string][]string) {
	if _, ok := gateOf(spec); ok {
		calls[closeGateStep], calls[openGateStep] = []string{"POST /v2/firewalls"}, []string{"DELETE /v2/firewalls/{id}"}
	}
}
