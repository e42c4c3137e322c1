package billing

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/money"
	"github.com/arcadia-cloud/arcadia/internal/period"
)

// A bill is what has to be issued of a subscription, worked out from what was read.
type bill struct {
	agreement Agreement
	billed    time.Time // up to then, when it was read
	new       []keyed
	nothing   []time.Time // when documents were due that come to nothing, which are not issued: in their order
	upcoming  []keyed     // what is not due yet, though its service has ended
	warnings  []string
	resources bool     // it charges for resources
	uncovered []string // URNs of those that none of its charges is about
	notes     []kept   // that were issued by hand, when it was read
	releases  []release
	err       error // why it cannot be issued

	issued []Issued // in the end
}

// A keyed document has the key under which it is issued once.
type keyed struct {
	Invoice
	revision int64
	text     []byte
}

// documents are what was issued, or in a dry run what would be.
func (b *bill) documents() []Issued {
	if b.issued != nil {
		return b.issued
	}
	all := make([]Issued, len(b.new))
	for n := range b.new {
		all[n] = b.document(&b.new[n])
	}
	return all
}

// document is one of the bill's, without what its issue gives it.
func (b *bill) document(k *keyed) Issued {
	return Issued{
		Tenant: b.agreement.Tenant, Slug: b.agreement.Slug, Subscription: b.agreement.ID, Zone: b.agreement.Zone, Purpose: k.Purpose, From: k.Period.From.Time, To: k.Period.To.Time,
		revision: k.revision, IssueAt: k.IssueAt.Time, Currency: k.Currency, Total: k.Total, Due: k.Due, Open: k.Due, Document: k.text,
	}
}

// bills works out what is to be issued of subscriptions, in their order and as they come,
// on all cores and the next while those before are issued. An error of its own is the
// last it yields.
func (s *Service) bills(ctx context.Context, agreements iter.Seq2[[]Agreement, error], upTo time.Time) iter.Seq2[[]*bill, error] {
	return s.billsAhead(ctx, agreements, upTo, false)
}

// billsAhead works out what is upcoming too, where ahead is true.
func (s *Service) billsAhead(ctx context.Context, agreements iter.Seq2[[]Agreement, error], upTo time.Time, ahead bool) iter.Seq2[[]*bill, error] {
	type batch struct {
		bills []*bill
		err   error
	}
	return func(yield func([]*bill, error) bool) {
		ctx, stop := context.WithCancel(ctx)
		ready := make(chan batch)
		// Who issues has one of the cores. All that is to be issued waits for that: nothing
		// else may take it away.
		cores := make(chan struct{}, runtime.GOMAXPROCS(0))
		var working sync.WaitGroup
		working.Go(func() {
			defer close(ready)
			catalogs := s.catalogs(ctx)
			catalogs.ahead = ahead
			for some, err := range agreements {
				var b batch
				if b.err = err; err == nil {
					b.bills, b.err = s.billAll(ctx, some, upTo, catalogs, cores)
				}
				select {
				case ready <- b:
				case <-ctx.Done():
					return
				}
			}
		})
		defer working.Wait()
		defer stop()
		issued := func(b batch) bool {
			cores <- struct{}{}
			defer func() { <-cores }()
			return yield(b.bills, b.err)
		}
		for b := range ready {
			if !issued(b) || b.err != nil {
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(nil, err)
		}
	}
}

// billAll works out bills on as many cores as are free.
func (s *Service) billAll(ctx context.Context, agreements []Agreement, upTo time.Time, catalogs *catalogs, cores chan struct{}) ([]*bill, error) {
	ids := make([]SubscriptionID, len(agreements))
	for i, a := range agreements {
		ids[i] = a.ID
	}
	// First up to when, then what was issued: a document that comes in between is
	// issued, and after that.
	billed, err := billedTo(ctx, s.db.Read(), ids...)
	if err != nil {
		return nil, err
	}
	list, err := listIssued(ctx, s.db.Read(), IssuedFilter{subscriptions: ids, Limit: -1})
	if err != nil {
		return nil, err
	}
	releases, err := listReleases(ctx, s.db.Read(), ids...)
	if err != nil {
		return nil, err
	}
	issued := make(map[SubscriptionID][]Issued)
	for _, i := range list {
		issued[i.Subscription] = append(issued[i.Subscription], i)
	}
	bills := make([]*bill, len(agreements))
	var next atomic.Int64
	var working sync.WaitGroup
	for range cap(cores) {
		working.Go(func() {
			for n := int(next.Add(1)) - 1; n < len(agreements); n = int(next.Add(1)) - 1 {
				cores <- struct{}{}
				b := &bill{agreement: agreements[n], billed: billed[ids[n]], releases: releases[ids[n]]}
				b.err = s.bill(ctx, b, issued[ids[n]], upTo, catalogs)
				bills[n] = b
				<-cores
			}
		})
	}
	working.Wait()
	return bills, nil
}

// bill works out what is to be issued of a subscription, of which issued was. That must
// come out as it was.
func (s *Service) bill(ctx context.Context, b *bill, issued []Issued, upTo time.Time, catalogs *catalogs) error {
	var err error
	if b.notes, err = creditedBy(issued); err != nil {
		return err
	}
	issued = slices.DeleteFunc(slices.Clone(issued), func(i Issued) bool { return i.revision < 0 })
	all, err := s.rate(ctx, b, period.Later(upTo, period.Later(b.billed, b.agreement.StartedAt)), catalogs)
	if err != nil {
		return err
	}
	left := make(map[string]Issued, len(issued))
	for _, i := range issued {
		left[i.key()] = i
	}
	for _, k := range all {
		before, there := left[k.key()]
		delete(left, k.key())
		switch {
		case !there && k.isNothing():
			if at := k.IssueAt.Time; at.After(b.billed) && !at.After(upTo) {
				b.nothing = append(b.nothing, at)
			}
		case !there && !k.IssueAt.After(b.billed):
			return fault.New(fault.Conflict, "A document of %s comes out that was not issued when it was due: what bills are made of has changed.", k.IssueAt.Format(time.DateOnly))
		case !there && !k.IssueAt.After(upTo):
			b.new = append(b.new, k)
		case !there && !k.Period.To.After(upTo):
			b.upcoming = append(b.upcoming, k)
		case there && !bytes.Equal(before.Document, k.text):
			return fault.New(fault.Conflict, "%s comes out differently from what was issued: what bills are made of has changed.", before.Ref())
		}
	}
	for _, i := range left {
		return fault.New(fault.Conflict, "%s does not come out any more: what bills are made of has changed.", i.Ref())
	}
	return nil
}

// rate works out all documents of a bill's subscription up to an instant, with their
// keys, and what they leave out.
func (s *Service) rate(ctx context.Context, b *bill, upTo time.Time, catalogs *catalogs) ([]keyed, error) {
	catalog, err := catalogs.of(b.agreement.Currency)
	if err != nil {
		return nil, err
	}
	sub, err := b.agreement.subscription(catalog)
	if err != nil {
		return nil, err
	}
	sub.credited, sub.released = b.notes, b.releases
	at := upTo
	if catalogs.ahead {
		at = at.Add(sub.grace())
	}
	facts, err := s.factsOf(ctx, &b.agreement, catalog, at)
	if err != nil {
		return nil, err
	}
	out, err := Preview(catalog, sub, facts, at)
	if err != nil {
		return nil, err
	}
	b.warnings = out.Warnings
	b.uncovered, b.resources = sub.uncovered(facts.Lifetimes, upTo)
	all := out.keyed()
	for n := range all {
		all[n].text = all[n].appendJSON(nil)
	}
	return all, nil
}

// keyed are the documents of an outcome in the order of their issue, with their keys.
func (o *Outcome) keyed() []keyed {
	revisions := make(map[string]int64)
	var all []keyed
	for _, inv := range o.documents() {
		of := fmt.Sprint(inv.Purpose, inv.Period.From.UnixMicro(), inv.Period.To.UnixMicro())
		revisions[of]++
		all = append(all, keyed{Invoice: inv, revision: revisions[of]})
	}
	return all
}

func billKey(p Purpose, from, to time.Time, revision int64) string {
	return fmt.Sprintf("%s %d %d %d", p, from.UnixMicro(), to.UnixMicro(), revision)
}

func (k keyed) key() string {
	return billKey(k.Purpose, k.Period.From.Time, k.Period.To.Time, k.revision)
}
func (i Issued) key() string { return billKey(i.Purpose, i.From, i.To, i.revision) }

// catalogs are those that are asked for, each read once.
type catalogs struct {
	read func(money.Currency) (*Catalog, error)
	mu   sync.Mutex
	all  map[money.Currency]*Catalog

	ahead bool // bills are worked out to the end of the grace
}

func (s *Service) catalogs(ctx context.Context) *catalogs {
	return &catalogs{
		read: func(c money.Currency) (*Catalog, error) { return s.StoredCatalog(ctx, c) },
		all:  make(map[money.Currency]*Catalog),
	}
}

func (c *catalogs) of(currency money.Currency) (*Catalog, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if catalog := c.all[currency]; catalog != nil {
		return catalog, nil
	}
	catalog, err := c.read(currency)
	if err == nil {
		c.all[currency] = catalog
	}
	return catalog, err
}
