package digitalocean_test

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/dosim"
)

// networkQuirks are those of what is beside compute. Where this client has no verb,
// as of load balancers and keys, it is what it makes of the answer that gets along.
var networkQuirks = []quirk{
	{
		number: 4, name: "a new SSH key is not found for a while", on: param("lag.get_after_create.ssh_key", "30s"), off: param("lag.get_after_create.ssh_key", "0s"),
		naive: func(u *cloudUser) error {
			made, err := u.want("POST", "/v2/account/keys", aKey)
			if err != nil {
				return err
			}
			_, err = u.want("GET", "/v2/account/keys/"+id(in(made, "ssh_key", "id")), nil)
			return err
		},
		ours: func(u *cloudUser) error {
			made, err := u.want("POST", "/v2/account/keys", aKey)
			if err != nil {
				return err
			}
			return u.until("the key", func() (bool, error) {
				_, err := u.Document(u.t.Context(), "/v2/account/keys/"+id(in(made, "ssh_key", "id")), "ssh_key")
				if errors.Is(err, digitalocean.NotFound) {
					return false, nil
				}
				return err == nil, err
			})
		},
	},
	{
		number: 12, name: "a volume stays attached to a deleted droplet", on: param("lag.detach_after_delete", "4s"), off: param("lag.detach_after_delete", "0s"),
		naive: func(u *cloudUser) error {
			v, err := u.orphan()
			if err == nil {
				_, err = u.want("DELETE", v, nil)
			}
			return err
		},
		ours: func(u *cloudUser) error {
			v, err := u.orphan()
			if err != nil {
				return err
			}
			volume := path.Base(v)
			return u.again(digitalocean.Conflict, func() error {
				return u.DeleteVolume(u.leave(u.t, digitalocean.DeleteVolumePermit(volume)), volume)
			})
		},
	},
	{
		number: 13, name: "attachments are shown late", on: param("lag.update.volume", "10s"), off: param("lag.update.volume", "0s"),
		naive: func(u *cloudUser) error {
			v, err := u.attached()
			if err != nil {
				return err
			}
			got, err := u.want("GET", v, nil)
			if ids, _ := in(got, "volume", "droplet_ids").([]any); err == nil && len(ids) == 0 {
				_, err = u.want("POST", v+"/actions", body{"type": "attach", "droplet_id": u.droplet})
			}
			return err
		},
		ours: func(u *cloudUser) error { // a refusal that may mean "it is so already" is followed by another look
			v, err := u.attached()
			if err != nil {
				return err
			}
			attach := digitalocean.VolumeAct{Volume: path.Base(v), Type: "attach", Droplet: u.droplet, Region: "nyc3"}
			if _, err := u.ActOnVolume(u.leave(u.t, attach.Permit()), attach); !errors.Is(err, digitalocean.Conflict) {
				return fmt.Errorf("already attached is taken for %w", err)
			}
			return u.until("the attachment", func() (bool, error) {
				got, err := u.Volume(u.t.Context(), attach.Volume)
				return slices.Equal(got.Droplets, []int64{u.droplet}), err
			})
		},
	},
	{
		number: 14, name: "a volume's name is taken by one's own lost create",
		fault: &dosim.Fault{Kind: dosim.ServerErrorAfter, Match: dosim.Match{Method: "POST", Path: "/v2/volumes"}, Times: 1},
		naive: func(u *cloudUser) error { return u.twice("/v2/volumes", aVolume("data")) },
		ours:  (*cloudUser).adoptsVolume,
	},
	{
		number: 15, name: "a VPC keeps members that are gone", on: param("lag.vpc_members", "90s"), off: param("lag.vpc_members", "0s"),
		naive: func(u *cloudUser) error {
			v, err := u.emptied()
			if err == nil {
				_, err = u.want("DELETE", v, nil)
			}
			return err
		},
		ours: func(u *cloudUser) error {
			for _, status := range []string{"1", "0"} { // 409, as reported, and 403, as documented: no scope is missing
				if err := u.SetParams(map[string]string{"lag.vpc_members": "90s", "quirk.vpc_members_conflict": status}); err != nil {
					return err
				}
				v, err := u.emptied()
				if err != nil {
					return err
				}
				vpc := path.Base(v)
				if err := u.again(digitalocean.Conflict, func() error {
					return u.DeleteVPC(u.leave(u.t, digitalocean.DeleteVPCPermit(vpc)), vpc)
				}); err != nil {
					return err
				}
			}
			return nil
		},
	},
	{
		number: 16, name: "a load balancer is locked while it changes", on: param("load_balancer.lock", "10s"), off: param("load_balancer.lock", "0s"),
		naive: func(u *cloudUser) error {
			lb, err := u.balancer()
			for range 2 {
				if err == nil {
					_, err = u.want("PUT", lb, aBalancer("one"))
				}
			}
			return err
		},
		ours: func(u *cloudUser) error { // 403, and yet no scope is missing
			lb, err := u.balancer()
			for range 2 {
				if err == nil {
					err = u.persist("PUT", lb, aBalancer("one"), digitalocean.PendingEvent)
				}
			}
			return err
		},
	},
	{
		number: 17, name: "a load balancer's name is taken by one's own lost create",
		fault: &dosim.Fault{Kind: dosim.ServerErrorAfter, Match: dosim.Match{Method: "POST", Path: "/v2/load_balancers"}, Times: 1},
		naive: func(u *cloudUser) error { return u.twice("/v2/load_balancers", aBalancer("one")) },
		ours: func(u *cloudUser) error {
			return u.adopts("/v2/load_balancers", "load_balancers", aBalancer("one"), "load_balancer")
		},
	},
	{
		number: 21, name: "a DNS record sent again is there twice",
		fault: &dosim.Fault{Kind: dosim.ServerErrorAfter, Match: dosim.Match{Method: "POST", Path: "/v2/domains/*/records"}, Times: 1},
		naive: func(u *cloudUser) error {
			if err := u.domain(); err != nil {
				return err
			}
			if err := u.twice("/v2/domains/example.com/records", aRecord); err != nil {
				return err
			}
			return u.oneRecord()
		},
		ours: func(u *cloudUser) error { // it is looked for by type, name and data
			if err := u.domain(); err != nil {
				return err
			}
			r := digitalocean.RecordCreate{Domain: "example.com", Type: "A", Name: "www", Data: "192.0.2.7", TTL: 1800}
			if _, err := u.CreateRecord(u.leave(u.t, r.Permit()), r); !errors.Is(err, digitalocean.Unknown) {
				return fmt.Errorf("a lost answer is taken for %w", err)
			}
			return u.oneRecord()
		},
	},
	{
		number: 25, name: "created, and refused when asked again",
		fault: &dosim.Fault{Kind: dosim.ResetAfter, Match: dosim.Match{Method: "POST", Path: "/v2/volumes"}, Times: 1},
		naive: func(u *cloudUser) error { return u.twice("/v2/volumes", aVolume("data")) },
		ours:  (*cloudUser).adoptsVolume,
	},
	{
		number: 26, name: "a reserved IP has an older name in its project",
		naive: func(u *cloudUser) error { _, err := u.inProject("do:reservedip:"); return err },
		ours:  func(u *cloudUser) error { _, err := u.inProject("do:reservedip:", "do:floatingip:"); return err },
	},
	{
		number: 26, name: "an assigned reserved IP does not move", on: param("quirk.reserved_ip_move", "1"), off: param("quirk.reserved_ip_move", "0"),
		naive: func(u *cloudUser) error {
			to, _, err := u.moving()
			if err == nil {
				_, err = u.want("POST", "/v2/projects/"+to.Project+"/resources", body{"resources": to.URNs})
			}
			return err
		},
		ours: func(u *cloudUser) error {
			to, address, err := u.moving()
			if err != nil {
				return err
			}
			assign := func() error {
				_, err := u.AssignToProject(u.leave(u.t, to.Permit()), to)
				return err
			}
			if err := assign(); !errors.Is(err, digitalocean.Conflict) {
				return fmt.Errorf("assigned is taken for %w", err)
			}
			off := digitalocean.ReservedIPAct{IP: address, Type: "unassign"}
			if err := u.again(digitalocean.PendingEvent, func() error {
				_, err := u.ActOnReservedIP(u.leave(u.t, off.Permit()), off)
				return err
			}); err != nil {
				return err
			}
			return u.again(digitalocean.Conflict, assign)
		},
	},
	{
		number: 27, name: "an assigned reserved IPv6 is not released",
		naive: func(u *cloudUser) error {
			ip, err := u.assigned()
			if err == nil {
				_, err = u.want("DELETE", ip, nil)
			}
			return err
		},
		ours: func(u *cloudUser) error {
			ip, err := u.assigned()
			if err != nil {
				return err
			}
			for _, reported := range []string{"1", "0"} { // 400, as reported, and 422, as documented
				if err := u.SetParams(param("quirk.reserved_ipv6_release", reported)); err != nil {
					return err
				}
				if _, _, kind := u.send("DELETE", ip, nil); kind != digitalocean.Conflict {
					return fmt.Errorf("assigned is taken for %q", kind)
				}
			}
			if err := u.persist("POST", ip+"/actions", body{"type": "unassign"}, digitalocean.PendingEvent); err != nil {
				return err
			}
			return u.persist("DELETE", ip, nil, digitalocean.Conflict)
		},
	},
	{
		number: 28, name: "projects fail now and then", fault: &dosim.Fault{Kind: dosim.ServerErrorBefore, Match: dosim.Match{Path: "/v2/projects"}, Times: 1},
		naive: func(u *cloudUser) error { _, err := u.want("GET", "/v2/projects", nil); return err },
		ours:  func(u *cloudUser) error { _, err := u.documents("/v2/projects", "projects"); return err },
	},
	{
		number: 28, name: "some of what is assigned is not", // 200, and a status for each
		naive: func(u *cloudUser) error {
			got, err := u.want("POST", "/v2/projects/default/resources", body{"resources": []string{fmt.Sprintf("do:droplet:%d", u.droplet), "do:volume:none"}})
			if err == nil && len(in(got, "resources").([]any)) == 2 {
				err = errors.New("200 is taken for both")
			}
			return err
		},
		ours: func(u *cloudUser) error {
			got, err := u.want("GET", "/v2/projects/default", nil)
			if err != nil {
				return err
			}
			r := digitalocean.ProjectAssign{Project: id(in(got, "project", "id")), URNs: []string{fmt.Sprintf("do:droplet:%d", u.droplet), "do:volume:none"}}
			members, err := u.AssignToProject(u.leave(u.t, r.Permit()), r)
			if err == nil && (len(members) != 2 || members[0].Status != "already_assigned" || members[1].Status != "not_found") {
				err = fmt.Errorf("the statuses are %+v", members)
			}
			return err
		},
	},
	{
		number: 29, name: "what has a tag is listed by it late", on: param("lag.tag", "20s"), off: param("lag.tag", "0s"),
		naive: func(u *cloudUser) error {
			if err := u.tagged(); err != nil {
				return err
			}
			list, err := u.want("GET", "/v2/droplets?tag_name=marker", nil)
			if all, _ := in(list, "droplets").([]any); err == nil && len(all) != 1 {
				err = errors.New("there is none with the marker: it would be made again")
			}
			return err
		},
		ours: func(u *cloudUser) error { // "there is none" is concluded after a horizon only
			if err := u.tagged(); err != nil {
				return err
			}
			return u.until("the tagged droplet", func() (bool, error) {
				all, err := u.DropletsTagged(u.t.Context(), "marker")
				return len(all.Items) == 1, err
			})
		},
	},
}

var (
	aKey = body{"name": "key", "public_key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKc4iOCoGJHqZWkZlXBYJ0xPvSVeCJkcKqFXeB2rLZ4Y test"}

	aRecord = body{"type": "A", "name": "www", "data": "192.0.2.7", "ttl": 1800}
)

// twice sends a create again when the first fails, as loops that retry do.
func (u *cloudUser) twice(path string, what body) error {
	_, err := u.want("POST", path, what)
	if err != nil {
		_, err = u.want("POST", path, what)
	}
	return err
}

// adopts creates once, and where the outcome is not known looks for the name.
func (u *cloudUser) adopts(path, key string, what body, kind string) error {
	if _, _, k := u.send("POST", path, what); k != digitalocean.Unknown {
		return fmt.Errorf("a lost answer is taken for %q", k)
	}
	if _, _, k := u.send("POST", path, what); k != digitalocean.Conflict {
		return fmt.Errorf("a name that is taken is taken for %q", k)
	}
	return u.until("the one that was made", func() (bool, error) {
		all, err := u.documents(path, key)
		for _, item := range all {
			if item["name"] == what["name"] {
				return u.made(kind) == 1, err
			}
		}
		return false, err
	})
}

// adoptsVolume is adopts by this client's verbs.
func (u *cloudUser) adoptsVolume() error {
	r := digitalocean.VolumeCreate{Name: "data", Region: "nyc3", SizeGiB: 1, Tags: []string{marker}, Marker: marker}
	for _, want := range []digitalocean.Kind{digitalocean.Unknown, digitalocean.Conflict} {
		if _, err := u.CreateVolume(u.leave(u.t, r.Permit("main")), r); !errors.Is(err, want) {
			return fmt.Errorf("%s is taken for %w", want, err)
		}
	}
	return u.until("the one that was made", func() (bool, error) {
		named, err := u.VolumesNamed(u.t.Context(), r.Name, r.Region)
		return len(named.Items) == 1 && u.made("volume") == 1, err
	})
}

// attached is a volume on the droplet, just so.
func (u *cloudUser) attached() (path string, err error) {
	made, err := u.want("POST", "/v2/volumes", aVolume("data"))
	if err != nil {
		return "", err
	}
	time.Sleep(time.Minute)
	path = "/v2/volumes/" + id(in(made, "volume", "id"))
	_, err = u.want("POST", path+"/actions", body{"type": "attach", "droplet_id": u.droplet})
	time.Sleep(5 * time.Second)
	return path, err
}

// orphan is a volume whose droplet has just been deleted.
func (u *cloudUser) orphan() (path string, err error) {
	if path, err = u.attached(); err != nil {
		return "", err
	}
	time.Sleep(time.Minute)
	_, err = u.want("DELETE", u.path(), nil)
	return path, err
}

// emptied is a VPC whose last member has just been deleted.
func (u *cloudUser) emptied() (path string, err error) {
	if _, _, kind := u.send("POST", "/v2/vpcs", body{"name": "first", "region": "nyc3"}); kind != "" && kind != digitalocean.Conflict && kind != digitalocean.Unprocessable {
		return "", errors.New("no VPC was made")
	}
	made, err := u.want("POST", "/v2/vpcs", body{"name": fmt.Sprintf("vpc-%d", time.Now().Unix()), "region": "nyc3"})
	if err != nil {
		return "", err
	}
	vpc := id(in(made, "vpc", "id"))
	of := aDroplet("member")
	of["vpc_uuid"] = vpc
	time.Sleep(time.Minute)
	if made, err = u.want("POST", "/v2/droplets", of); err != nil {
		return "", err
	}
	time.Sleep(time.Minute)
	_, err = u.want("DELETE", "/v2/droplets/"+id(in(made, "droplet", "id")), nil)
	return "/v2/vpcs/" + vpc, err
}

func (u *cloudUser) balancer() (path string, err error) {
	made, err := u.want("POST", "/v2/load_balancers", aBalancer("one"))
	time.Sleep(5 * time.Minute)
	return "/v2/load_balancers/" + id(in(made, "load_balancer", "id")), err
}

// inProject is a new reserved IP as its project lists it, under one of the prefixes.
func (u *cloudUser) inProject(prefixes ...string) (urn string, err error) {
	made, err := u.want("POST", "/v2/reserved_ips", body{"region": "nyc3"})
	if err != nil {
		return "", err
	}
	time.Sleep(time.Minute)
	all, err := u.documents("/v2/projects/default/resources", "resources")
	for _, r := range all {
		for _, prefix := range prefixes {
			if r["urn"] == prefix+id(in(made, "reserved_ip", "ip")) {
				return id(r["urn"]), err
			}
		}
	}
	if err == nil {
		err = errors.New("the project does not have it")
	}
	return "", err
}

// moving is the move of a reserved IP that is on the droplet to another project.
func (u *cloudUser) moving() (to digitalocean.ProjectAssign, address string, err error) {
	other, err := u.want("POST", "/v2/projects", body{"name": "other", "purpose": "IoT"})
	if err != nil {
		return to, "", err
	}
	made, err := u.want("POST", "/v2/reserved_ips", body{"region": "nyc3"})
	if err != nil {
		return to, "", err
	}
	time.Sleep(time.Minute)
	address = id(in(made, "reserved_ip", "ip"))
	_, err = u.want("POST", "/v2/reserved_ips/"+address+"/actions", body{"type": "assign", "droplet_id": u.droplet})
	time.Sleep(time.Minute)
	return digitalocean.ProjectAssign{Project: id(in(other, "project", "id")), URNs: []string{"do:floatingip:" + address}}, address, err
}

// assigned is a reserved IPv6 on the droplet.
func (u *cloudUser) assigned() (path string, err error) {
	made, err := u.want("POST", "/v2/reserved_ipv6", body{"region_slug": "nyc3"})
	if err != nil {
		return "", err
	}
	time.Sleep(time.Minute)
	path = "/v2/reserved_ipv6/" + id(in(made, "reserved_ipv6", "ip"))
	_, err = u.want("POST", path+"/actions", body{"type": "assign", "droplet_id": u.droplet})
	time.Sleep(time.Minute)
	return path, err
}

func (u *cloudUser) domain() error {
	_, err := u.want("POST", "/v2/domains", body{"name": "example.com"})
	time.Sleep(time.Minute)
	return err
}

// oneRecord says whether the record is there once.
func (u *cloudUser) oneRecord() error {
	time.Sleep(time.Minute)
	all, err := u.Records(u.t.Context(), "example.com")
	n := 0
	for _, r := range all.Items {
		if r.Type == "A" && r.Name == "www" && r.Data == "192.0.2.7" {
			n++
		}
	}
	if err == nil && n != 1 {
		err = fmt.Errorf("the record is there %d times", n)
	}
	return err
}

func (u *cloudUser) tagged() error {
	if _, err := u.want("POST", "/v2/tags", body{"name": "marker"}); err != nil {
		return err
	}
	time.Sleep(time.Minute)
	_, err := u.want("POST", "/v2/droplets", aDroplet("new", "marker"))
	time.Sleep(5 * time.Second) // the other lags
	return err
}
