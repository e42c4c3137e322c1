//go:build unix

package provisioning_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/provisioning"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// figures are what a run of worker processes came to.
type figures struct {
	sagas, completed, rolledBack int
	sent, committed              int // requests for a snapshot
	spoiled                      int // answers of the cloud, those that were slow not counted
	claims                       int64
	recovered                    int // entries that no owner ended
	leftover                     int // snapshots that no ledger owned before the sweep
}

func (f figures) String() string {
	return fmt.Sprintf("%d sagas (%d completed, %d rolled back); %d snapshot requests sent, %d carried out, %d answers spoiled; %d claims, %d recoveries; "+
		"%d left over before the sweep, 0 after it",
		f.sagas, f.completed, f.rolledBack, f.sent, f.committed, f.spoiled, f.claims, f.recovered, f.leftover)
}

// audit is made once no worker is left: it sweeps, and asks that the ledger is
// exact and that the cloud holds what the ledger owns and nothing else.
func (p *place) audit() figures {
	p.t.Helper()
	p.check()
	e, service := p.ledger()
	sagas := p.sagas(e)
	f := figures{sagas: len(sagas)}
	f.sent, f.committed = p.posts()
	for _, spoiler := range p.cloud.Faults() {
		if spoiler.Kind != dosim.Slow {
			f.spoiled += spoiler.Hits
		}
	}

	var lastEnd time.Time
	owned := map[string]bool{} // snapshot ids
	for _, s := range sagas {
		f.claims += s.Epoch
		f.recovered += p.auditEvents(e, s)
		if s.FinishedAt.After(lastEnd) {
			lastEnd = s.FinishedAt
		}
		state, err := saga.StateOf[provisioning.Snapshot](s)
		if err != nil {
			p.t.Fatal(err)
		}
		switch step := s.Steps[0].State; {
		case s.Kind == provisioning.SnapshotDropletKind && s.State == saga.Completed && step == saga.StepCompleted && state.SnapshotID != "":
			f.completed++
			owned[state.SnapshotID] = true
		case s.Kind == provisioning.SmokeKind && s.State == saga.RolledBack && step == saga.StepCompensated && s.Steps[1].State == saga.StepFailed:
			f.rolledBack++
		default:
			p.t.Errorf("%s %s ended %s, its error %+v, its steps %+v", s.Kind, s.ID, s.State, s.Error, s.Steps)
		}
	}

	p.until(5*time.Second, "every action at the cloud ends", p.calm)
	for _, snap := range p.cloud.Truth("snapshot") {
		if !owned[snap.ID] {
			f.leftover++
		}
	}
	p.until(10*time.Second, "every sweep is due and made", func() bool {
		if time.Now().Before(lastEnd.Add(processPace.options.Sweeps[0])) {
			return false
		}
		swept := service.Sweep(p.t.Context()) // against the same weather: it may have to be made again
		due, err := e.DueSweeps(p.t.Context(), 500, provisioning.SnapshotDropletKind, provisioning.SmokeKind)
		if err != nil {
			p.t.Fatal(err)
		}
		return swept == nil && len(due) == 0
	})

	for _, snap := range p.cloud.Truth("snapshot") {
		if !owned[snap.ID] {
			p.t.Errorf("after the sweep snapshot %s (%s) is there, and no saga owns it", snap.ID, snap.Name)
		}
		delete(owned, snap.ID)
	}
	for id := range owned {
		p.t.Errorf("snapshot %s is a completed saga's and is not there", id)
	}
	return f
}

// sagas lists all sagas with their steps, and asks that they are those ordered.
func (p *place) sagas(e *saga.Engine) []saga.Saga {
	p.t.Helper()
	list, more, err := e.Sagas(p.t.Context(), saga.Filter{Limit: 200})
	if err != nil {
		p.t.Fatal(err)
	}
	if more != "" || len(list) != len(p.orders) {
		p.t.Fatalf("%d orders have made %d sagas, and perhaps more (%q)", len(p.orders), len(list), more)
	}
	for i := range list {
		if list[i], err = e.Saga(p.t.Context(), list[i].ID); err != nil {
			p.t.Fatal(err)
		}
	}
	return list
}

// calm reports whether no action is under way at the cloud.
func (p *place) calm() bool {
	for _, action := range p.cloud.Truth("action") {
		var a struct{ Status string }
		if err := json.Unmarshal(action.Data, &a); err != nil {
			p.t.Fatal(err)
		}
		if a.Status == "in-progress" {
			return false
		}
	}
	return true
}

// auditEvents asks that a saga's history is one that a single owner at a time can
// have written, and answers how many entries were recovered from a dead owner.
func (p *place) auditEvents(e *saga.Engine, s saga.Saga) (recovered int) {
	p.t.Helper()
	events, err := e.Events(p.t.Context(), s.ID, 0, 100_000)
	if err != nil {
		p.t.Fatal(err)
	}
	var (
		wrong  []string
		last   saga.Event
		inside *saga.Event // the entry that has no recorded end
		ends   = map[string]int{}
	)
	bad := func(ev saga.Event, format string, args ...any) {
		wrong = append(wrong, fmt.Sprintf("event %d (%s %s, epoch %d, rev %d): ", ev.Seq, ev.Type, ev.Step, ev.Epoch, ev.Rev)+fmt.Sprintf(format, args...))
	}
	for i, ev := range events {
		if ev.Seq != int64(i+1) {
			bad(ev, "the %dth has another number", i+1)
		}
		if ev.Epoch < last.Epoch || ev.Epoch > last.Epoch+1 {
			bad(ev, "the epoch goes from %d to %d", last.Epoch, ev.Epoch)
		}
		if ev.Rev < last.Rev || ev.Rev > last.Rev+1 {
			bad(ev, "the rev goes from %d to %d", last.Rev, ev.Rev)
		}
		if s.State.Ended() && last.Type == string(s.State) && ev.Type != "swept" {
			bad(ev, "it follows the saga's end")
		}
		switch ev.Type {
		case "step_started", "undo_started":
			if inside != nil {
				bad(ev, "the entry of event %d has not ended and was not recovered", inside.Seq)
			}
			inside = &ev
		case "recovered":
			recovered++
			if inside == nil || ev.Epoch != inside.Epoch+1 {
				bad(ev, "there is no entry of the epoch before to recover")
			}
			inside = nil
		case "step_completed", "step_failed", "step_waiting", "step_retry", "undo_completed", "undo_failed":
			if inside == nil || inside.Epoch != ev.Epoch || inside.Step != ev.Step {
				bad(ev, "it ends an entry that is not its own")
			}
			inside = nil
			if ev.Type != "step_waiting" && ev.Type != "step_retry" {
				ends[ev.Type+" of "+ev.Step]++
			}
		case string(saga.Completed), string(saga.RolledBack), string(saga.Stuck):
			ends[ev.Type]++
		}
		last = ev
	}
	if last.Epoch != s.Epoch || last.Rev != s.Rev {
		bad(last, "the saga has epoch %d and rev %d", s.Epoch, s.Rev)
	}
	for end, n := range ends {
		if n != 1 {
			wrong = append(wrong, fmt.Sprintf("%s is there %d times", end, n))
		}
	}
	if len(wrong) > 0 {
		p.t.Errorf("the ledger of %s %s is not exact:\n%s", s.Kind, s.ID, strings.Join(wrong, "\n"))
	}
	return recovered
}
