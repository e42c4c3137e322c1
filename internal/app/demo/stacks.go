package demo

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/client"
)

const (
	skyDomain = "sky.example" // under which stacks of sky-ai get their names
	skySecret = "sky-api-key"

	busyPause   = 2 * time.Second // between two looks while something is still to be done
	mostAtWork  = 3               // sagas of stacks at once: who looks finds one under way, and the rate limit has room for others
	mostTries   = 3               // of a stack that does not come to be
	soonestNext = 2 * time.Minute // between two previews, which are torn down again
	latestNext  = 2 * time.Hour
)

// A household is the stack that a tenant has.
type household struct {
	tenant, stack, blueprint string
	parameters               map[string]string
	protected                string             // why it is protected; empty: it is not
	then                     []client.PlanOrder // what is done with it afterwards, once each
}

// households are the stacks of the demonstration, in the order in which they are made:
// one of either blueprint in turn, and what is done with them shows each operation once.
func households(sshKey string) []household {
	all := make([]household, len(tenants))
	for i, tenant := range tenants {
		short, _, _ := strings.Cut(tenant, "-") // an account has each name of a network once
		h := household{tenant: tenant, parameters: map[string]string{"region": regions[i%len(regions)]}}
		if i%2 == 0 {
			h.stack, h.blueprint = short+"-sky", "sky-ai"
			h.parameters["domain"], h.parameters["ssh_key"], h.parameters["api_key"] = skyDomain, sshKey, skySecret
			h.parameters["size"], h.parameters["disk_gib"] = "s-2vcpu-4gb", "50"
		} else {
			h.stack, h.blueprint = short+"-edge", "minimal"
		}
		all[i] = h
	}
	then := func(verb string, options map[string]string) client.PlanOrder {
		return client.PlanOrder{Verb: verb, Options: options}
	}
	all[0].then = []client.PlanOrder{then("backup", map[string]string{"keep_days": "30"}), then("drill", nil)}
	all[1].then = []client.PlanOrder{then("backup", nil), then("restore", nil)}
	all[2].then = []client.PlanOrder{then("suspend", map[string]string{"level": "2"})}
	all[3].protected = "A paying customer's"
	all[4].then = []client.PlanOrder{then("backup", map[string]string{"keep_days": "7"})}
	return all
}

// preview is a stack that comes and goes, so that there is always something to see.
var preview = household{tenant: "kestrel-media", stack: "preview", blueprint: "minimal", parameters: map[string]string{"region": "nyc3"}}

// Stacks is somebody who hosts a product of stacks: they make one for each tenant, back
// some up, try a backup out, restore one and suspend another. What was done once, by
// whomever, is not done again.
type Stacks struct {
	*Traffic
	sshKey     string
	households []household
}

// NewStacks returns a user of Arcadia at one address, for the stacks at a cloud.
func NewStacks(arcadia *client.Client, c *Cloud, log *slog.Logger) *Stacks {
	s := &Stacks{Traffic: NewTraffic(arcadia, c, log)}
	for _, key := range c.sim.Truth("ssh_key") {
		s.sshKey = key.ID
	}
	s.households = households(s.sshKey)
	return s
}

// Run does what is to be done until ctx is done. What fails is tried again later.
func (s *Stacks) Run(ctx context.Context) error {
	began, ready, shown := time.Now(), false, time.Time{}
	for {
		wait := busyPause
		var err error
		if !ready {
			err = s.prepare(ctx)
			ready = err == nil
		} else {
			var settled bool
			settled, err = s.pass(ctx)
			if settled && time.Since(shown) > min(max(time.Since(began)/4, soonestNext), latestNext) {
				err = s.show(ctx)
				shown = time.Now()
			}
			if settled {
				wait = soonest
			}
		}
		if err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "the demonstration's stacks", "err", err)
			wait = soonest
		}
		pause := time.NewTimer(wait)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return nil
		}
	}
}

// prepare waits for the tenants, and makes what stacks of sky-ai need: a domain, and the
// key that their callers show.
func (s *Stacks) prepare(ctx context.Context) error {
	for {
		page, err := s.arcadia.Tenants(ctx, client.TenantFilter{Limit: 200})
		if err != nil {
			return err
		}
		there := 0
		for _, t := range page.Items {
			if slices.Contains(tenants, t.Slug) {
				there++
			}
		}
		if there == len(tenants) {
			break
		}
		pause := time.NewTimer(200 * time.Millisecond)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return ctx.Err()
		}
	}
	err := s.call(ctx, http.MethodGet, "/v2/domains/"+skyDomain, nil)
	if err != nil { // it is not there yet, or the cloud has its weather: then this fails too
		err = s.send(ctx, http.MethodPost, "/v2/domains", map[string]string{"name": skyDomain}, nil)
	}
	if err != nil {
		return err
	}
	secrets, err := s.arcadia.Secrets(ctx, "")
	if err != nil || slices.ContainsFunc(secrets, func(one client.Secret) bool { return one.Name == skySecret }) {
		return err
	}
	_, err = s.arcadia.SetSecret(ctx, "", skySecret, client.SecretText{Value: rand.Text()})
	return err
}

// pass begins what can be begun now. It reports whether nothing is left to be done, but
// for the preview.
func (s *Stacks) pass(ctx context.Context) (settled bool, err error) {
	page, err := s.arcadia.Stacks(ctx, "", true)
	if err != nil {
		return false, err
	}
	atWork := 0
	for _, one := range page.Items {
		if working(one) {
			atWork++
		}
	}
	settled = true
	var failed []error
	for _, h := range s.households {
		mine := h.of(page.Items)
		if h.over(mine) {
			continue
		}
		next, err := s.next(ctx, h, mine)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		if next.Verb == "" {
			continue
		}
		settled = false
		if atWork >= mostAtWork || len(mine) > 0 && working(mine[0]) {
			continue
		}
		if err := s.carryOut(ctx, next, h.protected); err != nil {
			failed = append(failed, err)
			continue
		}
		atWork++
	}
	return settled && atWork == 0, errors.Join(failed...)
}

// of are the stacks that a household has and had, the newest first.
func (h household) of(all []client.Stack) (mine []client.Stack) {
	for _, one := range all {
		if one.Tenant == h.tenant && one.Name == h.stack {
			mine = append(mine, one)
		}
	}
	slices.SortFunc(mine, func(a, b client.Stack) int { return b.CreatedAt.Compare(a.CreatedAt.Time) })
	return mine
}

// over reports whether nothing is done for a household any more: somebody tore its stack
// down, or it does not come to be.
func (h household) over(mine []client.Stack) bool {
	return len(mine) > 0 && (mine[0].State == "gone" || undone(mine[0]) && len(mine) >= mostTries)
}

// undone reports whether a stack did not come to be.
func undone(s client.Stack) bool {
	return s.State == "failed" || s.State == "new" && s.SagaState == client.RolledBack
}

func working(s client.Stack) bool {
	return !slices.Contains([]string{client.Completed, client.RolledBack, client.Stuck, client.Paused}, s.SagaState)
}

// next is what is to be done for a household: the first of its orders that nobody has
// applied. One without a verb is none.
func (s *Stacks) next(ctx context.Context, h household, mine []client.Stack) (order client.PlanOrder, err error) {
	if len(mine) == 0 || undone(mine[0]) {
		return client.PlanOrder{Verb: "provision", Blueprint: h.blueprint, Tenant: h.tenant, Name: h.stack, Account: account, Parameters: h.parameters}, nil
	}
	if len(h.then) == 0 {
		return order, nil
	}
	plans, err := s.arcadia.Plans(ctx, mine[0].ID)
	if err != nil {
		return order, err
	}
	for _, order := range h.then {
		if !slices.ContainsFunc(plans.Items, func(p client.Plan) bool { return p.Verb == order.Verb && p.Saga != nil }) {
			order.Stack = mine[0].ID
			return order, nil
		}
	}
	return order, nil
}

// carryOut makes a plan and applies it.
func (s *Stacks) carryOut(ctx context.Context, order client.PlanOrder, protected string) error {
	p, err := s.arcadia.MakePlan(ctx, order)
	if err != nil {
		return err
	}
	if _, err = s.arcadia.ApplyPlan(ctx, p.ID); err == nil && protected != "" {
		_, err = s.arcadia.Protect(ctx, p.Stack, protected)
	}
	return err
}

// show makes the preview, or tears it down where it is.
func (s *Stacks) show(ctx context.Context) error {
	page, err := s.arcadia.Stacks(ctx, preview.tenant, false)
	if err != nil {
		return err
	}
	mine := preview.of(page.Items)
	order, err := s.next(ctx, preview, mine)
	if err != nil {
		return err
	}
	if order.Verb == "" {
		order = client.PlanOrder{Verb: "teardown", Stack: mine[0].ID, Options: map[string]string{"final_snapshot": "false", "quarantine_days": "0", "grace": "0s"}}
	}
	return s.carryOut(ctx, order, "")
}
