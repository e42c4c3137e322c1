package clients_test

import (
	"os"
	"os/exec"
	"testing"

	"github.com/arcadia-cloud/arcadia/internal/dosim"
)

// needs skips a test whose client is not here, which missing says, and fails it
// where all of them were promised.
func needs(t *testing.T, missing error) {
	t.Helper()
	switch {
	case missing == nil:
	case os.Getenv("ARCADIA_TEST_REQUIRE_CLIENTS") != "":
		t.Fatalf("the tests of other clients are required here: %v; scripts/setup installs what they need", missing)
	default:
		t.Skipf("%v; scripts/setup installs what is needed", missing)
	}
}

// DigitalOcean's TypeScript client.
func TestDots(t *testing.T) {
	_, err := exec.LookPath("node")
	if err == nil {
		_, err = os.Stat("dots/node_modules/@digitalocean/dots")
	}
	needs(t, err)
	reads(t, "dots/dots.mjs", "dots/package.json", "dots/package-lock.json")
	s := stepped(t, nil)
	for _, seed := range []dosim.SeedThing{
		{Kind: "database", Data: map[string]any{"name": "orders", "region": "ams3"}},
		{Kind: "kubernetes_cluster", Data: map[string]any{"name": "shop", "region": "ams3"}},
	} {
		if _, err := s.SeedThing(seed); err != nil {
			t.Fatal(err)
		}
	}
	mark := s.Mark()
	out, err := exec.CommandContext(t.Context(), "node", "dots/dots.mjs", s.URL, s.AdminURL, s.Token).CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if n := s.UnknownPaths(); n != 0 {
		t.Errorf("it asks %d times for what is not served", n)
	}
	for _, l := range s.Leaks(mark) {
		if l.URN != "do:tag:web" {
			t.Errorf("left over: %v", l)
		}
	}
}
