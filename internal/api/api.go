// Package api is the REST API: it reads a request, calls one verb and shapes the
// answer. Its wire types are package client's, its description is made by huma
// and served at /v1/openapi.json.
//
// Every refusal is application/problem+json. Until log-in exists, the API is for
// its own machine: what keeps strangers out is the loopback address it is bound
// to, the check of the Host header against DNS rebinding, and the refusal of
// writes that a page of another origin sends.
package api

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/access"
	"github.com/arcadia-cloud/arcadia/internal/billing"
	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/inventory"
	"github.com/arcadia-cloud/arcadia/internal/metering"
	"github.com/arcadia-cloud/arcadia/internal/provisioning"
	"github.com/arcadia-cloud/arcadia/internal/saga"
	"github.com/arcadia-cloud/arcadia/internal/saga/feed"
	"github.com/arcadia-cloud/arcadia/internal/secret"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

// maxBody is the most that is read of a request's body, in bytes: what a saga's
// state may have, and what is around it.
const maxBody = saga.MaxData + 64<<10

// Options are what the API stands on.
type Options struct {
	Engine       *saga.Engine
	Feed         *feed.Feed // has to run beside the API
	Provisioning *provisioning.Service
	Inventory    *inventory.Service
	Billing      func(ctx context.Context, account string) (*digitalocean.Client, error) // reads DigitalOcean's invoices
	Bills        *billing.Service
	Tenants      *tenant.Service
	Metering     *metering.Service
	Access       *access.Service
	Secrets      *secret.Service
	Account      string         // our name for the account that requests without one mean
	Clients      access.Clients // for the check of an account's tokens

	Ready  func(context.Context) error          // why requests cannot be served now; nil when they can
	Checks func(context.Context) []client.Check // how this process is

	Version string
	Logger  *slog.Logger
}

// An API serves requests.
type API struct {
	o       Options
	log     *slog.Logger
	feed    *feed.Feed
	handler http.Handler
}

// New returns the API.
func New(o Options) *API {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	a := &API{o: o, log: o.Logger, feed: o.Feed}
	mux := http.NewServeMux()
	h := humago.New(mux, a.config())
	h.UseMiddleware(strict)
	a.describeProblem(h)
	a.sagaRoutes(h)
	a.fleetRoutes(h)
	a.accountRoutes(h)
	a.secretRoutes(h)
	a.tenantRoutes(h)
	a.stackRoutes(h)
	a.ruleRoutes(h)
	a.catalogRoutes(h)
	a.customerRoutes(h)
	a.subscriptionRoutes(h)
	a.invoiceRoutes(h)
	a.whatIfRoutes(h)
	a.closeRoutes(h)
	a.rateRoutes(h)
	a.paymentRoutes(h)
	a.importRoutes(h)
	a.inventoryRoutes(h)
	a.costRoutes(h)
	a.findingRoutes(h)
	a.usageRoutes(h)
	a.meterRoutes(h)
	a.eventRoutes(h, mux)
	nullable(h.OpenAPI())
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { writeOK(w) })
	mux.HandleFunc("GET /readyz", a.readyz)
	a.handler = a.guarded(mux)
	return a
}

// Handler serves the API.
func (a *API) Handler() http.Handler { return a.handler }

func (a *API) config() huma.Config {
	c := huma.DefaultConfig("Arcadia", a.o.Version)
	c.Info.Description = "Durable operations at DigitalOcean. Every refusal is application/problem+json; ids are strings; " +
		"times are RFC 3339 in UTC with microseconds."
	c.OpenAPIPath = "/v1/openapi"
	c.DocsPath = ""     // huma's pages load scripts from elsewhere
	c.SchemasPath = ""  // openapi.json holds them
	c.CreateHooks = nil // no $schema in answers: their shape is fixed
	c.Transformers = []huma.Transformer{toProblem}
	c.RejectUnknownQueryParameters = true
	return c
}

// readyTime bounds the look at the database, in time for whoever probes.
const readyTime = 2 * time.Second

func (a *API) readyz(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyTime)
	defer cancel()
	if err := a.o.Ready(ctx); err != nil {
		a.writeProblem(w, r, unavailable(err))
		return
	}
	writeOK(w)
}

func writeOK(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("ok\n")) // who does not read it needs no word of that
}

// operation is what every route says of itself.
func operation(id, method, path, summary string) huma.Operation {
	return huma.Operation{
		OperationID: id, Method: method, Path: path, Summary: summary, MaxBodyBytes: maxBody,
		Responses: map[string]*huma.Response{"default": {
			Description: "Refused; nothing was changed.",
			Content:     map[string]*huma.MediaType{problemType: {Schema: &huma.Schema{Ref: "#/components/schemas/Problem"}}},
		}},
	}
}

// register adds a route whose handler's errors become problems. An error that is
// no fault is logged here, once.
func register[I, O any](a *API, h huma.API, op huma.Operation, handle func(context.Context, *I) (*O, error)) {
	huma.Register(h, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := handle(ctx, in)
		if err != nil {
			return nil, a.problem(ctx, op.Method+" "+op.Path, err)
		}
		return out, nil
	})
}
