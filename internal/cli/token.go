package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/fault"
)

type tokenCommand struct {
	Set  tokenSetCommand  `cmd:"" help:"Store a token, read from standard input."`
	List tokenListCommand `cmd:"" help:"List what may be shown of the tokens."`
	Rm   tokenRmCommand   `cmd:"" help:"Forget a token. It is not revoked."`
}

type purposeRef struct {
	accountFlag
	Purpose string `arg:"" help:"inventory, provisioning or billing."`
}

// AfterApply checks the purpose.
func (p *purposeRef) AfterApply() error {
	_, err := digitalocean.ParsePurpose(p.Purpose)
	return err
}

type tokenSetCommand struct {
	purposeRef
	Expires string `placeholder:"DATE" help:"The day on which the token expires, as 2027-01-31: nothing else tells."`
}

// expiry is the beginning of the day on which the token expires: it is not to be
// counted on from then on.
func (c *tokenSetCommand) expiry() (*client.Time, error) {
	if c.Expires == "" {
		return nil, nil
	}
	day, err := time.Parse(time.DateOnly, c.Expires)
	if err != nil {
		return nil, usage{fmt.Errorf("--expires must be a day, as 2027-01-31, not %q", c.Expires)}
	}
	return &client.Time{Time: day}, nil
}

// asArgument says why a token or a secret is none of the arguments. The parser's own
// words would show it.
func asArgument(what string) error {
	return fault.New(fault.Invalid, "A %s is never an argument, where other users and the shell's history see it: "+
		"give it on standard input, and replace this one.", what)
}

// longestToken bounds what is read of standard input, in bytes.
const longestToken = 4 << 10

// Run stores a token. It is never an argument: other users see those, and the
// shell keeps them.
func (c *tokenSetCommand) Run(ctx context.Context, r *runner) error {
	expires, err := c.expiry()
	if err != nil {
		return err
	}
	text, err := r.readToken(c.Purpose)
	if err != nil {
		return err
	}
	kept, err := fetch(ctx, r, func(cl *client.Client) (client.Token, error) {
		return cl.SetToken(ctx, c.Account, c.Purpose, client.TokenText{Token: text, ExpiresAt: expires})
	})
	switch {
	case err != nil:
		return err
	case r.json:
		return r.print(kept)
	}
	r.say("The %s token of account %s is stored, encrypted%s. Check it with: arcadia account check %s", kept.Purpose, kept.Account, ending(kept), kept.Account)
	if kept.Warning != "" {
		r.say("%s", kept.Warning)
	}
	return nil
}

func ending(t client.Token) string {
	if t.Last4 == "" {
		return ""
	}
	return "; it ends in " + t.Last4
}

// readToken reads a token from standard input, without showing it on a terminal.
func (r *runner) readToken(purpose string) (string, error) {
	if f, ok := r.In.(*os.File); ok && isTerminal(f) {
		fmt.Fprintf(r.Err, "The %s token (it is not shown): ", purpose)
		text, err := term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(r.Err)
		return strings.TrimSpace(string(text)), err
	}
	text, err := io.ReadAll(io.LimitReader(r.In, longestToken+1))
	if err != nil {
		return "", err
	}
	if len(text) > longestToken {
		return "", fault.New(fault.Invalid, "What standard input gives is too long for a token.")
	}
	token := strings.TrimSpace(string(text))
	if token == "" {
		return "", fault.New(fault.Invalid, "There is no token on standard input. Try: arcadia token set %s < file-with-the-token", purpose)
	}
	return token, nil
}

type tokenListCommand struct{}

// Run lists tokens.
func (c *tokenListCommand) Run(ctx context.Context, r *runner) error {
	tokens, err := fetch(ctx, r, func(cl *client.Client) ([]client.Token, error) { return cl.Tokens(ctx) })
	switch {
	case err != nil:
		return err
	case r.json:
		return r.print(client.List[client.Token]{Items: append([]client.Token{}, tokens...)})
	case len(tokens) == 0:
		r.say("There are no tokens. Store one with: arcadia token set provisioning")
		return nil
	}
	rows, now := [][]string{}, time.Now()
	for _, t := range tokens {
		end := t.Last4
		if end == "" {
			end = "–"
		}
		rows = append(rows, []string{t.Account, t.Purpose, t.Source, end, t.Fingerprint, ago(t.CreatedAt, now), ago(t.LastUsedAt, now), day(t.ExpiresAt)})
	}
	return table(r.Out, "ACCOUNT|PURPOSE|FROM|ENDS IN|FINGERPRINT|STORED|USED|EXPIRES", rows)
}

// day is the day of a time.
func day(t *client.Time) string {
	if t == nil {
		return "–"
	}
	return t.UTC().Format(time.DateOnly)
}

type tokenRmCommand struct{ purposeRef }

// Run forgets a token.
func (c *tokenRmCommand) Run(ctx context.Context, r *runner) (err error) {
	s, err := r.connect(ctx, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	err = s.write(ctx, func(cl *client.Client) error { return cl.RemoveToken(ctx, c.Account, c.Purpose) })
	if err != nil {
		return err
	}
	if r.json {
		return r.print(map[string]string{"removed": c.Purpose, "account": c.Account})
	}
	r.say("The %s token of account %s is forgotten here. Revoke it in DigitalOcean's control panel if nobody else needs it.", c.Purpose, c.Account)
	return nil
}
