package dosim

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A firewall lets through what its rules name, for the droplets that it names
// and those with one of its tags. Its own tags are targets: it takes none itself.
type firewall struct {
	thing
	Name     string         `json:"name"`
	Inbound  []firewallRule `json:"inbound_rules"`
	Outbound []firewallRule `json:"outbound_rules"`
	RulesAt  time.Time      `json:"rules_at"`         // since when the rules are these
	Before   []firewallRule `json:"before,omitempty"` // the inbound rules in force until these are

	Droplets  map[int64]time.Time  `json:"droplets"` // since when each is named
	Tags      map[string]time.Time `json:"tags"`
	RemovedAt map[int64]time.Time  `json:"removed_at,omitempty"` // when droplets lately ceased to be covered
}

type firewallWire struct {
	ID             string              `json:"id"`
	Name           string              `json:"name"`
	Status         string              `json:"status"`
	InboundRules   []firewallRule      `json:"inbound_rules"`
	OutboundRules  []firewallRule      `json:"outbound_rules"`
	CreatedAt      string              `json:"created_at"`
	DropletIDs     []int64             `json:"droplet_ids"`
	Tags           []string            `json:"tags"`
	PendingChanges []pendingChangeWire `json:"pending_changes"`
}

type pendingChangeWire struct {
	DropletID int64  `json:"droplet_id"`
	Removing  bool   `json:"removing"`
	Status    string `json:"status"`
}

const (
	paramFirewallApply = "firewall.apply"

	// DigitalOcean's documentation of the firewalls' limits.
	maxFirewallDroplets = 10
	maxFirewallTags     = 5
	maxFirewallRules    = 50
)

func firewallResource() resource {
	edit := func(do func(c *call, f *firewall, b firewallBody) (*answer, func(*firewall))) func(c *call) answer {
		return func(c *call) answer { return editFirewall(c, do) }
	}
	return resource{
		table: func(w *world) anyTable {
			w.firewalls = newTable(w.seed, kind[*firewall]{
				name: "firewall", wire: func(c *call, f *firewall) any { return f.wire(c) },
				title: func(f *firewall) string { return f.Name },
				keys: func(f *firewall) []string {
					keys := []string{"name:" + strings.ToLower(f.Name)}
					for d := range f.Droplets {
						keys = append(keys, "covers:"+dropletURN(strconv.FormatInt(d, 10)))
					}
					for t := range f.Tags {
						keys = append(keys, "covers:"+urn("tag", t))
					}
					return keys
				},
			})
			return w.firewalls
		},
		routes: []route{
			op("GET /v2/firewalls", func(c *call) answer {
				return c.sim.world.firewalls.page(c, "firewalls", c.sim.world.firewalls.listed(c))
			}, "firewall:read"),
			op("POST /v2/firewalls", createFirewall, "firewall:create"),
			op("GET /v2/firewalls/{firewall}", getFirewall, "firewall:read"),
			op("PUT /v2/firewalls/{firewall}", replaceFirewall, "firewall:update"),
			op("DELETE /v2/firewalls/{firewall}", deleteFirewall, "firewall:delete"),
			op("POST /v2/firewalls/{firewall}/droplets", edit(addFirewallDroplets), "firewall:update"),
			op("DELETE /v2/firewalls/{firewall}/droplets", edit(removeFirewallDroplets), "firewall:update"),
			op("POST /v2/firewalls/{firewall}/tags", edit(addFirewallTags), "firewall:update"),
			op("DELETE /v2/firewalls/{firewall}/tags", edit(removeFirewallTags), "firewall:update"),
			op("POST /v2/firewalls/{firewall}/rules", edit(addFirewallRules), "firewall:update"),
			op("DELETE /v2/firewalls/{firewall}/rules", edit(removeFirewallRules), "firewall:update"),
			op("GET /v2/droplets/{droplet}/firewalls", listDropletFirewalls, "firewall:read"),
		},
		params: []Param{{paramFirewallApply, "5s", 0, 0, "from a firewall's change, or a droplet's coming under it, to the change being in force"}},
		gone:   forgetFirewalled,
	}
}

// covered is since when the firewall should know each droplet that it covers. A
// tag reaches it as late as lists by the tag: digitalocean/godo#161.
func (f *firewall) covered(c *call) map[int64]time.Time {
	since := map[int64]time.Time{}
	add := func(id int64, at time.Time) {
		if old, ok := since[id]; !ok || at.Before(old) {
			since[id] = at
		}
	}
	for id, at := range f.Droplets {
		add(id, at)
	}
	droplets := c.sim.world.droplets
	for name, at := range f.Tags {
		for _, d := range droplets.under(c, tagKey(name)) {
			shows := d.Tagged
			if later, ok := d.TaggedAt[name]; ok {
				shows = later.Add(c.lag(paramTag, kindDroplet))
			}
			if !c.at.Before(shows) {
				add(number(d.ID), later(at, shows))
			}
		}
	}
	return since
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// pending are the droplets that do not follow the firewall yet.
func (f *firewall) pending(c *call) []pendingChangeWire {
	all := []pendingChangeWire{}
	takes := c.sim.params.duration(paramFirewallApply)
	covered := f.covered(c)
	for id, at := range covered {
		if c.at.Before(later(at, f.RulesAt).Add(takes)) {
			all = append(all, pendingChangeWire{id, false, "waiting"})
		}
	}
	for id, at := range f.RemovedAt {
		if _, back := covered[id]; !back && c.at.Before(at.Add(takes)) {
			all = append(all, pendingChangeWire{id, true, "waiting"})
		}
	}
	slices.SortFunc(all, func(a, b pendingChangeWire) int { return cmp.Compare(a.DropletID, b.DropletID) })
	return all
}

// inForce are the inbound rules that droplets follow which follow the firewall.
func (f *firewall) inForce(c *call) []firewallRule {
	if c.at.Before(f.RulesAt.Add(c.sim.params.duration(paramFirewallApply))) {
		return f.Before
	}
	return f.Inbound
}

// guards reports whether the droplet follows the firewall by now, or does still.
func (f *firewall) guards(c *call, d *droplet) bool {
	takes := c.sim.params.duration(paramFirewallApply)
	if at, covers := f.covered(c)[number(d.ID)]; covers {
		return !c.at.Before(at.Add(takes))
	}
	at, ceased := f.RemovedAt[number(d.ID)]
	return ceased && c.at.Before(at.Add(takes))
}

func (f *firewall) wire(c *call) firewallWire {
	w := firewallWire{
		ID: f.ID, Name: f.Name, Status: "succeeded", CreatedAt: wireTime(f.CreatedAt),
		InboundRules: append([]firewallRule{}, f.Inbound...), OutboundRules: append([]firewallRule{}, f.Outbound...),
		DropletIDs: sortedKeys(f.Droplets), Tags: sortedKeys(f.Tags), PendingChanges: f.pending(c),
	}
	if len(w.PendingChanges) > 0 || c.at.Before(f.RulesAt.Add(c.sim.params.duration(paramFirewallApply))) {
		w.Status = "waiting"
	}
	return w
}

// sortedKeys are a map's keys, [] rather than nil.
func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K {
	return append([]K{}, slices.Sorted(maps.Keys(m))...)
}

type firewallBody struct {
	Name     string         `json:"name"`
	Inbound  []firewallRule `json:"inbound_rules"`
	Outbound []firewallRule `json:"outbound_rules"`
	Droplets []int64        `json:"droplet_ids"`
	Tags     []string       `json:"tags"`
}

// targets are the body's droplets and tags, since now but for those that the
// firewall had.
func (b firewallBody) targets(c *call, old *firewall) (droplets map[int64]time.Time, tags map[string]time.Time) {
	droplets, tags = map[int64]time.Time{}, map[string]time.Time{}
	for _, d := range b.Droplets {
		droplets[d] = c.at
		if at, ok := old.Droplets[d]; ok {
			droplets[d] = at
		}
	}
	for _, t := range b.Tags {
		tags[t] = c.at
		if at, ok := old.Tags[t]; ok {
			tags[t] = at
		}
	}
	return droplets, tags
}

// normal is the body with its rules as DigitalOcean shows them, or its objection:
// 403 for what the token may not see, 409 for a name that is taken, else 422. A
// tag that does not exist is one (poseidon/typhoon#709).
func (b firewallBody) normal(c *call) (firewallBody, *answer) {
	no := func(a answer) (firewallBody, *answer) { return b, &a }
	if len(b.Droplets) > 0 && !c.token.may([]string{"droplet:read"}) || len(b.Tags) > 0 && !c.token.may([]string{"tag:read", "tag:create"}) {
		return no(forbidden())
	}
	for _, d := range b.Droplets {
		if all, ok := c.sim.world.droplets.get(c.account(), strconv.FormatInt(d, 10)); !ok || !all.exists(c.at) {
			return no(unprocessable("droplet ids are invalid"))
		}
	}
	tags := make([]string, 0, len(b.Tags))
	for _, t := range b.Tags {
		same := c.sim.world.tags.under(c, "name:"+strings.ToLower(t))
		if len(same) == 0 {
			return no(unprocessable("tag does not exist: " + strconv.Quote(t)))
		}
		tags = append(tags, same[0].ID)
	}
	b.Tags = tags
	var err error
	if b.Inbound, err = normalRules(c, b.Inbound, true); err != nil {
		return no(unprocessable(err.Error()))
	}
	if b.Outbound, err = normalRules(c, b.Outbound, false); err != nil {
		return no(unprocessable(err.Error()))
	}
	return b, nil
}

// checkFirewall reports why the firewall cannot be what f says; id is "" for a
// new one.
func (c *call) checkFirewall(id string, f *firewall) *answer {
	no := func(a answer) *answer { return &a }
	switch {
	case f.Name == "" || len(f.Name) > 255 || !onlyAlnumAnd(f.Name, ".-") || !onlyAlnumAnd(f.Name[:1], ""):
		return no(unprocessable("name must begin with an alphanumeric character and contain only alphanumeric characters, periods and dashes"))
	case len(f.Inbound)+len(f.Outbound) == 0:
		return no(unprocessable("a firewall needs at least one inbound or outbound rule"))
	case len(f.Inbound)+len(f.Outbound) > maxFirewallRules:
		return no(unprocessable("a firewall has at most 50 rules"))
	case len(f.Droplets) > maxFirewallDroplets:
		return no(unprocessable("a firewall names at most 10 droplets: use a tag"))
	case len(f.Tags) > maxFirewallTags:
		return no(unprocessable("a firewall has at most 5 tags"))
	}
	for _, same := range c.sim.world.firewalls.under(c, "name:"+strings.ToLower(f.Name)) {
		if same.ID != id {
			return no(refusal(http.StatusConflict, "conflict", "duplicate name")) // harmony-one/harmony-ops#374, #390
		}
	}
	return nil
}

func createFirewall(c *call) answer {
	var body firewallBody
	if !c.decode(&body) {
		return invalidJSON()
	}
	body, refused := body.normal(c)
	if refused != nil {
		return *refused
	}
	f := &firewall{Name: body.Name, Inbound: body.Inbound, Outbound: body.Outbound, RulesAt: c.at}
	f.Droplets, f.Tags = body.targets(c, &firewall{})
	if refused := c.checkFirewall("", f); refused != nil {
		return *refused
	}
	firewalls := c.sim.world.firewalls
	return answer{http.StatusAccepted, map[string]any{"firewall": firewalls.render(c, firewalls.create(c, f))}}
}

// firewall finds the firewall in the path.
func (c *call) firewall() (*firewall, bool) {
	return c.sim.world.firewalls.find(c, c.values["firewall"])
}

func getFirewall(c *call) answer {
	f, ok := c.firewall()
	if !ok {
		return notFound()
	}
	return showing("firewall", c.sim.world.firewalls.render(c, f))
}

func deleteFirewall(c *call) answer {
	f, ok := c.firewall()
	if !ok {
		return notFound()
	}
	c.sim.world.firewalls.remove(c, f)
	return noContent()
}

// replaceFirewall resets what the body does not name.
func replaceFirewall(c *call) answer {
	a := editFirewall(c, func(c *call, f *firewall, b firewallBody) (*answer, func(*firewall)) {
		droplets, tags := b.targets(c, f)
		return nil, func(next *firewall) {
			next.Name, next.Inbound, next.Outbound, next.RulesAt = b.Name, b.Inbound, b.Outbound, c.at
			next.Droplets, next.Tags = droplets, tags
		}
	})
	if f, ok := c.firewall(); ok && a.status == http.StatusNoContent {
		return showing("firewall", f.wire(c))
	}
	return a
}

// editFirewall does what change says to the firewall in the path, if the outcome
// can be, and answers 204.
func editFirewall(c *call, change func(c *call, f *firewall, b firewallBody) (*answer, func(*firewall))) answer {
	f, ok := c.firewall()
	if !ok {
		return notFound()
	}
	var body firewallBody
	if !c.decode(&body) {
		return invalidJSON()
	}
	body, refused := body.normal(c)
	if refused != nil {
		return *refused
	}
	refused, do := change(c, f, body)
	if refused != nil {
		return *refused
	}
	next := copyOf(f)
	do(next)
	if refused := c.checkFirewall(f.ID, next); refused != nil {
		return *refused
	}
	before, after := f.covered(c), next.covered(c)
	removed := map[int64]time.Time{}
	for id, at := range f.RemovedAt {
		if c.at.Before(at.Add(c.sim.params.duration(paramFirewallApply))) {
			removed[id] = at
		}
	}
	for id := range before {
		if _, still := after[id]; !still {
			removed[id] = c.at
		}
	}
	c.sim.world.firewalls.update(c, f, func(f *firewall) {
		if next.RulesAt.Equal(c.at) {
			f.Before = f.inForce(c)
		}
		do(f)
		f.RemovedAt = removed
	})
	return noContent()
}

func addFirewallDroplets(c *call, f *firewall, b firewallBody) (*answer, func(*firewall)) {
	if len(b.Droplets) == 0 {
		return missing("droplet_ids")
	}
	b.Droplets = append(b.Droplets, sortedKeys(f.Droplets)...)
	droplets, _ := b.targets(c, f)
	return nil, func(next *firewall) { next.Droplets = droplets }
}

func removeFirewallDroplets(_ *call, _ *firewall, b firewallBody) (*answer, func(*firewall)) {
	if len(b.Droplets) == 0 {
		return missing("droplet_ids")
	}
	return nil, func(next *firewall) { next.Droplets = without(next.Droplets, b.Droplets...) }
}

func addFirewallTags(c *call, f *firewall, b firewallBody) (*answer, func(*firewall)) {
	if len(b.Tags) == 0 {
		return missing("tags")
	}
	b.Tags = append(b.Tags, sortedKeys(f.Tags)...)
	_, tags := b.targets(c, f)
	return nil, func(next *firewall) { next.Tags = tags }
}

func removeFirewallTags(_ *call, _ *firewall, b firewallBody) (*answer, func(*firewall)) {
	if len(b.Tags) == 0 {
		return missing("tags")
	}
	return nil, func(next *firewall) { next.Tags = without(next.Tags, b.Tags...) }
}

func addFirewallRules(c *call, f *firewall, b firewallBody) (*answer, func(*firewall)) {
	if len(b.Inbound)+len(b.Outbound) == 0 {
		return missing("inbound_rules or outbound_rules")
	}
	join := func(old, more []firewallRule) []firewallRule {
		return append(slices.Clone(old), only(more, func(r firewallRule) bool { return !slices.ContainsFunc(old, r.same) })...)
	}
	return nil, func(next *firewall) {
		next.Inbound, next.Outbound, next.RulesAt = join(f.Inbound, b.Inbound), join(f.Outbound, b.Outbound), c.at
	}
}

func removeFirewallRules(c *call, f *firewall, b firewallBody) (*answer, func(*firewall)) {
	if len(b.Inbound)+len(b.Outbound) == 0 {
		return missing("inbound_rules or outbound_rules")
	}
	drop := func(old, some []firewallRule) []firewallRule {
		return only(old, func(r firewallRule) bool { return !slices.ContainsFunc(some, r.same) })
	}
	return nil, func(next *firewall) {
		next.Inbound, next.Outbound, next.RulesAt = drop(f.Inbound, b.Inbound), drop(f.Outbound, b.Outbound), c.at
	}
}

func missing(key string) (*answer, func(*firewall)) {
	a := unprocessable(key + " is required")
	return &a, nil
}

// without is a copy of m that lacks the keys.
func without[K comparable, V any](m map[K]V, keys ...K) map[K]V {
	m = maps.Clone(m)
	for _, k := range keys {
		delete(m, k)
	}
	return m
}

// listDropletFirewalls shows the firewalls that cover the droplet.
func listDropletFirewalls(c *call) answer {
	d, ok := c.droplet()
	if !ok {
		return notFound()
	}
	firewalls := c.sim.world.firewalls
	return firewalls.page(c, "firewalls", only(firewalls.listed(c), func(f *firewall) bool {
		_, covers := f.covered(c)[number(d.ID)]
		return covers
	}))
}

// forgetFirewalled takes a deleted droplet or tag out of the firewalls.
func forgetFirewalled(c *call, urn string, e entity) {
	firewalls := c.sim.world.firewalls
	for _, f := range firewalls.under(c, "covers:"+urn) {
		firewalls.update(c, f, func(next *firewall) {
			if _, isTag := e.(*tag); isTag {
				next.Tags = without(next.Tags, e.self().ID)
			} else {
				next.Droplets = without(next.Droplets, number(e.self().ID))
			}
		})
	}
}
