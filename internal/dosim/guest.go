package dosim

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/fault"
)

// A Guest is what runs in a droplet, as far as the world can tell: a web server
// on every port that shows what is on the disks.
type Guest struct {
	Droplet   int64                        `json:"droplet"`
	Name      string                       `json:"name"`
	Account   string                       `json:"account"`
	Running   bool                         `json:"running"`
	Addresses []string                     `json:"addresses"` // its public IPv4 address, and the reserved ones that lead to it
	Disk      map[string]string            `json:"disk"`
	Volumes   map[string]map[string]string `json:"volumes"` // what is on those that are attached, by their names
	Boot      []BootCall                   `json:"boot"`    // what its user data had it fetch
}

// Guests returns what runs in every droplet there is, by the droplets' ids.
func (s *Sim) Guests() []Guest {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, all := s.now(), []Guest{}
	for account := range s.world.accounts {
		c := s.callAs(account, at)
		for _, d := range s.world.droplets.under(c, wholeAccount) {
			all = append(all, d.guest(c))
		}
	}
	slices.SortFunc(all, func(a, b Guest) int { return cmp.Compare(a.Droplet, b.Droplet) })
	return all
}

// Guest returns what runs in a droplet. One that is not there is a fault.NotFound.
func (s *Sim) Guest(droplet int64) (Guest, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.now()
	for account := range s.world.accounts {
		if d, ok := s.world.droplets.get(account, strconv.FormatInt(droplet, 10)); ok && d.exists(at) {
			return d.guest(s.callAs(account, at)), nil
		}
	}
	return Guest{}, fault.New(fault.NotFound, "There is no droplet %d.", droplet)
}

func (s *Sim) adminGuest(r *http.Request, _ []byte) (any, error) {
	return s.Guest(number(r.PathValue("droplet")))
}

func (d *droplet) guest(c *call) Guest {
	w := c.sim.world
	g := Guest{
		Droplet: number(d.ID), Name: d.Name, Account: d.Account, Running: d.runs(c), Addresses: []string{},
		Disk: c.files(d.urn()), Volumes: map[string]map[string]string{}, Boot: []BootCall{},
	}
	if b, ok := w.boots.get(d.Account, d.ID); ok {
		g.Boot = append(g.Boot, b.Calls...)
	}
	if !d.PrivateOnly {
		g.Addresses = append(g.Addresses, d.publicAddress(w))
	}
	g.Addresses = append(g.Addresses, idsOf(w.reservedIPs.under(c, "of:"+d.urn()))...)
	for _, v := range w.volumes.under(c, "of:"+d.urn()) {
		g.Volumes[v.Name] = c.files(v.urn())
	}
	return g
}

// runs reports whether the droplet is switched on and through with what stops
// it for a while, whatever the API shows of that.
func (d *droplet) runs(c *call) bool {
	halts := []string{"reboot", "power_cycle", "rebuild", "restore"}
	for _, a := range c.actionsOf(d.urn()) {
		if !a.ended(c.at) && slices.Contains(halts, a.Type) {
			return false
		}
	}
	return d.statusSince(c, func(a *action) time.Time { return a.EndsAt }) == statusActive
}

// Why nothing answers at an address.
var (
	errNoHost  = errors.New("no droplet has this address")
	errSilence = errors.New("the droplet does not answer")
)

// guestAt is the guest that answers at an address from the internet, or errNoHost
// or errSilence with the reason. s.mu must be held.
func (s *Sim) guestAt(to netip.AddrPort) (Guest, error) {
	c, d := s.dropletAt(to.Addr(), s.now())
	switch {
	case d == nil:
		return Guest{}, fmt.Errorf("%s: %w", to.Addr(), errNoHost)
	case !d.runs(c):
		return Guest{}, fmt.Errorf("%w: %s, droplet %s, is not running", errSilence, d.Name, d.ID)
	}
	if closed := c.closedBy(d, to.Port()); closed != nil {
		return Guest{}, fmt.Errorf("%w: firewall %s lets nobody reach port %d of %s, droplet %s", errSilence, closed.Name, to.Port(), d.Name, d.ID)
	}
	return d.guest(c), nil
}

// dropletAt finds the droplet that the address leads to, and a call of its account.
func (s *Sim) dropletAt(address netip.Addr, at time.Time) (*call, *droplet) {
	for account := range s.world.accounts {
		c := s.callAs(account, at)
		if r, ok := s.world.reservedIPs.get(account, address.String()); ok && r.exists(at) {
			if d, ok := s.world.droplets.get(account, r.Droplet); ok && d.exists(at) {
				return c, d
			}
		}
		for _, d := range s.world.droplets.under(c, addressKey(address.String())) {
			return c, d
		}
	}
	return nil, nil
}

// closedBy is a firewall that keeps everybody from a port of the droplet, nil
// when there is none that covers it, or one of those lets everybody in.
func (c *call) closedBy(d *droplet, port uint16) *firewall {
	var closed *firewall
	for _, f := range c.sim.world.firewalls.under(c, wholeAccount) {
		if !f.guards(c, d) {
			continue
		}
		if slices.ContainsFunc(f.inForce(c), func(r firewallRule) bool { return r.opens(port) }) {
			return nil
		}
		closed = f
	}
	return closed
}

// opens reports whether the rule lets the whole of the IPv4 internet reach a TCP port.
func (r firewallRule) opens(port uint16) bool {
	if r.Protocol != "tcp" || r.Sources == nil || !slices.Contains(r.Sources.Addresses, "0.0.0.0/0") {
		return false
	}
	if r.Ports == "0" {
		return true
	}
	from, to, isRange := strings.Cut(r.Ports, "-")
	if !isRange {
		to = from
	}
	return number(from) <= int64(port) && int64(port) <= number(to)
}

// addressKey is what a droplet is found under by its public address.
func addressKey(address string) string { return "public:" + address }

// publicAddress is of the range for benchmarks (RFC 2544), which leads to nobody.
func (d *droplet) publicAddress(w *world) string {
	return cmp.Or(d.Public, benchmarkAddress(hash(w.seed, "address", d.ID)))
}

func benchmarkAddress(n uint64) string {
	return netip.AddrFrom4([4]byte{198, 18 + byte(n>>16&1), byte(n >> 8), 2 + byte(n%252)}).String()
}

// address gives the droplet, whose id is settled, an address that no other one
// has, of any account. Where the range is as good as used up they share.
func (c *call) address(d *droplet) {
	w := c.sim.world
	d.Public = d.publicAddress(w)
	for n := 1; n < 100 && c.taken(d.Public); n++ {
		d.Public = benchmarkAddress(hash(w.seed, "address", d.ID, strconv.Itoa(n)))
	}
}

func (c *call) taken(address string) bool {
	for account := range maps.Keys(c.sim.world.accounts) {
		if c.sim.world.droplets.countUnder(c.sim.callAs(account, c.at), addressKey(address)) > 0 {
			return true
		}
	}
	return false
}
