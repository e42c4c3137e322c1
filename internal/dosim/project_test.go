package dosim_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
)

func tellProjectChanges(d driver, droplet, first string) {
	crud{
		path: "/v2/projects", key: "project", list: "projects",
		create: object{"name": "api", "purpose": "Service or API", "environment": "production"},
		update: object{"name": "web", "description": "site", "purpose": "Website or blog", "environment": "Staging", "is_default": false},
		refused: []object{
			{"purpose": "IoT"}, {"name": "a"}, {"name": "a", "purpose": "IoT", "environment": "Testing"},
		},
	}.tell(d)
	made := d.want(201, "POST", "/v2/projects", object{"name": "mine", "purpose": "fun"})
	d.want(409, "POST", "/v2/projects", object{"name": "Mine", "purpose": "fun"})
	if got := at(made.Body, "project", "purpose"); got != "Other: fun" {
		d.Errorf("purpose = %v, want it among the others", got)
	}
	d.lag()
	mine := "/v2/projects/" + text(at(made.Body, "project", "id"))
	d.want(422, "PUT", mine, object{"name": "a"})
	d.want(200, "PATCH", mine, object{"description": "all mine"})
	d.want(200, "PATCH", "/v2/projects/default", object{"description": "the first"})
	d.want(200, "PUT", "/v2/projects/default", object{"name": "first", "description": "", "purpose": "IoT", "environment": "Staging", "is_default": true})
	d.want(409, "PATCH", mine, object{"name": "first"})

	moved := d.want(200, "POST", mine+"/resources", object{"resources": []string{droplet, "do:volume:none", "do:reservedip:192.0.2.1"}})
	var went []string
	for _, r := range list(moved, "resources") {
		went = append(went, fmt.Sprint(at(r, "urn"), " ", at(r, "status")))
	}
	if got, want := fmt.Sprint(went), fmt.Sprintf("[%s assigned do:volume:none not_found do:floatingip:192.0.2.1 not_found]", droplet); got != want {
		d.Errorf("assigning says %s, want %s", got, want)
	}
	if again := d.want(200, "POST", mine+"/resources", object{"resources": []string{droplet}}); at(again.Body, "resources", 0, "status") != "already_assigned" {
		d.Errorf("assigning again says %v", again.Body)
	}
	d.want(400, "POST", mine+"/resources", object{"resources": []string{"do:firewall:1"}})
	d.want(400, "POST", mine+"/resources", object{"resources": []string{"droplet"}})
	if n := len(list(d.get("/v2/projects/"+first+"/resources"), "resources")); n != 0 {
		d.Errorf("%d things are left in the first project", n)
	}
	d.want(412, "DELETE", mine, nil)
	d.want(200, "POST", "/v2/projects/default/resources", object{"resources": []string{droplet}})
	d.want(204, "DELETE", mine, nil)
	d.want(412, "DELETE", "/v2/projects/"+first, nil)
	d.want(404, "POST", mine+"/resources", object{"resources": []string{}})
}

func TestThereIsAlwaysOneDefaultProject(t *testing.T) {
	inBubble(t, with(nil), func(t *testing.T, s *dosimtest.Server) {
		first := "/v2/projects/" + text(at(do(t, s, "GET", "/v2/projects/default", nil).Body, "project", "id"))
		other := "/v2/projects/" + text(at(do(t, s, "POST", "/v2/projects", object{"name": "other", "purpose": "IoT"}).Body, "project", "id"))
		wantStatus(t, "is_default false of the default", do(t, s, "PATCH", first, object{"is_default": false}), 200)
		if at(do(t, s, "GET", first, nil).Body, "project", "is_default") != true {
			t.Error("there is no default project any more")
		}
		wantStatus(t, "another default", do(t, s, "PATCH", other, object{"is_default": true}), 200)
		for path, want := range map[string]bool{first: false, other: true} {
			if got := at(do(t, s, "GET", path, nil).Body, "project", "is_default"); got != want {
				t.Errorf("is_default = %v of %s, want %v", got, path, want)
			}
		}
		droplet := s.SeedDroplet(dosim.SeedDroplet{})
		if got := at(do(t, s, "GET", other+"/resources", nil).Body, "resources", 0, "urn"); got != fmt.Sprintf("do:droplet:%d", droplet) {
			t.Errorf("the new default has %v, want the droplet that was made after", got)
		}
		wantStatus(t, "DELETE of the old default", do(t, s, "DELETE", first, nil), 204)
	})
}

// A project and a VPC show a token only what its scopes let it see.
func TestMembersAreShownToWhoMaySeeThem(t *testing.T) {
	inBubble(t, with(nil), func(t *testing.T, s *dosimtest.Server) {
		s.SeedDroplet(dosim.SeedDroplet{})
		vpc := text(at(do(t, s, "GET", "/v2/vpcs", nil).Body, "vpcs", 0, "id"))
		time.Sleep(time.Minute)
		for _, scopes := range [][]string{{"project:read", "vpc:read"}, {"project:read", "vpc:read", "droplet:read"}} {
			token := s.CreateToken(dosim.TokenSpec{Scopes: scopes})
			for path, key := range map[string]string{"/v2/projects/default/resources": "resources", "/v2/vpcs/" + vpc + "/members": "members"} {
				if n := len(list(doAs(t, s, token, "GET", path, nil), key)); n != len(scopes)-2 {
					t.Errorf("%s shows %d things with %v", path, n, scopes)
				}
			}
		}
	})
}
