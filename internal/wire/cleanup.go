package wire

import (
	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/inventory"
	"github.com/arcadia-cloud/arcadia/internal/provisioning"
)

// CleanupMark is a mark of what nobody has.
func CleanupMark(m provisioning.Mark) client.CleanupMark {
	w := client.CleanupMark{
		URN: m.URN, Kind: m.Kind, Name: m.Name, Account: m.Account, Reason: m.Reason, Evidence: m.Evidence, Currency: currency, State: string(m.State),
		Since: client.Time{Time: m.Since}, Due: client.Time{Time: m.Due}, Why: m.Why, EndedAt: client.At(m.EndedAt), Saga: string(m.Saga),
	}
	if m.Monthly != nil {
		w.Monthly = new(inventory.Micros(*m.Monthly).String())
	}
	return w
}
