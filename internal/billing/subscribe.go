package billing

import (
	"context"
	"database/sql"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/exact"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/id"
	"github.com/arcadia-cloud/arcadia/internal/metering"
	"github.com/arcadia-cloud/arcadia/internal/money"
	"github.com/arcadia-cloud/arcadia/internal/period"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

// A SubscriptionID names a subscription: "sub_" and 32 hex digits.
type SubscriptionID string

// An Agreement is a subscription as it is kept: what holds for all of it, and each
// change with when it takes effect and when it became known.
type Agreement struct {
	ID        SubscriptionID
	Tenant    tenant.ID
	Slug      string
	Currency  money.Currency
	Zone      string
	AnchorDay int // 0: the plan's
	Taxes     []string
	Coupons   []string
	StartedAt time.Time
	CreatedAt time.Time
	CreatedBy string
	Changes   []Change // in the order in which they were entered

	Amendments []Amendment // of its taxes and coupons, likewise
}

// A ChangeType says what a change does.
type ChangeType string

// The types.
const (
	CreateChange ChangeType = "create" // the first
	PlanChange   ChangeType = "change" // another plan, version or quantity
	AddChange    ChangeType = "add"    // another item beside those there are
	CancelChange ChangeType = "cancel"

	// SuspensionChange is a time without service of all items. A later one that begins
	// at the same instant is in its place.
	SuspensionChange ChangeType = "suspension"
)

// Orders that a [SuspensionChange] comes of.
const (
	SuspendOrder ChangeType = "suspend"
	ResumeOrder  ChangeType = "resume"
)

// A Change is a thing that is different in a subscription from an instant on.
type Change struct {
	Seq         int64
	Type        ChangeType
	Item        string
	Plan        string // id@version; empty: no service
	Quantity    exact.Number
	EffectiveAt time.Time
	UntilAt     time.Time // of a suspension; zero: its end is not known
	RecordedAt  time.Time // when bills know of it: not before any that was issued
	EnteredAt   time.Time
	Actor       string
	Reason      string
}

// subscription is the agreement as bills are worked out of it.
func (a *Agreement) subscription(c *Catalog) (*Subscription, error) {
	zone, err := period.Zone(a.Zone)
	if err != nil {
		return nil, err
	}
	s := &Subscription{Tenant: a.Slug, Currency: a.Currency, Zone: zone, AnchorDay: a.AnchorDay, Taxes: a.Taxes, Coupons: a.Coupons, Amendments: a.Amendments,
		Credit: money.New(0, a.Currency)}
	s.Suspended = a.suspensions()
	for _, change := range a.Changes {
		if change.Type == SuspensionChange {
			continue
		}
		p := Phase{Item: change.Item, From: change.EffectiveAt, Quantity: change.Quantity, RecordedAt: change.RecordedAt, AnchorDay: a.AnchorDay}
		if change.Plan != "" {
			var ok bool
			if p.Plan, ok = c.Plan(change.Plan); !ok {
				return nil, fault.New(fault.Conflict, "Subscription %s has the plan %s, which the catalog in %s does not have.", a.ID, change.Plan, a.Currency)
			}
		}
		s.Phases = append(s.Phases, p)
	}
	slices.SortStableFunc(s.Phases, func(x, y Phase) int { return x.RecordedAt.Compare(y.RecordedAt) })
	return s, nil
}

// An ItemState is what an item has at an instant.
type ItemState struct {
	Item     string
	Plan     string // empty: no service
	Quantity exact.Number
}

// Items are the items in service at an instant, by what is known now.
func (a *Agreement) Items(at time.Time) []ItemState {
	type held struct {
		ItemState
		from time.Time
	}
	latest := make(map[string]held)
	var order []string
	for _, c := range a.Changes {
		if c.Type == SuspensionChange {
			continue
		}
		if !slices.Contains(order, c.Item) {
			order = append(order, c.Item)
		}
		if c.EffectiveAt.After(at) {
			continue
		}
		// A change supersedes what its item had from its start on, whatever that began with.
		latest[c.Item] = held{ItemState{c.Item, c.Plan, c.Quantity}, c.EffectiveAt}
	}
	items := []ItemState{}
	for _, item := range order {
		if h, ok := latest[item]; ok && h.Plan != "" {
			items = append(items, h.ItemState)
		}
	}
	return items
}

// An Order asks for a subscription.
type Order struct {
	Tenant    string // slug or id of a customer
	Plan      string // id@version
	Quantity  string // a decimal; empty: 1
	From      string // a date or an instant, also a past one; empty: now
	AnchorDay int    // 1 to 31; 0: the plan's
	Taxes     []string
	Coupons   []string
	Reason    string
	DryRun    bool // only work out what would be billed
	By        string
}

// Subscribe makes a subscription for a customer. The plan is one that is offered. It
// answers fault.NotFound for nobody who is billed, fault.Conflict for who has left, and
// fault.Invalid for what cannot be. The documents are those that are due by the end of the first period and its
// grace.
func (s *Service) Subscribe(ctx context.Context, o Order, at time.Time) (a Agreement, due []Invoice, err error) {
	customer, err := s.Customer(ctx, o.Tenant)
	if err != nil {
		return a, nil, err
	}
	if err := s.checkStays(ctx, customer.Tenant); err != nil {
		return a, nil, err
	}
	a, change, faults := o.agreement(customer, at)
	if len(faults) > 0 {
		return a, nil, faults[0]
	}
	write := func(q db.Queryer, dry bool) error { return s.record(ctx, q, &a, change, true, dry) }
	due, err = s.agree(ctx, &a, o.DryRun, at, write)
	return a, due, err
}

// agreement is what an order asks for, with its first change, and all that is wrong
// with it by itself.
func (o Order) agreement(customer Customer, at time.Time) (a Agreement, change Change, faults []error) {
	a = Agreement{
		ID: SubscriptionID(id.New("sub")), Tenant: customer.Tenant, Slug: customer.Slug, Currency: customer.Currency, Zone: customer.Zone, AnchorDay: o.AnchorDay,
		Taxes: o.Taxes, Coupons: o.Coupons, CreatedAt: micros(at), CreatedBy: o.By,
	}
	if a.Coupons == nil {
		a.Coupons = []string{}
	}
	check := func(column string, err error) {
		if err != nil {
			faults = append(faults, inColumn(column, err))
		}
	}
	if o.AnchorDay < 0 || o.AnchorDay > 31 {
		check("anchor_day", fault.New(fault.Invalid, "The anchor day is 1 to 31, not %d: on which day of the month its periods begin, in short months on their last. Leave it away for the plan's.", o.AnchorDay))
	}
	check("reason", checkTexts(named{"reason", &o.Reason, 500}))
	var err error
	a.StartedAt, err = a.when(o.From, at)
	check("from", err)
	if a.Taxes == nil {
		customer.taxesTo(&a)
	}
	change = Change{Type: CreateChange, Item: "main", Plan: o.Plan, EffectiveAt: a.StartedAt, EnteredAt: micros(at), Actor: o.By, Reason: o.Reason}
	change.Quantity, err = quantity(o.Quantity)
	check("quantity", err)
	return a, change, faults
}

// A ChangeOrder asks that something in a subscription be different.
type ChangeOrder struct {
	Type     ChangeType
	Item     string // empty: main; of a cancellation: all items
	Plan     string // id@version; empty: it stays
	Quantity string // a decimal; empty: it stays, or 1 of an item that is added
	When     string // now (also empty), period_end, or a date or instant, also a past one
	Until    string // of a suspension: a date or an instant; empty: until it is resumed
	Coupon   string // that joins or leaves
	Reason   string
	DryRun   bool // only work out what would be billed
	By       string

	// Supersede has the change also where its item has a later one, which is undone.
	Supersede bool
}

// ChangeSubscription changes a subscription. It answers fault.NotFound for none,
// fault.Invalid for what cannot be, and fault.Conflict for what would undo a later change
// without saying so. The documents are those that are due, with the
// change, after those that were issued and by the end of the period in which it takes
// effect and its grace.
func (s *Service) ChangeSubscription(ctx context.Context, sub SubscriptionID, o ChangeOrder, at time.Time) (a Agreement, due []Invoice, err error) {
	known, err := s.Agreement(ctx, sub)
	if err == nil && (o.Type == AddChange || o.Type == PlanChange) {
		err = s.checkStays(ctx, known.Tenant)
	}
	if err != nil {
		return a, nil, err
	}
	write := func(q db.Queryer, dry bool) error {
		if a, err = findAgreement(ctx, q, sub); err != nil {
			return err
		}
		a.Slug = known.Slug
		if o.Type == CouponAmendment || o.Type == NoCouponAmendment {
			m, err := s.couponOrder(ctx, q, &a, o, at)
			if err != nil {
				return err
			}
			offered, err := offerIn(ctx, q, a.Currency)
			if err != nil {
				return err
			}
			return offered.amend(ctx, q, &a, m, dry)
		}
		changes, err := s.changes(ctx, q, &a, o, at)
		if err != nil {
			return err
		}
		for _, change := range changes {
			if err := s.record(ctx, q, &a, change, false, dry); err != nil {
				return err
			}
		}
		return nil
	}
	due, err = s.agree(ctx, &a, o.DryRun, at, write)
	return a, due, err
}

// changes are what an order changes, item by item.
func (s *Service) changes(ctx context.Context, q db.Queryer, a *Agreement, o ChangeOrder, at time.Time) ([]Change, error) {
	if o.Coupon != "" {
		return nil, fault.New(fault.Invalid, "A coupon joins or leaves by a change of its own, coupon or no_coupon.")
	}
	if o.Type == SuspendOrder || o.Type == ResumeOrder {
		return a.suspension(o, at)
	}
	if o.Until != "" {
		return nil, fault.New(fault.Invalid, "Only a suspension has an end.")
	}
	if o.Item == "" && o.Type != CancelChange {
		o.Item = "main"
	}
	if err := checkTexts(named{"item", &o.Item, 60}, named{"reason", &o.Reason, 500}); err != nil {
		return nil, err
	}
	now := a.Items(at)
	change := Change{Type: o.Type, Item: o.Item, Plan: o.Plan, EnteredAt: micros(at), Actor: o.By, Reason: o.Reason}
	i := slices.IndexFunc(now, func(x ItemState) bool { return x.Item == o.Item })
	switch {
	case o.Type == AddChange && i >= 0:
		return nil, fault.New(fault.Conflict, "The subscription has an item %s already. Change it, or name another.", o.Item)
	case o.Type == AddChange && o.Plan == "":
		return nil, fault.New(fault.Invalid, "Say which plan the item is to have.")
	case o.Type == PlanChange && i < 0:
		return nil, fault.New(fault.Conflict, "The subscription has no item %s that could change. Add one.", cut(o.Item))
	case o.Type == PlanChange && o.Plan == "" && o.Quantity == "":
		return nil, fault.New(fault.Invalid, "Nothing is to be different: give a plan or a quantity.")
	case o.Type == CancelChange && o.Item != "" && i < 0, o.Type == CancelChange && len(now) == 0:
		return nil, fault.New(fault.Conflict, "Nothing is in service that could be cancelled.")
	case o.Type != AddChange && o.Type != PlanChange && o.Type != CancelChange:
		return nil, fault.New(fault.Invalid, "There is no change %q: it is change, add, cancel, suspend, resume, coupon or no_coupon.", cut(string(o.Type)))
	}
	var err error
	if change.Quantity, err = quantity(o.Quantity); err != nil {
		return nil, err
	}
	if o.Type == PlanChange {
		if change.Plan == "" {
			change.Plan = now[i].Plan
		}
		if o.Quantity == "" {
			change.Quantity = now[i].Quantity
		}
	}
	effective := func(item string) (time.Time, error) {
		if o.When != "period_end" {
			return a.when(o.When, at)
		}
		return s.periodEnd(ctx, q, a, item, at)
	}
	items := []string{o.Item}
	if o.Type == CancelChange {
		change.Plan = ""
		if o.Item == "" {
			items = items[:0]
			for _, x := range now {
				items = append(items, x.Item)
			}
		}
	}
	var changes []Change
	for _, item := range items {
		one := change
		one.Item = item
		if one.EffectiveAt, err = effective(item); err != nil {
			return nil, err
		}
		if one.EffectiveAt.Before(a.StartedAt) {
			return nil, fault.New(fault.Invalid, "The subscription begins only at %s: nothing of it changes before.", a.StartedAt.Format(time.RFC3339))
		}
		if later := a.undone(one); later != nil && o.Type != CancelChange && !o.Supersede {
			return nil, fault.New(fault.Conflict, "The item %s has a later change, %s, which this one would undo. Have it take effect after that, or say that it supersedes it (--supersede).",
				cut(item), later.text())
		}
		changes = append(changes, one)
	}
	return changes, nil
}

// undone is the first later change of its item that another would undo, by what holds
// now; nil for none.
func (a *Agreement) undone(by Change) (later *Change) {
	for n := range a.Changes {
		c := &a.Changes[n]
		if c.Type == SuspensionChange || c.Item != by.Item || !c.EffectiveAt.After(by.EffectiveAt) {
			continue
		}
		superseded := slices.ContainsFunc(a.Changes[n+1:], func(x Change) bool {
			return x.Type != SuspensionChange && x.Item == c.Item && !x.EffectiveAt.After(c.EffectiveAt)
		})
		if !superseded && (later == nil || c.EffectiveAt.Before(later.EffectiveAt)) {
			later = c
		}
	}
	return later
}

// text says what a change comes to, and when.
func (c *Change) text() string {
	what := fmt.Sprintf("%s of %s", c.Quantity, c.Plan)
	if c.Plan == "" {
		what = "its cancellation"
	}
	return what + " on " + c.EffectiveAt.Format(time.RFC3339)
}

// when is the instant that somebody named, in the subscription's zone.
func (a *Agreement) when(text string, at time.Time) (time.Time, error) {
	if text == "" || text == "now" {
		return micros(at), nil
	}
	zone, err := period.Zone(a.Zone)
	if err != nil {
		return time.Time{}, err
	}
	t, err := metering.ParseTime(text, zone)
	if err != nil {
		return t, fault.New(fault.Invalid, "%s.", upper(err.Error()))
	}
	return t, nil
}

// upper begins a sentence with a capital, where it begins with a letter.
func upper(s string) string {
	first, size := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(first)) + s[size:]
}

// quantity reads how many; empty is one.
func quantity(text string) (exact.Number, error) {
	if text == "" {
		return exact.Whole(1), nil
	}
	n, err := exact.ParseDecimal(text)
	if err != nil || n.Sign() <= 0 {
		return n, fault.New(fault.Invalid, "%q is no quantity: it is a decimal above zero, like 2 or 1.5.", cut(text))
	}
	return n, nil
}

// periodEnd is when the billing period of an item ends in which an instant is.
func (s *Service) periodEnd(ctx context.Context, q db.Queryer, a *Agreement, item string, at time.Time) (time.Time, error) {
	entries, err := listEntries(ctx, q, a.Currency)
	if err != nil {
		return time.Time{}, err
	}
	catalog, err := catalogOf(ctx, q, a.Currency, entries)
	if err != nil {
		return time.Time{}, err
	}
	sub, err := a.subscription(catalog)
	if err != nil {
		return time.Time{}, err
	}
	for _, r := range sub.stretches(item, forever) {
		if !at.Before(r.from) && at.Before(r.to) {
			return r.schedule.Begin(r.schedule.Index(at) + 1), nil
		}
	}
	return time.Time{}, fault.New(fault.Conflict, "The item %s is not in service, so no period of it ends.", cut(item))
}

// agree works out what is due with a change of an agreement, which is made in a, and
// unless dry writes it. What cannot be billed is not written.
func (s *Service) agree(ctx context.Context, a *Agreement, dry bool, at time.Time, write func(q db.Queryer, dry bool) error) ([]Invoice, error) {
	before := *a
	if err := write(s.db.Read(), true); err != nil {
		return nil, err
	}
	due, err := s.upcoming(ctx, a, at)
	if err != nil || dry {
		return due, err
	}
	err = s.db.Write(ctx, func(tx *sql.Tx) error {
		known := *a
		*a = before
		if err := write(tx, false); err != nil {
			return err
		}
		if !slices.EqualFunc(known.Changes, a.Changes, Change.same) || !slices.EqualFunc(known.Amendments, a.Amendments, Amendment.same) { // due was worked out of others
			return fault.New(fault.Conflict, "The subscription was changed at the same time. Look at it, and ask again.")
		}
		return claimRequest(ctx, tx, at)
	})
	return due, err
}

// same reports whether bills are worked out of two changes alike.
func (c Change) same(other Change) bool {
	return c.Type == other.Type && c.Item == other.Item && c.Plan == other.Plan && c.Quantity.Equal(other.Quantity) && c.EffectiveAt.Equal(other.EffectiveAt) &&
		c.UntilAt.Equal(other.UntilAt) && c.RecordedAt.Equal(other.RecordedAt)
}

// documents are all of them in the order of their issue: of one instant credit notes
// first, for they pay the invoices.
func (o *Outcome) documents() []Invoice {
	all := slices.Concat(o.CreditNotes, o.Invoices)
	slices.SortStableFunc(all, func(x, y Invoice) int { return x.IssueAt.Compare(y.IssueAt.Time) })
	return all
}

// Subscriptions are those of a tenant, of all where ref is empty, by id.
func (s *Service) Subscriptions(ctx context.Context, ref string) ([]Agreement, error) {
	all := []Agreement{}
	for some, err := range s.agreements(ctx, ref, time.Time{}) {
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

// agreements are the Subscriptions that began by an instant, all where it is zero, so many
// at a time. An error is the last it yields.
func (s *Service) agreements(ctx context.Context, ref string, begunBy time.Time) iter.Seq2[[]Agreement, error] {
	return func(yield func([]Agreement, error) bool) {
		slugs, err := s.tenants.Slugs(ctx)
		if err != nil {
			yield(nil, err)
			return
		}
		of, err := s.tenantOf(ctx, ref)
		if err != nil {
			yield(nil, err)
			return
		}
		for f := (agreementFilter{tenant: of, begunBy: begunBy, limit: s.together}); ; {
			some, err := listAgreements(ctx, s.db.Read(), f)
			for i := range some {
				some[i].Slug = slugs[some[i].Tenant]
			}
			if len(some) == 0 && err == nil || !yield(some, err) || err != nil || len(some) < f.limit {
				return
			}
			f.after = some[len(some)-1].ID
		}
	}
}

// CheckClose answers fault.Conflict where a tenant has subscriptions whose service does
// not end: they would be billed on, though it has left. It names them.
func (s *Service) CheckClose(ctx context.Context, ref string) error {
	all, err := s.Subscriptions(ctx, ref)
	if err != nil {
		return err
	}
	var running []string
	for _, a := range all {
		var plans []string
		for _, item := range a.Items(forever) {
			plans = append(plans, item.Plan)
		}
		if len(plans) > 0 {
			running = append(running, fmt.Sprintf("%s (%s)", a.ID, strings.Join(plans, ", ")))
		}
	}
	if len(running) == 0 {
		return nil
	}
	return fault.New(fault.Conflict, "Tenant %s is billed on for %s. Cancel that first: arcadia subscription cancel SUBSCRIPTION", all[0].Slug, strings.Join(running, ", "))
}

// checkStays answers fault.Conflict for a tenant that is closed: what it subscribes to has
// no end, so it would be billed on though it has left.
func (s *Service) checkStays(ctx context.Context, t tenant.ID) error {
	of, err := s.tenants.Tenant(ctx, string(t))
	if err == nil && of.State == tenant.Closed {
		err = closedTenant(of)
	}
	return err
}

func closedTenant(t tenant.Tenant) error {
	return fault.New(fault.Conflict, "Tenant %s is closed, and stays so: it would be billed on though it has left. Add another in its place: arcadia tenant add", t.Slug)
}

// Agreement is the subscription with this id; fault.NotFound where there is none.
func (s *Service) Agreement(ctx context.Context, sub SubscriptionID) (Agreement, error) {
	a, err := findAgreement(ctx, s.db.Read(), sub)
	if err != nil {
		return a, err
	}
	t, err := s.tenants.Tenant(ctx, string(a.Tenant))
	a.Slug = t.Slug
	return a, err
}
