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
		_, err = e.writeChange(ctx, tx, &change{rec: r.clone(), now: e.now(), owned: true},
			rowWrite{prev: r, guard: ownerMay, owner: k.Owner, lease: e.o.Lease, keep: staying})
		return err
	})
	if errors.Is(err, errStale) {
		return true, nil
	}
	return false, err
}
