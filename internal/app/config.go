package app

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"

	"github.com/arcadia-cloud/arcadia/internal/access"
	"github.com/arcadia-cloud/arcadia/internal/cli"
	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/metering"
	"github.com/arcadia-cloud/arcadia/internal/origin"
	"github.com/arcadia-cloud/arcadia/internal/provisioning"
	"github.com/arcadia-cloud/arcadia/internal/vault"
)

// A Config is what the environment says; flags are laid over it. Every setting
// has a default that works, but the tokens.
type Config struct {
	Addr          string `env:"ARCADIA_ADDR" envDefault:"127.0.0.1:4000"`
	DatabaseURL   string `env:"ARCADIA_DATABASE_URL"`    // default: SQLite in DataDir. May hold a password
	DataDir       string `env:"ARCADIA_DATA_DIR"`        // default: arcadia in the user's place for data
	MasterKeyFile string `env:"ARCADIA_MASTER_KEY_FILE"` // default: master.key in DataDir, made when missing

	APIURL            string       `env:"ARCADIA_DO_API_URL" envDefault:"https://api.digitalocean.com"`
	InventoryToken    vault.Secret `env:"ARCADIA_DO_TOKEN_INVENTORY,unset"`
	ProvisioningToken vault.Secret `env:"ARCADIA_DO_TOKEN_PROVISIONING,unset"`
	BillingToken      vault.Secret `env:"ARCADIA_DO_TOKEN_BILLING,unset"`

	Lease   time.Duration `env:"ARCADIA_LEASE" envDefault:"15s"`       // of a claim on a saga
	Horizon time.Duration `env:"ARCADIA_DO_HORIZON" envDefault:"180s"` // how late a list may show what happened
	Settle  time.Duration `env:"ARCADIA_DO_SETTLE"`                    // how late a sent request may be carried out; default Horizon
	Poll    time.Duration `env:"ARCADIA_DO_POLL" envDefault:"5s"`      // between two looks at an action

	Retention time.Duration `env:"ARCADIA_INVENTORY_RETENTION"` // of versions that are no longer in force; default 400 days

	Grace time.Duration `env:"ARCADIA_STACK_GRACE" envDefault:"24h"` // how long a teardown destroys nothing after it was applied

	Frozen string `env:"ARCADIA_FROZEN"` // why nothing may be changed at DigitalOcean while this process runs; empty: it may

	DestroyCapOperation int    `env:"ARCADIA_DESTROY_CAP_OPERATION" envDefault:"50"` // things that one saga may destroy
	DestroyCapHour      int    `env:"ARCADIA_DESTROY_CAP_HOUR" envDefault:"200"`     // of an account within an hour
	DestroyCapDay       int    `env:"ARCADIA_DESTROY_CAP_DAY" envDefault:"1000"`     // of an account within a day
	DestroyCapPercent   int    `env:"ARCADIA_DESTROY_CAP_PERCENT" envDefault:"25"`   // of an account's resources within a day
	PublicURL           string `env:"ARCADIA_PUBLIC_URL"`                            // where droplets reach this server, for blueprints whose droplets ask it
	ProbeProxy          string `env:"ARCADIA_PROBE_PROXY"`                           // an HTTP proxy through which health probes look; may hold a password

	UsageWindow time.Duration `env:"ARCADIA_USAGE_WINDOW" envDefault:"9600h"` // how long ago usage may have happened to be taken

	Billing string `env:"ARCADIA_BILLING" envDefault:"issue"` // what is done on the clock: issue, or draft, where people issue

	URL    string       `env:"ARCADIA_URL"` // of a server, for the command line
	APIKey vault.Secret `env:"ARCADIA_API_KEY,unset"`

	demo       bool               // the data are a demonstration's
	cloudSpeed float64            // of a simulated cloud's clock; 0: it runs as ours
	probe      provisioning.Probe // into a simulated cloud; nil: over the network
}

// How long versions of resources are kept that are no longer in force.
const (
	keptFor   = 400 * 24 * time.Hour
	leastKept = 32 * 24 * time.Hour
)

// draftOnly is the setting by which nothing is issued on the clock.
const draftOnly = "draft"

// account is the one that what knows of no others is about: sagas and their pages.
const account = access.DefaultAccount

// ReadConfig reads the environment, and takes the tokens out of it: what this
// process starts does not inherit them.
func ReadConfig() (Config, error) {
	c, err := env.ParseAsWithOptions[Config](env.Options{FuncMap: map[reflect.Type]env.ParserFunc{
		reflect.TypeFor[vault.Secret](): func(text string) (any, error) { return vault.NewSecret(strings.TrimSpace(text)), nil },
	}})
	if err != nil {
		return c, unreadable(err)
	}
	// Nothing hangs on it: unsetting has kept them from whatever we start.
	_ = forget([]string{"ARCADIA_DO_TOKEN_INVENTORY", "ARCADIA_DO_TOKEN_PROVISIONING", "ARCADIA_DO_TOKEN_BILLING", "ARCADIA_API_KEY"})
	if c.Settle == 0 {
		c.Settle = c.Horizon
	}
	if c.Billing != "issue" && c.Billing != draftOnly {
		return c, fault.New(fault.Invalid, "ARCADIA_BILLING is issue or draft: invoices are issued when they are due, or only drafted for somebody who issues them.")
	}
	if c.UsageWindow < metering.LateAfter {
		return c, fault.New(fault.Invalid, "ARCADIA_USAGE_WINDOW must be at least %s, as 9600h for 400 days: usage comes late.", metering.LateAfter)
	}
	if c.Retention != 0 && c.Retention < leastKept {
		return c, fault.New(fault.Invalid, "ARCADIA_INVENTORY_RETENTION must be at least a month, %s: costs are counted from the versions of the month so far.", leastKept)
	}
	for name, d := range map[string]time.Duration{
		"ARCADIA_LEASE": c.Lease, "ARCADIA_DO_HORIZON": c.Horizon, "ARCADIA_DO_SETTLE": c.Settle, "ARCADIA_DO_POLL": c.Poll,
	} {
		if d < time.Millisecond {
			return c, fault.New(fault.Invalid, "%s must be longer than nothing, as 5s or 300ms.", name)
		}
	}
	if c.Grace < 0 || c.Grace > provisioning.LongestGrace {
		return c, fault.New(fault.Invalid, "ARCADIA_STACK_GRACE is a time from 0s to %s, as 24h.", provisioning.LongestGrace)
	}
	for name, n := range map[string]int{
		"ARCADIA_DESTROY_CAP_OPERATION": c.DestroyCapOperation, "ARCADIA_DESTROY_CAP_HOUR": c.DestroyCapHour,
		"ARCADIA_DESTROY_CAP_DAY": c.DestroyCapDay, "ARCADIA_DESTROY_CAP_PERCENT": c.DestroyCapPercent,
	} {
		if n < 1 {
			return c, fault.New(fault.Invalid, "%s must be a whole number above nothing. To forbid every change: arcadia freeze begin, or ARCADIA_FROZEN.", name)
		}
	}
	return c, nil
}

// destroyCap bounds what is destroyed.
func (c Config) destroyCap() provisioning.DestroyCap {
	return provisioning.DestroyCap{Operation: c.DestroyCapOperation, Hour: c.DestroyCapHour, Day: c.DestroyCapDay, Percent: c.DestroyCapPercent}
}

// unreadable names the setting that could not be read, and not what it holds.
func unreadable(err error) error {
	var bad env.ParseError
	if errors.As(err, &bad) {
		if f, ok := reflect.TypeFor[Config]().FieldByName(bad.Name); ok {
			name, _, _ := strings.Cut(f.Tag.Get("env"), ",")
			want := "a duration: write it as 5s, 300ms or 2m"
			if f.Type.Kind() == reflect.Int {
				want = "a whole number"
			}
			return fault.New(fault.Invalid, "%s is not %s.", name, want)
		}
	}
	return fmt.Errorf("read the environment: %w", err)
}

// at lays a command's flags over the environment.
func (c Config) at(p cli.Place) Config {
	if p.URL != "" {
		c.URL = p.URL
	} else if p.DataDir != "" || p.Database != "" {
		c.URL = "" // who names a place means that one
	}
	if p.DataDir != "" {
		c.DataDir = p.DataDir
	}
	if p.Database != "" {
		c.DatabaseURL = p.Database
	}
	return c
}

// resolved fills in where things are.
func (c Config) resolved() (Config, error) {
	if c.Retention == 0 {
		c.Retention = keptFor
	}
	if c.DataDir == "" {
		dir, err := defaultDataDir()
		if err != nil {
			return c, err
		}
		c.DataDir = dir
	}
	dir, err := filepath.Abs(c.DataDir)
	if err != nil {
		return c, err
	}
	c.DataDir = dir
	if c.PublicURL, err = publicURL(c.PublicURL); err != nil {
		return c, err
	}
	if _, err := probeProxy(c.ProbeProxy); err != nil {
		return c, err
	}
	if c.DatabaseURL == "" {
		c.DatabaseURL = "sqlite://" + filepath.Join(dir, "arcadia.db")
	}
	return c, nil
}

func defaultDataDir() (string, error) {
	if data := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(data) {
		return filepath.Join(data, "arcadia"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fault.New(fault.Invalid, "There is no home directory to keep data in: say where with ARCADIA_DATA_DIR or --data-dir.")
	}
	return filepath.Join(home, ".local", "share", "arcadia"), nil
}

// simulated reports whether the API that we talk to is not DigitalOcean's own.
func (c Config) simulated() bool {
	u, err := url.Parse(c.APIURL)
	return err != nil || u.Hostname() != "api.digitalocean.com"
}

// sqliteFile is the file of an embedded database, and empty for PostgreSQL.
func (c Config) sqliteFile() string {
	file, ok := strings.CutPrefix(c.DatabaseURL, "sqlite://")
	if !ok {
		return ""
	}
	return file
}

// held is the directory whose lock says who may open the embedded database: the
// database's own, so that two data directories cannot share one file.
func (c Config) held() string { return filepath.Dir(c.sqliteFile()) }

// database names the database without a password.
func (c Config) database() string {
	if file := c.sqliteFile(); file != "" {
		return file
	}
	u, err := url.Parse(c.DatabaseURL)
	if err != nil {
		return "the database"
	}
	return u.Redacted()
}

// margin is how long before a lease ends its owner stops. A request to
// DigitalOcean is over in that time.
func (c Config) margin() time.Duration { return c.Lease / 3 }

func (c Config) requestTimeout() time.Duration { return min(digitalocean.DefaultTimeout, c.margin()) }

// tokens are the tokens that the environment gave.
func (c Config) tokens() (given []access.Given) {
	for _, g := range []access.Given{
		{Purpose: digitalocean.Inventory, Token: c.InventoryToken}, {Purpose: digitalocean.Provisioning, Token: c.ProvisioningToken},
		{Purpose: digitalocean.Billing, Token: c.BillingToken},
	} {
		if !g.Token.IsZero() {
			given = append(given, g)
		}
	}
	return given
}

// publicURL is the address at which droplets reach this server, without a slash at its
// end. Secrets travel to it and from it: off this machine that takes TLS.
func publicURL(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Scheme != "https" && u.Scheme != "http" {
		return "", fault.New(fault.Invalid, "ARCADIA_PUBLIC_URL must be an address as https://arcadia.example.com, without a user, a query or a fragment.")
	}
	if u.Scheme == "http" && !origin.Local(u.Host) {
		return "", fault.New(fault.Invalid, "ARCADIA_PUBLIC_URL must begin with https:// as droplets get secrets there: http is for this machine alone.")
	}
	return strings.TrimRight(u.String(), "/"), nil
}

// probeProxy is the proxy through which health probes look, nil for none.
func probeProxy(text string) (*url.URL, error) {
	if text == "" {
		return nil, nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" {
		return nil, fault.New(fault.Invalid, "ARCADIA_PROBE_PROXY must be the address of an HTTP proxy, as http://bastion.example.com:3128.")
	}
	return u, nil
}

// checkAddr refuses what is not an address of this machine alone: whoever can
// reach the port can do everything, until log-in exists.
func checkAddr(addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fault.New(fault.Invalid, "%q is no address to listen at: write a host and a port, as 127.0.0.1:4000.", addr)
	}
	if host == "localhost" {
		return nil
	}
	if ip, err := netip.ParseAddr(host); err != nil || !ip.IsLoopback() {
		return fault.New(fault.Invalid, "Arcadia listens only at addresses of this machine, as 127.0.0.1:4000, and not at %q: "+
			"there is no log-in yet, and whoever reaches the port may do everything.", addr)
	}
	return nil
}
