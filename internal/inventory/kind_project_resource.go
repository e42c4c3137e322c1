package inventory

import "strings"

// projectResource is that something is in a project: what few documents say of
// themselves.
var projectResource = &Kind{
	Name: "project_resource", Title: "Project member", Many: "Project members", Tier: Warm,
	Lists:  []Listing{{Path: "/v2/projects/{parent}/resources", Key: "resources"}},
	Parent: "project", Scope: "project:read",
	ID: "urn", Link: true, Ignore: []string{"status"},
	Look: func(d Doc) Look {
		return Look{Name: d.Text("urn"), Project: d.Parent, CreatedAt: d.Time("assigned_at")}
	},
	Edges: func(d Doc) []Edge {
		return []Edge{{Type: MemberOf, From: urnInProject(d.Text("urn")), To: "do:project:" + d.Parent}}
	},
}

// urnInProject is our URN of what a project calls by another: its names of kinds
// are older than ours.
func urnInProject(theirs string) string {
	for _, k := range kinds {
		if id, ok := strings.CutPrefix(theirs, k.Project); ok && k.Project != "" && !k.Local {
			return k.URN("", id)
		}
	}
	return theirs
}
