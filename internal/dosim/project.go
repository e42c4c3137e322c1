package dosim

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"strings"
)

// A project is a folder for things. Each account begins with one, which takes
// whatever is made without naming another.
type project struct {
	thing
	Name        string `json:"name"`
	Description string `json:"description"`
	Purpose     string `json:"purpose"`
	Environment string `json:"environment"`
	Default     bool   `json:"default"`
}

type projectWire struct {
	ID          string `json:"id"`
	OwnerUUID   string `json:"owner_uuid"`
	OwnerID     int64  `json:"owner_id"`
	Name        string `json:"name"`
	Description string `json:"description"`
	Purpose     string `json:"purpose"`
	Environment string `json:"environment"`
	IsDefault   bool   `json:"is_default"`
	CreatedAt   string `json:"created_at"`
	UpdatedAt   string `json:"updated_at"`
}

func projectResource() resource {
	return resource{
		table: func(w *world) anyTable {
			w.projects = newTable(w.seed, kind[*project]{
				name: "project", wire: func(c *call, p *project) any { return wireProject(c, p) },
				title: func(p *project) string { return p.Name },
				keys: func(p *project) []string {
					keys := []string{"name:" + strings.ToLower(p.Name)}
					if p.Default {
						keys = append(keys, "default")
					}
					return keys
				},
			})
			return w.projects
		},
		routes: []route{
			op("GET /v2/projects", func(c *call) answer {
				return c.sim.world.projects.page(c, "projects", c.sim.world.projects.listed(c))
			}, "project:read"),
			op("POST /v2/projects", createProject, "project:create"),
			op("GET /v2/projects/default", getProject, "project:read"),
			op("PUT /v2/projects/default", updateProject, "project:update"),
			op("PATCH /v2/projects/default", updateProject, "project:update"),
			op("GET /v2/projects/{project}", getProject, "project:read"),
			op("PUT /v2/projects/{project}", updateProject, "project:update"),
			op("PATCH /v2/projects/{project}", updateProject, "project:update"),
			op("DELETE /v2/projects/{project}", deleteProject, "project:delete"),
			op("GET /v2/projects/default/resources", listProjectResources, "project:read"),
			op("POST /v2/projects/default/resources", assignToProject, "project:assign_resource").or("project:update"),
			op("GET /v2/projects/{project}/resources", listProjectResources, "project:read"),
			op("POST /v2/projects/{project}/resources", assignToProject, "project:assign_resource").or("project:update"),
		},
		found: func(c *call) {
			c.sim.world.projects.create(c, &project{
				thing: thing{life: everShown(c.at)}, Name: "first-project", Description: "Update your project information under Settings",
				Purpose: "Just trying out DigitalOcean", Environment: "Development", Default: true,
			})
		},
	}
}

func wireProject(c *call, p *project) projectWire {
	at := cmp.Or(p.changedAt, p.CreatedAt)
	return projectWire{
		ID: p.ID, OwnerUUID: uuid(c.sim.seed, "account", p.Account), OwnerID: c.ownerID(),
		Name: p.Name, Description: p.Description, Purpose: p.Purpose, Environment: p.Environment, IsDefault: p.Default,
		CreatedAt: wireTime(p.CreatedAt), UpdatedAt: wireTime(at),
	}
}

// defaultProject is the id of the project that takes what names none.
func (c *call) defaultProject() string {
	if all := c.sim.world.projects.under(c, "default"); len(all) > 0 {
		return all[0].ID
	}
	return ""
}

// project finds the project in the path, the default one where the path has none.
func (c *call) project() (*project, bool) {
	id, ok := c.values["project"]
	if !ok {
		id = c.defaultProject()
	}
	return c.sim.world.projects.find(c, id)
}

func getProject(c *call) answer {
	p, ok := c.project()
	if !ok {
		return notFound()
	}
	return showing("project", c.sim.world.projects.render(c, p))
}

type projectBody struct {
	Name        *string `json:"name"`
	Description *string `json:"description"`
	Purpose     *string `json:"purpose"`
	Environment *string `json:"environment"`
	IsDefault   *bool   `json:"is_default"`
}

// complete reports whether the body has all that a PUT must send.
func (b projectBody) complete() bool {
	return b.Name != nil && b.Description != nil && b.Purpose != nil && b.Environment != nil && b.IsDefault != nil
}

// put lays the body over the project. A purpose of the user's own is kept as
// "Other: …", which the Terraform provider relies on.
func (b projectBody) put(p *project) {
	for _, f := range []struct {
		of *string
		to *string
	}{{&p.Name, b.Name}, {&p.Description, b.Description}, {&p.Purpose, b.Purpose}, {&p.Environment, b.Environment}} {
		if f.to != nil {
			*f.of = *f.to
		}
	}
	if p.Purpose != "" && !slices.Contains(projectPurposes(), p.Purpose) && !strings.HasPrefix(p.Purpose, "Other: ") {
		p.Purpose = "Other: " + p.Purpose
	}
	for _, e := range projectEnvironments() {
		if strings.EqualFold(e, p.Environment) {
			p.Environment = e
		}
	}
}

func projectPurposes() []string {
	return []string{
		"Just trying out DigitalOcean", "Class project / Educational purposes", "Website or blog", "Web Application", "Service or API",
		"Mobile Application", "Machine learning / AI / Data processing", "IoT", "Operational / Developer tooling",
	}
}

func projectEnvironments() []string { return []string{"Development", "Staging", "Production"} }

func (p *project) check() error {
	switch {
	case strings.TrimSpace(p.Name) == "" || len(p.Name) > 175:
		return errors.New("name must be between 1 and 175 characters")
	case p.Purpose == "" || len(p.Purpose) > 255:
		return errors.New("purpose must be between 1 and 255 characters")
	case len(p.Description) > 255:
		return errors.New("description must be at most 255 characters")
	case p.Environment != "" && !slices.Contains(projectEnvironments(), p.Environment):
		return errors.New("environment must be one of Development, Staging, Production")
	}
	return nil
}

// nameTaken reports whether another project has the project's name.
func (p *project) nameTaken(c *call) bool {
	return slices.ContainsFunc(c.sim.world.projects.under(c, "name:"+strings.ToLower(p.Name)), func(o *project) bool { return o.ID != p.ID })
}

func projectNameTaken() answer {
	return refusal(http.StatusConflict, "conflict", "name is already in use")
}

func createProject(c *call) answer {
	var body projectBody
	if !c.decode(&body) {
		return invalidJSON()
	}
	p := &project{}
	body.put(p)
	if err := p.check(); err != nil {
		return unprocessable(err.Error())
	}
	if p.nameTaken(c) {
		return projectNameTaken()
	}
	projects := c.sim.world.projects
	return created("project", projects.render(c, projects.create(c, p)))
}

// updateProject is PUT, which must send all, and PATCH. A default project hands
// that over to another one alone.
func updateProject(c *call) answer {
	p, ok := c.project()
	if !ok {
		return notFound()
	}
	var body projectBody
	if !c.decode(&body) {
		return invalidJSON()
	}
	if c.r.Method == http.MethodPut && !body.complete() {
		return unprocessable("name, description, purpose, environment and is_default are required")
	}
	next := copyOf(p)
	body.put(next)
	if err := next.check(); err != nil {
		return unprocessable(err.Error())
	}
	if next.nameTaken(c) {
		return projectNameTaken()
	}
	projects := c.sim.world.projects
	takesOver := !p.Default && body.IsDefault != nil && *body.IsDefault
	if takesOver {
		for _, old := range projects.under(c, "default") {
			projects.update(c, old, func(old *project) { old.Default = false })
		}
	}
	projects.update(c, p, func(p *project) {
		body.put(p)
		p.Default = p.Default || takesOver
	})
	return showing("project", wireProject(c, p))
}

// deleteProject refuses while something is assigned to the project, and always
// for the default one.
func deleteProject(c *call) answer {
	p, ok := c.project()
	if !ok {
		return notFound()
	}
	switch {
	case p.Default:
		return refusal(http.StatusPreconditionFailed, "precondition_failed", "cannot delete the default project")
	case len(c.assignedTo(p.ID)) > 0:
		return refusal(http.StatusPreconditionFailed, "precondition_failed", "cannot delete a project with resources. move or remove the resources first")
	}
	c.sim.world.projects.remove(c, p)
	return noContent()
}
