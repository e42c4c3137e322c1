package dosim

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// How an action ends.
const (
	resultCompleted = "completed"
	resultErrored   = "errored"
	resultUnknown   = "done" // seen at DigitalOcean, and outside its own enumeration
)

const kindAction = "action"

// An action is one operation on a thing. Its end is settled when it starts.
type action struct {
	thing
	Of            string    `json:"of"`              // the URN of what it is done to
	Holds         []string  `json:"holds,omitempty"` // the URNs of what else may have no other action meanwhile
	Type          string    `json:"type"`
	ResourceType  string    `json:"resource_type"`         // what the API calls Of's kind
	ResourceID    int64     `json:"resource_id,omitempty"` // and its id, null when it is 0
	Region        string    `json:"region"`
	EndsAt        time.Time `json:"ends_at,omitzero"`  // zero: never
	ShowsAt       time.Time `json:"shows_at,omitzero"` // when the thing itself shows it
	Result        string    `json:"result"`
	NoCompletedAt bool      `json:"no_completed_at,omitempty"`
	OfProject     string    `json:"of_project,omitempty"` // the project of a reserved IP, which its actions tell
}

func (a *action) ended(at time.Time) bool { return !a.EndsAt.IsZero() && !at.Before(a.EndsAt) }

// succeeds reports whether the action will have had its effect when it ends.
func (a *action) succeeds() bool { return a.Result != resultErrored && !a.EndsAt.IsZero() }

type actionWire struct {
	ID           int64       `json:"id"`
	Status       string      `json:"status"`
	Type         string      `json:"type"`
	StartedAt    string      `json:"started_at"`
	CompletedAt  *string     `json:"completed_at"`
	ResourceID   *int64      `json:"resource_id"`
	ResourceType string      `json:"resource_type"`
	Region       *regionWire `json:"region"`
	RegionSlug   *string     `json:"region_slug"`
	ProjectID    string      `json:"project_id,omitempty"`
}

const inProgress = "in-progress"

// wireAction is the action as the answering replica knows it, which may not have
// heard of its end.
func wireAction(c *call, a *action) actionWire {
	w := actionWire{
		ID: number(a.ID), Status: inProgress, Type: a.Type, StartedAt: wireTime(a.CreatedAt), ResourceType: a.ResourceType,
		ProjectID: a.OfProject,
	}
	if a.ResourceID != 0 {
		w.ResourceID = &a.ResourceID
	}
	if region, ok := c.sim.world.catalog.region(a.Region); ok {
		w.Region, w.RegionSlug = &region, &region.Slug
	}
	if a.ended(c.at.Add(-c.behind(&a.life))) {
		w.Status = a.Result
		if !a.NoCompletedAt {
			w.CompletedAt = wireTimeOrNull(a.EndsAt)
		}
	}
	return w
}

// act starts an action, of which the caller has filled in what it is and what it
// is done to, and which takes as long as it says unless a fault has it
// otherwise. When it ends well, the named duty is done, if there is one.
func (c *call) act(a action, takes time.Duration, then string, arg any) *action {
	p := c.sim.params
	a.EndsAt, a.Result = c.at.Add(takes), resultCompleted
	a.ShowsAt = a.EndsAt.Add(p.duration(paramStatus))
	listed := c.at.Add(p.duration(paramActionList))
	a.life = life{From: c.at, Get: c.at.Add(-maxParam), List: listed, Tagged: listed}
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
	started := c.sim.world.actions.create(c, &a)
	if then != "" && started.succeeds() {
		c.later(takes, then, arg)
	}
	return started
}

// actionsOf returns the actions on the thing that the URN names, in the order of
// their start.
func (c *call) actionsOf(urn string) []*action { return c.sim.world.actions.under(c, "of:"+urn) }

// pending reports whether an action has not ended that keeps the thing from
// having another one, whatever kind of thing the action is on.
func (c *call) pending(urn string) bool {
	for _, a := range c.sim.world.actions.under(c, "held:"+urn) {
		if !a.ended(c.at) {
			return true
		}
	}
	return false
}

// refusesAction is pending under the rule of the pending event, which may be off.
func (c *call) refusesAction(urn string) bool {
	return c.sim.params.on(paramPendingEvent) && c.pending(urn)
}

func actionResource() resource {
	return resource{
		table: func(w *world) anyTable {
			w.actions = newTable(w.seed, kind[*action]{
				name: kindAction, numbers: 2_000_000_000, wire: func(c *call, a *action) any { return wireAction(c, a) },
				title: func(a *action) string { return a.Type },
				check: checkAction,
				keys: func(a *action) []string {
					keys := []string{"of:" + a.Of, "held:" + a.Of}
					for _, urn := range a.Holds {
						keys = append(keys, "held:"+urn)
					}
					return keys
				},
			})
			return w.actions
		},
		routes: []route{
			op("GET /v2/actions", listActions, "actions:read"),
			op("GET /v2/actions/{action}", getAction, "actions:read"),
		},
	}
}

func checkAction(w *world, a *action) error {
	if _, ok := w.catalog.region(a.Region); !ok && a.Region != "" {
		return fmt.Errorf("action %s is in the unknown region %q", a.ID, a.Region)
	}
	parts := strings.SplitN(a.Of, ":", 3)
	if len(parts) != 3 || w.tables[parts[1]] == nil || w.tables[parts[1]].lookup(a.Account, parts[2]) == nil {
		return fmt.Errorf("action %s is on the unknown %q", a.ID, a.Of)
	}
	if a.EndsAt.Year() > 9999 || a.ShowsAt.Year() > 9999 {
		return errors.New("an action ends after the end of time")
	}
	return nil
}

// listActions shows the account's actions, the newest first.
func listActions(c *call) answer { return c.actionPage(wholeAccount) }

// actionPage is the page of the actions with the key, such as "of:do:droplet:1".
func (c *call) actionPage(key string) answer {
	listed := newestFirst(c.sim.world.actions.listedUnder(c, key))
	distort := c.distortion(len(listed) > 0)
	return listPage(c, "actions", listed, func(a *action) actionWire { return distort(wireAction(c, a)) })
}

// actionOf finds the action in the path among those on the thing.
func (c *call) actionOf(urn string) (*action, bool) {
	a, ok := c.sim.world.actions.find(c, c.values["action"])
	return a, ok && a.Of == urn
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
	a, ok := c.sim.world.actions.find(c, c.values["action"])
	if !ok {
		return notFound()
	}
	return showing("action", c.distortion(true)(wireAction(c, a)))
}
