package billing

import (
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/metering"
	"github.com/arcadia-cloud/arcadia/internal/money"
)

// An EntryAction says what applying a file does with an entry.
type EntryAction string

// The actions.
const (
	EntryAdded     EntryAction = "added"
	EntryChanged   EntryAction = "changed"
	EntryUnchanged EntryAction = "unchanged"
	EntryRemoved   EntryAction = "removed"   // the file does not have it, and nobody uses it
	EntryWithdrawn EntryAction = "withdrawn" // the file does not have it: who has it keeps it, nobody gets it anew
	EntryRestored  EntryAction = "restored"  // it is offered again
	EntryRefused   EntryAction = "refused"
)

// An EntryChange is what becomes of one entry.
type EntryChange struct {
	EntryKey
	Action EntryAction
	Fields []FieldChange // of one that is changed, or should be
	Why    string        // of a refusal: a sentence
}

// An Application asks that the catalog of a currency be what a file says.
type Application struct {
	Name     string // of the file, for what is wrong with it
	Document []byte // YAML or JSON, as [ReadCatalog] reads it
	DryRun   bool
	Expect   string // the Fingerprint of what was looked at; empty: whatever there is
	By       string
}

// An Applied is what became, or would become, of a catalog.
type Applied struct {
	Currency    money.Currency
	Changes     []EntryChange           // of all entries, those of the file first
	Counting    []metering.MeterOutcome // meters of the file that usage is counted by from now on, or otherwise than it was
	Fingerprint string                  // of the catalog before and the file together
	Done        bool                    // it was written; false for a dry run, and where an entry is refused
}

// Count is how many entries have an action.
func (a Applied) Count(action EntryAction) (n int) {
	for _, c := range a.Changes {
		if c.Action == action {
			n++
		}
	}
	return n
}

// Alters reports whether anything is to be different.
func (a Applied) Alters() bool {
	return a.Count(EntryUnchanged) < len(a.Changes) || len(a.Counting) > 0
}

// ApplyCatalog makes the catalog of the file's currency what the file says, all of
// it or, where an entry is refused, nothing, and has usage counted by its meters. An
// entry that a subscription has used is never another; it can be withdrawn. It answers fault.Invalid for what is no
// catalog, and fault.Conflict where it is not what was expected any more.
func (s *Service) ApplyCatalog(ctx context.Context, a Application, at time.Time) (done Applied, err error) {
	c, wanted, err := readEntries(a.Name, a.Document)
	if err != nil {
		return done, err
	}
	if _, err := s.meters.Roll(ctx); err != nil { // so that it is known which meters have counted
		return done, err
	}
	plan := func(q db.Queryer) (p entryPlan, err error) {
		have, err := listEntries(ctx, q, c.Currency)
		if err != nil {
			return p, err
		}
		p = planEntries(c.Currency, have, wanted, a.Document, at)
		return p, s.planCounting(ctx, q, c, &p)
	}
	if a.DryRun {
		p, err := plan(s.db.Read())
		return p.Applied, err
	}
	err = s.db.Write(ctx, func(tx *sql.Tx) error {
		plan, err := plan(tx)
		if err != nil {
			return err
		}
		done = plan.Applied
		if a.Expect != "" && a.Expect != done.Fingerprint {
			return fault.New(fault.Conflict, "The catalog or the file has changed since the difference was shown. Look at it again.")
		}
		if done.Count(EntryRefused) > 0 {
			return nil
		}
		if err := plan.write(ctx, tx, micros(at), a.By); err != nil {
			return err
		}
		for _, o := range plan.Counting {
			if err := s.meters.PutMeterTx(ctx, tx, o.Meter, a.By, at); err != nil {
				return err
			}
		}
		done.Done = true
		return nil
	})
	return done, err
}

// An entryPlan is what is to be written.
type entryPlan struct {
	Applied
	put    []Entry
	remove []EntryKey
}

// planEntries compares what there is with what a file says.
func planEntries(c money.Currency, have, wanted []Entry, document []byte, at time.Time) entryPlan {
	p := entryPlan{Applied: Applied{Currency: c, Fingerprint: fingerprint(have, document)}}
	old := make(map[EntryKey]Entry, len(have))
	usedTaxes := make(map[string]time.Time)
	for _, e := range have {
		old[e.EntryKey] = e
		if e.Kind == TaxEntry && !e.UsedAt.IsZero() {
			usedTaxes[e.ID] = e.UsedAt
		}
	}
	for _, e := range wanted {
		before, there := old[e.EntryKey]
		delete(old, e.EntryKey)
		change := EntryChange{EntryKey: e.EntryKey, Action: EntryAdded}
		if there {
			change.Fields = Differences(before.Document, e.Document)
			switch {
			case len(change.Fields) > 0 && before.frozen(at):
				change.Action, change.Why = EntryRefused, immutable(e.EntryKey)
			case len(change.Fields) > 0:
				change.Action = EntryChanged
			case !before.Offered:
				change.Action = EntryRestored
			default:
				change.Action = EntryUnchanged
			}
			e.UsedAt, e.AddedAt, e.AddedBy = before.UsedAt, before.AddedAt, before.AddedBy
			if len(change.Fields) == 0 {
				e.Document = before.Document
			}
		} else if used, ok := usedTaxes[e.ID]; ok && e.Kind == TaxEntry {
			e.UsedAt = used
			if e.frozen(at) {
				change.Action = EntryRefused
				change.Why = fmt.Sprintf("The tax %s is in use: a rate from %s on would change what was billed. Give it a day to come.", e.ID, cmp.Or(e.Version, "always"))
			}
		}
		p.Changes = append(p.Changes, change)
		p.put = append(p.put, e)
	}
	for _, e := range have {
		if _, left := old[e.EntryKey]; !left {
			continue
		}
		change := EntryChange{EntryKey: e.EntryKey}
		switch {
		case !e.frozen(at):
			change.Action = EntryRemoved
			p.remove = append(p.remove, e.EntryKey)
		case e.Offered:
			change.Action = EntryWithdrawn
			e.Offered = false
			p.put = append(p.put, e)
		default:
			change.Action = EntryUnchanged
			p.put = append(p.put, e)
		}
		p.Changes = append(p.Changes, change)
	}
	// What stays though the file does not have it must fit what the file says.
	if p.Count(EntryRefused) == 0 {
		if _, err := ReadCatalog("the catalog", Document(c, p.put)); err != nil {
			p.Changes = append(p.Changes, EntryChange{EntryKey: EntryKey{Kind: PlanEntry}, Action: EntryRefused, Why: fault.Message(err)})
		}
	}
	return p
}

func immutable(k EntryKey) string {
	if k.Kind == PlanEntry {
		return fmt.Sprintf("The plan %s has been subscribed to and never changes. Give the new one another version.", k.Ref())
	}
	if k.Kind == TaxEntry {
		return fmt.Sprintf("The rate of %s is in force. Add a rate from a day to come.", k.ID)
	}
	return fmt.Sprintf("The %s %s is in use and never changes. Give the new one another id.", k.Kind, k.ID)
}

// fingerprint identifies a catalog and a file.
func fingerprint(have []Entry, document []byte) string {
	sum := sha256.New()
	for _, e := range have {
		fmt.Fprintf(sum, "%q %q %q %t %t %q\n", e.Kind, e.ID, e.Version, e.Offered, e.UsedAt.IsZero(), e.Document)
	}
	sum.Write(document)
	return hex.EncodeToString(sum.Sum(nil))
}

func (p entryPlan) write(ctx context.Context, tx *sql.Tx, at time.Time, by string) error {
	for _, k := range p.remove {
		if err := deleteEntry(ctx, tx, p.Currency, k); err != nil {
			return err
		}
	}
	for i, e := range p.put {
		e.position = i
		if e.AddedAt.IsZero() {
			e.AddedAt, e.AddedBy = at, by
		}
		if err := putEntry(ctx, tx, p.Currency, e); err != nil {
			return err
		}
	}
	return nil
}

// A CatalogOverview is a catalog in few words.
type CatalogOverview struct {
	Currency                      money.Currency
	Plans, Meters, Taxes, Coupons int
	Withdrawn, Used               int
	LastAddedAt                   time.Time
	LastAddedBy                   string
}

// Catalogs lists the catalogs, by currency.
func (s *Service) Catalogs(ctx context.Context) ([]CatalogOverview, error) {
	all, err := listEntries(ctx, s.db.Read(), "")
	if err != nil {
		return nil, err
	}
	list := []CatalogOverview{}
	for _, e := range all {
		if n := len(list); n == 0 || list[n-1].Currency != e.currency {
			list = append(list, CatalogOverview{Currency: e.currency})
		}
		o := &list[len(list)-1]
		switch e.Kind {
		case MeterEntry:
			o.Meters++
		case TaxEntry:
			o.Taxes++
		case PlanEntry:
			o.Plans++
		case CouponEntry:
			o.Coupons++
		}
		if !e.Offered {
			o.Withdrawn++
		}
		if !e.UsedAt.IsZero() {
			o.Used++
		}
		if e.AddedAt.After(o.LastAddedAt) {
			o.LastAddedAt, o.LastAddedBy = e.AddedAt, e.AddedBy
		}
	}
	return list, nil
}

// Entries are the entries of a currency's catalog, as they stand in its file; those
// that were withdrawn come last. fault.NotFound where there is no such catalog.
func (s *Service) Entries(ctx context.Context, currency string) (money.Currency, []Entry, error) {
	c, err := money.ParseCurrency(currency)
	if err != nil {
		return "", nil, err
	}
	entries, err := listEntries(ctx, s.db.Read(), c)
	if err == nil && len(entries) == 0 {
		err = noCatalog(c)
	}
	return c, entries, err
}

// StoredCatalog is the catalog of a currency, withdrawn entries included, as
// subscriptions are billed by it.
func (s *Service) StoredCatalog(ctx context.Context, c money.Currency) (*Catalog, error) {
	entries, err := listEntries(ctx, s.db.Read(), c)
	if err != nil {
		return nil, err
	}
	return catalogOf(ctx, s.db.Read(), c, entries)
}

// catalogOf is the catalog of entries, with the rates of exchange that were set.
func catalogOf(ctx context.Context, q db.Queryer, c money.Currency, entries []Entry) (*Catalog, error) {
	if len(entries) == 0 {
		return nil, noCatalog(c)
	}
	catalog, err := ReadCatalog("the catalog in "+string(c), Document(c, entries))
	if err != nil {
		return nil, fmt.Errorf("billing: the stored catalog cannot be read: %w", err)
	}
	catalog.Rates, err = listRates(ctx, q, c)
	return catalog, err
}
