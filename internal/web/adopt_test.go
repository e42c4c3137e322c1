package web_test

import (
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

const solo = `name: solo
version: 1
region: nyc3
droplets:
  web: {size: s-1vcpu-1gb, image: ubuntu-24-04-x64}
`

// What exists is made a stack by a form: it offers what the search finds in the account,
// keeps what was given where it is refused, and leads to a plan.
func TestAStackIsAdoptedByAForm(t *testing.T) {
	s := serve(t, dbtest.New(t), dosim.Options{Params: map[string]string{"lag.list_after_create": "0s", "lag.get_after_create": "0s", "lag.replica": "0s", "lag.tag": "0s"}})
	ctx := t.Context()
	if _, err := s.tenants.Add(ctx, tenant.Entry{Slug: "acme"}, time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.stacks.AddBlueprint(ctx, "solo.yaml", []byte(solo), "cli:test", time.Now()); err != nil {
		t.Fatal(err)
	}
	other := s.cloud.SeedDroplet(dosim.SeedDroplet{Name: "db-1"})
	s.sync(t)
	if page := s.get(t, "/stacks/adopt").body; !strings.Contains(page, "/stacks/adopt?blueprint=solo%401") {
		t.Error("the form offers no blueprint")
	}
	urn := "do:droplet:" + s.drop
	offers := func(page string) []string {
		var all []string
		for _, m := range regexp.MustCompile(`<option value="(do:[^"]+)"`).FindAllStringSubmatch(page, -1) {
			all = append(all, m[1])
		}
		return all
	}
	if got := offers(s.get(t, "/stacks/adopt?blueprint=solo").body); len(got) != 2 {
		t.Errorf("the form offers %q, want both droplets", got)
	}
	if got := offers(s.get(t, "/stacks/adopt?blueprint=solo&q=web-1").body); len(got) != 1 || got[0] != urn {
		t.Errorf("searched, the form offers %q, want %s", got, urn)
	}
	if got := offers(s.get(t, "/stacks/adopt?blueprint=solo&account=prod").body); len(got) != 0 {
		t.Errorf("of another account the form offers %q", got)
	}
	wrong := s.get(t, "/stacks/adopt?blueprint=solo&q=colour:red&name=front")
	if wrong.status != 400 || !strings.Contains(wrong.body, `role="alert"`) || !strings.Contains(wrong.body, `value="front"`) || !strings.Contains(wrong.body, `value="colour:red"`) {
		t.Errorf("a search that is wrong is answered with %d, or what was given is lost", wrong.status)
	}
	given := url.Values{"blueprint": {"solo@1"}, "tenant": {"acme"}, "name": {"front"}, "account": {"default"}, "q": {"web-1"}}
	refused := s.do(t, "POST", "/stacks/adopt", given)
	if refused.status < 400 || !strings.Contains(refused.body, `role="alert"`) || !strings.Contains(refused.body, `value="front"`) {
		t.Errorf("what cannot be found is answered with %d, or what was given is lost", refused.status)
	}
	given.Set("take.droplet.web", "do:droplet:1,x")
	if bad := s.do(t, "POST", "/stacks/adopt", given); bad.status != 400 || !strings.Contains(bad.body, "named by a URN") {
		t.Errorf("what is no URN is answered with %d", bad.status)
	}
	given.Set("take.droplet.web", urn)
	planned := s.do(t, "POST", "/stacks/adopt", given)
	if planned.status != 303 {
		t.Fatalf("the form is answered with %d: %.3000s", planned.status, planned.body)
	}
	page := s.get(t, planned.header.Get("Location")).body
	if !strings.Contains(page, "Adopt front") || !strings.Contains(page, urn) && !strings.Contains(page, "web-1") || strings.Contains(page, "do:droplet:"+strconv.FormatInt(other, 10)) {
		t.Error("the plan does not say what is adopted")
	}
	if plans, err := s.stacks.Plans(ctx, "", 10); err != nil || len(plans) != 1 {
		t.Errorf("%d plans were made, %v; want 1", len(plans), err)
	}
}
