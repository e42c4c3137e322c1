package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/wire"
)

type findingsCommand struct {
	List   findingsListCommand   `cmd:"" default:"withargs" help:"List what is worth a look, the dearest first."`
	Mute   findingsMuteCommand   `cmd:"" help:"Hear no more of a finding, for a time or for ever."`
	Unmute findingsUnmuteCommand `cmd:"" help:"Hear of a finding again."`
}

type findingsListCommand struct {
	Account string `placeholder:"NAME" help:"Of this account only."`
	Rule    string `placeholder:"RULE" help:"By this rule only: unattached_volume, no_backup …"`
	Muted   bool   `help:"Those that are muted, too."`
	Limit   int    `default:"50" help:"How many are shown; 0: all. --json lists all."`
}

// Run lists findings.
func (c *findingsListCommand) Run(ctx context.Context, r *runner) error {
	found, err := fetch(ctx, r, func(cl *client.Client) ([]client.Finding, error) {
		return cl.Findings(ctx, client.FindingFilter{Account: c.Account, Rule: c.Rule, Muted: c.Muted})
	})
	switch {
	case err != nil:
		return err
	case r.json:
		return r.print(client.List[client.Finding]{Items: append([]client.Finding{}, found...)})
	case len(found) == 0:
		r.say("Nothing is worth a look. What was found last is from the last sync: arcadia inventory status")
		return nil
	}
	shown := found
	if c.Limit > 0 {
		shown = found[:min(c.Limit, len(found))]
	}
	for i, f := range shown {
		about := strings.TrimPrefix(f.URN, "do:")
		if f.Name != "" && f.Name != about {
			about = strings.TrimSpace(f.Name + " " + about)
		}
		if i > 0 {
			r.say("")
		}
		r.say("%s · %s · %s %s a month · %s", wire.Words(f.Rule), about, f.Currency, dollars(f.Monthly), f.ID)
		r.say("  %s", f.Says)
		r.say("  Mend it with: %s", f.Mend)
		if f.Mute != nil {
			r.say("  Muted %s by %s: %s", muteEnd(f.Mute), f.Mute.Actor, f.Mute.Reason)
		}
	}
	r.say("\n%s", findingsSum(found))
	if more := len(found) - len(shown); more > 0 {
		r.say("%d of them are not shown: --limit 0 shows all.", more)
	}
	return nil
}

// findingsSum says how many findings there are of which rules, the most first.
func findingsSum(found []client.Finding) string {
	counts := map[string]int{}
	for _, f := range found {
		counts[f.Rule]++
	}
	rules := slices.SortedFunc(maps.Keys(counts), func(a, b string) int { return cmp.Or(counts[b]-counts[a], strings.Compare(a, b)) })
	parts := make([]string, len(rules))
	for i, rule := range rules {
		parts[i] = fmt.Sprintf("%d %s", counts[rule], wire.Words(rule))
	}
	return plural(len(found), "finding") + ": " + strings.Join(parts, ", ") + "."
}

func muteEnd(m *client.Mute) string {
	if m.Until == nil {
		return "for ever"
	}
	return "until " + m.Until.UTC().Format("2006-01-02 15:04")
}

type findingsMuteCommand struct {
	Finding string `arg:"" help:"The finding's id: fnd_…"`
	Reason  string `short:"r" required:"" placeholder:"WHY" help:"Why nobody has to hear of it."`
	Until   string `placeholder:"TIME" help:"Only until then: 2026-12-01, or 2026-12-01T12:00:00Z."`
}

// Run mutes a finding.
func (c *findingsMuteCommand) Run(ctx context.Context, r *runner) error {
	until, err := instant(c.Until)
	if err != nil {
		return err
	}
	return r.changeFinding(ctx, func(cl *client.Client) (client.Finding, error) {
		return cl.MuteFinding(ctx, c.Finding, client.NewMute{Reason: c.Reason, Until: client.At(until)})
	})
}

type findingsUnmuteCommand struct {
	Finding string `arg:"" help:"The finding's id: fnd_…"`
}

// Run unmutes a finding.
func (c *findingsUnmuteCommand) Run(ctx context.Context, r *runner) error {
	return r.changeFinding(ctx, func(cl *client.Client) (client.Finding, error) { return cl.UnmuteFinding(ctx, c.Finding) })
}

func (r *runner) changeFinding(ctx context.Context, ask func(*client.Client) (client.Finding, error)) (err error) {
	s, err := r.connect(ctx, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	var f client.Finding
	err = s.write(ctx, func(cl *client.Client) (err error) {
		f, err = ask(cl)
		return err
	})
	switch {
	case err != nil:
		return err
	case r.json:
		return r.print(f)
	case f.Mute != nil:
		r.say("%s is muted %s.", f.ID, muteEnd(f.Mute))
	default:
		r.say("%s is heard of again.", f.ID)
	}
	return nil
}
