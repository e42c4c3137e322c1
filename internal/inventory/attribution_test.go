package inventory

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

var (
	acme   = tenant.Tenant{ID: "ten_a", Slug: "acme"}
	globex = tenant.Tenant{ID: "ten_g", Slug: "globex"}
)

// known are facts with two tenants and what a case adds.
func known(resources []fact, more ...func(*facts)) facts {
	f := facts{resources: resources, tenants: []tenant.Tenant{acme, globex}, assignments: map[string]Assignment{}, sagas: map[string]string{}}
	for _, add := range more {
		add(&f)
	}
	return f
}

func linked(kind EdgeType, from, to string) func(*facts) {
	return func(f *facts) { f.links = append(f.links, link{kind, from, to}) }
}

func ruled(of RuleName, pattern string, t tenant.Tenant) func(*facts) {
	return func(f *facts) {
		f.rules = append(f.rules, Rule{ID: RuleID(fmt.Sprint("rule_", len(f.rules))), Type: of, Pattern: pattern, Tenant: t.ID})
	}
}

func assigned(urn string, t tenant.ID) func(*facts) {
	return func(f *facts) {
		f.assignments[urn] = Assignment{URN: urn, Tenant: t, Actor: "cli:ops", Reason: "agreed by phone"}
	}
}

func made(saga, by string) func(*facts) { return func(f *facts) { f.sagas[saga] = by } }

func droplet1(tags ...string) fact {
	return fact{urn: "do:droplet:1", kind: "droplet", name: "web-1", tags: tags}
}

func named(urn, name string) fact {
	kind := strings.Split(urn, ":")[1]
	return fact{urn: urn, kind: kind, name: name}
}

func TestAttribution(t *testing.T) {
	for _, tt := range []struct {
		name     string
		f        facts
		urn      string
		want     string // "acme by tag", "nobody", "nobody by manual"
		evidence string // part of it
	}{
		{"a tag says whose it is", known([]fact{droplet1("web", "tenant:acme")}), "do:droplet:1", "acme by tag", "tag tenant:acme"},
		{"tags know no case", known([]fact{droplet1("Tenant:ACME")}), "do:droplet:1", "acme by tag", "Tenant:ACME"},
		{"a tag of a stranger", known([]fact{droplet1("tenant:initech")}), "do:droplet:1", "nobody", "tenant:initech names no tenant"},
		{"two tags that agree on nothing", known([]fact{droplet1("tenant:acme", "tenant:globex")}), "do:droplet:1", "nobody", "but: its tag tenant:globex"},
		{"a rule of tags", known([]fact{droplet1("customer-7")}, ruled(ByTag, "customer-?", acme)), "do:droplet:1", "acme by tag", "customer-? → acme"},
		{"a tag of its own is stronger than a rule of tags", known([]fact{droplet1("blue", "tenant:globex")}, ruled(ByTag, "blue", acme)), "do:droplet:1", "globex by tag", ""},
		{"a word by hand is stronger than all", known([]fact{droplet1("tenant:globex")}, assigned("do:droplet:1", acme.ID)), "do:droplet:1", "acme by manual", "cli:ops: agreed by phone."},
		{"a word by hand may say nobody", known([]fact{droplet1("tenant:globex")}, assigned("do:droplet:1", "")), "do:droplet:1", "nobody by manual", "nobody's"},
		{"the ledger is stronger than a tag", known([]fact{{urn: "do:droplet:1", kind: "droplet", tags: []string{"tenant:globex"}, managedBy: "saga_1"}}, made("saga_1", "ten_a")), "do:droplet:1", "acme by ledger", "saga_1"},
		{"a saga for nobody says nothing", known([]fact{{urn: "do:droplet:1", kind: "droplet", managedBy: "saga_1"}}), "do:droplet:1", "nobody", "No rule"},
		{"a project by its name", known([]fact{named("do:project:p", "Acme prod"), {urn: "do:volume:v", kind: "volume", project: "p"}}, ruled(ByProject, "acme *", acme)), "do:volume:v", "acme by project", "Acme prod"},
		{"a project by its id and a member that the project lists", known([]fact{named("do:project:p", "x"), named("do:domain:d.example", "d.example")}, linked(MemberOf, "do:domain:d.example", "do:project:p"), ruled(ByProject, "p", acme)), "do:domain:d.example", "acme by project", ""},
		{"a name", known([]fact{droplet1()}, ruled(ByName, "WEB-*", acme)), "do:droplet:1", "acme by name", "web-1"},
		{"two names", known([]fact{droplet1()}, ruled(ByName, "web-*", acme), ruled(ByName, "*-1", globex)), "do:droplet:1", "nobody", "but:"},
		{"a pattern is no expression", known([]fact{droplet1()}, ruled(ByName, "web.1", acme)), "do:droplet:1", "nobody", ""},

		{"a volume goes by its droplet", known([]fact{droplet1("tenant:acme"), named("do:volume:v", "v")}, linked(AttachedTo, "do:volume:v", "do:droplet:1")), "do:volume:v", "acme by relation", "Attached to do:droplet:1 (web-1), which is acme's."},
		{"a droplet does not go by its volume", known([]fact{droplet1(), {urn: "do:volume:v", kind: "volume", tags: []string{"tenant:acme"}}}, linked(AttachedTo, "do:volume:v", "do:droplet:1")), "do:droplet:1", "nobody", ""},
		{"a snapshot goes by a droplet that is gone", known([]fact{{urn: "do:droplet:1", kind: "droplet", name: "web-1", tags: []string{"tenant:acme"}, gone: true}, named("do:snapshot:s", "s")}, linked(SnapshotOf, "do:snapshot:s", "do:droplet:1")), "do:snapshot:s", "acme by relation", "gone"},
		{"and by whose that was last", known([]fact{{urn: "do:droplet:1", kind: "droplet", gone: true, was: Verdict{Tenant: acme.ID, Rule: ByProject, Confidence: 80}}, named("do:snapshot:s", "s")}, linked(SnapshotOf, "do:snapshot:s", "do:droplet:1")), "do:snapshot:s", "acme by relation", ""},
		{"a record goes by its address", known([]fact{droplet1("tenant:acme"), named("do:domain:d", "d"), named("do:domain_record:r", "www")}, linked(DependsOn, "do:domain_record:r", "do:domain:d"), linked(PointsTo, "do:domain_record:r", "do:droplet:1")), "do:domain_record:r", "acme by relation", "Points to"},
		{"a certificate goes by its balancer, and that by its droplets", known([]fact{droplet1("tenant:acme"), named("do:load_balancer:l", "lb"), named("do:certificate:c", "c")}, linked(Serves, "do:load_balancer:l", "do:droplet:1"), linked(DependsOn, "do:load_balancer:l", "do:certificate:c")), "do:certificate:c", "acme by relation", "Certificate of do:load_balancer:l (lb)"},
		{"a balancer of two tenants is nobody's", known([]fact{droplet1("tenant:acme"), {urn: "do:droplet:2", kind: "droplet", tags: []string{"tenant:globex"}}, named("do:load_balancer:l", "lb")}, linked(Serves, "do:load_balancer:l", "do:droplet:1"), linked(Serves, "do:load_balancer:l", "do:droplet:2")), "do:load_balancer:l", "nobody", "lead to 2 tenants: acme (serves do:droplet:1 (web-1)), globex"},
		{"unless its name says more", known([]fact{droplet1("tenant:acme"), {urn: "do:droplet:2", kind: "droplet", tags: []string{"tenant:globex"}}, named("do:load_balancer:l", "lb")}, linked(Serves, "do:load_balancer:l", "do:droplet:1"), linked(Serves, "do:load_balancer:l", "do:droplet:2"), ruled(ByName, "lb", globex)), "do:load_balancer:l", "globex by name", ""},
		{"relations are stronger than names", known([]fact{droplet1("tenant:acme"), named("do:volume:v", "globex-data")}, linked(AttachedTo, "do:volume:v", "do:droplet:1"), ruled(ByName, "globex-*", globex)), "do:volume:v", "acme by relation", ""},
		{"what goes by a name is followed", known([]fact{droplet1(), named("do:volume:v", "v")}, linked(AttachedTo, "do:volume:v", "do:droplet:1"), ruled(ByName, "web-*", acme)), "do:volume:v", "acme by relation", ""},
		{"nobody's by hand is not followed", known([]fact{droplet1("tenant:acme"), named("do:volume:v", "v")}, linked(AttachedTo, "do:volume:v", "do:droplet:1"), assigned("do:droplet:1", "")), "do:volume:v", "nobody", ""},
		{"a network says nothing", known([]fact{droplet1("tenant:acme"), named("do:vpc:n", "n")}, linked(MemberOf, "do:droplet:1", "do:vpc:n")), "do:vpc:n", "nobody", ""},
		{"a circle ends", known([]fact{named("do:droplet:1", ""), named("do:droplet:2", "")}, linked(DependsOn, "do:droplet:1", "do:droplet:2"), linked(DependsOn, "do:droplet:2", "do:droplet:1")), "do:droplet:1", "nobody", ""},
		{"a node goes by its cluster", known([]fact{droplet1(), {urn: "do:kubernetes_cluster:k", kind: "kubernetes_cluster", tags: []string{"tenant:acme"}}}, linked(MemberOf, "do:droplet:1", "do:kubernetes_cluster:k")), "do:droplet:1", "acme by relation", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			verdicts := attribute(tt.f)
			i := slices.IndexFunc(verdicts, func(v Verdict) bool { return v.URN == tt.urn })
			if i < 0 {
				t.Fatalf("no verdict on %s in %+v", tt.urn, verdicts)
			}
			v := verdicts[i]
			if got := told(v); got != tt.want || !strings.Contains(v.Evidence, tt.evidence) || !strings.HasSuffix(v.Evidence, ".") {
				t.Errorf("%s is %s: %q; want %s with %q", tt.urn, got, v.Evidence, tt.want, tt.evidence)
			}
		})
	}
}

func told(v Verdict) string {
	text := map[tenant.ID]string{"": "nobody", acme.ID: "acme", globex.ID: "globex"}[v.Tenant]
	if v.Rule != "" {
		text += " by " + string(v.Rule)
	}
	return text
}

func TestAWordByHandShowsWhatItContradicts(t *testing.T) {
	f := known([]fact{droplet1("tenant:globex"), named("do:volume:v", "v"), named("do:volume:w", "acme-w")},
		linked(AttachedTo, "do:volume:v", "do:droplet:1"), ruled(ByName, "acme-*", acme),
		assigned("do:droplet:1", acme.ID), assigned("do:volume:v", globex.ID), assigned("do:volume:w", acme.ID))
	want := map[string]tenant.ID{"do:droplet:1": globex.ID, "do:volume:v": acme.ID, "do:volume:w": ""}
	for _, v := range attribute(f) {
		if v.Against != want[v.URN] || (v.Against == "") != (v.AgainstWhy == "") {
			t.Errorf("%s: against %q (%s), want %q", v.URN, v.Against, v.AgainstWhy, want[v.URN])
		}
	}
}

// anyFacts are facts at random: up to 30 resources with tags, names, projects,
// sagas, words by hand, rules and edges of every type, circles among them.
func anyFacts(r *rand.Rand) facts {
	f := known(nil)
	n := 1 + r.IntN(30)
	urns := make([]string, n)
	kinds := []string{"droplet", "volume", "snapshot", "load_balancer", "certificate", "domain", "project", "vpc"}
	for i := range n {
		urns[i] = fmt.Sprintf("do:%s:%d", kinds[r.IntN(len(kinds))], i)
		o := named(urns[i], fmt.Sprintf("%s-%d", []string{"acme", "globex", "x"}[r.IntN(3)], i))
		if r.IntN(4) == 0 {
			o.tags = append(o.tags, "tenant:"+[]string{"acme", "globex", "none"}[r.IntN(3)])
		}
		if r.IntN(9) == 0 {
			o.tags = append(o.tags, "tenant:globex")
		}
		if r.IntN(5) == 0 {
			o.gone = true
		}
		if r.IntN(8) == 0 {
			o.managedBy = "saga_1"
		}
		if r.IntN(6) == 0 {
			assigned(urns[i], []tenant.ID{acme.ID, globex.ID, ""}[r.IntN(3)])(&f)
		}
		f.resources = append(f.resources, o)
	}
	types := []EdgeType{SnapshotOf, AttachedTo, DependsOn, MemberOf, PointsTo, Serves, Protects}
	for range r.IntN(2 * n) {
		linked(types[r.IntN(len(types))], urns[r.IntN(n)], urns[r.IntN(n)])(&f)
	}
	if r.IntN(2) == 0 {
		ruled(ByName, "acme-*", acme)(&f)
	}
	if r.IntN(2) == 0 {
		ruled(ByProject, "x-*", globex)(&f)
	}
	if r.IntN(2) == 0 {
		made("saga_1", "acme")(&f)
	}
	return f
}

func TestAttributionKeepsItsPromises(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 1))
	relations := 0
	for range 3000 {
		f := anyFacts(r)
		verdicts := attribute(f)
		for range 3 { // the order of facts says nothing
			g := f
			g.resources, g.links, g.rules, g.tenants = slices.Clone(f.resources), slices.Clone(f.links), slices.Clone(f.rules), slices.Clone(f.tenants)
			r.Shuffle(len(g.resources), func(i, j int) { g.resources[i], g.resources[j] = g.resources[j], g.resources[i] })
			r.Shuffle(len(g.links), func(i, j int) { g.links[i], g.links[j] = g.links[j], g.links[i] })
			slices.Reverse(g.rules)
			slices.Reverse(g.tenants)
			if again := attribute(g); !slices.Equal(again, verdicts) {
				t.Fatalf("in another order of %+v:\n%+v\nwant\n%+v", f, again, verdicts)
			}
		}
		byURN := map[string]Verdict{}
		for _, v := range verdicts {
			if _, twice := byURN[v.URN]; twice {
				t.Fatalf("two verdicts on %s", v.URN)
			}
			byURN[v.URN] = v
			if v.Evidence == "" || v.Decided() != (v.Confidence > 0) || v.Tenant != "" && !v.Decided() {
				t.Fatalf("%+v does not hang together", v)
			}
			if v.Rule == ByRelation {
				relations++
			}
		}
		for _, o := range f.resources {
			v, told := byURN[o.urn]
			if told == o.gone {
				t.Fatalf("%+v: a verdict: %t", o, told)
			}
			if a, byHand := f.assignments[o.urn]; byHand && told && (v.Rule != ByManual || v.Tenant != a.Tenant) {
				t.Fatalf("%s was assigned to %q, and is %+v", o.urn, a.Tenant, v)
			}
		}
		checkReach(t, f, byURN)
	}
	if relations < 1000 {
		t.Errorf("only %d verdicts by relations: the test shows little", relations)
	}
}

// checkReach goes the relations by another way: from each resource without a
// stronger verdict, through others of the sort, to all tenants at the ends.
func checkReach(t *testing.T, f facts, verdicts map[string]Verdict) {
	t.Helper()
	by := map[string][]string{}
	for _, l := range f.links {
		if heir, of, _, _ := l.heir(); heir != "" && heir != of {
			by[heir] = append(by[heir], of)
		}
	}
	strong := func(urn string) bool { v := verdicts[urn]; return v.Decided() && v.Rule != ByRelation }
	gone := map[string]bool{}
	for _, o := range f.resources {
		gone[o.urn] = o.gone
	}
	for urn, v := range verdicts {
		if strong(urn) {
			continue
		}
		ends, seen, through := map[tenant.ID]bool{}, map[string]bool{}, false
		var walk func(string)
		walk = func(at string) {
			for _, of := range by[at] {
				switch {
				case seen[of]:
				case gone[of]:
					through = true // its verdict is not told
				case strong(of):
					if to := verdicts[of].Tenant; to != "" {
						ends[to] = true
					}
				default:
					seen[of] = true
					walk(of)
				}
			}
		}
		walk(urn)
		if through {
			continue
		}
		if v.Rule == ByRelation && (len(ends) != 1 || !ends[v.Tenant]) || !v.Decided() && len(ends) == 1 {
			t.Fatalf("%s reaches %v, and the verdict is %+v\n%+v", urn, slices.Collect(maps.Keys(ends)), v, f)
		}
	}
}

func TestRulesThatCannotBe(t *testing.T) {
	for _, r := range []Rule{
		{Type: ByName, Pattern: "*"}, {Type: ByName, Pattern: "?*"}, {Type: ByName, Pattern: ""}, {Type: ByName, Pattern: " x"},
		{Type: ByTag, Pattern: "tenant:acme"}, {Type: ByTag, Pattern: "Tenant:*"}, {Type: ByLedger, Pattern: "x"}, {Type: ByName, Pattern: "a\nb"},
		{Type: ByName, Pattern: strings.Repeat("x", 256)},
	} {
		if r.check() == nil {
			t.Errorf("%s %q is taken for a rule", r.Type, r.Pattern)
		}
	}
	if err := (Rule{Type: ByName, Pattern: "acme-*"}).check(); err != nil {
		t.Error(err)
	}
}
