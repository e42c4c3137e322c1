package provisioning_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/provisioning"
)

// TestWhatIsNotSoldIsNotPlanned asks for what DigitalOcean would refuse once half of the
// stack was made.
func TestWhatIsNotSoldIsNotPlanned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, dbtest.New(t), dosimtest.Pipe(t), bubblePace, nil)
		s := provisioning.New(y.db, y.engine(y.options), y.steps)
		for _, test := range []struct{ region, size, image, want string }{
			{"xx1", "s-1vcpu-1gb", "debian-12-x64", `no region "xx1" for`},
			{"nyc3", "s-999vcpu-1gb", "debian-12-x64", `sells no size "s-999vcpu-1gb"`},
			{"nyc3", "s-1vcpu-1gb", "debian-99-x64", `no image "debian-99-x64"`},
			{"nyc3", "s-1vcpu-1gb", "987654321", `no image "987654321"`},
			{"nyc3", "s-1vcpu-1gb", "debian-12-x64", ""},
		} {
			_, err := s.PlanStack(t.Context(), provisioning.PlanRequest{
				Verb: provisioning.Provision, Account: "main", Blueprint: "minimal", Tenant: "acme", Name: "edge",
				Parameters: map[string]string{"region": test.region, "size": test.size, "image": test.image},
			}, "cli:test", time.Now())
			if (err == nil) != (test.want == "") || err != nil && (fault.KindOf(err) == fault.Internal || !strings.Contains(fault.Message(err), test.want)) {
				t.Errorf("%s, %s, %s: %v", test.region, test.size, test.image, err)
			}
		}
	})
}
