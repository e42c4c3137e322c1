package paper_test

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/csv"
	"encoding/json"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/arcadia-cloud/arcadia/internal/billing"
	"github.com/arcadia-cloud/arcadia/internal/billing/paper"
	"github.com/arcadia-cloud/arcadia/internal/exact"
	"github.com/arcadia-cloud/arcadia/internal/golden"
	"github.com/arcadia-cloud/arcadia/internal/money"
	"github.com/arcadia-cloud/arcadia/internal/rating"
)

// parties are a host in Germany and a customer, who say something with each field.
func parties(language, zone string) (p billing.Parties) {
	p.Issuer.LegalName, p.Issuer.Footer = "Höst & Söhne GmbH", "Amtsgericht Hamburg HRB 1234 · Geschäftsführung: Ada Höst"
	p.Issuer.Address = billing.Address{Lines: []string{"Hafenstr. 1"}, PostalCode: "20457", City: "Hamburg", Country: "DE"}
	p.Issuer.TaxIDs = []billing.TaxID{{Type: "eu_vat", Value: "DE136695976"}}
	p.Issuer.Bank = billing.Bank{IBAN: "DE89370400440532013000", BIC: "COBADEFFXXX", Name: "Commerzbank"}
	p.Customer.LegalName, p.Customer.PONumber, p.Customer.Language, p.Customer.Zone = "Acme <Łódź> S.A.", "PO-7", language, zone
	p.Customer.Address = billing.Address{Lines: []string{"1 rue de la Paix", "Bâtiment B"}, PostalCode: "75002", City: "Paris", Country: "FR"}
	p.Customer.TaxIDs = []billing.TaxID{{Type: "eu_vat", Value: "FR40303265045"}}
	return p
}

// documents are those of the golden file of a subscription with everything.
func documents(t *testing.T) []billing.Invoice {
	t.Helper()
	text, err := os.ReadFile("../testdata/everything.json")
	if err != nil {
		t.Fatal(err)
	}
	var all struct{ Invoices []billing.Invoice }
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	return all.Invoices
}

func issued(t *testing.T, inv billing.Invoice, p billing.Parties) billing.Issued {
	t.Helper()
	i := billing.Issued{Series: "R-", Number: 12, Purpose: inv.Purpose, IssuedAt: inv.IssueAt.Add(time.Minute), DueAt: inv.IssueAt.AddDate(0, 0, 14), Currency: inv.Currency,
		Total: inv.Total, Due: inv.Due}
	var err error
	if i.Document, err = json.Marshal(inv); err == nil {
		i.Parties, err = json.Marshal(p)
	}
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func sheet(t *testing.T, inv billing.Invoice, p billing.Parties) *paper.Sheet {
	t.Helper()
	s, err := paper.Read(issued(t, inv, p), nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The same documents in three languages, as text of the page, text of the PDF and CSV.
func TestGoldenDocuments(t *testing.T) {
	all := documents(t)
	untaxed := all[3]
	untaxed.Taxes, untaxed.TaxTotal, untaxed.Total, untaxed.Due = []billing.TaxAmount{}, 0, untaxed.Subtotal-untaxed.Discounts[0].Amount, untaxed.Subtotal-untaxed.Discounts[0].Amount
	long := all[2]
	for range 60 {
		long.Lines = append(long.Lines, all[2].Lines[0])
	}
	note := all[0]
	note.Purpose, note.Credits = billing.Credit, &billing.Credits{Invoice: "R-11", Reason: "Ausfall am 3. Mai"}
	branded := parties("en", "Europe/Berlin")
	branded.Issuer.Logo = "kept"
	bearing, err := paper.Read(issued(t, all[0], branded), logo(t))
	if err != nil {
		t.Fatal(err)
	}
	test := issued(t, all[0], parties("de", "Europe/Berlin"))
	test.Series, test.State = "TEST-R-", billing.InvoiceTest
	marked, err := paper.Read(test, nil)
	if err != nil {
		t.Fatal(err)
	}
	corrects := parties("it", "")
	corrects.Originals = []billing.Original{{Line: 1, Invoice: "R-9"}, {Line: 1, Invoice: "R-8"}}
	yen := all[1]
	yen.Currency = "JPY"
	for name, s := range map[string]*paper.Sheet{
		"advance.de": sheet(t, all[0], parties("de", "Europe/Berlin")), "arrears.fr": sheet(t, all[2], parties("fr-FR", "Europe/Paris")),
		"reverse-charge.en": sheet(t, untaxed, parties("en", "Europe/Dublin")), "taken-back.en": sheet(t, all[7], corrects),
		"credit-note.de": sheet(t, note, parties("de", "Europe/Berlin")), "pages.de": sheet(t, long, parties("de", "Europe/Berlin")), "test.de": marked, "logo.en": bearing, "yen.fr": sheet(t, yen, parties("fr", "Asia/Tokyo")),
	} {
		t.Run(name, func(t *testing.T) {
			page, err := s.HTML()
			if err != nil {
				t.Fatal(err)
			}
			if name != "pages.de" { // it is as long as it is dull
				golden.Equal(t, "testdata/"+name+".html.txt", textOf(page))
			}
			pdf, err := s.PDF()
			if err != nil {
				t.Fatal(err)
			}
			if again, err := s.PDF(); err != nil || !bytes.Equal(pdf, again) {
				t.Errorf("the same PDF again is another: %v", err)
			}
			golden.Equal(t, "testdata/"+name+".pdf.txt", pdfText(t, pdf))
			table, err := s.CSV()
			if err != nil {
				t.Fatal(err)
			}
			if name == "arrears.fr" || name == "taken-back.en" {
				golden.Equal(t, "testdata/"+name+".csv", table)
			}
			if name != "reverse-charge.en" && name != "pages.de" {
				addsUp(t, table)
			}
		})
	}
}

// logo is a picture of 600 by 100 pixels, half of it clear.
func logo(t *testing.T) []byte {
	t.Helper()
	picture := image.NewNRGBA(image.Rect(0, 0, 600, 100))
	draw.Draw(picture, image.Rect(0, 0, 300, 100), image.NewUniform(color.NRGBA{R: 200, A: 255}), image.Point{}, draw.Src)
	var b bytes.Buffer
	if err := png.Encode(&b, picture); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// A logo stands above its issuer's name, whole in the page and in the PDF, whose text
// makes room for it; without one nothing is different.
func TestALogoStandsOnDocuments(t *testing.T) {
	inv, p := documents(t)[0], parties("en", "Europe/Berlin")
	plain := sheet(t, inv, p)
	with, err := paper.Read(issued(t, inv, p), logo(t))
	if err != nil {
		t.Fatal(err)
	}
	page, err := with.HTML()
	if err != nil || !bytes.Contains(page, []byte(`<img class="paper-logo" src="data:image/png;base64,`+base64.StdEncoding.EncodeToString(logo(t))+`" alt="">`)) {
		t.Errorf("the page has no logo: %v", err)
	}
	if !strings.Contains(paper.Policy, "img-src data:;") {
		t.Errorf("its policy does not show it: %s", paper.Policy)
	}
	pdf, err := with.PDF()
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(pdf, []byte("/Subtype /Image")); n != 2 { // what is clear is one of its own
		t.Errorf("the PDF has %d pictures", n)
	}
	// 600 pixels are as wide as they may be: 50 mm are 141.73 points.
	if content := pdfPages(pdf)[0]; !bytes.Contains(content, []byte("q 141.73228 0 0 23.62205 ")) {
		t.Errorf("the logo is of another size:\n%.2000s", content)
	}
	if bare, err := plain.PDF(); err != nil || bytes.Contains(bare, []byte("/Subtype /Image")) {
		t.Errorf("a PDF without a logo has one: %v", err)
	}
}

// addsUp checks the sums of a table as whoever books it would.
func addsUp(t *testing.T, table []byte) {
	t.Helper()
	rows, err := csv.NewReader(bytes.NewReader(table)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	column := func(name string) int { return slices.Index(rows[0], name) }
	var sum exact.Number
	for _, r := range rows[1:] {
		amount := exact.Must(r[column("amount")])
		switch what := r[column("row")]; {
		case what == "line", what == "discount", what == "tax" && r[column("kind")] == "exclusive":
			sum = sum.Add(amount)
		case what == "total" && !sum.Equal(amount):
			t.Errorf("the rows add up to %s, the total is %s", sum, amount)
		}
	}
}

var (
	style = regexp.MustCompile(`(?s)<style>.*?</style>`)
	tag   = regexp.MustCompile(`<[^>]*>`)
	blank = regexp.MustCompile(`\n{2,}`)
)

// textOf is what a page says, a line for each element.
func textOf(page []byte) string {
	text := tag.ReplaceAllString(style.ReplaceAllString(string(page), ""), "\n")
	return strings.TrimLeft(blank.ReplaceAllString(text, "\n"), "\n")
}

// pdfPages are the streams of a PDF that write something.
func pdfPages(pdf []byte) (pages [][]byte) {
	for part := range bytes.SplitSeq(pdf, []byte("stream\n")) {
		z, err := zlib.NewReader(bytes.NewReader(part))
		if err != nil {
			continue
		}
		if content, err := io.ReadAll(z); err == nil && bytes.Contains(content, []byte("Tj")) {
			pages = append(pages, content)
		}
	}
	return pages
}

// pdfText is what the streams of a PDF write, a line for each text: its type shows
// UTF-16, and what it shows is what it says.
func pdfText(t *testing.T, pdf []byte) string {
	t.Helper()
	var out strings.Builder
	for _, content := range pdfPages(pdf) {
		out.WriteString("--- page\n")
		for {
			begin := bytes.IndexByte(content, '(')
			if begin < 0 {
				break
			}
			var text []byte
			i := begin + 1
			for ; content[i] != ')'; i++ {
				if content[i] == '\\' {
					i++
					if content[i] == 'r' {
						text = append(text, '\r')
						continue
					}
				}
				text = append(text, content[i])
			}
			content = content[i+1:]
			if bytes.HasPrefix(bytes.TrimLeft(content, " "), []byte("Tj")) {
				units := make([]uint16, len(text)/2)
				for n := range units {
					units[n] = uint16(text[2*n])<<8 | uint16(text[2*n+1])
				}
				out.WriteString(string(utf16.Decode(units)) + "\n")
			}
		}
	}
	return out.String()
}

// What somebody wrote is text on a page, and the page brings all that it needs.
func TestAPageIsWholeAndSafe(t *testing.T) {
	p := parties("en", "UTC")
	p.Issuer.Footer = `<script>alert(1)</script> =cmd`
	inv := documents(t)[0]
	inv.Lines[0].Charge = "=cmd|' /C calc'!A0"
	s := sheet(t, inv, p)
	page, err := s.HTML()
	if err != nil {
		t.Fatal(err)
	}
	if text := string(page); strings.Contains(text, "<script") || strings.Contains(text, "Acme <") || regexp.MustCompile(`(?i)\s(src|href|style|on[a-z]+)=|https?:`).MatchString(text) {
		t.Errorf("the page loads something, or holds what somebody wrote as it is:\n%s", text)
	}
	table, err := s.CSV()
	if err != nil || bytes.Contains(table, []byte(",=cmd")) {
		t.Errorf("a cell is a formula: %v\n%s", err, table)
	}
}

// A line of what costs dollars shows the rate, its day and its source, as its reader
// writes numbers.
func TestTheRateStandsOnTheLine(t *testing.T) {
	for language, want := range map[string]string{"en": "1 USD = 0.9215 EUR (1 Mar 2026, ECB)", "de": "1 USD = 0,9215 EUR (01.03.2026, ECB)"} {
		inv := documents(t)[0]
		inv.Lines[0].Explain = rating.Explanation{Rule: "rounding", Of: []rating.Explanation{{Rule: "cost_plus", Of: []rating.Explanation{{
			Rule: "exchange", Facts: []rating.Fact{
				rating.Text("pair", "USD/EUR"), rating.Num("rate", exact.Fraction(9215, 10000)), rating.Text("since", "2026-03-01"), rating.Text("source", "ECB"),
			},
		}}}}}
		s := sheet(t, inv, parties(language, "Europe/Berlin"))
		page, err := s.HTML()
		if err != nil || !slices.Contains(s.Lines[0].Under, want) || !strings.Contains(string(page), want) {
			t.Errorf("%s: %q, %v", language, s.Lines[0].Under, err)
		}
		if slices.ContainsFunc(s.Lines[1:], func(l paper.Line) bool { return strings.Contains(strings.Join(l.Under, " "), "USD = ") }) {
			t.Errorf("%s: a rate stands on every line", language)
		}
	}
}

// An issuer in the United States has Letter, and its towns before their codes.
func TestAmericanPaper(t *testing.T) {
	p := parties("en", "America/New_York")
	p.Issuer.Address = billing.Address{Lines: []string{"1 Main St"}, PostalCode: "10001", City: "New York", Region: "NY", Country: "US"}
	inv := documents(t)[0]
	s := sheet(t, inv, p)
	if got, want := s.From.Lines[1], "New York, NY 10001"; got != want {
		t.Errorf("the town is written %q, want %q", got, want)
	}
	pdf, err := s.PDF()
	if err != nil || !bytes.Contains(pdf, []byte("/MediaBox [0 0 612.00 792.00]")) {
		t.Errorf("no Letter: %v", err)
	}
}

// Reverse charge is named only where nobody charged a tax and both are known in the
// Union, in different countries.
func TestReverseCharge(t *testing.T) {
	inv := documents(t)[0]
	inv.Taxes, inv.TaxTotal = []billing.TaxAmount{}, 0
	vat := func(values ...string) (ids []billing.TaxID) {
		for _, v := range values {
			ids = append(ids, billing.TaxID{Type: "eu_vat", Value: v})
		}
		return ids
	}
	for _, tt := range []struct {
		name     string
		from, to []billing.TaxID
		tax      int64
		want     bool
	}{
		{"two countries", vat("DE136695976"), vat("FR40303265045"), 0, true},
		{"one country", vat("DE136695976"), vat("DE115235681"), 0, false},
		{"a tax was charged", vat("DE136695976"), vat("FR40303265045"), 5, false},
		{"the customer has no number", vat("DE136695976"), nil, 0, false},
		{"the issuer has none", nil, vat("FR40303265045"), 0, false},
		{"services to Northern Ireland", vat("DE136695976"), vat("XI123456789"), 0, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := parties("en", "UTC")
			p.Issuer.TaxIDs, p.Customer.TaxIDs = tt.from, tt.to
			inv.TaxTotal = tt.tax
			if got := strings.Contains(strings.Join(sheet(t, inv, p).Notes, " "), "Reverse charge"); got != tt.want {
				t.Errorf("named: %t, want %t", got, tt.want)
			}
		})
	}
}

// An explanation that was read is written to the same bytes.
func TestADocumentReadsBack(t *testing.T) {
	for _, inv := range documents(t) {
		i := issued(t, inv, parties("en", "UTC"))
		read, _, err := i.Read()
		if err != nil {
			t.Fatal(err)
		}
		again, err := json.Marshal(read)
		if err != nil || !bytes.Equal(again, i.Document) {
			t.Errorf("%v: %s became %s", err, i.Document, again)
		}
		if read.Currency != money.Currency("USD") || len(read.Lines) == 0 || read.Lines[0].Explain.Rule == "" {
			t.Errorf("read %+v", read)
		}
	}
}

// What is included and what a package's price is for stand under the line: its quantity
// times its price is not its amount.
func TestALineSaysWhatItsPriceIsFor(t *testing.T) {
	inv := documents(t)[0]
	inv.Lines = inv.Lines[:1]
	inv.Lines[0].Explain = rating.Explanation{Rule: "rounding", Of: []rating.Explanation{{Rule: "package", Facts: []rating.Fact{
		rating.Text("included", "100000"), rating.Text("packages", "12"), rating.Text("price", "0.08"), rating.Text("package_size", "1000"),
	}}}}
	for language, want := range map[string]string{
		"en": "100,000 included · price per 1,000 begun", "de": "100.000 inklusive · Preis je angefangene 1.000", "fr": "100\u00a0000 inclus · prix par 1\u00a0000 entamés",
	} {
		if under := sheet(t, inv, parties(language, "")).Lines[0].Under; under[len(under)-1] != want {
			t.Errorf("%s: %q, want %q last", language, under, want)
		}
	}
}
