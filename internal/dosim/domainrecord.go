package dosim

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

const minRecordTTL = 30 // seconds

// A domainRecord is one line of a domain's zone. What points to a host is kept
// as the API shows it, without the dot at its end.
type domainRecord struct {
	thing
	Domain   string  `json:"domain"`
	Type     string  `json:"type"`
	Name     string  `json:"name"` // "@" for the domain itself
	Data     string  `json:"data"`
	TTL      int     `json:"ttl"` // seconds
	Priority *int64  `json:"priority"`
	Port     *int64  `json:"port"`
	Weight   *int64  `json:"weight"`
	Flags    *int64  `json:"flags"`
	Tag      *string `json:"tag"`
}

type domainRecordWire struct {
	ID       int64   `json:"id"`
	Type     string  `json:"type"`
	Name     string  `json:"name"`
	Data     string  `json:"data"`
	Priority *int64  `json:"priority"`
	Port     *int64  `json:"port"`
	TTL      int     `json:"ttl"`
	Weight   *int64  `json:"weight"`
	Flags    *int64  `json:"flags"`
	Tag      *string `json:"tag"`
}

func domainRecordResource() resource {
	return resource{
		table: func(w *world) anyTable {
			w.domainRecords = newTable(w.seed, kind[*domainRecord]{
				name: "domain_record", numbers: 1_700_000_000, wire: func(_ *call, r *domainRecord) any { return r.wire() },
				title: (*domainRecord).fullName,
				check: func(w *world, r *domainRecord) error {
					if _, ok := w.domains.get(r.Account, r.Domain); !ok {
						return fmt.Errorf("record %s is of the unknown domain %q", r.ID, r.Domain)
					}
					return nil
				},
				keys: func(r *domainRecord) []string {
					return []string{"of:" + urn(kindDomain, r.Domain), "name:" + r.fullName()}
				},
			})
			return w.domainRecords
		},
		routes: []route{
			op("GET /v2/domains/{domain}/records", listDomainRecords, "domain:read"),
			op("POST /v2/domains/{domain}/records", createDomainRecord, "domain:create").or("domain:update"),
			op("GET /v2/domains/{domain}/records/{domain_record}", getDomainRecord, "domain:read"),
			op("PUT /v2/domains/{domain}/records/{domain_record}", updateDomainRecord, "domain:update"),
			op("PATCH /v2/domains/{domain}/records/{domain_record}", updateDomainRecord, "domain:update"),
			op("DELETE /v2/domains/{domain}/records/{domain_record}", deleteDomainRecord, "domain:delete").or("domain:update"),
		},
		gone: func(c *call, urn string, e entity) {
			if _, is := e.(*domain); is {
				for _, r := range c.sim.world.domainRecords.under(c, "of:"+urn) {
					c.sim.world.domainRecords.remove(c, r)
				}
			}
		},
	}
}

func (r *domainRecord) wire() domainRecordWire {
	return domainRecordWire{number(r.ID), r.Type, r.Name, r.Data, r.Priority, r.Port, r.TTL, r.Weight, r.Flags, r.Tag}
}

// fullName is the name that resolvers ask for.
func (r *domainRecord) fullName() string {
	if r.Name == "@" {
		return r.Domain
	}
	return r.Name + "." + r.Domain
}

// pointsToHost reports whether the record's data are a host's name, which a
// request ends with a dot and an answer does not.
func (r *domainRecord) pointsToHost() bool {
	return slices.Contains([]string{"CNAME", "MX", "NS", "SRV"}, r.Type) || r.Type == "CAA" && (r.Tag == nil || *r.Tag != "iodef")
}

// zoneData is what stands in the zone's file after the type.
func (r *domainRecord) zoneData() string {
	data := r.Data
	switch {
	case data == "@" && r.pointsToHost():
		data = r.Domain + "."
	case r.pointsToHost() && r.Type != "CAA":
		data += "."
	}
	switch r.Type {
	case "MX":
		return fmt.Sprintf("%d %s", deref(r.Priority), data)
	case "SRV":
		return fmt.Sprintf("%d %d %d %s", deref(r.Priority), deref(r.Weight), deref(r.Port), data)
	case "CAA":
		return fmt.Sprintf("%d %s %q", deref(r.Flags), deref(r.Tag), data)
	case "TXT":
		return strconv.Quote(data)
	}
	return data
}

// addRecord makes a record that comes along with its domain.
func (c *call) addRecord(d *domain, r domainRecord) {
	r.Domain, r.Name, r.TTL, r.Unasked = d.ID, "@", domainTTL, true
	r.Data = strings.TrimSuffix(r.Data, ".")
	c.sim.world.domainRecords.create(c, &r)
}

type domainRecordBody struct {
	Type     *string `json:"type"`
	Name     *string `json:"name"`
	Data     *string `json:"data"`
	TTL      *int    `json:"ttl"`
	Priority *int64  `json:"priority"`
	Port     *int64  `json:"port"`
	Weight   *int64  `json:"weight"`
	Flags    *int64  `json:"flags"`
	Tag      *string `json:"tag"`
}

// put lays the body over the record, and reports DigitalOcean's objection.
func (b domainRecordBody) put(r *domainRecord) error {
	if b.Name != nil {
		name := strings.ToLower(*b.Name)
		if absolute, is := strings.CutSuffix(name, "."); is { // "www.example.com." is "www"
			name, _ = strings.CutSuffix(absolute, r.Domain)
			name = cmp.Or(strings.TrimSuffix(name, "."), "@")
		}
		r.Name = name
	}
	if b.Data != nil {
		r.Data = *b.Data
		if r.pointsToHost() && r.Data != "@" {
			host, dotted := strings.CutSuffix(r.Data, ".")
			if !dotted && r.Type != "CAA" {
				return errors.New("Data needs to end with a dot (.)") // digitalocean/openapi#884
			}
			r.Data = host
		}
	}
	if b.TTL != nil && *b.TTL != 0 {
		r.TTL = *b.TTL
	}
	for _, f := range []struct {
		of   **int64
		to   *int64
		kind []string
	}{
		{&r.Priority, b.Priority, []string{"MX", "SRV"}},
		{&r.Port, b.Port, []string{"SRV"}},
		{&r.Weight, b.Weight, []string{"SRV"}},
		{&r.Flags, b.Flags, []string{"CAA"}},
	} {
		if f.to != nil && slices.Contains(f.kind, r.Type) {
			*f.of = f.to
		}
	}
	if b.Tag != nil && r.Type == "CAA" {
		r.Tag = b.Tag
	}
	return nil
}

// check reports DigitalOcean's objection to the record as such.
func (r *domainRecord) check() error {
	address, addressErr := netip.ParseAddr(r.Data)
	lacks := func(p *int64, most int64) bool { return p == nil || *p < 0 || *p > most }
	labels := strings.Split(r.Name, ".")
	switch {
	case r.Name == "":
		return errors.New("Name can't be blank")
	case len(r.fullName()) > 253 || r.Name != "@" && slices.ContainsFunc(labels, func(l string) bool {
		return l == "" || len(l) > 63 || !onlyAlnumAnd(l, "-_*")
	}):
		return errors.New("Name is invalid.")
	case r.Data == "":
		return errors.New("Data can't be blank")
	case r.TTL < minRecordTTL:
		return errors.New("TTL must be greater than or equal to 30")
	case r.Type == "A" && (addressErr != nil || !address.Is4()):
		return errors.New("IP address is invalid: an A record has an IPv4 address.")
	case r.Type == "AAAA" && (addressErr != nil || !address.Is6()):
		return errors.New("IP address is invalid: an AAAA record has an IPv6 address.")
	case (r.Type == "MX" || r.Type == "SRV") && lacks(r.Priority, 65535):
		return errors.New("Priority must be between 0 and 65535")
	case r.Type == "SRV" && (lacks(r.Port, 65535) || lacks(r.Weight, 65535)):
		return errors.New("Port and weight must be between 0 and 65535")
	case r.Type == "CAA" && lacks(r.Flags, 255):
		return errors.New("Flags must be between 0 and 255")
	case r.Type == "CAA" && (r.Tag == nil || !slices.Contains([]string{"issue", "issuewild", "iodef"}, *r.Tag)):
		return errors.New("Tag must be one of issue, issuewild, iodef")
	case r.Type == "CNAME" && (r.Data == r.fullName() || r.Data == "@" && r.Name == "@"):
		return errors.New("CNAME records cannot refer to themselves")
	}
	return nil
}

// clashes reports whether a CNAME would share the name with another record.
// Anything else may be there twice, even alike: kubernetes-sigs/external-dns#4495, #4802.
func (c *call) clashes(r *domainRecord) bool {
	return slices.ContainsFunc(c.sim.world.domainRecords.under(c, "name:"+r.fullName()), func(o *domainRecord) bool {
		return o.ID != r.ID && o.Domain == r.Domain && (o.Type == "CNAME" || r.Type == "CNAME")
	})
}

const cnameClash = "CNAME records cannot share a name with other records"

// listDomainRecords filters by a fully qualified name, and by type.
func listDomainRecords(c *call) answer {
	d, ok := c.domain()
	if !ok {
		return notFound()
	}
	records, q := c.sim.world.domainRecords, c.r.URL.Query()
	name, kind := strings.ToLower(strings.TrimSuffix(q.Get("name"), ".")), q.Get("type")
	return records.page(c, "domain_records", only(records.listedUnder(c, "of:"+urn(kindDomain, d.ID)), func(r *domainRecord) bool {
		return (name == "" || r.fullName() == name) && (kind == "" || strings.EqualFold(r.Type, kind))
	}))
}

func createDomainRecord(c *call) answer {
	d, ok := c.domain()
	if !ok {
		return notFound()
	}
	var body domainRecordBody
	if !c.decode(&body) {
		return invalidJSON()
	}
	r := &domainRecord{Domain: d.ID, Type: strings.ToUpper(deref(body.Type)), TTL: domainTTL}
	if body.Tag != nil {
		r.Tag = body.Tag // it says what the data are
	}
	if !slices.Contains([]string{"A", "AAAA", "CAA", "CNAME", "MX", "NS", "SRV", "TXT"}, r.Type) {
		return unprocessable("Type is invalid: it is one of A, AAAA, CAA, CNAME, MX, NS, SRV, TXT.")
	}
	if r.Type == "MX" || r.Type == "CAA" {
		r.Name = "@"
	}
	if err := cmp.Or(body.put(r), r.check()); err != nil {
		return unprocessable(err.Error())
	}
	if r.Type != "CAA" {
		r.Tag = nil
	}
	if c.clashes(r) {
		return unprocessable(cnameClash)
	}
	records := c.sim.world.domainRecords
	return created("domain_record", records.render(c, records.create(c, r)))
}

// domainRecord finds the record in the path, and its domain.
func (c *call) domainRecord() (*domainRecord, bool) {
	d, ok := c.domain()
	if !ok {
		return nil, false
	}
	r, ok := c.sim.world.domainRecords.find(c, c.values["domain_record"])
	return r, ok && r.Domain == d.ID
}

func getDomainRecord(c *call) answer {
	r, ok := c.domainRecord()
	if !ok {
		return notFound()
	}
	return showing("domain_record", c.sim.world.domainRecords.render(c, r))
}

// updateDomainRecord is PUT and PATCH: either changes what the body names. Of the
// SOA record that is the TTL alone.
func updateDomainRecord(c *call) answer {
	r, ok := c.domainRecord()
	if !ok {
		return notFound()
	}
	var body domainRecordBody
	if !c.decode(&body) {
		return invalidJSON()
	}
	if body.Type != nil && !strings.EqualFold(*body.Type, r.Type) {
		return unprocessable("Type can not be changed.")
	}
	if r.Type == "SOA" {
		body = domainRecordBody{TTL: body.TTL}
	}
	next := copyOf(r)
	if err := cmp.Or(body.put(next), next.check()); err != nil {
		return unprocessable(err.Error())
	}
	if c.clashes(next) {
		return unprocessable(cnameClash)
	}
	records := c.sim.world.domainRecords
	records.update(c, r, func(r *domainRecord) { _ = body.put(r) })
	return showing("domain_record", r.wire())
}

func deleteDomainRecord(c *call) answer {
	r, ok := c.domainRecord()
	if !ok {
		return notFound()
	}
	if r.Type == "SOA" {
		return unprocessable("The SOA record can not be deleted.")
	}
	c.sim.world.domainRecords.remove(c, r)
	return noContent()
}
