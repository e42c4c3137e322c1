//go:build unix

package provisioning_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/datadir"
	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
	"github.com/arcadia-cloud/arcadia/internal/provisioning"
	"github.com/arcadia-cloud/arcadia/internal/saga"
	"github.com/arcadia-cloud/arcadia/internal/saga/sagatest"
)

// A place is where worker processes work: one database, one cloud with droplets.
// The test's own process is the parent that orders sagas and kills workers.
type place struct {
	t         *testing.T
	url       string // of the database
	directory string // held by whoever opens the database; empty with PostgreSQL
	cloud     *dosimtest.Server
	droplets  []int64
	seed      uint64
	chance    *rand.Rand

	mu     sync.Mutex // over what follows and over what its processes said
	orders []*ordered
	wrong  []string // what was said and must not be
}

// An ordered saga as the workers told of it.
type ordered struct {
	order
	saga saga.ID
	end  saga.State // empty while it is open
}

// newPlace makes a place with a database on the engine and so many droplets.
func newPlace(t *testing.T, engine db.Engine, droplets int) *place {
	t.Helper()
	p := &place{t: t, seed: sagatest.Seed(t)} // of who is killed, when, doing what
	p.chance = rand.New(rand.NewPCG(p.seed, 0))
	if engine == db.SQLite {
		p.url = dbtest.SQLite(t)
		p.directory = filepath.Dir(strings.TrimPrefix(p.url, "sqlite://"))
	} else {
		p.url = dbtest.Postgres(t)
	}
	p.cloud = dosimtest.Start(t, dosim.Options{Seed: p.seed, Params: processPace.params})
	for i := range droplets {
		p.droplets = append(p.droplets, p.cloud.SeedDroplet(dosim.SeedDroplet{Name: fmt.Sprintf("web-%d", i+1)}))
	}
	t.Cleanup(func() { // the workers are gone by then
		if t.Failed() {
			p.explain()
		}
	})
	return p
}

// explain logs the ledger of the sagas that have not ended.
func (p *place) explain() {
	ctx := context.WithoutCancel(p.t.Context())
	d, err := db.Open(ctx, p.url, db.Options{})
	if err != nil {
		p.t.Logf("the ledger cannot be read: %v", err)
		return
	}
	defer d.Close()
	e, err := saga.New(d, processPace.options)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, o := range p.orders {
		s, err := e.Saga(ctx, o.saga)
		if err == nil && s.State.Ended() {
			continue
		}
		events, _ := e.Events(ctx, o.saga, 0, 10_000)
		var b strings.Builder
		for _, ev := range events {
			fmt.Fprintf(&b, "\n  %s %d rev %d epoch %d %s %s %s", ev.At.Format("05.000"), ev.Seq, ev.Rev, ev.Epoch, ev.Type, ev.Step, ev.Detail)
		}
		p.t.Logf("%s, told %q: %v: %s wants %s, waits for %+v, steps %+v, state %s%s", o.order.Key, o.end, err, s.State, s.Want, s.Wait, s.Steps, s.Data, &b)
	}
}

// until polls until done, and fails the test when that takes too long or a worker
// has said what must not be.
func (p *place) until(within time.Duration, what string, done func() bool) {
	p.t.Helper()
	deadline := time.Now().Add(within)
	for !done() {
		p.check()
		if time.Now().After(deadline) {
			p.t.Fatalf("%s have passed and not yet: %s", within, what)
		}
		time.Sleep(time.Millisecond) // between two looks
	}
	p.check()
}

// check fails the test on what was said and must not be.
func (p *place) check() {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.wrong) > 0 {
		p.t.Fatal(strings.Join(p.wrong, "\n"))
	}
}

// order adds an order for a saga of a kind, or of any kind when that is empty, on
// some droplet.
func (p *place) order(kind string) *ordered {
	if kind == "" {
		kind = []string{provisioning.SnapshotDropletKind, provisioning.SmokeKind}[p.chance.IntN(2)]
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	o := &ordered{order: order{
		Kind: kind, Droplet: p.droplets[p.chance.IntN(len(p.droplets))], Key: fmt.Sprintf("order-%d", len(p.orders)+1),
	}}
	p.orders = append(p.orders, o)
	return o
}

// open are the orders whose sagas have not ended, as far as was told.
func (p *place) open() (open []order) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, o := range p.orders {
		if o.end == "" {
			open = append(open, o.order)
		}
	}
	return open
}

// within is a random duration below d.
func (p *place) within(d time.Duration) time.Duration {
	return time.Duration(p.chance.Int64N(int64(d)))
}

// posts counts the requests to the cloud for a snapshot, and those carried out.
func (p *place) posts() (sent, committed int) {
	for _, r := range p.cloud.Requests(0) {
		if r.Method == http.MethodPost {
			sent++
			if r.Committed {
				committed++
			}
		}
	}
	return sent, committed
}

// ledger opens the database for the parent, which on SQLite must be the only one
// then.
func (p *place) ledger() (*saga.Engine, *provisioning.Service) {
	p.t.Helper()
	if p.directory != "" {
		held, err := datadir.Hold(p.directory)
		if err != nil {
			p.t.Fatal(err)
		}
		p.t.Cleanup(func() { held.Close() })
	}
	d, err := db.Open(p.t.Context(), p.url, db.Options{ReadConns: 4, WriteConns: 4})
	if err != nil {
		p.t.Fatal(err)
	}
	transport := &http.Transport{}
	p.t.Cleanup(func() {
		d.Close()
		transport.CloseIdleConnections()
	})
	steps := provisioning.NewSteps(cloudAt(p.cloud.URL, p.cloud.Token, transport), processPace.settings, nil)
	e, err := saga.New(d, processPace.options, steps.Kinds()...)
	if err != nil {
		p.t.Fatal(err)
	}
	return e, provisioning.New(d, e, steps)
}

// A process is a worker as its parent sees it.
type process struct {
	place *place
	cmd   *exec.Cmd
	in    io.WriteCloser
	log   bytes.Buffer  // to be read once it has ended
	ended chan struct{} // closed once it is gone and all that it said is noted
	err   error         // how it ended, once it has

	born time.Time
	told map[string]bool // the keys of its orders

	// As it said, under place.mu:
	readyAt  time.Time // zero: not yet
	inside   map[saga.ID]bool
	entries  int
	freezing moment
	frozen   saga.ID
	accepted bool
	stats    *saga.Stats
}

// start starts a worker that stops itself at the nth moment at, if at is given.
func (p *place) start(at moment, nth int) *process {
	p.t.Helper()
	program, err := os.Executable()
	if err != nil {
		p.t.Fatal(err)
	}
	w := &process{place: p, cmd: exec.Command(program), ended: make(chan struct{}), told: map[string]bool{}, inside: map[saga.ID]bool{}}
	w.cmd.Env = append(os.Environ(), workerVariable+"=1")
	w.cmd.Stderr = &w.log
	dieWithParent(w.cmd)
	if w.in, err = w.cmd.StdinPipe(); err != nil {
		p.t.Fatal(err)
	}
	out, err := w.cmd.StdoutPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	w.born = time.Now()
	if err := w.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	go func() {
		defer close(w.ended)
		said := json.NewDecoder(out)
		for {
			var s word
			if err := said.Decode(&s); err != nil {
				break // its end, in the middle of a word perhaps
			}
			w.hear(s)
		}
		w.err = w.cmd.Wait()
	}()
	p.t.Cleanup(func() {
		w.kill()
		if w.log.Len() > 0 {
			p.t.Logf("worker %d said:\n%s", w.cmd.Process.Pid, w.log.Bytes()[max(0, w.log.Len()-4000):])
		}
	})
	w.tell(assignment{Database: p.url, Directory: p.directory, API: p.cloud.URL, Token: p.cloud.Token, Freeze: at, Nth: nth})
	return w
}

// tell sends the worker a line. One that is gone does not hear it.
func (w *process) tell(v any) {
	line, err := json.Marshal(v)
	if err != nil {
		w.place.t.Fatal(err)
	}
	_, _ = w.in.Write(append(line, '\n'))
}

// work tells the worker the open orders that it does not know.
func (w *process) work() {
	for _, o := range w.place.open() {
		if !w.told[o.Key] {
			w.told[o.Key] = true
			w.tell(o)
		}
	}
}

// hear notes what the worker said.
func (w *process) hear(s word) {
	p := w.place
	p.mu.Lock()
	defer p.mu.Unlock()
	wrong := func(format string, args ...any) { p.wrong = append(p.wrong, fmt.Sprintf(format, args...)) }
	switch {
	case s.Error != "":
		wrong("worker %d, order %q: %s", w.cmd.Process.Pid, s.Key, s.Error)
	case s.Ready:
		w.readyAt = time.Now()
	case s.At != "":
		w.inside[s.Saga] = s.At == saga.Entering
		if s.At == saga.Entering {
			w.entries++
		}
	case s.Freezing != "":
		w.freezing, w.frozen = s.Freezing, s.Saga
	case s.Accepted:
		w.accepted = true
	case s.Stats != nil:
		w.stats = s.Stats
	case s.Key != "":
		for _, o := range p.orders {
			if o.Key != s.Key {
				continue
			}
			if o.saga != "" && o.saga != s.Saga {
				wrong("the key %s has made two sagas, %s and %s", o.Key, o.saga, s.Saga)
			}
			o.saga = s.Saga
			if s.State != "" {
				o.end = s.State
			}
		}
	}
}

// look reads what the worker said, while nothing is added to it.
func (w *process) look(fn func() bool) bool {
	w.place.mu.Lock()
	defer w.place.mu.Unlock()
	return fn()
}

func (w *process) ready() bool { return w.look(func() bool { return !w.readyAt.IsZero() }) }

// gone reports whether the process has ended.
func (w *process) gone() bool {
	select {
	case <-w.ended:
		return true
	default:
		return false
	}
}

// signal sends a signal; one that is gone does not get it.
func (w *process) signal(s syscall.Signal) { _ = w.cmd.Process.Signal(s) }

// kill ends the process as SIGKILL does, stopped or not, and waits for its end.
func (w *process) kill() {
	w.signal(syscall.SIGKILL)
	<-w.ended
}

// finish has the worker end by itself, and fails the test when it does not.
func (w *process) finish() {
	w.place.t.Helper()
	w.in.Close()
	w.place.until(20*time.Second, fmt.Sprintf("worker %d ends", w.cmd.Process.Pid), w.gone)
	if w.err != nil {
		w.place.t.Fatalf("worker %d ended with %v", w.cmd.Process.Pid, w.err)
	}
}
