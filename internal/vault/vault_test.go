package vault_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/vault"
)

const planted = "dop_v1_3e9a71c5planted"

func open(t *testing.T) (*vault.Vault, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "master.key")
	v, err := vault.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return v, path
}

func TestSealedOpensWithTheSameKeyAndRowOnly(t *testing.T) {
	v, path := open(t)
	sealed, err := v.Seal([]byte(planted), "main|provisioning|tok_1")
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(sealed, []byte(planted)) {
		t.Error("the sealed bytes hold the secret in the clear")
	}

	again, err := vault.Open(path) // the next run of the program
	if err != nil {
		t.Fatal(err)
	}
	if got, err := again.Unseal(sealed, "main|provisioning|tok_1"); err != nil || string(got) != planted {
		t.Errorf("Unseal after another Open = %q, %v; want the secret", got, err)
	}

	altered := bytes.Clone(sealed)
	altered[len(altered)-1] ^= 1
	other, _ := open(t)
	for _, tt := range []struct {
		name   string
		vault  *vault.Vault
		sealed []byte
		aad    string
	}{
		{"another row", v, sealed, "main|provisioning|tok_2"},
		{"another purpose", v, sealed, "main|inventory|tok_1"},
		{"an altered byte", v, altered, "main|provisioning|tok_1"},
		{"cut short", v, sealed[:len(sealed)/2], "main|provisioning|tok_1"},
		{"nothing", v, nil, "main|provisioning|tok_1"},
		{"another master key", other, sealed, "main|provisioning|tok_1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.vault.Unseal(tt.sealed, tt.aad)
			if !errors.Is(err, fault.Unprocessable) || got != nil {
				t.Errorf("Unseal = %q, %v; want fault.Unprocessable", got, err)
			}
			if msg := fault.Message(err); !strings.Contains(msg, "master key") {
				t.Errorf("the sentence %q does not say what to look at", msg)
			}
		})
	}
}

func TestEachSealDiffers(t *testing.T) {
	v, _ := open(t)
	one, err1 := v.Seal([]byte(planted), "row")
	two, err2 := v.Seal([]byte(planted), "row")
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(one, two) {
		t.Error("two seals of one secret are equal: whoever reads the table sees which tokens are the same")
	}
}

func TestFingerprintNamesASecretUnderOneKey(t *testing.T) {
	v, path := open(t)
	again, err := vault.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	other, _ := open(t)
	mark := func(v *vault.Vault, text string) string {
		t.Helper()
		m, err := v.Fingerprint(vault.NewSecret(text))
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	want := mark(v, planted)
	if len(want) != 16 {
		t.Errorf("fingerprint %q has %d digits, want 16", want, len(want))
	}
	if got := mark(again, planted); got != want {
		t.Errorf("fingerprint after another Open = %s, want %s", got, want)
	}
	if mark(v, planted+"x") == want || mark(other, planted) == want {
		t.Error("another secret, or another key, has the same fingerprint")
	}
}

func TestKeyFileIsMadeOnceForItsOwnerAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "master.key")
	vaults := make([]*vault.Vault, 16)
	var wg sync.WaitGroup
	for i := range vaults {
		wg.Go(func() {
			v, err := vault.Open(path)
			if err != nil {
				t.Error(err)
			}
			vaults[i] = v
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	sealed, err := vaults[0].Seal([]byte(planted), "row")
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range vaults {
		if _, err := v.Unseal(sealed, "row"); err != nil {
			t.Errorf("vault %d has another key: %v", i, err)
		}
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != 0o600 {
		t.Errorf("mode of the key file = %04o, want 0600", got)
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	if len(left) != 1 {
		t.Errorf("%d files beside the key, want none: %v", len(left)-1, left)
	}
}

func TestKeyFilesThatAreRefused(t *testing.T) {
	dir := t.TempDir()
	_, good := open(t)
	content, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string, content []byte, mode fs.FileMode) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil { // whatever the umask
			t.Fatal(err)
		}
		return path
	}
	for _, tt := range []struct {
		name, path string
		want       fault.Kind
		says       string
	}{
		{"the world can read it", write("world", content, 0o604), fault.Forbidden, "chmod 600"},
		{"the group can read it", write("group", content, 0o640), fault.Forbidden, "chmod 600"},
		{"the group can write it", write("write", content, 0o620), fault.Forbidden, "chmod 600"},
		{"empty", write("empty", nil, 0o600), fault.Unprocessable, "restore"},
		{"not a key", write("text", []byte("dop_v1_not_a_key"), 0o600), fault.Unprocessable, "restore"},
		{"half a key", write("half", content[:len(content)/2], 0o600), fault.Unprocessable, "restore"},
		{"a directory", dir, fault.Unprocessable, "not a file"},
		{"in no directory", filepath.Join(dir, "none", "key"), fault.Unavailable, "no such file"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before, _ := os.ReadFile(tt.path)
			_, err := vault.Open(tt.path)
			if !errors.Is(err, tt.want) || !strings.Contains(fault.Message(err), tt.says) {
				t.Errorf("Open = %v; want %s that says %q", err, tt.want, tt.says)
			}
			if err != nil && strings.Contains(err.Error(), "not_a_key") {
				t.Error("the error quotes the file")
			}
			if after, _ := os.ReadFile(tt.path); !bytes.Equal(after, before) {
				t.Error("a file that is no usable key was changed")
			}
		})
	}
	missing := filepath.Join(dir, "missing")
	if _, err := vault.OpenExisting(missing); !errors.Is(err, fault.NotFound) {
		t.Errorf("OpenExisting of a missing file = %v, want fault.NotFound", err)
	}
	if _, err := os.Stat(missing); !errors.Is(err, fs.ErrNotExist) {
		t.Error("OpenExisting made a key")
	}
}

func TestSecretShowsItselfToRevealAlone(t *testing.T) {
	secret := vault.NewSecret(planted)
	if got := secret.Reveal(); got != planted {
		t.Fatalf("Reveal = %q", got)
	}
	type holder struct {
		Shown  vault.Secret
		hidden vault.Secret // fmt reads this without asking its methods
	}
	held := holder{Shown: secret, hidden: secret}
	var out strings.Builder
	for _, v := range []any{secret, &secret, held, &held, []vault.Secret{secret}, map[string]any{"token": held}, held.hidden} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%p", "%T", "%10.3s"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		encoded, err := json.Marshal(v)
		if err != nil {
			t.Error(err)
		}
		out.Write(encoded)
		slog.New(slog.NewTextHandler(&out, nil)).Info("text", "value", v)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("json", "value", v)
	}
	fmt.Fprintln(&out, errors.Join(fmt.Errorf("token %v", secret)))
	for _, form := range []string{planted, fmt.Sprintf("%x", planted), fmt.Sprintf("%X", planted), "dop"} {
		if strings.Contains(out.String(), form) {
			t.Errorf("the secret shows as %q in:\n%s", form, out.String())
		}
	}
	if !strings.Contains(out.String(), "[redacted]") {
		t.Error("nothing was printed at all")
	}
}

func TestSecretCompares(t *testing.T) {
	var none vault.Secret
	if !none.IsZero() || none.Reveal() != "" || vault.NewSecret(planted).IsZero() {
		t.Error("IsZero is wrong")
	}
	if !vault.NewSecret(planted).Equal(vault.NewSecret(planted)) || vault.NewSecret(planted).Equal(none) {
		t.Error("Equal is wrong")
	}
}
