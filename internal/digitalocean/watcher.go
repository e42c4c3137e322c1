package digitalocean

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// DefaultInterval is how often a Watcher looks.
const DefaultInterval = 5 * time.Second

// clockSkew is how much earlier than a wait's start the list is read, should
// the start be by another clock than DigitalOcean's.
const clockSkew = time.Minute

// A Watch is one open wait for the end of an action.
type Watch struct {
	Key     string // the owner's, opaque here
	Droplet int64  // whose action it is; 0: that of another thing
	Action  int64
	Since   time.Time // when the action started; zero: not known
}

// WatcherOptions are what NewWatcher needs; Open and Wake must be given.
type WatcherOptions struct {
	Interval time.Duration // default DefaultInterval
	// Open lists the waits that are open now.
	Open func(ctx context.Context) ([]Watch, error)
	// Wake is told of each open wait whose action has ended, in every round
	// until Open no longer lists it.
	Wake   func(ctx context.Context, w Watch, a Action) error
	Logger *slog.Logger // default: none
}

// A Watcher follows the actions of one account for any number of waits at the
// cost of one list call per interval. It is level-triggered: each round begins
// from the open waits, so a lost or doubled round changes nothing.
type Watcher struct {
	client *Client
	WatcherOptions
}

// NewWatcher returns a watcher over the account of c, whose purpose must be
// provisioning.
func NewWatcher(c *Client, o WatcherOptions) *Watcher {
	if o.Interval <= 0 {
		o.Interval = DefaultInterval
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Watcher{client: c, WatcherOptions: o}
}

// Run does a round every interval until ctx ends, then returns nil. What fails
// in a round is logged; the next round tries again.
func (w *Watcher) Run(ctx context.Context) error {
	tick := time.NewTicker(w.Interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := w.Tick(ctx); err != nil && ctx.Err() == nil {
			w.Logger.Warn("watching actions", "account", w.client.account, "error", err)
		}
	}
}

// Tick is one round: it reads the open waits, then the account's actions back to
// the oldest awaited one, and wakes the waits whose action has ended. Actions
// that the list does not show are read one by one, but for those too young to be
// sure to be listed. A wait that fails does not keep the others from their wake.
func (w *Watcher) Tick(ctx context.Context) error {
	open, err := w.Open(ctx)
	if err != nil {
		return fmt.Errorf("open waits: %w", err)
	}
	if len(open) == 0 {
		return nil
	}
	missing := make(map[int64]bool)
	var oldest time.Time
	for _, wait := range open {
		missing[wait.Action] = true
		if !wait.Since.IsZero() && (oldest.IsZero() || wait.Since.Before(oldest)) {
			oldest = wait.Since
		}
	}
	if oldest.IsZero() {
		oldest = time.Now()
	}
	found := make(map[int64]Action)
	list, err := w.client.actionsUntil(ctx, oldest.Add(-clockSkew), func(page []Action, pages int) bool {
		for _, a := range page {
			delete(missing, a.ID)
		}
		// Another page costs one call and so does each missing action: going
		// on until both are even costs at most twice the better of the two.
		return len(missing) <= pages
	})
	if err != nil {
		return fmt.Errorf("actions: %w", err)
	}
	for _, a := range list.Items {
		a.At = list.At
		found[a.ID] = a
	}
	var failed []error
	for _, wait := range open {
		a, listed := found[wait.Action]
		if !listed {
			if !wait.Since.IsZero() && list.At.Sub(wait.Since) < 2*w.Interval {
				continue // the list lags: the next round will show it
			}
			if a, err = w.read(ctx, wait); err != nil {
				failed = append(failed, fmt.Errorf("wait %s: %w", wait.Key, err))
				continue
			}
			found[wait.Action] = a
		}
		if a.Status.Terminal() {
			if err := w.Wake(ctx, wait, a); err != nil {
				failed = append(failed, fmt.Errorf("wake %s: %w", wait.Key, err))
			}
		}
	}
	return errors.Join(failed...)
}

// read asks for one action: a droplet's where its droplet shows it.
func (w *Watcher) read(ctx context.Context, wait Watch) (Action, error) {
	if wait.Droplet == 0 {
		return w.client.ActionByID(ctx, wait.Action)
	}
	return w.client.DropletAction(ctx, wait.Droplet, wait.Action)
}
