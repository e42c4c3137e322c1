package paper

import (
	"bytes"
	"fmt"

	"codeberg.org/go-pdf/fpdf"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"
)

// Measures of the PDF, in millimetres; sizes of type in points.
const (
	margin   = 18.0
	foot     = 22.0 // of each page, for its number
	leading  = 4.6
	small    = 8.0
	normal   = 9.5
	heading  = 16.0
	factName = 34.0

	logoWidth, logoHeight = 50.0, 16.0 // at most
)

// widths are those of quantity, price and amount; the description has the rest.
var widths = [3]float64{28, 30, 32}

// A typist writes a sheet as a PDF.
type typist struct {
	*fpdf.Fpdf
	sheet *Sheet
	width float64 // between the margins
}

// PDF is the document as a PDF, on A4, or on Letter where that is what the issuer's
// country has. The same document gives the same bytes. Its type has the letters of
// Latin, Greek and Cyrillic; others show as boxes.
func (s *Sheet) PDF() ([]byte, error) {
	size := "A4"
	if s.american {
		size = "Letter"
	}
	t := &typist{fpdf.New("P", "mm", size, ""), s, 0}
	t.SetCreationDate(s.issued)
	t.SetModificationDate(s.issued)
	t.SetCatalogSort(true)
	t.SetTitle(s.Title, true)
	t.SetAuthor(s.From.Name, true)
	t.SetLang(s.Language)
	t.AddUTF8FontFromBytes("go", "", goregular.TTF)
	t.AddUTF8FontFromBytes("go", "B", gobold.TTF)
	t.SetMargins(margin, margin, margin)
	t.SetAutoPageBreak(false, foot)
	pageWidth, _ := t.GetPageSize()
	t.width = pageWidth - 2*margin
	t.AliasNbPages("{pages}")
	t.SetFooterFunc(t.footer)
	t.SetHeaderFunc(t.across)
	t.AddPage()
	t.head()
	t.table()
	t.end()
	var b bytes.Buffer
	if err := t.Output(&b); err != nil {
		return nil, fmt.Errorf("paper: %s as a PDF: %w", s.Number, err)
	}
	return b.Bytes(), nil
}

func (t *typist) font(style string, size float64) { t.SetFont("go", style, size) }

func (t *typist) ink(grey int) { t.SetTextColor(grey, grey, grey) }

// room is what is left of the page.
func (t *typist) room() float64 {
	_, height := t.GetPageSize()
	return height - foot - t.GetY()
}

// across marks each page of a test document.
func (t *typist) across() {
	if t.sheet.Test == "" {
		return
	}
	width, height := t.GetPageSize()
	t.font("B", 150)
	t.ink(232)
	t.TransformBegin()
	t.TransformRotate(50, width/2, height/2)
	t.Text((width-t.GetStringWidth("TEST"))/2, height/2+18, "TEST")
	t.TransformEnd()
	t.font("B", normal)
	t.SetTextColor(180, 35, 24)
	t.SetXY(margin, margin-9)
	t.CellFormat(t.width, leading, t.sheet.Test, "", 0, "C", false, 0, "")
	t.ink(20)
}

// footer is at the end of each page.
func (t *typist) footer() {
	t.SetY(-foot + 8)
	t.font("", small)
	t.ink(90)
	t.CellFormat(t.width/2, leading, t.sheet.From.Name+" · "+t.sheet.Title, "", 0, "L", false, 0, "")
	t.CellFormat(t.width/2, leading, fmt.Sprintf(t.sheet.page, t.PageNo(), "{pages}"), "", 0, "R", false, 0, "")
	t.ink(20)
}

// text writes a paragraph of a width from a place on, and answers where it ended.
func (t *typist) text(x, y, width float64, text, align string) float64 {
	for _, line := range t.SplitText(text, width) {
		t.SetXY(x, y)
		t.CellFormat(width, leading, line, "", 0, align, false, 0, "")
		y += leading
	}
	return y
}

// party writes who a document is from or to.
func (t *typist) party(p Party, y, width float64) float64 {
	t.font("B", normal)
	y = t.text(margin, y, width, p.Name, "L")
	t.font("", normal)
	for _, line := range p.Lines {
		y = t.text(margin, y, width, line, "L")
	}
	return y
}

// pairs writes names and what they say.
func (t *typist) pairs(pairs []Pair, x, y, width float64) float64 {
	for _, p := range pairs {
		t.font("", normal)
		t.ink(90)
		after := t.text(x, y, factName, p.Name, "L")
		t.ink(20)
		y = max(after, t.text(x+factName+2, y, width-factName-2, p.Text, "L"))
	}
	return y
}

// logo shows the issuer's picture, and answers where its name begins below.
func (t *typist) logo() float64 {
	if t.sheet.logo == nil {
		return margin
	}
	png := fpdf.ImageOptions{ImageType: "PNG"}
	picture := t.RegisterImageOptionsReader("logo", png, bytes.NewReader(t.sheet.logo))
	if !t.Ok() {
		return margin // Output says why
	}
	scale := min(logoWidth/picture.Width(), logoHeight/picture.Height(), 1)
	height := scale * picture.Height()
	t.ImageOptions("logo", margin, margin, scale*picture.Width(), height, false, png, 0, "")
	return margin + height + 3
}

// head is what stands above the table.
func (t *typist) head() {
	t.ink(20)
	half := t.width/2 - 4
	t.font("B", heading)
	right := margin + t.width - half
	t.SetXY(right, margin)
	for _, line := range t.SplitText(t.sheet.Title, half) {
		t.SetX(right)
		t.CellFormat(half, 8, line, "", 2, "R", false, 0, "")
	}
	y := max(t.GetY(), t.party(t.sheet.From, t.logo(), half)) + 12
	y = max(t.party(t.sheet.To, y, half), t.pairs(t.sheet.Facts, right, y, half))
	t.SetY(y + 10)
}

// columns writes the heads of the table.
func (t *typist) columns() {
	t.font("B", small+0.5)
	c := t.sheet.Columns
	t.SetX(margin)
	for i, text := range []string{c.Description, c.Quantity, c.Price, c.Amount} {
		width, align := t.width-widths[0]-widths[1]-widths[2], "L"
		if i > 0 {
			width, align = widths[i-1], "R"
		}
		t.CellFormat(width, 6, text, "B", 0, align, false, 0, "")
	}
	t.SetXY(margin, t.GetY()+7)
}

// table writes the lines, over as many pages as it takes. No line is torn.
func (t *typist) table() {
	t.SetDrawColor(20, 20, 20)
	t.SetLineWidth(0.2)
	t.columns()
	first := t.width - widths[0] - widths[1] - widths[2] - 3
	for _, l := range t.sheet.Lines {
		t.font("", small)
		var under []string
		for _, text := range l.Under {
			under = append(under, t.SplitText(text, first)...)
		}
		t.font("", normal)
		names := t.SplitText(l.Name, first)
		height := leading*float64(len(names)) + 3.8*float64(len(under)) + 2.6
		if height > t.room() {
			t.AddPage()
			t.SetY(margin)
			t.columns()
		}
		y := t.GetY()
		t.font("", normal)
		x := margin + t.width - widths[0] - widths[1] - widths[2]
		for i, text := range []string{l.Quantity, l.Price, l.Amount} {
			t.SetXY(x, y)
			t.fitted(widths[i], text)
			x += widths[i]
		}
		below := t.text(margin, y, first, l.Name, "L")
		t.font("", small)
		t.ink(90)
		for _, text := range under {
			t.SetXY(margin, below)
			t.CellFormat(first, 3.8, text, "", 0, "L", false, 0, "")
			below += 3.8
		}
		t.ink(20)
		t.SetDrawColor(215, 218, 223)
		t.Line(margin, y+height-1, margin+t.width, y+height-1)
		t.SetDrawColor(20, 20, 20)
		t.SetXY(margin, y+height)
	}
}

// fitted writes a number right-aligned, smaller where it is too wide.
func (t *typist) fitted(width float64, text string) {
	size := normal
	for ; t.GetStringWidth(text) > width-2 && size > 5; size -= 0.5 {
		t.font("", size-0.5)
	}
	t.CellFormat(width, leading, text, "", 0, "R", false, 0, "")
	t.font("", normal)
}

// end writes the sums, the notes and the bank, which stay together.
func (t *typist) end() {
	height := 8 + 6*float64(len(t.sheet.Sums)) + leading*float64(len(t.sheet.Bank)+1)
	for _, note := range append(t.sheet.Notes, t.sheet.Footer) {
		height += leading*float64(len(t.SplitText(note, t.width))) + 2
	}
	if height > t.room() {
		t.AddPage()
		t.SetY(margin)
	}
	y := t.GetY() + 2
	left := margin + t.width - 100
	for _, s := range t.sheet.Sums {
		style, border := "", ""
		if s.Strong {
			style, border = "B", "T"
		}
		t.font(style, normal)
		t.SetXY(left, y)
		t.CellFormat(62, 5.6, s.Name, border, 0, "L", false, 0, "")
		t.CellFormat(38, 5.6, s.Amount, border, 0, "R", false, 0, "")
		y += 5.8
	}
	y += 6
	t.font("", normal)
	for _, note := range t.sheet.Notes {
		y = t.text(margin, y, t.width, note, "L") + 1
	}
	if len(t.sheet.Bank) > 0 {
		t.font("B", normal)
		y = t.text(margin, y+4, t.width, t.sheet.BankHead, "L")
		y = t.pairs(t.sheet.Bank, margin, y, t.width)
	}
	if t.sheet.Footer != "" {
		t.font("", small)
		t.ink(90)
		t.text(margin, y+6, t.width, t.sheet.Footer, "L")
		t.ink(20)
	}
}
