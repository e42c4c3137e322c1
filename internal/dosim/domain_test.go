package dosim_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
)

func tellDomains(d driver) {
	gone := crud{
		path: "/v2/domains", key: "domain", list: "domains", id: "name",
		create:  object{"name": "Example.com", "ip_address": "192.0.2.1"},
		refused: []object{{}, {"name": "localhost"}, {"name": "a..com"}, {"name": "example.com", "ip_address": "home"}},
	}.tell(d)
	d.want(404, "GET", gone+"/records", nil)

	d.want(201, "POST", "/v2/domains", object{"name": "example.com", "ip_address": "2001:db8::1"})
	d.lag()
	const path = "/v2/domains/example.com/records"
	var kinds []string
	for _, r := range list(d.get(path), "domain_records") {
		kinds = append(kinds, fmt.Sprint(at(r, "type"), " ", at(r, "data")))
	}
	if got, want := strings.Join(kinds, ", "), "SOA 1800, NS ns1.digitalocean.com, NS ns2.digitalocean.com, NS ns3.digitalocean.com, AAAA 2001:db8::1"; got != want {
		d.Errorf("a new domain has %s, want %s", got, want)
	}
	for _, r := range []object{
		{"type": "A", "name": "www", "data": "192.0.2.7"},
		{"type": "CNAME", "name": "shop.example.com.", "data": "@", "ttl": 60},
		{"type": "MX", "data": "mail.example.net.", "priority": 10},
		{"type": "TXT", "name": "@", "data": "v=spf1 -all"},
		{"type": "SRV", "name": "_sip._tcp", "data": "sip.example.com.", "priority": 1, "weight": 2, "port": 5060},
		{"type": "CAA", "name": "@", "data": "letsencrypt.org", "flags": 0, "tag": "issue"},
		{"type": "CAA", "name": "@", "data": "mailto:ca@example.com", "flags": 128, "tag": "iodef"},
		{"type": "NS", "name": "sub", "data": "ns.example.net."},
	} {
		d.want(201, "POST", path, r)
	}
	d.lag()
	zone := text(at(d.get("/v2/domains/example.com").Body, "domain", "zone_file"))
	for _, line := range []string{
		"$ORIGIN example.com.\n", "$TTL 1800\n", "example.com. IN SOA ns1.digitalocean.com. hostmaster.example.com. ", "example.com. 1800 IN NS ns3.digitalocean.com.\n",
		"www.example.com. 1800 IN A 192.0.2.7\n", "shop.example.com. 60 IN CNAME example.com.\n", "example.com. 1800 IN MX 10 mail.example.net.\n",
		"example.com. 1800 IN TXT \"v=spf1 -all\"\n", "_sip._tcp.example.com. 1800 IN SRV 1 2 5060 sip.example.com.\n",
		"example.com. 1800 IN CAA 0 issue \"letsencrypt.org\"\n", "example.com. 1800 IN CAA 128 iodef \"mailto:ca@example.com\"\n",
	} {
		if !strings.Contains(zone, line) {
			d.Errorf("the zone file lacks %q:\n%s", line, zone)
		}
	}
	for query, want := range map[string]int{"?type=A": 1, "?name=www.example.com": 1, "?name=example.com&type=NS": 3, "?name=www": 0} {
		if n := len(list(d.get(path+query), "domain_records")); n != want {
			d.Errorf("%q lists %d records, want %d", query, n, want)
		}
	}
	for _, r := range []object{
		{}, {"type": "SOA", "name": "@", "data": "1"}, {"type": "A", "name": "www", "data": "2001:db8::1"}, {"type": "AAAA", "name": "www", "data": "192.0.2.1"},
		{"type": "A", "data": "192.0.2.1"}, {"type": "A", "name": "www"}, {"type": "A", "name": "a b", "data": "192.0.2.1"},
		{"type": "A", "name": "www", "data": "192.0.2.1", "ttl": 29}, {"type": "MX", "data": "mail.example.net."}, {"type": "MX", "data": "mail.example.net", "priority": 1},
		{"type": "SRV", "name": "_sip", "data": "a.", "priority": 1}, {"type": "CAA", "name": "@", "data": "a.", "flags": 0, "tag": "maybe"},
		{"type": "CNAME", "name": "self", "data": "self.example.com."},
	} {
		d.want(422, "POST", path, r)
	}
	one := path + "/" + text(at(d.get(path+"?name=www.example.com").Body, "domain_records", 0, "id"))
	if got := at(d.want(200, "PUT", one, object{"data": "192.0.2.8"}).Body, "domain_record", "data"); got != "192.0.2.8" {
		d.Errorf("data after the PUT = %v", got)
	}
	d.want(200, "PATCH", one, object{"name": "blog", "type": "A"})
	d.want(422, "PATCH", one, object{"type": "TXT"})
	d.want(422, "PATCH", one, object{"name": "shop"})
	if r := d.get(one); at(r.Body, "domain_record", "name") != "blog" || at(r.Body, "domain_record", "data") != "192.0.2.8" {
		d.Errorf("the record is %v after both", r.Body)
	}
	d.want(204, "DELETE", one, nil)
	d.want(404, "GET", one, nil)
	soa := path + "/" + text(at(d.get(path+"?type=SOA").Body, "domain_records", 0, "id"))
	d.want(200, "PUT", soa, object{"ttl": 600, "data": "ignored"})
	if zone := text(at(d.get("/v2/domains/example.com").Body, "domain", "zone_file")); !strings.Contains(zone, "$TTL 600\n") {
		d.Errorf("the zone's TTL is not the SOA record's:\n%s", zone)
	}
	d.want(422, "DELETE", soa, nil)
	d.want(400, "POST", path, "{")
}

// Quirk 21: kubernetes-sigs/external-dns#4495, #4802. There is no knob: the API
// takes what is there already, but for a CNAME.
func TestQuirk21RecordsAreDuplicatedExceptCNAMEs(t *testing.T) {
	inBubble(t, with(nil), func(t *testing.T, s *dosimtest.Server) {
		const path = "/v2/domains/example.com/records"
		do(t, s, "POST", "/v2/domains", object{"name": "example.com"})
		for _, r := range []object{{"type": "A", "name": "www", "data": "192.0.2.1"}, {"type": "TXT", "name": "www", "data": "owner=me"}} {
			first, again := do(t, s, "POST", path, r), do(t, s, "POST", path, r)
			if again.Status != 201 || idOf(first, "domain_record", "id") == idOf(again, "domain_record", "id") {
				t.Errorf("the same %s record again: %d %v", r["type"], again.Status, again.Body)
			}
		}
		alias := object{"type": "CNAME", "name": "alias", "data": "www.example.com."}
		wantStatus(t, "a CNAME", do(t, s, "POST", path, alias), 201)
		for what, r := range map[string]object{
			"the same CNAME again": alias, "another record of its name": {"type": "A", "name": "alias", "data": "192.0.2.1"},
			"a CNAME where an A is": {"type": "CNAME", "name": "www", "data": "example.org."}, "a CNAME of the domain": {"type": "CNAME", "name": "@", "data": "example.org."},
		} {
			e := do(t, s, "POST", path, r)
			if e.Status != 422 || e.Body["message"] != "CNAME records cannot share a name with other records" {
				t.Errorf("%s: %d %v", what, e.Status, e.Body)
			}
		}
	})
}

// A domain is somebody's alone, in all accounts, until it is deleted; its records
// go with it.
func TestDomainsAreGloballyUnique(t *testing.T) {
	inBubble(t, with(nil), func(t *testing.T, s *dosimtest.Server) {
		do(t, s, "POST", "/v2/domains", object{"name": "example.com"})
		other := s.CreateToken(dosim.TokenSpec{Account: "other"})
		e := doAs(t, s, other, "POST", "/v2/domains", object{"name": "example.com"})
		wantStatus(t, "somebody else's domain", e, 422)
		wantStatus(t, "DELETE", do(t, s, "DELETE", "/v2/domains/example.com", nil), 204)
		if n := len(s.Leaks(0)); n != 0 {
			t.Errorf("%d things are left of a domain", n)
		}
		wantStatus(t, "the domain after it was given up", doAs(t, s, other, "POST", "/v2/domains", object{"name": "example.com"}), 201)
		wantStatus(t, "its records of the other account", do(t, s, "GET", "/v2/domains/example.com/records", nil), 404)
	})
}

// Either scope will do for a record.
func TestRecordsNeedOneOfTwoScopes(t *testing.T) {
	inBubble(t, with(nil), func(t *testing.T, s *dosimtest.Server) {
		do(t, s, "POST", "/v2/domains", object{"name": "example.com"})
		time.Sleep(time.Minute)
		record := object{"type": "A", "name": "www", "data": "192.0.2.1"}
		for scope, want := range map[string]int{"domain:create": 201, "domain:update": 201, "domain:read": 403} {
			token := s.CreateToken(dosim.TokenSpec{Scopes: []string{scope}})
			wantStatus(t, "POST with "+scope, doAs(t, s, token, "POST", "/v2/domains/example.com/records", record), want)
		}
	})
}
