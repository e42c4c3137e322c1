package blueprint

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
)

// An Action is what happens to a resource.
type Action string

// The actions of a Diff.
const (
	Create Action = "create"
	Change Action = "change"
	Delete Action = "delete"
)

// A Diff is what must happen to turn one Spec of a stack into another.
type Diff struct {
	Effect     Effect            `json:"effect"` // the largest of all
	Parameters []ParameterChange `json:"parameters,omitempty"`
	Resources  []ResourceChange  `json:"resources,omitempty"` // what is made or changed in the order of the new Spec, then what is deleted, what depends on others first
	Policies   []FieldChange     `json:"policies,omitempty"`  // backup_policy, health, tenant_plan: nothing at DigitalOcean changes
}

// A ParameterChange is another value of a parameter, and what its blueprint says
// that this asks for. From or To is empty where the parameter is new or gone.
type ParameterChange struct {
	Name   string `json:"name"`
	From   string `json:"from,omitempty"`
	To     string `json:"to,omitempty"`
	Effect Effect `json:"effect"`
}

// A ResourceChange is what happens to one resource.
type ResourceChange struct {
	ID     string        `json:"id"`
	Kind   Kind          `json:"kind"`
	Name   string        `json:"name"`
	Action Action        `json:"action"`
	Effect Effect        `json:"effect"`
	Fields []FieldChange `json:"fields,omitempty"` // of a change
	Loses  bool          `json:"loses"`            // data: a disk goes, with what is on it
}

// A FieldChange is another value of a field, in JSON; null where there is none.
type FieldChange struct {
	Field  string          `json:"field"`
	From   json.RawMessage `json:"from"`
	To     json.RawMessage `json:"to"`
	Effect Effect          `json:"effect"`
}

// IsEmpty reports whether nothing is to be done.
func (d Diff) IsEmpty() bool {
	return len(d.Parameters) == 0 && len(d.Resources) == 0 && len(d.Policies) == 0
}

// fieldEffects are those of changes that are not live, by kind and field, as
// DigitalOcean has them: which calls there are to change a thing that exists.
var fieldEffects = map[Kind]map[string]Effect{
	DropletKind: {"region": Never, "size": Resize, "image": Rebuild, "vpc": Rebuild, "ssh_keys": Rebuild, "monitoring": Rebuild, "user_data": Rebuild},
	VolumeKind:  {"region": Never, "size_gib": Resize, "filesystem": Never, "name": Never},
	VPCKind:     {"region": Never, "ip_range": Never},
	RecordKind:  {"domain": Rebuild},
	// A reserved address belongs to its region.
	ReservedIPKind: {"region": Never},
}

// effectOf is what the change of a field asks for.
func effectOf(kind Kind, field string, from, to json.RawMessage) Effect {
	switch {
	case kind == VolumeKind && field == "size_gib" && wholeNumber(to) < wholeNumber(from): // disks only grow
		return Never
	case kind == DropletKind && field == "ipv6" && string(to) == "false": // it is switched on and never off
		return Rebuild
	}
	if effect, ok := fieldEffects[kind][field]; ok {
		return effect
	}
	return Live
}

func wholeNumber(text json.RawMessage) (n int64) {
	_ = json.Unmarshal(text, &n) // what is no number counts as none
	return n
}

func larger(a, b Effect) Effect {
	if slices.Index(effects, b) > slices.Index(effects, a) {
		return b
	}
	return a
}

// Compare says what must happen to turn the stack of one Spec into another. Specs of
// different stacks, or of one stack under another name or tenant, differ in what can
// never change.
func Compare(before, after Spec) Diff {
	d := Diff{Effect: Live}
	names := maps.Clone(before.Parameters)
	if names == nil {
		names = make(map[string]Setting)
	}
	maps.Copy(names, after.Parameters)
	for _, name := range sortedKeys(names) {
		from, to := before.Parameters[name], after.Parameters[name]
		if from.Value == to.Value {
			continue
		}
		// A parameter that is new or gone came with another version of the blueprint,
		// whose changes are those of the resources.
		change := ParameterChange{Name: name, From: from.Value, To: to.Value, Effect: Live}
		if from.Type != "" && to.Type != "" {
			change.Effect = to.Changeable
		}
		d.Effect = larger(d.Effect, change.Effect)
		d.Parameters = append(d.Parameters, change)
	}
	for _, r := range after.Resources {
		old, ok := before.Resource(r.ID)
		change := ResourceChange{ID: r.ID, Kind: r.Kind, Name: r.Name, Action: Create, Effect: Live}
		if ok {
			change.Action = Change
			change.Fields = compareFields(r.Kind, old, r)
			if len(change.Fields) == 0 {
				continue
			}
			for _, f := range change.Fields {
				change.Effect = larger(change.Effect, f.Effect)
			}
			change.Loses = change.Effect == Rebuild && r.Kind == DropletKind
		}
		d.Resources = append(d.Resources, change)
		d.Effect = larger(d.Effect, change.Effect)
	}
	for _, r := range slices.Backward(before.Resources) {
		if _, ok := after.Resource(r.ID); !ok {
			d.Resources = append(d.Resources, ResourceChange{ID: r.ID, Kind: r.Kind, Name: r.Name, Action: Delete, Effect: Live,
				Loses: r.Kind == DropletKind || r.Kind == VolumeKind})
		}
	}
	d.Policies = comparePolicies(before, after)
	for _, p := range d.Policies {
		d.Effect = larger(d.Effect, p.Effect)
	}
	return d
}

// compareFields compares a resource's name, its tags and the fields of its kind.
func compareFields(kind Kind, before, after Resource) []FieldChange {
	from, to := fields(before), fields(after)
	return compareMaps(from, to, func(field string, a, b json.RawMessage) Effect {
		return effectOf(kind, field, a, b)
	})
}

// fields are what a resource is like, with neither its identity nor its order.
func fields(r Resource) map[string]json.RawMessage {
	all := jsonFields(r)
	var inside map[string]json.RawMessage
	if body := all[string(r.Kind)]; body != nil { // a tag has none
		_ = json.Unmarshal(body, &inside) // it was just written
	}
	for _, name := range []string{"id", "kind", "key", "depends_on", string(r.Kind)} {
		delete(all, name)
	}
	maps.Copy(all, inside)
	return all
}

func comparePolicies(before, after Spec) []FieldChange {
	pick := func(s Spec) map[string]json.RawMessage {
		all := jsonFields(s)
		stack := map[string]json.RawMessage{}
		for _, name := range []string{"backup_policy", "health", "tenant_plan", "tenant", "stack", "region"} {
			if value, ok := all[name]; ok {
				stack[name] = value
			}
		}
		return stack
	}
	return compareMaps(pick(before), pick(after), func(field string, _, _ json.RawMessage) Effect {
		if field == "stack" || field == "tenant" || field == "region" {
			return Never
		}
		return Live
	})
}

func compareMaps(from, to map[string]json.RawMessage, effect func(string, json.RawMessage, json.RawMessage) Effect) []FieldChange {
	both := maps.Clone(from)
	maps.Copy(both, to)
	var all []FieldChange
	for _, name := range sortedKeys(both) {
		a, b := orNull(from[name]), orNull(to[name])
		if !bytes.Equal(a, b) {
			all = append(all, FieldChange{name, a, b, effect(name, a, b)})
		}
	}
	return all
}

func orNull(text json.RawMessage) json.RawMessage {
	if text == nil {
		return json.RawMessage("null")
	}
	return text
}

// jsonFields are the fields of a struct as its JSON has them.
func jsonFields(of any) map[string]json.RawMessage {
	text, err := json.Marshal(of)
	if err != nil {
		panic(err) // specs have nothing in them that has no JSON
	}
	var all map[string]json.RawMessage
	_ = json.Unmarshal(text, &all) // it was just written
	return all
}
