package billing

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/metering"
)

// planCounting says which meters of a file usage is to be counted by beside those by
// which it is. A meter that has counted events otherwise than the file would have it is
// refused, but where the catalog had it all along: bills are made by the catalog's.
func (s *Service) planCounting(ctx context.Context, q db.Queryer, c *Catalog, p *entryPlan) error {
	if p.Count(EntryRefused) > 0 {
		return nil
	}
	for _, m := range c.Meters {
		if c.onlyPicksResources(m.ID) {
			continue
		}
		at := slices.IndexFunc(p.Changes, func(ch EntryChange) bool { return ch.Kind == MeterEntry && ch.ID == m.ID })
		change := &p.Changes[at]
		action, err := s.meters.PlanMeter(ctx, q, m)
		switch stays := change.Action == EntryUnchanged; {
		case errors.Is(err, fault.Conflict), errors.Is(err, fault.Invalid):
			if !stays {
				change.Action, change.Why = EntryRefused, fault.Message(err)
			}
		case err != nil:
			return err
		case action == metering.MeterAdded, action == metering.MeterChanged && !stays:
			p.Counting = append(p.Counting, metering.MeterOutcome{Meter: m, Action: action})
		}
	}
	for _, o := range p.Counting {
		p.Fingerprint = fingerprint(nil, []byte(strings.Join([]string{p.Fingerprint, o.Meter.ID, string(o.Action)}, " ")))
	}
	return nil
}

// onlyPicksResources reports whether charges have the meter, all of them for resources:
// it is about no usage.
func (c *Catalog) onlyPicksResources(meter string) bool {
	picks := false
	for _, p := range c.Plans {
		for _, ch := range p.Charges {
			switch {
			case ch.Meter == nil || ch.Meter.ID != meter:
			case ch.Type == Usage:
				return false
			default:
				picks = true
			}
		}
	}
	return picks
}
