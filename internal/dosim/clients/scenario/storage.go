package scenario

import (
	"slices"

	"github.com/digitalocean/godo"
)

func (d drive) volumes() {
	one := d.droplet(plainDroplet("store", "web"))
	r := &godo.VolumeCreateRequest{
		Name: "data", Description: "what matters", Region: "nyc3", SizeGigaBytes: 10, FilesystemType: "ext4", FilesystemLabel: "data", Tags: []string{"web"},
	}
	v := got(d.Storage.CreateVolume(d.ctx, r))
	want("another of the name", refused[*godo.Volume](409)(d.Storage.CreateVolume(d.ctx, r)), "failed to create volume: already exists")
	d.settle()
	read := got(d.Storage.GetVolume(d.ctx, v.ID))
	want("the volume", read, v)
	want("what was asked for", []any{v.Name, v.Description, v.Region.Slug, v.SizeGigaBytes, v.FilesystemType, v.FilesystemLabel, v.Tags, v.DropletIDs},
		[]any{r.Name, r.Description, r.Region, r.SizeGigaBytes, r.FilesystemType, r.FilesystemLabel, r.Tags, []int{}})
	want("by name and region", got(d.Storage.ListVolumes(d.ctx, &godo.ListVolumeParams{Name: "data", Region: "nyc3"})), []godo.Volume{*v})
	want("in another region", len(got(d.Storage.ListVolumes(d.ctx, &godo.ListVolumeParams{Name: "data", Region: "ams3"}))), 0)

	a := d.did("attach_volume")(d.StorageActions.Attach(d.ctx, v.ID, one.ID))
	want("the action at the volume's", got(d.StorageActions.Get(d.ctx, v.ID, a.ID)).Status, godo.ActionCompleted)
	want("the volume's droplets", got(d.Storage.GetVolume(d.ctx, v.ID)).DropletIDs, []int{one.ID})
	want("the droplet's volumes", got(d.Droplets.Get(d.ctx, one.ID)).VolumeIDs, []string{v.ID})
	want("a second attachment", refused[*godo.Action](422)(d.StorageActions.Attach(d.ctx, v.ID, one.ID)), "This volume is already attached")
	undone(409)(d.Storage.DeleteVolume(d.ctx, v.ID))
	d.did("resize_volume")(d.StorageActions.Resize(d.ctx, v.ID, 25, "nyc3"))
	want("the size", got(d.Storage.GetVolume(d.ctx, v.ID)).SizeGigaBytes, int64(25))
	refused[*godo.Action](422)(d.StorageActions.Resize(d.ctx, v.ID, 20, "nyc3")) // it cannot shrink

	s := got(d.Storage.CreateSnapshot(d.ctx, &godo.SnapshotCreateRequest{VolumeID: v.ID, Name: "data-shot", Tags: []string{"web"}}))
	refused[*godo.Snapshot](409)(d.Storage.CreateSnapshot(d.ctx, &godo.SnapshotCreateRequest{VolumeID: v.ID, Name: "data-shot"}))
	d.settle()
	want("the snapshot", got(d.Storage.GetSnapshot(d.ctx, s.ID)), s)
	want("the snapshot among all", got(d.Snapshots.Get(d.ctx, s.ID)), s)
	want("what it is of", []any{s.ResourceID, s.ResourceType, s.MinDiskSize, s.Regions, s.Tags}, []any{v.ID, "volume", 25, []string{"nyc3"}, []string{"web"}})
	want("the volume's snapshots", got(d.Storage.ListSnapshots(d.ctx, v.ID, all())), []godo.Snapshot{*s})
	want("the snapshots of volumes", got(d.Snapshots.ListVolume(d.ctx, all())), []godo.Snapshot{*s})
	tag := got(d.Tags.Get(d.ctx, "web"))
	want("what the tag counts", []int{tag.Resources.Volumes.Count, tag.Resources.VolumeSnapshots.Count}, []int{1, 1})
	clone := got(d.Storage.CreateVolume(d.ctx, &godo.VolumeCreateRequest{Name: "clone", SnapshotID: s.ID, SizeGigaBytes: 30, Region: "nyc3"}))
	want("a volume of the snapshot", []any{clone.SizeGigaBytes, clone.Region.Slug, clone.FilesystemType}, []any{int64(30), "nyc3", "ext4"})

	want("how many actions the volume has had", len(got(d.StorageActions.List(d.ctx, v.ID, all()))), 2)
	d.did("detach_volume")(d.StorageActions.DetachByDropletID(d.ctx, v.ID, one.ID))
	want("a second detachment", refused[*godo.Action](422)(d.StorageActions.DetachByDropletID(d.ctx, v.ID, one.ID)), "Attachment not found")
	want("the droplet's volumes then", got(d.Droplets.Get(d.ctx, one.ID)).VolumeIDs, []string{})

	// A droplet that is made with volumes has them when it is active.
	r2 := plainDroplet("with-two")
	r2.Volumes = []godo.DropletCreateVolume{{ID: v.ID}, {Name: clone.Name}}
	two := d.droplet(r2)
	want("its volumes", slices.Sorted(slices.Values(two.VolumeIDs)), slices.Sorted(slices.Values([]string{v.ID, clone.ID})))
	done(d.Droplets.Delete(d.ctx, two.ID))
	done(d.Droplets.Delete(d.ctx, one.ID))
	undone(409)(d.Storage.DeleteVolume(d.ctx, v.ID)) // not yet
	d.settle()
	done(d.Storage.DeleteVolume(d.ctx, v.ID))
	done(d.Storage.DeleteVolume(d.ctx, clone.ID))
	done(d.Storage.DeleteSnapshot(d.ctx, s.ID))
	refused[*godo.Volume](404)(d.Storage.GetVolume(d.ctx, v.ID))
	d.settle()
	want("the volumes that are left", len(got(d.Storage.ListVolumes(d.ctx, nil))), 0)
}

func (d drive) reservedIPs() {
	one, two := d.droplet(plainDroplet("front-1")), d.droplet(plainDroplet("front-2"))
	ip := got(d.ReservedIPs.Create(d.ctx, &godo.ReservedIPCreateRequest{Region: "nyc3"}))
	d.settle()
	read := got(d.ReservedIPs.Get(d.ctx, ip.IP))
	want("the address", []any{read.Region.Slug, read.Locked, read.ProjectID}, []any{"nyc3", false, ip.ProjectID})
	want("its droplet", read.Droplet == nil, true)
	a := d.did("assign_ip")(d.ReservedIPActions.Assign(d.ctx, ip.IP, one.ID))
	want("the action at the address's", got(d.ReservedIPActions.Get(d.ctx, ip.IP, a.ID)).Status, godo.ActionCompleted)
	want("its droplet then", got(d.ReservedIPs.Get(d.ctx, ip.IP)).Droplet.ID, one.ID)
	undone(422)(d.ReservedIPs.Delete(d.ctx, ip.IP))
	d.did("assign_ip")(d.ReservedIPActions.Assign(d.ctx, ip.IP, two.ID)) // straight from one to the other
	want("its next droplet", got(d.ReservedIPs.Get(d.ctx, ip.IP)).Droplet.ID, two.ID)
	d.did("unassign_ip")(d.ReservedIPActions.Unassign(d.ctx, ip.IP))
	want("its droplet after all", got(d.ReservedIPs.Get(d.ctx, ip.IP)).Droplet == nil, true)
	want("how many actions it has had", len(got(d.ReservedIPActions.List(d.ctx, ip.IP, all()))), 3)
	want("the addresses", names(got(d.ReservedIPs.List(d.ctx, all())), func(r godo.ReservedIP) string { return r.IP }), []string{ip.IP})
	done(d.ReservedIPs.Delete(d.ctx, ip.IP))
	refused[*godo.ReservedIP](404)(d.ReservedIPs.Get(d.ctx, ip.IP))

	// One that is made for a droplet is freed when that goes, and stays.
	bound := got(d.ReservedIPs.Create(d.ctx, &godo.ReservedIPCreateRequest{DropletID: one.ID}))
	d.settle()
	want("its droplet", got(d.ReservedIPs.Get(d.ctx, bound.IP)).Droplet.ID, one.ID)
	done(d.Droplets.Delete(d.ctx, one.ID))
	done(d.Droplets.Delete(d.ctx, two.ID))
	d.settle()
	freed := got(d.ReservedIPs.Get(d.ctx, bound.IP))
	want("its droplet when that is gone", freed.Droplet == nil, true)
	done(d.ReservedIPs.Delete(d.ctx, bound.IP))
	refused[*godo.Action](404)(d.ReservedIPActions.Assign(d.ctx, bound.IP, two.ID))
	refused[*godo.ReservedIP](404)(d.ReservedIPs.Get(d.ctx, "203.0.113.7"))
}

// reservedIPv6s cannot be released while they are assigned.
func (d drive) reservedIPv6s() {
	one := d.droplet(plainDroplet("sixth"))
	ip := got(d.ReservedIPV6s.Create(d.ctx, &godo.ReservedIPV6CreateRequest{Region: "nyc3"}))
	d.settle()
	read := got(d.ReservedIPV6s.Get(d.ctx, ip.IP))
	want("the address", []any{read.IP, read.RegionSlug, read.Droplet == nil}, []any{ip.IP, "nyc3", true})
	d.did("assign_ip")(d.ReservedIPV6Actions.Assign(d.ctx, ip.IP, one.ID))
	want("its droplet", got(d.ReservedIPV6s.Get(d.ctx, ip.IP)).Droplet.ID, one.ID)
	undone(400)(d.ReservedIPV6s.Delete(d.ctx, ip.IP))
	d.did("unassign_ip")(d.ReservedIPV6Actions.Unassign(d.ctx, ip.IP))
	want("the addresses", names(got(d.ReservedIPV6s.List(d.ctx, all())), func(r godo.ReservedIPV6) string { return r.IP }), []string{ip.IP})
	done(d.ReservedIPV6s.Delete(d.ctx, ip.IP))
	refused[*godo.ReservedIPV6](404)(d.ReservedIPV6s.Get(d.ctx, ip.IP))
	done(d.Droplets.Delete(d.ctx, one.ID))
	d.settle()
}

// floatingIPs are reserved IPs under the name that they had.
func (d drive) floatingIPs() {
	one := d.droplet(plainDroplet("afloat"))
	ip := got(d.FloatingIPs.Create(d.ctx, &godo.FloatingIPCreateRequest{Region: "nyc3"}))
	d.settle()
	assigned := d.did("assign_ip")(d.FloatingIPActions.Assign(d.ctx, ip.IP, one.ID))
	want("the action at the address's", got(d.FloatingIPActions.Get(d.ctx, ip.IP, assigned.ID)).Status, godo.ActionCompleted)
	want("the address's droplet", got(d.FloatingIPs.Get(d.ctx, ip.IP)).Droplet.ID, one.ID)
	want("the same under its new name", got(d.ReservedIPs.Get(d.ctx, ip.IP)).Droplet.ID, one.ID)
	d.did("unassign_ip")(d.FloatingIPActions.Unassign(d.ctx, ip.IP))
	want("how many actions it has had", len(got(d.FloatingIPActions.List(d.ctx, ip.IP, all()))), 2)
	want("the addresses", names(got(d.FloatingIPs.List(d.ctx, all())), func(f godo.FloatingIP) string { return f.IP }), []string{ip.IP})
	done(d.FloatingIPs.Delete(d.ctx, ip.IP))
	done(d.Droplets.Delete(d.ctx, one.ID))
	newest := got(d.Actions.List(d.ctx, &godo.ListOptions{PerPage: 2}))
	want("the account's newest actions", names(newest, func(a godo.Action) string { return a.Type }), []string{"unassign_ip", "assign_ip"})
	want("one of them by its id", got(d.Actions.Get(d.ctx, newest[1].ID)).ID, assigned.ID)
}
