package paper

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
)

// CSS is the style of a sheet. It is all below .paper, and prints without what is
// around it.
//
//go:embed paper.css
var CSS string

//go:embed paper.html
var pageSource string

var pages = template.Must(template.New("page").Parse(pageSource))

// Policy is the content security policy under which the page shows as it should: its
// own style, and nothing from anywhere.
var Policy = func() string {
	sum := sha256.Sum256([]byte(CSS))
	return "default-src 'none'; img-src data:; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}()

// HTML is the document as a page that needs nothing else: it can be kept, sent and
// printed, on A4 and on Letter.
func (s *Sheet) HTML() ([]byte, error) { return s.execute("page") }

// Fragment is the document for a page that links CSS.
func (s *Sheet) Fragment() ([]byte, error) { return s.execute("sheet") }

func (s *Sheet) execute(name string) ([]byte, error) {
	var b bytes.Buffer
	err := pages.ExecuteTemplate(&b, name, struct {
		*Sheet
		CSS template.CSS
	}{s, template.CSS(CSS)})
	return b.Bytes(), err
}

// Logo is the address of the picture, which holds all of it; empty where there is none.
func (s *Sheet) Logo() template.URL {
	if s.logo == nil {
		return ""
	}
	return template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(s.logo)) //nolint:gosec // nobody's text is in it
}
