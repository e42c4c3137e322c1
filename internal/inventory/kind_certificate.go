package inventory

// certificate is for what balancers and CDN endpoints serve over TLS.
var certificate = &Kind{
	Name: "certificate", Title: "Certificate", Many: "Certificates", Tier: Warm,
	Lists: []Listing{{Path: "/v2/certificates", Key: "certificates"}},
	Get:   "/v2/certificates/{id}", One: "certificate", Scope: "certificate:read",
	ID: "id",
	Look: func(d Doc) Look {
		return Look{Name: d.Text("name"), Status: d.Text("state"), Size: d.Text("type"), CreatedAt: d.Time("created_at")}
	},
}
