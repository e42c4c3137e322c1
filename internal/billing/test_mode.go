package billing

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/id"
	"github.com/arcadia-cloud/arcadia/internal/journal"
)

// InvoiceTest is the state of a document that was issued in test mode. Nobody owes
// anything by it, and it can be deleted.
const InvoiceTest InvoiceState = "test"

// testSeries is what the series of test documents begin with. No issuer has one.
const testSeries = "TEST-"

// IsTest reports whether a document was issued in test mode.
func (i Issued) IsTest() bool { return i.State == InvoiceTest }

// errTest ends the transaction of an issue in test mode, so that nothing of it stays.
var errTest = errors.New("billing: issued in test mode")

// issueTest issues the documents of bills as [Service.issue] does, in a transaction that
// is rolled back, and keeps them apart as test documents. A run in test mode is several
// such transactions: what credit of accounts paid in those before is spent in this one.
func (s *Service) issueTest(ctx context.Context, bills []*bill, by string, now time.Time, spent spending) error {
	err := s.issueIn(ctx, bills, by, now, spent)
	if err != nil && !errors.Is(err, errTest) {
		return err
	}
	for _, b := range bills { // what another run issued meanwhile is no test's
		b.issued = slices.DeleteFunc(append([]Issued{}, b.issued...), func(i Issued) bool { return !isTestSeries(i.Series) })
		for _, i := range b.issued {
			if b.err == nil {
				spent[purse{string(i.Tenant), i.Currency}] += i.Due - i.Open
			}
		}
	}
	return s.db.Write(ctx, func(tx *sql.Tx) error {
		for _, b := range bills {
			if b.err != nil {
				continue
			}
			for n := range b.issued {
				if err := keepTest(ctx, tx, &b.issued[n]); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// spending is what credit of accounts paid in test mode, in minor units. Nothing of it is
// in the journal.
type spending map[purse]int64

// spendTx takes what was spent off the credit of the accounts of bills, in a transaction
// that is rolled back.
func (x spending) spendTx(ctx context.Context, tx *sql.Tx, bills []*bill, by string, now time.Time) error {
	done := make(map[purse]bool)
	for _, b := range bills {
		p := purse{string(b.agreement.Tenant), b.agreement.Currency}
		if x[p] == 0 || done[p] {
			continue
		}
		done[p] = true
		_, err := journal.PostTx(ctx, tx, journal.Entry{
			Key: "credit/" + id.New("use"), At: now, EnteredAt: now, Actor: by, Description: "credit pays test documents",
			Postings: []journal.Posting{posting(b.agreement.Tenant, p.currency, journal.AccountCredit, x[p]), posting(b.agreement.Tenant, p.currency, journal.Receivable, -x[p])},
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// keepTest keeps a document with the next number of its test series. It is in no chain,
// and so has no hash.
func keepTest(ctx context.Context, tx *sql.Tx, i *Issued) error {
	i.ID, i.State, i.PreviousHash, i.Hash = id.New("invtest"), InvoiceTest, "", ""
	var err error
	if i.Number, err = nextTestNumber(ctx, tx, i.Series); err != nil {
		return err
	}
	return insertTest(ctx, tx, i)
}

// keepTestNote keeps a credit note that was issued in a transaction which was rolled back.
func (s *Service) keepTestNote(ctx context.Context, n *Note) error {
	i := n.Issued
	i.Series = testSeries + i.Series
	return s.db.Write(ctx, func(tx *sql.Tx) error {
		n.Issued = i
		return keepTest(ctx, tx, &n.Issued)
	})
}

// TestDocuments lists the documents of a tenant, slug or id, that were issued in test
// mode, or of all where it is empty, the last first.
func (s *Service) TestDocuments(ctx context.Context, ref string) ([]Issued, error) {
	of, err := s.tenantOf(ctx, ref)
	if err != nil {
		return nil, err
	}
	list, err := listTests(ctx, s.db.Read(), testFilter{tenant: of})
	if err != nil {
		return nil, err
	}
	return list, s.nameTenants(ctx, list)
}

// DeleteTestDocuments deletes the test documents of a tenant, slug or id, or all where
// it is empty, and answers how many there were.
func (s *Service) DeleteTestDocuments(ctx context.Context, ref string) (deleted int64, err error) {
	of, err := s.tenantOf(ctx, ref)
	if err != nil {
		return 0, err
	}
	err = s.db.Write(ctx, func(tx *sql.Tx) (err error) {
		deleted, err = deleteTestsOf(ctx, tx, of)
		return err
	})
	return deleted, err
}

// findTest is the test document with an id or number, without its tenant's slug.
func (s *Service) findTest(ctx context.Context, q db.Queryer, ref string) (Issued, error) {
	list, err := listTests(ctx, q, testFilter{ref: ref})
	if err == nil && len(list) == 0 {
		err = fault.New(fault.NotFound, "There is no test document %q. Those there are: arcadia invoice list --test", cut(ref))
	}
	if err != nil {
		return Issued{}, err
	}
	return list[0], nil
}

// isTestSeries reports whether only test documents have numbers of a series, as issuers
// write it.
func isTestSeries(series string) bool { return strings.HasPrefix(strings.ToUpper(series), testSeries) }

// isTestRef reports whether an id or a number is a test document's.
func isTestRef(ref string) bool {
	return strings.HasPrefix(ref, testSeries) || id.Check("invtest", ref) == nil
}
