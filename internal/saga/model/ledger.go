package model

// claim makes idle worker i the owner, when the saga is due.
func (m *system) claim(s state, i int, emit emitter) {
	recovers := s.row.state == running // its last entry has no recorded end
	if !recovers && s.row.state != ready && s.row.state != waiting || recovers && !m.over(&s) ||
		m.world.Embedded && s.worker[1-i].pc != idle {
		return
	}
	next := s.row
	what := "claims the saga"
	if recovers {
		what = "claims the saga: recovered"
		m.recover(&next)
	}
	next.epoch, next.rev = s.row.epoch+1, s.row.rev+1
	next.state, next.owner, next.lease = running, name(i+1), when(m.world.Lease)
	switch {
	case s.cancel && next.step == 0:
		next.state, next.owner, next.lease = rolledBack, nobody, 0
		what = "ends the saga: cancelled before it began"
	case s.cancel && !next.undoing:
		next.undoing = true
		what += ", and turns it back"
	}
	if next.state == running && next.step == 0 {
		next.step = 1
	}
	c := commit{epoch: s.row.epoch, rev: s.row.rev, row: next, writer: name(i + 1), claims: true}

	if t := s; m.accept(&t, c) {
		m.own(&t, i, next.epoch)
		emit(move{actor(i), what, 0}, t)
	}
	if m.world.LostCommit && !s.inDoubt && next.state == running {
		t := s
		t.inDoubt, t.doubt = true, c
		t.worker[i] = worker{
			pc: doubting, claimed: true, to: running, epoch: next.epoch, rev: s.row.rev,
			deadline: when(m.world.Lease - m.rules.Margin), data: data{unknown: unset},
		}
		emit(move{actor(i), what + "; the COMMIT's answer is lost", 0}, t)
	}
}

// over reports whether a running saga may be claimed: its lease is over, or its
// owner is known to be dead.
func (m *system) over(s *state) bool {
	return s.row.lease <= 0 || m.world.Embedded && s.row.owner == dead || m.rules.ReleaseAtOnce && s.row.owner == nobody
}

// recover marks what the last owner may have sent as unknown: it may have sent
// it until its lease was over, which need not be yet.
func (m *system) recover(next *row) {
	if next.undoing || next.step != 1 || m.rules.ForgetRecovery {
		return
	}
	next.everUnknown = true
	if m.rules.KeepUnknownOnRecovery && next.unknown != unset {
		return
	}
	next.unknown = max(0, next.lease)
	if m.rules.UnknownFromNow {
		next.unknown = 0
	}
}

// accept is the compare-and-swap; false means 0 rows.
func (m *system) accept(s *state, c commit) bool {
	if (s.row.epoch != c.epoch || s.row.rev != c.rev) && !m.rules.NoFence {
		return false
	}
	if !c.claims && s.row.owner != c.writer {
		s.broken = twoOwners
	}
	s.row = c.row
	return true
}

// own lets worker i go on as the row's owner, or rest when it gave the row back.
func (m *system) own(s *state, i int, epoch int8) {
	if s.row.state != running {
		s.worker[i] = worker{}
		return
	}
	s.worker[i] = worker{
		epoch: epoch, rev: s.row.rev, data: s.row.data, deadline: when(m.world.Lease - m.rules.Margin),
	}
	m.enter(s, i)
}

// commit is a boundary: what worker i did, and what comes next.
func (m *system) commit(s state, i int, emit emitter) {
	w := s.worker[i]
	next := row{data: w.data, state: w.to, epoch: w.epoch, rev: w.rev + 1}
	what := commits[w.to]
	if s.cancel && !w.undoing && w.to != stuck {
		next.undoing, next.state = true, running
		what = "commits, and turns the saga back: cancelled"
	}
	if next.state == running {
		next.owner, next.lease = name(i+1), when(m.world.Lease)
	}
	c := commit{epoch: w.epoch, rev: w.rev, row: next, writer: name(i + 1)}

	t := s
	if m.accept(&t, c) {
		m.own(&t, i, w.epoch)
		emit(move{actor(i), what, w.named()}, t)
	} else {
		t.worker[i].pc = idle
		emit(move{actor(i), "commits, 0 rows: stops", 0}, t)
	}
	if m.world.LostCommit && !s.inDoubt {
		t := s
		t.inDoubt, t.doubt = true, c
		t.worker[i].pc, t.worker[i].to = doubting, next.state
		emit(move{actor(i), what + "; the COMMIT's answer is lost", w.named()}, t)
	}
}

var commits = [...]string{
	running:    "commits, and goes on",
	waiting:    "commits, and waits",
	completed:  "commits: completed",
	rolledBack: "commits: rolled_back",
	stuck:      "commits: stuck",
}

func (w worker) named() ref { return max(w.action, w.snapshot) }

// resolve reads the row after a lost COMMIT and decides by it.
func (m *system) resolve(s state, i int, emit emitter) {
	w := s.worker[i]
	mine := s.row.owner == name(i+1) || w.to != running && s.row.owner == nobody
	switch {
	case s.row.epoch == w.epoch && s.row.rev == w.rev+1 && (mine || m.rules.TrustRev):
		m.own(&s, i, w.epoch)
		if w.claimed && !m.rules.DeadlineFromAnswer {
			s.worker[i].deadline = w.deadline
		}
		emit(move{actor(i), "reads the row: rev n+1, goes on", 0}, s)
	case !w.claimed && s.row.epoch == w.epoch && s.row.rev == w.rev:
		s.worker[i].pc = saving
		emit(move{actor(i), "reads the row: rev n, sends the COMMIT again", 0}, s)
	default:
		s.worker[i].pc = idle
		emit(move{actor(i), "reads the row: another's, or unclaimed; stops", 0}, s)
	}
}

// ledger moves what nobody owns: a lost COMMIT, and an operator's verbs.
func (m *system) ledger(s state, emit emitter) {
	if s.inDoubt {
		t := s
		t.inDoubt = false
		emit(move{ledger, "drops the COMMIT whose answer was lost", 0}, t)
		if m.accept(&t, s.doubt) {
			emit(move{ledger, "lands the COMMIT whose answer was lost", 0}, t)
		}
	}
	if m.world.Cancel && !s.cancel && !s.row.state.ended() && !s.row.undoing {
		t := s
		t.cancel = true
		emit(move{operator, "wants the saga cancelled", 0}, t)
	}
	if s.forces > 0 && s.row.state == running && s.row.owner != nobody {
		t := s
		t.forces--
		t.row.epoch, t.row.owner = s.row.epoch+1, nobody
		emit(move{operator, "releases the saga by force", 0}, t)
	}
}
