package inventory

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/fault"
)

func TestParseQuery(t *testing.T) {
	q, err := ParseQuery(`kind:droplet,volume -tenant:acme cost>=20.5 tag:env:production name:"old web" as-of:2026-11-01 "two words" web`)
	if err != nil {
		t.Fatal(err)
	}
	want := Query{AsOf: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), Terms: []Term{
		{Key: "kind", Op: ":", Values: []string{"droplet", "volume"}},
		{Key: "tenant", Op: ":", Values: []string{"acme"}, Not: true},
		{Key: "cost", Op: ">=", Values: []string{"20.5"}},
		{Key: "tag", Op: ":", Values: []string{"env:production"}},
		{Key: "name", Op: ":", Values: []string{"old web"}},
		{Values: []string{"two words"}},
		{Values: []string{"web"}},
	}}
	if !reflect.DeepEqual(q, want) {
		t.Errorf("got %+v\nwant %+v", q, want)
	}
}

func TestAnErrorPointsAtTheWord(t *testing.T) {
	for _, tt := range []struct{ query, word, says string }{
		{"web knd:droplet", "knd:droplet", "did you mean kind"},
		{"web colour:red", "colour:red", "the keys are kind, "},
		{"kind:dropplet", "kind:dropplet", "no kind"},
		{"kind>droplet", "kind>droplet", "kind:droplet"},
		{"ä kind:", "kind:", "lacks a value"},
		{"cost>much", "cost>much", "dollars"},
		{"cost:20", "cost:20", "dollars"},
		{"cost<20000000000000", "cost<20000000000000", "dollars"}, // more micro-dollars than a column holds
		{"age>soon", "age>soon", "30d"},
		{"changed<yesterday", "changed<yesterday", "24h"},
		{"as-of:2026-02-30", "as-of:2026-02-30", "as-of"},
		{"as-of:2026-02-01 as-of:2026-02-02", "as-of:2026-02-02", "one time"},
		{"deleted:maybe", "deleted:maybe", "any"},
		{`name:"web`, `name:"web`, "quote"},
		{`web ""`, `""`, "nothing"},
	} {
		_, err := ParseQuery(tt.query)
		var at *QueryError
		if !errors.As(err, &at) || tt.query[at.From:at.To] != tt.word || !strings.Contains(at.Reason, tt.says) {
			t.Errorf("%s: %v, want it at %s with %q", tt.query, err, tt.word, tt.says)
		}
		if !errors.Is(err, fault.Invalid) {
			t.Errorf("%s: it is no fault.Invalid", tt.query)
		}
	}
	_, err := ParseQuery("ä knd:x web")
	var at *QueryError
	if !errors.As(err, &at) || at.Caret() != "ä knd:x web\n  ^^^^^" {
		t.Errorf("the caret is\n%s", at.Caret())
	}
}

func FuzzParseQuery(f *testing.F) {
	for _, seed := range append(QueryExamples(), `-name:"a \" b",c`, `"-x" -"-y" "a:b"`, `tag:"",x`, `cost>=1e3 -x`, "a\u2003b") {
		f.Add(strings.Split(seed, ", ")[0])
	}
	f.Fuzz(func(t *testing.T, text string) {
		q, err := ParseQuery(text)
		if err != nil {
			var at *QueryError
			if errors.As(err, &at) {
				_ = at.Caret()
			}
			return
		}
		again, err := ParseQuery(q.String())
		if err != nil && len(q.String()) <= maxQuery {
			t.Fatalf("%q reads as %+v, written as %q, which does not read back: %v", text, q, q.String(), err)
		}
		if err == nil && !reflect.DeepEqual(q, again) {
			t.Fatalf("%q reads as %+v, written as %q, and reads back as %+v", text, q, q.String(), again)
		}
	})
}
