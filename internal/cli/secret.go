package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"golang.org/x/term"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/fault"
)

type secretCommand struct {
	Set  secretSetCommand  `cmd:"" help:"Store a secret, read from standard input."`
	List secretListCommand `cmd:"" help:"List what may be shown of secrets."`
	Rm   secretRmCommand   `cmd:"" help:"Forget a secret for good."`
}

type secretRef struct {
	Name   string `arg:"" help:"What blueprints call it: small letters, digits and . _ -."`
	Tenant string `help:"Whose stacks may name it: slug or id. Left away: every tenant's."`
}

func (s secretRef) String() string {
	if s.Tenant == "" {
		return s.Name + " of every tenant"
	}
	return s.Name + " of " + s.Tenant
}

type secretSetCommand struct{ secretRef }

// longestSecret bounds what is read of standard input, in bytes.
const longestSecret = 64 << 10

// Run stores a secret. It is never an argument: other users see those, and the shell
// keeps them.
func (c *secretSetCommand) Run(ctx context.Context, r *runner) error {
	value, err := r.readSecret(c.Name)
	if err != nil {
		return err
	}
	kept, err := put(ctx, r, func(cl *client.Client) (client.Secret, error) {
		return cl.SetSecret(ctx, c.Tenant, c.Name, client.SecretText{Value: value})
	})
	if err != nil || r.json {
		return err
	}
	r.say("Secret %s is stored, encrypted, as version %d. It is never shown; a blueprint names it: --set PARAMETER=%s", c.secretRef, kept.Version, kept.Name)
	return nil
}

// readSecret reads a secret from standard input, without showing it on a terminal. The
// end of its last line is left away, which editors and echo add.
func (r *runner) readSecret(name string) (string, error) {
	var text []byte
	var err error
	if f, ok := r.In.(*os.File); ok && isTerminal(f) {
		fmt.Fprintf(r.Err, "The secret %s (it is not shown): ", name)
		text, err = term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(r.Err)
	} else {
		text, err = io.ReadAll(io.LimitReader(r.In, longestSecret+1))
	}
	text = bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("\n")), []byte("\r"))
	switch {
	case err != nil:
		return "", err
	case len(text) > longestSecret:
		return "", fault.New(fault.Invalid, "What standard input gives is too long for a secret.")
	case len(text) == 0:
		return "", fault.New(fault.Invalid, "There is no secret on standard input. Try: arcadia secret set %s < file-with-the-secret", name)
	}
	return string(text), nil
}

type secretListCommand struct {
	Tenant string `help:"Only what this tenant's stacks may name: slug or id."`
}

// Run lists secrets.
func (c *secretListCommand) Run(ctx context.Context, r *runner) error {
	secrets, err := fetch(ctx, r, func(cl *client.Client) ([]client.Secret, error) { return cl.Secrets(ctx, c.Tenant) })
	if err != nil {
		return err
	}
	now := time.Now()
	return listing(r, client.List[client.Secret]{Items: append([]client.Secret{}, secrets...)}, secrets,
		"There are no secrets. Store one with: arcadia secret set NAME", "SECRET|TENANT|VERSION|FINGERPRINT|SET|BY", func(s client.Secret) []string {
			of := s.Tenant
			if of == "" {
				of = "every"
			}
			return []string{s.Name, of, strconv.FormatInt(s.Version, 10), s.Fingerprint, ago(&s.UpdatedAt, now), s.SetBy}
		})
}

type secretRmCommand struct {
	secretRef
	Yes bool `short:"y" help:"Do not ask."`
}

// Run forgets a secret.
func (c *secretRmCommand) Run(ctx context.Context, r *runner) error {
	if err := r.confirm(c.Yes, "Forget secret %s for good? Nobody can bring it back.", c.secretRef); err != nil {
		return err
	}
	removed, err := put(ctx, r, func(cl *client.Client) (client.SecretRemoved, error) { return cl.RemoveSecret(ctx, c.Tenant, c.Name) })
	if err != nil || r.json {
		return err
	}
	r.say("Secret %s is forgotten. Droplets that have it keep it.", c.secretRef)
	if removed.Revoked > 0 {
		r.say("One-time addresses that would have handed it out are revoked: %d. The droplets that were to ask there will not start well.", removed.Revoked)
	}
	return nil
}
