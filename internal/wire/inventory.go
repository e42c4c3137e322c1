package wire

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

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

// Description is a resource with whose it is and what it costs.
func Description(d inventory.Description) client.Resource {
	w := Resource(d.Resource)
	w.Tenant, w.Attribution, w.Cost = Text(d.Owner.Slug), Attribution(d.Verdict), Cost(d.Cost)
	return w
}

// ResourcePage is one page of what a query finds.
func ResourcePage(l inventory.ResourceList) client.ResourcePage {
	w := client.ResourcePage{
		Items: make([]client.Resource, len(l.Items)), Next: Text(l.Next), Total: l.Total, Cost: cost("", "total", l.Cost), Facets: map[string][]client.Facet{},
	}
	for i, f := range l.Items {
		w.Items[i] = Resource(f.Resource)
		w.Items[i].Tenant, w.Items[i].Attribution, w.Items[i].Cost = Text(f.Tenant), Attribution(f.Verdict), Cost(f.Cost)
	}
	for name, counted := range l.Facets {
		w.Facets[name] = make([]client.Facet, len(counted))
		for i, c := range counted {
			w.Facets[name][i] = client.Facet{Value: c.Value, Name: c.Name, Count: c.Count}
		}
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

// CauseText says who or what brought a change about, as people would.
func CauseText(c client.Cause) string {
	text := func(s *string) string {
		if s == nil {
			return ""
		}
		return *s
	}
	switch c.Type {
	case "first_sight":
		return "first look"
	case "saga":
		if text(c.Step) == "" {
			return "saga " + text(c.Saga)
		}
		return "saga " + text(c.Saga) + ", " + Words(text(c.Step))
	case "action":
		return "DigitalOcean's action " + text(c.Action) + ", " + Words(text(c.ActionType))
	case "out_of_band":
		return "out of band"
	case "operator":
		return text(c.Actor) + " said so"
	}
	return Words(c.Type)
}

// FieldsText is what a change changed, in a line: "/size_slug: a → b, and 3 more".
func FieldsText(c client.Change) string {
	const most = 2
	if c.Type == "assigned" {
		return owner(c.Former) + " → " + owner(c.Tenant)
	}
	var parts []string
	for _, f := range c.Fields[:min(len(c.Fields), most)] {
		parts = append(parts, fieldText(f))
	}
	if more := len(c.Fields) + c.More - len(parts); more > 0 {
		parts = append(parts, "and "+strconv.Itoa(more)+" more")
	}
	return strings.Join(parts, ", ")
}

func fieldText(f client.Field) string {
	name := strings.TrimSuffix(f.Path, "/-")
	switch {
	case f.Before == nil:
		return name + ": + " + valueText(f.After)
	case f.After == nil:
		return name + ": - " + valueText(f.Before)
	}
	return name + ": " + valueText(f.Before) + " → " + valueText(f.After)
}

func owner(slug *string) string {
	if slug == nil {
		return "nobody"
	}
	return *slug
}

// valueText is a value of a document, short.
func valueText(raw json.RawMessage) string {
	var text string
	switch {
	case raw == nil:
		return "–"
	case json.Unmarshal(raw, &text) == nil:
	default:
		text = string(raw)
	}
	if runes := []rune(text); len(runes) > 40 {
		text = string(runes[:39]) + "…"
	}
	return text
}

// ResourceRows are resources as rows of a table for spreadsheets, under a heading.
func ResourceRows(items []client.Resource) [][]string {
	rows := [][]string{{
		"urn", "kind", "account", "id", "name", "region", "status", "size", "tags", "tenant", "rule", "monthly_usd", "month_to_date_usd",
		"first_seen", "last_changed", "deleted_at",
	}}
	for _, r := range items {
		row := []string{r.URN, r.Kind, r.Account, r.ID, r.Name, r.Region, r.Status, r.Size, strings.Join(r.Tags, " "), "", "", "", "",
			r.FirstSeen.UTC().Format(time.RFC3339), r.LastChanged.UTC().Format(time.RFC3339), ""}
		if r.Tenant != nil {
			row[9] = *r.Tenant
		}
		if r.Attribution != nil {
			row[10] = r.Attribution.Rule
		}
		if r.Cost != nil {
			row[11], row[12] = r.Cost.Monthly, r.Cost.MonthToDate
		}
		if r.DeletedAt != nil {
			row[15] = r.DeletedAt.UTC().Format(time.RFC3339)
		}
		for i, cell := range row {
			row[i] = SafeCell(cell)
		}
		rows = append(rows, row)
	}
	return rows
}

// SafeCell is a text as it may stand in a CSV file: a spreadsheet takes what begins with
// one of these marks for a formula.
func SafeCell(text string) string {
	if text != "" && strings.ContainsAny(text[:1], "=+-@\t\r") {
		return "'" + text
	}
	return text
}
