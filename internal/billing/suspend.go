package billing

import (
	"time"

	"github.com/arcadia-cloud/arcadia/internal/exact"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/period"
)

// suspensions are all that was ever said of times without service, in the order in
// which it was said.
func (a *Agreement) suspensions() (all []Suspension) {
	holds := make(map[int64]int) // by when a suspension begins
	for _, c := range a.Changes {
		if c.Type != SuspensionChange {
			continue
		}
		if i, ok := holds[c.EffectiveAt.UnixMicro()]; ok {
			all[i].ReplacedAt = c.RecordedAt
		}
		x := Suspension{Period: period.Period{From: c.EffectiveAt, To: c.UntilAt}, RecordedAt: c.RecordedAt}
		if x.To.IsZero() {
			x.To = forever
		}
		holds[c.EffectiveAt.UnixMicro()] = len(all)
		all = append(all, x)
	}
	return all
}

// Suspensions are the times without service by what is known now, in the order in
// which they were entered; To is zero where the end is not known.
func (a *Agreement) Suspensions() (all []period.Period) {
	for _, x := range a.suspensions() {
		if !x.ReplacedAt.IsZero() || !x.To.After(x.From) {
			continue
		}
		p := x.Period
		if p.To.Equal(forever) {
			p.To = time.Time{}
		}
		all = append(all, p)
	}
	return all
}

// suspension is what an order to suspend or to resume changes.
func (a *Agreement) suspension(o ChangeOrder, at time.Time) ([]Change, error) {
	switch {
	case o.Item != "" || o.Plan != "" || o.Quantity != "":
		return nil, fault.New(fault.Invalid, "A suspension is of all items: name no item, plan or quantity.")
	case o.When == "period_end":
		return nil, fault.New(fault.Invalid, "Suspensions begin and end now, or at a date or an instant.")
	case o.Until != "" && o.Type == ResumeOrder:
		return nil, fault.New(fault.Invalid, "What is resumed goes on without an end.")
	}
	if err := checkTexts(named{"reason", &o.Reason, 500}); err != nil {
		return nil, err
	}
	when, err := a.when(o.When, at)
	if err != nil {
		return nil, err
	}
	change := Change{Type: SuspensionChange, Quantity: exact.Whole(1), EffectiveAt: when, EnteredAt: micros(at), Actor: o.By, Reason: o.Reason}
	var during []Suspension
	for _, x := range a.suspensions() {
		if x.ReplacedAt.IsZero() && !when.Before(x.From) && when.Before(x.To) {
			during = append(during, x)
		}
	}
	if o.Type == ResumeOrder {
		var changes []Change
		for _, x := range during {
			change.EffectiveAt, change.UntilAt = x.From, when
			changes = append(changes, change)
		}
		if changes == nil {
			return nil, fault.New(fault.Conflict, "The subscription is not suspended at %s: there is nothing to resume.", when.Format(time.RFC3339))
		}
		return changes, nil
	}
	if o.Until != "" {
		if change.UntilAt, err = a.when(o.Until, at); err != nil {
			return nil, err
		}
		if !change.UntilAt.After(when) {
			return nil, fault.New(fault.Invalid, "The suspension would end before it begins.")
		}
	}
	switch {
	case len(during) > 0:
		return nil, fault.New(fault.Conflict, "The subscription is suspended then, since %s. Resume it first.", during[0].From.Format(time.RFC3339))
	case when.Before(a.StartedAt):
		return nil, fault.New(fault.Invalid, "The subscription begins only at %s.", a.StartedAt.Format(time.RFC3339))
	}
	return []Change{change}, nil
}
