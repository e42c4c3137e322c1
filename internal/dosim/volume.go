package dosim

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
)

const (
	kindVolume    = "volume"
	maxVolumeSize = 16 << 10 // gigabytes
	maxVolumes    = 15       // at one droplet
)

// A volume is a disk of its own, at one droplet at most.
type volume struct {
	thing
	tagged
	Name            string `json:"name"`
	Description     string `json:"description"`
	Region          string `json:"region"`
	SizeGigabytes   int    `json:"size_gigabytes"`
	FilesystemType  string `json:"filesystem_type"`
	FilesystemLabel string `json:"filesystem_label"`
	Droplet         string `json:"droplet,omitempty"` // that it is attached to
}

type volumeWire struct {
	ID              string     `json:"id"`
	Name            string     `json:"name"`
	Region          regionWire `json:"region"`
	DropletIDs      []int64    `json:"droplet_ids"`
	Description     string     `json:"description"`
	SizeGigabytes   int        `json:"size_gigabytes"`
	CreatedAt       string     `json:"created_at"`
	FilesystemType  string     `json:"filesystem_type"`
	FilesystemLabel string     `json:"filesystem_label"`
	Tags            []string   `json:"tags"`
}

const (
	paramVolumeLimit       = "limit.volumes"
	paramDetachAfterDelete = "lag.detach_after_delete"
)

func volumeURN(id string) string { return urn(kindVolume, id) }

func (v *volume) urn() string { return volumeURN(v.ID) }

func (v *volume) wire(c *call) volumeWire {
	region, _ := c.sim.world.catalog.region(v.Region)
	w := volumeWire{
		ID: v.ID, Name: v.Name, Region: region, DropletIDs: []int64{}, Description: v.Description, SizeGigabytes: v.SizeGigabytes,
		CreatedAt: wireTime(v.CreatedAt), FilesystemType: v.FilesystemType, FilesystemLabel: v.FilesystemLabel, Tags: append([]string{}, v.Tags...),
	}
	if v.Droplet != "" {
		w.DropletIDs = append(w.DropletIDs, number(v.Droplet))
	}
	return w
}

func volumeResource() resource {
	return resource{
		table: func(w *world) anyTable {
			w.volumes = newTable(w.seed, kind[*volume]{
				name: kindVolume, wire: func(c *call, v *volume) any { return v.wire(c) }, title: func(v *volume) string { return v.Name },
				check: checkVolume, path: "/v2/volumes/", urn: "volume", tag: &tagKind{resourceType: "volume", group: "volumes"},
				keys: func(v *volume) []string {
					keys := []string{"name:" + v.Name}
					if v.Droplet != "" {
						keys = append(keys, "of:"+dropletURN(v.Droplet))
					}
					return keys
				},
			})
			return w.volumes
		},
		routes: []route{
			op("GET /v2/volumes", listVolumes, "api:read", "api:write", "block_storage:read").or("block_storage:read"), // api:read and api:write are scopes of an older kind of token
			op("POST /v2/volumes", createVolume, "api:write", "block_storage:create").or("block_storage:create"),
			op("DELETE /v2/volumes", deleteVolumeByName, "block_storage:delete", "api:write"),
			op("GET /v2/volumes/{volume}", getVolume, "block_storage:read"),
			op("DELETE /v2/volumes/{volume}", deleteVolumeByID, "block_storage:delete"),
		},
		params: []Param{
			{paramVolumeLimit, "100000", 1, 1_000_000, "how many volumes an account may have"},
			{paramDetachAfterDelete, "4s", 0, 0, "from the delete of a droplet to its volumes being detached"},
		},
		gone: volumesOfGone,
	}
}

func checkVolume(w *world, v *volume) error {
	_, hasRegion := w.catalog.region(v.Region)
	if !hasRegion || v.SizeGigabytes < 1 || v.SizeGigabytes > maxVolumeSize {
		return fmt.Errorf("volume %s has an unknown region or a size that cannot be", v.ID)
	}
	if _, ok := w.droplets.get(v.Account, v.Droplet); !ok && v.Droplet != "" {
		return fmt.Errorf("volume %s is attached to an unknown droplet", v.ID)
	}
	return nil
}

// volume finds the volume in the path.
func (c *call) volume() (*volume, bool) { return c.sim.world.volumes.find(c, c.values["volume"]) }

// volumeCalled finds the one volume of a name in a region.
func (c *call) volumeCalled(name, region string) (*volume, bool) {
	return find(c.sim.world.volumes.under(c, "name:"+name), func(v *volume) bool { return v.Region == region })
}

func listVolumes(c *call) answer {
	q := c.r.URL.Query()
	name, region := q.Get("name"), q.Get("region")
	volumes := c.sim.world.volumes
	listed := volumes.listed(c)
	if name != "" {
		listed = volumes.listedUnder(c, "name:"+name)
	}
	return volumes.page(c, "volumes", only(listed, func(v *volume) bool { return region == "" || v.Region == region }))
}

func getVolume(c *call) answer {
	v, ok := c.volume()
	if !ok {
		return notFound()
	}
	return showing("volume", c.sim.world.volumes.render(c, v))
}

type createVolumeBody struct {
	Name            string   `json:"name"`
	Description     string   `json:"description"`
	Region          string   `json:"region"`
	SizeGigabytes   int      `json:"size_gigabytes"`
	SnapshotID      string   `json:"snapshot_id"`
	FilesystemType  string   `json:"filesystem_type"`
	FilesystemLabel string   `json:"filesystem_label"`
	Tags            []string `json:"tags"`
}

// createVolume makes a volume, whose name is its own in its region: another of
// the name is refused with 409 (hashicorp/terraform#8023).
func createVolume(c *call) answer {
	var body createVolumeBody
	if !c.decode(&body) {
		return invalidJSON()
	}
	volumes := c.sim.world.volumes
	v, err := body.volume(c)
	if err != nil {
		return unprocessable(err.Error())
	}
	if _, taken := c.volumeCalled(v.Name, v.Region); taken {
		return conflict("failed to create volume: already exists")
	}
	if volumes.reaches(c, c.sim.params.number(paramVolumeLimit)) {
		return forbiddenFor("failed to create volume: volume capacity limit exceeded")
	}
	v = volumes.create(c, v)
	if body.SnapshotID != "" {
		c.imprint(v.urn(), c.files(urn(kindVolumeSnapshot, body.SnapshotID)))
	}
	return created("volume", volumes.render(c, v))
}

// volume is the volume that the body describes, or DigitalOcean's objection.
func (b createVolumeBody) volume(c *call) (*volume, error) {
	v := &volume{
		Name: b.Name, Description: b.Description, Region: b.Region, SizeGigabytes: b.SizeGigabytes,
		FilesystemType: b.FilesystemType, FilesystemLabel: b.FilesystemLabel, tagged: tagged{Tags: b.Tags},
	}
	if b.SnapshotID != "" {
		from, ok := c.sim.world.volumeSnapshots.find(c, b.SnapshotID)
		if !ok {
			return nil, errors.New("snapshot not found")
		}
		if b.Region != "" && b.Region != from.Region {
			return nil, errors.New("the snapshot is in another region")
		}
		if b.SizeGigabytes != 0 && b.SizeGigabytes < from.MinDiskSize {
			return nil, fmt.Errorf("size must be at least the snapshot's: %d GiB", from.MinDiskSize)
		}
		v.Region, v.SizeGigabytes = from.Region, max(b.SizeGigabytes, from.MinDiskSize)
		v.FilesystemType, v.FilesystemLabel = from.FilesystemType, from.FilesystemLabel
	}
	region, ok := c.sim.world.catalog.region(v.Region)
	longest := map[string]int{"": 0, "ext4": 16, "xfs": 12}
	limit, known := longest[v.FilesystemType]
	switch {
	case !isVolumeName(v.Name):
		return nil, errors.New("name is invalid: it must be lower case letters, digits and hyphens, begin with a letter and have at most 64 characters")
	case !ok || !slices.Contains(region.Features, "storage"):
		return nil, errors.New("region is invalid or has no block storage")
	case v.SizeGigabytes < 1 || v.SizeGigabytes > maxVolumeSize:
		return nil, fmt.Errorf("size_gigabytes must be from 1 to %d", maxVolumeSize)
	case !known:
		return nil, errors.New("filesystem_type must be ext4 or xfs")
	case len(v.FilesystemLabel) > limit:
		return nil, fmt.Errorf("filesystem_label is too long: it goes with a filesystem_type, and %d characters are the most", limit)
	}
	return v, checkTags(v.Tags)
}

// checkTags objects to names that no tag can have.
func checkTags(names []string) error {
	for _, t := range names {
		if !isTag(t) {
			return fmt.Errorf("%q is not a valid tag name.", t)
		}
	}
	return nil
}

func isVolumeName(s string) bool {
	if s == "" || len(s) > 64 || s[0] < 'a' || s[0] > 'z' {
		return false
	}
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' {
			return false
		}
	}
	return true
}

func conflict(message string) answer { return refusal(http.StatusConflict, "conflict", message) }

func forbiddenFor(message string) answer { return refusal(http.StatusForbidden, "forbidden", message) }

func deleteVolumeByID(c *call) answer {
	v, ok := c.volume()
	if !ok {
		return notFound()
	}
	return c.deleteVolume(v)
}

func deleteVolumeByName(c *call) answer {
	q := c.r.URL.Query()
	v, ok := c.volumeCalled(q.Get("name"), q.Get("region"))
	if !ok || !c.gettable(&v.thing) {
		return notFound()
	}
	return c.deleteVolume(v)
}

// deleteVolume refuses while the volume is attached, which it is for a while
// after the delete of its droplet too (digitalocean/terraform-provider-digitalocean#19).
func (c *call) deleteVolume(v *volume) answer {
	if v.Droplet != "" || c.pending(v.urn()) {
		return conflict("A volume that's attached to a Droplet cannot be deleted. Please detach it first before deleting.")
	}
	c.sim.world.volumes.remove(c, v)
	return noContent()
}

// volumesOfGone has the volumes of a deleted droplet detached, in a while.
func volumesOfGone(c *call, _ string, e entity) {
	d, ok := e.(*droplet)
	if !ok {
		return
	}
	for _, v := range c.sim.world.volumes.under(c, "of:"+d.urn()) {
		c.later(c.sim.params.duration(paramDetachAfterDelete), dutyVolumeDetached, attachment{Droplet: d.ID, Volumes: []string{v.ID}})
	}
}

// An attachment is of volumes to a droplet.
type attachment struct {
	Droplet string   `json:"droplet"`
	Volumes []string `json:"volumes"`
}

// attach attaches the volume, if it and the droplet are there and it is free.
func (c *call) attach(id, droplet string) {
	w := c.sim.world
	v, ok := w.volumes.get(c.account(), id)
	d, hasDroplet := w.droplets.get(c.account(), droplet)
	if ok && hasDroplet && v.exists(c.at) && d.exists(c.at) && v.Droplet == "" {
		w.volumes.update(c, v, func(next *volume) { next.Droplet = droplet })
	}
}

// detach detaches the volume, if it is still attached to the droplet.
func (c *call) detach(id, droplet string) {
	volumes := c.sim.world.volumes
	if v, ok := volumes.get(c.account(), id); ok && v.exists(c.at) && v.Droplet == droplet {
		volumes.update(c, v, func(next *volume) { next.Droplet = "" })
	}
}

func volumesAttached(c *call, arg json.RawMessage) {
	var to attachment
	if json.Unmarshal(arg, &to) != nil {
		return
	}
	for _, id := range to.Volumes {
		c.attach(id, to.Droplet)
	}
}

func volumesDetached(c *call, arg json.RawMessage) {
	var from attachment
	if json.Unmarshal(arg, &from) != nil {
		return
	}
	for _, id := range from.Volumes {
		c.detach(id, from.Droplet)
	}
}
