package dbtest

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/arcadia-cloud/arcadia/internal/schema"
)

const serverVariable = "ARCADIA_TEST_POSTGRES"

// Postgres returns the URL of a fresh migrated database on PostgreSQL, dropped
// when the test ends, for tests that open it themselves: Each does so for most.
func Postgres(t testing.TB) string {
	t.Helper()
	server := requireServer(t)
	template, err := postgresTemplate()
	if err != nil {
		t.Fatalf("migrate a PostgreSQL database: %v", err)
	}
	return create(t, server, template)
}

// EmptyPostgres returns the URL of a fresh database without a schema, dropped
// when the test ends.
func EmptyPostgres(t testing.TB) string {
	t.Helper()
	return create(t, requireServer(t), "template0")
}

// requireServer returns the server's URL, or ends the test.
func requireServer(t testing.TB) string {
	t.Helper()
	server, err := postgresServer()
	if err != nil {
		if os.Getenv("ARCADIA_TEST_REQUIRE_POSTGRES") != "" || os.Getenv("CI") != "" {
			t.Fatalf("PostgreSQL is required here: %v", err)
		}
		t.Skipf("no PostgreSQL, so this is not tested on it: %v", err)
	}
	return server.url
}

// create makes a database from a template.
func create(t testing.TB, server, template string) string {
	t.Helper()
	ctx := context.WithoutCancel(t.Context()) // which ends before the cleanup
	name := "test_" + strings.ToLower(rand.Text())
	if err := execute(ctx, server, "CREATE DATABASE "+name+" TEMPLATE "+template); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := execute(ctx, server, "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Errorf("drop %s: %v", name, err)
		}
	})
	return withDatabase(server, name)
}

// A server is the PostgreSQL that this test binary uses.
type server struct {
	url     string
	process *exec.Cmd // ours, whose standard input would be closed if it were collected
}

var postgresServer = sync.OnceValues(func() (*server, error) {
	if url := os.Getenv(serverVariable); url != "" {
		return &server{url: url}, nil
	}
	return startServer()
})

// startServer has scripts/with-postgres run a server for as long as this process
// holds the script's standard input open. The kernel closes it when the process
// ends, even by SIGKILL, and with that the script stops and removes its server.
func startServer() (*server, error) {
	root, err := moduleRoot()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(filepath.Join(root, "scripts", "with-postgres"),
		"-c", "fsync=off", "-c", "max_connections=300",
		"sh", "-c", `echo "$`+serverVariable+`"; exec cat >/dev/null`)
	if _, err := cmd.StdinPipe(); err != nil { // cmd keeps it
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	var said []string
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "postgres://") {
			return &server{lines.Text(), cmd}, nil
		}
		said = append(said, lines.Text())
	}
	return nil, errors.New(strings.Join(append(said, fmt.Sprint(cmd.Wait())), "\n"))
}

func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("the test does not run inside the module")
		}
	}
}

// postgresTemplate is the name of a migrated database on the server, which the
// tests' databases are copied from. Its name holds the schema's fingerprint, so
// that the test binaries of one schema share it; a lock has them make it once.
var postgresTemplate = sync.OnceValues(func() (name string, err error) {
	ctx := context.Background()
	server, err := postgresServer()
	if err != nil {
		return "", err
	}
	fingerprint, err := schema.Fingerprint()
	if err != nil {
		return "", err
	}
	name = "template_" + fingerprint[:16]

	conn, err := pgx.Connect(ctx, server.url)
	if err != nil {
		return "", err
	}
	defer conn.Close(ctx) // gives the lock back
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock(hashtext($1))", name); err != nil {
		return "", err
	}
	var there bool
	err = conn.QueryRow(ctx, "SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)", name).Scan(&there)
	if err != nil || there {
		return name, err
	}
	// Under another name until it is whole: a binary may be killed on the way.
	unfinished := name + "_unfinished"
	for _, statement := range []string{"DROP DATABASE IF EXISTS " + unfinished + " WITH (FORCE)", "CREATE DATABASE " + unfinished} {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return "", err
		}
	}
	if err := migrate(ctx, withDatabase(server.url, unfinished)); err != nil {
		return "", err
	}
	_, err = conn.Exec(ctx, "ALTER DATABASE "+unfinished+" RENAME TO "+name)
	return name, err
})

func execute(ctx context.Context, server, statement string) error {
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, statement); err != nil {
		return fmt.Errorf("%s: %w", statement, err)
	}
	return nil
}

func databaseOf(server string) string {
	u, err := url.Parse(server)
	if err != nil {
		panic(err) // withDatabase made it
	}
	return strings.TrimPrefix(u.Path, "/")
}

func withDatabase(server, name string) string {
	u, err := url.Parse(server)
	if err != nil {
		panic(serverVariable + " is not a URL: " + err.Error())
	}
	u.Path = "/" + name
	return u.String()
}
