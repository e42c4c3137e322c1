package provisioning

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/provisioning/blueprint"
)

// An estate is all that an account has of what stacks are made of, from whole lists.
type estate struct {
	droplets  []digitalocean.Droplet
	volumes   []digitalocean.Volume
	vpcs      []digitalocean.VPC
	firewalls []digitalocean.Firewall
	ips       []digitalocean.ReservedIP
	records   []digitalocean.Record // of the one domain that the blueprint names
}

func readEstate(ctx context.Context, c *digitalocean.Client, spec blueprint.Spec) (e estate, err error) {
	droplets, err1 := c.Droplets(ctx)
	volumes, err2 := c.Volumes(ctx)
	vpcs, err3 := c.VPCs(ctx)
	firewalls, err4 := c.Firewalls(ctx)
	ips, err5 := c.ReservedIPs(ctx)
	e = estate{droplets: droplets.Items, volumes: volumes.Items, vpcs: vpcs.Items, firewalls: firewalls.Items, ips: ips.Items}
	if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
		return e, err // a list that is not whole tells nothing
	}
	for _, r := range spec.Resources {
		if r.Kind == blueprint.RecordKind { // all are in one domain
			records, err := c.Records(ctx, r.Record.Domain)
			e.records = records.Items
			return e, err
		}
	}
	return e, nil
}

// A candidate is one thing at DigitalOcean that may be what a blueprint asks for.
type candidate struct {
	id, name, region string
	tags             []string
	droplets         []string // ids of those that it is for, or that are in it
}

// candidates are all of a kind. Of records these are those that say the same of the same
// name.
func (e *estate) candidates(r blueprint.Resource) (found []candidate) {
	switch r.Kind {
	case blueprint.DropletKind:
		for _, one := range e.droplets {
			found = append(found, candidate{strconv.FormatInt(one.ID, 10), one.Name, one.Region, one.Tags, nil})
		}
	case blueprint.VolumeKind:
		for _, one := range e.volumes {
			found = append(found, candidate{one.ID, one.Name, one.Region, one.Tags, numbers(one.Droplets)})
		}
	case blueprint.VPCKind:
		for _, one := range e.vpcs {
			found = append(found, candidate{one.ID, one.Name, one.Region, nil, e.members(one.ID)})
		}
	case blueprint.FirewallKind:
		for _, one := range e.firewalls {
			found = append(found, candidate{one.ID, one.Name, "", nil, e.covered(one)})
		}
	case blueprint.ReservedIPKind:
		for _, one := range e.ips {
			c := candidate{id: one.IP, name: one.IP, region: one.Region}
			if one.Droplet != 0 {
				c.droplets = numbers([]int64{one.Droplet})
			}
			found = append(found, c)
		}
	case blueprint.RecordKind:
		for _, one := range e.records {
			if one.Type == r.Record.Type && one.Name == r.Record.Name {
				found = append(found, candidate{id: strconv.FormatInt(one.ID, 10), name: one.Name})
			}
		}
	}
	return found
}

func numbers(ids []int64) []string {
	return idsOf(ids, func(id int64) string { return strconv.FormatInt(id, 10) })
}

// members are the droplets in a network.
func (e *estate) members(vpc string) (ids []string) {
	for _, one := range e.droplets {
		if one.VPC == vpc {
			ids = append(ids, strconv.FormatInt(one.ID, 10))
		}
	}
	return ids
}

// covered are the droplets that a firewall is for, those with its tags among them.
func (e *estate) covered(f digitalocean.Firewall) []string {
	ids := numbers(f.Droplets)
	for _, one := range e.droplets {
		id := strconv.FormatInt(one.ID, 10)
		if slices.ContainsFunc(one.Tags, func(tag string) bool { return slices.Contains(f.Tags, tag) }) && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// A match says which thing at DigitalOcean each resource of a blueprint is to be.
type match struct {
	spec   blueprint.Spec
	tenant Owner            // whose they are to be
	whose  map[string]Owner // by URN
	named  map[string]string
	is     map[string]candidate // by resource
	wrong  []string             // why it cannot be: sentences
}

func (m *match) fail(format string, args ...any) {
	m.wrong = append(m.wrong, fmt.Sprintf(format, args...))
}

// adoptable are the kinds that are adopted, in the order in which they are found: what
// hangs on droplets after them.
var adoptable = []blueprint.Kind{
	blueprint.DropletKind, blueprint.VPCKind, blueprint.VolumeKind, blueprint.FirewallKind, blueprint.ReservedIPKind, blueprint.RecordKind,
}

// find looks for everything.
func (m *match) find(account string, e *estate) {
	m.is = map[string]candidate{}
	took := map[string]string{} // resources by URN
	for _, kind := range adoptable {
		for _, r := range m.spec.Resources {
			if r.Kind != kind {
				continue
			}
			c, ok := m.pick(account, r, e.candidates(r))
			if !ok {
				continue
			}
			urn := resourceURN(account, r, c.id)
			if other := took[urn]; other != "" {
				m.fail("%s would be both %s and %s. Say which is which: %s=…", urn, other, r.ID, r.ID)
				continue
			}
			took[urn], m.is[r.ID] = r.ID, c
		}
	}
	for key := range m.named {
		if r, ok := m.spec.Resource(key); !ok || !slices.Contains(adoptable, r.Kind) {
			m.fail("The blueprint has no %s that could be adopted.", clip(key))
		}
	}
}

// pick chooses what a resource is to be: what was named; else what hangs on the stack's
// droplets; else what has its name; else what is the tenant's. Several are too many.
func (m *match) pick(account string, r blueprint.Resource, all []candidate) (c candidate, ok bool) {
	what := strings.ReplaceAll(string(r.Kind), "_", " ")
	if want := m.named[r.ID]; want != "" {
		id := want[strings.LastIndexAny(want, ":/")+1:]
		i := slices.IndexFunc(all, func(c candidate) bool { return c.id == id })
		if i < 0 || strings.Contains(want, ":") && resourceURN(account, r, id) != want {
			m.fail("%s: the account has no %s %s that could be it.", r.ID, what, clip(want))
			return c, false
		}
		return all[i], true
	}
	named := func(c candidate) bool { return c.name == r.Name }
	owned := func(c candidate) bool { return m.whose[resourceURN(account, r, c.id)].Tenant == m.tenant.Tenant }
	ways := []func(candidate) bool{m.hangs(r), named, owned}
	if r.Kind == blueprint.RecordKind {
		ways = []func(candidate) bool{func(candidate) bool { return true }}
	}
	for _, way := range ways {
		found := only(all, way)
		for _, narrower := range []func(candidate) bool{named, owned} {
			if some := only(found, narrower); len(found) > 1 && len(some) > 0 {
				found = some
			}
		}
		switch {
		case len(found) == 1:
			return found[0], true
		case len(found) > 1:
			var words []string
			for _, one := range found[:min(4, len(found))] {
				words = append(words, resourceURN(account, r, one.id)+" ("+one.name+")")
			}
			m.fail("%s could be any of %d: %s. Say which: %s=URN", r.ID, len(found), strings.Join(words, ", "), r.ID)
			return c, false
		}
	}
	m.fail("%s: no %s is attached to the stack's droplets, is named %s or is tenant %s's. Name it: %s=URN, or take a blueprint without it.", r.ID, what, r.Name, m.tenant.Slug, r.ID)
	return c, false
}

// hangs selects what is attached to, or leads to, the droplets for which a blueprint has
// a resource.
func (m *match) hangs(r blueprint.Resource) func(candidate) bool {
	var droplets []string
	for _, key := range dropletsOf(m.spec, r) {
		if is, ok := m.is[key]; ok {
			droplets = append(droplets, is.id)
		}
	}
	return func(c candidate) bool {
		return slices.ContainsFunc(c.droplets, func(id string) bool { return slices.Contains(droplets, id) })
	}
}

// dropletsOf are the droplets that a resource is for, as the spec has it.
func dropletsOf(spec blueprint.Spec, r blueprint.Resource) (keys []string) {
	switch r.Kind {
	case blueprint.VolumeKind:
		if r.Volume.Droplet != "" {
			keys = []string{r.Volume.Droplet}
		}
	case blueprint.FirewallKind:
		keys = r.Firewall.Droplets
	case blueprint.ReservedIPKind:
		keys = []string{r.ReservedIP.Droplet}
	case blueprint.VPCKind:
		for _, one := range spec.Resources {
			if one.Droplet != nil && one.Droplet.VPC == r.ID {
				keys = append(keys, one.ID)
			}
		}
	}
	return keys
}

func only[T any](items []T, keep func(T) bool) []T {
	return slices.DeleteFunc(slices.Clone(items), func(one T) bool { return !keep(one) })
}

// judge asks of everything that was found whether it may be adopted. Whatever is another's
// may not, nor what others use: whoever tears the stack down would take it from them.
func (m *match) judge(account string, e *estate, stacks map[string]string) {
	ours := map[string]bool{} // ids of the stack's droplets
	for _, r := range m.spec.Resources {
		if c, ok := m.is[r.ID]; ok && r.Kind == blueprint.DropletKind {
			ours[c.id] = true
		}
	}
	for _, r := range m.spec.Resources {
		c, ok := m.is[r.ID]
		if !ok {
			continue
		}
		urn := resourceURN(account, r, c.id)
		if of := stacks[urn]; of != "" {
			m.fail("%s: %s belongs to stack %s. Release that first.", r.ID, urn, of)
			continue
		}
		for _, tag := range c.tags {
			if strings.HasPrefix(tag, blueprint.StackTagPrefix) {
				m.fail("%s: %s carries %s, the tag of a stack that is not known here. If nobody has it, take the tag off.", r.ID, urn, tag)
			}
		}
		if of, known := m.whose[urn]; known && of.Tenant != m.tenant.Tenant {
			m.fail("%s: %s is tenant %s's: %s Say otherwise with: arcadia inventory assign %s %s", r.ID, urn, of.Slug, of.Why, m.tenant.Slug, urn)
		}
		if want := regionOf(r); want != "" && c.region != want {
			m.fail("%s: %s is in %s, and the blueprint wants it in %s: nothing moves to another region.", r.ID, urn, c.region, want)
		}
		if others := only(c.droplets, func(id string) bool { return !ours[id] }); len(others) > 0 {
			m.fail("%s: %s is for droplet %s too, which is none of this stack's.", r.ID, urn, strings.Join(others, ", "))
		}
		m.judgeTies(r, c, urn, e)
	}
}

// judgeTies asks whether a thing is tied to what the blueprint ties it to. Adopting ties
// nothing.
func (m *match) judgeTies(r blueprint.Resource, c candidate, urn string, e *estate) {
	for _, key := range dropletsOf(m.spec, r) {
		if r.Kind == blueprint.FirewallKind {
			break // whom it is for is changed at any time: that is drift
		}
		if is, ok := m.is[key]; ok && !slices.Contains(c.droplets, is.id) {
			m.fail("%s: %s has nothing to do with droplet %s, and the blueprint ties the two. Attach it, or name another.", r.ID, urn, is.id)
		}
	}
	if r.Kind == blueprint.VPCKind && slices.ContainsFunc(e.vpcs, func(v digitalocean.VPC) bool { return v.ID == c.id && v.Default }) {
		m.fail("%s: %s is the network that DigitalOcean gives everything in %s. Take a blueprint without a network of its own.", r.ID, urn, c.region)
	}
}

// regionOf is where a resource must be; empty: anywhere.
func regionOf(r blueprint.Resource) string {
	switch r.Kind {
	case blueprint.DropletKind:
		return r.Droplet.Region
	case blueprint.VolumeKind:
		return r.Volume.Region
	case blueprint.VPCKind:
		return r.VPC.Region
	case blueprint.ReservedIPKind:
		return r.ReservedIP.Region
	}
	return ""
}

// err is all that is wrong, a sentence on each line.
func (m *match) err() error {
	if len(m.wrong) == 0 {
		return nil
	}
	return fault.New(fault.Conflict, "%s", strings.Join(m.wrong, "\n"))
}
