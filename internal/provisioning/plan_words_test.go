package provisioning_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/provisioning"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// TestPlansWarn: what a plan leads to and nobody might think of stands among its warnings,
// and what leads where is said in words.
func TestPlansWarn(t *testing.T) {
	inYard(t, func(t *testing.T, y *yard, engine *saga.Engine, s *provisioning.Service) {
		ctx := t.Context()
		source := strings.NewReplacer("name: everything", "name: half", "monitoring: true}", "monitoring: true, backups: {plan: weekly, weekday: SUN, hour: 4}}\n  open: {size: s-1vcpu-1gb, image: debian-12-x64}").Replace(everything)
		if _, err := s.AddBlueprint(ctx, "b.yaml", []byte(source), "cli:test", time.Now()); err != nil {
			t.Fatal(err)
		}
		said := func(r provisioning.PlanRequest) (p provisioning.Plan, warnings string) {
			t.Helper()
			p, err := s.PlanStack(ctx, r, "cli:test", time.Now())
			if err != nil {
				t.Fatal(err)
			}
			return p, strings.Join(p.Warnings, "\n")
		}
		make := provisioning.PlanRequest{Verb: provisioning.Provision, Blueprint: "half", Tenant: "acme", Name: "web", Account: "main"}
		p, warnings := said(make)
		if !strings.Contains(warnings, "No firewall is for open:") {
			t.Errorf("a droplet without a firewall is not told of: %q", warnings)
		}
		for _, c := range p.Changes {
			if strings.Contains(c.Detail, "${") || c.Kind == "domain_record" && !strings.HasSuffix(c.Detail, "→ the reserved IP front") {
				t.Errorf("%s is said to be %q", c.Key, c.Detail)
			}
		}
		y.apply(s, engine, make, saga.Completed)
		for verb, want := range map[provisioning.Verb][]string{
			provisioning.Teardown: {"automatic backups that DigitalOcean has of droplet.web end", "go to other customers", "shut themselves down"},
			provisioning.BackUp:   {"copied as they run"},
		} {
			_, warnings := said(on(verb))
			for _, one := range want {
				if !strings.Contains(warnings, one) {
					t.Errorf("a plan to %s does not say %q: %q", verb, one, warnings)
				}
			}
		}
		if _, warnings := said(on(provisioning.Teardown)); strings.Contains(warnings, "copied as they run") {
			t.Errorf("droplets are off when they are copied, and the plan says that they run: %q", warnings)
		}
		if _, warnings := said(on(provisioning.Teardown, "final_snapshot", "false")); strings.Contains(warnings, "copied") {
			t.Errorf("nothing is copied, and the plan says how: %q", warnings)
		}
	})
}

// TestAPlanKnowsSSHKeys: a key that the account has not is refused with those that it has,
// and one that is gone since, or is another's by its name, makes the plan stale.
func TestAPlanKnowsSSHKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		b := newBooth(t, dbtest.New(t), dosimtest.Pipe(t), bubblePace, nil)
		s := provisioning.New(b.db, b.engine(b.options), b.steps)
		_, err := s.PlanStack(ctx, provisioning.PlanRequest{
			Verb: provisioning.Provision, Blueprint: "sky-ai", Tenant: "acme", Name: "sky", Account: "main",
			Parameters: map[string]string{"domain": "example.com", "ssh_key": "1", "api_key": "sky-key", "region": "nyc3"},
		}, "cli:test", time.Now())
		if !errors.Is(err, fault.NotFound) || !strings.Contains(fault.Message(err), `no SSH key "1"`) || !strings.Contains(fault.Message(err), b.sshKey()+" (") {
			t.Errorf("a key that there is not: %v", err)
		}
		p, err := b.plan(s)
		if err != nil {
			t.Fatal(err)
		}
		if p.Read["SSH key "+b.sshKey()] == "" {
			t.Errorf("the plan has read %q", p.Read)
		}
		b.remove("/v2/account/keys/" + b.sshKey())
		time.Sleep(time.Hour)
		if _, _, err := s.ApplyPlan(ctx, p.ID, "cli:test", time.Now()); !errors.Is(err, fault.NotFound) || !strings.Contains(fault.Message(err), "no SSH key") {
			t.Errorf("a plan whose key is gone: %v", err)
		}
	})
}
