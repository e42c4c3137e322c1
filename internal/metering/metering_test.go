package metering_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/metering"
)

const event = `{"specversion":"1.0","id":"a","source":"s","type":"use","subject":"acme","time":"2026-01-20T00:00:00Z","data":{"n":1.50,"s":"x","b":true,"o":{}}}`

func TestReadEvents(t *testing.T) {
	later := strings.Replace(event, `"data"`, `"recordedtime":"2026-02-01T00:00:00+01:00","data"`, 1)
	events, rejected, err := metering.ReadEvents("u", strings.NewReader("\n"+event+"\n\n"+strings.Replace(later, `"a"`, `"b"`, 1)), "acme")
	if err != nil || len(events) != 2 || len(rejected) != 0 {
		t.Fatalf("%v, %v, %v", events, rejected, err)
	}
	if got := fmt.Sprint(events[0].Data); got != "map[b:true n:1.50 s:x]" { // numbers stay as they are written
		t.Errorf("data = %s", got)
	}
	if e := events[1]; e.Line != 4 || !e.RecordedAt.Equal(time.Date(2026, 1, 31, 23, 0, 0, 0, time.UTC)) || e.Name() != "s/b" {
		t.Errorf("got %+v", e)
	}
}

// Trap: keys that are joined. ("a-b", "c") is not ("a", "b-c").
func TestSourceAndIDAreNotJoined(t *testing.T) {
	with := func(source, id string) string {
		return strings.NewReplacer(`"s"`, `"`+source+`"`, `"a"`, `"`+id+`"`).Replace(event)
	}
	events, rejected, err := metering.ReadEvents("u", strings.NewReader(with("a-b", "c")+"\n"+with("a", "b-c")), "acme")
	if err != nil || len(events) != 2 {
		t.Errorf("%d events, %v, %v", len(events), rejected, err)
	}
}

func TestReadLifetimesNamesWhatIsWrong(t *testing.T) {
	for line, want := range map[string]string{
		`{"urn":"do:droplet:1","from":"2026-01-01","sise":"x"}`:                             `r:1: json: unknown field "sise".`,
		`{"from":"2026-01-01"}`:                                                             `r:1: urn: it is missing.`,
		`{"urn":"do:droplet:1","from":"then"}`:                                              `r:1: from: "then" is no time`,
		`{"urn":"do:droplet:1","from":"2026-01-01","price_monthly":"-1"}`:                   `r:1: price_monthly: it is below zero.`,
		`{"urn":"do:droplet:1","from":"2026-01-01","price_monthly":"1e99"}`:                 `r:1: price_monthly: it is no decimal number`,
		`{"urn":"do:droplet:1","from":"2026-01-01"} {}`:                                     `r:1: more than one object`,
		"{\"urn\":\"do:droplet:1\",\"from\":\"2026-01-01\"}\n" + strings.Repeat("x", 2<<20): `r:2: the line is longer`,
	} {
		if _, err := metering.ReadLifetimes("r", strings.NewReader(line), time.UTC); !errors.Is(err, fault.Invalid) || !strings.Contains(fault.Message(err), want) {
			t.Errorf("%.60s: %v, want %q", line, err, want)
		}
	}
}

func FuzzReadEvents(f *testing.F) {
	f.Add(event)
	f.Add(event + "\n" + event + "\n{}\n")
	f.Add(`{"id":null,"data":[1]}`)
	f.Fuzz(func(t *testing.T, body string) {
		events, rejected, err := metering.ReadEvents("u", strings.NewReader(body), "acme")
		if err != nil {
			if !errors.Is(err, fault.Invalid) {
				t.Fatal(err)
			}
			return
		}
		lines := 0
		for _, l := range strings.Split(body, "\n") {
			if strings.TrimSpace(l) != "" {
				lines++
			}
		}
		if len(events)+len(rejected) != lines {
			t.Fatalf("%d events and %d rejected of %d lines", len(events), len(rejected), lines)
		}
	})
}
