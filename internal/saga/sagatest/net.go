package sagatest

import (
	"context"
	"errors"
	"net/http"
	"sync"

	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// A Net counts the commits and API calls of a run and cuts it where the plan
// says.
type Net struct {
	// Seed decides what the run's cloud leaves to chance.
	Seed uint64

	plan *plan

	mu      sync.Mutex
	steps   []string
	commits int
	calls   int
	acts    int           // of a Do or an Undo that can be repeated
	hit     bool          // the cut came about
	failed  bool          // the step did that is to fail
	struck  chan struct{} // closed at the hit, once somebody waits for it
	isDead  bool
	aside   bool
	death   chan struct{}
	revived bool
	over    bool
}

func (n *Net) died() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.death == nil {
		n.death = make(chan struct{})
		if n.isDead {
			close(n.death)
		}
	}
	return n.death
}

// awaitCommit waits until the engine knows of the commit that the plan cuts, if
// it has begun: who reads the database may see the saga's end before the engine
// does.
func (n *Net) awaitCommit(ctx context.Context) {
	n.mu.Lock()
	begun := n.plan.commit > 0 && n.plan.commit <= n.commits && !n.hit
	if begun && n.struck == nil {
		n.struck = make(chan struct{})
	}
	struck := n.struck
	n.mu.Unlock()
	if !begun {
		return
	}
	select {
	case <-struck:
	case <-ctx.Done():
	}
}

// strike notes that the plan has happened.
func (n *Net) strike() {
	if n.hit {
		return
	}
	n.hit = true
	if n.struck != nil {
		close(n.struck)
	}
}

func (n *Net) dead() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.isDead
}

func (n *Net) die() {
	n.strike()
	if !n.isDead {
		n.isDead = true
		if n.death != nil {
			close(n.death)
		}
	}
}

func (n *Net) revive() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.isDead, n.revived = false, true
}

// end has what comes after the saga be neither counted nor cut: a run may be over before
// the point at which it was to be cut.
func (n *Net) end() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.over = true
}

func (n *Net) reached() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	fails := n.plan.failBefore != "" || n.plan.failAfter != ""
	cuts := n.plan.cut != "" || n.plan.repeat
	return (!fails || n.failed) && (!cuts || n.hit)
}

// probe is the first engine's: it makes the plan happen.
func (n *Net) probe(p saga.Point) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.isDead || n.revived {
		return saga.Died
	}
	if n.over {
		return nil
	}
	switch p.At {
	case saga.Entering:
		return n.entering(p)
	case saga.Left:
		return n.left(p)
	case saga.Committing:
		n.commits++
		if n.plan.commit == n.commits && n.plan.cut == dieBefore {
			n.die()
			return saga.Died
		}
	case saga.Committed:
		// A commit that was tried again was counted again: the cut is at the first
		// that came about.
		if n.plan.commit == 0 || n.commits < n.plan.commit || n.hit {
			return nil
		}
		switch n.plan.cut {
		case dieAfter:
			n.die()
			return saga.Died
		case loseAnswer:
			n.strike()
			return saga.LostAnswer
		}
	}
	return nil
}

func (n *Net) entering(p saga.Point) error {
	if p.Undoing {
		return nil
	}
	if len(n.steps) == 0 || n.steps[len(n.steps)-1] != p.Step {
		n.steps = append(n.steps, p.Step)
	}
	if n.plan.failBefore == p.Step {
		return n.fails()
	}
	return nil
}

func (n *Net) left(p saga.Point) error {
	if p.Err == nil && (p.Undoing || n.plan.failAfter != p.Step) {
		n.acts++
		if n.plan.repeat {
			n.strike()
			return saga.Repeat
		}
	}
	if !p.Undoing && n.plan.failAfter == p.Step && !saga.IsWait(p.Err) {
		return n.fails()
	}
	return nil
}

// count is the second engine's probe: steps that the plan fails still fail.
func (n *Net) count(p saga.Point) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch p.At {
	case saga.Entering:
		return n.entering(p)
	case saga.Left:
		return n.left(p)
	}
	return nil
}

// ErrCut is what a cut API call fails with.
var ErrCut = errors.New("sagatest: the connection was cut")

// Aside has requests neither counted nor cut until the function that it returns is
// called: those of Build are no part of the saga.
func (n *Net) Aside() (back func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.aside = true
	return func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.aside = false
	}
}

// Transport wraps the transport below the client of the cloud, so that each call
// is counted and may be cut.
func (n *Net) Transport(below http.RoundTripper) http.RoundTripper {
	return transport{n, below}
}

type transport struct {
	net   *Net
	below http.RoundTripper
}

func (tr transport) RoundTrip(r *http.Request) (*http.Response, error) {
	n := tr.net
	n.mu.Lock()
	if n.isDead {
		n.mu.Unlock()
		return nil, ErrCut
	}
	var happens cut
	if !n.revived && !n.aside && !n.over {
		n.calls++
		if n.plan.call == n.calls {
			happens = n.plan.cut
		}
	}
	if happens == dieBefore {
		n.die()
		n.mu.Unlock()
		return nil, ErrCut
	}
	n.mu.Unlock()

	resp, err := tr.below.RoundTrip(r)
	if happens == "" {
		return resp, err
	}
	if err == nil {
		_ = resp.Body.Close() // nobody is there to read it
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.strike()
	if happens == dieAfter {
		n.die()
	}
	return nil, ErrCut
}
