package dosim

import (
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// A snapshot of a droplet. It outlives the droplet.
type snapshot struct {
	life
	ID            int64     `json:"id"`
	Account       string    `json:"account"`
	Droplet       int64     `json:"droplet"`
	Name          string    `json:"name"`
	Region        string    `json:"region"`
	MinDiskSize   int       `json:"min_disk_size"`
	SizeGigabytes float64   `json:"size_gigabytes"`
	CreatedAt     time.Time `json:"created_at"` // when its action started, not when it was there
	Image         int64     `json:"image"`      // what the droplet was made of
}

func (s *snapshot) urn() string { return "do:snapshot:" + strconv.FormatInt(s.ID, 10) }

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
		ID: strconv.FormatInt(s.ID, 10), Name: s.Name, CreatedAt: wireTime(s.CreatedAt), Regions: []string{s.Region},
		ResourceID: strconv.FormatInt(s.Droplet, 10), ResourceType: "droplet",
		MinDiskSize: s.MinDiskSize, SizeGigabytes: s.SizeGigabytes, Tags: []string{},
	}
}

func (s *snapshot) dropletWire() dropletSnapshotWire {
	w := s.wire()
	return dropletSnapshotWire{s.ID, w.Name, w.CreatedAt, w.Regions, w.MinDiskSize, w.SizeGigabytes, "snapshot"}
}

// image is the snapshot as /v2/images shows it, under the same id.
func (s *snapshot) image(w *world) imageWire {
	distribution := "Unknown"
	if base, public := w.catalog.image(s.Image); public {
		distribution = base.Distribution
	} else if parent, ok := w.snapshots.byID[s.Image]; ok {
		distribution = parent.image(w).Distribution
	}
	return imageWire{
		ID: s.ID, Name: s.Name, Type: "snapshot", Distribution: distribution, Regions: []string{s.Region},
		CreatedAt: wireTime(s.CreatedAt), MinDiskSize: s.MinDiskSize, SizeGigabytes: s.SizeGigabytes, Tags: []string{}, Status: "available",
	}
}

func snapshotResource() resource {
	return resource{
		kind: "snapshot",
		routes: []route{
			{"GET /v2/snapshots", []string{"snapshot:read"}, listSnapshots},
			{"GET /v2/snapshots/{snapshot}", []string{"snapshot:read"}, getSnapshot},
			{"DELETE /v2/snapshots/{snapshot}", []string{"image:delete", "snapshot:delete"}, deleteSnapshot},
			{"GET /v2/droplets/{droplet}/snapshots", []string{"droplet:read"}, listDropletSnapshots},
		},
		changes: []func() change{
			func() change { return &snapshotTaken{} },
			func() change { return &snapshotDeleted{} },
		},
		truth: func(s *Sim, at time.Time) []Item {
			var items []Item
			for _, snap := range s.world.snapshots.all {
				if snap.exists(at) {
					items = append(items, item("snapshot", strconv.FormatInt(snap.ID, 10), snap.Name, snap.Account, snap.life, snap.CreatedAt, snap.wire()))
				}
			}
			return items
		},
	}
}

func listSnapshots(c *call) answer {
	var listed []*snapshot
	kind := c.r.URL.Query().Get("resource_type")
	for _, s := range c.sim.world.snapshots.all {
		if s.Account == c.account() && (kind == "" || kind == "droplet") && s.listed(c.at, c.behind(s.urn())) {
			listed = append(listed, s)
		}
	}
	return listPage(c, "snapshots", listed, (*snapshot).wire)
}

// listDropletSnapshots answers 404 once the droplet is gone, while listSnapshots
// goes on showing what it left behind.
func listDropletSnapshots(c *call) answer {
	d, ok := c.droplet()
	if !ok {
		return notFound()
	}
	var listed []*snapshot
	for _, s := range d.snapshots {
		if s.listed(c.at, c.behind(s.urn())) {
			listed = append(listed, s)
		}
	}
	return listPage(c, "snapshots", listed, (*snapshot).dropletWire)
}

// snapshotInPath finds the snapshot, or the answer that says why not.
func (c *call) snapshotInPath() (*snapshot, answer) {
	id := c.pathID("snapshot")
	if _, public := c.sim.world.catalog.image(id); public {
		return nil, badRequest("the resource is not a snapshot")
	}
	s, ok := c.sim.world.snapshots.byID[id]
	if !ok || s.Account != c.account() || !s.gettable(c.at, c.behind(s.urn())) {
		return nil, notFound()
	}
	return s, answer{}
}

func getSnapshot(c *call) answer {
	s, no := c.snapshotInPath()
	if s == nil {
		return no
	}
	return answer{http.StatusOK, map[string]any{"snapshot": s.wire()}}
}

func deleteSnapshot(c *call) answer {
	s, no := c.snapshotInPath()
	if s == nil {
		return no
	}
	c.record(&snapshotDeleted{ID: s.ID, Linger: c.sim.params.duration(paramListAfterDelete)})
	return answer{status: http.StatusNoContent}
}

type snapshotTaken struct {
	Snapshot snapshot `json:"snapshot"`
}

func (ch *snapshotTaken) name() string { return "snapshot_taken" }

func (ch *snapshotTaken) check(w *world) error {
	s := ch.Snapshot
	_, hasRegion := w.catalog.region(s.Region)
	_, hasDroplet := w.droplets.byID[s.Droplet]
	_, isPublic := w.catalog.image(s.Image)
	_, isSnapshot := w.snapshots.byID[s.Image]
	switch {
	case s.ID <= w.last["snapshot"]:
		return fmt.Errorf("the snapshot id %d does not follow on %d", s.ID, w.last["snapshot"])
	case !hasRegion || !hasDroplet || !isPublic && !isSnapshot:
		return fmt.Errorf("snapshot %d is of an unknown droplet, region or image", s.ID)
	}
	return nil
}

func (ch *snapshotTaken) apply(w *world, e event) {
	s := ch.Snapshot
	s.Seq = e.Seq
	w.snapshots.add(s.ID, &s)
	w.last["snapshot"] = s.ID
	d := w.droplets.byID[s.Droplet]
	d.snapshots = append(d.snapshots, &s)
}

type snapshotDeleted struct {
	ID     int64         `json:"id"`
	Linger time.Duration `json:"linger"`
}

func (ch *snapshotDeleted) name() string { return "snapshot_deleted" }

func (ch *snapshotDeleted) check(w *world) error {
	if s, ok := w.snapshots.byID[ch.ID]; !ok || !s.Until.IsZero() || ch.Linger < 0 || ch.Linger > maxParam {
		return fmt.Errorf("there is no snapshot %d to delete", ch.ID)
	}
	return nil
}

func (ch *snapshotDeleted) apply(w *world, e event) { w.snapshots.byID[ch.ID].end(e.At, ch.Linger) }
