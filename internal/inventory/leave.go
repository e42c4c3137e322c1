package inventory

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
)

// Unobserved is what shows the end of a resource whose account was removed: nobody
// knows whether it exists, and nobody looks.
const Unobserved = "unobserved"

// leaveRemoved ends the observation of accounts that were removed.
func (s *Service) leaveRemoved(ctx context.Context) error {
	if s.settings.Kept == nil {
		return nil
	}
	kept, err := s.settings.Kept(ctx)
	if err != nil {
		return err
	}
	var left []string
	err = db.Each(ctx, s.db.Read(), func(rows *sql.Rows) error {
		var account string
		err := rows.Scan(&account)
		if !slices.Contains(kept, account) {
			left = append(left, account)
		}
		return err
	}, `SELECT DISTINCT account FROM inv_heads`)
	for _, account := range left {
		err = errors.Join(err, s.leave(ctx, account))
	}
	return err
}

// leave ends the observation of an account: what it has counts for nothing from now on
// and is kept as it was last. Where the account comes back, its resources go on.
func (s *Service) leave(ctx context.Context, account string) error {
	var names []string
	err := db.Each(ctx, s.db.Read(), func(rows *sql.Rows) error {
		var name string
		err := rows.Scan(&name)
		names = append(names, name)
		return err
	}, `SELECT DISTINCT kind FROM inv_resources WHERE account = $1 AND ended_to IS NULL`, account)
	if err != nil {
		return err
	}
	now, ended := s.Now(account), 0
	for _, name := range names {
		k := KindNamed(name)
		if k == nil {
			k = &Kind{Name: name} // of another version of this program
		}
		have, err := s.keptOf(ctx, k)
		if err != nil {
			return err
		}
		var edits []edit
		for _, old := range have {
			if old.account != account || old.gone {
				continue
			}
			e := edit{found: found{kind: k, urn: old.urn, id: old.id}, old: old, endBy: Unobserved}
			e.change = Change{
				Type: Deleted, URN: old.urn, Account: account, Kind: name, Version: old.version + 1, Name: old.name, After: now, At: now, Seen: now,
				Cause: Cause{Type: ByOperator, Actor: "the removal of account " + account},
			}
			if !now.After(old.at) {
				e.change.At = old.at.Add(time.Microsecond) // versions of one resource follow each other
				e.change.After = e.change.At
			}
			edits = append(edits, e)
		}
		for part := range slices.Chunk(edits, chunk) {
			if err := s.db.Write(ctx, func(tx *sql.Tx) error { return s.writeEdits(ctx, tx, account, k, part) }); err != nil {
				return err
			}
		}
		ended += len(edits)
	}
	// With the heads the account is as one that was never looked at.
	err = s.db.Write(ctx, func(tx *sql.Tx) error {
		for _, query := range []string{`DELETE FROM inv_findings WHERE account = $1`, `DELETE FROM inv_heads WHERE account = $1`} {
			if _, err := tx.ExecContext(ctx, query, account); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.mu.Lock()
	delete(s.lookouts, account)
	delete(s.clocks, account)
	s.mu.Unlock()
	s.log.InfoContext(ctx, "inventory: an account was removed and is no longer observed", "account", account, "resources", ended)
	return nil
}
