package billing

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/journal"
	"github.com/arcadia-cloud/arcadia/internal/money"
)

// A run in test mode issues what a run would, and the run that comes after it finds
// nothing of that: the same numbers, the same credit, the same journal.
func TestTestMode(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s, ctx := house(t, d, nil), t.Context()
		subscribe(t, s, Order{Tenant: "acme", Plan: "basic@1", From: "2026-02-01"}, day(t, "2026-01-20"))
		subscribe(t, s, Order{Tenant: "acme", Plan: "basic@1", From: "2026-03-01"}, day(t, "2026-01-21"))
		runAt(t, s, day(t, "2026-02-02"))
		// What is paid twice is credit, which the next invoice takes.
		if _, err := s.RecordPayment(ctx, PaymentOrder{Amount: money.New(4600, "EUR"), Invoices: []string{"R-1"}, Key: "b1", By: "test"}, day(t, "2026-02-03")); err != nil {
			t.Fatal(err)
		}
		tables := []string{"billing_series", "billing_invoices", "billing_states", "billing_settlements", "billing_marks", "journal_entries", "journal_postings"}
		count := func() (rows []int64) {
			for _, name := range tables {
				var n int64
				if err := d.Read().QueryRowContext(ctx, "SELECT COUNT(*) FROM "+name).Scan(&n); err != nil {
					t.Fatal(err)
				}
				rows = append(rows, n)
			}
			return rows
		}
		before := count()
		at := day(t, "2026-03-02")
		for range 2 { // the second in place of the first
			run, err := s.RunBilling(ctx, RunOrder{Test: true, By: "test"}, at)
			if err != nil || len(run.Issued) != 2 || !run.Test {
				t.Fatalf("in test mode: %+v, %v", run, err)
			}
			if i := run.Issued[0]; !i.IsTest() || i.Ref() != "TEST-R-1" || i.Total != 3600 || i.Open != 2600 || i.Hash != "" {
				t.Errorf("a test document: %+v", i)
			}
			if i := run.Issued[1]; i.Ref() != "TEST-R-2" || i.Open != 3600 {
				t.Errorf("another: %+v", i)
			}
		}
		if after := count(); !slices.Equal(before, after) {
			t.Errorf("rows of %v were %v and are %v", tables, before, after)
		}
		together := s.together
		s.together = 1 // numbers go on from one transaction to the next
		if run, err := s.RunBilling(ctx, RunOrder{Test: true, By: "test"}, at); err != nil || len(run.Issued) != 2 || run.Issued[1].Ref() != "TEST-R-2" ||
			run.Issued[0].Open != 2600 || run.Issued[1].Open != 3600 { // nor is credit there twice
			t.Fatalf("in several transactions: %+v, %v", run, err)
		}
		s.together = together
		list, err := s.TestDocuments(ctx, "acme")
		if err != nil || len(list) != 2 || list[1].Slug != "acme" {
			t.Errorf("listed: %+v, %v", list, err)
		}
		real, _, err := s.Invoices(ctx, IssuedFilter{})
		if err != nil || len(real) != 1 {
			t.Errorf("those that were issued: %+v, %v", real, err)
		}
		shown, lines, err := s.Explain(ctx, "TEST-R-1", 0)
		if err != nil || len(lines) != 1 || shown.Slug != "acme" {
			t.Errorf("explained: %+v, %v", lines, err)
		}
		for what, err := range map[string]error{
			"paid":        second(s.RecordPayment(ctx, PaymentOrder{Amount: money.New(100, "EUR"), Invoices: []string{"TEST-R-1"}, By: "test"}, at)),
			"paid by id":  second(s.RecordPayment(ctx, PaymentOrder{Amount: money.New(100, "EUR"), Invoices: []string{shown.ID}, By: "test"}, at)),
			"written off": second(s.WriteOffInvoice(ctx, WriteOffOrder{Invoice: "TEST-R-1", Reason: "test", By: "test"}, at)),
		} {
			if !errors.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "test document") {
				t.Errorf("%s: %v", what, err)
			}
		}
		if _, err := s.RunBilling(ctx, RunOrder{Test: true, DryRun: true}, at); !errors.Is(err, fault.Invalid) {
			t.Errorf("dry and in test mode: %v", err)
		}
		if _, err := s.PutIssuer(ctx, Issuer{ID: "other", LegalName: "Other", Series: "Test-"}, "test", at); !errors.Is(err, fault.Invalid) {
			t.Errorf("an issuer with the series of tests: %v", err)
		}
		done := runAt(t, s, at)
		if len(done.Issued) != 2 || done.Issued[0].Ref() != "R-2" || done.Issued[1].Ref() != "R-3" || !bytes.Equal(done.Issued[0].Document, shown.Document) {
			t.Errorf("issued after it: %+v", done.Issued)
		}
		if n, err := s.DeleteTestDocuments(ctx, "acme"); err != nil || n != 2 {
			t.Errorf("deleted %d, %v", n, err)
		}
		if _, err := s.Invoice(ctx, "TEST-R-1"); !errors.Is(err, fault.NotFound) {
			t.Errorf("after it was deleted: %v", err)
		}
		sound(t, s, 3)
		if _, wrong, err := journal.Verify(ctx, d.Read()); err != nil || len(wrong) > 0 {
			t.Errorf("the journal: %v, %v", wrong, err)
		}
	})
}

// A credit note in test mode is what the one that is issued after it is, and nothing of it
// stays but the test document.
func TestACreditNoteInTestMode(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s, at := owing(t, d)
		o := NoteOrder{Invoice: "R-1", Amount: 1201, Reason: "outage", By: "test", Test: true}
		before := stateOfAll(t, s)
		for _, ref := range []string{"TEST-CR-1", "TEST-CR-2"} {
			n, err := s.CreditInvoice(t.Context(), o, at)
			if err != nil || n.Done || !n.IsTest() || n.Ref() != ref || n.Total != 1201 || n.Hash != "" || n.Of.Open != 2399 || n.Slug != "acme" {
				t.Errorf("in test mode: %+v, %v", n, err)
			}
		}
		if after := stateOfAll(t, s); after != before {
			t.Errorf("it was %s and is %s", before, after)
		}
		sound(t, s, 3)
		test, err := s.Invoice(t.Context(), "TEST-CR-1")
		if err != nil {
			t.Fatal(err)
		}
		both := o
		both.DryRun = true
		if _, err := s.CreditInvoice(t.Context(), both, at); !errors.Is(err, fault.Invalid) {
			t.Errorf("dry and in test mode: %v", err)
		}
		if _, err := s.CreditInvoice(t.Context(), NoteOrder{Invoice: "TEST-CR-1", Full: true, Reason: "x"}, at); err == nil {
			t.Error("a test document was credited")
		}
		if issued := credit(t, s, at, NoteOrder{Invoice: "R-1", Amount: 1201}); issued.Ref() != "CR-1" || !bytes.Equal(issued.Document, test.Document) {
			t.Errorf("issued after it: %s\n%s\n%s", issued.Ref(), issued.Document, test.Document)
		}
		sound(t, s, 4)
	})
}

func second[T any](_ T, err error) error { return err }
