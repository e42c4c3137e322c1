//go:build unix

package provisioning_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/datadir"
	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/provisioning"
	"github.com/arcadia-cloud/arcadia/internal/saga"
	"github.com/arcadia-cloud/arcadia/internal/vault"
)

// workerVariable makes of this test binary a worker: a process of its own that
// drives sagas until it is told to end, or killed.
const workerVariable = "ARCADIA_TEST_WORKER"

func TestMain(m *testing.M) {
	if os.Getenv(workerVariable) == "" {
		os.Exit(m.Run())
	}
	if err := work(os.Stdin, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// processPace is how fast the sagas of real processes go.
var processPace = pace{
	settings: provisioning.Settings{Horizon: 400 * time.Millisecond, Poll: 20 * time.Millisecond, Longest: time.Minute},
	options: saga.Options{
		Lease: 900 * time.Millisecond, Margin: 350 * time.Millisecond, Poll: 20 * time.Millisecond, StepTimeout: 10 * time.Second,
		Workers: 16, Sweeps: []time.Duration{1500 * time.Millisecond},
	},
	params: map[string]string{
		"action.snapshot": "100ms", "lag.snapshot_visible": "100ms", "lag.list_after_delete": "100ms", "lag.action_list": "50ms",
		"replicas": "3", "lag.replica": "50ms", "ratelimit.hourly": "1000000", "ratelimit.burst": "1000000",
	},
	timeout: 300 * time.Millisecond, // at most the margin
}

// An assignment is the first thing that a worker is told.
type assignment struct {
	Database  string
	Directory string // held while the database is open; empty: other processes open it too
	API       string
	Token     string
	Freeze    moment // when the worker stops itself, as SIGSTOP stops it
	Nth       int    // the how manieth such moment it is, from 1
}

// A moment is a place in a worker's life at which nobody outside can aim.
type moment string

const (
	// A ledger commit, by an owner who has made sure of its lease.
	committing moment = "committing"
	// The writing of a POST to its socket, after the write guard's word.
	sending moment = "sending"
)

// An order asks a worker for a saga, or to see one to its end that is there. The key makes
// it safe to ask again.
type order struct {
	Kind    string
	Droplet int64
	Key     string
	Saga    saga.ID
}

// A word is one line of what a worker says.
type word struct {
	Ready bool `json:",omitempty"` // it serves

	Key   string     `json:",omitempty"` // of an order that has become Saga
	Saga  saga.ID    `json:",omitempty"`
	State saga.State `json:",omitempty"` // how that saga ended, or that it is stuck

	At saga.Moment `json:",omitempty"` // Saga has entered or left a step

	Freezing moment `json:",omitempty"` // it is about to stop itself, on behalf of Saga if that is known
	Accepted bool   `json:",omitempty"` // the ledger took the commit that it was stopped before

	Stats *saga.Stats `json:",omitempty"` // its last word
	Error string      `json:",omitempty"`
}

// A worker is the program of a worker process.
type worker struct {
	assignment
	engine  *saga.Engine
	service *provisioning.Service
	log     *slog.Logger

	mu     sync.Mutex // over what follows
	out    *json.Encoder
	left   map[saga.ID]bool // whose step has returned and is to be committed
	passed int              // moments at which it might have stopped itself
	frozen saga.Point       // the commit that it was stopped before
	loose  *os.File         // the socket of the request that it was stopped before
}

// work drives sagas until in ends, which it does with the parent.
func work(in io.Reader, out, errs io.Writer) error {
	orders := json.NewDecoder(in)
	log := slog.New(slog.NewTextHandler(errs, nil))
	w := &worker{log: log, out: json.NewEncoder(out), left: map[saga.ID]bool{}}
	if err := orders.Decode(&w.assignment); err != nil {
		return fmt.Errorf("read the assignment: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	if w.Directory != "" {
		held, err := datadir.Hold(w.Directory)
		if err != nil {
			return err
		}
		defer held.Close()
	}
	d, err := db.Open(ctx, w.Database, db.Options{ReadConns: 4, WriteConns: 8, IdleInTx: time.Second, Logger: log})
	if err != nil {
		return err
	}
	defer d.Close()
	steps := provisioning.NewSteps(cloudAt(w.API, w.Token, &http.Transport{DialContext: w.dial}), processPace.settings, log)
	options := processPace.options
	options.Sole, options.Probe, options.Logger = w.Directory != "", w.probe, log
	if w.engine, err = saga.New(d, options, steps.Kinds()...); err != nil {
		return err
	}
	w.service = provisioning.New(d, w.engine, steps)

	var duties sync.WaitGroup
	duties.Go(func() {
		if err := w.engine.Serve(ctx); err != nil {
			w.say(word{Error: err.Error()})
		}
	})
	duties.Go(func() { w.service.Watch(ctx, "main") })
	w.say(word{Ready: true})
	for {
		var o order
		if err := orders.Decode(&o); err != nil {
			break
		}
		duties.Go(func() { w.take(ctx, o) })
	}
	stop()
	duties.Wait()
	stats := w.engine.Stats()
	w.say(word{Stats: &stats})
	return nil
}

// cloudAt answers a new client each time. Clients that share a budget stay inside
// DigitalOcean's real limits, which this pace would use up in seconds.
func cloudAt(api, token string, transport *http.Transport) provisioning.Cloud {
	return func(_ context.Context, account string) (*digitalocean.Client, error) {
		return digitalocean.New(digitalocean.Options{
			BaseURL: api, Account: account, Purpose: digitalocean.Provisioning, Token: vault.NewSecret(token),
			Transport: transport, Timeout: processPace.timeout,
		})
	}
}

func (w *worker) say(s word) {
	w.mu.Lock()
	defer w.mu.Unlock()
	_ = w.out.Encode(s) // the parent is gone: so is whoever would be told
}

// take carries an order out and tells its saga's end.
func (w *worker) take(ctx context.Context, o order) {
	start := w.service.SnapshotDroplet
	if o.Kind == provisioning.SmokeKind {
		start = w.service.Smoke
	}
	request := provisioning.SnapshotRequest{Account: "main", Droplet: fmt.Sprint(o.Droplet), RequestedBy: "cli:test", Key: o.Key}
	s, _, err := saga.Saga{ID: o.Saga}, false, error(nil)
	if o.Saga == "" {
		s, _, err = start(ctx, request)
	}
	for ctx.Err() == nil && passing(err) {
		w.log.Warn("order again", "key", o.Key, "err", err)
		s, _, err = start(ctx, request) // the key makes it one saga
	}
	if err == nil {
		w.say(word{Key: o.Key, Saga: s.ID})
		s, err = w.engine.Wait(ctx, s.ID)
	}
	switch {
	case ctx.Err() != nil:
	case err != nil:
		w.say(word{Key: o.Key, Error: err.Error()})
	default:
		w.say(word{Key: o.Key, Saga: s.ID, State: s.State})
	}
}

// passing reports whether whoever gets err asks again: the cloud or the database
// did not answer. To a worker that was frozen in a transaction the latter happens.
func passing(err error) bool {
	return err != nil && (errors.Is(err, fault.Unavailable) || fault.KindOf(err) == fault.Internal)
}

// probe tells which saga is inside a step, and stops the process before a commit.
func (w *worker) probe(p saga.Point) error {
	switch p.At {
	case saga.Entering, saga.Left:
		w.say(word{Saga: p.Saga, At: p.At})
		w.mu.Lock()
		w.left[p.Saga] = p.At == saga.Left
		w.mu.Unlock()
	case saga.Committing:
		if w.strikes(p) {
			w.say(word{Freezing: committing, Saga: p.Saga})
			freeze()
		}
	case saga.Committed:
		w.mu.Lock()
		accepted := w.frozen.Saga == p.Saga && w.frozen.Commit == p.Commit && w.frozen.At == saga.Committing
		w.mu.Unlock()
		if accepted {
			w.say(word{Accepted: true, Saga: p.Saga})
		}
	}
	return nil
}

// strikes reports whether the worker stops before this commit: it is the one of a
// step's outcome, and the nth of them.
func (w *worker) strikes(p saga.Point) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.left[p.Saga] {
		return false // a claim
	}
	w.left[p.Saga] = false
	if !w.passes(committing) {
		return false
	}
	w.frozen = p
	return true
}

// passes counts a moment and reports whether it is the nth of those to stop at.
// w.mu must be held.
func (w *worker) passes(m moment) bool {
	if w.Freeze != m {
		return false
	}
	w.passed++
	return w.passed == w.Nth
}

// dial opens the connections to the cloud.
func (w *worker) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &guardedConn{conn.(*net.TCPConn), w}, nil
}

// A guardedConn is a connection whose worker may stop itself in the writing of a
// POST, when nothing of ours can hold the request back any more.
type guardedConn struct {
	*net.TCPConn
	worker *worker
}

// Write sends through a second hold on the socket what it was stopped before: the
// client, once thawed, finds the request's time over and closes the first.
func (c *guardedConn) Write(b []byte) (int, error) {
	w := c.worker
	w.mu.Lock()
	strikes := bytes.HasPrefix(b, []byte("POST ")) && w.passes(sending)
	w.mu.Unlock()
	if !strikes {
		return c.TCPConn.Write(b)
	}
	loose, err := c.File()
	if err != nil {
		return 0, err
	}
	w.loose = loose // open until the process ends, as the request is
	w.say(word{Freezing: sending})
	freeze()
	return loose.Write(b)
}

// faults is the cloud's weather for real processes: answers that are slow, lost,
// late and broken, each of which the sagas must take.
func faults() []dosim.Fault {
	const actions = "/v2/droplets/*/actions"
	chance := func(method, path string, p float64) dosim.Match {
		return dosim.Match{Method: method, Path: path, Probability: p}
	}
	return []dosim.Fault{
		{Kind: dosim.Slow, Delay: "60ms", Match: chance("", "", 0.2)},
		{Kind: dosim.ResetBefore, Match: chance("POST", actions, 0.05)},
		{Kind: dosim.ResetCommitLate, Delay: "150ms", Match: chance("POST", actions, 0.05)},
		{Kind: dosim.ResetAfter, Match: chance("POST", actions, 0.1)},
		{Kind: dosim.ServerErrorAfter, Match: chance("POST", actions, 0.1)},
		{Kind: dosim.HTML504, Match: chance("POST", actions, 0.1)},
		{Kind: dosim.HangAfter, Match: chance("POST", actions, 0.05)},
		{Kind: dosim.ResetAfter, Match: chance("DELETE", "", 0.1)},
		{Kind: dosim.ServerErrorBefore, Match: chance("DELETE", "", 0.1)},
		{Kind: dosim.TruncatedJSON, Match: chance("GET", "", 0.02)},
		{Kind: dosim.HTML504, Match: chance("GET", "", 0.02)},
	}
}
