package provisioning_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
	"github.com/arcadia-cloud/arcadia/internal/provisioning"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// doubtful makes a stack of which one request had its answer lost, so that it is swept
// half an hour later.
func (y *yard) doubtful(path string) (*provisioning.Service, *saga.Engine, saga.Saga) {
	y.t.Helper()
	y.options.Sweeps, y.options.Poll = []time.Duration{30 * time.Minute}, time.Minute
	engine := y.engine(y.options)
	s := y.serve(engine)
	p := y.plan(s)
	y.cloud.AddFault(dosim.Fault{Match: dosim.Match{Method: "POST", Path: path}, Kind: dosim.ResetAfter, Times: 1})
	_, started, err := s.ApplyPlan(y.t.Context(), p.ID, "cli:test", time.Now())
	if err != nil {
		y.t.Fatal(err)
	}
	return s, engine, settle(y.t, engine, started.ID, saga.Completed)
}

// sweptLater sweeps, and returns the detail of the saga's event.
func (y *yard) sweptLater(s *provisioning.Service, engine *saga.Engine, id saga.ID) string {
	y.t.Helper()
	time.Sleep(31 * time.Minute)
	if err := s.Sweep(y.t.Context()); err != nil {
		y.t.Fatal(err)
	}
	time.Sleep(time.Minute)
	if err := s.Sweep(y.t.Context()); err != nil {
		y.t.Fatal(err)
	}
	events, err := engine.Events(y.t.Context(), id, 0, 1000)
	if err != nil {
		y.t.Fatal(err)
	}
	i := slices.IndexFunc(events, func(e saga.Event) bool { return e.Type == "swept" })
	if i < 0 {
		y.t.Fatal("it was not swept")
	}
	return string(events[i].Detail)
}

// TestASweepLeavesARecordOfSomebodyElse: records carry no marker, so one that says what the
// saga's says may have been made by hand, beside it or in its place.
func TestASweepLeavesARecordOfSomebodyElse(t *testing.T) {
	for _, lost := range []string{"/v2/domains/example.com/records", "/v2/droplets"} {
		for _, inPlace := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				y := newYard(t, dbtest.New(t), dosimtest.Pipe(t), bubblePace, nil)
				s, engine, end := y.doubtful(lost)
				address := y.cloud.Truth("reserved_ip")[0].Name
				if inPlace {
					list, err := y.client.Records(t.Context(), "example.com")
					if err != nil {
						t.Fatal(err)
					}
					for _, r := range list.Items {
						if r.Name == "acme" {
							y.remove("/v2/domains/example.com/records/" + strconv.FormatInt(r.ID, 10))
						}
					}
				}
				ask(t, y.cloud, "/v2/domains/example.com/records", `{"type":"A","name":"acme","data":"`+address+`","ttl":60}`)
				before := y.cloud.Truth("domain_record")
				detail := y.sweptLater(s, engine, end.ID)
				if after := y.cloud.Truth("domain_record"); len(after) != len(before) {
					t.Errorf("of %d records %d are left", len(before), len(after))
				}
				if !strings.Contains(detail, `"left":["do:`) {
					t.Errorf("nobody is told of it: %s", detail)
				}
			})
		}
	}
}

// TestASweepLeavesAnAddressOfSomebodyElse: an operator has led an address of his own to the
// droplet, in place of the stack's.
func TestASweepLeavesAnAddressOfSomebodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, dbtest.New(t), dosimtest.Pipe(t), bubblePace, nil)
		s, engine, end := y.doubtful("/v2/reserved_ips")
		droplet := strings.TrimPrefix(y.urn(s, y.stack(s).ID, "droplet.web"), "do:droplet:")
		ours := y.cloud.Truth("reserved_ip")[0].Name
		ask(t, y.cloud, "/v2/reserved_ips/"+ours+"/actions", `{"type":"unassign"}`)
		ask(t, y.cloud, "/v2/reserved_ips", `{"region":"nyc3"}`)
		time.Sleep(2 * time.Minute)
		theirs := ""
		for _, one := range y.cloud.Truth("reserved_ip") {
			if one.Name != ours {
				theirs = one.Name
			}
		}
		ask(t, y.cloud, "/v2/reserved_ips/"+theirs+"/actions", `{"type":"assign","droplet_id":`+droplet+`}`)
		time.Sleep(time.Minute)
		detail := y.sweptLater(s, engine, end.ID)
		is, err := y.client.ReservedIP(t.Context(), theirs)
		if err != nil || strconv.FormatInt(is.Droplet, 10) != droplet {
			t.Errorf("the address that somebody led to droplet %s leads to %d: %v", droplet, is.Droplet, err)
		}
		if !strings.Contains(detail, `"left":["do:`) {
			t.Errorf("nobody is told of it: %s", detail)
		}
	})
}
