package api

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/inventory"
	"github.com/arcadia-cloud/arcadia/internal/wire"
)

func (a *API) findingRoutes(h huma.API) {
	register(a, h, operation("list-findings", http.MethodGet, "/v1/findings", "List what is worth a look, the dearest first"), a.listFindings)
	register(a, h, operation("mute-finding", http.MethodPut, "/v1/findings/{id}/mute", "Hear no more of a finding, for a time or for ever"), a.muteFinding)
	register(a, h, operation("unmute-finding", http.MethodDelete, "/v1/findings/{id}/mute", "Hear of a finding again"), a.unmuteFinding)
}

func (a *API) listFindings(ctx context.Context, in *struct {
	Account string `query:"account" doc:"Left away: all accounts."`
	Rule    string `query:"rule" doc:"Only by this rule."`
	URN     string `query:"urn" doc:"Only of this resource."`
	Muted   bool   `query:"muted" doc:"Those that somebody muted, too."`
}) (*struct{ Body client.List[client.Finding] }, error) {
	rule := inventory.FindingRule(in.Rule)
	if rules := inventory.FindingRules(); in.Rule != "" && !slices.Contains(rules, rule) {
		words := make([]string, len(rules))
		for i, r := range rules {
			words[i] = string(r)
		}
		return nil, fault.New(fault.Invalid, "There is no rule %q of findings. There are: %s.", in.Rule, strings.Join(words, ", "))
	}
	found, err := a.o.Inventory.Findings(ctx, inventory.FindingFilter{Account: in.Account, Rule: rule, URN: in.URN, Muted: in.Muted})
	if err != nil {
		return nil, err
	}
	items := make([]client.Finding, len(found))
	for i, f := range found {
		items[i] = wire.Finding(f)
	}
	return listed(items), nil
}

// FindingQuery names a finding. It is exported because huma looks at exported fields only.
type FindingQuery struct {
	ID string `path:"id" example:"fnd_0193a4c0d1e2738fa1b2"`
}

type findingAnswer struct{ Body client.Finding }

func (a *API) muteFinding(ctx context.Context, in *struct {
	FindingQuery
	Body client.NewMute
}) (*findingAnswer, error) {
	m := inventory.Mute{Reason: in.Body.Reason, Actor: actor(ctx), At: time.Now()}
	if in.Body.Until != nil {
		m.Until = in.Body.Until.Time
	}
	f, err := a.o.Inventory.Mute(ctx, in.ID, m)
	if err != nil {
		return nil, err
	}
	return &findingAnswer{wire.Finding(f)}, nil
}

func (a *API) unmuteFinding(ctx context.Context, in *FindingQuery) (*findingAnswer, error) {
	f, err := a.o.Inventory.Unmute(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &findingAnswer{wire.Finding(f)}, nil
}
