package manifest_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/manifest"
)

// shop reads a small document of every sort of field.
func shop(document string) (text string, err error) {
	err = manifest.Read("shop.yaml", []byte(document), func(v manifest.Value) {
		if !v.Object("name", "price", "count", "mode", "open", "items") {
			return
		}
		text = v.Field("name").Text() + " " + v.Field("price").Decimal().String()
		v.Field("count").Int(1, 9, 1)
		v.Field("mode").OneOf("a", "b")
		v.Field("open").Bool()
		v.Field("items").Each(func(v manifest.Value) {
			if v.Object("id") {
				text += " " + v.Field("id").Text()
			}
		})
	})
	return text, err
}

func TestYAMLAndJSONReadAlike(t *testing.T) {
	for name, document := range map[string]string{
		"YAML":          "# a shop\nname: kiosk\nprice: \"1.50\"\nitems:\n  - id: one\n  - {id: two}\n",
		"JSON":          `{"name": "kiosk", "price": "1.50", "items": [{"id": "one"}, {"id": "two"}]}`,
		"indented JSON": "{\n\t\"name\": \"kiosk\",\n\t\"price\": \"1.50\",\n\t\"items\": [{\"id\": \"one\"}, {\"id\": \"two\"}]\n}\n",
		"flow YAML":     `{name: kiosk, price: '1.50', items: [{id: one}, {id: two}]}`,
	} {
		if got, err := shop(document); err != nil || got != "kiosk 1.5 one two" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func TestErrorsNameFileLineAndField(t *testing.T) {
	for _, tt := range []struct{ name, document, want string }{
		{"unknown field", "name: a\nprize: \"1\"\n", `shop.yaml:2: prize: There is no such field. The fields are name, price, count, mode, open, items.`},
		{"unknown field in JSON", "{\"name\": \"a\",\n \"items\": [\n  {\"id\": \"x\",\n   \"ip\": 1}]}", "shop.yaml:4: items[0].ip: There is no such field."},
		{"a number for a decimal", "name: a\nprice: 1.5\n", `shop.yaml:2: price: It must be a decimal in quotes, like "12.34".`},
		{"no decimal", "name: a\nprice: \"1,5\"\n", `shop.yaml:2: price: "1,5" is no decimal number.`},
		{"a huge exponent", "name: a\nprice: \"1e999999999\"\n", `shop.yaml:2: price: "1e999999999" is too long a number`},
		{"below zero", "name: a\nprice: \"-1\"\n", `shop.yaml:2: price: It must not be below zero.`},
		{"missing", "price: \"1\"\n", `shop.yaml:1: name: It is missing.`},
		{"out of bounds", "name: a\ncount: 10\n", `shop.yaml:2: count: It must be a whole number from 1 to 9.`},
		{"not one of", "name: a\nmode: c\n", `shop.yaml:2: mode: "c" is not known. It is one of a, b.`},
		{"no list", "name: a\nitems: 1\n", `shop.yaml:2: items: It must be a list.`},
		{"no object", "- a\n", `shop.yaml:1: the document: It must be an object`},
		{"written twice", "name: a\nname: b\n", `shop.yaml:2: `},
		{"written twice in JSON", `{"name": "a", "name": "b"}`, `shop.yaml:1: name: It is written twice`},
		{"an anchor", "name: &x a\n", `shop.yaml:1: Anchors, aliases and tags are not read.`},
		{"two documents", "name: a\n---\nname: b\n", `shop.yaml:3: A second document begins.`},
		{"nothing", " \n", `shop.yaml:1: The document is empty.`},
		{"broken JSON", "{\"name\": \"a\",\n \"price\" \"1\"}", `shop.yaml:2: It is no JSON`},
		{"broken YAML", "name: [a\nprice: ", `shop.yaml:2: It is no YAML`},
		{"nested too deep", strings.Repeat("[", 5000), "nested"},
		{"nested too deep in YAML", "a: " + strings.Repeat("- ", 5000), "nested"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := shop(tt.document)
			if !errors.Is(err, fault.Invalid) || !strings.Contains(fault.Message(err), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestCheckTellsAllThatIsWrongWithItsPlace(t *testing.T) {
	for name, tt := range map[string]struct{ document, want string }{
		"YAML": {"name: 1\nprice: \"1\"\nitems:\n  - ip: 1\nnone: {}\nmode: |\n  one\n  two\n", `shop.yaml:1:7: name: It must be a text.
shop.yaml:4:5: items[0].ip: There is no such field. The fields are id.
shop.yaml:4:5: items[0].id: It is missing.
shop.yaml:5:1: none: There is no such field. The fields are name, price, mode, items.
shop.yaml:8:1: mode: two is wrong`},
		"JSON": {"{\"name\": 1,\n \"items\": [{\"ip\": 1}]}", `shop.yaml:1:10: name: It must be a text.
shop.yaml:2:12: items[0].id: It is missing.
shop.yaml:2:13: items[0].ip: There is no such field. The fields are id.`},
		"no YAML": {"name: [a\nprice: ", `shop.yaml:2:1: It is no YAML: `},
	} {
		t.Run(name, func(t *testing.T) {
			err := manifest.Check("shop.yaml", []byte(tt.document), func(v manifest.Value) {
				v.Object("name", "price", "mode", "items")
				v.Field("name").Text()
				v.Field("items").Each(func(v manifest.Value) {
					v.Object("id")
					v.Field("id").Text()
				})
				if mode := v.Field("mode"); strings.HasPrefix(mode.Written(), "one\ntwo") {
					mode.FailAt(2, "two is wrong")
				}
			})
			if problems, ok := errors.AsType[manifest.Problems](err); !ok || !strings.HasPrefix(problems.Error(), tt.want) || !errors.Is(err, fault.Invalid) {
				t.Errorf("got\n%v, want\n%s", err, tt.want)
			}
		})
	}
}

func TestNear(t *testing.T) {
	for word, want := range map[string]string{"siez": "size", "region": "region", "sizes": "size", "xyz": "", "a": ""} {
		if got := manifest.Near(word, []string{"size", "region", "image"}); got != want {
			t.Errorf("Near(%q) = %q, want %q", word, got, want)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("name: kiosk\nprice: \"1.50\"\nitems:\n  - id: one\n"))
	f.Add([]byte(`{"name": "kiosk", "items": [{"id": "one"}]}`))
	f.Add([]byte("a: |\n  b\nc: >-\n  d\n? e\n: f\n"))
	f.Fuzz(func(t *testing.T, document []byte) {
		if _, err := shop(string(document)); err != nil && !errors.Is(err, fault.Invalid) {
			t.Fatal(err)
		}
	})
}
