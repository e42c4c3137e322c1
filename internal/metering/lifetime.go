package metering

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/exact"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/period"
)

// A Lifetime is the time for which a resource had one size, and so one price.
type Lifetime struct {
	Line         int
	URN, Kind    string
	Size         string
	PriceMonthly exact.Number // major units, for a month of 672 hours
	Unpriced     bool         // nobody knows what a part of it costs, so PriceMonthly says nothing
	From         time.Time
	To           time.Time // zero while it lives
	RecordedAt   time.Time // since when it is known as it is; zero: always
	ReplacedAt   time.Time // since when it is known to have been otherwise; zero: it holds
}

// IsKnown reports whether the lifetime was what was known at an instant.
func (l Lifetime) IsKnown(at time.Time) bool {
	return !l.RecordedAt.After(at) && (l.ReplacedAt.IsZero() || l.ReplacedAt.After(at))
}

// Until is the lifetime up to an instant.
func (l Lifetime) Until(t time.Time) period.Period {
	if !l.To.IsZero() && l.To.Before(t) {
		t = l.To
	}
	return period.Period{From: l.From, To: t}
}

// ReadLifetimes reads lifetimes of resources, one JSON object a line. What is
// malformed, ends before it begins, or overlaps another lifetime of the same
// resource is a fault of kind Invalid that names the file, the line and the field.
func ReadLifetimes(name string, r io.Reader, zone *time.Location) ([]Lifetime, error) {
	var all []Lifetime
	err := lines(name, r, func(n int, line []byte) error {
		l, err := readLifetime(line, zone)
		if err != nil {
			return fault.New(fault.Invalid, "%s:%d: %v.", name, n, err)
		}
		l.Line = n
		all = append(all, l)
		return nil
	})
	if err != nil {
		return nil, err
	}
	byURN := slices.Clone(all)
	slices.SortStableFunc(byURN, func(a, b Lifetime) int { return cmp.Or(cmp.Compare(a.URN, b.URN), a.From.Compare(b.From)) })
	for i := range byURN {
		if i > 0 && byURN[i-1].URN == byURN[i].URN && (byURN[i-1].To.IsZero() || byURN[i-1].To.After(byURN[i].From)) {
			return nil, fault.New(fault.Invalid, "%s:%d: from: %s already lives then, by line %d. End that lifetime first.",
				name, byURN[i].Line, byURN[i].URN, byURN[i-1].Line)
		}
	}
	return all, nil
}

func readLifetime(line []byte, zone *time.Location) (Lifetime, error) {
	var raw struct {
		URN          string  `json:"urn"`
		Kind         string  `json:"kind"`
		Size         string  `json:"size"`
		PriceMonthly string  `json:"price_monthly"`
		From         string  `json:"from"`
		To           *string `json:"to"`
	}
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&raw); err != nil {
		return Lifetime{}, err
	}
	if d.More() {
		return Lifetime{}, fmt.Errorf("more than one object is on the line")
	}
	l := Lifetime{URN: raw.URN, Kind: raw.Kind, Size: raw.Size}
	if l.URN == "" {
		return Lifetime{}, fmt.Errorf("urn: it is missing")
	}
	var err error
	if raw.PriceMonthly != "" {
		if l.PriceMonthly, err = exact.ParseDecimal(raw.PriceMonthly); err != nil {
			return Lifetime{}, fmt.Errorf("price_monthly: it is no decimal number in quotes, like \"24.00\"")
		}
		if l.PriceMonthly.Sign() < 0 {
			return Lifetime{}, fmt.Errorf("price_monthly: it is below zero")
		}
	}
	if l.From, err = ParseTime(raw.From, zone); err != nil {
		return Lifetime{}, fmt.Errorf("from: %w", err)
	}
	if raw.To == nil {
		return l, nil
	}
	if l.To, err = ParseTime(*raw.To, zone); err != nil {
		return Lifetime{}, fmt.Errorf("to: %w", err)
	}
	if l.To.Before(l.From) {
		return Lifetime{}, fmt.Errorf("to: the lifetime ends before it begins")
	}
	return l, nil
}

// ParseTime reads an instant of RFC 3339, or a date, which is its first instant in
// the zone.
func ParseTime(text string, zone *time.Location) (time.Time, error) {
	if day, err := time.Parse(time.DateOnly, text); err == nil && isPlausible(day) {
		return period.DateOf(day, time.UTC).Begin(zone), nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || !isPlausible(t) {
		return time.Time{}, fmt.Errorf("%.40q is no time like 2026-01-31T12:00:00Z and no date like 2026-01-31", text)
	}
	return t.UTC().Truncate(time.Microsecond), nil
}

// isPlausible keeps out the years that no bill is about, and that microseconds
// could not count.
func isPlausible(t time.Time) bool { return t.Year() >= 1970 && t.Year() < 3000 }
