package demo

import (
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/dosim"
)

// tenants are whom the fleet's droplets are for; their droplets carry the tag
// tenant:SLUG.
var tenants = []string{
	"atlas-freight", "bluefin-foods", "cobalt-labs", "dune-travel", "ember-studio", "fjord-energy",
	"granite-legal", "harbor-health", "indigo-retail", "juniper-schools", "kestrel-media", "lumen-analytics",
}

// regions are where they are; only tor1 of them has GPUs.
var regions = []string{"nyc3", "fra1", "sgp1", "tor1"}

// A tier is what a tenant of a size has: four droplets.
type tier []struct{ name, size string }

var tiers = []tier{
	{{"web-1", "s-1vcpu-2gb"}, {"web-2", "s-1vcpu-2gb"}, {"db-1", "s-2vcpu-4gb"}, {"worker-1", "s-1vcpu-1gb"}},
	{{"web-1", "s-2vcpu-4gb"}, {"web-2", "s-2vcpu-4gb"}, {"db-1", "g-2vcpu-8gb"}, {"worker-1", "s-2vcpu-2gb"}},
	{{"web-1", "c-2"}, {"web-2", "c-2"}, {"db-1", "m-2vcpu-16gb"}, {"worker-1", "c-4"}},
}

// others are droplets that no tier explains: GPUs, and what nobody has tagged.
var others = []dosim.SeedDroplet{
	{Name: "cobalt-labs-gpu-1", Region: "tor1", Size: "gpu-l40sx1-48gb", Tags: []string{"tenant:cobalt-labs", "env:production", "role:gpu"}},
	{Name: "lumen-analytics-gpu-1", Region: "tor1", Size: "gpu-h100x1-80gb", Image: "gpu-h100x1-base", Tags: []string{"tenant:lumen-analytics", "env:production", "role:gpu"}},
	{Name: "lumen-analytics-gpu-2", Region: "tor1", Size: "gpu-4000adax1-20gb", Tags: []string{"tenant:lumen-analytics", "env:staging", "role:gpu"}},
	{Name: "gpu-experiment", Region: "tor1", Size: "gpu-4000adax1-20gb"},
	{Name: "bastion-nyc3", Region: "nyc3", Size: "s-1vcpu-512mb-10gb", Tags: []string{"env:shared"}},
	{Name: "bastion-fra1", Region: "fra1", Size: "s-1vcpu-512mb-10gb", Tags: []string{"env:shared"}},
	{Name: "metrics", Region: "nyc3", Size: "s-4vcpu-8gb", Image: "debian-12-x64", Tags: []string{"env:shared"}},
	{Name: "ci-runner-1", Region: "fra1", Size: "c-4", Image: "docker-20-04", Tags: []string{"env:shared"}},
	{Name: "ci-runner-2", Region: "fra1", Size: "c-4", Image: "docker-20-04", Tags: []string{"env:shared"}},
	{Name: "old-wordpress", Region: "nyc3", Size: "s-1vcpu-1gb", Image: "ubuntu-22-04-x64"},
	{Name: "load-test", Region: "sgp1", Size: "c-8"},
	{Name: "ubuntu-s-1vcpu-1gb-sgp1-01", Region: "sgp1", Size: "s-1vcpu-1gb"},
}

// Fleet is sixty droplets in four regions, for twelve tenants and for nobody in
// particular, made over the last two years.
func Fleet(now time.Time) []dosim.SeedDroplet {
	var fleet []dosim.SeedDroplet
	for i, tenant := range tenants {
		for _, d := range tiers[i%len(tiers)] {
			fleet = append(fleet, dosim.SeedDroplet{
				Name: tenant + "-" + d.name, Region: regions[i%len(regions)], Size: d.size,
				Tags: []string{"tenant:" + tenant, "env:production", "role:" + strings.TrimRight(d.name, "-0123456789")},
			})
		}
	}
	fleet = append(fleet, others...)
	for i := range fleet {
		// The first is the oldest; a day and some between one and the next.
		age := time.Duration(len(fleet)-i)*12*24*time.Hour + time.Duration(i*i%47)*31*time.Minute
		fleet[i].CreatedAt = now.Add(-age).Truncate(time.Second)
	}
	return fleet
}
