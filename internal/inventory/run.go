package inventory

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/id"
)

// A RunID names a sync: "sync_" and 32 hex digits.
type RunID string

// A Run is one sync of an account: the listing of some kinds.
type Run struct {
	ID          RunID
	Account     string
	Kinds       []Generation // in the order in which they are listed
	RequestedBy string
	CreatedAt   time.Time
	StartedAt   time.Time // zero: nobody has begun
	FinishedAt  time.Time // zero: it is not over
	Problem     string    // why it ended early; empty otherwise
}

// State says how far the run is, and how it went: the worst of its kinds decides.
func (r Run) State() State {
	switch {
	case r.StartedAt.IsZero():
		return Waiting
	case r.FinishedAt.IsZero():
		return Running
	case r.Problem != "":
		return Failed
	}
	complete, other := 0, Complete
	for _, g := range r.Kinds {
		switch g.State {
		case Complete:
			complete++
		case NotPermitted: // what a token may not read is no failure of the sync
		default:
			other = Partial
		}
	}
	if other == Partial && complete == 0 {
		return Failed
	}
	return other
}

// A Generation is one listing of one kind, in a run.
type Generation struct {
	Run       RunID
	Account   string
	Kind      string
	State     State
	Items     int // read so far, of Total, while it runs
	Total     int
	Resources int // that the list had
	Requests  int
	Created   int
	Updated   int
	Deleted   int
	BeganAt   time.Time // by our clock
	EndedAt   time.Time
	AsOf      time.Time // by DigitalOcean's; zero where it was not read
	Problem   string    // a sentence; empty where all is well

	partly  bool     // only some parents were looked under: the kind's head stays
	touched []string // ids of what is new or changed
}

func (g *Generation) tell(edits []edit) {
	for _, e := range edits {
		switch e.change.Type {
		case Created, Reappeared:
			g.Created++
			g.touched = append(g.touched, e.found.id)
		case Updated:
			g.Updated++
			g.touched = append(g.touched, e.found.id)
		case Deleted:
			g.Deleted++
		}
	}
}

// A head is where the listing of a kind stands.
type head struct {
	state     State
	triedAt   time.Time // by our clock: the last try
	beganAt   time.Time // and the last one that was complete
	asOf      time.Time // DigitalOcean's clock at that
	firstAsOf time.Time // and at the first that was
}

func (s *Service) head(ctx context.Context, account, kind string) (h head, err error) {
	var tried, began, asOf, first db.NullTime
	err = s.db.Read().QueryRowContext(ctx, `SELECT state, tried_at, began_at, as_of, first_as_of FROM inv_heads WHERE account = $1 AND kind = $2`,
		account, kind).Scan(&h.state, &tried, &began, &asOf, &first)
	if errors.Is(err, sql.ErrNoRows) {
		return head{}, nil
	}
	h.triedAt, h.beganAt, h.asOf, h.firstAsOf = tried.Time, began.Time, asOf.Time, first.Time
	return h, err
}

// writeGeneration records how a listing went, and moves its kind's head on.
func writeGeneration(ctx context.Context, tx *sql.Tx, g Generation) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO inv_generations (run, account, kind, generation, state, began_at, ended_at, as_of,
			resources, requests, created, updated, deleted, error)
		VALUES ($1, $2, $3, (SELECT COALESCE(MAX(generation), 0) + 1 FROM inv_heads WHERE account = $2 AND kind = $3), $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
		ON CONFLICT (run, kind) DO NOTHING`,
		g.Run, g.Account, g.Kind, g.State, db.Micros(g.BeganAt), db.Micros(g.EndedAt), db.NullTime{Time: g.AsOf},
		g.Resources, g.Requests, g.Created, g.Updated, g.Deleted, nullWord(g.Problem))
	if err != nil || g.partly {
		return err
	}
	complete := g.State == Complete
	_, err = tx.ExecContext(ctx, `INSERT INTO inv_heads (account, kind, generation, state, tried_at, began_at, as_of, first_as_of, resources, requests, error)
		VALUES ($1, $2, 1, $3, $4, $5, $6, $6, $7, $8, $9)
		ON CONFLICT (account, kind) DO UPDATE SET generation = inv_heads.generation + 1, state = excluded.state, tried_at = excluded.tried_at,
			began_at = COALESCE(excluded.began_at, inv_heads.began_at), as_of = COALESCE(excluded.as_of, inv_heads.as_of),
			first_as_of = COALESCE(inv_heads.first_as_of, excluded.first_as_of),
			resources = CASE WHEN excluded.began_at IS NULL THEN inv_heads.resources ELSE excluded.resources END,
			requests = excluded.requests, error = excluded.error`,
		g.Account, g.Kind, g.State, db.Micros(g.BeganAt), when(complete, g.BeganAt), when(complete, g.AsOf), g.Resources, g.Requests, nullWord(g.Problem))
	return err
}

func when(so bool, at time.Time) db.NullTime {
	if !so {
		return db.NullTime{}
	}
	return db.NullTime{Time: at}
}

// StartSync asks for a sync of an account: of the kinds named, or of all. It is
// carried out by whichever process serves the inventory; one account has one sync
// at a time. It answers fault.Invalid for a kind that there is not.
func (s *Service) StartSync(ctx context.Context, account string, kinds []string, by string) (Run, error) {
	for _, name := range kinds {
		if KindNamed(name) == nil && name != ActionKind {
			return Run{}, fault.New(fault.Invalid, "There is no kind %q. The kinds are listed by: arcadia inventory kinds", clip(name))
		}
	}
	if err := s.known(ctx, account); err != nil {
		return Run{}, err
	}
	r := newRun(account, by, inOrder(kinds))
	err := s.db.Write(ctx, func(tx *sql.Tx) error { return insertRun(ctx, tx, r) })
	if err != nil {
		return Run{}, err
	}
	s.wake()
	return r, nil
}

// newRun is a run that nobody has begun.
func newRun(account, by string, kinds []string) Run {
	r := Run{ID: RunID(id.New("sync")), Account: account, RequestedBy: by, CreatedAt: time.Now().UTC().Truncate(time.Microsecond)}
	for _, name := range kinds {
		r.Kinds = append(r.Kinds, Generation{Run: r.ID, Account: account, Kind: name, State: Waiting})
	}
	return r
}

// inOrder are names of kinds in the order in which they are listed, all of them
// where none is named.
func inOrder(names []string) []string {
	var all []string
	for _, k := range append([]string{ActionKind}, kindNames()...) {
		if len(names) == 0 || slices.Contains(names, k) {
			all = append(all, k)
		}
	}
	return all
}

func kindNames() []string {
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = k.Name
	}
	return names
}

func insertRun(ctx context.Context, tx *sql.Tx, r Run) error {
	names := make([]string, len(r.Kinds))
	for i, g := range r.Kinds {
		names[i] = g.Kind
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO inv_runs (id, account, kinds, requested_by, created_at) VALUES ($1, $2, $3, $4, $5)`,
		r.ID, r.Account, db.JSON[[]string]{V: names}, r.RequestedBy, db.Micros(r.CreatedAt))
	return err
}

const runColumns = `id, account, kinds, requested_by, created_at, started_at, finished_at, COALESCE(error, '')`

func scanRun(row scanner) (r Run, err error) {
	var names db.JSON[[]string]
	var created int64
	var started, finished db.NullTime
	if err := row.Scan(&r.ID, &r.Account, &names, &r.RequestedBy, &created, &started, &finished, &r.Problem); err != nil {
		return r, err
	}
	r.CreatedAt, r.StartedAt, r.FinishedAt = db.Time(created), started.Time, finished.Time
	for _, name := range names.V {
		r.Kinds = append(r.Kinds, Generation{Run: r.ID, Account: r.Account, Kind: name, State: Waiting})
	}
	return r, nil
}

// Run is a sync with how its kinds went; while this process carries it out, also
// how far each is. It answers fault.NotFound for an id that there is not.
func (s *Service) Run(ctx context.Context, of RunID) (Run, error) {
	r, err := scanRun(s.db.Read().QueryRowContext(ctx, `SELECT `+runColumns+` FROM inv_runs WHERE id = $1`, of))
	if errors.Is(err, sql.ErrNoRows) {
		return Run{}, fault.New(fault.NotFound, "There is no sync %s.", clip(string(of)))
	}
	if err != nil {
		return Run{}, err
	}
	return r, s.fillRun(ctx, &r)
}

func (s *Service) fillRun(ctx context.Context, r *Run) error {
	rows, err := s.db.Read().QueryContext(ctx, `SELECT kind, state, began_at, ended_at, as_of, resources, requests, created, updated, deleted, COALESCE(error, '')
		FROM inv_generations WHERE run = $1`, r.ID)
	if err != nil {
		return err
	}
	defer rows.Close()
	done := map[string]Generation{}
	for rows.Next() {
		g := Generation{Run: r.ID, Account: r.Account}
		var began, ended int64
		var asOf db.NullTime
		if err := rows.Scan(&g.Kind, &g.State, &began, &ended, &asOf, &g.Resources, &g.Requests, &g.Created, &g.Updated, &g.Deleted, &g.Problem); err != nil {
			return err
		}
		g.BeganAt, g.EndedAt, g.AsOf = db.Time(began), db.Time(ended), asOf.Time
		g.Items, g.Total = g.Resources, g.Resources
		done[g.Kind] = g
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, g := range r.Kinds {
		if d, ok := done[g.Kind]; ok {
			r.Kinds[i] = d
		} else if live, ok := s.live[r.ID][g.Kind]; ok {
			r.Kinds[i] = live
		}
	}
	return rows.Err()
}

// Runs are the syncs of an account, the newest first, without their kinds' results.
func (s *Service) Runs(ctx context.Context, account string, limit int) (runs []Run, err error) {
	rows, err := s.db.Read().QueryContext(ctx, `SELECT `+runColumns+` FROM inv_runs WHERE account = $1 ORDER BY created_at DESC, id DESC LIMIT $2`, account, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		r, err := scanRun(rows)
		if err != nil {
			return nil, err
		}
		runs = append(runs, r)
	}
	return runs, rows.Err()
}

// A Freshness says how old what is known of a kind is.
type Freshness struct {
	Account   string
	Kind      string
	State     State     // of the last try
	TriedAt   time.Time // by our clock
	BeganAt   time.Time // the last complete list, by our clock; zero: there was none
	AsOf      time.Time // and by DigitalOcean's
	Resources int
	Requests  int
	Problem   string
}

// Freshness says how old what is known of an account's kinds is, in the order of
// the kinds. Kinds that were never listed are not in it.
func (s *Service) Freshness(ctx context.Context, account string) ([]Freshness, error) {
	rows, err := s.db.Read().QueryContext(ctx, `SELECT kind, state, tried_at, began_at, as_of, resources, requests, COALESCE(error, '')
		FROM inv_heads WHERE account = $1`, account)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	found := map[string]Freshness{}
	for rows.Next() {
		f := Freshness{Account: account}
		var tried int64
		var began, asOf db.NullTime
		if err := rows.Scan(&f.Kind, &f.State, &tried, &began, &asOf, &f.Resources, &f.Requests, &f.Problem); err != nil {
			return nil, err
		}
		f.TriedAt, f.BeganAt, f.AsOf = db.Time(tried), began.Time, asOf.Time
		found[f.Kind] = f
	}
	var all []Freshness
	for _, name := range inOrder(nil) {
		if f, ok := found[name]; ok {
			all = append(all, f)
		}
	}
	return all, rows.Err()
}

// clip keeps an absurdly long text out of a sentence.
func clip(s string) string {
	if runes := []rune(s); len(runes) > 64 {
		return string(runes[:63]) + "…"
	}
	return s
}
