package wire

import (
	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/inventory"
	"github.com/arcadia-cloud/arcadia/internal/money"
	"github.com/arcadia-cloud/arcadia/internal/provisioning"
)

// Blueprint is a blueprint, with its source where that is asked for.
func Blueprint(d provisioning.Draft, source bool) client.Blueprint {
	w := client.Blueprint{Name: d.Name, Version: d.Version, Description: d.Description, Hash: d.Hash, Shipped: d.Shipped, Used: !d.UsedAt.IsZero()}
	if source {
		w.Source = d.Source
	}
	return w
}

// Stack is a stack; its resources and protections are the caller's to add.
func Stack(s provisioning.Stack, tenant, sagaState string) client.Stack {
	return client.Stack{
		ID: string(s.ID), Name: s.Name, Tenant: tenant, Account: s.Account, State: string(s.State), Level: s.Level, Blueprint: s.Blueprint, Saga: string(s.Saga),
		SagaState: sagaState, Failure: s.Failure, Protected: []client.Protection{}, Resources: []client.StackResource{}, CreatedAt: client.Time{Time: s.CreatedAt}, UpdatedAt: client.Time{Time: s.UpdatedAt},
	}
}

// Protections are what keeps something from being destroyed.
func Protections(all []provisioning.Protection) []client.Protection {
	w := make([]client.Protection, len(all))
	for i, p := range all {
		w[i] = client.Protection{Subject: p.Subject, Reason: p.Reason, Actor: p.Actor, At: client.Time{Time: p.At}}
	}
	return w
}

// StackResources are what a stack has at DigitalOcean.
func StackResources(all []provisioning.StackResource) []client.StackResource {
	w := make([]client.StackResource, len(all))
	for i, r := range all {
		w[i] = client.StackResource{Key: r.Key, Kind: r.Kind, URN: r.URN, Name: r.Name}
	}
	return w
}

// Plan is a plan.
func Plan(p provisioning.Plan, tenant string) client.Plan {
	w := client.Plan{
		ID: string(p.ID), Verb: string(p.Verb), Stack: string(p.Stack), Name: p.Name, Tenant: tenant, Account: p.Account, Currency: "USD",
		MonthlyBefore: inventory.Micros(p.Before).String(), MonthlyAfter: inventory.Micros(p.After).String(), Reason: p.Reason, Room: p.Room, Read: p.Read, Hash: p.Hash, Actor: p.Actor,
		CreatedAt: client.Time{Time: p.CreatedAt}, AppliedAt: client.At(p.AppliedAt), Saga: Text(string(p.Saga)),
		Steps: make([]client.PlanStep, len(p.Steps)), Changes: make([]client.PlanChange, len(p.Changes)),
		Unpriced: append([]string{}, p.Unpriced...), Warnings: append([]string{}, p.Warnings...), Quote: quote(p.Quote),
	}
	for i, s := range p.Steps {
		w.Steps[i] = client.PlanStep{Name: s.Name, Calls: append([]string{}, s.Calls...), Pivot: s.Pivot}
	}
	for i, c := range p.Changes {
		one := client.PlanChange{Action: c.Action, Key: c.Key, Kind: c.Kind, Name: c.Name, URN: c.URN, Detail: c.Detail, Size: c.Size, Stays: c.Stays}
		if c.Monthly != nil {
			text := inventory.Micros(*c.Monthly).String()
			one.Monthly = &text
		}
		w.Changes[i] = one
	}
	return w
}

func quote(q *provisioning.Quote) *client.Quote {
	if q == nil {
		return nil
	}
	w := &client.Quote{Periods: make([]client.QuotedPeriod, len(q.Periods)), Nothing: q.Nothing, Notes: append([]string{}, q.Notes...)}
	for i, p := range q.Periods {
		w.Periods[i] = client.QuotedPeriod{
			Subscription: p.Subscription, Plans: append([]string{}, p.Plans...), From: p.From, To: p.To,
			Before: Amount(money.New(p.Before, p.Currency)), After: Amount(money.New(p.After, p.Currency)),
		}
	}
	return w
}

// StackVerbs are what can be done with stacks.
func StackVerbs(all []provisioning.Operation) client.StackVerbPage {
	w := client.StackVerbPage{Items: make([]client.StackVerb, len(all))}
	for i, o := range all {
		one := client.StackVerb{Verb: string(o.Verb), Help: o.Help, From: make([]string, len(o.From)), Options: make([]client.StackOption, len(o.Options))}
		for j, state := range o.From {
			one.From[j] = string(state)
		}
		for j, option := range o.Options {
			one.Options[j] = client.StackOption{Name: option.Name, Type: string(option.Type), Choices: option.Choices, Default: option.Default, Help: option.Help}
		}
		w.Items[i] = one
	}
	return w
}

// Freezes are what stands still; named is a scope as people type it.
func Freezes(all []provisioning.Freeze, named func(scope string) (string, error)) (client.FreezePage, error) {
	w := client.FreezePage{Items: make([]client.Freeze, len(all))}
	for i, f := range all {
		name, err := named(f.Scope)
		if err != nil {
			return w, err
		}
		w.Items[i] = client.Freeze{Scope: f.Scope, Named: name, Reason: f.Reason, Actor: f.Actor, At: client.Time{Time: f.At}}
	}
	return w, nil
}
