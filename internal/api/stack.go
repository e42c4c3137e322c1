package api

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/provisioning"
	"github.com/arcadia-cloud/arcadia/internal/wire"
)

// StackQuery names a stack. It is exported because huma looks at exported fields only.
type StackQuery struct {
	Stack string `path:"stack" doc:"The id, NAME or TENANT/NAME with the slash escaped." example:"acme%2Fweb"`
}

// PlanQuery names a plan.
type PlanQuery struct {
	Plan string `path:"plan" doc:"The id."`
}

func (a *API) stackRoutes(h huma.API) {
	a.backupRoutes(h)
	a.driftRoutes(h)
	a.cleanupRoutes(h)
	register(a, h, operation("list-blueprints", http.MethodGet, "/v1/blueprints", "List blueprints"), a.listBlueprints)
	register(a, h, operation("get-blueprint", http.MethodGet, "/v1/blueprints/{blueprint}", "Read a blueprint"), a.getBlueprint)
	register(a, h, operation("add-blueprint", http.MethodPost, "/v1/blueprints", "Keep a blueprint"), a.addBlueprint)
	register(a, h, operation("list-stacks", http.MethodGet, "/v1/stacks", "List stacks, by name"), a.listStacks)
	register(a, h, operation("get-stack", http.MethodGet, "/v1/stacks/{stack}", "Read a stack"), a.getStack)
	register(a, h, operation("protect-stack", http.MethodPut, "/v1/stacks/{stack}/protection", "Keep a stack from being destroyed"), a.protectStack)
	register(a, h, operation("unprotect-stack", http.MethodDelete, "/v1/stacks/{stack}/protection", "End a stack's protection"), a.unprotectStack)
	register(a, h, operation("list-stack-verbs", http.MethodGet, "/v1/stack-verbs", "List what can be done with stacks"), a.listStackVerbs)
	register(a, h, operation("make-plan", http.MethodPost, "/v1/plans", "Work out what would be done, and do nothing"), a.makePlan)
	register(a, h, operation("list-plans", http.MethodGet, "/v1/plans", "List plans, the newest first"), a.listPlans)
	register(a, h, operation("get-plan", http.MethodGet, "/v1/plans/{plan}", "Read a plan"), a.getPlan)
	apply := operation("apply-plan", http.MethodPost, "/v1/plans/{plan}/apply", "Do what a plan says, if what was read for it is as it was")
	apply.DefaultStatus = http.StatusAccepted
	register(a, h, apply, a.applyPlan)
	register(a, h, operation("list-freezes", http.MethodGet, "/v1/freezes", "List what is frozen"), a.listFreezes)
	register(a, h, operation("begin-freeze", http.MethodPost, "/v1/freezes", "Forbid every change at DigitalOcean"), a.beginFreeze)
	register(a, h, operation("end-freeze", http.MethodDelete, "/v1/freezes/{scope}", "End a freeze"), a.endFreeze)
}

type blueprintAnswer struct{ Body client.Blueprint }

func (a *API) listBlueprints(ctx context.Context, _ *struct{}) (*struct{ Body client.BlueprintPage }, error) {
	all, err := a.o.Provisioning.Blueprints(ctx)
	if err != nil {
		return nil, err
	}
	page := client.BlueprintPage{Items: make([]client.Blueprint, len(all))}
	for i, d := range all {
		page.Items[i] = wire.Blueprint(d, false)
	}
	return &struct{ Body client.BlueprintPage }{page}, nil
}

func (a *API) getBlueprint(ctx context.Context, in *struct {
	Blueprint string `path:"blueprint" doc:"Name, the newest version, or name@version." example:"sky-ai@1"`
}) (*blueprintAnswer, error) {
	d, err := a.o.Provisioning.Blueprint(ctx, in.Blueprint)
	if err != nil {
		return nil, err
	}
	return &blueprintAnswer{wire.Blueprint(d, true)}, nil
}

func (a *API) addBlueprint(ctx context.Context, in *struct{ Body client.BlueprintFile }) (*blueprintAnswer, error) {
	d, err := a.o.Provisioning.AddBlueprint(ctx, in.Body.Name, []byte(in.Body.Source), actor(ctx), time.Now())
	if err != nil {
		return nil, err
	}
	return &blueprintAnswer{wire.Blueprint(d, true)}, nil
}

type stackAnswer struct{ Body client.Stack }

// stackAnswer is a stack with what it has and what protects it.
func (a *API) stackAnswer(ctx context.Context, s provisioning.Stack, err error) (*stackAnswer, error) {
	if err != nil {
		return nil, err
	}
	w, err := a.stack(ctx, s)
	if err != nil {
		return nil, err
	}
	drift, err := a.o.Provisioning.Drift(ctx, s, time.Now())
	if err != nil {
		return nil, err
	}
	w.Drift = wire.Drifting(drift)
	has, err := a.o.Provisioning.StackResources(ctx, s.ID)
	if err != nil {
		return nil, err
	}
	w.Resources = wire.StackResources(has)
	return &stackAnswer{w}, nil
}

func (a *API) stack(ctx context.Context, s provisioning.Stack) (client.Stack, error) {
	of, err := a.o.Tenants.Tenant(ctx, string(s.Tenant))
	if err != nil {
		return client.Stack{}, err
	}
	last, err := a.o.Engine.Saga(ctx, s.Saga)
	if err != nil {
		return client.Stack{}, err
	}
	protected, err := a.o.Provisioning.Protections(ctx, "stack:"+string(s.ID), "tenant:"+string(s.Tenant))
	w := wire.Stack(s, of.Slug, string(last.State))
	w.Protected = wire.Protections(protected)
	return w, err
}

func (a *API) listStacks(ctx context.Context, in *struct {
	Tenant string `query:"tenant" doc:"Only this tenant's: slug or id."`
	All    bool   `query:"all" doc:"Also those that are gone or never came to be."`
}) (*struct{ Body client.StackPage }, error) {
	f := provisioning.StackFilter{Gone: in.All}
	if in.Tenant != "" {
		of, err := a.o.Tenants.Tenant(ctx, in.Tenant)
		if err != nil {
			return nil, err
		}
		f.Tenant = of.ID
	}
	all, err := a.o.Provisioning.Stacks(ctx, f)
	if err != nil {
		return nil, err
	}
	drifts, err := a.o.Provisioning.Drifts(ctx, all, time.Now())
	if err != nil {
		return nil, err
	}
	page := client.StackPage{Items: make([]client.Stack, len(all))}
	for i, s := range all {
		if page.Items[i], err = a.stack(ctx, s); err != nil {
			return nil, err
		}
		page.Items[i].Drift = wire.Drifting(drifts[s.ID])
	}
	return &struct{ Body client.StackPage }{page}, nil
}

func (a *API) getStack(ctx context.Context, in *StackQuery) (*stackAnswer, error) {
	s, err := a.o.Provisioning.Stack(ctx, in.Stack)
	return a.stackAnswer(ctx, s, err)
}

func (a *API) protectStack(ctx context.Context, in *struct {
	StackQuery
	Body struct {
		Reason string `json:"reason,omitempty"`
	}
}) (*stackAnswer, error) {
	s, err := a.o.Provisioning.Stack(ctx, in.Stack)
	if err == nil {
		err = a.o.Provisioning.Protect(ctx, "stack:"+string(s.ID), in.Body.Reason, actor(ctx), time.Now())
	}
	return a.stackAnswer(ctx, s, err)
}

func (a *API) unprotectStack(ctx context.Context, in *StackQuery) (*stackAnswer, error) {
	s, err := a.o.Provisioning.Stack(ctx, in.Stack)
	if err == nil {
		err = a.o.Provisioning.Unprotect(ctx, "stack:"+string(s.ID))
	}
	return a.stackAnswer(ctx, s, err)
}

func (a *API) listStackVerbs(context.Context, *struct{}) (*struct{ Body client.StackVerbPage }, error) {
	return &struct{ Body client.StackVerbPage }{wire.StackVerbs(provisioning.Operations())}, nil
}

type planAnswer struct{ Body client.Plan }

func (a *API) planAnswer(ctx context.Context, p provisioning.Plan, err error) (*planAnswer, error) {
	if err != nil {
		return nil, err
	}
	if p.Tenant == "" { // it is about an account
		return &planAnswer{wire.Plan(p, "")}, nil
	}
	of, err := a.o.Tenants.Tenant(ctx, string(p.Tenant))
	return &planAnswer{wire.Plan(p, of.Slug)}, err
}

func (a *API) makePlan(ctx context.Context, in *struct{ Body client.PlanOrder }) (*planAnswer, error) {
	o := in.Body
	p, err := a.o.Provisioning.PlanStack(ctx, provisioning.PlanRequest{
		Verb: provisioning.Verb(o.Verb), Account: o.Account, Blueprint: o.Blueprint, Tenant: o.Tenant, Name: o.Name, Zone: o.Zone,
		Parameters: o.Parameters, Stack: o.Stack, Options: o.Options,
	}, actor(ctx), time.Now())
	return a.planAnswer(ctx, p, err)
}

func (a *API) listPlans(ctx context.Context, in *struct {
	Stack string `query:"stack" doc:"Only this stack's: its id, NAME or TENANT/NAME."`
	Limit int    `query:"limit" minimum:"1" maximum:"500" default:"50"`
}) (*struct{ Body client.PlanPage }, error) {
	var of provisioning.StackID
	if in.Stack != "" {
		s, err := a.o.Provisioning.Stack(ctx, in.Stack)
		if err != nil {
			return nil, err
		}
		of = s.ID
	}
	all, err := a.o.Provisioning.Plans(ctx, of, in.Limit)
	if err != nil {
		return nil, err
	}
	slugs, err := a.o.Tenants.Slugs(ctx)
	if err != nil {
		return nil, err
	}
	page := client.PlanPage{Items: make([]client.Plan, len(all))}
	for i, p := range all {
		page.Items[i] = wire.Plan(p, slugs[p.Tenant])
	}
	return &struct{ Body client.PlanPage }{page}, nil
}

func (a *API) getPlan(ctx context.Context, in *PlanQuery) (*planAnswer, error) {
	p, err := a.o.Provisioning.Plan(ctx, provisioning.PlanID(in.Plan))
	return a.planAnswer(ctx, p, err)
}

func (a *API) applyPlan(ctx context.Context, in *PlanQuery) (*struct{ Body client.PlanApplied }, error) {
	p, started, err := a.o.Provisioning.ApplyPlan(ctx, provisioning.PlanID(in.Plan), actor(ctx), time.Now())
	if err != nil {
		return nil, err
	}
	answer, err := a.planAnswer(ctx, p, nil)
	if err != nil {
		return nil, err
	}
	return &struct{ Body client.PlanApplied }{client.PlanApplied{Plan: answer.Body, Saga: wire.Saga(started)}}, nil
}

type freezeAnswer struct{ Body client.FreezePage }

func (a *API) listFreezes(ctx context.Context, _ *struct{}) (*freezeAnswer, error) {
	all, err := a.o.Provisioning.Freezes(ctx)
	if err != nil {
		return nil, err
	}
	page, err := wire.Freezes(all, func(scope string) (string, error) { return a.named(ctx, scope) })
	return &freezeAnswer{page}, err
}

// named is a freeze's scope as people type it. A tenant that there is not has its id alone.
func (a *API) named(ctx context.Context, scope string) (string, error) {
	id, is := strings.CutPrefix(scope, "tenant:")
	if !is {
		return scope, nil
	}
	of, err := a.o.Tenants.Tenant(ctx, id)
	if errors.Is(err, fault.NotFound) {
		return scope, nil
	}
	return "tenant:" + of.Slug, err
}

// scope is a freeze's, in which people name tenants by their slugs.
func (a *API) scope(ctx context.Context, typed string) (string, error) {
	ref, is := strings.CutPrefix(typed, "tenant:")
	if !is {
		return typed, nil
	}
	of, err := a.o.Tenants.Tenant(ctx, ref)
	return provisioning.TenantScope(of.ID), err
}

func (a *API) beginFreeze(ctx context.Context, in *struct{ Body client.FreezeOrder }) (*freezeAnswer, error) {
	scope, err := a.scope(ctx, in.Body.Scope)
	if name, is := strings.CutPrefix(scope, "account:"); is && err == nil {
		if _, err = a.o.Access.Account(ctx, name); fault.KindOf(err) == fault.NotFound {
			err = fault.Wrap(fault.NotFound, err, "There is no account %q: nothing would be frozen by it.", name)
		}
	}
	if err == nil {
		err = a.o.Provisioning.Freeze(ctx, scope, in.Body.Reason, actor(ctx), time.Now())
	}
	if err != nil {
		return nil, err
	}
	return a.listFreezes(ctx, nil)
}

func (a *API) endFreeze(ctx context.Context, in *struct {
	Scope string `path:"scope" doc:"all, account:NAME or tenant:SLUG."`
}) (*freezeAnswer, error) {
	scope, err := a.scope(ctx, in.Scope)
	if err == nil {
		err = a.o.Provisioning.Thaw(ctx, scope)
	}
	if err != nil {
		return nil, err
	}
	return a.listFreezes(ctx, nil)
}
