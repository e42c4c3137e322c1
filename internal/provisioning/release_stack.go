package provisioning

import (
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

// ReleaseStackKind lets a stack go: what it has stays at DigitalOcean.
const ReleaseStackKind = "release_stack"

func (p *Steps) releaseStack() saga.Kind[Adoption] {
	return saga.Kind[Adoption]{
		Name: ReleaseStackKind,
		Begin: func(s *Adoption) error {
			if s.Stack == "" || len(s.Made) == 0 || len(s.Tags) > 0 {
				return fault.New(fault.Invalid, "A stack is released by applying a plan: arcadia stack release, then arcadia stack apply.")
			}
			return nil
		},
		Subjects: func(s Adoption) []string { return s.everything() },
		Policy:   saga.Refuse,
		Steps: []saga.Step[Adoption]{
			{Name: takeTagsStep, Do: unfrozen(p, p.takeMarks), Undo: unfrozen(p, p.putMarksBack), Retry: p.patient(), Again: p.patient()},
			{Name: "record_release", Pivot: true, Local: recordRelease},
			{Name: deleteTagsStep, Do: unfrozen(p, p.deleteMarks), Retry: p.patient(), Forward: true},
		},
	}
}

func (p *Steps) takeMarks(ctx context.Context, s *Adoption) error {
	return p.eachMark(ctx, &s.Building, func(b *builder, m mark) error {
		s.made(markTag(m.tag).ID).ID = m.tag // what is to be deleted afterwards
		return p.tag(ctx, b, m, entry(&s.Tags, m.tag), false)
	})
}

func (p *Steps) putMarksBack(ctx context.Context, s *Adoption) error {
	return p.eachMark(ctx, &s.Building, func(b *builder, m mark) error { return p.untag(ctx, b, m, entry(&s.Tags, m.tag), false) })
}

// recordRelease says that there is no such stack any more. Its saga keeps what it had.
func recordRelease(ctx context.Context, tx *sql.Tx, s *Adoption) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM stack_resources WHERE stack_id = $1`, string(s.Stack)); err != nil {
		return err
	}
	if err := endSchedule(ctx, tx, s.Stack); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `UPDATE stacks SET state = 'gone', level = 0, gone_at = $1, released_at = $1, updated_at = $1, rev = rev + 1 WHERE id = $2`,
		db.Micros(time.Now()), string(s.Stack))
	return err
}

var releaseOperation = Operation{
	Verb: Release, Kind: ReleaseStackKind, Help: "Let a stack go: what it has stays at DigitalOcean as it is, and Arcadia has no hand in it any more.",
	From: []StackState{StackActive}, draw: (*Service).drawRelease,
}

func (s *Service) drawRelease(ctx context.Context, _ PlanRequest, d *drawn) error {
	c, err := s.steps.cloud(ctx, d.Account)
	if err != nil {
		return err
	}
	sizes, err := c.Sizes(ctx)
	if err != nil {
		return err
	}
	stays := int64(0)
	names := []string{}
	for _, r := range d.has {
		resource, ok := d.stack.Spec.Resource(r.Key)
		if !ok {
			return fault.New(fault.Internal, "Stack %s has %s, which its record does not know.", d.Name, r.Key)
		}
		d.Read["resource "+r.Key] = r.URN
		change := Change{Action: "release", Key: r.Key, Kind: r.Kind, Name: r.Name, URN: r.URN, Detail: detailOf(resource), Monthly: &stays}
		if resource.Kind == blueprint.TagKind {
			if !onlyOurs(resource.Name) {
				continue
			}
			change.Action, change.Detail = "destroy", "the stack's own tag"
		}
		if resource.Kind == blueprint.FirewallKind && r.MadeBy != "" {
			names = append(names, r.Name)
		}
		monthly, known, err := monthlyOf(resource, sizes.Items, time.Now())
		if err != nil || !known {
			d.Unpriced = append(d.Unpriced, r.Key)
		} else {
			d.Before += monthly
			d.After += monthly
		}
		d.Changes = append(d.Changes, change)
	}
	calls := map[string][]string{}
	for range d.building.marks(func(r blueprint.Resource) string { return resourceMarker(d.building.Made[r.ID].By, r) }) {
		calls[takeTagsStep] = append(calls[takeTagsStep], "DELETE /v2/tags/{tag}/resources")
		calls[deleteTagsStep] = append(calls[deleteTagsStep], "DELETE /v2/tags/{tag}")
	}
	d.Warnings = append(d.Warnings, "Nothing is destroyed but tags, and what it has goes on costing what it costs. It has no backups by schedule any more; those that there are stay.")
	if len(names) > 0 {
		slices.Sort(names)
		d.Warnings = append(d.Warnings, fmt.Sprintf("Firewalls keep their names: %s.", strings.Join(names, ", ")))
	}
	d.Steps = planned(s.steps.releaseStack(), calls)
	d.input = func(of PlanID) any {
		state := Adoption{Building: d.building}
		state.Plan = of
		return state
	}
	return nil
}
