package digitalocean

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/digitalocean/godo"
)

// A Volume is a disk that can be attached to a droplet of its region.
type Volume struct {
	ID        string
	Name      string // unique in its region
	Region    string // slug
	SizeGiB   int64
	Droplets  []int64 // that it is attached to: none or one
	Tags      []string
	CreatedAt time.Time
}

func volumeOf(w godo.Volume) Volume {
	v := Volume{ID: w.ID, Name: w.Name, SizeGiB: w.SizeGigaBytes, Tags: w.Tags, CreatedAt: w.CreatedAt}
	if w.Region != nil {
		v.Region = w.Region.Slug
	}
	for _, id := range w.DropletIDs {
		v.Droplets = append(v.Droplets, int64(id))
	}
	return v
}

// A VolumeCreate asks for a volume.
type VolumeCreate struct {
	Name       string
	Region     string // empty where it is made of a snapshot
	SizeGiB    int64
	Filesystem string   // ext4, xfs or empty
	Snapshot   string   // id that it is made of; empty: it is blank
	Tags       []string // Marker among them
	Marker     string
}

func (r VolumeCreate) request() any {
	return struct {
		Name       string   `json:"name"`
		Region     string   `json:"region,omitempty"`
		SizeGiB    int64    `json:"size_gigabytes"`
		Filesystem string   `json:"filesystem_type,omitempty"`
		Snapshot   string   `json:"snapshot_id,omitempty"`
		Tags       []string `json:"tags"`
	}{r.Name, r.Region, r.SizeGiB, r.Filesystem, r.Snapshot, r.Tags}
}

// Permit is leave to send the request.
func (r VolumeCreate) Permit(account string) Permit {
	return createPermit(account, "/v2/volumes", r.Marker, r.request())
}

// CreateVolume makes a volume, once. Conflict says that the region has one of the name
// (quirk 14). Purpose: provisioning, under a Capability.
func (c *Client) CreateVolume(ctx context.Context, r VolumeCreate) (Volume, error) {
	var answer struct{ Volume godo.Volume }
	err := c.change(ctx, "CreateVolume", http.MethodPost, "/v2/volumes", marshal(r.request()), &answer)
	return volumeOf(answer.Volume), err
}

// Volumes lists every volume of the account. Purpose: provisioning.
func (c *Client) Volumes(ctx context.Context) (List[Volume], error) {
	return c.volumes(ctx, url.Values{})
}

// VolumesNamed lists the volumes of a name in a region: none or one. Purpose:
// provisioning.
func (c *Client) VolumesNamed(ctx context.Context, name, region string) (List[Volume], error) {
	return c.volumes(ctx, url.Values{"name": {name}, "region": {region}})
}

func (c *Client) volumes(ctx context.Context, filter url.Values) (List[Volume], error) {
	if err := c.may("Volumes", Provisioning); err != nil {
		return List[Volume]{}, err
	}
	return all(ctx, c, collection[godo.Volume, Volume]{
		path: "v2/volumes", key: "volumes", query: filter, item: volumeOf, id: func(v Volume) string { return v.ID },
	})
}

// Volume reads one volume. Purpose: provisioning.
func (c *Client) Volume(ctx context.Context, id string) (Volume, error) {
	w, err := read[godo.Volume](ctx, c, "Volume", "/v2/volumes/"+url.PathEscape(id), "volume")
	return volumeOf(w), err
}

// DeleteVolumePermit is leave to delete a volume.
func DeleteVolumePermit(id string) Permit { return deletePermit("/v2/volumes/{id}", "volume", id) }

// DeleteVolume deletes a volume. Conflict says that it is attached, or was a moment ago
// (quirks 12 and 13). Purpose: provisioning, under a Capability.
func (c *Client) DeleteVolume(ctx context.Context, id string) error {
	return c.change(ctx, "DeleteVolume", http.MethodDelete, "/v2/volumes/"+url.PathEscape(id), nil, nil)
}

// A VolumeAct asks for an action of a volume.
type VolumeAct struct {
	Volume  string
	Type    string // attach, detach, resize
	Droplet int64  // of attach and detach
	Region  string
	SizeGiB int64 // of resize: it only grows
}

func (r VolumeAct) request() any {
	return struct {
		Type    string `json:"type"`
		Droplet int64  `json:"droplet_id,omitempty"`
		Region  string `json:"region,omitempty"`
		SizeGiB int64  `json:"size_gigabytes,omitempty"`
	}{r.Type, r.Droplet, r.Region, r.SizeGiB}
}

// Permit is leave to send the request.
func (r VolumeAct) Permit() Permit {
	return Permit{Method: http.MethodPost, Template: "/v2/volumes/{id}/actions", Target: "do:volume:" + r.Volume, Body: marshal(r.request())}
}

// ActOnVolume starts an action, once. Purpose: provisioning, under a Capability.
func (c *Client) ActOnVolume(ctx context.Context, r VolumeAct) (Action, error) {
	return c.act(ctx, "ActOnVolume", fmt.Sprintf("/v2/volumes/%s/actions", url.PathEscape(r.Volume)), marshal(r.request()))
}
