package digitalocean_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/vault"
)

// leave is a context with leave for these changes alone.
func (c *cloud) leave(t *testing.T, permits ...digitalocean.Permit) context.Context {
	l := may()
	l.Permits = permits
	return l.in(t.Context())
}

// is fails the test unless err is what is wanted; nil for success.
func is(t *testing.T, what string, err, want error) {
	t.Helper()
	if want == nil && err != nil || !errors.Is(err, want) {
		t.Fatalf("%s: %v, want %v", what, err, want)
	}
}

// ends waits for the end of an action as the watcher would read it.
func (c *cloud) ends(t *testing.T, a digitalocean.Action) {
	t.Helper()
	time.Sleep(2 * time.Minute)
	got, err := c.ActionByID(t.Context(), a.ID)
	if err != nil || got.Status != digitalocean.ActionCompleted {
		t.Fatalf("action %d (%s) = %+v, %v; want it completed", a.ID, a.Type, got, err)
	}
}

// shown lets the lags pass after which what was made is shown everywhere.
func shown() { time.Sleep(time.Minute) }

// alive runs a life in a cloud where the client's token has no scopes but those that
// its purpose asks for.
func alive(t *testing.T, o dosim.Options, life func(t *testing.T, c *cloud)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := newCloud(t, o)
		narrow := c.CreateToken(dosim.TokenSpec{Scopes: digitalocean.Provisioning.Scopes()})
		var err error
		c.Client, err = digitalocean.New(digitalocean.Options{
			BaseURL: c.URL, Account: "main", Purpose: digitalocean.Provisioning, Token: vault.NewSecret(narrow), Transport: c.Server.Client.Transport,
		})
		if err != nil {
			t.Fatal(err)
		}
		life(t, c)
	})
}

func limited(name, value string) dosim.Options {
	return dosim.Options{Params: map[string]string{name: value}}
}

func TestTheLifeOfADroplet(t *testing.T) {
	alive(t, limited("limit.droplets", "2"), func(t *testing.T, c *cloud) {
		tag := digitalocean.TagCreate{Name: marker}
		is(t, "CreateTag", c.CreateTag(c.leave(t, tag.Permit("main")), tag), nil)
		r := digitalocean.DropletCreate{
			Name: "app", Region: "nyc3", Size: "s-1vcpu-1gb", Image: "debian-12-x64", Tags: []string{marker}, UserData: "#!/bin/sh\necho <&>\n",
			Monitoring: true, IPv6: true, BackupPlan: &digitalocean.BackupPlan{Plan: "daily", Hour: 4}, Marker: marker,
		}
		made, action, err := c.CreateDroplet(c.leave(t, r.Permit("main")), r)
		is(t, "CreateDroplet", err, nil)
		if made.ID == 0 || action == 0 || made.Name != "app" {
			t.Fatalf("CreateDroplet = %+v, action %d", made, action)
		}
		c.ends(t, digitalocean.Action{ID: action, Type: "create"})
		d, err := c.Droplet(t.Context(), made.ID)
		is(t, "Droplet", err, nil)
		if d.Status != "active" || d.PublicIPv4 == "" || d.PrivateIPv4 == "" || d.PublicIPv6 == "" || d.VPC == "" || d.DiskGiB != 25 ||
			!slices.Contains(d.Features, "backups") || !slices.Contains(d.Features, "monitoring") || !slices.Equal(d.Tags, []string{marker}) {
			t.Errorf("the droplet is %+v", d)
		}
		tagged, err := c.DropletsTagged(t.Context(), marker)
		is(t, "DropletsTagged", err, nil)
		if len(tagged.Items) != 1 || tagged.Items[0].ID != d.ID {
			t.Errorf("DropletsTagged = %+v", tagged.Items)
		}

		_, _, err = c.CreateDroplet(c.leave(t, r.Permit("main")), r)
		is(t, "CreateDroplet of one too many", err, digitalocean.Quota)

		for _, act := range []digitalocean.DropletAct{
			{Droplet: d.ID, Type: "power_off"},
			{Droplet: d.ID, Type: "resize", Size: "s-2vcpu-2gb"},
			{Droplet: d.ID, Type: "power_on"},
			{Droplet: d.ID, Type: "rename", Name: "renamed"},
			{Droplet: d.ID, Type: "disable_backups"},
			{Droplet: d.ID, Type: "enable_backups", BackupPlan: &digitalocean.BackupPlan{Plan: "weekly", Weekday: "MON", Hour: 8}},
			{Droplet: d.ID, Type: "rebuild", Image: "debian-12-x64"},
		} {
			started, err := c.ActOnDroplet(c.leave(t, act.Permit()), act)
			is(t, act.Type, err, nil)
			if started.Type != act.Type || started.Resource != d.ID {
				t.Errorf("%s started %+v", act.Type, started)
			}
			_, err = c.ActOnDroplet(c.leave(t, act.Permit()), act)
			is(t, act.Type+" at the same time", err, digitalocean.PendingEvent)
			c.ends(t, started)
		}
		if d, err = c.Droplet(t.Context(), d.ID); err != nil || d.Size != "s-2vcpu-2gb" || d.DiskGiB != 25 || d.Name != "renamed" {
			t.Errorf("after its actions the droplet is %+v, %v", d, err)
		}

		is(t, "DeleteDroplet", c.DeleteDroplet(c.leave(t, digitalocean.DeleteDropletPermit(d.ID)), d.ID), nil)
		shown()
		_, err = c.Droplet(t.Context(), d.ID)
		is(t, "Droplet that is gone", err, digitalocean.NotFound)
	})
}

func TestTheLifeOfAVolume(t *testing.T) {
	alive(t, limited("limit.volumes", "1"), func(t *testing.T, c *cloud) {
		home, err := c.Droplet(t.Context(), c.droplet)
		is(t, "Droplet", err, nil)
		r := digitalocean.VolumeCreate{Name: "data", Region: home.Region, SizeGiB: 10, Filesystem: "ext4", Tags: []string{marker}, Marker: marker}
		v, err := c.CreateVolume(c.leave(t, r.Permit("main")), r)
		is(t, "CreateVolume", err, nil)
		shown()
		_, err = c.CreateVolume(c.leave(t, r.Permit("main")), r)
		is(t, "CreateVolume of a name that is taken", err, digitalocean.Conflict)
		other := r
		other.Name = "more"
		_, err = c.CreateVolume(c.leave(t, other.Permit("main")), other)
		is(t, "CreateVolume of one too many", err, digitalocean.Quota)
		named, err := c.VolumesNamed(t.Context(), "data", home.Region)
		is(t, "VolumesNamed", err, nil)
		if len(named.Items) != 1 || !reflect.DeepEqual(named.Items[0], v) {
			t.Errorf("VolumesNamed = %+v, want %+v", named.Items, v)
		}

		attach := digitalocean.VolumeAct{Volume: v.ID, Type: "attach", Droplet: c.droplet, Region: home.Region}
		a, err := c.ActOnVolume(c.leave(t, attach.Permit()), attach)
		is(t, "attach", err, nil)
		_, err = c.ActOnVolume(c.leave(t, attach.Permit()), attach)
		is(t, "attach at the same time", err, digitalocean.PendingEvent)
		c.ends(t, a)
		_, err = c.ActOnVolume(c.leave(t, attach.Permit()), attach)
		is(t, "attach again", err, digitalocean.Conflict)
		if v, err = c.Volume(t.Context(), v.ID); err != nil || !slices.Equal(v.Droplets, []int64{c.droplet}) {
			t.Errorf("attached, the volume is %+v, %v", v, err)
		}
		is(t, "DeleteVolume while it is attached", c.DeleteVolume(c.leave(t, digitalocean.DeleteVolumePermit(v.ID)), v.ID), digitalocean.Conflict)

		shot := digitalocean.VolumeSnapshot{Volume: v.ID, Name: "data-" + marker, Tags: []string{"kept"}, Marker: marker}
		s, err := c.SnapshotVolume(c.leave(t, shot.Permit()), shot)
		is(t, "SnapshotVolume", err, nil)
		shown()
		_, err = c.SnapshotVolume(c.leave(t, shot.Permit()), shot)
		is(t, "SnapshotVolume again", err, digitalocean.Conflict)
		shots, err := c.VolumeSnapshots(t.Context(), v.ID)
		is(t, "VolumeSnapshots", err, nil)
		if len(shots.Items) != 1 || shots.Items[0].ID != s.ID || s.Name != shot.Name || s.ResourceType != "volume" || s.Resource != v.ID {
			t.Errorf("SnapshotVolume = %+v, VolumeSnapshots = %+v", s, shots.Items)
		}
		is(t, "DeleteSnapshot", c.DeleteSnapshot(c.leave(t, digitalocean.DeleteSnapshotPermit(s.ID)), s.ID), nil)

		for _, act := range []digitalocean.VolumeAct{
			{Volume: v.ID, Type: "resize", SizeGiB: 20, Region: home.Region},
			{Volume: v.ID, Type: "detach", Droplet: c.droplet, Region: home.Region},
		} {
			a, err := c.ActOnVolume(c.leave(t, act.Permit()), act)
			is(t, act.Type, err, nil)
			c.ends(t, a)
		}
		if v, err = c.Volume(t.Context(), v.ID); err != nil || v.SizeGiB != 20 || len(v.Droplets) != 0 {
			t.Errorf("grown and detached, the volume is %+v, %v", v, err)
		}
		is(t, "DeleteVolume", c.DeleteVolume(c.leave(t, digitalocean.DeleteVolumePermit(v.ID)), v.ID), nil)
		shown()
		_, err = c.Volume(t.Context(), v.ID)
		is(t, "Volume that is gone", err, digitalocean.NotFound)
	})
}

func TestTheLifeOfAVPC(t *testing.T) {
	alive(t, dosim.Options{}, func(t *testing.T, c *cloud) {
		r := digitalocean.VPCCreate{Name: "net", Region: "nyc3", IPRange: "10.9.0.0/24", Description: "Stack app, " + marker, Marker: marker}
		v, err := c.CreateVPC(c.leave(t, r.Permit("main")), r)
		is(t, "CreateVPC", err, nil)
		_, err = c.CreateVPC(c.leave(t, r.Permit("main")), r)
		is(t, "CreateVPC of a name that is taken", err, digitalocean.Conflict)
		shown()
		got, err := c.VPC(t.Context(), v.ID)
		is(t, "VPC", err, nil)
		list, err := c.VPCs(t.Context())
		is(t, "VPCs", err, nil)
		if got != v || v.IPRange != r.IPRange || v.Description != r.Description || v.Region != "nyc3" || !slices.Contains(list.Items, v) {
			t.Errorf("CreateVPC = %+v, VPC = %+v, VPCs = %+v", v, got, list.Items)
		}
		for _, one := range list.Items {
			if one.Default {
				err := c.DeleteVPC(c.leave(t, digitalocean.DeleteVPCPermit(one.ID)), one.ID)
				is(t, "DeleteVPC of a default", err, digitalocean.Forbidden)
			}
		}
		is(t, "DeleteVPC", c.DeleteVPC(c.leave(t, digitalocean.DeleteVPCPermit(v.ID)), v.ID), nil)
	})
}

func TestTheLifeOfAFirewall(t *testing.T) {
	alive(t, dosim.Options{}, func(t *testing.T, c *cloud) {
		r := digitalocean.FirewallCreate{
			Name:     "app-" + marker,
			Inbound:  []digitalocean.FirewallRule{{Protocol: "tcp", Ports: "443", Addresses: []string{"0.0.0.0/0", "::/0"}}, {Protocol: "icmp", Droplets: []int64{c.droplet}}},
			Outbound: []digitalocean.FirewallRule{{Protocol: "tcp", Ports: "all", Addresses: []string{"0.0.0.0/0"}}},
		}
		f, err := c.CreateFirewall(c.leave(t, r.Permit("main")), r)
		is(t, "CreateFirewall", err, nil)
		shown()
		_, err = c.CreateFirewall(c.leave(t, r.Permit("main")), r)
		is(t, "CreateFirewall of a name that is taken", err, digitalocean.Conflict)
		members := digitalocean.FirewallDroplets{Firewall: f.ID, Droplets: []int64{c.droplet}}
		for range 2 {
			is(t, "AddFirewallDroplets", c.AddFirewallDroplets(c.leave(t, members.AddPermit()), members), nil)
		}
		if f, err = c.Firewall(t.Context(), f.ID); err != nil || !slices.Equal(f.Droplets, members.Droplets) || !f.Pending {
			t.Errorf("with a droplet it is %+v, %v", f, err)
		}
		shown()
		if f, err = c.Firewall(t.Context(), f.ID); err != nil || f.Pending || f.Status != "succeeded" {
			t.Errorf("a minute later it is %+v, %v", f, err)
		}
		for range 2 {
			is(t, "RemoveFirewallDroplets", c.RemoveFirewallDroplets(c.leave(t, members.RemovePermit()), members), nil)
		}
		r.Name += "-2"
		f, err = c.ReplaceFirewall(c.leave(t, r.ReplacePermit(f.ID)), f.ID, r)
		is(t, "ReplaceFirewall", err, nil)
		list, err := c.Firewalls(t.Context())
		is(t, "Firewalls", err, nil)
		if f.Name != r.Name || len(f.Droplets) != 0 || len(list.Items) != 1 || list.Items[0].Name != r.Name {
			t.Errorf("replaced, it is %+v in %+v", f, list.Items)
		}
		is(t, "DeleteFirewall", c.DeleteFirewall(c.leave(t, digitalocean.DeleteFirewallPermit(f.ID)), f.ID), nil)
		_, err = c.Firewall(t.Context(), f.ID)
		is(t, "Firewall that is gone", err, digitalocean.NotFound)
	})
}

func TestTheLifeOfAReservedIP(t *testing.T) {
	alive(t, limited("limit.reserved_ips", "1"), func(t *testing.T, c *cloud) {
		r := digitalocean.ReservedIPCreate{Droplet: c.droplet}
		ip, action, err := c.CreateReservedIP(c.leave(t, r.Permit("main")), r)
		is(t, "CreateReservedIP", err, nil)
		_, _, err = c.CreateReservedIP(c.leave(t, r.Permit("main")), r)
		is(t, "CreateReservedIP at the same time", err, digitalocean.PendingEvent)
		c.ends(t, digitalocean.Action{ID: action, Type: "assign_ip"})
		ip, err = c.ReservedIP(t.Context(), ip.IP)
		is(t, "ReservedIP", err, nil)
		if ip.Droplet != c.droplet || ip.Locked {
			t.Errorf("assigned, it is %+v", ip)
		}
		other := digitalocean.ReservedIPCreate{Droplet: c.SeedDroplet(dosim.SeedDroplet{Name: "other"})}
		_, _, err = c.CreateReservedIP(c.leave(t, other.Permit("main")), other)
		is(t, "CreateReservedIP of one too many", err, digitalocean.Quota)
		is(t, "DeleteReservedIP while assigned", c.DeleteReservedIP(c.leave(t, digitalocean.DeleteReservedIPPermit(ip.IP)), ip.IP), digitalocean.Conflict)
		for _, act := range []digitalocean.ReservedIPAct{
			{IP: ip.IP, Type: "unassign"}, {IP: ip.IP, Type: "assign", Droplet: other.Droplet}, {IP: ip.IP, Type: "unassign"},
		} {
			a, err := c.ActOnReservedIP(c.leave(t, act.Permit()), act)
			is(t, act.Type, err, nil)
			c.ends(t, a)
		}
		list, err := c.ReservedIPs(t.Context())
		is(t, "ReservedIPs", err, nil)
		if len(list.Items) != 1 || list.Items[0].IP != ip.IP || list.Items[0].Droplet != 0 {
			t.Errorf("ReservedIPs = %+v", list.Items)
		}
		is(t, "DeleteReservedIP", c.DeleteReservedIP(c.leave(t, digitalocean.DeleteReservedIPPermit(ip.IP)), ip.IP), nil)
	})
}

func TestTheLifeOfARecord(t *testing.T) {
	alive(t, dosim.Options{}, func(t *testing.T, c *cloud) {
		u := &cloudUser{cloud: c, t: t}
		if _, err := u.want("POST", "/v2/domains", map[string]any{"name": "example.com"}); err != nil {
			t.Fatal(err)
		}
		shown()
		r := digitalocean.RecordCreate{Domain: "example.com", Type: "A", Name: "app", Data: "192.0.2.1", TTL: 300}
		made, err := c.CreateRecord(c.leave(t, r.Permit()), r)
		is(t, "CreateRecord", err, nil)
		shown()
		got, err := c.Record(t.Context(), "example.com", made.ID)
		is(t, "Record", err, nil)
		if got != made || got.Data != r.Data || got.TTL != 300 || got.Name != "app" {
			t.Errorf("CreateRecord = %+v, Record = %+v", made, got)
		}
		r.Data = "192.0.2.2"
		changed, err := c.ReplaceRecord(c.leave(t, r.ReplacePermit(made.ID)), made.ID, r)
		is(t, "ReplaceRecord", err, nil)
		list, err := c.Records(t.Context(), "example.com")
		is(t, "Records", err, nil)
		if changed.ID != made.ID || changed.Data != r.Data || !slices.Contains(list.Items, changed) {
			t.Errorf("ReplaceRecord = %+v, Records = %+v", changed, list.Items)
		}
		clash := digitalocean.RecordCreate{Domain: "example.com", Type: "CNAME", Name: "app", Data: "elsewhere.example.", TTL: 300}
		_, err = c.CreateRecord(c.leave(t, clash.Permit()), clash)
		is(t, "CreateRecord of a name beside others", err, digitalocean.Unprocessable)
		permit := digitalocean.DeleteRecordPermit("example.com", made.ID)
		is(t, "DeleteRecord", c.DeleteRecord(c.leave(t, permit), "example.com", made.ID), nil)
		_, err = c.Record(t.Context(), "example.com", made.ID)
		is(t, "Record that is gone", err, digitalocean.NotFound)
	})
}

func TestSSHKeysAreReadByIDAndFingerprint(t *testing.T) {
	alive(t, dosim.Options{}, func(t *testing.T, c *cloud) {
		u := &cloudUser{cloud: c, t: t}
		if _, err := u.want("POST", "/v2/account/keys", map[string]any{"name": "ann", "public_key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGZ8xTT0wI9rVYnXx7w5sUZP1v0m6hVx5o9Cw0f8V1mP ann"}); err != nil {
			t.Fatal(err)
		}
		shown()
		list, err := c.SSHKeys(t.Context())
		is(t, "SSHKeys", err, nil)
		i := slices.IndexFunc(list.Items, func(k digitalocean.SSHKey) bool { return k.Name == "ann" })
		if i < 0 {
			t.Fatalf("SSHKeys = %+v", list.Items)
		}
		key := list.Items[i]
		for _, name := range []string{strconv.FormatInt(key.ID, 10), key.Fingerprint} {
			got, err := c.SSHKey(t.Context(), name)
			is(t, "SSHKey "+name, err, nil)
			if got != key {
				t.Errorf("SSHKey %s = %+v, want %+v", name, got, key)
			}
		}
		_, err = c.SSHKey(t.Context(), "1")
		is(t, "SSHKey that there is not", err, digitalocean.NotFound)
	})
}

func TestProjectsAndTagsTakeResources(t *testing.T) {
	alive(t, dosim.Options{}, func(t *testing.T, c *cloud) {
		u := &cloudUser{cloud: c, t: t}
		_, err := u.want("POST", "/v2/projects", map[string]any{"name": "app", "purpose": "Web Application"})
		is(t, "the project", err, nil)
		shown()
		projects, err := c.Projects(t.Context())
		is(t, "Projects", err, nil)
		i := slices.IndexFunc(projects.Items, func(p digitalocean.Project) bool { return p.Name == "app" })
		if i < 0 {
			t.Fatalf("Projects = %+v", projects.Items)
		}
		urn := fmt.Sprintf("do:droplet:%d", c.droplet)
		assign := digitalocean.ProjectAssign{Project: projects.Items[i].ID, URNs: []string{urn, "do:droplet:1"}}
		members, err := c.AssignToProject(c.leave(t, assign.Permit()), assign)
		is(t, "AssignToProject", err, nil)
		want := []digitalocean.ProjectMember{{URN: urn, Status: "assigned"}, {URN: "do:droplet:1", Status: "not_found"}}
		if !slices.Equal(members, want) {
			t.Errorf("AssignToProject = %+v, want %+v", members, want)
		}

		tagging := digitalocean.Tagging{Tag: marker, URNs: []string{urn}}
		is(t, "TagResources before there is the tag", c.TagResources(c.leave(t, tagging.TagPermit()), tagging), digitalocean.NotFound)
		tag := digitalocean.TagCreate{Name: marker}
		for range 2 {
			is(t, "CreateTag", c.CreateTag(c.leave(t, tag.Permit("main")), tag), nil)
		}
		shown()
		count := func(n int) {
			t.Helper()
			shown()
			got, err := c.Tag(t.Context(), marker)
			is(t, "Tag", err, nil)
			d, err := c.Droplet(t.Context(), c.droplet)
			is(t, "Droplet", err, nil)
			if got.Resources != n || slices.Contains(d.Tags, marker) != (n == 1) {
				t.Errorf("the tag is on %d resources, the droplet has %v; want %d", got.Resources, d.Tags, n)
			}
		}
		is(t, "TagResources", c.TagResources(c.leave(t, tagging.TagPermit()), tagging), nil)
		count(1)
		is(t, "UntagResources", c.UntagResources(c.leave(t, tagging.UntagPermit()), tagging), nil)
		count(0)
		is(t, "DeleteTag", c.DeleteTag(c.leave(t, digitalocean.DeleteTagPermit(marker)), marker), nil)
		_, err = c.Tag(t.Context(), marker)
		is(t, "Tag that is gone", err, digitalocean.NotFound)
	})
}

func TestTheCatalog(t *testing.T) {
	alive(t, dosim.Options{}, func(t *testing.T, c *cloud) {
		sizes, err := c.Sizes(t.Context())
		is(t, "Sizes", err, nil)
		i := slices.IndexFunc(sizes.Items, func(s digitalocean.Size) bool { return s.Slug == "s-1vcpu-1gb" })
		if i < 0 || sizes.Items[i].PriceMonthly != "6" || sizes.Items[i].DiskGiB != 25 {
			t.Errorf("Sizes has s-1vcpu-1gb at %d of %d: %+v", i, len(sizes.Items), sizes.Items)
		}
		regions, err := c.Regions(t.Context())
		is(t, "Regions", err, nil)
		if !slices.ContainsFunc(regions.Items, func(r digitalocean.Region) bool {
			return r.Slug == "nyc3" && slices.Contains(r.Sizes, "s-1vcpu-1gb") && slices.Contains(r.Features, "storage")
		}) {
			t.Errorf("Regions = %+v", regions.Items)
		}
		bySlug, err := c.Image(t.Context(), "debian-12-x64")
		is(t, "Image", err, nil)
		byID, err := c.Image(t.Context(), strconv.FormatInt(bySlug.ID, 10))
		is(t, "Image", err, nil)
		if !reflect.DeepEqual(bySlug, byID) || bySlug.Slug != "debian-12-x64" {
			t.Errorf("by its slug the image is %+v, by its id %+v", bySlug, byID)
		}
		_, err = c.Image(t.Context(), "no-such-image")
		is(t, "Image that there is not", err, digitalocean.NotFound)
	})
}
