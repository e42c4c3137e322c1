package main_test

import (
	"strings"
	"testing"

	"github.com/arcadia-cloud/arcadia/internal/dbtest"
)

// With PostgreSQL any number of processes share the work: one answers, others run
// sagas, and a command is one node more.
func TestManyProcesses(t *testing.T) {
	t.Parallel()
	h := newHouse(t).with("ARCADIA_DATABASE_URL=" + dbtest.Postgres(t))
	web := h.serve(t, "--role", "web")
	asked := h.with("ARCADIA_URL=" + web.url)
	id := exactly[wireSaga](t, asked.run(t, "snapshot", "web-1", "--no-wait", "--json").want(t, 0).out).ID
	if got := exactly[wireSaga](t, asked.run(t, "saga", "show", id, "--json").want(t, 0).out); got.State != "ready" {
		t.Errorf("without a worker the saga is %s, want ready", got.State)
	}
	worker := h.worker(t)
	if got := exactly[wireSaga](t, asked.run(t, "saga", "watch", id, "--json").want(t, 0).out); got.State != "completed" {
		t.Errorf("with a worker it ends %s, want completed", got.State)
	}
	// A command beside them, with no directory to hold and no server to ask.
	if got := exactly[wireSmoke](t, h.run(t, "smoke", "--droplet", "web-1", "--json").want(t, 0).out); len(got.LeftOver) != 0 {
		t.Errorf("left over: %v", got.LeftOver)
	}
	// A worker that dies leaves its saga to the next.
	id = exactly[wireSaga](t, asked.run(t, "snapshot", "web-1", "--no-wait", "--json").want(t, 0).out).ID
	eventually(t, "the third request has left", func() bool { return h.posted() == 3 })
	if err := worker.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-worker.ended
	h.worker(t)
	if got := exactly[wireSaga](t, asked.run(t, "saga", "watch", id, "--json").want(t, 0).out); got.State != "completed" || len(h.snapshots()) != 2 {
		t.Errorf("after the worker's death it ends %s and the cloud has %v; want completed and two", got.State, h.snapshots())
	}
	if text := web.logs.String(); strings.Contains(text, `"level":"ERROR"`) {
		t.Errorf("the server complains:\n%s", text)
	}
}
