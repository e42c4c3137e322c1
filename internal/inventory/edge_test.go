package inventory

import (
	"errors"
	"slices"
	"testing"
)

func TestLooseEdgesFindTheirEnds(t *testing.T) {
	parse := func(k *Kind, parent, text string) thing {
		f, err := k.found("main", parent, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return newThing(k, f.urn, 1, f.doc)
	}
	things := []thing{
		parse(droplet, "", `{"id":1,"tags":["web"],"networks":{"v4":[{"ip_address":"203.0.113.1"}],"v6":[{"ip_address":"2001:DB8::0001"}]}}`),
		parse(droplet, "", `{"id":2,"tags":["db"],"networks":{"v4":[{"ip_address":"203.0.113.2"}]}}`),
		parse(volume, "", `{"id":"v","tags":["web"],"droplet_ids":[1]}`),
		parse(loadBalancer, "", `{"id":"b","ip":"203.0.113.9","tag":"web","vpc_uuid":"n"}`),
		parse(firewall, "", `{"id":"f","droplet_ids":[2],"tags":["web","nobody"]}`),
		parse(cdnEndpoint, "", `{"id":"c","endpoint":"Assets.example.net","custom_domain":"static.acme.example"}`),
		parse(domainRecord, "acme.example", `{"id":1,"type":"A","name":"@","data":"203.0.113.9"}`),
		parse(domainRecord, "acme.example", `{"id":2,"type":"AAAA","name":"www","data":"2001:db8::1"}`),
		parse(domainRecord, "acme.example", `{"id":3,"type":"CNAME","name":"static","data":"assets.example.net."}`),
		parse(domainRecord, "acme.example", `{"id":4,"type":"CNAME","name":"shop","data":"@"}`),
		parse(domainRecord, "acme.example", `{"id":5,"type":"TXT","name":"@","data":"203.0.113.1"}`),
		parse(domainRecord, "acme.example", `{"id":6,"type":"A","name":"old","data":"203.0.113.77"}`),
		parse(uptimeCheck, "", `{"id":"u","target":"https://WWW.acme.example/health"}`),
	}
	want := []string{
		"do:domain_record:1 points_to do:load_balancer:b",
		"do:domain_record:2 points_to do:droplet:1",
		"do:domain_record:3 points_to do:cdn_endpoint:c",
		"do:domain_record:4 points_to do:domain_record:1",
		"do:firewall:f protects do:droplet:1",
		"do:firewall:f protects do:droplet:2",
		"do:load_balancer:b member_of do:vpc:n",
		"do:load_balancer:b serves do:droplet:1",
		"do:uptime_check:u watches do:domain_record:2",
	}
	for range 2 {
		var got []string
		for _, tie := range resolve(things) {
			if tie.target != "do:domain:acme.example" {
				got = append(got, tie.source+" "+string(tie.kind)+" "+tie.target)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("the ties are\n%q, want\n%q", got, want)
		}
		slices.Reverse(things) // their order is nothing to them
	}
}

func TestInDeletionOrder(t *testing.T) {
	for _, tt := range []struct {
		name        string
		urns        []string
		before      map[string][]string
		want, cycle []string
	}{
		{"what does not matter stays as it was", []string{"c", "a", "b"}, nil, []string{"c", "a", "b"}, nil},
		{"first what is in it", []string{"net", "a", "b"}, map[string][]string{"net": {"a", "b"}}, []string{"a", "b", "net"}, nil},
		{"a chain", []string{"c", "b", "a"}, map[string][]string{"c": {"b"}, "b": {"a"}}, []string{"a", "b", "c"}, nil},
		{"a diamond", []string{"d", "c", "b", "a"}, map[string][]string{"d": {"b", "c"}, "b": {"a"}, "c": {"a"}}, []string{"a", "b", "c", "d"}, nil},
		{"a circle", []string{"x", "c", "b", "a"}, map[string][]string{"c": {"b"}, "b": {"a"}, "a": {"c"}, "x": {"c"}}, nil, []string{"a", "b", "c"}},
		{"before itself", []string{"a"}, map[string][]string{"a": {"a"}}, nil, []string{"a"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := inDeletionOrder(tt.urns, tt.before)
			cycle, _ := errors.AsType[*cycleError](err)
			switch {
			case tt.cycle == nil && (err != nil || !slices.Equal(got, tt.want)):
				t.Errorf("%q, %v; want %q", got, err, tt.want)
			case tt.cycle != nil && (cycle == nil || !slices.Equal(cycle.urns, tt.cycle)):
				t.Errorf("%q, %v; want the circle %q", got, err, tt.cycle)
			}
		})
	}
}
