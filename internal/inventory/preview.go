package inventory

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/fault"
)

// A ProductLine compares what the inventory makes of one product with what
// DigitalOcean's next invoice says so far.
type ProductLine struct {
	Product string // in the invoice's words
	Ours    Micros
	Theirs  Micros
	Lines   int // of the invoice
	// Explained says why the two may differ; empty where they differ and nothing
	// says why, or do not differ.
	Explained string
}

// Difference is what the invoice says more.
func (l ProductLine) Difference() Micros { return l.Theirs - l.Ours }

// A Comparison is the whole of it.
type Comparison struct {
	Account string
	AsOf    time.Time // when DigitalOcean made the preview
	Month   string
	Lines   []ProductLine // the largest difference first
	Ours    Micros
	Theirs  Micros
}

// Unexplained is the sum of the differences that nothing explains, each without its
// sign.
func (c Comparison) Unexplained() (sum Micros) {
	for _, l := range c.Lines {
		if d := l.Difference(); l.Explained == "" {
			sum += max(d, -d)
		}
	}
	return sum
}

// products are the invoice's words for kinds. They stand in DigitalOcean's API
// description and in what others read of its invoices (reference F).
var products = map[string]string{
	"droplet": "Droplets", "volume": "Volumes", "snapshot": "Droplet Snapshots", "image": "Custom Images", "reserved_ip": "Floating IPs",
	"load_balancer": "Load Balancers", "kubernetes_cluster": "Kubernetes Clusters", "database": "Database Clusters",
	"database_replica": "Database Clusters", "registry": "Container Registry Subscription", "uptime_check": "Uptime Health Check",
	"app": "App Platform",
}

// alike are products that the inventory does not tell from others: a droplet's price
// has its backups in it.
var alike = map[string]string{"Droplet Backups": "Droplets", "Volume Snapshots": "Droplet Snapshots", "Kubernetes Nodes": "Droplets"}

// ComparePreview compares the costs of an account, month to date, with DigitalOcean's
// own preview, product by product, as of when that was made. bill reads invoices.
func (s *Service) ComparePreview(ctx context.Context, account string, bill *digitalocean.Client) (Comparison, error) {
	preview, err := bill.InvoicePreview(ctx)
	if err != nil {
		return Comparison{}, err
	}
	if preview.UpdatedAt.IsZero() {
		return Comparison{}, fault.New(fault.Unavailable, "DigitalOcean does not say when it made the preview of its invoice: it cannot be compared.")
	}
	each, err := s.ResourceCosts(ctx, account, "", preview.UpdatedAt)
	if err != nil {
		return Comparison{}, err
	}
	of := map[string]*ProductLine{}
	line := func(product string) *ProductLine {
		if of[product] == nil {
			of[product] = &ProductLine{Product: product}
		}
		return of[product]
	}
	unpriced := map[string]bool{}
	for _, r := range each {
		product := cmp.Or(products[r.Kind], r.Kind)
		if r.Unpriced > 0 {
			unpriced[product] = true
		}
		if r.MonthToDate != 0 {
			line(product).Ours += r.MonthToDate
		}
	}
	for _, item := range preview.Items {
		l := line(cmp.Or(alike[item.Product], item.Product))
		l.Theirs += Micros(item.Amount.Units(microDigits).Int64())
		l.Lines++
	}
	c := Comparison{Account: account, AsOf: preview.UpdatedAt, Month: preview.Period}
	for _, l := range of {
		l.Explained = l.why(unpriced[l.Product])
		c.Lines, c.Ours, c.Theirs = append(c.Lines, *l), c.Ours+l.Ours, c.Theirs+l.Theirs
	}
	slices.SortFunc(c.Lines, func(a, b ProductLine) int {
		da, db := a.Difference(), b.Difference()
		return cmp.Or(cmp.Compare(max(db, -db), max(da, -da)), strings.Compare(a.Product, b.Product))
	})
	return c, nil
}

// why says why a product's two sums may differ.
func (l *ProductLine) why(unpriced bool) string {
	d := l.Difference()
	switch d = max(d, -d); {
	case d == 0:
		return ""
	case l.Product == "Taxes" || l.Product == "Credits":
		return "not what a resource costs"
	case d <= Micros(l.Lines)*5_000:
		return "each line of the invoice is rounded to a cent"
	case strings.Contains(l.Product, "Bandwidth") || strings.Contains(l.Product, "Spaces"):
		return "billed by use, which no list of resources shows"
	case unpriced:
		return "something of it has no price in the price book"
	}
	return ""
}
