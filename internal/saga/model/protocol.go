package model

import "strings"

// enter begins a Do or an Undo from what the ledger says, always from the start.
func (m *system) enter(s *state, i int) {
	w := &s.worker[i]
	switch {
	case w.step == 2 && !w.undoing:
		w.pc = second
	case w.snapshot != 0: // only an undo comes here: with the id the step is completed
		w.pc = deleting
	case w.action != 0:
		w.pc = polling
	case w.undoing && w.unknown == unset:
		w.save(rolledBack) // no POST can have been sent
	default:
		w.pc = looking
	}
}

// save makes the worker commit what it has, so that the saga is in that state.
func (w *worker) save(to sagaState) { w.pc, w.to = saving, to }

// work makes every move that worker i can make.
func (m *system) work(s state, i int, emit emitter) {
	if s.worker[i].pc == idle {
		if i == 0 || s.worker[0].pc != idle { // idle workers are alike: let the first be asked first
			m.claim(s, i, emit)
		}
		return
	}
	dies := s
	dies.worker[i].pc = idle
	emit(move{actor(i), "dies", 0}, dies)

	switch s.worker[i].pc {
	case looking:
		m.look(s, i, emit)
	case weighing:
		m.weigh(s, i, emit)
	case guarding:
		if s.worker[i].deadline >= 0 || m.rules.NoGuard {
			s.worker[i].pc = armed
			emit(move{actor(i), "asks its deadline: there is time left", 0}, s)
		}
	case armed:
		m.post(s, i, emit)
	case calling:
		m.lose(&s.worker[i])
		emit(move{actor(i), "hears nothing: the POST timed out or was reset", 0}, s)
	case polling:
		m.poll(s, i, emit)
	case finding:
		m.find(s, i, emit)
	case absent:
		m.conclude(&s, i, m.past(&s, i))
		emit(move{actor(i), "asks only now whether the horizon has passed", 0}, s)
	case deleting:
		m.remove(s, i, emit)
	case checking:
		m.check(s, i, emit)
	case second:
		m.secondStep(s, i, emit)
	case saving:
		m.commit(s, i, emit)
	case doubting:
		m.resolve(s, i, emit)
	}
}

// look looks for the marker before anything else.
func (m *system) look(s state, i int, emit emitter) {
	v := m.listing(&s)
	for _, at := range v.shown {
		m.found(s, i, at, "looks for the marker: snapshot # is listed", emit)
	}
	if !v.empty {
		return
	}
	w := &s.worker[i]
	switch {
	case w.undoing && m.rules.UndoByOneLook:
		w.save(rolledBack)
	case w.unknown == unset:
		w.pc = guarding
	default:
		w.pc = weighing
	}
	emit(move{actor(i), "looks for the marker: not listed", 0}, s)
}

// found adopts a listed snapshot, if GET by id knows it: its id is committed
// before anything uses it.
func (m *system) found(s state, i int, at ref, what string, emit emitter) {
	w := &s.worker[i]
	w.passed, w.past = 0, false
	if t := s.thing[at-1]; t.phase != exists || t.age < m.world.ByID {
		not := s
		not.worker[i].save(waiting)
		emit(move{actor(i), what + ", but GET by id answers 404", at}, not)
		if t.phase != exists {
			return
		}
	}
	w.snapshot, w.unknown = at, unset
	switch {
	case !w.undoing:
		w.step = 2
		w.save(running)
	case m.rules.DeleteBeforeSave:
		w.pc = deleting
	default:
		w.save(running)
	}
	emit(move{actor(i), what, at}, s)
}

// weigh asks the next of the rules under which a POST, or the conclusion that
// there is nothing, is allowed while unknown_since is set.
func (m *system) weigh(s state, i int, emit emitter) {
	const all = "cba"
	for bit, rule := range all {
		mask := int8(1 << bit)
		if s.worker[i].passed&mask != 0 || !m.isNext(s.worker[i].passed, rule) {
			continue
		}
		pass := func(s state, what string) {
			w := &s.worker[i]
			if w.passed |= mask; w.passed == 1<<len(all)-1 {
				w.passed = 0
				if w.pc = guarding; w.undoing {
					w.save(rolledBack)
				}
			}
			emit(move{actor(i), what, 0}, s)
		}
		wait := func(s state, what string, at ref) {
			w := &s.worker[i]
			w.passed = 0
			if at != 0 && m.rules.AdoptListedAction {
				w.action, w.unknown = at, unset
			}
			w.save(waiting)
			emit(move{actor(i), what, at}, s)
		}
		switch rule {
		case 'c':
			if -s.worker[i].unknown >= when(m.rules.Settle) {
				pass(s, "asks (c): settle has passed")
			} else {
				wait(s, "asks (c): settle has not passed", 0)
			}
		case 'b':
			blocked, clear, unfinished := m.actions(&s)
			if clear {
				pass(s, "asks (b): the action list shows none that holds it back")
			}
			if blocked {
				wait(s, "asks (b): the action list shows one that is unfinished or ended a moment ago", unfinished)
			}
		case 'a':
			v := m.listing(&s)
			if v.empty {
				pass(s, "asks (a): not listed")
			}
			for _, at := range v.shown {
				m.found(s, i, at, "asks (a): snapshot # is listed", emit)
			}
		}
	}
}

// isNext reports whether rule may be asked now that those in passed have passed.
func (m *system) isNext(passed int8, rule rune) bool {
	if m.rules.Order == "" {
		return true
	}
	asked := 0
	for ; passed != 0; passed &= passed - 1 {
		asked++
	}
	return strings.IndexRune(m.rules.Order, rule) == asked
}

// post sends the one POST, at once after the guard or, when the process froze
// between the two, whenever it thaws.
func (m *system) post(s state, i int, emit emitter) {
	if !s.worker[i].frozen && s.freezes > 0 {
		t := s
		t.freezes--
		t.worker[i].frozen = true
		emit(move{actor(i), "freezes between the guard and the socket", 0}, t)
	}
	what := "sends the POST"
	if s.worker[i].frozen {
		what = "thaws and sends the POST"
	}
	m.send(&s, i)
	s.worker[i].frozen, s.worker[i].pc = false, calling
	emit(move{actor(i), what, 0}, s)
}

// past reports whether the horizon has passed since the end of w's action.
func (m *system) past(s *state, i int) bool {
	return s.thing[s.worker[i].action-1].age >= m.rules.Horizon
}

// poll reads the action whose id the ledger has.
func (m *system) poll(s state, i int, emit emitter) {
	w := &s.worker[i]
	at := w.action
	switch s.thing[at-1].phase {
	case pending:
		w.save(waiting)
		emit(move{actor(i), "polls action #: unfinished", at}, s)
	case failed:
		if w.undoing {
			w.save(rolledBack)
		} else {
			w.undoing = true
			w.save(running)
		}
		emit(move{actor(i), "polls action #: errored", at}, s)
	default:
		w.pc, w.past = finding, m.past(&s, i)
		what := "polls action #: completed"
		if w.past {
			what = "polls action #: completed, the horizon has passed"
		}
		emit(move{actor(i), what, at}, s)
	}
}

// find looks for the snapshot of a completed action.
func (m *system) find(s state, i int, emit emitter) {
	v := m.listing(&s)
	for _, at := range v.shown {
		m.found(s, i, at, "finds snapshot #", emit)
	}
	if !v.empty {
		return
	}
	if m.rules.HorizonAfterLook {
		s.worker[i].pc = absent
	} else {
		m.conclude(&s, i, s.worker[i].past)
	}
	emit(move{actor(i), "does not find action #'s snapshot", s.worker[i].action}, s)
}

// conclude decides what the absence of a completed action's snapshot means.
func (m *system) conclude(s *state, i int, past bool) {
	w := &s.worker[i]
	w.past = false
	switch {
	case !past:
		w.save(waiting)
	case w.undoing:
		w.save(stuck)
	default:
		w.undoing = true
		w.save(running)
	}
}

// remove sends the DELETE of an id; 404 is success.
func (m *system) remove(s state, i int, emit emitter) {
	at := s.worker[i].snapshot
	if t := s.thing[at-1]; t.phase != exists || t.age < m.world.ByID {
		gone := s
		if gone.worker[i].save(rolledBack); m.rules.DoubtEarly404 && t.phase == exists && t.age < m.rules.Horizon {
			gone.worker[i].save(waiting)
		}
		emit(move{actor(i), "deletes snapshot #: 404", at}, gone)
		if t.phase != exists {
			return
		}
	}
	s.remove(at)
	lost := s
	lost.worker[i].save(waiting)
	emit(move{actor(i), "deletes snapshot #, but the answer is lost", at}, lost)
	if s.worker[i].save(rolledBack); m.rules.ListAfterDelete {
		s.worker[i].pc = checking
	}
	emit(move{actor(i), "deletes snapshot #", at}, s)
}

func (s *state) remove(at ref) {
	if t := &s.thing[at-1]; t.phase == exists {
		t.phase, t.age = deleted, 0
	}
}

// check is the mistake of asking the listing whether a deletion took place.
func (m *system) check(s state, i int, emit emitter) {
	v := m.listing(&s)
	if v.empty {
		t := s
		t.worker[i].save(rolledBack)
		emit(move{actor(i), "checks the listing: gone", 0}, t)
	}
	if len(v.shown) > 0 {
		s.worker[i].save(stuck)
		emit(move{actor(i), "checks the listing: still there, gives up", 0}, s)
	}
}

// secondStep is the rest of the saga.
func (m *system) secondStep(s state, i int, emit emitter) {
	if m.world.StepFails {
		t := s
		t.worker[i].undoing = true
		t.worker[i].save(running)
		emit(move{actor(i), "fails in the second step", 0}, t)
	}
	s.worker[i].save(completed)
	emit(move{actor(i), "succeeds in the second step", 0}, s)
}
