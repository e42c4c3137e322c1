package provisioning_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
	"github.com/arcadia-cloud/arcadia/internal/provisioning"
	"github.com/arcadia-cloud/arcadia/internal/saga"
	"github.com/arcadia-cloud/arcadia/internal/saga/sagatest"
)

// A stage is the world of a saga that is about to begin, in a bubble. It is made once, and
// every run of sagatest.Unwind gets a copy: to make it takes several times as long as the
// saga does.
type stage[T any] struct {
	// raise makes the yard; nil: [newYard] does.
	raise func(t *testing.T, d *db.DB, cloud *dosimtest.Server, wrap func(http.RoundTripper) http.RoundTripper) *yard
	// set makes what is there before the saga, and says what is to be done. What it
	// returns is handed to every check.
	set func(y *yard, s *provisioning.Service, engine *saga.Engine) (T, provisioning.PlanRequest)
	// then is done at DigitalOcean once the saga is ordered; nil: nothing.
	then  func(y *yard, was T)
	check func(t *testing.T, y *yard, s *provisioning.Service, was T, end saga.Saga)

	made  bool
	at    time.Time // by the bubble's clock
	db    []byte
	cloud []byte
	mark  int
	was   T
	saga  saga.ID
}

// build is for [sagatest.Case].
func (g *stage[T]) build(t *testing.T, net *sagatest.Net) sagatest.World {
	t.Helper()
	defer net.Aside()()
	if g.raise == nil {
		g.raise = func(t *testing.T, d *db.DB, cloud *dosimtest.Server, wrap func(http.RoundTripper) http.RoundTripper) *yard {
			t.Helper()
			return newYard(t, d, cloud, bubblePace, wrap)
		}
	}
	if !g.made {
		g.make(t)
	}
	time.Sleep(time.Until(g.at))
	cloud := dosimtest.Pipe(t)
	if err := cloud.Import(chances(t, g.cloud, net.Seed)); err != nil {
		t.Fatal(err)
	}
	y := g.raise(t, dbtest.Restore(t, g.db), cloud, net.Transport)
	y.mark = g.mark
	s := provisioning.New(y.db, y.engine(y.options), y.steps)
	w := y.unwound(bubblePace, s, g.saga)
	w.Check = func(t *testing.T, end saga.Saga) { g.check(t, y, s, g.was, end) }
	return w
}

// make makes what the runs get copies of.
func (g *stage[T]) make(t *testing.T) {
	t.Helper()
	y := g.raise(t, dbtest.New(t), dosimtest.Pipe(t), nil)
	engine := y.engine(y.options)
	s := provisioning.New(y.db, engine, y.steps)
	was, r := g.set(y, s, engine)
	g.was, g.saga, g.mark = was, y.begin(s, r), y.mark
	if g.then != nil {
		g.then(y, was)
	}
	g.at, g.db, g.cloud, g.made = time.Now(), dbtest.Save(t, y.db), y.cloud.Export(), true
}

// chances gives a copy of a cloud chances of its own: it has had more requests, and more
// faults, than it has. Its seed stays, for that decides addresses too.
func chances(t *testing.T, exported []byte, seed uint64) []byte {
	t.Helper()
	if seed == 0 {
		return exported
	}
	var state map[string]json.RawMessage
	if err := json.Unmarshal(exported, &state); err != nil {
		t.Fatal(err)
	}
	for _, counter := range []string{"requests", "armed"} {
		var n uint64
		if err := json.Unmarshal(state[counter], &n); err != nil {
			t.Fatalf("the cloud's %s: %v", counter, err)
		}
		var err error
		if state[counter], err = json.Marshal(n + seed%1_000_000_000); err != nil {
			t.Fatal(err)
		}
	}
	changed, err := json.Marshal(state)
	if err != nil {
		t.Fatal(err)
	}
	return changed
}
