package scenario

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/digitalocean/godo"
)

// configuration is what terraform manages, each after what it depends on.
func (d drive) configuration() []entry {
	key, network, tag := d.tfKey(), d.tfVPC(), d.tfTag("guarded")
	one := d.tfDroplet(key, network)
	data := d.tfVolume()
	attachment := d.tfAttachment(data, one)
	ip := d.tfReservedIP()
	zone := d.tfDomain()
	return []entry{
		key, tag, d.tfTag("shop"), d.tfTag("store"), d.tfTag("web"), network, one, data, attachment, d.tfVolumeSnapshot(data), d.tfDropletSnapshot(one), ip, d.tfAssignment(ip, one),
		d.tfFirewall(one, tag), zone,
		d.tfRecord(zone, recordAttrs{Type: "A", Name: "www", Value: "192.0.2.1", TTL: 600}, "192.0.2.2"),
		d.tfRecord(zone, recordAttrs{Type: "MX", Name: "@", Value: "mail.shop.example.", TTL: 1800, Priority: 10}, "mx.shop.example."),
		d.tfRecord(zone, recordAttrs{Type: "CNAME", Name: "blog", Value: "www.shop.example.", TTL: 900}, "web.shop.example."),
		d.tfRecord(zone, recordAttrs{Type: "TXT", Name: "@", Value: "v=spf1 -all", TTL: 1800}, "v=spf1 mx -all"),
		d.tfProject(one, data), d.tfBalancer(one, network),
	}
}

func number(id string) int {
	n, err := strconv.Atoi(id)
	must(err)
	return n
}

type keyAttrs struct{ Name, PublicKey string }

func (d drive) tfKey() *managed[keyAttrs] {
	return &managed[keyAttrs]{
		kind: "digitalocean_ssh_key",
		set:  func(v int) keyAttrs { return keyAttrs{either(v, "ops", "operators"), publicKey} },
		create: func(a keyAttrs) string {
			return strconv.Itoa(got(d.Keys.Create(d.ctx, &godo.KeyCreateRequest{Name: a.Name, PublicKey: a.PublicKey})).ID)
		},
		read: func(id string) (a keyAttrs, there bool) {
			k, resp, err := d.Keys.GetByID(d.ctx, number(id))
			if isGone(resp, err) {
				return a, false
			}
			return keyAttrs{k.Name, k.PublicKey}, true
		},
		update: func(id string, _, set keyAttrs) {
			got(d.Keys.UpdateByID(d.ctx, number(id), &godo.KeyUpdateRequest{Name: set.Name}))
		},
		remove: func(id string) { done(d.Keys.DeleteByID(d.ctx, number(id))) },
	}
}

type tagAttrs struct{ Name string }

func (d drive) tfTag(name string) *managed[tagAttrs] {
	return &managed[tagAttrs]{
		kind:   "digitalocean_tag",
		set:    func(int) tagAttrs { return tagAttrs{name} },
		create: func(a tagAttrs) string { return got(d.Tags.Create(d.ctx, &godo.TagCreateRequest{Name: a.Name})).Name },
		read: func(id string) (a tagAttrs, there bool) {
			t, resp, err := d.Tags.Get(d.ctx, id)
			if isGone(resp, err) {
				return a, false
			}
			return tagAttrs{t.Name}, true
		},
		remove: func(id string) { done(d.Tags.Delete(d.ctx, id)) },
	}
}

type vpcAttrs struct{ Name, Region, Description, IPRange string }

func (d drive) tfVPC() *managed[vpcAttrs] {
	return &managed[vpcAttrs]{
		kind: "digitalocean_vpc",
		set: func(v int) vpcAttrs {
			return vpcAttrs{either(v, "shop", "store"), "fra1", either(v, "what sells", "what still sells"), "10.33.0.0/16"}
		},
		create: func(a vpcAttrs) string {
			return got(d.VPCs.Create(d.ctx, &godo.VPCCreateRequest{
				Name: a.Name, RegionSlug: a.Region, Description: a.Description, IPRange: a.IPRange,
			})).ID
		},
		read: func(id string) (a vpcAttrs, there bool) {
			v, resp, err := d.VPCs.Get(d.ctx, id)
			if isGone(resp, err) {
				return a, false
			}
			return vpcAttrs{v.Name, v.RegionSlug, v.Description, v.IPRange}, true
		},
		update: func(id string, _, set vpcAttrs) {
			got(d.VPCs.Update(d.ctx, id, &godo.VPCUpdateRequest{Name: set.Name, Description: set.Description}))
		},
		// It tries again while the network still has members.
		remove: func(id string) {
			d.until("the VPC to be empty", func() bool {
				resp, err := d.VPCs.Delete(d.ctx, id)
				if resp != nil && slices.Contains([]int{http.StatusForbidden, http.StatusConflict}, resp.StatusCode) {
					return false
				}
				must(err)
				return true
			})
		},
	}
}

type dropletAttrs struct {
	Name, Region, Size, Image, VPC string
	Disk                           int // gigabytes: what resize_disk is seen by
	Backups, Monitoring, IPv6      bool
	PrivateNetworking              bool
	Tags                           []string
}

func (d drive) tfDroplet(key *managed[keyAttrs], network *managed[vpcAttrs]) *managed[dropletAttrs] {
	status := func(id, should string) {
		d.until("the droplet to be "+should, func() bool { return d.status(number(id)) == should })
	}
	return &managed[dropletAttrs]{
		kind: "digitalocean_droplet",
		set: func(v int) dropletAttrs {
			return dropletAttrs{
				Name: either(v, "shop-1", "store-1"), Region: "fra1", Size: either(v, "s-1vcpu-1gb", "s-2vcpu-4gb"), Image: "ubuntu-24-04-x64",
				VPC: network.id, Disk: either(v, 25, 80), Backups: v == 2, Monitoring: true, IPv6: v == 2, PrivateNetworking: true,
				Tags: either(v, []string{"shop", "web"}, []string{"store", "web"}),
			}
		},
		create: func(a dropletAttrs) string {
			made := got(d.Droplets.Create(d.ctx, &godo.DropletCreateRequest{
				Name: a.Name, Region: a.Region, Size: a.Size, Image: godo.DropletCreateImage{Slug: a.Image}, VPCUUID: a.VPC,
				Backups: a.Backups, Monitoring: a.Monitoring, IPv6: a.IPv6, Tags: a.Tags, SSHKeys: []godo.DropletCreateSSHKey{{ID: number(key.id)}},
			}))
			id := strconv.Itoa(made.ID)
			d.pass(10 * time.Second)
			status(id, "active")
			return id
		},
		read: func(id string) (a dropletAttrs, there bool) {
			one, resp, err := d.Droplets.Get(d.ctx, number(id))
			if isGone(resp, err) {
				return a, false
			}
			has := func(feature string) bool { return slices.Contains(one.Features, feature) }
			return dropletAttrs{
				Name: one.Name, Region: one.Region.Slug, Size: one.Size.Slug, Image: one.Image.Slug, VPC: one.VPCUUID, Disk: one.Disk,
				Backups: has("backups"), Monitoring: has("monitoring"), IPv6: has("ipv6"), PrivateNetworking: has("private_networking"), Tags: sorted(one.Tags),
			}, true
		},
		update: func(id string, have, set dropletAttrs) {
			n := number(id)
			if have.Size != set.Size {
				got(d.DropletActions.PowerOff(d.ctx, n))
				status(id, "off")
				d.acted(d.DropletActions.Resize(d.ctx, n, set.Size, true))
				got(d.DropletActions.PowerOn(d.ctx, n))
				status(id, "active")
			}
			if have.Name != set.Name {
				got(d.DropletActions.Rename(d.ctx, n, set.Name))
				d.until("the new name", func() bool { return got(d.Droplets.Get(d.ctx, n)).Name == set.Name })
			}
			if !have.Backups && set.Backups {
				d.acted(d.DropletActions.EnableBackups(d.ctx, n))
			}
			if !have.IPv6 && set.IPv6 {
				got(d.DropletActions.EnableIPv6(d.ctx, n))
				d.until("IPv6", func() bool { return slices.Contains(got(d.Droplets.Get(d.ctx, n)).Features, "ipv6") })
			}
			d.retag(id, godo.DropletResourceType, have.Tags, set.Tags)
		},
		remove: func(id string) {
			d.until("the droplet to be unlocked", func() bool { return !got(d.Droplets.Get(d.ctx, number(id))).Locked })
			done(d.Droplets.Delete(d.ctx, number(id)))
		},
	}
}

type recordAttrs struct {
	Type, Name, Value string
	TTL, Priority     int
}

// A record of the provider's has, as the user wrote it, the dot that ends a host's
// name, which the API takes off.
func (d drive) tfRecord(zone *managed[domainAttrs], first recordAttrs, value string) *managed[recordAttrs] {
	request := func(a recordAttrs) *godo.DomainRecordEditRequest {
		return &godo.DomainRecordEditRequest{Type: a.Type, Name: a.Name, Data: a.Value, TTL: a.TTL, Priority: a.Priority}
	}
	return &managed[recordAttrs]{
		kind: "digitalocean_record",
		set: func(v int) recordAttrs {
			next := first
			next.Value, next.TTL = value, first.TTL*2
			return either(v, first, next)
		},
		create: func(a recordAttrs) string {
			return strconv.Itoa(got(d.Domains.CreateRecord(d.ctx, zone.id, request(a))).ID)
		},
		read: func(id string) (a recordAttrs, there bool) {
			r, resp, err := d.Domains.Record(d.ctx, zone.id, number(id))
			if isGone(resp, err) {
				return a, false
			}
			if slices.Contains([]string{"CNAME", "MX", "NS", "SRV", "CAA"}, r.Type) {
				r.Data = strings.Replace(r.Data, "@", zone.id, 1) + "."
			}
			return recordAttrs{r.Type, r.Name, r.Data, r.TTL, r.Priority}, true
		},
		update: func(id string, _, set recordAttrs) {
			got(d.Domains.EditRecord(d.ctx, zone.id, number(id), request(set)))
		},
		remove: func(id string) { done(d.Domains.DeleteRecord(d.ctx, zone.id, number(id))) },
	}
}

type domainAttrs struct{ Name string }

func (d drive) tfDomain() *managed[domainAttrs] {
	return &managed[domainAttrs]{
		kind: "digitalocean_domain",
		set:  func(int) domainAttrs { return domainAttrs{"shop.example"} },
		create: func(a domainAttrs) string {
			return got(d.Domains.Create(d.ctx, &godo.DomainCreateRequest{Name: a.Name})).Name
		},
		read: func(id string) (a domainAttrs, there bool) {
			z, resp, err := d.Domains.Get(d.ctx, id)
			if isGone(resp, err) {
				return a, false
			}
			return domainAttrs{z.Name}, true
		},
		remove: func(id string) { done(d.Domains.Delete(d.ctx, id)) },
	}
}

type projectAttrs struct {
	Name, Description, Purpose, Environment string
	Resources                               []string
}

func (d drive) tfProject(one *managed[dropletAttrs], data *managed[volumeAttrs]) *managed[projectAttrs] {
	assign := func(id string, urns []string) {
		for _, r := range got(d.Projects.AssignResources(d.ctx, id, anys(urns)...)) {
			want("what became of "+r.URN, slices.Contains([]string{"assigned", "already_assigned"}, r.Status), true)
		}
	}
	return &managed[projectAttrs]{
		kind: "digitalocean_project",
		set: func(v int) projectAttrs {
			return projectAttrs{
				either(v, "shop", "store"), "what sells", "Selling shoes", either(v, "Staging", "Production"),
				sorted([]string{"do:droplet:" + one.id, "do:volume:" + data.id}),
			}
		},
		create: func(a projectAttrs) string {
			p := got(d.Projects.Create(d.ctx, &godo.CreateProjectRequest{
				Name: a.Name, Description: a.Description, Purpose: a.Purpose, Environment: a.Environment,
			}))
			d.pass(2 * time.Second)
			assign(p.ID, a.Resources)
			return p.ID
		},
		read: func(id string) (a projectAttrs, there bool) {
			p, resp, err := d.Projects.Get(d.ctx, id)
			if isGone(resp, err) {
				return a, false
			}
			urns := names(got(d.Projects.ListResources(d.ctx, id, all())), func(r godo.ProjectResource) string { return r.URN })
			// What the user made up comes back with a word before it.
			return projectAttrs{p.Name, p.Description, strings.TrimPrefix(p.Purpose, "Other: "), p.Environment, sorted(urns)}, true
		},
		update: func(id string, _, set projectAttrs) {
			got(d.Projects.Update(d.ctx, id, &godo.UpdateProjectRequest{
				Name: set.Name, Description: set.Description, Purpose: set.Purpose, Environment: set.Environment, IsDefault: false,
			}))
			assign(id, set.Resources)
		},
		// What is in the project goes to the default one first.
		remove: func(id string) {
			urns := names(got(d.Projects.ListResources(d.ctx, id, all())), func(r godo.ProjectResource) string { return r.URN })
			assign(got(d.Projects.GetDefault(d.ctx)).ID, urns)
			done(d.Projects.Delete(d.ctx, id))
		},
	}
}

func anys(all []string) []any {
	some := []any{}
	for _, s := range all {
		some = append(some, s)
	}
	return some
}
