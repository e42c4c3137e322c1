package id_test

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/id"
)

func TestNewIsAPrefixedUUIDv7(t *testing.T) {
	form := regexp.MustCompile(`^saga_[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}$`)
	ids := make([]string, 10_000)
	for i := range ids {
		ids[i] = id.New("saga")
		if !form.MatchString(ids[i]) {
			t.Fatalf("New(saga) = %q", ids[i])
		}
		if err := id.Check("saga", ids[i]); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.IsSorted(ids) {
		t.Error("ids do not sort in the order they were made")
	}
	if slices.Sort(ids); len(slices.Compact(ids)) != 10_000 {
		t.Error("an id was made twice")
	}
}

// The first 8 digits are time: all alike for ids of one minute. The last are not.
func TestRandom8(t *testing.T) {
	seen := make(map[string]bool)
	for range 1000 {
		seen[id.Random8(id.New("saga"))] = true
	}
	if len(seen) < 999 {
		t.Errorf("1000 ids have %d different random parts", len(seen))
	}
	if got := id.Random8("saga_0193a4b5c6d77e8f9012a3b4c5d6e7f8"); got != "c5d6e7f8" {
		t.Errorf("Random8 = %q, want the last 8 digits", got)
	}
	if got := id.Random8("abc"); got != "abc" {
		t.Errorf("Random8(abc) = %q", got)
	}
}

func TestCheckRefuses(t *testing.T) {
	good := id.New("saga")
	for _, s := range []string{
		"", "saga", "saga_", good[:len(good)-1], good + "0", strings.ToUpper(good), "step" + good[4:],
		"saga-" + good[5:], "saga_" + strings.Repeat("g", 32), strings.Repeat("x", 10_000),
	} {
		err := id.Check("saga", s)
		if !errors.Is(err, fault.Invalid) {
			t.Errorf("Check(%.40q) = %v, want a fault of kind invalid", s, err)
		} else if len(err.Error()) > 200 {
			t.Errorf("Check(%.40q) answers with %d characters", s, len(err.Error()))
		}
	}
}
