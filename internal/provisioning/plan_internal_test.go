package provisioning

import (
	"strings"
	"testing"
)

// TestAPlansHashIsOverAllThatIsDone: two plans that read the same and do something else have
// different hashes, and what differs makes the one stale.
func TestAPlansHashIsOverAllThatIsDone(t *testing.T) {
	plan := func(change func(*Plan)) Plan {
		p := Plan{
			Verb: Teardown, Stack: "stack_1", Read: map[string]string{"revision of the stack": "1"},
			Steps: []PlanStep{{Name: "delete_volumes", Calls: []string{"DELETE /v2/volumes/{id}"}}}, Changes: []Change{{Action: "destroy", Key: "volume.data", URN: "do:volume:1"}},
		}
		change(&p)
		if err := p.seal(); err != nil {
			t.Fatal(err)
		}
		return p
	}
	was := plan(func(*Plan) {})
	if err := was.stale(plan(func(p *Plan) { p.Warnings = []string{"w"} })); err != nil {
		t.Errorf("a plan that does the same is stale: %v", err)
	}
	for what, change := range map[string]func(*Plan){
		"verb": func(p *Plan) { p.Verb = Prune }, "stack": func(p *Plan) { p.Stack = "stack_2" }, "read": func(p *Plan) { p.Read["revision of the stack"] = "2" },
		"steps": func(p *Plan) { p.Steps = nil }, "changes": func(p *Plan) { p.Changes = append(p.Changes, Change{Action: "destroy", Key: "volume.logs"}) },
	} {
		if now := plan(change); now.Hash == was.Hash || was.stale(now) == nil {
			t.Errorf("a plan with another %s passes for the same", what)
		}
	}
}

// TestRoomIsCountedToTheLastOne: an account is filled to its limit and not beyond, and a
// limit that is not known, or of what is not needed, keeps nothing.
func TestRoomIsCountedToTheLastOne(t *testing.T) {
	for _, test := range []struct {
		room Room
		want string
	}{
		{Room{Droplets: Share{Used: 8, Needs: 2, Limit: 10}}, ""},
		{Room{Droplets: Share{Used: 9, Needs: 2, Limit: 10}}, "9 of 10 droplets, and the stack needs 2 more"},
		{Room{Volumes: Share{Used: 10, Needs: 1, Limit: 10}}, "10 of 10 volumes"},
		{Room{ReservedIPs: Share{Used: 3, Needs: 1, Limit: 3}}, "3 of 3 reserved IPs"},
		{Room{Droplets: Share{Used: 12, Limit: 10}}, ""},
		{Room{Droplets: Share{Used: 12, Needs: 3}}, ""},
	} {
		if got := test.room.short(); (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
			t.Errorf("%+v is short of %q, want %q", test.room, got, test.want)
		}
	}
}
