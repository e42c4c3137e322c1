package dosim_test

import (
	"math/big"
	"strings"
	"testing"
)

// The lists are as long as DigitalOcean's, fit each other, and have the prices
// that its documentation gives.
func TestTheCatalogueIsWhole(t *testing.T) {
	s := start(t, with(nil))
	sizes := list(do(t, s, "GET", "/v2/sizes?per_page=200", nil), "sizes")
	regions := list(do(t, s, "GET", "/v2/regions", nil), "regions")
	images := list(do(t, s, "GET", "/v2/images?per_page=200", nil), "images")
	if len(sizes) < 130 || len(regions) != 14 || len(images) < 40 {
		t.Errorf("%d sizes, %d regions and %d images: want 130 sizes, 14 regions and 40 images at least", len(sizes), len(regions), len(images))
	}
	families, prices, last := map[string]int{}, map[string]float64{}, 0.0
	for _, size := range sizes {
		slug, monthly := text(at(size, "slug")), at(size, "price_monthly").(float64)
		family, _, _ := strings.Cut(slug, "-")
		families[family]++
		if _, again := prices[slug]; again || monthly < last {
			t.Errorf("%s is there twice or cheaper than what goes before it", slug)
		}
		prices[slug], last = monthly, monthly
		hourly := at(size, "price_hourly").(float64)
		if off := hourly*672 - monthly; off > 0.01 || off < -0.01 {
			t.Errorf("%s costs %v a month and %v an hour", slug, monthly, hourly)
		}
		for _, region := range at(size, "regions").([]any) {
			if !offers(regions, region, slug) {
				t.Errorf("%s is in %v, which does not offer it", slug, region)
			}
		}
	}
	for _, family := range []string{"s", "c", "c2", "g", "gd", "m", "m3", "m6", "so", "so1_5", "gpu"} {
		if families[family] < 6 {
			t.Errorf("%d sizes of the family %s, want 6 at least", families[family], family)
		}
	}
	for slug, hour := range map[string]string{
		"gpu-mi300x1-192gb": "1.99", "gpu-mi300x8-1536gb": "15.92", "gpu-h100x1-80gb": "3.39", "gpu-h100x8-640gb": "23.92",
		"gpu-l40sx1-48gb": "1.57", "gpu-4000adax1-20gb": "0.76",
	} {
		price, _ := new(big.Rat).SetString(hour)
		if want, _ := price.Mul(price, big.NewRat(672, 1)).Float64(); prices[slug] != want {
			t.Errorf("%s costs %v a month, want %v", slug, prices[slug], want)
		}
	}
	ids := map[string]bool{}
	for _, image := range images {
		for _, key := range []string{text(at(image, "id")), text(at(image, "slug"))} {
			if ids[key] {
				t.Errorf("the image %s is there twice", key)
			}
			ids[key] = true
		}
	}
}

func offers(regions []any, slug any, size string) bool {
	for _, r := range regions {
		if at(r, "slug") == slug {
			for _, s := range at(r, "sizes").([]any) {
				if s == size {
					return true
				}
			}
		}
	}
	return false
}
