package inventory_test

import (
	"context"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
	"github.com/arcadia-cloud/arcadia/internal/inventory"
)

// TestARemovedAccountIsNoLongerObserved removes an account and adds it again, on either
// engine; one without a token, which may get another, is only not looked at.
func TestARemovedAccountIsNoLongerObserved(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		cloud := dosimtest.Start(t)
		if err := cloud.SetPreset("calm"); err != nil {
			t.Fatal(err)
		}
		y, ctx := newYardOf(t, d, cloud, time.Millisecond, "main"), t.Context()
		keep := []string{"main"}
		watch := inventory.New(d, y.sagas, inventory.Settings{
			Client:   func(context.Context, string) (*digitalocean.Client, error) { return y.reader, nil },
			Accounts: func(context.Context) ([]string, error) { return nil, nil },
			Kept:     func(context.Context) ([]string, error) { return keep, nil },
		})
		id := y.do("POST", "/v2/volumes", map[string]any{"name": "data", "region": "nyc3", "size_gigabytes": 100})["volume"].(map[string]any)["id"].(string)
		urn := "do:volume:" + id
		y.sync("volume", "droplet")
		type sight struct {
			Resources, Deleted, Findings int
			Monthly                      inventory.Micros
			By                           string
		}
		look := func() (s sight) {
			t.Helper()
			_, total, err := y.Costs(ctx, "", inventory.PerAccount, time.Time{})
			if err != nil {
				t.Fatal(err)
			}
			s.Monthly = total.Monthly
			for _, one := range []struct {
				query string
				n     *int
			}{{"urn:" + urn, &s.Resources}, {"deleted:yes urn:" + urn, &s.Deleted}} {
				q, err := inventory.ParseQuery(one.query)
				if err != nil {
					t.Fatal(err)
				}
				l, err := y.Resources(ctx, q, inventory.Page{})
				if err != nil {
					t.Fatal(err)
				}
				*one.n = l.Total
			}
			found, err := y.Findings(ctx, inventory.FindingFilter{})
			if err != nil {
				t.Fatal(err)
			}
			r, err := y.Resource(ctx, urn, time.Time{})
			if err != nil || r.Name != "data" {
				t.Fatalf("%+v, %v", r, err)
			}
			s.Findings, s.By = len(found), r.Ended.By
			return s
		}
		there := look()
		if there.Resources != 1 || there.Deleted != 0 || there.Findings == 0 || there.Monthly < 10_000_000 {
			t.Fatalf("before: %+v", there)
		}
		schedule := func(accounts ...string) {
			t.Helper()
			keep = accounts
			if err := watch.Schedule(ctx); err != nil {
				t.Fatal(err)
			}
		}
		schedule("main") // without a token
		if got := look(); got != there {
			t.Errorf("without a token: %+v, want %+v", got, there)
		}
		schedule("default")
		if got, want := look(), (sight{Deleted: 1, By: inventory.Unobserved}); got != want {
			t.Errorf("when it was removed: %+v, want %+v", got, want)
		}
		if fresh, err := y.Freshness(ctx, "main"); err != nil || len(fresh) != 0 {
			t.Errorf("its kinds are %+v, %v", fresh, err)
		}
		before, err := y.FeedEnd(ctx)
		if err != nil {
			t.Fatal(err)
		}
		schedule("default")
		if after, err := y.FeedEnd(ctx); err != nil || after != before {
			t.Errorf("it was removed twice: %d changes, %v", after-before, err)
		}
		y.sync("volume", "droplet")
		if got := look(); got != there {
			t.Errorf("when it is back: %+v, want %+v", got, there)
		}
	})
}
