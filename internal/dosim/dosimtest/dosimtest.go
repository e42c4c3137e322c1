// Package dosimtest starts a simulated DigitalOcean for a test.
package dosimtest

import (
	"context"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/dosim"
)

// A Server is a running cloud. It ends with its test.
type Server struct {
	*dosim.Sim
	URL      string       // of DigitalOcean's API, without a slash at the end
	AdminURL string       // of the simulator's own
	Token    string       // has every scope on dosim.FirstAccount
	Client   *http.Client // reaches both, keeps no connection after the test, adds no token

	// Guests reaches what runs in droplets, by their addresses, and nobody else.
	// For whoever takes a dialer there is [dosim.Sim.DialGuest].
	Guests *http.Client
}

// patience is how long the server leaves a silent connection open: longer than
// any test's days. In a bubble, where everybody's minute ends at the same instant,
// a request would meet the end of the connection that it is sent on: an answer
// lost for a reason that no test asked for.
const patience = 100 * 365 * 24 * time.Hour

// everyScope is a bearer token that any cloud accepts unless it is told not to.
const everyScope = "dop_v1_5a175a175a175a175a175a175a175a175a175a175a175a175a175a175a175a17"

// Start serves a cloud on loopback sockets.
func Start(t testing.TB, o ...dosim.Options) *Server {
	t.Helper()
	listen := func() net.Listener {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatalf("dosim has nowhere to listen: %v", err)
		}
		return l
	}
	api, admin := listen(), listen()
	return serve(t, o, api, admin, &Server{
		URL: "http://" + api.Addr().String(), AdminURL: "http://" + admin.Addr().String(),
		Client: &http.Client{Transport: &http.Transport{}},
	})
}

// Pipe is [Start] over in-memory connections, which Server.Client alone can
// dial: http://dosim and http://admin.dosim. Within a testing/synctest bubble
// nothing of it touches the world outside, so that the bubble's time passes
// while requests wait.
func Pipe(t testing.TB, o ...dosim.Options) *Server {
	t.Helper()
	api, admin := newListener("dosim"), newListener("admin.dosim")
	dial := func(ctx context.Context, _, address string) (net.Conn, error) {
		if host, _, _ := net.SplitHostPort(address); host == admin.name {
			return admin.dial(ctx)
		}
		return api.dial(ctx)
	}
	return serve(t, o, api, admin, &Server{
		URL: "http://" + api.name, AdminURL: "http://" + admin.name,
		Client: &http.Client{Transport: &http.Transport{DialContext: dial}},
	})
}

func serve(t testing.TB, o []dosim.Options, api, admin net.Listener, s *Server) *Server {
	var options dosim.Options
	if len(o) > 0 {
		options = o[0]
	}
	s.Sim, s.Token = dosim.New(options), everyScope
	s.Guests = &http.Client{Transport: &http.Transport{DialContext: s.DialGuest}}
	var running sync.WaitGroup
	var servers []*http.Server
	for l, h := range map[net.Listener]http.Handler{api: s.API(), admin: s.Admin()} {
		srv := &http.Server{Handler: h, ReadHeaderTimeout: patience, IdleTimeout: patience}
		servers = append(servers, srv)
		running.Go(func() { _ = srv.Serve(l) })
	}
	t.Cleanup(func() {
		s.Sim.Close()
		s.Client.CloseIdleConnections()
		s.Guests.CloseIdleConnections()
		for _, srv := range servers {
			_ = srv.Close()
		}
		running.Wait()
	})
	return s
}

// A listener accepts the connections that are dialled in memory.
type listener struct {
	name  string
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newListener(name string) *listener {
	return &listener{name: name, conns: make(chan net.Conn), done: make(chan struct{})}
}

func (l *listener) dial(ctx context.Context) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case l.conns <- server:
		return client, nil
	case <-l.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Accept waits for the next connection.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close lets no further connection in.
func (l *listener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

// Addr is the name that the connection is dialled by.
func (l *listener) Addr() net.Addr { return l }

// Network and String make the listener its own address.
func (l *listener) Network() string { return "pipe" }
func (l *listener) String() string  { return l.name }
