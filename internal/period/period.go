// Package period is half-open intervals of time, [From, To): what begins when a
// period ends is not in it, so periods that follow each other neither overlap
// nor leave a gap.
package period

import (
	"slices"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/fault"
)

// A Period is [From, To). It is empty when To is not after From.
type Period struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// New returns [from, to), or a fault of kind Invalid when to is before from.
func New(from, to time.Time) (Period, error) {
	if to.Before(from) {
		return Period{}, fault.New(fault.Invalid, "A period cannot end (%s) before it begins (%s).",
			to.Format(time.RFC3339), from.Format(time.RFC3339))
	}
	return Period{from, to}, nil
}

// IsEmpty reports whether no instant is in p.
func (p Period) IsEmpty() bool { return !p.To.After(p.From) }

// Contains reports whether t is in p: From is, To is not.
func (p Period) Contains(t time.Time) bool { return !t.Before(p.From) && t.Before(p.To) }

// Duration is the time from From to To, zero for an empty period.
func (p Period) Duration() time.Duration { return max(0, p.To.Sub(p.From)) }

// Overlap returns the instants that are in both p and q; false when none is.
func (p Period) Overlap(q Period) (Period, bool) {
	both := Period{Later(p.From, q.From), Earlier(p.To, q.To)}
	if both.IsEmpty() {
		return Period{}, false
	}
	return both, true
}

// Split cuts p at the given instants, in any order, and returns the pieces from
// first to last. Instants that are not strictly inside p cut nothing. The pieces
// of an empty period are none.
func (p Period) Split(at ...time.Time) []Period {
	if p.IsEmpty() {
		return nil
	}
	var pieces []Period
	for _, cut := range slices.SortedFunc(slices.Values(at), time.Time.Compare) {
		if cut.After(p.From) && cut.Before(p.To) {
			pieces = append(pieces, Period{p.From, cut})
			p.From = cut
		}
	}
	return append(pieces, p)
}

// String writes p as [from, to) in RFC 3339.
func (p Period) String() string {
	return "[" + p.From.Format(time.RFC3339Nano) + ", " + p.To.Format(time.RFC3339Nano) + ")"
}

// Later returns the later of two instants.
func Later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// Earlier returns the earlier of two instants.
func Earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
