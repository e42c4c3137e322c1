package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The pages are tested in a browser, by the tests of tools/browser over the binary
// that this package builds.
func TestPagesInABrowser(t *testing.T) {
	dir := filepath.Join("..", "..", "tools", "browser")
	for _, need := range []func() error{
		func() error { _, err := exec.LookPath("chromium"); return err },
		func() error { _, err := exec.LookPath("node"); return err },
		func() error { _, err := os.Stat(filepath.Join(dir, "node_modules", "playwright-core")); return err },
	} {
		if err := need(); err != nil && os.Getenv("ARCADIA_TEST_REQUIRE_BROWSER") != "" {
			t.Fatalf("the browser tests are required here: %v; scripts/setup installs what they need", err)
		} else if err != nil {
			t.Skipf("no browser to test the pages in: %v; scripts/setup installs what is needed", err)
		}
	}
	c := exec.CommandContext(t.Context(), "node", "--test", "--test-reporter=spec", "--test-concurrency=1", "pages.test.mjs", "inventory.test.mjs", "stacks.test.mjs", "estate.test.mjs", "billing.test.mjs")
	c.Dir = dir
	c.Env = append(os.Environ(), "ARCADIA_BINARY="+binary)
	out, err := c.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if testing.Verbose() {
		t.Logf("%s", out)
	}
}
