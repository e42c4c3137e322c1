package dosim

import (
	"cmp"
	"fmt"
	"math"
)

const kindVolumeSnapshot = "volume_snapshot"

// A volumeSnapshot outlives its volume.
type volumeSnapshot struct {
	thing
	tagged
	Volume          string  `json:"volume"`
	Name            string  `json:"name"`
	Region          string  `json:"region"`
	MinDiskSize     int     `json:"min_disk_size"`
	SizeGigabytes   float64 `json:"size_gigabytes"`
	FilesystemType  string  `json:"filesystem_type"`
	FilesystemLabel string  `json:"filesystem_label"`
}

func (s *volumeSnapshot) wire() snapshotWire {
	return snapshotWire{
		ID: s.ID, Name: s.Name, CreatedAt: wireTime(s.CreatedAt), Regions: []string{s.Region}, ResourceID: s.Volume, ResourceType: kindVolume,
		MinDiskSize: s.MinDiskSize, SizeGigabytes: s.SizeGigabytes, Tags: append([]string{}, s.Tags...),
	}
}

func volumeSnapshotResource() resource {
	return resource{
		table: func(w *world) anyTable {
			w.volumeSnapshots = newTable(w.seed, kind[*volumeSnapshot]{
				name: kindVolumeSnapshot, wire: func(_ *call, s *volumeSnapshot) any { return s.wire() },
				title: func(s *volumeSnapshot) string { return s.Name },
				check: checkVolumeSnapshot, path: "/v2/snapshots/",
				tag:  &tagKind{resourceType: "volume_snapshot", group: "volume_snapshots"},
				keys: func(s *volumeSnapshot) []string { return []string{"name:" + s.Name, "of:" + volumeURN(s.Volume)} },
			})
			return w.volumeSnapshots
		},
		routes: []route{
			op("GET /v2/volumes/snapshots/{volume_snapshot}", getVolumeSnapshot, "block_storage_snapshot:read"),
			op("DELETE /v2/volumes/snapshots/{volume_snapshot}", deleteVolumeSnapshot, "block_storage_snapshot:delete"),
			op("GET /v2/volumes/{volume}/snapshots", listVolumeSnapshots, "block_storage_snapshot:read"),
			op("POST /v2/volumes/{volume}/snapshots", createVolumeSnapshot, "block_storage_snapshot:create"),
		},
	}
}

func checkVolumeSnapshot(w *world, s *volumeSnapshot) error {
	_, hasRegion := w.catalog.region(s.Region)
	if _, ok := w.volumes.get(s.Account, s.Volume); !ok || !hasRegion || s.MinDiskSize < 1 || s.MinDiskSize > maxVolumeSize {
		return fmt.Errorf("volume snapshot %s is of an unknown volume or region, or of a size that cannot be", s.ID)
	}
	return nil
}

// volumeSnapshot finds the snapshot in the path, if it is a volume's.
func (c *call) volumeSnapshot() (*volumeSnapshot, bool) {
	return c.sim.world.volumeSnapshots.find(c, cmp.Or(c.values["volume_snapshot"], c.values["snapshot"]))
}

func listVolumeSnapshots(c *call) answer {
	v, ok := c.volume()
	if !ok {
		return notFound()
	}
	snapshots := c.sim.world.volumeSnapshots
	return snapshots.page(c, "snapshots", snapshots.listedUnder(c, "of:"+v.urn()))
}

// createVolumeSnapshot takes the picture at once. Its name is its own, which
// digitalocean/csi-digitalocean relies on.
func createVolumeSnapshot(c *call) answer {
	v, ok := c.volume()
	if !ok {
		return notFound()
	}
	var body struct {
		Name string   `json:"name"`
		Tags []string `json:"tags"`
	}
	if !c.decode(&body) {
		return invalidJSON()
	}
	snapshots := c.sim.world.volumeSnapshots
	if err := checkTags(body.Tags); err != nil {
		return unprocessable(err.Error())
	}
	if body.Name == "" {
		return unprocessable("name can't be blank")
	}
	if len(snapshots.under(c, "name:"+body.Name)) > 0 {
		return conflict("failed to create snapshot: already exists")
	}
	full := 0.05 + float64(hash(c.sim.seed, "used", v.ID)%400)/1000 // of the volume
	made := snapshots.create(c, &volumeSnapshot{
		Volume: v.ID, Name: body.Name, Region: v.Region, MinDiskSize: v.SizeGigabytes,
		SizeGigabytes:  math.Round(full*float64(v.SizeGigabytes)*10000) / 10000,
		FilesystemType: v.FilesystemType, FilesystemLabel: v.FilesystemLabel, tagged: tagged{Tags: body.Tags},
	})
	c.imprint(urn(kindVolumeSnapshot, made.ID), c.files(v.urn()))
	return created("snapshot", snapshots.render(c, made))
}

func getVolumeSnapshot(c *call) answer {
	s, ok := c.volumeSnapshot()
	if !ok {
		return notFound()
	}
	return showing("snapshot", c.sim.world.volumeSnapshots.render(c, s))
}

func deleteVolumeSnapshot(c *call) answer {
	s, ok := c.volumeSnapshot()
	if !ok {
		return notFound()
	}
	c.sim.world.volumeSnapshots.remove(c, s)
	return noContent()
}
