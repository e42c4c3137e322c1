package inventory

// sshKey is a public key that new droplets may be made with. Which ones were,
// DigitalOcean does not say.
var sshKey = &Kind{
	Name: "ssh_key", Title: "SSH key", Many: "SSH keys", Tier: Warm,
	Lists: []Listing{{Path: "/v2/account/keys", Key: "ssh_keys"}},
	Get:   "/v2/account/keys/{id}", One: "ssh_key", Scope: "ssh_key:read",
	ID:   "id",
	Look: func(d Doc) Look { return Look{Name: d.Text("name"), Size: d.Text("fingerprint")} },
}
