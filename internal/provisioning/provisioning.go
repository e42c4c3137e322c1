// Package provisioning holds the sagas that change things at DigitalOcean, each
// in a file of its own, and the verbs that start them.
//
// DigitalOcean has no idempotency keys. What makes a step effectively once is
// that everything it makes carries a marker, that the ledger says when a request
// may have been sent without a known answer, and the three looks, in order, that
// must pass before such a request is sent again or its absence is believed
// (see certainty.go).
package provisioning

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/inventory"
	"github.com/arcadia-cloud/arcadia/internal/saga"
	"github.com/arcadia-cloud/arcadia/internal/secret"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

// A Cloud answers the client with the provisioning token of an account.
type Cloud func(ctx context.Context, account string) (*digitalocean.Client, error)

// Settings say how long DigitalOcean may hide the truth; zero fields take their
// defaults.
type Settings struct {
	Account string        // our name for the account of a request that names none
	Horizon time.Duration // how long a list may lag behind what happened; default 180 s
	Settle  time.Duration // how long after its sending a request may still be carried out; default Horizon
	Poll    time.Duration // between two looks at something that is under way; default 5 s
	Longest time.Duration // how long an action may take before it counts as hung; default 2 h

	// CloudSpeed is how fast the cloud's clock runs against ours: 1, the default,
	// but for a simulated one. The durations above are by our clock.
	CloudSpeed float64

	// Reading is the cloud for what only looks; nil is the one that changes things.
	Reading Cloud

	// Secrets are what droplets ask for, at one-time addresses under PublicURL, which has
	// no slash at its end. Without either, blueprints whose droplets ask are refused.
	Secrets   *secret.Service
	PublicURL string

	// Whose tells of the resources of an account that are somebody's whose they are, by
	// URN; nil: nothing is known.
	Whose func(ctx context.Context, account string) (map[string]Owner, error)

	// Quote tells what a plan changes on the tenant's invoices; nil: nobody knows.
	Quote Quoter
	// Probe asks whether a stack works, and says what it saw. nil asks over the network.
	Probe Probe
	// Protected answers an error where one of the subjects must not be destroyed; nil:
	// nothing is protected.
	Protected func(ctx context.Context, subjects []string) error
	// Marks ends those marks of a saga whose things it is told are used, and all whose
	// things are somebody's by now, and answers the URNs of the rest: [Service.LookAfter].
	Marks func(ctx context.Context, of saga.ID, used map[string]string) ([]string, error)

	Frozen   string     // why this process changes nothing; empty: it does
	Destroys DestroyCap // of plans; the write guard asks [Destroys]
	// Grace is how long after the begin of a teardown nothing is destroyed yet.
	Grace time.Duration
}

// An Owner is whose a resource is, and why: a sentence.
type Owner struct {
	Tenant tenant.ID
	Slug   string
	Why    string
}

func (s Settings) withDefaults() Settings {
	if s.Horizon == 0 {
		s.Horizon = 180 * time.Second
	}
	if s.Settle == 0 {
		s.Settle = s.Horizon
	}
	if s.Poll == 0 {
		s.Poll = 5 * time.Second
	}
	if s.Longest == 0 {
		s.Longest = 2 * time.Hour
	}
	if s.CloudSpeed == 0 {
		s.CloudSpeed = 1
	}
	if s.Probe == nil {
		s.Probe = Prober(nil)
	}
	return s
}

// Steps are the steps of every saga, with the cloud that they act on.
type Steps struct {
	cloud Cloud
	set   Settings
	looks *looks
	heard heard
	began time.Time
	log   *slog.Logger
}

// NewSteps returns the steps over a cloud. log may be nil.
func NewSteps(cloud Cloud, s Settings, log *slog.Logger) *Steps {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	s = s.withDefaults()
	return &Steps{cloud: cloud, set: s, looks: newLooks(s.Poll), began: time.Now(), log: log}
}

// Kinds lists every kind of saga, for the engine to register.
func (p *Steps) Kinds() []saga.Registrable {
	return []saga.Registrable{
		recorded(p.snapshotDroplet()),
		recorded(p.smoke()),
		recorded(p.provisionStack()),
		recorded(p.teardownStack()),
		recorded(p.adoptStack()),
		recorded(p.releaseStack()),
		recorded(p.backupStack()),
		recorded(p.restoreStack()),
		recorded(p.expireBackups()),
		recorded(p.drillStack()),
		recorded(p.repairStack()),
		recorded(p.absorbDrift()),
		recorded(p.resizeStack()),
		recorded(p.rebuildStack()),
		recorded(p.suspendStack()),
		recorded(p.resumeStack()),
		recorded(p.cleanupOrphans()),
	}
}

// Service is provisioning's verbs.
type Service struct {
	db      *db.DB
	engine  *saga.Engine
	steps   *Steps
	tenants *tenant.Service

	inventory *inventory.Service // nil: nothing is known of drift
	rests     rests
}

// New returns the service over an engine that knows the steps' kinds.
func New(d *db.DB, e *saga.Engine, p *Steps) *Service {
	return &Service{db: d, engine: e, steps: p, tenants: tenant.New(d)}
}

// Droplets lists the droplets of an account, GPU droplets too.
func (s *Service) Droplets(ctx context.Context, account string) ([]digitalocean.Droplet, error) {
	c, err := s.reading(ctx, account)
	if err != nil {
		return nil, err
	}
	list, err := c.Droplets(ctx)
	return list.Items, err
}

// reading is the cloud of an account for what only looks.
func (s *Service) reading(ctx context.Context, account string) (*digitalocean.Client, error) {
	if s.steps.set.Reading != nil {
		return s.steps.set.Reading(ctx, account)
	}
	return s.steps.cloud(ctx, account)
}

// droplet finds a droplet by its id or its name. Invalid when several have the name.
func (s *Service) droplet(ctx context.Context, c *digitalocean.Client, ref string) (digitalocean.Droplet, error) {
	if id, err := strconv.ParseInt(ref, 10, 64); err == nil {
		if id <= 0 {
			return digitalocean.Droplet{}, fault.New(fault.Invalid, "A droplet's id is a positive number, not %q.", ref)
		}
		return c.Droplet(ctx, id)
	}
	if ref == "" {
		return digitalocean.Droplet{}, fault.New(fault.Invalid, "Say which droplet: its id or its name.")
	}
	found, err := c.DropletByName(ctx, ref)
	switch {
	case err != nil:
		return digitalocean.Droplet{}, err
	case len(found) == 0:
		return digitalocean.Droplet{}, fault.New(fault.NotFound, "There is no droplet named %q in this account. Its id works too.", ref)
	case len(found) > 1:
		return digitalocean.Droplet{}, fault.New(fault.Conflict, "%d droplets are named %q. Say which by its id: %d, %d …", len(found), ref, found[0].ID, found[1].ID)
	}
	return found[0], nil
}

// capabilityOf is the leave of the attempt that ctx belongs to, for these changes, in a
// tenant's name, whose freeze it minds; an empty one is nobody's.
func capabilityOf(ctx context.Context, of string, permits ...digitalocean.Permit) context.Context {
	a := saga.Current(ctx)
	return digitalocean.WithCapability(ctx, &digitalocean.Capability{
		Tenant: of, Saga: string(a.Saga), Step: a.Step, Epoch: a.Epoch, Kind: a.Kind, Permits: permits,
		Valid: a.Valid, Sent: a.Sent, Answered: a.Answered,
	})
}

func dropletURN(id int64) string   { return fmt.Sprintf("do:droplet:%d", id) }
func snapshotURN(id string) string { return "do:snapshot:" + id }

// resourceWatch names an action of any resource for the watcher.
func resourceWatch(account, kind, id string, action int64) saga.Watch {
	return saga.Watch{Topic: actionsTopic(account), Key: fmt.Sprintf("%s/%s/%d", kind, id, action)}
}

// actionsTopic is the watch topic of an account's actions.
func actionsTopic(account string) string { return "do.action:" + account }
