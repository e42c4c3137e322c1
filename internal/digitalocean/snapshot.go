package digitalocean

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/digitalocean/godo"

	"github.com/arcadia-cloud/arcadia/internal/fault"
)

// A Snapshot is a copy of a droplet's disk, or of a volume. It outlives what it
// is a copy of.
type Snapshot struct {
	ID            string
	Name          string // not unique
	Resource      string // id of the droplet or volume
	ResourceType  string // "droplet" or "volume"
	CreatedAt     time.Time
	SizeGigabytes string // decimal, "2.36"
	MinDiskGiB    int    // of what is made of it
	Regions       []string
	Tags          []string // of one of a volume
}

// DropletSnapshots lists the snapshots of a droplet. A new one appears some time
// after its action has completed (quirk 7), a deleted one lingers (quirk 31).
// Purpose: provisioning.
func (c *Client) DropletSnapshots(ctx context.Context, droplet int64) (List[Snapshot], error) {
	if err := c.may("DropletSnapshots", Provisioning); err != nil {
		return List[Snapshot]{}, err
	}
	path := fmt.Sprintf("v2/droplets/%d/snapshots", droplet)
	if err := checkIDs(http.MethodGet, "/"+path, droplet); err != nil {
		return List[Snapshot]{}, err
	}
	return all(ctx, c, collection[godo.Image, Snapshot]{
		path: path, key: "snapshots", id: func(s Snapshot) string { return s.ID },
		item: func(w godo.Image) Snapshot {
			return Snapshot{
				ID: strconv.Itoa(w.ID), Name: w.Name, Resource: strconv.FormatInt(droplet, 10), ResourceType: "droplet",
				CreatedAt: timeOf(w.Created), SizeGigabytes: decimal(w.SizeGigaBytes), MinDiskGiB: w.MinDiskSize, Regions: w.Regions,
			}
		},
	})
}

// Snapshots lists every snapshot of the account, of droplets and of volumes,
// whether what they were taken of still exists or not. Purpose: provisioning.
func (c *Client) Snapshots(ctx context.Context) (List[Snapshot], error) {
	if err := c.may("Snapshots", Provisioning); err != nil {
		return List[Snapshot]{}, err
	}
	return all(ctx, c, collection[godo.Snapshot, Snapshot]{
		path: "v2/snapshots", key: "snapshots", item: snapshotOf,
		id: func(s Snapshot) string { return s.ID },
	})
}

// Snapshot reads one snapshot: the authority on whether it exists, where the
// lists are hints. It answers NotFound when there is none. Purpose: provisioning.
func (c *Client) Snapshot(ctx context.Context, id string) (Snapshot, error) {
	if err := c.may("Snapshot", Provisioning); err != nil {
		return Snapshot{}, err
	}
	path := "/v2/snapshots/" + id
	if err := checkSnapshotID(http.MethodGet, id); err != nil {
		return Snapshot{}, err
	}
	got, _, err := c.api.Snapshots.Get(ctx, id)
	if err != nil {
		return Snapshot{}, c.failed(http.MethodGet, path, err)
	}
	if got == nil || got.ID != id {
		return Snapshot{}, c.unclear(http.MethodGet, path, "an answer without the snapshot")
	}
	return snapshotOf(*got), nil
}

// DeleteSnapshot deletes a snapshot. NotFound says that it is gone already,
// maybe by an earlier try of the same call whose answer was lost; to who deletes
// a known id that is success. Purpose: provisioning, under a Capability.
func (c *Client) DeleteSnapshot(ctx context.Context, id string) error {
	if err := c.may("DeleteSnapshot", Provisioning); err != nil {
		return err
	}
	if err := checkSnapshotID(http.MethodDelete, id); err != nil {
		return err
	}
	if _, err := c.api.Snapshots.Delete(ctx, id); err != nil {
		return c.failed(http.MethodDelete, "/v2/snapshots/"+id, err)
	}
	return nil
}

// DeleteSnapshotPermit is leave to delete a snapshot, of a droplet or of a volume.
func DeleteSnapshotPermit(id string) Permit {
	return deletePermit("/v2/snapshots/{id}", "snapshot", id)
}

func snapshotOf(w godo.Snapshot) Snapshot {
	return Snapshot{
		ID: w.ID, Name: w.Name, Resource: w.ResourceID, ResourceType: w.ResourceType,
		CreatedAt: timeOf(w.Created), SizeGigabytes: decimal(w.SizeGigaBytes), MinDiskGiB: w.MinDiskSize, Regions: w.Regions, Tags: w.Tags,
	}
}

// decimal writes a float as the decimal that DigitalOcean wrote.
func decimal(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

func checkSnapshotID(method, id string) error {
	if !isID(id) {
		return refusal(method, "/v2/snapshots/", fault.New(fault.Invalid, "%q is no id of a snapshot.", clean(id, "")))
	}
	return nil
}
