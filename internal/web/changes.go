package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/inventory"
	"github.com/arcadia-cloud/arcadia/internal/saga"
	"github.com/arcadia-cloud/arcadia/internal/web/ui"
	"github.com/arcadia-cloud/arcadia/internal/wire"
)

// A changeList is what the page of changes shows.
type changeList struct {
	ui.Page
	days   []changeDay
	newer  int    // that came since the page was opened, of this filter
	next   string // the cursor of what is older; empty: this is the oldest
	kind   string
	types  []ui.Choice
	causes []ui.Choice
	why    sagaNames
	twins  ui.Twin
}

// A changeDay is the changes that were noticed on one day, UTC.
type changeDay struct {
	day     time.Time
	changes []inventory.Change
}

var changeTypes = []inventory.ChangeType{inventory.Created, inventory.Updated, inventory.Deleted, inventory.Reappeared, inventory.Assigned}

// driftCause is the filter for every cause that is not of our own making.
const driftCause = "drift"

var changeCauses = []struct {
	name   string
	text   string
	causes []inventory.CauseType
}{
	{"", "Any cause", nil},
	{driftCause, "Drift", []inventory.CauseType{inventory.OutOfBand, inventory.ByAction}},
	{string(inventory.BySaga), "Sagas", []inventory.CauseType{inventory.BySaga}},
	{string(inventory.ByAction), "Actions", []inventory.CauseType{inventory.ByAction}},
	{string(inventory.OutOfBand), "Out of band", []inventory.CauseType{inventory.OutOfBand}},
	{string(inventory.ByOperator), "Operators", []inventory.CauseType{inventory.ByOperator}},
	{string(inventory.ByRule), "Rules", []inventory.CauseType{inventory.ByRule}},
	{string(inventory.FirstSight), "First sight", []inventory.CauseType{inventory.FirstSight}},
}

// changeFilter is the filter that an address asks for.
func changeFilter(q ui.Query) (f inventory.ChangeFilter, err error) {
	f.Limit = listPage + 1 // one more tells whether there is more
	switch kind := q.Get("kind"); {
	case kind == "":
		f.Kinds, f.Untagged = ownKinds(), true
	case kind == anyKind:
	case inventory.KindNamed(kind) == nil:
		return f, fault.New(fault.Invalid, "There is no kind %q.", clip(kind))
	default:
		f.Kinds = []string{kind}
	}
	if kind := inventory.ChangeType(q.Get("type")); kind != "" {
		if !slices.Contains(changeTypes, kind) {
			return f, fault.New(fault.Invalid, "There is no change of the type %q.", clip(string(kind)))
		}
		f.Types = []inventory.ChangeType{kind}
	}
	i := slices.IndexFunc(changeCauses, func(c struct {
		name   string
		text   string
		causes []inventory.CauseType
	}) bool {
		return c.name == q.Get("cause")
	})
	if i < 0 {
		return f, fault.New(fault.Invalid, "There is no cause %q.", clip(q.Get("cause")))
	}
	f.Causes = changeCauses[i].causes
	if f.URN = q.Get("urn"); f.URN != "" && q.Get("kind") == "" {
		f.Kinds, f.Untagged = nil, false
	}
	if f.Before, err = number(q, "cursor"); err != nil {
		return f, err
	}
	return f, nil
}

// anyKind is the filter for every kind, also those that are not ours.
const anyKind = "any"

// ownKinds are the kinds of what is ours, and not a tie between two things that are.
func ownKinds() (names []string) {
	for _, k := range inventory.Kinds() {
		if !k.Sold && !k.Link {
			names = append(names, k.Name)
		}
	}
	return names
}

// number is a parameter that is a number of the feed; 0 where there is none.
func number(q ui.Query, name string) (int64, error) {
	text := q.Get(name)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return 0, fault.New(fault.Invalid, "This page's address is not as it must be: its %s is no number of a change.", name)
	}
	return n, nil
}

// changes is the stream of what happened to resources, the newest first.
func (s *Server) changes(v *visit) error {
	f, err := changeFilter(v.query)
	if err != nil {
		return err
	}
	if slug := v.query.Get("tenant"); slug != "" {
		of, err := s.o.Tenants.Tenant(v.r.Context(), slug)
		if err != nil {
			return err
		}
		f.Tenant = of.ID
	}
	if v.wants("csv") {
		return s.changesCSV(v, f)
	}
	upto, err := number(v.query, "upto")
	if err != nil {
		return err
	}
	ctx := v.r.Context()
	follow, err := v.follow("Changes", "/changes", changesTopic)
	if err != nil {
		return err
	}
	page := changeList{Page: follow, kind: v.query.Get("kind")}
	if upto > 0 {
		newer := f
		newer.After, newer.Before, newer.Limit = upto, 0, 1000
		more, err := s.o.Inventory.Changes(ctx, newer)
		if err != nil {
			return err
		}
		page.newer = len(more)
		if f.Before == 0 {
			f.Before = upto + 1
		}
	}
	list, err := s.o.Inventory.Changes(ctx, f)
	if err != nil {
		return err
	}
	if len(list) > listPage {
		list = list[:listPage]
		page.next = decimal(list[listPage-1].Seq)
	}
	if v.wants("json") {
		body := struct {
			client.List[client.Change]
			Next *string `json:"next"`
		}{client.List[client.Change]{Items: make([]client.Change, len(list))}, wire.Text(page.next)}
		for i, c := range list {
			body.Items[i] = wire.Change(c)
		}
		return v.json(body)
	}
	if page.why, err = s.sagaNames(ctx, list); err != nil {
		return err
	}
	// The open page keeps its rows in place: what comes later waits above them.
	if upto == 0 && f.Before == 0 {
		newest := int64(1)
		if len(list) > 0 {
			newest = list[0].Seq
		}
		page.Refresh = v.query.With("upto", decimal(newest)).String()
	}
	for _, c := range list {
		day := c.Seen.UTC().Truncate(24 * time.Hour)
		if n := len(page.days); n == 0 || !page.days[n-1].day.Equal(day) {
			page.days = append(page.days, changeDay{day: day})
		}
		last := &page.days[len(page.days)-1]
		last.changes = append(last.changes, c)
	}
	page.types = []ui.Choice{{Value: "", Text: "All", Count: -1}}
	for _, t := range changeTypes {
		page.types = append(page.types, ui.Choice{Value: string(t), Text: ui.Upper(string(t)), Count: -1})
	}
	for _, c := range changeCauses {
		page.causes = append(page.causes, ui.Choice{Value: c.name, Text: c.text, Count: -1})
	}
	page.twins = changeTwins(v, f)
	return v.show(http.StatusOK, changeListPage(page))
}

func changeTwins(v *visit, f inventory.ChangeFilter) ui.Twin {
	api := ui.Query{Path: "/v1/changes"}.With("type", v.query.Get("type"), "urn", f.URN)
	if len(f.Kinds) == 1 {
		api = api.With("kind", f.Kinds[0])
	}
	if len(f.Causes) == 1 {
		api = api.With("cause", string(f.Causes[0]))
	}
	return ui.Twin{API: "curl 'http://" + v.r.Host + api.String() + "'", JSON: v.twin("/changes", "json")}
}

var changeHeading = []string{"seq", "seen", "after", "at", "account", "kind", "urn", "name", "type", "cause", "saga", "step", "action", "actor", "tenant", "former_tenant", "fields"}

// changesCSV writes every change that the filter selects.
func (s *Server) changesCSV(v *visit, f inventory.ChangeFilter) error {
	f.Limit = 500
	over := false
	return v.csv("changes", changeHeading, func() ([][]string, error) {
		if over {
			return nil, nil
		}
		list, err := s.o.Inventory.Changes(v.r.Context(), f)
		if err != nil || len(list) == 0 {
			return nil, err
		}
		f.Before, over = list[len(list)-1].Seq, len(list) < f.Limit
		rows := make([][]string, len(list))
		for i, c := range list {
			action, paths := "", make([]string, len(c.Fields))
			if c.Cause.Action != 0 {
				action = decimal(c.Cause.Action)
			}
			for i, field := range c.Fields {
				paths[i] = field.Path
			}
			rows[i] = []string{
				decimal(c.Seq), stamp(c.Seen), stamp(c.After), stamp(c.At), c.Account, c.Kind, c.URN, c.Name, string(c.Type), string(c.Cause.Type),
				c.Cause.Saga, c.Cause.Step, action, c.Cause.Actor, c.Tenant, c.Former, strings.Join(paths, " "),
			}
		}
		return rows, nil
	})
}

// A deed is what one saga changed, or one change that none did.
type deed struct {
	inventory.Change // the newest of them
	counts           map[inventory.ChangeType]int
}

// firstOwned is of a change that rules alone brought about, which give what there is to whose
// tag it carries: that it came to be is told by another.
func firstOwned(c inventory.Change) bool {
	return c.Type == inventory.Assigned && c.Cause.Type == inventory.ByRule && c.Former == ""
}

// fold makes one deed of all that one saga did, in the order of the newest change of each,
// at most so many. It answers the changes that these tell of, too.
func fold(changes []inventory.Change, most int) (deeds []deed, told []inventory.Change) {
	at := map[string]int{}
	for _, c := range changes {
		i, known := at[c.Cause.Saga]
		if c.Cause.Saga == "" || !known {
			if len(deeds) == most {
				continue
			}
			i = len(deeds)
			deeds = append(deeds, deed{c, map[inventory.ChangeType]int{}})
			if c.Cause.Saga != "" {
				at[c.Cause.Saga] = i
			}
		}
		deeds[i].counts[c.Type]++
		told = append(told, c)
	}
	return deeds, told
}

// one reports whether the deed is a single change.
func (d deed) one() bool { return len(d.counts) == 1 && d.counts[d.Type] == 1 }

// words say how many resources were changed how: "made 8 resources, changed 2".
func (d deed) words() string {
	var parts []string
	for _, of := range []struct {
		kind inventory.ChangeType
		verb string
	}{{inventory.Created, "made"}, {inventory.Updated, "changed"}, {inventory.Deleted, "deleted"}, {inventory.Reappeared, "brought back"}} {
		n := d.counts[of.kind]
		switch {
		case n == 0:
		case len(parts) > 0:
			parts = append(parts, fmt.Sprintf("%s %d", of.verb, n))
		case n == 1:
			parts = append(parts, of.verb+" 1 resource")
		default:
			parts = append(parts, fmt.Sprintf("%s %d resources", of.verb, n))
		}
	}
	return strings.Join(parts, ", ")
}

// sagaNames are what sagas are called, by id.
type sagaNames map[string]string

// of is what a saga is called, its short id where nothing says.
func (n sagaNames) of(saga string) string {
	if name := n[saga]; name != "" {
		return name
	}
	return brief(saga)
}

// sagaNames reads what the sagas are called that brought changes about.
func (s *Server) sagaNames(ctx context.Context, changes []inventory.Change) (sagaNames, error) {
	names := sagaNames{}
	for _, c := range changes {
		if _, known := names[c.Cause.Saga]; known || c.Cause.Saga == "" {
			continue
		}
		of, err := s.o.Engine.Saga(ctx, saga.ID(c.Cause.Saga))
		if err != nil && !errors.Is(err, fault.NotFound) {
			return nil, err
		}
		names[c.Cause.Saga] = ""
		if err == nil {
			names[c.Cause.Saga] = name(of)
		}
	}
	return names, nil
}

// changeWords says what happened, after the resource's name.
func changeWords(c inventory.Change) string {
	switch c.Type {
	case inventory.Created:
		if c.Cause.Type == inventory.FirstSight {
			return "was there at the first look"
		}
		return "was created"
	case inventory.Deleted:
		return "was deleted"
	case inventory.Reappeared:
		return "is there again: it was taken for gone"
	case inventory.Assigned:
		switch {
		case c.Tenant == "":
			return "belongs to nobody now; before, to " + c.Former
		case c.Former == "":
			return "belongs to " + c.Tenant
		}
		return "belongs to " + c.Tenant + ", no longer to " + c.Former
	}
	n := len(c.Fields) + c.More
	if n == 1 {
		return "changed in one field"
	}
	return fmt.Sprintf("changed in %d fields", n)
}

// changeSpan is what is known of when it happened.
func changeSpan(c inventory.Change) string {
	switch {
	case c.Exact():
		return "At " + ui.Absolute(c.At)
	case c.After.IsZero():
		return "Before " + ui.Absolute(c.At)
	}
	return "Between " + ui.Absolute(c.After) + " and " + ui.Absolute(c.At)
}

var changeGlyphs = map[inventory.ChangeType]string{
	inventory.Created: "plus", inventory.Updated: "edit", inventory.Deleted: "cross", inventory.Reappeared: "return", inventory.Assigned: "tenant",
}

// changeHue is the colour of a change's glyph: drift wants attention.
func changeHue(c inventory.Change) string {
	switch {
	case c.Cause.Drift():
		return string(wire.Attention)
	case c.Type == inventory.Created || c.Type == inventory.Reappeared:
		return string(wire.Good)
	case c.Type == inventory.Updated:
		return string(wire.Running)
	}
	return string(wire.Dim)
}
