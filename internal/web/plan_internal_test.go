package web

import (
	"net/http"
	"slices"
	"testing"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/provisioning"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// Beside the steps of a plan stands what happened in each; of those that the plan left out,
// as there was nothing to do, only what did something all the same, in its place.
func TestStepsBesideWhatHappened(t *testing.T) {
	asked := func(method string) call { return call{APICall: client.APICall{Method: method}} }
	p := planView{
		Plan: provisioning.Plan{Steps: []provisioning.PlanStep{{Name: "first"}, {Name: "last"}}},
		became: saga.Saga{Steps: []saga.StepRow{
			{Name: "first", State: saga.StepCompleted}, {Name: "idle", State: saga.StepCompleted}, {Name: "busy", State: saga.StepCompleted},
			{Name: "last", State: saga.StepFailed}, {Name: "broken", Error: &saga.Error{Message: "no"}},
		}},
		happened: story{steps: map[string]*chapter{
			"idle": {calls: []call{asked(http.MethodGet)}}, "busy": {calls: []call{asked(http.MethodGet), asked(http.MethodPut)}},
		}},
	}
	var got []string
	for _, s := range p.beside() {
		got = append(got, s.Name+" "+string(s.row.State))
	}
	if want := []string{"first completed", "busy completed", "last failed", "broken "}; !slices.Equal(got, want) {
		t.Errorf("beside each other stand %q, want %q", got, want)
	}
	if p.sent() != 1 {
		t.Errorf("%d requests were sent, want 1", p.sent())
	}
}
