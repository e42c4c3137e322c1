package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/billing"
	"github.com/arcadia-cloud/arcadia/internal/wire"
)

// maxImport is the most that is read of a request with a file in it, in bytes: a file of
// 4 MiB, every character of which JSON may have to escape.
const maxImport = 9 << 20

func (a *API) importRoutes(h huma.API) {
	files := operation("import-billing", http.MethodPost, "/v1/billing-imports", "Import customers, subscriptions or opening balances from CSV, or say what would become of each line")
	files.Description = "All lines or none; what is wrong is told by line and column. The same file again changes nothing."
	files.MaxBodyBytes = maxImport
	register(a, h, files, a.importBilling)
	bank := operation("import-payments", http.MethodPost, "/v1/payment-imports", "Book the lines of a bank's statement, or say how each is matched")
	bank.Description = "Lines whose payers are certain are booked, each once; the others are answered with what they could be."
	bank.MaxBodyBytes = maxImport
	register(a, h, bank, a.importPayments)
}

func (a *API) importBilling(ctx context.Context, in *struct{ Body client.BillingImport }) (*struct{ Body client.BillingImported }, error) {
	i := in.Body
	done, err := a.o.Bills.Import(ctx, billing.ImportOrder{
		Rehearsal: billing.Rehearsal{DryRun: i.DryRun, Expect: i.Expect}, Kind: billing.ImportKind(i.Kind), CSV: i.CSV, By: actor(ctx),
	}, time.Now())
	if err == nil && done.Done && done.Kind == billing.ImportCustomers {
		_, err = a.o.Inventory.Attribute(ctx, "", time.Time{}) // tags of new tenants may have been there before
	}
	if err != nil {
		return nil, err
	}
	return &struct{ Body client.BillingImported }{wire.BillingImport(done)}, nil
}

func (a *API) importPayments(ctx context.Context, in *struct{ Body client.BankFile }) (*struct{ Body client.BankImported }, error) {
	f := in.Body
	done, err := a.o.Bills.ImportPayments(ctx, billing.BankFile{
		Rehearsal: billing.Rehearsal{DryRun: f.DryRun, Expect: f.Expect}, CSV: f.CSV, Columns: f.Columns, Currency: f.Currency, Comma: f.DecimalComma, Dates: f.Dates, By: actor(ctx),
	}, time.Now())
	if err != nil {
		return nil, err
	}
	return &struct{ Body client.BankImported }{wire.BankImport(done)}, nil
}
