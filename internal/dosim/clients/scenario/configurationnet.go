package scenario

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"github.com/digitalocean/godo"
)

type volumeAttrs struct {
	Name, Region, Description       string
	Size                            int64 // GiB
	FilesystemType, FilesystemLabel string
	Tags                            []string
}

func (d drive) tfVolume() *managed[volumeAttrs] {
	return &managed[volumeAttrs]{
		kind: "digitalocean_volume",
		set: func(v int) volumeAttrs {
			return volumeAttrs{"shop-data", "fra1", "orders", either[int64](v, 10, 20), "ext4", "orders", either(v, []string{"shop"}, []string{"store", "web"})}
		},
		create: func(a volumeAttrs) string {
			return got(d.Storage.CreateVolume(d.ctx, &godo.VolumeCreateRequest{
				Name: a.Name, Region: a.Region, Description: a.Description, SizeGigaBytes: a.Size,
				FilesystemType: a.FilesystemType, FilesystemLabel: a.FilesystemLabel, Tags: a.Tags,
			})).ID
		},
		read: func(id string) (a volumeAttrs, there bool) {
			v, resp, err := d.Storage.GetVolume(d.ctx, id)
			if isGone(resp, err) {
				return a, false
			}
			return volumeAttrs{v.Name, v.Region.Slug, v.Description, v.SizeGigaBytes, v.FilesystemType, v.FilesystemLabel, sorted(v.Tags)}, true
		},
		update: func(id string, have, set volumeAttrs) {
			if have.Size != set.Size {
				d.acted(d.StorageActions.Resize(d.ctx, id, int(set.Size), set.Region))
			}
			d.retag(id, godo.VolumeResourceType, have.Tags, set.Tags)
		},
		remove: func(id string) { done(d.Storage.DeleteVolume(d.ctx, id)) },
	}
}

type attachmentAttrs struct {
	Volume  string
	Droplet int
}

func (d drive) tfAttachment(data *managed[volumeAttrs], one *managed[dropletAttrs]) *managed[attachmentAttrs] {
	set := func(int) attachmentAttrs { return attachmentAttrs{data.id, number(one.id)} }
	return &managed[attachmentAttrs]{
		kind: "digitalocean_volume_attachment",
		set:  set,
		create: func(a attachmentAttrs) string {
			d.acted(d.StorageActions.Attach(d.ctx, a.Volume, a.Droplet))
			return data.id + "-" + one.id
		},
		read: func(string) (a attachmentAttrs, there bool) {
			should := set(1)
			v, resp, err := d.Storage.GetVolume(d.ctx, should.Volume)
			if isGone(resp, err) || !slices.Contains(v.DropletIDs, should.Droplet) {
				return a, false
			}
			return should, true
		},
		remove: func(string) {
			a := set(1)
			d.acted(d.StorageActions.DetachByDropletID(d.ctx, a.Volume, a.Droplet))
		},
	}
}

type snapshotAttrs struct {
	Name, Of string
	Regions  []string
	Tags     []string
}

func (d drive) readSnapshot(id string) (a snapshotAttrs, there bool) {
	s, resp, err := d.Snapshots.Get(d.ctx, id)
	if isGone(resp, err) {
		return a, false
	}
	return snapshotAttrs{s.Name, s.ResourceID, s.Regions, sorted(s.Tags)}, true
}

func (d drive) tfVolumeSnapshot(data *managed[volumeAttrs]) *managed[snapshotAttrs] {
	return &managed[snapshotAttrs]{
		kind: "digitalocean_volume_snapshot",
		set: func(v int) snapshotAttrs {
			return snapshotAttrs{"shop-data-1", data.id, []string{"fra1"}, either(v, []string{"shop"}, []string{"web"})}
		},
		create: func(a snapshotAttrs) string {
			return got(d.Storage.CreateSnapshot(d.ctx, &godo.SnapshotCreateRequest{VolumeID: a.Of, Name: a.Name, Tags: a.Tags})).ID
		},
		read: d.readSnapshot,
		update: func(id string, have, set snapshotAttrs) {
			d.retag(id, godo.VolumeSnapshotResourceType, have.Tags, set.Tags)
		},
		remove: func(id string) { done(d.Snapshots.Delete(d.ctx, id)) },
	}
}

// The provider finds the snapshot of a droplet by its being as old as the action
// that made it, and looks once.
func (d drive) tfDropletSnapshot(one *managed[dropletAttrs]) *managed[snapshotAttrs] {
	return &managed[snapshotAttrs]{
		kind: "digitalocean_droplet_snapshot",
		set:  func(int) snapshotAttrs { return snapshotAttrs{"shop-1-fresh", one.id, []string{"fra1"}, []string{}} },
		create: func(a snapshotAttrs) string {
			action := d.acted(d.DropletActions.Snapshot(d.ctx, number(a.Of), a.Name))
			for _, s := range got(d.Droplets.Snapshots(d.ctx, number(a.Of), nil)) {
				if s.Created == action.StartedAt.Format(time.RFC3339) {
					return strconv.Itoa(s.ID)
				}
			}
			fail("Could not locate the Droplet Snapshot.")
			return ""
		},
		read:   d.readSnapshot,
		remove: func(id string) { done(d.Snapshots.Delete(d.ctx, id)) },
	}
}

type ipAttrs struct{ Region string }

func (d drive) tfReservedIP() *managed[ipAttrs] {
	return &managed[ipAttrs]{
		kind: "digitalocean_reserved_ip",
		set:  func(int) ipAttrs { return ipAttrs{"fra1"} },
		create: func(a ipAttrs) string {
			return got(d.ReservedIPs.Create(d.ctx, &godo.ReservedIPCreateRequest{Region: a.Region})).IP
		},
		read: func(id string) (a ipAttrs, there bool) {
			ip, resp, err := d.ReservedIPs.Get(d.ctx, id)
			if isGone(resp, err) {
				return a, false
			}
			return ipAttrs{ip.Region.Slug}, true
		},
		remove: func(id string) { done(d.ReservedIPs.Delete(d.ctx, id)) },
	}
}

type assignmentAttrs struct{ Droplet int }

func (d drive) tfAssignment(ip *managed[ipAttrs], one *managed[dropletAttrs]) *managed[assignmentAttrs] {
	return &managed[assignmentAttrs]{
		kind: "digitalocean_reserved_ip_assignment",
		set:  func(int) assignmentAttrs { return assignmentAttrs{number(one.id)} },
		create: func(a assignmentAttrs) string {
			d.acted(d.ReservedIPActions.Assign(d.ctx, ip.id, a.Droplet))
			return ip.id
		},
		read: func(id string) (a assignmentAttrs, there bool) {
			r, resp, err := d.ReservedIPs.Get(d.ctx, id)
			if isGone(resp, err) || r.Droplet == nil {
				return a, false
			}
			return assignmentAttrs{r.Droplet.ID}, true
		},
		remove: func(id string) { d.acted(d.ReservedIPActions.Unassign(d.ctx, id)) },
	}
}

type firewallAttrs struct {
	Name     string
	Droplets []int
	Tags     []string
	Inbound  []godo.InboundRule
	Outbound []godo.OutboundRule
}

func (d drive) tfFirewall(one *managed[dropletAttrs], tag *managed[tagAttrs]) *managed[firewallAttrs] {
	request := func(a firewallAttrs) *godo.FirewallRequest {
		return &godo.FirewallRequest{Name: a.Name, DropletIDs: a.Droplets, Tags: a.Tags, InboundRules: a.Inbound, OutboundRules: a.Outbound}
	}
	https := inbound("443", godo.Sources{Addresses: []string{"0.0.0.0/0", "::/0"}})
	ssh := inbound("22", godo.Sources{Addresses: []string{"192.0.2.0/24"}, Tags: []string{"guarded"}})
	return &managed[firewallAttrs]{
		kind: "digitalocean_firewall",
		set: func(v int) firewallAttrs {
			return firewallAttrs{
				either(v, "shop", "store"), []int{number(one.id)}, either(v, []string{tag.id}, []string{}),
				either(v, []godo.InboundRule{ssh, https}, []godo.InboundRule{https, inbound("8000-8080", godo.Sources{DropletIDs: []int{number(one.id)}})}),
				[]godo.OutboundRule{outbound("icmp", "0", "0.0.0.0/0"), outbound("tcp", "0", "0.0.0.0/0", "::/0"), outbound("udp", "53", "0.0.0.0/0")},
			}
		},
		create: func(a firewallAttrs) string { return got(d.Firewalls.Create(d.ctx, request(a))).ID },
		read: func(id string) (a firewallAttrs, there bool) {
			f, resp, err := d.Firewalls.Get(d.ctx, id)
			if isGone(resp, err) {
				return a, false
			}
			slices.SortFunc(f.InboundRules, func(a, b godo.InboundRule) int { return cmp.Compare(a.PortRange, b.PortRange) })
			slices.SortFunc(f.OutboundRules, func(a, b godo.OutboundRule) int { return cmp.Compare(a.Protocol, b.Protocol) })
			return firewallAttrs{f.Name, f.DropletIDs, sorted(f.Tags), f.InboundRules, f.OutboundRules}, true
		},
		update: func(id string, _, set firewallAttrs) { got(d.Firewalls.Update(d.ctx, id, request(set))) },
		remove: func(id string) { done(d.Firewalls.Delete(d.ctx, id)) },
	}
}

type balancerAttrs struct {
	Name, Region, Algorithm, VPC string
	SizeUnit                     uint32
	Droplets                     []int
	Rules                        []godo.ForwardingRule
	HealthCheck                  godo.HealthCheck
	StickySessions               godo.StickySessions
	Redirect, Proxy, Keepalive   bool
	IdleTimeout                  uint64 // seconds
}

func (d drive) tfBalancer(one *managed[dropletAttrs], network *managed[vpcAttrs]) *managed[balancerAttrs] {
	request := func(a balancerAttrs) *godo.LoadBalancerRequest {
		return &godo.LoadBalancerRequest{
			Name: a.Name, Region: a.Region, Algorithm: a.Algorithm, VPCUUID: a.VPC, SizeUnit: a.SizeUnit, DropletIDs: a.Droplets,
			ForwardingRules: a.Rules, HealthCheck: &a.HealthCheck, StickySessions: &a.StickySessions, RedirectHttpToHttps: a.Redirect,
			EnableProxyProtocol: a.Proxy, EnableBackendKeepalive: a.Keepalive, HTTPIdleTimeoutSeconds: &a.IdleTimeout,
		}
	}
	http := godo.ForwardingRule{EntryProtocol: "http", EntryPort: 80, TargetProtocol: "http", TargetPort: 8080}
	pass := godo.ForwardingRule{EntryProtocol: "https", EntryPort: 443, TargetProtocol: "https", TargetPort: 443, TlsPassthrough: true}
	return &managed[balancerAttrs]{
		kind: "digitalocean_loadbalancer",
		set: func(v int) balancerAttrs {
			return balancerAttrs{
				Name: either(v, "shop", "store"), Region: "fra1", Algorithm: "round_robin", VPC: network.id, SizeUnit: either[uint32](v, 1, 2),
				Droplets: []int{number(one.id)}, Rules: either(v, []godo.ForwardingRule{http}, []godo.ForwardingRule{http, pass}),
				HealthCheck: godo.HealthCheck{
					Protocol: "http", Port: 8080, Path: "/up", CheckIntervalSeconds: 10, ResponseTimeoutSeconds: 5, HealthyThreshold: 5, UnhealthyThreshold: 3,
				},
				StickySessions: either(v, godo.StickySessions{Type: "none"}, godo.StickySessions{Type: "cookies", CookieName: "shop", CookieTtlSeconds: 600}),
				Redirect:       v == 2, Proxy: true, Keepalive: v == 2, IdleTimeout: either[uint64](v, 60, 120),
			}
		},
		create: func(a balancerAttrs) string {
			id := got(d.LoadBalancers.Create(d.ctx, request(a))).ID
			d.pass(10 * time.Second)
			d.until("the load balancer to be active", func() bool { return got(d.LoadBalancers.Get(d.ctx, id)).Status == "active" })
			return id
		},
		read: func(id string) (a balancerAttrs, there bool) {
			b, resp, err := d.LoadBalancers.Get(d.ctx, id)
			if isGone(resp, err) {
				return a, false
			}
			return balancerAttrs{
				b.Name, b.Region.Slug, b.Algorithm, b.VPCUUID, b.SizeUnit, b.DropletIDs, b.ForwardingRules, *b.HealthCheck, *b.StickySessions,
				b.RedirectHttpToHttps, b.EnableProxyProtocol, b.EnableBackendKeepalive, *b.HTTPIdleTimeoutSeconds,
			}, true
		},
		update: func(id string, _, set balancerAttrs) { got(d.LoadBalancers.Update(d.ctx, id, request(set))) },
		remove: func(id string) { done(d.LoadBalancers.Delete(d.ctx, id)) },
	}
}
