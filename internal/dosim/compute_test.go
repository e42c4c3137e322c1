package dosim_test

import (
	"fmt"

	"github.com/arcadia-cloud/arcadia/internal/dosim"
)

func computeStories() []story {
	return []story{
		{"SSH keys", tellSSHKeys},
		{"droplets", tellDroplets},
		{"actions on droplets", tellDropletActions},
		{"backups", tellBackups},
		{"destruction with associated resources", tellDestroys},
		{"volumes", tellVolumes},
		{"images", tellImages},
		{"transfers of images between accounts", tellImageHandovers},
		{"reserved IPs", func(d driver) { tellReservedIPs(d, "reserved_ip") }},
		{"floating IPs", func(d driver) { tellReservedIPs(d, "floating_ip") }},
	}
}

func tellDroplets(d driver) {
	seeded := d.s.SeedDroplet(dosim.SeedDroplet{Tags: []string{"web"}})
	d.s.SeedDroplet(dosim.SeedDroplet{Name: "trainer", Size: "gpu-h100x1-80gb", Region: "tor1", Image: "gpu-h100x1-base"})
	droplet := fmt.Sprintf("/v2/droplets/%d", seeded)
	for _, path := range []string{"/v2/images", "/v2/images?private=true", "/v2/images/ubuntu-24-04-x64"} {
		d.get(path)
	}
	made := d.want(202, "POST", "/v2/droplets", object{
		"name": "db-1", "size": "s-2vcpu-4gb", "image": "debian-12-x64", "region": "fra", "ipv6": true, "backups": true, "tags": []string{"db"},
	})
	other := "/v2/droplets/" + idOf(made, "droplet", "id")
	d.lag()
	d.get(other)
	d.get("/v2/droplets")
	d.get("/v2/droplets?type=gpus")
	d.get("/v2/droplets?tag_name=web")
	d.get(droplet + "/kernels")
	d.get(droplet + "/neighbors")
	d.get("/v2/reports/droplet_neighbors_ids")
	several := d.want(202, "POST", "/v2/droplets", object{"names": []string{"one", "two"}, "size": "s-1vcpu-1gb", "image": "debian-12-x64", "region": "nyc3"})
	if n := len(list(several, "droplets")); n != 2 || len(at(several.Body, "links", "actions").([]any)) != 2 {
		d.Errorf("two names made %d droplets: %v", n, several.Body)
	}
	shot := d.want(201, "POST", droplet+"/actions", object{"type": "snapshot", "name": "one"})
	action := idOf(shot, "action", "id")
	d.get(droplet + "/actions")
	d.get(droplet + "/actions/" + action)
	d.lag()
	d.lag()
	d.get(droplet + "/actions/" + action)
	d.get("/v2/actions/" + action)
	d.get("/v2/actions")
	d.get(droplet + "/snapshots")
	d.get("/v2/images?private=true")
	snapshots := d.get("/v2/snapshots?resource_type=droplet")
	snapshot := "/v2/snapshots/" + text(at(snapshots.Body, "snapshots", 0, "id"))
	d.get(snapshot)
	d.want(204, "DELETE", snapshot, nil)
	d.want(204, "DELETE", droplet, nil)
	for _, kind := range []string{"power_off", "power_on", "shutdown"} {
		d.want(201, "POST", other+"/actions", object{"type": kind})
		d.lag()
	}
	d.want(204, "DELETE", "/v2/droplets?tag_name=db", nil)
	d.want(404, "GET", other, nil)

	d.want(404, "GET", droplet, nil)
	d.want(404, "GET", snapshot, nil)
	d.want(404, "DELETE", snapshot, nil)
	d.want(400, "GET", "/v2/snapshots/195932981", nil) // an image that is no snapshot
	d.want(404, "GET", "/v2/droplets/one", nil)
	d.want(400, "DELETE", "/v2/droplets", nil)
	d.want(400, "POST", "/v2/droplets", "{")
	d.want(422, "POST", "/v2/droplets", object{"name": "no spaces", "size": "s-1vcpu-1gb", "image": "debian-12-x64"})
}
