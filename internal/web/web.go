// Package web is the pages: it reads a request, calls one verb and shows the answer
// as HTML that works without JavaScript, as JSON or as CSV. Its components are
// package ui's. An address is the whole state of a page, and changes reach an open
// page as hints to read that address again.
package web

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/access"
	"github.com/arcadia-cloud/arcadia/internal/billing"
	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/inventory"
	"github.com/arcadia-cloud/arcadia/internal/metering"
	"github.com/arcadia-cloud/arcadia/internal/provisioning"
	"github.com/arcadia-cloud/arcadia/internal/saga"
	"github.com/arcadia-cloud/arcadia/internal/saga/feed"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

//go:generate go tool -modfile=../../tools/go.mod templ generate -path .

// Options are what the pages stand on.
type Options struct {
	Engine       *saga.Engine
	Feed         *feed.Feed // has to run beside the pages
	Provisioning *provisioning.Service
	Inventory    *inventory.Service
	Tenants      *tenant.Service
	Bills        *billing.Service
	Metering     *metering.Service
	Access       *access.Service
	Account      string // our name for the account that is meant where none is named

	Checks  func(context.Context) []client.Check                           // how this process is
	Budgets func(account string) map[digitalocean.Purpose]digitalocean.Use // what is used of the limits of each token

	Simulated bool        // the cloud is no real one
	Filling   func() bool // whether a demonstration's past business is still being made; nil: it never is
	Version   string
	Logger    *slog.Logger
}

// A Server serves the pages.
type Server struct {
	o       Options
	log     *slog.Logger
	assets  *assets
	checks  *checkup
	hours   *hourly
	sent    *sent
	undos   *undos
	lookout *lookout
	handler http.Handler
}

// New returns the pages.
func New(o Options) (*Server, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Server{o: o, log: o.Logger, sent: newSent(), undos: &undos{forms: map[string]undo{}}}
	s.checks = newCheckup(o.Checks)
	s.hours = &hourly{engine: o.Engine}
	s.lookout = &lookout{inventory: o.Inventory, accounts: s.accounts, freezes: o.Provisioning.Freezes}
	var err error
	if s.assets, err = loadAssets(); err != nil {
		return nil, err
	}
	s.handler = s.guarded(s.routes())
	return s, nil
}

// Run does what no page waits for, until ctx is done. It has to run beside Handler.
func (s *Server) Run(ctx context.Context) { s.checks.run(ctx) }

// Handler serves the pages.
func (s *Server) Handler() http.Handler { return s.handler }

func (s *Server) routes() *http.ServeMux {
	mux := http.NewServeMux()
	page := func(pattern string, show func(*visit) error) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { s.visit(w, r, show) })
	}
	mux.Handle("GET /assets/{file}", s.assets)
	mux.HandleFunc("GET /events", s.events)

	page("GET /{$}", s.overview)
	page("GET /overview.json", s.overview)
	s.inventoryRoutes(page)
	s.stackRoutes(page)
	s.freezeRoutes(page)
	s.cleanupRoutes(page)
	s.billingRoutes(page)
	page("GET /smoke", s.askSmoke)
	page("GET /smoke.json", s.askSmoke)
	page("POST /smoke", s.smoke)
	page("GET /sagas", s.sagas)
	page("GET /sagas.json", s.sagas)
	page("GET /sagas.csv", s.sagas)
	page("GET /sagas/{id}", s.saga)
	page("GET /sagas/{id}/{verb}", s.ask)
	page("POST /sagas/{id}/{verb}", s.act)
	page("GET /go", s.find)
	page("POST /theme", s.theme)
	page("/", func(v *visit) error { return s.stray(v, mux) })
	return mux
}

// actor is who acts through the pages: whoever sits at this machine.
const actor = "web:local"

// readTime bounds what one page reads.
const readTime = 30 * time.Second
