package digitalocean

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/tidwall/gjson"
)

// A mutation is a change that this client knows how to send. What is not listed
// cannot be sent, whatever a capability says.
type mutation struct {
	method   string
	template string // "{id}", "{domain}", "{ip}" and "{tag}" stand for what their names say
	target   string // kind of the thing in the path, as in its URN; empty: the path names none
	destroys bool
	silent   bool // a proper answer is 204, and empty
	// marked says where a create has its marker; nil: nowhere, it is its exact content
	// that is looked for.
	marked func(body gjson.Result, marker string) bool
	// proves says whether the body of a 2xx answer tells that the change was
	// accepted; path and sent are the request's.
	proves func(answer []byte, path string, sent []byte) bool
	// things are what a change that was accepted made, or is about beside what its path
	// names; nil: nothing.
	things func(answer, sent gjson.Result) []string

	sent []byte // of one request
}

var mutations = []mutation{
	{method: "POST", template: "/v2/droplets/{id}/actions", target: "droplet", marked: asSnapshot, proves: provesDropletAction},
	{method: "DELETE", template: "/v2/snapshots/{id}", target: "snapshot", destroys: true},

	{method: "POST", template: "/v2/droplets", marked: inTags, proves: named("droplet"), things: made("droplet", "droplet.id")},
	{method: "DELETE", template: "/v2/droplets/{id}", target: "droplet", destroys: true},

	{method: "POST", template: "/v2/volumes", marked: inTags, proves: named("volume"), things: made("volume", "volume.id")},
	{method: "POST", template: "/v2/volumes/{id}/actions", target: "volume", proves: provesAction},
	{method: "POST", template: "/v2/volumes/{id}/snapshots", target: "volume", marked: inName, proves: named("snapshot"), things: made("snapshot", "snapshot.id")},
	{method: "DELETE", template: "/v2/volumes/{id}", target: "volume", destroys: true},

	{method: "POST", template: "/v2/vpcs", marked: inDescription, proves: named("vpc"), things: made("vpc", "vpc.id")},
	{method: "DELETE", template: "/v2/vpcs/{id}", target: "vpc", destroys: true},

	{method: "POST", template: "/v2/firewalls", marked: inName, proves: named("firewall"), things: made("firewall", "firewall.id")},
	{method: "PUT", template: "/v2/firewalls/{id}", target: "firewall", proves: named("firewall")},
	{method: "DELETE", template: "/v2/firewalls/{id}", target: "firewall", destroys: true},
	{method: "POST", template: "/v2/firewalls/{id}/droplets", target: "firewall", silent: true},
	{method: "DELETE", template: "/v2/firewalls/{id}/droplets", target: "firewall"},

	{method: "POST", template: "/v2/reserved_ips", proves: has("reserved_ip.ip"), things: made("reserved_ip", "reserved_ip.ip")},
	{method: "POST", template: "/v2/reserved_ips/{ip}/actions", target: "reserved_ip", proves: provesAction},
	{method: "DELETE", template: "/v2/reserved_ips/{ip}", target: "reserved_ip", destroys: true},

	{method: "POST", template: "/v2/domains/{domain}/records", target: "domain", proves: provesRecord, things: made("domain_record", "domain_record.id")},
	{method: "PUT", template: "/v2/domains/{domain}/records/{id}", target: "domain_record", proves: provesRecord},
	{method: "DELETE", template: "/v2/domains/{domain}/records/{id}", target: "domain_record", destroys: true},

	{method: "POST", template: "/v2/projects/{id}/resources", target: "project", proves: provesMembers, things: members},

	{method: "POST", template: "/v2/tags", proves: has("tag.name"), things: made("tag", "tag.name")},
	{method: "DELETE", template: "/v2/tags/{tag}", target: "tag", destroys: true},
	{method: "POST", template: "/v2/tags/{tag}/resources", target: "tag", silent: true, things: tagged},
	{method: "DELETE", template: "/v2/tags/{tag}/resources", target: "tag", things: tagged},
}

// destructive reports whether a change destroys something: a thing, or what is on a
// droplet's disk.
func (m mutation) destructive(body []byte) bool {
	act := gjson.GetBytes(body, "type").String()
	return m.destroys || m.target == "droplet" && (act == "rebuild" || act == "restore")
}

// carries reports whether the permitted body has the marker where its kind has it,
// and the permit names none where there is no place for one.
func (m mutation) carries(p Permit) bool {
	if m.marked == nil {
		return p.Name == ""
	}
	return m.marked(gjson.ParseBytes(p.Body), p.Name)
}

func inTags(body gjson.Result, marker string) bool {
	if marker == "" {
		return false
	}
	for _, tag := range body.Get("tags").Array() {
		if tag.String() == marker {
			return true
		}
	}
	return false
}

func inName(body gjson.Result, marker string) bool {
	return marker != "" && strings.Contains(body.Get("name").String(), marker)
}

func inDescription(body gjson.Result, marker string) bool {
	return marker != "" && strings.Contains(body.Get("description").String(), marker)
}

// asSnapshot has the marker for the name of a snapshot. No other action of a droplet
// makes anything that could carry one.
func asSnapshot(body gjson.Result, marker string) bool {
	if body.Get("type").String() != "snapshot" {
		return marker == ""
	}
	return marker != "" && body.Get("name").String() == marker
}

// has proves an answer that says what was made.
func has(at string) func([]byte, string, []byte) bool {
	return func(answer []byte, _ string, _ []byte) bool {
		found := gjson.GetBytes(answer, at)
		return found.Exists() && found.Type != gjson.Null && found.String() != "" && found.String() != "0"
	}
}

// named proves an answer that shows under a key what was made: an id, and the name
// that was asked for.
func named(key string) func([]byte, string, []byte) bool {
	return func(answer []byte, path string, sent []byte) bool {
		name := gjson.GetBytes(answer, key+".name")
		return has(key+".id")(answer, path, sent) && name.Exists() && name.String() == gjson.GetBytes(sent, "name").String()
	}
}

// provesAction reports whether an answer names an action of the sort that was asked
// for: of volumes and addresses it has the thing's kind behind it, "attach_volume".
func provesAction(answer []byte, _ string, sent []byte) bool {
	action := gjson.GetBytes(answer, "action")
	return action.Get("id").Int() > 0 && strings.HasPrefix(action.Get("type").String(), gjson.GetBytes(sent, "type").String())
}

// provesRecord reports whether an answer shows the record: with an id, and of the
// type that was asked for.
func provesRecord(answer []byte, _ string, sent []byte) bool {
	record := gjson.GetBytes(answer, "domain_record")
	return record.Get("id").Int() > 0 && record.Get("type").String() == gjson.GetBytes(sent, "type").String()
}

// made is what an answer says was made, and the tags that the request gave it, which
// come to be with it.
func made(kind, at string) func(answer, sent gjson.Result) []string {
	return func(answer, sent gjson.Result) []string {
		things := []string{"do:" + kind + ":" + answer.Get(at).String()}
		for _, tag := range sent.Get("tags").Array() {
			things = append(things, "do:tag:"+tag.String())
		}
		return things
	}
}

// members are what a request puts into a project.
func members(answer, _ gjson.Result) (things []string) {
	for _, member := range answer.Get("resources").Array() {
		things = append(things, member.Get("urn").String())
	}
	return things
}

// tagged are what a request puts a tag on, or takes it off.
func tagged(_, sent gjson.Result) (things []string) {
	for _, one := range sent.Get("resources").Array() {
		things = append(things, "do:"+one.Get("resource_type").String()+":"+one.Get("resource_id").String())
	}
	return things
}

// provesMembers reports whether an answer says what became of each resource. Of its
// URN the id counts: an address has another word there than it was asked for with
// (quirk 26).
func provesMembers(answer []byte, _ string, sent []byte) bool {
	idOf := func(urn gjson.Result) string { return urn.String()[strings.LastIndex(urn.String(), ":")+1:] }
	told := make(map[string]bool)
	for _, member := range gjson.GetBytes(answer, "resources").Array() {
		told[idOf(member.Get("urn"))] = member.Get("status").String() != ""
	}
	for _, urn := range gjson.GetBytes(sent, "resources").Array() {
		if !told[idOf(urn)] {
			return false
		}
	}
	return len(told) > 0
}

// provesDropletAction reports whether an answer names the action that was started on
// the droplet of the path.
func provesDropletAction(answer []byte, path string, sent []byte) bool {
	action := gjson.GetBytes(answer, "action")
	return action.Get("id").Int() > 0 && action.Get("type").String() == gjson.GetBytes(sent, "type").String() &&
		action.Get("resource_id").Raw == strings.Split(path, "/")[3]
}

// marshal is a request's body.
func marshal(request any) []byte {
	body, err := json.Marshal(request)
	if err != nil {
		panic(err) // requests are made of texts and numbers
	}
	return body
}

// mutationOf finds the known change that a request is, and what it changes.
func mutationOf(account, method, path string) (m mutation, target string, ok bool) {
	for _, m := range mutations {
		if m.method != method {
			continue
		}
		if ids, ok := placesOf(m.template, path); ok {
			if m.target == "" {
				return m, "account:" + account, true
			}
			return m, "do:" + m.target + ":" + strings.Join(ids, "/"), true
		}
	}
	return mutation{}, "", false
}

// placesOf are what stands in a path where a template has names.
func placesOf(template, path string) (ids []string, ok bool) {
	want, is := strings.Split(template, "/"), strings.Split(path, "/")
	if len(want) != len(is) {
		return nil, false
	}
	for i, part := range want {
		fits, place := places[part]
		switch {
		case place && fits(is[i]):
			ids = append(ids, is[i])
		case place || part != is[i]:
			return nil, false
		}
	}
	return ids, true
}

// places say what may stand for the names in templates.
var places = map[string]func(string) bool{
	"{id}":     isID,
	"{domain}": isDomain,
	"{ip}":     func(s string) bool { ip, err := netip.ParseAddr(s); return err == nil && ip.Is4() },
	"{tag}":    isTag,
}

// isID reports whether s has the form of an id: a positive number, or a UUID.
func isID(s string) bool {
	return s != "" && len(s) <= 64 && only(s, "-") && s[0] != '-' && (s[0] != '0' || strings.Contains(s, "-"))
}

func isDomain(s string) bool {
	return s != "" && len(s) <= 253 && only(s, "-.") && !slices.Contains(strings.Split(s, "."), "")
}

func isTag(s string) bool { return s != "" && len(s) <= 255 && only(strings.ToLower(s), "-_:") }

// only reports whether a text has small letters, digits and some others alone.
func only(s, others string) bool {
	return strings.IndexFunc(s, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && !strings.ContainsRune(others, r)
	}) < 0
}

// change sends one request that changes something; the answer goes into into, where
// that is not nil.
func (c *Client) change(ctx context.Context, verb, method, path string, body []byte, into any) error {
	_, err := c.changeAt(ctx, verb, method, path, body, into)
	return err
}

// changeAt is change that tells DigitalOcean's clock of the answer.
func (c *Client) changeAt(ctx context.Context, verb, method, path string, body []byte, into any) (at time.Time, err error) {
	if err := c.may(verb, Provisioning); err != nil {
		return at, err
	}
	req, err := c.api.NewRequest(ctx, method, strings.TrimPrefix(path, "/"), nil)
	if err != nil {
		return at, c.failed(method, path, err)
	}
	if len(body) > 0 { // as it is: godo would end it with a line break
		req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	}
	resp, err := c.api.Do(ctx, req, into)
	if err != nil {
		return at, c.failed(method, path, err)
	}
	return dateOf(resp), nil
}

// read asks for one thing, which stands under key.
func read[W any](ctx context.Context, c *Client, verb, path, key string) (w W, err error) {
	if err := c.may(verb, Provisioning); err != nil {
		return w, err
	}
	root, _, err := c.root(ctx, path)
	if err != nil {
		return w, err
	}
	raw, there := root[key]
	if !there || string(raw) == "null" {
		return w, c.unclear(http.MethodGet, path, "an answer without its "+key)
	}
	if err := json.Unmarshal(raw, &w); err != nil {
		return w, c.failed(http.MethodGet, path, err)
	}
	return w, nil
}

// deletePermit is leave to delete one thing.
func deletePermit(template, kind string, ids ...any) Permit {
	words := make([]string, len(ids))
	for i, id := range ids {
		words[i] = fmt.Sprint(id)
	}
	return Permit{Method: http.MethodDelete, Template: template, Target: "do:" + kind + ":" + strings.Join(words, "/")}
}

// createPermit is leave to make one thing in an account.
func createPermit(account, template, marker string, request any) Permit {
	return Permit{Method: http.MethodPost, Template: template, Target: "account:" + account, Name: marker, Body: marshal(request)}
}
