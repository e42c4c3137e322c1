package dosim

import (
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// How an action ends.
const (
	resultCompleted = "completed"
	resultErrored   = "errored"
	resultUnknown   = "done" // seen at DigitalOcean, and outside its own enumeration
)

// An action is one operation on a droplet. Its end is settled when it starts.
type action struct {
	ID            int64     `json:"id"`
	Account       string    `json:"account"`
	Droplet       int64     `json:"droplet"`
	Type          string    `json:"type"`
	Region        string    `json:"region"`
	StartedAt     time.Time `json:"started_at"`
	EndsAt        time.Time `json:"ends_at,omitzero"`  // zero: never
	ShowsAt       time.Time `json:"shows_at,omitzero"` // when the droplet's status shows it
	ListedAt      time.Time `json:"listed_at"`
	Result        string    `json:"result"`
	NoCompletedAt bool      `json:"no_completed_at,omitempty"`
	Seq           int64     `json:"-"` // of the event that started it
}

func (a *action) urn() string { return "do:action:" + strconv.FormatInt(a.ID, 10) }

func (a *action) ended(at time.Time) bool { return !a.EndsAt.IsZero() && !at.Before(a.EndsAt) }

type actionWire struct {
	ID           int64       `json:"id"`
	Status       string      `json:"status"`
	Type         string      `json:"type"`
	StartedAt    string      `json:"started_at"`
	CompletedAt  *string     `json:"completed_at"`
	ResourceID   int64       `json:"resource_id"`
	ResourceType string      `json:"resource_type"`
	Region       *regionWire `json:"region"`
	RegionSlug   string      `json:"region_slug"`
}

const inProgress = "in-progress"

func (a *action) wire(w *world, at time.Time) actionWire {
	region, _ := w.catalog.region(a.Region)
	aw := actionWire{
		ID: a.ID, Status: inProgress, Type: a.Type, StartedAt: wireTime(a.StartedAt),
		ResourceID: a.Droplet, ResourceType: "droplet", Region: &region, RegionSlug: a.Region,
	}
	if a.ended(at) {
		aw.Status = a.Result
		if !a.NoCompletedAt {
			aw.CompletedAt = wireTimeOrNull(a.EndsAt)
		}
	}
	return aw
}

// act starts an action of the given kind on d, which takes as long as it says
// unless a fault has it otherwise.
func (c *call) act(kind string, d *droplet, takes time.Duration) *action {
	a := action{
		ID: c.newID("action"), Account: d.Account, Droplet: d.ID, Type: kind, Region: d.Region,
		StartedAt: c.at, EndsAt: c.at.Add(takes), Result: resultCompleted,
		ListedAt: c.at.Add(c.sim.params.duration(paramActionList)),
	}
	a.ShowsAt = a.EndsAt.Add(c.sim.params.duration(paramStatus))
	if f := c.bitten(actionKinds()...); f != nil {
		switch f.Kind {
		case ActionErrored:
			a.Result = resultErrored
		case ActionStuck:
			a.EndsAt, a.ShowsAt = time.Time{}, time.Time{}
		case UnknownStatus:
			a.Result = resultUnknown
		case CompletedAtNull:
			a.NoCompletedAt = true
		}
	}
	c.record(&actionStarted{a})
	return c.sim.world.actions.byID[a.ID]
}

func actionResource() resource {
	return resource{
		kind: "action",
		routes: []route{
			{"GET /v2/actions", []string{"actions:read"}, listActions},
			{"GET /v2/actions/{action}", []string{"actions:read"}, getAction},
		},
		changes: []func() change{func() change { return &actionStarted{} }},
		truth: func(s *Sim, at time.Time) []Item {
			var items []Item
			for _, a := range s.world.actions.all {
				items = append(items, item("action", strconv.FormatInt(a.ID, 10), a.Type, a.Account, life{Seq: a.Seq}, a.StartedAt, a.wire(s.world, at)))
			}
			return items
		},
	}
}

// listActions shows the account's actions, the newest first.
func listActions(c *call) answer { return c.actionPage(c.sim.world.actions.all) }

func (c *call) actionPage(all []*action) answer {
	var listed []*action
	for i := len(all) - 1; i >= 0; i-- {
		a := all[i]
		if a.Account == c.account() && !c.at.Before(a.ListedAt.Add(c.behind(a.urn()))) {
			listed = append(listed, a)
		}
	}
	distort := c.distortion(len(listed) > 0)
	return listPage(c, "actions", listed, func(a *action) actionWire { return distort(c.view(a)) })
}

// view is the action as the answering replica knows it, which may not have
// heard of its end.
func (c *call) view(a *action) actionWire {
	return a.wire(c.sim.world, c.at.Add(-c.behind(a.urn())))
}

// distortion returns what a fault does to the actions in this answer, if there
// are any.
func (c *call) distortion(any bool) func(actionWire) actionWire {
	var f *armedFault
	if any {
		f = c.bitten(actionKinds()...)
	}
	return func(w actionWire) actionWire {
		if f == nil {
			return w
		}
		switch f.Kind {
		case ActionErrored:
			w.Status = resultErrored
		case ActionStuck:
			w.Status, w.CompletedAt = inProgress, nil
		case UnknownStatus:
			w.Status = resultUnknown
		case CompletedAtNull:
			w.CompletedAt = nil
		}
		return w
	}
}

func getAction(c *call) answer {
	a, ok := c.sim.world.actions.byID[c.pathID("action")]
	if !ok || a.Account != c.account() {
		return notFound()
	}
	return answer{http.StatusOK, map[string]any{"action": c.distortion(true)(c.view(a))}}
}

type actionStarted struct {
	Action action `json:"action"`
}

func (ch *actionStarted) name() string { return "action_started" }

func (ch *actionStarted) check(w *world) error {
	a := ch.Action
	if _, ok := w.catalog.region(a.Region); !ok {
		return fmt.Errorf("action %d is in the unknown region %q", a.ID, a.Region)
	}
	if _, ok := w.droplets.byID[a.Droplet]; !ok {
		return fmt.Errorf("action %d is on the unknown droplet %d", a.ID, a.Droplet)
	}
	if a.ID <= w.last["action"] {
		return fmt.Errorf("the action id %d does not follow on %d", a.ID, w.last["action"])
	}
	return nil
}

func (ch *actionStarted) apply(w *world, e event) {
	a := ch.Action
	a.Seq = e.Seq
	w.actions.add(a.ID, &a)
	w.last["action"] = a.ID
	d := w.droplets.byID[a.Droplet]
	d.actions = append(d.actions, &a)
}
