package inventory

// credentials are where documents of databases have passwords beside those under
// a key that says so.
var credentials = []string{"**.uri", "users.*.access_key", "users.*.access_cert"}

// database is a managed cluster. Each of its nodes costs the same; what was added
// to its storage is on the invoice alone.
var database = &Kind{
	Name: "database", Title: "Database", Many: "Databases", Tier: Hot,
	Lists: []Listing{{Path: "/v2/databases", Key: "databases", Unpaged: true}},
	Get:   "/v2/databases/{id}", One: "database", Scope: "database:read",
	ID: "id", Project: "do:dbaas:", Secret: credentials, Ignore: []string{"maintenance_window.description", "maintenance_window.pending"},
	Look: func(d Doc) Look {
		l := databaseLook(d)
		l.Project = d.Text("project_id")
		return l
	},
	Edges: func(d Doc) []Edge { return inNetwork(d.Text("private_network_uuid")) },
	Charges: func(d Doc) []Charge {
		count, ok := d.Number("num_nodes")
		if !ok {
			return []Charge{flat("database:unsized")}
		}
		return []Charge{{SKU: "database:" + d.Text("size"), Quantity: count}}
	},
}

func databaseLook(d Doc) Look {
	return Look{
		Name: d.Text("name"), Region: d.Text("region"), Status: d.Text("status"), Size: d.Text("size"), Tags: d.Texts("tags"),
		Addresses: given(d.Text("connection", "host"), d.Text("private_connection", "host")), CreatedAt: d.Time("created_at"),
	}
}
