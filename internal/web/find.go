package web

import (
	"context"
	"strings"

	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/id"
	"github.com/arcadia-cloud/arcadia/internal/inventory"
	"github.com/arcadia-cloud/arcadia/internal/web/ui"
)

// pagesOf are where things stand whose ids have a prefix.
var pagesOf = map[string]string{"saga": "/sagas/", "stack": "/stacks/", "plan": "/plans/", "sub": "/subscriptions/", "inv": "/invoices/"}

// find goes to what was typed: anything by its id, a resource, a stack or a tenant by its
// name, an invoice by its number, or else to what the inventory has with that in its
// names, addresses and tags.
func (s *Server) find(v *visit) error {
	q := strings.TrimSpace(v.query.Get("q"))
	prefix, _, _ := strings.Cut(q, "_")
	switch {
	case pagesOf[prefix] != "" && id.Check(prefix, q) == nil:
		return v.redirect(pagesOf[prefix] + q)
	case strings.HasPrefix(q, "do:"):
		return v.redirect(resourcePath(q))
	}
	word := inventory.Query{Terms: []inventory.Term{{Values: []string{q}}}}
	if l, err := s.o.Inventory.Resources(v.r.Context(), word, inventory.Page{Limit: mostDroplets}); err == nil {
		if urn := exactly(l.Items, q); urn != "" {
			return v.redirect(resourcePath(urn))
		}
	}
	path, err := s.placeOf(v.r.Context(), q)
	if err != nil {
		return err
	}
	if path == "" {
		path = ui.Query{Path: "/inventory"}.With("q", word.String()).String()
	}
	return v.redirect(path)
}

// placeOf is where that stands which has a name of ours; empty for none.
func (s *Server) placeOf(ctx context.Context, name string) (path string, err error) {
	for _, look := range []func() (string, error){
		func() (string, error) {
			one, err := s.o.Provisioning.Stack(ctx, name)
			if fault.KindOf(err) == fault.Conflict { // several tenants have one
				return "/stacks", nil
			}
			return stackPath(one.ID), err
		},
		func() (string, error) {
			t, err := s.o.Tenants.Tenant(ctx, name)
			return tenantPath(t.Slug), err
		},
		func() (string, error) {
			i, err := s.o.Bills.Invoice(ctx, name)
			return invoicePath(i.Ref()), err
		},
	} {
		switch path, err := look(); {
		case err == nil:
			return path, nil
		case fault.KindOf(err) == fault.Internal:
			return "", err
		}
	}
	return "", nil
}

// exactly is the only droplet whose id or name is what was typed, or else the only
// resource; empty where there is none or more than one.
func exactly(found []inventory.Found, typed string) string {
	var droplets, all []string
	for _, f := range found {
		if f.ID != typed && !strings.EqualFold(f.Name, typed) {
			continue
		}
		if all = append(all, f.URN); f.Kind == "droplet" {
			droplets = append(droplets, f.URN)
		}
	}
	switch {
	case len(droplets) == 1:
		return droplets[0]
	case len(all) == 1:
		return all[0]
	}
	return ""
}
