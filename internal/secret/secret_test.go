package secret_test

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/secret"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
	"github.com/arcadia-cloud/arcadia/internal/vault"
)

var noon = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

func service(t *testing.T, d *db.DB) *secret.Service {
	t.Helper()
	v, err := vault.Open(filepath.Join(t.TempDir(), "master.key"))
	if err != nil {
		t.Fatal(err)
	}
	return secret.New(d, v)
}

func set(t *testing.T, s *secret.Service, of tenant.ID, name, value string) secret.Secret {
	t.Helper()
	kept, err := s.Set(t.Context(), of, name, vault.NewSecret(value), "cli:test", noon)
	if err != nil {
		t.Fatal(err)
	}
	return kept
}

var key = secret.Address{Kind: secret.HandOut, Name: "key", Stack: "stack_1", Saga: "saga_1", Resource: "droplet.web"}
var boot = secret.Address{Kind: secret.CallIn, Name: "boot", Stack: "stack_1", Saga: "saga_1", Resource: "droplet.web"}

// open opens addresses for an hour and returns their tokens.
func open(t *testing.T, s *secret.Service, of tenant.ID, all ...secret.Address) map[secret.Address]string {
	t.Helper()
	tokens, err := s.Open(t.Context(), of, all, noon, noon.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	shown := map[secret.Address]string{}
	for a, token := range tokens {
		shown[a] = token.Reveal()
	}
	return shown
}

func TestSecrets(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx, s := t.Context(), service(t, d)
		set(t, s, "", "key", "every")
		first := set(t, s, "ten_a", "key", "own")
		if again := set(t, s, "ten_a", "key", "newer"); again.ID != first.ID || again.Version != 2 || again.Fingerprint == first.Fingerprint {
			t.Errorf("a new value made %+v of %+v", again, first)
		}
		for of, want := range map[tenant.ID]tenant.ID{"ten_a": "ten_a", "ten_b": ""} {
			if is, err := s.For(ctx, of, "key"); err != nil || is.Tenant != want {
				t.Errorf("%s means the key of %q, want %q: %v", of, is.Tenant, want, err)
			}
		}
		if all, err := s.Secrets(ctx, "ten_b"); err != nil || len(all) != 1 {
			t.Errorf("ten_b may name %+v: %v", all, err)
		}
		for name, value := range map[string]string{"Key": "x", "": "x", "empty": "", "binary": "\xff", "nul": "a\x00b", "long": strings.Repeat("x", secret.MaxValue+1)} {
			if _, err := s.Set(ctx, "", name, vault.NewSecret(value), "cli:test", noon); !errors.Is(err, fault.Invalid) {
				t.Errorf("%q was taken: %v", name, err)
			}
		}
		if _, err := s.Remove(ctx, "ten_b", "key", noon); !errors.Is(err, fault.NotFound) {
			t.Errorf("what is not there was removed: %v", err)
		}
		if _, err := s.Remove(ctx, "ten_a", "key", noon); err != nil {
			t.Fatal(err)
		}
		if is, err := s.For(ctx, "ten_a", "key"); err != nil || is.Tenant != "" {
			t.Errorf("removed, ten_a means %+v: %v", is, err)
		}
	})
}

// TestASecretIsHandedOutOnce asks one address sixteen times at once.
func TestASecretIsHandedOutOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := service(t, d)
		set(t, s, "ten_a", "key", "own")
		set(t, s, "", "key", "every")
		token := open(t, s, "ten_a", key)[key]
		set(t, s, "ten_a", "key", "newer")
		const askers = 16
		values := make(chan string, askers)
		var asking sync.WaitGroup
		for range askers {
			asking.Go(func() {
				value, of, err := s.Take(t.Context(), token, "203.0.113.7:1", noon)
				switch {
				case err == nil && of == key:
					values <- value.Reveal()
				case !errors.Is(err, secret.ErrGone):
					t.Errorf("neither given nor gone: %+v, %v", of, err)
				}
			})
		}
		asking.Wait()
		close(values)
		if got := <-values; got != "newer" || len(values) > 0 {
			t.Errorf("given %q first, and then %d times more; want newer and none", got, len(values))
		}
		if tokens := open(t, s, "ten_a", key); tokens[key] != token {
			t.Error("the token is another when it is made again")
		}
		if _, _, err := s.Take(t.Context(), token, "", noon); !errors.Is(err, secret.ErrGone) {
			t.Errorf("opened again, it gave the secret again: %v", err)
		}
	})
}

func TestACallIsHeardOnceAndForAll(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx, s := t.Context(), service(t, d)
		token := open(t, s, "ten_a", boot)[boot]
		for i := range 3 {
			of, err := s.Call(ctx, token, "203.0.113.7:1", noon.Add(time.Duration(i)*time.Hour))
			if err != nil || of != boot {
				t.Errorf("call %d: %+v, %v", i, of, err)
			}
		}
		uses, err := s.Uses(ctx, "saga_1")
		if err != nil || len(uses) != 1 || !uses[0].At.Equal(noon) || uses[0].From != "203.0.113.7:1" {
			t.Errorf("noted %+v, want the first call: %v", uses, err)
		}
	})
}

// TestWhatAnAddressDoesNotGive tries what is not an address that is open: each is
// refused, and uses nothing up.
func TestARearmedAddressAnswersOnceForEachSaga(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx, s := t.Context(), service(t, d)
		set(t, s, "", "key", "old")
		tokens := open(t, s, "", key, boot)
		rearm := func(again string, want int) {
			t.Helper()
			if n, err := s.Rearm(ctx, "", "saga_1", "droplet.web", again, noon, noon.Add(time.Hour)); err != nil || n != want {
				t.Fatalf("rearmed %d addresses, want %d: %v", n, want, err)
			}
		}
		gives := func(want string) {
			t.Helper()
			value, of, err := s.Take(ctx, tokens[key], "", noon)
			if want == "" && !errors.Is(err, secret.ErrGone) || want != "" && (err != nil || value.Reveal() != want) {
				t.Errorf("the address of %s gives %q, %v; want %q", of.Saga, value.Reveal(), err, want)
			}
		}
		gives("old")
		set(t, s, "", "key", "new")
		if err := s.Close(ctx, "stack_1", "", noon); err != nil {
			t.Fatal(err)
		}
		rearm("saga_2", 2)
		if uses, err := s.Uses(ctx, "saga_2"); err != nil || len(uses) != 2 || !uses[0].At.IsZero() || !uses[1].At.IsZero() {
			t.Errorf("before anybody asks the uses are %+v: %v", uses, err)
		}
		gives("new")
		gives("")
		rearm("saga_2", 2) // a step that runs again
		gives("")
		if of, err := s.Call(ctx, tokens[boot], "", noon); err != nil || of.Saga != "saga_2" {
			t.Errorf("the call is for %s: %v", of.Saga, err)
		}
		if uses, err := s.Uses(ctx, "saga_1"); err != nil || len(uses) != 0 {
			t.Errorf("the first saga has the uses %+v of another: %v", uses, err)
		}
		rearm("saga_3", 2)
		gives("new")
		if n, err := s.Rearm(ctx, "", "saga_1", "droplet.db", "saga_4", noon, noon.Add(time.Hour)); err != nil || n != 0 {
			t.Errorf("of another droplet %d were rearmed: %v", n, err)
		}
		if _, err := s.Remove(ctx, "", "key", noon); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Rearm(ctx, "", "saga_1", "droplet.web", "saga_5", noon, noon.Add(time.Hour)); !errors.Is(err, fault.NotFound) {
			t.Errorf("rearmed without the secret: %v", err)
		}
		gives("")
	})
}

func TestWhatAnAddressDoesNotGive(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx, s := t.Context(), service(t, d)
		set(t, s, "ten_a", "key", "own")
		other := key
		other.Saga = "saga_2"
		tokens := open(t, s, "ten_a", key, boot)
		stranger, err := s.Token(other)
		if err != nil {
			t.Fatal(err)
		}
		take := func(ctx context.Context, token string, at time.Time) error {
			_, _, err := s.Take(ctx, token, "", at)
			return err
		}
		call := func(ctx context.Context, token string, at time.Time) error {
			_, err := s.Call(ctx, token, "", at)
			return err
		}
		for _, tt := range []struct {
			name  string
			ask   func(context.Context, string, time.Time) error
			token string
			at    time.Time
			want  error
		}{
			{"no token", take, "", noon, secret.ErrUnknown},
			{"a word", take, "token", noon, secret.ErrUnknown},
			{"another saga's", take, stranger.Reveal(), noon, secret.ErrUnknown},
			{"in capitals", take, strings.ToUpper(tokens[key]), noon, secret.ErrUnknown},
			{"a call-back's, to take", take, tokens[boot], noon, secret.ErrUnknown},
			{"a secret's, to call", call, tokens[key], noon, secret.ErrUnknown},
			{"a secret's, too late", take, tokens[key], noon.Add(time.Hour), secret.ErrGone},
			{"a call-back's, too late", call, tokens[boot], noon.Add(time.Hour), secret.ErrGone},
		} {
			if err := tt.ask(ctx, tt.token, tt.at); err == nil || !errors.Is(err, tt.want) || err.Error() != tt.want.Error() {
				t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
			}
		}
		if _, err := s.Open(ctx, "ten_a", []secret.Address{key}, noon, noon.Add(2*time.Hour)); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(ctx, "stack_1", "droplet.db", noon); err != nil {
			t.Fatal(err)
		}
		if err := take(ctx, tokens[key], noon.Add(90*time.Minute)); err != nil {
			t.Errorf("opened for longer, with another droplet's closed: %v", err)
		}
		if err := s.Close(ctx, "stack_1", "", noon); err != nil {
			t.Fatal(err)
		}
		open(t, s, "ten_a", boot)
		if err := call(ctx, tokens[boot], noon); !errors.Is(err, secret.ErrGone) {
			t.Errorf("closed and opened again, a call is heard: %v", err)
		}
	})
}

func TestWhatIsRemovedIsHandedOutNoMore(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := service(t, d)
		set(t, s, "", "key", "every")
		token := open(t, s, "ten_a", key)[key]
		if closed, err := s.Remove(t.Context(), "", "key", noon); err != nil || closed != 1 {
			t.Errorf("%d addresses were closed, want 1: %v", closed, err)
		}
		set(t, s, "", "key", "another")
		if _, _, err := s.Take(t.Context(), token, "", noon); !errors.Is(err, secret.ErrGone) {
			t.Errorf("a removed secret's address gives: %v", err)
		}
		if _, err := s.Open(t.Context(), "ten_a", []secret.Address{{Kind: secret.HandOut, Name: "none"}}, noon, noon); !errors.Is(err, fault.NotFound) {
			t.Errorf("an address of no secret was opened: %v", err)
		}
	})
}

// TestNothingInClear looks for values and tokens in what the database holds.
func TestNothingInClear(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := service(t, d)
		set(t, s, "", "key", "planted-9kx2")
		tokens := open(t, s, "", key, boot)
		if _, _, err := s.Take(t.Context(), tokens[key], "", noon); err != nil {
			t.Fatal(err)
		}
		var all bytes.Buffer
		for _, query := range []string{
			`SELECT ciphertext FROM secrets`, `SELECT fingerprint FROM secrets`, `SELECT hash FROM one_time_addresses`, `SELECT name FROM one_time_addresses`,
		} {
			rows, err := d.Read().QueryContext(t.Context(), query)
			if err != nil {
				t.Fatal(err)
			}
			for rows.Next() {
				var column []byte
				if err := rows.Scan(&column); err != nil {
					t.Fatal(err)
				}
				all.Write(column)
			}
			if err := errors.Join(rows.Err(), rows.Close()); err != nil {
				t.Fatal(err)
			}
		}
		for _, planted := range []string{"planted-9kx2", tokens[key], tokens[boot]} {
			if bytes.Contains(all.Bytes(), []byte(planted)) {
				t.Errorf("%q is in the database", planted)
			}
		}
		if all.Len() < 100 {
			t.Errorf("looked at %d bytes", all.Len())
		}
	})
}
