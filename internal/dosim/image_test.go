package dosim_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
)

func tellImages(d driver) {
	body := object{
		"name": "minimal", "url": "http://images.example.com/minimal.img", "distribution": "Ubuntu", "region": "nyc3",
		"description": "Small", "tags": []string{"base-image"},
	}
	made := d.want(202, "POST", "/v2/images", body)
	if status := at(made.Body, "image", "status"); status != "NEW" {
		d.Errorf("a new image is %v", status)
	}
	image := "/v2/images/" + idOf(made, "image", "id")
	d.lag()
	d.want(422, "POST", image+"/actions", object{"type": "transfer", "region": "nyc1"}) // it is not there yet
	d.lag()
	if status := at(d.get(image).Body, "image", "status"); status != "available" {
		d.Errorf("an imported image is %v", status)
	}
	d.want(200, "PUT", image, object{"name": "renamed", "distribution": "BeOS", "description": "Smaller"})
	after := at(d.get(image).Body, "image").(object)
	if fmt.Sprint(after["name"], " ", after["distribution"], " ", after["description"]) != "renamed Unknown Smaller" {
		d.Errorf("after the update: %v", after)
	}
	for query, want := range map[string]string{"?tag_name=base-image": "custom", "?type=distribution": "base", "?type=application": "snapshot", "?private=true": "custom"} {
		images := list(d.get("/v2/images"+query), "images")
		if len(images) == 0 || at(images[0], "type") != want {
			d.Errorf("%s lists %d images, the first %v", query, len(images), at(images, 0, "type"))
		}
	}
	moved := d.want(201, "POST", image+"/actions", object{"type": "transfer", "region": "fra1"})
	d.want(422, "POST", image+"/actions", object{"type": "transfer", "region": "lon1"})
	d.want(422, "DELETE", image, nil)
	d.lag()
	d.lag()
	d.get(image + "/actions")
	d.get(image + "/actions/" + idOf(moved, "action", "id"))
	if regions := at(d.get(image).Body, "image", "regions"); fmt.Sprint(regions) != "[nyc3 fra1]" {
		d.Errorf("after the transfer the image is in %v", regions)
	}
	d.want(422, "POST", image+"/actions", object{"type": "transfer", "region": "fra1"})
	d.want(422, "POST", image+"/actions", object{"type": "convert"})
	d.want(204, "DELETE", image, nil)
	d.want(404, "GET", image, nil)
	d.want(404, "PUT", image, object{"name": "x"})
	d.want(403, "DELETE", "/v2/images/195932981", nil)
	d.want(403, "PUT", "/v2/images/195932981", object{"name": "mine"})
	d.want(422, "POST", "/v2/images", object{"name": "x", "url": "file:///etc/passwd", "region": "nyc3"})
	d.want(422, "POST", "/v2/images", object{"name": "x", "url": "http://example.com/x", "region": "moon"})
	d.want(404, "GET", "/v2/images/nothing", nil)
}

// A snapshot makes droplets where it is, and is where it was transferred to.
func TestDropletsAreMadeWhereTheirImageIs(t *testing.T) {
	inBubble(t, with(nil), func(t *testing.T, s *dosimtest.Server) {
		d := fmt.Sprintf("/v2/droplets/%d", s.SeedDroplet(dosim.SeedDroplet{Size: "s-1vcpu-2gb"})) // a disk of 50 GB
		act(t, s, d, object{"type": "snapshot", "name": "golden"})
		snapshot := at(do(t, s, "GET", "/v2/images?private=true", nil).Body, "images", 0, "id")
		create := func(region, size string) int {
			return do(t, s, "POST", "/v2/droplets", object{"name": "copy", "region": region, "size": size, "image": snapshot}).Status
		}
		if small, here, there := create("nyc3", "s-1vcpu-1gb"), create("nyc3", "s-1vcpu-2gb"), create("fra1", "s-1vcpu-2gb"); small != 422 || here != 202 || there != 422 {
			t.Errorf("with a small disk %d, in its region %d, in another %d", small, here, there)
		}
		wantStatus(t, "transfer", do(t, s, "POST", fmt.Sprintf("/v2/images/%.0f/actions", snapshot), object{"type": "transfer", "region": "fra1"}), 201)
		wantStatus(t, "DELETE meanwhile", do(t, s, "DELETE", fmt.Sprintf("/v2/snapshots/%.0f", snapshot), nil), 422)
		time.Sleep(2 * time.Minute)
		if there := create("fra1", "s-1vcpu-2gb"); there != 202 {
			t.Errorf("where it was transferred to: %d", there)
		}
		if regions := at(do(t, s, "GET", "/v2/snapshots", nil).Body, "snapshots", 0, "regions"); fmt.Sprint(regions) != "[nyc3 fra1]" {
			t.Errorf("the snapshot is in %v", regions)
		}
		wantStatus(t, "DELETE as an image", do(t, s, "DELETE", fmt.Sprintf("/v2/images/%.0f", snapshot), nil), 204)
		wantStatus(t, "GET as a snapshot", do(t, s, "GET", fmt.Sprintf("/v2/snapshots/%.0f", snapshot), nil), 404)
	})
}
