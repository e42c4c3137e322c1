package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/money"
	"github.com/arcadia-cloud/arcadia/internal/period"
	"github.com/arcadia-cloud/arcadia/internal/rating"
	"github.com/arcadia-cloud/arcadia/internal/wire"
)

// An invoiceFile is a document that is written to a file.
type invoiceFile struct {
	Invoice string `arg:"" help:"Its number or its id."`
	Output  string `short:"o" placeholder:"FILE" help:"Where to write it, in place of what is there; - or left away: standard output."`
}

type (
	invoicePDFCommand  struct{ invoiceFile }
	invoiceHTMLCommand struct{ invoiceFile }
	invoiceCSVCommand  struct{ invoiceFile }
)

// Run writes the PDF.
func (c *invoicePDFCommand) Run(ctx context.Context, r *runner) error { return c.write(ctx, r, "pdf") }

// Run writes the page.
func (c *invoiceHTMLCommand) Run(ctx context.Context, r *runner) error {
	return c.write(ctx, r, "html")
}

// Run writes the table.
func (c *invoiceCSVCommand) Run(ctx context.Context, r *runner) error { return c.write(ctx, r, "csv") }

func (f *invoiceFile) write(ctx context.Context, r *runner, form string) error {
	toFile := f.Output != "" && f.Output != "-"
	if !toFile && form == "pdf" && isTerminal(r.Out) {
		return usage{errors.New("a PDF is not for a terminal: name a file with -o FILE")}
	}
	text, err := fetch(ctx, r, func(cl *client.Client) ([]byte, error) { return cl.InvoiceFile(ctx, f.Invoice, form) })
	if err != nil {
		return err
	}
	if !toFile {
		_, err := r.Out.Write(text)
		return err
	}
	if err := replaceFile(f.Output, text); err != nil {
		return fault.Wrap(fault.Invalid, err, "%s cannot be written: %v.", f.Output, pathless(err))
	}
	if r.json {
		return r.print(struct {
			File  string `json:"file"`
			Bytes int    `json:"bytes"`
		}{f.Output, len(text)})
	}
	r.say("%s: %d bytes.", f.Output, len(text))
	return nil
}

// replaceFile writes a file whole, or leaves what was there.
func replaceFile(name string, content []byte) (err error) {
	part, err := os.CreateTemp(filepath.Dir(name), ".arcadia-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(part.Name()))
		}
	}()
	_, err = part.Write(content)
	if err := errors.Join(err, part.Close()); err != nil {
		return err
	}
	return os.Rename(part.Name(), name)
}

type invoiceExplainCommand struct {
	Invoice string `arg:"" help:"Its number or its id."`
	Line    int    `arg:"" optional:"" help:"Only this line, from 1."`
}

// Run explains a document.
func (c *invoiceExplainCommand) Run(ctx context.Context, r *runner) error {
	e, err := fetch(ctx, r, func(cl *client.Client) (client.InvoiceExplanation, error) {
		return cl.ExplainInvoice(ctx, c.Invoice, c.Line)
	})
	switch {
	case err != nil:
		return err
	case r.json:
		return r.print(e)
	}
	for n, l := range e.Lines {
		if n > 0 {
			r.say("")
		}
		if err := r.explainLine(e.Currency, e.Zone, l); err != nil {
			return err
		}
	}
	return nil
}

// explainLine shows how a line came about, and what it rests on.
func (r *runner) explainLine(currency, zone string, l client.ExplainedLine) error {
	name := l.Charge
	if l.Kind != "charge" {
		name += ", " + l.Kind
	}
	at := func(t client.Time) string { return t.UTC().Format(time.DateTime) }
	r.say("%d. %s of %s: %s", l.Line, name, l.Plan, money.New(l.Amount, money.Currency(currency)))
	r.say("%s", penFor(r.Out).in(wire.Dim, "   "+period.DaysIn(l.Service.From.Time, l.Service.To.Time, zone)))
	var tree rating.Explanation
	if err := json.Unmarshal(l.Explain, &tree); err != nil {
		return err
	}
	var b strings.Builder
	explainText(&b, tree, 3, 2) // the others stand below, one a line
	fmt.Fprint(r.Out, b.String())
	if len(l.Events) > 0 {
		rows := make([][]string, len(l.Events))
		for i, e := range l.Events {
			var data []string
			for _, name := range slices.Sorted(maps.Keys(e.Data)) {
				data = append(data, name+"="+e.Data[name])
			}
			rows[i] = []string{"   " + e.Source + "/" + e.ID, e.Type, at(e.Time), at(e.RecordedAt), strings.Join(data, " ")}
		}
		if err := table(r.Out, "   EVENT|TYPE|HAPPENED|KNOWN SINCE|DATA", rows); err != nil {
			return err
		}
	}
	if l.OtherEvents > 0 {
		r.say("   and %d more events, which it does not name.", l.OtherEvents)
	}
	if len(l.Lifetimes) > 0 {
		rows := make([][]string, len(l.Lifetimes))
		for i, life := range l.Lifetimes {
			price := "–"
			if life.PriceMonthly != nil {
				price = *life.PriceMonthly
			}
			known := life.From.Evidence
			if life.To.At != nil {
				known += ", " + life.To.Evidence
			}
			rows[i] = []string{"   " + life.URN, orDash(life.Size), price, instantText(life.From), instantText(life.To), known}
		}
		return table(r.Out, "   RESOURCE|SIZE|USD A MONTH|FROM|TO|KNOWN BY", rows)
	}
	return nil
}
