package model

// A when is a time in ticks from now: negative in the past.
type when int8

// unset is no time at all.
const unset when = -128

// since is the time one tick later; how far back it lies is forgotten beyond
// floor, where no rule can tell.
func (t when) since(floor int8) when {
	if t == unset {
		return unset
	}
	return max(t-1, when(-floor))
}

// A ref names a thing at the cloud, from 1; 0 is none.
type ref int8

// A name is who owns the lease: 0 nobody, 1 and 2 the workers as long as they
// live, and dead for any earlier claim, whose random name nobody has any more.
type name int8

const (
	nobody name = 0
	dead   name = 3
)

type sagaState int8

const (
	ready sagaState = iota
	running
	waiting
	completed
	rolledBack
	stuck
)

func (s sagaState) ended() bool { return s >= completed }

// data is what the ledger knows of the saga's first step and where it stands.
type data struct {
	step        int8 // 0: no intent written, 1: the snapshot, 2: the step after it
	undoing     bool
	unknown     when // unknown_since
	action      ref  // the action's id, when known
	snapshot    ref  // the snapshot's id, when known
	everUnknown bool
}

// A row is the saga in the ledger.
type row struct {
	data
	state sagaState
	owner name
	lease when // lease_until
	epoch int8
	rev   int8
}

// A commit is a transaction on its way to the ledger.
type commit struct {
	epoch, rev int8 // what it compares with
	row        row  // what it writes
	writer     name
	claims     bool
}

// A pc is where a worker is in its work.
type pc int8

const (
	idle     pc = iota
	looking     // reads the listing for the marker
	weighing    // asks (c), (b), (a)
	guarding    // asks its own deadline before the POST
	armed       // between the guard and the socket
	calling     // the POST is open
	polling     // reads the action that the ledger names
	finding     // reads the listing for a completed action's snapshot
	absent      // did not find it; asks for the horizon now (HorizonAfterLook)
	deleting    // sends the DELETE
	checking    // reads the listing after the DELETE (ListAfterDelete)
	second      // is in the step after the snapshot
	saving      // is about to commit
	doubting    // has lost a COMMIT's answer and is about to read the row
)

// A worker is a process that may own the saga. Its data are the ledger's as it
// last saw them, with what it is about to commit.
type worker struct {
	pc         pc
	frozen     bool
	claimed    bool // doubting: about a claim
	past       bool // finding: the horizon had passed when it began to look
	passed     int8 // weighing: bits of the rules that have passed
	to         sagaState
	epoch, rev int8
	deadline   when
	data
}

// A flight is a POST that the cloud has neither committed nor lost.
type flight struct {
	open   bool
	late   bool // its sender froze after the guard and sent it after its deadline
	caller int8 // the worker whose call is open, from 1; 0: nobody waits for the answer
	left   int8 // ticks until it must have arrived or never will
}

type phase int8

const (
	nothing  phase = iota
	pending        // the action runs
	exists         // the action is completed and the snapshot is there
	vanished       // the action is completed and there is no snapshot
	failed         // the action is errored
	deleted        // the snapshot was deleted
)

// A thing is an action at the cloud and the snapshot that it makes.
type thing struct {
	phase  phase
	age    int8 // ticks in this phase
	known  int8 // ticks since the action began
	late   bool // its POST was sent late
	byHand bool // a person's: not under the saga's marker
}

type state struct {
	row     row
	inDoubt bool
	doubt   commit // a COMMIT whose answer was lost, while it may still land
	worker  [2]worker
	flight  [2]flight
	thing   [3]thing

	cancel                  bool // an operator wants the saga cancelled
	freezes, forces, byHand int8 // mishaps left

	broken property
}

func (m *system) start() state {
	return state{
		row:     row{data: data{unknown: unset}},
		freezes: m.world.Freezes, forces: m.world.Forces, byHand: m.world.ByHand,
	}
}

// tick lets one tick pass, unless something must happen before it does.
func (m *system) tick(s state, emit emitter) {
	for _, w := range s.worker {
		if w.pc == armed && !w.frozen {
			return
		}
	}
	for i := range s.flight {
		if f := &s.flight[i]; f.open {
			if f.left == 0 {
				return
			}
			f.left--
		}
	}
	for i := range s.thing {
		t := &s.thing[i]
		if t.phase == nothing {
			continue
		}
		if t.phase == pending && t.age == m.world.Duration {
			return
		}
		t.age, t.known = min(t.age+1, m.oldest), min(t.known+1, m.world.ActionLag)
	}
	for _, r := range []*row{&s.row, &s.doubt.row} {
		r.unknown, r.lease = r.unknown.since(m.rules.Settle), r.lease.since(0)
	}
	for i := range s.worker {
		w := &s.worker[i]
		w.unknown, w.deadline = w.unknown.since(m.rules.Settle), w.deadline.since(1)
	}
	emit(move{clock, "a tick passes", 0}, s)
}

// normalize brings a state into its one normal form: what no rule can tell
// apart becomes equal, and what can no longer act is gone.
func (m *system) normalize(s *state) {
	if s.inDoubt && (s.doubt.epoch != s.row.epoch || s.doubt.rev != s.row.rev) {
		s.inDoubt = false
	}
	if !s.inDoubt {
		s.doubt = commit{}
	}
	for i := range s.worker {
		m.rest(s, i)
	}
	for i := range s.flight {
		f := &s.flight[i]
		switch {
		case !f.open:
			*f = flight{}
		case f.caller != 0 && s.worker[f.caller-1].pc != calling:
			f.caller, f.left = 0, min(f.left, m.world.Commit)
		}
	}
	for i, t := range s.thing {
		old := t.age >= m.rules.Horizon && t.known >= m.world.ActionLag
		gone := t.phase == deleted && t.age >= m.world.Linger ||
			old && (t.phase == failed || t.phase == vanished || t.phase == exists && t.byHand)
		if gone && !s.refers(ref(i+1)) {
			s.thing[i] = thing{}
		}
	}
	m.rebase(s)
}

// rest makes worker i idle when it is fenced off and past its deadline, so that
// nothing it does can have an effect, and forgets what it does not need.
func (m *system) rest(s *state, i int) {
	w := &s.worker[i]
	if w.pc == idle {
		m.free(s, i)
		return
	}
	if w.undoing || w.pc != looking && w.pc != weighing && w.pc != guarding && w.pc != armed && w.pc != doubting {
		w.deadline = -1
	}
	if w.epoch >= s.row.epoch || m.rules.NoFence {
		return
	}
	switch w.pc {
	case armed, calling, deleting:
	case looking, weighing, guarding:
		if w.deadline < 0 {
			m.free(s, i)
		}
		return
	default:
		m.free(s, i)
		return
	}
	if w.pc != deleting {
		w.data = data{unknown: unset}
	}
}

// free takes worker i away; the name of its claim dies with it.
func (m *system) free(s *state, i int) {
	s.worker[i] = worker{data: data{unknown: unset}}
	for _, r := range []*row{&s.row, &s.doubt.row} {
		if r.owner == name(i+1) {
			r.owner = dead
		}
	}
	if s.doubt.writer == name(i+1) {
		s.doubt.writer = dead
	}
}

// rebase counts epochs and revisions from the row's.
func (m *system) rebase(s *state) {
	epoch, rev := s.row.epoch, s.row.rev
	if s.inDoubt {
		s.doubt.epoch, s.doubt.row.epoch = s.doubt.epoch-epoch, s.doubt.row.epoch-epoch
		s.doubt.rev, s.doubt.row.rev = s.doubt.rev-rev, s.doubt.row.rev-rev
	}
	for i := range s.worker {
		if w := &s.worker[i]; w.pc != idle {
			w.epoch, w.rev = max(w.epoch-epoch, -2), max(w.rev-rev, -2)
		}
	}
	s.row.epoch, s.row.rev = 0, 0
}

func (s *state) refers(to ref) bool {
	points := func(d data) bool { return d.action == to || d.snapshot == to }
	return points(s.row.data) || points(s.doubt.row.data) || points(s.worker[0].data) || points(s.worker[1].data)
}
