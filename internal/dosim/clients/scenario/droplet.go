package scenario

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/digitalocean/godo"
)

// plainDroplet is the request for a droplet with nothing special about it.
func plainDroplet(name string, tags ...string) *godo.DropletCreateRequest {
	return &godo.DropletCreateRequest{
		Name: name, Region: "nyc3", Size: "s-1vcpu-1gb", Image: godo.DropletCreateImage{Slug: "ubuntu-24-04-x64"}, Tags: tags,
	}
}

// droplet makes a droplet and waits for it to be active.
func (d drive) droplet(r *godo.DropletCreateRequest) *godo.Droplet {
	made, resp, err := d.Droplets.Create(d.ctx, r)
	must(err)
	d.created(resp)
	d.settle()
	return got(d.Droplets.Get(d.ctx, made.ID))
}

func (d drive) status(id int) string { return got(d.Droplets.Get(d.ctx, id)).Status }

// dropletLife is one droplet with everything that a create can ask for, and every
// action there is.
func (d drive) dropletLife() {
	keys := got(d.Keys.List(d.ctx, all()))
	first := got(d.VPCs.Create(d.ctx, &godo.VPCCreateRequest{Name: "main", RegionSlug: "nyc3"}))
	want("whether the first VPC of a region is its default", first.Default, true)
	network := got(d.VPCs.Create(d.ctx, &godo.VPCCreateRequest{Name: "life", RegionSlug: "nyc3", IPRange: "10.60.0.0/24"}))
	d.settle()
	r := plainDroplet("web-1", "web", "blue")
	r.SSHKeys = []godo.DropletCreateSSHKey{{ID: keys[0].ID}}
	r.Backups, r.BackupPolicy = true, &godo.DropletBackupPolicyRequest{Plan: "weekly", Weekday: "TUE", Hour: godo.PtrTo(8)}
	r.Monitoring, r.UserData, r.VPCUUID, r.WithDropletAgent = true, "#!/bin/sh\n", network.ID, godo.PtrTo(true)
	made, resp, err := d.Droplets.Create(d.ctx, r)
	must(err)
	want("the droplet at first", []any{made.Name, made.Status, made.Locked, made.VPCUUID, made.SizeSlug}, []any{"web-1", "new", true, network.ID, r.Size})
	id := made.ID
	d.created(resp)
	one := got(d.Droplets.Get(d.ctx, id))
	want("the droplet", []any{one.Name, one.Status, one.Locked, one.VPCUUID, one.Memory, one.Vcpus, one.Disk, one.Image.Slug, one.Region.Slug},
		[]any{"web-1", "active", false, network.ID, 1024, 1, 25, "ubuntu-24-04-x64", "nyc3"})
	want("its tags", one.Tags, []string{"blue", "web"})
	want("its features", slices.Sorted(slices.Values(one.Features)), []string{"backups", "droplet_agent", "monitoring", "private_networking"})
	public, err := one.PublicIPv4()
	must(err)
	private, err := one.PrivateIPv4()
	must(err)
	if public == "" || private[:len("10.60.0.")] != "10.60.0." {
		fail("its addresses are %q and %q", public, private)
	}
	policy := got(d.Droplets.GetBackupPolicy(d.ctx, id))
	want("its backup policy", policy.BackupPolicy, &godo.DropletBackupPolicyConfig{
		Plan: "weekly", Weekday: "TUE", Hour: 8, WindowLengthHours: 4, RetentionPeriodDays: 28,
	})

	// A second action while the first goes on is refused.
	off := got(d.DropletActions.Shutdown(d.ctx, id))
	want("the refusal", refused[*godo.Action](422)(d.DropletActions.Reboot(d.ctx, id)), "Droplet already has a pending event.")
	d.ended(off.ID, 5*time.Second)
	want("the status after a shutdown", d.status(id), "off")
	a := d.did("resize")(d.DropletActions.Resize(d.ctx, id, "s-1vcpu-2gb", true))
	want("the droplet's action", got(d.DropletActions.Get(d.ctx, id, a.ID)).Status, godo.ActionCompleted)
	one = got(d.Droplets.Get(d.ctx, id))
	want("the droplet with a larger disk", []any{one.SizeSlug, one.Memory, one.Disk, one.Size.PriceMonthly}, []any{"s-1vcpu-2gb", 2048, 50, 12.0})
	d.did("resize")(d.DropletActions.Resize(d.ctx, id, "s-2vcpu-2gb", false))
	one = got(d.Droplets.Get(d.ctx, id))
	want("the droplet with the same disk", []any{one.SizeSlug, one.Vcpus, one.Disk}, []any{"s-2vcpu-2gb", 2, 50})
	refused[*godo.Action](422)(d.DropletActions.Resize(d.ctx, id, "s-1vcpu-1gb", false)) // a disk cannot shrink
	d.did("power_on")(d.DropletActions.PowerOn(d.ctx, id))
	want("the status after power_on", d.status(id), "active")
	d.did("power_off")(d.DropletActions.PowerOff(d.ctx, id))
	want("the status after power_off", d.status(id), "off")
	d.did("power_cycle")(d.DropletActions.PowerCycle(d.ctx, id))
	want("the status after power_cycle", d.status(id), "active")
	d.did("reboot")(d.DropletActions.Reboot(d.ctx, id))
	d.did("password_reset")(d.DropletActions.PasswordReset(d.ctx, id))
	d.did("rename")(d.DropletActions.Rename(d.ctx, id, "web-one"))
	want("the new name", got(d.Droplets.Get(d.ctx, id)).Name, "web-one")
	d.did("enable_ipv6")(d.DropletActions.EnableIPv6(d.ctx, id))
	six, err := got(d.Droplets.Get(d.ctx, id)).PublicIPv6()
	must(err)
	if six == "" {
		fail("there is no IPv6 address")
	}
	d.did("disable_backups")(d.DropletActions.DisableBackups(d.ctx, id))
	want("whether there are backups", got(d.Droplets.GetBackupPolicy(d.ctx, id)).BackupEnabled, false)

	a = d.did("snapshot")(d.DropletActions.Snapshot(d.ctx, id, "before-upgrade"))
	d.settle()
	shots := got(d.Droplets.Snapshots(d.ctx, id, all()))
	want("its snapshots", names(shots, func(i godo.Image) string { return i.Name }), []string{"before-upgrade"})
	shot := got(d.Snapshots.Get(d.ctx, strconv.Itoa(shots[0].ID)))
	want("the snapshot", []any{shot.Name, shot.ResourceID, shot.ResourceType, shot.MinDiskSize, shot.Regions},
		[]any{"before-upgrade", strconv.Itoa(id), "droplet", 50, []string{"nyc3"}})
	want("when it was made", shot.Created, a.StartedAt.Format(time.RFC3339))
	want("the snapshot's ids", got(d.Droplets.Get(d.ctx, id)).SnapshotIDs, []int{shots[0].ID})

	d.did("rebuild")(d.DropletActions.RebuildByImageSlug(d.ctx, id, "debian-12-x64"))
	want("the image after a rebuild", got(d.Droplets.Get(d.ctx, id)).Image.Slug, "debian-12-x64")
	d.did("restore")(d.DropletActions.Restore(d.ctx, id, shots[0].ID))
	want("the image after a restore", got(d.Droplets.Get(d.ctx, id)).Image.ID, shots[0].ID)

	actions := got(d.Droplets.Actions(d.ctx, id, all()))
	want("how many actions it has had", len(actions), 15)
	want("the newest and the oldest", []string{actions[0].Type, actions[len(actions)-1].Type}, []string{"restore", "create"})
	want("its kernels", len(got(d.Droplets.Kernels(d.ctx, id, all()))), 0)
	done(d.Droplets.Delete(d.ctx, id))
	refused[*godo.Droplet](404)(d.Droplets.Get(d.ctx, id))
	undone(404)(d.Droplets.Delete(d.ctx, id))
	// What it leaves behind stays until it is deleted.
	want("its snapshots after it is gone", len(got(d.Snapshots.ListDroplet(d.ctx, all()))), 1)
	done(d.Snapshots.Delete(d.ctx, shot.ID))
	refused[*godo.Snapshot](404)(d.Snapshots.Get(d.ctx, shot.ID))
	d.settle()
	done(d.VPCs.Delete(d.ctx, network.ID))
}

// dropletFleet is several droplets at once, lists of them, and actions by tag.
func (d drive) dropletFleet() {
	made, resp, err := d.Droplets.CreateMultiple(d.ctx, &godo.DropletMultiCreateRequest{
		Names: []string{"app-1", "app-2", "app-3"}, Region: "nyc3", Size: "s-1vcpu-1gb",
		Image: godo.DropletCreateImage{Slug: "ubuntu-24-04-x64"}, Tags: []string{"app"}, IPv6: true,
	})
	must(err)
	name := func(d godo.Droplet) string { return d.Name }
	want("the droplets", names(made, name), []string{"app-1", "app-2", "app-3"})
	want("the links to actions", len(resp.Links.Actions), 3)
	d.created(resp)
	gpu := plainDroplet("trainer")
	gpu.Region, gpu.Size, gpu.Image.Slug = "tor1", "gpu-h100x1-80gb", "gpu-h100x1-base"
	trainer := d.droplet(gpu)

	d.settle()
	want("all droplets but those with a GPU", names(got(d.Droplets.List(d.ctx, all())), name), []string{"app-1", "app-2", "app-3"})
	want("those with a GPU", names(got(d.Droplets.ListWithGPUs(d.ctx, all())), name), []string{"trainer"})
	want("by name", names(got(d.Droplets.ListByName(d.ctx, "APP-2", all())), name), []string{"app-2"})
	want("by tag", names(got(d.Droplets.ListByTag(d.ctx, "app", all())), name), []string{"app-1", "app-2", "app-3"})
	tag := got(d.Tags.Get(d.ctx, "app"))
	want("what the tag counts", []int{tag.Resources.Count, tag.Resources.Droplets.Count}, []int{3, 3})
	for _, n := range got(d.Droplets.Neighbors(d.ctx, made[0].ID)) {
		want("a neighbour's region", n.Region.Slug, "nyc3")
	}

	d.didAll("power_off", 3)(d.DropletActions.PowerOffByTag(d.ctx, "app"))
	want("a status after power_off by tag", d.status(made[2].ID), "off")
	d.didAll("power_on", 3)(d.DropletActions.PowerOnByTag(d.ctx, "app"))
	d.didAll("power_cycle", 3)(d.DropletActions.PowerCycleByTag(d.ctx, "app"))
	d.didAll("shutdown", 3)(d.DropletActions.ShutdownByTag(d.ctx, "app"))
	d.didAll("enable_backups", 3)(d.DropletActions.EnableBackupsByTag(d.ctx, "app"))
	d.didAll("disable_backups", 3)(d.DropletActions.DisableBackupsByTag(d.ctx, "app"))
	d.didAll("snapshot", 3)(d.DropletActions.SnapshotByTag(d.ctx, "app", "all-at-once"))
	d.settle()
	shots := got(d.Snapshots.ListDroplet(d.ctx, all()))
	want("the snapshots", names(shots, func(s godo.Snapshot) string { return s.Name }), []string{"all-at-once", "all-at-once", "all-at-once"})
	for _, s := range shots {
		done(d.Snapshots.Delete(d.ctx, s.ID))
	}

	third := []godo.Resource{{ID: strconv.Itoa(made[2].ID), Type: godo.DropletResourceType}}
	done(d.Tags.UntagResources(d.ctx, "app", &godo.UntagResourcesRequest{Resources: third}))
	done(d.Tags.TagResources(d.ctx, "web", &godo.TagResourcesRequest{Resources: third}))
	d.settle()
	want("by tag after one lost it", names(got(d.Droplets.ListByTag(d.ctx, "app", all())), name), []string{"app-1", "app-2"})
	want("by the tag that it got", names(got(d.Droplets.ListByTag(d.ctx, "web", all())), name), []string{"app-3"})
	done(d.Droplets.DeleteByTag(d.ctx, "app"))
	done(d.Droplets.Delete(d.ctx, trainer.ID))
	d.settle()
	want("what is left", names(got(d.Droplets.List(d.ctx, all())), name), []string{"app-3"})
}

// backups are made when they are due, and one of them becomes a snapshot.
func (d drive) backups() {
	one := d.droplet(plainDroplet("keeper", "web"))
	d.did("enable_backups")(d.DropletActions.EnableBackupsWithPolicy(d.ctx, one.ID, &godo.DropletBackupPolicyRequest{Plan: "daily", Hour: godo.PtrTo(4)}))
	d.did("change_backup_policy")(d.DropletActions.ChangeBackupPolicy(d.ctx, one.ID, &godo.DropletBackupPolicyRequest{Plan: "daily", Hour: godo.PtrTo(20)}))
	policy := got(d.Droplets.GetBackupPolicy(d.ctx, one.ID))
	want("the policy", policy.BackupPolicy, &godo.DropletBackupPolicyConfig{Plan: "daily", Hour: 20, WindowLengthHours: 4, RetentionPeriodDays: 7})
	want("the policy in the list", got(d.Droplets.ListBackupPolicies(d.ctx, all()))[one.ID], policy)
	plans := names(got(d.Droplets.ListSupportedBackupPolicies(d.ctx)), func(p *godo.SupportedBackupPolicy) string { return p.Name })
	want("the plans there are", slices.Sorted(slices.Values(plans)), []string{"daily", "weekly"})
	d.pass(25 * time.Hour)
	backups := got(d.Droplets.Backups(d.ctx, one.ID, all()))
	want("the backups of a day", len(backups), 1)
	want("its ids", got(d.Droplets.Get(d.ctx, one.ID)).BackupIDs, []int{backups[0].ID})
	d.did("convert")(d.ImageActions.Convert(d.ctx, backups[0].ID))
	d.settle()
	want("the backups that are left", len(got(d.Droplets.Backups(d.ctx, one.ID, all()))), 0)
	want("the snapshots", len(got(d.Droplets.Snapshots(d.ctx, one.ID, all()))), 1)
	d.did("restore")(d.DropletActions.Restore(d.ctx, one.ID, backups[0].ID))
	d.did("disable_backups")(d.DropletActions.DisableBackups(d.ctx, one.ID))
	done(d.Images.Delete(d.ctx, backups[0].ID))
	done(d.Droplets.Delete(d.ctx, one.ID))
}

// raw is a request that godo has no method for.
func (d drive) raw(method, path string, dangerous bool, into any) *godo.Response {
	r, err := d.NewRequest(d.ctx, method, path, nil)
	must(err)
	if dangerous {
		r.Header.Set("X-Dangerous", "true")
	}
	resp, err := d.Do(d.ctx, r, into)
	must(err)
	return resp
}

// associated is a droplet that is destroyed along with what belongs to it.
func (d drive) associated() {
	one := d.droplet(plainDroplet("whole", "web"))
	v := got(d.Storage.CreateVolume(d.ctx, &godo.VolumeCreateRequest{Name: "of-whole", Region: "nyc3", SizeGigaBytes: 10}))
	d.settle()
	d.did("attach_volume")(d.StorageActions.Attach(d.ctx, v.ID, one.ID))
	s := got(d.Storage.CreateSnapshot(d.ctx, &godo.SnapshotCreateRequest{VolumeID: v.ID, Name: "of-of-whole"}))
	ip := got(d.ReservedIPs.Create(d.ctx, &godo.ReservedIPCreateRequest{DropletID: one.ID}))
	d.settle()
	d.did("snapshot")(d.DropletActions.Snapshot(d.ctx, one.ID, "whole-shot"))
	d.settle()
	a := got(d.Droplets.ListAssociatedResourcesForDeletion(d.ctx, one.ID))
	want("what belongs to it", []int{len(a.ReservedIPs), len(a.Snapshots), len(a.Volumes), len(a.VolumeSnapshots)}, []int{1, 1, 1, 1})
	want("the volume and its cost", *a.Volumes[0], godo.DropletAssociatedResource{ID: v.ID, Name: "of-whole", Cost: "1.00"})
	path := "v2/droplets/" + strconv.Itoa(one.ID) + "/destroy_with_associated_resources"
	want("the destruction's status", d.raw("DELETE", path+"/dangerous", true, nil).StatusCode, http.StatusAccepted)
	d.settle()
	var status struct {
		Droplet struct {
			DestroyedAt *time.Time `json:"destroyed_at"`
		}
		CompletedAt *time.Time `json:"completed_at"`
		Failures    int
	}
	d.raw("GET", path+"/status", false, &status)
	if status.CompletedAt == nil || status.Droplet.DestroyedAt == nil || status.Failures != 0 {
		fail("the destruction is %+v", status)
	}
	refused[*godo.Droplet](404)(d.Droplets.Get(d.ctx, one.ID))
	refused[*godo.Volume](404)(d.Storage.GetVolume(d.ctx, v.ID))
	refused[*godo.Snapshot](404)(d.Storage.GetSnapshot(d.ctx, s.ID))
	refused[*godo.ReservedIP](404)(d.ReservedIPs.Get(d.ctx, ip.IP))
	want("the snapshots", len(got(d.Snapshots.ListDroplet(d.ctx, all()))), 0)
}
