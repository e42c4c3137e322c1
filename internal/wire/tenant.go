package wire

import (
	"fmt"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/access"
	"github.com/arcadia-cloud/arcadia/internal/inventory"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

// Account is an account, with why it is read-only where it is.
func Account(a access.Account, readOnly string, expiry func(access.Token) access.Expiry) client.Account {
	w := client.Account{
		Name: a.Name, Team: a.Team, TeamName: a.TeamName, Email: a.Email, Limits: client.Limits(a.Limits),
		Writable: readOnly == "", ReadOnly: readOnly, AddedAt: client.At(a.AddedAt), CheckedAt: client.At(a.CheckedAt),
		Tokens: make([]client.Standing, len(a.Standings)),
	}
	for i, s := range a.Standings {
		w.Tokens[i] = client.Standing{
			Purpose: string(s.Purpose), State: string(s.State), Expiry: string(expiry(s.Token)), Missing: present(s.Missing),
			Unproven: present(s.Unproven), Problem: s.Problem,
		}
		if s.State != access.NoToken {
			t := Token(s.Token)
			w.Tokens[i].Token = &t
		}
	}
	return w
}

// Dollars is a number of micro-dollars as a decimal: "24.000000".
func Dollars(micros int64) string {
	sign := ""
	if micros < 0 {
		sign, micros = "-", -micros
	}
	return fmt.Sprintf("%s%d.%06d", sign, micros/1_000_000, micros%1_000_000)
}

// Estate is what is somebody's own.
func Estate(s inventory.Share) client.Estate {
	return client.Estate{Resources: s.Resources, Currency: "USD", Monthly: Dollars(s.Monthly), Unpriced: s.Unpriced}
}

// Tenant is a tenant, without what is its own.
func Tenant(t tenant.Tenant) client.Tenant {
	return client.Tenant{
		ID: string(t.ID), Slug: t.Slug, Name: t.Name, Contact: t.Contact, State: string(t.State),
		CreatedAt: client.Time{Time: t.CreatedAt}, ChangedAt: client.Time{Time: t.ChangedAt},
	}
}

// TenantImport is what became of an import.
func TenantImport(i tenant.Import) client.TenantImported {
	w := client.TenantImported{
		Done: i.Done, Added: i.Count(tenant.Added), Changed: i.Count(tenant.Changed), Unchanged: i.Count(tenant.Unchanged),
		Refused: i.Count(tenant.Refused), Items: make([]client.TenantOutcome, len(i.Outcomes)),
	}
	for n, o := range i.Outcomes {
		w.Items[n] = client.TenantOutcome{Line: o.Line, From: o.From, Slug: o.Slug, Name: o.Name, Action: string(o.Action), Why: o.Why}
	}
	return w
}

// Coverage is the coverage of an account.
func Coverage(account string, c inventory.Coverage) client.Coverage {
	tenths := func(n int64) string { return fmt.Sprintf("%d.%d", n/10, n%10) }
	resources, money := c.Percent()
	w := client.Coverage{
		Account: account, ResourcesPercent: tenths(resources), MoneyPercent: tenths(money), All: Estate(c.All),
		By: make([]client.CoverageShare, len(c.By)),
	}
	for i, s := range c.By {
		w.By[i] = client.CoverageShare{Estate: Estate(s), Rule: string(s.Rule), Nobody: s.Nobody}
	}
	return w
}

// Slugs are tenants by their ids, for what names them.
type Slugs map[tenant.ID]string

// Of is a tenant's slug, null for nobody.
func (s Slugs) Of(id tenant.ID) *string {
	if id == "" {
		return nil
	}
	slug, ok := s[id]
	if !ok {
		slug = string(id)
	}
	return &slug
}

// Rule is a rule.
func (s Slugs) Rule(r inventory.Rule) client.Rule {
	return client.Rule{
		ID: string(r.ID), Type: string(r.Type), Pattern: r.Pattern, Tenant: *s.Of(r.Tenant), Actor: r.Actor, At: client.Time{Time: r.At},
	}
}

// Moves are what a change of rules moves.
func (s Slugs) Moves(moves []inventory.Move) []client.Move {
	w := make([]client.Move, len(moves))
	for i, m := range moves {
		w[i] = client.Move{URN: m.URN, Kind: m.Kind, Name: m.Name, Tenant: s.Of(m.Verdict.Tenant), Former: s.Of(m.Former), Evidence: m.Verdict.Evidence}
	}
	return w
}

// Ownership is whose a resource is and was.
func (s Slugs) Ownership(v inventory.Verdict, tenures []inventory.Tenure) client.Ownership {
	w := client.Ownership{
		Tenant: s.Of(v.Tenant), Rule: string(v.Rule), Evidence: v.Evidence, Trust: v.Confidence, Against: s.Of(v.Against), Why: v.AgainstWhy,
		History: make([]client.Tenure, len(tenures)),
	}
	for i, t := range tenures {
		w.History[i] = client.Tenure{
			Since: client.Time{Time: t.Since}, Until: client.At(t.Until), Tenant: s.Of(t.Tenant), Rule: string(t.Rule), Evidence: t.Evidence, Confidence: t.Confidence,
		}
	}
	return w
}
