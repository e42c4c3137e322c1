package billing_test

import (
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"
)

// The list of traps names tests that there are, for each trap.
func TestTheListOfTrapsIsTrue(t *testing.T) {
	list, err := os.ReadFile("../../docs/billing-traps.md")
	if err != nil {
		t.Fatal(err)
	}
	tests := make(map[string]bool)
	defined := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	internal := os.DirFS("..")
	err = fs.WalkDir(internal, ".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := fs.ReadFile(internal, path)
		for _, found := range defined.FindAllSubmatch(text, -1) {
			tests[string(found[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`(Test\\w+)`")
	traps := 0
	for line := range strings.Lines(string(list)) {
		if !strings.HasPrefix(line, "| ") || strings.HasSuffix(line, "| Shown by |\n") {
			continue
		}
		traps++
		names := named.FindAllStringSubmatch(line, -1)
		if len(names) == 0 {
			t.Errorf("no test shows: %s", line)
		}
		for _, name := range names {
			if !tests[name[1]] {
				t.Errorf("there is no %s, which would show: %s", name[1], line)
			}
		}
	}
	if traps < 25 {
		t.Errorf("only %d traps", traps)
	}
}
