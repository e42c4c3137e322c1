package web_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/inventory"
	"github.com/arcadia-cloud/arcadia/internal/provisioning"
	"github.com/arcadia-cloud/arcadia/internal/saga"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

// A stack is planned, applied by the page of its plan, and shown; a form that is sent
// twice starts one saga.
func TestAStackIsAppliedFromItsPlan(t *testing.T) {
	s := serve(t, dbtest.New(t))
	ctx := t.Context()
	if page := s.get(t, "/stacks").body; !strings.Contains(page, "There are no stacks yet") {
		t.Error("an empty list does not say so")
	}
	if _, err := s.tenants.Add(ctx, tenant.Entry{Slug: "acme"}, time.Now()); err != nil {
		t.Fatal(err)
	}
	p, err := s.stacks.PlanStack(ctx, provisioning.PlanRequest{
		Verb: provisioning.Provision, Blueprint: "minimal", Tenant: "acme", Name: "edge", Account: "default", Parameters: map[string]string{"region": "nyc3"},
	}, "cli:test", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	plan := "/plans/" + string(p.ID)
	if page := s.get(t, plan).body; !strings.Contains(page, "edge-main") || !strings.Contains(page, plan+"/apply") {
		t.Error("the plan does not show its droplet, or cannot be applied")
	}
	for _, want := range []string{"2026-12-01 to 2027-01-01", "/subscriptions/sub_7", "123.40\u00a0EUR", "−4.00\u00a0EUR", "Usage is not in it."} {
		if !strings.Contains(s.get(t, plan).body, want) {
			t.Errorf("the plan does not say %q of invoices", want)
		}
	}
	key := url.Values{"key": {"form_0193a4c0d1e2738fa1b2c3d4e5f60718"}}
	first := s.do(t, "POST", plan+"/apply", key)
	if again := s.do(t, "POST", plan+"/apply", key); first.status != 303 || again.status != 303 {
		t.Errorf("applied with %d, and again with %d", first.status, again.status)
	}
	if n, err := s.engine.Count(ctx, saga.Filter{}); err != nil || n != 1 {
		t.Errorf("%d sagas were begun, %v", n, err)
	}
	all, err := s.stacks.Stacks(ctx, provisioning.StackFilter{})
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	page := s.get(t, "/stacks/"+string(all[0].ID)).body
	if !strings.Contains(page, "minimal@1") || strings.Contains(page, "/plan/teardown") {
		t.Error("the page of a stack that is being made does not say of what, or offers to tear it down")
	}
	for _, typed := range []string{"edge", "acme/edge", string(all[0].ID)} {
		if to := s.get(t, "/go?q="+url.QueryEscape(typed)).header.Get("Location"); to != "/stacks/"+string(all[0].ID) {
			t.Errorf("%q leads to %s", typed, to)
		}
	}
	if to := s.get(t, "/go?q="+string(p.ID)).header.Get("Location"); to != plan {
		t.Errorf("the plan's id leads to %s", to)
	}
	s.reported = []inventory.Report{{
		Rule: inventory.DrillFailed, Subject: string(all[0].ID), Name: "acme/edge", Says: "Nobody answered.", Mend: "arcadia stack drill acme/edge",
	}}
	s.sync(t, "droplet")
	found := s.get(t, "/findings").body
	for _, want := range []string{"Drills that failed", "Nobody answered.", `href="/stacks/acme%2Fedge"`, "arcadia stack drill acme/edge"} {
		if !strings.Contains(found, want) {
			t.Errorf("the findings lack %q", want)
		}
	}
	if linked := s.get(t, "/stacks/acme%2Fedge"); linked.status != 200 || !strings.Contains(linked.body, "minimal@1") {
		t.Errorf("the stack that a finding leads to is answered with %d", linked.status)
	}
	if list := s.get(t, "/stacks").body; !strings.Contains(list, "edge") {
		t.Error("the list lacks the stack")
	}
}

// Blueprints are listed with what they make, and each shows its parameters, its source and
// the stacks that were made of it.
func TestBlueprintsAreShown(t *testing.T) {
	s := serve(t, dbtest.New(t))
	ctx := t.Context()
	if _, err := s.tenants.Add(ctx, tenant.Entry{Slug: "acme"}, time.Now()); err != nil {
		t.Fatal(err)
	}
	if list := s.get(t, "/blueprints").body; !strings.Contains(list, `href="/blueprints/minimal@1"`) || !strings.Contains(list, "1 droplet, 1 firewall") || !strings.Contains(list, "part of Arcadia") {
		t.Error("the list lacks a blueprint, what it makes, or where it is from")
	}
	if page := s.get(t, "/blueprints/minimal").body; !strings.Contains(page, "There are none.") {
		t.Error("a blueprint of which nothing was made does not say so")
	}
	p, err := s.stacks.PlanStack(ctx, provisioning.PlanRequest{
		Verb: provisioning.Provision, Blueprint: "minimal", Tenant: "acme", Name: "edge", Account: "default", Parameters: map[string]string{"region": "nyc3"},
	}, "cli:test", time.Now())
	if err == nil {
		_, _, err = s.stacks.ApplyPlan(ctx, p.ID, "cli:test", time.Now())
	}
	if err != nil {
		t.Fatal(err)
	}
	page := s.get(t, "/blueprints/minimal@1").body
	for _, want := range []string{"acme/edge", "Unless given", "name: minimal", `href="/stacks/new?blueprint=minimal%401"`, "it never changes"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page of a blueprint lacks %q", want)
		}
	}
	if list := s.get(t, "/blueprints").body; !strings.Contains(list, "part of Arcadia") {
		t.Error("one that is part of Arcadia is not any more, once it was used")
	}
	if none := s.get(t, "/blueprints/no-such"); none.status != 404 {
		t.Errorf("a blueprint that there is not is answered with %d", none.status)
	}
}

// What a tenant's protection keeps is refused to be torn down, with how that ends; its page
// says why, and ends it.
func TestATenantIsProtected(t *testing.T) {
	d := dbtest.New(t)
	s := serve(t, d)
	ctx := t.Context()
	of, err := s.tenants.Add(ctx, tenant.Entry{Slug: "acme"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	ask := func(verb, key, reason string) answer {
		return s.do(t, "POST", "/tenants/acme/"+verb, url.Values{"key": {"form_0193a4c0d1e2738fa1b2c3d4e5f6071" + key}, "reason": {reason}})
	}
	if page := s.get(t, "/tenants/acme").body; !strings.Contains(page, `href="/tenants/acme/protect"`) {
		t.Error("the tenant's page does not offer to protect it")
	}
	if none := ask("protect", "1", ""); none.status != 400 || !strings.Contains(none.body, "Say why") {
		t.Errorf("without a reason: %d", none.status)
	}
	if done := ask("protect", "2", "Their audit runs"); done.status != 303 {
		t.Fatalf("protected with %d", done.status)
	}
	if page := s.get(t, "/tenants/acme").body; !strings.Contains(page, "Their audit runs") || !strings.Contains(page, `href="/tenants/acme/unprotect"`) {
		t.Error("the tenant's page does not say why it is protected, or does not offer to end that")
	}
	err = provisioning.ProtectedBy(ctx, d.Read(), "edge", []string{provisioning.TenantScope(of.ID)})
	if err == nil || !strings.Contains(err.Error(), "arcadia tenant unprotect "+string(of.ID)) {
		t.Errorf("what is destroyed meanwhile is answered with %v", err)
	}
	if done := ask("unprotect", "3", ""); done.status != 303 {
		t.Fatalf("unprotected with %d", done.status)
	}
	if left, err := s.stacks.Protections(ctx); err != nil || len(left) != 0 {
		t.Errorf("still protected: %v, %v", left, err)
	}
}

// A stack is planned by a form, which keeps what was given where it is refused; what can
// be done with a stack is asked for by its options.
func TestAStackIsPlannedByForms(t *testing.T) {
	s := serve(t, dbtest.New(t))
	ctx := t.Context()
	if _, err := s.tenants.Add(ctx, tenant.Entry{Slug: "acme"}, time.Now()); err != nil {
		t.Fatal(err)
	}
	if page := s.get(t, "/stacks/new").body; !strings.Contains(page, "/stacks/new?blueprint=minimal%401") {
		t.Error("the form offers no blueprint")
	}
	if page := s.get(t, "/stacks/new?blueprint=minimal").body; !strings.Contains(page, `name="set.region"`) || !strings.Contains(page, ">acme<") && !strings.Contains(page, "acme</option>") {
		t.Error("the form does not ask for the region, or does not offer the tenant")
	}
	given := url.Values{"blueprint": {"minimal@1"}, "tenant": {"acme"}, "name": {"EDGE"}, "account": {"default"}, "set.region": {"nyc3"}}
	if refused := s.do(t, "POST", "/stacks/new", given); refused.status < 400 || !strings.Contains(refused.body, `value="EDGE"`) || !strings.Contains(refused.body, `role="alert"`) {
		t.Errorf("a bad name is answered with %d, without what was given", refused.status)
	}
	given.Set("name", "edge")
	planned := s.do(t, "POST", "/stacks/new", given)
	if planned.status != 303 {
		t.Fatalf("the form is answered with %d", planned.status)
	}
	plans, err := s.stacks.Plans(ctx, "", 10)
	if err != nil || len(plans) != 1 {
		t.Fatal(plans, err)
	}
	_, started, err := s.stacks.ApplyPlan(ctx, plans[0].ID, "cli:test", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	stack := "/stacks/" + string(plans[0].Stack)
	if page := s.get(t, stack+"/plan/teardown").body; !strings.Contains(page, "Make the plan") || !strings.Contains(page, stack+"/plan/teardown") {
		t.Errorf("no form asks for a teardown; saga %s", started.ID)
	}
	if early := s.do(t, "POST", stack+"/plan/teardown", url.Values{}); early.status != 409 || !strings.Contains(early.body, `role="alert"`) {
		t.Errorf("the teardown of a stack that is being made is answered with %d", early.status)
	}
	if wrong := s.do(t, "POST", stack+"/plan/backup", url.Values{"keep_days": {"soon"}}); wrong.status != 400 || !strings.Contains(wrong.body, "“Keep days” is a whole number") {
		t.Errorf("a wrong option is answered with %d, not by the name that the form has for it", wrong.status)
	}
	if none := s.get(t, stack+"/plan/levitate"); none.status != 404 {
		t.Errorf("a verb that there is not is answered with %d", none.status)
	}
}
