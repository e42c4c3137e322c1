package inventory

// agent is an assistant of the Gradient platform; what it uses is on the invoice.
var agent = &Kind{
	Name: "agent", Title: "Gradient agent", Many: "Gradient agents", Tier: Warm,
	Lists: []Listing{{Path: "/v2/gen-ai/agents", Key: "agents"}},
	Get:   "/v2/gen-ai/agents/{id}", One: "agent", Scope: "genai:read",
	ID: "uuid", Ignore: []string{"updated_at", "deployment.updated_at", "version_hash"},
	Secret: []string{"mcp_servers.*.headers.*", "mcp_servers.*.authorization"},
	Look: func(d Doc) Look {
		return Look{
			Name: d.Text("name"), Region: d.Text("region"), Status: d.Text("deployment", "status"), Size: d.Text("model", "name"),
			Tags: d.Texts("tags"), Addresses: given(hostOf(d.Text("deployment", "url"))), Project: d.Text("project_id"), CreatedAt: d.Time("created_at"),
		}
	},
	Edges: func(d Doc) []Edge { return inNetwork(d.Text("vpc_uuid")) },
}
