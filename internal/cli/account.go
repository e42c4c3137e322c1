package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/wire"
)

type accountCommand struct {
	List   accountListCommand   `cmd:"" help:"List the accounts, and how it stands with their tokens."`
	Add    accountAddCommand    `cmd:"" help:"Add an account: one team at DigitalOcean, under a name of yours."`
	Show   accountShowCommand   `cmd:"" help:"Show an account."`
	Check  accountCheckCommand  `cmd:"" help:"Try an account's tokens: whose they are, and which scopes they lack."`
	Remove accountRemoveCommand `cmd:"" help:"Forget an account and its tokens. They are not revoked."`
}

type accountRef struct {
	Name string `arg:"" name:"account" help:"Our name for the account."`
}

type accountListCommand struct{}

// Run lists accounts.
func (c *accountListCommand) Run(ctx context.Context, r *runner) error {
	accounts, err := fetch(ctx, r, func(cl *client.Client) ([]client.Account, error) { return cl.Accounts(ctx) })
	switch {
	case err != nil:
		return err
	case r.json:
		return r.print(client.List[client.Account]{Items: append([]client.Account{}, accounts...)})
	}
	rows, now := [][]string{}, time.Now()
	for _, a := range accounts {
		row := []string{a.Name, orDash(a.TeamName)}
		for _, s := range a.Tokens {
			row = append(row, standing(s))
		}
		rows = append(rows, append(row, ago(a.CheckedAt, now)))
	}
	return table(r.Out, "ACCOUNT|TEAM|INVENTORY|PROVISIONING|BILLING|CHECKED", rows)
}

func orDash(text string) string {
	if text == "" {
		return "–"
	}
	return text
}

// standing is how it stands with a token, in a word or two.
func standing(s client.Standing) string {
	word := map[string]string{"none": "–", "unchecked": "not checked", "ok": "ok", "missing_scopes": "scopes missing", "failed": "failed"}[s.State]
	if s.Expiry == "expiring" || s.Expiry == "expired" {
		word += ", " + s.Expiry
	}
	return word
}

type accountAddCommand struct{ accountRef }

// Run adds an account.
func (c *accountAddCommand) Run(ctx context.Context, r *runner) error {
	a, err := put(ctx, r, func(cl *client.Client) (client.Account, error) { return cl.AddAccount(ctx, c.Name) })
	if err != nil || r.json {
		return err
	}
	r.say("Account %s is there. Give it a token to read with: arcadia token set inventory --account %s", a.Name, a.Name)
	return nil
}

type accountShowCommand struct{ accountRef }

// Run shows an account.
func (c *accountShowCommand) Run(ctx context.Context, r *runner) error {
	a, err := fetch(ctx, r, func(cl *client.Client) (client.Account, error) { return cl.Account(ctx, c.Name) })
	switch {
	case err != nil:
		return err
	case r.json:
		return r.print(a)
	}
	return r.showAccount(a)
}

type accountCheckCommand struct{ accountRef }

// Run checks an account. It fails where a token does.
func (c *accountCheckCommand) Run(ctx context.Context, r *runner) error {
	a, err := put(ctx, r, func(cl *client.Client) (client.Account, error) { return cl.CheckAccount(ctx, c.Name) })
	if err != nil {
		return err
	}
	if !r.json {
		if err := r.showAccount(a); err != nil {
			return err
		}
	}
	for _, s := range a.Tokens {
		if s.State == "failed" || s.State == "missing_scopes" {
			return exit(exitFailed)
		}
	}
	return nil
}

// showAccount is an account as a person reads it.
func (r *runner) showAccount(a client.Account) error {
	p := penFor(r.Out)
	team := "nobody knows whose yet; find out with: arcadia account check " + a.Name
	if a.Team != "" {
		team = strings.Trim(a.TeamName+" · "+a.Email, " ·") + " " + p.in(wire.Dim, a.Team)
	}
	r.say("%s: %s", a.Name, team)
	if a.CheckedAt != nil {
		r.say("%s", p.in(wire.Dim, fmt.Sprintf("checked %s · it may have %d droplets, %d volumes, %d reserved IPs",
			ago(a.CheckedAt, time.Now()), a.Limits.Droplets, a.Limits.Volumes, a.Limits.ReservedIPs)))
	}
	r.say("")
	rows := [][]string{}
	for _, s := range a.Tokens {
		from, ends := "–", "–"
		if s.Token != nil {
			from, ends = s.Token.Source, day(s.Token.ExpiresAt)
		}
		rows = append(rows, []string{s.Purpose, standing(s), from, ends})
	}
	if err := table(r.Out, "TOKEN|STATE|FROM|EXPIRES", rows); err != nil {
		return err
	}
	for _, s := range a.Tokens {
		if s.Problem != "" {
			r.say("\n%s: %s", upperFirst(s.Purpose), s.Problem)
		}
		if len(s.Missing) > 0 {
			r.say("\nThe %s token lacks the scopes %s. Make one with them too, then: arcadia token set %s --account %s",
				s.Purpose, strings.Join(s.Missing, ", "), s.Purpose, a.Name)
		}
	}
	if a.ReadOnly != "" {
		r.say("\n%s", a.ReadOnly)
	}
	return nil
}

type accountRemoveCommand struct {
	accountRef
	Yes bool `short:"y" help:"Do not ask."`
}

// Run forgets an account, once somebody has said that it is meant.
func (c *accountRemoveCommand) Run(ctx context.Context, r *runner) (err error) {
	if err := r.confirm(c.Yes, "Forget account %s and its tokens?", c.Name); err != nil {
		return err
	}
	s, err := r.connect(ctx, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if err := s.write(ctx, func(cl *client.Client) error { return cl.RemoveAccount(ctx, c.Name) }); err != nil {
		return err
	}
	if r.json {
		return r.print(map[string]string{"removed": c.Name})
	}
	r.say("Account %s and its tokens are forgotten here. Revoke them in DigitalOcean's control panel if nobody else needs them.", c.Name)
	return nil
}
