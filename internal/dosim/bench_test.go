package dosim_test

import (
	"fmt"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/dosim"
)

// fleet is a cloud of a thousand droplets that nothing happens to.
func fleet(b *testing.B) (*dosim.Sim, []int64) {
	b.Helper()
	s := dosim.New(dosim.Options{Clock: dosim.NewClock(dosim.Stepped), Params: map[string]string{"ratelimit.hourly": "1000000", "ratelimit.burst": "1000000"}})
	var ids []int64
	for n := range 1000 {
		ids = append(ids, s.SeedDroplet(dosim.SeedDroplet{Tags: []string{fmt.Sprintf("tenant:%d", n%50)}}))
	}
	s.Clock().Advance(time.Minute)
	return s, ids
}

// spent is how long the processor has worked for this process.
func spent(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// measure serves requests on one core and reports how many a second, how many a
// second of the processor's, which a busy machine does not change, and the slowest
// in a hundred.
func measure(b *testing.B, s *dosim.Sim, path func(n int) string) {
	b.Helper()
	api := s.API()
	var took []time.Duration
	worked := spent(b)
	for n := 0; b.Loop(); n++ {
		began := time.Now()
		if w := ask(api, "GET", path(n), nil); w.Code != 200 {
			b.Fatalf("GET %s: %d %s", path(n), w.Code, w.Body)
		}
		took = append(took, time.Since(began))
		if n%1000 == 0 {
			s.Clock().Advance(time.Minute)
		}
	}
	worked = spent(b) - worked
	slices.Sort(took)
	b.ReportMetric(float64(len(took))/worked.Seconds(), "req/cpu-s")
	b.ReportMetric(float64(len(took))/b.Elapsed().Seconds(), "req/s")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
}

func BenchmarkGetDroplet(b *testing.B) {
	s, ids := fleet(b)
	measure(b, s, func(n int) string { return fmt.Sprintf("/v2/droplets/%d", ids[n%len(ids)]) })
}

func BenchmarkListDroplets(b *testing.B) {
	s, _ := fleet(b)
	measure(b, s, func(n int) string { return fmt.Sprintf("/v2/droplets?per_page=200&page=%d", n%5+1) })
}

// How long fleet-1000 takes to be there.
func BenchmarkFleetOfAThousand(b *testing.B) {
	sc, err := dosim.NamedScenario("fleet-1000")
	if err != nil {
		b.Fatal(err)
	}
	worked := spent(b)
	for b.Loop() {
		if err := dosim.New(dosim.Options{}).Play(sc); err != nil {
			b.Fatal(err)
		}
	}
	worked = spent(b) - worked
	b.ReportMetric(worked.Seconds()/float64(b.N), "cpu-s")
}

// What a cloud of a hundred thousand droplets takes of the memory.
func BenchmarkHundredThousandDroplets(b *testing.B) {
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		s := dosim.New(dosim.Options{Clock: dosim.NewClock(dosim.Stepped)})
		for range 100_000 {
			s.SeedDroplet(dosim.SeedDroplet{})
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/1e6, "MB")
		runtime.KeepAlive(s)
	}
}
