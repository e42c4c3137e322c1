package inventory_test

import (
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
	"github.com/arcadia-cloud/arcadia/internal/inventory"
)

// TestWhatIsForgottenIsFoundNoMore removes old versions while two processes have them
// in memory: neither finds them, as of a time when they were in force, and both
// find what is current.
func TestWhatIsForgottenIsFoundNoMore(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		cloud := dosimtest.Start(t)
		if err := cloud.SetPreset("calm"); err != nil {
			t.Fatal(err)
		}
		// Who asked until a volume has grown at its own pace would use up the requests of a minute.
		if err := cloud.SetParams(map[string]string{"action.resize_volume": "30ms"}); err != nil {
			t.Fatal(err)
		}
		y := newYardOf(t, d, cloud, time.Millisecond, "main")
		volume := y.do("POST", "/v2/volumes", map[string]any{"name": "data", "region": "nyc3", "size_gigabytes": 10})["volume"].(map[string]any)["id"].(string)
		y.sync("action", "volume")
		first, err := y.Resource(t.Context(), "do:volume:"+volume, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		y.do("POST", "/v2/volumes/"+volume+"/actions", map[string]any{"type": "resize", "size_gigabytes": 20, "region": "nyc3"})
		deadline := time.Now().Add(20 * time.Second)
		now := first
		for now.Version == first.Version && time.Now().Before(deadline) {
			y.sync("action", "volume")
			if now, err = y.Resource(t.Context(), "do:volume:"+volume, time.Time{}); err != nil {
				t.Fatal(err)
			}
		}
		if now.Version == first.Version {
			t.Fatal("the volume did not grow")
		}
		other := &yard{t: t, cloud: cloud, db: d, sagas: y.sagas, Service: inventory.New(d, y.sagas, inventory.Settings{})}
		found := func(y *yard, at time.Time) int {
			l, err := y.Resources(t.Context(), inventory.Query{AsOf: at}, inventory.Page{})
			if err != nil {
				t.Error(err)
				return -1
			}
			return l.Total
		}
		for name, one := range map[string]*yard{"the one": y, "the other": other} {
			if found(one, first.At) != 1 || found(one, time.Time{}) != 1 {
				t.Errorf("%s process does not find what is not forgotten", name)
			}
		}
		versions, _, err := y.Forget(t.Context(), now.At.Add(time.Microsecond))
		if err != nil || versions != 1 {
			t.Fatalf("%d versions are forgotten, %v", versions, err)
		}
		for name, one := range map[string]*yard{"the one": y, "the other": other} {
			if n := found(one, first.At); n != 0 {
				t.Errorf("%s process finds %d as of a time of which nothing is known", name, n)
			}
			if n := found(one, time.Time{}); n != 1 {
				t.Errorf("%s process finds %d that are there, want 1", name, n)
			}
		}
	})
}
