package model

import (
	"fmt"
	"strings"
)

// An actor makes a move; the two workers are the first.
type actor int8

const (
	ledger actor = iota + 2
	cloud
	operator
	person
	sweeper
	clock
)

var actors = [...]string{"A", "B", "ledger", "cloud", "operator", "person", "sweep", "time"}

// A move is one transition, told; # stands for a thing.
type move struct {
	who  actor
	what string
	at   ref
}

func (v move) String() string {
	return fmt.Sprintf("%-8s  %s", actors[v.who], strings.ReplaceAll(v.what, "#", fmt.Sprint(v.at)))
}

type emitter func(move, state)

// A system is a world and the rules by which the workers act in it.
type system struct {
	world  World
	rules  Rules
	oldest int8 // no rule and no lag looks at an age beyond this
}

// next emits every state that one move from s reaches.
func (m *system) next(s state, emit emitter) {
	settled := func(v move, t state) {
		m.normalize(&t)
		if t != s {
			emit(v, t)
		}
	}
	for i := range s.worker {
		m.work(s, i, settled)
	}
	m.cloud(s, settled)
	m.ledger(s, settled)
	m.sweep(s, settled)
	m.tick(s, settled)
}

// Explore walks through every state that the rules reach in the world, nearest
// first, and stops at the first that breaks a property: no trace to a broken
// one is shorter. With progress it also counts the states that lead to no end.
func Explore(w World, r Rules, progress bool) Report {
	m := &system{world: w, rules: r, oldest: max(r.Horizon, w.ListingLag, w.Linger, w.Duration, w.ByID)}
	first := m.start()
	m.normalize(&first)
	var (
		states = []state{first}
		from   = []int32{-1}
		seen   = map[state]int32{first: 0}
		edges  [][2]int32
		report Report
	)
	for at := int32(0); int(at) < len(states); at++ {
		s := states[at]
		report.count(m, &s)
		if p := m.verdict(&s); p != kept {
			report.States, report.Violated, report.Trace = len(states), properties[p], m.trace(states, from, at)
			return report
		}
		m.next(s, func(_ move, t state) {
			report.Moves++
			to, known := seen[t]
			if !known {
				to = int32(len(states))
				seen[t] = to
				states, from = append(states, t), append(from, at)
			}
			if progress {
				edges = append(edges, [2]int32{at, to})
			}
		})
	}
	report.States = len(states)
	if progress {
		report.Trapped = trapped(states, edges)
	}
	return report
}

func (r *Report) count(m *system, s *state) {
	if !s.final() {
		return
	}
	switch s.row.state {
	case completed:
		r.Completed++
	case rolledBack:
		r.RolledBack++
	case stuck:
		r.Stuck++
	}
	if m.sweeps(s) && s.strays() > 0 {
		r.Swept++
	}
}

// trapped counts the states from which no end can be reached.
func trapped(states []state, edges [][2]int32) int {
	// The edges into each state, one after the other.
	start := make([]int32, len(states)+1)
	for _, e := range edges {
		start[e[1]+1]++
	}
	for i := range states {
		start[i+1] += start[i]
	}
	into, fill := make([]int32, len(edges)), append([]int32(nil), start...)
	for _, e := range edges {
		into[fill[e[1]]] = e[0]
		fill[e[1]]++
	}
	var queue []int32
	reaches := make([]bool, len(states))
	for i := range states {
		if states[i].final() {
			reaches[i] = true
			queue = append(queue, int32(i))
		}
	}
	for n := 0; n < len(queue); n++ {
		for _, before := range into[start[queue[n]]:start[queue[n]+1]] {
			if !reaches[before] {
				reaches[before] = true
				queue = append(queue, before)
			}
		}
	}
	return len(states) - len(queue)
}

// trace tells the way to a state, one line per move.
func (m *system) trace(states []state, from []int32, to int32) []string {
	var way []int32
	for at := to; at >= 0; at = from[at] {
		way = append([]int32{at}, way...)
	}
	var lines []string
	ticks := 0
	for n := 1; n < len(way); n++ {
		var told move
		found := false
		m.next(states[way[n-1]], func(v move, t state) {
			if !found && t == states[way[n]] {
				told, found = v, true
			}
		})
		if told.who == clock {
			ticks++
		}
		lines = append(lines, fmt.Sprintf("%3d  t=%-2d  %v", n, ticks, told))
	}
	return lines
}
