package inventory

import "github.com/arcadia-cloud/arcadia/internal/exact"

// databaseReplica reads along with a database. Its address has its name in it,
// its identity is its own.
var databaseReplica = &Kind{
	Name: "database_replica", Title: "Database replica", Many: "Database replicas", Tier: Warm,
	Lists:  []Listing{{Path: "/v2/databases/{parent}/replicas", Key: "replicas", Unpaged: true}},
	Parent: "database", Scope: "database:read",
	ID: "id", Secret: credentials,
	Look: databaseLook,
	Edges: func(d Doc) []Edge {
		return append(inNetwork(d.Text("private_network_uuid")), Edge{Type: DependsOn, To: "do:database:" + d.Parent, First: true})
	},
	Charges: func(d Doc) []Charge { return []Charge{{SKU: "database:" + d.Text("size"), Quantity: exact.Whole(1)}} },
}
