package web_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/provisioning"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// Without a token to provision with no page offers what would change anything, each
// says why, and what is sent all the same is refused.
func TestWithoutAProvisioningTokenPagesOnlyShow(t *testing.T) {
	for name, writing := range map[string]bool{"with a token": true, "without one": false} {
		t.Run(name, func(t *testing.T) {
			s := serveAs(t, dbtest.New(t), writing)
			s.sync(t, "droplet")
			drop := "/inventory/do:droplet:" + s.drop
			for _, path := range []string{"/", "/sagas", drop} {
				page := s.get(t, path).body
				offers := strings.Contains(page, `href="/smoke"`) || strings.Contains(page, `/snapshot"`)
				if says := strings.Contains(page, "arcadia token set provisioning"); offers != writing || says == writing {
					t.Errorf("%s: offers to change something: %t, says why not: %t", path, offers, says)
				}
			}
			for _, path := range []string{"/smoke", drop + "/snapshot"} {
				if got := s.get(t, path); (got.status == 200) != writing {
					t.Errorf("GET %s: %d", path, got.status)
				}
			}
			got := s.do(t, "POST", drop+"/snapshot", url.Values{"key": {"form_0193a4c0d1e2738fa1b2c3d4e5f60718"}})
			if refused := got.status == 422 && strings.Contains(got.body, "read-only"); refused == writing {
				t.Errorf("a snapshot is answered with %d", got.status)
			}
		})
	}
}

// A droplet is changed with a token of its own account or not at all: that another
// account has one helps nothing.
func TestADropletOfAReadOnlyAccountIsOnlyShown(t *testing.T) {
	s := serve(t, dbtest.New(t)) // the default account can be changed
	r, err := s.stock.StartSync(t.Context(), "prod", []string{"droplet"}, "test")
	s.synced(t, r, err)
	drop := "/inventory/do:droplet:" + s.drop
	page := s.get(t, drop).body
	if strings.Contains(page, drop+"/snapshot") || !strings.Contains(page, "Account prod is read-only") {
		t.Errorf("its page offers a snapshot, or does not say why not:\n%.2000s", page)
	}
	key := url.Values{"key": {"form_0193a4c0d1e2738fa1b2c3d4e5f60718"}, "droplet": {"do:droplet:" + s.drop}}
	for _, path := range []string{drop + "/snapshot", "/smoke"} {
		if got := s.do(t, "POST", path, key); got.status != 422 || !strings.Contains(got.body, "prod") && path != "/smoke" {
			t.Errorf("POST %s: %d", path, got.status)
		}
	}
	if n, err := s.engine.Count(t.Context(), saga.Filter{}); err != nil || n != 0 {
		t.Errorf("%d sagas were begun, %v", n, err)
	}
}

// Addresses of droplets lead to what has taken their place.
func TestAddressesOfDropletsStillLead(t *testing.T) {
	s := serve(t, dbtest.New(t))
	for from, to := range map[string]string{"/droplets": "/inventory?q=kind%3Adroplet", "/droplets/7": "/inventory/do:droplet:7"} {
		if got := s.get(t, from); got.status != 303 || got.header.Get("Location") != to {
			t.Errorf("%s leads to %q (%d), want %q", from, got.header.Get("Location"), got.status, to)
		}
	}
}

// A saga that was begun when there was a token waits for one: no verb that would have
// it change something is offered or taken, and the page says why.
func TestASagaOfAReadOnlyAccountRests(t *testing.T) {
	for name, writing := range map[string]bool{"with a token": true, "without one": false} {
		t.Run(name, func(t *testing.T) {
			s := serveAs(t, dbtest.New(t), writing)
			row, _, err := s.engine.Create(t.Context(), saga.Request{Kind: provisioning.SnapshotDropletKind, RequestedBy: "test", Input: provisioning.Snapshot{DropletID: 7}})
			if err != nil {
				t.Fatal(err)
			}
			page := "/sagas/" + string(row.ID)
			if offers := strings.Contains(s.get(t, page).body, page+"/start"); offers != writing {
				t.Errorf("start is offered: %t", offers)
			}
			got := s.do(t, "POST", page+"/start", url.Values{"key": {"form_0193a4c0d1e2738fa1b2c3d4e5f60719"}})
			now, err := s.engine.Saga(t.Context(), row.ID)
			if begun := now.State != saga.Created; err != nil || begun != writing || (got.status == 422) == writing {
				t.Errorf("started: %t, answered %d, %v", begun, got.status, err)
			}
		})
	}
}
