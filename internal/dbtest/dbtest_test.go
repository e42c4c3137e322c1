package dbtest_test

import (
	"bufio"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
)

func TestEachTestHasADatabaseOfItsOwn(t *testing.T) {
	seen := make(map[db.Engine]int)
	for range 2 {
		dbtest.Each(t, func(t *testing.T, d *db.DB) {
			seen[d.Engine()]++
			var sagas int
			if err := d.Read().QueryRowContext(t.Context(), `SELECT count(*) FROM sagas`).Scan(&sagas); err != nil || sagas != 0 {
				t.Errorf("there are %d sagas, %v, in a fresh migrated database", sagas, err)
			}
			write, _ := d.SQLDB()
			if _, err := write.ExecContext(t.Context(), `INSERT INTO saga_nodes (id, seen_at, kinds) VALUES ('a', 1, '[]')`); err != nil {
				t.Errorf("the second test finds the row of the first: %v", err)
			}
		})
	}
	if seen[db.SQLite] != 2 || seen[db.Postgres] != 2 {
		t.Errorf("the tests ran on %v, want each engine twice", seen)
	}
}

// childVariable makes this test binary the child of one of the tests below.
const childVariable = "DBTEST_CHILD"

// TestChild is what the children run: it starts a server, says where, and waits.
func TestChild(t *testing.T) {
	if os.Getenv(childVariable) == "" {
		t.Skip("only as a child of the other tests")
	}
	if _, err := os.Stdout.WriteString("URL " + dbtest.EmptyPostgres(t) + "\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		t.Fatal(err)
	}
}

// child prepares this binary to run TestChild with a server of its own, whose
// files are in scratch.
func child(t *testing.T, scratch string, more ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestChild$", "-test.v")
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		if name != "ARCADIA_TEST_POSTGRES" && name != "ARCADIA_TEST_REQUIRE_POSTGRES" && name != "CI" && name != "TMPDIR" {
			cmd.Env = append(cmd.Env, variable)
		}
	}
	cmd.Env = append(cmd.Env, append(more, childVariable+"=1", "TMPDIR="+scratch)...)
	return cmd
}

// A killed test binary stops nothing itself, and still leaves no server behind.
func TestTheServerEndsWithAKilledBinary(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a server")
	}
	scratch, err := os.MkdirTemp("", "dbtest-") //nolint:usetesting // t.TempDir is closed to the server's account
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(scratch)
	if err := os.Chmod(scratch, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := child(t, scratch)
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	host := ""
	for lines := bufio.NewScanner(out); host == "" && lines.Scan(); {
		if at, ok := strings.CutPrefix(lines.Text(), "URL "); ok {
			u, err := url.Parse(at)
			if err != nil {
				t.Fatal(err)
			}
			host = u.Host
		}
	}
	killed := cmd.Process.Kill()
	if err := cmd.Wait(); killed != nil || host == "" {
		t.Fatalf("the child named the server %q and ended with %v, killed %v", host, err, killed)
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		left, err := filepath.Glob(filepath.Join(scratch, "*"))
		if err != nil {
			t.Fatal(err)
		}
		conn, err := net.Dial("tcp", host)
		if err == nil {
			conn.Close()
		}
		if err != nil && len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("20 s after the kill the server answers %t, and these files are left: %v", err == nil, left)
		}
	}
}

// Where there is no server a test skips, and fails where there must be one. A
// directory that does not exist keeps the server from starting.
func TestAMissingServer(t *testing.T) {
	nowhere := filepath.Join(t.TempDir(), "missing")
	for _, tt := range []struct {
		name, want string
		env        []string
	}{
		{"skips", "--- SKIP: TestChild", nil},
		{"fails when it is required", "--- FAIL: TestChild", []string{"ARCADIA_TEST_REQUIRE_POSTGRES=1"}},
		{"fails in CI", "--- FAIL: TestChild", []string{"CI=true"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out, err := child(t, nowhere, tt.env...).CombinedOutput()
			if !strings.Contains(string(out), tt.want) {
				t.Errorf("%v, and no %q in:\n%s", err, tt.want, out)
			}
		})
	}
}
