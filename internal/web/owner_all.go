package web

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"

	"github.com/arcadia-cloud/arcadia/internal/inventory"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
	"github.com/arcadia-cloud/arcadia/internal/web/ui"
)

// A dryRun is what would change if all that a query finds were assigned.
type dryRun struct {
	found  int
	follow int // of the moves: what hangs on those found
	moves  []inventory.Move
	flows  []flow
}

// A flow is how many resources would go from one owner to another.
type flow struct {
	from, to string // slugs; empty: nobody
	count    int
}

// digest tells what the form is about from what it would be about once other
// resources match.
func (a assigning) digest() string {
	sum := sha256.Sum256([]byte(strings.Join(a.urns(), "\n")))
	return hex.EncodeToString(sum[:8])
}

// previewAssign is the page that says what would change, and asks for the last time.
func (s *Server) previewAssign(v *visit, a assigning) error {
	to, reason, err := a.asked(v)
	if err != nil {
		return s.showAssign(v, a, v.problem(err).Status, err)
	}
	moves, err := s.o.Inventory.PreviewAssign(v.r.Context(), a.urns(), to, a.back)
	if err != nil {
		return s.showAssign(v, a, v.problem(err).Status, err)
	}
	all, err := s.o.Tenants.All(v.r.Context())
	if err != nil {
		return err
	}
	d := dryRunOf(a.urns(), moves, all)
	c := ui.Confirm{
		Title: "This would change", About: a.about(), Back: a.backTo(v), Action: strings.TrimSuffix(v.r.URL.Path, ".json"), Key: formKey(v), Hidden: a.hidden(),
		NoReason: true, Verb: "Assign " + resourceCount(d.found),
	}
	if a.back {
		c.Verb = "Give back " + resourceCount(d.found)
	}
	c.Hidden.Set("sure", a.digest())
	if sure := v.r.PostFormValue("sure"); sure != "" {
		c.Refusal = "Other resources match than a moment ago. Nothing was changed: look again."
	}
	for name, value := range map[string]string{"tenant": v.r.PostFormValue("tenant"), "reason": reason, "from": v.r.Form.Get("from")} {
		if value != "" {
			c.Hidden.Set(name, value)
		}
	}
	return v.show(http.StatusOK, dryRunPage(v.page(c.Title, "/inventory"), c, d))
}

func resourceCount(n int) string {
	if n == 1 {
		return "1 resource"
	}
	return ui.Number(int64(n)) + " resources"
}

// dryRunOf counts moves by who has and who gets.
func dryRunOf(found []string, moves []inventory.Move, tenants []tenant.Tenant) dryRun {
	slugs := map[tenant.ID]string{}
	for _, t := range tenants {
		slugs[t.ID] = t.Slug
	}
	d := dryRun{found: len(found), moves: moves}
	counts := map[flow]int{}
	for _, m := range moves {
		counts[flow{from: slugs[m.Former], to: slugs[m.Verdict.Tenant]}]++
		if _, named := slices.BinarySearch(found, m.URN); !named {
			d.follow++
		}
	}
	for f, n := range counts {
		d.flows = append(d.flows, flow{f.from, f.to, n})
	}
	slices.SortFunc(d.flows, func(a, b flow) int {
		return cmp.Or(cmp.Compare(b.count, a.count), cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to))
	})
	return d
}
