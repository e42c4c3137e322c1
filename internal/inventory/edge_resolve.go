package inventory

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"sync"

	"github.com/arcadia-cloud/arcadia/internal/db"
)

// resolved is what relateAll knows of an account from the last time. A version
// never changes, so that what was read of one stays true whoever writes others.
type resolved struct {
	mu     sync.Mutex
	upTo   int64 // of the feed; -1: never
	things map[string]thing
}

// relateAll brings into order the edges of an account that lead to tags and
// addresses, by the documents that are in force. Nothing is read where nothing has
// changed since.
func (s *Service) relateAll(ctx context.Context, account string) error {
	r := s.resolvedOf(account)
	r.mu.Lock()
	defer r.mu.Unlock()
	end, err := s.FeedEnd(ctx) // before the documents: what comes meanwhile is for the next time
	if err != nil || end == r.upTo {
		return err
	}
	if err := s.refresh(ctx, account, r); err != nil {
		return err
	}
	things := make([]thing, 0, len(r.things))
	for _, t := range r.things {
		things = append(things, t)
	}
	want := resolve(things)
	have, err := s.looseTies(ctx, r.things)
	if err != nil {
		return err
	}
	var remove, add [][]any
	for _, t := range have {
		if _, found := slices.BinarySearchFunc(want, t, tie.compare); !found {
			remove = append(remove, t.row())
		}
	}
	for _, t := range want {
		if i, found := slices.BinarySearchFunc(have, t, tie.compare); !found || have[i].first != t.first {
			add = append(add, t.row())
		}
	}
	if err := s.changeEdges(ctx, remove, add); err != nil {
		return err
	}
	r.upTo = end
	return nil
}

func (s *Service) resolvedOf(account string) *resolved {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.related[account]
	if r == nil {
		r = &resolved{upTo: -1, things: map[string]thing{}}
		s.related[account] = r
	}
	return r
}

func (s *Service) changeEdges(ctx context.Context, remove, add [][]any) error {
	for len(remove)+len(add) > 0 {
		gone, come := remove[:min(chunk, len(remove))], add[:min(chunk, len(add))]
		err := s.db.Write(ctx, func(tx *sql.Tx) error {
			return s.db.Pipeline(ctx, tx, db.Statement{Bulk: deleteEdges, Rows: gone}, db.Statement{Bulk: insertEdges, Rows: come})
		})
		if err != nil {
			return err
		}
		remove, add = remove[len(gone):], add[len(come):]
	}
	return nil
}

// refresh reads the documents that have come into force since r was last read.
func (s *Service) refresh(ctx context.Context, account string, r *resolved) error {
	current := map[string]int64{}
	rows, err := s.db.Read().QueryContext(ctx,
		`SELECT urn, version FROM inv_versions WHERE account = $1 AND until IS NULL AND NOT gone`, account)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var urn string
		var version int64
		if err := rows.Scan(&urn, &version); err != nil {
			return err
		}
		current[urn] = version
	}
	if err := rows.Err(); err != nil {
		return err
	}
	var stale []string
	for urn, version := range current {
		if t, known := r.things[urn]; !known || t.version != version {
			stale = append(stale, urn)
		}
	}
	for urn := range r.things {
		if _, there := current[urn]; !there {
			delete(r.things, urn)
		}
	}
	for part := range slices.Chunk(stale, chunk) {
		err := s.readThings(ctx, `v.until IS NULL AND NOT v.gone AND v.urn IN (`+places(len(part), 1)+`)`, anys(part), func(t thing) { r.things[t.urn] = t })
		if err != nil {
			return err
		}
	}
	return nil
}

// readThings reads versions with their documents.
func (s *Service) readThings(ctx context.Context, condition string, args []any, tell func(thing)) error {
	rows, err := s.db.Read().QueryContext(ctx, `SELECT v.urn, v.kind, v.version, r.parent, v.doc FROM inv_versions v
		JOIN inv_resources r ON r.urn = v.urn WHERE `+condition, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var (
			urn, kind, parent string
			version           int64
			doc               []byte
		)
		if err := rows.Scan(&urn, &kind, &version, &parent, &doc); err != nil {
			return err
		}
		k := KindNamed(kind)
		if k == nil {
			continue // of another version of this program
		}
		d, err := ParseDoc(doc)
		if err != nil {
			return fmt.Errorf("inventory: version %d of %s: %w", version, urn, err)
		}
		d.Parent = parent
		tell(newThing(k, urn, version, d))
	}
	return rows.Err()
}

// looseTies are the stored ties of those that have loose edges, in order.
func (s *Service) looseTies(ctx context.Context, things map[string]thing) (ties []tie, err error) {
	var owners []string
	for urn, t := range things {
		if len(t.loose) > 0 {
			owners = append(owners, urn)
		}
	}
	for part := range slices.Chunk(owners, chunk) {
		more, err := s.ties(ctx, `owner IN (`+places(len(part), 1)+`)`, anys(part)...)
		if err != nil {
			return nil, err
		}
		ties = append(ties, more...)
	}
	slices.SortFunc(ties, tie.compare)
	return ties, nil
}

// ties are the stored ties that meet a condition.
func (s *Service) ties(ctx context.Context, condition string, args ...any) (ties []tie, err error) {
	rows, err := s.db.Read().QueryContext(ctx, `SELECT owner, source, type, target, "first" FROM inv_edges WHERE `+condition, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var t tie
		if err := rows.Scan(&t.owner, &t.source, &t.kind, &t.target, &t.first); err != nil {
			return nil, err
		}
		ties = append(ties, t)
	}
	return ties, rows.Err()
}

// places are so many parameters of a statement, from $first on.
func places(n, first int) string {
	text := make([]byte, 0, 5*n)
	for i := range n {
		text = fmt.Appendf(text, ", $%d", first+i)
	}
	return string(text[2:])
}

func anys[T any](list []T) []any {
	all := make([]any, len(list))
	for i, v := range list {
		all[i] = v
	}
	return all
}
