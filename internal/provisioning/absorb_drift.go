package provisioning

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/provisioning/blueprint"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// AbsorbDriftKind has a stack expect what is there. It asks DigitalOcean for nothing: it is
// a saga so that no other has the stack meanwhile, and that who did it, and why, is kept.
const AbsorbDriftKind = "absorb_drift"

// Absorb is the verb.
const Absorb Verb = "absorb"

// An Absorption is the state of a saga that absorbs drift.
type Absorption struct {
	Building // as it is expected from then on

	Reason  string   `json:"reason"`
	Forgets []string `json:"forgets,omitempty"` // keys of what is gone
}

func (p *Steps) absorbDrift() saga.Kind[Absorption] {
	return saga.Kind[Absorption]{
		Name: AbsorbDriftKind,
		Begin: func(s *Absorption) error {
			if s.Stack == "" || s.Reason == "" || s.Saga != "" {
				return fault.New(fault.Invalid, "Drift is absorbed by applying a plan: arcadia stack absorb, then arcadia stack apply.")
			}
			return nil
		},
		Subjects: func(s Absorption) []string { return []string{s.Stack.subject()} },
		Policy:   saga.Refuse,
		Steps: []saga.Step[Absorption]{
			{Name: "begin_absorption", NothingToUndo: "it does nothing", Do: func(ctx context.Context, s *Absorption) error {
				s.Saga = saga.Current(ctx).Saga
				return nil
			}},
			{Name: "record_stack", Local: recordAbsorption, NothingToUndo: "it is the last step"},
		},
	}
}

// recordAbsorption says what the stack is now. What lists show is as true as it was: when
// the stack last changed at DigitalOcean stays.
func recordAbsorption(ctx context.Context, tx *sql.Tx, s *Absorption) error {
	res, err := tx.ExecContext(ctx, `UPDATE stacks SET spec = $1, rev = rev + 1 WHERE id = $2 AND saga_id = $3`, db.JSON[blueprint.Spec]{V: s.Spec}, string(s.Stack), string(s.Saga))
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n != 1 {
		return fmt.Errorf("stack %s is not saga %s's: %w", s.Stack, s.Saga, err)
	}
	for _, key := range s.Forgets {
		if _, err := tx.ExecContext(ctx, `DELETE FROM stack_resources WHERE stack_id = $1 AND key = $2`, string(s.Stack), key); err != nil {
			return err
		}
	}
	for _, r := range s.Spec.Resources {
		if _, err := tx.ExecContext(ctx, `UPDATE stack_resources SET name = $1 WHERE stack_id = $2 AND key = $3 AND name <> $1`, r.Name, string(s.Stack), r.ID); err != nil {
			return err
		}
	}
	return nil
}

var onlyOption = Option{Name: "only", Type: TextOption, Help: "Keys of resources, or ids of differences, with commas between them; empty: all that is not ignored."}

var absorbOperation = Operation{
	Verb: Absorb, Kind: AbsorbDriftKind, Help: "Have a stack expect what is there by now. Nothing is done at DigitalOcean.", From: []StackState{StackActive},
	Options: []Option{{Name: "reason", Type: TextOption, Help: "Why it is right as it is; kept with who absorbs it."}, onlyOption},
	draw:    (*Service).drawAbsorb,
}

func (s *Service) drawAbsorb(ctx context.Context, r PlanRequest, d *drawn) error {
	reason := strings.TrimSpace(r.Options["reason"])
	if reason == "" {
		return fault.New(fault.Invalid, "Say why it is right as it is: `reason`.")
	}
	drift, chosen, err := s.drawDrift(ctx, r, d)
	if err != nil {
		return err
	}
	state := Absorption{Building: d.building, Reason: reason}
	state.Spec.Resources = slices.Clone(state.Spec.Resources)
	named := r.Options["only"] != ""
	for _, one := range chosen {
		if one.AbsorbNot != "" {
			if named {
				return fault.New(fault.Unprocessable, "%s cannot be absorbed: %s", one.about(), one.AbsorbNot)
			}
			d.Warnings = append(d.Warnings, fmt.Sprintf("%s stays a difference: %s", one.about(), one.AbsorbNot))
			continue
		}
		one.take(&state.Spec)
		detail := "it is expected no more"
		if one.What == MissingThing {
			state.Forgets = append(state.Forgets, one.Key)
		} else {
			detail = fmt.Sprintf("%s: %s is expected in place of %s", one.Field, orNothing(one.Is), orNothing(one.Expected))
		}
		d.Changes = append(d.Changes, one.change(detail, new(int64)))
	}
	if len(d.Changes) == 0 {
		return fault.New(fault.Unprocessable, "Nothing of the drift of stack %s can be absorbed: %s", d.Name, strings.Join(d.Warnings, " "))
	}
	d.Reason = reason
	d.Before, d.After = drift.Standing, drift.Standing
	d.Warnings = append(d.Warnings, "The stack is then another than its blueprint and parameters say.")
	d.Steps = planned(s.steps.absorbDrift(), nil)
	d.input = func(of PlanID) any {
		state.Plan = of
		return state
	}
	d.begin = func(ctx context.Context, tx *sql.Tx, of saga.ID, _ time.Time) error {
		return takeStack(ctx, tx, d.stack, of)
	}
	return nil
}

// takeStack is moveStack of a saga that changes nothing at DigitalOcean.
func takeStack(ctx context.Context, tx *sql.Tx, stack Stack, of saga.ID) error {
	res, err := tx.ExecContext(ctx, `UPDATE stacks SET saga_id = $1, rev = rev + 1 WHERE id = $2 AND rev = $3`, string(of), string(stack.ID), stack.Rev)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n != 1 {
		return fault.New(fault.Conflict, "Stack %s changed meanwhile. Make a new plan.", stack.Name)
	}
	return nil
}

// drawDrift reads the drift of a stack, and which differences are meant: the plan holds as
// long as each is as it is.
func (s *Service) drawDrift(ctx context.Context, r PlanRequest, d *drawn) (drift Drift, chosen []Difference, err error) {
	if drift, err = s.Drift(ctx, d.stack, time.Now()); err != nil {
		return drift, nil, err
	}
	if chosen, err = drift.chosenDifferences(r.Options["only"]); err != nil {
		return drift, nil, err
	}
	d.Warnings = append(d.Warnings, drift.Unknown...)
	if len(chosen) == 0 {
		why := "every difference is ignored, or there is none."
		if len(drift.Unknown) > 0 {
			why = strings.Join(drift.Unknown, " ")
		}
		return drift, nil, fault.New(fault.Conflict, "Stack %s has no drift to %s: %s", d.Name, r.Verb, why)
	}
	for _, one := range chosen {
		d.Read[one.about()] = cmp.Or(one.Is, string(one.What))
	}
	d.Unpriced = append(d.Unpriced, drift.Unpriced...)
	return drift, chosen, nil
}

// about names a difference for people.
func (d Difference) about() string {
	return strings.TrimSpace(cmp.Or(d.Key, d.URN) + " " + d.Field)
}

// change is what a plan says of a difference.
func (d Difference) change(detail string, monthly *int64) Change {
	return Change{Action: "change", Key: cmp.Or(d.Key, d.URN), Kind: d.Kind, Name: d.Name, URN: d.URN, Detail: detail, Monthly: monthly}
}
