package dosim_test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
)

func tellVPCs(d driver) {
	d.s.SeedDroplet(dosim.SeedDroplet{Name: "web", Region: "nyc3"})
	vpcs := list(d.get("/v2/vpcs"), "vpcs")
	if len(vpcs) != 1 || at(vpcs[0], "name") != "default-nyc3" || at(vpcs[0], "default") != true {
		d.Errorf("the first droplet of a region brings %v, want its default VPC", vpcs)
	}
	members := d.get("/v2/vpcs/" + text(at(vpcs[0], "id")) + "/members")
	if at(members.Body, "members", 0, "name") != "web" {
		d.Errorf("members = %v, want the droplet", members.Body)
	}
	one := crud{
		path: "/v2/vpcs", key: "vpc", list: "vpcs",
		create: object{"name": "env.prod-vpc", "description": "production", "region": "nyc3", "ip_range": "10.10.10.0/24"},
		update: object{"name": "env.test-vpc", "description": "test"},
		refused: []object{
			{"region": "nyc3"}, {"name": "no spaces", "region": "nyc3"}, {"name": "default-nyc3", "region": "nyc3"}, {"name": "a", "region": "mars1"},
			{"name": "a", "region": "nyc3", "ip_range": "10.10.0.0/15"}, {"name": "a", "region": "nyc3", "ip_range": "10.10.0.0/29"},
			{"name": "a", "region": "nyc3", "ip_range": "8.8.8.0/24"}, {"name": "a", "region": "nyc3", "ip_range": "10.245.3.0/24"},
			{"name": "a", "region": "nyc3", "ip_range": "10.10.10.1/24"}, {"name": "a", "region": "nyc3", "ip_range": "fd00::/24"},
			{"name": "a", "region": "nyc3", "ip_range": text(at(vpcs[0], "ip_range"))},
		},
	}.tell(d)
	d.want(404, "PUT", one, object{"name": "a"})
	d.want(404, "GET", one+"/members", nil)
	made := d.want(201, "POST", "/v2/vpcs", object{"name": "blue", "region": "nyc3"})
	if at(made.Body, "vpc", "default") != false || at(made.Body, "vpc", "description") != "" {
		d.Errorf("made %v, want no default and no description", made.Body)
	}
	d.lag()
	blue := "/v2/vpcs/" + text(at(made.Body, "vpc", "id"))
	d.want(200, "PATCH", blue, object{"description": "sky"})
	if after := d.get(blue); at(after.Body, "vpc", "name") != "blue" || at(after.Body, "vpc", "description") != "sky" {
		d.Errorf("after the PATCH: %v", after.Body)
	}
	d.want(422, "PUT", blue, object{"description": "no name"})
	d.want(400, "PUT", blue, "{")
}

// digitalocean/godo#337, digitalocean/doctl#930: the first VPC of a region is its
// default, which is never without one.
func TestARegionAlwaysHasItsDefaultVPC(t *testing.T) {
	inBubble(t, with(nil), func(t *testing.T, s *dosimtest.Server) {
		one := do(t, s, "POST", "/v2/vpcs", object{"name": "one", "region": "fra1"})
		first := "/v2/vpcs/" + text(at(one.Body, "vpc", "id"))
		if at(one.Body, "vpc", "default") != true {
			t.Errorf("the first VPC of a region is %v, want its default", one.Body)
		}
		e := do(t, s, "DELETE", first, nil)
		wantStatus(t, "DELETE of the default", e, 403)
		wantStatus(t, "unsetting the default", do(t, s, "PATCH", first, object{"default": false}), 422)

		two := do(t, s, "POST", "/v2/vpcs", object{"name": "two", "region": "fra1"})
		second := "/v2/vpcs/" + text(at(two.Body, "vpc", "id"))
		wantStatus(t, "another default", do(t, s, "PATCH", second, object{"default": true}), 200)
		for path, want := range map[string]bool{first: false, second: true} {
			if got := at(do(t, s, "GET", path, nil).Body, "vpc", "default"); got != want {
				t.Errorf("default = %v of %s, want %v", got, path, want)
			}
		}
		made := do(t, s, "POST", "/v2/droplets", object{"name": "a", "size": "s-1vcpu-1gb", "image": "debian-12-x64", "region": "fra1"})
		if got := "/v2/vpcs/" + text(at(made.Body, "droplet", "vpc_uuid")); got != second {
			t.Errorf("a droplet that names no VPC is in %s, want the default", got)
		}
		wantStatus(t, "DELETE of the old default", do(t, s, "DELETE", first, nil), 204)
	})
}

func TestDropletsLiveInTheirVPC(t *testing.T) {
	inBubble(t, with(nil), func(t *testing.T, s *dosimtest.Server) {
		made := do(t, s, "POST", "/v2/vpcs", object{"name": "one", "region": "fra1", "ip_range": "192.168.7.0/28"})
		id := text(at(made.Body, "vpc", "id"))
		create := func(region, vpc string) exchange {
			return do(t, s, "POST", "/v2/droplets", object{"name": "a", "size": "s-1vcpu-1gb", "image": "debian-12-x64", "region": region, "vpc_uuid": vpc})
		}
		wantStatus(t, "a droplet in a VPC of another region", create("nyc3", id), 422)
		wantStatus(t, "a droplet in no VPC", create("fra1", "5a4981aa-9653-4bd1-bef5-d6bff52042e4"), 422)
		droplet := "/v2/droplets/" + idOf(create("fra1", id), "droplet", "id")
		time.Sleep(time.Minute)
		d := do(t, s, "GET", droplet, nil)
		private, err := netip.ParseAddr(text(at(d.Body, "droplet", "networks", "v4", 0, "ip_address")))
		if err != nil || !netip.MustParsePrefix("192.168.7.0/28").Contains(private) || at(d.Body, "droplet", "networks", "v4", 0, "netmask") != "255.255.255.240" {
			t.Errorf("networks = %v, want a private address within 192.168.7.0/28", at(d.Body, "droplet", "networks"))
		}
		for query, want := range map[string]int{"": 1, "?resource_type=droplet": 1, "?resource_type=loadbalancer": 0} {
			if n := len(list(do(t, s, "GET", "/v2/vpcs/"+id+"/members"+query, nil), "members")); n != want {
				t.Errorf("%q lists %d members, want %d", query, n, want)
			}
		}
	})
}

// Quirk 15: digitalocean/terraform-provider-digitalocean#446, #488,
// pulumi/pulumi-digitalocean#105, #753.
func TestQuirk15VPCKeepsItsMembersForAWhile(t *testing.T) {
	create := func(t *testing.T, s *dosimtest.Server) (vpc string) {
		do(t, s, "POST", "/v2/vpcs", object{"name": "default", "region": "nyc3"})
		vpc = text(at(do(t, s, "POST", "/v2/vpcs", object{"name": "one", "region": "nyc3"}).Body, "vpc", "id"))
		made := do(t, s, "POST", "/v2/droplets", object{"name": "a", "size": "s-1vcpu-1gb", "image": "debian-12-x64", "region": "nyc3", "vpc_uuid": vpc})
		time.Sleep(time.Minute)
		wantStatus(t, "DELETE droplet", do(t, s, "DELETE", "/v2/droplets/"+idOf(made, "droplet", "id"), nil), 204)
		return "/v2/vpcs/" + vpc
	}
	knob(t, "lag.vpc_members", "0s", "90s", func(t *testing.T, s *dosimtest.Server, on bool) {
		vpc := create(t, s)
		if on {
			e := do(t, s, "DELETE", vpc, nil)
			if e.Status != 409 || e.Body["message"] != "Can not delete VPC with members" {
				t.Errorf("DELETE after the last member's: %d %v", e.Status, e.Body)
			}
			time.Sleep(90*time.Second - time.Millisecond)
			if n := len(list(do(t, s, "GET", vpc+"/members", nil), "members")); n != 1 {
				t.Errorf("%d members within the lag, want 1", n)
			}
			wantStatus(t, "DELETE within the lag", do(t, s, "DELETE", vpc, nil), 409)
			time.Sleep(time.Millisecond)
		}
		wantStatus(t, "DELETE", do(t, s, "DELETE", vpc, nil), 204)
	})
	knob(t, "quirk.vpc_members_conflict", "0", "1", func(t *testing.T, s *dosimtest.Server, on bool) {
		if err := s.SetParams(map[string]string{"lag.vpc_members": "90s"}); err != nil {
			t.Fatal(err)
		}
		e, want := do(t, s, "DELETE", create(t, s), nil), 403
		if on {
			want = 409
		}
		wantStatus(t, "DELETE within the lag", e, want)
	})
}

func TestVPCsOfAnAccountHaveRangesOfTheirOwn(t *testing.T) {
	inBubble(t, with(nil), func(t *testing.T, s *dosimtest.Server) {
		var ranges []netip.Prefix
		for n := range 40 {
			made := do(t, s, "POST", "/v2/vpcs", object{"name": fmt.Sprintf("vpc-%d", n), "region": "nyc3"})
			p, err := netip.ParsePrefix(text(at(made.Body, "vpc", "ip_range")))
			if err != nil {
				t.Fatalf("VPC %d: %v", n, made.Body)
			}
			for _, other := range ranges {
				if other.Overlaps(p) {
					t.Errorf("%s and %s overlap", p, other)
				}
			}
			ranges = append(ranges, p)
		}
	})
}

// Two droplets of a VPC never have one private address, however many there are,
// and whatever was deleted in between, unless the VPC is full.
func TestPrivateAddressesAreUnique(t *testing.T) {
	private := func(s *dosimtest.Server) map[string]int {
		used := map[string]int{}
		for _, i := range s.Truth("droplet") {
			_, rest, _ := strings.Cut(string(i.Data), `"v4":[{"ip_address":"`)
			ip, _, _ := strings.Cut(rest, `"`)
			used[ip]++
		}
		return used
	}
	body := func(vpc any, names ...string) []byte {
		b, err := json.Marshal(object{"names": names, "region": "nyc3", "size": "s-1vcpu-1gb", "image": "debian-12-x64", "vpc_uuid": vpc})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	ten := []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"}
	s := start(t, with(map[string]string{"droplet.create": "0s", "ratelimit.burst": "1000000"}))
	large := at(do(t, s, "POST", "/v2/vpcs", object{"name": "large", "region": "nyc3", "ip_range": "10.10.0.0/16"}).Body, "vpc", "id")
	for range 1000 {
		if w := ask(s.API(), "POST", "/v2/droplets", body(large, ten...)); w.Code != 202 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	if used := private(s); len(used) != 10_000 {
		t.Errorf("10,000 droplets have %d addresses", len(used))
	}

	s = start(t, with(map[string]string{"droplet.create": "0s"}))
	small := at(do(t, s, "POST", "/v2/vpcs", object{"name": "small", "region": "nyc3", "ip_range": "10.11.0.0/28"}).Body, "vpc", "id")
	var ids []string
	for n := range 40 { // round and round within 13 addresses
		made := do(t, s, "POST", "/v2/droplets", json.RawMessage(body(small, fmt.Sprint("web-", n))))
		ids = append(ids, idOf(made, "droplets", 0, "id"))
		if len(ids) > 10 {
			gone := n % 7
			wantStatus(t, "DELETE", do(t, s, "DELETE", "/v2/droplets/"+ids[gone], nil), 204)
			ids = slices.Delete(ids, gone, gone+1)
		}
		if used := private(s); len(used) != len(ids) {
			t.Fatalf("%d droplets have the addresses %v", len(ids), used)
		}
	}
	for n := range 6 {
		do(t, s, "POST", "/v2/droplets", json.RawMessage(body(small, fmt.Sprint("more-", n))))
	}
	if used := private(s); len(used) != 13 {
		t.Errorf("16 droplets in a VPC of 13 have the addresses %v, want every one used", used)
	}
}
