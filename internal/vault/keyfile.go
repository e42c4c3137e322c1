package vault

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/prf"
	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"

	"github.com/arcadia-cloud/arcadia/internal/fault"
)

// maxKeyFile bounds what is read as a key file, in bytes; a new one has about 700.
const maxKeyFile = 1 << 20

// keyFile is the key file's form: two Tink keysets in clear JSON, the file's
// mode being their protection.
type keyFile struct {
	AEAD json.RawMessage `json:"aead"` // encrypts the data keys
	PRF  json.RawMessage `json:"prf"`  // makes fingerprints
}

type masterKeys struct {
	aead, prf *keyset.Handle
}

// makeKeyFile makes a new key at path unless there is a file already. The key
// is written whole under another name first and then linked to its own, which
// fails where a file exists: a reader never sees half a key, and a key is never
// replaced.
func makeKeyFile(path string) (err error) {
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return nil // there is something: reading it says what
	}
	content, err := newKeys()
	if err != nil {
		return err
	}
	dir := filepath.Dir(path)
	draft := filepath.Join(dir, "."+filepath.Base(path)+"."+rand.Text())
	defer func() {
		if err != nil {
			err = fault.Wrap(fault.Unavailable, err, "The master key cannot be made at %s: %v.", path, cause(err))
		}
	}()
	if err := writeSynced(draft, content); err != nil {
		_ = os.Remove(draft) // what counts is why it was not written
		return err
	}
	linked := os.Link(draft, path)
	if err := os.Remove(draft); err != nil {
		return err
	}
	if linked != nil && !errors.Is(linked, fs.ErrExist) {
		return linked
	}
	return syncDir(dir)
}

// cause is the reason in a file error, without the operation and the (draft's) name.
func cause(err error) error {
	for inner := err; inner != nil; inner = errors.Unwrap(inner) {
		err = inner
	}
	return err
}

func writeSynced(path string, content []byte) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := f.Write(content); err != nil {
		return err
	}
	return f.Sync()
}

func syncDir(dir string) (err error) {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	return d.Sync()
}

func newKeys() ([]byte, error) {
	var file keyFile
	for _, part := range []struct {
		into     *json.RawMessage
		template *tinkpb.KeyTemplate
	}{
		{&file.AEAD, aead.AES256GCMKeyTemplate()},
		{&file.PRF, prf.HMACSHA256PRFKeyTemplate()},
	} {
		handle, err := keyset.NewHandle(part.template)
		if err != nil {
			return nil, fmt.Errorf("make a master key: %w", err)
		}
		var clear bytes.Buffer
		if err := insecurecleartextkeyset.Write(handle, keyset.NewJSONWriter(&clear)); err != nil {
			return nil, fmt.Errorf("write a master key: %w", err)
		}
		*part.into = clear.Bytes()
	}
	return json.MarshalIndent(file, "", " ")
}

func readKeyFile(path string) (keys masterKeys, err error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return keys, fault.Wrap(fault.NotFound, err,
			"There is no master key file %s: correct ARCADIA_MASTER_KEY_FILE, or leave it away to have a key made in the data directory.", path)
	}
	if err != nil {
		return keys, fault.Wrap(fault.Unavailable, err, "The master key file %s cannot be opened: %v.", path, cause(err))
	}
	defer func() { err = errors.Join(err, f.Close()) }()

	info, err := f.Stat()
	if err != nil {
		return keys, fmt.Errorf("master key: %w", err)
	}
	if !info.Mode().IsRegular() {
		return keys, fault.New(fault.Unprocessable, "The master key %s is not a file.", path)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return keys, fault.New(fault.Forbidden,
			"The master key file %s can be read or changed by others (mode %04o): run chmod 600 %s, and store new tokens if somebody may have read it.",
			path, mode, path)
	}
	content, err := io.ReadAll(io.LimitReader(f, maxKeyFile))
	if err != nil {
		return keys, fault.Wrap(fault.Unavailable, err, "The master key file %s cannot be read: %v.", path, cause(err))
	}
	var file keyFile
	if err = json.Unmarshal(content, &file); err == nil {
		if keys.aead, err = readKeyset(file.AEAD); err == nil {
			keys.prf, err = readKeyset(file.PRF)
		}
	}
	if err != nil {
		// Its cause is left out: it might quote the file.
		return masterKeys{}, fault.New(fault.Unprocessable, "The file %s holds no master key of Arcadia: restore it from a backup.", path)
	}
	return keys, nil
}

func readKeyset(clear []byte) (*keyset.Handle, error) {
	return insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(clear)))
}
