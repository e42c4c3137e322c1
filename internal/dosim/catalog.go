package dosim

import (
	"cmp"
	_ "embed"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/goccy/go-yaml"
)

// The catalog is what DigitalOcean offers: regions, sizes and public images,
// under DigitalOcean's slugs and prices of November 2026.
type catalog struct {
	regions []regionWire
	sizes   []sizeWire
	images  []imageWire

	bySlug map[string]sizeWire
}

type regionWire struct {
	Name      string   `json:"name"`
	Slug      string   `json:"slug"`
	Features  []string `json:"features"`
	Available bool     `json:"available"`
	Sizes     []string `json:"sizes"`

	text []byte // all of this as JSON, written once
}

func (r regionWire) appendJSON(b []byte) []byte { return append(b, r.text...) }

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

//go:embed catalog.yaml
var catalogText []byte

// A catalogFile is what catalog.yaml has.
type catalogFile struct {
	Regions []struct {
		Slug   string `yaml:"slug"`
		Name   string `yaml:"name"`
		Closed bool   `yaml:"closed"` // nothing new is made there
	} `yaml:"regions"`
	Families []struct {
		Description string   `yaml:"description"`
		Regions     []string `yaml:"regions"`
		Sizes       string   `yaml:"sizes"` // a row each
	} `yaml:"families"`
	GPUs []struct {
		Slug     string   `yaml:"slug"`
		Name     string   `yaml:"name"`
		VCPUs    int      `yaml:"vcpus"`
		Memory   int      `yaml:"memory"`
		Disk     int      `yaml:"disk"`
		Transfer float64  `yaml:"transfer"`
		Hourly   float64  `yaml:"hourly"`
		Count    int      `yaml:"count"`
		Model    string   `yaml:"model"`
		VRAM     int      `yaml:"vram"`
		Regions  []string `yaml:"regions"`
	} `yaml:"gpus"`
	Images []struct {
		Distribution string `yaml:"distribution"`
		Application  bool   `yaml:"application"`
		Rows         string `yaml:"rows"`
	} `yaml:"images"`
}

// offered is the catalog, the cheapest size first. It is to be read.
var offered = sync.OnceValue(func() catalog {
	var f catalogFile
	if err := yaml.UnmarshalWithOptions(catalogText, &f, yaml.Strict()); err != nil {
		panic("dosim: catalog.yaml: " + err.Error())
	}
	c := catalog{sizes: f.sizes(), bySlug: map[string]sizeWire{}}
	for _, s := range c.sizes {
		c.bySlug[s.Slug] = s
	}
	var open []string
	for _, r := range f.Regions {
		region := regionWire{
			Name: r.Name, Slug: r.Slug, Available: !r.Closed, Sizes: []string{},
			Features: []string{"backups", "ipv6", "metadata", "install_agent", "storage", "image_transfer"},
		}
		for _, s := range c.sizes {
			if slices.Contains(s.Regions, r.Slug) {
				region.Sizes = append(region.Sizes, s.Slug)
			}
		}
		if !r.Closed {
			open = append(open, r.Slug)
		}
		var err error
		if region.text, err = json.Marshal(region); err != nil {
			panic("dosim: catalog.yaml: " + err.Error())
		}
		c.regions = append(c.regions, region)
	}
	c.images = f.images(open)
	return c
})

// rows calls f with the fields of each line of a table.
func rows(table string, fields int, f func(of []string)) {
	for line := range strings.Lines(table) {
		of := strings.Fields(line)
		if len(of) < fields {
			panic("dosim: catalog.yaml: a row is short: " + line)
		}
		f(of)
	}
}

// figure is the number in a field of a table.
func figure(field string) float64 {
	n, err := strconv.ParseFloat(field, 64)
	if err != nil {
		panic("dosim: catalog.yaml: " + err.Error())
	}
	return n
}

func (f catalogFile) sizes() []sizeWire {
	var all []sizeWire
	for _, family := range f.Families {
		rows(family.Sizes, 6, func(of []string) {
			disk, monthly := int(figure(of[3])), figure(of[5])
			all = append(all, sizeWire{
				Slug: of[0], VCPUs: int(figure(of[1])), Memory: int(figure(of[2])), Disk: disk, Transfer: figure(of[4]),
				PriceMonthly: monthly, PriceHourly: hourly(monthly), Regions: family.Regions, Available: true, Description: family.Description,
				DiskInfo: []diskWire{{"local", amountWire{disk, "gib"}}},
			})
		})
	}
	for _, g := range f.GPUs {
		all = append(all, sizeWire{
			Slug: g.Slug, VCPUs: g.VCPUs, Memory: g.Memory, Disk: g.Disk, Transfer: g.Transfer,
			PriceMonthly: math.Round(g.Hourly*cappedHours*100) / 100, PriceHourly: g.Hourly, Regions: g.Regions, Available: true, Description: g.Name,
			GPUInfo:  &gpuWire{g.Count, g.Model, amountWire{g.VRAM, "gib"}},
			DiskInfo: []diskWire{{"local", amountWire{g.Disk, "gib"}}, {"scratch", amountWire{5120 * g.Count, "gib"}}},
		})
	}
	slices.SortStableFunc(all, func(a, b sizeWire) int { return cmp.Compare(a.PriceMonthly, b.PriceMonthly) })
	return all
}

// hourly is what DigitalOcean tells of a month's price: a 32-bit float of five decimals.
func hourly(monthly float64) float64 {
	return float64(float32(math.Round(monthly/cappedHours*1e5) / 1e5))
}

func (f catalogFile) images(regions []string) []imageWire {
	var all []imageWire
	for _, group := range f.Images {
		kind := "base"
		if group.Application {
			kind = "snapshot"
		}
		rows(group.Rows, 6, func(of []string) {
			name := strings.Join(of[5:], " ")
			all = append(all, imageWire{
				ID: int64(figure(of[0])), Slug: &of[1], Name: name, Type: kind, Distribution: group.Distribution, Public: true, Regions: regions,
				CreatedAt: of[4] + "T15:28:04Z", MinDiskSize: int(figure(of[2])), SizeGigabytes: figure(of[3]),
				Description: group.Distribution + " " + name, Tags: []string{}, Status: imageAvailable,
			})
		})
	}
	return all
}

func (c catalog) region(slug string) (regionWire, bool) {
	return find(c.regions, func(r regionWire) bool { return r.Slug == slug })
}

func (c catalog) size(slug string) (sizeWire, bool) {
	s, ok := c.bySlug[slug]
	return s, ok
}

// sizeAt is the size at what it costs then.
func (w *world) sizeAt(slug string, at time.Time) (sizeWire, bool) {
	s, ok := w.catalog.size(slug)
	if !ok || len(w.prices.all) == 0 {
		return s, ok
	}
	for _, p := range w.pricesOf(slug) {
		if monthly, _ := p.price.Float64(); !p.since.After(at) && monthly != s.PriceMonthly {
			s.PriceMonthly, s.PriceHourly = monthly, hourly(monthly)
		}
	}
	return s, true
}

// sizesAt are all sizes at what they cost then.
func (w *world) sizesAt(at time.Time) []sizeWire {
	if len(w.prices.all) == 0 {
		return w.catalog.sizes
	}
	all := slices.Clone(w.catalog.sizes)
	for i := range all {
		all[i], _ = w.sizeAt(all[i].Slug, at)
	}
	return all
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
