package web

import (
	"context"
	"sync"
	"time"

	"github.com/arcadia-cloud/arcadia/client"
)

const (
	checkAge      = 30 * time.Second
	checkPatience = time.Second
)

// clip keeps an absurdly long text out of a sentence.
func clip(s string) string {
	if runes := []rune(s); len(runes) > 64 {
		return string(runes[:63]) + "…"
	}
	return s
}

// A checkup is how this process was when it was last looked at. Some of that asks
// DigitalOcean, which may take long: no page waits for it but a moment the first
// time.
type checkup struct {
	read  func(context.Context) []client.Check
	asked chan struct{} // somebody wants to know
	first chan struct{} // closed once it was looked at

	mu   sync.Mutex
	last []client.Check
	at   time.Time
}

func newCheckup(read func(context.Context) []client.Check) *checkup {
	return &checkup{read: read, asked: make(chan struct{}, 1), first: make(chan struct{})}
}

// run looks whenever somebody wants to know and the last look is old, until ctx is done.
func (c *checkup) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.asked:
		}
		c.mu.Lock()
		at := c.at
		c.mu.Unlock()
		if !at.IsZero() && time.Since(at) < checkAge {
			continue
		}
		looking, cancel := context.WithTimeout(ctx, readTime)
		found := c.read(looking)
		cancel()
		c.mu.Lock()
		c.last, c.at = found, time.Now()
		c.mu.Unlock()
		if at.IsZero() {
			close(c.first)
		}
	}
}

// checks is what was found the last time.
func (c *checkup) checks(ctx context.Context) []client.Check {
	select {
	case c.asked <- struct{}{}:
	default:
	}
	wait := time.NewTimer(checkPatience)
	defer wait.Stop()
	select {
	case <-c.first:
	case <-wait.C:
	case <-ctx.Done():
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}
