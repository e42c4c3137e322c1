package demo

import (
	"testing"
	"time"
)

// A demonstration that is left alone for a week stays small.
func TestTrafficFadesAway(t *testing.T) {
	rounds, soon := 0, 0
	for age := time.Duration(0); age < 7*24*time.Hour; age += interval(age) {
		rounds++
		if age < 10*time.Minute {
			soon++
		}
	}
	// A round is a saga or three; a saga is some thirty events of a few hundred bytes.
	if soon < 30 || rounds > 2500 {
		t.Errorf("%d rounds in the first ten minutes and %d in a week; want 30 at least, and 2,500 at most", soon, rounds)
	}
}
