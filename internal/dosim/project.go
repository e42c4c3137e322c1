package dosim

import (
	"cmp"
	"slices"
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
					if p.Default {
						return []string{"default"}
					}
					return nil
				},
			})
			return w.projects
		},
		routes: []route{
			op("GET /v2/projects", func(c *call) answer {
				return c.sim.world.projects.page(c, "projects", c.sim.world.projects.listed(c))
			}, "project:read"),
			op("GET /v2/projects/default", getProject, "project:read"),
			op("GET /v2/projects/{project}", getProject, "project:read"),
			op("GET /v2/projects/default/resources", listProjectResources, "project:read"),
			op("GET /v2/projects/{project}/resources", listProjectResources, "project:read"),
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
		ID: p.ID, OwnerUUID: uuid(c.sim.seed, "account", p.Account), OwnerID: int64(hash(c.sim.seed, "owner", p.Account) % 10_000_000),
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

type projectResourceWire struct {
	URN        string            `json:"urn"`
	AssignedAt string            `json:"assigned_at"`
	Links      map[string]string `json:"links"`
	Status     string            `json:"status"`
}

func listProjectResources(c *call) answer {
	p, ok := c.project()
	if !ok {
		return notFound()
	}
	type member struct {
		table anyTable
		thing entity
	}
	var members []member
	for _, t := range c.sim.world.order {
		if t.urnWord() == "" {
			continue
		}
		for _, e := range t.existing(c.account(), projectKey(p.ID), c.at) {
			if c.reached(&e.self().life, e.self().ProjectAt.Add(c.sim.params.duration(paramProject))) {
				members = append(members, member{t, e})
			}
		}
	}
	slices.SortStableFunc(members, func(a, b member) int {
		return a.thing.self().ProjectAt.Compare(b.thing.self().ProjectAt)
	})
	return listPage(c, "resources", members, func(m member) projectResourceWire {
		th := m.thing.self()
		return projectResourceWire{
			projectURN(m.table, th), wireTime(th.ProjectAt), map[string]string{"self": c.uri(m.table, m.thing)}, "ok",
		}
	})
}

// projectKey is what a thing that is assigned to the project is found under.
func projectKey(id string) string { return "project:" + id }

// projectURN is how projects call a thing.
func projectURN(t anyTable, th *thing) string { return urn(t.urnWord(), th.ID) }
