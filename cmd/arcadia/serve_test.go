package main_test

import (
	"bufio"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The server ends in order when it is told to, also while somebody listens.
func TestServeStops(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(sig.String(), func(t *testing.T) { serveStops(t, sig) })
	}
}

func serveStops(t *testing.T, sig syscall.Signal) {
	h := newHouse(t, "action.snapshot", "1h")
	s := h.serve(t)
	res, err := browser.Get(s.url + "/v1/events")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	h.run(t, "snapshot", "web-1", "--no-wait").want(t, 0)
	stream := bufio.NewScanner(res.Body)
	for stream.Scan() && !strings.HasPrefix(stream.Text(), "data: ") {
	}
	sent := time.Now()
	if err := s.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
	for stream.Scan() {
	}
	<-s.ended
	if code := s.cmd.ProcessState.ExitCode(); code != 0 || time.Since(sent) > 5*time.Second {
		t.Errorf("exit %d after %s\n%s", code, time.Since(sent), s.logs)
	}
	// What waited goes on with the next server, from where it was.
	next := h.serve(t)
	if text := h.run(t, "saga", "list", "--state", "waiting").want(t, 0).out; !strings.Contains(text, "Snapshot web-1") {
		t.Errorf("the next server at %s does not know the saga:\n%s", next.url, text)
	}
}

// A snapshot asked for at a server that is killed is finished by the next one.
func TestServerKilled(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	first := h.serve(t)
	id := exactly[wireSaga](t, h.run(t, "snapshot", "web-1", "--no-wait", "--json").want(t, 0).out).ID
	eventually(t, "the request has left", func() bool { return h.posted() == 1 })
	if err := first.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-first.ended
	h.serve(t)
	got := exactly[wireSaga](t, h.run(t, "saga", "watch", id, "--json").want(t, 0).out)
	if got.State != "completed" || len(h.snapshots()) != 1 {
		t.Errorf("%s, and the cloud has %v; want completed and one", got.State, h.snapshots())
	}
}

// A server that is gone does not keep a command from its saga: the command takes
// the directory over and drives the saga itself.
func TestWatcherTakesOver(t *testing.T) {
	t.Parallel()
	h := newHouse(t, "action.snapshot", "1s")
	s := h.serve(t)
	id := exactly[wireSaga](t, h.run(t, "snapshot", "web-1", "--no-wait", "--json").want(t, 0).out).ID
	done := make(chan result, 1)
	c := h.command(t, "saga", "watch", id, "--json")
	go func() { done <- finish(t, c, "") }()
	eventually(t, "the action is under way", func() bool { return h.posted() == 1 })
	if err := s.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	r := <-done
	if got := exactly[wireSaga](t, r.want(t, 0).out); got.State != "completed" || len(h.snapshots()) != 1 {
		t.Errorf("%s, and the cloud has %v; want completed and one", got.State, h.snapshots())
	}
}
