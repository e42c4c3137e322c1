package web

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/a-h/templ"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/access"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/id"
	"github.com/arcadia-cloud/arcadia/internal/inventory"
	"github.com/arcadia-cloud/arcadia/internal/web/ui"
	"github.com/arcadia-cloud/arcadia/internal/wire"
)

const (
	mostRuns   = 10
	expirySoon = 14 * day // before which a token's end is told
	staleAfter = 3        // times the interval of its tier without a list: a kind is stale
	hotEvery   = time.Minute
	warmEvery  = 15 * time.Minute
	dailyEvery = day
	stateStale = "stale"
)

// An accountView is what the page of an account shows.
type accountView struct {
	ui.Page
	account  string
	known    access.Account
	readOnly string   // why nothing can be changed in it; empty where it can
	others   []string // our names for all accounts
	fresh    []freshness
	table    ui.Table
	tokens   []tokenRow
	budgets  []budget
	runs     []inventory.Run
	twins    ui.Twin
}

// A freshness is how well a kind is known.
type freshness struct {
	inventory.Freshness
	kind  *inventory.Kind // nil for what is no kind, as the list of actions
	state string          // of the last try, or that it is stale
}

// A tokenRow is a purpose with its token, where it has one.
type tokenRow struct {
	access.Standing
	token *client.Token
}

func accountPath(account string) string { return "/accounts/" + url.PathEscape(account) }

func (s *Server) knownAccount(v *visit) (account string, asJSON bool, err error) {
	account, asJSON = strings.CutSuffix(v.r.PathValue("account"), ".json")
	all, err := s.accounts(v.r.Context())
	if err == nil && !slices.Contains(all, account) {
		err = fault.New(fault.NotFound, "There is no account %q here.", clip(account))
	}
	return account, asJSON, err
}

// account is the page of an account: how well it is known, and by which tokens.
func (s *Server) account(v *visit) error {
	account, asJSON, err := s.knownAccount(v)
	if err != nil {
		return err
	}
	ctx := v.r.Context()
	follow, err := v.follow("Account "+account, "/accounts", syncsTopic)
	if err != nil {
		return err
	}
	known, err := s.o.Access.Account(ctx, account)
	if err != nil {
		return err
	}
	view, err := s.readAccount(ctx, v, known, mostRuns)
	if err != nil {
		return err
	}
	view.Page, view.ReadOnly = follow, view.readOnly
	if view.others, err = s.accounts(ctx); err != nil {
		return err
	}
	if asJSON {
		return v.json(view.twin())
	}
	view.table = ui.Table{Caption: "How well each kind is known", Columns: freshColumns, Rows: freshRows(view.fresh, v.now), Query: v.query, Total: int64(len(view.fresh)), Unit: "kinds"}
	view.twins = ui.Twin{
		CLI: "arcadia inventory sync --account " + quoted(account), API: "curl http://" + v.r.Host + "/v1" + accountPath(account) + "/freshness",
		JSON: accountPath(account) + ".json",
	}
	return v.show(http.StatusOK, accountPage(view))
}

// budgetsOf are what is used of the limits of an account's tokens, by purpose.
func (s *Server) budgetsOf(account string) (all []budget) {
	for purpose, use := range s.o.Budgets(account) {
		all = append(all, budget{purpose, use})
	}
	slices.SortFunc(all, func(a, b budget) int { return cmp.Compare(a.purpose, b.purpose) })
	return all
}

// judge says of each kind how well it is known: a list that is too old is no truth.
func judge(all []inventory.Freshness, now time.Time) []freshness {
	judged := make([]freshness, len(all))
	for i, f := range all {
		judged[i] = freshness{f, inventory.KindNamed(f.Kind), string(f.State)}
		every := hotEvery
		if k := judged[i].kind; k != nil {
			every = map[inventory.Tier]time.Duration{inventory.Warm: warmEvery, inventory.Daily: dailyEvery}[k.Tier]
			every = max(every, hotEvery)
		}
		if f.State == inventory.Complete && now.Sub(f.BeganAt) > staleAfter*every {
			judged[i].state = stateStale
		}
	}
	return judged
}

// tokensOf are an account's tokens, by purpose.
func tokensOf(a access.Account) []tokenRow {
	rows := make([]tokenRow, len(a.Standings))
	for i, standing := range a.Standings {
		rows[i] = tokenRow{Standing: standing}
		if standing.State != access.NoToken {
			shown := wire.Token(standing.Token)
			rows[i].token = &shown
		}
	}
	return rows
}

// expires says when a token expires, as far as somebody said so.
func (t tokenRow) expires(now time.Time) (words string, soon bool) {
	switch {
	case t.token == nil || t.token.ExpiresAt == nil:
		return "", false
	case now.After(t.token.ExpiresAt.Time):
		return "expired " + ui.Absolute(t.token.ExpiresAt.Time), true
	}
	return "expires " + ui.Absolute(t.token.ExpiresAt.Time), t.token.ExpiresAt.Sub(now) < expirySoon
}

var freshColumns = []ui.Column{
	{Key: "kind", Title: "Kind", Phone: ui.PhoneTitle},
	{Key: "state", Title: "State", Phone: ui.PhoneState},
	{Key: "resources", Title: "Resources", Number: true},
	{Key: "age", Title: "Listed", Number: true},
	{Key: "requests", Title: "Requests", Number: true, Phone: ui.PhoneHide},
	{Key: "problem", Title: "Problem"},
}

func freshRows(all []freshness, now ui.Clock) []ui.Row {
	rows := make([]ui.Row, len(all))
	for i, f := range all {
		rows[i] = ui.Row{ID: f.Kind, Cells: []templ.Component{
			kindName(f.Kind), ui.Badge(f.state), known(f), ui.Ago(f.BeganAt, now), plain(ui.Number(int64(f.Requests))), problemCell(f.Problem),
		}}
	}
	return rows
}

// An accountTwin is the page's JSON.
type accountTwin struct {
	Account  string             `json:"account"`
	Team     string             `json:"team"`
	ReadOnly *string            `json:"read_only"` // why nothing can be changed in it
	Kinds    []client.Freshness `json:"kinds"`
	Stale    []string           `json:"stale"` // kinds whose last complete list is too old
	Tokens   []client.Token     `json:"tokens"`
	Budgets  []budgetTwin       `json:"budgets"`
	Syncs    []client.SyncRun   `json:"syncs"`
}

func (v accountView) twin() accountTwin {
	t := accountTwin{Account: v.account, Team: v.known.TeamName, ReadOnly: wire.Text(v.readOnly), Kinds: []client.Freshness{}, Stale: []string{}, Tokens: []client.Token{}, Budgets: []budgetTwin{}, Syncs: []client.SyncRun{}}
	for _, f := range v.fresh {
		t.Kinds = append(t.Kinds, wire.Freshness(f.Freshness))
		if f.state == stateStale {
			t.Stale = append(t.Stale, f.Kind)
		}
	}
	for _, row := range v.tokens {
		if row.token != nil {
			t.Tokens = append(t.Tokens, *row.token)
		}
	}
	for _, b := range v.budgets {
		t.Budgets = append(t.Budgets, b.twin())
	}
	for _, r := range v.runs {
		t.Syncs = append(t.Syncs, wire.SyncRun(r))
	}
	return t
}

// askSync is the page that asks before an account is synced.
func (s *Server) askSync(v *visit) error { return s.confirmSync(v, http.StatusOK, nil) }

func (s *Server) confirmSync(v *visit, status int, refusal error) error {
	account, _, err := s.knownAccount(v)
	if err != nil {
		return err
	}
	back := accountPath(account)
	c := ui.Confirm{
		Title: "Sync now", About: "Account " + account, Back: back, Action: back + "/sync", Key: formKey(v), Verb: "Sync now", NoReason: true, Hidden: url.Values{},
	}
	if refusal != nil {
		c.Refusal = v.problem(refusal).Detail
	}
	twins := ui.Twin{
		CLI: "arcadia inventory sync --wait --account " + quoted(account), API: "curl -X POST http://" + v.r.Host + "/v1" + c.Action + " -d '{}'",
	}
	return v.show(status, syncForm(v.page(c.Title, "/accounts"), c, v.r.PostFormValue("kind"), twins))
}

// startSync asks for a sync and shows how it goes. A form that is sent again leads
// to the same sync.
func (s *Server) startSync(v *visit) error {
	account, _, err := s.knownAccount(v)
	if err != nil {
		return err
	}
	if err := formError(v.r.ParseForm()); err != nil {
		return err
	}
	var kinds []string
	if kind := v.r.PostFormValue("kind"); kind != "" {
		kinds = []string{kind}
	}
	key, to := v.r.PostFormValue("key"), ""
	err = s.sent.once(key, func() error {
		r, err := s.o.Inventory.StartSync(v.r.Context(), account, kinds, actor)
		to = syncPath(r.ID)
		return err
	})
	if err != nil {
		return s.confirmSync(v, v.problem(err).Status, err)
	}
	if to == "" { // it was sent before
		to = accountPath(account)
	}
	return v.redirect(to + "?did=sync")
}

func syncPath(of inventory.RunID) string { return "/syncs/" + string(of) }

// A syncView is what the page of a sync shows.
type syncView struct {
	ui.Page
	inventory.Run
	table   ui.Table
	budgets []budget
	twins   ui.Twin
}

// sync is the page of one sync: how far it is, and how it went.
func (s *Server) sync(v *visit) error {
	text, asJSON := strings.CutSuffix(v.r.PathValue("id"), ".json")
	if err := id.Check("sync", text); err != nil {
		return fault.Wrap(fault.NotFound, err, "%s", fault.Message(err))
	}
	follow, err := v.follow("Sync", "/accounts", syncsTopic)
	if err != nil {
		return err
	}
	r, err := s.o.Inventory.Run(v.r.Context(), inventory.RunID(text))
	if err != nil {
		return err
	}
	if asJSON {
		return v.json(wire.SyncRun(r))
	}
	if !r.FinishedAt.IsZero() {
		follow.Live = "" // it does not change any more
	}
	view := syncView{Page: follow, Run: r}
	view.budgets = s.budgetsOf(r.Account)
	view.table = ui.Table{Caption: "How each kind went", Columns: syncColumns, Rows: syncRows(r.Kinds), Query: v.query, Total: int64(len(r.Kinds)), Unit: "kinds"}
	view.twins = ui.Twin{CLI: "arcadia inventory sync --wait --json --account " + quoted(r.Account), API: "curl http://" + v.r.Host + "/v1/sync-runs/" + text, JSON: syncPath(r.ID) + ".json"}
	return v.show(http.StatusOK, syncPage(view))
}

var syncColumns = []ui.Column{
	{Key: "kind", Title: "Kind", Phone: ui.PhoneTitle},
	{Key: "state", Title: "State", Phone: ui.PhoneState},
	{Key: "read", Title: "Read", Number: true},
	{Key: "requests", Title: "Requests", Number: true},
	{Key: "created", Title: "New", Number: true},
	{Key: "updated", Title: "Changed", Number: true},
	{Key: "deleted", Title: "Deleted", Number: true},
	{Key: "problem", Title: "Problem"},
}

func syncRows(kinds []inventory.Generation) []ui.Row {
	rows := make([]ui.Row, len(kinds))
	for i, g := range kinds {
		rows[i] = ui.Row{ID: g.Kind, Cells: []templ.Component{
			kindName(g.Kind), ui.Badge(string(g.State)), readCell(g), count(g.Requests, "requests"), count(g.Created, "new"), count(g.Updated, "changed"),
			count(g.Deleted, "deleted"), problemCell(g.Problem),
		}}
	}
	return rows
}

// sum is a figure over all kinds of a sync.
func (v syncView) sum(of func(inventory.Generation) int) string {
	n := 0
	for _, g := range v.Kinds {
		n += of(g)
	}
	return ui.Number(int64(n))
}

// done is how many kinds are over.
func (v syncView) done() (n int) {
	for _, g := range v.Kinds {
		if g.State != inventory.Waiting && g.State != inventory.Running {
			n++
		}
	}
	return n
}
