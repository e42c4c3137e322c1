package inventory

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/fault"
)

// A found is one resource of a list. What is as it was the last time is not read: it
// has no doc, kept and look until it is opened.
type found struct {
	kind   *Kind
	urn    string
	id     string
	parent string
	hash   string
	hint   string // of what its kind's Hint names
	skip   bool   // it is of another kind
	plan   string // of a droplet's backups; empty where none is known
	raw    json.RawMessage
	doc    Doc
	kept   []byte
	look   Look
}

// A reading is what was listed of a kind.
type reading struct {
	items    []found
	lists    int       // that were read whole
	complete bool      // all of them were; else nothing may be missed
	under    []string  // the parents that were looked under; nil: all
	began    time.Time // by our clock, before the first request
	at       time.Time // by DigitalOcean's, with the last answer
	problem  error     // of the first list that failed
}

// read lists a kind, under every parent where it has any. What failed is in the
// reading's problem, beside what was read whole.
func (s *Service) read(ctx context.Context, c *digitalocean.Client, account string, t task, told func(items, total int)) (r reading, err error) {
	k := t.kind
	r = reading{complete: true, began: time.Now(), under: t.under}
	parents := []string{""}
	if t.under != nil {
		parents = t.under
	} else if k.Parent != "" {
		if parents, err = s.idsOf(ctx, account, k.Parent); err != nil {
			return r, err
		}
	}
	seen := map[string]bool{}
	for _, parent := range parents {
		items, at, err := s.readUnder(ctx, c, account, k, parent, told)
		if k.Parent != "" && errors.Is(err, digitalocean.NotFound) {
			continue // it went away since it was listed, and these with it
		}
		if err != nil {
			if ctx.Err() != nil {
				return r, err
			}
			if r.complete = false; r.problem == nil {
				r.problem = err
			}
			if errors.Is(err, digitalocean.Forbidden) || errors.Is(err, digitalocean.Unauthorized) {
				return r, nil // the others would answer the same
			}
			continue
		}
		if at.After(r.at) {
			r.at = at
		}
		r.lists++
		for _, f := range items {
			if !seen[f.urn] {
				seen[f.urn] = true
				r.items = append(r.items, f)
			}
		}
	}
	if r.at.IsZero() {
		r.at = s.Now(account)
	}
	return r, nil
}

// readUnder reads all lists of a kind under one parent; all of them or none.
func (s *Service) readUnder(ctx context.Context, c *digitalocean.Client, account string, k *Kind, parent string, told func(items, total int)) (items []found, at time.Time, err error) {
	seen := s.recall(account, k, parent)
	for _, l := range k.Lists {
		list, err := c.Documents(ctx, digitalocean.Collection{
			Path: path(l.Path, parent, ""), Query: l.Query, Key: l.Key, Unpaged: l.Unpaged, Keyed: l.Keyed, Single: l.Single, Progress: told,
			Identify: func(item json.RawMessage) (string, bool) {
				f, err := seen.found(item)
				return f.id, err == nil
			},
		})
		if err != nil {
			return nil, at, err
		}
		s.heard(account, list.At, list.Began)
		if list.At.After(at) {
			at = list.At
		}
		for _, item := range list.Items {
			f, err := seen.found(item)
			if err != nil {
				return nil, at, err
			}
			if !f.skip {
				items = append(items, f)
			}
		}
	}
	s.remember(seen)
	return items, at, nil
}

// A recollection is what a list had the last time, by its items as they were
// answered: most are the same from one minute to the next, and reading them is what
// a sync costs.
type recollection struct {
	of     listOf
	kind   *Kind
	before map[digest]found
	now    map[digest]found
}

// A listOf names one list.
type listOf struct{ account, kind, parent string }

type digest [sha256.Size]byte

func (s *Service) recall(account string, k *Kind, parent string) *recollection {
	of := listOf{account, k.Name, parent}
	s.mu.Lock()
	defer s.mu.Unlock()
	return &recollection{of, k, s.recalled[of], map[digest]found{}}
}

// remember keeps what a list had, without what is in the database.
func (s *Service) remember(r *recollection) {
	light := make(map[digest]found, len(r.now))
	for sum, f := range r.now {
		light[sum] = found{kind: f.kind, urn: f.urn, id: f.id, parent: f.parent, hash: f.hash, hint: f.hint, skip: f.skip}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.recalled[r.of] = light
}

// found is the resource that an item is.
func (r *recollection) found(raw json.RawMessage) (f found, err error) {
	sum := digest(sha256.Sum256(raw))
	if f, ok := r.now[sum]; ok {
		return f, nil
	}
	f, ok := r.before[sum]
	if !ok {
		if f, err = r.kind.found(r.of.account, r.of.parent, raw); err != nil {
			return f, err
		}
	}
	f.raw = raw
	r.now[sum] = f
	return f, nil
}

// open reads the document, if nobody did.
func (f *found) open(account string) error {
	if f.doc.object == nil {
		read, err := f.kind.found(account, f.parent, f.raw)
		if err != nil {
			return err
		}
		read.plan = f.plan
		*f = read
	}
	return f.addPlan()
}

// found makes a resource of a document.
func (k *Kind) found(account, parent string, raw json.RawMessage) (f found, err error) {
	f = found{kind: k, parent: parent, raw: raw}
	if f.doc, f.id, err = parseFor(k, raw); err != nil {
		return f, err
	}
	f.doc.Parent = parent
	f.urn, f.hint, f.skip = k.URN(account, f.id), "", k.Skip != nil && k.Skip(f.doc)
	if k.Hint != "" {
		f.hint = f.doc.Text(k.Hint)
	}
	if f.kept, f.hash, err = canonical(k, f.doc); err != nil {
		return f, err
	}
	f.look = k.Look(f.doc)
	return f, nil
}

// document asks for one resource by its id: nil where there is none.
func (s *Service) document(ctx context.Context, c *digitalocean.Client, account string, k *Kind, parent, id string) (*found, error) {
	raw, err := c.Document(ctx, path(k.Get, parent, id), k.One)
	if errors.Is(err, digitalocean.NotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	f, err := k.found(account, parent, raw)
	if err != nil {
		return nil, err
	}
	if f.id != id {
		return nil, fmt.Errorf("asked for %s %s, DigitalOcean answered with %s", k.Name, id, f.id)
	}
	return &f, nil
}

// idsOf are the ids of all resources of a kind that are there.
func (s *Service) idsOf(ctx context.Context, account, kind string) (ids []string, err error) {
	rows, err := s.db.Read().QueryContext(ctx,
		`SELECT id FROM inv_resources WHERE account = $1 AND kind = $2 AND ended_to IS NULL ORDER BY id`, account, kind)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

// heard notes DigitalOcean's clock as an answer told it.
func (s *Service) heard(account string, at, ours time.Time) {
	if at.IsZero() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clocks[account] = at.Sub(ours)
}

// Now is DigitalOcean's clock as an account's last answer told it, which is ours
// where nothing was heard yet; without an account the clock that is furthest on.
// Ages and "this month" are counted from it.
func (s *Service) Now(account string) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	ahead := s.clocks[account]
	if account == "" {
		for _, d := range s.clocks {
			ahead = max(ahead, d)
		}
	}
	return time.Now().Add(ahead).UTC().Truncate(time.Microsecond)
}

// stateOf is how a reading went.
func (r reading) state() State {
	switch {
	case r.complete:
		return Complete
	case r.lists > 0:
		return Partial
	case errors.Is(r.problem, digitalocean.Forbidden):
		return NotPermitted
	}
	return Failed
}

// A State is how the listing of a kind went.
type State string

// The states of a listing.
const (
	Complete     State = "complete"
	Partial      State = "partial"       // some of its lists failed: nothing of it may be missed
	NotPermitted State = "not_permitted" // the token may not read it: nobody knows how many there are
	Failed       State = "failed"
	Waiting      State = "waiting" // not begun in this run
	Running      State = "running"
)

// sentence is what to tell people of a failed listing.
func sentence(err error) string {
	if err == nil {
		return ""
	}
	if m := fault.Message(err); m != "" {
		return m
	}
	return err.Error()
}
