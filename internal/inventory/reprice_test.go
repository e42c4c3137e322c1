package inventory

import (
	"database/sql"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// priceVolumesBy has a GiB cost so much from days on, for the length of a test.
func priceVolumesBy(t *testing.T, dated string) {
	t.Helper()
	b, err := ReadBook("book.yaml", []byte("prices:\n"+dated))
	if err != nil {
		t.Fatal(err)
	}
	was := Prices
	Prices = func() *Book { return b }
	t.Cleanup(func() { Prices = was })
}

func volumePrice(monthly string, from time.Time) string {
	return `  - {sku: volume, unit: GiB, monthly: "` + monthly + `", from: ` + from.Format(time.DateOnly) + `, source: x, checked: true}` + "\n"
}

// TestPricesReachWhatIsThere changes the price book under a volume of 100 GiB: by
// correcting it, and by a price that counts from a day on. What a kind that nobody
// knows any more left behind is in nobody's way.
func TestPricesReachWhatIsThere(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		sagas, err := saga.New(d, saga.Options{})
		if err != nil {
			t.Fatal(err)
		}
		ctx := t.Context()
		today := time.Now().UTC().Truncate(24 * time.Hour)
		month := MonthOf(MonthOf(today).From.Add(-time.Second)) // the one before
		cut := month.From.AddDate(0, 0, 10)
		long := cut.AddDate(0, 0, -60)
		err = d.Write(ctx, func(tx *sql.Tx) error {
			for _, kind := range []string{"volume", "micro_machine"} {
				_, err := tx.ExecContext(ctx, `INSERT INTO inv_resources (urn, account, kind, id, parent, version, hash, first_seen, last_changed, born_from, born_to, born_by)
					VALUES ($1, 'main', $2, '1', '', 1, 'h', $3, $3, $3, $3, 'document')`, "do:"+kind+":1", kind, db.Micros(long))
				if err != nil {
					return err
				}
				_, err = tx.ExecContext(ctx, `INSERT INTO inv_versions (urn, version, at, account, kind, id, gone, name, region, status, size, project, tags, tag_lines, words, doc)
					VALUES ($1, 1, $3, 'main', $2, '1', FALSE, 'data', '', '', '', '', '[]', '', '', '{"id":"1","size_gigabytes":100}')`, "do:"+kind+":1", kind, db.Micros(long))
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		s := New(d, sagas, Settings{})
		cost := func(at time.Time) ResourceCost {
			t.Helper()
			all, err := s.ResourceCosts(ctx, "", "do:volume:1", at)
			if err != nil || len(all) != 1 {
				t.Fatalf("the costs are %+v, %v", all, err)
			}
			return all[0]
		}
		book := func(dated ...string) {
			t.Helper()
			text := ""
			for _, line := range dated {
				text += line
			}
			priceVolumesBy(t, text)
			if err := s.reprice(ctx); err != nil {
				t.Fatal(err)
			}
		}
		if got := cost(time.Time{}); got.Unpriced != 1 {
			t.Fatalf("without a price it costs %+v", got.Cost)
		}
		book(volumePrice("0.10", long.AddDate(0, -1, 0)))
		if got := cost(time.Time{}); got.Monthly != 10_000_000 || got.Unpriced != 0 {
			t.Errorf("at 0.10 it costs %+v, want 10 dollars", got.Cost)
		}
		book(volumePrice("0.20", long.AddDate(0, -1, 0)), volumePrice("0.30", cut), volumePrice("0.40", today.AddDate(0, 0, -1)), volumePrice("9.00", today.AddDate(0, 0, 9)))
		for _, tt := range []struct {
			when string
			at   time.Time
			want Micros
		}{
			{"before the price changed", cut.Add(-time.Second), 20_000_000}, {"when it did", cut.Add(time.Second), 30_000_000}, {"now", time.Time{}, 40_000_000},
		} {
			if got := cost(tt.at); got.Monthly != tt.want {
				t.Errorf("%s it costs %s, want %s", tt.when, got.Monthly, tt.want)
			}
		}
		want := CostOf(20_000_000, 10*24*time.Hour) + CostOf(30_000_000, 24*time.Hour)
		if got := cost(cut.AddDate(0, 0, 1)); got.MonthToDate != want {
			t.Errorf("in the month in which the price changed it costs %s, want %s", got.MonthToDate, want)
		}
		r, err := s.Resource(ctx, "do:volume:1", time.Time{})
		if err != nil || r.Version != 3 || !r.LastChanged.Equal(today.AddDate(0, 0, -1)) || r.Monthly == nil || *r.Monthly != 40_000_000 {
			t.Errorf("it is %+v, %v", r, err)
		}
		found, err := s.Resources(ctx, mustQuery(t, "cost>35"), Page{})
		if err != nil || found.Total != 1 || found.Items[0].URN != "do:volume:1" {
			t.Errorf("what costs more than 35 is %+v, %v", found.Items, err)
		}
		again := New(d, sagas, Settings{}) // as another process, after a new start
		if err := again.reprice(ctx); err != nil {
			t.Fatal(err)
		}
		versions, err := s.Versions(ctx, "do:volume:1")
		if err != nil || len(versions) != 3 {
			t.Errorf("priced again it has %d versions, %v", len(versions), err)
		}
		if old, err := s.Resources(ctx, mustQuery(t, "urn:do:micro_machine:1"), Page{}); err != nil || old.Total != 1 || old.Facets["kind"][0].Name != "micro_machine" {
			t.Errorf("what a kind left behind that nobody knows: %+v, %v", old, err)
		}
	})
}

func mustQuery(t *testing.T, text string) Query {
	t.Helper()
	q, err := ParseQuery(text)
	if err != nil {
		t.Fatal(err)
	}
	return q
}
