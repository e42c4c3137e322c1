package inventory

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/period"
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
	"database_replica": "Database Clusters", "registry_subscription": "Container Registry Subscription", "uptime_check": "Uptime Health Check",
	"app": "App Platform",
}

// alike are products that the inventory does not tell from others: a droplet's price
// has its backups in it.
var alike = map[string]string{"Droplet Backups": "Droplets", "Volume Snapshots": "Droplet Snapshots"}

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
	nodes, unsure, err := s.previewDoubts(ctx, account, MonthOf(preview.UpdatedAt).From, preview.UpdatedAt)
	if err != nil {
		return Comparison{}, err
	}
	product := func(urn, kind string) string {
		if nodes[urn] { // which the invoice bills with its cluster
			kind = kubernetesCluster.Name
		}
		return cmp.Or(products[kind], kind)
	}
	unpriced, doubt := map[string]bool{}, map[string]Micros{}
	for urn, r := range unsure {
		doubt[product(urn, r.Kind)] += r.MonthToDate
	}
	for _, r := range each {
		product := product(r.URN, r.Kind)
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
		l.Explained = l.why(unpriced[l.Product], doubt[l.Product])
		c.Lines, c.Ours, c.Theirs = append(c.Lines, *l), c.Ours+l.Ours, c.Theirs+l.Theirs
	}
	slices.SortFunc(c.Lines, func(a, b ProductLine) int {
		da, db := a.Difference(), b.Difference()
		return cmp.Or(cmp.Compare(max(db, -db), max(da, -da)), strings.Compare(a.Product, b.Product))
	})
	return c, nil
}

// why says why a product's two sums may differ.
func (l *ProductLine) why(unpriced bool, doubt Micros) string {
	d := l.Difference()
	more := d - doubt // than what there may have been before it was seen
	switch d = max(d, -d); {
	case d == 0:
		return ""
	case l.Product == "Taxes" || l.Product == "Credits":
		return "not what a resource costs"
	case d <= Micros(l.Lines)*5_000:
		return "each line of the invoice is rounded to a cent"
	case d == l.Difference() && more <= Micros(l.Lines)*5_000 && doubt > 0:
		return "nobody knows since when some of it has been there: it was at the first look"
	case strings.Contains(l.Product, "Bandwidth") || strings.Contains(l.Product, "Spaces"):
		return "billed by use, which no list of resources shows"
	case unpriced:
		return "something of it has no price in the price book"
	}
	return ""
}

// previewDoubts are what tells the invoice's words from ours: the droplets that are
// nodes of clusters, and the resources that were there at the first look and do not
// say since when, each with what it would have cost from the month's beginning until
// that look or, where that is earlier, until at.
func (s *Service) previewDoubts(ctx context.Context, account string, from, at time.Time) (nodes map[string]bool, unsure map[string]ResourceCost, err error) {
	nodes, unsure = map[string]bool{}, map[string]ResourceCost{}
	err = db.Each(ctx, s.db.Read(), func(rows *sql.Rows) error {
		var urn string
		err := rows.Scan(&urn)
		nodes[urn] = true
		return err
	}, `SELECT DISTINCT urn FROM inv_versions WHERE kind = 'droplet' AND account = $1 AND CAST(tags AS TEXT) LIKE '%"k8s:%'`, account)
	if err != nil {
		return nil, nil, err
	}
	err = db.Each(ctx, s.db.Read(), func(rows *sql.Rows) error {
		var (
			r             ResourceCost
			monthly, born int64
		)
		err := rows.Scan(&r.URN, &r.Kind, &monthly, &born)
		r.MonthToDate = CostOf(Micros(monthly), period.Earlier(db.Time(born), at).Sub(from))
		unsure[r.URN] = r
		return err
	}, `SELECT r.urn, r.kind, v.monthly, r.born_to FROM inv_resources r JOIN inv_versions v ON v.urn = r.urn AND v.version = 1
		WHERE r.account = $1 AND r.born_from IS NULL AND r.born_to > $2 AND v.monthly IS NOT NULL`, account, db.Micros(from))
	return nodes, unsure, err
}
