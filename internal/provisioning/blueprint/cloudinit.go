package blueprint

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/arcadia-cloud/arcadia/internal/fault"
)

// RenderUserData writes out what a droplet of the Spec runs when it first starts, ""
// where it runs nothing. What comes out is the same for the same input.
//
// Values are data and nothing else, whatever is in them. In a cloud-config, one that
// stands alone is the value itself; in the texts of runcmd and bootcmd, and in scripts,
// it gets the quotes of the shell; elsewhere within a text the template says how it is
// written (quote, json, yaml, base64), or its characters are letters, digits and
// . _ : / - alone. Secrets and callbacks are addresses that answer once.
//
// The error is a fault: NotFound where the Spec has no such droplet, Conflict where
// known lacks something that it needs, Invalid where a value cannot stand where the
// template has it.
func RenderUserData(s Spec, droplet string, known Known) (string, error) {
	r, ok := s.Resource(DropletKind.id(droplet))
	if !ok || r.Droplet == nil {
		return "", fault.New(fault.NotFound, "The stack %s has no droplet %s.", s.Stack.Name, clip(droplet))
	}
	if r.Droplet.UserData == nil {
		return "", nil
	}
	for _, need := range r.Droplet.UserData.Needs {
		value, ok := known[need]
		if !ok || value == "" {
			return "", fault.New(fault.Conflict, "The user data of %s needs %s, which is not known yet.", r.Name, need)
		}
		if !utf8.ValidString(value) || strings.ContainsFunc(value, isForbidden) {
			return "", fault.New(fault.Invalid, "The user data of %s: %s has characters in it that are no text.", r.Name, need)
		}
	}
	text, err := s.render(r.Droplet.UserData.Template, known)
	if err != nil {
		return "", fault.New(fault.Invalid, "The user data of %s: %s", r.Name, atLine(err))
	}
	return text, nil
}

func atLine(err error) string {
	if wrong, ok := errors.AsType[*lineError](err); ok {
		return fmt.Sprintf("line %d: %s", wrong.line, wrong.message)
	}
	return err.Error()
}

func (s Spec) render(source string, known Known) (string, error) {
	c, problems := compileTemplate(source, lookUp{
		parameter: func(name string) (Type, string, bool) {
			p, ok := s.Parameters[name]
			return p.Type, p.SetBy, ok
		},
		reference: func(reference) error { return nil }, // Parse looked at them
		callback:  func(string) error { return nil },
	})
	if len(problems) > 0 {
		return "", problems[0]
	}
	data := newTemplateData()
	for name, p := range s.Parameters {
		data.put("param."+name, typed(p.Type, p.Value))
	}
	data.put("tenant.slug", s.Tenant.Slug)
	data.put("tenant.zone", s.Tenant.Zone)
	data.put("stack.name", s.Stack.Name)
	data.put("stack.id", s.Stack.ID)
	data.put("stack.region", s.Region)
	for _, r := range s.Resources {
		switch r.Kind {
		case DropletKind:
			data.put("droplet."+r.Key+".name", r.Name)
		case VolumeKind:
			data.put("volume."+r.Key+".name", r.Name)
			data.put("volume."+r.Key+".device", devicePrefix+r.Name)
		}
	}
	for words, value := range known {
		data.put(words, value)
	}
	return c.render(data, func(parameter string) (string, error) {
		name := "secret." + s.Parameters[parameter].Value
		if address, ok := known[name]; ok {
			return address, nil
		}
		return "", fmt.Errorf("%s is not known yet", name)
	})
}

// typed is a value as templates compare it.
func typed(t Type, value string) any {
	switch t {
	case Integer:
		if n, err := strconv.ParseInt(value, 10, 64); err == nil {
			return n
		}
	case Boolean:
		return value == "true"
	}
	return value
}

type templateData map[string]any

func newTemplateData() templateData {
	d := make(templateData)
	for _, root := range []string{"param", "tenant", "stack", "droplet", "volume", "reserved_ip", "vpc", "callback"} {
		d[root] = make(map[string]any)
	}
	return d
}

// put sets the value of a reference of two or three words.
func (d templateData) put(words string, value any) {
	at := map[string]any(d)
	path := strings.Split(words, ".")
	for _, word := range path[:len(path)-1] {
		next, ok := at[word].(map[string]any)
		if !ok {
			next = make(map[string]any)
			at[word] = next
		}
		at = next
	}
	at[path[len(path)-1]] = value
}

// template compiles what a droplet of the blueprint runs.
func (bp *Blueprint) template(droplet string) (*cloudInit, []error) {
	return compileTemplate(bp.Droplets[droplet].CloudInit, lookUp{
		parameter: func(name string) (Type, string, bool) {
			if p := bp.Parameters[name]; p != nil {
				return p.Type, p.SetBy, true
			}
			return "", "", false
		},
		reference: func(r reference) error {
			if _, is := r.parameter(); is {
				_, err := bp.parameter(r)
				return err
			}
			_, _, err := bp.about(r)
			return err
		},
		callback: func(key string) error {
			if p := bp.Health[key]; p == nil || p.Type != "callback" || p.Droplet != droplet {
				return fmt.Errorf("There is no health probe %s of type callback for this droplet.", clip(key))
			}
			return nil
		},
	})
}

// templateEdges say what a droplet's template needs to be made before it.
func (bp *Blueprint) templateEdges(droplet string) []edge {
	c, problems := bp.template(droplet)
	if len(problems) > 0 {
		return nil
	}
	var all []edge
	for _, u := range c.uses {
		if words := u.words(); slices.Contains([]string{"param", "secret", "callback"}, words[0]) {
			continue
		}
		if early, to, err := bp.about(u.reference); err == nil && !early && to != "" {
			all = append(all, edge{DropletKind.id(droplet), to, []string{"droplets", droplet, "cloud_init"}, u.line})
		}
	}
	return all
}

// nasty is a value of a parameter that may hold anything.
const nasty = "it's \"$(x)\" `x` \\ #{}[]: &*!|>%@,\n- a: {{ b }}"

// trial is data to try a template with before there is any: words for parameters
// that hold nothing else, the worst for all others.
func (bp *Blueprint) trial(switches bool) templateData {
	d := newTemplateData()
	for name, p := range bp.Parameters {
		value := map[Type]string{Integer: "1", Region: "fra1", Size: "s-1vcpu-1gb", Image: "debian-12-x64"}[p.Type]
		switch {
		case p.Type == Boolean:
			value = strconv.FormatBool(switches)
		case !p.isWords():
			value = nasty
		case p.Default != nil:
			value = string(*p.Default)
		case len(p.Enum) > 0:
			value = string(p.Enum[0])
		case value == "":
			value = "a"
		}
		d.put("param."+name, typed(p.Type, value))
	}
	for _, words := range []string{"tenant.slug", "tenant.zone", "stack.name", "stack.id", "stack.region", "vpc.ip_range"} {
		d.put(words, "a")
	}
	for key := range bp.Droplets {
		for _, field := range []string{"name", "id", "public_ip", "private_ip", "public_ipv6"} {
			d.put("droplet."+key+"."+field, "a")
		}
	}
	for key := range bp.Volumes {
		for _, field := range []string{"name", "id", "device"} {
			d.put("volume."+key+"."+field, "/a")
		}
	}
	for key := range bp.ReservedIPs {
		d.put("reserved_ip."+key+".address", "192.0.2.1")
	}
	for key := range bp.Health {
		d.put("callback."+key, trialAddress)
	}
	return d
}

// trialAddress has what an address may have.
const trialAddress = "https://arcadia.example/once?token=a&b='c'"

// cloudInits compiles and tries every template.
func (c *checker) cloudInits() {
	for _, key := range sortedKeys(c.bp.Droplets) {
		path := []string{"droplets", key, "cloud_init"}
		if c.bp.Droplets[key].CloudInit == "" || c.isWrong(path) {
			continue
		}
		t, problems := c.bp.template(key)
		for _, problem := range problems {
			c.failAtLine(path, problem)
		}
		if t == nil {
			continue
		}
		for _, u := range t.uses {
			if name, is := u.parameter(); is {
				c.need(name, Rebuild, strings.Join(path, "."))
			} else if words := u.words(); words[0] == "secret" {
				c.need(words[1], Rebuild, strings.Join(path, "."))
			}
		}
		if slices.ContainsFunc(t.raw, func(name string) bool { return c.bp.Parameters[name].Default == nil }) {
			continue // nobody can tell yet what the text will be
		}
		for _, switches := range []bool{true, false} {
			data := c.bp.trial(switches)
			for _, name := range t.raw {
				p := c.bp.Parameters[name]
				data.put("param."+name, typed(p.Type, string(*p.Default)))
			}
			_, err := t.render(data, func(string) (string, error) { return trialAddress, nil })
			if err != nil {
				c.failAtLine(path, err)
				break
			}
		}
	}
}

func (c *checker) failAtLine(path []string, err error) {
	if wrong, ok := errors.AsType[*lineError](err); ok {
		locate(c.root, path).FailAt(wrong.line, "%s", wrong.message)
		return
	}
	c.fail(path, "%v", err)
}

// userData says what a template needs that is known only later.
func (r *resolver) userData(droplet string) *UserData {
	u := &UserData{Template: r.bp.Droplets[droplet].CloudInit, Values: make(map[string]string)}
	c, problems := r.bp.template(droplet)
	if len(problems) > 0 {
		r.fail("droplets.%s.cloud_init: %s", droplet, atLine(problems[0]))
		return u
	}
	for _, use := range c.uses {
		words := use.words()
		switch words[0] {
		case "secret":
			u.Needs = append(u.Needs, "secret."+r.set[words[1]].Value)
		case "callback":
			u.Needs = append(u.Needs, string(use.reference))
		default:
			if value, early := r.early(use.reference); early {
				u.Values[string(use.reference)] = value
			} else {
				u.Needs = append(u.Needs, string(use.reference))
			}
		}
	}
	slices.Sort(u.Needs)
	u.Needs = slices.Compact(u.Needs)
	return u
}

// tryUserData writes out every droplet's user data with stand-ins for what is not
// known yet, so that what cannot be written is told before anything is made.
func (r *resolver) tryUserData(s Spec) {
	for _, res := range s.Resources {
		if res.Droplet == nil || res.Droplet.UserData == nil {
			continue
		}
		known := make(Known)
		for _, need := range res.Droplet.UserData.Needs {
			known[need] = "192.0.2.1"
			if strings.HasPrefix(need, "secret.") || strings.HasPrefix(need, "callback.") {
				known[need] = trialAddress
			}
		}
		if _, err := RenderUserData(s, res.Key, known); err != nil {
			r.fail("%s", fault.Message(err))
		}
	}
}
