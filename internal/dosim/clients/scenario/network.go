package scenario

import (
	"slices"
	"time"

	"github.com/digitalocean/godo"
)

func (d drive) vpcs() {
	v := got(d.VPCs.Create(d.ctx, &godo.VPCCreateRequest{Name: "inside", RegionSlug: "nyc3", Description: "ours", IPRange: "10.77.0.0/20"}))
	refused[*godo.VPC](422)(d.VPCs.Create(d.ctx, &godo.VPCCreateRequest{Name: "overlapping", RegionSlug: "ams3", IPRange: "10.77.1.0/24"}))
	refused[*godo.VPC](422)(d.VPCs.Create(d.ctx, &godo.VPCCreateRequest{Name: "Inside", RegionSlug: "nyc3"}))
	d.settle()
	want("the VPC", got(d.VPCs.Get(d.ctx, v.ID)), v)
	want("what was asked for", []any{v.Name, v.RegionSlug, v.Description, v.IPRange, v.Default, v.URN},
		[]any{"inside", "nyc3", "ours", "10.77.0.0/20", false, "do:vpc:" + v.ID})
	set := got(d.VPCs.Set(d.ctx, v.ID, godo.VPCSetName("within"), godo.VPCSetDescription("still ours")))
	want("the VPC's new name", []string{set.Name, set.Description}, []string{"within", "still ours"})
	set = got(d.VPCs.Update(d.ctx, v.ID, &godo.VPCUpdateRequest{Name: "inside"}))
	want("and again", []string{set.Name, set.Description}, []string{"inside", ""})

	r := plainDroplet("member", "web")
	r.VPCUUID = v.ID
	one := d.droplet(r)
	members := got(d.VPCs.ListMembers(d.ctx, v.ID, &godo.VPCListMembersRequest{ResourceType: "droplet"}, all()))
	want("its members", names(members, func(m *godo.VPCMember) string { return m.URN + " " + m.Name }), []string{one.URN() + " member"})
	want("its load balancers", len(got(d.VPCs.ListMembers(d.ctx, v.ID, &godo.VPCListMembersRequest{ResourceType: "load_balancer"}, all()))), 0)
	undone(409)(d.VPCs.Delete(d.ctx, v.ID))
	done(d.Droplets.Delete(d.ctx, one.ID))
	undone(409)(d.VPCs.Delete(d.ctx, v.ID)) // not yet
	d.settle()
	done(d.VPCs.Delete(d.ctx, v.ID))
	refused[*godo.VPC](404)(d.VPCs.Get(d.ctx, v.ID))
	d.settle()
	for _, v := range got(d.VPCs.List(d.ctx, all())) {
		want("whether "+v.Name+" is a default", v.Default, true)
		undone(403)(d.VPCs.Delete(d.ctx, v.ID))
	}
}

func inbound(ports string, s godo.Sources) godo.InboundRule {
	return godo.InboundRule{Protocol: "tcp", PortRange: ports, Sources: &s}
}

func outbound(protocol, ports string, addresses ...string) godo.OutboundRule {
	return godo.OutboundRule{Protocol: protocol, PortRange: ports, Destinations: &godo.Destinations{Addresses: addresses}}
}

func (d drive) firewalls() {
	one := d.droplet(plainDroplet("behind", "guarded"))
	https := inbound("443", godo.Sources{Addresses: []string{"0.0.0.0/0", "::/0"}})
	ssh := inbound("22", godo.Sources{Tags: []string{"guarded"}, DropletIDs: []int{one.ID}})
	out := []godo.OutboundRule{outbound("tcp", "0", "0.0.0.0/0", "::/0"), outbound("icmp", "0", "0.0.0.0/0")}
	r := &godo.FirewallRequest{Name: "web", Tags: []string{"guarded"}, InboundRules: []godo.InboundRule{https}, OutboundRules: out}
	f := got(d.Firewalls.Create(d.ctx, r))
	want("the status at first", f.Status, "waiting")
	refused[*godo.Firewall](409)(d.Firewalls.Create(d.ctx, r))
	d.settle()
	f = got(d.Firewalls.Get(d.ctx, f.ID))
	want("the firewall", []any{f.Name, f.Status, f.Tags, f.DropletIDs, f.InboundRules, f.OutboundRules, f.PendingChanges},
		[]any{"web", "succeeded", r.Tags, []int{}, r.InboundRules, r.OutboundRules, []godo.PendingChange{}})
	want("the firewalls of the droplet", names(got(d.Firewalls.ListByDroplet(d.ctx, one.ID, all())), func(f godo.Firewall) string { return f.ID }), []string{f.ID})

	done(d.Firewalls.AddRules(d.ctx, f.ID, &godo.FirewallRulesRequest{InboundRules: []godo.InboundRule{ssh}}))
	pending := got(d.Firewalls.Get(d.ctx, f.ID)).PendingChanges
	want("what is pending", pending, []godo.PendingChange{{DropletID: one.ID, Removing: false, Status: "waiting"}})
	done(d.Firewalls.RemoveRules(d.ctx, f.ID, &godo.FirewallRulesRequest{OutboundRules: out[1:]}))
	done(d.Firewalls.RemoveTags(d.ctx, f.ID, "guarded"))
	done(d.Firewalls.AddDroplets(d.ctx, f.ID, one.ID))
	f = got(d.Firewalls.Get(d.ctx, f.ID))
	want("the firewall after it", []any{f.Tags, f.DropletIDs, f.InboundRules, f.OutboundRules},
		[]any{[]string{}, []int{one.ID}, []godo.InboundRule{https, ssh}, out[:1]})
	done(d.Firewalls.RemoveDroplets(d.ctx, f.ID, one.ID))
	done(d.Firewalls.AddTags(d.ctx, f.ID, "guarded", "web"))
	r.Name, r.Tags = "web-2", []string{"guarded"}
	replaced := got(d.Firewalls.Update(d.ctx, f.ID, r))
	want("the firewall when it is replaced", []any{replaced.Name, replaced.Tags, replaced.DropletIDs, replaced.InboundRules, replaced.OutboundRules},
		[]any{"web-2", r.Tags, []int{}, r.InboundRules, r.OutboundRules})
	undone(422)(d.Firewalls.AddTags(d.ctx, f.ID, "no-such-tag"))
	done(d.Droplets.Delete(d.ctx, one.ID))
	want("the firewalls", len(got(d.Firewalls.List(d.ctx, all()))), 1)
	done(d.Firewalls.Delete(d.ctx, f.ID))
	refused[*godo.Firewall](404)(d.Firewalls.Get(d.ctx, f.ID))
}

func (d drive) domains() {
	got(d.Domains.Create(d.ctx, &godo.DomainCreateRequest{Name: "example.com", IPAddress: "192.0.2.1"}))
	refused[*godo.Domain](422)(d.Domains.Create(d.ctx, &godo.DomainCreateRequest{Name: "example.com"}))
	d.settle()
	zone := got(d.Domains.Get(d.ctx, "example.com"))
	want("the domain", []any{zone.Name, zone.TTL, zone.ZoneFile != ""}, []any{"example.com", 1800, true})
	kind := func(r godo.DomainRecord) string { return r.Type }
	want("what it begins with", names(got(d.Domains.Records(d.ctx, "example.com", all())), kind), []string{"SOA", "NS", "NS", "NS", "A"})
	for _, r := range []godo.DomainRecordEditRequest{
		{Type: "A", Name: "www", Data: "192.0.2.2", TTL: 600},
		{Type: "AAAA", Name: "www", Data: "2001:db8::2", TTL: 600},
		{Type: "CNAME", Name: "shop", Data: "www.example.com.", TTL: 900},
		{Type: "MX", Name: "@", Data: "mail.example.com.", Priority: 10, TTL: 1800},
		{Type: "TXT", Name: "@", Data: "v=spf1 -all", TTL: 1800},
		{Type: "SRV", Name: "_sip._tcp", Data: "sip.example.com.", Priority: 5, Port: 5060, Weight: 50, TTL: 1800},
		{Type: "CAA", Name: "@", Data: "letsencrypt.org.", Tag: "issue", TTL: 1800},
		{Type: "NS", Name: "sub", Data: "ns1.example.net.", TTL: 1800},
	} {
		made := got(d.Domains.CreateRecord(d.ctx, "example.com", &r))
		d.pass(5 * time.Second)
		read := got(d.Domains.Record(d.ctx, "example.com", made.ID))
		want("the record", read, made)
		should := godo.DomainRecord{
			ID: made.ID, Type: r.Type, Name: r.Name, Data: r.Data, Priority: r.Priority, Port: r.Port, Weight: r.Weight, TTL: r.TTL, Flags: r.Flags, Tag: r.Tag,
		}
		if slices.Contains([]string{"CNAME", "MX", "SRV", "CAA", "NS"}, r.Type) {
			should.Data = r.Data[:len(r.Data)-1] // a host's name comes back without its dot
		}
		want("the record of type "+r.Type, *read, should)
	}
	refused[*godo.DomainRecord](422)(d.Domains.CreateRecord(d.ctx, "example.com", &godo.DomainRecordEditRequest{Type: "CNAME", Name: "www", Data: "a.example.com."}))
	d.settle()
	want("by type", len(got(d.Domains.RecordsByType(d.ctx, "example.com", "NS", all()))), 4)
	want("by name", names(got(d.Domains.RecordsByName(d.ctx, "example.com", "www.example.com", all())), kind), []string{"A", "AAAA"})
	www := got(d.Domains.RecordsByTypeAndName(d.ctx, "example.com", "A", "www.example.com", all()))
	want("by both", len(www), 1)
	edit := &godo.DomainRecordEditRequest{Type: "A", Name: "web", Data: "192.0.2.3", TTL: 300}
	edited := got(d.Domains.EditRecord(d.ctx, "example.com", www[0].ID, edit))
	want("the record after the edit", []any{edited.Name, edited.Data, edited.TTL}, []any{"web", "192.0.2.3", 300})
	done(d.Domains.DeleteRecord(d.ctx, "example.com", www[0].ID))
	refused[*godo.DomainRecord](404)(d.Domains.Record(d.ctx, "example.com", www[0].ID))
	got(d.Domains.Create(d.ctx, &godo.DomainCreateRequest{Name: "example.net"}))
	d.settle()
	done(d.Domains.Delete(d.ctx, "example.net"))
	refused[*godo.Domain](404)(d.Domains.Get(d.ctx, "example.net"))
	d.settle()
	want("the domains", names(got(d.Domains.List(d.ctx, all())), func(d godo.Domain) string { return d.Name }), []string{"example.com"})
}

// balancers leaves the domain that it is handed behind it.
func (d drive) balancers() {
	pair := []int{d.droplet(plainDroplet("lb-1", "web")).ID, d.droplet(plainDroplet("lb-2", "web")).ID}
	cert := got(d.Certificates.Create(d.ctx, &godo.CertificateRequest{Name: "shop", Type: "lets_encrypt", DNSNames: []string{"example.com", "shop.example.com"}}))
	want("the certificate at first", []any{cert.State, cert.Type, cert.DNSNames}, []any{"pending", "lets_encrypt", []string{"example.com", "shop.example.com"}})
	d.settle()
	want("the certificate", got(d.Certificates.Get(d.ctx, cert.ID)).State, "verified")
	want("by name", len(got(d.Certificates.ListByName(d.ctx, "shop", all()))), 1)
	want("the certificates", len(got(d.Certificates.List(d.ctx, all()))), 1)
	refused[*godo.Certificate](422)(d.Certificates.Create(d.ctx, &godo.CertificateRequest{Name: "other", Type: "lets_encrypt", DNSNames: []string{"example.org"}}))

	http := godo.ForwardingRule{EntryProtocol: "http", EntryPort: 80, TargetProtocol: "http", TargetPort: 8080}
	https := godo.ForwardingRule{EntryProtocol: "https", EntryPort: 443, TargetProtocol: "http", TargetPort: 8080, CertificateID: cert.ID}
	b := got(d.LoadBalancers.Create(d.ctx, &godo.LoadBalancerRequest{
		Name: "shop", Region: "nyc3", SizeUnit: 2, DropletIDs: pair[:1], ForwardingRules: []godo.ForwardingRule{http, https},
		HealthCheck:         &godo.HealthCheck{Protocol: "http", Port: 8080, Path: "/up", CheckIntervalSeconds: 15, ResponseTimeoutSeconds: 3, HealthyThreshold: 4, UnhealthyThreshold: 2},
		StickySessions:      &godo.StickySessions{Type: "cookies", CookieName: "lb", CookieTtlSeconds: 300},
		RedirectHttpToHttps: true, HTTPIdleTimeoutSeconds: godo.PtrTo(uint64(90)),
	}))
	want("the load balancer at first", []string{b.Status, b.IP}, []string{"new", ""})
	d.settle()
	b = got(d.LoadBalancers.Get(d.ctx, b.ID))
	want("the load balancer", []any{b.Name, b.Status, b.Region.Slug, b.SizeUnit, b.DropletIDs, b.ForwardingRules, b.RedirectHttpToHttps, *b.HTTPIdleTimeoutSeconds},
		[]any{"shop", "active", "nyc3", uint32(2), pair[:1], []godo.ForwardingRule{http, https}, true, uint64(90)})
	want("its health check", *b.HealthCheck, godo.HealthCheck{
		Protocol: "http", Port: 8080, Path: "/up", CheckIntervalSeconds: 15, ResponseTimeoutSeconds: 3, HealthyThreshold: 4, UnhealthyThreshold: 2,
	})
	want("its sessions", *b.StickySessions, godo.StickySessions{Type: "cookies", CookieName: "lb", CookieTtlSeconds: 300})
	if b.IP == "" || b.VPCUUID == "" || b.ProjectID == "" {
		fail("the load balancer lacks something: %+v", b)
	}
	undone(403)(d.Certificates.Delete(d.ctx, cert.ID)) // it is in use

	step := func(resp *godo.Response, err error) {
		must(err)
		d.pass(15 * time.Second) // until it takes another change
	}
	step(d.LoadBalancers.AddDroplets(d.ctx, b.ID, pair[1]))
	undone(422)(d.LoadBalancers.AddDroplets(d.ctx, b.ID, 1))
	want("its droplets", got(d.LoadBalancers.Get(d.ctx, b.ID)).DropletIDs, pair)
	step(d.LoadBalancers.RemoveDroplets(d.ctx, b.ID, pair[0]))
	want("its droplets then", got(d.LoadBalancers.Get(d.ctx, b.ID)).DropletIDs, pair[1:])
	tcp := godo.ForwardingRule{EntryProtocol: "tcp", EntryPort: 5432, TargetProtocol: "tcp", TargetPort: 5432}
	done(d.LoadBalancers.AddForwardingRules(d.ctx, b.ID, tcp))
	undone(403)(d.LoadBalancers.RemoveForwardingRules(d.ctx, b.ID, https)) // one change at a time
	d.pass(15 * time.Second)
	step(d.LoadBalancers.RemoveForwardingRules(d.ctx, b.ID, https))
	want("its rules", got(d.LoadBalancers.Get(d.ctx, b.ID)).ForwardingRules, []godo.ForwardingRule{http, tcp})

	request := got(d.LoadBalancers.Get(d.ctx, b.ID)).AsRequest()
	request.Name, request.SizeUnit, request.SizeSlug, request.DropletIDs, request.Tag = "store", 3, "", nil, "web"
	changed := got(d.LoadBalancers.Update(d.ctx, b.ID, request))
	d.pass(15 * time.Second)
	want("the load balancer after the update", []any{changed.Name, changed.SizeUnit, changed.Tag, changed.ForwardingRules},
		[]any{"store", uint32(3), "web", []godo.ForwardingRule{http, tcp}})
	for _, id := range pair {
		want("whether it has what has the tag", slices.Contains(got(d.LoadBalancers.Get(d.ctx, b.ID)).DropletIDs, id), true)
	}
	want("the load balancers", len(got(d.LoadBalancers.List(d.ctx, all()))), 1)
	done(d.LoadBalancers.Delete(d.ctx, b.ID))
	refused[*godo.LoadBalancer](404)(d.LoadBalancers.Get(d.ctx, b.ID))
	done(d.Certificates.Delete(d.ctx, cert.ID))
	for _, id := range pair {
		done(d.Droplets.Delete(d.ctx, id))
	}
}

// globalBalancer is one in front of others, with a cache.
func (d drive) globalBalancer() {
	b := got(d.LoadBalancers.Create(d.ctx, &godo.LoadBalancerRequest{
		Name: "world", Type: "GLOBAL",
		ForwardingRules: []godo.ForwardingRule{{EntryProtocol: "http", EntryPort: 80, TargetProtocol: "http", TargetPort: 80}},
		GLBSettings:     &godo.GLBSettings{TargetProtocol: "http", TargetPort: 80, CDN: &godo.CDNSettings{IsEnabled: true}},
	}))
	d.settle()
	b = got(d.LoadBalancers.Get(d.ctx, b.ID))
	want("the load balancer", []any{b.Type, b.Status, b.Region == nil, b.GLBSettings.CDN.IsEnabled}, []any{"GLOBAL", "active", true, true})
	done(d.LoadBalancers.PurgeCache(d.ctx, b.ID))
	done(d.LoadBalancers.Delete(d.ctx, b.ID))
}
