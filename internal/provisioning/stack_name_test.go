package provisioning_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/provisioning"
	"github.com/arcadia-cloud/arcadia/internal/saga"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

// TestANameThatDigitalOceanHasIsForeseen: networks, and volumes of a region, have names
// that DigitalOcean takes once, whoever has them. The plan of a stack that needs one says
// so, and nothing is begun; what is gone holds nothing up, however long lists show it.
func TestANameThatDigitalOceanHasIsForeseen(t *testing.T) {
	inYard(t, func(t *testing.T, y *yard, engine *saga.Engine, s *provisioning.Service) {
		ctx := t.Context()
		if _, err := tenant.New(y.db).Add(ctx, tenant.Entry{Slug: "beta"}, time.Now()); err != nil {
			t.Fatal(err)
		}
		y.hand().ask("POST", "/v2/vpcs", `{"name":"first","region":"fra1"}`) // else web's would be fra1's default
		source := strings.NewReplacer("name: everything", "name: elsewhere", "region: nyc3", "region: fra1").Replace(everything)
		stack := y.stand(s, engine, source)
		urns := map[string]string{}
		for _, r := range must(s.StackResources(ctx, stack.ID)) {
			urns[r.Kind] = plainID(r.URN)
		}
		order := provisioning.PlanRequest{Verb: provisioning.Provision, Blueprint: "elsewhere", Tenant: "beta", Name: "web", Account: "main"}
		refused := func(about ...string) {
			t.Helper()
			_, err := s.PlanStack(ctx, order, "cli:test", time.Now())
			if !errors.Is(err, fault.Conflict) {
				t.Fatalf("the plan: %v, want a conflict about %q", err, about)
			}
			for _, words := range about {
				if !strings.Contains(fault.Message(err), words) {
					t.Errorf("%q does not say %q", fault.Message(err), words)
				}
			}
		}
		refused("network web-", urns["vpc"]+" in fra1", "Give the stack another name, or rename or delete")
		vpc := order
		vpc.Name = "web2"
		if _, err := s.PlanStack(ctx, vpc, "cli:test", time.Now()); err != nil {
			t.Errorf("another name: %v", err)
		}
		y.hand().ask("PUT", "/v2/vpcs/"+urns["vpc"], `{"name":"renamed","description":"as it was"}`)
		time.Sleep(time.Minute)
		refused("Region fra1 has a volume web-data", urns["volume"])

		y.apply(s, engine, on(provisioning.Teardown, "final_snapshot", "false"), saga.Completed)
		if _, err := s.PlanStack(ctx, order, "cli:test", time.Now()); err != nil {
			t.Errorf("the other stack is gone: %v", err)
		}
	})
}
