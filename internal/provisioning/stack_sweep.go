package provisioning

import (
	"context"
	"errors"
	"slices"

	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/provisioning/blueprint"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// sweepStack deletes what carries the marker of a saga that made a stack, and is not in
// its ledger: a request that was frozen on its way may be carried out after its end.
func (s *Service) sweepStack(ctx context.Context, w saga.Sweep) error {
	state, err := saga.StateOf[Building](w.Saga)
	if err != nil {
		return err
	}
	b, err := s.sweeper(ctx, w, &state)
	if err != nil {
		return err
	}
	removed, left, err := s.sweepResources(ctx, w, b)
	if err != nil {
		return err
	}
	return s.engine.SweepDone(ctx, w, removed, left...)
}

// sweeper is a builder in the name of a saga that has ended.
func (s *Service) sweeper(ctx context.Context, w saga.Sweep, state *Building) (*builder, error) {
	c, err := s.steps.cloud(ctx, state.Account)
	if err != nil {
		return nil, err
	}
	return &builder{
		c: c, set: &s.steps.set, state: state, marker: func(r blueprint.Resource) string { return resourceMarker(w.Saga.ID, r) },
		leave: func(ctx context.Context, permits ...digitalocean.Permit) context.Context {
			return leaveToSweep(ctx, w, state.Tenant, permits...)
		},
	}, nil
}

// leaveToSweep is leave for changes in the name of a saga that has ended.
func leaveToSweep(ctx context.Context, w saga.Sweep, of string, permits ...digitalocean.Permit) context.Context {
	return digitalocean.WithCapability(ctx, &digitalocean.Capability{
		Saga: string(w.Saga.ID), Step: "sweep", Epoch: w.Saga.Epoch, Kind: w.Saga.Kind, Tenant: of, Permits: permits, Valid: ctx.Err,
	})
}

// sweepSnapshots deletes snapshots that a saga left over, and returns their URNs.
func (s *Service) sweepSnapshots(ctx context.Context, w saga.Sweep, of string, c *digitalocean.Client, left []digitalocean.Snapshot) ([]string, error) {
	removed := []string{}
	for _, snap := range left {
		switch err := c.DeleteSnapshot(leaveToSweep(ctx, w, of, digitalocean.DeleteSnapshotPermit(snap.ID)), snap.ID); {
		case err == nil:
			s.steps.log.Warn("deleted a left-over snapshot", "saga", w.Saga.ID, "snapshot", snap.ID, "name", snap.Name)
			removed = append(removed, snapshotURN(snap.ID))
		case !errors.Is(err, digitalocean.NotFound):
			return nil, err
		}
	}
	return removed, nil
}

// sweepResources deletes what carries markers and is in no ledger. What is like a thing
// that carries none is left: somebody else may have made it, or lead it there, since.
func (s *Service) sweepResources(ctx context.Context, w saga.Sweep, b *builder) (removed, left []string, err error) {
	removed, state := []string{}, b.state
	all := state.Spec.Resources
	if gate, ok := gateOf(state.Spec); ok {
		all = append(slices.Clone(all), gate)
	}
	for _, r := range slices.Backward(all) {
		if r.Kind == blueprint.ProjectKind || r.Kind == blueprint.TagKind {
			continue // to ask twice for them makes one
		}
		found, err := b.unowned(ctx, r, w.Saga.Direction == saga.Forward)
		if err != nil {
			return nil, nil, err
		}
		if b.thing(r).unmarked {
			for _, id := range found {
				s.steps.log.Warn("left what may be a saga's, and may be somebody else's", "saga", w.Saga.ID, "resource", r.ID, "id", id)
				left = append(left, resourceURN(state.Account, r, id))
			}
			continue
		}
		gone, err := b.sweep(ctx, r, found)
		if err != nil {
			return nil, nil, err
		}
		for _, id := range gone {
			s.steps.log.Warn("deleted what a saga left over", "saga", w.Saga.ID, "resource", r.ID, "id", id)
			removed = append(removed, resourceURN(state.Account, r, id))
		}
	}
	return removed, left, nil
}

// sweepSuspension also deletes snapshots of droplets, whose markers are names.
func (s *Service) sweepSuspension(ctx context.Context, w saga.Sweep) error {
	state, err := saga.StateOf[Suspension](w.Saga)
	if err != nil {
		return err
	}
	b, err := s.sweeper(ctx, w, &state.Building)
	if err != nil {
		return err
	}
	removed, left, err := s.sweepResources(ctx, w, b)
	if err != nil {
		return err
	}
	list, err := b.c.Snapshots(ctx)
	if err != nil {
		return err
	}
	for _, snap := range state.Snapshots {
		gone, err := s.sweepSnapshots(ctx, w, state.Tenant, b.c, unowned(w.Saga, *snap, list.Items))
		if err != nil {
			return err
		}
		removed = append(removed, gone...)
	}
	return s.engine.SweepDone(ctx, w, removed, left...)
}

// unowned is what there is of a resource, but for what the saga owns.
func (b *builder) unowned(ctx context.Context, r blueprint.Resource, forward bool) ([]string, error) {
	m := b.state.made(r.ID)
	if m.Requests == 0 {
		return nil, nil
	}
	ids, err := b.thing(r).ours(ctx, m)
	if err != nil && !errors.Is(err, digitalocean.NotFound) {
		return nil, err
	}
	return slices.DeleteFunc(ids, func(id string) bool { return forward && id == m.ID }), nil
}

// sweep deletes what was found of a resource, and returns what of it is gone.
func (b *builder) sweep(ctx context.Context, r blueprint.Resource, found []string) (gone []string, err error) {
	for _, id := range found {
		switch err := b.thing(r).delete(ctx, id); {
		case err == nil:
			gone = append(gone, id)
		case !errors.Is(err, digitalocean.NotFound) && !errors.Is(err, errKept):
			return gone, err
		}
	}
	return gone, nil
}
