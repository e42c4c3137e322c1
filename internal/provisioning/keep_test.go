package provisioning_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
	"github.com/arcadia-cloud/arcadia/internal/fault"
)

// TestOnlyWhatThereIsIsKept: who keeps a thing by a URN that is none's learns it, and
// nothing is written down; what a stack, the inventory or DigitalOcean has is kept.
func TestOnlyWhatThereIsIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		l := newLot(t, dbtest.New(t), dosimtest.Pipe(t), bubblePace, nil)
		l.standing()
		l.service = l.serve(l.yard.engine(l.options))
		stack := l.stack(l.service)
		keep := func(urn string) error { return l.service.Keep(ctx, urn, "r", "cli:test", time.Now()) }
		for _, urn := range []string{"do:volume:00000000-0000-4000-8000-000000000000", "do:droplet:1", "do:droplet:web", "do:snapshot:12/../12", "do:firewall:x", "do:reserved_ip:192.0.2.1"} {
			if err := keep(urn); !errors.Is(err, fault.NotFound) || !strings.Contains(fault.Message(err), "to keep") {
				t.Errorf("%s, which there is not, is kept: %v", urn, err)
			}
		}
		volume := l.volume("fresh")
		time.Sleep(l.horizon()) // DigitalOcean shows it by then
		kept := []string{volume, l.urn(l.service, stack.ID, "firewall.edge"), l.urn(l.service, stack.ID, "reserved_ip.front")}
		for _, urn := range kept {
			if err := keep(urn); err != nil {
				t.Errorf("%s cannot be kept: %v", urn, err)
			}
		}
		if all, err := l.service.Protections(ctx); err != nil || len(all) != len(kept) {
			t.Errorf("%+v is kept: %v", all, err)
		}
		engine := l.yard.engine(l.options)
		l.watched(l.service, engine)
		lost := l.volume("lost")
		time.Sleep(l.horizon())
		l.remove("/v2/volumes/" + plainID(lost))
		time.Sleep(l.horizon())
		if err := keep(lost); !errors.Is(err, fault.NotFound) {
			t.Errorf("what is gone is kept: %v", err)
		}
	})
}
