package wire

import (
	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/billing"
)

func problems(list []billing.Problem) []client.FileProblem {
	items := make([]client.FileProblem, len(list))
	for i, p := range list {
		items[i] = client.FileProblem{Column: p.Column, Why: p.Why}
	}
	return items
}

// BillingImport is what became of the lines of a file.
func BillingImport(i billing.Import) client.BillingImported {
	w := client.BillingImported{
		Kind: string(i.Kind), Done: i.Done, Added: i.Count(billing.ImportAdded), Changed: i.Count(billing.ImportChanged), Unchanged: i.Count(billing.ImportUnchanged),
		Refused: i.Count(billing.ImportRefused), Totals: []client.Money{}, Items: make([]client.ImportedLine, len(i.Lines)), Fingerprint: i.Fingerprint,
	}
	for _, t := range i.Totals {
		w.Totals = append(w.Totals, client.Money{Amount: t.Minor, Currency: string(t.Currency)})
	}
	for n, l := range i.Lines {
		item := client.ImportedLine{Line: l.Line, Name: l.Name, Action: string(l.Action), What: l.What, Subject: l.Subject, Problems: problems(l.Problems)}
		if l.Action == billing.ImportAdded && !i.Done {
			item.Subject = "" // it was made, and taken back
		}
		if l.Amount.Currency != "" {
			item.Amount = &client.Money{Amount: l.Amount.Minor, Currency: string(l.Amount.Currency)}
		}
		w.Items[n] = item
	}
	return w
}

// BankImport is what became of the lines of a bank's statement.
func BankImport(b billing.BankImport) client.BankImported {
	w := client.BankImported{Done: b.Done, Matches: map[string]int{}, Items: make([]client.BankLine, len(b.Lines)), Fingerprint: b.Fingerprint}
	for n, l := range b.Lines {
		w.Matches[string(l.Match)]++
		item := client.BankLine{
			Line: l.Line, Key: l.Key, Currency: string(l.Amount.Currency), Amount: l.Amount.Minor, Reference: l.Reference, Payer: l.Payer,
			Match: string(l.Match), Why: l.Why, Candidates: append([]string{}, l.Candidates...), Problems: problems(l.Problems),
		}
		if l.Payment != nil {
			p := Payment(*l.Payment)
			if !b.Done {
				p = rehearsed(p)
			}
			item.Payment = &p
		}
		w.Items[n] = item
	}
	return w
}
