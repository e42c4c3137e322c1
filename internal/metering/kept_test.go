package metering_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/metering"
)

// All that was accepted of a tenant is listed, with what does not count any more and
// what was told otherwise; nothing of another tenant is, however small the pages are.
func TestKeptEvents(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s, ids := metering.New(d, nil, nil), tenants(t, d, "acme", "beta")
		at := func(hour int) string { return fmt.Sprintf("2026-01-20T%02d:00:00Z", hour) }
		batch := told(t, use("a", at(1), "1"), use("b", at(2), "2"), use("c", at(2), "3"), useOf("beta", "a", at(2), "99"),
			use("d", at(3), "4", `"replaces":"a"`), use("e", at(4), "5"), use("v", at(5), "0", `"voids":"b"`))
		if _, err := s.Push(t.Context(), batch, "", now); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Push(t.Context(), told(t, use("c", at(2), "30")), "", now); err != nil {
			t.Fatal(err)
		}
		if _, err := s.ApplyMeters(t.Context(), []metering.Meter{
			{ID: "four", EventType: "use", Aggregate: metering.Sum, Value: "n", Filter: map[string][]string{"n": {"4", "1"}}}, {ID: "other", EventType: "other", Aggregate: metering.Count},
		}, "test", now, false); err != nil {
			t.Fatal(err)
		}
		list := func(f metering.KeptFilter) string {
			var all []string
			for {
				page, err := s.Kept(t.Context(), f)
				if err != nil {
					t.Fatal(err)
				}
				for _, k := range page {
					all = append(all, fmt.Sprintf("%s=%s %t %s %d", k.ID, k.Data["n"], k.Counts(), k.CorrectedBy, k.Conflicts))
				}
				if len(page) < f.Limit {
					return strings.Join(all, ", ")
				}
				f.After = &page[len(page)-1].Event
			}
		}
		whole := "v=0 false  0, e=5 true  0, d=4 true  0, c=3 true  1, b=2 false v 0, a=1 false d 0"
		for limit := 1; limit < 8; limit++ {
			if got := list(metering.KeptFilter{Tenant: ids[0], Limit: limit}); got != whole {
				t.Errorf("%d a page: %s, want %s", limit, got, whole)
			}
			if got, want := list(metering.KeptFilter{Tenant: ids[0], Meter: "four", Limit: limit}), "d=4 true  0, a=1 false d 0"; got != want {
				t.Errorf("of a meter, %d a page: %s, want %s", limit, got, want)
			}
		}
		for name, tt := range map[string]struct {
			f    metering.KeptFilter
			want string
		}{
			"another tenant's":      {metering.KeptFilter{Tenant: ids[1], Limit: 10}, "a=99 true  0"},
			"within a time":         {metering.KeptFilter{Tenant: ids[0], Limit: 10, From: now.Truncate(24 * 3600e9).Add(2 * 3600e9), To: now.Truncate(24 * 3600e9).Add(3 * 3600e9)}, "c=3 true  1, b=2 false v 0"},
			"a meter of other type": {metering.KeptFilter{Tenant: ids[0], Limit: 10, Meter: "other"}, ""},
		} {
			if got := list(tt.f); got != tt.want {
				t.Errorf("%s: %s, want %s", name, got, tt.want)
			}
		}
		if _, err := s.Kept(t.Context(), metering.KeptFilter{Limit: 10}); !errors.Is(err, fault.Invalid) {
			t.Errorf("events of everybody: %v", err)
		}
		if _, err := s.Kept(t.Context(), metering.KeptFilter{Tenant: ids[0], Meter: "none", Limit: 10}); !errors.Is(err, fault.NotFound) {
			t.Errorf("of no meter: %v", err)
		}
	})
}
