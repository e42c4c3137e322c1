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

func main() {
	rounds := flag.Int("rounds", 3, "how often everything is measured")
	round := flag.Duration("round", 4*time.Second, "how long each engine is measured in a round")
	binary := flag.String("arcadia", "", "path of the arcadia binary, to measure `serve` and snapshots with")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := bench(ctx, *rounds, *round, *binary)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func bench(ctx context.Context, rounds int, round time.Duration, binary string) error {
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

	r := newReport()
	for n := range rounds {
		fmt.Fprintf(os.Stderr, "bench: round %d of %d\n", n+1, rounds)
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
					got, err := measure(ctx, l, e, s, inFlight, round)
					if err != nil {
						return fmt.Errorf("%s on %s with %d in flight: %w", e.name, s, inFlight, err)
					}
					r.sample(e, s, inFlight, got)
				}
			}
		}
	}
	r.print(os.Stdout)
	if binary == "" {
		return nil
	}
	return measureServe(ctx, binary, dir, rounds, os.Stdout)
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
	return closedLoop(ctx, run, inFlight, round/8, round)
}
