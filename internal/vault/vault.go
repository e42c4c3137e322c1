// Package vault keeps secrets: in memory as values that do not print, at rest
// encrypted.
//
// At rest it is envelope encryption by Tink: every [Vault.Seal] draws a fresh
// AES-256-GCM data key, which the master key encrypts. The text that names the
// row (its associated data) is authenticated with it, so that a ciphertext
// copied to another row, account or purpose does not open there.
//
// The master key is a file with mode 0600 beside the database or wherever the
// operator keeps it. Whoever has both the file and the database has the
// secrets; a backup of the database alone gives nothing away.
package vault

import (
	"encoding/hex"
	"fmt"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/prf"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/arcadia-cloud/arcadia/internal/fault"
)

// fingerprintBytes is how much of the keyed hash a fingerprint shows: enough
// that two tokens of one installation do not share one by chance.
const fingerprintBytes = 8

// A Vault seals and unseals secrets with one master key. It is safe for
// concurrent use.
type Vault struct {
	path     string
	envelope tink.AEAD
	marks    *prf.Set
}

// Open reads the master key at path, an absolute or relative file name. When
// there is no file it makes a new key there, with mode 0600, complete and on
// disk before the name appears; of several processes that do so at once, one
// key wins and all use it.
//
// It answers fault.Forbidden when others than the owner may read or write the
// file, and fault.Unprocessable when the file holds no key.
func Open(path string) (*Vault, error) {
	if err := makeKeyFile(path); err != nil {
		return nil, err
	}
	return OpenExisting(path)
}

// OpenExisting is Open for a key that must be there already, as one that the
// operator names in ARCADIA_MASTER_KEY_FILE: a mistyped name must not make a
// second key. It answers fault.NotFound when the file is missing.
func OpenExisting(path string) (*Vault, error) {
	keys, err := readKeyFile(path)
	if err != nil {
		return nil, err
	}
	master, err := aead.New(keys.aead)
	if err != nil {
		return nil, fault.Wrap(fault.Unprocessable, err, "The master key in %s is not usable.", path)
	}
	marks, err := prf.NewPRFSet(keys.prf)
	if err != nil {
		return nil, fault.Wrap(fault.Unprocessable, err, "The master key in %s is not usable.", path)
	}
	return &Vault{
		path:     path,
		envelope: aead.NewKMSEnvelopeAEAD2(aead.AES256GCMKeyTemplate(), master),
		marks:    marks,
	}, nil
}

// Seal encrypts plaintext. The same aad, a text that names the row the result
// is kept in, has to be given to Unseal.
func (v *Vault) Seal(plaintext []byte, aad string) ([]byte, error) {
	sealed, err := v.envelope.Encrypt(plaintext, []byte(aad))
	if err != nil {
		return nil, fmt.Errorf("seal %s: %w", aad, err)
	}
	return sealed, nil
}

// Unseal returns what was sealed under aad. It answers fault.Unprocessable when
// the bytes do not open: another master key, an altered row, or a row that was
// sealed for another place.
func (v *Vault) Unseal(sealed []byte, aad string) ([]byte, error) {
	plaintext, err := v.envelope.Decrypt(sealed, []byte(aad))
	if err != nil {
		return nil, fault.Wrap(fault.Unprocessable, err,
			"The stored secret %s does not open: the master key in %s is not the one that it was stored with, or the row was altered. "+
				"Put the right key file in place or store the secret again.", aad, v.path)
	}
	return plaintext, nil
}

// Fingerprint is a name for a secret by which it is recognised and from which
// it cannot be found: 16 hex digits of its HMAC-SHA256 under this vault's key.
func (v *Vault) Fingerprint(secret Secret) (string, error) {
	mark, err := v.marks.ComputePrimaryPRF([]byte(secret.Reveal()), fingerprintBytes)
	if err != nil {
		return "", fmt.Errorf("fingerprint: %w", err)
	}
	return hex.EncodeToString(mark), nil
}

// Derive makes a token of a label: 48 hex digits that are the same each time under this
// vault's key, and that nobody finds without it. It is a part of the label's
// HMAC-SHA256 that no [Vault.Fingerprint] shows, whatever text one is taken of.
func (v *Vault) Derive(label string) (Secret, error) {
	const whole = 32 // bytes of the HMAC
	mark, err := v.marks.ComputePrimaryPRF([]byte(label), whole)
	if err != nil {
		return Secret{}, fmt.Errorf("derive: %w", err)
	}
	return NewSecret(hex.EncodeToString(mark[fingerprintBytes:])), nil
}
