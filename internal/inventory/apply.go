package inventory

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
)

// chunk is how many resources one transaction changes: the embedded database has
// one writer, and sagas want it too.
const chunk = 500

// maxAsked is how many absent resources one listing asks for by their ids; the
// others are asked for by the next one.
const maxAsked = 200

// A kept is what the database has of a resource.
type kept struct {
	urn, id, parent string
	account         string
	version         int64
	hash            string
	name            string
	at              time.Time // from when on the current version is in force
	missingSince    time.Time // ours
	missingFrom     time.Time
	missingTo       time.Time
	gone            bool
}

// An edit is one change of a resource that is to be written.
type edit struct {
	change Change
	found  found // what it is now; only kind, urn and id of one that is gone
	old    kept  // zero for a new one
	born   [2]time.Time
	bornBy string
	endBy  string
}

// errSuperseded says that a list that was begun later has been applied already.
var errSuperseded = errors.New("a later list was applied first")

// apply compares what was listed with what is kept, and writes what is different.
func (s *Service) apply(ctx context.Context, c *digitalocean.Client, account string, k *Kind, r reading, g *Generation) (err error) {
	h, err := s.head(ctx, account, k.Name)
	if err != nil {
		return err
	}
	have, err := s.keptOf(ctx, k)
	if err != nil {
		return err
	}
	w := window{
		from: h.asOf, to: r.at, ourFrom: h.beganAt, ourTo: time.Now(), patience: s.settings.Horizon, firstSight: h.firstAsOf.IsZero(),
	}
	var edits []edit
	var present []string // were missing and are not
	listed := make(map[string]bool, len(r.items))
	for _, f := range r.items {
		listed[f.urn] = true
		old, known := have[f.urn]
		switch {
		case !known:
			edits = append(edits, edit{change: Change{Type: Created}, found: f})
		case old.gone:
			edits = append(edits, edit{change: Change{Type: Reappeared}, found: f, old: old})
		case old.hash != f.hash || old.account != account:
			edits = append(edits, edit{change: Change{Type: Updated}, found: f, old: old})
		case !old.missingSince.IsZero():
			present = append(present, f.urn)
		}
	}
	for i := range edits {
		if err := edits[i].found.open(account); err != nil {
			return err
		}
	}
	absent, err := s.absent(ctx, c, account, k, r, have, listed)
	if err != nil {
		return err
	}
	for _, old := range absent.gone {
		edits = append(edits, edit{change: Change{Type: Deleted}, found: found{kind: k, urn: old.urn, id: old.id, parent: old.parent}, old: old})
	}
	present = append(present, absent.hidden...)
	if err := s.explain(ctx, edits, account, w, r); err != nil {
		return err
	}
	g.tell(edits)
	for begin := 0; begin == 0 || begin < len(edits); begin += chunk {
		part := edits[begin:min(begin+chunk, len(edits))]
		last := begin+chunk >= len(edits)
		err := s.db.Write(ctx, func(tx *sql.Tx) error {
			if err := stillNewest(ctx, tx, account, k, r.began); err != nil {
				return err
			}
			if err := s.writeEdits(ctx, tx, account, k, part); err != nil || !last {
				return err
			}
			if err := markMissing(ctx, tx, s.db, present, absent.missing, r, h); err != nil {
				return err
			}
			return writeGeneration(ctx, tx, *g)
		})
		if db.IsUnique(err) {
			return errSuperseded // another list of the kind wrote the same versions first
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// An absence is what a listing lacks.
type absence struct {
	missing []string // for the first time: the list may only hide it
	gone    []kept   // a horizon ago too, and asked for by its id it is not there
	hidden  []string // there after all
}

// absent judges what is kept and was not listed. A list that is not whole says
// nothing about what it lacks.
func (s *Service) absent(ctx context.Context, c *digitalocean.Client, account string, k *Kind, r reading, have map[string]kept, listed map[string]bool) (a absence, err error) {
	if !r.complete || r.under != nil && k.Get == "" {
		return a, nil // what moved to a parent that was not looked under is not gone
	}
	asked := 0
	for urn, old := range have {
		if old.gone || old.account != account || listed[urn] || r.under != nil && !contains(r.under, old.parent) {
			continue
		}
		if old.missingSince.IsZero() {
			a.missing = append(a.missing, urn)
			continue
		}
		if r.began.Sub(old.missingSince) < s.settings.Horizon {
			continue
		}
		if k.Get != "" {
			if asked++; asked > maxAsked {
				continue
			}
			f, err := s.document(ctx, c, account, k, old.parent, old.id)
			if ctx.Err() != nil {
				return a, err
			}
			if err != nil {
				s.log.WarnContext(ctx, "inventory: whether a missing resource exists could not be asked", "urn", urn, "err", err)
				continue
			}
			if f != nil {
				s.log.WarnContext(ctx, "inventory: a list lacks what exists", "urn", urn)
				a.hidden = append(a.hidden, urn)
				continue
			}
		}
		a.gone = append(a.gone, old)
	}
	return a, nil
}

// explain gives every edit its cause, its times and what is different.
func (s *Service) explain(ctx context.Context, edits []edit, account string, w window, r reading) error {
	if len(edits) == 0 {
		return nil
	}
	why, err := s.call(ctx, account, w, edits)
	if err != nil {
		return err
	}
	before, err := s.documentsOf(ctx, edits)
	if err != nil {
		return err
	}
	for i := range edits {
		e := &edits[i]
		k := e.found.kind
		var fields []Field
		if e.change.Type == Updated {
			if fields, err = Diff(k, before[e.found.urn], e.found.kept); err != nil {
				return err
			}
		}
		cause, exactly := why.cause(e, fields)
		e.change.URN, e.change.Account, e.change.Kind = e.found.urn, account, k.Name
		e.change.Version, e.change.Cause, e.change.Name = e.old.version+1, cause, e.found.look.Name
		e.change.After, e.change.At, e.change.Seen = w.from, r.at, r.at
		if e.change.Type == Deleted {
			e.change.Name, e.change.After, e.change.At = e.old.name, e.old.missingFrom, e.old.missingTo
		}
		if !exactly.IsZero() && !exactly.After(e.change.At) && !exactly.Before(e.change.After.Add(-2*w.patience)) {
			e.change.After, e.change.At = exactly, exactly
		}
		if least := e.old.at.Add(time.Microsecond); !e.old.at.IsZero() && e.change.At.Before(least) {
			e.change.At = least // versions of one resource follow each other
			if e.change.After.After(least) || e.change.After.Before(e.old.at) {
				e.change.After = e.old.at
			}
		}
		switch e.change.Type {
		case Created:
			e.birth()
		case Updated:
			e.change.Fields, e.change.More = fields[:min(len(fields), maxFields)], max(0, len(fields)-maxFields)
			if k == droplet && onlyPlan(fields) {
				if err := s.explainPlan(ctx, account, e); err != nil {
					return err
				}
			}
		case Deleted:
			e.endBy = string(cause.Type)
		}
	}
	return nil
}

// birth says when a new resource came to be: its document says so to the second,
// or it was between two lists.
func (e *edit) birth() {
	switch at := e.found.look.CreatedAt; {
	case !at.IsZero():
		e.born, e.bornBy = [2]time.Time{at, at}, "document"
	default:
		e.born, e.bornBy = [2]time.Time{e.change.After, e.change.At}, "lists"
	}
	if e.change.Cause.Type == FirstSight {
		e.change.After, e.change.At = time.Time{}, e.change.Seen
	}
}

// stillNewest refuses what was listed before something that is applied already.
func stillNewest(ctx context.Context, tx *sql.Tx, account string, k *Kind, began time.Time) error {
	var applied db.NullTime
	err := tx.QueryRowContext(ctx, `SELECT tried_at FROM inv_heads WHERE account = $1 AND kind = $2`, account, k.Name).Scan(&applied)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err == nil && applied.Time.After(began) {
		return errSuperseded
	}
	return err
}

// keptOf is what the database has of a kind, in all accounts: a resource may have
// been moved to another.
func (s *Service) keptOf(ctx context.Context, k *Kind) (map[string]kept, error) {
	rows, err := s.db.Read().QueryContext(ctx, `SELECT r.urn, r.id, r.parent, r.account, r.version, r.hash, v.name, v.at,
			r.missing_since, r.missing_from, r.missing_to, v.gone
		FROM inv_resources r JOIN inv_versions v ON v.urn = r.urn AND v.version = r.version WHERE r.kind = $1`, k.Name)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	have := map[string]kept{}
	for rows.Next() {
		var o kept
		var at int64
		var since, from, to db.NullTime
		if err := rows.Scan(&o.urn, &o.id, &o.parent, &o.account, &o.version, &o.hash, &o.name, &at, &since, &from, &to, &o.gone); err != nil {
			return nil, err
		}
		o.at, o.missingSince, o.missingFrom, o.missingTo = db.Time(at), since.Time, from.Time, to.Time
		have[o.urn] = o
	}
	return have, rows.Err()
}

// documentsOf are the documents in force of what is to be updated.
func (s *Service) documentsOf(ctx context.Context, edits []edit) (map[string][]byte, error) {
	docs := map[string][]byte{}
	for _, e := range edits {
		if e.change.Type != Updated {
			continue
		}
		var doc []byte
		err := s.db.Read().QueryRowContext(ctx, `SELECT doc FROM inv_versions WHERE urn = $1 AND version = $2`, e.old.urn, e.old.version).Scan(&doc)
		if err != nil {
			return nil, err
		}
		docs[e.old.urn] = doc
	}
	return docs, nil
}

// writeEdits writes new versions with their changes. Somebody else's version in
// between is an error of the whole: the list is read again.
func (s *Service) writeEdits(ctx context.Context, tx *sql.Tx, account string, k *Kind, edits []edit) error {
	if len(edits) == 0 {
		return nil
	}
	var resources, closes, versions [][]any
	changes, seen := make([]Change, len(edits)), make([]sighting, len(edits))
	for i, e := range edits {
		changes[i], seen[i] = e.change, sighting{e.found.urn, k, e.found.doc}
		tags, err := json.Marshal(append([]string{}, e.found.look.Tags...))
		if err != nil {
			return err
		}
		gone := e.change.Type == Deleted
		hash, doc := e.found.hash, any(string(e.found.kept))
		var endFrom, endTo any
		if gone {
			hash, doc, endFrom, endTo = e.old.hash, nil, nullMicros(e.change.After), db.Micros(e.change.At)
		}
		resources = append(resources, []any{
			e.found.urn, account, k.Name, e.found.id, e.parent(), e.change.Version, e.old.version, hash, db.Micros(e.change.Seen),
			db.Micros(e.change.At), nullMicros(e.born[0]), db.Micros(e.born[1]), e.bornBy, endFrom, endTo, nullWord(e.endBy), managedBy(e),
		})
		if e.old.version > 0 {
			closes = append(closes, []any{e.found.urn, e.old.version, db.Micros(e.change.At)})
		}
		look := e.found.look
		if gone {
			look.Name = e.old.name
		}
		var monthly any // NULL: a part of it has no price
		if micros, ok := Prices().monthlyMicros(k, e.found.doc, e.change.At); ok && !gone {
			monthly = micros
		}
		versions = append(versions, []any{
			e.found.urn, e.change.Version, db.Micros(e.change.At), account, k.Name, e.found.id, gone, look.Name, look.Region, look.Status,
			look.Size, look.Project, string(tags), lines(look.Tags), words(e.found.urn, look), monthly, nullMicros(look.CreatedAt), doc,
		})
	}
	wrote := 0
	err := s.db.Pipeline(ctx, tx,
		db.Statement{Bulk: writeResources, Rows: resources, Answer: func(scan func(...any) error) error {
			var urn string
			wrote++
			return scan(&urn)
		}},
		db.Statement{Bulk: closeVersions, Rows: closes},
		db.Statement{Bulk: insertVersions, Rows: versions})
	if err != nil {
		return err
	}
	if wrote != len(edits) {
		return errSuperseded
	}
	if err := s.relate(ctx, tx, seen); err != nil {
		return err
	}
	return appendChanges(ctx, s.db, tx, changes)
}

func (e *edit) parent() string {
	if e.change.Type == Deleted {
		return e.old.parent
	}
	return e.found.parent
}

func nullWord(word string) any {
	if word == "" {
		return nil
	}
	return word
}

// managedBy is the saga that made a new resource.
func managedBy(e edit) any {
	if e.change.Type == Created && e.change.Cause.Type == BySaga {
		return e.change.Cause.Saga
	}
	return nil
}

// words is what a search for a plain word looks through.
func words(urn string, l Look) string {
	all := append([]string{l.Name, urn}, l.Tags...)
	return lines(append(all, l.Addresses...))
}

// lines are texts in lower case, each between two line breaks.
func lines(texts []string) string {
	var b strings.Builder
	b.WriteByte('\n')
	for _, t := range texts {
		b.WriteString(strings.ToLower(strings.ReplaceAll(t, "\n", " ")) + "\n")
	}
	return b.String()
}

var (
	writeResources = db.NewBulk(`INSERT INTO inv_resources (urn, account, kind, id, parent, version, hash, first_seen, last_changed,
			born_from, born_to, born_by, ended_from, ended_to, ended_by, managed_by)
		SELECT urn, account, kind, id, parent, version, hash, seen, at, born_from, born_to, born_by, ended_from, ended_to, ended_by, managed_by
			FROM given WHERE old = 0 OR EXISTS (SELECT 1 FROM inv_resources r WHERE r.urn = given.urn AND r.version = given.old)
		ON CONFLICT (urn) DO UPDATE SET account = excluded.account, parent = excluded.parent, version = excluded.version, hash = excluded.hash,
			last_changed = excluded.last_changed, missing_since = NULL, missing_from = NULL, missing_to = NULL,
			ended_from = excluded.ended_from, ended_to = excluded.ended_to, ended_by = excluded.ended_by
			WHERE inv_resources.version = excluded.version - 1
		RETURNING urn`,
		db.Column{Name: "urn"}, db.Column{Name: "account"}, db.Column{Name: "kind"}, db.Column{Name: "id"}, db.Column{Name: "parent"},
		db.Column{Name: "version", Type: db.Integer}, db.Column{Name: "old", Type: db.Integer}, db.Column{Name: "hash"},
		db.Column{Name: "seen", Type: db.Integer}, db.Column{Name: "at", Type: db.Integer},
		db.Column{Name: "born_from", Type: db.Integer}, db.Column{Name: "born_to", Type: db.Integer}, db.Column{Name: "born_by"},
		db.Column{Name: "ended_from", Type: db.Integer}, db.Column{Name: "ended_to", Type: db.Integer}, db.Column{Name: "ended_by"},
		db.Column{Name: "managed_by"})

	closeVersions = db.NewBulk(`UPDATE inv_versions SET until = given.until FROM given
		WHERE inv_versions.urn = given.urn AND inv_versions.version = given.version`,
		db.Column{Name: "urn"}, db.Column{Name: "version", Type: db.Integer}, db.Column{Name: "until", Type: db.Integer})

	insertVersions = db.NewBulk(`INSERT INTO inv_versions (urn, version, at, account, kind, id, gone, name, region, status, size, project, tags,
			tag_lines, words, monthly, created_at, doc)
		SELECT urn, version, at, account, kind, id, gone, name, region, status, size, project, tags, tag_lines, words, monthly, created_at, doc FROM given`,
		db.Column{Name: "urn"}, db.Column{Name: "version", Type: db.Integer}, db.Column{Name: "at", Type: db.Integer},
		db.Column{Name: "account"}, db.Column{Name: "kind"}, db.Column{Name: "id"}, db.Column{Name: "gone", Type: db.Boolean},
		db.Column{Name: "name"}, db.Column{Name: "region"}, db.Column{Name: "status"}, db.Column{Name: "size"}, db.Column{Name: "project"},
		db.Column{Name: "tags", Type: db.Object}, db.Column{Name: "tag_lines"}, db.Column{Name: "words"}, db.Column{Name: "monthly", Type: db.Integer},
		db.Column{Name: "created_at", Type: db.Integer}, db.Column{Name: "doc", Type: db.Object})

	missResources = db.NewBulk(`UPDATE inv_resources SET missing_since = given.since, missing_from = given.before, missing_to = given.at
		FROM given WHERE inv_resources.urn = given.urn`,
		db.Column{Name: "urn"}, db.Column{Name: "since", Type: db.Integer}, db.Column{Name: "before", Type: db.Integer},
		db.Column{Name: "at", Type: db.Integer})
)

// markMissing notes what a list lacks for the first time, and what is there again.
func markMissing(ctx context.Context, tx *sql.Tx, d *db.DB, present, missing []string, r reading, h head) error {
	rows := make([][]any, 0, len(present)+len(missing))
	for _, urn := range present {
		rows = append(rows, []any{urn, nil, nil, nil})
	}
	for _, urn := range missing {
		rows = append(rows, []any{urn, db.Micros(r.began), nullMicros(h.asOf), db.Micros(r.at)})
	}
	return d.Pipeline(ctx, tx, db.Statement{Bulk: missResources, Rows: rows})
}
