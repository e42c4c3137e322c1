package provisioning

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// The kinds of this file.
const (
	SnapshotDropletKind = "snapshot_droplet"
	SmokeKind           = "smoke"
)

// createDropletSnapshot is the step that both kinds begin with.
const createDropletSnapshot = "create_droplet_snapshot"

// A Snapshot is the state of a saga that takes a snapshot of a droplet.
type Snapshot struct {
	Account      string    `json:"account"`
	Tenant       string    `json:"tenant,omitempty"` // whose stack the droplet is of, for a freeze
	DropletID    int64     `json:"droplet_id"`
	DropletName  string    `json:"droplet_name"`
	SnapshotName string    `json:"snapshot_name"`        // the marker
	SnapshotID   string    `json:"snapshot_id"`          // empty until it is found
	FoundAt      time.Time `json:"found_at,omitzero"`    // when the snapshot was, by our clock
	ActionID     int64     `json:"action_id,omitempty"`  // of the request whose answer we have
	ActionEnd    *End      `json:"action_end,omitempty"` // of that action
	Requests     int       `json:"requests,omitempty"`   // sent, so that a lost answer cannot go on for ever
	Since        time.Time `json:"since,omitzero"`       // a shared list that shows it began no earlier
	LookUps      int       `json:"look_ups,omitempty"`   // for the snapshot, since its action ended
	Ended        ended     `json:"ended,omitempty"`      // other actions that were seen to have ended
	Deleted      bool      `json:"deleted,omitempty"`    // by the undoing
}

// An End is when an action was first seen to have ended, by both clocks.
type End struct {
	At      time.Time `json:"at"`   // DigitalOcean's
	Seen    time.Time `json:"seen"` // ours
	Errored bool      `json:"errored,omitempty"`
}

const (
	mostRequests = 5  // for one snapshot, all but the last with a lost answer
	quickLookUps = 12 // look-ups that are a poll apart; after that they slow down
)

// snapshotDroplet takes a snapshot of a droplet.
func (p *Steps) snapshotDroplet() saga.Kind[Snapshot] {
	return saga.Kind[Snapshot]{
		Name:     SnapshotDropletKind,
		Begin:    p.beginSnapshot,
		Subjects: func(s Snapshot) []string { return []string{dropletURN(s.DropletID)} },
		Steps:    []saga.Step[Snapshot]{p.createSnapshot()},
	}
}

// smoke takes a snapshot and then fails on purpose: what an operator runs to see,
// on a real droplet, that a saga which fails leaves nothing behind.
func (p *Steps) smoke() saga.Kind[Snapshot] {
	return saga.Kind[Snapshot]{
		Name:     SmokeKind,
		Begin:    p.beginSnapshot,
		Subjects: func(s Snapshot) []string { return []string{dropletURN(s.DropletID)} },
		Steps: []saga.Step[Snapshot]{
			p.createSnapshot(),
			{
				Name:          "fail",
				NothingToUndo: "it does nothing",
				Do: func(context.Context, *Snapshot) error {
					return saga.Permanent(fault.New(fault.Unprocessable, "The smoke test fails here on purpose, to see the snapshot undone."))
				},
			},
		},
	}
}

// beginSnapshot takes a request's droplet and nothing else. The steps believe what
// their state says, and an undo deletes the snapshot that it names: only they
// themselves, or an operator by mark-done, may name one.
func (p *Steps) beginSnapshot(s *Snapshot) error {
	if s.Account == "" {
		s.Account = p.set.Account
	}
	if asked := (Snapshot{Account: s.Account, DropletID: s.DropletID, DropletName: s.DropletName}); !reflect.DeepEqual(*s, asked) {
		return fault.New(fault.Invalid, "A snapshot begins with a droplet_id, and with account and droplet_name if you like; everything else it finds out by itself.")
	}
	if s.DropletID <= 0 {
		return fault.New(fault.Invalid, "Say which droplet: its droplet_id is a positive number, not %d.", s.DropletID)
	}
	return nil
}

func (p *Steps) createSnapshot() saga.Step[Snapshot] {
	patient := saga.Backoff{Attempts: 30, Base: p.set.Poll / 5, Max: 12 * p.set.Poll}
	return saga.Step[Snapshot]{
		Name: createDropletSnapshot, Do: unfrozen(p, p.takeSnapshot), Undo: unfrozen(p, p.deleteSnapshot), Retry: patient, Again: patient,
	}
}

// snapshotMarker is the name of a saga's snapshot. It is known before the request
// is sent, and no other saga has it.
func snapshotMarker(droplet int64, id saga.ID) string {
	return fmt.Sprintf("arcadia-snap-%d-%s", droplet, id.Marker8())
}

// carriesMarker reports whether name is the marker or a further use of it.
func carriesMarker(name, marker string) bool {
	rest, ok := strings.CutPrefix(name, marker)
	return ok && (rest == "" || strings.HasPrefix(rest, "-"))
}

// takeSnapshot makes the snapshot, or adopts the one that an earlier attempt
// made. The API's answer to the request names an action and never the snapshot:
// that is found by its name, some time after the action has ended.
func (p *Steps) takeSnapshot(ctx context.Context, s *Snapshot) error {
	if s.SnapshotID != "" {
		return nil
	}
	a := saga.Current(ctx)
	c, err := p.cloud(ctx, s.Account)
	if err != nil {
		return saga.Permanent(err)
	}
	s.SnapshotName = snapshotMarker(s.DropletID, a.Saga)
	if s.ActionID != 0 && s.ActionEnd == nil {
		if err := p.awaitSnapshotAction(ctx, c, s); err != nil {
			return err
		}
		if s.SnapshotID != "" {
			return nil
		}
	}
	if s.Requests == 0 && a.UnknownSince.IsZero() {
		return p.requestSnapshot(ctx, c, s) // there is nothing to be found
	}
	late := p.late(a, s) // before the look, for a look may be slow
	if found, err := p.adoptSnapshot(ctx, c, s); err != nil || found {
		return err
	}
	switch {
	case s.ActionID != 0:
		return p.lookAgain(a, s, late)
	case !a.UnknownSince.IsZero():
		if s.Ended == nil {
			s.Ended = ended{}
		}
		if err := p.nothingUnderWay(ctx, c, s.Account, s.DropletID, s.Ended); err != nil {
			return err
		}
		if found, err := p.adoptSnapshot(ctx, c, s); err != nil || found {
			return err
		}
	}
	return p.requestSnapshot(ctx, c, s)
}

// adoptSnapshot looks for the marker among the droplet's snapshots and, where it
// is and the snapshot itself answers too, makes it ours.
func (p *Steps) adoptSnapshot(ctx context.Context, c *digitalocean.Client, s *Snapshot) (found bool, err error) {
	if found, ok, err := p.adoptListed(ctx, c, s); ok {
		return found, err
	}
	list, err := c.DropletSnapshots(ctx, s.DropletID)
	if errors.Is(err, digitalocean.NotFound) { // the droplet is gone; its snapshots are not
		list, err = c.Snapshots(ctx)
	}
	if err != nil {
		return false, err
	}
	for _, snap := range list.Items {
		if snap.Name != s.SnapshotName {
			continue
		}
		a := saga.Current(ctx)
		switch _, err := c.Snapshot(ctx, snap.ID); {
		case errors.Is(err, digitalocean.NotFound):
			// A list may show what is gone, and a replica may not know yet what
			// a list shows. Neither is an absence.
			if a.Now().Sub(a.IntentAt) > p.set.Longest {
				return false, saga.Permanent(fault.New(fault.Unavailable,
					"Snapshot %s is listed as %s, but DigitalOcean does not answer for it.", s.SnapshotName, snap.ID))
			}
			return false, saga.Wait(a.Now().Add(p.set.Poll), "snapshot %s is listed but does not answer yet", snap.ID)
		case err != nil:
			return false, err
		}
		s.SnapshotID, s.FoundAt = snap.ID, a.Now()
		a.Known()
		a.Note(map[string]any{"snapshot_id": snap.ID, "found_by": "name", "action_id": s.ActionID, "entry": a.Entry})
		return true, nil
	}
	return false, nil
}

// adoptListed is adoptSnapshot by the list of all snapshots, where many wait for theirs:
// one that is listed after its action has ended is there, for nobody else knows of it. ok is false
// where each does better on its own.
func (p *Steps) adoptListed(ctx context.Context, c *digitalocean.Client, s *Snapshot) (found, ok bool, err error) {
	if s.ActionEnd == nil {
		return false, false, nil
	}
	if s.Since.IsZero() {
		s.Since = s.ActionEnd.Seen
	}
	v, ok, err := shared(ctx, p.looks, s.Account+" snapshots", s.Since, c.Snapshots)
	if !ok || err != nil {
		return false, ok, err
	}
	a := saga.Current(ctx)
	for _, snap := range v.items {
		if snap.Name == s.SnapshotName {
			s.SnapshotID, s.FoundAt = snap.ID, a.Now()
			a.Known()
			a.Note(map[string]any{"snapshot_id": snap.ID, "found_by": "name", "action_id": s.ActionID, "entry": a.Entry})
			return true, true, nil
		}
	}
	if s.Since = v.began.Add(time.Microsecond); p.late(a, s) {
		return false, false, nil // ask the droplet itself before it is given up
	}
	return false, true, saga.Wait(v.next, "the action has completed; the snapshot is not listed yet")
}

// requestSnapshot sends the one request. Its commit is the save of the action.
func (p *Steps) requestSnapshot(ctx context.Context, c *digitalocean.Client, s *Snapshot) error {
	a := saga.Current(ctx)
	if s.Requests >= mostRequests {
		return saga.Permanent(fault.New(fault.Unavailable,
			"%d requests for snapshot %s were sent and none was answered in a way that tells its outcome.", s.Requests, s.SnapshotName))
	}
	permitted := capabilityOf(ctx, s.Tenant, digitalocean.DropletSnapshotPermit(s.DropletID, s.SnapshotName))
	s.Requests++
	action, err := c.CreateDropletSnapshot(permitted, s.DropletID, s.SnapshotName)
	switch {
	case err == nil:
		s.ActionID = action.ID
		a.Known()
		a.Note(map[string]any{"action_id": action.ID})
		return a.Await(watchOf(s.Account, action), p.set.Poll*24, "waiting for action %d at DigitalOcean", action.ID)
	case errors.Is(err, digitalocean.Unknown):
		return saga.Wait(a.Now().Add(p.set.Poll), "the answer to the request for the snapshot was lost: %s", fault.Message(err))
	case errors.Is(err, digitalocean.PendingEvent):
		s.Requests--
		if a.Now().Sub(a.IntentAt) > p.set.Longest {
			return saga.Permanent(err)
		}
		return saga.Wait(a.Now().Add(p.set.Poll), "the droplet is busy with another action")
	case errors.Is(err, digitalocean.NotSent), errors.Is(err, digitalocean.RateLimited):
		s.Requests--
		return err
	}
	return saga.Permanent(err)
}

// awaitSnapshotAction answers nil once the action has completed, or has made the
// snapshot whatever it says of itself: a status that is in no documentation is no
// end, and then the snapshot is the witness.
func (p *Steps) awaitSnapshotAction(ctx context.Context, c *digitalocean.Client, s *Snapshot) error {
	a := saga.Current(ctx)
	action, err := p.action(ctx, c, s.DropletID, s.ActionID, a.IntentAt.Add(-clockSkew))
	switch {
	case err != nil:
		return err
	case action.Status == digitalocean.ActionErrored:
		s.ActionEnd = &End{At: action.At, Seen: a.Now(), Errored: true}
		return saga.Permanent(fault.New(fault.Unprocessable, "DigitalOcean gave the snapshot up: action %d ended as errored.", s.ActionID))
	case action.Status == digitalocean.ActionCompleted:
		s.ActionEnd = &End{At: action.At, Seen: a.Now()}
		return nil
	}
	if !action.Status.Known() {
		if found, err := p.adoptSnapshot(ctx, c, s); err != nil || found {
			return err
		}
	}
	if a.Now().Sub(a.IntentAt) > p.set.Longest {
		return saga.Permanent(fault.New(fault.Unavailable, "Action %d has not ended within %s.", s.ActionID, p.set.Longest))
	}
	return a.Await(watchOf(s.Account, action), p.set.Poll*24, "waiting for action %d at DigitalOcean", s.ActionID)
}

// late reports whether the snapshot of a completed action must be listed by now.
func (p *Steps) late(a *saga.Attempt, s *Snapshot) bool {
	return s.ActionEnd != nil && a.Now().Sub(s.ActionEnd.Seen) > p.set.Horizon
}

// lookAgain waits for the snapshot of a completed action to be listed, and gives
// up after a look that was late.
func (p *Steps) lookAgain(a *saga.Attempt, s *Snapshot, late bool) error {
	s.LookUps++
	if s.LookUps > quickLookUps && late {
		return saga.Permanent(fault.New(fault.Unavailable,
			"Action %d completed, but its snapshot %s was not listed within %s.", s.ActionID, s.SnapshotName, p.set.Horizon))
	}
	next := p.set.Poll
	if s.LookUps >= quickLookUps {
		next *= 2
	}
	return saga.Wait(a.Now().Add(next), "the action has completed; the snapshot is not listed yet (look-up %d)", s.LookUps)
}

// deleteSnapshot undoes takeSnapshot, however far that got.
func (p *Steps) deleteSnapshot(ctx context.Context, s *Snapshot) error {
	a := saga.Current(ctx)
	if s.Deleted || s.SnapshotID == "" && s.ActionID == 0 && a.UnknownSince.IsZero() {
		return nil // no request can have been carried out
	}
	c, err := p.cloud(ctx, s.Account)
	if err != nil {
		return err
	}
	if s.SnapshotID != "" {
		err := c.DeleteSnapshot(capabilityOf(ctx, s.Tenant, digitalocean.DeleteSnapshotPermit(s.SnapshotID)), s.SnapshotID)
		if err != nil && !errors.Is(err, digitalocean.NotFound) {
			return err
		}
		if err != nil && a.Now().Sub(s.FoundAt) <= p.set.Horizon {
			a.Doubt() // so soon, a replica that has not heard of it would say the same
		}
		s.Deleted = true
		a.Note(map[string]any{"deleted": s.SnapshotID, "was_gone": err != nil})
		return nil
	}
	late := p.late(a, s) // before the look, for a look may be slow
	if err := p.findForUndo(ctx, c, s); err != nil {
		return err
	}
	if s.ActionID != 0 {
		return p.undoByAction(ctx, c, s, late)
	}
	if s.Ended == nil {
		s.Ended = ended{}
	}
	if err := p.nothingUnderWay(ctx, c, s.Account, s.DropletID, s.Ended); err != nil {
		return err
	}
	if err := p.findForUndo(ctx, c, s); err != nil {
		return err
	}
	a.Note(map[string]any{"found": nil, "looked": "settled, no action under way, not listed"})
	return nil
}

// findForUndo looks for the marker in the whole account, for a snapshot outlives
// its droplet. What it finds is committed before it is deleted.
func (p *Steps) findForUndo(ctx context.Context, c *digitalocean.Client, s *Snapshot) error {
	list, err := c.Snapshots(ctx)
	if err != nil {
		return err
	}
	for _, snap := range list.Items {
		if snap.Name == s.SnapshotName {
			a := saga.Current(ctx)
			s.SnapshotID, s.FoundAt = snap.ID, a.Now()
			a.Known()
			return saga.Save("found snapshot %s to delete", snap.ID)
		}
	}
	return nil
}

// undoByAction undoes a request whose action is known while its snapshot is not.
// A completed action proves that the snapshot exists: not finding it is no reason
// to believe that it is gone.
func (p *Steps) undoByAction(ctx context.Context, c *digitalocean.Client, s *Snapshot, late bool) error {
	a := saga.Current(ctx)
	if s.ActionEnd == nil {
		action, err := p.action(ctx, c, s.DropletID, s.ActionID, a.IntentAt.Add(-clockSkew))
		switch {
		case err != nil:
			return err
		case !action.Status.Terminal() && a.Now().Sub(a.IntentAt) > p.set.Longest:
			return saga.Stop(fault.New(fault.Unavailable, "Action %d has not ended within %s: whether it makes snapshot %s is not known. Look at DigitalOcean, then retry.",
				s.ActionID, p.set.Longest, s.SnapshotName))
		case !action.Status.Terminal():
			return a.Await(watchOf(s.Account, action), p.set.Poll*24, "waiting for action %d to end before its snapshot is deleted", s.ActionID)
		}
		s.ActionEnd = &End{At: action.At, Seen: a.Now(), Errored: action.Status == digitalocean.ActionErrored}
	}
	if s.ActionEnd.Errored {
		a.Note(map[string]any{"action_id": s.ActionID, "status": digitalocean.ActionErrored})
		return nil
	}
	if late {
		return saga.Stop(fault.New(fault.Unavailable,
			"Action %d completed, so snapshot %s exists, but it was not listed within %s. Find and delete it at DigitalOcean, or retry to look again.",
			s.ActionID, s.SnapshotName, p.set.Horizon))
	}
	return saga.Wait(a.Now().Add(p.set.Poll), "action %d has completed; its snapshot is not listed yet", s.ActionID)
}
