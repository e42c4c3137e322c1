package dosim

// computeTables are of droplets and what belongs to them.
type computeTables struct {
	droplets        *table[*droplet]
	snapshots       *table[*snapshot]
	images          *table[*ownImage]
	volumes         *table[*volume]
	volumeSnapshots *table[*volumeSnapshot]
	reservedIPs     *table[*reservedIP]
	destroys        *table[*destroy]
	handovers       *table[*handover]
	sshKeys         *table[*sshKey]
	disks           *table[*disk]
	boots           *table[*boot]
}

func computeResources() []resource {
	return []resource{
		sshKeyResource(),
		imageResource(),
		imageActionResource(),
		imageHandoverResource(),
		dropletResource(),
		dropletActionResource(),
		backupResource(),
		snapshotResource(),
		volumeResource(),
		volumeActionResource(),
		volumeSnapshotResource(),
		reservedIPResource(),
		destroyResource(),
		diskResource(),
		bootResource(),
	}
}
