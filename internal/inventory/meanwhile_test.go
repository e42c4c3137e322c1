package inventory_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/inventory"
)

// TestWhatIsHotIsSeenDuringALongSync looks under hundreds of domains, which takes
// minutes at DigitalOcean's rates, while a droplet comes to be.
func TestWhatIsHotIsSeenDuringALongSync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud := dosimtest.Pipe(t)
		for i := range 600 {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "/v2/domains", strings.NewReader(fmt.Sprintf(`{"name":"d%d.example.com"}`, i)))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", fmt.Sprintf("Bearer dop_v1_filler%04d", i/200))
			req.Header.Set("Content-Type", "application/json")
			w := discard{header: http.Header{}}
			if cloud.API().ServeHTTP(&w, req); w.status >= 300 {
				t.Fatalf("domain %d: %d", i, w.status)
			}
		}
		time.Sleep(time.Minute) // until lists show them
		y := newYard(t, dbtest.New(t), cloud)
		r, err := y.StartSync(t.Context(), "main", []string{"droplet", "domain", "domain_record"}, "test")
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		made := cloud.SeedDroplet(dosim.SeedDroplet{Name: "late"})
		time.Sleep(100 * time.Second)
		if r, err = y.Run(t.Context(), r.ID); err != nil || !r.FinishedAt.IsZero() {
			t.Fatalf("the long sync is over: %v, %v", r.FinishedAt, err)
		}
		if _, err := y.Resource(t.Context(), fmt.Sprintf("do:droplet:%d", made), time.Time{}); err != nil {
			t.Errorf("a droplet that was made during a long sync is not seen: %v", err)
		}
		for r.FinishedAt.IsZero() {
			time.Sleep(time.Second)
			if r, err = y.Run(t.Context(), r.ID); err != nil {
				t.Fatal(err)
			}
		}
		if r.State() != inventory.Complete {
			t.Errorf("the long sync is %s", r.State())
		}
	})
}

// TestATokenOfAnotherTeamReadsNothing refuses the token of a team that is another
// account already: nothing of it is kept.
func TestATokenOfAnotherTeamReadsNothing(t *testing.T) {
	cloud := dosimtest.Start(t)
	cloud.SeedDroplet(dosim.SeedDroplet{Name: "theirs"})
	y := newYard(t, dbtest.New(t), cloud)
	y.refused = fault.New(fault.Conflict, "The team is another account already.")
	r := y.sync("droplet")
	if !strings.Contains(r.Problem, "another account already") {
		t.Errorf("the sync says %q", r.Problem)
	}
	if live := y.live("droplet"); len(live) != 0 {
		t.Errorf("%q are kept", live)
	}
}
