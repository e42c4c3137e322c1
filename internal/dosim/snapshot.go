package dosim

import (
	"cmp"
	"fmt"
	"slices"
)

const kindSnapshot = "snapshot"

// What an image that was made of a droplet is. A backup may become a snapshot.
const (
	kindOfSnapshot = "snapshot"
	kindOfBackup   = "backup"
)

// A snapshot of a droplet, which outlives it, or a backup, which does not. It
// was created when its action started, not when it was there.
type snapshot struct {
	thing
	tagged
	Kind          string   `json:"kind"`
	Droplet       string   `json:"droplet"`
	Name          string   `json:"name"`
	Regions       []string `json:"regions"`
	MinDiskSize   int      `json:"min_disk_size"`
	SizeGigabytes float64  `json:"size_gigabytes"`
	Image         string   `json:"image"`            // what the droplet was made of
	Origin        string   `json:"origin,omitempty"` // the account of the droplet, if another one transferred it
}

func (s *snapshot) urn() string { return urn(kindSnapshot, s.ID) }

// origin is the account whose droplet it is of.
func (s *snapshot) origin() string { return cmp.Or(s.Origin, s.Account) }

// snapshot settles that a will leave s behind, of which the caller says what it
// is and its name: a picture of d.
func (c *call) snapshot(d *droplet, a *action, s *snapshot) *snapshot {
	if !a.succeeds() {
		return s
	}
	disk := d.diskSize(c.sim.world)
	full := 0.05 + float64(hash(c.sim.seed, "used", d.ID)%400)/1000 // of the disk
	s.life = life{From: a.EndsAt, Get: a.EndsAt, List: a.EndsAt.Add(c.sim.params.duration(paramSnapshotVisible)), Tagged: a.EndsAt}
	s.CreatedAt = a.CreatedAt
	s.Droplet, s.Regions, s.MinDiskSize, s.Image = d.ID, []string{d.Region}, disk, d.Image
	s.SizeGigabytes = float64(int(full*float64(disk)*100)) / 100
	s = c.sim.world.snapshots.create(c, s)
	c.imprint(s.urn(), c.files(d.urn()))
	return s
}

type snapshotWire struct {
	ID            string   `json:"id"`
	Name          string   `json:"name"`
	CreatedAt     string   `json:"created_at"`
	Regions       []string `json:"regions"`
	ResourceID    string   `json:"resource_id"`
	ResourceType  string   `json:"resource_type"`
	MinDiskSize   int      `json:"min_disk_size"`
	SizeGigabytes float64  `json:"size_gigabytes"`
	Tags          []string `json:"tags"`
}

// A dropletSnapshotWire is a snapshot in its droplet's list: the id is a number there.
type dropletSnapshotWire struct {
	ID            int64    `json:"id"`
	Name          string   `json:"name"`
	CreatedAt     string   `json:"created_at"`
	Regions       []string `json:"regions"`
	MinDiskSize   int      `json:"min_disk_size"`
	SizeGigabytes float64  `json:"size_gigabytes"`
	Type          string   `json:"type"`
}

func (s *snapshot) wire() snapshotWire {
	return snapshotWire{
		ID: s.ID, Name: s.Name, CreatedAt: wireTime(s.CreatedAt), Regions: s.Regions,
		ResourceID: s.Droplet, ResourceType: "droplet",
		MinDiskSize: s.MinDiskSize, SizeGigabytes: s.SizeGigabytes, Tags: append([]string{}, s.Tags...),
	}
}

func (s *snapshot) dropletWire() dropletSnapshotWire {
	w := s.wire()
	return dropletSnapshotWire{number(s.ID), w.Name, w.CreatedAt, w.Regions, w.MinDiskSize, w.SizeGigabytes, s.Kind}
}

// image is the snapshot as /v2/images shows it, under the same id.
func (s *snapshot) image(w *world) imageWire {
	distribution := "Unknown"
	if base, ok := w.image(s.origin(), s.Image); ok {
		distribution = base.Distribution
	}
	return imageWire{
		ID: number(s.ID), Name: s.Name, Type: s.Kind, Distribution: distribution, Regions: s.Regions,
		CreatedAt: wireTime(s.CreatedAt), MinDiskSize: s.MinDiskSize, SizeGigabytes: s.SizeGigabytes, Tags: append([]string{}, s.Tags...), Status: imageAvailable,
	}
}

func snapshotResource() resource {
	return resource{
		table: func(w *world) anyTable {
			w.snapshots = newTable(w.seed, kind[*snapshot]{
				name: kindSnapshot, numbers: 150_000_000, wire: func(_ *call, s *snapshot) any { return s.wire() },
				title: func(s *snapshot) string { return s.Name },
				check: checkSnapshot,
				keys:  func(s *snapshot) []string { return []string{s.Kind, s.Kind + ":" + s.Droplet} },
				path:  "/v2/images/", tag: &tagKind{resourceType: "image", group: "images"},
			})
			return w.snapshots
		},
		routes: []route{
			op("GET /v2/snapshots", listSnapshots, "snapshot:read"),
			op("GET /v2/snapshots/{snapshot}", getSnapshot, "snapshot:read", "block_storage_snapshot:read"),
			op("DELETE /v2/snapshots/{snapshot}", deleteSnapshot, "image:delete", "snapshot:delete"),
			op("GET /v2/droplets/{droplet}/snapshots", listDropletSnapshots, "droplet:read"),
		},
	}
}

func checkSnapshot(w *world, s *snapshot) error {
	hasRegion := len(s.Regions) > 0
	for _, r := range s.Regions {
		_, known := w.catalog.region(r)
		hasRegion = hasRegion && known
	}
	_, hasDroplet := w.droplets.get(s.origin(), s.Droplet)
	_, hasImage := w.image(s.origin(), s.Image)
	if _, public := w.catalog.image(s.Image); !public && number(s.Image) >= number(s.ID) {
		hasImage = false
	}
	if s.Kind != kindOfSnapshot && s.Kind != kindOfBackup {
		return fmt.Errorf("snapshot %s is neither a snapshot nor a backup", s.ID)
	}
	if !hasRegion || !hasDroplet || !hasImage {
		return fmt.Errorf("snapshot %s is of an unknown droplet, region or image", s.ID)
	}
	return nil
}

// listSnapshots shows the snapshots of droplets and of volumes, in the order of
// their making.
func listSnapshots(c *call) answer {
	w, kind := c.sim.world, c.r.URL.Query().Get("resource_type")
	type one struct {
		seq  int64
		wire func() any
	}
	var all []one
	if kind == "" || kind == kindDroplet {
		for _, s := range w.snapshots.listedUnder(c, kindOfSnapshot) {
			all = append(all, one{s.Seq, func() any { return w.snapshots.render(c, s) }})
		}
	}
	if kind == "" || kind == kindVolume {
		for _, s := range w.volumeSnapshots.listed(c) {
			all = append(all, one{s.Seq, func() any { return w.volumeSnapshots.render(c, s) }})
		}
	}
	slices.SortFunc(all, func(a, b one) int { return cmp.Compare(a.seq, b.seq) })
	return listPage(c, "snapshots", all, func(o one) any { return o.wire() })
}

// listDropletSnapshots answers 404 once the droplet is gone, while listSnapshots
// goes on showing what it left behind.
func listDropletSnapshots(c *call) answer {
	d, ok := c.droplet()
	if !ok {
		return notFound()
	}
	return listPage(c, "snapshots", c.sim.world.snapshots.listedUnder(c, kindOfSnapshot+":"+d.ID), (*snapshot).dropletWire)
}

func getSnapshot(c *call) answer {
	if v, ok := c.volumeSnapshot(); ok {
		return showing("snapshot", c.sim.world.volumeSnapshots.render(c, v))
	}
	s, no := c.snapshotInPath()
	if s == nil {
		return no
	}
	return showing("snapshot", c.sim.world.snapshots.render(c, s))
}

func deleteSnapshot(c *call) answer {
	if v, ok := c.volumeSnapshot(); ok {
		c.sim.world.volumeSnapshots.remove(c, v)
		return noContent()
	}
	s, no := c.snapshotInPath()
	if s == nil {
		return no
	}
	if c.pending(s.urn()) {
		return pendingImage()
	}
	c.sim.world.snapshots.remove(c, s)
	return noContent()
}

// snapshotInPath finds the droplet's snapshot, or the answer that says why not:
// public and custom images and backups are none.
func (c *call) snapshotInPath() (*snapshot, answer) {
	id := c.values["snapshot"]
	s, ok := c.sim.world.snapshots.find(c, id)
	if ok && s.Kind == kindOfSnapshot {
		return s, answer{}
	}
	if _, image := c.imageNamed(id); image && number(id) > 0 {
		return nil, badRequest("the resource is not a snapshot")
	}
	return nil, notFound()
}
