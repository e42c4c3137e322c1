package dosim

import "fmt"

const kindSnapshot = "snapshot"

// A snapshot of a droplet. It outlives the droplet. It was created when its
// action started, not when it was there.
type snapshot struct {
	thing
	tagged
	Droplet       string  `json:"droplet"`
	Name          string  `json:"name"`
	Region        string  `json:"region"`
	MinDiskSize   int     `json:"min_disk_size"`
	SizeGigabytes float64 `json:"size_gigabytes"`
	Image         string  `json:"image"` // what the droplet was made of
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
		ID: s.ID, Name: s.Name, CreatedAt: wireTime(s.CreatedAt), Regions: []string{s.Region},
		ResourceID: s.Droplet, ResourceType: "droplet",
		MinDiskSize: s.MinDiskSize, SizeGigabytes: s.SizeGigabytes, Tags: append([]string{}, s.Tags...),
	}
}

func (s *snapshot) dropletWire() dropletSnapshotWire {
	w := s.wire()
	return dropletSnapshotWire{number(s.ID), w.Name, w.CreatedAt, w.Regions, w.MinDiskSize, w.SizeGigabytes, "snapshot"}
}

// image is the snapshot as /v2/images shows it, under the same id.
func (s *snapshot) image(w *world) imageWire {
	distribution := "Unknown"
	if base, ok := w.image(s.Account, s.Image); ok {
		distribution = base.Distribution
	}
	return imageWire{
		ID: number(s.ID), Name: s.Name, Type: "snapshot", Distribution: distribution, Regions: []string{s.Region},
		CreatedAt: wireTime(s.CreatedAt), MinDiskSize: s.MinDiskSize, SizeGigabytes: s.SizeGigabytes, Tags: append([]string{}, s.Tags...), Status: "available",
	}
}

func snapshotResource() resource {
	return resource{
		table: func(w *world) anyTable {
			w.snapshots = newTable(w.seed, kind[*snapshot]{
				name: kindSnapshot, numbers: 150_000_000, wire: func(_ *call, s *snapshot) any { return s.wire() },
				title: func(s *snapshot) string { return s.Name },
				check: checkSnapshot,
				keys:  func(s *snapshot) []string { return []string{"of:" + dropletURN(s.Droplet)} },
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
	_, hasRegion := w.catalog.region(s.Region)
	_, hasDroplet := w.droplets.get(s.Account, s.Droplet)
	_, hasImage := w.image(s.Account, s.Image)
	if _, public := w.catalog.image(s.Image); !public && number(s.Image) >= number(s.ID) {
		hasImage = false
	}
	if !hasRegion || !hasDroplet || !hasImage {
		return fmt.Errorf("snapshot %s is of an unknown droplet, region or image", s.ID)
	}
	return nil
}

func listSnapshots(c *call) answer {
	snapshots := c.sim.world.snapshots
	listed := snapshots.listed(c)
	if kind := c.r.URL.Query().Get("resource_type"); kind != "" && kind != kindDroplet {
		listed = nil
	}
	return snapshots.page(c, "snapshots", listed)
}

// listDropletSnapshots answers 404 once the droplet is gone, while listSnapshots
// goes on showing what it left behind.
func listDropletSnapshots(c *call) answer {
	d, ok := c.droplet()
	if !ok {
		return notFound()
	}
	return listPage(c, "snapshots", c.sim.world.snapshots.listedUnder(c, "of:"+d.urn()), (*snapshot).dropletWire)
}

// snapshotInPath finds the snapshot, or the answer that says why not.
func (c *call) snapshotInPath() (*snapshot, answer) {
	id := c.values["snapshot"]
	if _, public := c.sim.world.catalog.image(id); public {
		return nil, badRequest("the resource is not a snapshot")
	}
	s, ok := c.sim.world.snapshots.find(c, id)
	if !ok {
		return nil, notFound()
	}
	return s, answer{}
}

func getSnapshot(c *call) answer {
	s, no := c.snapshotInPath()
	if s == nil {
		return no
	}
	return showing("snapshot", c.sim.world.snapshots.render(c, s))
}

func deleteSnapshot(c *call) answer {
	s, no := c.snapshotInPath()
	if s == nil {
		return no
	}
	c.sim.world.snapshots.remove(c, s)
	return noContent()
}
