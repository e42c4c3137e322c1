package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/provisioning/blueprint"
)

// Actor is who asks for the sagas that start by themselves.
const Actor = "cli:demo"

// account is the demonstration's only one.
const account = "default"

// How much goes on. The longer a demonstration runs, the less: a week adds some
// two thousand sagas, and the cloud holds at most keptSnapshots snapshots.
const (
	soonest       = 15 * time.Second // between two rounds
	latest        = 5 * time.Minute
	mostOpen      = 12 // sagas; while more are open, nothing is added
	keptSnapshots = 60
)

// interval is the pause before the next round of a demonstration that has run for age.
func interval(age time.Duration) time.Duration { return min(max(age/40, soonest), latest) }

// Traffic is somebody who uses the demonstration as a user would, through both
// APIs: makes tenants of what tags name, takes snapshots, runs a smoke test now and
// then, and deletes old snapshots.
type Traffic struct {
	arcadia *client.Client
	cloud   string // its API's address
	http    *http.Client
	log     *slog.Logger
}

// NewTraffic returns a user of Arcadia at one address and of the cloud at another.
func NewTraffic(arcadia *client.Client, c *Cloud, log *slog.Logger) *Traffic {
	return &Traffic{arcadia: arcadia, cloud: c.URL, http: &http.Client{Timeout: 10 * time.Second}, log: log}
}

// Run makes traffic until ctx is done. What fails is tried in a later round.
func (t *Traffic) Run(ctx context.Context) error {
	began, named := time.Now(), false
	for round := 0; ; round++ {
		if err := t.round(ctx, round); err != nil && ctx.Err() == nil {
			t.log.WarnContext(ctx, "the demonstration's traffic", "err", err)
		}
		if !named {
			err := t.nameTenants(ctx)
			if named = err == nil; !named && ctx.Err() == nil {
				t.log.WarnContext(ctx, "the demonstration's tenants", "err", err)
			}
		}
		pause := time.NewTimer(interval(time.Since(began)))
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return nil
		}
	}
}

// round is one saga or a few: the first one of each sort, so that there is
// something to see at once.
func (t *Traffic) round(ctx context.Context, n int) error {
	if open, err := t.open(ctx); err != nil || open > mostOpen {
		return err
	}
	droplets, err := t.arcadia.Droplets(ctx)
	// What belongs to no tenant is left to the visitor, whom no queue then surprises; what
	// a stack has is its sagas'.
	droplets = slices.DeleteFunc(droplets, func(d client.Droplet) bool {
		return !slices.ContainsFunc(d.Tags, isTenant) || slices.ContainsFunc(d.Tags, isStack)
	})
	if err != nil || len(droplets) == 0 {
		return err
	}
	droplet := func() string { return droplets[rand.N(len(droplets))].ID }
	switch {
	case n == 0:
		return errors.Join(t.snapshots(ctx, droplet(), 1), t.snapshots(ctx, droplet(), 2), t.smoke(ctx, droplet()))
	case n%6 == 3:
		err = t.snapshots(ctx, droplet(), 3)
	case n%6 == 5:
		err = t.smoke(ctx, droplet())
	default:
		err = t.snapshots(ctx, droplet(), 1)
	}
	return errors.Join(err, t.Prune(ctx, keptSnapshots))
}

// nameTenants makes a tenant of each that a tag names, once the inventory has seen
// the fleet. Those that there are stay as they are.
func (t *Traffic) nameTenants(ctx context.Context) error {
	run, err := t.arcadia.StartSync(ctx, account)
	for err == nil && !run.Over() {
		pause := time.NewTimer(200 * time.Millisecond)
		select {
		case <-pause.C:
			run, err = t.arcadia.SyncRun(ctx, run.ID)
		case <-ctx.Done():
			pause.Stop()
			err = ctx.Err()
		}
	}
	if err == nil {
		_, err = t.arcadia.ImportTenants(ctx, client.TenantImport{From: "tags"})
	}
	return err
}

func isTenant(tag string) bool { return strings.HasPrefix(tag, "tenant:") }

func isStack(tag string) bool { return strings.HasPrefix(tag, blueprint.StackTagPrefix) }

func (t *Traffic) snapshots(ctx context.Context, droplet string, n int) error {
	for range n {
		if _, _, err := t.arcadia.SnapshotDroplet(ctx, client.DropletRef{Droplet: droplet}, ""); err != nil {
			return err
		}
	}
	return nil
}

func (t *Traffic) smoke(ctx context.Context, droplet string) error {
	_, _, err := t.arcadia.SmokeDroplet(ctx, client.DropletRef{Droplet: droplet}, "")
	return err
}

// open counts the sagas that are under way, up to one more than mostOpen.
func (t *Traffic) open(ctx context.Context) (n int, err error) {
	for _, state := range []string{client.Ready, client.Running, client.Waiting, client.Compensating} {
		page, err := t.arcadia.Sagas(ctx, client.SagaFilter{State: state, Limit: mostOpen + 1})
		if err != nil {
			return 0, err
		}
		n += len(page.Items)
	}
	return n, nil
}

// Prune deletes the oldest snapshots at the cloud so that keep are left, but only
// those of sagas that have completed: what is still under way, and what no saga
// made, is left alone.
func (t *Traffic) Prune(ctx context.Context, keep int) error {
	all, err := t.listed(ctx)
	if err != nil {
		return err
	}
	slices.SortFunc(all, func(a, b snapshot) int { return a.CreatedAt.Compare(b.CreatedAt) })
	for _, old := range all[:max(0, len(all)-keep)] {
		owned, err := t.completed(ctx, old)
		if err != nil {
			return err
		}
		if !owned {
			continue
		}
		if err := t.call(ctx, http.MethodDelete, "/v2/snapshots/"+old.ID, nil); err != nil {
			return err
		}
	}
	return nil
}

// A snapshot is one of the cloud's.
type snapshot struct {
	ID         string    `json:"id"`
	CreatedAt  time.Time `json:"created_at"`
	ResourceID string    `json:"resource_id"`
}

func (t *Traffic) listed(ctx context.Context) (all []snapshot, err error) {
	for page := 1; ; page++ {
		var list struct{ Snapshots []snapshot }
		if err := t.call(ctx, http.MethodGet, fmt.Sprintf("/v2/snapshots?per_page=200&page=%d", page), &list); err != nil {
			return nil, err
		}
		if all = append(all, list.Snapshots...); len(list.Snapshots) < 200 {
			return all, nil
		}
	}
}

// call asks the cloud with a token of its own, so that it takes nothing from
// Arcadia's limits, and decodes the answer into v.
func (t *Traffic) call(ctx context.Context, method, path string, v any) error {
	return t.send(ctx, method, path, nil, v)
}

// send is call with a body.
func (t *Traffic) send(ctx context.Context, method, path string, body, v any) error {
	var text bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&text).Encode(body); err != nil {
			return err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, t.cloud+path, &text)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer dop_v1_housekeeping")
	req.Header.Set("Content-Type", "application/json")
	res, err := t.http.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }() // it has been read
	switch {
	case res.StatusCode >= 300:
		return fmt.Errorf("%s %s: %s", method, path, res.Status)
	case v == nil:
		return nil
	}
	return json.NewDecoder(res.Body).Decode(v)
}

// completed reports whether the snapshot is what a saga that has completed made.
func (t *Traffic) completed(ctx context.Context, s snapshot) (bool, error) {
	filter := client.SagaFilter{State: client.Completed, Subject: "do:droplet:" + s.ResourceID, Limit: 200}
	for {
		page, err := t.arcadia.Sagas(ctx, filter)
		if err != nil {
			return false, err
		}
		for _, saga := range page.Items {
			var made struct {
				SnapshotID string `json:"snapshot_id"`
			}
			if json.Unmarshal(saga.Data, &made) == nil && made.SnapshotID == s.ID {
				return true, nil
			}
		}
		if page.Next == nil {
			return false, nil
		}
		filter.Cursor = *page.Next
	}
}
