package provisioning

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/provisioning/blueprint"
)

// observed is a spec as it stands at DigitalOcean: the resources of a blueprint's, as
// those that were found for them are. Tags but the stack's own, and the project, are not
// adopted, and are not in it.
func observed(want blueprint.Spec, is map[string]candidate, e *estate) blueprint.Spec {
	spec := want
	spec.Resources = nil
	keys := map[string]string{} // of droplets, by id
	known := blueprint.Known{}
	for _, r := range want.Resources {
		if r.Kind == blueprint.DropletKind {
			keys[is[r.ID].id] = r.ID
		}
	}
	var kept []string
	for _, r := range want.Resources {
		c, found := is[r.ID]
		if !found && r.Name != blueprint.StackTagPrefix+want.Stack.ID {
			continue
		}
		if found {
			r = e.observe(r, c, keys, known)
			r.Tags = only(r.Tags, func(tag string) bool { return onlyOurs(tag) || slices.Contains(c.tags, tag) })
		}
		kept = append(kept, r.ID)
		spec.Resources = append(spec.Resources, r)
	}
	for i, r := range spec.Resources {
		spec.Resources[i].DependsOn = only(r.DependsOn, func(id string) bool { return slices.Contains(kept, id) })
	}
	return spec
}

// observe is a resource as it is. What it says of others it says by the keys of these;
// known collects what records refer to.
func (e *estate) observe(r blueprint.Resource, c candidate, keys map[string]string, known blueprint.Known) blueprint.Resource {
	at := func(n int, is func(int) bool) int {
		for i := range n {
			if is(i) {
				return i
			}
		}
		return -1
	}
	if r.Kind != blueprint.RecordKind && r.Kind != blueprint.ReservedIPKind { // which have no names
		r.Name = c.name
	}
	switch r.Kind {
	case blueprint.DropletKind:
		one, spec := e.droplets[at(len(e.droplets), func(i int) bool { return strconv.FormatInt(e.droplets[i].ID, 10) == c.id })], *r.Droplet
		known["droplet."+r.Key+".id"] = c.id
		known["droplet."+r.Key+".public_ip"], known["droplet."+r.Key+".private_ip"] = one.PublicIPv4, one.PrivateIPv4
		known["droplet."+r.Key+".public_ipv6"] = one.PublicIPv6
		spec.Size, spec.IPv6 = one.Size, slices.Contains(one.Features, "ipv6")
		spec.Monitoring = slices.Contains(one.Features, "monitoring")
		if one.ImageSlug != "" && !isNumber(spec.Image) { // else a rebuild would make it of the blueprint's
			spec.Image = one.ImageSlug
		}
		if !slices.Contains(one.Features, "backups") {
			spec.Backups = nil
		}
		r.Droplet = &spec
	case blueprint.VolumeKind:
		one, spec := e.volumes[at(len(e.volumes), func(i int) bool { return e.volumes[i].ID == c.id })], *r.Volume
		spec.SizeGiB = int(one.SizeGiB)
		r.Volume = &spec
		known["volume."+r.Key+".id"] = c.id
	case blueprint.VPCKind:
		one, spec := e.vpcs[at(len(e.vpcs), func(i int) bool { return e.vpcs[i].ID == c.id })], *r.VPC
		if known["vpc.ip_range"] = one.IPRange; spec.IPRange != "" {
			spec.IPRange = one.IPRange
		}
		r.VPC = &spec
	case blueprint.ReservedIPKind:
		known["reserved_ip."+r.Key+".address"] = c.id
	case blueprint.FirewallKind:
		one, spec := e.firewalls[at(len(e.firewalls), func(i int) bool { return e.firewalls[i].ID == c.id })], *r.Firewall
		spec.Droplets, spec.Tags = nil, one.Tags
		for _, id := range numbers(one.Droplets) {
			spec.Droplets = append(spec.Droplets, keys[id])
		}
		slices.Sort(spec.Droplets)
		spec.Inbound, spec.Outbound = ruleSpecs(spec.Inbound, one.Inbound, keys, known), ruleSpecs(spec.Outbound, one.Outbound, keys, known)
		r.Firewall = &spec
	case blueprint.RecordKind:
		one, spec := e.records[at(len(e.records), func(i int) bool { return strconv.FormatInt(e.records[i].ID, 10) == c.id })], *r.Record
		if says, err := spec.Data.Value(known); err != nil || !sameData(says, one.Data) {
			spec.Data = blueprint.Literal(one.Data)
		}
		spec.TTL, spec.Priority, spec.Port, spec.Weight = one.TTL, one.Priority, one.Port, one.Weight
		r.Record = &spec
	}
	return r
}

// ruleSpecs are a firewall's rules as blueprints have them: the wanted ones where those
// say the same, in whatever order.
func ruleSpecs(want []blueprint.RuleSpec, is []digitalocean.FirewallRule, keys map[string]string, known blueprint.Known) (all []blueprint.RuleSpec) {
	for _, rule := range is {
		spec := blueprint.RuleSpec{Protocol: rule.Protocol, Ports: rule.Ports}
		for _, one := range slices.Concat(rule.Addresses, rule.Others()) {
			spec.Addresses = append(spec.Addresses, blueprint.Literal(one))
		}
		for _, id := range numbers(rule.Droplets) {
			key := keys[id]
			if key == "" {
				key = "do:droplet:" + id // none of the stack's
			}
			spec.Droplets = append(spec.Droplets, key)
		}
		all = append(all, spec)
	}
	if slices.Equal(ruleWords(want, known), ruleWords(all, known)) {
		return want
	}
	return all
}

// ruleWords are rules in a form in which two that mean the same are the same.
func ruleWords(rules []blueprint.RuleSpec, known blueprint.Known) (words []string) {
	for _, r := range rules {
		ports := r.Ports
		if ports == "" || ports == "0" || ports == "1-65535" {
			ports = "all"
		}
		var peers []string
		for _, e := range r.Addresses {
			value, err := e.Value(known)
			if err != nil {
				value = string(e)
			}
			peers = append(peers, value)
		}
		peers = append(peers, r.Droplets...)
		slices.Sort(peers)
		words = append(words, r.Protocol+" "+ports+" "+strings.Join(peers, ","))
	}
	slices.Sort(words)
	return slices.Compact(words)
}

// shown is the value of a field for people.
func shown(value json.RawMessage) string {
	var text string
	switch {
	case json.Unmarshal(value, &text) == nil && text != "":
		return text
	case len(value) > 60:
		return "something else"
	case string(value) == "null":
		return "nothing"
	}
	return string(value)
}
