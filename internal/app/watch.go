package app

import (
	"context"
	"sync"
	"time"
)

// accountsEvery is how often the accounts are looked through for one that can be
// changed and has no watcher yet, or can be no more.
const accountsEvery = 15 * time.Second

// watchers wakes the sagas of each account that can be changed as the actions that
// they await end, until ctx is done. Accounts and tokens come and go meanwhile; a
// saga whose account nobody watches looks by itself, less often.
func (a *App) watchers(ctx context.Context) error {
	var running sync.WaitGroup
	defer running.Wait()
	watched := map[string]context.CancelFunc{}
	look := time.NewTicker(accountsEvery)
	defer look.Stop()
	for {
		writable, err := a.writable(ctx)
		if err != nil && ctx.Err() == nil {
			a.log.WarnContext(ctx, "which accounts to watch is not known", "err", err)
		}
		for name, can := range writable {
			stop, runs := watched[name]
			switch {
			case can && !runs:
				watching, stop := context.WithCancel(ctx)
				watched[name] = stop
				running.Go(func() { a.provisioning.Watch(watching, name) })
			case !can && runs:
				stop()
				delete(watched, name)
			}
		}
		select {
		case <-ctx.Done():
			return nil //nolint:nilerr // to be asked to end is no failure
		case <-look.C:
		}
	}
}

// writable tells of each account whether it has a token to change things with.
func (a *App) writable(ctx context.Context) (map[string]bool, error) {
	accounts, err := a.access.Accounts(ctx)
	if err != nil {
		return nil, err
	}
	can := map[string]bool{}
	for _, of := range accounts {
		if can[of.Name], _, err = a.access.Writable(ctx, of.Name); err != nil {
			return nil, err
		}
	}
	return can, nil
}
