package access

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/fault"
)

// A Probe is a request that only a token with a scope gets an answer to.
type Probe struct {
	Scope string // "droplet:read"
	Path  string // "/v2/droplets?per_page=1"
}

// ownProbes are the probes for what no inventory lists.
var ownProbes = []Probe{
	{"account:read", "/v2/account"},
	{"actions:read", "/v2/actions?per_page=1"},
	{"billing:read", "/v2/customers/my/balance"},
}

// Clients makes the client of an account for a purpose.
type Clients func(ctx context.Context, account string, p digitalocean.Purpose) (*digitalocean.Client, error)

// probesAtOnce is how many scopes of one token are tried together.
const probesAtOnce = 4

// CheckAccount tries each token of an account: whom it belongs to, and, by one small
// request for each scope that its purpose needs, which it lacks. probes are the
// requests; scopes to write cannot be tried without writing, and stay unproven. What
// was found is kept. Errors: NotFound for no such account, Conflict where a token is
// of a team that is another account already, or its tokens are of several teams;
// then nothing is kept.
func (s *Service) CheckAccount(ctx context.Context, name string, clients Clients, probes []Probe, at time.Time) (Account, error) {
	a, err := s.Account(ctx, name)
	if err != nil {
		return a, err
	}
	probes = append(slices.Clone(ownProbes), probes...)
	found := map[digitalocean.Purpose]finding{}
	var owner *digitalocean.Account
	for _, standing := range a.Standings {
		if standing.State == NoToken {
			continue
		}
		f := finding{Fingerprint: standing.Token.Fingerprint}
		who, err := f.try(ctx, name, standing.Purpose, clients, probes)
		if err != nil {
			return a, err
		}
		found[standing.Purpose] = f
		if who == nil {
			continue
		}
		if owner != nil && teamOf(*owner) != teamOf(*who) {
			return a, fault.New(fault.Conflict, "The tokens of account %s are of several teams: %s, and that for %s of %s. Give each team an account of its own: arcadia account add NAME",
				name, called(*owner), standing.Purpose, called(*who))
		}
		owner = who
	}
	err = s.db.Write(ctx, func(tx *sql.Tx) error {
		records, err := listAccounts(ctx, tx)
		if err != nil {
			return err
		}
		r, there := records[name]
		if !there && name != DefaultAccount {
			return fault.New(fault.NotFound, "Account %s was removed meanwhile.", name)
		}
		if r.Name, r.CheckedAt, r.findings = name, at, found; owner != nil {
			r.belongsTo(*owner)
			if err := alone(records, name, *owner); err != nil {
				return err
			}
		}
		if r.AddedAt.IsZero() {
			r.AddedAt = at
		}
		return putAccount(ctx, tx, r)
	})
	if err != nil {
		return a, err
	}
	return s.Account(ctx, name)
}

// Claim notes whose the token is with which an account is looked at for the first
// time. It answers fault.Conflict where that team is another account already, or where
// the account is another team's.
func (s *Service) Claim(ctx context.Context, name string, owner digitalocean.Account, at time.Time) error {
	a, err := s.Account(ctx, name)
	if err != nil || a.Team == teamOf(owner) {
		return err
	}
	if a.Team != "" {
		return fault.New(fault.Conflict, "The token of account %s is of %s, and what is known of the account is of another team. Give it an account of its own: arcadia account add NAME", name, called(owner))
	}
	return s.db.Write(ctx, func(tx *sql.Tx) error {
		records, err := listAccounts(ctx, tx)
		if err != nil {
			return err
		}
		if err := alone(records, name, owner); err != nil {
			return err
		}
		r := records[name]
		r.Name = name
		r.belongsTo(owner)
		if r.AddedAt.IsZero() {
			r.AddedAt = at
		}
		return putAccount(ctx, tx, r)
	})
}

// belongsTo notes whose an account is.
func (r *record) belongsTo(owner digitalocean.Account) {
	r.Team, r.TeamName, r.Email, r.Limits = teamOf(owner), owner.TeamName, owner.Email, owner.Limits
}

// alone answers fault.Conflict where an owner's team is another account.
func alone(records map[string]record, name string, owner digitalocean.Account) error {
	for _, other := range records {
		if other.Name != name && other.Team == teamOf(owner) {
			one := name // the default account cannot be removed
			if name == DefaultAccount {
				one = other.Name
			}
			return fault.New(fault.Conflict, "The tokens of account %s are of %s, which is account %s already: each of its resources would be counted twice. Remove one: arcadia account remove %s",
				name, called(owner), other.Name, one)
		}
	}
	return nil
}

// try finds out whose a token is and what it may, and answers nil where it does not
// get so far. The error is the end of ctx, or one of ours.
func (f *finding) try(ctx context.Context, account string, p digitalocean.Purpose, clients Clients, probes []Probe) (*digitalocean.Account, error) {
	failed := func(err error) error {
		if ctx.Err() != nil || fault.KindOf(err) == fault.Internal {
			return err
		}
		f.State, f.Problem = Failed, fault.Message(err)
		return nil
	}
	c, err := clients(ctx, account, p)
	if err != nil {
		return nil, failed(err)
	}
	who, err := c.Account(ctx)
	if err != nil && !errors.Is(err, digitalocean.Forbidden) {
		return nil, failed(err)
	}
	var told *digitalocean.Account
	if err == nil {
		told = &who
	}
	if err := f.probe(ctx, c, p, probes); err != nil {
		return told, failed(err)
	}
	f.State = Accepted
	if len(f.Missing) > 0 {
		f.State = ScopesLack
	}
	return told, nil
}

// probe tries the scopes that a purpose needs.
func (f *finding) probe(ctx context.Context, c *digitalocean.Client, p digitalocean.Purpose, probes []Probe) error {
	var (
		trying sync.WaitGroup
		mu     sync.Mutex
		failed error
		turns  = make(chan Probe)
	)
	for range probesAtOnce {
		trying.Go(func() {
			for one := range turns {
				may, err := c.MayRead(ctx, one.Path)
				mu.Lock()
				if err != nil {
					failed = errors.Join(failed, err)
				} else if !may {
					f.Missing = append(f.Missing, one.Scope)
				}
				mu.Unlock()
			}
		})
	}
	for _, scope := range p.Scopes() {
		i := slices.IndexFunc(probes, func(one Probe) bool { return one.Scope == scope })
		if i < 0 {
			f.Unproven = append(f.Unproven, scope)
			continue
		}
		turns <- probes[i]
	}
	close(turns)
	trying.Wait()
	slices.Sort(f.Missing)
	return failed
}

// teamOf is what tells accounts apart: the team, or the person without one.
func teamOf(a digitalocean.Account) string {
	if a.TeamUUID != "" {
		return a.TeamUUID
	}
	return a.UUID
}

func called(a digitalocean.Account) string {
	if a.TeamName != "" {
		return "team " + a.TeamName
	}
	return strings.TrimSpace("the account of " + a.Email)
}
