package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Files of usage in every form are counted once, whatever form they come in.
func TestUsageFromTheCommandLine(t *testing.T) {
	h := newHouse(t)
	h.run(t, "tenant", "add", "acme").want(t, 0)
	at := time.Now().UTC().Truncate(time.Hour).Format(time.RFC3339)
	line := func(id, n string) string {
		return `{"source":"app","type":"use","subject":"acme","id":"` + id + `","time":"` + at + `","data":{"n":"` + n + `"}}`
	}
	type sum struct {
		Events, Accepted, Late, Duplicates, Rejected int
		Rejections                                   []struct {
			Line           int
			Reason, Detail string
		}
		More int `json:"more_rejections"`
	}
	lines := line("a", "1") + "\n\n" + line("b", "2") + "\n" + line("a", "3") + "\n"
	got := exactly[sum](t, h.pipe(t, lines, "usage", "push", "-", "--batch", "2", "--json").want(t, 1).out)
	if got.Accepted != 2 || got.Rejected != 1 || len(got.Rejections) != 1 || got.Rejections[0].Line != 4 || got.Rejections[0].Reason != "conflict" {
		t.Errorf("lines: %+v", got)
	}
	file := filepath.Join(t.TempDir(), "usage.csv")
	rows := "id,time,n\na," + at + ",1\nc," + at + ",4\n"
	if err := os.WriteFile(file, []byte(rows), 0o600); err != nil {
		t.Fatal(err)
	}
	text := h.run(t, "usage", "push", file, "--tenant", "acme", "--source", "app", "--type", "use").want(t, 0).out
	if !strings.Contains(text, "2 events: 1 accepted, 1 counted before, 0 rejected.") {
		t.Errorf("CSV: %s", text)
	}
	array := "[" + line("c", "4") + "," + line("d", "8") + "]"
	got = exactly[sum](t, h.pipe(t, array, "usage", "push", "-", "--json").want(t, 0).out)
	if got.Accepted != 1 || got.Duplicates != 1 {
		t.Errorf("an array: %+v", got)
	}
	if text := h.run(t, "usage", "conflicts").want(t, 0).out; !strings.Contains(text, `{"n":"1"}`) || !strings.Contains(text, `{"n":"3"}`) {
		t.Errorf("conflicts: %s", text)
	}
	for in, want := range map[string]string{
		"":                    "the file is empty",
		"{}\n{":               "-:2: the line is no JSON",
		"[{}":                 "no JSON after byte",
		"id;time\n":           "there is no column id",
		"id,time\n1,2,3\n":    "wrong number of fields",
		"id,time,id\n1,2,3\n": "each column has a name of its own",
	} {
		if said := h.pipe(t, in, "usage", "push", "-").want(t, 2).err; !strings.Contains(said, want) {
			t.Errorf("%q: %s", in, said)
		}
	}
}

func TestLifetimesFromTheCommandLine(t *testing.T) {
	h := newHouse(t).with("ARCADIA_DO_TOKEN_INVENTORY=" + goodToken)
	h.run(t, "tenant", "add", "acme").want(t, 0)
	h.run(t, "inventory", "sync", "--wait").want(t, 0)
	h.run(t, "inventory", "assign", "acme", "do:droplet:"+h.droplet()).want(t, 0)
	type page struct {
		Items []struct {
			URN, Account, Kind, Size, Status string
			Tenant                           *string
			Price                            *string `json:"price_monthly"`
			From, To                         struct {
				At, Earliest *time.Time
				Exact        bool
				Evidence     string
			}
		}
		Next *string
	}
	lifetimes := func(args ...string) page {
		return exactly[page](t, h.run(t, append([]string{"usage", "lifetimes", "--json"}, args...)...).want(t, 0).out)
	}
	got := lifetimes("droplet:" + h.droplet())
	if len(got.Items) != 1 {
		t.Fatalf("%+v", got)
	}
	if l := got.Items[0]; l.Tenant == nil || *l.Tenant != "acme" || l.From.At == nil || !l.From.Exact || l.To.At != nil || l.Price == nil {
		t.Errorf("%+v", l)
	}
	first := lifetimes("--limit", "1")
	if first.Next == nil || len(first.Items) != 1 {
		t.Fatalf("%+v", first)
	}
	rest := lifetimes("--cursor", *first.Next, "--limit", "1000")
	if all := lifetimes("--limit", "1000"); len(all.Items) != len(rest.Items)+1 || rest.Next != nil {
		t.Errorf("%d lifetimes, and after the first %d", len(all.Items), len(rest.Items))
	}
	if n := len(lifetimes("--tenant", "acme", "--to", "2001-01-01").Items); n != 0 {
		t.Errorf("%d lifetimes before there was anything", n)
	}
	h.run(t, "usage", "lifetimes", "--cursor", "x").want(t, 2)
	h.run(t, "usage", "lifetimes", "--from", "then").want(t, 2)
}

func TestMetersFromTheCommandLine(t *testing.T) {
	h := newHouse(t)
	h.run(t, "tenant", "add", "acme").want(t, 0)
	line := func(id, kind, n, region string) string {
		return `{"source":"app","type":"` + kind + `","subject":"acme","id":"` + id + `","time":"2026-01-20T12:30:00Z","data":{"n":` + n + `,"region":"` + region + `"}}` + "\n"
	}
	h.pipe(t, line("a", "use", "0.1", "fra1")+line("b", "use", "0.2", "fra1")+line("c", "use", "1", "nyc3")+line("d", "other", "1", ""), "usage", "push", "-").want(t, 0)
	meters := "- {id: units, event_type: use, aggregate: sum, value: n, group_by: [region]}\n"
	if said := h.pipe(t, meters, "usage", "meters", "apply", "-", "--dry-run").want(t, 0).out; !strings.Contains(said, "added") || !strings.Contains(said, "Nothing was changed") {
		t.Error(said)
	}
	if said := h.run(t, "usage", "meters").want(t, 0).out; !strings.Contains(said, "There are no meters") {
		t.Error(said)
	}
	h.pipe(t, meters, "usage", "meters", "apply", "-").want(t, 0)
	type totals struct {
		Meter, Tenant string
		From, To      time.Time
		Items         []struct {
			Group    map[string]string
			Quantity string
			Events   int64
		}
	}
	for zone, want := range map[string]string{"UTC": "0.3", "Asia/Kolkata": "0.3", "Pacific/Kiritimati": ""} { // where it is the 21st already
		got := exactly[totals](t, h.run(t, "usage", "totals", "units", "--tenant", "acme", "--from", "2026-01-20", "--to", "2026-01-21", "--zone", zone, "--json").want(t, 0).out)
		quantity := ""
		if len(got.Items) == 2 && got.Items[0].Group["region"] == "fra1" && got.Items[0].Events == 2 {
			quantity = got.Items[0].Quantity
		}
		if quantity != want {
			t.Errorf("%s: %+v, want %q", zone, got, want)
		}
	}
	if said := h.run(t, "usage", "unmetered").want(t, 0).out; !strings.Contains(said, "other") || strings.Contains(said, "use ") {
		t.Error(said)
	}
	h.run(t, "usage", "rebuild").want(t, 0)
	changed := strings.Replace(meters, "sum", "max", 1)
	if said := h.pipe(t, changed, "usage", "meters", "apply", "-").want(t, 1).err; !strings.Contains(said, "has counted events and stays as it is") {
		t.Error(said)
	}
	if said := h.pipe(t, "- {id: x, event_type: use, aggregate: average}\n", "usage", "meters", "apply", "-").want(t, 2).err; !strings.Contains(said, "-:1") {
		t.Error(said)
	}
	h.run(t, "usage", "meters", "remove", "units").want(t, 1)
	h.run(t, "usage", "totals", "none", "--tenant", "acme").want(t, 1)
	h.run(t, "usage", "totals", "units", "--tenant", "acme", "--from", "2026-01-21", "--to", "2026-01-20").want(t, 2)
}
