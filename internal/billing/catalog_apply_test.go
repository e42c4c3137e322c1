package billing

import (
	"database/sql"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/metering"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const plans = `currency: EUR
meters:
  - {id: calls, event_type: api.call, aggregate: sum, value: n}
taxes:
  - {id: vat, rate: "19"}
plans:
  - id: basic
    version: 1
    period: {unit: month}
    charges:
      - {id: fee, type: recurring, price: "30.00"}
      - {id: calls, type: usage, meter: calls, model: unit, price: "0.10"}
coupons:
  - {id: ten, percent: "10", duration: forever}
`

func apply(t *testing.T, s *Service, document string, at time.Time) Applied {
	t.Helper()
	done, err := s.ApplyCatalog(t.Context(), Application{Name: "c.yaml", Document: []byte(document), By: "test"}, at)
	if err != nil {
		t.Fatal(err)
	}
	return done
}

// use marks entries as a subscription does.
func use(t *testing.T, d *db.DB, keys ...EntryKey) {
	t.Helper()
	err := d.Write(t.Context(), func(tx *sql.Tx) error { return useEntries(t.Context(), tx, "EUR", keys, db.Micros(noon)) })
	if err != nil {
		t.Fatal(err)
	}
}

func actions(a Applied) string {
	var all []string
	for _, c := range a.Changes {
		all = append(all, c.Ref()+" "+string(c.Action))
	}
	return strings.Join(all, ", ")
}

func TestApplyingACatalog(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := New(d, nil, nil)
		file := func(old, with string) string { return strings.Replace(plans, old, with, 1) }
		dry, err := s.ApplyCatalog(t.Context(), Application{Name: "c", Document: []byte(plans), DryRun: true}, noon)
		if err != nil || dry.Done || dry.Count(EntryAdded) != 4 {
			t.Fatalf("a dry run: %+v, %v", dry, err)
		}
		if _, _, err := s.Entries(t.Context(), "EUR"); !errors.Is(err, fault.NotFound) {
			t.Errorf("a dry run left a catalog behind: %v", err)
		}
		if done := apply(t, s, plans, noon); !done.Done {
			t.Fatalf("%+v", done)
		}
		if again := apply(t, s, file(`"30.00"`, `"30"`), noon); again.Alters() {
			t.Errorf("another spelling of a price is a change: %s", actions(again))
		}
		changed := apply(t, s, file(`"30.00"`, `"31"`), noon)
		if c := changed.Changes[2]; c.Action != EntryChanged || len(c.Fields) != 1 || c.Fields[0] != (FieldChange{"charges[fee].price", "30.00", "31"}) {
			t.Errorf("an unused plan that is changed: %+v", c)
		}
		if _, err := s.ApplyCatalog(t.Context(), Application{Name: "c", Document: []byte(plans), Expect: dry.Fingerprint}, noon); !errors.Is(err, fault.Conflict) {
			t.Errorf("applied though the catalog has changed since: %v", err)
		}
		apply(t, s, plans, noon)
		use(t, d, EntryKey{PlanEntry, "basic", "1"}, EntryKey{MeterEntry, "calls", ""}, EntryKey{TaxEntry, "vat", ""})

		for name, document := range map[string]string{
			"a plan that is used":    file(`"30.00"`, `"31"`),
			"a meter that is used":   file("value: n", "value: m"),
			"a tax in force":         file(`"19"`, `"20"`),
			"a rate from a past day": file("plans:", "  - {id: vat, rate: \"20\", from: 2026-01-01}\nplans:"),
		} {
			if done := apply(t, s, document, noon); done.Done || done.Count(EntryRefused) != 1 {
				t.Errorf("%s was changed: %s", name, actions(done))
			}
		}
		future := file("plans:", "  - {id: vat, rate: \"20\", from: 2026-04-01}\nplans:")
		if done := apply(t, s, future, noon); !done.Done || done.Count(EntryAdded) != 1 {
			t.Errorf("a rate to come: %s", actions(done))
		}
		if done := apply(t, s, file("plans:", "  - {id: vat, rate: \"21\", from: 2026-04-01}\nplans:"), noon); !done.Done || done.Count(EntryChanged) != 1 {
			t.Errorf("a rate to come that is another: %s", actions(done))
		}
		// The plan's next version replaces it in the file: who has the first keeps it.
		next := apply(t, s, file("version: 1", "version: 2"), noon)
		if got := actions(next); !next.Done || !strings.Contains(got, "basic@2 added") || !strings.Contains(got, "basic@1 withdrawn") || !strings.Contains(got, "vat@2026-04-01 removed") {
			t.Errorf("the next version: %s", got)
		}
		c, err := s.StoredCatalog(t.Context(), "EUR")
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := c.Plan("basic@1"); !ok {
			t.Error("the withdrawn plan is not there to be billed by")
		}
		if done := apply(t, s, plans, noon); !strings.Contains(actions(done), "basic@1 restored") {
			t.Errorf("the first version again: %s", actions(done))
		}
		for _, statement := range []string{
			`UPDATE billing_catalog SET document = '{}' WHERE id = 'basic' AND version = '1'`,
			`DELETE FROM billing_catalog WHERE id = 'basic' AND version = '1'`,
		} {
			err := d.Write(t.Context(), func(tx *sql.Tx) error { _, err := tx.ExecContext(t.Context(), statement); return err })
			if err == nil {
				t.Errorf("the database allowed %q", statement)
			}
		}
	})
}

// The meters of a catalog count usage as soon as it is applied, unless they only pick
// resources; one that has counted otherwise is refused with the whole file.
func TestACatalogsMetersCountUsage(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s, usage := New(d, nil, nil), metering.New(d, nil, nil)
		document := strings.NewReplacer("taxes:", "  - {id: big, event_type: droplet, aggregate: count, filter: {size: big}}\ntaxes:",
			"coupons:", "      - {id: servers, type: resource, model: cost_plus, meter: big}\ncoupons:").Replace(plans)
		dry, err := s.ApplyCatalog(t.Context(), Application{Name: "c", Document: []byte(document), DryRun: true}, noon)
		if err != nil || len(dry.Counting) != 1 || dry.Counting[0].Meter.ID != "calls" || dry.Counting[0].Action != metering.MeterAdded {
			t.Fatalf("a dry run: %+v, %v", dry.Counting, err)
		}
		if meters, err := usage.Meters(t.Context()); err != nil || len(meters) > 0 {
			t.Errorf("a dry run left %+v, %v", meters, err)
		}
		if _, err := s.ApplyCatalog(t.Context(), Application{Name: "c", Document: []byte(document), Expect: dry.Fingerprint}, noon); err != nil {
			t.Fatal(err)
		}
		if meters, err := usage.Meters(t.Context()); err != nil || len(meters) != 1 || meters[0].ID != "calls" || meters[0].Value != "n" {
			t.Fatalf("usage is counted by %+v, %v", meters, err)
		}
		if again := apply(t, s, document, noon); again.Alters() {
			t.Errorf("applied again: %+v", again)
		}

		if _, err := tenant.New(d).Add(t.Context(), tenant.Entry{Slug: "acme"}, noon); err != nil {
			t.Fatal(err)
		}
		told, err := metering.ReadBatch([]byte(`{"specversion":"1.0","source":"s","type":"api.call","subject":"acme","id":"1","time":"2026-03-01T11:00:00Z","data":{"n":"3"}}`))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := usage.Push(t.Context(), told, "", noon); err != nil {
			t.Fatal(err)
		}
		other := strings.Replace(document, "value: n", "value: m", 1)
		done := apply(t, s, other, noon)
		if done.Done || done.Count(EntryRefused) != 1 || !strings.Contains(done.Changes[0].Why, "has counted events") {
			t.Errorf("a meter that has counted became another: %+v", done.Changes)
		}
		if meters, err := usage.Meters(t.Context()); err != nil || meters[0].Value != "n" {
			t.Errorf("usage is counted by %+v, %v", meters, err)
		}
	})
}

// What a catalog is put together to reads as the file did.
func FuzzDocument(f *testing.F) {
	f.Add(plans)
	f.Add(`{"currency":"JPY","plans":[{"id":"a","version":"x@y","period":{"unit":"day","count":2},"charges":[]}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		c, entries, err := readEntries("f", []byte(text))
		if err != nil {
			return
		}
		again, same, err := readEntries("f", Document(c.Currency, entries))
		if err != nil || len(same) != len(entries) || len(again.Plans) != len(c.Plans) {
			t.Fatalf("%q reads as %d entries, and again as %d: %v", text, len(entries), len(same), err)
		}
		for i, e := range entries {
			if same[i].EntryKey != e.EntryKey || len(Differences(e.Document, same[i].Document)) > 0 {
				t.Fatalf("%s became %s", e.Document, same[i].Document)
			}
		}
	})
}
