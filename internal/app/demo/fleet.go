package demo

import (
	"cmp"
	_ "embed"
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

// A droplet is one of the fleet; an empty image is the usual one.
type droplet struct {
	name, part, region, size, image string // part is "web1": what it is to its tenant
	tags                            []string
}

// others are droplets that no tier explains: GPUs, and what nobody has tagged.
var others = []droplet{
	{"cobalt-labs-gpu-1", "", "tor1", "gpu-l40sx1-48gb", "", []string{"tenant:cobalt-labs", "env:production", "role:gpu"}},
	{"lumen-analytics-gpu-1", "", "tor1", "gpu-h100x1-80gb", "gpu-h100x1-base", []string{"tenant:lumen-analytics", "env:production", "role:gpu"}},
	{"lumen-analytics-gpu-2", "", "tor1", "gpu-4000adax1-20gb", "", []string{"tenant:lumen-analytics", "env:staging", "role:gpu"}},
	{"gpu-experiment", "", "tor1", "gpu-4000adax1-20gb", "", nil},
	{"bastion-nyc3", "", "nyc3", "s-1vcpu-512mb-10gb", "", []string{"env:shared"}},
	{"bastion-fra1", "", "fra1", "s-1vcpu-512mb-10gb", "", []string{"env:shared"}},
	{"metrics", "", "nyc3", "s-4vcpu-8gb", "debian-12-x64", []string{"env:shared"}},
	{"ci-runner-1", "", "fra1", "c-4", "docker-20-04", []string{"env:shared"}},
	{"ci-runner-2", "", "fra1", "c-4", "docker-20-04", []string{"env:shared"}},
	{"old-wordpress", "", "nyc3", "s-1vcpu-1gb", "ubuntu-22-04-x64", nil},
	{"load-test", "", "sgp1", "c-8", "", nil},
	{"ubuntu-s-1vcpu-1gb-sgp1-01", "", "sgp1", "s-1vcpu-1gb", "", nil},
}

//go:embed estate.yaml
var estate []byte

// fleet is sixty droplets in four regions, for twelve tenants and for nobody in
// particular, made one after the other over the last two years, and since then
// some of everything else.
func fleet() (dosim.Scenario, error) {
	var all []droplet
	values := map[string][]any{}
	for i, tenant := range tenants {
		values["tenants"] = append(values["tenants"], tenant)
		values["regions"] = append(values["regions"], regions[i%len(regions)])
		for _, d := range tiers[i%len(tiers)] {
			all = append(all, droplet{
				name: tenant + "-" + d.name, part: strings.ReplaceAll(d.name, "-", ""), region: regions[i%len(regions)], size: d.size,
				tags: []string{"tenant:" + tenant, "env:production", "role:" + strings.TrimRight(d.name, "-0123456789")},
			})
		}
	}
	all = append(all, others...)
	begun, err := dosim.ReadScenario(estate)
	if err != nil {
		return begun, err
	}
	begun.Preset, begun.Values = "realistic", values
	var steps []dosim.ScenarioStep
	for i, d := range all {
		ago := time.Duration(len(all)-i)*12*24*time.Hour + time.Duration(i*i%47)*31*time.Minute
		steps = append(steps, dosim.ScenarioStep{
			Request: "POST /v2/droplets", Ago: ago.String(), Save: map[string]string{cmp.Or(d.part, "others"): "droplet.id"},
			Body: map[string]any{
				"name": d.name, "region": d.region, "size": d.size, "image": cmp.Or(d.image, "ubuntu-24-04-x64"),
				"tags": append([]string{}, d.tags...), "monitoring": true,
			},
		})
	}
	begun.Steps = append(steps, begun.Steps...)
	return begun, nil
}
