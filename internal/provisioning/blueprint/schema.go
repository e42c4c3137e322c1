package blueprint

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"github.com/arcadia-cloud/arcadia/internal/manifest"
)

//go:embed blueprint.schema.json
var schemaText []byte

// Schema is the JSON Schema (2020-12) of blueprints, for editors and other tools. It
// says what a document looks like; [Parse] also asks that it makes sense.
func Schema() []byte { return bytes.Clone(schemaText) }

type compiledSchema struct {
	root *jsonschema.Schema
	at   map[string]*jsonschema.Schema // by where they stand
}

var schema = sync.OnceValue(func() compiledSchema {
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(schemaText))
	if err != nil {
		panic(fmt.Sprintf("the schema of blueprints: %v", err)) // it is part of the program
	}
	const address = "https://arcadia.invalid/blueprint.schema.json"
	c := jsonschema.NewCompiler()
	if err := c.AddResource(address, document); err != nil {
		panic(fmt.Sprintf("the schema of blueprints: %v", err))
	}
	s := compiledSchema{c.MustCompile(address), make(map[string]*jsonschema.Schema)}
	s.index(s.root)
	return s
})

func (s compiledSchema) index(one *jsonschema.Schema) {
	if one == nil || s.at[one.Location] != nil {
		return
	}
	s.at[one.Location] = one
	for _, sub := range one.Properties {
		s.index(sub)
	}
	s.index(one.Ref)
	for _, sub := range one.PatternProperties {
		s.index(sub)
	}
	s.index(one.Items2020)
}

// checkForm says where the document is not of the form of the schema, and returns
// the paths of what is wrong.
func checkForm(root manifest.Value) (wrong []string) {
	err := schema().root.Validate(root.Plain())
	invalid, ok := errors.AsType[*jsonschema.ValidationError](err)
	if !ok {
		return nil
	}
	var visit func(*jsonschema.ValidationError)
	visit = func(e *jsonschema.ValidationError) {
		for _, cause := range e.Causes {
			visit(cause)
		}
		if len(e.Causes) == 0 {
			wrong = append(wrong, places(e)...)
			tell(locate(root, e.InstanceLocation), e)
		}
	}
	visit(invalid)
	return wrong
}

// places are the paths of what an error is about: an unknown field is wrong, and the
// fields beside it are not.
func places(e *jsonschema.ValidationError) []string {
	path := strings.Join(e.InstanceLocation, "/")
	var names []string
	switch k := e.ErrorKind.(type) {
	case *kind.AdditionalProperties:
		names = k.Properties
	case *kind.Required:
		names = k.Missing
	default:
		return []string{path}
	}
	var all []string
	for _, name := range names {
		all = append(all, strings.TrimPrefix(path+"/"+name, "/"))
	}
	return all
}

// locate is the value at a path of fields and of indices.
func locate(v manifest.Value, path []string) manifest.Value {
	for _, step := range path {
		if v.IsList() {
			i := 0
			if _, err := fmt.Sscan(step, &i); err != nil {
				return v
			}
			v = v.Item(i)
		} else {
			v = v.Field(step)
		}
	}
	return v
}

// tell says one thing that is wrong in the words of a person.
func tell(v manifest.Value, e *jsonschema.ValidationError) {
	rule := schema().at[e.SchemaURL]
	switch k := e.ErrorKind.(type) {
	case *kind.AdditionalProperties:
		var names []string
		if rule != nil {
			for name := range rule.Properties {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		for _, name := range k.Properties {
			if len(names) == 0 {
				v.FailName(name, "It cannot be called so.%s", described(rule))
				continue
			}
			v.FailName(name, "There is no such field here. The fields are %s.%s", strings.Join(names, ", "), near(name, names))
		}
	case *kind.Required:
		for _, name := range k.Missing {
			v.Field(name).Fail("It is missing.")
		}
	case *kind.Enum:
		var allowed []Expr
		for _, one := range k.Want {
			allowed = append(allowed, Expr(fmt.Sprint(one)))
		}
		v.Fail("%q is not known. It is one of %s.%s", clip(v.Written()), listed(allowed), near(v.Written(), texts(allowed)))
	case *kind.Type:
		v.Fail("It must be %s, and is %s.%s", oneOf(k.Want), noun(k.Got), described(rule))
	case *kind.Pattern:
		v.Fail("%q is not of the right form.%s", clip(k.Got), described(rule))
	case *kind.Minimum:
		v.Fail("It must not be less than %s.%s", number(k.Want), described(rule))
	case *kind.Maximum:
		v.Fail("It must not be more than %s.%s", number(k.Want), described(rule))
	case *kind.MinLength:
		v.Fail("It must not be shorter than %d characters.", k.Want)
	case *kind.MaxLength:
		v.Fail("It must not be longer than %d characters.", k.Want)
	case *kind.MinItems, *kind.MinProperties:
		v.Fail("There must be at least one.")
	case *kind.MaxItems:
		v.Fail("There must be at most %d.", k.Want)
	case *kind.MaxProperties:
		v.Fail("There must be at most %d.", k.Want)
	default:
		v.Fail("It is not of the right form.%s", described(rule))
	}
}

func described(rule *jsonschema.Schema) string {
	if rule == nil || rule.Description == "" {
		return ""
	}
	return " " + strings.TrimSuffix(rule.Description, ".") + "."
}

func number(r *big.Rat) string { return r.RatString() }

var nouns = map[string]string{"object": "an object", "array": "a list", "string": "a text", "integer": "a whole number",
	"number": "a number", "boolean": "true or false", "null": "empty"}

func noun(jsonType string) string { return nouns[jsonType] }

func oneOf(jsonTypes []string) string {
	var all []string
	for _, t := range jsonTypes {
		all = append(all, noun(t))
	}
	return strings.Join(all, ", or ")
}

func listed[T ~string](all []T) string { return strings.Join(texts(all), ", ") }

func texts[T ~string](all []T) []string {
	var out []string
	for _, one := range all {
		out = append(out, string(one))
	}
	return out
}

// near is a sentence with what a word was probably meant to be.
func near(word string, options []string) string {
	if other := manifest.Near(word, options); other != "" {
		return " Did you mean " + other + "?"
	}
	return ""
}

// decode fills a blueprint from a document; what does not fit stays empty.
func decode(root manifest.Value) (*Blueprint, error) {
	bp := new(Blueprint)
	text, err := json.Marshal(root.Plain())
	if err != nil {
		return bp, err
	}
	return bp, json.Unmarshal(text, bp)
}
