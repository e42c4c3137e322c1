package provisioning

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/inventory"
	"github.com/arcadia-cloud/arcadia/internal/provisioning/blueprint"
)

// A comparison is a stack beside the documents that the inventory has of what it has.
type comparison struct {
	stack Stack
	made  map[string]StackResource // by key
	docs  map[string]inventory.Doc // by key, of what is there
	sizes []digitalocean.Size
	known blueprint.Known // what expressions may ask for
}

// learn reads what expressions may ask for out of the documents.
func (c *comparison) learn() {
	for key, doc := range c.docs {
		r, ok := c.stack.Spec.Resource(key)
		if !ok {
			continue
		}
		word := string(r.Kind) + "." + r.Key
		switch r.Kind {
		case blueprint.DropletKind:
			c.know(word+".id", doc.Text("id"))
			for _, net := range doc.Docs("networks", "v4") {
				c.know(word+"."+net.Text("type")+"_ip", net.Text("ip_address"))
			}
			for _, net := range doc.Docs("networks", "v6") {
				if net.Text("type") == "public" {
					c.know(word+".public_ipv6", net.Text("ip_address"))
				}
			}
		case blueprint.VolumeKind:
			c.know(word+".id", doc.Text("id"))
		case blueprint.VPCKind:
			c.know("vpc.ip_range", doc.Text("ip_range"))
		case blueprint.ReservedIPKind:
			c.know(word+".address", doc.Text("ip"))
		}
	}
}

func (c *comparison) know(word, value string) {
	if value != "" && c.known[word] == "" {
		c.known[word] = value
	}
}

// id is the id of what the stack has under a key; empty for nothing, or what is gone.
func (c *comparison) id(key string) string {
	r, ok := c.stack.Spec.Resource(key)
	if _, there := c.docs[key]; !ok || !there {
		return ""
	}
	return resourceID(r, c.made[key].URN)
}

// keyOf is the key under which the stack has something of a kind; empty: it is not the
// stack's.
func (c *comparison) keyOf(kind blueprint.Kind, id string) string {
	for _, r := range c.stack.Spec.Resources {
		if r.Kind == kind && id != "" && c.id(r.ID) == id {
			return r.ID
		}
	}
	return ""
}

// named is an id with the key that the stack knows it by.
func (c *comparison) named(kind blueprint.Kind, id string) string {
	if key := c.keyOf(kind, id); key != "" || id == "" {
		return key
	}
	return fmt.Sprintf("%s %s, which is not the stack's", kind, id)
}

// price is what a resource costs in a month; nil where that is not known.
func (c *comparison) price(r blueprint.Resource) *int64 {
	micros, known, err := monthlyOf(r, c.sizes, time.Now())
	if err != nil {
		return nil // a size that the inventory has no price of
	}
	return pricedAs(micros, known)
}

// costs is what b adds to a month over a.
func (c *comparison) costs(a, b *int64) *int64 {
	if a == nil || b == nil {
		return nil
	}
	return new(*b - *a)
}

func (c *comparison) missing(r blueprint.Resource, m StackResource) Difference {
	d := Difference{What: MissingThing, Key: r.ID, Kind: m.Kind, URN: m.URN, Name: m.Name, Expected: detailOf(r), Monthly: c.costs(c.price(r), new(int64))}
	switch r.Kind {
	case blueprint.DropletKind, blueprint.VolumeKind:
		d.RepairNot = "It held data, and is not made again empty: restore a backup into a new stack (arcadia stack restore " + c.stack.Name + " --into NAME), or tear the stack down."
	case blueprint.VPCKind, blueprint.SnapshotKind:
		d.RepairNot = "It cannot be made again for what stands in it: make the stack anew."
	case blueprint.ReservedIPKind:
		d.Repair = "another address is reserved, and records of the stack say it: whoever had the old one must learn the new one"
		if c.id(r.ReservedIP.Droplet) == "" {
			d.Repair, d.RepairNot = "", r.ReservedIP.Droplet+", to which it led, is gone too."
		}
	default:
		d.Repair = "it is made again"
	}
	if needs := c.neededBy(r.ID); needs != "" {
		d.AbsorbNot = needs + " of the stack needs it."
	} else {
		d.take = func(s *blueprint.Spec) { forget(s, r.ID) }
	}
	return d
}

// neededBy is a resource that there is and that makes no sense without another; empty for
// none.
func (c *comparison) neededBy(key string) string {
	about := func(e blueprint.Expr) bool {
		return slices.ContainsFunc(e.References(), func(word string) bool { return strings.HasPrefix(word, key+".") })
	}
	for _, r := range c.stack.Spec.Resources {
		if _, there := c.docs[r.ID]; !there {
			continue
		}
		if r.ReservedIP != nil && r.ReservedIP.Droplet == key || r.Record != nil && about(r.Record.Data) {
			return r.ID
		}
		if r.Firewall != nil {
			for _, rule := range slices.Concat(r.Firewall.Inbound, r.Firewall.Outbound) {
				if slices.Contains(rule.Droplets, key) || slices.ContainsFunc(rule.Addresses, about) {
					return r.ID
				}
			}
		}
	}
	for name, probe := range c.stack.Spec.Health {
		if about(probe.Target) {
			return "health." + name
		}
	}
	return ""
}

// forget takes a resource out of a spec.
func forget(s *blueprint.Spec, key string) {
	without := func(list []string) []string {
		return slices.DeleteFunc(slices.Clone(list), func(one string) bool { return one == key })
	}
	s.Resources = slices.DeleteFunc(slices.Clone(s.Resources), func(r blueprint.Resource) bool { return r.ID == key })
	for i := range s.Resources {
		r := &s.Resources[i]
		r.DependsOn = without(r.DependsOn)
		switch {
		case r.Droplet != nil:
			r.Droplet = new(*r.Droplet)
			r.Droplet.Volumes = without(r.Droplet.Volumes)
		case r.Volume != nil && r.Volume.Droplet == key:
			r.Volume = new(*r.Volume)
			r.Volume.Droplet = ""
		case r.Firewall != nil:
			r.Firewall = new(*r.Firewall)
			r.Firewall.Droplets = without(r.Firewall.Droplets)
		}
	}
}

// A point is one field of a resource as it is expected and as it is.
type point struct {
	field, want, is string
	repair          string // what a repair does; empty: nothing, and why
	repairNot       string
	take            func(*blueprint.Resource) // has it be expected; nil: it cannot be, and why
	takeSpec        func(*blueprint.Spec)     // where more than the resource changes
	absorbNot       string
	monthly         func() *int64 // where the price does not follow from what take does
}

// changed are the points in which a resource that is there is another.
func (c *comparison) changed(r blueprint.Resource, m StackResource) (all []Difference) {
	doc := c.docs[r.ID]
	var points []point
	switch r.Kind {
	case blueprint.DropletKind:
		points = c.dropletPoints(r, doc)
	case blueprint.VolumeKind:
		points = c.volumePoints(r, doc)
	case blueprint.VPCKind:
		points = []point{{
			field: "name", want: r.Name, is: doc.Text("name"), repairNot: "Rename it at DigitalOcean, or absorb it.",
			take: func(r *blueprint.Resource) { r.Name = doc.Text("name") },
		}}
	case blueprint.FirewallKind:
		points = c.firewallPoints(r, m, doc)
	case blueprint.ReservedIPKind:
		points = c.addressPoints(r, doc)
	case blueprint.RecordKind:
		points = c.recordPoints(r, doc)
	}
	so := r // as far as it was compared: the differences of a price add up
	for _, p := range points {
		if p.want == p.is {
			continue
		}
		d := Difference{
			What: ChangedThing, Key: r.ID, Kind: m.Kind, URN: m.URN, Name: m.Name, Field: p.field, Expected: p.want, Is: p.is,
			Repair: p.repair, RepairNot: p.repairNot, AbsorbNot: p.absorbNot, Monthly: new(int64),
		}
		switch {
		case p.absorbNot != "":
		case p.takeSpec != nil:
			d.take = p.takeSpec
		default:
			d.take = func(s *blueprint.Spec) {
				for i := range s.Resources {
					if s.Resources[i].ID == r.ID {
						p.take(&s.Resources[i])
					}
				}
			}
			before := c.price(so)
			p.take(&so)
			d.Monthly = c.costs(before, c.price(so))
		}
		if p.monthly != nil {
			d.Monthly = p.monthly()
		}
		all = append(all, d)
	}
	return all
}

// tags is the point of the tags that a resource carries, but for markers of sagas.
func tags(r blueprint.Resource, doc inventory.Doc) point {
	lower := func(list []string) []string {
		out := []string{}
		for _, one := range list {
			out = append(out, strings.ToLower(one))
		}
		slices.Sort(out)
		return slices.Compact(out)
	}
	want := lower(r.Tags)
	is := slices.DeleteFunc(lower(doc.Texts("tags")), func(tag string) bool {
		return strings.HasPrefix(tag, "arcadia:") && !slices.Contains(want, tag)
	})
	p := point{field: "tags", want: strings.Join(want, ", "), is: strings.Join(is, ", "), repair: "tags that lack are put on it, and others taken off"}
	for _, tag := range stackTags(want) {
		if !slices.Contains(is, tag) {
			p.absorbNot = "It lacks " + tag + ", which says whose it is."
			return p
		}
	}
	p.take = func(r *blueprint.Resource) { r.Tags = is }
	return p
}

func (c *comparison) dropletPoints(r blueprint.Resource, doc inventory.Doc) []point {
	d := r.Droplet
	changed := func(f func(*blueprint.DropletSpec)) func(*blueprint.Resource) {
		return func(r *blueprint.Resource) {
			r.Droplet = new(*r.Droplet)
			f(r.Droplet)
		}
	}
	size, region := doc.Text("size_slug"), doc.Text("region", "slug")
	points := []point{
		{field: "name", want: r.Name, is: doc.Text("name"), repair: "it is renamed", take: func(r *blueprint.Resource) { r.Name = doc.Text("name") }},
		{
			field: "region", want: d.Region, is: region, repairNot: "Nothing moves a droplet: make the stack anew.",
			take: changed(func(d *blueprint.DropletSpec) { d.Region = region }),
		},
		{
			field: "size", want: d.Size, is: size, repair: "it is switched off, gets its size back, and is switched on again",
			take: changed(func(d *blueprint.DropletSpec) { d.Size = size }),
		},
		tags(r, doc), c.power(r, doc), c.backups(r, doc),
	}
	// What was made of a snapshot, or of an image that DigitalOcean sells no more, says nothing
	// of what it was first made of.
	if image := doc.Text("image", "slug"); image != "" && !isNumber(d.Image) {
		points = append(points, point{
			field: "image", want: d.Image, is: image, repairNot: "Its disk would be written over: arcadia stack rebuild " + c.stack.Name + " --image " + d.Image,
			take: changed(func(d *blueprint.DropletSpec) { d.Image = image }),
		})
	}
	if d.VPC != "" && c.id(d.VPC) != "" {
		points = append(points, point{
			field: "vpc", want: d.VPC, is: c.named(blueprint.VPCKind, doc.Text("vpc_uuid")),
			repairNot: "Nothing moves a droplet to another network: make the stack anew.", absorbNot: "The network is not the stack's.",
		})
	}
	return points
}

func isNumber(text string) bool {
	_, err := strconv.ParseUint(text, 10, 63)
	return err == nil
}

// power is the point of whether a droplet runs.
func (c *comparison) power(r blueprint.Resource, doc inventory.Doc) point {
	p := point{
		field: "power", want: "active", is: doc.Text("status"), repair: "it is switched on",
		absorbNot: "A stack in service runs: suspend it with: arcadia stack suspend " + c.stack.Name + " --level 2",
	}
	if c.stack.State == StackSuspended && c.stack.Level >= PoweredOff {
		p.want, p.repair = "off", ""
		p.repairNot, p.absorbNot = "It is switched off by suspending the stack once more, after it was resumed.", "A stack at this level is off: resume it with: arcadia stack resume "+c.stack.Name
	}
	if p.is != "active" && p.is != "off" {
		p.is = p.want // something is under way
	}
	return p
}

func (c *comparison) backups(r blueprint.Resource, doc inventory.Doc) point {
	want, is := "off", "off"
	if r.Droplet.Backups != nil {
		want = r.Droplet.Backups.Plan
	}
	if slices.Contains(doc.Texts("features"), "backups") {
		if is = doc.Text("backup_policy", "plan"); is == "" {
			if is = want; want == "off" {
				is = "on"
			}
		}
	}
	p := point{field: "backups", want: want, is: is, repair: "DigitalOcean's backups of it are switched on"}
	if is != "off" {
		p.repair, p.repairNot = "", "To take backups away or change their plan is left to you: do it at DigitalOcean, or absorb it."
	}
	p.take = func(r *blueprint.Resource) {
		r.Droplet = new(*r.Droplet)
		switch {
		case is == "off":
			r.Droplet.Backups = nil
		case r.Droplet.Backups == nil:
			r.Droplet.Backups = &blueprint.Backups{Plan: is}
		default:
			r.Droplet.Backups = new(*r.Droplet.Backups)
			r.Droplet.Backups.Plan = is
		}
	}
	if is == "on" {
		p.absorbNot = "Which plan its backups have is not known yet."
		p.monthly = func() *int64 { return nil }
	}
	return p
}

func (c *comparison) volumePoints(r blueprint.Resource, doc inventory.Doc) []point {
	v := r.Volume
	gib, _ := strconv.Atoi(doc.Text("size_gigabytes"))
	size := func(n int) string { return fmt.Sprintf("%d GiB", n) }
	points := []point{
		{
			field: "name", want: r.Name, is: doc.Text("name"), repairNot: "Nothing renames a volume: absorb it.",
			take: func(r *blueprint.Resource) { r.Name = doc.Text("name") },
		},
		{
			field: "size", want: size(v.SizeGiB), is: size(gib), repairNot: "A volume never gets smaller: absorb it.",
			take: func(r *blueprint.Resource) {
				r.Volume = new(*r.Volume)
				r.Volume.SizeGiB = gib
			},
		},
		tags(r, doc),
	}
	if v.Droplet != "" && c.id(v.Droplet) == "" {
		return points // what it was attached to is gone
	}
	at := ""
	if ids := doc.Texts("droplet_ids"); len(ids) > 0 {
		at = ids[0]
	}
	to := c.keyOf(blueprint.DropletKind, at)
	p := point{field: "attached", want: v.Droplet, is: c.named(blueprint.DropletKind, at)}
	switch {
	case at == "":
		p.repair = "it is attached to " + v.Droplet
	default:
		p.repairNot = "What uses it there would lose it: detach it, and it is attached by a repair, or absorb it."
	}
	if at != "" && to == "" {
		p.absorbNot = "The droplet is not the stack's."
	}
	p.takeSpec = func(s *blueprint.Spec) { attach(s, r.ID, to) }
	return append(points, p)
}

// attach has a spec's volume be attached to a droplet of the spec; empty: to none.
func attach(s *blueprint.Spec, volume, droplet string) {
	s.Resources = slices.Clone(s.Resources)
	for i := range s.Resources {
		r := &s.Resources[i]
		switch {
		case r.ID == volume:
			r.Volume = new(*r.Volume)
			r.Volume.Droplet = droplet
		case r.Droplet != nil:
			r.Droplet = new(*r.Droplet)
			r.Droplet.Volumes = slices.DeleteFunc(slices.Clone(r.Droplet.Volumes), func(one string) bool { return one == volume })
			if r.ID == droplet {
				r.Droplet.Volumes = append(r.Droplet.Volumes, volume)
			}
		}
	}
}

func (c *comparison) addressPoints(r blueprint.Resource, doc inventory.Doc) []point {
	if c.id(r.ReservedIP.Droplet) == "" {
		return nil // what it led to is gone
	}
	at := doc.Text("droplet", "id")
	to := c.keyOf(blueprint.DropletKind, at)
	p := point{field: "leads_to", want: r.ReservedIP.Droplet, is: c.named(blueprint.DropletKind, at), repair: "it leads to " + r.ReservedIP.Droplet + " again"}
	p.take = func(r *blueprint.Resource) {
		r.ReservedIP = new(*r.ReservedIP)
		r.ReservedIP.Droplet = to
	}
	if to == "" {
		p.absorbNot = "An address of a stack leads to a droplet of it."
	}
	if at == "" {
		p.monthly = func() *int64 {
			micros, known, err := inventory.MonthlyOf("reserved_ip", map[string]any{"ip": "192.0.2.1", "droplet": nil}, time.Now())
			if err != nil {
				return nil
			}
			return pricedAs(micros, known)
		}
	}
	return []point{p}
}

func (c *comparison) recordPoints(r blueprint.Resource, doc inventory.Doc) []point {
	spec := r.Record
	changed := func(f func(*blueprint.RecordSpec)) func(*blueprint.Resource) {
		return func(r *blueprint.Resource) {
			r.Record = new(*r.Record)
			f(r.Record)
		}
	}
	again := "it says what it said again"
	whole := func(field string, want int, into func(*blueprint.RecordSpec) *int) point {
		is, _ := strconv.Atoi(doc.Text(field))
		return point{
			field: field, want: strconv.Itoa(want), is: strconv.Itoa(is), repair: again,
			take: changed(func(s *blueprint.RecordSpec) { *into(s) = is }),
		}
	}
	points := []point{
		{field: "name", want: spec.Name, is: doc.Text("name"), repair: again, take: changed(func(s *blueprint.RecordSpec) { s.Name = doc.Text("name") })},
		whole("ttl", spec.TTL, func(s *blueprint.RecordSpec) *int { return &s.TTL }),
		whole("priority", spec.Priority, func(s *blueprint.RecordSpec) *int { return &s.Priority }),
		whole("port", spec.Port, func(s *blueprint.RecordSpec) *int { return &s.Port }),
		whole("weight", spec.Weight, func(s *blueprint.RecordSpec) *int { return &s.Weight }),
	}
	if want, err := spec.Data.Value(c.known); err == nil && !sameData(want, doc.Text("data")) {
		points = append(points, point{
			field: "data", want: want, is: doc.Text("data"), repair: again,
			take: changed(func(s *blueprint.RecordSpec) { s.Data = blueprint.Literal(doc.Text("data")) }),
		})
	}
	return points
}
