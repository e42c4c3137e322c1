package dosim

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// maxCreated is how many droplets one request makes, and maxUserData how many
// bytes each may be told.
const (
	maxCreated  = 10
	maxUserData = 64 << 10
)

type createDropletBody struct {
	Name         *string           `json:"name"`
	Names        []string          `json:"names"` // in place of name: one droplet for each
	Region       string            `json:"region"`
	Size         string            `json:"size"`
	Image        json.RawMessage   `json:"image"`    // an id or a slug
	SSHKeys      []json.RawMessage `json:"ssh_keys"` // ids or fingerprints
	Backups      bool              `json:"backups"`
	BackupPolicy *backupPolicy     `json:"backup_policy"`
	IPv6         bool              `json:"ipv6"`
	Monitoring   bool              `json:"monitoring"`
	Tags         []string          `json:"tags"`
	UserData     string            `json:"user_data"`
	Volumes      []volumeNamed     `json:"volumes"`
	VPCUUID      string            `json:"vpc_uuid"`
	Agent        *bool             `json:"with_droplet_agent"`
	Public       *bool             `json:"public_networking"`
}

// A volumeNamed is a volume of a create: its id, or as godo writes it, an
// object with the id or the name.
type volumeNamed struct{ ID, Name string }

func (v *volumeNamed) UnmarshalJSON(b []byte) error {
	if json.Unmarshal(b, &v.ID) == nil {
		return nil
	}
	var o struct{ ID, Name string }
	err := json.Unmarshal(b, &o)
	*v = volumeNamed(o)
	return err
}

// createDroplet makes one droplet, or several that are alike but for their names.
func createDroplet(c *call) answer {
	var body createDropletBody
	if !c.decode(&body) {
		return invalidJSON()
	}
	names := body.Names
	if len(names) == 0 {
		names = []string{""}
		if body.Name != nil {
			names[0] = *body.Name
		}
	}
	switch {
	case len(names) > maxCreated:
		return unprocessable(fmt.Sprintf("You can create up to %d Droplets at a time.", maxCreated))
	case c.sim.world.droplets.reaches(c, c.sim.params.number(paramDropletLimit)+1-len(names)):
		return unprocessable("creating this/these droplet(s) will exceed your droplet limit")
	}
	var all []*droplet
	for _, name := range names {
		body.Name = &name
		d, err := body.droplet(c)
		if err != nil {
			return unprocessable(err.Error())
		}
		all = append(all, d)
	}
	volumes, err := body.volumes(c, all[0].Region, len(all))
	if err != nil {
		return unprocessable(err.Error())
	}
	wires, links := []dropletWire{}, []actionLink{}
	for _, d := range all {
		c.place(d)
		d = c.sim.world.droplets.create(c, d)
		c.imprint(d.urn(), c.filesOfImage(d.Image))
		begin, then := d.action("create"), ""
		for _, v := range volumes {
			begin.Holds, then = append(begin.Holds, volumeURN(v.ID)), dutyVolumeAttached
		}
		a := c.act(begin, c.sim.params.duration(paramDropletCreate), then, attachment{Droplet: d.ID, Volumes: idsOf(volumes)})
		c.scheduleBackup(d)
		c.bootWith(d, body.UserData, a)
		wires, links = append(wires, d.wire(c)), append(links, c.link(a))
	}
	shown := map[string]any{"droplet": wires[0], "links": map[string]any{"actions": links}}
	if len(body.Names) > 0 {
		shown = map[string]any{"droplets": wires, "links": map[string]any{"actions": links}}
	}
	return answer{http.StatusAccepted, shown}
}

// droplet is the droplet that the body describes, or DigitalOcean's objection.
func (b createDropletBody) droplet(c *call) (*droplet, error) {
	if b.Name == nil || !isHostname(*b.Name) {
		return nil, errors.New("Only valid hostname characters are allowed. (a-z, A-Z, 0-9, . and -)")
	}
	catalog := c.sim.world.catalog
	size, ok := catalog.size(b.Size)
	if !ok {
		return nil, errors.New("You specified an invalid size for Droplet creation.")
	}
	region, ok := find(catalog.regions, func(r regionWire) bool {
		return strings.HasPrefix(r.Slug, b.Region) && slices.Contains(r.Sizes, size.Slug)
	})
	if !ok {
		if _, known := catalog.region(b.Region); known {
			return nil, errors.New("Size is not available in this region.")
		}
		return nil, errors.New("You specified an invalid region for Droplet creation.")
	}
	image, err := c.imageFor(b.Image, region.Slug, size.Disk)
	if err != nil {
		return nil, err
	}
	for _, t := range b.Tags {
		if !isTag(t) {
			return nil, fmt.Errorf("%q is not a valid tag name.", t)
		}
	}
	if err := c.checkKeys(b.SSHKeys); err != nil {
		return nil, err
	}
	if len(b.UserData) > maxUserData {
		return nil, errors.New("User data is too long (maximum is 64 KiB).")
	}
	network, err := c.networkIn(region.Slug, b.VPCUUID)
	if err != nil {
		return nil, err
	}
	d := &droplet{
		Name: *b.Name, Region: region.Slug, Size: size.Slug, Image: strconv.FormatInt(image.ID, 10), Features: []string{},
		networked: network, PrivateOnly: b.Public != nil && !*b.Public, tagged: tagged{Tags: append([]string{}, b.Tags...)},
	}
	if b.Backups {
		policy, err := backupPolicyFor(b.BackupPolicy, c.sim.seed)
		if err != nil {
			return nil, err
		}
		d.Backups = &backupsOn{policy, c.at}
	}
	for _, f := range []struct {
		name string
		on   bool
	}{
		{"backups", b.Backups}, {"monitoring", b.Monitoring}, {"droplet_agent", b.Agent == nil || *b.Agent}, {"ipv6", b.IPv6},
		{"private_networking", true},
	} {
		if f.on {
			d.Features = append(d.Features, f.name)
		}
	}
	return d, nil
}

// imageFor finds the image that the body of a request names, or says why a
// droplet in the region with such a disk, in gigabytes, cannot be made of it.
func (c *call) imageFor(named json.RawMessage, region string, disk int) (imageWire, error) {
	image, ok := c.imageNamed(strings.Trim(string(named), `"`))
	switch {
	case !ok || image.Status != imageAvailable:
		return image, errors.New("You specified an invalid image for Droplet creation.")
	case !slices.Contains(image.Regions, region):
		return image, errors.New("The image is not available in this region.")
	case image.MinDiskSize > disk:
		return image, errors.New("This size can not be used with this image: its disk is too small.")
	}
	return image, nil
}

// checkKeys objects to keys that the account does not show. One that was added
// a moment ago may be among them.
func (c *call) checkKeys(keys []json.RawMessage) error {
	var unknown []string
	for _, k := range keys {
		id := strings.Trim(string(k), `"`)
		if _, ok := c.sshKeyNamed(id); !ok {
			unknown = append(unknown, id)
		}
	}
	if len(unknown) > 0 {
		return fmt.Errorf("%s are invalid key identifiers for Droplet creation.", strings.Join(unknown, ", "))
	}
	return nil
}

// volumes finds the volumes that a droplet is created with.
func (b createDropletBody) volumes(c *call, region string, droplets int) ([]*volume, error) {
	if len(b.Volumes) > 0 && droplets > 1 {
		return nil, errors.New("A volume can be attached to one Droplet only.")
	}
	if len(b.Volumes) > maxVolumes {
		return nil, tooManyVolumes()
	}
	var all []*volume
	for _, named := range b.Volumes {
		v, ok := c.sim.world.volumes.find(c, named.ID)
		if named.Name != "" {
			v, ok = c.volumeCalled(named.Name, region)
		}
		switch {
		case !ok:
			return nil, errors.New("You specified an invalid volume for Droplet creation.")
		case v.Region != region:
			return nil, errors.New("The volume and the Droplet must be in the same region.")
		case v.Droplet != "" || c.pending(v.urn()):
			return nil, errors.New("This volume is already attached")
		}
		all = append(all, v)
	}
	return all, nil
}

// isHostname is DigitalOcean's pattern for a droplet's name,
// ^[a-zA-Z0-9]?[a-z0-9A-Z.\-]*[a-z0-9A-Z]$, and at most 255 long.
func isHostname(s string) bool {
	return s != "" && len(s) <= 255 && onlyAlnumAnd(s, ".-") && onlyAlnumAnd(s[len(s)-1:], "")
}

func onlyAlnumAnd(s, others string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		return !letter && (r < '0' || r > '9') && !strings.ContainsRune(others, r)
	})
}
