package provisioning

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// A SnapshotRequest asks for a snapshot of a droplet.
type SnapshotRequest struct {
	Account     string
	Droplet     string // id or name
	RequestedBy string // the actor
	Scope, Key  string // of idempotency; an empty key is none
}

// SnapshotDroplet starts a saga that takes a snapshot of a droplet. The droplet
// is looked up first, so that a wrong one is refused and nothing is recorded.
// replayed says that the key answered an earlier saga.
func (s *Service) SnapshotDroplet(ctx context.Context, r SnapshotRequest) (started saga.Saga, replayed bool, err error) {
	return s.start(ctx, SnapshotDropletKind, r)
}

// Smoke starts a saga that takes a snapshot of a droplet and undoes it.
func (s *Service) Smoke(ctx context.Context, r SnapshotRequest) (started saga.Saga, replayed bool, err error) {
	return s.start(ctx, SmokeKind, r)
}

func (s *Service) start(ctx context.Context, kind string, r SnapshotRequest) (saga.Saga, bool, error) {
	c, err := s.steps.cloud(ctx, r.Account)
	if err != nil {
		return saga.Saga{}, false, err
	}
	droplet, err := s.dropletOrListed(ctx, c, r)
	if err != nil {
		return saga.Saga{}, false, err
	}
	return s.engine.Launch(ctx, saga.Request{
		Kind: kind, RequestedBy: r.RequestedBy, Scope: r.Scope, Key: r.Key,
		Input: Snapshot{Account: r.Account, DropletID: droplet.ID, DropletName: droplet.Name},
	})
}

// dropletOrListed looks a droplet up. Where many are asked for at once, by their ids, one list
// of the last minute tells that they are there.
func (s *Service) dropletOrListed(ctx context.Context, c *digitalocean.Client, r SnapshotRequest) (digitalocean.Droplet, error) {
	n, err := strconv.ParseInt(r.Droplet, 10, 64)
	if err == nil && n > 0 {
		lately := time.Now().Add(-crowdFor * s.steps.set.Poll)
		v, ok, err := ask(ctx, s.steps.looks, r.Droplet, r.Account+" droplets of the last minute", lately, time.Now, c.Droplets)
		if i := slices.IndexFunc(v.items, func(d digitalocean.Droplet) bool { return d.ID == n }); ok && err == nil && i >= 0 {
			return v.items[i], nil
		}
	}
	return s.droplet(ctx, c, r.Droplet)
}

// AccountOf is the account at DigitalOcean that a saga changes; empty where its state
// names none.
func AccountOf(s saga.Saga) string {
	var of struct{ Account string }
	if json.Unmarshal(s.Data, &of) != nil {
		return "" // of a kind that no account is in
	}
	return of.Account
}

// Acts reports whether a verb has a saga go on to change something, which takes a token:
// turning back and resting it may do at any time.
func Acts(verb string) bool {
	return slices.Contains([]string{"start", "resume", "retry", "skip", "mark-done"}, verb)
}

// A Leftover is a thing at DigitalOcean under a saga's marker that its ledger
// does not own.
type Leftover struct {
	URN       string
	Name      string
	CreatedAt time.Time
}

// LeftOver looks through the whole account for what a saga made and does not own.
// A list may show for a while what is gone, so each find is asked for by its id.
func (s *Service) LeftOver(ctx context.Context, of saga.Saga) ([]Leftover, error) {
	state, err := stateOf(of)
	if err != nil {
		return nil, err
	}
	c, err := s.steps.cloud(ctx, state.Account)
	if err != nil {
		return nil, err
	}
	all, err := c.Snapshots(ctx)
	if err != nil {
		return nil, err
	}
	left := []Leftover{}
	for _, snap := range unowned(of, state, all.Items) {
		switch _, err := c.Snapshot(ctx, snap.ID); {
		case errors.Is(err, digitalocean.NotFound):
			continue
		case err != nil:
			return nil, err
		}
		left = append(left, Leftover{URN: snapshotURN(snap.ID), Name: snap.Name, CreatedAt: snap.CreatedAt})
	}
	return left, nil
}

// unowned are the snapshots under the saga's marker that its ledger does not own:
// a saga that goes forward owns the one that it recorded, one that undoes none.
func unowned(of saga.Saga, state Snapshot, all []digitalocean.Snapshot) []digitalocean.Snapshot {
	marker := snapshotMarker(state.DropletID, of.ID)
	return slices.DeleteFunc(slices.Clone(all), func(snap digitalocean.Snapshot) bool {
		owned := of.Direction == saga.Forward && snap.ID == state.SnapshotID
		return owned || !carriesMarker(snap.Name, marker)
	})
}

func stateOf(of saga.Saga) (Snapshot, error) {
	if of.Kind != SnapshotDropletKind && of.Kind != SmokeKind {
		return Snapshot{}, fault.New(fault.Invalid, "%s sagas have no left-overs to look for.", of.Kind)
	}
	return saga.StateOf[Snapshot](of)
}

// Sweep looks for what sagas with lost answers left behind, where such a look is
// due, and deletes it: a request that was frozen on its way may be carried out
// after its saga has ended. One list call serves all sagas of an account.
func (s *Service) Sweep(ctx context.Context) error {
	sweeps := map[string]func(*Service, context.Context, saga.Sweep) error{}
	kinds := []string{SnapshotDropletKind, SmokeKind}
	for _, o := range slices.Concat(operations, offStacks) {
		kinds = append(kinds, o.Kind)
		sweeps[o.Kind] = o.sweep
	}
	due, err := s.engine.DueSweeps(ctx, 500, kinds...)
	if err != nil {
		return err
	}
	lists := map[string][]digitalocean.Snapshot{}
	var failed []error
	for _, w := range due {
		var err error
		switch sweep, ofStack := sweeps[w.Saga.Kind]; {
		case !ofStack:
			err = s.sweep(ctx, w, lists)
		case sweep == nil: // its ledger names everything
			err = s.engine.SweepDone(ctx, w, []string{})
		default:
			err = sweep(s, ctx, w)
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("sweep after %s: %w", w.Saga.ID, err))
		}
	}
	return errors.Join(failed...)
}

func (s *Service) sweep(ctx context.Context, w saga.Sweep, lists map[string][]digitalocean.Snapshot) error {
	state, err := stateOf(w.Saga)
	if err != nil {
		return err
	}
	c, err := s.steps.cloud(ctx, state.Account)
	if err != nil {
		return err
	}
	all, ok := lists[state.Account]
	if !ok {
		list, err := c.Snapshots(ctx)
		if err != nil {
			return err
		}
		all = list.Items
		lists[state.Account] = all
	}
	removed, err := s.sweepSnapshots(ctx, w, "", c, unowned(w.Saga, state, all))
	if err != nil {
		return err
	}
	return s.engine.SweepDone(ctx, w, removed)
}

// Watch wakes sagas of an account as the actions that they await end, until ctx
// is done: one list call per interval, however many wait. One engine at a time
// does it.
func (s *Service) Watch(ctx context.Context, account string) {
	lease := max(3*s.steps.set.Poll, time.Second)
	s.engine.Lead(ctx, "watch actions of "+account, lease, func(ctx context.Context) {
		for ctx.Err() == nil {
			err := s.watch(ctx, account)
			if err == nil || ctx.Err() != nil {
				return
			}
			s.steps.log.Warn("watch actions", "account", account, "err", err)
			select {
			case <-ctx.Done():
			case <-time.After(12 * s.steps.set.Poll):
			}
		}
	})
}

func (s *Service) watch(ctx context.Context, account string) error {
	c, err := s.steps.cloud(ctx, account)
	if err != nil {
		return err
	}
	return digitalocean.NewWatcher(c, digitalocean.WatcherOptions{
		Interval: s.steps.set.Poll,
		Logger:   s.steps.log,
		Open: func(ctx context.Context) ([]digitalocean.Watch, error) {
			open, err := s.engine.OpenWaits(ctx, actionsTopic(account))
			watches := make([]digitalocean.Watch, 0, len(open))
			for _, w := range open {
				watch, err := parseWatch(w)
				if err != nil {
					return nil, err
				}
				watches = append(watches, watch)
			}
			return watches, err
		},
		Wake: func(ctx context.Context, w digitalocean.Watch, ended digitalocean.Action) error {
			id, rev, _ := strings.Cut(w.Key, " ")
			n, err := strconv.ParseInt(rev, 10, 64)
			if err != nil {
				return err
			}
			s.steps.heard.tell(ended)
			return s.engine.WakeWait(ctx, saga.ID(id), n)
		},
	}).Run(ctx)
}

// watchOf names an action of a droplet for the watcher.
func watchOf(account string, a digitalocean.Action) saga.Watch {
	watch := resourceWatch(account, "droplet", strconv.FormatInt(a.Resource, 10), a.ID)
	watch.Since = a.StartedAt
	return watch
}

// parseWatch reads "kind/id/action", and "droplet's id/action" of sagas that began to
// wait under an older version.
func parseWatch(w saga.OpenWait) (out digitalocean.Watch, err error) {
	out = digitalocean.Watch{Key: fmt.Sprintf("%s %d", w.ID, w.Rev), Since: w.Watch.Since}
	parts := strings.Split(w.Watch.Key, "/")
	if len(parts) == 2 {
		parts = append([]string{"droplet"}, parts...)
	}
	if len(parts) != 3 {
		return out, fmt.Errorf("saga %s awaits %q, which names no action", w.ID, w.Watch.Key)
	}
	if out.Action, err = strconv.ParseInt(parts[2], 10, 64); err == nil && parts[0] == "droplet" {
		out.Droplet, err = strconv.ParseInt(parts[1], 10, 64)
	}
	if err != nil {
		return out, fmt.Errorf("saga %s awaits %q: %w", w.ID, w.Watch.Key, err)
	}
	return out, nil
}
