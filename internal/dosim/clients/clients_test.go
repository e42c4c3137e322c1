// Package clients_test has official clients, each built in a module of its own,
// drive a simulated DigitalOcean over sockets.
package clients_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
)

// godos are the versions of godo, and where the module is that has it.
var godos = []struct{ version, dir, pkg string }{
	{"v1.236.0", "../../..", "./internal/dosim/clients/godo"},
	{"v1.202.0", "godo1202", "."},
}

// built is the path of a program that was built with this godo. What it says of
// itself shows that it was.
func built(t *testing.T, version, dir, pkg string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "godo")
	run := func(args ...string) string {
		out, err := exec.CommandContext(t.Context(), "go", args...).CombinedOutput()
		if err != nil {
			t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	run("-C", dir, "build", "-o", path, pkg)
	said := false
	for line := range strings.Lines(run("version", "-m", path)) {
		f := strings.Fields(line)
		said = said || len(f) > 2 && (f[0] == "dep" || f[0] == "=>") && f[1] == "github.com/digitalocean/godo" && f[2] == version
	}
	if !said {
		t.Fatalf("the program in %s is not built with godo %s", dir, version)
	}
	return path
}

// Both versions of godo, the newest and the one that doctl and the Terraform
// provider pin, leave the same seed's cloud in the same state.
func TestGodoVersionsEndInTheSameState(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds programs")
	}
	ends := map[string]string{}
	for _, g := range godos {
		program := built(t, g.version, g.dir, g.pkg)
		clock := dosim.NewClock(dosim.Stepped)
		clock.Set(time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC))
		s := dosimtest.Start(t, dosim.Options{Seed: 21, Clock: clock})
		out, err := exec.CommandContext(t.Context(), program, s.URL, s.AdminURL, s.Token).CombinedOutput() //nolint:gosec // built above
		if err != nil {
			t.Fatalf("godo %s: %v\n%s", g.version, err, out)
		}
		if n := s.UnknownPaths(); n != 0 {
			t.Errorf("godo %s asked %d times for what is not served", g.version, n)
		}
		var end strings.Builder
		kinds := map[string]int{}
		for _, i := range s.Truth("") {
			kinds[i.Kind]++
			fmt.Fprintf(&end, "%s %s %s\n%s\n", i.URN, i.Name, i.CreatedAt, strings.ReplaceAll(string(i.Data), s.URL, "URL"))
		}
		for kind, n := range map[string]int{"droplet": 2, "snapshot": 1, "ssh_key": 1, "firewall": 1, "domain": 1, "tag": 1} {
			if kinds[kind] != n {
				t.Errorf("godo %s leaves %d of kind %s, want %d", g.version, kinds[kind], kind, n)
			}
		}
		ends[g.version] = end.String()
	}
	if diff := cmp.Diff(ends["v1.236.0"], ends["v1.202.0"]); diff != "" {
		t.Errorf("the two versions end in different states (-v1.236.0 +v1.202.0):\n%s", diff)
	}
}
