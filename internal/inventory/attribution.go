package inventory

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

// A Verdict says whose a resource is, and why.
type Verdict struct {
	URN        string
	Tenant     tenant.ID // empty: nobody's
	Rule       RuleName  // empty: no rule says anything
	Evidence   string    // a sentence; of an undecided one, why it is so
	Confidence int       // in percent; 0 of an undecided one

	// Against is, of what was said by hand, whose the other rules say it is, where
	// that is somebody else. AgainstWhy is their evidence.
	Against    tenant.ID
	AgainstWhy string
}

// Decided reports whether a rule says whose the resource is, or somebody said that
// it is nobody's.
func (v Verdict) Decided() bool { return v.Rule != "" }

// facts are all that attribution goes by, as values.
type facts struct {
	resources   []fact
	links       []link
	tenants     []tenant.Tenant
	rules       []Rule
	assignments map[string]Assignment // by URN
	sagas       map[string]string     // a tenant's id or slug, by saga
}

// A fact is what attribution has to know of a resource.
type fact struct {
	urn, kind, account string
	name               string
	tags               []string
	project            string // id, where the document says so
	managedBy          string // the saga that made it
	gone               bool   // kept because others hang on it
	was                Verdict
}

// A link is an edge between two resources.
type link struct {
	kind     EdgeType
	from, to string
}

// heir is which end of a link goes by the other, and in what words; rank says which
// of several relations is named as the evidence. Ends that say nothing about each
// other, such as a droplet and its network, give no heir.
func (l link) heir() (heir, of, words string, rank int) {
	switch l.kind {
	case SnapshotOf:
		return l.from, l.to, "copy of", 0
	case AttachedTo:
		return l.from, l.to, "attached to", 1
	case DependsOn:
		if strings.HasPrefix(l.to, "do:certificate:") {
			return l.to, l.from, "certificate of", 2
		}
		return l.from, l.to, "part of", 2
	case MemberOf:
		if strings.HasPrefix(l.to, "do:vpc:") || strings.HasPrefix(l.to, projectURN) {
			return "", "", "", 0
		}
		return l.from, l.to, "member of", 3
	case PointsTo:
		return l.from, l.to, "points to", 4
	case Serves:
		return l.from, l.to, "serves", 5
	case Protects:
		return l.from, l.to, "protects", 6
	case Watches:
		return l.from, l.to, "watches", 7
	}
	return "", "", "", 0
}

const projectURN = "do:project:"

// A hop is how a tenant was come to from a resource: by one relation.
type hop struct {
	of    string // the URN of the other end
	words string
	rank  int
}

func (h hop) before(o hop) int {
	return cmp.Or(cmp.Compare(h.rank, o.rank), cmp.Compare(h.of, o.of), cmp.Compare(h.words, o.words))
}

// A node is a resource on the way to its verdict.
type node struct {
	fact
	verdict Verdict
	fixed   bool              // a rule that is stronger than relations has spoken
	reached map[tenant.ID]hop // else: the tenants that its relations lead to
	notes   []string          // why rules say nothing that could have
}

// A court holds facts in the form in which they are asked for.
type court struct {
	facts
	nodes    map[string]*node
	heirs    map[string][]heirship // by the URN of what they go by
	elders   map[string][]hop      // what goes the other way, for what was assigned by hand
	slugs    map[tenant.ID]string
	named    map[string]tenant.ID // tenants by slug and by id
	patterns map[RuleID]*regexp.Regexp
	projects map[string]string // names of projects by id
	within   map[string]string // ids of projects by URN of what is in them
}

type heirship struct {
	heir string
	hop  hop
}

// attribute says whose each resource is: one verdict for each that is not gone, by
// URN. It goes by nothing but the facts, whatever their order.
//
// Relations are followed from every resource about which a stronger rule has
// spoken, through those about which none has: a resource reaches a set of tenants,
// and is one's where that set has just one member. What has been guessed by its
// name is followed too, where relations alone lead nowhere or to several.
func attribute(f facts) []Verdict {
	c := newCourt(f)
	for _, n := range c.nodes {
		n.verdict, n.fixed = c.direct(n)
	}
	for c.spread(); c.guess(); c.spread() {
	}
	verdicts := make([]Verdict, 0, len(c.nodes))
	for urn, n := range c.nodes {
		switch _, byHand := c.assignments[urn]; {
		case n.gone:
			continue
		case !n.fixed:
			n.verdict = c.weak(n)
		case byHand:
			n.verdict.Against, n.verdict.AgainstWhy = c.against(n)
		}
		verdicts = append(verdicts, n.verdict)
	}
	slices.SortFunc(verdicts, func(a, b Verdict) int { return cmp.Compare(a.URN, b.URN) })
	return verdicts
}

func newCourt(f facts) *court {
	c := &court{
		facts: f, nodes: make(map[string]*node, len(f.resources)), heirs: map[string][]heirship{}, elders: map[string][]hop{}, slugs: map[tenant.ID]string{},
		named: map[string]tenant.ID{}, patterns: map[RuleID]*regexp.Regexp{}, projects: map[string]string{}, within: map[string]string{},
	}
	c.rules = slices.Clone(f.rules)
	slices.SortFunc(c.rules, func(a, b Rule) int { return cmp.Or(cmp.Compare(a.Pattern, b.Pattern), cmp.Compare(a.ID, b.ID)) })
	for _, t := range f.tenants {
		c.slugs[t.ID], c.named[t.Slug], c.named[string(t.ID)] = t.Slug, t.ID, t.ID
	}
	for _, r := range c.rules {
		c.patterns[r.ID] = glob(r.Pattern)
	}
	for _, r := range f.resources {
		c.nodes[r.urn] = &node{fact: r}
		if id, ok := strings.CutPrefix(r.urn, projectURN); ok {
			c.projects[id] = r.name
		}
	}
	for _, l := range f.links {
		if id, ok := strings.CutPrefix(l.to, projectURN); ok && l.kind == MemberOf {
			if had, twice := c.within[l.from]; !twice || id < had {
				c.within[l.from] = id
			}
		}
		heir, of, words, rank := l.heir()
		if c.nodes[heir] != nil && c.nodes[of] != nil && heir != of {
			by := hop{of, words, rank}
			c.heirs[of] = append(c.heirs[of], heirship{heir, by})
			if _, byHand := c.assignments[heir]; byHand {
				c.elders[heir] = append(c.elders[heir], by)
			}
		}
	}
	return c
}

// A claim is what one thing says of whose a resource is.
type claim struct {
	tenant   tenant.ID
	evidence string
}

// direct is what the rules say that are stronger than relations.
func (c *court) direct(n *node) (Verdict, bool) {
	if a, ok := c.assignments[n.urn]; ok {
		return c.manual(n, a), true
	}
	if v, ok := c.byRules(n); ok {
		return v, true
	}
	if n.gone && n.was.Tenant != "" && c.slugs[n.was.Tenant] != "" {
		return n.was, true // as it was when it was last seen
	}
	return Verdict{}, false
}

func (c *court) manual(n *node, a Assignment) Verdict {
	v := Verdict{URN: n.urn, Tenant: a.Tenant, Rule: ByManual, Confidence: confidence[ByManual]}
	v.Evidence = "Assigned by " + a.Actor
	if a.Tenant == "" {
		v.Evidence = "Said to be nobody's by " + a.Actor
	}
	if a.Reason != "" {
		v.Evidence += ": " + strings.TrimRight(a.Reason, ".")
	}
	v.Evidence += "."
	return v
}

// byRules is what ledger, tags and project say.
func (c *court) byRules(n *node) (Verdict, bool) {
	for _, by := range []struct {
		rule   RuleName
		claims []claim
	}{{ByLedger, c.ledger(n)}, {ByTag, c.tags(n)}, {ByTag, c.tagRules(n)}, {ByProject, c.project(n)}} {
		if v, ok := c.judge(n, by.rule, by.claims); ok {
			return v, true
		}
	}
	return Verdict{}, false
}

func (c *court) byName(n *node) (Verdict, bool) { return c.judge(n, ByName, c.nameRules(n)) }

// judge makes a verdict of claims that agree. Claims for two tenants are none.
func (c *court) judge(n *node, rule RuleName, claims []claim) (Verdict, bool) {
	for _, other := range claims {
		if other.tenant != claims[0].tenant {
			n.note("%s, %s", strings.TrimRight(claims[0].evidence, "."), "but: "+lowerFirst(other.evidence))
			return Verdict{}, false
		}
	}
	if len(claims) == 0 {
		return Verdict{}, false
	}
	return Verdict{URN: n.urn, Tenant: claims[0].tenant, Rule: rule, Evidence: claims[0].evidence, Confidence: confidence[rule]}, true
}

// note keeps why a rule says nothing, once.
func (n *node) note(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); !slices.Contains(n.notes, text) {
		n.notes = append(n.notes, text)
	}
}

func (c *court) ledger(n *node) []claim {
	if t, ok := c.named[c.sagas[n.managedBy]]; ok && n.managedBy != "" {
		return []claim{{t, fmt.Sprintf("Made by %s for %s.", n.managedBy, c.slugs[t])}}
	}
	return nil
}

// ownTags are the tags of a resource, sorted; a tag's own is its name.
func (n *node) ownTags() []string {
	tags := slices.Clone(n.tags)
	if n.kind == "tag" {
		tags = append(tags, n.name)
	}
	slices.Sort(tags)
	return tags
}

func (c *court) tags(n *node) (claims []claim) {
	for _, tag := range n.ownTags() {
		slug, ok := strings.CutPrefix(strings.ToLower(tag), tenant.TagPrefix)
		if !ok {
			continue
		}
		t, known := c.named[slug]
		if !known || c.slugs[t] != slug {
			n.note("Its tag %s names no tenant", tag)
			continue
		}
		claims = append(claims, claim{t, fmt.Sprintf("Its tag %s says so.", tag)})
	}
	return claims
}

func (c *court) tagRules(n *node) (claims []claim) {
	for _, tag := range n.ownTags() {
		claims = append(claims, c.matching(ByTag, tag, "Its tag "+tag)...)
	}
	return claims
}

func (c *court) project(n *node) []claim {
	id := cmp.Or(n.project, c.within[n.urn])
	if own, ok := strings.CutPrefix(n.urn, projectURN); ok {
		id = own
	}
	if id == "" {
		return nil
	}
	name := cmp.Or(c.projects[id], id)
	claims := c.matching(ByProject, id, "Its project "+name)
	if name != id {
		claims = append(claims, c.matching(ByProject, name, "Its project "+name)...)
	}
	return claims
}

func (c *court) nameRules(n *node) []claim {
	if n.name == "" {
		return nil
	}
	return c.matching(ByName, n.name, "Its name "+n.name)
}

// matching are the claims of the rules of a type that fit a text.
func (c *court) matching(of RuleName, text, what string) (claims []claim) {
	for _, r := range c.rules {
		if r.Type == of && c.slugs[r.Tenant] != "" && c.patterns[r.ID].MatchString(text) {
			claims = append(claims, claim{r.Tenant, fmt.Sprintf("%s fits the rule %s → %s.", what, r.Pattern, c.slugs[r.Tenant])})
		}
	}
	return claims
}

// spread follows relations from all that is fixed, the nearest first.
func (c *court) spread() {
	front := map[string][]tenant.ID{}
	for urn, n := range c.nodes {
		n.reached = map[tenant.ID]hop{}
		if n.fixed && n.verdict.Tenant != "" {
			front[urn] = []tenant.ID{n.verdict.Tenant}
		}
	}
	for len(front) > 0 {
		type key struct {
			heir   string
			tenant tenant.ID
		}
		found := map[key]hop{}
		for urn, tenants := range front {
			for _, to := range c.heirs[urn] {
				n := c.nodes[to.heir]
				if n.fixed {
					continue
				}
				for _, t := range tenants {
					if _, had := n.reached[t]; had {
						continue
					}
					at := key{to.heir, t}
					if have, ok := found[at]; !ok || to.hop.before(have) < 0 {
						found[at] = to.hop
					}
				}
			}
		}
		front = map[string][]tenant.ID{}
		for at, by := range found {
			c.nodes[at.heir].reached[at.tenant] = by
			front[at.heir] = append(front[at.heir], at.tenant)
		}
	}
}

// weak is the verdict of relations, or why there is none.
func (c *court) weak(n *node) Verdict {
	if v, ok := c.byRelation(n, n.reached); ok {
		return v
	}
	why := "No rule says whose it is."
	if len(n.notes) > 0 {
		why = strings.Join(n.notes, "; ") + "."
	}
	return Verdict{URN: n.urn, Evidence: why}
}

// byRelation is the verdict of relations that lead to one tenant.
func (c *court) byRelation(n *node, reached map[tenant.ID]hop) (Verdict, bool) {
	if len(reached) > 1 {
		var ways []string
		for t, by := range reached {
			ways = append(ways, fmt.Sprintf("%s (%s %s)", c.slugs[t], by.words, c.called(by.of)))
		}
		slices.Sort(ways)
		n.note("Its relations lead to %d tenants: %s", len(ways), strings.Join(ways[:min(len(ways), 3)], ", "))
		return Verdict{}, false
	}
	for t, by := range reached {
		return Verdict{
			URN: n.urn, Tenant: t, Rule: ByRelation, Confidence: min(confidence[ByRelation], c.trust(by.of, t)),
			Evidence: fmt.Sprintf("%s %s, which is %s's.", upperFirst(by.words), c.called(by.of), c.slugs[t]),
		}, true
	}
	return Verdict{}, false
}

// trust is the confidence of the verdict at the other end of a relation, or of the
// fixed one that the way to it began with.
func (c *court) trust(urn string, t tenant.ID) int {
	for {
		n := c.nodes[urn]
		if n.fixed {
			return n.verdict.Confidence
		}
		urn = n.reached[t].of
	}
}

// called is a resource in a sentence.
func (c *court) called(urn string) string {
	n := c.nodes[urn]
	text := urn
	if n.name != "" {
		text += " (" + n.name + ")"
	}
	if n.gone {
		text += ", which is gone"
	}
	return text
}

// guess fixes by their names those whose relations lead nowhere or to several, and
// reports whether there were any: others may hang on them.
func (c *court) guess() bool {
	var guessed []*node
	for _, n := range c.nodes {
		if n.fixed || len(n.reached) == 1 {
			continue
		}
		if v, ok := c.byName(n); ok {
			n.verdict = v
			guessed = append(guessed, n)
		}
	}
	for _, n := range guessed {
		n.fixed = true
	}
	return len(guessed) > 0
}

// against is whose the rest of the chain says that a resource is of which
// something else was said by hand, with the evidence.
func (c *court) against(n *node) (tenant.ID, string) {
	v, ok := c.byRules(n)
	if !ok {
		reached := map[tenant.ID]hop{}
		for _, by := range c.elders[n.urn] {
			of := c.nodes[by.of]
			tenants := slices.Collect(maps.Keys(of.reached))
			if of.fixed {
				tenants = []tenant.ID{of.verdict.Tenant}
			}
			for _, t := range tenants {
				if have, had := reached[t]; t != "" && (!had || by.before(have) < 0) {
					reached[t] = by
				}
			}
		}
		v, ok = c.byRelation(n, reached)
	}
	if !ok {
		v, ok = c.byName(n)
	}
	if !ok || v.Tenant == n.verdict.Tenant {
		return "", ""
	}
	return v.Tenant, v.Evidence
}

func lowerFirst(s string) string { return strings.ToLower(s[:min(1, len(s))]) + s[min(1, len(s)):] }

func upperFirst(s string) string { return strings.ToUpper(s[:min(1, len(s))]) + s[min(1, len(s)):] }
