package saga

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/id"
)

// A Request asks for a saga.
type Request struct {
	Kind        string
	Input       any    // the state it begins with; a json.RawMessage is taken as it is and must fit the kind's state
	Tenant      string // empty: none
	RequestedBy string // the actor; required

	// Key makes the request idempotent within Scope (default "local") and
	// kind: the same key and input answer the saga that the first one made;
	// another input is refused as Unprocessable. Empty: no key.
	Scope, Key string
}

// Create records a saga that nobody runs before Start. replayed says that the
// request's key, or the kind's policy Coalesce, answered an earlier saga.
//
// Errors: Invalid for an unknown kind or an input that does not fit it, Conflict
// where the kind refuses a locked subject, Unprocessable for a key that was used
// with other input.
func (e *Engine) Create(ctx context.Context, r Request) (s Saga, replayed bool, err error) {
	return e.begin(ctx, r, Created)
}

// Launch records a saga that is ready to run: Create and Start in one commit.
// Its errors are Create's.
func (e *Engine) Launch(ctx context.Context, r Request) (s Saga, replayed bool, err error) {
	return e.begin(ctx, r, Ready)
}

// StartTx is Launch in the caller's transaction: rows only. The saga begins by an
// ordinary claim after the commit. Its errors are Create's.
func (e *Engine) StartTx(ctx context.Context, tx *sql.Tx, r Request) (s Saga, replayed bool, err error) {
	p, err := e.prepare(r, Ready)
	if err != nil {
		return Saga{}, false, err
	}
	return e.record(ctx, tx, p)
}

func (e *Engine) begin(ctx context.Context, r Request, state State) (s Saga, replayed bool, err error) {
	p, err := e.prepare(r, state)
	if err != nil {
		return Saga{}, false, err
	}
	if p.alone() {
		if err := e.starts.Write(ctx, string(p.rec.ID), p.rec); err != nil {
			return Saga{}, false, err
		}
		e.hint(p.rec)
		return p.rec.clone().Saga, false, nil
	}
	// Where the answer depends on which other sagas are open, only a
	// serializable transaction sees them all.
	write := func(fn func(*sql.Tx) error) error { return e.db.WriteFenced(ctx, string(p.rec.ID), fn) }
	if p.def.policy != Queue && len(p.rec.Subjects) > 0 {
		write = func(fn func(*sql.Tx) error) error { return e.db.Write(ctx, fn) }
	}
	for range 3 {
		err = write(func(tx *sql.Tx) (err error) {
			s, replayed, err = e.record(ctx, tx, p)
			return err
		})
		if !db.IsUnique(err) {
			break // else a request with the same key was committed meanwhile: read it
		}
	}
	return s, replayed, err
}

// alone reports whether nothing that is recorded already can answer p.
func (p prepared) alone() bool {
	return p.key == "" && (p.def.policy == Queue || len(p.rec.Subjects) == 0)
}

// recordAll writes sagas that are alone.
func (e *Engine) recordAll(ctx context.Context, tx *sql.Tx, records []record) error {
	if err := insert(ctx, e.db, tx, records...); err != nil {
		return err
	}
	if slices.ContainsFunc(records, func(r record) bool { return r.State == Ready }) {
		return e.notify(ctx, tx)
	}
	return nil
}

// prepared is a request that has been checked and may be recorded.
type prepared struct {
	def  *definition
	rec  record
	key  string
	hash string
}

func (e *Engine) prepare(r Request, state State) (prepared, error) {
	def := e.kinds[r.Kind]
	if def == nil {
		return prepared{}, fault.New(fault.Invalid, "There is no saga kind %q.", r.Kind)
	}
	if r.RequestedBy == "" {
		return prepared{}, fault.New(fault.Invalid, "A saga needs to know who asked for it.")
	}
	input, err := json.Marshal(r.Input)
	if err != nil {
		return prepared{}, fault.Wrap(fault.Invalid, err, "The input of a %s saga is not valid JSON.", r.Kind)
	}
	if len(input) > MaxData {
		return prepared{}, fault.New(fault.TooLarge, "The input of a %s saga is %d bytes; at most %d are taken.", r.Kind, len(input), MaxData)
	}
	data, err := def.check(input)
	if err != nil {
		return prepared{}, fault.Wrap(fault.Invalid, err, "The input does not fit a %s saga: %s.", r.Kind, misfit(err))
	}
	if data, err = def.begin(data); err != nil {
		return prepared{}, err
	}
	subjects, err := def.subjects(data)
	if err != nil {
		return prepared{}, err
	}
	now := e.now()
	rec := record{Saga: Saga{
		ID: ID(id.New("saga")), Kind: def.name, State: state, Direction: Forward, Want: WantRun, Subjects: subjects,
		Tenant: r.Tenant, RequestedBy: r.RequestedBy, IdempotencyKey: r.Key, CreatedAt: db.Time(db.Micros(now)), Data: data,
	}}
	for i, s := range def.steps {
		rec.Steps = append(rec.Steps, StepRow{Position: i, Name: s.name, State: StepPending, next: First})
	}
	p := prepared{def: def, rec: rec}
	if r.Key != "" {
		p.key = r.Scope
		if p.key == "" {
			p.key = "local"
		}
		sum := sha256.Sum256(append([]byte(r.Tenant+"\x00"), data...))
		p.hash = hex.EncodeToString(sum[:])
	}
	return p, nil
}

// record writes a prepared saga, or finds the one that answers its request.
func (e *Engine) record(ctx context.Context, tx *sql.Tx, p prepared) (Saga, bool, error) {
	if p.key != "" {
		var earlier ID
		var hash string
		err := tx.QueryRowContext(ctx, `SELECT saga_id, request_hash FROM saga_keys WHERE scope = $1 AND kind = $2 AND key = $3`,
			p.key, p.rec.Kind, p.rec.IdempotencyKey).Scan(&earlier, &hash)
		switch {
		case err == nil && hash != p.hash:
			return Saga{}, false, fault.New(fault.Unprocessable,
				"The idempotency key %q was used for %s with other input. Use another key for another request.", p.rec.IdempotencyKey, earlier)
		case err == nil:
			s, err := saga(ctx, tx, earlier)
			return s, true, err
		case !errors.Is(err, sql.ErrNoRows):
			return Saga{}, false, err
		}
	}
	if p.def.policy != Queue && len(p.rec.Subjects) > 0 {
		open, err := openOn(ctx, tx, p.rec.Subjects)
		if err != nil {
			return Saga{}, false, err
		}
		if open != "" {
			other, err := saga(ctx, tx, open)
			if err != nil {
				return Saga{}, false, err
			}
			if p.def.policy == Coalesce && other.Kind == p.rec.Kind && slices.Equal(other.Subjects, p.rec.Subjects) {
				return other, true, nil
			}
			return Saga{}, false, fault.New(fault.Conflict, "%s (%s) is %s on the same subject. Wait for it, or cancel it first.",
				other.ID, other.Kind, other.State)
		}
	}
	if err := insert(ctx, e.db, tx, p.rec); err != nil {
		return Saga{}, false, err
	}
	if p.key != "" {
		if _, err := tx.ExecContext(ctx, `INSERT INTO saga_keys (scope, kind, key, request_hash, saga_id) VALUES ($1, $2, $3, $4, $5)`,
			p.key, p.rec.Kind, p.rec.IdempotencyKey, p.hash, p.rec.ID); err != nil {
			return Saga{}, false, err
		}
	}
	if p.rec.State == Ready {
		if err := e.announce(ctx, tx, &p.rec); err != nil {
			return Saga{}, false, err
		}
	}
	return p.rec.clone().Saga, false, nil
}

// openOn answers an open saga that names one of the subjects.
func openOn(ctx context.Context, tx *sql.Tx, subjects []string) (open ID, err error) {
	in, args := list(1, subjects)
	err = tx.QueryRowContext(ctx, `SELECT s.id FROM saga_subjects x JOIN sagas s ON s.id = x.saga_id
		WHERE x.subject IN (`+in+`) AND s.state NOT IN ('completed', 'rolled_back') ORDER BY s.created_at, s.id LIMIT 1`, args...).Scan(&open)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return open, err
}

// announce wakes whoever can claim a saga that this transaction made due. r is its
// record, when it is fresh.
func (e *Engine) announce(ctx context.Context, tx *sql.Tx, r *record) error {
	e.db.AfterCommit(tx, func() {
		if r != nil {
			e.hint(*r)
			return
		}
		e.changed.tell()
		e.Wake()
	})
	return e.notify(ctx, tx)
}

// notify wakes other nodes, with the commit, when we are not serving or have no
// worker free.
func (e *Engine) notify(ctx context.Context, tx *sql.Tx) error {
	if e.serving.Load() && len(e.slots) < cap(e.slots) {
		return nil
	}
	return e.db.Notify(ctx, tx, wakeChannel)
}

// hint gives a fresh saga to our own dispatcher.
func (e *Engine) hint(r record) {
	e.changed.tell()
	if r.State != Ready {
		return
	}
	e.hinted.Store(r.ID, true)
	select {
	case e.hints <- r:
	default: // the next look at what is due finds it
		e.hinted.Delete(r.ID)
		e.Wake()
	}
}

// Start makes a created saga ready to run. Conflict when it is not `created`.
func (e *Engine) Start(ctx context.Context, sagaID ID, by Actor) (Saga, error) {
	return e.act(ctx, sagaID, "start", by, func(ctx context.Context, tx *sql.Tx, r *record) error {
		if r.State != Created {
			return refused("start", r.Saga, "only a created saga can be started")
		}
		_, err := tx.ExecContext(ctx, `UPDATE sagas SET state = 'ready', wake_at = `+db.Now+` WHERE id = $1 AND state = 'created'`, r.ID)
		return err
	})
}
