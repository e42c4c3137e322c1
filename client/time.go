package client

import (
	"time"
)

// A Time is an instant, on the wire RFC 3339 in UTC with microseconds.
type Time struct{ time.Time }

// wireTime always shows six decimals, so that the texts of times sort as they do.
const wireTime = "2006-01-02T15:04:05.000000Z"

// At returns t for the wire, nil when it is the zero time.
func At(t time.Time) *Time {
	if t.IsZero() {
		return nil
	}
	return &Time{t}
}

// String is the time as on the wire.
func (t Time) String() string { return t.UTC().Format(wireTime) }

// MarshalText is the time as on the wire.
func (t Time) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// MarshalJSON is the time as on the wire, in quotes.
func (t Time) MarshalJSON() ([]byte, error) { return []byte(`"` + t.String() + `"`), nil }
