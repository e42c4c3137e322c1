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
}

// droplets lists the droplets, as they were not longer ago than age.
func (f *fleet) droplets(ctx context.Context, age time.Duration) (droplets, error) {
	f.mu.Lock() // whoever comes meanwhile gets what this one reads
	defer f.mu.Unlock()
	if !f.last.at.IsZero() && time.Since(f.last.at) < age {
		return f.last, nil
	}
	at := time.Now()
	items, err := f.read(ctx)
	if err != nil {
		return droplets{}, err
	}
	f.last = droplets{items, at}
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

// A checkup is how this process was when it was last looked at: some of that asks
// DigitalOcean.
type checkup struct {
	read func(context.Context) []client.Check

	mu   sync.Mutex
	last []client.Check
	at   time.Time
}

func (c *checkup) checks(ctx context.Context) []client.Check {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.at.IsZero() || time.Since(c.at) > checkAge {
		c.last, c.at = c.read(ctx), time.Now()
	}
	return c.last
}
