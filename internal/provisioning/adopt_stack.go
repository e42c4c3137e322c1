package provisioning

import (
	"context"
	"database/sql"
	"errors"
	"slices"

	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/provisioning/blueprint"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// AdoptStackKind makes a stack of what exists.
const AdoptStackKind = "adopt_stack"

// The steps of adopting and of releasing.
const (
	createTagsStep = "create_tags"
	deleteTagsStep = "delete_tags"
	putTagsStep    = "put_tags"
	takeTagsStep   = "take_tags"
)

// An Adoption is the state of a saga that makes a stack of what exists. Everything in
// Made has its id from the start. At DigitalOcean it gets tags, and nothing else.
type Adoption struct {
	Building
	Tags map[string]*Tagging `json:"tags,omitempty"` // by name
}

func (p *Steps) adoptStack() saga.Kind[Adoption] {
	return saga.Kind[Adoption]{
		Name: AdoptStackKind,
		Begin: func(s *Adoption) error {
			if s.Stack == "" || s.Account == "" || len(s.Made) == 0 || len(s.Tags) > 0 || s.Saga != "" {
				return fault.New(fault.Invalid, "What exists is made a stack by applying a plan: arcadia stack adopt, then arcadia stack apply.")
			}
			return nil
		},
		Subjects: func(s Adoption) []string { return s.everything() },
		Policy:   saga.Refuse,
		Steps: []saga.Step[Adoption]{
			{Name: "observe", Do: p.observe, Retry: p.patient(), NothingToUndo: onlyReads},
			{Name: createTagsStep, Do: unfrozen(p, p.createMarks), Undo: unfrozen(p, p.deleteMarks), Retry: p.patient(), Again: p.patient()},
			{Name: putTagsStep, Do: unfrozen(p, p.putMarks), Undo: unfrozen(p, p.takeMarksBack), Retry: p.patient(), Again: p.patient()},
			{Name: "record_stack", NothingToUndo: "it is the last step", Local: func(ctx context.Context, tx *sql.Tx, s *Adoption) error {
				return settleStack(ctx, tx, &s.Building, s.Saga, StackActive, 0)
			}},
		},
	}
}

// everything is what a saga has for itself that is about all of a stack: the stack, each
// thing, and the names of its records.
func (s *Building) everything() []string {
	all := []string{s.Stack.subject()}
	for _, r := range s.Spec.Resources {
		if m := s.Made[r.ID]; m != nil && m.ID != "" {
			all = append(all, resourceURN(s.Account, r, m.ID))
		}
		if r.Kind == blueprint.RecordKind {
			all = append(all, "dns:"+r.Record.Domain+"/"+r.Record.Name)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// observe asks each thing by its id whether it is there, before anything is sent.
func (p *Steps) observe(ctx context.Context, s *Adoption) error {
	s.Saga = saga.Current(ctx).Saga
	b, err := p.builder(ctx, &s.Building)
	if err != nil {
		return saga.Permanent(err)
	}
	for _, r := range s.Spec.Resources {
		if r.Kind == blueprint.TagKind {
			continue
		}
		switch _, _, err := b.thing(r).read(ctx, b.id(r.ID)); {
		case errors.Is(err, digitalocean.NotFound):
			return saga.Permanent(fault.New(fault.Conflict, "%s (%s) is not there any more. Make a new plan.", r.ID, b.id(r.ID)))
		case err != nil:
			return err
		}
	}
	return nil
}

func (p *Steps) createMarks(ctx context.Context, s *Adoption) error {
	b, err := p.builder(ctx, &s.Building)
	if err != nil {
		return saga.Permanent(err)
	}
	var tags []blueprint.Resource
	for _, m := range s.marks(b.marker) {
		tags = append(tags, markTag(m.tag))
	}
	return p.makeAll(ctx, tags, b.thing, s.made)
}

func (p *Steps) deleteMarks(ctx context.Context, s *Adoption) error {
	b, err := p.builder(ctx, &s.Building)
	if err != nil {
		return err
	}
	return p.unmakeMarks(ctx, b)
}

// unmakeMarks deletes the tags that are the stack's, or one of its sagas', alone.
func (p *Steps) unmakeMarks(ctx context.Context, b *builder) error {
	for _, m := range slices.Backward(b.state.marks(b.marker)) {
		tag := markTag(m.tag)
		if err := p.unmake(ctx, b.thing(tag), b.state.made(tag.ID)); err != nil {
			return err
		}
	}
	return nil
}

func (p *Steps) putMarks(ctx context.Context, s *Adoption) error {
	return p.eachMark(ctx, &s.Building, func(b *builder, m mark) error { return p.tag(ctx, b, m, entry(&s.Tags, m.tag), true) })
}

func (p *Steps) takeMarksBack(ctx context.Context, s *Adoption) error {
	return p.eachMark(ctx, &s.Building, func(b *builder, m mark) error { return p.untag(ctx, b, m, entry(&s.Tags, m.tag), true) })
}

func (p *Steps) eachMark(ctx context.Context, s *Building, do func(*builder, mark) error) error {
	b, err := p.builder(ctx, s)
	if err != nil {
		return err
	}
	return all(s.marks(b.marker), func(m mark) error { return do(b, m) })
}
