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
