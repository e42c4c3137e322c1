package web

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/id"
	"github.com/arcadia-cloud/arcadia/internal/provisioning"
	"github.com/arcadia-cloud/arcadia/internal/saga"
	"github.com/arcadia-cloud/arcadia/internal/web/ui"
	"github.com/arcadia-cloud/arcadia/internal/wire"
)

// listPage is how many rows a page of a list has.
const listPage = 50

// A sagaList is what the page of sagas shows.
type sagaList struct {
	ui.Page
	table   ui.Table
	states  []ui.Choice
	kinds   []ui.Choice
	subject string
	twins   ui.Twin
}

// openStates is the filter for every state that is not an end.
const openStates = "open"

// sagaFilter is the filter that an address asks for.
func sagaFilter(q ui.Query) (saga.Filter, error) {
	f := saga.Filter{Kind: q.Get("kind"), Subject: q.Get("subject"), Limit: listPage, Cursor: q.Get("cursor"), UpTo: saga.ID(q.Get("upto"))}
	if state := q.Get("state"); state == openStates {
		f.States = saga.Open()
	} else {
		f.State = saga.State(state)
	}
	if f.UpTo != "" && id.Check("saga", string(f.UpTo)) != nil {
		return f, fault.New(fault.Invalid, "This page's address is not as it must be: upto is the id of a saga.")
	}
	key, descending := strings.CutPrefix(sortOr(q, newestFirst), "-")
	by, ok := sagaOrders[key]
	if !ok {
		return f, fault.New(fault.Invalid, "Sagas are sorted by kind, state or created, not by %q.", clip(key))
	}
	f.By, f.Ascending = by, !descending
	return f, nil
}

// newestFirst is how sagas are sorted where the address does not say.
const newestFirst = "-created"

var sagaOrders = map[string]saga.Order{"created": saga.ByCreation, "state": saga.ByState, "kind": saga.ByKind}

// sagas is the list of sagas.
func (s *Server) sagas(v *visit) error {
	f, err := sagaFilter(v.query)
	if err != nil {
		return err
	}
	if v.wants("csv") {
		return s.sagasCSV(v, f)
	}
	ctx := v.r.Context()
	at, err := s.position(ctx)
	if err != nil {
		return err
	}
	list, next, err := s.o.Engine.Sagas(ctx, f)
	if err != nil {
		return err
	}
	total, err := s.o.Engine.Count(ctx, f)
	if err != nil {
		return err
	}
	if v.wants("json") {
		body := struct {
			client.SagaPage
			Total int64 `json:"total"`
		}{client.SagaPage{Items: make([]client.Saga, len(list)), Next: wire.Text(next)}, total}
		for i, one := range list {
			body.Items[i] = wire.Saga(one)
		}
		return v.json(body)
	}
	page := sagaList{Page: v.live("Sagas", "/sagas", "", at), subject: f.Subject}
	newer := int64(0)
	if f.UpTo != "" {
		all := f
		all.UpTo = ""
		n, err := s.o.Engine.Count(ctx, all)
		if err != nil {
			return err
		}
		newer = n - total
	}
	// The open page keeps its rows in place: what comes later waits above them.
	if newest := f.UpTo; newest == "" && f.Cursor == "" && sortOr(v.query, newestFirst) == newestFirst {
		newest = saga.ID("saga_00000000000000000000000000000000")
		if len(list) > 0 {
			newest = list[0].ID
		}
		page.Refresh = v.query.With("upto", string(newest)).String()
	}
	page.table = ui.Table{
		Caption: "Sagas", Columns: sagaColumns, Rows: sagaRows(list, v.now), Query: v.query, Sort: sortOr(v.query, newestFirst),
		Total: total, Unit: "sagas", Next: next, CSV: v.query.With("cursor", "", "upto", "").At("/sagas.csv").String(), New: newer,
	}
	if page.states, err = s.stateChoices(v, f); err != nil {
		return err
	}
	page.kinds = []ui.Choice{{Value: "", Text: "All kinds", Count: -1}, {Value: provisioning.SnapshotDropletKind, Text: "Snapshots", Count: -1}, {Value: provisioning.SmokeKind, Text: "Smoke tests", Count: -1}}
	page.twins = sagaListTwins(v, f)
	return v.show(http.StatusOK, sagaListPage(page))
}

func sortOr(q ui.Query, usual string) string {
	if sort := q.Get("sort"); sort != "" {
		return sort
	}
	return usual
}

// stateChoices are the states to filter by, with how many sagas have them under
// the rest of the filter.
func (s *Server) stateChoices(v *visit, f saga.Filter) ([]ui.Choice, error) {
	choices := []ui.Choice{{Value: "", Text: "All"}, {Value: openStates, Text: "Open"}}
	for _, state := range []saga.State{saga.Stuck, saga.Paused, saga.Completed, saga.RolledBack} {
		choices = append(choices, ui.Choice{Value: string(state), Text: ui.Upper(wire.Words(string(state)))})
	}
	if !slices.ContainsFunc(choices, func(c ui.Choice) bool { return c.Value == v.query.Get("state") }) {
		choices = append(choices, ui.Choice{Value: v.query.Get("state"), Text: ui.Upper(wire.Words(v.query.Get("state")))})
	}
	for i, c := range choices {
		f.State, f.States = saga.State(c.Value), nil
		if c.Value == openStates {
			f.State, f.States = "", saga.Open()
		}
		n, err := s.o.Engine.Count(v.r.Context(), f)
		if err != nil {
			return nil, err
		}
		choices[i].Count = n
	}
	return choices, nil
}

// sagaListTwins are the same list from a program.
func sagaListTwins(v *visit, f saga.Filter) ui.Twin {
	api := ui.Query{Path: "/v1/sagas"}.With("kind", f.Kind, "subject", f.Subject, "state", string(f.State), "cursor", f.Cursor)
	cli := "arcadia saga list"
	if f.State != "" {
		cli += " --state " + string(f.State)
	}
	if f.Kind != "" {
		cli += " --kind " + quoted(f.Kind)
	}
	if f.Subject != "" {
		cli += " --subject " + quoted(f.Subject)
	}
	return ui.Twin{CLI: cli, API: "curl 'http://" + v.r.Host + api.String() + "'", JSON: v.twin("/sagas", "json")}
}

// quoted is a text as one word of a shell's command: it may be anybody's.
func quoted(text string) string {
	plain := func(r rune) bool {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("_-:./", r)
	}
	if text != "" && !strings.ContainsFunc(text, func(r rune) bool { return !plain(r) }) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

var sagaColumns = []ui.Column{
	{Key: "kind", Title: "Saga", Sortable: true, Phone: ui.PhoneTitle},
	{Key: "state", Title: "State", Sortable: true, Phone: ui.PhoneState},
	{Key: "note", Title: "Note", Phone: ui.PhoneMeta},
	{Key: "by", Title: "Asked for by", Phone: ui.PhoneMeta},
	{Key: "created", Title: "Created", Sortable: true, Number: true, Phone: ui.PhoneMeta},
	{Key: "took", Title: "Took", Number: true, Phone: ui.PhoneMeta},
}

func sagaRows(list []saga.Saga, now ui.Clock) []ui.Row {
	rows := make([]ui.Row, len(list))
	for i, s := range list {
		rows[i] = ui.Row{ID: string(s.ID), Cells: []templ.Component{
			sagaName(s), ui.Badge(string(s.State)), sagaNote(s, now), plain(s.RequestedBy), ui.Ago(s.CreatedAt, now), sagaTook(s, now),
		}}
	}
	return rows
}

var sagaHeading = []string{"id", "kind", "state", "direction", "want", "name", "subjects", "tenant", "requested_by", "created_at", "started_at", "finished_at", "error"}

// sagasCSV writes every saga that the filter selects.
func (s *Server) sagasCSV(v *visit, f saga.Filter) error {
	f.Limit = 200
	over := false
	return v.csv("sagas", sagaHeading, func() ([][]string, error) {
		if over {
			return nil, nil
		}
		list, next, err := s.o.Engine.Sagas(v.r.Context(), f)
		if err != nil {
			return nil, err
		}
		f.Cursor, over = next, next == ""
		rows := make([][]string, len(list))
		for i, one := range list {
			failure := ""
			if one.Error != nil {
				failure = one.Error.Message
			}
			rows[i] = []string{
				string(one.ID), one.Kind, string(one.State), string(one.Direction), string(one.Want), wire.NameOf(wire.Saga(one)),
				strings.Join(one.Subjects, " "), one.Tenant, one.RequestedBy, stamp(one.CreatedAt), stamp(one.StartedAt), stamp(one.FinishedAt), failure,
			}
		}
		return rows, nil
	})
}

// stamp is a time in a list for programs; empty when there is none.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000000Z07:00")
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }
