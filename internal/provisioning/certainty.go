package provisioning

import (
	"context"
	"errors"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// clockSkew is how far DigitalOcean's clock may be behind ours when an action
// is asked whether it can be this step's.
const clockSkew = 5 * time.Minute

// resolution is that of DigitalOcean's times: a second, rounded down.
const resolution = time.Second

// ended notes, by DigitalOcean's clock, when an action was first seen to have
// ended, for actions that do not say when they did.
type ended map[int64]time.Time

// nothingUnderWay is what must hold, while a request of this step may have been
// sent without a known answer, before it is sent again or before the conclusion
// that it made nothing; the caller then reads the list of what it would have
// made. Each look begins after the one before has passed, and every entry begins
// with the first:
//
//	(c) the settle time has passed since the request may last have been sent,
//	(b) the droplet's actions, read whole, show none that could be this step's
//	    and is unfinished or ended less than the horizon ago,
//	(a) by the caller: the marker is not listed.
//
// In another order a snapshot that is committed between two looks escapes both.
// nothingUnderWay answers nil when (c) and (b) hold, and otherwise the wait.
func (p *Steps) nothingUnderWay(ctx context.Context, c *digitalocean.Client, account string, droplet int64, seen ended) error {
	a := saga.Current(ctx)
	if settled := a.UnknownSince.Add(p.set.Settle); a.Now().Before(settled) {
		return saga.Wait(settled, "the answer to a request was lost: if it was carried out, it shows by then")
	}
	actions, err := p.actionsOf(ctx, c, droplet, a.IntentAt.Add(-clockSkew))
	if err != nil {
		return err
	}
	var wait time.Duration
	for _, action := range actions.Items {
		if action.Type != "snapshot" || action.StartedAt.Before(a.IntentAt.Add(-clockSkew)) {
			continue
		}
		if !action.Status.Terminal() {
			// Awaited, never recorded as ours: it may be a person's.
			return a.Await(watchOf(account, action), p.set.Poll*24, "a snapshot of the droplet is under way (action %d)", action.ID)
		}
		end := action.CompletedAt
		if end.IsZero() {
			var known bool
			if end, known = seen[action.ID]; !known {
				seen[action.ID] = actions.At
				return saga.Save("action %d has ended", action.ID)
			}
		}
		wait = max(wait, p.set.Horizon-p.ours(actions.At.Sub(end)-resolution))
	}
	if wait > 0 {
		return saga.Wait(a.Now().Add(wait), "a snapshot of the droplet ended a moment ago: if it is ours, it is listed by then")
	}
	return nil
}

// ours is a duration by the cloud's clock as it is by ours.
func (p *Steps) ours(d time.Duration) time.Duration {
	return time.Duration(float64(d) / p.set.CloudSpeed)
}

// actionsOf reads the droplet's actions whole. Once the droplet is gone they are
// found among the account's.
func (p *Steps) actionsOf(ctx context.Context, c *digitalocean.Client, droplet int64, since time.Time) (digitalocean.List[digitalocean.Action], error) {
	actions, err := c.DropletActions(ctx, droplet)
	if !errors.Is(err, digitalocean.NotFound) {
		return actions, err
	}
	all, err := c.Actions(ctx, since)
	if err != nil {
		return all, err
	}
	of := all.Items[:0]
	for _, action := range all.Items {
		if action.ResourceType == "droplet" && action.Resource == droplet {
			of = append(of, action)
		}
	}
	all.Items = of
	return all, nil
}

// action reads one action by its id, wherever it still is. What the watcher has just
// heard of it is not asked for again.
func (p *Steps) action(ctx context.Context, c *digitalocean.Client, droplet, id int64, since time.Time) (digitalocean.Action, error) {
	if action, ok := p.heard.of(id); ok {
		return action, nil
	}
	action, err := c.DropletAction(ctx, droplet, id)
	if !errors.Is(err, digitalocean.NotFound) {
		return action, err
	}
	all, listErr := c.Actions(ctx, since)
	if listErr != nil {
		return digitalocean.Action{}, listErr
	}
	for _, action := range all.Items {
		if action.ID == id {
			action.At = all.At
			return action, nil
		}
	}
	return digitalocean.Action{}, err
}
