package provisioning

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/inventory"
)

// ListStale asks for a list of each kind that was not listed since a saga changed a stack,
// once lists show what it did by at. Until then nothing is known of the stack's drift, and
// some kinds are listed a quarter of an hour later only. A list that was tried since and
// failed is left to the inventory's own schedule.
func (s *Service) ListStale(ctx context.Context, at time.Time) error {
	if s.inventory == nil {
		return nil
	}
	stacks, err := s.Stacks(ctx, StackFilter{})
	if err != nil {
		return err
	}
	look := lookout{service: s, made: map[StackID][]StackResource{}, fresh: map[string]map[string]inventory.Freshness{}}
	stale := map[string]map[string]bool{} // kinds by account
	for _, one := range stacks {
		shows := one.UpdatedAt.Add(s.steps.set.Horizon)
		if at.Before(shows) {
			continue
		}
		if err := look.readMade(ctx, one); err != nil {
			return err
		}
		for _, r := range look.made[one.ID] {
			head := look.fresh[one.Account][r.Kind]
			if head.BeganAt.IsZero() || !head.TriedAt.Before(shows) || look.tooOld(one, r.Kind) == "" {
				continue
			}
			if stale[one.Account] == nil {
				stale[one.Account] = map[string]bool{}
			}
			stale[one.Account][r.Kind] = true
		}
	}
	var failed []error
	for account, kinds := range stale {
		failed = append(failed, s.listOnce(ctx, account, slices.Sorted(maps.Keys(kinds))))
	}
	return errors.Join(failed...)
}

// listOnce asks for a sync of some kinds, unless one is under way: what it leaves stale is
// asked for the next time.
func (s *Service) listOnce(ctx context.Context, account string, kinds []string) error {
	last, err := s.inventory.Runs(ctx, account, 1)
	if err != nil || len(last) > 0 && last[0].FinishedAt.IsZero() {
		return err
	}
	_, err = s.inventory.StartSync(ctx, account, kinds, "drift")
	return err
}
