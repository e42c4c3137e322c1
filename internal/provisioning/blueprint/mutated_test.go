package blueprint_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/manifest"
	"github.com/arcadia-cloud/arcadia/internal/provisioning/blueprint"
)

// odd are values that somebody may write where another belongs.
var odd = []any{
	nil, "", " ", "-", "x", "X", "TZ=UTC", "CRON_TZ=Europe/Berlin", "0 0 31 2 *", "* * * * *", "0.0.0.0/0", "::", "1-0", "all", "${", "${}", "${param.none}", "${param.size}",
	"${droplet.main.public_ip}", "${droplet.app.public_ip}", "$${x}", "{{ .param.none }}", "{{", "#!/bin/sh\n{{ secret \"none\" }}", "#cloud-config\n- a: [", "(", "a\x00b", "\u2028", strings.Repeat("9", 400),
	true, false, 0, -1, 1, 3, 1e300, 0.5, 16385, int64(1) << 53, []any{}, []any{nil}, []any{"x", "x"}, map[string]any{}, map[string]any{"x": nil}, map[string]any{"type": "callback"},
}

// variants calls see with documents that are the given one with one value replaced by an
// odd one, each by several, taken away, or under another name.
func variants(document any, see func(what string)) {
	const each = 4 // of the odd values at each place, others at the next
	next := 0
	var walk func(path string, value any, set func(any))
	walk = func(path string, value any, set func(any)) {
		for range each {
			set(odd[next%len(odd)])
			see(fmt.Sprintf("%s is odd value %d", path, next%len(odd)))
			next++
		}
		set(value)
		switch value := value.(type) {
		case map[string]any:
			for _, key := range slices.Sorted(maps.Keys(value)) {
				was := value[key]
				delete(value, key)
				see(path + " without " + key)
				value["unknown"] = was
				see(path + " with another name for " + key)
				delete(value, "unknown")
				value[key] = was
				walk(path+"."+key, was, func(v any) { value[key] = v })
			}
		case []any:
			for i, was := range value {
				walk(fmt.Sprintf("%s[%d]", path, i), was, func(v any) { value[i] = v })
			}
		}
	}
	walk("document", document, func(any) {})
}

// TestAMutatedBlueprintIsReadOrRefused puts something odd into each place of each shipped
// blueprint: what is taken is also taken by the published schema and can be resolved or is
// refused for a value; all else is refused with a sentence.
func TestAMutatedBlueprintIsReadOrRefused(t *testing.T) {
	text, err := jsonschema.UnmarshalJSON(bytes.NewReader(blueprint.Schema()))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("https://arcadia.invalid/blueprint.schema.json", text); err != nil {
		t.Fatal(err)
	}
	schema := compiler.MustCompile("https://arcadia.invalid/blueprint.schema.json")
	taken, refused, ofForm := 0, 0, 0
	for _, name := range blueprint.Names() {
		shipped, _ := blueprint.Source(name)
		var document any
		if err := manifest.Check(name, shipped, func(root manifest.Value) { document = root.Plain() }); err != nil {
			t.Fatal(err)
		}
		variants(document, func(what string) {
			source, err := json.Marshal(document)
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if r := recover(); r != nil {
					t.Errorf("%s, %s: %v", name, what, r)
				}
			}()
			instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(source))
			if err != nil {
				t.Fatal(err)
			}
			form := schema.Validate(instance)
			read, err := blueprint.Parse("x.json", source)
			switch {
			case err != nil && (!errors.Is(err, fault.Invalid) || fault.Message(err) == ""):
				t.Errorf("%s, %s: it is refused with %v", name, what, err)
			case err == nil && form != nil:
				t.Errorf("%s, %s: it is taken, and the published schema says %v", name, what, form)
			case err != nil:
				if refused++; form != nil {
					ofForm++
				}
				return
			}
			taken++
			_, err = blueprint.Resolve(read, map[string]string{"domain": "sky.example.com"}, blueprint.Tenant{Slug: "acme", Zone: "UTC"}, blueprint.Stack{ID: "stack_1", Name: "web"})
			if err != nil && !errors.Is(err, fault.Invalid) {
				t.Errorf("%s, %s: it is resolved with %v", name, what, err)
			}
		})
	}
	t.Logf("%d were taken, %d refused: %d for their form, the others for their sense", taken, refused, ofForm)
	if taken < 50 || refused-ofForm < 50 || ofForm < 300 {
		t.Errorf("%d were taken and %d refused, %d for their form: these are too few to show anything", taken, refused, ofForm)
	}
}
