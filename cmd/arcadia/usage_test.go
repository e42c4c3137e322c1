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
