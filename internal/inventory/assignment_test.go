package inventory_test

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/inventory"
	"github.com/arcadia-cloud/arcadia/internal/saga"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

// whose is a resource's verdict in force, as "acme by tag".
func whose(t *testing.T, s *inventory.Service, d *db.DB, urn string, at time.Time) string {
	t.Helper()
	v, err := s.Attribution(t.Context(), urn, at)
	if err != nil {
		t.Fatal(err)
	}
	text := "nobody"
	if v.Tenant != "" {
		of, err := tenant.New(d).Tenant(t.Context(), string(v.Tenant))
		if err != nil {
			t.Fatal(err)
		}
		text = of.Slug
	}
	if v.Decided() {
		text += " by " + string(v.Rule)
	}
	return text
}

func addTenant(t *testing.T, d *db.DB, slug string) {
	t.Helper()
	if _, err := tenant.New(d).Add(t.Context(), tenant.Entry{Slug: slug}, time.Now()); err != nil {
		t.Fatal(err)
	}
}

func TestAttributionFollowsTheCloudAndPeople(t *testing.T) {
	bubble(t, dosim.Options{}, func(t *testing.T, y *yard) {
		ctx := t.Context()
		begin := time.Now()
		web := y.droplet("web-1", "tenant:acme")
		addTenant(t, y.db, "acme")
		addTenant(t, y.db, "globex")
		y.sync()
		expect := func(what, want string) {
			t.Helper()
			if got := whose(t, y.Service, y.db, web, time.Time{}); got != want {
				t.Errorf("%s: %s is %s, want %s", what, web, got, want)
			}
		}
		expect("after a sync", "acme by tag")
		if got := whose(t, y.Service, y.db, web, begin.Add(time.Minute)); got != "acme by tag" {
			t.Errorf("in its first minute it is %s: the first verdict holds from the beginning", got)
		}
		end := func() int64 {
			last, err := y.FeedEnd(ctx)
			if err != nil {
				t.Fatal(err)
			}
			return last
		}

		time.Sleep(time.Hour)
		if moved, err := y.Assign(ctx, []string{web}, "globex", "sold", "cli:ops", time.Now()); err != nil || moved != 1 {
			t.Fatalf("Assign = %d, %v", moved, err)
		}
		expect("assigned", "globex by manual")
		before := end()
		y.sync()
		expect("after another sync", "globex by manual")
		if now := end(); now != before {
			t.Errorf("a sync of what has not changed wrote %d changes", now-before)
		}
		if got := whose(t, y.Service, y.db, web, time.Now().Add(-time.Minute*30)); got != "acme by tag" {
			t.Errorf("half an hour ago it was %s, want acme's still", got)
		}
		against, err := y.Contradictions(ctx, "main")
		if err != nil || len(against) != 1 || against[0].URN != web {
			t.Errorf("Contradictions = %+v, %v", against, err)
		}

		time.Sleep(time.Hour)
		y.do("POST", "/v2/tags/tenant:acme/resources", map[string]any{"resources": []map[string]string{{"resource_id": web[len("do:droplet:"):], "resource_type": "droplet"}}})
		if _, err := y.Unassign(ctx, []string{web}, "cli:ops"); err != nil {
			t.Fatal(err)
		}
		expect("unassigned", "acme by tag")
		changes, err := y.Changes(ctx, inventory.ChangeFilter{URN: web, Types: []inventory.ChangeType{inventory.Assigned}, Follow: true})
		if err != nil {
			t.Fatal(err)
		}
		var told []string
		for _, c := range changes {
			told = append(told, fmt.Sprintf("%s→%s by %s %s", c.Former, c.Tenant, c.Cause.Type, c.Cause.Actor))
		}
		y.expect("the feed", told, []string{"→acme by rule ", "acme→globex by operator cli:ops", "globex→acme by operator cli:ops"})
	})
}

func TestWhatIsAskedInVainChangesNothing(t *testing.T) {
	bubble(t, dosim.Options{}, func(t *testing.T, y *yard) {
		ctx, now := t.Context(), time.Now()
		web := y.droplet("web-1")
		addTenant(t, y.db, "acme")
		addTenant(t, y.db, "left")
		if _, err := tenant.New(y.db).Close(ctx, "left", now); err != nil {
			t.Fatal(err)
		}
		y.sync("droplet")
		for name, tt := range map[string]struct {
			urns   []string
			tenant string
			want   fault.Kind
		}{
			"a resource of no inventory": {[]string{web, "do:droplet:999"}, "acme", fault.NotFound},
			"no such tenant":             {[]string{web}, "nosuch", fault.NotFound},
			"a closed tenant":            {[]string{web}, "left", fault.Conflict},
			"nothing":                    {nil, "acme", fault.Invalid},
		} {
			if _, err := y.Assign(ctx, tt.urns, tt.tenant, "", "cli:ops", now); !errors.Is(err, tt.want) {
				t.Errorf("%s: %v, want %s", name, err, tt.want)
			}
		}
		if got := whose(t, y.Service, y.db, web, time.Time{}); got != "nobody" {
			t.Errorf("the droplet is %s", got)
		}
	})
}

func TestRulesMoveWhatTheirPreviewSays(t *testing.T) {
	bubble(t, dosim.Options{}, func(t *testing.T, y *yard) {
		ctx, now := t.Context(), time.Now()
		one, two := y.droplet("acme-1"), y.droplet("other")
		addTenant(t, y.db, "acme")
		y.sync()
		for _, dry := range []bool{true, false} {
			r, moves, err := y.AddRule(ctx, inventory.ByName, "ACME-*", "acme", "cli:ops", now, dry)
			if err != nil || len(moves) != 1 || moves[0].URN != one || moves[0].Verdict.Tenant != r.Tenant {
				t.Fatalf("AddRule, dry %t: %+v, %v", dry, moves, err)
			}
			if got, want := whose(t, y.Service, y.db, one, time.Time{}), map[bool]string{true: "nobody", false: "acme by name"}[dry]; got != want {
				t.Errorf("after AddRule, dry %t, %s is %s, want %s", dry, one, got, want)
			}
		}
		if _, _, err := y.AddRule(ctx, inventory.ByName, "ACME-*", "acme", "cli:ops", now, false); !errors.Is(err, fault.Conflict) {
			t.Errorf("the same rule twice: %v, want a conflict", err)
		}
		if got := whose(t, y.Service, y.db, two, time.Time{}); got != "nobody" {
			t.Errorf("%s is %s, want nobody's", two, got)
		}
		c, err := y.Coverage(ctx, "main")
		if err != nil || c.Decided.Resources != 1 || c.All.Resources < 2 || len(c.By) != 2 {
			t.Errorf("Coverage = %+v, %v", c, err)
		}
		rules, err := y.Rules(ctx)
		if err != nil || len(rules) != 1 {
			t.Fatalf("Rules = %+v, %v", rules, err)
		}
		if moves, err := y.RemoveRule(ctx, rules[0].ID, false); err != nil || len(moves) != 1 {
			t.Errorf("RemoveRule = %+v, %v", moves, err)
		}
		if got := whose(t, y.Service, y.db, one, time.Time{}); got != "nobody" {
			t.Errorf("without the rule %s is %s, want nobody's", one, got)
		}
	})
}

func TestTenantsComeFromTagsAndProjects(t *testing.T) {
	bubble(t, dosim.Options{}, func(t *testing.T, y *yard) {
		ctx := t.Context()
		y.droplet("a", "tenant:beta", "tenant:acme")
		y.droplet("b", "tenant:acme")
		y.do("POST", "/v2/projects", map[string]any{"name": "Gamma Ltd.", "purpose": "x", "environment": "Production"})
		time.Sleep(time.Minute)
		y.sync()
		rows, err := y.TenantsFromTags(ctx)
		if err != nil || len(rows) != 2 || rows[0].Slug != "acme" || rows[1].Slug != "beta" {
			t.Fatalf("TenantsFromTags = %+v, %v", rows, err)
		}
		for _, dry := range []bool{true, false} {
			done, err := y.ImportProjects(ctx, "cli:ops", time.Now(), dry)
			if err != nil || len(done.Outcomes) != 1 || done.Outcomes[0].Slug != "gamma-ltd" || done.Outcomes[0].Action != tenant.Added || done.Done == dry {
				t.Fatalf("ImportProjects, dry %t: %+v, %v", dry, done, err)
			}
			rules, err := y.Rules(ctx)
			if err != nil || len(rules) != map[bool]int{true: 0, false: 1}[dry] {
				t.Errorf("dry %t: the rules are %+v, %v", dry, rules, err)
			}
		}
	})
}

// TestVerdictsAreWrittenAsDatedIntervals has verdicts written on both engines, for
// resources that tests put there.
func TestVerdictsAreWrittenAsDatedIntervals(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		sagas, err := saga.New(d, saga.Options{})
		if err != nil {
			t.Fatal(err)
		}
		s, ctx, noon := inventory.New(d, sagas, inventory.Settings{}), t.Context(), time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
		for _, slug := range []string{"acme", "globex"} {
			addTenant(t, d, slug)
		}
		const web, disk = "do:droplet:1", "do:volume:v"
		for _, statement := range []string{
			`INSERT INTO inv_resources (urn, account, kind, id, parent, version, hash, first_seen, last_changed, born_to, born_by) VALUES
				('do:droplet:1', 'main', 'droplet', '1', '', 1, 'h', 5, 5, 5, 'document'), ('do:volume:v', 'main', 'volume', 'v', '', 1, 'h', 5, 5, 5, 'lists')`,
			`INSERT INTO inv_versions (urn, version, at, account, kind, id, gone, name, region, status, size, project, tags, tag_lines, words, monthly, doc) VALUES
				('do:droplet:1', 1, 5, 'main', 'droplet', '1', FALSE, 'web', '', '', '', '', '["tenant:acme"]', '', '', 6000000, '{}'),
				('do:volume:v', 1, 5, 'main', 'volume', 'v', FALSE, 'disk', '', '', '', '', '[]', '', '', 1000000, '{}')`,
			`INSERT INTO inv_edges (owner, source, type, target, "first") VALUES ('do:volume:v', 'do:volume:v', 'attached_to', 'do:droplet:1', FALSE)`,
		} {
			err := d.Write(ctx, func(tx *sql.Tx) error { _, err := tx.ExecContext(ctx, statement); return err })
			if err != nil {
				t.Fatal(err)
			}
		}
		if moved, err := s.Attribute(ctx, "", noon); err != nil || moved != 2 {
			t.Fatalf("Attribute = %d, %v", moved, err)
		}
		if _, err := s.Assign(ctx, []string{web}, "globex", "", "cli:ops", noon); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Assign(ctx, []string{web}, "", "a test machine", "cli:ops", noon.Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		for urn, want := range map[string][]string{web: {"nobody by manual", "globex by manual", "acme by tag"}, disk: {"globex by relation", "acme by relation"}} {
			tenures, err := s.Tenures(ctx, urn)
			if err != nil {
				t.Fatal(err)
			}
			var told []string
			for i, one := range tenures {
				told = append(told, whose(t, s, d, urn, one.Since))
				if i > 0 && one.Until.After(tenures[i-1].Since) || !one.Until.IsZero() && !one.Until.After(one.Since) {
					t.Errorf("%s: %v–%v overlaps the next, or is none", urn, one.Since, one.Until)
				}
			}
			if !slices.Equal(told, want) {
				t.Errorf("%s was %q, want %q", urn, told, want)
			}
			if first := tenures[len(tenures)-1]; first.Since.UnixMicro() != 5 {
				t.Errorf("%s: the first verdict holds from %v, want its beginning", urn, first.Since)
			}
		}
		addTenant(t, d, "initech") // another look, and nothing to be written
		if moved, err := s.Attribute(ctx, "", time.Time{}); err != nil || moved != 0 {
			t.Errorf("Attribute again = %d, %v", moved, err)
		}
		if again, err := s.Tenures(ctx, web); err != nil || len(again) != 3 {
			t.Errorf("after another look there are %d verdicts on %s, want 3: %v", len(again), web, err)
		}
		c, err := s.Coverage(ctx, "")
		resources, money := c.Percent()
		if err != nil || c.All.Monthly != 7_000_000 || resources != 500 || money != 857 || len(c.By) != 2 || !c.By[0].Nobody {
			t.Errorf("Coverage = %+v, %v", c, err)
		}
		estates, err := s.Estates(ctx)
		if err != nil || estates[""].Resources != 2 {
			t.Errorf("Estates = %+v, %v", estates, err)
		}
	})
}
