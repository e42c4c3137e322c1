package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
)

// A CatalogOverview is a catalog in few words.
type CatalogOverview struct {
	Currency    string `json:"currency" example:"EUR"`
	Plans       int    `json:"plans" doc:"Versions of plans."`
	Meters      int    `json:"meters"`
	Taxes       int    `json:"taxes" doc:"Rates of taxes."`
	Coupons     int    `json:"coupons"`
	Used        int    `json:"used" doc:"Entries that a subscription has used, which never change."`
	Withdrawn   int    `json:"withdrawn" doc:"Entries that nobody gets anew."`
	LastAddedAt Time   `json:"last_added_at" format:"date-time"`
	LastAddedBy string `json:"last_added_by"`
}

// A CatalogEntry is a meter, a tax's rate, a version of a plan, or a coupon.
type CatalogEntry struct {
	Kind     string          `json:"kind" enum:"meter,tax,plan,coupon"`
	ID       string          `json:"id"`
	Version  *string         `json:"version" doc:"Of a plan; of a tax from when the rate is."`
	Offered  bool            `json:"offered" doc:"Subscriptions can get it anew."`
	UsedAt   *Time           `json:"used_at" format:"date-time" doc:"Since when a subscription uses it; it never changes after that."`
	AddedAt  Time            `json:"added_at" format:"date-time"`
	AddedBy  string          `json:"added_by"`
	Document json.RawMessage `json:"document" doc:"As it stands in the file."`
	Holdings []Holding       `json:"holdings,omitempty" doc:"Of a plan: who has it now, and who is to have it."`
}

// A Holding is an item of a subscription that has a version of a plan, or is to have it.
type Holding struct {
	Subscription string  `json:"subscription" example:"sub_0193a4c0d1e2738fa1b2c3d4e5f60718"`
	Tenant       string  `json:"tenant" doc:"Its slug."`
	Zone         string  `json:"zone" doc:"Of the subscription's dates."`
	Item         string  `json:"item"`
	Quantity     string  `json:"quantity"`
	From         *Time   `json:"from" format:"date-time" doc:"null: it has it; else from then on."`
	Until        *Time   `json:"until" format:"date-time" doc:"From then on it has another plan, or none; null: nothing is known to come."`
	Next         *string `json:"next" doc:"The plan that it has then; null: none."`
}

// A Catalog is what can be sold in one currency.
type Catalog struct {
	Currency string          `json:"currency"`
	Entries  []CatalogEntry  `json:"entries" nullable:"false"`
	Document json.RawMessage `json:"document" doc:"All entries as one file that can be applied; those that were withdrawn are not in it."`
}

// A CatalogFile asks that a catalog be what a file says.
type CatalogFile struct {
	Name     string `json:"name,omitempty" doc:"Of the file, for what is wrong with it."`
	Document string `json:"document" doc:"The file: YAML or JSON."`
	DryRun   bool   `json:"dry_run,omitempty" doc:"Only say what would become of it."`
	Expect   string `json:"expect,omitempty" doc:"The fingerprint of a dry run: refuse where anything has changed since."`
}

// A CatalogApplied is what became, or would become, of a catalog.
type CatalogApplied struct {
	Currency    string          `json:"currency"`
	Done        bool            `json:"done" doc:"It was written: not in a dry run, and not where an entry is refused."`
	Fingerprint string          `json:"fingerprint"`
	Changes     []CatalogChange `json:"changes" nullable:"false" doc:"Of all entries, unchanged ones included."`
	Counting    []MeterOutcome  `json:"counting" nullable:"false" doc:"Meters of the file by which usage is counted from now on, or otherwise than it was."`
}

// A CatalogChange is what becomes of one entry.
type CatalogChange struct {
	Kind    string        `json:"kind" enum:"meter,tax,plan,coupon"`
	ID      string        `json:"id"`
	Version *string       `json:"version"`
	Action  string        `json:"action" enum:"added,changed,unchanged,removed,withdrawn,restored,refused"`
	Fields  []ValueChange `json:"fields" nullable:"false" doc:"Of an entry that is changed, or should be."`
	Why     string        `json:"why,omitempty" doc:"Of a refusal."`
}

// A ValueChange is a field that is another; an empty text is no value.
type ValueChange struct {
	Field  string `json:"field" example:"charges[fee].price"`
	Before string `json:"before"`
	After  string `json:"after"`
}

// Catalogs lists the catalogs, by currency.
func (c *Client) Catalogs(ctx context.Context) (list List[CatalogOverview], err error) {
	_, err = c.call(ctx, http.MethodGet, "/v1/catalogs", nil, nil, nil, &list)
	return list, err
}

// Catalog reads the catalog in a currency.
func (c *Client) Catalog(ctx context.Context, currency string) (got Catalog, err error) {
	_, err = c.call(ctx, http.MethodGet, "/v1/catalogs/"+url.PathEscape(currency), nil, nil, nil, &got)
	return got, err
}

// ApplyCatalog makes a catalog what a file says.
func (c *Client) ApplyCatalog(ctx context.Context, f CatalogFile) (done CatalogApplied, err error) {
	_, err = c.call(ctx, http.MethodPost, "/v1/catalogs", nil, nil, f, &done)
	return done, err
}
