package provisioning

import (
	"context"
	"errors"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/provisioning/blueprint"
	"github.com/arcadia-cloud/arcadia/internal/saga"
	"github.com/arcadia-cloud/arcadia/internal/secret"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
	"github.com/arcadia-cloud/arcadia/internal/vault"
)

// The paths of one-time addresses, which the token follows.
const (
	HandOutPath = "/once/"
	CallInPath  = "/call/"
)

// bootsWithin is how long a droplet without a call-back may take until it has asked for
// its secrets.
const bootsWithin = time.Hour

// callTopic is the watch topic of call-backs; the key is the saga's id.
const callTopic = "callback"

// oneTime tells the needs of user data that are one-time addresses: what each is for,
// and of what.
func oneTime(d *blueprint.DropletSpec, see func(need, kind, name string)) {
	if d == nil || d.UserData == nil {
		return
	}
	for _, need := range d.UserData.Needs {
		switch what, name, _ := strings.Cut(need, "."); what {
		case "secret":
			see(need, secret.HandOut, name)
		case "callback":
			see(need, secret.CallIn, name)
		}
	}
}

// readOneTime looks whether a spec's droplets can ask for what they are to ask for. It
// answers fault.Unprocessable where they cannot reach this server, a secret is not there,
// or a probe waits for a call that nothing makes.
func (s *Service) readOneTime(ctx context.Context, d *drawn) error {
	calls := map[string]bool{}
	for _, r := range d.building.Spec.Resources {
		if d.building.From[r.ID] != "" {
			continue // its disk has been set up: no user data asks for anything
		}
		if err := s.readNeeds(ctx, d, r, calls); err != nil {
			return err
		}
	}
	for key, probe := range d.building.Spec.Health {
		if probe.Type == "callback" && !calls["callback."+key] {
			return fault.New(fault.Unprocessable, "Probe %s waits for a call of droplet %s, whose cloud_init does not call {{ .callback.%s }}.", key, probe.Droplet, key)
		}
	}
	return nil
}

// readNeeds is readOneTime of one droplet, whose needs it puts into needs.
func (s *Service) readNeeds(ctx context.Context, d *drawn, r blueprint.Resource, needs map[string]bool) (err error) {
	oneTime(r.Droplet, func(need, kind, name string) {
		switch {
		case err != nil:
		case s.steps.set.PublicURL == "" || s.steps.set.Secrets == nil:
			err = fault.New(fault.Unprocessable, "%s asks Arcadia for %s when it first starts, and Arcadia does not know at which address droplets reach it. "+
				"Run arcadia serve with ARCADIA_PUBLIC_URL, or --public-url, as https://arcadia.example.com.", r.ID, need)
		case kind == secret.HandOut:
			var is secret.Secret
			if is, err = s.steps.set.Secrets.For(ctx, d.Tenant, name); errors.Is(err, fault.NotFound) {
				err = fault.New(fault.Unprocessable, "%s is to get the secret %s, which is not there. Store it with: arcadia secret set %s --tenant %s", r.ID, name, name, d.owner.Slug)
			}
			d.Read["secret "+name] = "version " + strconv.FormatInt(is.Version, 10) + " of " + orEvery(is.Tenant)
		}
		needs[need] = true
		d.building.PublicURL = s.steps.set.PublicURL
		d.Read["address of this server"] = s.steps.set.PublicURL
	})
	return err
}

func orEvery(of tenant.ID) string {
	if of == "" {
		return "every tenant"
	}
	return "the tenant"
}

// userData is what a droplet runs when it first starts. Its one-time addresses are
// opened before the request that carries them leaves, and are the same in each such
// request of a saga; they are in no state and no record.
func (b *builder) userData(ctx context.Context, r blueprint.Resource) (string, error) {
	if r.Droplet.UserData == nil {
		return "", nil
	}
	known := maps.Clone(b.state.Known)
	if known == nil {
		known = blueprint.Known{}
	}
	if err := b.openAddresses(ctx, r, known); err != nil {
		return "", err
	}
	text, err := blueprint.RenderUserData(b.state.Spec, r.Key, known)
	return text, saga.Permanent(err)
}

// openAddresses puts the one-time addresses of a droplet into known.
func (b *builder) openAddresses(ctx context.Context, r blueprint.Resource, known blueprint.Known) error {
	needs := map[secret.Address]string{}
	var all []secret.Address
	oneTime(r.Droplet, func(need, kind, name string) {
		a := secret.Address{Kind: kind, Name: name, Stack: string(b.state.Stack), Saga: string(b.attempt.Saga), Resource: r.ID}
		needs[a], all = need, append(all, a)
	})
	if len(all) == 0 {
		return nil
	}
	if b.state.PublicURL == "" {
		b.state.PublicURL = b.set.PublicURL
	}
	if b.state.PublicURL == "" || b.set.Secrets == nil {
		return saga.Permanent(fault.New(fault.Unprocessable, "%s asks Arcadia for something when it first starts, and no address is set at which droplets reach it: ARCADIA_PUBLIC_URL.", r.ID))
	}
	now := b.attempt.Now()
	tokens, err := b.set.Secrets.Open(ctx, tenant.ID(b.state.Tenant), all, now, b.asksUntil(now, r))
	if errors.Is(err, fault.NotFound) {
		return saga.Permanent(err)
	}
	for a, token := range tokens {
		path := HandOutPath
		if a.Kind == secret.CallIn {
			path = CallInPath
		}
		known[needs[a]] = b.state.PublicURL + path + token.Reveal()
	}
	return err
}

// asksUntil is until when a droplet may ask that is asked for now: the request may be
// carried out late, and the droplet take as long as we wait for it.
func (b *builder) asksUntil(now time.Time, r blueprint.Resource) time.Time {
	lasts := time.Duration(0)
	oneTime(r.Droplet, func(_, kind, name string) {
		if probe, ok := b.state.Spec.Health[name]; ok && kind == secret.CallIn {
			limit, _ := time.ParseDuration(probe.Timeout) // the blueprint's parser looked at it
			lasts = max(lasts, limit)
		}
	})
	if lasts == 0 {
		lasts = bootsWithin
	}
	return now.Add(b.set.Settle + b.set.Horizon + b.set.Longest + lasts)
}

// rearm has the one-time addresses of a droplet answer once more, for this saga, which
// has its user data run again. One that was made of a snapshot has none.
func (b *builder) rearm(ctx context.Context, r blueprint.Resource) error {
	if b.set.Secrets == nil {
		return nil
	}
	now := b.attempt.Now()
	_, err := b.set.Secrets.Rearm(ctx, tenant.ID(b.state.Tenant), string(b.state.made(r.ID).By), r.ID, string(b.attempt.Saga), now, b.asksUntil(now, r))
	if errors.Is(err, fault.NotFound) {
		return saga.NotDone(saga.Permanent(err))
	}
	return err
}

// closeAddresses revokes what is open of a stack: of one droplet, or of all.
func (p *Steps) closeAddresses(ctx context.Context, s *Building, resource string) error {
	if p.set.Secrets == nil {
		return nil
	}
	return p.set.Secrets.Close(ctx, string(s.Stack), resource, saga.Current(ctx).Now())
}

// calls are the probes that a saga's droplets call back for, each with when they did.
func (p *Steps) calls(ctx context.Context) (map[string]secret.Use, error) {
	calls := map[string]secret.Use{}
	if p.set.Secrets == nil {
		return calls, nil
	}
	uses, err := p.set.Secrets.Uses(ctx, string(saga.Current(ctx).Saga))
	for _, u := range uses {
		if u.Kind == secret.CallIn {
			calls[u.Name] = u
		}
	}
	return calls, err
}

// HandOut hands a secret out at its one-time address; see [secret.Service.Take].
func (s *Service) HandOut(ctx context.Context, token, from string, at time.Time) (vault.Secret, error) {
	if s.steps.set.Secrets == nil {
		return vault.Secret{}, secret.ErrUnknown
	}
	value, of, err := s.steps.set.Secrets.Take(ctx, token, from, at)
	if err == nil {
		s.steps.log.InfoContext(ctx, "a secret was handed out", "secret", of.Name, "stack", of.Stack, "saga", of.Saga, "resource", of.Resource, "to", from)
	}
	return value, err
}

// CallIn takes a droplet's call-back at its one-time address, and wakes the saga that
// waits for it; see [secret.Service.Call].
func (s *Service) CallIn(ctx context.Context, token, from string, at time.Time) error {
	if s.steps.set.Secrets == nil {
		return secret.ErrUnknown
	}
	of, err := s.steps.set.Secrets.Call(ctx, token, from, at)
	if err != nil {
		return err
	}
	// A saga that is not woken looks by itself before long.
	open, err := s.engine.OpenWaits(ctx, callTopic)
	for _, w := range open {
		if err == nil && string(w.ID) == of.Saga {
			err = s.engine.WakeWait(ctx, w.ID, w.Rev)
		}
	}
	if err != nil {
		s.steps.log.WarnContext(ctx, "a call-back is noted, and its saga was not woken", "saga", of.Saga, "err", err)
	}
	return nil
}
