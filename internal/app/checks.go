package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/access"
	"github.com/arcadia-cloud/arcadia/internal/cli"
	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/fault"
)

func ok(name, format string, args ...any) client.Check {
	return client.Check{Name: name, State: "ok", Detail: fmt.Sprintf(format, args...)}
}

func warn(name, todo, format string, args ...any) client.Check {
	return client.Check{Name: name, State: "warn", Detail: fmt.Sprintf(format, args...), Todo: todo}
}

func fail(name, todo, format string, args ...any) client.Check {
	return client.Check{Name: name, State: "fail", Detail: fmt.Sprintf(format, args...), Todo: todo}
}

// Checks is what the doctor finds: what this process can see by itself, and what
// the one that serves the place says of itself.
func (p *Process) Checks(ctx context.Context, at cli.Place) []client.Check {
	c, err := p.settings(at)
	if err != nil {
		return []client.Check{fail("settings", "", "%s", fault.Message(err))}
	}
	checks := []client.Check{ok("settings", "read from the environment and the flags")}
	if c.URL == "" {
		checks = append(checks, checkDataDir(c.DataDir), checkKeyFile(c))
	}
	conn, err := p.Connect(ctx, at, false)
	if err != nil {
		return append(checks, fail("database", "", "%s", sentence(err)))
	}
	if conn.Embedded {
		checks = append(checks, ok("server", "none runs: each command does its work itself"))
	} else {
		checks = append(checks, ok("server", "answers at %s", conn.Client.URL()))
	}
	of, err := conn.Client.Checks(ctx)
	if err != nil {
		checks = append(checks, fail("server", "", "%s", sentence(err)))
	}
	checks = append(checks, of...)
	if err := conn.Close(); err != nil {
		checks = append(checks, fail("server", "", "%s", sentence(err)))
	}
	return checks
}

// sentence is what an error says to whoever runs the command line.
func sentence(err error) string {
	if fault.KindOf(err) != fault.Internal {
		return fault.Message(err)
	}
	return err.Error()
}

func checkDataDir(dir string) client.Check {
	const name = "data directory"
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return ok(name, "%s is made at the first use", dir)
	case err != nil:
		return fail(name, "", "%s cannot be looked at: %v", dir, err)
	case !info.IsDir():
		return fail(name, "Choose another with ARCADIA_DATA_DIR or --data-dir.", "%s is not a directory", dir)
	}
	probe, err := os.CreateTemp(dir, ".doctor-*")
	if err != nil {
		return fail(name, "Give this user the right to write there, or choose another with ARCADIA_DATA_DIR.", "%s cannot be written to", dir)
	}
	_, full := probe.WriteString(strings.Repeat("x", 4096))
	if err := errors.Join(full, probe.Close(), os.Remove(probe.Name())); err != nil {
		return fail(name, "Make room on that disk.", "%s takes no data: %v", dir, err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return warn(name, fmt.Sprintf("Run: chmod 700 %s", dir), "%s can be looked into by others (mode %04o)", dir, mode)
	}
	return ok(name, "%s", dir)
}

func checkKeyFile(c Config) client.Check {
	const name = "master key"
	file := c.MasterKeyFile
	if file == "" {
		file = filepath.Join(c.DataDir, keyFileName)
	}
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist) && c.MasterKeyFile == "":
		return ok(name, "%s is made at the first use", file)
	case errors.Is(err, fs.ErrNotExist):
		return fail(name, "Correct ARCADIA_MASTER_KEY_FILE, or leave it away.", "%s is not there", file)
	case err != nil:
		return fail(name, "", "%s cannot be looked at: %v", file, err)
	case info.Mode().Perm()&0o077 != 0:
		return fail(name, fmt.Sprintf("Run: chmod 600 %s", file), "%s can be read or changed by others (mode %04o)", file, info.Mode().Perm())
	}
	return ok(name, "%s; keep a copy apart from the database's", file)
}

// checks is what this process finds about itself.
func (a *App) checks(ctx context.Context) []client.Check {
	checks := []client.Check{a.checkDatabase(ctx), a.checkAPI(ctx), a.checkUsage(ctx)}
	accounts, err := a.access.Accounts(ctx)
	if err != nil {
		return append(checks, fail("accounts", "", "%s", sentence(err)))
	}
	for _, of := range accounts {
		for _, standing := range of.Standings {
			checks = append(checks, a.checkToken(ctx, of, standing))
		}
	}
	return checks
}

func (a *App) checkDatabase(ctx context.Context) client.Check {
	const name = "database"
	sent := time.Now()
	at, err := a.db.Now(ctx, a.db.Read())
	if err != nil {
		return fail(name, "", "%s does not answer: %s", a.config.database(), sentence(err))
	}
	engine := "SQLite"
	if a.db.Engine() == db.Postgres {
		engine = "PostgreSQL"
		if ahead := at.Sub(sent.Add(time.Since(sent) / 2)).Abs(); ahead > a.config.margin() {
			return warn(name, "Let a time service set both clocks.", "%s and this machine's clock are %s apart", engine, ahead.Round(time.Millisecond))
		}
	}
	return ok(name, "%s at %s; its schema is up to date", engine, a.config.database())
}

const (
	conflictsTold = 7 * 24 * time.Hour // for so long after it was told last a conflict is warned of
	mostConflicts = 1000
)

// checkUsage warns of events that were told again with another content: what was told
// first is billed, and only a person can say which is right.
func (a *App) checkUsage(ctx context.Context) client.Check {
	const name = "usage"
	conflicts, err := a.metering.Conflicts(ctx, "", time.Now().Add(-conflictsTold), mostConflicts)
	if err != nil {
		return fail(name, "", "%s", sentence(err))
	}
	if len(conflicts) == 0 {
		return ok(name, "no event was told again with another content in the last %d days", conflictsTold/(24*time.Hour))
	}
	last := conflicts[0]
	return warn(name, "See what counts and what was told later: arcadia usage conflicts. Correct an event with one that replaces it.",
		"events told again with another content in the last %d days: %d, at last %s of source %s at %s; what was told first counts",
		conflictsTold/(24*time.Hour), len(conflicts), last.ID, last.Source, last.Last.UTC().Format("2006-01-02 15:04 UTC"))
}

const apiName = "DigitalOcean"

// checkAPI asks without a token: any answer shows that the API can be reached.
func (a *App) checkAPI(ctx context.Context) client.Check {
	todo := "Look at the network, and at ARCADIA_DO_API_URL if it is set."
	ctx, cancel := context.WithTimeout(ctx, digitalocean.DefaultTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(a.config.APIURL, "/")+"/v2/account", nil)
	if err != nil {
		return fail(apiName, todo, "%s is no address", a.config.APIURL)
	}
	res, err := a.clouds.wire.RoundTrip(req)
	if err != nil {
		return fail(apiName, todo, "%s cannot be reached: %v", a.config.APIURL, root(err))
	}
	if err := res.Body.Close(); err != nil {
		return fail(apiName, todo, "%s broke off its answer", a.config.APIURL)
	}
	return ok(apiName, "%s answers", a.config.APIURL)
}

func root(err error) error {
	for inner := err; inner != nil; inner = errors.Unwrap(inner) {
		err = inner
	}
	return err
}

// checkToken asks whose a token is. What it may do was found out by the last check of
// its account.
func (a *App) checkToken(ctx context.Context, account access.Account, s access.Standing) client.Check {
	name, todo := string(s.Purpose)+" token", digitalocean.SetCommand(s.Purpose, account.Name)
	if account.Name != access.DefaultAccount {
		name += " of " + account.Name
	}
	if s.State == access.NoToken {
		todo = "Make one in DigitalOcean's control panel, then: " + todo
		switch {
		case s.Purpose == digitalocean.Billing:
			return ok(name, "not set; nothing needs it yet")
		case s.Purpose == digitalocean.Provisioning:
			return warn(name, todo, "not set: account %s is read-only", account.Name)
		case slices.ContainsFunc(account.Standings, func(o access.Standing) bool {
			return o.Purpose == digitalocean.Provisioning && o.State != access.NoToken
		}):
			return ok(name, "not set; the provisioning token reads in its place")
		}
		return fail(name, todo, "not set, nor one to provision with: nothing can be read")
	}
	c, err := a.clouds.client(ctx, account.Name, s.Purpose)
	if err != nil {
		return fail(name, "", "%s", sentence(err))
	}
	from := "stored"
	if s.Token.Given {
		from = "from the environment"
	}
	who, err := c.Account(ctx)
	if err != nil {
		return fail(name, "", "%s", sentence(err))
	}
	of := who.Email
	if who.TeamName != "" {
		of += ", team " + who.TeamName
	}
	ends := s.Token.ExpiresAt.Format(time.DateOnly)
	switch left := s.Token.Expiry(time.Now()); {
	case who.Status != "active":
		return warn(name, "Look into DigitalOcean's control panel.", "accepted, but the account of %s is in state %q", of, who.Status)
	case left == access.Expired:
		return warn(name, "Set one that lasts: "+todo, "still accepted, and said to expire on %s: %s", ends, of)
	case left == access.Expiring:
		return warn(name, "Make a new one in DigitalOcean's control panel, then: "+todo, "accepted, and expires on %s: %s", ends, of)
	case s.State == access.ScopesLack:
		return warn(name, "Make one with these scopes too, then: "+todo, "accepted, and lacks the scopes %s: %s", strings.Join(s.Missing, ", "), of)
	}
	return ok(name, "%s, accepted: %s", from, of)
}
