package billing

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/fault"
)

// Pages of a sorted list are the whole list in its order, however small they are and
// however many documents are alike in what it goes by.
func TestSortedAndNarrowedDocuments(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s, at := owing(t, d) // of 36.00 each, of the first of March, April and May
		subscribe(t, s, Order{Tenant: "acme", Plan: "pro@1", From: "2026-05-11"}, at)
		at = day(t, "2026-05-12")
		runAt(t, s, at) // R-4, which is more or less
		pay(t, s, at, PaymentOrder{Tenant: "acme", Amount: eur(1000), Invoices: []string{"R-2"}})
		pay(t, s, at, PaymentOrder{Tenant: "acme", Amount: eur(3600), Invoices: []string{"R-3"}})
		fourth, err := s.Invoice(t.Context(), "R-4")
		if err != nil || fourth.Total <= 0 || fourth.Total == 3600 {
			t.Fatalf("%+v, %v", fourth, err)
		}
		byTotal := "R-1 R-2 R-3 R-4"
		if fourth.Total < 3600 {
			byTotal = "R-4 R-1 R-2 R-3"
		}
		pages := func(f IssuedFilter) string {
			var all []string
			for n := 0; n < 9; n++ {
				list, next, err := s.Invoices(t.Context(), f)
				if err != nil {
					t.Fatal(err)
				}
				for _, i := range list {
					all = append(all, i.Ref())
				}
				if f.Cursor = next; next == "" {
					break
				}
			}
			return strings.Join(all, " ")
		}
		for sort, want := range map[IssuedSort]string{"": "R-4 R-3 R-2 R-1", "issued": "R-1 R-2 R-3 R-4", "due": "R-1 R-2 R-3 R-4", "number": "R-1 R-2 R-3 R-4", "total": byTotal} {
			back := strings.Split(want, " ")
			slices.Reverse(back)
			for limit := 1; limit <= 4; limit++ {
				if got := pages(IssuedFilter{Sort: sort, Limit: limit}); got != want {
					t.Errorf("by %q, %d a page: %s, want %s", sort, limit, got, want)
				}
				if sort == "" {
					continue
				}
				if got, want := pages(IssuedFilter{Sort: "-" + sort, Limit: limit}), strings.Join(back, " "); got != want {
					t.Errorf("by -%s, %d a page: %s, want %s", sort, limit, got, want)
				}
			}
		}
		if got := pages(IssuedFilter{Sort: "open", Limit: 1}); !strings.HasPrefix(got, "R-3 ") || strings.Index(got, "R-2") > strings.Index(got, "R-1") {
			t.Errorf("by what is open: %s", got)
		}
		if _, _, err := s.Invoices(t.Context(), IssuedFilter{Sort: "hash"}); !errors.Is(err, fault.Invalid) {
			t.Errorf("sorted by what nobody may: %v", err)
		}
		for _, tt := range []struct{ state, month, want string }{
			{"overdue", "", "R-2 R-1"}, {"open", "", "R-4 R-2 R-1"}, {"paid", "", "R-3"}, {"partially_paid", "", "R-2"}, {"issued", "", "R-4 R-1"},
			{"credited", "", ""}, {"", "2026-05", "R-4 R-3 R-2 R-1"}, {"", "2026-04", ""},
		} {
			f, err := IssuedFilter{Currency: "EUR"}.Narrow(tt.state, tt.month, day(t, "2026-05-25"))
			if err != nil {
				t.Fatal(err)
			}
			if got := pages(f); got != tt.want {
				t.Errorf("%s %s: %q, want %q", tt.state, tt.month, got, tt.want)
			}
		}
		for _, wrong := range [][2]string{{"late", ""}, {"", "May"}} {
			if _, err := (IssuedFilter{}).Narrow(wrong[0], wrong[1], at); !errors.Is(err, fault.Invalid) {
				t.Errorf("%q was taken: %v", wrong, err)
			}
		}
	})
}
