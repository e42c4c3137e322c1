package access_test

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/access"
	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/vault"
)

const planted = "dop_v1_7c3b5aplanted90e1d4f2"

var noon = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func openVault(t *testing.T) *vault.Vault {
	t.Helper()
	v, err := vault.Open(filepath.Join(t.TempDir(), "master.key"))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// known adds an account unless it is there.
func known(t *testing.T, s *access.Service, account string) {
	t.Helper()
	if _, err := s.AddAccount(t.Context(), account, noon); err != nil && !errors.Is(err, fault.Conflict) {
		t.Fatal(err)
	}
}

func set(t *testing.T, s *access.Service, account string, p digitalocean.Purpose, token string) access.Token {
	t.Helper()
	known(t, s, account)
	stored, err := s.SetToken(t.Context(), account, p, vault.NewSecret(token), nil, noon)
	if err != nil {
		t.Fatal(err)
	}
	return stored
}

func TestATokenIsKeptPerAccountAndPurpose(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := access.New(d, openVault(t))
		known(t, s, "main")
		expires := noon.Add(90 * 24 * time.Hour)
		stored, err := s.SetToken(t.Context(), "main", digitalocean.Provisioning, vault.NewSecret(planted), &expires, noon)
		if err != nil {
			t.Fatal(err)
		}
		set(t, s, "main", digitalocean.Inventory, planted+"-inventory")
		set(t, s, "second", digitalocean.Provisioning, planted+"-second")

		for _, tt := range []struct {
			account string
			purpose digitalocean.Purpose
			want    string
		}{
			{"main", digitalocean.Provisioning, planted},
			{"main", digitalocean.Inventory, planted + "-inventory"},
			{"second", digitalocean.Provisioning, planted + "-second"},
		} {
			got, err := s.Token(t.Context(), tt.account, tt.purpose)
			if err != nil || got.Reveal() != tt.want {
				t.Errorf("Token(%s, %s) = %q, %v; want %q", tt.account, tt.purpose, got.Reveal(), err, tt.want)
			}
		}
		list, err := s.Tokens(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(list) != 3 || list[1] != stored {
			t.Errorf("Tokens = %+v; want three, the second as SetToken returned it: %+v", list, stored)
		}
		if stored.Last4 != "d4f2" || len(stored.Fingerprint) != 16 || !stored.ExpiresAt.Equal(expires) || stored.Warning != "" {
			t.Errorf("SetToken = %+v", stored)
		}

		if err := s.NoteTokenUse(t.Context(), "main", digitalocean.Provisioning, noon.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		if list, err = s.Tokens(t.Context()); err != nil || !list[1].LastUsedAt.Equal(noon.Add(time.Hour)) {
			t.Errorf("LastUsedAt = %v, %v; want an hour after noon", list[1].LastUsedAt, err)
		}
	})
}

func TestANewTokenReplacesTheOld(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := access.New(d, openVault(t))
		first := set(t, s, "main", digitalocean.Provisioning, planted)
		again := set(t, s, "main", digitalocean.Provisioning, planted)
		other := set(t, s, "main", digitalocean.Provisioning, planted+"2")
		if first.ID == again.ID || first.Fingerprint != again.Fingerprint || first.Fingerprint == other.Fingerprint {
			t.Errorf("ids %s, %s and fingerprints %s, %s, %s; want a new id each time and a fingerprint by token",
				first.ID, again.ID, first.Fingerprint, again.Fingerprint, other.Fingerprint)
		}
		if list, err := s.Tokens(t.Context()); err != nil || len(list) != 1 || list[0] != other {
			t.Errorf("Tokens = %+v, %v; want the newest alone", list, err)
		}
	})
}

func TestAMissingTokenSaysHowToSetIt(t *testing.T) {
	s := access.New(dbtest.New(t), openVault(t))
	for account, says := range map[string][]string{
		"main":    {"arcadia token set provisioning --account main", "main"},
		"default": {"arcadia token set provisioning,", "ARCADIA_DO_TOKEN_PROVISIONING", "default"},
	} {
		_, err := s.Token(t.Context(), account, digitalocean.Provisioning)
		if !errors.Is(err, fault.NotFound) {
			t.Errorf("Token = %v, want fault.NotFound", err)
		}
		for _, word := range says {
			if !strings.Contains(fault.Message(err), word) {
				t.Errorf("the sentence %q does not say %q", fault.Message(err), word)
			}
		}
	}
	if err := s.RemoveToken(t.Context(), "main", digitalocean.Provisioning); !errors.Is(err, fault.NotFound) {
		t.Errorf("RemoveToken of none = %v, want fault.NotFound", err)
	}
	set(t, s, "main", digitalocean.Provisioning, planted)
	if err := s.RemoveToken(t.Context(), "main", digitalocean.Provisioning); err != nil {
		t.Errorf("RemoveToken = %v", err)
	}
	if _, err := s.Token(t.Context(), "main", digitalocean.Provisioning); !errors.Is(err, fault.NotFound) {
		t.Errorf("Token after RemoveToken = %v, want fault.NotFound", err)
	}
}

func TestATokenOpensInItsRowOnly(t *testing.T) {
	for name, change := range map[string]string{
		"an altered byte":             `UPDATE do_tokens SET ciphertext = CAST(ciphertext || x'00' AS BLOB) WHERE purpose = 'provisioning'`,
		"another account":             `UPDATE do_tokens SET account = 'other' WHERE purpose = 'provisioning'`,
		"the row of another purpose":  `UPDATE do_tokens SET ciphertext = (SELECT ciphertext FROM do_tokens WHERE purpose = 'inventory') WHERE purpose = 'provisioning'`,
		"a ciphertext from elsewhere": `UPDATE do_tokens SET ciphertext = x'00010203' WHERE purpose = 'provisioning'`,
	} {
		t.Run(name, func(t *testing.T) {
			d := dbtest.New(t)
			s := access.New(d, openVault(t))
			set(t, s, "main", digitalocean.Provisioning, planted)
			set(t, s, "main", digitalocean.Inventory, planted+"2")
			err := d.Write(t.Context(), func(tx *sql.Tx) error {
				_, err := tx.ExecContext(t.Context(), change)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			account := "main"
			if name == "another account" {
				account = "other"
			}
			got, err := s.Token(t.Context(), account, digitalocean.Provisioning)
			if !errors.Is(err, fault.Unprocessable) || !got.IsZero() {
				t.Errorf("Token = %v; want fault.Unprocessable", err)
			}
		})
	}
	t.Run("another master key", func(t *testing.T) {
		d := dbtest.New(t)
		set(t, access.New(d, openVault(t)), "main", digitalocean.Provisioning, planted)
		_, err := access.New(d, openVault(t)).Token(t.Context(), "main", digitalocean.Provisioning)
		if !errors.Is(err, fault.Unprocessable) || !strings.Contains(fault.Message(err), "master key") {
			t.Errorf("Token = %v; want fault.Unprocessable that names the master key", err)
		}
	})
}

func TestWhatCannotBeATokenIsRefused(t *testing.T) {
	s := access.New(dbtest.New(t), openVault(t))
	for _, tt := range []struct {
		name, account string
		purpose       digitalocean.Purpose
		token         string
	}{
		{"empty", "main", digitalocean.Provisioning, ""},
		{"a space", "main", digitalocean.Provisioning, "dop_v1_ab cd"},
		{"a line break", "main", digitalocean.Provisioning, "dop_v1_abcd\n"},
		{"not ASCII", "main", digitalocean.Provisioning, "dop_v1_äbcd"},
		{"no such purpose", "main", "everything", planted},
		{"no account", "", digitalocean.Provisioning, planted},
		{"an account that could pass for another", "main|provisioning", digitalocean.Provisioning, planted},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := s.SetToken(context.Background(), tt.account, tt.purpose, vault.NewSecret(tt.token), nil, noon)
			if !errors.Is(err, fault.Invalid) {
				t.Errorf("SetToken = %v, want fault.Invalid", err)
			}
			if tt.token != "" && err != nil && strings.Contains(err.Error(), strings.TrimSpace(tt.token)) {
				t.Errorf("the error quotes the token: %v", err)
			}
		})
	}
	if list, err := s.Tokens(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("Tokens = %v, %v; want none", list, err)
	}
	odd := set(t, s, "main", digitalocean.Provisioning, "secret")
	if odd.Warning == "" || odd.Last4 != "" {
		t.Errorf("a short token without the prefix = %+v; want a warning, and no last four", odd)
	}
}
