package inventory

// functionsNamespace is a place for functions; what they use is on the invoice.
var functionsNamespace = &Kind{
	Name: "functions_namespace", Title: "Functions namespace", Many: "Functions namespaces", Tier: Warm,
	Lists: []Listing{{Path: "/v2/functions/namespaces", Key: "namespaces", Unpaged: true}},
	Scope: "function:read function:admin",
	ID:    "namespace", Secret: []string{"key"}, Ignore: []string{"updated_at"},
	Look: func(d Doc) Look {
		return Look{Name: d.Text("label"), Region: d.Text("region"), Addresses: given(hostOf(d.Text("api_host"))), CreatedAt: d.Time("created_at")}
	},
}
