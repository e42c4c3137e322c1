// Package tenant knows whom the product is hosted for. A tenant's slug is how
// tags at DigitalOcean, searches and people name it, "tenant:acme"; its id is for
// good. A tenant is never deleted: what it had, and what that cost, stays its own.
// The package owns the table tenants.
package tenant

import (
	"context"
	"database/sql"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/id"
)

// An ID names a tenant for good: "ten_" and 32 hex digits.
type ID string

// A State says how it stands with a tenant.
type State string

// The states. A closed tenant stays closed.
const (
	Active    State = "active"
	Suspended State = "suspended"
	Closed    State = "closed"
)

// States are all of them.
func States() []State { return []State{Active, Suspended, Closed} }

// A Tenant is whom the product is hosted for.
type Tenant struct {
	ID        ID
	Slug      string // unique, and never changed: tags at DigitalOcean carry it
	Name      string // for people
	Contact   string // an address or a name, as somebody entered it; may be empty
	State     State
	CreatedAt time.Time
	ChangedAt time.Time
}

// TagPrefix begins the tags that say whose a resource is: "tenant:acme".
const TagPrefix = "tenant:"

// Tag is the tag of the tenant's resources.
func (t Tenant) Tag() string { return TagPrefix + t.Slug }

// slugForm is what may stand in a tag of DigitalOcean (letters, digits, colons,
// dashes, underscores), in a search, in an address and in a host's name.
var slugForm = regexp.MustCompile(`^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$`)

// reserved are words that searches and commands say for no tenant.
var reserved = map[string]bool{"none": true, "nobody": true, "all": true}

// CheckSlug answers fault.Invalid for what cannot be a tenant's slug.
func CheckSlug(slug string) error {
	switch {
	case reserved[slug]:
		return fault.New(fault.Invalid, "%q is no slug for a tenant: searches say it for those without one.", slug)
	case !slugForm.MatchString(slug):
		return fault.New(fault.Invalid, "%q is no slug: it has 1 to 63 lower-case letters, digits and dashes, and neither begins nor ends with a dash.", clip(slug))
	}
	return nil
}

// SlugOf makes a slug out of a name, "" where nothing of it can stay.
func SlugOf(name string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(name) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	slug := b.String()
	return strings.Trim(slug[:min(len(slug), 63)], "-")
}

// longest is the most characters of a name and of a contact.
const longest = 200

// checkText refuses what cannot be shown in a line.
func checkText(what, text string) error {
	switch {
	case utf8.RuneCountInString(text) > longest:
		return fault.New(fault.Invalid, "The %s is too long: at most %d characters.", what, longest)
	case !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl):
		return fault.New(fault.Invalid, "The %s has a character that cannot be shown.", what)
	}
	return nil
}

// A Service keeps the tenants of one installation.
type Service struct{ db *db.DB }

// New returns the service over d.
func New(d *db.DB) *Service { return &Service{db: d} }

// An Entry is what somebody says of a tenant.
type Entry struct {
	Slug    string
	Name    string // empty: the slug
	Contact string
}

// tidy is the entry as it is kept, or why it is refused.
func (e Entry) tidy() (Entry, error) {
	e.Name, e.Contact = strings.TrimSpace(e.Name), strings.TrimSpace(e.Contact)
	if e.Name == "" {
		e.Name = e.Slug
	}
	for _, err := range []error{CheckSlug(e.Slug), checkText("name", e.Name), checkText("contact", e.Contact)} {
		if err != nil {
			return e, err
		}
	}
	return e, nil
}

// Add adds a tenant at the time at. It answers fault.Invalid for an entry that
// cannot be, and fault.Conflict where the slug is taken.
func (s *Service) Add(ctx context.Context, e Entry, at time.Time) (t Tenant, err error) {
	if e, err = e.tidy(); err != nil {
		return t, err
	}
	err = s.db.Write(ctx, func(tx *sql.Tx) (err error) {
		switch has, err := findTenant(ctx, tx, e.Slug); {
		case err == nil:
			return fault.New(fault.Conflict, "There is a tenant %s already: %s, %s.", has.Slug, has.Name, has.State)
		case fault.KindOf(err) != fault.NotFound:
			return err
		}
		t = newTenant(e, at)
		return insertTenant(ctx, tx, t)
	})
	return t, err
}

func newTenant(e Entry, at time.Time) Tenant {
	at = at.UTC().Truncate(time.Microsecond)
	return Tenant{ID: ID(id.New("ten")), Slug: e.Slug, Name: e.Name, Contact: e.Contact, State: Active, CreatedAt: at, ChangedAt: at}
}

// An Edit is what is to be different; nil leaves a thing as it is.
type Edit struct{ Name, Contact *string }

// Change changes what is said of the tenant with this id or slug. It answers
// fault.NotFound where there is none, and fault.Invalid for what cannot be shown.
func (s *Service) Change(ctx context.Context, ref string, e Edit, at time.Time) (Tenant, error) {
	return s.update(ctx, ref, at, func(t *Tenant) error {
		entry := Entry{Slug: t.Slug, Name: t.Name, Contact: t.Contact}
		if e.Name != nil {
			entry.Name = *e.Name
		}
		if e.Contact != nil {
			entry.Contact = *e.Contact
		}
		entry, err := entry.tidy()
		t.Name, t.Contact = entry.Name, entry.Contact
		return err
	})
}

// Suspend notes that a tenant is not served for the time being. Only an active
// one can be suspended: fault.Conflict otherwise.
func (s *Service) Suspend(ctx context.Context, ref string, at time.Time) (Tenant, error) {
	return s.move(ctx, ref, at, Suspended, Active)
}

// Resume notes that a suspended tenant is served again; fault.Conflict where it
// is not suspended.
func (s *Service) Resume(ctx context.Context, ref string, at time.Time) (Tenant, error) {
	return s.move(ctx, ref, at, Active, Suspended)
}

// Close notes that a tenant has left, for good. What is its own stays its own
// until somebody says otherwise. fault.Conflict where it is closed already.
func (s *Service) Close(ctx context.Context, ref string, at time.Time) (Tenant, error) {
	return s.move(ctx, ref, at, Closed, Active, Suspended)
}

func (s *Service) move(ctx context.Context, ref string, at time.Time, to State, from ...State) (Tenant, error) {
	return s.update(ctx, ref, at, func(t *Tenant) error {
		for _, state := range from {
			if t.State == state {
				t.State = to
				return nil
			}
		}
		switch {
		case t.State == to:
			return fault.New(fault.Conflict, "Tenant %s is %s already.", t.Slug, to)
		case t.State == Closed:
			return fault.New(fault.Conflict, "Tenant %s is closed, and stays so: add another in its place.", t.Slug)
		}
		return fault.New(fault.Conflict, "Tenant %s is %s: only one that is %s can be made %s.", t.Slug, t.State, from[0], to)
	})
}

// update changes a tenant in one transaction.
func (s *Service) update(ctx context.Context, ref string, at time.Time, change func(*Tenant) error) (t Tenant, err error) {
	err = s.db.Write(ctx, func(tx *sql.Tx) (err error) {
		if t, err = findTenant(ctx, tx, ref); err != nil {
			return err
		}
		if err := change(&t); err != nil {
			return err
		}
		t.ChangedAt = at.UTC().Truncate(time.Microsecond)
		return updateTenant(ctx, tx, t)
	})
	return t, err
}

// Tenant is the tenant with this id or slug; fault.NotFound where there is none.
func (s *Service) Tenant(ctx context.Context, ref string) (Tenant, error) {
	return findTenant(ctx, s.db.Read(), ref)
}

// Named are the tenants that these ids and slugs name, by them; what names none is
// left out.
func (s *Service) Named(ctx context.Context, refs []string) (map[string]Tenant, error) {
	return namedTenants(ctx, s.db.Read(), refs)
}

// A Filter selects tenants; empty fields select all.
type Filter struct {
	Search string // within slug, name or contact, in any case
	State  State
	Limit  int    // of a page, 1 to 1000; 0 is 100
	Cursor string // next of an earlier page
}

// Tenants lists tenants by their slugs, and the cursor of the next page, which is
// empty on the last one.
func (s *Service) Tenants(ctx context.Context, f Filter) (tenants []Tenant, next string, err error) {
	if f.Limit == 0 {
		f.Limit = 100
	}
	switch {
	case f.Limit < 1 || f.Limit > 1000:
		return nil, "", fault.New(fault.Invalid, "A page holds 1 to 1000 tenants, not %d.", f.Limit)
	case f.State != "" && f.State != Active && f.State != Suspended && f.State != Closed:
		return nil, "", fault.New(fault.Invalid, "There is no state %q of a tenant: it is active, suspended or closed.", clip(string(f.State)))
	case f.Cursor != "" && !slugForm.MatchString(f.Cursor):
		return nil, "", fault.New(fault.Invalid, "This is no cursor of this list: take it from next of the page before.")
	}
	if err := checkText("search", f.Search); err != nil {
		return nil, "", err
	}
	if tenants, err = listTenants(ctx, s.db.Read(), f); err != nil {
		return nil, "", err
	}
	if len(tenants) > f.Limit {
		tenants = tenants[:f.Limit]
		next = tenants[f.Limit-1].Slug
	}
	return tenants, next, nil
}

// All are all tenants, by their slugs.
func (s *Service) All(ctx context.Context) ([]Tenant, error) {
	return listTenants(ctx, s.db.Read(), Filter{Limit: -1})
}

// Slugs are the slugs of all tenants.
func (s *Service) Slugs(ctx context.Context) (map[ID]string, error) {
	all, err := s.All(ctx)
	slugs := make(map[ID]string, len(all))
	for _, t := range all {
		slugs[t.ID] = t.Slug
	}
	return slugs, err
}

// clip keeps an absurdly long word out of a sentence.
func clip(s string) string {
	const most = 64
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
