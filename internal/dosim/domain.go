package dosim

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

const (
	kindDomain = "domain"
	domainTTL  = 1800 // seconds
)

// A domain is a zone of names, whose id is its name. Nobody else at DigitalOcean
// can have it meanwhile.
type domain struct {
	thing
}

type domainWire struct {
	Name     string  `json:"name"`
	TTL      int     `json:"ttl"`
	ZoneFile *string `json:"zone_file"`
}

func domainResource() resource {
	return resource{
		table: func(w *world) anyTable {
			w.domains = newTable(w.seed, kind[*domain]{
				name: kindDomain, wire: func(c *call, d *domain) any { return d.wire(c) },
				title: func(d *domain) string { return d.ID },
				path:  "/v2/domains/", urn: "domain",
			})
			return w.domains
		},
		routes: []route{
			op("GET /v2/domains", func(c *call) answer { return c.sim.world.domains.page(c, "domains", c.sim.world.domains.listed(c)) }, "domain:read"),
			op("POST /v2/domains", createDomain, "domain:create"),
			op("GET /v2/domains/{domain}", getDomain, "domain:read"),
			op("DELETE /v2/domains/{domain}", deleteDomain, "domain:delete"),
		},
	}
}

func (d *domain) wire(c *call) domainWire {
	zone := d.zoneFile(c)
	return domainWire{d.ID, domainTTL, &zone}
}

// zoneFile is the zone as its records make it, with the instant of the newest
// change as its serial number.
func (d *domain) zoneFile(c *call) string {
	records := c.sim.world.domainRecords.under(c, "of:"+urn(kindDomain, d.ID))
	serial, ttl := d.CreatedAt, domainTTL
	for _, r := range records {
		serial = later(serial, later(r.CreatedAt, r.changedAt))
		if r.Type == "SOA" {
			ttl = r.TTL
		}
	}
	var zone strings.Builder
	fmt.Fprintf(&zone, "$ORIGIN %[1]s.\n$TTL %[3]d\n%[1]s. IN SOA ns1.digitalocean.com. hostmaster.%[1]s. %[2]d 10800 3600 604800 %[3]d\n",
		d.ID, serial.Unix(), ttl)
	for _, r := range records {
		if r.Type != "SOA" {
			fmt.Fprintf(&zone, "%s. %d IN %s %s\n", r.fullName(), r.TTL, r.Type, r.zoneData())
		}
	}
	return zone.String()
}

func createDomain(c *call) answer {
	var body struct {
		Name      string `json:"name"`
		IPAddress string `json:"ip_address"`
	}
	if !c.decode(&body) {
		return invalidJSON()
	}
	name := strings.ToLower(strings.TrimSuffix(body.Name, "."))
	if !isDomain(name) {
		return unprocessable("Name is not a valid domain name.")
	}
	var address netip.Addr
	if body.IPAddress != "" {
		var err error
		if address, err = netip.ParseAddr(body.IPAddress); err != nil {
			return unprocessable("IP address is invalid.")
		}
	}
	w := c.sim.world
	for account := range w.accounts {
		if d, ok := w.domains.get(account, name); ok && d.exists(c.at) {
			return unprocessable("Name already exists")
		}
	}
	d := w.domains.create(c, &domain{thing{ID: name}})
	c.addRecord(d, domainRecord{Type: "SOA", Data: "1800"})
	for _, server := range []string{"ns1", "ns2", "ns3"} {
		c.addRecord(d, domainRecord{Type: "NS", Data: server + ".digitalocean.com."})
	}
	if address.IsValid() {
		kind := "A"
		if address.Is6() {
			kind = "AAAA"
		}
		c.addRecord(d, domainRecord{Type: kind, Data: address.String()})
	}
	return created("domain", domainWire{Name: d.ID, TTL: domainTTL}) // the zone file comes later
}

// isDomain reports whether s is two or more labels of a host's name.
func isDomain(s string) bool {
	labels := strings.Split(s, ".")
	return len(s) <= 253 && len(labels) > 1 && !slices.ContainsFunc(labels, func(l string) bool {
		return l == "" || len(l) > 63 || !onlyAlnumAnd(l, "-") || l[0] == '-' || l[len(l)-1] == '-'
	})
}

// domain finds the domain in the path.
func (c *call) domain() (*domain, bool) {
	return c.sim.world.domains.find(c, strings.ToLower(c.values["domain"]))
}

func getDomain(c *call) answer {
	d, ok := c.domain()
	if !ok {
		return notFound()
	}
	return showing("domain", c.sim.world.domains.render(c, d))
}

func deleteDomain(c *call) answer {
	d, ok := c.domain()
	if !ok {
		return notFound()
	}
	c.sim.world.domains.remove(c, d)
	return noContent()
}
