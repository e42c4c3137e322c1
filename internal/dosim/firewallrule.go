package dosim

import (
	"cmp"
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// A firewallRule is the wire's too. Inbound ones have sources, outbound ones
// destinations.
type firewallRule struct {
	Protocol     string         `json:"protocol"`
	Ports        string         `json:"ports"` // "22", "8000-9000", "0" for all
	Sources      *firewallPeers `json:"sources,omitempty"`
	Destinations *firewallPeers `json:"destinations,omitempty"`
}

type firewallPeers struct {
	Addresses        []string `json:"addresses,omitempty"`
	DropletIDs       []int64  `json:"droplet_ids,omitempty"`
	LoadBalancerUIDs []string `json:"load_balancer_uids,omitempty"`
	KubernetesIDs    []string `json:"kubernetes_ids,omitempty"`
	Tags             []string `json:"tags,omitempty"`
}

func normalRules(c *call, rules []firewallRule, inbound bool) ([]firewallRule, error) {
	all := []firewallRule{}
	for _, r := range rules {
		ports, ok := normalPorts(r.Ports)
		peers, other := r.Sources, r.Destinations
		if !inbound {
			peers, other = other, peers
		}
		switch {
		case !slices.Contains([]string{"tcp", "udp", "icmp"}, r.Protocol):
			return nil, errors.New("protocol must be one of tcp, udp, icmp")
		case r.Protocol == "icmp":
			ports = "0"
		case !ok:
			return nil, errors.New("invalid ports")
		}
		if peers == nil || other != nil {
			return nil, errors.New("inbound rules need sources, outbound rules need destinations")
		}
		if err := peers.check(c); err != nil {
			return nil, err
		}
		next := firewallRule{Protocol: r.Protocol, Ports: ports, Sources: r.Sources, Destinations: r.Destinations}
		if !slices.ContainsFunc(all, next.same) {
			all = append(all, next)
		}
	}
	return all, nil
}

// normalPorts reads "22", "8000-9000", and all ports as "0", "all" or the whole range.
func normalPorts(s string) (string, bool) {
	if s == "0" || s == "all" || s == "1-65535" {
		return "0", true
	}
	from, to, isRange := strings.Cut(s, "-")
	if !isRange {
		to = from
	}
	a, err1 := strconv.ParseUint(from, 10, 16)
	b, err2 := strconv.ParseUint(to, 10, 16)
	return s, err1 == nil && err2 == nil && a > 0 && a <= b
}

func (p *firewallPeers) check(c *call) error {
	if len(p.Addresses)+len(p.DropletIDs)+len(p.LoadBalancerUIDs)+len(p.KubernetesIDs)+len(p.Tags) == 0 {
		return errors.New("invalid address")
	}
	for _, a := range p.Addresses {
		_, one := netip.ParseAddr(a)
		if _, many := netip.ParsePrefix(a); one != nil && many != nil {
			return errors.New("invalid address")
		}
	}
	for _, t := range p.Tags {
		if len(c.sim.world.tags.under(c, "name:"+strings.ToLower(t))) == 0 {
			return errors.New("tag does not exist: " + strconv.Quote(t))
		}
	}
	return nil
}

func (r firewallRule) same(o firewallRule) bool {
	return r.Protocol == o.Protocol && r.Ports == o.Ports && r.Sources.same(o.Sources) && r.Destinations.same(o.Destinations)
}

func (p *firewallPeers) same(o *firewallPeers) bool {
	if p == nil || o == nil {
		return p == o
	}
	return equalSets(p.Addresses, o.Addresses) && equalSets(p.DropletIDs, o.DropletIDs) &&
		equalSets(p.LoadBalancerUIDs, o.LoadBalancerUIDs) && equalSets(p.KubernetesIDs, o.KubernetesIDs) && equalSets(p.Tags, o.Tags)
}

func equalSets[T cmp.Ordered](a, b []T) bool {
	return slices.Equal(slices.Compact(slices.Sorted(slices.Values(a))), slices.Compact(slices.Sorted(slices.Values(b))))
}
