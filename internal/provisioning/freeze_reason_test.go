package provisioning_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/provisioning"
)

// A freeze for another reason is refused: whoever ended the first would not know of it.
func TestAFreezesReasonIsNotLost(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := provisioning.New(d, nil, provisioning.NewSteps(nil, provisioning.Settings{}, nil))
		begin := func(reason string) error {
			return s.Freeze(t.Context(), provisioning.FreezeAll, reason, "cli:test", time.Now())
		}
		if err := errors.Join(begin("the audit"), begin("the audit")); err != nil {
			t.Fatal(err)
		}
		if err := begin("a leak"); !errors.Is(err, fault.Conflict) || !strings.Contains(fault.Message(err), "the audit") {
			t.Errorf("a second reason: %v", err)
		}
		if all, err := s.Freezes(t.Context()); err != nil || len(all) != 1 || all[0].Reason != "the audit" {
			t.Errorf("there is %+v: %v", all, err)
		}
	})
}
