package provisioning

import (
	"context"
	"slices"
	"strings"

	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/provisioning/blueprint"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// firewallName carries the marker: a firewall takes neither tags of its own nor a
// description.
func (b *builder) firewallName(r blueprint.Resource) string {
	return r.Name + "-" + strings.TrimPrefix(b.marker(r), "arcadia:")
}

func (b *builder) firewall(r blueprint.Resource) thing {
	name := b.firewallName(r)
	judge := func(is digitalocean.Firewall) (bool, string) {
		return is.Status == "succeeded" && !is.Pending, "its status is " + is.Status
	}
	return thing{
		listed: among(b, "firewalls", b.c.Firewalls, func(f digitalocean.Firewall) string { return f.ID }, judge),
		find: func(ctx context.Context) ([]string, error) {
			list, err := b.c.Firewalls(ctx)
			ours := slices.DeleteFunc(list.Items, func(f digitalocean.Firewall) bool { return f.Name != name })
			return idsOf(ours, func(f digitalocean.Firewall) string { return f.ID }), err
		},
		create: func(ctx context.Context) (string, int64, error) {
			request, err := b.firewallRequest(r, name)
			if err != nil {
				return "", 0, err
			}
			made, err := b.c.CreateFirewall(b.permitted(ctx, request.Permit(b.state.Account)), request)
			return made.ID, 0, err
		},
		read: func(ctx context.Context, id string) (bool, string, error) {
			is, err := b.c.Firewall(ctx, id)
			if err != nil {
				return false, "", err
			}
			ready, lacks := judge(is)
			return ready, lacks, nil
		},
		delete: func(ctx context.Context, id string) error {
			permit := digitalocean.DeleteFirewallPermit(id)
			permit.Temporary = r.ID == gateID
			return b.c.DeleteFirewall(b.permitted(ctx, permit), id)
		},
	}
}

func (b *builder) firewallRequest(r blueprint.Resource, name string) (request digitalocean.FirewallCreate, err error) {
	request.Name, request.Tags = name, r.Firewall.Tags
	for _, droplet := range r.Firewall.Droplets {
		n, err := b.number(droplet)
		if err != nil {
			return request, err
		}
		request.Droplets = append(request.Droplets, n)
	}
	if request.Inbound, err = b.rules(r.Firewall.Inbound); err != nil {
		return request, err
	}
	request.Outbound, err = b.rules(r.Firewall.Outbound)
	return request, err
}

func (b *builder) rules(specs []blueprint.RuleSpec) (rules []digitalocean.FirewallRule, err error) {
	for _, spec := range specs {
		rule := digitalocean.FirewallRule{Protocol: spec.Protocol, Ports: spec.Ports}
		for _, e := range spec.Addresses {
			value, err := b.state.value(e)
			if err != nil {
				return nil, saga.Permanent(fault.Wrap(fault.Internal, err, "An address of a firewall is not known: %v.", err))
			}
			rule.Addresses = append(rule.Addresses, value)
		}
		for _, droplet := range spec.Droplets {
			n, err := b.number(droplet)
			if err != nil {
				return nil, err
			}
			rule.Droplets = append(rule.Droplets, n)
		}
		rules = append(rules, rule)
	}
	return rules, nil
}
