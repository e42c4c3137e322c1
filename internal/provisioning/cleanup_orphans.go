package provisioning

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// CleanupOrphansKind deletes what nobody has, after a time in which somebody may use it.
const CleanupOrphansKind = "cleanup_orphans"

// deleteOrphansStep is where a clean-up sends something.
const (
	waitForUseStep    = "wait_for_use"
	deleteOrphansStep = "delete_orphans"
)

// A Cleanup is the state of a saga that deletes orphans. What it has marked is in the
// table, where others end marks.
type Cleanup struct {
	Account string        `json:"account"`
	Plan    PlanID        `json:"plan"`
	Wait    time.Duration `json:"wait"` // between the marking and the first deletion
	Orphans []Orphan      `json:"orphans"`
	Saga    saga.ID       `json:"saga,omitempty"` // once it runs

	Until time.Time `json:"until,omitzero"` // when the wait is over
	Next  time.Time `json:"next,omitzero"`  // look while it lasts
	Doom  []*Doom   `json:"doom,omitempty"` // what it has claimed
}

// A Doom is what a saga's state knows of the end of an orphan.
type Doom struct {
	Orphan
	MissedAt time.Time `json:"missed_at,omitzero"` // when it did not answer, before anything was asked for
	Accepted bool      `json:"accepted,omitempty"` // its deletion was
	Until    time.Time `json:"until,omitzero"`     // when waiting for it ends
	Became   MarkState `json:"became,omitempty"`   // empty: it is not known yet
	Why      string    `json:"why,omitempty"`
}

func (d *Doom) is(state MarkState, why string) error {
	d.Became, d.Why = state, why
	return nil
}

func (p *Steps) cleanupOrphans() saga.Kind[Cleanup] {
	return saga.Kind[Cleanup]{
		Name: CleanupOrphansKind,
		Begin: func(s *Cleanup) error {
			if s.Account == "" || len(s.Orphans) == 0 || s.Wait < p.set.Horizon || s.Saga != "" || len(s.Doom) > 0 {
				return fault.New(fault.Invalid, "What nobody has is deleted by applying a plan: arcadia cleanup plan, then arcadia cleanup apply.")
			}
			return nil
		},
		Steps: []saga.Step[Cleanup]{
			{Name: waitForUseStep, Do: p.waitForUse, Undo: p.unmarkAll, Retry: p.patient(), Again: p.patient()},
			{Name: "claim_orphans", Pivot: true, Local: func(ctx context.Context, tx *sql.Tx, s *Cleanup) error {
				all, err := claimMarks(ctx, tx, s.Saga)
				s.Doom = nil
				for _, o := range all {
					s.Doom = append(s.Doom, &Doom{Orphan: o})
				}
				return err
			}},
			{Name: deleteOrphansStep, Do: unfrozen(p, p.deleteOrphans), Retry: p.patient(), Forward: true},
			{Name: "record_outcome", Forward: true, Local: func(ctx context.Context, tx *sql.Tx, s *Cleanup) error {
				for _, d := range s.Doom {
					if err := endMark(ctx, tx, s.Saga, d.URN, d.Became, d.Why); err != nil {
						return err
					}
				}
				return nil
			}},
		},
	}
}

// lookEvery is how often a clean-up looks whether what it marked is used.
func (p *Steps) lookEvery(wait time.Duration) time.Duration {
	return max(min(time.Hour, wait/4), p.set.Poll)
}

// waitForUse looks now and then whether marked things are used, and once more when their
// time is over, so that what is claimed then was nobody's a moment ago.
func (p *Steps) waitForUse(ctx context.Context, s *Cleanup) error {
	a := saga.Current(ctx)
	began := a.Now()
	if s.Until.IsZero() {
		s.Saga, s.Until = a.Saga, began.Add(s.Wait)
	}
	over := !began.Before(s.Until)
	if !over && began.Before(s.Next) {
		return p.untilNextLook(s)
	}
	c, err := p.cloud(ctx, s.Account)
	if err != nil {
		return err
	}
	all, err := readHoldings(ctx, c)
	if err != nil {
		return err
	}
	used := map[string]string{}
	for _, o := range s.Orphans {
		if is, listed := all[o.URN]; listed { // what no list shows is asked for by its id in the end
			if why := all.spares(o, is); why != "" {
				used[o.URN] = why
			}
		}
	}
	left, err := p.lookAfter(ctx, s, used)
	if err != nil || over || len(left) == 0 {
		return err
	}
	s.Next = began.Add(p.lookEvery(s.Wait))
	return p.untilNextLook(s)
}

func (p *Steps) untilNextLook(s *Cleanup) error {
	next := s.Next
	if s.Until.Before(next) {
		next = s.Until
	}
	return saga.Wait(next, "nothing is deleted before %s: what is used until then is spared", minute(s.Until))
}

// lookAfter ends the marks of what is used, and of what is somebody's.
func (p *Steps) lookAfter(ctx context.Context, s *Cleanup, used map[string]string) ([]string, error) {
	if p.set.Marks == nil {
		return nil, saga.Permanent(fault.New(fault.Internal, "Nothing tells this process whose things are."))
	}
	return p.set.Marks(ctx, saga.Current(ctx).Saga, used)
}

// unmarkAll ends all marks that the saga has still.
func (p *Steps) unmarkAll(ctx context.Context, s *Cleanup) error {
	all := map[string]string{}
	for _, o := range s.Orphans {
		all[o.URN] = "the clean-up was cancelled"
	}
	_, err := p.lookAfter(ctx, s, all)
	return err
}

// deleteOrphans deletes what the saga has claimed. Each is asked for by its id directly
// before, and spared where it is not as it was when it was marked.
func (p *Steps) deleteOrphans(ctx context.Context, s *Cleanup) error {
	open := slices.DeleteFunc(slices.Clone(s.Doom), func(d *Doom) bool { return d.Became != "" })
	if len(open) == 0 {
		return nil
	}
	c, err := p.cloud(ctx, s.Account)
	if err != nil {
		return err
	}
	around, err := readHoldings(ctx, c)
	if err != nil {
		return err
	}
	return all(open, func(d *Doom) error { return p.deleteOrphan(ctx, c, around, d) })
}

func (p *Steps) deleteOrphan(ctx context.Context, c *digitalocean.Client, around holdings, d *Doom) error {
	a := saga.Current(ctx)
	is, err := readHeld(ctx, c, d.Orphan)
	switch {
	case errors.Is(err, digitalocean.NotFound) && d.Accepted:
		return d.is(Deleted, "")
	case errors.Is(err, digitalocean.NotFound):
		return p.missed(a, d)
	case err != nil:
		return err
	case d.Accepted:
		return p.untilGone(a, d, nil)
	}
	d.MissedAt = time.Time{}
	if why := around.spares(d.Orphan, is); why != "" {
		return d.is(Spared, why)
	}
	if p.set.Protected != nil {
		err := p.set.Protected(ctx, []string{d.URN})
		if errors.Is(err, fault.Conflict) {
			return d.is(Spared, fault.Message(err))
		}
		if err != nil {
			return err
		}
	}
	switch err := d.delete(ctx, c); {
	case err == nil, errors.Is(err, digitalocean.NotFound):
		d.Accepted = true
		return p.untilGone(a, d, nil)
	case errors.Is(err, digitalocean.Conflict), errors.Is(err, digitalocean.PendingEvent), errors.Is(err, digitalocean.Unprocessable):
		return p.untilGone(a, d, err) // it says that something uses it: the next look tells what
	default:
		return err
	}
}

// missed believes that a thing is gone once it does not answer for a horizon.
func (p *Steps) missed(a *saga.Attempt, d *Doom) error {
	if d.MissedAt.IsZero() {
		d.MissedAt = a.Now()
	}
	sure := d.MissedAt.Add(p.set.Horizon)
	if a.Now().Before(sure) {
		return saga.Wait(sure, "%s does not answer: it is asked for once more", d.URN)
	}
	return d.is(Deleted, "it was gone already")
}

// untilGone waits for another look. What DigitalOcean does not let go in all that time is
// spared; what it said to have deleted and shows still is for a person to look at.
func (p *Steps) untilGone(a *saga.Attempt, d *Doom, refused error) error {
	if d.Until.IsZero() {
		d.Until = a.Now().Add(p.set.Longest)
	}
	switch {
	case a.Now().Before(d.Until) && refused != nil:
		return saga.Wait(a.Now().Add(p.set.Poll), "%s cannot be deleted yet: %s", d.URN, fault.Message(refused))
	case a.Now().Before(d.Until):
		return saga.Wait(a.Now().Add(p.set.Poll), "%s is not gone yet", d.URN)
	case refused != nil:
		return d.is(Spared, "DigitalOcean does not let it go: "+fault.Message(refused))
	}
	return saga.Stop(fault.New(fault.Unavailable, "%s is still there %s after it was deleted.", d.URN, p.set.Longest))
}

// delete asks for the end of an orphan, under leave for it alone.
func (d *Doom) delete(ctx context.Context, c *digitalocean.Client) error {
	under := func(permit digitalocean.Permit) context.Context { return capabilityOf(ctx, d.Tenant, permit) }
	switch d.Kind {
	case "volume":
		return c.DeleteVolume(under(digitalocean.DeleteVolumePermit(d.ID)), d.ID)
	case "reserved_ip":
		return c.DeleteReservedIP(under(digitalocean.DeleteReservedIPPermit(d.ID)), d.ID)
	case "snapshot":
		return c.DeleteSnapshot(under(digitalocean.DeleteSnapshotPermit(d.ID)), d.ID)
	}
	n, err := strconv.ParseInt(d.ID, 10, 64)
	if err != nil {
		return saga.Permanent(err)
	}
	return c.DeleteDroplet(under(digitalocean.DeleteDropletPermit(n)), n)
}
