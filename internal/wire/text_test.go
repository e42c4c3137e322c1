package wire_test

import (
	"encoding/json"
	"testing"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/wire"
)

func TestSagasAreNamed(t *testing.T) {
	for _, c := range []struct{ kind, data, name, brief string }{
		{"provision_stack", `{"stack":"stack_1","name":"sky","spec":{"tenant":{"slug":"acme"}}}`, "Provision of stack acme/sky", "Provision acme/sky"},
		{"suspend_stack", `{"stack":"stack_1","name":"sky","spec":{"tenant":{"slug":"acme"}}}`, "Suspension of stack acme/sky", "Suspend acme/sky"},
		{"expire_backups", `{"stack":"stack_1","name":"sky","spec":{"tenant":{"slug":"acme"}}}`, "Expiry of backups of stack acme/sky", "Expire backups of acme/sky"},
		{"snapshot_droplet", `{"droplet_id":7,"droplet_name":"web","account":"main"}`, "Snapshot of droplet web (7)", "Snapshot web"},
		{"cleanup_orphans", `{"account":"main"}`, "Clean-up of account main", "Clean up main"},
		{"provision_stack", `{}`, "provision_stack of do:droplet:7", "provision_stack of do:droplet:7"},
		{"of_another_program", `{"stack":"stack_1","name":"sky","spec":{"tenant":{"slug":"acme"}}}`, "of_another_program of do:droplet:7", "of_another_program of do:droplet:7"},
	} {
		s := client.Saga{Kind: c.kind, Subjects: []string{"do:droplet:7"}, Data: json.RawMessage(c.data)}
		if name, brief := wire.NameOf(s), wire.BriefOf(s); name != c.name || brief != c.brief {
			t.Errorf("%s %s is %q, in brief %q; want %q, %q", c.kind, c.data, name, brief, c.name, c.brief)
		}
	}
}
