package inventory_test

import (
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/digitalocean/godo"

	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
	"github.com/arcadia-cloud/arcadia/internal/inventory"
)

const (
	benchDroplets = 10_000
	benchVolumes  = 20_000
)

// BenchmarkSyncBesideGodo lists 10,000 droplets and 20,000 volumes: by a plain loop over
// godo that keeps nothing, then by a first sync and by one that finds nothing new. It
// prints how many times as long as the loop they take, how many requests they send for
// each that is needed, and what the heap grew to. The simulated cloud answers from the
// same process, and most of the time is its own.
func BenchmarkSyncBesideGodo(b *testing.B) {
	for range b.N {
		cloud := dosimtest.Start(b)
		if err := cloud.SetPreset("calm"); err != nil {
			b.Fatal(err)
		}
		for i := range benchDroplets {
			cloud.SeedDroplet(dosim.SeedDroplet{Name: fmt.Sprintf("d-%d", i)})
		}
		for i := range benchVolumes {
			req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, "/v2/volumes",
				strings.NewReader(fmt.Sprintf(`{"name":"v-%d","region":"nyc3","size_gigabytes":1}`, i)))
			if err != nil {
				b.Fatal(err)
			}
			req.Header.Set("Authorization", fmt.Sprintf("Bearer dop_v1_filler%04d", i/200)) // each has its own limits
			req.Header.Set("Content-Type", "application/json")
			w := discard{header: http.Header{}}
			if cloud.API().ServeHTTP(&w, req); w.status >= 300 {
				b.Fatalf("volume %d: %d", i, w.status)
			}
		}
		loop := godoLoop(b, cloud)

		d := dbtest.New(b)
		y := newYardOf(b, d, cloud, time.Minute, "main")
		first, requests := timed(y, "droplet", "volume")
		y.readWith("dop_v1_another") // or the second sync waits for the minute to end
		again, _ := timed(y, "droplet", "volume")
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)

		fewest := (benchDroplets+199)/200 + 1 + (benchVolumes+199)/200 // GPU droplets have a list of their own
		b.ReportMetric(loop.Seconds(), "godo-s")
		b.ReportMetric(first.Seconds()/loop.Seconds(), "first/godo")
		b.ReportMetric(again.Seconds()/loop.Seconds(), "unchanged/godo")
		b.ReportMetric(float64(requests)/float64(fewest), "requests/fewest")
		b.ReportMetric(float64(m.HeapInuse)/(1<<20), "MB-cloud-and-all")
	}
}

// A discard is an answer that nobody reads.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
func (d *discard) WriteHeader(status int)      { d.status = status }

// timed syncs kinds and says how long that took and how many requests it sent.
func timed(y *yard, kinds ...string) (took time.Duration, requests int) {
	begun := time.Now()
	r := y.sync(kinds...)
	if r.State() != inventory.Complete {
		y.t.Fatalf("the sync is %s: %+v", r.State(), r)
	}
	for _, g := range r.Kinds {
		requests += g.Requests
	}
	return time.Since(begun), requests
}

// godoLoop lists the same as people write it, page after page, and counts it.
func godoLoop(b *testing.B, cloud *dosimtest.Server) time.Duration {
	b.Helper()
	client, err := godo.New(&http.Client{Transport: bearer{"dop_v1_somebody_else", cloud.Client.Transport}}, godo.SetBaseURL(cloud.URL+"/"))
	if err != nil {
		b.Fatal(err)
	}
	begun, n := time.Now(), 0
	for page := 1; ; page++ {
		all, resp, err := client.Droplets.List(b.Context(), &godo.ListOptions{Page: page, PerPage: 200})
		if err != nil {
			b.Fatal(err)
		}
		if n += len(all); resp.Links.IsLastPage() {
			break
		}
	}
	for page := 1; ; page++ {
		all, resp, err := client.Storage.ListVolumes(b.Context(), &godo.ListVolumeParams{ListOptions: &godo.ListOptions{Page: page, PerPage: 200}})
		if err != nil {
			b.Fatal(err)
		}
		if n += len(all); resp.Links.IsLastPage() {
			break
		}
	}
	if n != benchDroplets+benchVolumes {
		b.Fatalf("godo sees %d", n)
	}
	return time.Since(begun)
}

type bearer struct {
	token string
	next  http.RoundTripper
}

func (t bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+t.token)
	return t.next.RoundTrip(r)
}
