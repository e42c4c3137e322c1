package app

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/cli"
	"github.com/arcadia-cloud/arcadia/internal/fault"
)

// The limits of one request and of an idle connection. Streams lift the limit on
// writing for themselves.
const (
	headerTime = 5 * time.Second
	readTime   = 30 * time.Second
	writeTime  = 2 * time.Minute // a long list at DigitalOcean is read while somebody waits
	idleTime   = 2 * time.Minute
	maxHeader  = 64 << 10 // bytes
	stopTime   = 10 * time.Second
)

// Serve runs the server until ctx is done: HTTP, sagas and schedules, as the role
// says. Then all of it ends in order.
func (p *Process) Serve(ctx context.Context, at cli.Place, how cli.Serving) (err error) {
	c, err := p.settings(at)
	if err != nil {
		return err
	}
	if how.Addr != "" {
		c.Addr = how.Addr
	}
	if how.PublicURL != "" {
		c.PublicURL = how.PublicURL
	}
	if how.ProbeProxy != "" {
		c.ProbeProxy = how.ProbeProxy
	}
	if err := checkAddr(c.Addr); err != nil {
		return err
	}
	role := Role(how.Role)
	if role != All && c.sqliteFile() != "" {
		return fault.New(fault.Invalid, "With the embedded database one process does everything: --role %s needs PostgreSQL in ARCADIA_DATABASE_URL.", role)
	}
	// The port is taken before anything is opened: where it is in use, nothing
	// has been changed.
	var l net.Listener
	if role != Worker {
		if l, err = listen(ctx, c.Addr); err != nil {
			return err
		}
		defer l.Close()
	}
	log := slog.New(slog.NewJSONHandler(p.log, &slog.HandlerOptions{Level: slog.LevelInfo}))
	a, err := Open(ctx, c, p.version, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	return a.run(ctx, l, role, how.Ready)
}

func listen(ctx context.Context, addr string) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	var call *os.SyscallError
	switch {
	case err == nil:
		return l, nil
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fault.Wrap(fault.Unavailable, err, "%s is in use: is Arcadia running already? Another port: --addr 127.0.0.1:PORT.", addr)
	case errors.As(err, &call):
		return nil, fault.Wrap(fault.Unavailable, err, "Cannot listen at %s: %v.", addr, call.Err)
	}
	return nil, fault.Wrap(fault.Unavailable, err, "Cannot listen at %s: %v.", addr, err)
}

// run answers requests at l, which is nil for a worker, and does the role's duties.
func (a *App) run(ctx context.Context, l net.Listener, role Role, ready func(url string)) error {
	duties := a.duties(role)
	url := ""
	if l != nil {
		url = "http://" + l.Addr().String()
		duties["http"] = func(ctx context.Context) error { return a.answer(ctx, l) }
		if a.dir != nil {
			if err := a.dir.Announce(l.Addr().String()); err != nil {
				return err
			}
		}
	}
	a.log.InfoContext(ctx, "arcadia runs", "version", a.version, "role", string(role), "url", url, "database", a.config.database())
	ready(url)
	err := together(ctx, duties)
	a.log.InfoContext(ctx, "arcadia has stopped", "err", err)
	return err
}

// answer serves HTTP until ctx is done, then lets requests that run end.
func (a *App) answer(ctx context.Context, l net.Listener) error {
	s := &http.Server{
		Handler: a.handler(), ReadHeaderTimeout: headerTime, ReadTimeout: readTime, WriteTimeout: writeTime,
		IdleTimeout: idleTime, MaxHeaderBytes: maxHeader, ErrorLog: slog.NewLogLogger(a.log.Handler(), slog.LevelWarn),
	}
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
		defer cancel()
		err := s.Shutdown(ending)
		if errors.Is(err, context.DeadlineExceeded) {
			err = s.Close()
		}
		stopped <- err
	})
	err := s.Serve(l)
	if stop() || !errors.Is(err, http.ErrServerClosed) {
		return err // it ended by itself
	}
	return <-stopped
}
