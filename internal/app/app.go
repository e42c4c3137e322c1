// Package app builds everything by constructors and runs it: the server, or one
// command of the command line that opens the data directory itself.
package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/access"
	"github.com/arcadia-cloud/arcadia/internal/api"
	"github.com/arcadia-cloud/arcadia/internal/app/demo"
	"github.com/arcadia-cloud/arcadia/internal/billing"
	"github.com/arcadia-cloud/arcadia/internal/datadir"
	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/inventory"
	"github.com/arcadia-cloud/arcadia/internal/jobs"
	"github.com/arcadia-cloud/arcadia/internal/metering"
	"github.com/arcadia-cloud/arcadia/internal/provisioning"
	"github.com/arcadia-cloud/arcadia/internal/saga"
	"github.com/arcadia-cloud/arcadia/internal/saga/feed"
	"github.com/arcadia-cloud/arcadia/internal/schema"
	"github.com/arcadia-cloud/arcadia/internal/secret"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
	"github.com/arcadia-cloud/arcadia/internal/vault"
	"github.com/arcadia-cloud/arcadia/internal/web"
)

// keyFileName is the master key's in the data directory.
const keyFileName = "master.key"

// An App is everything of one process, ready to run.
type App struct {
	config  Config
	version string
	log     *slog.Logger

	dir          *datadir.Dir // nil with PostgreSQL
	db           *db.DB
	vault        *vault.Vault
	tenants      *tenant.Service
	bills        *billing.Service
	access       *access.Service
	secrets      *secret.Service
	clouds       *clouds
	engine       *saga.Engine
	provisioning *provisioning.Service
	inventory    *inventory.Service
	metering     *metering.Service
	jobs         *jobs.Jobs
	feed         *feed.Feed
	api          *api.API
	web          *web.Server
	migrated     int
	history      *demo.History // of a demonstration

	opened []func() error // to be closed in reverse
}

// Open builds everything. It migrates the database. Errors: Conflict when another
// process holds the data directory, or the database is newer than this program;
// Unavailable where a file or the database cannot be reached.
func Open(ctx context.Context, c Config, version string, log *slog.Logger) (a *App, err error) {
	if c, err = c.resolved(); err != nil {
		return nil, err
	}
	a = &App{config: c, version: version, log: log}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Close())
			a = nil
		}
	}()
	for _, build := range []func(context.Context) error{a.hold, a.openDatabase, a.openVault, a.buildServices, a.buildSchedules} {
		if err := build(ctx); err != nil {
			return a, err
		}
	}
	return a, nil
}

// Close closes what Open opened, the last first.
func (a *App) Close() error {
	var failed []error
	for i := len(a.opened) - 1; i >= 0; i-- {
		failed = append(failed, a.opened[i]())
	}
	a.opened = nil
	return errors.Join(failed...)
}

// hold takes the directory of an embedded database, so that nobody else opens it.
func (a *App) hold(context.Context) (err error) {
	if a.config.sqliteFile() == "" {
		return nil
	}
	if !filepath.IsAbs(a.config.sqliteFile()) {
		return fault.New(fault.Invalid, "ARCADIA_DATABASE_URL must name a file by its whole path, as sqlite:///var/lib/arcadia/arcadia.db.")
	}
	if demo.Is(a.config.held()) && !a.config.demo {
		// Its ledger speaks of things that exist in a simulated cloud alone.
		return fault.New(fault.Conflict, "%s belongs to the demonstration, which does not run. Start it with: arcadia demo", a.config.held())
	}
	if a.dir, err = datadir.Hold(a.config.held()); err != nil {
		if fault.KindOf(err) == fault.Conflict {
			err = fault.WithCode(err, inUse)
		}
		return err
	}
	a.opened = append(a.opened, a.dir.Close)
	return nil
}

func (a *App) openDatabase(ctx context.Context) (err error) {
	if a.db, err = db.Open(ctx, a.config.DatabaseURL, db.Options{Logger: a.log}); err != nil {
		return err
	}
	a.opened = append(a.opened, a.db.Close)
	a.migrated, err = schema.Migrate(ctx, a.db)
	return err
}

func (a *App) openVault(context.Context) (err error) {
	if file := a.config.MasterKeyFile; file != "" {
		a.vault, err = vault.OpenExisting(file)
		return err
	}
	if err := makeDir(a.config.DataDir); err != nil {
		return err
	}
	a.vault, err = vault.Open(filepath.Join(a.config.DataDir, keyFileName))
	return err
}

// inUse is the code of the refusal to open a directory that another process holds.
const inUse = "data_directory_in_use"

// makeDir makes a directory that only its owner can look into.
func makeDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		var path *fs.PathError
		if errors.As(err, &path) {
			return fault.Wrap(fault.Unavailable, err, "The data directory %s cannot be made: %v. Choose another with ARCADIA_DATA_DIR or --data-dir.", dir, path.Err)
		}
		return err
	}
	return nil
}

func (a *App) buildServices(context.Context) (err error) {
	a.tenants = tenant.New(a.db)
	a.bills = billing.New(a.db, a.facts, a.log)
	a.access = access.New(a.db, a.vault, a.config.tokens()...)
	a.clouds = newClouds(a.config, a.access, a.vault, a.log)
	a.clouds.freeze = func(ctx context.Context, account, of string) error {
		return a.provisioning.Frozen(ctx, account, tenant.ID(of))
	}
	a.clouds.destroy = func(ctx context.Context, what digitalocean.Destruction) error {
		return provisioning.Destroys(ctx, a.db, a.config.destroyCap(), a.resources, what, time.Now())
	}
	a.opened = append(a.opened, func() error { a.clouds.close(); return nil })
	a.secrets = secret.New(a.db, a.vault)
	probe := a.config.probe
	if probe == nil {
		proxy, err := probeProxy(a.config.ProbeProxy)
		if err != nil {
			return err
		}
		probe = provisioning.Prober(proxy)
	}
	steps := provisioning.NewSteps(a.clouds.provisioning, a.stackSettings(probe), a.log)
	a.engine, err = saga.New(a.db, saga.Options{
		Lease: a.config.Lease, Margin: a.config.margin(), Sole: a.dir != nil, Logger: a.log,
	}, steps.Kinds()...)
	if err != nil {
		return err
	}
	a.provisioning = provisioning.New(a.db, a.engine, steps)
	a.inventory = inventory.New(a.db, a.engine, inventory.Settings{
		Horizon: a.config.Horizon, Client: a.clouds.reading, Accounts: a.clouds.readable, Kept: a.clouds.kept, Tokens: a.access.Tokens, Reports: a.reports, Logger: a.log,
		Claim: func(ctx context.Context, account string, owner digitalocean.Account) error {
			return a.access.Claim(ctx, account, owner, time.Now())
		},
	})
	a.provisioning.Observe(a.inventory)
	a.metering = metering.New(a.db, a.inventory, a.log)
	if a.config.UsageWindow != 0 {
		a.metering.Oldest = a.config.UsageWindow
	}
	a.feed = feed.New(a.engine, a.log)
	a.web, err = web.New(web.Options{
		Engine: a.engine, Feed: a.feed, Provisioning: a.provisioning, Inventory: a.inventory, Tenants: a.tenants, Bills: a.bills, Metering: a.metering, Access: a.access, Account: account,
		Checks: a.checks, Budgets: a.clouds.uses, Simulated: a.config.simulated(), Filling: a.isFilling, Version: a.version, Logger: a.log,
	})
	if err != nil {
		return err
	}
	a.api = api.New(api.Options{
		Engine: a.engine, Feed: a.feed, Provisioning: a.provisioning, Inventory: a.inventory, Billing: a.clouds.billing, Tenants: a.tenants,
		Metering: a.metering, Bills: a.bills, Access: a.access, Secrets: a.secrets, Account: account, Clients: a.clouds.client,
		Ready: a.ready, Checks: a.checks, Version: a.version, Logger: a.log,
	})
	return nil
}

// stackSettings are what the sagas of stacks are told, which ask probe whether one works.
func (a *App) stackSettings(probe provisioning.Probe) provisioning.Settings {
	return provisioning.Settings{
		Account: account, Horizon: a.config.Horizon, Settle: a.config.Settle, Poll: a.config.Poll, CloudSpeed: a.config.cloudSpeed,
		Reading: a.clouds.reading, Destroys: a.config.destroyCap(), Frozen: a.config.Frozen, Grace: a.config.Grace,
		Secrets: a.secrets, PublicURL: a.config.PublicURL, Probe: probe,
		Whose: a.whose, Quote: a.quote,
		Protected: func(ctx context.Context, subjects []string) error {
			return provisioning.ProtectedBy(ctx, a.db.Read(), "What would be destroyed", subjects)
		},
		Marks: func(ctx context.Context, of saga.ID, used map[string]string) ([]string, error) {
			return a.provisioning.LookAfter(ctx, of, used)
		},
	}
}

// resources counts what an account has, as its inventory knows it; 0 where it knows
// nothing.
func (a *App) resources(ctx context.Context, account string) (int, error) {
	list, err := a.inventory.Resources(ctx, inventory.Query{Terms: []inventory.Term{{Key: "account", Op: ":", Values: []string{account}}}}, inventory.Page{Limit: 1})
	return list.Total, err
}

// whose tells whose the resources of an account are that stacks are made of, as its
// inventory has attributed them.
func (a *App) whose(ctx context.Context, account string) (map[string]provisioning.Owner, error) {
	of := map[string]provisioning.Owner{}
	query := inventory.Query{Terms: []inventory.Term{
		{Key: "account", Op: ":", Values: []string{account}},
		{Key: "kind", Op: ":", Values: []string{"droplet", "volume", "vpc", "firewall", "reserved_ip", "domain_record"}},
	}}
	page := inventory.Page{Limit: 500}
	for {
		list, err := a.inventory.Resources(ctx, query, page)
		if err != nil {
			return nil, err
		}
		for _, one := range list.Items {
			if v := one.Verdict; v.Tenant != "" {
				of[one.URN] = provisioning.Owner{Tenant: v.Tenant, Slug: one.Tenant, Why: v.Evidence}
			}
		}
		if page.Cursor = list.Next; page.Cursor == "" {
			return of, nil
		}
	}
}

// handler answers every request of the one port: the API under its own paths, droplets
// at their one-time addresses, and pages under all others.
func (a *App) handler() http.Handler {
	droplets := a.api.OneTime()
	mux := http.NewServeMux()
	for _, path := range []string{"/v1/", "/v1", "/healthz", "/readyz"} {
		mux.Handle(path, a.api.Handler())
	}
	mux.Handle("/", a.web.Handler())
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if api.IsOneTime(r.URL.Path) { // before the mux, which redirects
			droplets.ServeHTTP(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// ready answers whether the database does.
func (a *App) ready(ctx context.Context) error {
	_, err := a.db.Now(ctx, a.db.Read())
	return err
}

// A Role is what a process does.
type Role string

// The roles. With an embedded database one process does all.
const (
	All    Role = "all"
	Web    Role = "web"
	Worker Role = "worker"

	// A process that runs one command of the command line answers requests and
	// runs sagas, for as long as the command takes.
	command Role = "command"
)

// duties are what runs beside the answering of requests, by role. Each returns
// when its context is done.
func (a *App) duties(r Role) map[string]func(context.Context) error {
	duties := map[string]func(context.Context) error{}
	if r != Worker {
		duties["feed"] = func(ctx context.Context) error { a.feed.Run(ctx); return nil }
		duties["pages"] = func(ctx context.Context) error { a.web.Run(ctx); return nil }
	}
	if r == All || r == Web {
		duties["warm-up"] = a.warmUp
	}
	switch r {
	case All, Worker:
		duties["schedules"] = a.schedules
	case command:
		duties["sweep"] = a.sweepOnce
	}
	if r != Web {
		duties["sagas"] = a.engine.Serve
		duties["inventory"] = a.inventory.Serve
		duties["watchers"] = a.watchers
	}
	return duties
}

// warmUp reads the history into memory before somebody searches it. Where that fails
// the first search reads it, or says why it cannot.
func (a *App) warmUp(ctx context.Context) error {
	begun := time.Now()
	resources, versions, err := a.inventory.WarmUp(ctx)
	if err != nil {
		a.log.WarnContext(ctx, "the inventory could not be read into memory yet", "err", err)
		return nil
	}
	a.log.DebugContext(ctx, "the inventory is in memory", "resources", resources, "versions", versions, "took", time.Since(begun))
	return nil
}

// together runs duties until ctx is done or one of them fails; then it ends the
// others, and returns once none is left.
func together(ctx context.Context, duties map[string]func(context.Context) error) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var running sync.WaitGroup
	for name, duty := range duties {
		running.Go(func() {
			err := duty(ctx)
			if err != nil && ctx.Err() == nil {
				stop(fmt.Errorf("%s: %w", name, err))
			}
		})
	}
	running.Wait()
	if err := context.Cause(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}
