package digitalocean

import (
	"context"
	"net/http"
	"net/url"

	"github.com/digitalocean/godo"
)

// A VolumeSnapshot asks for a snapshot of a volume.
type VolumeSnapshot struct {
	Volume string   // id
	Name   string   // unique in the account; it carries the marker
	Tags   []string // of the snapshot
	Marker string
}

func (r VolumeSnapshot) request() any {
	return struct {
		Name string   `json:"name"`
		Tags []string `json:"tags"`
	}{r.Name, append([]string{}, r.Tags...)}
}

// Permit is leave to send the request.
func (r VolumeSnapshot) Permit() Permit {
	return Permit{
		Method: http.MethodPost, Template: "/v2/volumes/{id}/snapshots", Target: "do:volume:" + r.Volume, Name: r.Marker, Body: marshal(r.request()),
	}
}

// SnapshotVolume takes a snapshot, once. Unlike a droplet's it is in the answer.
// Conflict says that the name is taken (quirk 14).
// Purpose: provisioning, under a Capability.
func (c *Client) SnapshotVolume(ctx context.Context, r VolumeSnapshot) (Snapshot, error) {
	var answer struct{ Snapshot godo.Snapshot }
	err := c.change(ctx, "SnapshotVolume", http.MethodPost, "/v2/volumes/"+url.PathEscape(r.Volume)+"/snapshots", marshal(r.request()), &answer)
	if err != nil {
		return Snapshot{}, err
	}
	return snapshotOf(answer.Snapshot), nil
}

// VolumeSnapshots lists the snapshots of a volume. Purpose: provisioning.
func (c *Client) VolumeSnapshots(ctx context.Context, volume string) (List[Snapshot], error) {
	if err := c.may("VolumeSnapshots", Provisioning); err != nil {
		return List[Snapshot]{}, err
	}
	return all(ctx, c, collection[godo.Snapshot, Snapshot]{
		path: "v2/volumes/" + url.PathEscape(volume) + "/snapshots", key: "snapshots", item: snapshotOf, id: func(s Snapshot) string { return s.ID },
	})
}
