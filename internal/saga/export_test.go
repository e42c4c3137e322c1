package saga

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// SetSkew makes the clock of this engine's node differ from the others'.
func (e *Engine) SetSkew(d time.Duration) { e.skew = d }

// A Knowledge is what a writer of a saga's ledger believes of its row.
type Knowledge struct {
	Epoch, Rev int64
	Want       Want
	Owner      string
}

// WriteKnowing writes the saga's ledger as its owner does, staying at its step or
// moving on, by a writer who believes what tell makes of the truth. It reports
// whether the write was refused as stale.
func (e *Engine) WriteKnowing(ctx context.Context, id ID, staying bool, tell func(*Knowledge)) (refused bool, err error) {
	err = e.db.WriteFenced(ctx, string(id), func(tx *sql.Tx) error {
		r, err := find(ctx, tx, id)
		if err != nil {
			return err
		}
		k := Knowledge{r.Epoch, r.Rev, r.Want, r.leaseOwner}
		tell(&k)
		r.Epoch, r.Rev, r.Want = k.Epoch, k.Rev, k.Want
		return e.writeOne(ctx, tx, &write{
			prev: r, change: &change{rec: r.clone(), now: e.now(), owned: true},
			guard: ownerMay, owner: k.Owner, lease: e.o.Lease, keep: staying,
		})
	})
	if errors.Is(err, errStale) {
		return true, nil
	}
	return false, err
}

// WriteTogether writes the ledgers of sagas that nobody owns in one go, each with an
// event and its first step skipped; of those in mistaken the writer knows an older
// rev. It reports which were written.
func (e *Engine) WriteTogether(ctx context.Context, mistaken map[ID]bool, ids ...ID) (written map[ID]bool, err error) {
	written = map[ID]bool{}
	return written, e.db.WriteFenced(ctx, "", func(tx *sql.Tx) error {
		var writes []*write
		for _, id := range ids {
			r, err := find(ctx, tx, id)
			if err != nil {
				return err
			}
			c := &change{rec: r.clone(), now: e.now()}
			c.step().State = StepSkipped
			c.event("told", "", nil)
			if mistaken[id] {
				r.Rev--
			}
			writes = append(writes, &write{prev: r, change: c, guard: idleMay})
		}
		if err := e.writeAll(ctx, tx, writes); err != nil {
			return err
		}
		for _, w := range writes {
			written[w.prev.ID] = w.written
		}
		return nil
	})
}
