// Package metering is what tenants used: usage events, shaped like CloudEvents
// 1.0, and the lifetimes of resources.
//
//   - An event is counted once by (tenant, source, id), whoever tells it how often
//     and at the same time. Told again with another content it is a conflict, which
//     is kept and counts nothing. A correction is an event of its own.
//   - A [Meter] says which events count, and how. What it counts is kept by hours,
//     which can be made again of the events at any time; nothing is decided by them.
//   - Numbers are exact decimals from what the producer wrote; there is no float.
//
// It owns the tables whose names begin with usage_.
package metering

import (
	"log/slog"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/inventory"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

// A Service keeps what tenants used.
type Service struct {
	// Oldest is how long ago an event may have happened to be taken.
	Oldest time.Duration

	db        *db.DB
	inventory *inventory.Service
	tenants   *tenant.Service
	log       *slog.Logger
}

// New returns the service over d. The inventory's feed says how long resources lived.
// A nil logger discards.
func New(d *db.DB, inv *inventory.Service, log *slog.Logger) *Service {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Service{Oldest: OldestUsage, db: d, inventory: inv, tenants: tenant.New(d), log: log}
}
