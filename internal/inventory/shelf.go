package inventory

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
	"strings"
	"sync"

	"github.com/arcadia-cloud/arcadia/internal/db"
)

// A shelf has every version of every resource in memory, laid out for looking
// through: without the documents, which are fetched for what is found. Searches,
// their totals and costs are counted over it, now and as of any time alike, and by
// the same rules on both databases (ADR 16).
//
// It follows the feed: whoever takes it off first reads what changed since.
type shelf struct {
	mu      sync.RWMutex
	filled  bool
	seq     int64 // of the feed: what it has is at least as new
	epoch   int64
	entries []entry
	at      map[string]int // place in entries, by URN
	joined  []int          // places of what says that something is in a project
	words   lexicon

	charges sync.Map // of versions that were itemized: []chargeTime by priceKey
}

// An entry is a resource with its versions and whose it was.
type entry struct {
	urn, id  string
	kind     word32
	born     int64 // the latest time at which it came to be
	backed   int64 // when a droplet's backups were switched on before it was first seen; 0: nothing says so
	managed  bool
	versions []shelved // oldest first; each is in force until the next
	tenures  []tenure  // oldest first
}

// A shelved is a version.
type shelved struct {
	at     int64
	number int64
	look   *shelvedLook // nil: the resource was gone
}

// A shelvedLook is what can be looked for of a version. Versions that differ in
// nothing of it share one.
type shelvedLook struct {
	account, region, status, size, project word32
	tags                                   word32 // all of them, in lower case, each between two line breaks
	words                                  string // likewise
	name                                   string
	monthly, created                       int64 // micro-dollars; microseconds
	priced, dated                          bool  // whether there are such
}

// A tenure is for how long a thing was a tenant's; until is 0 while it is.
type tenure struct {
	since, until int64
	tenant       word32 // id; empty: nobody's
}

// A word32 is the place of a text in a lexicon; 0 is the empty text.
type word32 uint32

// A lexicon has each text once.
type lexicon struct {
	texts []string
	of    map[string]word32
}

func (l *lexicon) add(text string) word32 {
	n, ok := l.of[text]
	if !ok {
		n = word32(len(l.texts))
		text = strings.Clone(text)
		l.texts, l.of[text] = append(l.texts, text), n
	}
	return n
}

func (l *lexicon) text(n word32) string { return l.texts[n] }

// whose is the id of the tenant that has the thing at a time, now where at is 0.
func (t *entry) whose(at int64) word32 {
	for i := len(t.tenures) - 1; i >= 0; i-- {
		if o := t.tenures[i]; o.until == 0 && (at == 0 || o.since <= at) || at != 0 && o.since <= at && o.until > at {
			return o.tenant
		}
	}
	return 0
}

// in is the version in force at a time, now where at is 0; nil before the first.
func (t *entry) in(at int64) *shelved {
	for i := len(t.versions) - 1; i >= 0; i-- {
		if at == 0 || t.versions[i].at <= at {
			return &t.versions[i]
		}
	}
	return nil
}

// gone reports whether the thing no longer exists.
func (t *entry) gone() bool {
	n := len(t.versions)
	return n > 0 && t.versions[n-1].look == nil
}

// last is the last version with a look; nil for none.
func (t *entry) last() *shelved {
	for i := len(t.versions) - 1; i >= 0; i-- {
		if t.versions[i].look != nil {
			return &t.versions[i]
		}
	}
	return nil
}

// shelf is the shelf as new as the database is, for reading: done gives it back.
func (s *Service) shelf(ctx context.Context) (sh *shelf, done func(), err error) {
	sh = &s.onShelf
	for {
		seq, epoch, err := s.feedMark(ctx)
		if err != nil {
			return nil, nil, err
		}
		sh.mu.RLock()
		if sh.filled && sh.epoch == epoch && sh.seq >= seq {
			return sh, sh.mu.RUnlock, nil
		}
		sh.mu.RUnlock()
		if err := s.refill(ctx, sh, seq, epoch); err != nil {
			return nil, nil, err
		}
	}
}

// feedMark tells what the shelf has to be as new as.
func (s *Service) feedMark(ctx context.Context) (seq, epoch int64, err error) {
	err = s.db.Read().QueryRowContext(ctx, `SELECT last, epoch FROM inv_feed WHERE id = 1`).Scan(&seq, &epoch)
	return seq, epoch, err
}

// maxRefilled is how many changed resources are fetched one by one: from there on
// reading everything is faster.
const maxRefilled = 20_000

// refill reads what changed, or everything where the shelf is empty or of another
// epoch.
func (s *Service) refill(ctx context.Context, sh *shelf, seq, epoch int64) error {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.filled && sh.epoch == epoch {
		if sh.seq >= seq {
			return nil // somebody else was faster
		}
		changed, err := s.changedSince(ctx, sh.seq)
		if err != nil {
			return err
		}
		if len(changed) <= maxRefilled {
			for part := range slices.Chunk(changed, chunk) {
				if err := s.fill(ctx, sh, part); err != nil {
					sh.filled = false // it may have half of a thing
					return err
				}
			}
			sh.seq = seq
			return nil
		}
	}
	sh.filled, sh.entries, sh.joined, sh.at = false, nil, nil, map[string]int{}
	sh.words = lexicon{texts: []string{""}, of: map[string]word32{"": 0}}
	sh.charges.Clear()
	if err := s.fill(ctx, sh, nil); err != nil {
		return err
	}
	sh.filled, sh.seq, sh.epoch = true, seq, epoch
	return nil
}

func (s *Service) changedSince(ctx context.Context, seq int64) (urns []string, err error) {
	err = db.Each(ctx, s.db.Read(), func(rows *sql.Rows) error {
		var urn string
		err := rows.Scan(&urn)
		urns = append(urns, urn)
		return err
	}, `SELECT DISTINCT urn FROM inv_changes WHERE seq > $1`, seq)
	return urns, err
}

// fill reads resources anew: those named, or all where none is.
func (s *Service) fill(ctx context.Context, sh *shelf, urns []string) error {
	of, args := "", []any{}
	if urns != nil {
		of, args = " WHERE urn IN ("+places(len(urns), 1)+")", anys(urns)
	}
	if err := s.fillEntries(ctx, sh, of, args); err != nil {
		return err
	}
	if err := s.fillBacked(ctx, sh, of, args); err != nil {
		return err
	}
	if err := s.fillVersions(ctx, sh, of, args); err != nil {
		return err
	}
	err := db.Each(ctx, s.db.Read(), func(rows *sql.Rows) error {
		var (
			urn, tenant string
			since       int64
			until       sql.NullInt64
		)
		if err := rows.Scan(&urn, &since, &until, &tenant); err != nil {
			return err
		}
		if i, ok := sh.at[urn]; ok {
			sh.entries[i].tenures = append(sh.entries[i].tenures, tenure{since, until.Int64, sh.words.add(tenant)})
		}
		return nil
	}, `SELECT urn, since, until, COALESCE(tenant_id, '') FROM inv_attributions`+of, args...)
	if err != nil {
		return err
	}
	if urns == nil {
		for i := range sh.entries {
			sh.entries[i].sort()
		}
		return nil
	}
	for _, urn := range urns {
		if i, ok := sh.at[urn]; ok {
			sh.entries[i].sort()
		}
	}
	return nil
}

func (t *entry) sort() {
	slices.SortFunc(t.versions, func(a, b shelved) int { return cmp.Compare(a.number, b.number) })
	slices.SortFunc(t.tenures, func(a, b tenure) int { return cmp.Compare(a.since, b.since) })
	t.versions = slices.Clip(t.versions)
}

func (s *Service) fillEntries(ctx context.Context, sh *shelf, of string, args []any) error {
	return db.Each(ctx, s.db.Read(), func(rows *sql.Rows) error {
		var (
			t    entry
			kind string
		)
		if err := rows.Scan(&t.urn, &t.id, &kind, &t.born, &t.managed); err != nil {
			return err
		}
		t.kind = sh.words.add(kind)
		if i, ok := sh.at[t.urn]; ok {
			sh.entries[i] = t
			return nil
		}
		sh.at[t.urn] = len(sh.entries)
		if kind == projectResource.Name {
			sh.joined = append(sh.joined, len(sh.entries))
		}
		sh.entries = append(sh.entries, t)
		return nil
	}, `SELECT urn, id, kind, born_to, managed_by IS NOT NULL FROM inv_resources`+of, args...)
}

func (s *Service) fillVersions(ctx context.Context, sh *shelf, of string, args []any) error {
	return db.Each(ctx, s.db.Read(), func(rows *sql.Rows) error {
		var (
			urn, account, region, status, size, project, tags string
			v                                                 shelved
			l                                                 shelvedLook
			gone                                              bool
			monthly, created                                  sql.NullInt64
		)
		err := rows.Scan(&urn, &v.number, &v.at, &gone, &account, &l.name, &region, &status, &size, &project, &tags, &l.words, &monthly, &created)
		if err != nil {
			return err
		}
		i, ok := sh.at[urn]
		if !ok {
			return nil // of a resource that came to be since: the next refill has it
		}
		t := &sh.entries[i]
		if !gone {
			l.account, l.region, l.status = sh.words.add(account), sh.words.add(region), sh.words.add(status)
			l.size, l.project, l.tags = sh.words.add(size), sh.words.add(project), sh.words.add(tags)
			l.monthly, l.priced, l.created, l.dated = monthly.Int64, monthly.Valid, created.Int64, created.Valid
			v.look = t.shared(l)
		}
		t.versions = append(t.versions, v)
		return nil
	}, `SELECT urn, version, at, gone, account, name, region, status, size, project, tag_lines, words, monthly, created_at FROM inv_versions`+of, args...)
}

// shared is the look that another version of the thing has already, or a new one,
// which shares what texts it can.
func (t *entry) shared(l shelvedLook) *shelvedLook {
	for i := len(t.versions) - 1; i >= 0; i-- {
		o := t.versions[i].look
		if o == nil {
			continue
		}
		if *o == l {
			return o
		}
		if o.words == l.words {
			l.words = o.words
		}
		if o.name == l.name {
			l.name = o.name
		}
	}
	return &l
}

// aside says, by word, of which kinds are no resources of anybody's: what DigitalOcean
// sells, and what ties two resources.
func (sh *shelf) aside() []bool {
	aside := make([]bool, len(sh.words.texts))
	for _, k := range kinds {
		if n, ok := sh.words.of[k.Name]; ok {
			aside[n] = k.Link || k.Sold
		}
	}
	return aside
}

// tell says how much there is, for whoever wants to warm the shelf up.
func (sh *shelf) tell() (things, versions int) {
	for _, t := range sh.entries {
		versions += len(t.versions)
	}
	return len(sh.entries), versions
}

// WarmUp reads the history into memory, so that the first who searches need not
// wait for it. It says how much there is.
func (s *Service) WarmUp(ctx context.Context) (resources, versions int, err error) {
	sh, done, err := s.shelf(ctx)
	if err != nil {
		return 0, 0, err
	}
	defer done()
	resources, versions = sh.tell()
	return resources, versions, nil
}
