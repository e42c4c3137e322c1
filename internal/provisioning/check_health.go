package provisioning

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/provisioning/blueprint"
	"github.com/arcadia-cloud/arcadia/internal/saga"
	"github.com/arcadia-cloud/arcadia/internal/secret"
)

// A Seen is what a probe saw last.
type Seen struct {
	OK    bool      `json:"ok"`
	Said  string    `json:"said"`
	Since time.Time `json:"since,omitzero"` // when it was first asked
}

// checkHealth asks every probe, and waits for call-backs, until all are content, each at
// most as long as it says. A droplet that has called back for everything needs its
// addresses no more.
func (p *Steps) checkHealth(ctx context.Context, s *Building) error {
	a := saga.Current(ctx)
	if s.Health == nil {
		s.Health = map[string]Seen{}
	}
	calls, err := p.calls(ctx)
	if err != nil {
		return err
	}
	var waiting []string
	next, asks := 6*p.set.Poll, false
	for _, key := range slices.Sorted(maps.Keys(s.Spec.Health)) {
		probe, seen := s.Spec.Health[key], s.Health[key]
		if seen.OK {
			continue
		}
		if seen.Since.IsZero() {
			seen.Since = a.Now()
		}
		target, err := s.value(probe.Target)
		if err != nil {
			return saga.Permanent(err)
		}
		said, err := p.look(ctx, key, probe, target, calls)
		if seen.OK, seen.Said = err == nil, said; err != nil {
			seen.Said = err.Error()
		}
		s.Health[key] = seen
		if seen.OK {
			continue
		}
		limit, err := time.ParseDuration(probe.Timeout)
		if err != nil {
			return saga.Permanent(err)
		}
		left := limit - a.Now().Sub(seen.Since)
		if left <= 0 {
			a.Note(s.Health)
			return saga.Permanent(fault.New(fault.Unavailable, "Probe %s was not content within %s: %s", key, limit, seen.Said))
		}
		waiting, next, asks = append(waiting, key+": "+seen.Said), min(next, left), asks || probe.Type != "callback"
	}
	a.Note(s.Health)
	if len(waiting) == 0 {
		return p.closeCalled(ctx, s, calls)
	}
	if asks { // the others only wait for a call, which wakes the saga
		next = min(next, p.set.Poll)
	}
	return a.Await(saga.Watch{Topic: callTopic, Key: string(a.Saga), Since: a.Now()}, next, "waiting for probe %s", strings.Join(waiting, "; "))
}

// look asks a probe once.
func (p *Steps) look(ctx context.Context, key string, probe blueprint.Probe, target string, calls map[string]secret.Use) (said string, err error) {
	if probe.Type != "callback" {
		return p.set.Probe(ctx, probe, target)
	}
	call, asked := calls[key]
	switch {
	case !asked: // it called when it first started, which was an earlier saga's doing
		return "no droplet was started for it", nil
	case call.At.IsZero():
		return "", fmt.Errorf("%s has not called yet", call.Resource)
	}
	return fmt.Sprintf("%s called at %s", call.Resource, call.At.UTC().Format(time.DateTime+" UTC")), nil
}

// closeCalled closes the addresses of the droplets that called back.
func (p *Steps) closeCalled(ctx context.Context, s *Building, calls map[string]secret.Use) error {
	for _, call := range calls {
		if err := p.closeAddresses(ctx, s, call.Resource); err != nil {
			return err
		}
	}
	return nil
}
