package inventory

import (
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
)

// Versions keep what they cost a month, for searches and sums, by the price book of the
// day from which they count. A price that changes while a version is in force begins
// another version, of the same document; another book corrects the versions that there
// are.

// lateList is how long a list may take to show what was there when a price changed.
const lateList = 2 * time.Hour

// mark tells what prices count at a time from those that count at another, or in
// another book.
func (b *Book) mark(at time.Time) string {
	counted, late := 0, 0
	sum := sha256.New()
	for _, sku := range b.SKUs() {
		for _, p := range b.prices[sku] {
			fmt.Fprintln(sum, p.SKU, p.Monthly, p.From.Unix())
			if !p.From.After(at) {
				counted++
			}
			if !p.From.After(at.Add(-lateList)) {
				late++
			}
		}
	}
	return fmt.Sprintf("%s %d %d", hex.EncodeToString(sum.Sum(nil)[:8]), counted, late)
}

// begins are the times after one and until another from which some of the charges have
// another price, in their order.
func (b *Book) begins(charges []Charge, after, until time.Time) (all []time.Time) {
	for _, c := range charges {
		for _, p := range b.prices[c.SKU] {
			if !c.Listed && p.From.After(after) && !p.From.After(until) {
				all = append(all, p.From)
			}
		}
	}
	slices.SortFunc(all, time.Time.Compare)
	return all
}

// A repriced is a version that costs something else than it says, or from a time on.
type repriced struct {
	urn     string
	version int64
	from    int64 // of the version that follows it; 0: the version itself is corrected
	monthly any   // micro-dollars; nil: a part has no price
}

// reprice has all versions say what they cost by the price book, if that or what counts
// of it is not what they were priced by.
func (s *Service) reprice(ctx context.Context) error {
	s.pricing.Lock()
	defer s.pricing.Unlock()
	mark := Prices().mark(s.Now(""))
	if s.pricedBy == mark {
		return nil
	}
	var by string
	if err := s.db.Read().QueryRowContext(ctx, `SELECT book FROM inv_feed WHERE id = 1`).Scan(&by); err != nil {
		return err
	}
	for by != mark {
		wrong, err := s.mispriced(ctx)
		if err != nil {
			return err
		}
		again := false // what follows another version may be followed by a third
		for part := range slices.Chunk(wrong, chunk) {
			if err := s.writePrices(ctx, part); err != nil {
				return err
			}
			again = again || slices.ContainsFunc(part, func(r repriced) bool { return r.from > 0 })
		}
		if again {
			continue
		}
		err = s.db.Write(ctx, func(tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, `UPDATE inv_feed SET book = $1, epoch = epoch + 1 WHERE id = 1`, mark)
			return err
		})
		if err != nil {
			return err
		}
		by = mark
	}
	s.pricedBy = mark
	return nil
}

// mispriced are the versions whose price is not that of the book.
func (s *Service) mispriced(ctx context.Context) (wrong []repriced, err error) {
	now := s.Now("")
	err = db.Each(ctx, s.db.Read(), func(rows *sql.Rows) error {
		var (
			r            repriced
			kind, parent string
			at           int64
			current      bool
			monthly      sql.NullInt64
			doc          string
		)
		if err := rows.Scan(&r.urn, &r.version, &kind, &parent, &at, &current, &monthly, &doc); err != nil {
			return err
		}
		k := KindNamed(kind)
		if k == nil || k.Charges == nil || k.Sold || k.Link {
			return nil
		}
		d, err := ParseDoc([]byte(doc))
		if err != nil {
			return fmt.Errorf("inventory: version %d of %s: %w", r.version, r.urn, err)
		}
		d.Parent = parent
		is := monthlyOf(k, d, db.Time(at))
		if is != monthly {
			one := r
			one.monthly = anyMicros(is)
			wrong = append(wrong, one)
		}
		if !current {
			return nil
		}
		for _, from := range Prices().begins(k.Charges(d), db.Time(at), now) {
			if then := monthlyOf(k, d, from); then != is {
				r.from, r.monthly = db.Micros(from), anyMicros(then)
				wrong = append(wrong, r)
				break // the next one follows from the new version
			}
		}
		return nil
	}, `SELECT v.urn, v.version, v.kind, r.parent, v.at, v.until IS NULL, v.monthly, v.doc FROM inv_versions v
		JOIN inv_resources r ON r.urn = v.urn WHERE NOT v.gone AND v.doc IS NOT NULL`)
	slices.SortFunc(wrong, func(a, b repriced) int { return cmp.Or(cmp.Compare(a.urn, b.urn), cmp.Compare(a.version, b.version)) })
	return wrong, err
}

func monthlyOf(k *Kind, d Doc, at time.Time) sql.NullInt64 {
	micros, ok := Prices().monthlyMicros(k, d, at)
	return sql.NullInt64{Int64: micros, Valid: ok}
}

func anyMicros(n sql.NullInt64) any {
	if !n.Valid {
		return nil
	}
	return n.Int64
}

// writePrices writes prices into versions, and versions that follow.
func (s *Service) writePrices(ctx context.Context, part []repriced) error {
	var corrected, followed [][]any
	for _, r := range part {
		if r.from == 0 {
			corrected = append(corrected, []any{r.urn, r.version, r.monthly})
		} else {
			followed = append(followed, []any{r.urn, r.version, r.from, r.monthly})
		}
	}
	return s.db.Write(ctx, func(tx *sql.Tx) error {
		moved := 0
		err := s.db.Pipeline(ctx, tx,
			db.Statement{Bulk: correctPrices, Rows: corrected},
			db.Statement{Bulk: moveOn, Rows: followed, Answer: func(scan func(...any) error) error {
				var urn string
				moved++
				return scan(&urn)
			}},
			db.Statement{Bulk: followVersions, Rows: followed},
			db.Statement{Bulk: endFollowed, Rows: followed})
		if err == nil && moved != len(followed) {
			err = errSuperseded // the next run looks again
		}
		return err
	})
}

var (
	followColumns = []db.Column{
		{Name: "urn"}, {Name: "version", Type: db.Integer}, {Name: "since", Type: db.Integer}, {Name: "monthly", Type: db.Integer},
	}

	correctPrices = db.NewBulk(`UPDATE inv_versions SET monthly = given.monthly FROM given
		WHERE inv_versions.urn = given.urn AND inv_versions.version = given.version`,
		db.Column{Name: "urn"}, db.Column{Name: "version", Type: db.Integer}, db.Column{Name: "monthly", Type: db.Integer})

	moveOn = db.NewBulk(`UPDATE inv_resources SET version = given.version + 1, last_changed = given.since FROM given
		WHERE inv_resources.urn = given.urn AND inv_resources.version = given.version RETURNING inv_resources.urn`, followColumns...)

	followVersions = db.NewBulk(`INSERT INTO inv_versions (urn, version, at, account, kind, id, gone, name, region, status, size, project, tags,
			tag_lines, words, monthly, created_at, doc)
		SELECT v.urn, v.version + 1, given.since, v.account, v.kind, v.id, v.gone, v.name, v.region, v.status, v.size, v.project, v.tags,
			v.tag_lines, v.words, given.monthly, v.created_at, v.doc
		FROM given JOIN inv_versions v ON v.urn = given.urn AND v.version = given.version`, followColumns...)

	endFollowed = db.NewBulk(`UPDATE inv_versions SET until = given.since FROM given
		WHERE inv_versions.urn = given.urn AND inv_versions.version = given.version`, followColumns...)
)
