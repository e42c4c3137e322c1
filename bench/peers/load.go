package main

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A sagaFunc runs one saga of five durable no-op steps and returns once its end is durable.
type sagaFunc func(ctx context.Context) error

// A sample is what one round of load measured.
type sample struct {
	perSecond float64
	latencies []time.Duration // sorted
	begun     int64           // sagas in all, those of the warm-up too
	cpu       time.Duration   // client and server together, for each saga
}

// closedLoop keeps inFlight sagas going: each client starts its next saga when
// its last one ended. What ends within the warm-up is not counted.
func closedLoop(ctx context.Context, run sagaFunc, inFlight int, warmUp, measure time.Duration) (sample, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var (
		clients sync.WaitGroup
		failed  atomic.Pointer[error]
		begun   atomic.Int64
		begin   = time.Now().Add(warmUp)
		end     = begin.Add(measure)
		mine    = make([][]time.Duration, inFlight)
	)
	for i := range inFlight {
		clients.Go(func() {
			for failed.Load() == nil {
				sent := time.Now()
				if sent.After(end) {
					return
				}
				begun.Add(1)
				if err := run(ctx); err != nil {
					failed.CompareAndSwap(nil, &err)
					stop()
					return
				}
				if now := time.Now(); now.After(begin) && now.Before(end) {
					mine[i] = append(mine[i], now.Sub(sent))
				}
			}
		})
	}
	clients.Wait()
	if err := failed.Load(); err != nil {
		return sample{}, *err
	}
	all := slices.Concat(mine...)
	if len(all) == 0 {
		return sample{}, errors.New("no saga ended within the round")
	}
	slices.Sort(all)
	return sample{perSecond: float64(len(all)) / measure.Seconds(), latencies: all, begun: begun.Load()}, nil
}

// quantile returns the q-th quantile, 0 ≤ q ≤ 1, of a sorted slice that is not empty.
func quantile(sorted []time.Duration, q float64) time.Duration {
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

// A spread is the median of several rounds and its extremes.
type spread struct{ median, low, high float64 }

func spreadOf(rounds []float64) spread {
	s := slices.Sorted(slices.Values(rounds))
	median := s[len(s)/2]
	if len(s)%2 == 0 {
		median = (s[len(s)/2-1] + s[len(s)/2]) / 2
	}
	return spread{median, s[0], s[len(s)-1]}
}
