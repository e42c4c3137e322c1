package golden_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/arcadia-cloud/arcadia/internal/golden"
)

// A recorder is a test that notes its failure.
type recorder struct {
	testing.TB
	failed bool
}

func (r *recorder) Helper()               {}
func (r *recorder) Errorf(string, ...any) { r.failed = true }

func fails(t *testing.T, path, got string) bool {
	r := &recorder{TB: t}
	golden.Equal(r, path, got)
	return r.failed
}

func TestEqual(t *testing.T) {
	path := filepath.Join(t.TempDir(), "testdata", "answer.txt")
	if !fails(t, path, "42\n") {
		t.Error("a missing file passes")
	}
	setUpdate(t, "true")
	if fails(t, path, "42\n") {
		t.Error("-update fails")
	}
	if content, err := os.ReadFile(path); string(content) != "42\n" || err != nil {
		t.Errorf("-update wrote %q, %v", content, err)
	}
	setUpdate(t, "false")
	if fails(t, path, "42\n") {
		t.Error("what the file says fails")
	}
	if !fails(t, path, "42") {
		t.Error("a missing newline passes")
	}
}

func setUpdate(t *testing.T, value string) {
	before := flag.Lookup("update").Value.String()
	if err := flag.Set("update", value); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = flag.Set("update", before) })
}
