package inventory

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// TestSecretsDoNotReachTheDatabase syncs an account with one of everything, with a token
// that DigitalOcean shows every secret to, and looks for them in every byte of the
// database: its file, and the log that is written ahead of it.
func TestSecretsDoNotReachTheDatabase(t *testing.T) {
	room := newShowroom(t)
	client := room.as(t, room.Token)
	path := filepath.Join(t.TempDir(), "arcadia.db")
	content, err := os.ReadFile(dbtest.SQLite(t)[len("sqlite://"):])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := db.Open(t.Context(), "sqlite://"+path, db.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	engine, err := saga.New(d, saga.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := New(d, engine, Settings{
		Horizon:  time.Minute,
		Client:   func(context.Context, string) (*digitalocean.Client, error) { return client, nil },
		Accounts: func(context.Context) ([]string, error) { return []string{"main"}, nil },
	})
	r, err := s.StartSync(t.Context(), "main", nil, "test")
	if err != nil {
		t.Fatal(err)
	}
	run, ok, err := s.claim(t.Context())
	if err != nil || !ok {
		t.Fatalf("the run was not to be had: %v", err)
	}
	s.carryOut(t.Context(), run)
	if r, err = s.Run(t.Context(), r.ID); err != nil || r.State() != Complete {
		t.Fatalf("the sync is %s, %v: %+v", r.State(), err, r)
	}
	names, err := filepath.Glob(path + "*")
	if err != nil {
		t.Fatal(err)
	}
	var all []byte
	for _, name := range names {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, content...)
	}
	if !bytes.Contains(all, []byte(redacted)) || len(all) < 100_000 {
		t.Errorf("%v are %d bytes without a secret taken out: the test looks in the wrong place", names, len(all))
	}
	if i := bytes.Index(all, []byte("planted-secret")); i >= 0 {
		t.Errorf("a secret is in the database: …%q…", all[max(0, i-80):i+40])
	}
}
