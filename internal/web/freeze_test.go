package web_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/provisioning"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

// While a freeze stands every page says so, with who, why and the way to end it; it is
// begun and ended by forms, and not without a reason.
func TestEveryPageSaysWhatIsFrozen(t *testing.T) {
	s := serve(t, dbtest.New(t))
	ctx := t.Context()
	acme, err := s.tenants.Add(ctx, tenant.Entry{Slug: "acme"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if page := s.get(t, "/freezes").body; !strings.Contains(page, "Nothing is frozen") {
		t.Error("an empty list does not say so")
	}
	given := url.Values{"key": {"form_0193a4c0d1e2738fa1b2c3d4e5f60718"}, "scope": {provisioning.TenantScope(acme.ID)}}
	if bare := s.do(t, "POST", "/freezes/new", given); bare.status != 400 || !strings.Contains(bare.body, `role="alert"`) {
		t.Errorf("a freeze without a reason is answered with %d", bare.status)
	}
	if all, err := s.stacks.Freezes(ctx); err != nil || len(all) != 0 {
		t.Fatalf("the refused freeze stands: %v, %v", all, err)
	}
	given.Set("reason", "a <b>strange</b> bill")
	given.Set("key", "form_0193a4c0d1e2738fa1b2c3d4e5f60719")
	if begun := s.do(t, "POST", "/freezes/new", given); begun.status != 303 {
		t.Fatalf("a freeze is answered with %d", begun.status)
	}
	end := "/freezes/" + url.PathEscape(provisioning.TenantScope(acme.ID)) + "/end"
	for _, path := range []string{"/", "/inventory", "/sagas", "/stacks", "/backups", "/cleanup", "/tenants/acme", "/accounts", "/findings", "/billing", "/nowhere"} {
		page := s.get(t, path).body
		if !strings.Contains(page, "Changes are frozen: stacks of tenant acme") || !strings.Contains(page, "a &lt;b&gt;strange&lt;/b&gt; bill") || !strings.Contains(page, "web:local") || !strings.Contains(page, end) || !strings.Contains(page, "arcadia freeze end tenant:acme<") {
			t.Errorf("%s does not say what is frozen, by whom and why, or how to end it", path)
		}
	}
	if list := s.get(t, "/freezes").body; strings.Contains(list, "Changes are frozen:") || !strings.Contains(list, end) {
		t.Error("the list of freezes says it twice, or does not offer to end it")
	}
	if ask := s.get(t, end).body; !strings.Contains(ask, "a &lt;b&gt;strange&lt;/b&gt; bill") {
		t.Error("who ends a freeze is not told why it stands")
	}
	if ended := s.do(t, "POST", end, url.Values{"key": {"form_0193a4c0d1e2738fa1b2c3d4e5f60720"}}); ended.status != 303 {
		t.Errorf("the end is answered with %d", ended.status)
	}
	if page := s.get(t, "/").body; strings.Contains(page, "Changes are frozen") {
		t.Error("a page says it still")
	}
	if again := s.get(t, end); again.status != 404 {
		t.Errorf("the end of a freeze that is over is answered with %d", again.status)
	}
}

// An open page is told of a freeze that begins or ends, whatever it is about, and finds it in
// what it reads again.
func TestAnOpenPageHearsOfAFreeze(t *testing.T) {
	s := serve(t, dbtest.New(t))
	ctx := t.Context()
	for _, path := range []string{"/events?after=0", "/events?after=0&topic=changes&stood=0"} {
		changes, leave := s.follow(t, path, "")
		silent(t, changes, 50*time.Millisecond)
		if err := s.stacks.Freeze(ctx, provisioning.AccountScope("default"), "look first", "cli:test", time.Now()); err != nil {
			t.Fatal(err)
		}
		frozen := next(t, changes)
		if _, live, ok := strings.Cut(s.get(t, "/sagas").body, `id="live"`); !ok || !strings.Contains(live, "look first") {
			t.Error("what an open page reads again does not say what is frozen")
		}
		if err := s.stacks.Thaw(ctx, provisioning.AccountScope("default")); err != nil {
			t.Fatal(err)
		}
		if at := next(t, changes); at == frozen {
			t.Errorf("%s is told %s again as the freeze ends", path, at)
		}
		leave()
	}
}

// A stack is protected and freed by forms; a plan to tear it down that was made before is
// refused meanwhile.
func TestAStackIsProtectedByForms(t *testing.T) {
	s := serve(t, dbtest.New(t))
	ctx := t.Context()
	if _, err := s.tenants.Add(ctx, tenant.Entry{Slug: "acme"}, time.Now()); err != nil {
		t.Fatal(err)
	}
	p, err := s.stacks.PlanStack(ctx, provisioning.PlanRequest{
		Verb: provisioning.Provision, Blueprint: "minimal", Tenant: "acme", Name: "edge", Account: "default",
	}, "cli:test", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err = s.stacks.ApplyPlan(ctx, p.ID, "cli:test", time.Now()); err != nil {
		t.Fatal(err)
	}
	stack := "/stacks/" + string(p.Stack)
	if none := s.get(t, stack+"/unprotect"); none.status != 404 {
		t.Errorf("to end a protection that there is not is answered with %d", none.status)
	}
	key := func(n string) string { return "form_0193a4c0d1e2738fa1b2c3d4e5f6071" + n }
	if bare := s.do(t, "POST", stack+"/protect", url.Values{"key": {key("1")}}); bare.status != 400 {
		t.Errorf("a protection without a reason is answered with %d", bare.status)
	}
	if set := s.do(t, "POST", stack+"/protect", url.Values{"key": {key("2")}, "reason": {"they pay"}}); set.status != 303 {
		t.Fatalf("a protection is answered with %d", set.status)
	}
	if page := s.get(t, stack).body; !strings.Contains(page, "they pay") || !strings.Contains(page, stack+"/unprotect") {
		t.Error("the stack's page does not say why it is protected, or how to end that")
	}
	if ended := s.do(t, "POST", stack+"/unprotect", url.Values{"key": {key("3")}}); ended.status != 303 {
		t.Errorf("the end of the protection is answered with %d", ended.status)
	}
	if all, err := s.stacks.Protections(ctx); err != nil || len(all) != 0 {
		t.Errorf("it is protected still: %v, %v", all, err)
	}
}
