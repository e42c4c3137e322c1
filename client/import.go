package client

import (
	"context"
	"net/http"
)

// A FileProblem is why a cell of a file is refused.
type FileProblem struct {
	Column string `json:"column" doc:"As the heading names it; empty: the whole line."`
	Why    string `json:"why"`
}

// A BillingImport asks for an import of what tenants are billed by.
type BillingImport struct {
	Kind   string `json:"kind" enum:"customers,subscriptions,balances"`
	CSV    string `json:"csv" doc:"With a heading that names the columns."`
	DryRun bool   `json:"dry_run,omitempty" doc:"Only say what would become of each line."`
	Expect string `json:"expect,omitempty" doc:"The fingerprint of a dry run: where anything else would be done, nothing is."`
}

// A BillingImported is what became, or would become, of each line of an import.
type BillingImported struct {
	Kind        string         `json:"kind"`
	Done        bool           `json:"done" doc:"It was written: not in a dry run, and not where a line is refused."`
	Added       int            `json:"added"`
	Changed     int            `json:"changed"`
	Unchanged   int            `json:"unchanged"`
	Refused     int            `json:"refused"`
	Totals      []Money        `json:"totals" nullable:"false" doc:"Of what is added, by currency: balances, or the first bills of subscriptions."`
	Items       []ImportedLine `json:"items" nullable:"false"`
	Fingerprint string         `json:"fingerprint" doc:"Empty where a line is refused."`
}

// Money is an amount in a currency.
type Money struct {
	Amount   int64  `json:"amount" doc:"Minor units."`
	Currency string `json:"currency"`
}

// An ImportedLine is what becomes of one line.
type ImportedLine struct {
	Line     int           `json:"line" doc:"Of the file, from 1."`
	Name     string        `json:"name" doc:"The slug, or the key of the line."`
	Action   string        `json:"action" enum:"added,changed,unchanged,refused"`
	What     string        `json:"what" doc:"What is added, or different."`
	Amount   *Money        `json:"amount" doc:"A balance, or the first bills of a subscription: all that are due by the end of its period and grace. null elsewhere."`
	Subject  string        `json:"subject" doc:"The id of what was made; empty in a dry run."`
	Problems []FileProblem `json:"problems" nullable:"false" doc:"All that is wrong."`
}

// ImportBilling imports customers, subscriptions or balances: all lines, or none.
func (c *Client) ImportBilling(ctx context.Context, i BillingImport) (done BillingImported, err error) {
	_, err = c.call(ctx, http.MethodPost, "/v1/billing-imports", nil, nil, i, &done)
	return done, err
}

// A BankFile asks that a bank's statement be imported.
type BankFile struct {
	CSV          string            `json:"csv" doc:"With a heading that names the columns date, amount, and as far as there are currency, reference, payer, bank_ref, tenant, invoice and fee."`
	Columns      map[string]string `json:"columns,omitempty" doc:"What the file calls these columns, where that is otherwise."`
	Currency     string            `json:"currency,omitempty" doc:"Of all lines, where the file has no column of it."`
	DecimalComma bool              `json:"decimal_comma,omitempty" doc:"Amounts are written like 1.234,56."`
	Dates        string            `json:"dates,omitempty" enum:"YYYY-MM-DD,DD.MM.YYYY,DD/MM/YYYY,MM/DD/YYYY"`
	DryRun       bool              `json:"dry_run,omitempty"`
	Expect       string            `json:"expect,omitempty" doc:"The fingerprint of a dry run."`
}

// A BankLine is a line of a bank's statement, and what becomes of it.
type BankLine struct {
	Line       int           `json:"line"`
	Key        string        `json:"key" doc:"The bank's reference, or one that was made of the line: it is booked once."`
	Currency   string        `json:"currency"`
	Amount     int64         `json:"amount"`
	Reference  string        `json:"reference"`
	Payer      string        `json:"payer"`
	Match      string        `json:"match" enum:"exact,differs,ambiguous,unmatched,duplicate,outgoing,refused"`
	Why        string        `json:"why"`
	Candidates []string      `json:"candidates" nullable:"false" doc:"Numbers of invoices that it could be of."`
	Payment    *Payment      `json:"payment" doc:"That was, or would be, booked."`
	Problems   []FileProblem `json:"problems" nullable:"false"`
}

// A BankImported is what became, or would become, of a bank's statement.
type BankImported struct {
	Done        bool           `json:"done"`
	Matches     map[string]int `json:"matches" doc:"How many lines there are of each."`
	Items       []BankLine     `json:"items" nullable:"false"`
	Fingerprint string         `json:"fingerprint" doc:"Empty where a line is refused."`
}

// ImportPayments books the lines of a bank's statement whose payers are certain.
func (c *Client) ImportPayments(ctx context.Context, f BankFile) (done BankImported, err error) {
	_, err = c.call(ctx, http.MethodPost, "/v1/payment-imports", nil, nil, f, &done)
	return done, err
}
