package dosim

import (
	"cmp"
	"container/heap"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// A duty is something that will be done at an instant: what the end of an action
// changes, a detachment that a delete brings about. No clock and no goroutine
// waits for it: whoever looks at the cloud first, after it fell due, finds it
// done at its instant, in order with everything else that fell due.
//
// What a duty does may have lost its sense meanwhile: it looks before it acts.
type duty struct {
	name string // "volume.detach"
	do   func(c *call, arg json.RawMessage)
}

// later has the named duty done after d, with arg as JSON.
func (c *call) later(d time.Duration, name string, arg any) int64 {
	b, err := json.Marshal(arg)
	if err != nil {
		panic("dosim: the argument of " + name + " is no JSON: " + err.Error())
	}
	c.record(&appointed{Due: c.at.Add(max(d, 0)), Account: c.account(), Duty: name, Arg: b})
	return int64(len(c.sim.events))
}

// appointed says that a duty is due. It is known by the seq of its event.
type appointed struct {
	Due     time.Time       `json:"due"`
	Account string          `json:"account"`
	Duty    string          `json:"duty"`
	Arg     json.RawMessage `json:"arg"`

	seq int64
}

func (ch *appointed) name() string { return "duty_appointed" }

func (ch *appointed) check(w *world) error {
	if w.duties[ch.Duty] == nil || ch.Due.Before(time.Unix(0, 0)) {
		return fmt.Errorf("there is no duty %q at %s", ch.Duty, ch.Due.Format(time.RFC3339))
	}
	return checkAccount(ch.Account)
}

func (ch *appointed) apply(w *world, e event) {
	due := *ch
	due.seq = e.Seq
	heap.Push(&w.due, &due)
}

// kept says that a duty has been done.
type kept struct {
	Appointment int64 `json:"appointment"`
}

func (ch *kept) name() string { return "duty_kept" }

func (ch *kept) check(w *world) error {
	if w.due.place(ch.Appointment) < 0 {
		return errors.New("it was not appointed")
	}
	return nil
}

func (ch *kept) apply(w *world, _ event) {
	if i := w.due.place(ch.Appointment); i >= 0 {
		heap.Remove(&w.due, i)
	}
}

// settle does, in order, the duties that are due, each at its instant.
func (s *Sim) settle(at time.Time) {
	for len(s.world.due) > 0 && !s.world.due[0].Due.After(at) {
		next := s.world.due[0]
		c := s.callAs(next.Account, next.Due)
		s.world.duties[next.Duty](c, next.Arg)
		c.record(&kept{next.seq})
	}
}

// A schedule is a heap of what is due, the earliest first.
type schedule []*appointed

// place finds an appointment, at the front as a rule.
func (h schedule) place(seq int64) int {
	return slices.IndexFunc(h, func(a *appointed) bool { return a.seq == seq })
}

// Len, Less, Swap, Push and Pop are for container/heap.
func (h schedule) Len() int { return len(h) }
func (h schedule) Less(i, j int) bool {
	return cmp.Or(h[i].Due.Compare(h[j].Due), cmp.Compare(h[i].seq, h[j].seq)) < 0
}
func (h schedule) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *schedule) Push(x any) {
	if a, ok := x.(*appointed); ok {
		*h = append(*h, a)
	}
}
func (h *schedule) Pop() any {
	last := len(*h) - 1
	x := (*h)[last]
	*h = (*h)[:last]
	return x
}
