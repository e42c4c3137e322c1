package billing

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"slices"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/journal"
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
	Test   bool      // issue nothing: keep what would be issued as test documents, in place of those of an earlier run
	By     string
}

// A Run is what a billing run issued, or would issue.
type Run struct {
	UpTo        time.Time
	Issued      []Issued // of a dry run without numbers
	Failed      []RunFailure
	Warnings    []Warning
	Fingerprint string
	Done        bool
	Test        bool // Issued are test documents
}

// A RunFailure is a subscription that was not billed. The others were.
type RunFailure struct {
	Subscription SubscriptionID
	Tenant       string
	Why          string
}

// RunBilling issues every document that is due and was not issued. What was issued is
// worked out again first: where it comes out differently the subscription is not
// billed, and the run says so. All that is due of a subscription is issued in one
// transaction, so a run that ends in the middle is taken up by the next, and runs
// beside each other issue each document once. It answers fault.Conflict where something
// else than expected would be issued.
func (s *Service) RunBilling(ctx context.Context, o RunOrder, now time.Time) (Run, error) {
	latest := micros(now).Add(-Settle)
	run := Run{UpTo: o.UpTo, Issued: []Issued{}, Failed: []RunFailure{}, Test: o.Test}
	issue := s.issue
	if o.Test {
		spent := make(spending)
		issue = func(ctx context.Context, bills []*bill, by string, now time.Time) error {
			return s.issueTest(ctx, bills, by, now, spent)
		}
	}
	if o.Test && o.DryRun {
		return run, fault.New(fault.Invalid, "A run is dry or in test mode, not both: in test mode it issues nothing either.")
	}
	if run.UpTo.IsZero() {
		run.UpTo = latest
	}
	if run.UpTo.After(latest) {
		return run, fault.New(fault.Invalid, "What is due after %s cannot be issued yet.", latest.Format(time.RFC3339))
	}
	agreements := s.agreements(ctx, o.Tenant, run.UpTo)
	expected, found := newOutlook(), newOutlook()
	if o.Expect != "" {
		for bills, err := range s.bills(ctx, agreements, run.UpTo) {
			if err != nil {
				return run, err
			}
			expected.add(bills)
		}
		if expected.String() != o.Expect {
			return run, fault.New(fault.Conflict, "What would be issued is another than was looked at. Look at it again.")
		}
	}
	if o.Test {
		if _, err := s.DeleteTestDocuments(ctx, o.Tenant); err != nil {
			return run, err
		}
	}
	var left warnings
	for bills, err := range s.bills(ctx, agreements, run.UpTo) {
		if err != nil {
			return run, err
		}
		found.add(bills)
		left.add(bills)
		for _, b := range bills {
			if o.Expect != "" && b.err == nil && found.of[b.agreement.ID] != expected.of[b.agreement.ID] {
				b.err = fault.New(fault.Conflict, "What would be issued is another than was looked at. Look at it again.")
			}
		}
		if !o.DryRun {
			if err := issue(ctx, bills, o.By, now); err != nil {
				return run, err
			}
		}
		if !o.DryRun && !o.Test {
			if err := s.releaseCredits(ctx, bills, run.UpTo, o.By, now); err != nil {
				return run, err
			}
		}
		for _, b := range bills {
			if b.err == nil {
				run.Issued = append(run.Issued, b.documents()...)
			} else if run.Failed, err = s.failed(ctx, run.Failed, b.agreement, b.err); err != nil {
				return run, err
			}
		}
	}
	run.Fingerprint, run.Done, run.Warnings = found.String(), !o.DryRun, left.list()
	return run, nil
}

// An outlook is what would be issued, of all subscriptions and of each.
type outlook struct {
	all hash.Hash
	of  map[SubscriptionID][sha256.Size]byte
}

func newOutlook() outlook { return outlook{sha256.New(), make(map[SubscriptionID][sha256.Size]byte)} }

func (o outlook) String() string { return hex.EncodeToString(o.all.Sum(nil)) }

func (o outlook) add(bills []*bill) {
	for _, b := range bills {
		if b.err != nil || len(b.new) == 0 {
			continue
		}
		of := sha256.New()
		for _, k := range b.new {
			fmt.Fprintf(of, "%s %d %s\n", b.agreement.ID, k.revision, k.text)
		}
		sum := [sha256.Size]byte(of.Sum(nil))
		o.of[b.agreement.ID] = sum
		o.all.Write(sum[:])
	}
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

// A Verification is what was looked at, and what is wrong.
type Verification struct {
	Name  string
	Count int64
	Wrong []string

	Warnings []Warning // what is no fault, and somebody should know of
}

// VerifyBilling checks what was issued: numbers without gaps, in the order of their
// issue; documents and their chain of hashes unchanged; each document's sums and its
// entry in the journal; and that each is worked out again to the same bytes.
func (s *Service) VerifyBilling(ctx context.Context) ([]Verification, error) {
	last, err := lastNumbers(ctx, s.db.Read())
	if err != nil {
		return nil, err
	}
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
	gone, others := verifyLast(last, issued)
	dense.Wrong, chain.Wrong = append(dense.Wrong, gone...), append(chain.Wrong, others...)
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
	var left warnings
	for bills, err := range s.bills(ctx, s.agreements(ctx, "", time.Time{}), time.Time{}) {
		if err != nil {
			return nil, err
		}
		left.add(bills)
		for _, b := range bills {
			if fault.KindOf(b.err) == fault.Internal && b.err != nil {
				return nil, b.err
			}
			if b.err != nil {
				again.Wrong = append(again.Wrong, string(b.agreement.ID)+": "+fault.Message(b.err))
			}
		}
	}
	paid, err := s.verifyMoney(ctx, issued)
	if err != nil {
		return nil, err
	}
	facts, err := s.verifyFacts(ctx, issued, agreements)
	if err != nil {
		return nil, err
	}
	paid = append(paid, facts...)
	whole := Verification{Name: "bills leave nothing out", Count: int64(len(agreements)), Warnings: left.list()}
	return append([]Verification{dense, chain, sums, booked, balance}, append(paid, again, whole)...), nil
}

// checkBooked compares a document with its entry in the journal.
func (s *Service) checkBooked(ctx context.Context, i *Issued, tax int64) error {
	want := i.postings(tax)
	e, err := journal.Find(ctx, s.db.Read(), "invoice/"+i.ID)
	if i.revision < 0 { // by hand: what it settles depends on what its invoice had open
		var settled int64
		for _, p := range e.Postings {
			if p.Account == journal.Receivable {
				settled -= p.Amount.Minor
			}
		}
		want = i.postingsByHand(tax, settled)
	}
	if len(want) == 0 && fault.KindOf(err) == fault.NotFound {
		return nil
	}
	if err == nil && !slices.Equal(want, e.Postings) {
		err = fault.New(fault.Conflict, "its entry is of other amounts")
	}
	return err
}
