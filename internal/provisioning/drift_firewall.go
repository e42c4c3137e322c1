package provisioning

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/arcadia-cloud/arcadia/internal/inventory"
	"github.com/arcadia-cloud/arcadia/internal/provisioning/blueprint"
)

// firewallPoints are a firewall's rules, whom it is for, and its name.
func (c *comparison) firewallPoints(r blueprint.Resource, m StackResource, doc inventory.Doc) []point {
	again := "its rules, droplets and tags are said again as a whole"
	f := r.Firewall
	edit := func(set func(*blueprint.FirewallSpec)) func(*blueprint.Resource) {
		return func(r *blueprint.Resource) {
			r.Firewall = new(*r.Firewall)
			set(r.Firewall)
		}
	}
	points := []point{}
	marked := r.Name + "-" + strings.TrimPrefix(resourceMarker(m.MadeBy, r), "arcadia:")
	if is := doc.Text("name"); is != r.Name && is != marked {
		points = append(points, point{
			field: "name", want: marked, is: is, repair: again, absorbNot: "The name says which saga made it.",
		})
	}
	for _, side := range []struct {
		field, peers string
		want         []blueprint.RuleSpec
		into         func(*blueprint.FirewallSpec) *[]blueprint.RuleSpec
	}{
		{"inbound", "sources", f.Inbound, func(f *blueprint.FirewallSpec) *[]blueprint.RuleSpec { return &f.Inbound }},
		{"outbound", "destinations", f.Outbound, func(f *blueprint.FirewallSpec) *[]blueprint.RuleSpec { return &f.Outbound }},
	} {
		want, ok := c.rulesWanted(side.want)
		if !ok {
			continue // a rule names what is gone
		}
		is, specs, not := c.rulesOf(doc.Docs(side.field+"_rules"), side.peers)
		points = append(points, point{
			field: side.field, want: strings.Join(want, "; "), is: strings.Join(is, "; "), repair: again, absorbNot: not,
			take: edit(func(f *blueprint.FirewallSpec) { *side.into(f) = specs }),
		})
	}
	if c.stack.State == StackActive || r.ID == quarantineID { // a quarantine takes droplets out of others
		points = append(points, c.members(r, doc, again, edit))
	}
	return points
}

// members is the point of whom a firewall is for.
func (c *comparison) members(r blueprint.Resource, doc inventory.Doc, again string, edit func(func(*blueprint.FirewallSpec)) func(*blueprint.Resource)) point {
	want, is, keys := []string{}, []string{}, []string{}
	for _, key := range r.Firewall.Droplets {
		if c.id(key) != "" {
			want = append(want, key)
		}
	}
	p := point{field: "droplets", repair: again}
	for _, id := range doc.Texts("droplet_ids") {
		is = append(is, c.named(blueprint.DropletKind, id))
		if key := c.keyOf(blueprint.DropletKind, id); key != "" {
			keys = append(keys, key)
		} else {
			p.absorbNot = "A droplet is not the stack's."
		}
	}
	tags := doc.Texts("tags")
	for _, tag := range r.Firewall.Tags {
		want = append(want, "tag "+strings.ToLower(tag))
	}
	for _, tag := range tags {
		is = append(is, "tag "+strings.ToLower(tag))
	}
	slices.Sort(want)
	slices.Sort(is)
	p.want, p.is = strings.Join(want, ", "), strings.Join(is, ", ")
	p.take = edit(func(f *blueprint.FirewallSpec) { f.Droplets, f.Tags = keys, tags })
	return p
}

// rulesWanted are rules in words, sorted; ok is false where one needs what is not known.
func (c *comparison) rulesWanted(specs []blueprint.RuleSpec) (all []string, ok bool) {
	for _, spec := range specs {
		var peers []string
		for _, e := range spec.Addresses {
			value, err := e.Value(c.known)
			if err != nil {
				return nil, false
			}
			peers = append(peers, address(value))
		}
		for _, key := range spec.Droplets {
			if c.id(key) == "" {
				return nil, false
			}
			peers = append(peers, key)
		}
		all = append(all, ruleText(spec.Protocol, spec.Ports, peers))
	}
	slices.Sort(all)
	return all, true
}

// rulesOf are the rules of a document in words, sorted, and as specs. not says why they
// cannot be said by a stack.
func (c *comparison) rulesOf(docs []inventory.Doc, side string) (all []string, specs []blueprint.RuleSpec, not string) {
	for _, doc := range docs {
		spec := blueprint.RuleSpec{Protocol: doc.Text("protocol"), Ports: ports(doc.Text("protocol"), doc.Text("ports"))}
		var peers []string
		for _, one := range doc.Texts(side, "addresses") {
			peers = append(peers, address(one))
			spec.Addresses = append(spec.Addresses, blueprint.Literal(one))
		}
		for _, id := range doc.Texts(side, "droplet_ids") {
			peers = append(peers, c.named(blueprint.DropletKind, id))
			if key := c.keyOf(blueprint.DropletKind, id); key != "" {
				spec.Droplets = append(spec.Droplets, key)
			} else {
				not = "A rule names a droplet that is not the stack's."
			}
		}
		for _, other := range []string{"tags", "load_balancer_uids", "kubernetes_ids"} {
			for _, one := range doc.Texts(side, other) {
				peers = append(peers, other+" "+one)
				not = "A rule names " + other + ", which a stack's firewall cannot."
			}
		}
		all, specs = append(all, ruleText(spec.Protocol, spec.Ports, peers)), append(specs, spec)
	}
	slices.Sort(all)
	return all, specs, not
}

// ruleText is a rule in words.
func ruleText(protocol, port string, peers []string) string {
	slices.Sort(peers)
	words := []string{protocol}
	if p := ports(protocol, port); p != "" {
		words = append(words, p)
	}
	return strings.Join(words, " ") + " " + strings.Join(peers, ", ")
}

// ports are the ports of a rule in one way: DigitalOcean says 0 for all, and has none for
// ICMP.
func ports(protocol, port string) string {
	switch {
	case protocol == "icmp":
		return ""
	case port == "" || port == "0" || port == "1-65535":
		return "all"
	}
	return port
}

// address is an address or network in one way.
func address(text string) string {
	if prefix, err := netip.ParsePrefix(text); err == nil {
		if prefix.IsSingleIP() {
			return prefix.Addr().String()
		}
		return prefix.Masked().String()
	}
	return text
}
