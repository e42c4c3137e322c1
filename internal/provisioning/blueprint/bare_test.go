package blueprint_test

import (
	"slices"
	"testing"

	"github.com/arcadia-cloud/arcadia/internal/provisioning/blueprint"
)

func TestDropletsWithoutAFirewallAreFound(t *testing.T) {
	source := `name: half
version: 1
region: nyc3
droplets:
  web: {size: s-1vcpu-1gb, image: debian-12-x64}
  open: {size: s-1vcpu-1gb, image: debian-12-x64}
firewalls:
  edge: {droplets: [web]}
`
	bp, err := blueprint.Parse("half.yaml", []byte(source))
	if err != nil {
		t.Fatal(err)
	}
	spec, err := blueprint.Resolve(bp, nil, blueprint.Tenant{Slug: "acme", Zone: "UTC"}, blueprint.Stack{ID: "stack_1", Name: "web"})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"open"}
	if got, ofSpec := bp.Bare(), spec.Bare(); !slices.Equal(got, want) || !slices.Equal(ofSpec, want) {
		t.Errorf("without a firewall are %q, of the spec %q, want %q", got, ofSpec, want)
	}
	for _, bp := range blueprint.All() {
		if bare := bp.Bare(); len(bare) > 0 {
			t.Errorf("%s is shipped, and leaves %q without a firewall", bp.Name, bare)
		}
	}
}

func TestReferencesAreSaidInWords(t *testing.T) {
	for e, want := range map[blueprint.Expr]string{
		"192.0.2.1":                             "192.0.2.1",
		"${reserved_ip.main.address}":           "the reserved IP main",
		"${droplet.web.public_ip}":              "the public address of droplet web",
		"${droplet.web.private_ip}:80":          "the private address of droplet web:80",
		"${droplet.web.public_ipv6}":            "the public IPv6 address of droplet web",
		"${volume.data.id}":                     "the id of volume data",
		"${vpc.ip_range}":                       "the address range of the network",
		"v=spf1 $${x}":                          "v=spf1 ${x}",
		"${tenant.slug} in ${droplet.web.name}": "the slug of the tenant in the name of droplet web",
	} {
		if got := e.Words(); got != want {
			t.Errorf("%s is said as %q, want %q", e, got, want)
		}
	}
}
