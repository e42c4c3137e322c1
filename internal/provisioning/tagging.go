package provisioning

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/provisioning/blueprint"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// A Tagging is what a saga's state knows of one tag that is put on what was there before,
// or taken off it.
type Tagging struct {
	Sent   bool `json:"sent,omitempty"`   // a request may have been
	Asked  bool `json:"asked,omitempty"`  // one was answered
	Undone bool `json:"undone,omitempty"` // a request to take that back was answered
	Done   bool `json:"done,omitempty"`   // it shows
}

// A mark is a tag that is Arcadia's alone, with what carries it.
type mark struct {
	tag  string
	keys []string // of resources of the stack
}

// tagged are the kinds of a stack's resources that carry tags.
var tagged = []blueprint.Kind{blueprint.VolumeKind, blueprint.DropletKind}

// marks are the tags by which a stack's things are Arcadia's: the stack's own, which is
// on all that take tags, and of each the marker of the saga that made or adopted it.
func (s *Building) marks(marker func(blueprint.Resource) string) []mark {
	marks := []mark{{tag: blueprint.StackTagPrefix + string(s.Stack)}}
	for _, kind := range tagged {
		for _, r := range s.standingOf(kind) {
			marks[0].keys = append(marks[0].keys, r.ID)
			marks = append(marks, mark{tag: marker(r), keys: []string{r.ID}})
		}
	}
	if len(marks) == 1 {
		return nil // nothing takes tags
	}
	return marks
}

// markTag is the tag of a mark as a resource, which may be of no spec.
func markTag(tag string) blueprint.Resource {
	return blueprint.Resource{ID: string(blueprint.TagKind) + "." + tag, Kind: blueprint.TagKind, Key: tag, Name: tag}
}

// onlyOurs reports whether nobody but one stack, or one saga, has any use for a tag.
func onlyOurs(tag string) bool {
	return strings.HasPrefix(tag, "arcadia:") && !strings.HasPrefix(tag, blueprint.TenantTagPrefix)
}

// tag has what is under a mark carry its tag, or carry it no longer, and answers nil once
// that shows. To ask for it twice is to ask once.
func (p *Steps) tag(ctx context.Context, b *builder, m mark, t *Tagging, on bool) error {
	if t.Done {
		return nil
	}
	if !t.Asked {
		t.Sent = true
		if err := p.askTag(ctx, b, m, on); err != nil {
			return err
		}
		t.Asked = true
	}
	if err := p.awaitTag(ctx, b, m, on); err != nil {
		return err
	}
	t.Done = true
	return nil
}

// untag undoes tag: on is what that had asked for.
func (p *Steps) untag(ctx context.Context, b *builder, m mark, t *Tagging, on bool) error {
	a := saga.Current(ctx)
	if !t.Sent && a.UnknownSince.IsZero() {
		return nil
	}
	if err := p.settled(a); err != nil {
		return err
	}
	if !t.Undone {
		if err := p.askTag(ctx, b, m, !on); err != nil {
			return err
		}
		t.Undone = true
	}
	return p.awaitTag(ctx, b, m, !on)
}

func (p *Steps) askTag(ctx context.Context, b *builder, m mark, on bool) (err error) {
	request := digitalocean.Tagging{Tag: m.tag}
	for _, key := range m.keys {
		r, _ := b.state.Spec.Resource(key)
		request.URNs = append(request.URNs, resourceURN(b.state.Account, r, b.id(key)))
	}
	if on {
		err = b.c.TagResources(b.permitted(ctx, request.TagPermit()), request)
	} else {
		err = b.c.UntagResources(b.permitted(ctx, request.UntagPermit()), request)
	}
	switch {
	case errors.Is(err, digitalocean.Unknown):
		return saga.Wait(saga.Current(ctx).Now().Add(p.set.Poll), "the answer to the request for the tag %s was lost", m.tag)
	case errors.Is(err, digitalocean.NotFound) && !on: // there is no such tag
		return nil
	}
	return err
}

// awaitTag waits until all under a mark show its tag, or none does.
func (p *Steps) awaitTag(ctx context.Context, b *builder, m mark, on bool) error {
	for _, key := range m.keys {
		tags, err := b.tagsOf(ctx, key)
		switch {
		case errors.Is(err, digitalocean.NotFound) && !on:
		case err != nil:
			return err
		case slices.Contains(tags, m.tag) != on:
			return saga.Wait(saga.Current(ctx).Now().Add(p.set.Poll), "waiting for the tag %s of %s to show as it was asked for", m.tag, key)
		}
	}
	return nil
}

// tagsOf are the tags that a droplet or a volume carries.
func (b *builder) tagsOf(ctx context.Context, key string) ([]string, error) {
	if r, _ := b.state.Spec.Resource(key); r.Kind == blueprint.VolumeKind {
		is, err := b.c.Volume(ctx, b.id(key))
		return is.Tags, err
	}
	n, err := b.number(key)
	if err != nil {
		return nil, err
	}
	is, err := b.c.Droplet(ctx, n)
	return is.Tags, err
}
