package web

import (
	"context"
	"maps"
	"net/http"
	"sync"
	"time"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/inventory"
	"github.com/arcadia-cloud/arcadia/internal/saga"
	"github.com/arcadia-cloud/arcadia/internal/web/ui"
	"github.com/arcadia-cloud/arcadia/internal/wire"
)

const (
	day       = 24 * time.Hour
	longOpen  = time.Hour // after which an open saga is worth a look
	mostTurns = 12
	mostNeeds = 20
)

// An overview is what the first page shows.
type overview struct {
	ui.Page
	needs    []saga.Saga    // sagas that want a person
	problems []client.Check // what is wrong with this process
	census   map[saga.State]int64
	hours    []saga.Hour
	turns    []saga.Turn
	budgets  []budget
	findings []inventory.Finding // the dearest
	found    int                 // of them, all
	spend    []tenantRow         // the dearest tenants
	nobody   inventory.Cost
	total    inventory.Cost
	changes  []inventory.Change
	deeds    []deed // the same, what one saga did in one line
	why      sagaNames
	twins    ui.Twin
}

// A budget is how much of the limits of a token is used up.
type budget struct {
	purpose digitalocean.Purpose
	digitalocean.Use
}

// overview is the first page.
func (s *Server) overview(v *visit) error {
	ctx := v.r.Context()
	follow, err := v.follow("Overview", "/", changesTopic)
	if err != nil {
		return err
	}
	page := overview{Page: follow}
	if err := s.readStock(ctx, &page); err != nil {
		return err
	}
	for _, read := range []func() error{
		func() (err error) { page.needs, err = s.needs(ctx, v.now.Time); return err },
		func() (err error) { page.census, err = s.o.Engine.Census(ctx, v.now.Add(-day)); return err },
		func() (err error) { page.hours, err = s.hours.read(ctx, v.now.Time); return err },
		func() (err error) { page.turns, err = s.o.Engine.Turns(ctx, mostTurns); return err },
	} {
		if err := read(); err != nil {
			return err
		}
	}
	for _, c := range s.checks.checks(ctx) {
		if c.State != "ok" {
			page.problems = append(page.problems, c)
		}
	}
	page.budgets = s.budgetsOf(s.o.Account)
	if v.wants("json") {
		return v.json(page.twin())
	}
	page.twins = ui.Twin{CLI: "arcadia doctor", API: "curl http://" + v.r.Host + "/v1/checks", JSON: "/overview.json"}
	return v.show(http.StatusOK, overviewPage(page))
}

const (
	mostFindings = 6 // that the overview shows
	mostSpend    = 8
	mostChanges  = 10
	// lookedThrough is how many changes are read to tell of the last ones: a saga may
	// have made hundreds.
	lookedThrough = 300
)

// readStock reads what the inventory has to say to the overview.
func (s *Server) readStock(ctx context.Context, page *overview) error {
	found, err := s.o.Inventory.Findings(ctx, inventory.FindingFilter{})
	if err != nil {
		return err
	}
	page.found, page.findings = len(found), found[:min(len(found), mostFindings)]
	page.spend, _, page.nobody, page.total, err = s.tenantRows(ctx, ui.Query{})
	if err != nil {
		return err
	}
	page.spend = page.spend[:min(len(page.spend), mostSpend)]
	page.changes, err = s.o.Inventory.Changes(ctx, inventory.ChangeFilter{
		Kinds: ownKinds(), Causes: []inventory.CauseType{inventory.BySaga, inventory.ByAction, inventory.OutOfBand, inventory.ByOperator},
		Untagged: true, Limit: lookedThrough,
	})
	if err != nil {
		return err
	}
	page.deeds, page.changes = fold(page.changes, mostChanges)
	page.why, err = s.sagaNames(ctx, page.changes)
	return err
}

// needs are the sagas that want a person: those that are stuck, that rest because
// somebody said so, and that have been open for longer than is usual.
func (s *Server) needs(ctx context.Context, now time.Time) ([]saga.Saga, error) {
	stuck, _, err := s.o.Engine.Sagas(ctx, saga.Filter{State: saga.Stuck, Ascending: true, Limit: mostNeeds})
	if err != nil {
		return nil, err
	}
	open, _, err := s.o.Engine.Sagas(ctx, saga.Filter{States: saga.Open(), Ascending: true, Limit: 2 * mostNeeds})
	if err != nil {
		return nil, err
	}
	for _, one := range open {
		old := now.Sub(one.CreatedAt) > longOpen
		if one.State != saga.Stuck && (old || one.State == saga.Paused) && len(stuck) < mostNeeds {
			stuck = append(stuck, one)
		}
	}
	return stuck, nil
}

// hourly is the counts by hour as they were last read: they look through a day.
type hourly struct {
	engine *saga.Engine

	mu   sync.Mutex
	last []saga.Hour
	at   time.Time
}

const hourlyAge = 2 * time.Second

func (h *hourly) read(ctx context.Context, now time.Time) ([]saga.Hour, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.at.IsZero() && now.Sub(h.at) < hourlyAge {
		return h.last, nil
	}
	hours, err := h.engine.Hours(ctx, now.Add(-day+time.Hour))
	if err != nil {
		return nil, err
	}
	h.last, h.at = hours, now
	return hours, nil
}

// count is how many sagas are in any of the states.
func (o overview) count(states ...saga.State) (n int64) {
	for _, s := range states {
		n += o.census[s]
	}
	return n
}

// moving are the states of sagas that go on by themselves.
var moving = []saga.State{saga.Ready, saga.Running, saga.Waiting, saga.Compensating}

// An overviewTwin is the page's JSON.
type overviewTwin struct {
	Needs   []client.Saga    `json:"needs"`
	Checks  []client.Check   `json:"checks"` // those that are not ok
	States  map[string]int64 `json:"states"` // ended ones of the last 24 h, open ones of any age
	Budgets []budgetTwin     `json:"budgets"`
	Turns   []turnTwin       `json:"turns"`

	Findings     []findingTwin   `json:"findings"` // the dearest
	Tenants      []tenantTwin    `json:"tenants"`  // the dearest
	Unattributed costTwin        `json:"unattributed"`
	All          costTwin        `json:"all"`
	Changes      []client.Change `json:"changes"`
}

type budgetTwin struct {
	Purpose     string `json:"purpose"`
	Hour        int    `json:"hour"`
	HourLimit   int    `json:"hour_limit"`
	Minute      int    `json:"minute"`
	MinuteLimit int    `json:"minute_limit"`
}

func (b budget) twin() budgetTwin {
	return budgetTwin{string(b.purpose), b.Hour, b.HourLimit, b.Minute, b.MinuteLimit}
}

type turnTwin struct {
	Saga  string       `json:"saga"`
	Event client.Event `json:"event"`
}

func (o overview) twin() overviewTwin {
	t := overviewTwin{
		Needs: make([]client.Saga, len(o.needs)), Checks: append([]client.Check{}, o.problems...), States: map[string]int64{},
		Budgets: make([]budgetTwin, len(o.budgets)), Turns: make([]turnTwin, len(o.turns)),
	}
	t.Findings, t.Tenants, t.Changes = []findingTwin{}, []tenantTwin{}, []client.Change{}
	t.Unattributed, t.All = costTwinOf(o.nobody), costTwinOf(o.total)
	for _, f := range o.findings {
		t.Findings = append(t.Findings, twinOf(f))
	}
	for _, r := range o.spend {
		t.Tenants = append(t.Tenants, r.twin())
	}
	for _, c := range o.changes[:min(len(o.changes), mostChanges)] {
		t.Changes = append(t.Changes, wire.Change(c))
	}
	for i, s := range o.needs {
		t.Needs[i] = wire.Saga(s)
	}
	for _, s := range saga.States() {
		t.States[string(s)] = o.census[s]
	}
	for i, b := range o.budgets {
		t.Budgets[i] = b.twin()
	}
	for i, turn := range o.turns {
		t.Turns[i] = turnTwin{string(turn.ID), wire.Event(turn.Event)}
	}
	return t
}

// columns draws the hours: one column each, what ended well below what did not.
func columns(hours []saga.Hour) ui.Columns {
	c := ui.Columns{Unit: "sagas"}
	for _, h := range hours {
		c.Items = append(c.Items, ui.Stack{
			Label: h.From.UTC().Format("15:04"),
			Parts: []ui.Part{
				{Hue: wire.Good, Name: "completed", N: h.States[saga.Completed]},
				{Hue: wire.Plain, Name: "rolled back", N: h.States[saga.RolledBack]},
				{Hue: wire.Running, Name: "open", N: sum(h.States) - h.States[saga.Completed] - h.States[saga.RolledBack] - h.States[saga.Stuck]},
				{Hue: wire.Bad, Name: "stuck", N: h.States[saga.Stuck]},
			},
		})
	}
	return c
}

func sum(counts map[saga.State]int64) (n int64) {
	for v := range maps.Values(counts) {
		n += v
	}
	return n
}
