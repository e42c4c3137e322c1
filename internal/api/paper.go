package api

import (
	"mime"
	"net/http"
	"net/url"
	"path"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/arcadia-cloud/arcadia/internal/billing/paper"
)

// A form is one that a document can be had in.
type form struct {
	ending, kind, name string
	make               func(*paper.Sheet) ([]byte, error)
}

var forms = []form{
	{".pdf", "application/pdf", "a PDF", (*paper.Sheet).PDF},
	{".html", "text/html; charset=utf-8", "a page that needs nothing else", (*paper.Sheet).HTML},
	{".csv", "text/csv; charset=utf-8", "a table", (*paper.Sheet).CSV},
}

// describePapers describes what papers serves: a pattern of a mux cannot tell the
// ending of a path's last part.
func describePapers(h huma.API) {
	for _, f := range forms {
		op := operation("get-invoice-"+f.ending[1:], http.MethodGet, "/v1/invoices/{ref}"+f.ending, "Read a document as its receiver sees it, as "+f.name)
		op.Parameters = []*huma.Param{{Name: "ref", In: "path", Required: true, Description: "The id or the number.", Schema: &huma.Schema{Type: huma.TypeString}}}
		kind, _, _ := strings.Cut(f.kind, ";")
		op.Responses["200"] = &huma.Response{
			Description: "The document, in the customer's language. The same document gives the same bytes.",
			Content:     map[string]*huma.MediaType{kind: {Schema: &huma.Schema{Type: huma.TypeString}}},
		}
		h.OpenAPI().AddOperation(&op)
	}
}

// papers serves documents in the form that their address ends with, and leaves all
// else to next.
func (a *API) papers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rest, ok := strings.CutPrefix(r.URL.EscapedPath(), "/v1/invoices/")
		for _, f := range forms {
			escaped, ends := strings.CutSuffix(rest, f.ending)
			if ok && ends && escaped != "" && !strings.Contains(escaped, "/") && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
				if err := a.paper(w, r, escaped, f); err != nil {
					a.writeProblem(w, r, a.problem(r.Context(), "GET /v1/invoices/{ref}"+f.ending, err))
				}
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

func (a *API) paper(w http.ResponseWriter, r *http.Request, escaped string, f form) error {
	ref, err := url.PathUnescape(escaped)
	if err != nil {
		return err
	}
	i, err := a.o.Bills.Invoice(r.Context(), ref)
	if err != nil {
		return err
	}
	logo, err := a.o.Bills.Logo(r.Context(), i)
	if err != nil {
		return err
	}
	sheet, err := paper.Read(i, logo)
	if err != nil {
		return err
	}
	file, err := f.make(sheet)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", f.kind)
	h.Set("Content-Security-Policy", paper.Policy)
	h.Set("Content-Disposition", mime.FormatMediaType("inline", map[string]string{"filename": path.Base(i.Ref()) + f.ending}))
	_, _ = w.Write(file) // who does not read it needs no word of that
	return nil
}
