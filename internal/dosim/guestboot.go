package dosim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// A boot is what a droplet's user data has the droplet fetch when it first becomes
// active. Its id is the droplet's. What came of it is in the log, so that a replay
// asks nobody.
type boot struct {
	thing
	Calls []BootCall `json:"calls"`
	Next  time.Time  `json:"next"` // when the first call that is not done is made, or made again
}

// A BootCall is one request that a guest makes when it first boots, and what came
// of it so far.
type BootCall struct {
	Method   string            `json:"method"`
	URL      string            `json:"url"`
	Header   map[string]string `json:"header,omitempty"`
	Body     string            `json:"body,omitempty"`
	Attempts int               `json:"attempts"`
	Status   int               `json:"status,omitempty"` // of the newest answer
	Error    string            `json:"error,omitempty"`  // why the newest attempt had none
	Done     bool              `json:"done"`             // there will be no other attempt
}

const (
	paramBoot = "guest.boot"
	kindBoot  = "boot"

	// A guest asks again, as curl --retry does, after 5 s, 10 s, 20 s and so on.
	maxBootAttempts = 6
	bootBackoff     = 5 * time.Second
	bootPatience    = 30 * time.Second // with one attempt, by the machine's own clock
)

func bootResource() resource {
	return resource{
		table: func(w *world) anyTable {
			w.boots = newTable(w.seed, kind[*boot]{name: kindBoot, check: checkBoot})
			return w.boots
		},
		params: []Param{{paramBoot, "0", 0, 1, "1: a new droplet's guest, and one that is rebuilt, fetches what the curl commands of its user data name, see Guests"}},
		gone:   func(c *call, _ string, e entity) { c.forgetBoot(e) },
	}
}

func checkBoot(w *world, b *boot) error {
	if _, ok := w.droplets.get(b.Account, b.ID); !ok || b.Next.Year() > 9999 {
		return fmt.Errorf("droplet %s, which is unknown, has a boot", b.ID)
	}
	return nil
}

func (c *call) forgetBoot(e entity) {
	if d, ok := e.(*droplet); ok {
		c.sim.world.boots.discard(c, d.ID)
	}
}

// bootWith has the droplet do what its user data says once the create has ended.
func (c *call) bootWith(d *droplet, userData string, create *action) {
	if !c.sim.params.on(paramBoot) || !create.succeeds() {
		return
	}
	calls := bootCalls(userData)
	if len(calls) == 0 {
		return
	}
	c.sim.world.boots.create(c, &boot{
		thing: thing{life: everShown(c.at), ID: d.ID, Unasked: true}, Calls: calls, Next: create.EndsAt,
	})
	c.sim.runBoot(d.Account, d.ID)
}

// bootAgain has a droplet whose disk was written over do once more what its user data
// says, which DigitalOcean keeps.
func (c *call) bootAgain(d *droplet) {
	boots := c.sim.world.boots
	b, ok := boots.get(d.Account, d.ID)
	if !ok || !b.exists(c.at) {
		return
	}
	through := !slices.ContainsFunc(b.Calls, func(call BootCall) bool { return !call.Done })
	boots.update(c, b, func(next *boot) {
		next.Calls, next.Next = slices.Clone(b.Calls), c.at
		for i, call := range next.Calls {
			next.Calls[i] = BootCall{Method: call.Method, URL: call.URL, Header: call.Header, Body: call.Body}
		}
	})
	if through { // else the boot before goes on with these
		c.sim.runBoot(d.Account, d.ID)
	}
}

// runBoots goes on with every boot that is not through. s.mu must be held.
func (s *Sim) runBoots() {
	for _, b := range s.world.boots.all {
		if b.Until.IsZero() && slices.ContainsFunc(b.Calls, func(call BootCall) bool { return !call.Done }) {
			s.runBoot(b.Account, b.ID)
		}
	}
}

// runBoot makes a guest's calls in the background. s.mu must be held.
func (s *Sim) runBoot(account, id string) {
	if s.replaying {
		return
	}
	ctx := s.booting
	s.inGuest(func() {
		for {
			next, droplet, call := s.nextCall(account, id)
			if call == nil || s.clock.sleepUntil(ctx, next) != nil {
				return
			}
			if !s.answered(ctx, account, id, s.makeCall(ctx, droplet, *call)) {
				return
			}
		}
	})
}

// inGuest runs f, which ends with the cloud, in the background. It reports whether
// there is still a cloud to run it in. s.mu must be held.
func (s *Sim) inGuest(f func()) bool {
	if s.closed.Err() != nil {
		return false
	}
	s.guests.Go(f)
	return true
}

// stopBoots has no boot of before go on. s.mu must be held.
func (s *Sim) stopBoots() {
	if s.stopBooting != nil {
		s.stopBooting()
	}
	s.booting, s.stopBooting = context.WithCancel(s.closed)
}

// nextCall is the call that a droplet has to make, nil if there is none, and when.
func (s *Sim) nextCall(account, id string) (time.Time, *droplet, *BootCall) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.now()
	b, ok := s.world.boots.get(account, id)
	d, there := s.world.droplets.get(account, id)
	if !ok || !b.exists(at) || !there {
		return at, nil, nil
	}
	for _, call := range b.Calls {
		if !call.Done {
			return b.Next, d, &call
		}
	}
	return at, nil, nil
}

// makeCall makes one attempt and returns what came of it.
func (s *Sim) makeCall(ctx context.Context, d *droplet, call BootCall) BootCall {
	call.Attempts++
	call.Status, call.Error = 0, ""
	err := func() error {
		if !s.isRunning(d) {
			return errSilence
		}
		ctx, cancel := context.WithTimeout(ctx, bootPatience)
		defer cancel()
		r, err := http.NewRequestWithContext(ctx, call.Method, call.URL, strings.NewReader(call.Body))
		if err != nil {
			return err
		}
		r.Header.Set("User-Agent", "curl/8.14.1")
		if call.Body != "" {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded") // curl's, unless it is told another
		}
		for name, value := range call.Header {
			r.Header.Set(name, value)
		}
		client := http.Client{
			Transport:     &http.Transport{DialContext: s.guestDial, DisableKeepAlives: true},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
		resp, err := client.Do(r)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		call.Status = resp.StatusCode
		_, err = io.Copy(io.Discard, io.LimitReader(resp.Body, maxBody))
		return err
	}()
	if err != nil {
		call.Error = err.Error()
	}
	transient := []int{0, 408, 429, 500, 502, 503, 504} // curl's
	call.Done = err == nil && !slices.Contains(transient, call.Status) || call.Attempts >= maxBootAttempts
	return call
}

func (s *Sim) isRunning(d *droplet) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.callAs(d.Account, s.now())
	return d.exists(c.at) && d.runs(c)
}

// answered enters what came of a droplet's call in the log. It reports whether
// the boot goes on.
func (s *Sim) answered(ctx context.Context, account, id string, call BootCall) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.now()
	b, ok := s.world.boots.get(account, id)
	if ctx.Err() != nil || !ok || !b.exists(at) {
		return false
	}
	events := len(s.events)
	s.world.boots.update(s.callAs(account, at), b, func(next *boot) {
		next.Calls = slices.Clone(b.Calls)
		next.Calls[slices.IndexFunc(b.Calls, func(c BootCall) bool { return !c.Done })] = call
		next.Next = at
		if !call.Done {
			next.Next = at.Add(bootBackoff << (call.Attempts - 1))
		}
	})
	s.hearChange(entry{Events: slices.Clone(s.events[events:])})
	return s.save(entry{}) == nil
}

var errNotLoopback = errors.New("a guest reaches loopback addresses alone, and those that a test gives it")

// dialLoopback is how guests reach the world, unless a test knows better.
func dialLoopback(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if ip, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !ip.IsLoopback()) {
		return nil, fmt.Errorf("%s: %w", address, errNotLoopback)
	}
	return new(net.Dialer).DialContext(ctx, network, address)
}
