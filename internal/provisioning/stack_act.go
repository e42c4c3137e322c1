package provisioning

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/period"
	"github.com/arcadia-cloud/arcadia/internal/provisioning/blueprint"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// An Act is what a saga's state knows of one action that it asks for.
type Act struct {
	Action   int64     `json:"action,omitempty"`   // of the last request that was answered; 0: none runs
	Requests int       `json:"requests,omitempty"` // sent
	Errored  int       `json:"errored,omitempty"`  // actions that DigitalOcean gave up
	LostAt   time.Time `json:"lost_at,omitzero"`   // when the answer of the last request was lost
	Until    time.Time `json:"until,omitzero"`     // when waiting for it ends
	Failed   bool      `json:"failed,omitempty"`   // for good
	Done     bool      `json:"done,omitempty"`
}

// A deed is an action that leads to something which can be seen, whatever was before:
// to ask for it once more does no harm, and what is seen proves it where its answer was
// lost.
type deed struct {
	what     string // for people: "power_on of droplet web"
	account  string
	kind, id string        // what it is done to
	within   time.Duration // how long it may take; 0: Settings.Longest
	madeAt   time.Time     // when this saga found what it has made for it, which may not show at once; zero: it was there

	// believed is set where what is seen before anything was asked for counts: where it
	// cannot be an old view of what this saga itself has changed since.
	believed bool
	byAction bool // nothing but its action shows whether it is done

	seen func(ctx context.Context) (done bool, lacks string, err error)
	ask  func(ctx context.Context) (digitalocean.Action, error)
}

// mostErrors is how many actions DigitalOcean may give up before a deed fails.
const mostErrors = 3

// act does a deed. It answers nil once what it leads to is seen.
func (p *Steps) act(ctx context.Context, c *digitalocean.Client, d deed, m *Act) error {
	if m.Done {
		return nil
	}
	a := saga.Current(ctx)
	if m.Action != 0 {
		if err := p.awaitAct(ctx, c, d, m); err != nil {
			return err
		}
	}
	began := a.Now()
	done, lacks, err := d.seen(ctx)
	if p.isTooNew(d, err, began) {
		return p.untilItShows(a, d)
	}
	if err != nil {
		return err
	}
	since := period.Later(a.UnknownSince, m.LostAt)
	switch {
	case done && (m.Action != 0 || d.believed):
		return m.is()
	case m.Action != 0:
		return p.actPatiently(a, d, m, "the %s has ended, and does not show yet: %s", d.what, lacks)
	case !since.IsZero() && began.Before(since.Add(p.set.Settle+p.set.Horizon)):
		next := a.Now().Add(4 * p.set.Poll)
		if sure := since.Add(p.set.Settle + p.set.Horizon); next.After(sure) {
			next = sure
		}
		return saga.Wait(next, "an answer was lost, and what is seen of the %s may be old", d.what)
	case done && !m.LostAt.IsZero(): // seen long enough after anything that this saga did
		return m.is()
	}
	return p.askFor(ctx, d, m, done)
}

// is notes that a deed is done. What else its step has sent may still be unknown.
func (m *Act) is() error {
	m.Done, m.LostAt = true, time.Time{}
	return nil
}

// untouched reports whether nothing can have been asked for: one that is done without a
// request was asked for by an attempt that died before it could say so.
func (m *Act) untouched(a *saga.Attempt) bool {
	return m.Requests == 0 && !m.Done && a.UnknownSince.IsZero()
}

// fail notes that a deed fails for good.
func (m *Act) fail(err error) error {
	m.Failed = true
	return saga.Permanent(err)
}

// actPatiently waits for another look, until the deed's time is over.
func (p *Steps) actPatiently(a *saga.Attempt, d deed, m *Act, reason string, args ...any) error {
	if a.Now().After(m.Until) {
		return m.fail(fault.New(fault.Unavailable, "The %s did not come about within the time that it may take.", d.what))
	}
	return saga.Wait(a.Now().Add(p.set.Poll), reason, args...)
}

// awaitAct answers nil once the action of a deed has ended well, or cannot be read:
// then what it leads to is the witness (quirk 10).
func (p *Steps) awaitAct(ctx context.Context, c *digitalocean.Client, d deed, m *Act) error {
	a := saga.Current(ctx)
	action, err := readAct(ctx, c, d, m.Action)
	switch {
	case d.byAction && (err != nil || !action.Status.Known()):
		return p.actPatiently(a, d, m, "action %d of the %s cannot be read, or says nothing that is known", m.Action, d.what)
	case err != nil:
		return nil //nolint:nilerr // the thing itself tells more than its action
	case action.Status == digitalocean.ActionCompleted:
		return nil
	case action.Status == digitalocean.ActionErrored:
		m.Action, m.Errored = 0, m.Errored+1
		if m.Errored >= mostErrors {
			return m.fail(fault.New(fault.Unprocessable, "DigitalOcean gave the %s up: action %d ended as errored.", d.what, action.ID))
		}
		return saga.Wait(a.Now().Add(p.set.Poll), "action %d ended as errored; the %s is asked for again", action.ID, d.what)
	case !action.Status.Known():
		return nil
	case a.Now().After(m.Until):
		return m.fail(fault.New(fault.Unavailable, "Action %d has not ended within the time that the %s may take.", m.Action, d.what))
	}
	return a.Await(resourceWatch(d.account, d.kind, d.id, m.Action), p.set.Poll*12, "waiting for the %s", d.what)
}

func readAct(ctx context.Context, c *digitalocean.Client, d deed, action int64) (digitalocean.Action, error) {
	if d.kind != "droplet" {
		return c.ActionByID(ctx, action)
	}
	n, err := strconv.ParseInt(d.id, 10, 64)
	if err != nil {
		return digitalocean.Action{}, err
	}
	return c.DropletAction(ctx, n, action)
}

// askFor sends the request of a deed.
func (p *Steps) askFor(ctx context.Context, d deed, m *Act, done bool) error {
	a := saga.Current(ctx)
	if m.Until.IsZero() {
		if d.within == 0 {
			d.within = p.set.Longest
		}
		m.Until = a.Now().Add(d.within)
	}
	if m.Requests >= mostRequests {
		return m.fail(fault.New(fault.Unavailable, "%d requests for the %s were sent and none led to it.", m.Requests, d.what))
	}
	m.Requests++
	action, err := d.ask(ctx)
	switch {
	case err == nil:
		m.Action, m.LostAt = action.ID, time.Time{}
		return a.Await(resourceWatch(d.account, d.kind, d.id, action.ID), p.set.Poll*12, "waiting for the %s", d.what)
	case errors.Is(err, digitalocean.NotSent), errors.Is(err, digitalocean.RateLimited):
		m.Requests--
		return err
	case errors.Is(err, digitalocean.Unknown):
		m.LostAt = a.Now()
		return saga.Wait(a.Now().Add(p.set.Poll), "the answer to the request for the %s was lost: %s", d.what, fault.Message(err))
	case done && (errors.Is(err, digitalocean.Conflict) || errors.Is(err, digitalocean.Unprocessable)): // it is so already
		return m.is()
	case errors.Is(err, digitalocean.PendingEvent), errors.Is(err, digitalocean.Conflict):
		m.Requests--
		return p.actPatiently(a, d, m, "something else is under way: %s", fault.Message(err))
	case p.isTooNew(d, err, a.Now()):
		m.Requests--
		return p.untilItShows(a, d)
	}
	return m.fail(err)
}

// isTooNew reports whether an error is that what a deed is done to, and its saga has just
// made, is not known everywhere yet.
func (p *Steps) isTooNew(d deed, err error, at time.Time) bool {
	return errors.Is(err, digitalocean.NotFound) && at.Before(d.madeAt.Add(p.set.Settle+p.set.Horizon))
}

func (p *Steps) untilItShows(a *saga.Attempt, d deed) error {
	return saga.Wait(a.Now().Add(p.set.Poll), "the %s waits: what was just made is not known everywhere yet", d.what)
}

// all does something for each resource, and answers nil once it is done for all: what
// can go on meanwhile goes on.
func all[T any](resources []T, do func(T) error) error {
	var waiting error
	for _, r := range resources {
		err := do(r)
		if err != nil && !saga.IsWait(err) {
			return err
		}
		if waiting == nil {
			waiting = err
		}
	}
	return waiting
}

// dropletDeed is an action of a droplet.
func (b *builder) dropletDeed(r blueprint.Resource, request digitalocean.DropletAct, seen func(digitalocean.Droplet) (bool, string)) deed {
	return deed{
		what: fmt.Sprintf("%s of droplet %s", request.Type, r.Name), account: b.state.Account, kind: "droplet", id: strconv.FormatInt(request.Droplet, 10),
		seen: func(ctx context.Context) (bool, string, error) {
			is, err := b.c.Droplet(ctx, request.Droplet)
			if err != nil {
				return false, "", err
			}
			done, lacks := seen(is)
			return done, lacks, nil
		},
		ask: func(ctx context.Context) (digitalocean.Action, error) {
			return b.c.ActOnDroplet(b.permitted(ctx, request.Permit()), request)
		},
	}
}

// isStatus asks that a droplet has a status.
func isStatus(want string) func(digitalocean.Droplet) (bool, string) {
	return func(d digitalocean.Droplet) (bool, string) { return d.Status == want, "its status is " + d.Status }
}

// A Power is what a saga's state knows of switching a droplet off.
type Power struct {
	Before   string `json:"before,omitempty"` // its status before anything was asked for
	Shutdown Act    `json:"shutdown,omitzero"`
	Off      Act    `json:"off,omitzero"`
	On       Act    `json:"on,omitzero"` // by the undoing, or later
}

// politely is how long a droplet may take to shut itself down before it is switched off.
const politely = 2 * time.Minute

// powerOff switches a droplet off: it is asked to shut itself down, and then has no
// choice. One that is off stays so, and the undoing leaves it off.
func (p *Steps) powerOff(ctx context.Context, b *builder, r blueprint.Resource, m *Power) error {
	n, err := b.number(r.ID)
	if err != nil {
		return err
	}
	if m.Before == "" {
		return lookAtPower(ctx, b, r, m)
	}
	if m.Before == "off" {
		return nil
	}
	if !m.Shutdown.Failed {
		d := b.dropletDeed(r, digitalocean.DropletAct{Droplet: n, Type: "shutdown"}, isStatus("off"))
		d.believed, d.within = true, min(politely, p.set.Longest)
		if err := p.act(ctx, b.c, d, &m.Shutdown); !m.Shutdown.Failed {
			return err
		}
	}
	d := b.dropletDeed(r, digitalocean.DropletAct{Droplet: n, Type: "power_off"}, isStatus("off"))
	d.believed = true
	return p.act(ctx, b.c, d, &m.Off)
}

// lookAtPower notes a droplet's status before anything is asked for.
func lookAtPower(ctx context.Context, b *builder, r blueprint.Resource, m *Power) error {
	n, err := b.number(r.ID)
	if err != nil {
		return err
	}
	is, err := b.c.Droplet(ctx, n)
	if err != nil {
		return err
	}
	m.Before = is.Status
	return saga.Save("droplet %s is %s", r.Name, is.Status)
}

// unPowerOn switches a droplet off that was switched on.
func (p *Steps) unPowerOn(ctx context.Context, b *builder, r blueprint.Resource, m *Act) error {
	if err := p.settled(saga.Current(ctx)); err != nil {
		return err
	}
	n, err := b.number(r.ID)
	if err != nil {
		return err
	}
	return p.act(ctx, b.c, b.dropletDeed(r, digitalocean.DropletAct{Droplet: n, Type: "power_off"}, isStatus("off")), m)
}

// powerBack undoes powerOff.
func (p *Steps) powerBack(ctx context.Context, b *builder, r blueprint.Resource, m *Power) error {
	if m.Before == "" || m.Before == "off" {
		return nil // nothing was asked for
	}
	if a := saga.Current(ctx); m.Shutdown.untouched(a) && m.Off.untouched(a) {
		return nil
	}
	return p.powerOn(ctx, b, r, &m.On)
}

// powerOn switches a droplet on. That it seems to be on is not believed: it may be an
// old view.
func (p *Steps) powerOn(ctx context.Context, b *builder, r blueprint.Resource, m *Act) error {
	n, err := b.number(r.ID)
	if err != nil {
		return err
	}
	return p.act(ctx, b.c, b.dropletDeed(r, digitalocean.DropletAct{Droplet: n, Type: "power_on"}, isStatus("active")), m)
}
