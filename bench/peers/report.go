package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// A goal is how many times a peer's sagas a second Arcadia is to reach: the
// record to set, and the floor under which it has missed. Source: DESIGN.md.
type goal struct {
	peer        string
	store       store
	record, low float64
}

var goals = []goal{
	{"DBOS Go 1.8", postgres, 3, 2},
	{"DBOS Go 1.8", sqliteFull, 8, 3},
}

type cell struct {
	engine   string
	store    store
	inFlight int
}

// A report gathers samples and prints medians and ratios.
type report struct {
	floors  map[string][]float64
	samples map[cell][]sample
}

func newReport() *report {
	return &report{floors: map[string][]float64{}, samples: map[cell][]sample{}}
}

func (r *report) floor(f floor, perSecond float64) {
	r.floors[f.String()] = append(r.floors[f.String()], perSecond)
}

func (r *report) sample(e engine, s store, inFlight int, got sample) {
	c := cell{e.name, s, inFlight}
	r.samples[c] = append(r.samples[c], got)
}

// perSecond is the spread of sagas a second in c.
func (r *report) perSecond(c cell) spread {
	var rounds []float64
	for _, s := range r.samples[c] {
		rounds = append(rounds, s.perSecond)
	}
	return spreadOf(rounds)
}

// latency is the median of the rounds' q-th quantiles.
func (r *report) latency(c cell, q float64) time.Duration {
	var rounds []float64
	for _, s := range r.samples[c] {
		rounds = append(rounds, float64(quantile(s.latencies, q)))
	}
	return time.Duration(spreadOf(rounds).median)
}

// cpu is the median of the rounds' computing time for each saga.
func (r *report) cpu(c cell) time.Duration {
	var rounds []float64
	for _, s := range r.samples[c] {
		rounds = append(rounds, float64(s.cpu))
	}
	return time.Duration(spreadOf(rounds).median)
}

func (r *report) print(w io.Writer) {
	fmt.Fprintln(w, "What the machine allows (commits/s, median [min–max])")
	t := table(w)
	for _, f := range floors {
		s := spreadOf(r.floors[f.String()])
		fmt.Fprintf(t, "  %s\t%.0f\t[%.0f–%.0f]\n", f, s.median, s.low, s.high)
	}
	t.Flush()

	fmt.Fprintf(w, "\nSagas of %d durable no-op steps, closed loop (sagas/s, median [min–max] of the rounds; latencies, and the time that\n"+
		"client and server compute for each saga, in ms)\n", steps)
	t = table(w)
	fmt.Fprintln(t, "  store\tin flight\tengine\tsagas/s\t\tp50\tp99\tCPU each")
	r.cells(func(s store, inFlight int) {
		for _, e := range engines {
			c := cell{e.name, s, inFlight}
			v := r.perSecond(c)
			fmt.Fprintf(t, "  %s\t%d\t%s\t%.0f\t[%.0f–%.0f]\t%.1f\t%.1f\t%.2f\n", s, inFlight, e.name,
				v.median, v.low, v.high, ms(r.latency(c, 0.5)), ms(r.latency(c, 0.99)), ms(r.cpu(c)))
		}
	})
	t.Flush()

	fmt.Fprintln(w, "\nRatios of the medians (Arcadia ÷ peer, sagas/s)")
	t = table(w)
	fmt.Fprintln(t, "  store\tin flight\tpeer\tratio\trecord\tfloor\t")
	r.cells(func(s store, inFlight int) {
		ours := r.perSecond(cell{engines[0].name, s, inFlight}).median
		for _, e := range engines[1:] {
			ratio := ours / r.perSecond(cell{e.name, s, inFlight}).median
			fmt.Fprintf(t, "  %s\t%d\t%s\t%.2f×\t%s\n", s, inFlight, e.name, ratio, verdict(e.name, s, ratio))
		}
	})
	t.Flush()
	fmt.Fprint(w, fairness)
}

func (r *report) cells(each func(s store, inFlight int)) {
	for _, s := range stores {
		for _, inFlight := range inFlights {
			each(s, inFlight)
		}
	}
}

// verdict says what was aimed at and whether it was reached.
func verdict(peer string, s store, ratio float64) string {
	for _, g := range goals {
		if g.peer != peer || g.store != s {
			continue
		}
		word := "MISSED"
		switch {
		case ratio >= g.record:
			word = "record"
		case ratio >= g.low:
			word = "above the floor, record missed"
		}
		return fmt.Sprintf("%.0f×\t%.0f×\t%s", g.record, g.low, word)
	}
	return "–\t–\tno goal"
}

// fairness is what a reader must know to judge the figures.
const fairness = `
Every commit is durable: PostgreSQL with fsync and synchronous_commit on, SQLite with synchronous=FULL (DBOS's own default
is NORMAL). Arcadia writes each step's intent before it and its result after it, with a lease, a fence and an event each.
DBOS writes results and fences them, no intents. The ledger over River writes one UPDATE per step, with neither; its
FetchCooldown is 1 ms (default 100 ms). DBOS runs its workflows directly, and River's acknowledgement is not waited for.
DBOS writes through 20 connections, River through 20, Arcadia through 5, as each does by itself; on SQLite DBOS has 8.
Trust ratios above 1.5; other work on the machine moves all figures, those of computing time (CPU) the least.
`

func table(w io.Writer) *tabwriter.Writer { return tabwriter.NewWriter(w, 0, 0, 2, ' ', 0) }

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
