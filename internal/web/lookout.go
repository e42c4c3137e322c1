package web

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/inventory"
	"github.com/arcadia-cloud/arcadia/internal/provisioning"
)

// A topic is what a page follows beside sagas.
type topic string

const (
	changesTopic topic = "changes" // of the inventory
	syncsTopic   topic = "syncs"   // and how far the newest sync is
)

// lookoutAge is how old what a lookout says may be.
const lookoutAge = time.Second

// A lookout sees whether the inventory has moved on, or something was frozen. All open pages look through
// the same one: the database is asked once a second, however many they are.
type lookout struct {
	inventory *inventory.Service
	accounts  func(context.Context) ([]string, error)
	freezes   func(context.Context) ([]provisioning.Freeze, error)

	mu      sync.Mutex
	at      time.Time
	frozen  string // empty: nothing is
	changes string
	syncs   string
}

// position is where a topic is, and what is frozen, which every page says. It says nothing but that it is
// different when something changed.
func (l *lookout) position(ctx context.Context, of topic) (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := time.Now(); now.Sub(l.at) >= lookoutAge {
		if err := l.look(ctx); err != nil {
			return "", err
		}
		l.at = now
	}
	switch of {
	case syncsTopic:
		return l.syncs + l.frozen, nil
	case changesTopic:
		return l.changes + l.frozen, nil
	}
	return l.frozen, nil
}

func (l *lookout) look(ctx context.Context) error {
	freezes, err := l.freezes(ctx)
	if err != nil {
		return err
	}
	l.frozen = ""
	for _, f := range freezes {
		l.frozen += fmt.Sprintf(".%x", f.At.UnixMicro())
	}
	last, err := l.inventory.FeedEnd(ctx)
	if err != nil {
		return err
	}
	accounts, err := l.accounts(ctx)
	if err != nil {
		return err
	}
	l.changes = fmt.Sprint(last)
	l.syncs = l.changes
	for _, account := range accounts {
		runs, err := l.inventory.Runs(ctx, account, 1)
		if err != nil {
			return err
		}
		for _, r := range runs {
			if r, err = l.inventory.Run(ctx, r.ID); err != nil {
				return err
			}
			items, done := 0, 0
			for _, g := range r.Kinds {
				items += g.Items + g.Requests
				if !g.EndedAt.IsZero() {
					done++
				}
			}
			l.syncs += fmt.Sprintf(".%s.%d.%d.%t", r.ID, items, done, r.FinishedAt.IsZero())
		}
	}
	return nil
}
