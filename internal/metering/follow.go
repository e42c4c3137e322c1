package metering

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/exact"
	"github.com/arcadia-cloud/arcadia/internal/inventory"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

// step is how many changes one transaction follows.
const step = 500

// errOvertaken says that another process followed the feed meanwhile.
var errOvertaken = errors.New("metering: another process followed the feed")

// Follow brings the lifetimes of resources up to the end of the inventory's feed, and
// returns how many changes it followed. Changes and cursor are written together: a
// crash loses nothing and counts nothing twice, and processes may follow at the same
// time.
func (s *Service) Follow(ctx context.Context) (followed int, err error) {
	for {
		n, err := s.followSome(ctx)
		if errors.Is(err, errOvertaken) {
			continue
		}
		if followed += n; err != nil || n < step {
			return followed, err
		}
	}
}

func (s *Service) followSome(ctx context.Context) (int, error) {
	last, err := readCursor(ctx, s.db.Read())
	if err != nil {
		return 0, err
	}
	changes, err := s.inventory.Changes(ctx, inventory.ChangeFilter{Follow: true, After: last, Limit: step})
	if err != nil || len(changes) == 0 {
		return 0, err
	}
	if first := changes[0].Seq; first > last+1 {
		s.log.WarnContext(ctx, "metering: changes of the inventory were forgotten before they were followed; "+
			"what they were about is followed from its next change on", "after", last, "before", first)
	}
	var names []inventory.VersionName
	of := make(map[string][]inventory.Change)
	for _, c := range changes {
		if k := inventory.KindNamed(c.Kind); k == nil || k.Sold || k.Link {
			continue // nothing that somebody has
		}
		if of[c.URN] == nil {
			names = append(names, inventory.VersionName{URN: c.URN, Version: c.Version})
		}
		of[c.URN] = append(of[c.URN], c)
	}
	for _, changes := range of {
		for _, c := range changes[1:] {
			names = append(names, inventory.VersionName{URN: c.URN, Version: c.Version})
		}
	}
	versions, err := s.inventory.NamedVersions(ctx, names)
	if err != nil {
		return 0, err
	}
	tenures := make(map[string][]inventory.Tenure, len(of))
	for urn := range of {
		if tenures[urn], err = s.inventory.Tenures(ctx, urn); err != nil {
			return 0, err
		}
	}
	return len(changes), s.db.Write(ctx, func(tx *sql.Tx) error {
		if err := moveCursor(ctx, tx, last, changes[len(changes)-1].Seq); err != nil {
			return err
		}
		var rows, urns, past [][]any
		at := time.Now()
		for urn, changes := range of {
			had, err := livesOf(ctx, tx, urn)
			if err != nil {
				return err
			}
			now := stages(had)
			for _, c := range changes {
				now = after(now, c, versions[inventory.VersionName{URN: urn, Version: c.Version}])
			}
			urns = append(urns, []any{urn})
			known, replaced := learn(had, lives(urn, now, tenures[urn]), at)
			for _, l := range known {
				rows = append(rows, lifeRow(l))
			}
			for _, l := range replaced {
				past = append(past, pastRow(l))
			}
		}
		return s.db.Pipeline(ctx, tx, db.Statement{Bulk: deleteLives, Rows: urns}, db.Statement{Bulk: insertLives, Rows: rows}, db.Statement{Bulk: insertPast, Rows: past})
	})
}

func readCursor(ctx context.Context, q db.Queryer) (last int64, err error) {
	err = q.QueryRowContext(ctx, `SELECT last FROM usage_cursor WHERE id = 1`).Scan(&last)
	return last, err
}

// moveCursor moves the cursor unless somebody else did.
func moveCursor(ctx context.Context, tx *sql.Tx, from, to int64) error {
	res, err := tx.ExecContext(ctx, `UPDATE usage_cursor SET last = $2 WHERE id = 1 AND last = $1`, from, to)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return errors.Join(err, errOvertaken)
	}
	return nil
}

const lifeColumns = `urn, began_at, ended_at, began_seq, began_earliest, began_by, ended_earliest, ended_by, account, kind, size, status, monthly, tenant_id, known_at`

func lifeRow(l Life) []any {
	var monthly, of any
	if !l.Unpriced {
		monthly = l.PriceMonthly.Units(6).Int64()
	}
	if l.Tenant != "" {
		of = string(l.Tenant)
	}
	return []any{
		l.URN, db.Micros(l.From), nullTime(l.To), l.Seq, nullTime(l.Began.Earliest), l.Began.By, nullTime(l.Ended.Earliest), l.Ended.By,
		l.Account, l.Kind, l.Size, l.Status, monthly, of, db.Micros(l.RecordedAt),
	}
}

var (
	deleteLives = db.NewBulk(`DELETE FROM usage_lifetimes WHERE urn IN (SELECT urn FROM given)`, db.Column{Name: "urn"})

	insertLives = db.NewBulk(`INSERT INTO usage_lifetimes (`+lifeColumns+`) SELECT `+lifeColumns+` FROM given`,
		db.Column{Name: "urn"}, db.Column{Name: "began_at", Type: db.Integer}, db.Column{Name: "ended_at", Type: db.Integer},
		db.Column{Name: "began_seq", Type: db.Integer}, db.Column{Name: "began_earliest", Type: db.Integer}, db.Column{Name: "began_by"},
		db.Column{Name: "ended_earliest", Type: db.Integer}, db.Column{Name: "ended_by"}, db.Column{Name: "account"}, db.Column{Name: "kind"},
		db.Column{Name: "size"}, db.Column{Name: "status"}, db.Column{Name: "monthly", Type: db.Integer}, db.Column{Name: "tenant_id"},
		db.Column{Name: "known_at", Type: db.Integer})
)

func livesOf(ctx context.Context, q db.Queryer, urn string) ([]Life, error) {
	return readLives(ctx, q, `urn = $1`, 0, urn)
}

// readLives reads so many lives, all where limit is 0.
func readLives(ctx context.Context, q db.Queryer, where string, limit int, args ...any) (all []Life, err error) {
	query := `SELECT ` + lifeColumns + ` FROM usage_lifetimes WHERE ` + where + ` ORDER BY urn, began_at`
	if limit > 0 {
		query += fmt.Sprintf(" LIMIT %d", limit)
	}
	err = db.Each(ctx, q, func(rows *sql.Rows) error {
		var (
			l                        Life
			from, known              int64
			to, beganFrom, endedFrom db.NullTime
			monthly                  sql.NullInt64
			of                       sql.NullString
		)
		err := rows.Scan(&l.URN, &from, &to, &l.Seq, &beganFrom, &l.Began.By, &endedFrom, &l.Ended.By, &l.Account, &l.Kind, &l.Size, &l.Status, &monthly, &of, &known)
		l.From, l.To, l.Began.Earliest, l.Ended.Earliest = db.Time(from), to.Time, beganFrom.Time, endedFrom.Time
		l.RecordedAt = db.Time(known)
		l.Unpriced, l.Tenant = !monthly.Valid, tenant.ID(of.String)
		l.PriceMonthly = exact.Whole(monthly.Int64).Shift(-6)
		all = append(all, l)
		return err
	}, query, args...)
	return all, err
}
