package billing

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/id"
	"github.com/arcadia-cloud/arcadia/internal/journal"
	"github.com/arcadia-cloud/arcadia/internal/money"
)

// Settle is how long a billing run stays behind the clock: what is being recorded at
// an instant is in the database by then.
const Settle = time.Minute

// A RunOrder asks for a billing run.
type RunOrder struct {
	Tenant string    // only of this tenant, slug or id; empty: of all
	UpTo   time.Time // what is due by then; zero: Settle ago
	DryRun bool      // only say what would be issued
	Expect string    // the Fingerprint of a dry run: where anything else would be issued, nothing is
	By     string
}

// A Run is what a billing run issued, or would issue.
type Run struct {
	UpTo        time.Time
	Issued      []Issued // of a dry run without numbers
	Failed      []RunFailure
	Fingerprint string
	Done        bool
}

// A RunFailure is a subscription that was not billed. The others were.
type RunFailure struct {
	Subscription SubscriptionID
	Tenant       string
	Why          string
}

// A bill is what has to be issued of a subscription, worked out from what was read.
type bill struct {
	agreement Agreement
	billed    time.Time // up to then, when it was read
	new       []keyed
}

// A keyed document has the key under which it is issued once.
type keyed struct {
	Invoice
	revision int64
	text     []byte
}

// RunBilling issues every document that is due and was not issued. What was issued is
// worked out again first: where it comes out differently the subscription is not
// billed, and the run says so. Each document is one transaction, so a run that ends in
// the middle is taken up by the next, and runs beside each other issue each document
// once. It answers fault.Conflict where something else than expected would be issued.
func (s *Service) RunBilling(ctx context.Context, o RunOrder, now time.Time) (Run, error) {
	latest := micros(now).Add(-Settle)
	run := Run{UpTo: o.UpTo, Issued: []Issued{}, Failed: []RunFailure{}}
	if run.UpTo.IsZero() {
		run.UpTo = latest
	}
	if run.UpTo.After(latest) {
		return run, fault.New(fault.Invalid, "What is due after %s cannot be issued yet.", latest.Format(time.RFC3339))
	}
	agreements, err := s.Subscriptions(ctx, o.Tenant)
	if err != nil {
		return run, err
	}
	sum := sha256.New()
	var bills []bill
	for _, a := range agreements {
		if a.StartedAt.After(run.UpTo) {
			continue
		}
		b, err := s.bill(ctx, a, run.UpTo)
		if err != nil {
			if run.Failed, err = s.failed(ctx, run.Failed, a, err); err != nil {
				return run, err
			}
			continue
		}
		for _, k := range b.new {
			fmt.Fprintf(sum, "%s %d %s\n", a.ID, k.revision, k.text)
		}
		bills = append(bills, b)
	}
	run.Fingerprint = hex.EncodeToString(sum.Sum(nil))
	if o.Expect != "" && o.Expect != run.Fingerprint {
		return run, fault.New(fault.Conflict, "What would be issued is another than was looked at. Look at it again.")
	}
	for _, b := range bills {
		for _, k := range b.new {
			if o.DryRun {
				run.Issued = append(run.Issued, Issued{Tenant: b.agreement.Tenant, Slug: b.agreement.Slug, Subscription: b.agreement.ID, Purpose: k.Purpose,
					IssueAt: k.IssueAt.Time, Currency: k.Currency, Total: k.Total, Due: k.Due, Document: k.text})
				continue
			}
			issued, err := s.issue(ctx, &b, k, o.By, now)
			if err != nil {
				if run.Failed, err = s.failed(ctx, run.Failed, b.agreement, err); err != nil {
					return run, err
				}
				break // later documents follow from this one
			}
			run.Issued = append(run.Issued, issued)
		}
	}
	run.Done = !o.DryRun
	return run, nil
}

// failed notes why a subscription is not billed; what is no fault is logged and ends
// the run.
func (s *Service) failed(ctx context.Context, list []RunFailure, a Agreement, err error) ([]RunFailure, error) {
	if fault.KindOf(err) == fault.Internal {
		return list, err
	}
	s.log.WarnContext(ctx, "subscription not billed", "subscription", a.ID, "tenant", a.Slug, "err", err)
	return append(list, RunFailure{a.ID, a.Slug, fault.Message(err)}), nil
}

// bill works out what is to be issued of a subscription. Whatever was issued must come
// out as it was.
func (s *Service) bill(ctx context.Context, a Agreement, upTo time.Time) (bill, error) {
	b := bill{agreement: a}
	var err error
	if b.billed, err = billedTo(ctx, s.db.Read(), a.ID); err != nil {
		return b, err
	}
	all, err := s.rate(ctx, a, later(upTo, b.billed))
	if err != nil {
		return b, err
	}
	issued, err := listIssued(ctx, s.db.Read(), IssuedFilter{subscription: a.ID, Limit: -1})
	if err != nil {
		return b, err
	}
	left := make(map[string]Issued, len(issued))
	for _, i := range issued {
		left[i.key()] = i
	}
	for _, k := range all {
		before, there := left[k.key()]
		delete(left, k.key())
		switch {
		case !there && !k.IssueAt.After(b.billed):
			return b, fault.New(fault.Conflict, "A document of %s comes out that was not issued when it was due: what bills are made of has changed.", k.IssueAt.Format(time.DateOnly))
		case !there && !k.IssueAt.After(upTo):
			b.new = append(b.new, k)
		case there && !bytes.Equal(before.Document, k.text):
			return b, fault.New(fault.Conflict, "%s comes out differently from what was issued: what bills are made of has changed.", before.Ref())
		}
	}
	for _, i := range left {
		return b, fault.New(fault.Conflict, "%s does not come out any more: what bills are made of has changed.", i.Ref())
	}
	return b, nil
}

// rate works out all documents of a subscription up to an instant, with their keys.
func (s *Service) rate(ctx context.Context, a Agreement, upTo time.Time) ([]keyed, error) {
	catalog, err := s.StoredCatalog(ctx, a.Currency)
	if err != nil {
		return nil, err
	}
	sub, err := a.subscription(catalog)
	if err != nil {
		return nil, err
	}
	facts, err := s.factsOf(ctx, &a, catalog, upTo)
	if err != nil {
		return nil, err
	}
	out, err := Preview(catalog, sub, facts, upTo)
	if err != nil {
		return nil, err
	}
	revisions := make(map[string]int64)
	var all []keyed
	for _, inv := range out.documents() {
		of := fmt.Sprint(inv.Purpose, inv.Period.From.UnixMicro(), inv.Period.To.UnixMicro())
		revisions[of]++
		text, err := json.Marshal(inv)
		if err != nil {
			return nil, err
		}
		all = append(all, keyed{inv, revisions[of], text})
	}
	return all, nil
}

func billKey(p Purpose, from, to time.Time, revision int64) string {
	return fmt.Sprintf("%s %d %d %d", p, from.UnixMicro(), to.UnixMicro(), revision)
}

func (k keyed) key() string {
	return billKey(k.Purpose, k.Period.From.Time, k.Period.To.Time, k.revision)
}
func (i Issued) key() string { return billKey(i.Purpose, i.From, i.To, i.revision) }

// issue gives a document its number and its place in the journal. Where another run
// issued it meanwhile, that is the one. It refuses where the subscription has changed
// since the document was worked out.
func (s *Service) issue(ctx context.Context, b *bill, k keyed, by string, now time.Time) (Issued, error) {
	a := b.agreement
	i := Issued{
		ID: id.New("inv"), Tenant: a.Tenant, Slug: a.Slug, Subscription: a.ID, Purpose: k.Purpose, From: k.Period.From.Time, To: k.Period.To.Time, revision: k.revision,
		IssueAt: k.IssueAt.Time, IssuedAt: micros(now), IssuedBy: by, Currency: k.Currency, Total: k.Total, Due: k.Due, Document: k.text,
	}
	err := s.db.Write(ctx, func(tx *sql.Tx) error {
		issued, err := listIssued(ctx, tx, IssuedFilter{subscription: a.ID, Limit: -1})
		if err != nil {
			return err
		}
		if n := slices.IndexFunc(issued, func(other Issued) bool { return other.key() == i.key() }); n >= 0 {
			if i = issued[n]; !bytes.Equal(i.Document, k.text) {
				return fault.New(fault.Conflict, "%s was issued meanwhile, and is another.", i.Ref())
			}
			i.Slug = a.Slug
			return nil
		}
		present, err := findAgreement(ctx, tx, a.ID)
		if err != nil {
			return err
		}
		if len(present.Changes) != len(a.Changes) {
			return fault.New(fault.Conflict, "The subscription was changed while it was billed. Run it again.")
		}
		return s.number(ctx, tx, a, &i, k)
	})
	return i, err
}

// number completes an invoice in the issuing transaction.
func (s *Service) number(ctx context.Context, tx *sql.Tx, a Agreement, i *Issued, k keyed) error {
	customer, err := findCustomer(ctx, tx, a.Tenant)
	if err != nil {
		return err
	}
	issuer, err := findIssuer(ctx, tx, customer.Issuer)
	if err != nil {
		return err
	}
	i.Series = issuer.Series
	if i.Purpose == Credit {
		i.Series = issuer.CreditSeries
	}
	zone, err := time.LoadLocation(a.Zone)
	if err != nil {
		return err
	}
	i.DueAt = i.IssuedAt.In(zone).AddDate(0, 0, customer.TermsDays).UTC()
	if i.Parties, err = json.Marshal(partiesOf(issuer, customer)); err != nil {
		return err
	}
	if i.Number, i.PreviousHash, err = nextNumber(ctx, tx, i.Series); err != nil {
		return err
	}
	i.Hash = i.hash()
	if err := insertIssued(ctx, tx, i); err != nil {
		return err
	}
	if err := sealNumber(ctx, tx, i.Series, i.Hash); err != nil {
		return err
	}
	i.State = InvoiceIssued
	if err := insertState(ctx, tx, i.ID, 1, InvoiceIssued, i.IssuedAt, i.IssuedBy, ""); err != nil {
		return err
	}
	if i.Due == 0 && i.Purpose != Credit {
		i.State = InvoicePaid
		if err := insertState(ctx, tx, i.ID, 2, InvoicePaid, i.IssuedAt, i.IssuedBy, "nothing is due"); err != nil {
			return err
		}
	}
	if err := markBilled(ctx, tx, a.ID, i.IssueAt); err != nil {
		return err
	}
	postings := i.postings(k.TaxTotal)
	if len(postings) == 0 {
		return nil
	}
	_, err = journal.PostTx(ctx, tx, journal.Entry{
		Key: "invoice/" + i.ID, At: i.IssueAt, EnteredAt: i.IssuedAt, Actor: i.IssuedBy, Description: string(i.Purpose) + " " + i.Ref(), Postings: postings,
	})
	return err
}

// postings are what issuing a document does to money: what is due is owed, what credit
// pays or becomes is the tenant's, the rest was earned or is owed to tax offices.
func (i *Issued) postings(tax int64) []journal.Posting {
	receivable, credit, sign := i.Due, i.Total-i.Due, int64(1)
	if i.Purpose == Credit {
		receivable, credit, sign = 0, -i.Total, -1
	}
	var postings []journal.Posting
	for _, p := range []struct {
		account journal.Account
		minor   int64
	}{
		{journal.Receivable, receivable}, {journal.CustomerCredit, credit}, {journal.Revenue, -sign * (i.Total - tax)}, {journal.TaxPayable, -sign * tax},
	} {
		if p.minor != 0 {
			postings = append(postings, journal.Posting{Account: p.account, Tenant: string(i.Tenant), Amount: money.New(p.minor, i.Currency)})
		}
	}
	return postings
}

// A Verification is what was looked at, and what is wrong.
type Verification struct {
	Name  string
	Count int64
	Wrong []string
}

// VerifyBilling checks what was issued: numbers without gaps, in the order of their
// issue; documents and their chain of hashes unchanged; each document's sums and its
// entry in the journal; and that each is worked out again to the same bytes.
func (s *Service) VerifyBilling(ctx context.Context) ([]Verification, error) {
	issued, err := listIssued(ctx, s.db.Read(), IssuedFilter{Limit: -1})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(issued, func(a, b Issued) int { return cmp.Or(cmp.Compare(a.Series, b.Series), cmp.Compare(a.Number, b.Number)) })
	n := int64(len(issued))
	dense, chain, sums, booked := Verification{Name: "numbers have no gap", Count: n}, Verification{Name: "documents are as they were issued", Count: n},
		Verification{Name: "lines, taxes and totals add up", Count: n}, Verification{Name: "documents are in the journal", Count: n}
	for x, i := range issued {
		number, hash := int64(1), ""
		if x > 0 && issued[x-1].Series == i.Series {
			number, hash = issued[x-1].Number+1, issued[x-1].Hash
			if i.IssuedAt.Before(issued[x-1].IssuedAt) {
				dense.Wrong = append(dense.Wrong, i.Ref()+" was issued before the one before it")
			}
		}
		if i.Number != number {
			dense.Wrong = append(dense.Wrong, fmt.Sprintf("%s follows %d", i.Ref(), number-1))
		}
		if i.PreviousHash != hash || i.hash() != i.Hash {
			chain.Wrong = append(chain.Wrong, i.Ref())
		}
		tax, err := i.check()
		if err != nil {
			sums.Wrong = append(sums.Wrong, i.Ref()+": "+err.Error())
		}
		if err := s.checkBooked(ctx, &i, tax); err != nil {
			booked.Wrong = append(booked.Wrong, i.Ref()+": "+err.Error())
		}
	}
	entries, wrong, err := journal.Verify(ctx, s.db.Read())
	if err != nil {
		return nil, err
	}
	balance := Verification{Name: "entries of the journal add up to nothing", Count: entries}
	for _, w := range wrong {
		balance.Wrong = append(balance.Wrong, w.ID+": "+w.Why)
	}
	again := Verification{Name: "bills come out again as they were issued", Count: n}
	agreements, err := s.Subscriptions(ctx, "")
	if err != nil {
		return nil, err
	}
	for _, a := range agreements {
		if _, err := s.bill(ctx, a, a.StartedAt); err != nil {
			if fault.KindOf(err) == fault.Internal {
				return nil, err
			}
			again.Wrong = append(again.Wrong, string(a.ID)+": "+fault.Message(err))
		}
	}
	return []Verification{dense, chain, sums, booked, balance, again}, nil
}

// checkBooked compares a document with its entry in the journal.
func (s *Service) checkBooked(ctx context.Context, i *Issued, tax int64) error {
	want := i.postings(tax)
	e, err := journal.Find(ctx, s.db.Read(), "invoice/"+i.ID)
	if len(want) == 0 && fault.KindOf(err) == fault.NotFound {
		return nil
	}
	if err == nil && !slices.Equal(want, e.Postings) {
		err = fault.New(fault.Conflict, "its entry is of other amounts")
	}
	return err
}
