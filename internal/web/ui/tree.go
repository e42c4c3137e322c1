package ui

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// A leaf is one value of a JSON object, with the path that leads to it.
type leaf struct{ path, value string }

// leaves are an object's values in the order of their paths. Numbers stay as they
// were written. Text that is no JSON object is one leaf.
func leaves(raw json.RawMessage) (all []leaf) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return []leaf{{"", string(raw)}}
	}
	var walk func(path []string, v any)
	walk = func(path []string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for _, key := range slices.Sorted(maps.Keys(v)) {
				walk(append(slices.Clone(path), key), v[key])
			}
			if len(v) == 0 && len(path) > 0 {
				all = append(all, leaf{strings.Join(path, "."), "{}"})
			}
		case string:
			all = append(all, leaf{strings.Join(path, "."), v})
		default:
			text, err := json.Marshal(v)
			if err != nil {
				return // what was decoded is encoded
			}
			all = append(all, leaf{strings.Join(path, "."), string(text)})
		}
	}
	walk(nil, v)
	return all
}
