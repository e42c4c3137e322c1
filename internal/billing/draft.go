package billing

import (
	"bytes"
	"context"
	"database/sql"
	"slices"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/id"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

// InvoiceDraft is the state of a document that was worked out and not issued.
const InvoiceDraft InvoiceState = "draft"

// A Progress is how far a billing run is, and what it came to.
type Progress struct {
	ID            string
	BegunAt       time.Time
	EndedAt       time.Time // zero: it is at it, or was cut off
	UpTo          time.Time
	By            string
	Subscriptions int64 // to look at
	Done          int64 // of them
	Issued        int64 // documents
	Drafted       int64 // documents that came out anew or otherwise
	Failed        []RunFailure
	Warnings      []Warning
}

// A DueOrder asks for what is done on the clock.
type DueOrder struct {
	DraftOnly bool // issue nothing
	By        string
}

// BillDue is the billing run that is made on the clock. What is due in advance is
// issued at once. What is due in arrears was drafted when its service ended, so that
// people can look at it during the grace, and is worked out again: where it comes out
// otherwise than was drafted it is not issued but drafted anew, for the next run. All
// drafts are brought up to date. A run that is cut off is taken up by the next.
func (s *Service) BillDue(ctx context.Context, o DueOrder, now time.Time) (Progress, error) {
	begun := time.Now()
	p := Progress{ID: id.New("brun"), BegunAt: micros(now), UpTo: micros(now).Add(-Settle), By: o.By, Failed: []RunFailure{}, Warnings: []Warning{}}
	var err error
	if p.Subscriptions, err = countBegun(ctx, s.db.Read(), p.UpTo); err != nil {
		return p, err
	}
	if err := s.saveProgress(ctx, p); err != nil {
		return p, err
	}
	var left warnings
	for bills, err := range s.billsAhead(ctx, s.agreements(ctx, "", p.UpTo), p.UpTo, true) {
		if err != nil {
			return p, err
		}
		left.add(bills)
		if err := s.billSome(ctx, bills, o, &p, now); err != nil {
			return p, err
		}
		p.Done, p.Warnings = p.Done+int64(len(bills)), left.list()
		if err := s.saveProgress(ctx, p); err != nil {
			return p, err
		}
	}
	p.EndedAt = p.BegunAt.Add(time.Since(begun).Truncate(time.Microsecond))
	return p, s.endProgress(ctx, p)
}

// billSome issues and drafts what is due of some subscriptions.
func (s *Service) billSome(ctx context.Context, bills []*bill, o DueOrder, p *Progress, now time.Time) error {
	ids := make([]SubscriptionID, len(bills))
	for i, b := range bills {
		ids[i] = b.agreement.ID
	}
	drafts, err := listDrafts(ctx, s.db.Read(), draftFilter{subscriptions: ids})
	if err != nil {
		return err
	}
	of := make(map[SubscriptionID][]Issued)
	for _, d := range drafts {
		of[d.Subscription] = append(of[d.Subscription], d)
	}
	for _, b := range bills {
		b.hold(of[b.agreement.ID], o.DraftOnly)
	}
	if err := s.issue(ctx, bills, o.By, now); err != nil {
		return err
	}
	if !o.DraftOnly {
		if err := s.releaseCredits(ctx, bills, p.UpTo, o.By, now); err != nil {
			return err
		}
	}
	for _, b := range bills {
		if b.err != nil {
			if p.Failed, err = s.failed(ctx, p.Failed, b.agreement, b.err); err != nil {
				return err
			}
			continue // its drafts stay as they were
		}
		p.Issued += int64(len(b.issued))
		drafted, err := s.draft(ctx, b, of[b.agreement.ID], now)
		if err != nil {
			return err
		}
		p.Drafted += drafted
	}
	return nil
}

// hold takes out of a bill what is not to be issued now, and keeps it to be drafted: a
// document in arrears that was not drafted as it comes out, and all after it, which
// follow from it.
func (b *bill) hold(drafts []Issued, all bool) {
	n := slices.IndexFunc(b.new, func(k keyed) bool {
		if all {
			return true
		}
		return k.Purpose == Arrears && k.draftAmong(drafts) == nil
	})
	if n >= 0 {
		first := b.new[n].IssueAt.Time
		b.nothing = slices.DeleteFunc(b.nothing, func(at time.Time) bool { return !at.Before(first) })
		b.upcoming = append(slices.Clone(b.new[n:]), b.upcoming...)
		b.new = b.new[:n]
	}
}

// draftAmong is the draft of a document as it comes out; nil where there is none.
func (k *keyed) draftAmong(drafts []Issued) *Issued {
	i := slices.IndexFunc(drafts, func(d Issued) bool { return d.key() == k.key() && bytes.Equal(d.Document, k.text) })
	if i < 0 {
		return nil
	}
	return &drafts[i]
}

// draft makes the drafts of a subscription what is upcoming, where they are not, and
// returns how many are others than they were.
func (s *Service) draft(ctx context.Context, b *bill, before []Issued, now time.Time) (drafted int64, err error) {
	same := len(before) == len(b.upcoming)
	for n := range b.upcoming {
		if b.upcoming[n].draftAmong(before) == nil {
			drafted++
		}
	}
	if same && drafted == 0 {
		return 0, nil
	}
	return drafted, s.db.Write(ctx, func(tx *sql.Tx) error {
		if err := deleteDrafts(ctx, tx, b.agreement.ID); err != nil {
			return err
		}
		for n := range b.upcoming {
			d := b.document(&b.upcoming[n])
			d.IssuedAt = micros(now)
			if old := b.upcoming[n].draftAmong(before); old != nil {
				d.IssuedAt = old.IssuedAt
			}
			if err := insertDraft(ctx, tx, &d); err != nil {
				return err
			}
		}
		return nil
	})
}

// Drafts are the documents that wait to be issued, of a tenant, slug or id, or of all
// where ref is empty: the next first. They have no number, and IssuedAt is since when
// they are as they are. One that was issued meanwhile is none.
func (s *Service) Drafts(ctx context.Context, ref string) ([]Issued, error) {
	of, err := s.tenantOf(ctx, ref)
	if err != nil {
		return nil, err
	}
	drafts, err := listDrafts(ctx, s.db.Read(), draftFilter{tenant: of})
	if err != nil {
		return nil, err
	}
	return drafts, s.nameTenants(ctx, drafts)
}

// BillingRuns are the runs that came to something, the last first.
func (s *Service) BillingRuns(ctx context.Context, limit int) ([]Progress, error) {
	if limit < 1 || limit > 1000 {
		return nil, fault.New(fault.Invalid, "A list holds 1 to 1000 runs, not %d.", limit)
	}
	return listRuns(ctx, s.db.Read(), limit)
}

// A draftFilter selects drafts; empty fields select all.
type draftFilter struct {
	tenant        tenant.ID
	subscriptions []SubscriptionID
}
