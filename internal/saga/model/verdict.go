package model

// A property is a promise that a state can break.
type property int8

const (
	kept property = iota
	twoOwners
	twoPosts
	falseStuck
	falseSuccess
	leftOver
	leftToSweep
	notOwned
)

var properties = [...]string{
	twoOwners:    "the ledger took a write from one who is not its owner",
	twoPosts:     "the protocol made a second snapshot",
	falseStuck:   "the saga is stuck over a snapshot that is not missing",
	falseSuccess: "the undo took a completed action's missing snapshot for success",
	leftOver:     "a snapshot that the ledger does not own stays",
	leftToSweep:  "the rules left a snapshot to the sweep, and no process was frozen",
	notOwned:     "the saga is completed without a snapshot of its own",
}

// verdict names the property that s breaks.
func (m *system) verdict(s *state) property {
	if s.broken != kept {
		return s.broken
	}
	// A late POST is the one thing that the sweeps are there for.
	made := 0
	for _, t := range s.thing {
		if (t.phase == pending || t.phase == exists) && !t.late && !t.byHand {
			made++
		}
	}
	if made > 1 {
		return twoPosts
	}
	r := &s.row
	missing := r.action != 0 && s.thing[r.action-1].phase == vanished
	switch {
	case r.state == stuck && !missing:
		return falseStuck
	case r.state == rolledBack && missing && r.snapshot == 0:
		return falseSuccess
	case r.state == completed && (r.snapshot == 0 || s.thing[r.snapshot-1].phase != exists):
		return notOwned
	case s.final() && s.strays() > 0 && !m.sweeps(s):
		return leftOver
	case s.final() && s.strays() > 0 && s.freezes == m.world.Freezes && !m.rules.LeanOnSweep:
		return leftToSweep
	}
	return kept
}

// final reports whether the saga has ended and nothing is on its way any more.
// A worker that is still busy then can always die.
func (s *state) final() bool {
	return s.row.state.ended() && !s.inDoubt && s.flight == [2]flight{} && !s.acting() &&
		s.worker[0].pc == idle && s.worker[1].pc == idle
}

// sweeps reports whether the saga's end is followed by sweeps.
func (m *system) sweeps(s *state) bool { return s.row.everUnknown && !m.rules.NoSweep }

// stray reports whether thing i is under the saga's marker and not the ledger's.
func (s *state) stray(i int) bool {
	t := s.thing[i]
	return t.phase == exists && !t.byHand && !(s.row.state == completed && s.row.snapshot == ref(i+1))
}

func (s *state) strays() int {
	n := 0
	for i := range s.thing {
		if s.stray(i) {
			n++
		}
	}
	return n
}

// sweep is one look after the end, at any time: what it sees and the ledger does
// not own is deleted. The last sweep sees all; verdict counts on it.
func (m *system) sweep(s state, emit emitter) {
	if !s.row.state.ended() || !m.sweeps(&s) {
		return
	}
	for i := range s.thing {
		if s.stray(i) {
			t := s
			t.remove(ref(i + 1))
			emit(move{sweeper, "deletes snapshot #: under the marker, not the ledger's", ref(i + 1)}, t)
		}
	}
}
