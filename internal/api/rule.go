package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/inventory"
	"github.com/arcadia-cloud/arcadia/internal/wire"
)

func (a *API) ruleRoutes(h huma.API) {
	register(a, h, operation("list-rules", http.MethodGet, "/v1/rules", "List the rules that say whose resources are"), a.listRules)
	register(a, h, operation("add-rule", http.MethodPost, "/v1/rules", "Add a rule, or say what it would move"), a.addRule)
	register(a, h, operation("remove-rule", http.MethodDelete, "/v1/rules/{id}", "Remove a rule, or say what that would move"), a.removeRule)
	register(a, h, operation("assign-resources", http.MethodPost, "/v1/assignments", "Say whose resources are, whatever the rules say, or what would move"), a.assignAll)
	register(a, h, operation("get-ownership", http.MethodGet, "/v1/resources/{urn}/assignment", "Say whose a resource is and was, and why"), a.getOwnership)
	register(a, h, operation("assign-resource", http.MethodPut, "/v1/resources/{urn}/assignment", "Say whose a resource is, whatever the rules say"), a.assign)
	register(a, h, operation("unassign-resource", http.MethodDelete, "/v1/resources/{urn}/assignment", "Let the rules decide again whose a resource is"), a.unassign)
	register(a, h, operation("get-coverage", http.MethodGet, "/v1/coverage", "Say of how much it is known whose it is"), a.getCoverage)
}

// slugs are the slugs of all tenants.
func (a *API) slugs(ctx context.Context) (wire.Slugs, error) {
	return a.o.Tenants.Slugs(ctx)
}

func (a *API) listRules(ctx context.Context, _ *struct{}) (*struct{ Body client.List[client.Rule] }, error) {
	rules, err := a.o.Inventory.Rules(ctx)
	if err != nil {
		return nil, err
	}
	slugs, err := a.slugs(ctx)
	if err != nil {
		return nil, err
	}
	items := make([]client.Rule, len(rules))
	for i, r := range rules {
		items[i] = slugs.Rule(r)
	}
	return listed(items), nil
}

type ruleAnswer struct{ Body client.RuleChange }

func (a *API) addRule(ctx context.Context, in *struct{ Body client.NewRule }) (*ruleAnswer, error) {
	b := in.Body
	r, moves, err := a.o.Inventory.AddRule(ctx, inventory.RuleName(b.Type), b.Pattern, b.Tenant, actor(ctx), time.Now(), b.DryRun)
	if err != nil {
		return nil, err
	}
	slugs, err := a.slugs(ctx)
	if err != nil {
		return nil, err
	}
	added := slugs.Rule(r)
	return &ruleAnswer{client.RuleChange{Rule: &added, Done: !b.DryRun, Moved: slugs.Moves(moves)}}, nil
}

func (a *API) removeRule(ctx context.Context, in *struct {
	ID  string `path:"id"`
	Dry bool   `query:"dry_run" doc:"Only say what would move."`
}) (*ruleAnswer, error) {
	moves, err := a.o.Inventory.RemoveRule(ctx, inventory.RuleID(in.ID), in.Dry)
	if err != nil {
		return nil, err
	}
	slugs, err := a.slugs(ctx)
	return &ruleAnswer{client.RuleChange{Done: !in.Dry, Moved: slugs.Moves(moves)}}, err
}

type assignedAnswer struct{ Body client.Assigned }

func (a *API) assignAll(ctx context.Context, in *struct{ Body client.Assignments }) (*assignedAnswer, error) {
	b := in.Body
	urns := b.URNs
	switch {
	case (len(urns) > 0) == (b.Query != ""):
		return nil, fault.New(fault.Invalid, "Say which resources are meant: by urns, or by q.")
	case b.Unassign && (b.Tenant != nil || b.Reason != ""):
		return nil, fault.New(fault.Invalid, "What is given back to the rules has no tenant and no reason: leave them away.")
	case b.Query != "":
		q, err := inventory.ParseQuery(b.Query)
		if err != nil {
			return nil, err
		}
		if urns, err = a.o.Inventory.Assignable(ctx, q); err != nil {
			return nil, err
		}
		if len(urns) == 0 {
			return &assignedAnswer{client.Assigned{Done: !b.DryRun}}, nil
		}
	}
	tenant, err := tenantOf(b.Assignment)
	if err != nil {
		return nil, err
	}
	if b.DryRun {
		return a.previewAssign(ctx, urns, tenant, b.Unassign)
	}
	said := client.Assigned{Found: len(urns), Done: true}
	if b.Unassign {
		said.Moved, err = a.o.Inventory.Unassign(ctx, urns, actor(ctx))
	} else {
		said.Moved, err = a.o.Inventory.Assign(ctx, urns, tenant, b.Reason, actor(ctx), time.Now())
	}
	return &assignedAnswer{said}, err
}

func (a *API) previewAssign(ctx context.Context, urns []string, tenant string, back bool) (*assignedAnswer, error) {
	moves, err := a.o.Inventory.PreviewAssign(ctx, urns, tenant, back)
	if err != nil {
		return nil, err
	}
	slugs, err := a.slugs(ctx)
	return &assignedAnswer{client.Assigned{Found: len(urns), Moved: len(moves), Moves: slugs.Moves(moves)}}, err
}

func (a *API) assign(ctx context.Context, in *struct {
	ResourceQuery
	Body client.Assignment
}) (*assignedAnswer, error) {
	tenant, err := tenantOf(in.Body)
	if err != nil {
		return nil, err
	}
	moved, err := a.o.Inventory.Assign(ctx, []string{in.URN}, tenant, in.Body.Reason, actor(ctx), time.Now())
	return &assignedAnswer{client.Assigned{Found: 1, Done: true, Moved: moved}}, err
}

// tenantOf is the tenant that an assignment names; empty for nobody.
func tenantOf(as client.Assignment) (string, error) {
	if as.Tenant == nil {
		return "", nil
	}
	if *as.Tenant == "" {
		return "", fault.New(fault.Invalid, "The tenant is empty: write null for nobody.")
	}
	return *as.Tenant, nil
}

func (a *API) unassign(ctx context.Context, in *ResourceQuery) (*assignedAnswer, error) {
	moved, err := a.o.Inventory.Unassign(ctx, []string{in.URN}, actor(ctx))
	return &assignedAnswer{client.Assigned{Found: 1, Done: true, Moved: moved}}, err
}

func (a *API) getOwnership(ctx context.Context, in *ResourceQuery) (*struct{ Body client.Ownership }, error) {
	r, err := a.o.Inventory.Resource(ctx, in.URN, time.Time{})
	if err != nil {
		return nil, err
	}
	v, err := a.o.Inventory.Attribution(ctx, in.URN, time.Time{})
	if err == nil && (!v.Decided() || v.Rule == inventory.ByManual) && !r.Gone() {
		v, err = a.o.Inventory.Explain(ctx, in.URN)
	}
	if err != nil {
		return nil, err
	}
	tenures, err := a.o.Inventory.Tenures(ctx, in.URN)
	if err != nil {
		return nil, err
	}
	slugs, err := a.slugs(ctx)
	return &struct{ Body client.Ownership }{slugs.Ownership(v, tenures)}, err
}

func (a *API) getCoverage(ctx context.Context, in *struct {
	Account string `query:"account" doc:"Left away: all accounts."`
}) (*struct{ Body client.Coverage }, error) {
	c, err := a.o.Inventory.Coverage(ctx, in.Account)
	return &struct{ Body client.Coverage }{wire.Coverage(in.Account, c)}, err
}
