package web_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/vault"
)

// Each account is shown with its own tokens, syncs and budget, and none with
// another one's.
func TestAccountsAreShownApart(t *testing.T) {
	s := serve(t, dbtest.New(t))
	ends := time.Now().Add(48 * time.Hour)
	if _, err := s.access.AddAccount(t.Context(), "prod", time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.access.SetToken(t.Context(), "prod", "inventory", vault.NewSecret("dop_v1_of-prod-and-no-other-wxyz"), &ends, time.Now()); err != nil {
		t.Fatal(err)
	}
	r, err := s.stock.StartSync(t.Context(), "prod", []string{"droplet"}, "test")
	s.synced(t, r, err)
	var list client.List[struct {
		Account  string
		ReadOnly *string `json:"read_only"`
		Kinds    []struct{ Kind string }
		Tokens   []client.Token
		Budgets  []struct{ Hour int }
		Syncs    []struct{ ID string }
	}]
	if err := json.Unmarshal([]byte(s.get(t, "/accounts.json").body), &list); err != nil || len(list.Items) != 2 {
		t.Fatalf("%+v, %v", list, err)
	}
	mine, prod := list.Items[0], list.Items[1]
	if mine.Account != "default" || mine.ReadOnly != nil || len(mine.Kinds) != 0 || len(mine.Syncs) != 0 || len(mine.Tokens) != 1 || len(mine.Budgets) != 1 || mine.Budgets[0].Hour != 7 {
		t.Errorf("default is %+v", mine)
	}
	if prod.Account != "prod" || prod.ReadOnly == nil || len(prod.Kinds) != 1 || len(prod.Syncs) != 1 || len(prod.Tokens) != 1 || prod.Tokens[0].Last4 != "wxyz" || len(prod.Budgets) != 0 {
		t.Errorf("prod is %+v", prod)
	}
	page := s.get(t, "/accounts").body
	for _, want := range []string{`href="/accounts/prod"`, `href="/accounts/prod/sync"`, `href="/accounts/default/sync"`, "never synced", "Account prod is read-only", "…wxyz", "expires "} {
		if !strings.Contains(page, want) {
			t.Errorf("the list of accounts lacks %q", want)
		}
	}
	one := s.get(t, "/accounts/prod").body
	if !strings.Contains(one, "arcadia token set provisioning --account prod") || strings.Contains(one, "arcadia token set provisioning &lt;") {
		t.Errorf("the page of prod does not say how its own token is set")
	}
	if list := s.get(t, "/inventory").body; strings.Contains(list, "/accounts/default/sync") || !strings.Contains(list, `href="/accounts"`) {
		t.Error("the inventory of two accounts syncs but one")
	}
}
