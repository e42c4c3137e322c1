package dosim

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"syscall"
)

// proxy leads to guests, and to nobody else: it is what an HTTP proxy in front
// of the internet would be. It takes GET http://ADDRESS/… and CONNECT ADDRESS:PORT.
// Where nothing answers it says so at once, 502 for an address that nobody has and
// 504 for a droplet that is silent; a client of the real thing would wait.
func (s *Sim) proxy(w http.ResponseWriter, r *http.Request) {
	to, err := proxyTarget(r)
	if err != nil {
		answerProblem(w, http.StatusBadGateway, "no_route", "No droplet is at "+r.Host+": name one by its public or reserved IPv4 address.")
		return
	}
	g, err := s.reach(to)
	switch {
	case errors.Is(err, errSilence):
		answerProblem(w, http.StatusGatewayTimeout, "timeout", err.Error())
	case err != nil:
		answerProblem(w, http.StatusBadGateway, "no_route", err.Error())
	case r.Method == http.MethodConnect:
		s.tunnel(w, to)
	default:
		header, body := g.answer()
		maps.Copy(w.Header(), header)
		_, _ = w.Write(body)
	}
}

// reach is guestAt for who holds no lock.
func (s *Sim) reach(to netip.AddrPort) (Guest, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.guestAt(to)
}

// isProxied reports whether a request that came over a connection is for somebody
// else than its server.
func isProxied(r *http.Request) bool {
	return r.RequestURI != "" && (r.Method == http.MethodConnect || r.URL.IsAbs())
}

func proxyTarget(r *http.Request) (netip.AddrPort, error) {
	host := r.Host
	if r.Method != http.MethodConnect && r.URL.Port() == "" {
		host = net.JoinHostPort(r.URL.Hostname(), map[string]string{"http": "80", "https": "443"}[r.URL.Scheme])
	}
	return guestAddress(host)
}

func guestAddress(hostPort string) (netip.AddrPort, error) {
	host, port, err := net.SplitHostPort(hostPort)
	if err != nil {
		return netip.AddrPort{}, err
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return netip.AddrPort{}, err
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return netip.AddrPortFrom(ip.Unmap(), uint16(n)), err
}

// tunnel gives the client a connection to the guest.
func (s *Sim) tunnel(w http.ResponseWriter, to netip.AddrPort) {
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		answerProblem(w, http.StatusBadGateway, "no_tunnel", "Only HTTP/1.1 leads to a guest: "+err.Error())
		return
	}
	if _, err := io.WriteString(conn, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		_ = conn.Close()
		return
	}
	s.serveGuest(conn, buffered.Reader, to)
}

// DialGuest connects to a droplet from the internet, by its public address or a
// reserved one that is assigned to it, in memory. What the guest speaks is HTTP,
// at every port. Where nothing answers, the error is what the system's would be,
// at once: EHOSTUNREACH for an address that nobody has, and a timeout, ETIMEDOUT,
// for a droplet that is off or whose firewall keeps the port closed.
func (s *Sim) DialGuest(_ context.Context, network, address string) (net.Conn, error) {
	fail := func(err error) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	to, err := guestAddress(address)
	if err != nil {
		return fail(err)
	}
	_, err = s.reach(to)
	switch {
	case errors.Is(err, errSilence):
		return fail(os.NewSyscallError("connect", syscall.ETIMEDOUT))
	case err != nil:
		return fail(os.NewSyscallError("connect", syscall.EHOSTUNREACH))
	}
	client, server := net.Pipe()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.inGuest(func() { s.serveGuest(server, bufio.NewReader(server), to) }) {
		return fail(net.ErrClosed)
	}
	return client, nil
}

// serveGuest is a droplet's end of a connection: a web server, which falls silent
// with the droplet.
func (s *Sim) serveGuest(conn net.Conn, in *bufio.Reader, to netip.AddrPort) {
	defer conn.Close()
	defer context.AfterFunc(s.closed, func() { _ = conn.Close() })()
	for {
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return
		}
		g, err := s.reach(to)
		if err != nil {
			return
		}
		header, body := g.answer()
		answer := http.Response{
			StatusCode: http.StatusOK, ProtoMajor: 1, ProtoMinor: 1, Request: r, Header: header,
			Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
		}
		if answer.Write(conn) != nil || r.Close {
			return
		}
	}
}

// answer is what the guest says to every request: who it is and what is on its
// disks. What it fetched, such as a secret's address, is not the internet's.
func (g Guest) answer() (http.Header, []byte) {
	g.Boot = []BootCall{}
	body, err := json.Marshal(g)
	if err != nil {
		panic("dosim: a guest is no JSON: " + err.Error())
	}
	return http.Header{"Content-Type": {"application/json"}, "Server": {"guest of droplet " + strconv.FormatInt(g.Droplet, 10)}}, append(body, '\n')
}
