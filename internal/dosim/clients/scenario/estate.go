package scenario

import (
	"strconv"

	"github.com/digitalocean/godo"
)

// estate is one thing of each kind, all tied together, which stays: the bill has
// it, and what two versions of godo leave behind can be compared.
func (d drive) estate() {
	one := d.droplet(plainDroplet("kept-1", "kept"))
	v := got(d.Storage.CreateVolume(d.ctx, &godo.VolumeCreateRequest{Name: "kept", Region: "nyc3", SizeGigaBytes: 50, Tags: []string{"kept"}}))
	cert := got(d.Certificates.Create(d.ctx, &godo.CertificateRequest{Name: "kept", Type: "lets_encrypt", DNSNames: []string{"example.com"}}))
	p := got(d.Projects.Create(d.ctx, &godo.CreateProjectRequest{Name: "kept", Purpose: "Service or API", Environment: "Production"}))
	image := got(d.Images.Create(d.ctx, &godo.CustomImageCreateRequest{Name: "kept", Url: "https://images.example.com/kept.raw", Region: "nyc3"}))
	d.settle()
	d.did("attach_volume")(d.StorageActions.Attach(d.ctx, v.ID, one.ID))
	ip := got(d.ReservedIPs.Create(d.ctx, &godo.ReservedIPCreateRequest{DropletID: one.ID}))
	d.settle()
	got(d.Storage.CreateSnapshot(d.ctx, &godo.SnapshotCreateRequest{VolumeID: v.ID, Name: "kept"}))
	d.did("snapshot")(d.DropletActions.Snapshot(d.ctx, one.ID, "kept"))
	d.did("enable_backups")(d.DropletActions.EnableBackups(d.ctx, one.ID))
	got(d.LoadBalancers.Create(d.ctx, &godo.LoadBalancerRequest{
		Name: "kept", Region: "nyc3", DropletIDs: []int{one.ID}, ProjectID: p.ID,
		ForwardingRules: []godo.ForwardingRule{{EntryProtocol: "https", EntryPort: 443, TargetProtocol: "http", TargetPort: 80, CertificateID: cert.ID}},
	}))
	got(d.Firewalls.Create(d.ctx, &godo.FirewallRequest{
		Name: "kept", Tags: []string{"kept"}, InboundRules: []godo.InboundRule{inbound("22", godo.Sources{Addresses: []string{"192.0.2.0/24"}})},
	}))
	got(d.Projects.AssignResources(d.ctx, p.ID, one, v, ip, "do:domain:example.com"))
	tagged := []godo.Resource{{ID: strconv.Itoa(image.ID), Type: godo.ImageResourceType}}
	d.pass(importTime)
	done(d.Tags.TagResources(d.ctx, "kept", &godo.TagResourcesRequest{Resources: tagged}))
	d.settle()
	tag := got(d.Tags.Get(d.ctx, "kept")).Resources
	want("what the tag counts", []int{tag.Count, tag.Droplets.Count, tag.Volumes.Count, tag.Images.Count}, []int{3, 1, 1, 1})
	want("what the project has", len(got(d.Projects.ListResources(d.ctx, p.ID, all()))), 5)
}
