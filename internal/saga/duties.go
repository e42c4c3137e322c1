package saga

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/fault"
)

// attend tells the other nodes which kinds this one knows, and finds due sagas
// whose kind no live node knows, until ctx is done.
func (e *Engine) attend(ctx context.Context) {
	every := max(e.o.UnknownKind/20, 20*time.Millisecond)
	t := time.NewTimer(0)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		if err := e.sayHere(ctx); err == nil {
			err = e.strandUnknown(ctx)
			if err != nil && ctx.Err() == nil {
				e.o.Logger.Error("look for sagas of unknown kinds", "err", err)
			}
		} else if ctx.Err() == nil {
			e.o.Logger.Error("tell the other nodes of this one", "err", err)
		}
		t.Reset(every)
	}
}

func (e *Engine) sayHere(ctx context.Context) error {
	if e.o.Sole {
		return nil
	}
	kinds, err := json.Marshal(slices.Sorted(maps.Keys(e.kinds)))
	if err != nil {
		return err
	}
	return e.db.WriteFenced(ctx, e.node, func(tx *sql.Tx) error {
		// Of nodes that have been gone for long nobody asks any more.
		if _, err := tx.ExecContext(ctx, `DELETE FROM saga_nodes WHERE seen_at < `+db.Now+` - $1`, (10 * e.o.UnknownKind).Microseconds()); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO saga_nodes (id, seen_at, kinds) VALUES ($1, `+db.Now+`, $2)
			ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at, kinds = excluded.kinds`, e.node, string(kinds))
		return err
	})
}

// strandUnknown makes sagas `stuck` that have been due for UnknownKind while no
// node that was seen in that time knew their kind. A sole engine knows at once.
func (e *Engine) strandUnknown(ctx context.Context) error {
	grace := e.o.UnknownKind
	if e.o.Sole {
		grace = 0
	}
	ids, err := texts(ctx, e.db.Read(), `SELECT id FROM sagas WHERE `+dueAt+` <= $1 ORDER BY `+dueAt+` LIMIT $2`,
		db.Micros(e.now().Add(-grace)), batch)
	if err != nil {
		return err
	}
	for _, s := range ids {
		r, err := find(ctx, e.db.Read(), ID(s))
		if err != nil {
			return err
		}
		if e.knows(r) {
			continue
		}
		known, err := e.knownElsewhere(ctx, r.Kind, grace)
		if err != nil {
			return err
		}
		if known {
			continue
		}
		if err := e.strand(ctx, r); err != nil && !errors.Is(err, errStale) {
			return err
		}
	}
	return nil
}

func (e *Engine) knownElsewhere(ctx context.Context, kind string, within time.Duration) (bool, error) {
	if e.o.Sole {
		return false, nil
	}
	lists, err := texts(ctx, e.db.Read(), `SELECT CAST(kinds AS TEXT) FROM saga_nodes WHERE id <> $1 AND seen_at > `+db.Now+` - $2`,
		e.node, within.Microseconds())
	if err != nil {
		return false, err
	}
	for _, l := range lists {
		var kinds []string
		if err := json.Unmarshal([]byte(l), &kinds); err != nil {
			return false, err
		}
		if slices.Contains(kinds, kind) {
			return true, nil
		}
	}
	return false, nil
}

// strand makes a saga stuck whose kind nobody knows. It stays as it is otherwise:
// a node that knows the kind can retry it.
func (e *Engine) strand(ctx context.Context, r record) error {
	return e.db.WriteFenced(ctx, string(r.ID), func(tx *sql.Tx) error {
		c := &change{rec: r.clone(), now: e.now()}
		c.rec.Epoch++
		c.rec.Error = errorOf(fault.New(fault.Conflict, "No running node knows every step of saga kind %s. Start one that does, then retry the saga.", r.Kind))
		c.rest(Stuck, time.Time{}, "")
		c.event("stuck", "", c.rec.Error)
		return e.writeOne(ctx, tx, &write{prev: r, change: c, guard: dueMay})
	})
}

// Lead calls duty while this engine holds the lease called name, which one engine
// at a time does. duty's context ends when the lease is lost. Lead returns when
// ctx is done. lease is how long a dead holder keeps the others waiting.
func (e *Engine) Lead(ctx context.Context, name string, lease time.Duration, duty func(context.Context)) {
	every := lease / 3
	t := time.NewTimer(0)
	defer t.Stop()
	var until time.Time // while now is before it, the duty is ours
	end := func() {}
	defer func() { end() }()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		sent := time.Now()
		mine := sent.Before(until)
		held, err := e.takeDuty(ctx, name, lease)
		switch {
		case err == nil && held:
			until = sent.Add(lease - every)
		case err == nil || !time.Now().Before(until):
			until = time.Time{}
		}
		switch {
		case until.IsZero():
			end()
			end = func() {}
		case !mine:
			end()
			end = begin(ctx, duty)
		}
		t.Reset(every)
	}
}

// begin runs duty until the returned function is called, which waits for its end.
func begin(ctx context.Context, duty func(context.Context)) (end func()) {
	work, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		duty(work)
	}()
	return sync.OnceFunc(func() {
		stop()
		<-done
	})
}

func (e *Engine) takeDuty(ctx context.Context, name string, lease time.Duration) (held bool, err error) {
	err = e.db.WriteFenced(ctx, name, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `INSERT INTO saga_duties (name, lease_owner, lease_until) VALUES ($1, $2, `+db.Now+` + $3)
			ON CONFLICT (name) DO UPDATE SET lease_owner = excluded.lease_owner, lease_until = excluded.lease_until
			WHERE saga_duties.lease_owner = $2 OR saga_duties.lease_until <= `+db.Now, name, e.node, lease.Microseconds())
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		held = n == 1
		return err
	})
	return held, err
}

// A Sweep is a look for what a saga left behind, due some time after its end
// because a request of it once had an unknown outcome.
type Sweep struct {
	Saga Saga
	Turn int // from 0
}

// Swept is how long after a saga's end its last sweep is due; 0: none ever is.
func (e *Engine) Swept() time.Duration {
	last := time.Duration(0)
	for _, after := range e.o.Sweeps {
		last = max(last, after)
	}
	return last
}

// DueSweeps lists sweeps of these kinds that are due, the longest due first.
func (e *Engine) DueSweeps(ctx context.Context, limit int, kinds ...string) ([]Sweep, error) {
	in, args := list(3, kinds)
	rows, err := e.db.Read().QueryContext(ctx, `SELECT w.saga_id, w.turn FROM saga_sweeps w JOIN sagas s ON s.id = w.saga_id
		WHERE w.done_at IS NULL AND w.due_at <= $1 AND s.kind IN (`+in+`) ORDER BY w.due_at LIMIT $2`,
		append([]any{db.Micros(e.now()), limit}, args...)...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var sweeps []Sweep
	for rows.Next() {
		var w Sweep
		if err := rows.Scan(&w.Saga.ID, &w.Turn); err != nil {
			return nil, err
		}
		sweeps = append(sweeps, w)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	for i := range sweeps {
		if sweeps[i].Saga, err = e.Saga(ctx, sweeps[i].Saga.ID); err != nil {
			return nil, err
		}
	}
	return sweeps, nil
}

// SweepDone records that a sweep was made, with what it removed, and what it left though
// it may be the saga's.
func (e *Engine) SweepDone(ctx context.Context, w Sweep, removed []string, left ...string) error {
	return e.db.WriteFenced(ctx, string(w.Saga.ID), func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `UPDATE saga_sweeps SET done_at = `+db.Now+` WHERE saga_id = $1 AND turn = $2`, w.Saga.ID, w.Turn); err != nil {
			return err
		}
		seq, err := numberEvent(ctx, tx, w.Saga.ID)
		if err != nil {
			return err
		}
		swept := map[string]any{"turn": w.Turn, "removed": removed}
		if len(left) > 0 {
			swept["left"] = left
		}
		detail, err := json.Marshal(swept)
		if err != nil {
			return err
		}
		return e.addEvent(ctx, tx, record{Saga: w.Saga}, seq, Event{Type: "swept", At: e.now(), Detail: detail})
	})
}
