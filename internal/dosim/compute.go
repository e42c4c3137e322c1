package dosim

// computeTables are of droplets and what belongs to them.
type computeTables struct {
	droplets  *table[*droplet]
	snapshots *table[*snapshot]
	sshKeys   *table[*sshKey]
}

func computeResources() []resource {
	return []resource{
		sshKeyResource(),
		imageResource(),
		dropletResource(),
		dropletActionResource(),
		snapshotResource(),
	}
}
