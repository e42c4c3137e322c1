package blueprint_test

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/arcadia-cloud/arcadia/internal/provisioning/blueprint"
)

// The published schema has exactly the fields that are read, each of its Go type.
func TestTheSchemaIsThatOfTheGoTypes(t *testing.T) {
	var root map[string]any
	if err := json.Unmarshal(blueprint.Schema(), &root); err != nil {
		t.Fatal(err)
	}
	defs := root["$defs"].(map[string]any)
	used := make(map[string]bool)
	fields := 0
	var compare func(path string, rule map[string]any, of reflect.Type)
	compare = func(path string, rule map[string]any, of reflect.Type) {
		if ref, ok := rule["$ref"].(string); ok {
			name := strings.TrimPrefix(ref, "#/$defs/")
			used[name] = true
			rule = defs[name].(map[string]any)
		}
		if of.Kind() == reflect.Pointer {
			of = of.Elem()
		}
		allows := func(jsonType string) bool {
			if enum, ok := rule["enum"].([]any); ok {
				_, isText := enum[0].(string)
				return isText == (jsonType == "string")
			}
			types, isList := rule["type"].([]any)
			return rule["type"] == jsonType || isList && slices.Contains(types, any(jsonType))
		}
		switch {
		case of == reflect.TypeFor[blueprint.Expr](), of.Kind() == reflect.String:
			if !allows("string") {
				t.Errorf("%s is a text and the schema does not allow one", path)
			}
			if of.Kind() == reflect.String && of != reflect.TypeFor[blueprint.Expr]() && (allows("integer") && rule["enum"] == nil || allows("boolean") && rule["enum"] == nil) {
				t.Errorf("%s is a text and the schema allows more", path)
			}
		case of.Kind() == reflect.Int, of.Kind() == reflect.Int64:
			if !allows("integer") || allows("string") && rule["enum"] == nil {
				t.Errorf("%s is a whole number and the schema says otherwise", path)
			}
		case of.Kind() == reflect.Bool:
			if !allows("boolean") || allows("string") {
				t.Errorf("%s is true or false and the schema says otherwise", path)
			}
		case of.Kind() == reflect.Slice:
			compare(path+"[]", rule["items"].(map[string]any), of.Elem())
		case of.Kind() == reflect.Map:
			if rule["additionalProperties"] != false {
				t.Errorf("%s may have keys of any form", path)
			}
			for _, item := range rule["patternProperties"].(map[string]any) {
				compare(path+".*", item.(map[string]any), of.Elem())
			}
		case of.Kind() == reflect.Struct:
			properties := rule["properties"].(map[string]any)
			if rule["additionalProperties"] != false {
				t.Errorf("%s may have unknown fields", path)
			}
			var names []string
			for i := range of.NumField() {
				name, _, _ := strings.Cut(of.Field(i).Tag.Get("json"), ",")
				names = append(names, name)
				fields++
				if property, ok := properties[name].(map[string]any); ok {
					compare(path+"."+name, property, of.Field(i).Type)
				}
			}
			slices.Sort(names)
			if diff := cmp.Diff(names, slices.Sorted(maps.Keys(properties))); diff != "" {
				t.Errorf("fields of %s (- Go, + schema):\n%s", path, diff)
			}
		default:
			t.Errorf("%s is of the type %v, which no schema was thought of for", path, of)
		}
	}
	compare("", root, reflect.TypeFor[blueprint.Blueprint]())
	if fields < 70 {
		t.Errorf("only %d fields were looked at", fields)
	}
	if all := slices.Sorted(maps.Keys(defs)); !slices.Equal(all, slices.Sorted(maps.Keys(used))) {
		t.Errorf("definitions %v, used %v", all, slices.Sorted(maps.Keys(used)))
	}
}
