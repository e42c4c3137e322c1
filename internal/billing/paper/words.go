package paper

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
)

// words are a language's, and how it writes numbers and dates.
type words struct {
	code                                            string
	invoice, creditNote                             string
	number, issued, served, payBy, order            string
	credits, reason                                 string // of a credit note: its invoice, and why
	taxID, vatID                                    string
	columns                                         Columns
	reversal, adjustment, commitment, coupon        string
	included, perPackage                            string // of a line: what of it is free, and what its price is for
	subtotal, discount, tax, taxIncluded, vat       string
	total, credited, paidByCredit, due              string
	reverseCharge, becomesCredit, nothingDue, times string
	transfer, holder, bank, reference               string
	page, test                                      string

	point, thousands string
	months           [12]string
	day              string                              // how a short date is written, a layout of package time
	date             func(y, d int, month string) string // a long one
}

// languages are those that documents can be in; the first is for all others.
var languages = []words{{
	code: "en", invoice: "Invoice", creditNote: "Credit note",
	number: "Number", issued: "Issued", served: "Period", payBy: "Due by", order: "Your order", credits: "For invoice", reason: "Reason", taxID: "Tax ID", vatID: "VAT ID",
	columns:  Columns{"Description", "Quantity", "Unit price", "Amount"},
	reversal: "taken back", adjustment: "corrected", commitment: "Minimum commitment, what is missing to it", coupon: "Discount given back",
	included: "{units} included", perPackage: "price per {units} begun",
	subtotal: "Subtotal", discount: "Discount", tax: "{tax} {rate} % on {base}", taxIncluded: "{tax} {rate} % on {base}, included", vat: "VAT",
	total: "Total", credited: "Total credited", paidByCredit: "Paid by credit", due: "Amount due",
	reverseCharge: "Reverse charge: VAT is to be accounted for by the recipient (Articles 44 and 196 of Directive 2006/112/EC).",
	becomesCredit: "The amount stands to your credit and is set off against your next invoices.",
	nothingDue:    "Nothing is to be paid for this invoice.", times: "Times are those of {zone}.",
	transfer: "Please transfer to", holder: "Account holder", bank: "Bank", reference: "Reference", page: "Page %d of %s", test: "TEST: this is no invoice, and nothing is to be paid.",
	point: ".", thousands: ",", day: "2 Jan 2006",
	months: [12]string{"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"},
	date:   func(y, d int, month string) string { return fmt.Sprintf("%d %s %d", d, month, y) },
}, {
	code: "de", invoice: "Rechnung", creditNote: "Rechnungskorrektur",
	number: "Nummer", issued: "Rechnungsdatum", served: "Zeitraum", payBy: "Zahlbar bis", order: "Ihre Bestellnummer", credits: "Zur Rechnung", reason: "Grund", taxID: "Steuernummer", vatID: "USt-IdNr.",
	columns:  Columns{"Leistung", "Menge", "Einzelpreis", "Betrag"},
	reversal: "Rücknahme", adjustment: "Korrektur", commitment: "Mindestabnahme, Differenz", coupon: "Rücknahme eines Rabatts",
	included: "{units} inklusive", perPackage: "Preis je angefangene {units}",
	subtotal: "Zwischensumme", discount: "Rabatt", tax: "{tax} {rate} % auf {base}", taxIncluded: "{tax} {rate} % auf {base}, enthalten", vat: "USt.",
	total: "Gesamtbetrag", credited: "Gutgeschriebener Betrag", paidByCredit: "Aus Guthaben bezahlt", due: "Zu zahlen",
	reverseCharge: "Steuerschuldnerschaft des Leistungsempfängers (Reverse Charge, Art. 44 und 196 der Richtlinie 2006/112/EG).",
	becomesCredit: "Der Betrag steht Ihnen als Guthaben zu und wird mit den nächsten Rechnungen verrechnet.",
	nothingDue:    "Für diese Rechnung ist nichts zu zahlen.", times: "Uhrzeiten gelten für {zone}.",
	transfer: "Bitte überweisen Sie an", holder: "Kontoinhaber", bank: "Bank", reference: "Verwendungszweck", page: "Seite %d von %s", test: "TEST: Dies ist keine Rechnung, es ist nichts zu zahlen.",
	point: ",", thousands: ".", day: "02.01.2006",
	months: [12]string{"Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober", "November", "Dezember"},
	date:   func(y, d int, month string) string { return fmt.Sprintf("%d. %s %d", d, month, y) },
}, {
	code: "fr", invoice: "Facture", creditNote: "Avoir",
	number: "Numéro", issued: "Date d’émission", served: "Période", payBy: "À régler avant le", order: "Votre bon de commande", credits: "Facture concernée", reason: "Motif", taxID: "N° fiscal", vatID: "N° TVA",
	columns:  Columns{"Désignation", "Quantité", "Prix unitaire", "Montant"},
	reversal: "reprise", adjustment: "régularisation", commitment: "Engagement minimum, complément", coupon: "Reprise de remise",
	included: "{units} inclus", perPackage: "prix par {units} entamés",
	subtotal: "Sous-total", discount: "Remise", tax: "{tax} {rate} % sur {base}", taxIncluded: "{tax} {rate} % sur {base}, comprise", vat: "TVA",
	total: "Total", credited: "Total de l’avoir", paidByCredit: "Réglé par avoir", due: "Net à payer",
	reverseCharge: "Autoliquidation : TVA due par le preneur (articles 44 et 196 de la directive 2006/112/CE).",
	becomesCredit: "Ce montant est porté à votre crédit et sera déduit de vos prochaines factures.",
	nothingDue:    "Rien n’est à régler pour cette facture.", times: "Les heures sont celles de {zone}.",
	transfer: "Merci de virer à", holder: "Titulaire", bank: "Banque", reference: "Référence", page: "Page %d sur %s", test: "TEST : ceci n’est pas une facture, rien n’est à régler.",
	point: ",", thousands: "\u00a0", day: "02/01/2006",
	months: [12]string{"janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre", "décembre"},
	date: func(y, d int, month string) string {
		if d == 1 {
			return fmt.Sprintf("1er %s %d", month, y)
		}
		return fmt.Sprintf("%d %s %d", d, month, y)
	},
}}

// wordsOf are those of a language like "de" or "de-AT".
func wordsOf(language string) *words {
	language, _, _ = strings.Cut(language, "-")
	for i := range languages {
		if languages[i].code == language {
			return &languages[i]
		}
	}
	return &languages[0]
}

// taxName is a tax as its country calls it, where it is VAT.
func (w *words) taxName(id string) string {
	if strings.EqualFold(id, "vat") {
		return w.vat
	}
	return named(id)
}

// grouped writes a decimal number as the language does.
func (w *words) grouped(decimal string) string {
	sign := ""
	if rest, negative := strings.CutPrefix(decimal, "-"); negative {
		sign, decimal = "−", rest
	}
	whole, fraction, dotted := strings.Cut(decimal, ".")
	var parts []string
	for ; len(whole) > 3; whole = whole[:len(whole)-3] {
		parts = append(parts, whole[len(whole)-3:])
	}
	parts = append(parts, whole)
	slices.Reverse(parts)
	out := sign + strings.Join(parts, w.thousands)
	if dotted {
		out += w.point + fraction
	}
	return out
}

// long is a date in words, in the customer's zone.
func (p printer) long(t time.Time) string {
	y, m, d := t.In(p.zone).Date()
	return p.date(y, d, p.months[m-1])
}

func (p printer) isMidnight(t time.Time) bool {
	h, m, s := t.In(p.zone).Clock()
	return h == 0 && m == 0 && s == 0 && t.Nanosecond() == 0
}

// span is a time of service: its first and last day, or where it does not begin and
// end with a day the times too.
func (p printer) span(from, to time.Time) string {
	a, b := from.In(p.zone), to.In(p.zone)
	switch {
	case from.Equal(to):
		return a.Format(p.day)
	case !p.isMidnight(from) || !p.isMidnight(to):
		layout := p.day + " 15:04"
		if a.Second() != 0 || b.Second() != 0 {
			layout += ":05"
		}
		return a.Format(layout) + " – " + b.Format(layout)
	}
	last := b.AddDate(0, 0, -1).Format(p.day)
	if first := a.Format(p.day); first != last {
		return first + " – " + last
	}
	return last
}

// named is an id of the catalog as a name: "api_calls" is "Api calls".
func named(id string) string {
	text := []rune(strings.NewReplacer("_", " ", "-", " ").Replace(id))
	if len(text) > 0 {
		text[0] = unicode.ToUpper(text[0])
	}
	return string(text)
}

// groupText is what a line is told apart by.
func groupText(group map[string]string) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(group)) {
		parts = append(parts, name+": "+group[name])
	}
	return strings.Join(parts, " · ")
}
