package fault_test

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/arcadia-cloud/arcadia/internal/fault"
)

func TestAFaultIsFoundThroughWrapping(t *testing.T) {
	missing := fault.New(fault.NotFound, "There is no droplet %d.", 7)
	err := fmt.Errorf("snapshot: %w", missing)

	if !errors.Is(err, fault.NotFound) || errors.Is(err, fault.Conflict) {
		t.Errorf("%v is not a fault of kind not_found alone", err)
	}
	if got := fault.KindOf(err); got != fault.NotFound {
		t.Errorf("KindOf = %q", got)
	}
	if got, want := fault.Message(err), "There is no droplet 7."; got != want {
		t.Errorf("Message = %q, want %q", got, want)
	}
	if got, want := err.Error(), "snapshot: There is no droplet 7."; got != want {
		t.Errorf("Error = %q, want %q", got, want)
	}
}

func TestAnAccidentTellsNothing(t *testing.T) {
	err := errors.New("pq: password is hunter2")
	if got := fault.Message(err); got != "Something went wrong." {
		t.Errorf("Message = %q", got)
	}
	if got := fault.KindOf(err); got != fault.Internal {
		t.Errorf("KindOf = %q", got)
	}
	if got := fault.Code(err); got != "internal" {
		t.Errorf("Code = %q", got)
	}
}

func TestWrapShowsItsCauseToTheLogAlone(t *testing.T) {
	err := fault.Wrap(fault.Unavailable, io.ErrUnexpectedEOF, "DigitalOcean is out of reach.")
	if !errors.Is(err, io.ErrUnexpectedEOF) || !errors.Is(err, fault.Unavailable) {
		t.Errorf("%v has lost its cause or its kind", err)
	}
	if got, want := fault.Message(err), "DigitalOcean is out of reach."; got != want {
		t.Errorf("Message = %q, want %q", got, want)
	}
	if got, want := err.Error(), "DigitalOcean is out of reach. (unexpected EOF)"; got != want {
		t.Errorf("Error = %q, want %q", got, want)
	}
}

func TestTheOutermostFaultSpeaks(t *testing.T) {
	inner := fault.New(fault.NotFound, "There is no such snapshot.")
	outer := fault.Wrap(fault.Conflict, inner, "The step cannot be undone.")
	if fault.KindOf(outer) != fault.Conflict || fault.Message(outer) != "The step cannot be undone." {
		t.Errorf("%v speaks as %s: %s", outer, fault.KindOf(outer), fault.Message(outer))
	}
}

func TestWithCode(t *testing.T) {
	err := fault.WithCode(fault.New(fault.Conflict, "The plan is stale."), "stale_plan")
	if got := fault.Code(fmt.Errorf("apply: %w", err)); got != "stale_plan" {
		t.Errorf("Code = %q, want stale_plan", got)
	}
	if fault.KindOf(err) != fault.Conflict || err.Error() != "The plan is stale." {
		t.Errorf("a code changed the fault to %s: %v", fault.KindOf(err), err)
	}
	if got := fault.Code(fault.New(fault.TooMany, "Slow down.")); got != "too_many" {
		t.Errorf("Code without one = %q, want the kind", got)
	}
	if fault.WithCode(nil, "x") != nil {
		t.Error("no error with a code is an error")
	}
}

func TestABareKindIsAKind(t *testing.T) {
	if got := fault.KindOf(fmt.Errorf("list: %w", fault.Forbidden)); got != fault.Forbidden {
		t.Errorf("KindOf = %q, want forbidden", got)
	}
}
