package app

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/arcadia-cloud/arcadia/client"
)

// Two people apply a plan each to one stack, and both are let read it as it is before
// either writes: one plan is carried out, whoever's it is, and of the other nothing is.
func TestTwoPlansForOneStackAtOnce(t *testing.T) {
	hosted(t, func(h *host) {
		t, ctx := h.t, h.t.Context()
		droplet := h.stack("edge")
		people := []*client.Client{h.as("cli:first"), h.as("cli:second")}
		resize := func(size string) client.PlanOrder {
			return client.PlanOrder{Verb: "resize", Stack: "acme/edge", Options: map[string]string{"size": size}}
		}
		suspend := client.PlanOrder{Verb: "suspend", Stack: "acme/edge", Options: map[string]string{"level": "2"}}
		for _, orders := range [][2]client.PlanOrder{
			{resize("s-1vcpu-2gb"), resize("s-2vcpu-4gb")},
			{resize("s-4vcpu-8gb"), suspend},
		} {
			size, _ := h.droplet(droplet)
			before, err := h.c.Sagas(ctx, client.SagaFilter{Limit: 200})
			if err != nil {
				t.Fatal(err)
			}
			var plans [2]client.Plan
			for i, o := range orders {
				if plans[i], err = people[i].MakePlan(ctx, o); err != nil {
					t.Fatal(err)
				}
			}
			h.door.gather("/v2/droplets/"+droplet, 2)
			var began [2]client.PlanApplied
			var refused [2]error
			var both sync.WaitGroup
			for i, p := range plans {
				both.Go(func() { began[i], refused[i] = people[i].ApplyPlan(ctx, p.ID) })
			}
			both.Wait()
			if !h.door.gathered() {
				t.Fatal("one was applied before the other had read the stack")
			}
			won, lost := 0, 1
			if refused[0] != nil {
				won, lost = 1, 0
			}
			if refused[won] != nil || refused[lost] == nil {
				t.Fatalf("%s and %s were applied at once: %v, %v; want one refused", plans[0].Verb, plans[1].Verb, refused[0], refused[1])
			}
			conflict(t, refused[lost], plans[lost].ID+" was not applied", began[won].Saga.ID, "make a new plan")

			h.completes(began[won].Saga.ID)
			after, err := h.c.Sagas(ctx, client.SagaFilter{Limit: 200})
			if err != nil || len(after.Items) != len(before.Items)+1 {
				t.Errorf("there are %d sagas, %v; want one more than %d", len(after.Items), err, len(before.Items))
			}
			other, err := h.c.Plan(ctx, plans[lost].ID)
			if err != nil || other.Saga != nil || other.AppliedAt != nil {
				t.Errorf("the plan that was refused has saga %v, applied %v, %v", other.Saga, other.AppliedAt, err)
			}
			want, status, state := size, "off", "suspended"
			if plans[won].Verb == "resize" {
				want, status, state = orders[won].Options["size"], "active", "active"
			}
			if is, on := h.droplet(droplet); is != want || on != status {
				t.Errorf("the droplet is %s and %s, want %s and %s", is, on, want, status)
			}
			s, err := h.c.Stack(ctx, "acme/edge")
			if err != nil || s.Saga != began[won].Saga.ID || s.State != state {
				t.Errorf("the stack is %s by saga %s, %v; want %s by %s", s.State, s.Saga, err, state, began[won].Saga.ID)
			}
			_, err = people[lost].ApplyPlan(ctx, plans[lost].ID)
			conflict(t, err, "Plan "+plans[lost].ID)
		}
	})
}

// conflict wants a refusal that is one, with these words.
func conflict(t *testing.T, err error, words ...string) {
	t.Helper()
	var p *client.Problem
	if !errors.As(err, &p) || p.Status != http.StatusConflict || p.Code != "conflict" {
		t.Errorf("refused with %v, want a conflict", err)
		return
	}
	for _, w := range words {
		if !strings.Contains(p.Detail, w) {
			t.Errorf("refused with %q, want that it says %q", p.Detail, w)
		}
	}
}
