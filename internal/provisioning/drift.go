package provisioning

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/inventory"
	"github.com/arcadia-cloud/arcadia/internal/provisioning/blueprint"
)

// A Drift is in what the things of a stack, as the inventory has them, differ from what
// the stack expects: its blueprint with its parameters, and what its sagas recorded.
type Drift struct {
	Stack StackID
	// AsOf is when the oldest of the lists was begun that it goes by; zero where there is none.
	AsOf time.Time
	// Unknown says, a sentence each, of what nothing is known to differ or not: a drift with
	// any of them is not the whole of it.
	Unknown     []string
	Differences []Difference // in the order of the stack's resources; what is ignored too

	Standing int64    // what the stack costs a month as it is, in micro-dollars
	Unpriced []string // keys of what is in none of the sums, as its price is not known
}

// A DifferenceKind is how something differs.
type DifferenceKind string

// The kinds of differences.
const (
	MissingThing DifferenceKind = "missing" // the stack has it no more
	ExtraThing   DifferenceKind = "extra"   // it carries the stack's tag, and no saga made it for the stack
	ChangedThing DifferenceKind = "changed" // one of its fields
)

// A DifferenceID names a difference, "drift_…": the same for as long as the field has the
// same value. Another value is another difference.
type DifferenceID string

// A Difference is one point in which what there is differs from what a stack expects.
type Difference struct {
	ID       DifferenceID
	What     DifferenceKind
	Key      string // of the resource in the blueprint, "droplet.web"; empty for what is extra
	Kind     string
	URN      string
	Name     string
	Field    string // that changed: size, tags, inbound …
	Expected string // in words; empty: nothing
	Is       string
	// Monthly is what the difference adds to a month at DigitalOcean, in micro-dollars;
	// negative for what it saves, nil where a price is not known.
	Monthly *int64

	Repair    string // what a repair does about it; empty: it does nothing
	RepairNot string // why, and what to do in its place
	AbsorbNot string // why the stack cannot come to expect this; empty: it can

	Ignored *Ignore // nil: it is to be heard

	take func(*blueprint.Spec) // has a spec expect what is there; nil: none can
}

// Heard are the differences that nobody ignores.
func (d Drift) Heard() (all []Difference) {
	for _, one := range d.Differences {
		if one.Ignored == nil {
			all = append(all, one)
		}
	}
	return all
}

// Monthly is what all differences that are heard add to a month, in micro-dollars, but for
// those whose price is not known, which it counts.
func (d Drift) Monthly() (micros int64, unpriced int) {
	for _, one := range d.Heard() {
		if one.Monthly == nil {
			unpriced++
			continue
		}
		micros += *one.Monthly
	}
	return micros, unpriced
}

func differenceID(of StackID, d Difference) DifferenceID {
	sum := sha256.Sum256([]byte(strings.Join([]string{string(of), string(d.What), cmp.Or(d.Key, d.URN), d.Field, d.Is}, "\x00")))
	return DifferenceID("drift_" + hex.EncodeToString(sum[:10]))
}

// Observe has drift be told by an inventory. Without one nothing is known to differ.
func (s *Service) Observe(i *inventory.Service) { s.inventory = i }

// Drift compares a stack with the inventory at a time, which says what is ignored still.
// DigitalOcean is not asked.
func (s *Service) Drift(ctx context.Context, stack Stack, at time.Time) (Drift, error) {
	all, err := s.drifts(ctx, []Stack{stack}, blueprint.StackTagPrefix+string(stack.ID), at)
	return all[stack.ID], err
}

// Drifts compares many stacks with the inventory.
func (s *Service) Drifts(ctx context.Context, stacks []Stack, at time.Time) (map[StackID]Drift, error) {
	return s.drifts(ctx, stacks, blueprint.StackTagPrefix+"*", at)
}

// drifts compares stacks, those with a tag of this pattern.
func (s *Service) drifts(ctx context.Context, stacks []Stack, tagged string, at time.Time) (map[StackID]Drift, error) {
	all := map[StackID]Drift{}
	look := &lookout{service: s, made: map[StackID][]StackResource{}, fresh: map[string]map[string]inventory.Freshness{}}
	stacks = slices.DeleteFunc(slices.Clone(stacks), func(one Stack) bool {
		all[one.ID] = Drift{Stack: one.ID}
		return one.State != StackActive && one.State != StackSuspended
	})
	if len(stacks) == 0 {
		return all, nil
	}
	if s.inventory == nil {
		for _, one := range stacks {
			all[one.ID] = Drift{Stack: one.ID, Unknown: []string{"No inventory is kept here."}}
		}
		return all, nil
	}
	if err := look.read(ctx, stacks, tagged); err != nil {
		return nil, err
	}
	ignored, err := s.ignores(ctx, at)
	if err != nil {
		return nil, err
	}
	for _, one := range stacks {
		d, err := look.compare(ctx, one)
		if err != nil {
			return nil, err
		}
		for i := range d.Differences {
			d.Differences[i].ID = differenceID(one.ID, d.Differences[i])
			d.Differences[i].Ignored = ignored[d.Differences[i].ID]
		}
		all[one.ID] = d
	}
	return all, nil
}

// A lookout is what the inventory has of some stacks.
type lookout struct {
	service *Service
	made    map[StackID][]StackResource
	is      map[string]inventory.Resource // by URN
	tagged  map[StackID][]inventory.Resource
	fresh   map[string]map[string]inventory.Freshness // by account and kind
	sizes   []digitalocean.Size                       // that specs name, with their prices
}

func (l *lookout) read(ctx context.Context, stacks []Stack, tagged string) (err error) {
	var urns []string
	for _, one := range stacks {
		if err := l.readMade(ctx, one); err != nil {
			return err
		}
		for _, r := range l.made[one.ID] {
			urns = append(urns, r.URN)
		}
		for _, r := range one.Spec.Resources {
			if r.Droplet != nil {
				urns = append(urns, sizeURN(one.Account, r.Droplet.Size))
			}
		}
	}
	slices.Sort(urns)
	if l.is, err = l.service.inventory.Current(ctx, slices.Compact(urns)); err != nil {
		return err
	}
	for _, r := range l.is {
		if doc, err := inventory.ParseDoc(r.Doc); err == nil && r.Kind == "size" {
			l.sizes = append(l.sizes, digitalocean.Size{Slug: r.ID, PriceMonthly: doc.Text("price_monthly")})
		}
	}
	return l.readTagged(ctx, tagged)
}

// readMade reads what a stack has, and how old the lists of its account are.
func (l *lookout) readMade(ctx context.Context, of Stack) (err error) {
	if l.made[of.ID], err = l.service.StackResources(ctx, of.ID); err != nil || l.fresh[of.Account] != nil {
		return err
	}
	heads, err := l.service.inventory.Freshness(ctx, of.Account)
	if err != nil {
		return err
	}
	l.fresh[of.Account] = map[string]inventory.Freshness{}
	for _, head := range heads {
		l.fresh[of.Account][head.Kind] = head
	}
	return nil
}

func sizeURN(account, slug string) string { return inventory.KindNamed("size").URN(account, slug) }

// readTagged finds what carries stacks' tags.
func (l *lookout) readTagged(ctx context.Context, tagged string) error {
	l.tagged = map[StackID][]inventory.Resource{}
	q := inventory.Query{Terms: []inventory.Term{
		{Key: "kind", Op: ":", Values: []string{string(blueprint.DropletKind), string(blueprint.VolumeKind)}},
		{Key: "tag", Op: ":", Values: []string{tagged}},
	}}
	for cursor := ""; ; {
		list, err := l.service.inventory.Resources(ctx, q, inventory.Page{Limit: 500, Cursor: cursor})
		if err != nil {
			return err
		}
		for _, one := range list.Items {
			for _, tag := range one.Tags {
				if of, ok := strings.CutPrefix(strings.ToLower(tag), blueprint.StackTagPrefix); ok {
					l.tagged[StackID(of)] = append(l.tagged[StackID(of)], one.Resource)
				}
			}
		}
		if cursor = list.Next; cursor == "" {
			return nil
		}
	}
}

// compare is in what a stack differs.
func (l *lookout) compare(ctx context.Context, stack Stack) (d Drift, err error) {
	d.Stack = stack.ID
	last, err := l.service.engine.Saga(ctx, stack.Saga)
	if err != nil {
		return d, err
	}
	if !last.State.Ended() {
		d.Unknown = []string{fmt.Sprintf("Saga %s is at work on the stack (%s): it is compared once that has ended.", last.ID, last.Kind)}
		return d, nil
	}
	c := comparison{stack: stack, made: map[string]StackResource{}, docs: map[string]inventory.Doc{}, sizes: slices.Clone(l.sizes), known: blueprint.Known{}}
	for _, r := range l.made[stack.ID] {
		c.made[r.Key] = r
		is, ok := l.is[r.URN]
		if !ok || is.Gone() {
			continue
		}
		doc, err := inventory.ParseDoc(is.Doc)
		if err != nil {
			return d, err
		}
		c.docs[r.Key] = doc
		if slug := doc.Text("size", "slug"); slug != "" { // it says what it costs itself
			c.sizes = append(c.sizes, digitalocean.Size{Slug: slug, PriceMonthly: doc.Text("size", "price_monthly")})
		}
	}
	c.learn()
	told, unlisted := map[string]bool{}, map[string][]string{}
	for _, r := range stack.Spec.Resources {
		m, ok := c.made[r.ID]
		if !ok {
			continue // it has none: a project, or what a snapshot stands for
		}
		if !told[m.Kind] {
			told[m.Kind] = true
			if why := l.tooOld(stack, m.Kind); why != "" {
				unlisted[why] = append(unlisted[why], inventory.KindNamed(m.Kind).Many)
			} else if asOf := l.fresh[stack.Account][m.Kind].AsOf; d.AsOf.IsZero() || asOf.Before(d.AsOf) {
				d.AsOf = asOf
			}
		}
		if l.tooOld(stack, m.Kind) != "" {
			continue
		}
		is, seen := l.is[m.URN]
		switch {
		case !seen || !is.MissingSince.IsZero() && !is.Gone():
			d.Unknown = append(d.Unknown, fmt.Sprintf("%s is not in the last list, and not yet certain to be gone.", r.ID))
		case is.Gone():
			d.Differences = append(d.Differences, c.missing(r, m))
		default:
			if is.Monthly == nil {
				d.Unpriced = append(d.Unpriced, r.ID)
			} else {
				d.Standing += *is.Monthly
			}
			d.Differences = append(d.Differences, c.changed(r, m)...)
		}
	}
	for _, why := range slices.Sorted(maps.Keys(unlisted)) {
		d.Unknown = append(d.Unknown, strings.Join(unlisted[why], ", ")+" "+why)
	}
	for _, one := range l.tagged[stack.ID] {
		ours := slices.ContainsFunc(l.made[stack.ID], func(r StackResource) bool { return r.URN == one.URN })
		if !ours && one.Account == stack.Account && l.tooOld(stack, one.Kind) == "" {
			d.Differences = append(d.Differences, extra(one))
		}
	}
	return d, nil
}

// tooOld says why nothing is known of a kind: it was never listed whole, or not since the
// stack's last change shows in lists, a sentence without its subject. Empty: all is.
func (l *lookout) tooOld(stack Stack, kind string) string {
	head := l.fresh[stack.Account][kind]
	switch {
	case head.BeganAt.IsZero():
		return "were never listed. List them with: arcadia inventory sync"
	case head.BeganAt.Before(stack.UpdatedAt.Add(l.service.steps.set.Horizon)):
		return "were not listed since a saga changed the stack and lists show it. List them with: arcadia inventory sync"
	}
	return ""
}

func extra(one inventory.Resource) Difference {
	return Difference{
		What: ExtraThing, Kind: one.Kind, URN: one.URN, Name: one.Name, Is: strings.Join([]string{one.Size, one.Region}, ", "), Monthly: one.Monthly,
		RepairNot: "What no saga made is not destroyed: delete it, or take the stack's tag off it.",
		AbsorbNot: "No saga made it for the stack: delete it, or take the stack's tag off it.",
	}
}

// chosenDifferences are those of a drift that are named, by ids or by keys of resources, or
// all that are heard where none is. It answers fault.NotFound for a name that there is not.
func (d Drift) chosenDifferences(only string) ([]Difference, error) {
	names := namesIn(only)
	if len(names) == 0 {
		return d.Heard(), nil
	}
	var all []Difference
	for _, name := range names {
		found := false
		for _, one := range d.Differences {
			if string(one.ID) == name || one.Key == name {
				found = true
				if !slices.ContainsFunc(all, func(have Difference) bool { return have.ID == one.ID }) {
					all = append(all, one)
				}
			}
		}
		if !found {
			return nil, fault.New(fault.NotFound, "The drift has nothing named %q. See: arcadia stack drift", clip(name))
		}
	}
	return all, nil
}
