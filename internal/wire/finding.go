package wire

import (
	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/inventory"
)

// Finding is something that is worth a look.
func Finding(f inventory.Finding) client.Finding {
	w := client.Finding{
		ID: f.ID, Rule: string(f.Rule), Account: f.Account, URN: f.URN, Name: f.Name, Since: client.Time{Time: f.Since},
		Currency: currency, Monthly: f.Monthly.String(), Says: f.Says, Mend: f.Mend,
	}
	if m := f.Mute; m != nil {
		w.Mute = &client.Mute{Until: client.At(m.Until), Reason: m.Reason, Actor: m.Actor, At: client.Time{Time: m.At}}
	}
	return w
}
