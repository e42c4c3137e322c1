package dosim

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"
)

// A tagKind is how the tags' API speaks of a kind that takes tags. Several kinds
// may share one.
type tagKind struct {
	resourceType string // "volume_snapshot"
	group        string // "volume_snapshots"
}

// tagGroups are the groups that a tag counts, in the order of DigitalOcean's
// description.
func tagGroups() []string {
	return []string{"droplets", "images", "volumes", "volume_snapshots", "databases"}
}

// tagged is the tags of a thing. A kind that takes tags embeds it, and has a tagKind.
type tagged struct {
	Tags     []string             `json:"tags"`
	TaggedAt map[string]time.Time `json:"tagged_at,omitempty"` // when it got those that it was not made with
}

func (t *tagged) tags() *tagged { return t }

type tagHolder interface{ tags() *tagged }

// tagKey is what a thing with the tag is found under in its table.
func tagKey(name string) string { return "tag:" + name }

// isTag is DigitalOcean's pattern for a tag's name.
func isTag(s string) bool { return s != "" && len(s) <= 255 && onlyAlnumAnd(s, "_:-") }

// listedByTag is listed for what has the tag; a tag shows later than its thing.
func (t *table[E]) listedByTag(c *call, name string) []E {
	return only(t.listedUnder(c, tagKey(name)), func(e E) bool {
		at := e.self().Tagged
		if h, ok := any(e).(tagHolder); ok {
			if later, ok := h.tags().TaggedAt[name]; ok {
				at = later.Add(c.lag(paramTag, t.name))
			}
		}
		return c.reached(&e.self().life, at)
	})
}

// retag gives e the tag, or takes it away.
func (t *table[E]) retag(c *call, e entity, name string, with bool) {
	mine, ok := e.(E)
	if !ok {
		return
	}
	h, _ := any(mine).(tagHolder)
	if h == nil || slices.Contains(h.tags().Tags, name) == with {
		return
	}
	t.update(c, mine, func(next E) {
		h, _ := any(next).(tagHolder)
		tags := h.tags()
		at := maps.Clone(tags.TaggedAt)
		if at == nil {
			at = map[string]time.Time{}
		}
		if with {
			tags.Tags, at[name] = slices.Sorted(slices.Values(append([]string{name}, tags.Tags...))), c.at
		} else {
			tags.Tags = append([]string{}, only(tags.Tags, func(t string) bool { return t != name })...)
			delete(at, name)
		}
		tags.TaggedAt = at
	})
}

// A tag is a name, whose id it is.
type tag struct{ thing }

func tagResource() resource {
	return resource{
		table: func(w *world) anyTable {
			w.tags = newTable(w.seed, kind[*tag]{
				name: "tag", wire: func(c *call, t *tag) any { return wireTag(c, t) },
				title: func(t *tag) string { return t.ID },
				keys:  func(t *tag) []string { return []string{"name:" + strings.ToLower(t.ID)} },
			})
			return w.tags
		},
		routes: []route{
			op("GET /v2/tags", func(c *call) answer { return c.sim.world.tags.page(c, "tags", c.sim.world.tags.listed(c)) }, "tag:read"),
			op("POST /v2/tags", createTag, "tag:create"),
			op("GET /v2/tags/{tag}", getTag, "tag:read"),
			op("DELETE /v2/tags/{tag}", deleteTag, "tag:delete"),
			op("POST /v2/tags/{tag}/resources", func(c *call) answer { return tagResources(c, true) }, "tag:create"),
			op("DELETE /v2/tags/{tag}/resources", func(c *call) answer { return tagResources(c, false) }, "tag:delete"),
		},
	}
}

// ensureTags makes the tags that do not exist and returns all of them, sorted, as
// they were first written: names that differ in case alone are one tag.
func (c *call) ensureTags(names []string) []string {
	tags := []string{}
	for _, name := range names {
		same := c.sim.world.tags.under(c, "name:"+strings.ToLower(name))
		if len(same) == 0 {
			same = append(same, c.sim.world.tags.create(c, &tag{thing{ID: name, Unasked: true}}))
		}
		tags = append(tags, same[0].ID)
	}
	slices.Sort(tags)
	return slices.Compact(tags)
}

// eachTagged calls see with everything of the call's account that has the tag.
func (c *call) eachTagged(name string, see func(t anyTable, e entity)) {
	for _, t := range c.sim.world.order {
		if t.tagKind() == nil {
			continue
		}
		for _, e := range t.existing(c.account(), tagKey(name), c.at) {
			see(t, e)
		}
	}
}

type tagWire struct {
	Name      string         `json:"name"`
	Resources map[string]any `json:"resources"`
}

type tagCount struct {
	Count int    `json:"count"`
	Last  string `json:"last_tagged_uri,omitempty"`

	at time.Time
}

func (n *tagCount) add(at time.Time, uri string) {
	n.Count++
	if n.Last == "" || !at.Before(n.at) {
		n.Last, n.at = uri, at
	}
}

func wireTag(c *call, t *tag) tagWire {
	var all tagCount
	groups := map[string]*tagCount{}
	for _, g := range tagGroups() {
		groups[g] = &tagCount{}
	}
	c.eachTagged(t.ID, func(tab anyTable, e entity) {
		at := e.self().CreatedAt
		if h, ok := e.(tagHolder); ok {
			if later, ok := h.tags().TaggedAt[t.ID]; ok {
				at = later
			}
		}
		uri := c.uri(tab, e)
		all.add(at, uri)
		groups[tab.tagKind().group].add(at, uri)
	})
	resources := map[string]any{"count": all.Count}
	if all.Count > 0 {
		resources["last_tagged_uri"] = all.Last
	}
	for g, n := range groups {
		resources[g] = n
	}
	return tagWire{t.ID, resources}
}

func createTag(c *call) answer {
	var body struct {
		Name string `json:"name"`
	}
	if !c.decode(&body) {
		return invalidJSON()
	}
	if !isTag(body.Name) {
		return unprocessable("Name is invalid: a tag is up to 255 letters, digits, colons, dashes and underscores.")
	}
	tags := c.sim.world.tags
	if same := tags.under(c, "name:"+strings.ToLower(body.Name)); len(same) > 0 {
		return created("tag", tags.render(c, same[0])) // DigitalOcean takes it for the same
	}
	return created("tag", tags.render(c, tags.create(c, &tag{thing{ID: body.Name}})))
}

func getTag(c *call) answer {
	t, ok := c.sim.world.tags.find(c, c.values["tag"])
	if !ok {
		return notFound()
	}
	return showing("tag", c.sim.world.tags.render(c, t))
}

// deleteTag deletes the tag, and takes it from everything that has it.
func deleteTag(c *call) answer {
	t, ok := c.sim.world.tags.find(c, c.values["tag"])
	if !ok {
		return notFound()
	}
	c.eachTagged(t.ID, func(tab anyTable, e entity) { tab.retag(c, e, t.ID, false) })
	c.sim.world.tags.remove(c, t)
	return noContent()
}

// tagResources gives the tag to all that the body names, or takes it away; a name
// that nothing has leaves all as they were. Until the tag exists the answer is 404
// (digitalocean/csi-digitalocean relies on it).
func tagResources(c *call, with bool) answer {
	t, ok := c.sim.world.tags.find(c, c.values["tag"])
	if !ok {
		return notFound()
	}
	var body struct {
		Resources []struct {
			ID   json.RawMessage `json:"resource_id"` // clients send a number too
			Type string          `json:"resource_type"`
		} `json:"resources"`
	}
	if !c.decode(&body) {
		return invalidJSON()
	}
	var todo []func()
	for _, r := range body.Resources {
		tab, e, known := c.taggable(r.Type, strings.Trim(string(r.ID), `"`))
		if !known {
			return unprocessable("resource_type must be one of droplet, image, volume, volume_snapshot, database.")
		}
		if e == nil {
			return notFound()
		}
		todo = append(todo, func() { tab.retag(c, e, t.ID, with) })
	}
	for _, do := range todo {
		do()
	}
	return noContent()
}

// taggable finds what the tags' API calls by this type and id; known says that
// there is such a type.
func (c *call) taggable(resourceType, id string) (t anyTable, e entity, known bool) {
	for _, t := range c.sim.world.order {
		if t.tagKind() == nil || t.tagKind().resourceType != resourceType {
			continue
		}
		known = true
		if e := t.lookup(c.account(), id); e != nil && c.gettable(e.self()) {
			return t, e, true
		}
	}
	return nil, nil, known
}
