package provisioning

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/provisioning/blueprint"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// A Made is what a saga's state knows of one thing that it makes.
type Made struct {
	By       saga.ID   `json:"by,omitempty"`       // that made it, where that was an earlier one: its marker is on it
	ID       string    `json:"id,omitempty"`       // empty until it is known
	FoundAt  time.Time `json:"found_at,omitzero"`  // when it was, by our clock
	Action   int64     `json:"action,omitempty"`   // that makes it ready; 0: none
	Looked   bool      `json:"looked,omitempty"`   // for what was there before
	Before   []string  `json:"before,omitempty"`   // ids of what looked like it then, where it carries no marker
	Requests int       `json:"requests,omitempty"` // sent for it
	Told     bool      `json:"told,omitempty"`     // its action has been awaited
	Since    time.Time `json:"since,omitzero"`     // a list that tells whether it works began no earlier
	Ready    bool      `json:"ready,omitempty"`    // it works
	Undoing  bool      `json:"undoing,omitempty"`
	Accepted bool      `json:"accepted,omitempty"` // its deletion was
	Deleted  bool      `json:"deleted,omitempty"`  // by the undoing, and seen to be gone
	Until    time.Time `json:"until,omitzero"`     // when waiting for it ends
}

// A thing is how one thing at DigitalOcean is made, found again and deleted. It is
// worked out anew from the state at every entry, and holds none itself.
type thing struct {
	what string // for people: "droplet web"
	kind string // as the inventory calls it

	// find lists the ids of what carries the saga's marker. Where no marker can be,
	// exact is set, and find lists what is exactly as it would be made.
	find  func(ctx context.Context) ([]string, error)
	exact bool
	// unmarked is set where nothing on it says whose it is: once its saga has ended,
	// what find lists may be anybody's.
	unmarked bool
	sure     bool // the answer to its create is proof enough that it works

	create func(ctx context.Context) (id string, action int64, err error)

	// prepare does here what must be done before a request for it leaves; nil: nothing.
	prepare func(ctx context.Context) error

	// read asks for it by its id: whether it works, and what it still lacks.
	read func(ctx context.Context, id string) (ready bool, lacks string, err error)

	// listed is read by a list that many sagas share; ok is false where each does better on
	// its own. nil: there is no such list.
	listed func(ctx context.Context, id string, since time.Time) (s sight, ok bool, err error)

	// watch names the action that makes it ready; nil: there is none.
	watch func(id string, action int64) saga.Watch

	delete func(ctx context.Context, id string) error
	tidy   func(ctx context.Context) error // removes what proved it, once it is gone; nil: nothing did
}

// A sight is what a shared list shows of a thing.
type sight struct {
	found, ready bool
	lacks        string    // where it is not ready
	began, next  time.Time // when the list did, and when a newer one may be
}

// ensure makes a thing, or adopts the one that an earlier attempt made. It answers
// nil once the id is in the ledger. Things of one step are made one after the other,
// each committed before the next, so that what is unknown is always about the first
// that has no id.
//
// No list of actions tells of a create. While a request may have been carried out
// that nobody heard of, the next one, or the conclusion that there is nothing, waits
// for both lags, of the request and of the listing, and for a look that began after
// them.
func (p *Steps) ensure(ctx context.Context, t thing, m *Made) error {
	if m.ID != "" {
		return nil
	}
	a := saga.Current(ctx)
	if t.exact && !m.Looked {
		return p.lookBefore(ctx, t, m)
	}
	if t.sure && len(m.Before) > 0 && m.Requests == 0 { // it is there: to ask for it again makes none
		m.ID, m.FoundAt = m.Before[0], a.Now()
		return nil
	}
	if m.Requests > 0 || !a.UnknownSince.IsZero() { // else there is nothing to be found
		began := a.Now()
		if found, err := p.adopt(ctx, t, m); err != nil || found {
			return err
		}
		if err := p.certain(a, m.Requests, began); err != nil {
			return err
		}
	}
	if m.Requests >= mostRequests {
		return saga.Permanent(fault.New(fault.Unavailable, "%d requests for %s were sent and none was answered in a way that tells its outcome.", m.Requests, t.what))
	}
	if t.prepare != nil {
		if err := t.prepare(ctx); err != nil {
			return err
		}
	}
	m.Requests++
	id, action, err := t.create(ctx)
	switch {
	case err == nil:
		m.ID, m.Action, m.FoundAt = id, action, a.Now()
		a.Known()
		return saga.Save("%s is %s", t.what, id)
	case errors.Is(err, digitalocean.Unknown):
		return saga.Wait(a.Now().Add(p.set.Poll), "the answer to the request for %s was lost: %s", t.what, fault.Message(err))
	case errors.Is(err, digitalocean.PendingEvent):
		m.Requests--
		return p.patiently(a, m, err, "something else is under way where %s is to be", t.what)
	case errors.Is(err, digitalocean.NotSent), errors.Is(err, digitalocean.RateLimited):
		m.Requests--
		return err
	case errors.Is(err, digitalocean.Conflict) && m.Requests > 1:
		// The name may be taken by what an earlier request made, which no list shows yet.
		return p.patiently(a, m, err, "the name of %s is taken, maybe by itself", t.what)
	}
	return saga.Permanent(err)
}

// lookBefore notes what looks like the thing before it is asked for: all that does
// so later and did not then is ours.
func (p *Steps) lookBefore(ctx context.Context, t thing, m *Made) error {
	ids, err := t.find(ctx)
	if err != nil {
		return err
	}
	m.Before, m.Looked = ids, true
	return saga.Save("looked for what is like %s already: %d", t.what, len(ids))
}

// ours are the ids of what carries the marker, or came to be since we looked.
func (t thing) ours(ctx context.Context, m *Made) ([]string, error) {
	ids, err := t.find(ctx)
	if t.exact {
		ids = slices.DeleteFunc(ids, func(id string) bool { return slices.Contains(m.Before, id) })
	}
	return ids, err
}

// adopt looks for what an earlier attempt made and, where a list has it and it answers
// by its id too, makes it ours.
func (p *Steps) adopt(ctx context.Context, t thing, m *Made) (found bool, err error) {
	ids, err := t.ours(ctx, m)
	if err != nil || len(ids) == 0 {
		return false, err
	}
	a := saga.Current(ctx)
	id := slices.Min(ids) // what else there is goes with the sweep
	switch _, _, err := t.read(ctx, id); {
	case errors.Is(err, digitalocean.NotFound):
		return false, p.patiently(a, m, err, "%s is listed as %s, which does not answer yet", t.what, id)
	case err != nil:
		return false, err
	}
	m.ID, m.FoundAt, m.Until = id, a.Now(), time.Time{}
	a.Known()
	if len(ids) > 1 {
		a.Doubt()
	}
	a.Adopt("do:" + t.kind + ":" + id)
	a.Note(map[string]any{"found": id, "of": len(ids), "entry": a.Entry})
	return true, saga.Save("found %s as %s", t.what, id)
}

// certain answers nil when what a look that began at began did not show is not there,
// after so many requests.
func (p *Steps) certain(a *saga.Attempt, requests int, began time.Time) error {
	if a.UnknownSince.IsZero() {
		return nil
	}
	sure := a.UnknownSince.Add(p.set.Settle + p.set.Horizon)
	if !began.Before(sure) {
		return nil
	}
	next := began.Add(p.set.Poll << min(requests, 3))
	if next.After(sure) {
		next = sure
	}
	return saga.Wait(next, "the answer to a request was lost: if it was carried out, it shows by %s", sure.UTC().Format(time.TimeOnly))
}

// patiently waits for another look, until the longest time is over; then it is the
// step's failure.
func (p *Steps) patiently(a *saga.Attempt, m *Made, err error, reason string, args ...any) error {
	if m.Until.IsZero() {
		m.Until = a.Now().Add(p.set.Longest)
	}
	if a.Now().After(m.Until) {
		return saga.Permanent(err)
	}
	return saga.Wait(a.Now().Add(p.set.Poll), reason, args...)
}

// makeAll makes a thing of each resource, one after the other, and waits until all work.
func (p *Steps) makeAll(ctx context.Context, all []blueprint.Resource, thing func(blueprint.Resource) thing, made func(id string) *Made) error {
	for _, r := range all {
		if err := p.ensure(ctx, thing(r), made(r.ID)); err != nil {
			return err
		}
	}
	for _, r := range all {
		if err := p.ready(ctx, thing(r), made(r.ID)); err != nil {
			return err
		}
	}
	return nil
}

// unmakeAll takes back what makeAll did, the last first.
func (p *Steps) unmakeAll(ctx context.Context, all []blueprint.Resource, thing func(blueprint.Resource) thing, made func(id string) *Made) error {
	for _, r := range slices.Backward(all) {
		if err := p.unmake(ctx, thing(r), made(r.ID)); err != nil {
			return err
		}
	}
	return nil
}

// ready answers nil once a thing that has its id works. The end of the action that makes
// it so is awaited first, where there is one: to ask earlier tells nothing.
func (p *Steps) ready(ctx context.Context, t thing, m *Made) error {
	if m.Ready {
		return nil
	}
	if t.sure {
		m.Ready = true
		return nil
	}
	a := saga.Current(ctx)
	if t.watch != nil && m.Action != 0 && !m.Told {
		m.Told = true
		return a.Await(t.watch(m.ID, m.Action), p.set.Poll*24, "waiting for action %d, which makes %s", m.Action, t.what)
	}
	seen, err := p.see(ctx, t, m)
	switch {
	case err == nil && seen.ready:
		m.Ready, m.Until = true, time.Time{}
		return nil
	case errors.Is(err, digitalocean.NotFound):
		if a.Now().Sub(m.FoundAt) > p.set.Horizon {
			return saga.Permanent(fault.Wrap(fault.Unavailable, err, "DigitalOcean accepted %s as %s, and then gave it up.", t.what, m.ID))
		}
		return saga.Wait(seen.next, "%s does not answer yet", t.what)
	case err != nil:
		return err
	}
	if m.Until.IsZero() {
		m.Until = a.Now().Add(p.set.Longest)
	}
	if a.Now().After(m.Until) {
		return saga.Permanent(fault.New(fault.Unavailable, "%s was made as %s and does not work after %s: it is still %s.", t.what, m.ID, p.set.Longest, seen.lacks))
	}
	return saga.Wait(seen.next, "waiting for %s: %s", t.what, seen.lacks)
}

// see reads a thing: in a shared list where many ask for one, else by its id. Not to be
// in a list is believed only of the thing itself.
func (p *Steps) see(ctx context.Context, t thing, m *Made) (s sight, err error) {
	a := saga.Current(ctx)
	if t.listed != nil && a.Now().Sub(m.FoundAt) <= p.set.Longest {
		if m.Since.IsZero() {
			m.Since = a.Now()
		}
		s, ok, err := t.listed(ctx, m.ID, m.Since)
		switch {
		case ok && err != nil:
			return s, err
		case ok && s.found:
			m.Since = s.began.Add(time.Microsecond) // the next must be newer
			return s, nil
		case ok && a.Now().Sub(m.FoundAt) <= p.set.Horizon:
			m.Since, s.lacks = s.began.Add(time.Microsecond), "it is not listed yet"
			return s, nil
		}
	}
	s.next = a.Now().Add(p.set.Poll)
	s.ready, s.lacks, err = t.read(ctx, m.ID)
	return s, err
}

// unmake takes back what ensure did, however far that got. It answers nil once the
// thing is seen to be gone, or is certain never to have been.
func (p *Steps) unmake(ctx context.Context, t thing, m *Made) error {
	a := saga.Current(ctx)
	if m.Deleted || m.ID == "" && a.UnknownSince.IsZero() {
		return nil // no request can have been carried out
	}
	if m.ID == "" {
		return p.unmakeUnknown(ctx, t, m)
	}
	if !m.Undoing {
		m.Undoing, m.Until = true, time.Time{} // what was waited for before counts no more
	}
	err := t.delete(ctx, m.ID)
	switch {
	case err == nil:
		m.Accepted = true
		if _, _, err := t.read(ctx, m.ID); err == nil {
			return p.patientlyUndone(a, m, fault.New(fault.Unavailable, "%s (%s) is still there %s after it was deleted.", t.what, m.ID, p.set.Longest),
				"%s is not gone yet", t.what)
		} else if !errors.Is(err, digitalocean.NotFound) {
			return err
		}
	case errors.Is(err, errKept):
	case errors.Is(err, digitalocean.NotFound):
		// So soon, a replica that has not heard of it would say the same.
		if heard := m.FoundAt.Add(p.set.Horizon); !m.Accepted && a.Now().Before(heard) {
			return saga.Wait(heard, "%s does not answer so soon after it was made: it is deleted once more", t.what)
		}
	case errors.Is(err, errNotYet), errors.Is(err, digitalocean.PendingEvent), errors.Is(err, digitalocean.Conflict):
		return p.patientlyUndone(a, m, err, "%s cannot be deleted yet: %v", t.what, err)
	default:
		return err
	}
	if t.tidy != nil {
		if err := t.tidy(ctx); err != nil && !errors.Is(err, digitalocean.NotFound) {
			return err
		}
	}
	m.Deleted, m.Until = true, time.Time{}
	return nil
}

// unmakeUnknown looks for what a request may have made whose answer was lost. What it
// finds is committed before it is deleted.
func (p *Steps) unmakeUnknown(ctx context.Context, t thing, m *Made) error {
	a := saga.Current(ctx)
	began := a.Now()
	ids, err := t.ours(ctx, m)
	if err != nil {
		return err
	}
	if len(ids) > 0 {
		m.ID, m.FoundAt = slices.Min(ids), a.Now()
		if len(ids) > 1 {
			a.Doubt()
		}
		a.Adopt("do:" + t.kind + ":" + m.ID)
		a.Known()
		return saga.Save("found %s as %s, to delete it", t.what, m.ID)
	}
	return p.certain(a, m.Requests, began)
}

// patientlyUndone is patiently where nothing is left but a person.
func (p *Steps) patientlyUndone(a *saga.Attempt, m *Made, err error, reason string, args ...any) error {
	err = p.patiently(a, m, err, reason, args...)
	if !saga.IsWait(err) {
		return saga.Stop(err)
	}
	return err
}
