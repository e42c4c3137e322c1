package web

import (
	"testing"

	"github.com/arcadia-cloud/arcadia/internal/provisioning/blueprint"
)

// The picture leads from a name to an address, a droplet and its volume; what guards a
// droplet stands before it, and its network is around it and nothing else.
func TestTheTopologyOfAStack(t *testing.T) {
	spec := blueprint.Spec{Resources: []blueprint.Resource{
		{ID: "tag.sky", Kind: blueprint.TagKind, Name: "sky"},
		{ID: "vpc.net", Kind: blueprint.VPCKind, Name: "net", VPC: &blueprint.VPCSpec{Region: "nyc3"}},
		{ID: "volume.data", Kind: blueprint.VolumeKind, Name: "data", Volume: &blueprint.VolumeSpec{Region: "nyc3", SizeGiB: 50, Droplet: "droplet.web"}},
		{ID: "droplet.web", Kind: blueprint.DropletKind, Name: "web", Droplet: &blueprint.DropletSpec{Region: "nyc3", Size: "s-1vcpu-1gb", VPC: "vpc.net", Volumes: []string{"volume.data"}}},
		{ID: "reserved_ip.front", Kind: blueprint.ReservedIPKind, Name: "front", ReservedIP: &blueprint.ReservedIPSpec{Region: "nyc3", Droplet: "droplet.web"}},
		{ID: "firewall.edge", Kind: blueprint.FirewallKind, Name: "edge", Firewall: &blueprint.FirewallSpec{
			Droplets: []string{"droplet.web"}, Inbound: []blueprint.RuleSpec{{Protocol: "tcp", Ports: "22"}, {Protocol: "tcp", Ports: "443"}, {Protocol: "icmp"}},
		}},
		{ID: "domain_record.a", Kind: blueprint.RecordKind, Name: "a", DependsOn: []string{"reserved_ip.front"}, Record: &blueprint.RecordSpec{Domain: "sky.example", Type: "A", Name: "acme", TTL: 300}},
	}}
	d := drawTopology(spec, map[string]string{"reserved_ip.front": "do:reserved_ip:203.0.113.7", "droplet.web": "do:droplet:1"}, map[string]bool{"droplet.web": true})
	at := map[string]int{}
	for _, b := range d.Boxes {
		at[b.ID] = b.X
	}
	if len(d.Boxes) != 5 || at["domain_record.a"] >= at["reserved_ip.front"] || at["reserved_ip.front"] >= at["droplet.web"] || at["firewall.edge"] >= at["droplet.web"] || at["droplet.web"] >= at["volume.data"] {
		t.Errorf("the boxes stand at %v", at)
	}
	for key, want := range map[string]topologyNode{
		"reserved_ip.front": {name: "203.0.113.7", under: "Reserved IP in nyc3", icon: "pin", urn: "do:reserved_ip:203.0.113.7"},
		"droplet.web":       {name: "web", under: "s-1vcpu-1gb in nyc3, off", icon: "droplet", urn: "do:droplet:1", off: true},
		"volume.data":       {name: "data", under: "50 GiB in nyc3, not there", icon: "volume"},
		"firewall.edge":     {name: "edge", under: "lets in tcp 22, 443; icmp, not there", icon: "shield"},
		"domain_record.a":   {name: "acme.sky.example", under: "A record, TTL 300 s, not there", icon: "globe"},
	} {
		if d.nodes[key] != want {
			t.Errorf("%s is %+v, want %+v", key, d.nodes[key], want)
		}
	}
	if len(d.frames) != 1 || d.frames[0].ID != "vpc.net" {
		t.Fatalf("the frames are %v", d.frames)
	}
	f := d.frames[0]
	for _, b := range d.Boxes {
		inside := b.X >= f.X && b.X+b.Width <= f.X+f.Width && b.Y >= f.Y && b.Y+b.Height <= f.Y+f.Height
		if inside != (b.ID == "droplet.web") {
			t.Errorf("%s is in the network: %t", b.ID, inside)
		}
	}
	alone := drawTopology(blueprint.Spec{Resources: []blueprint.Resource{spec.Resources[1], spec.Resources[3]}}, nil, nil)
	for _, d := range []topology{d, alone} {
		if f := d.frames[0]; f.X < -d.left || f.Y < -d.top || f.Y+f.Height > d.Height || f.X+f.Width > d.Width {
			t.Errorf("the frame %+v is not all in the picture, %d×%d from %d on", f, d.Width, d.Height, -d.top)
		}
	}
}
