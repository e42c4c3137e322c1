package billing

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/exact"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/money"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

// A MigrationOrder asks that everybody who has a version of a plan get another.
type MigrationOrder struct {
	Rehearsal
	Currency string   // of the catalog; empty: the one that has both plans
	From, To string   // plans, id@version
	Tenants  []string // only of these, slugs or ids; none: of all
	Except   []string // not of these: they keep what they have
	When     string   // period_end, or a date of the customer's zone or an instant to come; empty: period_end
	Reason   string
	By       string
}

// A Migration is who gets another plan, or would, and what that comes to.
type Migration struct {
	Items       []Migrated
	Totals      []MigrationTotal // by currency
	Fingerprint string
	Done        bool
}

// A Migrated item is one of a subscription that gets another plan.
type Migrated struct {
	Subscription SubscriptionID
	Slug         string
	Zone         string // of the subscription's dates
	Item         string
	Quantity     exact.Number
	Currency     money.Currency
	EffectiveAt  time.Time
	Before       int64  // what the first period from then on is billed without the change, with taxes, minor units
	After        int64  // and with it
	Left         string // why it keeps its plan; empty: it gets the other

	agreement Agreement
	change    Change
}

// A MigrationTotal is what the items of a currency come to.
type MigrationTotal struct {
	Currency      money.Currency
	Items         int
	Before, After int64
}

// Migrate gives everybody who has one plan another, all at once or, where anything stands
// against it, nobody. What the next bills of each come to, with it and without, is
// worked out by the functions that bill; usage that nobody has told yet is in neither.
// Who is excepted, and who has another change to come, keeps what it has. It answers
// fault.Invalid for plans that there are not, and fault.Conflict where something else
// would be done than was looked at.
func (s *Service) Migrate(ctx context.Context, o MigrationOrder, now time.Time) (m Migration, err error) {
	if err := checkTexts(named{"reason", &o.Reason, 500}); err != nil {
		return m, err
	}
	if o.When == "now" {
		return m, fault.New(fault.Invalid, "A migration takes effect with the next period, or at a date or an instant to come.")
	}
	catalog, err := s.catalogWith(ctx, o)
	if err != nil {
		return m, err
	}
	if m.Items, err = s.migrations(ctx, o, catalog, now); err != nil {
		return m, err
	}
	m.Totals = migrationTotals(m.Items)
	m.Fingerprint, m.Done, err = s.rehearse(ctx, o.Rehearsal, now, func(tx *sql.Tx) (string, error) {
		offered, err := offerIn(ctx, tx, catalog.Currency)
		if err != nil {
			return "", err
		}
		var text strings.Builder
		for _, x := range m.Items {
			fmt.Fprintf(&text, "%s %s %s %s %d %d %d %s\n", x.Subscription, x.Item, o.To, x.Quantity, x.EffectiveAt.UnixMicro(), x.Before, x.After, x.Left)
			if x.Left != "" {
				continue
			}
			a, err := findAgreement(ctx, tx, x.Subscription)
			if err != nil {
				return "", err
			}
			if known := len(x.agreement.Changes); len(a.Changes) < known || slices.ContainsFunc(a.Changes[known:], func(c Change) bool { return c.Item == x.Item || c.Type == SuspensionChange }) {
				return "", fault.New(fault.Conflict, "A subscription of %s was changed while it was looked at. Look at it again.", x.Slug)
			}
			if err := offered.record(ctx, tx, &a, x.change, false, false); err != nil {
				return "", err
			}
		}
		found := digest(text.String())
		if o.Expect != "" && o.Expect != found {
			return "", fault.New(fault.Conflict, "The migration is another than was looked at: now %s. Look at it again.", m.summary(o.To))
		}
		return found, nil
	})
	return m, err
}

// summary is who gets the plan and what that comes to, in a line.
func (m *Migration) summary(to string) string {
	gets := 0
	var sums []string
	for _, t := range m.Totals {
		gets += t.Items
		sums = append(sums, fmt.Sprintf("%s in place of %s", money.New(t.After, t.Currency), money.New(t.Before, t.Currency)))
	}
	text := fmt.Sprintf("%d of %d get %s", gets, len(m.Items), to)
	if len(sums) > 0 {
		text += ", " + strings.Join(sums, " and ")
	}
	return text
}

// catalogWith is the catalog that has both plans of a migration.
func (s *Service) catalogWith(ctx context.Context, o MigrationOrder) (*Catalog, error) {
	entries, err := listEntries(ctx, s.db.Read(), "")
	if err != nil {
		return nil, err
	}
	by := make(map[money.Currency][]Entry)
	for _, e := range entries {
		if o.Currency == "" || strings.EqualFold(o.Currency, string(e.currency)) {
			by[e.currency] = append(by[e.currency], e)
		}
	}
	var found []*Catalog
	for _, c := range slices.Sorted(maps.Keys(by)) {
		catalog, err := catalogOf(ctx, s.db.Read(), c, by[c])
		if err != nil {
			return nil, err
		}
		_, from := catalog.Plan(o.From)
		if _, to := catalog.Plan(o.To); from && to {
			found = append(found, catalog)
		}
	}
	switch {
	case o.From == o.To:
		return nil, fault.New(fault.Invalid, "Name two plans, or two versions of one, like pro@1 and pro@2.")
	case len(found) == 0:
		return nil, fault.New(fault.Invalid, "No catalog has both plans, %q and %q. What there is: arcadia catalog list", cut(o.From), cut(o.To))
	case len(found) > 1:
		return nil, fault.New(fault.Invalid, "The catalogs in %s and %s have both plans: say the currency.", found[0].Currency, found[1].Currency)
	}
	return found[0], nil
}

// migrations are the items that have the one plan, with what becomes of each.
func (s *Service) migrations(ctx context.Context, o MigrationOrder, catalog *Catalog, now time.Time) ([]Migrated, error) {
	only, err := s.tenantsOf(ctx, o.Tenants)
	if err != nil {
		return nil, err
	}
	except, err := s.tenantsOf(ctx, o.Except)
	if err != nil {
		return nil, err
	}
	agreements, err := s.Subscriptions(ctx, "")
	if err != nil {
		return nil, err
	}
	items := []Migrated{}
	for _, a := range agreements {
		if a.Currency != catalog.Currency || len(only) > 0 && !only[a.Tenant] {
			continue
		}
		for _, has := range a.Items(now) {
			if has.Plan != o.From {
				continue
			}
			x := Migrated{Subscription: a.ID, Slug: a.Slug, Zone: a.Zone, Item: has.Item, Quantity: has.Quantity, Currency: a.Currency, agreement: a}
			if x.Left = a.keeps(has.Item, now); except[a.Tenant] {
				x.Left = "excepted"
			}
			if x.Left == "" {
				if err := s.migrate(ctx, o, catalog, &x, now); err != nil {
					return nil, err
				}
			}
			items = append(items, x)
		}
	}
	return items, nil
}

// keeps says why an item is left as it is; empty where nothing stands against a change.
func (a *Agreement) keeps(item string, now time.Time) string {
	for _, c := range a.Changes {
		if c.Item == item && c.Type != SuspensionChange && c.EffectiveAt.After(now) {
			return "it has a change to come, on " + c.EffectiveAt.Format(time.DateOnly)
		}
	}
	return ""
}

// migrate works out when an item changes and what the first period from then on comes to.
func (s *Service) migrate(ctx context.Context, o MigrationOrder, catalog *Catalog, x *Migrated, now time.Time) error {
	when := o.When
	if when == "" {
		when = "period_end"
	}
	changes, err := s.changes(ctx, s.db.Read(), &x.agreement, ChangeOrder{Type: PlanChange, Item: x.Item, Plan: o.To, When: when, Reason: o.Reason, By: o.By}, now)
	if err != nil {
		return err
	}
	x.change = changes[0]
	if x.EffectiveAt = x.change.EffectiveAt; x.EffectiveAt.Before(now) {
		return fault.New(fault.Invalid, "%s has passed: a migration takes effect with the next period, or at a date or an instant to come.", cut(o.When))
	}
	with := x.agreement
	err = s.record(ctx, s.db.Read(), &with, x.change, false, true)
	if c, in := errors.AsType[cellError](err); in && c.column == "quantity" {
		x.Left = fault.Message(err)
		return nil
	}
	if err != nil {
		return err
	}
	sub, err := with.subscription(catalog)
	if err != nil {
		return err
	}
	for _, r := range sub.stretches(x.Item, forever) {
		if !x.EffectiveAt.Before(r.from) && x.EffectiveAt.Before(r.to) {
			end := r.schedule.Begin(r.schedule.Index(x.EffectiveAt) + 1)
			until := end.Add(sub.grace())
			if x.Before, err = s.billedWithin(ctx, catalog, &x.agreement, x.EffectiveAt, end, until); err == nil {
				x.After, err = s.billedWithin(ctx, catalog, &with, x.EffectiveAt, end, until)
			}
			return err
		}
	}
	return nil
}

// billedWithin is what the documents come to that are about service within [from, to).
func (s *Service) billedWithin(ctx context.Context, catalog *Catalog, a *Agreement, from, to, until time.Time) (int64, error) {
	due, err := s.dueBy(ctx, catalog, a, until)
	due = slices.DeleteFunc(due, func(i Invoice) bool { return !i.Period.To.After(from) || !i.Period.From.Before(to) })
	return sumOf(due, (*Invoice).gross), err
}

// tenantsOf are the ids of tenants that are named.
func (s *Service) tenantsOf(ctx context.Context, refs []string) (map[tenant.ID]bool, error) {
	ids := make(map[tenant.ID]bool, len(refs))
	for _, ref := range refs {
		t, err := s.tenants.Tenant(ctx, ref)
		if err != nil {
			return nil, err
		}
		ids[t.ID] = true
	}
	return ids, nil
}

func migrationTotals(items []Migrated) []MigrationTotal {
	totals := []MigrationTotal{}
	for _, x := range items {
		if x.Left != "" {
			continue
		}
		n := slices.IndexFunc(totals, func(t MigrationTotal) bool { return t.Currency == x.Currency })
		if n < 0 {
			n = len(totals)
			totals = append(totals, MigrationTotal{Currency: x.Currency})
		}
		totals[n].Items++
		totals[n].Before += x.Before
		totals[n].After += x.After
	}
	return totals
}
