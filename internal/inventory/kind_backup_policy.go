package inventory

// backupPolicy is when a droplet is backed up: DigitalOcean has one for every
// droplet, also for those that are not.
var backupPolicy = &Kind{
	Name: "backup_policy", Title: "Backup policy", Many: "Backup policies", Tier: Warm,
	Lists: []Listing{{Path: "/v2/droplets/backups/policies", Key: "policies", Keyed: true}},
	Scope: "droplet:read",
	ID:    "droplet_id", Link: true, Ignore: []string{"next_backup_window"},
	Look: func(d Doc) Look {
		l := Look{Name: "Droplet " + d.Text("droplet_id"), Status: "off", Size: d.Text("backup_policy", "plan")}
		if d.Bool("backup_enabled") {
			l.Status = "on"
		}
		return l
	},
	Edges: func(d Doc) []Edge { return []Edge{{Type: Protects, To: "do:droplet:" + d.Text("droplet_id")}} },
}
