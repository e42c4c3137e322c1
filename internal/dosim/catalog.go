package dosim

import (
	"math"
	"slices"
)

// The catalog is what DigitalOcean offers: regions, sizes and public images,
// under DigitalOcean's slugs and prices of November 2026.
type catalog struct {
	regions []regionWire
	sizes   []sizeWire
	images  []imageWire
}

type regionWire struct {
	Name      string   `json:"name"`
	Slug      string   `json:"slug"`
	Features  []string `json:"features"`
	Available bool     `json:"available"`
	Sizes     []string `json:"sizes"`
}

type sizeWire struct {
	Slug         string     `json:"slug"`
	Memory       int        `json:"memory"` // megabytes
	VCPUs        int        `json:"vcpus"`
	Disk         int        `json:"disk"`          // gigabytes
	Transfer     float64    `json:"transfer"`      // terabytes
	PriceMonthly float64    `json:"price_monthly"` // dollars
	PriceHourly  float64    `json:"price_hourly"`  // dollars, rounded: bill by price_monthly/672
	Regions      []string   `json:"regions"`
	Available    bool       `json:"available"`
	Description  string     `json:"description"`
	GPUInfo      *gpuWire   `json:"gpu_info,omitempty"`
	DiskInfo     []diskWire `json:"disk_info"`
}

type gpuWire struct {
	Count int        `json:"count"`
	Model string     `json:"model"`
	VRAM  amountWire `json:"vram"`
}

type diskWire struct {
	Type string     `json:"type"`
	Size amountWire `json:"size"`
}

type amountWire struct {
	Amount int    `json:"amount"`
	Unit   string `json:"unit"`
}

// cappedHours is after how many hours a month costs no more.
const cappedHours = 672

func newCatalog() catalog {
	names := [][2]string{
		{"nyc1", "New York 1"}, {"nyc2", "New York 2"}, {"nyc3", "New York 3"}, {"sfo2", "San Francisco 2"},
		{"sfo3", "San Francisco 3"}, {"ams3", "Amsterdam 3"}, {"sgp1", "Singapore 1"}, {"lon1", "London 1"},
		{"fra1", "Frankfurt 1"}, {"tor1", "Toronto 1"}, {"blr1", "Bangalore 1"}, {"syd1", "Sydney 1"},
	}
	var everywhere []string
	for _, n := range names {
		everywhere = append(everywhere, n[0])
	}
	without := func(slugs ...string) []string {
		return slices.DeleteFunc(slices.Clone(everywhere), func(r string) bool { return slices.Contains(slugs, r) })
	}
	older := without("syd1", "sfo2")

	c := catalog{
		sizes: []sizeWire{
			size("s-1vcpu-512mb-10gb", "Basic", 512, 1, 10, 0.5, 4, without("nyc2", "sfo2")),
			size("s-1vcpu-1gb", "Basic", 1024, 1, 25, 1, 6, everywhere),
			size("s-1vcpu-1gb-amd", "Basic AMD", 1024, 1, 25, 1, 7, older),
			size("s-1vcpu-1gb-intel", "Basic Intel", 1024, 1, 25, 1, 7, older),
			size("s-1vcpu-2gb", "Basic", 2048, 1, 50, 2, 12, everywhere),
			size("s-2vcpu-2gb", "Basic", 2048, 2, 60, 3, 18, everywhere),
			size("s-2vcpu-4gb", "Basic", 4096, 2, 80, 4, 24, everywhere),
			size("s-4vcpu-8gb", "Basic", 8192, 4, 160, 5, 48, everywhere),
			size("s-8vcpu-16gb", "Basic", 16384, 8, 320, 6, 96, everywhere),
			size("c-2", "CPU-Optimized", 4096, 2, 25, 4, 42, older),
			size("c-4", "CPU-Optimized", 8192, 4, 50, 5, 84, older),
			size("c-8", "CPU-Optimized", 16384, 8, 100, 6, 168, older),
			size("g-2vcpu-8gb", "General Purpose", 8192, 2, 25, 4, 63, older),
			size("g-4vcpu-16gb", "General Purpose", 16384, 4, 50, 5, 126, older),
			size("m-2vcpu-16gb", "Memory-Optimized", 16384, 2, 50, 4, 84, older),
			size("m-4vcpu-32gb", "Memory-Optimized", 32768, 4, 100, 6, 168, older),
			size("so-2vcpu-16gb", "Storage-Optimized", 16384, 2, 300, 4, 131, older),
			gpuSize("gpu-4000adax1-20gb", "RTX 4000 Ada GPU - 1X", 32768, 8, 500, 10, 0.76, 1, "nvidia_rtx4000_ada", 20, "tor1"),
			gpuSize("gpu-l40sx1-48gb", "L40S GPU - 1X", 65536, 8, 500, 10, 1.57, 1, "nvidia_l40s", 48, "tor1"),
			gpuSize("gpu-mi300x1-192gb", "MI300X GPU - 1X", 245760, 20, 720, 15, 1.99, 1, "amd_mi300x", 192, "nyc2"),
			gpuSize("gpu-h100x1-80gb", "H100 GPU - 1X", 245760, 20, 720, 15, 3.39, 1, "nvidia_h100", 80, "tor1", "nyc2"),
			gpuSize("gpu-h100x8-640gb", "H100 GPU - 8X", 1966080, 160, 2046, 60, 23.92, 8, "nvidia_h100", 640, "tor1", "nyc2"),
		},
		images: []imageWire{
			publicImage(195932981, "ubuntu-24-04-x64", "24.04 (LTS) x64", "Ubuntu", "base", 7, 2.71, "2025-07-21T15:28:04Z", everywhere),
			publicImage(194800441, "ubuntu-22-04-x64", "22.04 (LTS) x64", "Ubuntu", "base", 7, 2.42, "2025-07-08T16:02:45Z", everywhere),
			publicImage(192843022, "debian-12-x64", "12 x64", "Debian", "base", 7, 1.98, "2025-06-18T17:09:30Z", everywhere),
			publicImage(189914331, "fedora-42-x64", "42 x64", "Fedora", "base", 15, 1.83, "2025-05-15T13:51:12Z", everywhere),
			publicImage(187002114, "rockylinux-9-x64", "9 x64", "Rocky Linux", "base", 10, 2.11, "2025-04-10T18:20:51Z", everywhere),
			publicImage(185741902, "centos-stream-9-x64", "Stream 9 x64", "CentOS", "base", 10, 2.05, "2025-03-27T12:44:09Z", everywhere),
			publicImage(188377015, "docker-20-04", "Docker on Ubuntu 22.04", "Ubuntu", "snapshot", 25, 3.68, "2025-04-28T09:37:26Z", everywhere),
			publicImage(191206673, "gpu-h100x1-base", "AI/ML Ready H100x1", "Ubuntu", "base", 25, 18.47, "2025-05-30T15:35:19Z", everywhere),
		},
	}
	for _, n := range names {
		r := regionWire{
			Name: n[1], Slug: n[0], Available: true,
			Features: []string{"backups", "ipv6", "metadata", "install_agent", "storage", "image_transfer"},
		}
		for _, s := range c.sizes {
			if slices.Contains(s.Regions, r.Slug) {
				r.Sizes = append(r.Sizes, s.Slug)
			}
		}
		c.regions = append(c.regions, r)
	}
	return c
}

func size(slug, description string, memory, vcpus, disk int, transfer, monthly float64, regions []string) sizeWire {
	// DigitalOcean keeps the hourly price as a 32-bit float of five decimals.
	hourly := float64(float32(math.Round(monthly/cappedHours*1e5) / 1e5))
	return sizeWire{
		Slug: slug, Memory: memory, VCPUs: vcpus, Disk: disk, Transfer: transfer,
		PriceMonthly: monthly, PriceHourly: hourly, Regions: regions, Available: true, Description: description,
		DiskInfo: []diskWire{{"local", amountWire{disk, "gib"}}},
	}
}

func gpuSize(slug, description string, memory, vcpus, disk int, transfer, hourly float64, count int, model string, vram int, regions ...string) sizeWire {
	s := size(slug, description, memory, vcpus, disk, transfer, math.Round(hourly*cappedHours*100)/100, regions)
	s.PriceHourly = hourly
	s.GPUInfo = &gpuWire{count, model, amountWire{vram, "gib"}}
	s.DiskInfo = append(s.DiskInfo, diskWire{"scratch", amountWire{5120 * count, "gib"}})
	return s
}

func publicImage(id int64, slug, name, distribution, kind string, minDisk int, size float64, created string, regions []string) imageWire {
	return imageWire{
		ID: id, Name: name, Type: kind, Distribution: distribution, Slug: &slug, Public: true, Regions: regions,
		CreatedAt: created, MinDiskSize: minDisk, SizeGigabytes: size, Description: distribution + " " + name, Tags: []string{}, Status: "available",
	}
}

func (c catalog) region(slug string) (regionWire, bool) {
	return find(c.regions, func(r regionWire) bool { return r.Slug == slug })
}

func (c catalog) size(slug string) (sizeWire, bool) {
	return find(c.sizes, func(s sizeWire) bool { return s.Slug == slug })
}

func (c catalog) image(id string) (imageWire, bool) {
	n := number(id)
	return find(c.images, func(i imageWire) bool { return i.ID == n })
}

func (c catalog) imageBySlug(slug string) (imageWire, bool) {
	return find(c.images, func(i imageWire) bool { return *i.Slug == slug })
}

func find[T any](all []T, is func(T) bool) (T, bool) {
	if i := slices.IndexFunc(all, is); i >= 0 {
		return all[i], true
	}
	var none T
	return none, false
}
