// Package inventory knows what there is at DigitalOcean: what it is, whose it
// is, what changed and why, and what it costs.
//
//   - A [Kind] says how one kind of resource is listed and read. A list is taken
//     whole or not at all, and what a list lacks is gone only when a second one, a
//     horizon later, lacks it too and asking for it by its id answers 404.
//   - Each version of a document is kept, from when it was seen until the next
//     one: what is true now and what was true then are the same question.
//   - Each change has a number in a feed that no order of commits can make skip,
//     and a cause: a saga's step, an action of DigitalOcean, or out of band.
//   - Money is exact: micro-dollars, from what DigitalOcean says of its prices and
//     a price book with dates and sources. What has no price is an alarm, never 0.
package inventory

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/access"
	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/saga"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

// Settings are what the inventory needs to know of its surroundings.
type Settings struct {
	// Horizon is how long DigitalOcean may hide the truth from its lists.
	Horizon time.Duration
	// Client is the client of an account that reads.
	Client func(ctx context.Context, account string) (*digitalocean.Client, error)
	// Accounts are the accounts that have a token to read with.
	Accounts func(ctx context.Context) ([]string, error)
	// Kept are all accounts that there are, with a token or without; nil: nobody ever
	// removes one.
	Kept func(ctx context.Context) ([]string, error)
	// Tokens are those of all accounts, for when they expire; nil: nobody knows.
	Tokens func(ctx context.Context) ([]access.Token, error)
	// Reports are findings of others in an account; nil: there are none.
	Reports func(ctx context.Context, account string) ([]Report, error)
	// Claim notes whose the token of an account is, or refuses it; nil: nobody asks.
	Claim func(ctx context.Context, account string, owner digitalocean.Account) error
	// Logger hears of lists that failed; nil discards.
	Logger *slog.Logger
}

// A Service keeps the inventory of all accounts.
type Service struct {
	db       *db.DB
	sagas    *saga.Engine
	tenants  *tenant.Service
	settings Settings
	log      *slog.Logger
	awake    chan struct{} // a run may be waiting

	mu       sync.Mutex
	clocks   map[string]time.Duration        // by account: how far DigitalOcean's clock is before ours
	live     map[RunID]map[string]Generation // what is being listed right now, by kind
	hinted   map[string]string               // what hints said the last time, by URN
	planned  map[string]map[planned]string   // by account: what the hashes of droplets are with their plans
	recalled map[listOf]map[digest]found     // what lists had the last time
	ledger   map[string]string               // for whom sagas made what there is

	attributing sync.Mutex        // verdicts are thought over one time after the other
	attributed  map[string]string // by account: what they went by the last time

	onShelf shelf // the history, in memory

	owned map[string]*digitalocean.Client // by account: the client of whose token it is known whose it is

	related map[string]*resolved // by account: what the ties to tags and addresses were made of

	lookouts map[string]lookout // by account: what the last look for findings went by

	pricing  sync.Mutex // versions are priced anew one time after the other
	pricedBy string     // the mark of the prices

	looking    sync.Mutex   // findings are looked for one time after the other
	looksAsked atomic.Int64 // how many asked for a look
	looked     int64        // and for how many of them somebody has looked
}

// New returns the service over d. The engine's ledger says what sagas did.
func New(d *db.DB, e *saga.Engine, s Settings) *Service {
	log := s.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Service{
		db: d, sagas: e, tenants: tenant.New(d), settings: s, log: log, awake: make(chan struct{}, 1),
		clocks: map[string]time.Duration{}, live: map[RunID]map[string]Generation{}, hinted: map[string]string{}, planned: map[string]map[planned]string{}, recalled: map[listOf]map[digest]found{}, attributed: map[string]string{},
		owned: map[string]*digitalocean.Client{}, related: map[string]*resolved{}, lookouts: map[string]lookout{},
	}
}

// known answers fault.NotFound for an account that there is not.
func (s *Service) known(ctx context.Context, account string) error {
	accounts, err := s.settings.Accounts(ctx)
	if err == nil && !slices.Contains(accounts, account) {
		err = fault.New(fault.NotFound, "Account %q has no token to read with. Set one with: %s", clip(account), digitalocean.SetCommand(digitalocean.Inventory, clip(account)))
	}
	return err
}
