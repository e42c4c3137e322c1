package provisioning

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/saga"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

// A Verb is what a plan does to a stack.
type Verb string

// The verbs.
const (
	Provision Verb = "provision"
	Teardown  Verb = "teardown"
	BackUp    Verb = "backup"
	Restore   Verb = "restore"
	Prune     Verb = "prune"
	TryOut    Verb = "drill"
	Adopt     Verb = "adopt"
	Release   Verb = "release"
	CleanUp   Verb = "cleanup" // of an account, not of a stack
)

// A PlanID names a plan, "plan_…".
type PlanID string

// A Plan is what would be done, and what was read to know it. Nothing is done before
// somebody applies it, and then only if what was read is as it was.
type Plan struct {
	ID       PlanID     `json:"id"`
	Verb     Verb       `json:"verb"`
	Stack    StackID    `json:"stack"`
	Name     string     `json:"name"` // of the stack
	Tenant   tenant.ID  `json:"tenant"`
	Account  string     `json:"account"`
	Steps    []PlanStep `json:"steps"`
	Changes  []Change   `json:"changes"`
	Before   int64      `json:"monthly_before"` // micro-dollars a month at DigitalOcean
	After    int64      `json:"monthly_after"`
	Unpriced []string   `json:"unpriced,omitempty"` // resources whose price is not known, which are in neither
	Warnings []string   `json:"warnings,omitempty"`
	Reason   string     `json:"reason,omitempty"` // why, where the verb asks for one
	Quote    *Quote     `json:"quote,omitempty"`  // nil in plans from before there were any

	// Room is how much of the account's limits is used. It may be another when the plan
	// is applied, as long as there is enough.
	Room map[string]string `json:"room,omitempty"`
	// Read is everything that the plan depends on, in words: "blueprint sky-ai@1" is
	// its hash. Hash is over it.
	Read map[string]string `json:"read"`
	Hash string            `json:"hash"`

	Actor     string    `json:"actor"`
	CreatedAt time.Time `json:"created_at"`
	AppliedAt time.Time `json:"applied_at,omitzero"`
	AppliedBy string    `json:"applied_by,omitempty"`
	Saga      saga.ID   `json:"saga,omitempty"`
}

// A PlanStep is one step of the saga, with the requests that it sends if nothing
// goes wrong.
type PlanStep struct {
	Name  string   `json:"name"`
	Calls []string `json:"calls,omitempty"` // "POST /v2/droplets"
	Pivot bool     `json:"pivot,omitempty"` // from here on there is no way back
}

// A Change is one resource that a plan makes, changes, destroys, takes into a stack or
// lets go.
type Change struct {
	Action  string `json:"action"` // create, change, destroy, adopt, release
	Key     string `json:"key"`
	Kind    string `json:"kind"`
	Name    string `json:"name"`
	URN     string `json:"urn,omitempty"`
	Detail  string `json:"detail,omitempty"`
	Size    string `json:"size,omitempty"`    // of a droplet or a volume, afterwards
	Stays   bool   `json:"stays,omitempty"`   // what is on it is destroyed, and something in its place costs the same
	Monthly *int64 `json:"monthly,omitempty"` // micro-dollars; of what is destroyed, negative
}

// Destroys are the resources that the plan destroys: its blast radius.
func (p Plan) Destroys() (all []Change) {
	for _, c := range p.Changes {
		if c.Action == "destroy" {
			all = append(all, c)
		}
	}
	return all
}

// Calls is how many requests that change something the plan sends.
func (p Plan) Calls() (n int) {
	for _, s := range p.Steps {
		n += len(s.Calls)
	}
	return n
}

// seal gives the plan its hash: over what it read and what it would do.
func (p *Plan) seal() error {
	text, err := json.Marshal(struct {
		Verb    Verb
		Stack   StackID
		Read    map[string]string
		Steps   []PlanStep
		Changes []Change
	}{p.Verb, p.Stack, p.Read, p.Steps, p.Changes})
	sum := sha256.Sum256(text)
	p.Hash = hex.EncodeToString(sum[:])
	return err
}

// stale says in which points a plan made now differs from an earlier one; nil for none.
func (p Plan) stale(now Plan) error {
	if p.Hash == now.Hash {
		return nil
	}
	var words []string
	keys := slices.Collect(maps.Keys(p.Read))
	for key := range now.Read {
		if _, ok := p.Read[key]; !ok {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	for _, key := range keys {
		was, is := p.Read[key], now.Read[key]
		if was != is {
			words = append(words, fmt.Sprintf("%s was %s and is %s", key, orNothing(was), orNothing(is)))
		}
	}
	if len(words) == 0 {
		words = []string{"what it would do is not the same any more"}
	}
	return fault.New(fault.Conflict, "Plan %s is stale: %s. Make a new one and look at it.", p.ID, strings.Join(words, "; "))
}

func orNothing(text string) string {
	if text == "" {
		return "nothing"
	}
	return text
}

func insertPlan(ctx context.Context, tx *sql.Tx, p Plan, request any) error {
	asked, err := json.Marshal(request)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO plans (id, verb, stack_id, tenant_id, account, hash, document, request, actor, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		string(p.ID), string(p.Verb), string(p.Stack), string(p.Tenant), p.Account, p.Hash, db.JSON[Plan]{V: p}, string(asked), p.Actor, db.Micros(p.CreatedAt))
	return err
}

// Plan is a plan as it was made, and what became of it. It answers fault.NotFound.
func (s *Service) Plan(ctx context.Context, id PlanID) (Plan, error) {
	p, _, err := readPlan(ctx, s.db.Read(), id)
	return p, err
}

// readPlan also returns what was asked for.
func readPlan(ctx context.Context, q db.Queryer, id PlanID) (Plan, json.RawMessage, error) {
	p, asked, err := scanPlan(q.QueryRowContext(ctx, `SELECT `+planColumns+` FROM plans WHERE id = $1`, string(id)))
	if errors.Is(err, sql.ErrNoRows) {
		return p, nil, fault.New(fault.NotFound, "There is no plan %s. See: arcadia stack plans", clip(string(id)))
	}
	return p, asked, err
}

const planColumns = `document, request, applied_at, COALESCE(applied_by, ''), COALESCE(saga_id, '')`

func scanPlan(row row) (Plan, json.RawMessage, error) {
	var (
		document db.JSON[Plan]
		asked    db.JSON[json.RawMessage]
		applied  db.NullTime
		by, of   string
	)
	err := row.Scan(&document, &asked, &applied, &by, &of)
	p := document.V
	p.AppliedAt, p.AppliedBy, p.Saga = applied.Time, by, saga.ID(of)
	return p, asked.V, err
}

// Plans are the newest plans, of one stack where it is named.
func (s *Service) Plans(ctx context.Context, of StackID, limit int) ([]Plan, error) {
	return db.All(ctx, s.db.Read(), func(rows *sql.Rows) (Plan, error) {
		p, _, err := scanPlan(rows)
		return p, err
	}, `SELECT `+planColumns+` FROM plans WHERE $1 = '' OR stack_id = $1 ORDER BY created_at DESC, id DESC LIMIT $2`, string(of), limit)
}

// markApplied notes that a plan became a saga. It answers fault.Conflict for one that
// did already.
func markApplied(ctx context.Context, tx *sql.Tx, id PlanID, by string, of saga.ID, at time.Time) error {
	res, err := tx.ExecContext(ctx, `UPDATE plans SET applied_at = $1, applied_by = $2, saga_id = $3 WHERE id = $4 AND applied_at IS NULL`,
		db.Micros(at), by, string(of), string(id))
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return errors.Join(err, fault.New(fault.Conflict, "Plan %s was applied already. Make a new one to do it again.", id))
	}
	return nil
}
