package provisioning_test

import (
	"slices"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/provisioning"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// least is a blueprint of one droplet and nothing that it stands in, behind or on.
const least = `name: least
version: 1
region: nyc3
droplets:
  web: {size: s-1vcpu-1gb, image: debian-12-x64}
`

// TestAPlanListsWhatIsDone: a step that has nothing to do for a stack is in no plan of it,
// and one that looks, waits or writes down what there is, is.
func TestAPlanListsWhatIsDone(t *testing.T) {
	for _, tt := range []struct {
		source string
		verb   provisioning.Verb
		given  []string
		want   []string
	}{
		{least, provisioning.Teardown, nil, []string{"check_protection", "power_off", "copy_droplets", "verify_copies", "point_of_no_return", "delete_droplets", "delete_tags", "forget_stack"}},
		{least, provisioning.Teardown, []string{"final_snapshot", "false", "keep_addresses", "true", "grace", "1h"}, []string{"grace", "check_protection", "point_of_no_return", "delete_droplets", "delete_tags", "forget_stack"}},
		{everything, provisioning.Teardown, []string{"final_snapshot", "false", "keep_addresses", "true"}, []string{
			"check_protection", "point_of_no_return", "delete_records", "delete_droplets", "delete_firewalls", "delete_volumes", "delete_network", "delete_tags", "forget_stack", "hold_addresses", "release_held_addresses",
		}},
		{least, provisioning.Resize, []string{"size", "s-2vcpu-4gb"}, []string{"power_off", "resize", "power_on", "check_health", "record_stack"}},
		{least, provisioning.Resize, []string{"size", "s-2vcpu-4gb", "disk", "true"}, []string{"power_off", "grow_disk", "power_on_grown", "check_health_grown", "record_stack"}},
		{least, provisioning.Rebuild, []string{"backup", "false"}, []string{"check_protection", "rebuild", "check_health", "record_stack"}},
		{least, provisioning.Rebuild, nil, []string{"check_protection", "copy_droplets", "verify_copies", "rebuild", "record_backup", "check_health", "record_stack"}},
		{least, provisioning.BackUp, nil, []string{"copy_droplets", "verify_copies", "record_backup"}},
		{least, provisioning.Suspend, []string{"level", "2"}, []string{"power_off", "record_stack"}},
	} {
		t.Run(string(tt.verb), func(t *testing.T) {
			inYard(t, func(t *testing.T, y *yard, engine *saga.Engine, s *provisioning.Service) {
				y.stand(s, engine, tt.source)
				p, err := s.PlanStack(t.Context(), on(tt.verb, tt.given...), "cli:test", time.Now())
				if err != nil {
					t.Fatal(err)
				}
				var got []string
				for _, step := range p.Steps {
					got = append(got, step.Name)
				}
				if !slices.Equal(got, tt.want) {
					t.Errorf("with %q the plan lists %q, want %q", tt.given, got, tt.want)
				}
			})
		})
	}
}
