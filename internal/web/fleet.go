package web

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/fault"
)

const (
	fleetAge = 15 * time.Second // after which a page that is opened reads the droplets anew
	anyAge   = time.Hour        // where a list as it was a while ago does
	checkAge = 30 * time.Second

	fleetPatience = 3 * time.Second // for a new list where there is an older one
	checkPatience = time.Second
)

// A fleet is the droplets as they were last read: open pages read themselves
// again whenever a saga changes, and must not use up the token's limits by it.
type fleet struct {
	read func(context.Context) ([]digitalocean.Droplet, error)

	mu   sync.Mutex
	last droplets
}

// droplets are the droplets of the account and when they were read.
type droplets struct {
	items []digitalocean.Droplet
	at    time.Time
	late  error // why they could not be read anew
}

// droplets lists the droplets, as they were not longer ago than age. Where they
// cannot be read now it is the list as it was before, which says why.
func (f *fleet) droplets(ctx context.Context, age time.Duration) (droplets, error) {
	f.mu.Lock() // whoever comes meanwhile gets what this one reads
	defer f.mu.Unlock()
	if !f.last.at.IsZero() && time.Since(f.last.at) < age {
		return f.last, nil
	}
	at, reading := time.Now(), ctx
	if !f.last.at.IsZero() {
		var cancel context.CancelFunc
		reading, cancel = context.WithTimeout(ctx, fleetPatience)
		defer cancel()
	}
	items, err := f.read(reading)
	switch {
	case err != nil && f.last.at.IsZero():
		return droplets{}, err
	case err != nil:
		old := f.last
		old.late = err
		return old, nil
	}
	f.last = droplets{items: items, at: at}
	return f.last, nil
}

// one is the droplet with an id.
func (f *fleet) one(ctx context.Context, ref string) (digitalocean.Droplet, error) {
	for _, age := range []time.Duration{anyAge, 0} { // it may be new
		list, err := f.droplets(ctx, age)
		if err != nil {
			return digitalocean.Droplet{}, err
		}
		for _, d := range list.items {
			if strconv.FormatInt(d.ID, 10) == ref {
				return d, nil
			}
		}
		if time.Since(list.at) < time.Second {
			break
		}
	}
	return digitalocean.Droplet{}, fault.New(fault.NotFound, "There is no droplet %q in this account.", clip(ref))
}

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
