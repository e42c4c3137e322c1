package digitalocean

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/digitalocean/godo"

	"github.com/arcadia-cloud/arcadia/internal/fault"
)

// An ActionStatus is how far an action has got. It alone decides: CompletedAt
// is null in one of DigitalOcean's views when it is set in the other (quirk 8).
type ActionStatus string

// The statuses that DigitalOcean documents. Others were seen (quirk 9) and count
// as not ended.
const (
	ActionInProgress ActionStatus = "in-progress"
	ActionCompleted  ActionStatus = "completed"
	ActionErrored    ActionStatus = "errored"
)

// Terminal reports whether the action has ended, well or not.
func (s ActionStatus) Terminal() bool { return s == ActionCompleted || s == ActionErrored }

// Known reports whether DigitalOcean documents the status.
func (s ActionStatus) Known() bool { return s.Terminal() || s == ActionInProgress }

// An Action is something that DigitalOcean does, or did, to a resource.
type Action struct {
	ID           int64
	Status       ActionStatus
	Type         string    // "snapshot", "power_off" …
	Resource     int64     // id of what it is done to
	ResourceType string    // "droplet" …
	StartedAt    time.Time // to the second
	CompletedAt  time.Time // zero: null in this view, which does not mean that it runs
	At           time.Time // DigitalOcean's clock (Date header) when it said so; zero when it sent none
}

// CreateDropletSnapshot starts a snapshot of a droplet under a name and returns
// the action. The snapshot's own id is in no answer (quirk 6): it is found by
// its name once the action has completed. The request is sent once. Unknown
// means that it may have been carried out; PendingEvent that the droplet is busy.
// Purpose: provisioning, under a Capability.
func (c *Client) CreateDropletSnapshot(ctx context.Context, droplet int64, name string) (Action, error) {
	path := fmt.Sprintf("/v2/droplets/%d/actions", droplet)
	if err := checkIDs(http.MethodPost, path, droplet); err != nil {
		return Action{}, err
	}
	return c.act(ctx, "CreateDropletSnapshot", path, DropletSnapshotPermit(droplet, name).Body)
}

// DropletSnapshotPermit is leave to take a snapshot under a name, which is its marker.
func DropletSnapshotPermit(droplet int64, name string) Permit {
	return Permit{
		Method: http.MethodPost, Template: "/v2/droplets/{id}/actions", Target: fmt.Sprintf("do:droplet:%d", droplet), Name: name,
		Body: marshal(map[string]string{"type": "snapshot", "name": name}),
	}
}

// DropletAction reads one action of a droplet. The read itself may fail, also
// with NotFound, while the action goes on (quirk 10). Purpose: provisioning.
func (c *Client) DropletAction(ctx context.Context, droplet, action int64) (Action, error) {
	if err := c.may("DropletAction", Provisioning); err != nil {
		return Action{}, err
	}
	path := fmt.Sprintf("/v2/droplets/%d/actions/%d", droplet, action)
	if err := checkIDs(http.MethodGet, path, droplet, action); err != nil {
		return Action{}, err
	}
	got, resp, err := c.api.DropletActions.Get(ctx, int(droplet), int(action))
	if err != nil {
		return Action{}, c.failed(http.MethodGet, path, err)
	}
	return c.action(http.MethodGet, path, got, dateOf(resp))
}

// DropletActions lists every action of a droplet. Purpose: provisioning.
func (c *Client) DropletActions(ctx context.Context, droplet int64) (List[Action], error) {
	if err := c.may("DropletActions", Provisioning); err != nil {
		return List[Action]{}, err
	}
	if err := checkIDs(http.MethodGet, fmt.Sprintf("/v2/droplets/%d/actions", droplet), droplet); err != nil {
		return List[Action]{}, err
	}
	list, err := all(ctx, c, c.actionsAt(fmt.Sprintf("v2/droplets/%d/actions", droplet)))
	if err != nil {
		return List[Action]{}, err
	}
	for i := range list.Items {
		list.Items[i].At = list.At
	}
	return list, nil
}

// Actions lists the account's actions, newest first, back to those started at
// since: every action started then or later that the list shows, and maybe some
// older ones. Purposes: inventory, provisioning.
func (c *Client) Actions(ctx context.Context, since time.Time) (List[Action], error) {
	return c.actionsUntil(ctx, since, func([]Action, int) bool { return false })
}

// actionsUntil is Actions that may stop after any page: enough is given the
// page's actions and how many pages were read.
//
// New actions appear at the front and only push others back, so a growing list
// repeats items and loses none. A shrinking one is another replica's older view
// (its pages leave a gap): then the list is read again.
func (c *Client) actionsUntil(ctx context.Context, since time.Time, enough func([]Action, int) bool) (List[Action], error) {
	if err := c.may("Actions", Inventory, Provisioning); err != nil {
		return List[Action]{}, err
	}
	source := c.actionsAt("v2/actions")
	began := time.Now()
	for range maxSweeps {
		list := List[Action]{Began: began}
		seen := make(map[int64]bool)
		for total, number := 0, 1; ; number++ {
			p, err := onePage(ctx, c, source, number)
			if err != nil {
				return List[Action]{}, err
			}
			if p.total < total {
				break
			}
			total, list.At = p.total, p.at
			older, before := true, len(list.Items)
			for _, a := range p.items {
				older = older && a.StartedAt.Before(since)
				if a.At = p.at; !seen[a.ID] {
					seen[a.ID] = true
					list.Items = append(list.Items, a)
				}
			}
			if older || enough(p.items, number) || p.last && len(list.Items) >= total {
				return list, nil
			}
			if p.last || len(list.Items) == before {
				break
			}
		}
	}
	return List[Action]{}, c.unclear(http.MethodGet, "/v2/actions", fmt.Sprintf("%v, %d times", errMoved, maxSweeps))
}

func (c *Client) actionsAt(path string) collection[godo.Action, Action] {
	return collection[godo.Action, Action]{
		path: path, key: "actions", item: c.actionOf,
		id: func(a Action) string { return strconv.FormatInt(a.ID, 10) },
	}
}

// action makes an Action of one answer.
func (c *Client) action(method, path string, got *godo.Action, at time.Time) (Action, error) {
	if got == nil || got.ID <= 0 {
		return Action{}, c.unclear(method, path, "an answer without an action")
	}
	a := c.actionOf(*got)
	a.At = at
	return a, nil
}

func (c *Client) actionOf(w godo.Action) Action {
	a := Action{
		ID: int64(w.ID), Status: ActionStatus(w.Status), Type: w.Type,
		Resource: int64(w.ResourceID), ResourceType: w.ResourceType,
	}
	if w.StartedAt != nil {
		a.StartedAt = w.StartedAt.UTC()
	}
	if w.CompletedAt != nil {
		a.CompletedAt = w.CompletedAt.UTC()
	}
	if !a.Status.Known() {
		c.log.Warn("digitalocean: an action has a status that is not documented; it counts as running",
			"action", a.ID, "status", clean(w.Status, c.wire.token.Reveal()))
	}
	return a
}

// checkIDs refuses ids that DigitalOcean never gives.
func checkIDs(method, path string, ids ...int64) error {
	for _, id := range ids {
		if id <= 0 {
			return refusal(method, path, fault.New(fault.Invalid, "%d is no id at DigitalOcean.", id))
		}
	}
	return nil
}
