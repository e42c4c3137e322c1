package billing

import (
	"errors"
	"testing"

	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/exact"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/money"
)

// Dollars stay dollars, and are in other currencies at the rate of the day or not at all.
func TestWhatTheCloudCostsInACurrency(t *testing.T) {
	s := New(dbtest.New(t), nil, nil)
	dollars := exact.Fraction(10_005_000, 1_000_000)
	if a, rate, err := s.InCurrency(t.Context(), dollars, "USD", noon); err != nil || rate != nil || a != money.New(1001, "USD") {
		t.Errorf("%v at %v, %v", a, rate, err)
	}
	if _, _, err := s.InCurrency(t.Context(), dollars, "EUR", noon); !errors.Is(err, fault.Conflict) {
		t.Errorf("exchanged without a rate: %v", err)
	}
	if _, err := s.SetRate(t.Context(), Rate{Pair: "USD/EUR", From: "2026-03-01", Rate: exact.Fraction(9, 10)}, noon); err != nil {
		t.Fatal(err)
	}
	if a, rate, err := s.InCurrency(t.Context(), dollars, "EUR", noon); err != nil || rate == nil || a != money.New(900, "EUR") {
		t.Errorf("%v at %v, %v", a, rate, err)
	}
	if _, _, err := s.InCurrency(t.Context(), dollars, "EUR", noon.AddDate(0, 0, -1)); !errors.Is(err, fault.Conflict) {
		t.Errorf("exchanged at the rate of another day: %v", err)
	}
}
