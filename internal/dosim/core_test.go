package dosim_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
)

func coreStories() []story {
	return []story{
		{"account", tellAccount},
		{"tags", tellTags},
		{"projects", tellProjects},
	}
}

func tellAccount(d driver) {
	for _, path := range []string{"/v2/account", "/v2/regions", "/v2/sizes"} {
		d.get(path)
	}
	d.want(404, "GET", "/v2/nothing/here", nil)
	wantStatus(d, "a request without a token", doAs(d, d.s, "", "GET", "/v2/account", nil), 401)
}

func tellTags(d driver) {
	droplet := fmt.Sprint(d.s.SeedDroplet(dosim.SeedDroplet{Tags: []string{"web"}}))
	made := d.want(201, "POST", "/v2/tags", object{"name": "extra-awesome"})
	if n := at(made.Body, "tag", "resources", "count"); n != 0.0 {
		d.Errorf("a new tag is on %v things", n)
	}
	d.lag()
	d.want(204, "POST", "/v2/tags/extra-awesome/resources", object{"resources": []object{{"resource_id": droplet, "resource_type": "droplet"}}})
	tag := d.get("/v2/tags/extra-awesome")
	if n, uri := at(tag.Body, "tag", "resources", "droplets", "count"), at(tag.Body, "tag", "resources", "last_tagged_uri"); n != 1.0 || uri != d.s.URL+"/v2/droplets/"+droplet {
		d.Errorf("the tag is on %v droplets, last %v", n, uri)
	}
	if n := len(list(d.get("/v2/tags"), "tags")); n != 2 {
		d.Errorf("%d tags, want the droplet's own and the new one", n)
	}
	d.want(204, "DELETE", "/v2/tags/extra-awesome/resources", object{"resources": []object{{"resource_id": droplet, "resource_type": "droplet"}}})
	d.want(204, "DELETE", "/v2/tags/extra-awesome", nil)
	d.want(404, "GET", "/v2/tags/extra-awesome", nil)
}

func tellProjects(d driver) {
	droplet := d.s.SeedDroplet(dosim.SeedDroplet{})
	projects := d.get("/v2/projects")
	id := text(at(projects.Body, "projects", 0, "id"))
	d.get("/v2/projects/" + id)
	if got := at(d.get("/v2/projects/default").Body, "project", "id"); got != id {
		d.Errorf("the default project is %v, want %s", got, id)
	}
	for _, path := range []string{"/v2/projects/default/resources", "/v2/projects/" + id + "/resources"} {
		if got, want := at(d.get(path).Body, "resources", 0, "urn"), fmt.Sprintf("do:droplet:%d", droplet); got != want {
			d.Errorf("%s begins with %v, want %s", path, got, want)
		}
	}
	d.want(404, "GET", "/v2/projects/"+id+"0", nil)
	tellProjectChanges(d, fmt.Sprintf("do:droplet:%d", droplet), id)
}

// droplets lists the names of the account's droplets with a tag.
func droplets(t testing.TB, s *dosimtest.Server, tag string) (names []string) {
	t.Helper()
	for _, d := range list(do(t, s, "GET", "/v2/droplets?tag_name="+tag, nil), "droplets") {
		names = append(names, fmt.Sprint(at(d, "name")))
	}
	return names
}

func TestTagsFollowTheirThings(t *testing.T) {
	inBubble(t, with(nil), func(t *testing.T, s *dosimtest.Server) {
		one := fmt.Sprint(s.SeedDroplet(dosim.SeedDroplet{Name: "one", Tags: []string{"Web"}}))
		two := fmt.Sprint(s.SeedDroplet(dosim.SeedDroplet{Name: "two", Tags: []string{"web"}})) // the same tag
		for tag, want := range map[string]string{"Web": "[one two]", "web": "[]"} {
			if got := fmt.Sprint(droplets(t, s, tag)); got != want {
				t.Errorf("droplets with %s: %s, want %s", tag, got, want)
			}
		}
		if e := do(t, s, "POST", "/v2/tags", object{"name": "WEB"}); e.Status != 201 || at(e.Body, "tag", "name") != "Web" {
			t.Errorf("the tag in capitals: %d %v, want Web again", e.Status, e.Body)
		}
		both := object{"resources": []object{{"resource_id": one, "resource_type": "droplet"}, {"resource_id": two, "resource_type": "droplet"}}}
		wantStatus(t, "a tag that is not there", do(t, s, "POST", "/v2/tags/new/resources", both), 404)
		wantStatus(t, "POST tag", do(t, s, "POST", "/v2/tags", object{"name": "new"}), 201)
		wantStatus(t, "one that is not there", do(t, s, "POST", "/v2/tags/new/resources", object{"resources": []object{
			{"resource_id": one, "resource_type": "droplet"}, {"resource_id": "1", "resource_type": "droplet"},
		}}), 404)
		wantStatus(t, "a type that is none", do(t, s, "POST", "/v2/tags/new/resources", object{"resources": []object{{"resource_id": one, "resource_type": "unicorn"}}}), 422)
		if got := droplets(t, s, "new"); got != nil {
			t.Errorf("a refused request tagged %v", got)
		}
		wantStatus(t, "tagging both", do(t, s, "POST", "/v2/tags/new/resources", both), 204)
		if got := fmt.Sprint(droplets(t, s, "new")); got != "[one two]" {
			t.Errorf("droplets with the new tag: %s", got)
		}
		wantStatus(t, "DELETE tag", do(t, s, "DELETE", "/v2/tags/new", nil), 204)
		if got := at(do(t, s, "GET", "/v2/droplets/"+one, nil).Body, "droplet", "tags"); fmt.Sprint(got) != "[Web]" {
			t.Errorf("tags after the delete of one: %v, want Web alone", got)
		}
		wantStatus(t, "DELETE by tag", do(t, s, "DELETE", "/v2/droplets?tag_name=Web", nil), 204)
		if n := len(s.Truth("droplet")); n != 0 {
			t.Errorf("%d droplets after the delete by tag", n)
		}
		if n := at(do(t, s, "GET", "/v2/tags/Web", nil).Body, "tag", "resources", "count"); n != 0.0 {
			t.Errorf("the tag is on %v things after the delete of both", n)
		}
	})
}

func TestATagShowsLaterThanItsThing(t *testing.T) {
	knob(t, "lag.tag.droplet", "0s", "9s", func(t *testing.T, s *dosimtest.Server, on bool) {
		one := fmt.Sprint(s.SeedDroplet(dosim.SeedDroplet{Name: "one"}))
		do(t, s, "POST", "/v2/tags", object{"name": "new"})
		wantStatus(t, "tagging", do(t, s, "POST", "/v2/tags/new/resources", object{"resources": []object{{"resource_id": one, "resource_type": "droplet"}}}), 204)
		if got := droplets(t, s, "new"); (got == nil) != on {
			t.Errorf("listed by the tag at once: %v", got)
		}
		time.Sleep(9 * time.Second)
		if got := droplets(t, s, "new"); len(got) != 1 {
			t.Errorf("listed by the tag after the lag: %v", got)
		}
	})
}

func TestAChangeShowsLate(t *testing.T) {
	knob(t, "lag.update", "0s", "6s", func(t *testing.T, s *dosimtest.Server, on bool) {
		made := do(t, s, "POST", "/v2/account/keys", object{"name": "before", "public_key": publicKey})
		path := "/v2/account/keys/" + idOf(made, "ssh_key", "id")
		wantStatus(t, "PUT", do(t, s, "PUT", path, object{"name": "after"}), 200)
		name := func() any { return at(do(t, s, "GET", path, nil).Body, "ssh_key", "name") }
		if got := name(); (got == "before") != on {
			t.Errorf("the name at once is %v", got)
		}
		time.Sleep(6 * time.Second)
		if got := name(); got != "after" {
			t.Errorf("the name after the lag is %v", got)
		}
	})
}

// What an account begins with, and a tag that came along with a droplet, nobody
// asked for by itself.
func TestWhatCameAlongIsNoLeak(t *testing.T) {
	inBubble(t, with(nil), func(t *testing.T, s *dosimtest.Server) {
		made := do(t, s, "POST", "/v2/droplets", object{"name": "a", "size": "s-1vcpu-1gb", "image": "debian-12-x64", "tags": []string{"along"}})
		wantStatus(t, "DELETE droplet", do(t, s, "DELETE", "/v2/droplets/"+idOf(made, "droplet", "id"), nil), 204)
		if leaks := s.Leaks(0); len(leaks) != 0 {
			t.Errorf("leaks: %v", leaks)
		}
		do(t, s, "POST", "/v2/tags", object{"name": "asked"})
		if leaks := s.Leaks(0); len(leaks) != 1 || leaks[0].URN != "do:tag:asked" {
			t.Errorf("leaks: %v, want the tag that was asked for", leaks)
		}
	})
}
