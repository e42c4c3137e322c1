package model

// cloud moves what is on its way and what runs at the cloud.
func (m *system) cloud(s state, emit emitter) {
	for i, f := range s.flight {
		if f.open {
			m.arrive(s, i, emit)
		}
	}
	for i, t := range s.thing {
		if t.phase == pending {
			m.end(s, i, emit)
		}
	}
	if s.byHand > 0 && !s.acting() && !s.row.state.ended() {
		t := s
		t.byHand--
		at := t.place(thing{phase: pending, byHand: true})
		emit(move{person, "snapshots the same droplet by hand (#)", at}, t)
	}
}

// arrive ends flight i: the request is lost, refused or committed, and its
// sender, when it still waits, learns of it or does not.
func (m *system) arrive(s state, i int, emit emitter) {
	f := s.flight[i]
	s.flight[i] = flight{}
	answer := func(s state, what string, at ref, learn func(*worker)) {
		if f.caller == 0 {
			emit(move{cloud, what, at}, s)
			return
		}
		told, lost := s, s
		learn(&told.worker[f.caller-1])
		emit(move{cloud, what + ", and says so", at}, told)
		m.lose(&lost.worker[f.caller-1])
		emit(move{cloud, what + ", but the answer is lost", at}, lost)
	}

	dropped := s
	if f.caller != 0 {
		m.lose(&dropped.worker[f.caller-1])
	}
	emit(move{cloud, "never gets the POST", 0}, dropped)

	if s.acting() {
		answer(s, "refuses the POST: 422, the droplet has a pending event", 0, func(w *worker) { w.save(waiting) })
		return
	}
	at := s.place(thing{phase: pending, late: f.late})
	answer(s, "commits the POST: action # begins", at, func(w *worker) {
		w.action, w.unknown = at, unset
		w.save(waiting)
	})
}

// lose is what a worker makes of a POST without a known answer.
func (m *system) lose(w *worker) {
	if !m.rules.KeepUnknownOnLoss || w.unknown == unset {
		w.unknown = 0
	}
	w.everUnknown = true
	w.save(waiting)
}

// end ends the action of thing i.
func (m *system) end(s state, i int, emit emitter) {
	to := func(p phase, what string) {
		t := s
		t.thing[i].phase, t.thing[i].age = p, 0
		emit(move{cloud, what, ref(i + 1)}, t)
	}
	to(exists, "completes action #: snapshot # exists")
	if m.world.Errored && !s.thing[i].byHand {
		to(failed, "ends action # errored")
	}
	if m.world.Vanish && !s.thing[i].byHand {
		to(vanished, "completes action #, but there is no snapshot")
	}
}

// acting reports whether the droplet has a pending event.
func (s *state) acting() bool {
	for _, t := range s.thing {
		if t.phase == pending {
			return true
		}
	}
	return false
}

// place puts a new thing at the cloud.
func (s *state) place(t thing) ref {
	for i := range s.thing {
		if s.thing[i].phase == nothing {
			s.thing[i] = t
			return ref(i + 1)
		}
	}
	panic("model: no room for another thing at the cloud")
}

// send puts a POST on its way.
func (m *system) send(s *state, i int) {
	for at := range s.flight {
		if !s.flight[at].open {
			s.flight[at] = flight{
				open: true, late: s.worker[i].frozen && s.worker[i].deadline < 0, caller: int8(i + 1),
				left: m.world.Timeout + m.world.Commit,
			}
			return
		}
	}
	panic("model: no room for another request on its way")
}

// A view is what one read of the listing may show under the saga's marker.
type view struct {
	shown []ref // each of them may be what the reader picks
	empty bool  // it may show nothing
}

// listing reads the listing: what is older than the lag is surely there, what
// is younger and what was deleted a moment ago may be.
func (m *system) listing(s *state) view {
	v := view{empty: true}
	for i, t := range s.thing {
		switch {
		case t.byHand:
		case t.phase == exists:
			v.shown = append(v.shown, ref(i+1))
			v.empty = v.empty && t.age < m.world.ListingLag
		case t.phase == deleted && t.age < m.world.Linger:
			v.shown = append(v.shown, ref(i+1))
		}
	}
	return v
}

// actions reads the droplet's action list: whether it may show an action that
// holds (b) back, whether it may show none, and the unfinished one if there is.
func (m *system) actions(s *state) (blocked, clear bool, unfinished ref) {
	clear = true
	for i, t := range s.thing {
		over := t.phase != pending && (t.phase == deleted || t.age >= m.rules.Horizon)
		if t.phase == nothing || over {
			continue
		}
		blocked = true
		clear = clear && t.known < m.world.ActionLag
		if t.phase == pending {
			unfinished = ref(i + 1)
		}
	}
	return blocked, clear, unfinished
}
