// Command peers measures Arcadia's saga engine beside DBOS Transact and beside a
// step ledger written by hand over River: the same sagas, on the same databases
// with the same durability, in the same run, and prints ratios. Bare times say
// little about another machine; a ratio above 1.5 does.
//
// It is a module of its own so that what it measures against stays out of
// Arcadia's dependencies. It finds its PostgreSQL in ARCADIA_TEST_POSTGRES.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime/pprof"
	"slices"
	"strings"
	"syscall"
	"time"
)

// steps is how many durable no-op steps each saga has.
const steps = 5

// An engine runs sagas on a store. open prepares an empty database for it.
type engine struct {
	name string
	open func(ctx context.Context, s store, where string, inFlight int) (run sagaFunc, done func(), err error)
}

// The engines are measured in this order within each round; the first is ours.
var engines = []engine{
	{"Arcadia", openArcadia},
	{"DBOS Go 1.8", openDBOS},
	{"River + ledger", openRiver},
}

var (
	stores    = []store{postgres, sqliteFull}
	inFlights = []int{16, 100}
)

// options say what to measure; flags set them.
type options struct {
	rounds   int
	round    time.Duration
	store    string // empty: both
	inFlight int    // 0: 16 and 100
	engine   string // empty: all
	binary   string // empty: no `serve`
	profile  string // empty: none
}

func main() {
	var o options
	flag.IntVar(&o.rounds, "rounds", 3, "how often everything is measured")
	flag.DurationVar(&o.round, "round", 4*time.Second, "how long each engine is measured in a round")
	flag.StringVar(&o.store, "store", "", "measure on this database alone: postgres or sqlite")
	flag.IntVar(&o.inFlight, "in-flight", 0, "measure with so many sagas in flight alone")
	flag.StringVar(&o.engine, "engine", "", "measure this engine alone: arcadia, dbos or river")
	flag.StringVar(&o.binary, "arcadia", "", "path of the arcadia binary, to measure `serve` and snapshots with")
	flag.StringVar(&o.profile, "cpuprofile", "", "write this process's CPU profile to the file")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := bench(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// narrow leaves out what was not asked for.
func (o options) narrow() {
	begins := func(name, with string) bool { return strings.HasPrefix(strings.ToLower(name), strings.ToLower(with)) }
	stores = slices.DeleteFunc(stores, func(s store) bool { return !begins(string(s), o.store) })
	engines = slices.DeleteFunc(engines, func(e engine) bool { return !begins(e.name, o.engine) })
	if o.inFlight != 0 {
		inFlights = []int{o.inFlight}
	}
}

func bench(ctx context.Context, o options) error {
	o.narrow()
	if len(stores) == 0 || len(engines) == 0 {
		return fmt.Errorf("there is no database %q or no engine %q", o.store, o.engine)
	}
	dir, err := os.MkdirTemp("", "arcadia-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	l := &lab{dir: dir, server: os.Getenv("ARCADIA_TEST_POSTGRES")}
	if l.server == "" {
		return fmt.Errorf("ARCADIA_TEST_POSTGRES names no server; run it as make bench does")
	}
	if err := l.durable(ctx); err != nil {
		return err
	}
	if o.profile != "" {
		f, err := os.Create(o.profile)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}

	r := newReport()
	for n := range o.rounds {
		fmt.Fprintf(os.Stderr, "bench: round %d of %d\n", n+1, o.rounds)
		for _, f := range floors {
			perSecond, err := measureFloor(ctx, l, f, time.Second)
			if err != nil {
				return fmt.Errorf("%s: %w", f.name, err)
			}
			r.floor(f, perSecond)
		}
		for _, s := range stores {
			for _, inFlight := range inFlights {
				for i := range engines {
					e := engines[(n+i)%len(engines)] // nobody is always first
					got, err := measure(ctx, l, e, s, inFlight, o.round)
					if err != nil {
						return fmt.Errorf("%s on %s with %d in flight: %w", e.name, s, inFlight, err)
					}
					r.sample(e, s, inFlight, got)
				}
			}
		}
	}
	r.print(os.Stdout)
	if o.binary == "" {
		return nil
	}
	return measureServe(ctx, o.binary, dir, o.rounds, os.Stdout)
}

func measure(ctx context.Context, l *lab, e engine, s store, inFlight int, round time.Duration) (sample, error) {
	where, drop, err := l.fresh(ctx, s)
	if err != nil {
		return sample{}, err
	}
	defer drop()
	run, done, err := e.open(ctx, s, where, inFlight)
	if err != nil {
		return sample{}, err
	}
	defer done()
	before := l.cpu()
	got, err := closedLoop(ctx, run, inFlight, round/8, round)
	if err == nil {
		got.cpu = (l.cpu() - before) / time.Duration(got.begun)
	}
	return got, err
}
