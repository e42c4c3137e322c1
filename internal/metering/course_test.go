package metering_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/metering"
	"github.com/arcadia-cloud/arcadia/internal/period"
)

// The parts of a course are what totals over them are, whatever is rolled up, and the
// course of one tenant is its own among all.
func TestCoursesAreTotalsOneAfterAnother(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		of := tenants(t, d, "acme", "other")
		s := metering.New(d, nil, nil)
		r := rand.New(rand.NewPCG(9, 9))
		plain := meters[:len(meters)-1] // without groups
		apply(t, s, plain...)
		var lines []string
		for i := range 200 {
			lines = append(lines, useRandomly(r, fmt.Sprint("e", i), ""))
		}
		push(t, s, lines[:100]...)
		if _, err := s.Roll(t.Context()); err != nil {
			t.Fatal(err)
		}
		push(t, s, append(lines[100:], useOf("other", "x", "2026-01-02T10:00:00Z", "5"))...)
		from, step, n := time.Date(2026, 1, 1, 4, 0, 0, 0, time.UTC), 7*time.Hour, 5
		for _, m := range plain {
			all, err := s.Courses(t.Context(), "", m.ID, from, step, n)
			if err != nil {
				t.Fatal(err)
			}
			one, err := s.Courses(t.Context(), of[0], m.ID, from, step, n)
			if err != nil || len(one) != 1 {
				t.Fatal(one, err)
			}
			found := 0
			for _, c := range all {
				whole, err := s.Totals(t.Context(), c.Tenant, m.ID, period.Period{From: from, To: from.Add(time.Duration(n) * step)})
				if err != nil {
					t.Fatal(err)
				}
				if whole[0].Events != c.Events || !whole[0].Quantity.Equal(c.Quantity) {
					t.Errorf("%s of %s comes to %v, and not to %v", m.ID, c.Tenant, c, whole)
				}
				for i, part := range c.Parts {
					at := from.Add(time.Duration(i) * step)
					want, err := s.Totals(t.Context(), c.Tenant, m.ID, period.Period{From: at, To: at.Add(step)})
					if err != nil {
						t.Fatal(err)
					}
					if want[0].Events != part.Events || !want[0].Quantity.Equal(part.Quantity) {
						t.Errorf("%s of %s from %s comes to %v, want %v", m.ID, c.Tenant, at, part, want[0])
					}
				}
				if c.Tenant == of[0] {
					found++
					if fmt.Sprint(c) != fmt.Sprint(one[0]) {
						t.Errorf("%s of one alone is %v, and among all %v", m.ID, one[0], c)
					}
				}
			}
			if len(all) == 0 || len(all) > 2 || found != 1 {
				t.Errorf("%s has courses of %d tenants, %d of them the first", m.ID, len(all), found)
			}
		}
		for _, wrong := range []error{
			func() error { _, err := s.Courses(t.Context(), "", "sum", from.Add(time.Minute), step, n); return err }(),
			func() error { _, err := s.Courses(t.Context(), "", "sum", from, time.Minute, n); return err }(),
			func() error { _, err := s.Courses(t.Context(), "", "sum", from, step, metering.MaxParts+1); return err }(),
		} {
			if fault.KindOf(wrong) != fault.Invalid {
				t.Errorf("what is no course answers %v", wrong)
			}
		}
	})
}
