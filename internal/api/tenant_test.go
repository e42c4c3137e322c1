package api_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
)

// code is the code of a refusal, "" for none.
func code(err error) string {
	var p *client.Problem
	if errors.As(err, &p) {
		return p.Code
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

func TestTenantsOverTheAPI(t *testing.T) {
	s := serve(t, dbtest.New(t), false)
	c, ctx := s.client, t.Context()
	acme, err := c.AddTenant(ctx, client.TenantEntry{Slug: "acme", Contact: "ops@acme.example"})
	if err != nil || acme.Name != "acme" || acme.State != "active" || acme.Estate == nil || acme.Estate.Monthly != "0.000000" {
		t.Fatalf("AddTenant = %+v, %v", acme, err)
	}
	name := "Acme GmbH"
	if got, err := c.ChangeTenant(ctx, acme.ID, client.TenantEdit{Name: &name}); err != nil || got.Name != name || got.Contact != acme.Contact {
		t.Errorf("ChangeTenant = %+v, %v", got, err)
	}
	imported, err := c.ImportTenants(ctx, client.TenantImport{From: "csv", CSV: "slug\nacme\nbeta\n", DryRun: true})
	if err != nil || imported.Done || imported.Added != 1 || imported.Unchanged != 1 {
		t.Errorf("a dry import = %+v, %v", imported, err)
	}
	if imported, err = c.ImportTenants(ctx, client.TenantImport{From: "csv", CSV: "slug\nacme\nbeta\n"}); err != nil || !imported.Done {
		t.Errorf("an import = %+v, %v", imported, err)
	}
	page, err := c.Tenants(ctx, client.TenantFilter{Limit: 1})
	if err != nil || len(page.Items) != 1 || page.Next == nil {
		t.Fatalf("the first page = %+v, %v", page, err)
	}
	if page, err = c.Tenants(ctx, client.TenantFilter{Limit: 1, Cursor: *page.Next}); err != nil || len(page.Items) != 1 || page.Items[0].Slug != "beta" || page.Next != nil {
		t.Errorf("the second page = %+v, %v", page, err)
	}
	for _, try := range []struct { // one after the other
		what string
		err  func() error
		want string
	}{
		{"suspend", func() error { return second(c.SuspendTenant(ctx, "acme")) }, ""},
		{"a slug twice", func() error { return second(c.AddTenant(ctx, client.TenantEntry{Slug: "acme"})) }, "conflict"},
		{"a slug that is none", func() error { return second(c.AddTenant(ctx, client.TenantEntry{Slug: "A"})) }, "invalid"},
		{"nobody", func() error { return second(c.Tenant(ctx, "nosuch")) }, "not_found"},
		{"an empty edit", func() error { return second(c.ChangeTenant(ctx, "acme", client.TenantEdit{})) }, "invalid"},
		{"close", func() error { return second(c.CloseTenant(ctx, "beta", false)) }, ""},
		{"resume what left", func() error { return second(c.ResumeTenant(ctx, "beta")) }, "conflict"},
	} {
		if got := code(try.err()); got != try.want {
			t.Errorf("%s: %q, want %q", try.what, got, try.want)
		}
	}
}

func TestRulesAndAssignmentsOverTheAPI(t *testing.T) {
	s := serve(t, dbtest.New(t), false)
	c, ctx := s.client, t.Context()
	if _, err := c.AddTenant(ctx, client.TenantEntry{Slug: "acme"}); err != nil {
		t.Fatal(err)
	}
	added, err := c.AddRule(ctx, client.NewRule{Type: "name", Pattern: "web-*", Tenant: "acme"})
	if err != nil || !added.Done || added.Rule.Tenant != "acme" || added.Rule.Actor != "cli:tester" {
		t.Fatalf("AddRule = %+v, %v", added, err)
	}
	if rules, err := c.Rules(ctx); err != nil || len(rules) != 1 || rules[0].ID != added.Rule.ID {
		t.Errorf("Rules = %+v, %v", rules, err)
	}
	tenant, empty := "acme", ""
	for what, try := range map[string]struct {
		err  error
		want string
	}{
		"a rule on everything":     {second(c.AddRule(ctx, client.NewRule{Type: "name", Pattern: "*", Tenant: "acme"})), "invalid"},
		"a rule twice":             {second(c.AddRule(ctx, client.NewRule{Type: "name", Pattern: "web-*", Tenant: "acme"})), "conflict"},
		"a rule for nobody":        {second(c.AddRule(ctx, client.NewRule{Type: "name", Pattern: "x", Tenant: "nosuch"})), "not_found"},
		"no such resource":         {second(c.Assign(ctx, []string{"do:droplet:1"}, client.Assignment{Tenant: &tenant})), "not_found"},
		"an empty tenant":          {second(c.Assign(ctx, []string{"do:droplet:1"}, client.Assignment{Tenant: &empty})), "invalid"},
		"neither names nor search": {second(c.AssignAll(ctx, client.Assignments{Assignment: client.Assignment{Tenant: &tenant}})), "invalid"},
		"names and a search":       {second(c.AssignAll(ctx, client.Assignments{URNs: []string{"do:droplet:1"}, Query: "web"})), "invalid"},
		"a search that is wrong":   {second(c.AssignAll(ctx, client.Assignments{Query: "colour:red"})), "invalid"},
		"a search of the past":     {second(c.AssignAll(ctx, client.Assignments{Query: "web as-of:2026-11-01"})), "invalid"},
		"nothing to be unassigned": {second(c.Unassign(ctx, "do:droplet:1")), "not_found"},
		"no such rule":             {second(c.RemoveRule(ctx, "rule_00000000000000000000000000000000", false)), "not_found"},
		"no resource to ask about": {second(c.Ownership(ctx, "do:droplet:1")), "not_found"},
	} {
		if got := code(try.err); got != try.want {
			t.Errorf("%s: %q, want %q", what, got, try.want)
		}
	}
	if gone, err := c.RemoveRule(ctx, added.Rule.ID, false); err != nil || !gone.Done {
		t.Errorf("RemoveRule = %+v, %v", gone, err)
	}
	if v, err := c.Coverage(ctx, ""); err != nil || v.ResourcesPercent != "100.0" || v.All.Resources != 0 {
		t.Errorf("the coverage of nothing = %+v, %v", v, err)
	}
}

func second[T any](_ T, err error) error { return err }

func TestAccountsOverTheAPI(t *testing.T) {
	s := serve(t, dbtest.New(t), false)
	c, ctx := s.client, t.Context()
	if a, err := c.AddAccount(ctx, "prod"); err != nil || a.Writable || !strings.Contains(a.ReadOnly, "--account prod") {
		t.Errorf("AddAccount = %+v, %v", a, err)
	}
	end := client.Time{Time: time.Now().Add(24 * time.Hour).UTC().Truncate(time.Microsecond)}
	kept, err := c.SetToken(ctx, "prod", "inventory", client.TokenText{Token: s.cloud.Token, ExpiresAt: &end})
	if err != nil || kept.Account != "prod" || kept.ExpiresAt == nil || !kept.ExpiresAt.Equal(end.Time) {
		t.Fatalf("SetToken = %+v, %v", kept, err)
	}
	a, err := c.CheckAccount(ctx, "prod")
	if err != nil || a.Team == "" || a.Tokens[0].State != "ok" || a.Tokens[0].Expiry != "expiring" || a.Tokens[1].State != "none" {
		t.Errorf("CheckAccount = %+v, %v", a, err)
	}
	if _, err := c.CheckAccount(ctx, "default"); code(err) != "conflict" {
		t.Errorf("the same team under another name: %v", err)
	}
	all, err := c.Accounts(ctx)
	if err != nil || len(all) != 2 || all[0].Name != "default" || !all[0].Writable {
		t.Errorf("Accounts = %+v, %v", all, err)
	}
	if err := c.RemoveAccount(ctx, "prod"); err != nil {
		t.Error(err)
	}
	if _, err := c.Account(ctx, "prod"); code(err) != "not_found" {
		t.Errorf("it is there still: %v", err)
	}
}

func TestWithoutAProvisioningTokenNoSagaBegins(t *testing.T) {
	s := serveAs(t, dbtest.New(t), false, false)
	for what, err := range map[string]error{
		"a snapshot": third(s.client.SnapshotDroplet(t.Context(), client.DropletRef{Droplet: s.drop}, "")),
		"a smoke":    third(s.client.SmokeDroplet(t.Context(), client.DropletRef{Droplet: s.drop}, "")),
		"a saga":     third(s.client.CreateSaga(t.Context(), client.NewSaga{Kind: "snapshot_droplet"}, "")),
	} {
		if got := code(err); got != "read_only" {
			t.Errorf("%s: %q, want read_only", what, got)
		}
	}
	if page, err := s.client.Sagas(t.Context(), client.SagaFilter{}); err != nil || len(page.Items) != 0 {
		t.Errorf("sagas were recorded: %+v, %v", page, err)
	}
}

func third[T, U any](_ T, _ U, err error) error { return err }
