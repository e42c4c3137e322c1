package dosim

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
)

type dropletWire struct {
	ID               int64        `json:"id"`
	Name             string       `json:"name"`
	Memory           int          `json:"memory"`
	VCPUs            int          `json:"vcpus"`
	Disk             int          `json:"disk"`
	DiskInfo         []diskWire   `json:"disk_info"`
	Locked           bool         `json:"locked"`
	Status           string       `json:"status"`
	Kernel           *string      `json:"kernel"` // always null since 2017
	CreatedAt        string       `json:"created_at"`
	Features         []string     `json:"features"`
	BackupIDs        []int64      `json:"backup_ids"`
	NextBackupWindow *windowWire  `json:"next_backup_window"`
	SnapshotIDs      []int64      `json:"snapshot_ids"`
	Image            imageWire    `json:"image"`
	VolumeIDs        []string     `json:"volume_ids"`
	Size             sizeWire     `json:"size"`
	SizeSlug         string       `json:"size_slug"`
	Networks         networksWire `json:"networks"`
	Region           regionWire   `json:"region"`
	Tags             []string     `json:"tags"`
	VPCUUID          string       `json:"vpc_uuid"`
	GPUInfo          *gpuWire     `json:"gpu_info,omitempty"`
}

type windowWire struct {
	Start string `json:"start"`
	End   string `json:"end"`
}

type networksWire struct {
	V4 []networkV4Wire `json:"v4"`
	V6 []networkV6Wire `json:"v6"`
}

type networkV4Wire struct {
	IPAddress string `json:"ip_address"`
	Netmask   string `json:"netmask"`
	Gateway   string `json:"gateway"`
	Type      string `json:"type"`
}

type networkV6Wire struct {
	IPAddress string `json:"ip_address"`
	Netmask   int    `json:"netmask"`
	Gateway   string `json:"gateway"`
	Type      string `json:"type"`
}

// wire is the droplet as the API shows it.
func (d *droplet) wire(c *call) dropletWire {
	cloud := c.sim.world
	size, _ := cloud.sizeAt(d.Size, c.at)
	region, _ := cloud.catalog.region(d.Region)
	image, _ := cloud.image(d.Account, d.Image)
	disk := d.diskSize(cloud)
	w := dropletWire{
		ID: number(d.ID), Name: d.Name, Memory: size.Memory, VCPUs: size.VCPUs, Disk: disk, DiskInfo: slices.Clone(size.DiskInfo),
		Locked: c.pending(d.urn()), Status: d.status(c), CreatedAt: wireTime(d.CreatedAt), Features: append([]string{}, d.Features...),
		BackupIDs: c.snapshotIDs(kindOfBackup, d), NextBackupWindow: d.nextBackup(c), SnapshotIDs: c.snapshotIDs(kindOfSnapshot, d),
		Image: image, VolumeIDs: idsOf(cloud.volumes.under(c, "of:"+d.urn())), Size: size, SizeSlug: size.Slug,
		Networks: networksWire{[]networkV4Wire{}, []networkV6Wire{}}, Region: region, Tags: append([]string{}, d.Tags...),
		VPCUUID: d.VPC, GPUInfo: size.GPUInfo,
	}
	if len(w.DiskInfo) > 0 {
		w.DiskInfo[0].Size.Amount = disk
	}
	if w.Status != statusNew {
		w.Networks = d.networks(cloud)
	}
	return w
}

// appendJSON appends the droplet. Its region, which names every size there, is
// most of it and is not written anew.
func (w dropletWire) appendJSON(b []byte) []byte {
	type plain dropletWire
	b = appendJSON(b, struct {
		plain
		Region *struct{} `json:"region,omitempty"` // hides the other one
	}{plain: plain(w)})
	b = append(b[:len(b)-1], `,"region":`...)
	b = appendJSON(b, w.Region)
	return append(b, '}')
}

// snapshotIDs are those of the droplet's snapshots, or of its backups, that
// lists show.
func (c *call) snapshotIDs(kind string, d *droplet) []int64 {
	ids := []int64{}
	for _, s := range c.sim.world.snapshots.under(c, kind+":"+d.ID) {
		if !c.at.Before(s.List) {
			ids = append(ids, number(s.ID))
		}
	}
	return ids
}

// idsOf returns the ids of things, [] when there are none.
func idsOf[E entity](all []E) []string {
	ids := []string{}
	for _, e := range all {
		ids = append(ids, e.self().ID)
	}
	return ids
}

// networks are the droplet's addresses: its public one, one of the range for
// documentation (RFC 3849), which leads to nobody, and its VPC's.
func (d *droplet) networks(cloud *world) networksWire {
	n := hash(cloud.seed, "address", d.ID)
	v, _ := cloud.vpcs.get(d.Account, d.VPC)
	private, netmask := v.privateAddress(d.Host)
	w := networksWire{V4: []networkV4Wire{{private, netmask, "nil", "private"}}, V6: []networkV6Wire{}}
	if d.PrivateOnly {
		return w
	}
	public := netip.MustParseAddr(d.publicAddress(cloud))
	gateway := public.As4()
	gateway[3] = 1
	w.V4 = append(w.V4, networkV4Wire{public.String(), "255.255.255.0", netip.AddrFrom4(gateway).String(), "public"})
	if slices.Contains(d.Features, "ipv6") {
		subnet := fmt.Sprintf("2001:db8:%x:%x", n>>16&0xffff, n>>32&0xffff)
		w.V6 = append(w.V6, networkV6Wire{subnet + "::" + strconv.FormatUint(0x1001+n%0xe000, 16), 64, subnet + "::1", "public"})
	}
	return w
}
