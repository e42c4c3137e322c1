package web

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/a-h/templ"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/access"
	"github.com/arcadia-cloud/arcadia/internal/inventory"
	"github.com/arcadia-cloud/arcadia/internal/web/ui"
)

// An accountList is what the page of all accounts shows.
type accountList struct {
	ui.Page
	accounts []accountView
	table    ui.Table
	twins    ui.Twin
}

// accountList is the list of accounts: how well each is known, and by which tokens.
func (s *Server) accountList(v *visit) error {
	ctx := v.r.Context()
	follow, err := v.follow("Accounts", "/accounts", syncsTopic)
	if err != nil {
		return err
	}
	all, err := s.o.Access.Accounts(ctx)
	if err != nil {
		return err
	}
	page := accountList{Page: follow, accounts: make([]accountView, len(all))}
	for i, known := range all {
		if page.accounts[i], err = s.readAccount(ctx, v, known, 1); err != nil {
			return err
		}
	}
	if v.wants("json") {
		twins := make([]accountTwin, len(page.accounts))
		for i, a := range page.accounts {
			twins[i] = a.twin()
		}
		return v.json(client.List[accountTwin]{Items: twins})
	}
	page.table = ui.Table{Caption: "Accounts", Columns: accountColumns, Rows: accountRows(page.accounts), Query: v.query, Total: int64(len(all)), Unit: "accounts"}
	page.twins = ui.Twin{CLI: "arcadia account list", API: "curl http://" + v.r.Host + "/v1/accounts", JSON: "/accounts.json"}
	return v.show(http.StatusOK, accountsPage(page))
}

// readAccount reads what there is to say of an account, with its last syncs.
func (s *Server) readAccount(ctx context.Context, v *visit, known access.Account, syncs int) (a accountView, err error) {
	a = accountView{account: known.Name, known: known, tokens: tokensOf(known), budgets: s.budgetsOf(known.Name)}
	a.Now = v.now
	fresh, err := s.o.Inventory.Freshness(ctx, known.Name)
	if err != nil {
		return a, err
	}
	a.fresh = judge(fresh, v.now.Time)
	if a.runs, err = s.o.Inventory.Runs(ctx, known.Name, syncs); err != nil {
		return a, err
	}
	for i, r := range a.runs {
		if a.runs[i], err = s.o.Inventory.Run(ctx, r.ID); err != nil {
			return a, err
		}
	}
	_, a.readOnly, err = s.o.Access.Writable(ctx, known.Name)
	return a, err
}

var accountColumns = []ui.Column{
	{Key: "account", Title: "Account", Phone: ui.PhoneTitle},
	{Key: "health", Title: "Inventory", Phone: ui.PhoneState},
	{Key: "synced", Title: "Last sync"},
	{Key: "tokens", Title: "Tokens"},
	{Key: "budget", Title: "API budget"},
	{Key: "limits", Title: "Limits", Phone: ui.PhoneHide},
	{Key: "act", Title: "Action"},
}

func accountRows(all []accountView) []ui.Row {
	rows := make([]ui.Row, len(all))
	for i, a := range all {
		rows[i] = ui.Row{ID: a.account, Cells: []templ.Component{
			accountName(a), accountHealth(a), lastSync(a), tokenCell(a), budgetCell(a), limitsCell(a), syncCell(a),
		}}
	}
	return rows
}

// health is how well an account is known as a whole, by what is worst in it, and of
// how many kinds that is true; empty before the first sync.
func (v accountView) health() (state string, kinds int) {
	for _, state := range []string{string(inventory.Failed), stateStale, string(inventory.Partial), string(inventory.NotPermitted), string(inventory.Complete)} {
		if n := len(v.inState(state)); n > 0 {
			return state, n
		}
	}
	return "", 0
}

// tightest is the budget of which the greatest part is used up; nil for none.
func (v accountView) tightest() *budget {
	if len(v.budgets) == 0 {
		return nil
	}
	most := slices.MaxFunc(v.budgets, func(a, b budget) int { return a.Hour*max(1, b.HourLimit) - b.Hour*max(1, a.HourLimit) })
	return &most
}

// setCommand is how an account's token for a purpose is stored.
func (v accountView) setCommand(t tokenRow) string {
	words := []string{"arcadia token set", string(t.Purpose)}
	if v.account != access.DefaultAccount {
		words = append(words, "--account", quoted(v.account))
	}
	return strings.Join(append(words, "< token-file"), " ")
}

// limitWords are how much an account may have; empty where no check has told.
func limitWords(a access.Account) string {
	if a.CheckedAt.IsZero() {
		return ""
	}
	return strings.Join([]string{
		ui.Number(int64(a.Limits.Droplets)) + " droplets", ui.Number(int64(a.Limits.Volumes)) + " volumes", ui.Number(int64(a.Limits.ReservedIPs)) + " reserved IPs",
	}, ", ")
}
