package scenario

import (
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/digitalocean/godo"
)

// terraform stands in for DigitalOcean's Terraform provider, which is not run. It
// makes the calls that the provider's creates, reads, updates and deletes are known
// to make, in their order, with the godo that the provider pins, and judges the
// answers as Terraform does: after an apply a plan finds nothing to change, so that
// every attribute that was sent comes back as it was sent; an id alone is enough to
// import a thing; what can change in place does, under the same id; and a destroy is
// over when each thing's own address answers 404. A new thing is read until it shows,
// which the provider does for some kinds alone; what it does beside all that
// (timeouts, warnings, attributes that are only computed) is not shown.
func (d drive) terraform() {
	entries := d.configuration()
	for _, e := range entries {
		e.apply(d, 1)
	}
	d.unchanged("the second plan", entries, 1)
	d.settle()
	// The state is lost, and made anew from the ids.
	imported := d.configuration()
	for i, e := range imported {
		e.adopt(entries[i].identifier())
	}
	d.unchanged("the plan after the import", imported, 1)
	entries = imported
	for _, e := range entries {
		e.apply(d, 2)
	}
	d.unchanged("the plan after the update", entries, 2)
	d.settle()
	d.unchanged("a plan much later", entries, 2)
	slices.Reverse(entries)
	for _, e := range entries {
		e.destroy(d)
	}
}

func (d drive) unchanged(what string, entries []entry, version int) {
	for _, e := range entries {
		if drift := e.drift(version); drift != "" {
			fail("%s is not empty: %s", what, drift)
		}
	}
}

// An entry is one thing of a Terraform configuration.
type entry interface {
	identifier() string
	adopt(id string)            // imports what has the id
	apply(d drive, version int) // creates it, or changes it in place
	drift(version int) string   // how it differs from the configuration; empty: it does not
	destroy(d drive)
}

// managed is an entry whose attributes are an A: what a configuration can say of
// it, lists that are sets in order.
type managed[A any] struct {
	kind   string
	set    func(version int) A // the configuration; it may name what stands before it
	create func(A) (id string)
	read   func(id string) (a A, there bool)
	update func(id string, have, set A) // nil: there is nothing that can change in place
	remove func(id string)

	id string
}

func (m *managed[A]) identifier() string { return m.id }

func (m *managed[A]) adopt(id string) { m.id = id }

// address is what messages call it.
func (m *managed[A]) address() string { return m.kind + "." + m.id }

func (m *managed[A]) apply(d drive, version int) {
	set := m.set(version)
	if m.id == "" {
		m.id = m.create(set)
	} else if have, _ := m.read(m.id); !reflect.DeepEqual(have, set) {
		if m.update == nil {
			fail("%s would be replaced: have %+v, want %+v", m.address(), have, set)
		}
		m.update(m.id, have, set)
	}
	for range 30 {
		if m.drift(version) == "" {
			return
		}
		d.pass(time.Second)
	}
	fail("after it was applied, %s", m.drift(version))
}

func (m *managed[A]) drift(version int) string {
	set := m.set(version)
	have, there := m.read(m.id)
	switch {
	case !there:
		return m.address() + " is gone"
	case !reflect.DeepEqual(have, set):
		return fmt.Sprintf("%s is %+v, the configuration says %+v", m.address(), have, set)
	}
	return ""
}

func (m *managed[A]) destroy(d drive) {
	m.remove(m.id)
	d.until(m.address()+" to be gone", func() bool {
		_, there := m.read(m.id)
		return !there
	})
}

// until polls as the provider does: after 10 seconds, and every 3 from then on.
func (d drive) until(what string, so func() bool) {
	if so() {
		return
	}
	d.pass(10 * time.Second)
	for range 100 {
		if so() {
			return
		}
		d.pass(3 * time.Second)
	}
	fail("waited in vain for %s", what)
}

// acted waits for an action as the provider does, which first sleeps.
func (d drive) acted(a *godo.Action, _ *godo.Response, err error) *godo.Action {
	must(err)
	d.pass(10 * time.Second)
	d.ended(a.ID, 3*time.Second)
	return a
}

// either is one value in the first version of the configuration and another in the
// second.
func either[T any](version int, first, second T) T {
	if version == 1 {
		return first
	}
	return second
}

// sorted is a set as attributes hold it.
func sorted(set []string) []string { return append([]string{}, slices.Sorted(slices.Values(set))...) }

// retag gives a thing the tags that it lacks and takes those that it should not have.
func (d drive) retag(id string, kind godo.ResourceType, have, set []string) {
	it := []godo.Resource{{ID: id, Type: kind}}
	for _, t := range have {
		if !slices.Contains(set, t) {
			done(d.Tags.UntagResources(d.ctx, t, &godo.UntagResourcesRequest{Resources: it}))
		}
	}
	for _, t := range set {
		if !slices.Contains(have, t) {
			got(d.Tags.Create(d.ctx, &godo.TagCreateRequest{Name: t})) // as there may be none yet
			done(d.Tags.TagResources(d.ctx, t, &godo.TagResourcesRequest{Resources: it}))
		}
	}
}
