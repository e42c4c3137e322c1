package billing

import (
	"log/slog"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/metering"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

// A Service keeps catalogs, customers and their subscriptions, and issues invoices.
type Service struct {
	db      *db.DB
	tenants *tenant.Service
	meters  *metering.Service
	facts   FactSource
	log     *slog.Logger

	together int // subscriptions that are worked out and issued together
}

// New returns the service over d, which asks facts what tenants used; nil is nothing.
// A nil logger discards.
func New(d *db.DB, facts FactSource, log *slog.Logger) *Service {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Service{db: d, tenants: tenant.New(d), meters: metering.New(d, nil, log), facts: facts, log: log, together: 200}
}

// micros is an instant as it is kept.
func micros(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }
