package wire

import (
	"strconv"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/inventory"
)

// Resource is a resource of the inventory, without what others say of it: whose it
// is and what it costs.
func Resource(r inventory.Resource) client.Resource {
	w := client.Resource{
		URN: r.URN, Kind: r.Kind, Account: r.Account, ID: r.ID, Name: r.Name, Region: r.Region, Status: r.Status, Size: r.Size,
		Tags: present(r.Tags), ManagedBy: Text(r.ManagedBy), FirstSeen: client.Time{Time: r.FirstSeen}, LastChanged: client.Time{Time: r.LastChanged},
		MissingSince: client.At(r.MissingSince), Born: bounds(r.Born), DeletedAt: client.At(r.Ended.To), Ended: bounds(r.Ended),
		Version: r.Version, Data: object(r.Doc),
	}
	return w
}

func bounds(b inventory.Bounds) *client.Bounds {
	if b.To.IsZero() {
		return nil
	}
	return &client.Bounds{From: client.At(b.From), To: client.Time{Time: b.To}, By: b.By}
}

// Change is one thing that happened to a resource.
func Change(c inventory.Change) client.Change {
	w := client.Change{
		Seq: c.Seq, URN: c.URN, Account: c.Account, Kind: c.Kind, Name: c.Name, Type: string(c.Type), After: client.At(c.After),
		At: client.Time{Time: c.At}, Seen: client.Time{Time: c.Seen}, Version: c.Version, More: c.More,
		Fields: make([]client.Field, len(c.Fields)), Tenant: Text(c.Tenant), Former: Text(c.Former),
		Cause: client.Cause{
			Type: string(c.Cause.Type), Saga: Text(c.Cause.Saga), Step: Text(c.Cause.Step), ActionType: Text(c.Cause.What), Actor: Text(c.Cause.Actor),
		},
	}
	if c.Cause.Action != 0 {
		w.Cause.Action = Text(strconv.FormatInt(c.Cause.Action, 10))
	}
	for i, f := range c.Fields {
		w.Fields[i] = client.Field{Path: f.Path, Before: f.Before, After: f.After}
	}
	return w
}

// SyncRun is a sync of an account.
func SyncRun(r inventory.Run) client.SyncRun {
	w := client.SyncRun{
		ID: string(r.ID), Account: r.Account, State: string(r.State()), RequestedBy: r.RequestedBy, CreatedAt: client.Time{Time: r.CreatedAt},
		StartedAt: client.At(r.StartedAt), FinishedAt: client.At(r.FinishedAt), Error: Text(r.Problem), Kinds: make([]client.SyncKind, len(r.Kinds)),
	}
	for i, g := range r.Kinds {
		w.Kinds[i] = client.SyncKind{
			Kind: g.Kind, State: string(g.State), Items: g.Items, Total: g.Total, Resources: g.Resources, Requests: g.Requests,
			Created: g.Created, Updated: g.Updated, Deleted: g.Deleted, AsOf: client.At(g.AsOf), Error: Text(g.Problem),
		}
	}
	return w
}

// Freshness is how old what is known of a kind is.
func Freshness(f inventory.Freshness) client.Freshness {
	w := client.Freshness{
		Kind: f.Kind, State: string(f.State), TriedAt: client.Time{Time: f.TriedAt}, ListedAt: client.At(f.BeganAt), Requests: f.Requests, Error: Text(f.Problem),
	}
	if !f.BeganAt.IsZero() {
		w.Resources = &f.Resources
	}
	return w
}
