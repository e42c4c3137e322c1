package dosim

import (
	"strconv"
	"strings"
	"time"
)

// A meter says what the things of one kind are billed for.
type meter struct {
	kind  string
	rates func(w *world, e entity) []rate
}

// meters are of every kind that costs something. To add one: a function that
// says what a thing costs in the state that it is in, and a line here. When a
// rate begins and ends follows from the log.
func meters() []meter {
	return []meter{
		metered(kindDroplet, dropletRates),
		metered(kindSnapshot, snapshotRates),
		metered("volume_snapshot", volumeSnapshotRates),
		metered(kindImage, imageRates),
		metered(kindVolume, volumeRates),
		metered(kindReservedIP, reservedIPRates),
		metered(kindLoadBalancer, loadBalancerRates),
		metered("database", databaseRates),
		metered("database_replica", databaseRates),
		metered(kindCluster, clusterRates),
		metered("registry", registryRates),
		metered("app", appRates),
		metered("nat_gateway", natGatewayRates),
		metered("nfs", shareRates),
		metered("uptime_check", uptimeRates),
	}
}

func metered[E entity](kind string, rates func(w *world, e E) []rate) meter {
	return meter{kind, func(w *world, e entity) []rate {
		mine, ok := e.(E)
		if !ok {
			return nil
		}
		return rates(w, mine)
	}}
}

// A rate is what a thing costs for the time being.
type rate struct {
	what

	code        string // of the product, within the SKUs of billing insights
	id          string // the resource's, where it is a number
	uuid        string // the resource's, where it is one
	group       string
	description string
	region      string
}

// what is billed. When it changes, another line of the invoice begins; a new
// name does not begin one.
type what struct {
	product string // as an invoice calls it
	sku     string // in the price list
	units   string // how many times its price: a number or a fraction, "1/5"
	least   time.Duration
	pool    string // see biller.Usage
}

// dropletRates are the droplet's, on or off, and its backups'. A node of a cluster
// is billed with the cluster.
func dropletRates(w *world, d *droplet) []rate {
	size, ok := w.catalog.size(d.Size)
	if !ok || w.isNode(d) {
		return nil
	}
	least := time.Minute
	if size.GPUInfo != nil {
		least = 5 * time.Minute
	}
	name := d.Name + " (" + size.Slug + ")"
	rates := []rate{{
		what: what{product: productDroplets, sku: size.Slug, units: "1", least: least},
		code: "DO-DROP", id: d.ID, description: name, region: d.Region,
	}}
	if d.Backups != nil {
		share := "1/5"
		if d.Backups.Plan == "daily" {
			share = "3/10"
		}
		rates = append(rates, rate{
			what: what{product: "Droplet Backups", sku: size.Slug, units: share},
			code: "DO-BACK", id: d.ID, description: name, region: d.Region,
		})
	}
	return rates
}

const productDroplets = "Droplets"

// snapshotRates are the snapshot's, which costs the same in however many regions
// it is. Backups are paid for with the droplet.
func snapshotRates(_ *world, s *snapshot) []rate {
	if s.Kind == kindOfBackup {
		return nil
	}
	gb := decimal(s.SizeGigabytes)
	return []rate{{
		what: what{product: "Droplet Snapshots", sku: "droplet_snapshot", units: gb},
		code: "DO-SNAP", id: s.ID, description: s.Name + " (" + gb + " GB)", region: strings.Join(s.Regions[:min(1, len(s.Regions))], ""),
	}}
}

func volumeSnapshotRates(_ *world, s *volumeSnapshot) []rate {
	gib := decimal(s.SizeGigabytes)
	return []rate{{
		what: what{product: "Volume Snapshots", sku: "volume_snapshot", units: gib},
		code: "DO-VSNP", uuid: s.ID, description: s.Name + " (" + gib + " GiB)", region: s.Region,
	}}
}

// imageRates are those of an image that the account brought along, once it is
// imported.
func imageRates(_ *world, i *ownImage) []rate {
	if len(i.Regions) == 0 {
		return nil
	}
	gb := decimal(i.SizeGigabytes)
	return []rate{{
		what: what{product: "Custom Images", sku: "custom_image", units: gb},
		code: "DO-IMG", id: i.ID, description: i.Name + " (" + gb + " GB)", region: i.Region,
	}}
}

func volumeRates(_ *world, v *volume) []rate {
	gib := strconv.Itoa(v.SizeGigabytes)
	return []rate{{
		what: what{product: "Volumes", sku: "volume", units: gib},
		code: "DO-VOL", uuid: v.ID, description: v.Name + " (" + gib + " GiB)", region: v.Region,
	}}
}

// reservedIPRates are for the time in which the address is nobody's.
func reservedIPRates(_ *world, r *reservedIP) []rate {
	if r.Droplet != "" {
		return nil
	}
	return []rate{{
		what: what{product: "Floating IPs", sku: "reserved_ip", units: "1"},
		code: "DO-FLIP", description: "Unused Floating IP - " + r.ID, region: r.Region,
	}}
}

// loadBalancerRates are by its nodes; each number of them is a line of its own.
func loadBalancerRates(_ *world, b *loadBalancer) []rate {
	sku := "load_balancer"
	if b.Type == globalBalancer {
		sku = "load_balancer_global"
	}
	nodes := strconv.Itoa(max(1, b.SizeUnit))
	return []rate{{
		what: what{product: "Load Balancers", sku: sku, units: nodes},
		code: "DO-LB", uuid: b.ID, description: b.Name + " (nodes: " + nodes + ")", region: b.Region,
	}}
}

func decimal(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
