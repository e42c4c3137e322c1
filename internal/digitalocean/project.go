package digitalocean

import (
	"context"
	"net/http"
	"net/url"

	"github.com/digitalocean/godo"
)

// A Project is a group of resources.
type Project struct {
	ID      string
	Name    string // unique in the account
	Default bool   // it takes what names no project
}

// Projects lists every project of the account. Purpose: provisioning.
func (c *Client) Projects(ctx context.Context) (List[Project], error) {
	if err := c.may("Projects", Provisioning); err != nil {
		return List[Project]{}, err
	}
	return all(ctx, c, collection[godo.Project, Project]{
		path: "v2/projects", key: "projects", id: func(p Project) string { return p.ID },
		item: func(w godo.Project) Project { return Project{ID: w.ID, Name: w.Name, Default: w.IsDefault} },
	})
}

// A ProjectAssign asks for resources to be in a project, in place of the one that they
// are in.
type ProjectAssign struct {
	Project string   // id
	URNs    []string // as projects name resources: "do:droplet:1", "do:floatingip:192.0.2.1" (quirk 26)
}

func (r ProjectAssign) request() any {
	return struct {
		Resources []string `json:"resources"`
	}{r.URNs}
}

// Permit is leave to send the request.
func (r ProjectAssign) Permit() Permit {
	return Permit{Method: http.MethodPost, Template: "/v2/projects/{id}/resources", Target: "do:project:" + r.Project, Body: marshal(r.request())}
}

// A ProjectMember is what a project says of one resource: part of a request may be
// carried out (quirk 28).
type ProjectMember struct {
	URN    string `json:"urn"`
	Status string `json:"status"` // ok, not_found, assigned, already_assigned, service_down
}

// AssignToProject puts resources into a project. To ask twice is to ask once.
// Purpose: provisioning, under a Capability.
func (c *Client) AssignToProject(ctx context.Context, r ProjectAssign) ([]ProjectMember, error) {
	var answer struct {
		Resources []ProjectMember `json:"resources"`
	}
	err := c.change(ctx, "AssignToProject", http.MethodPost, "/v2/projects/"+url.PathEscape(r.Project)+"/resources", marshal(r.request()), &answer)
	return answer.Resources, err
}
