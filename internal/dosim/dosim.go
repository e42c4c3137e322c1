// Package dosim is a DigitalOcean for tests and for the demo: an HTTP server
// that unmodified clients cannot tell from DigitalOcean within the scope that
// it serves, over a cloud that lags, forgets and fails as the real one does.
//
// A [Sim] is an event-sourced store and a [Clock]. Every request sees the state
// as it is at the clock's instant through the view it asks for: a thing's own
// address, a list, a list by tag, each with its own lag. How long things take
// and how late they show are parameters ([Params]); what goes wrong is armed as
// a [Fault]. Both are also set over [Sim.Admin], which belongs on a port of its
// own. One seed gives one behaviour.
//
// Tests start it with package dosimtest. What it knows about DigitalOcean comes
// from the public OpenAPI description, the documentation and the issue trackers
// of DigitalOcean's clients; the tests of the quirks name their sources. None
// of it has been checked against the live API.
package dosim

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// Options say what kind of cloud to simulate. The zero value works: real time
// and the defaults of [Params].
type Options struct {
	Seed   uint64            // decides ids, replicas and every other chance
	Clock  *Clock            // nil: a new [Real] clock
	Preset string            // as [Sim.SetPreset] takes it; empty: the defaults of [Params]
	Params map[string]string // as [Sim.SetParams] takes them, over the preset's
	Data   string            // the file that keeps the cloud; empty: it is forgotten
	Logger *slog.Logger      // gets a debug line for each request; nil: none

	// KnownTokensOnly refuses bearer tokens that CreateToken did not make. Else
	// any that begins with dop_v1_ has every scope on [FirstAccount].
	KnownTokensOnly bool

	// GuestDial is how guests reach what their user data has them fetch (the
	// parameter guest.boot); nil: loopback addresses alone.
	GuestDial func(ctx context.Context, network, address string) (net.Conn, error)
}

// A Sim is one simulated DigitalOcean. Its methods may be called concurrently.
type Sim struct {
	seed            uint64
	clock           *Clock
	logger          *slog.Logger
	knownTokensOnly bool
	resources       []resource
	router          router
	closed          context.Context
	close           context.CancelFunc
	guests          sync.WaitGroup // what goes on in droplets
	guestDial       func(ctx context.Context, network, address string) (net.Conn, error)
	replaying       bool // what came from outside comes from a recording

	mu          sync.Mutex
	booting     context.Context // of the boots that may go on
	stopBooting context.CancelFunc

	preset  string // the newest one, though parameters may have been set since
	params  params
	events  []event
	world   *world
	tokens  map[string]Token
	buckets map[bucketKey]*bucket
	faults  []*armedFault
	armed   int     // faults ever armed, for their ids
	marks   []int64 // event seq at each mark
	journal journal
	late    map[int64]*Request // what the journal has of the requests that take effect later, by appointment

	recording *Recording // nil: nothing is recorded

	data   *dataFile // nil: nothing is kept
	saved  int       // events that are kept
	kept   clockEntry
	struck []faultState // faults whose hits are not kept yet

	numbered int64 // the highest number of a request that the file vouches for
}

// New returns a cloud that holds nothing, or what o.Data holds. It panics where
// [Open] returns an error.
func New(o Options) *Sim {
	s, err := Open(o)
	if err != nil {
		panic("dosim: " + err.Error())
	}
	return s
}

func newSim(o Options) *Sim {
	s := &Sim{
		seed: o.Seed, clock: o.Clock, logger: o.Logger, knownTokensOnly: o.KnownTokensOnly, guestDial: o.GuestDial,
		resources: resources(), params: newParams(), world: newWorld(o.Seed),
		tokens: map[string]Token{}, buckets: map[bucketKey]*bucket{}, late: map[int64]*Request{},
	}
	s.router = newRouter(s.resources)
	if s.clock == nil {
		s.clock = NewClock(Real)
	}
	if s.logger == nil {
		s.logger = slog.New(slog.DiscardHandler)
	}
	if s.guestDial == nil {
		s.guestDial = dialLoopback
	}
	s.closed, s.close = context.WithCancel(context.Background())
	s.stopBoots()
	return s
}

// API returns the handler that is DigitalOcean's API.
func (s *Sim) API() http.Handler { return http.HandlerFunc(s.serveAPI) }

// Close ends the requests that hang and the guests' connections, and lets go of the data file: what happens
// after it is not kept. What serves the handlers is their owner's to stop.
func (s *Sim) Close() {
	s.mu.Lock()
	s.close()
	s.mu.Unlock()
	s.guests.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.data != nil {
		s.data.close()
		s.data = nil
	}
}

// Clock returns the simulator's clock.
func (s *Sim) Clock() *Clock { return s.clock }

// now is the clock's instant, with what fell due before it done.
// s.mu must be held.
func (s *Sim) now() time.Time {
	at := s.clock.Now()
	s.settle(at)
	_ = s.save(entry{}) // the first request that could tell is refused
	return at
}

const maxBody = 1 << 20

func readBody(r *http.Request) ([]byte, error) {
	return io.ReadAll(io.LimitReader(r.Body, maxBody+1))
}
