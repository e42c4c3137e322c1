package billing

import (
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/exact"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/journal"
	"github.com/arcadia-cloud/arcadia/internal/metering"
	"github.com/arcadia-cloud/arcadia/internal/money"
	"github.com/arcadia-cloud/arcadia/internal/period"
	"github.com/arcadia-cloud/arcadia/internal/rating"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

// A Close is what the books get at the end of a month beside its invoices: what was
// used and is not invoiced, less what was invoiced of later service; and what resources
// cost at DigitalOcean.
type Close struct {
	Month    string // 2026-10
	Tenants  []Closed
	Unpriced []string     // URNs of resources that nobody knows the price of: they are in no sum
	Failed   []RunFailure // with any nothing is entered
	ClosedAt time.Time    // zero: it is not
	ClosedBy string

	Fingerprint string `json:"-"` // of what would be entered; empty: nothing would be
}

// A Closed is one tenant's part of a Close.
type Closed struct {
	Tenant  tenant.ID // empty: what belongs to nobody
	Slug    string
	Accrued []money.Amount // by currency; below zero: more was invoiced than was served
	Cost    money.Amount   // in dollars
}

// A CloseOrder asks for a month to be closed.
type CloseOrder struct {
	Rehearsal
	Month string // 2026-10
	By    string
}

// CloseMonth enters what a month leaves open, once; a month that is closed stays as it
// was entered, and is answered again. What is not invoiced is worked out as if all
// service ended with the month, in each subscription's zone; its entry is taken back as
// the next month begins, when the invoices that it was worth come. What resources cost
// is told from their lifetimes within the month, in UTC as DigitalOcean bills it, and
// rounded once for each tenant. It answers fault.Invalid for what is no month or is
// not over everywhere.
func (s *Service) CloseMonth(ctx context.Context, o CloseOrder, now time.Time) (Close, error) {
	month, err := time.Parse("2006-01", o.Month)
	if err != nil {
		return Close{}, fault.New(fault.Invalid, "month: %q is no month like 2026-10.", cut(o.Month))
	}
	known := micros(now).Add(-Settle)
	if over := month.AddDate(0, 1, 0).Add(westmost); over.After(known) {
		return Close{}, fault.New(fault.Invalid, "month: %s is not over in all zones before %s.", o.Month, over.Add(Settle).Format(time.RFC3339))
	}
	if before, err := findClose(ctx, s.db.Read(), o.Month); fault.KindOf(err) != fault.NotFound {
		return before, err
	}
	c := Close{Month: o.Month, Tenants: []Closed{}, Unpriced: []string{}, Failed: []RunFailure{}}
	if err := s.accrue(ctx, &c, month, known); err != nil {
		return c, err
	}
	if err := s.costs(ctx, &c, month, known); err != nil {
		return c, err
	}
	slugs, err := s.tenants.Slugs(ctx)
	if err != nil {
		return c, err
	}
	for i := range c.Tenants {
		c.Tenants[i].Slug = slugs[c.Tenants[i].Tenant]
	}
	slices.SortFunc(c.Tenants, func(a, b Closed) int { return bySlug(a.Slug, b.Slug) })
	if len(c.Failed) > 0 {
		return c, nil
	}
	text, err := json.Marshal(c)
	if err != nil {
		return c, err
	}
	c.Fingerprint = fmt.Sprintf("%x", sha256.Sum256(text))
	switch {
	case o.Expect != "" && o.Expect != c.Fingerprint:
		return c, fault.New(fault.Conflict, "What would be entered is another than was looked at. Look at it again.")
	case o.DryRun:
		return c, nil
	}
	c.ClosedAt, c.ClosedBy = micros(now), o.By
	err = s.db.Write(ctx, func(tx *sql.Tx) error {
		if err := insertClose(ctx, tx, c); err != nil {
			return err
		}
		return journal.PostAllTx(ctx, s.db, tx, c.entries(month))
	})
	if db.IsUnique(err) { // another one closed it meanwhile
		return s.CloseMonth(ctx, o, now)
	}
	return c, err
}

// findClose is what was entered at the end of a month; fault.NotFound where it is not closed.
func findClose(ctx context.Context, q db.Queryer, month string) (c Close, err error) {
	var document string
	err = q.QueryRowContext(ctx, `SELECT document FROM billing_closes WHERE month = $1`, month).Scan(&document)
	if errors.Is(err, sql.ErrNoRows) {
		return c, fault.New(fault.NotFound, "%s is not closed.", month)
	}
	if err != nil {
		return c, err
	}
	return c, json.Unmarshal([]byte(document), &c)
}

func insertClose(ctx context.Context, tx *sql.Tx, c Close) error {
	document, err := json.Marshal(c)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO billing_closes (month, closed_at, closed_by, document) VALUES ($1, $2, $3, $4)`,
		c.Month, db.Micros(c.ClosedAt), c.ClosedBy, string(document))
	return err
}

// Zones lie within these of UTC: a month begins first in the east and ends last in the west.
const (
	eastmost = 14 * time.Hour
	westmost = 12 * time.Hour
)

// of is a tenant's part.
func (c *Close) of(t tenant.ID) *Closed {
	i := slices.IndexFunc(c.Tenants, func(x Closed) bool { return x.Tenant == t })
	if i < 0 {
		i = len(c.Tenants)
		c.Tenants = append(c.Tenants, Closed{Tenant: t, Accrued: []money.Amount{}, Cost: money.New(0, "USD")})
	}
	return &c.Tenants[i]
}

// bySlug orders tenants by their slugs, what is nobody's last.
func bySlug(a, b string) int { return cmp.Compare(cmp.Or(a, nobody), cmp.Or(b, nobody)) }

// nobody follows every slug.
const nobody = "\U0010FFFF"

// entries are what closing a month enters.
func (c *Close) entries(month time.Time) (all []journal.Entry) {
	// Instants that are in the month, and in the next one, wherever a tenant is.
	end := month.AddDate(0, 1, 0)
	within, after := end.Add(-eastmost-time.Microsecond), end.Add(westmost)
	for _, t := range c.Tenants {
		key := "close/" + c.Month + "/" + string(t.Tenant) + "/"
		entry := func(key string, at time.Time, what string, postings ...journal.Posting) {
			all = append(all, journal.Entry{Key: key, At: at, EnteredAt: c.ClosedAt, Actor: c.ClosedBy, Description: what + " " + c.Month, Postings: postings})
		}
		for _, a := range t.Accrued {
			of := func(account journal.Account, sign int64) journal.Posting {
				return posting(t.Tenant, a.Currency, account, sign*a.Minor)
			}
			entry(key+"accrued/"+string(a.Currency), within, "not invoiced at the end of", of(journal.Accrued, 1), of(journal.Revenue, -1))
			entry(key+"reversed/"+string(a.Currency), after, "reversal of what was not invoiced at the end of", of(journal.Accrued, -1), of(journal.Revenue, 1))
		}
		if t.Cost.Minor != 0 {
			entry(key+"cost", within, "resources at DigitalOcean in",
				posting(t.Tenant, t.Cost.Currency, journal.CloudCost, t.Cost.Minor), posting(t.Tenant, t.Cost.Currency, journal.CloudPayable, -t.Cost.Minor))
		}
	}
	return all
}

// accrue adds what is not invoiced of a month.
func (s *Service) accrue(ctx context.Context, c *Close, month, known time.Time) error {
	agreements, err := s.Subscriptions(ctx, "")
	if err != nil {
		return err
	}
	catalogs := s.catalogs(ctx)
	for _, a := range agreements {
		catalog, err := catalogs.of(a.Currency)
		var net int64
		if err == nil {
			net, err = s.unbilled(ctx, a, catalog, month, known)
		}
		if err != nil {
			if c.Failed, err = s.failed(ctx, c.Failed, a, err); err != nil {
				return err
			}
			continue
		}
		if net == 0 {
			continue
		}
		of := c.of(a.Tenant)
		i := slices.IndexFunc(of.Accrued, func(x money.Amount) bool { return x.Currency == a.Currency })
		if i < 0 {
			i = len(of.Accrued)
			of.Accrued = append(of.Accrued, money.New(0, a.Currency))
		}
		of.Accrued[i].Minor += net
	}
	for i := range c.Tenants { // subscriptions may make up for each other
		c.Tenants[i].Accrued = slices.DeleteFunc(c.Tenants[i].Accrued, func(a money.Amount) bool { return a.Minor == 0 })
	}
	return nil
}

// unbilled is what documents would come to from the end of a month on, without taxes,
// if all service ended then: what was served and not invoiced, less what was invoiced of
// service to come.
func (s *Service) unbilled(ctx context.Context, a Agreement, c *Catalog, month, known time.Time) (int64, error) {
	zone, err := period.Zone(a.Zone)
	if err != nil {
		return 0, err
	}
	end := period.DateOf(month.AddDate(0, 1, 0), time.UTC).Begin(zone)
	ended := a
	ended.Changes = slices.DeleteFunc(slices.Clone(a.Changes), func(x Change) bool {
		return x.Type != SuspensionChange && !x.EffectiveAt.Before(end)
	})
	began := slices.ContainsFunc(ended.Changes, func(x Change) bool { return x.Type != SuspensionChange })
	if !began {
		return 0, nil
	}
	recorded := end // bills learn of it when they know all that was agreed
	for _, x := range ended.Changes {
		recorded = period.Later(recorded, x.RecordedAt)
	}
	for _, item := range ended.Items(end) {
		ended.Changes = append(ended.Changes, Change{Type: CancelChange, Item: item.Item, EffectiveAt: end, RecordedAt: recorded})
	}
	sub, err := ended.subscription(c)
	if err != nil {
		return 0, err
	}
	issued, err := listIssued(ctx, s.db.Read(), IssuedFilter{subscriptions: []SubscriptionID{a.ID}, Limit: -1})
	if err != nil {
		return 0, err
	}
	if sub.credited, err = creditedBy(issued); err != nil {
		return 0, err
	}
	at := period.Later(known, recorded).Add(sub.grace())
	facts, err := s.factsOf(ctx, &ended, c, at)
	if err != nil {
		return 0, err
	}
	out, err := Preview(c, sub, facts, at)
	if err != nil {
		return 0, err
	}
	missing := make(map[string]bool) // due before the month's end and not issued
	var after []Invoice
	for _, k := range out.keyed() {
		switch {
		case !k.IssueAt.Before(end):
			after = append(after, k.Invoice)
		case !k.isNothing():
			missing[k.key()] = true
		}
	}
	for _, i := range issued {
		delete(missing, i.key())
	}
	if len(missing) > 0 { // issued later it would be revenue of the month once more
		return 0, fault.New(fault.Conflict, "Not all that was due in %s is issued. Issue it first: arcadia billing run.", month.Format("2006-01"))
	}
	return sumOf(after, (*Invoice).net), nil
}

// costs adds what resources cost within a month.
func (s *Service) costs(ctx context.Context, c *Close, month, known time.Time) error {
	if s.facts == nil {
		return nil
	}
	tenants, err := s.tenants.All(ctx)
	if err != nil {
		return err
	}
	within := period.Period{From: month, To: month.AddDate(0, 1, 0)}
	for _, t := range append(tenants, tenant.Tenant{}) {
		facts, err := s.facts(ctx, Asked{Tenant: t.ID, Nobody: t.ID == "", Lives: true, Until: known})
		if err != nil {
			return err
		}
		var sum exact.Number
		for _, l := range joined(facts.Lifetimes) {
			cost, seconds, _ := rating.CloudCost(l, []period.Period{within})
			switch {
			case seconds.Sign() == 0:
			case l.Unpriced:
				c.Unpriced = append(c.Unpriced, l.URN)
			default:
				sum = sum.Add(cost)
			}
		}
		if sum.Sign() == 0 {
			continue
		}
		if c.of(t.ID).Cost, err = money.Round(sum, "USD"); err != nil {
			return err
		}
	}
	slices.Sort(c.Unpriced)
	c.Unpriced = slices.Compact(c.Unpriced)
	return nil
}

// joined are lifetimes as they are known at last. What went on at one price is one.
func joined(all []metering.Lifetime) (now []metering.Lifetime) {
	last := make(map[string]int) // by URN
	for _, l := range all {
		if !l.ReplacedAt.IsZero() {
			continue
		}
		if n, ok := last[l.URN]; ok && goesOn(now[n], l) {
			now[n].To = l.To
			continue
		}
		last[l.URN] = len(now)
		now = append(now, l)
	}
	return now
}
