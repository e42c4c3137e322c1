package dosim

import (
	"cmp"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/fault"
)

// Each file shows a thing of the kind that it is named after: every key that the
// API shows, with the values that a seed need not give.
//
//go:embed listed/*.json
var listedShapes embed.FS

// A listedThing is of a kind that the cloud only lists and shows: it is seeded,
// see [Sim.SeedThing], and requests make or delete few of them.
type listedThing struct {
	thing
	tagged
	networked
	Parent string         `json:"parent,omitempty"` // the id of what it belongs to
	Data   map[string]any `json:"data"`             // as the API shows it
}

// A listedKind is all that there is to say of such a kind.
type listedKind struct {
	name    string
	path    string // of the list, "/v2/databases"
	list    string // the key around many
	one     string // the key around one
	id      string // the key of the id in a thing
	title   string // the key of its name
	scope   string // what a token must carry; empty: one of scopes
	scopes  [2][]string
	unpaged bool     // the list has all, without links and meta
	pages   bool     // its meta tell the page and how many there are
	filters []string // what a list's query may name: keys of a thing
	hidden  []string // keys that addresses of their own show
	urn     string
	tag     *tagKind
	network string // the key of its VPC's id, if it is a member of one
	parent  string // the kind whose id the path has, if there is one
	limit   *limit
	shown   func(c *call, data map[string]any) // takes out what the call may not see
	more    []route
}

// listedResource is the family of the kind: its list, and the thing itself.
func listedResource(k listedKind) resource {
	list, get := []string{k.scope}, []string{k.scope}
	if k.scope == "" {
		list, get = k.scopes[0], k.scopes[1]
	}
	routes := []route{
		op("GET "+k.path, func(c *call) answer { return listThings(c, k) }, list...),
		op("GET "+k.path+"/{"+k.name+"}", func(c *call) answer {
			e, ok := findThing(c, k)
			if !ok {
				return notFound()
			}
			return showing(k.one, c.sim.world.listed(k.name).render(c, e))
		}, get...),
	}
	if k.limit != nil {
		for i := range routes {
			routes[i] = routes[i].limited(*k.limit)
		}
	}
	return resource{
		table: func(w *world) anyTable {
			return newTable(w.seed, kind[*listedThing]{
				name: k.name, wire: func(c *call, e *listedThing) any { return k.wire(c, e) },
				title: func(e *listedThing) string { return fmt.Sprint(e.Data[k.title]) },
				check: func(w *world, e *listedThing) error { return k.check(w, e) },
				keys: func(e *listedThing) []string {
					return []string{"of:" + urn(k.parent, e.Parent)}
				},
				path: k.path + "/", urn: k.urn, tag: k.tag,
			})
		},
		routes: append(routes, k.more...),
	}
}

// listed is the table of a kind that is only listed; nil when there is none.
func (w *world) listed(kind string) *table[*listedThing] {
	t, _ := w.tables[kind].(*table[*listedThing])
	return t
}

func (k listedKind) wire(c *call, e *listedThing) map[string]any {
	data := maps.Clone(e.Data)
	data[k.id] = strings.TrimPrefix(e.ID, e.Parent+"/")
	if _, ok := data["created_at"]; ok {
		data["created_at"] = wireTime(e.CreatedAt)
	}
	if _, ok := data["project_id"]; ok {
		data["project_id"] = e.Project
	}
	if k.tag != nil {
		data["tags"] = append([]string{}, e.Tags...)
	}
	if k.network != "" {
		data[k.network] = e.VPC
	}
	for _, key := range k.hidden {
		delete(data, key)
	}
	if k.shown != nil {
		k.shown(c, data)
	}
	return data
}

// shape is what every thing of the kind has, with its usual values.
func (k listedKind) shape() map[string]any {
	text, err := listedShapes.ReadFile("listed/" + k.name + ".json")
	if err != nil {
		panic("dosim: " + err.Error())
	}
	var data map[string]any
	if err := json.Unmarshal(text, &data); err != nil {
		panic("dosim: listed/" + k.name + ".json: " + err.Error())
	}
	return data
}

// check reports why a thing cannot be of the kind: it has a key that none has, or
// a value of another sort.
func (k listedKind) check(w *world, e *listedThing) error {
	if e.Data == nil {
		return fmt.Errorf("the %s %s has no data", k.name, e.ID)
	}
	if err := fits(e.Data, k.shape(), k.name); err != nil {
		return err
	}
	if k.parent == "" {
		return nil
	}
	if parent := w.tables[k.parent].lookup(e.Account, e.Parent); parent == nil {
		return fmt.Errorf("there is no %s %q that the %s belongs to", k.parent, e.Parent, k.name)
	}
	return nil
}

// fits compares a value with one that is as it should be. In lists and in what
// is null or empty there, anything goes.
func fits(v, like any, at string) error {
	l, isObject := like.(map[string]any)
	o, ok := v.(map[string]any)
	switch {
	case like == nil || v == nil:
		return nil
	case !isObject:
		if fmt.Sprintf("%T", v) != fmt.Sprintf("%T", like) {
			return fmt.Errorf("%s is %v, not like %v", at, v, like)
		}
		return nil
	case !ok:
		return fmt.Errorf("%s is no object", at)
	case len(l) == 0:
		return nil
	}
	for _, key := range slices.Sorted(maps.Keys(o)) {
		known, ok := l[key]
		if !ok {
			return fmt.Errorf("%s has no %q; it has %s", at, key, strings.Join(slices.Sorted(maps.Keys(l)), ", "))
		}
		if err := fits(o[key], known, at+"."+key); err != nil {
			return err
		}
	}
	return nil
}

// findThing finds the thing in the path, and under its parent.
func findThing(c *call, k listedKind) (*listedThing, bool) {
	e, ok := c.sim.world.listed(k.name).find(c, k.key(c.values[k.parent], c.values[k.name]))
	return e, ok && (k.parent == "" || parentShown(c, k))
}

// key is a thing's id in its table: a child is known by its name within its parent.
func (k listedKind) key(parent, id string) string {
	if k.parent == "" {
		return id
	}
	return parent + "/" + id
}

func parentShown(c *call, k listedKind) bool {
	_, ok := c.sim.world.listed(k.parent).find(c, c.values[k.parent])
	return ok
}

func listThings(c *call, k listedKind) answer {
	if k.parent != "" && !parentShown(c, k) {
		return notFound()
	}
	t, q := c.sim.world.listed(k.name), c.r.URL.Query()
	all := t.listedUnder(c, "of:"+urn(k.parent, c.values[k.parent]))
	if tag := q.Get("tag_name"); tag != "" && k.tag != nil {
		all = t.listedByTag(c, tag)
	}
	all = only(all, func(e *listedThing) bool {
		return !slices.ContainsFunc(k.filters, func(key string) bool { return q.Get(key) != "" && q.Get(key) != fmt.Sprint(e.Data[key]) })
	})
	if !k.unpaged {
		page := t.page(c, k.list, all)
		if body, ok := page.body.(map[string]any); ok && k.pages {
			perPage := min(queryNumber(c.r.URL, "per_page", defaultPerPage), maxPerPage)
			body["meta"] = map[string]int{
				"total": len(all), "page": queryNumber(c.r.URL, "page", 1), "pages": (len(all) + perPage - 1) / perPage,
			}
		}
		return page
	}
	wires := []any{}
	for _, e := range all {
		wires = append(wires, t.render(c, e))
	}
	return answer{http.StatusOK, map[string]any{k.list: wires}}
}

// A SeedThing says what a test or a scenario begins with of a kind that is only
// listed, such as "database". What Data does not name is as usual for the kind.
type SeedThing struct {
	Kind      string
	Account   string // empty: FirstAccount
	Parent    string // the id of what it belongs to, if the kind belongs to another
	CreatedAt time.Time
	Data      map[string]any // as the API shows it; "region" and "name" count for the rest
}

// SeedThing puts a thing there that every view shows at once, and returns its id.
// A kind that does not exist or is not only listed, and data that cannot be, are a
// fault.Unprocessable.
func (s *Sim) SeedThing(seed SeedThing) (id string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.callAs(cmp.Or(seed.Account, FirstAccount), s.now())
	if err := checkAccount(c.account()); err != nil {
		return "", err
	}
	id, err = c.seedThing(seed)
	return id, errors.Join(err, s.save(entry{}))
}

func (c *call) seedThing(seed SeedThing) (string, error) {
	i := slices.IndexFunc(listedKinds(), func(k listedKind) bool { return k.name == seed.Kind })
	if i < 0 {
		return "", fault.New(fault.Unprocessable, "There is no kind %q that is only listed. There are: %s.", seed.Kind, strings.Join(listedNames(), ", "))
	}
	born := cmp.Or(seed.CreatedAt.UTC(), c.at)
	if born.After(c.at) {
		return "", fault.New(fault.Unprocessable, "Nothing can have been created after %s, which is now.", c.at.Format(time.RFC3339))
	}
	c.open()
	k := listedKinds()[i]
	e := &listedThing{thing: thing{life: everShown(c.at), CreatedAt: born, Account: c.account()}, Parent: seed.Parent}
	if err := k.fill(c, e, seed.Data); err != nil {
		return "", fault.New(fault.Unprocessable, "There can be no such %s: %v.", k.name, err)
	}
	if old, ok := c.sim.world.listed(k.name).get(e.Account, e.ID); ok && old.exists(c.at) {
		return "", fault.New(fault.Conflict, "There is a %s %s already.", k.name, e.ID)
	}
	return c.sim.world.listed(k.name).create(c, e).ID, nil
}

// fill makes e what the seed says, and for the rest what is usual.
func (k listedKind) fill(c *call, e *listedThing, given map[string]any) error {
	given, err := asJSON(given)
	if err != nil {
		return err
	}
	shape := k.shape()
	if err := fits(given, shape, k.name); err != nil {
		return err
	}
	data := overlay(shape, given)
	id, _ := data[k.id].(string)
	unique := uuid(c.sim.seed, k.name, fmt.Sprint(len(c.sim.events)))
	if id == "" {
		id = unique
	}
	part := k.key(e.Parent, id) // two databases may each have a replica of one name
	if strings.Contains(part, "{uuid}") {
		part = unique
	}
	region, _ := data["region"].(string)
	text := func(key string) string { s, _ := data[key].(string); return s }
	fill := strings.NewReplacer("{id}", id, "{name}", cmp.Or(text(k.title), k.name), "{region}", region, "{created_at}", wireTime(e.CreatedAt),
		"{uuid}", uuid(c.sim.seed, "part", part), "{secret}", "planted-secret-"+strings.ReplaceAll(uuid(c.sim.seed, "secret", id), "-", "")[:16])
	e.Data, _ = filled(data, fill).(map[string]any)
	e.ID = k.key(e.Parent, fill.Replace(id))
	e.Project, _ = e.Data["project_id"].(string)
	if _, ok := c.sim.world.projects.get(e.Account, e.Project); e.Project != "" && !ok {
		return fmt.Errorf("there is no project %q", e.Project)
	}
	if e.Project == "" && data["project_id"] != nil {
		e.Project = c.defaultProject()
	}
	if e.Project != "" {
		e.ProjectAt = c.at
	}
	if k.tag != nil {
		tags, _ := e.Data["tags"].([]any)
		for _, t := range tags {
			name, _ := t.(string)
			if !isTag(name) {
				return fmt.Errorf("%v is no tag", t)
			}
			e.Tags = append(e.Tags, name)
		}
	}
	if err := k.check(c.sim.world, e); err != nil {
		return err
	}
	if k.network != "" {
		e.networked, err = c.networkIn(region, text(k.network))
	}
	return err
}

// asJSON is what a scenario or a test gives, as JSON has it.
func asJSON(given map[string]any) (map[string]any, error) {
	b, err := json.Marshal(given)
	if err != nil {
		return nil, err
	}
	data := map[string]any{}
	return data, json.Unmarshal(b, &data)
}

// overlay is base with the values of over in their places.
func overlay(base, over map[string]any) map[string]any {
	all := map[string]any{}
	maps.Copy(all, base)
	for key, v := range over {
		inner, isObject := v.(map[string]any)
		if below, ok := all[key].(map[string]any); ok && isObject {
			v = overlay(below, inner)
		}
		all[key] = v
	}
	return all
}

// filled is v with every placeholder in its texts replaced.
func filled(v any, by *strings.Replacer) any {
	switch v := v.(type) {
	case string:
		return by.Replace(v)
	case map[string]any:
		all := map[string]any{}
		for key, child := range v {
			all[key] = filled(child, by)
		}
		return all
	case []any:
		all := make([]any, len(v))
		for i := range v {
			all[i] = filled(v[i], by)
		}
		return all
	}
	return v
}
