// Package id makes the identifiers of everything that Arcadia keeps: a prefix
// that says what it is, and a UUIDv7, so that ids sort by the time they were made.
package id

import (
	"crypto/rand"
	"encoding/hex"
	"strings"

	"github.com/google/uuid"

	"github.com/arcadia-cloud/arcadia/internal/fault"
)

const digits = 32 // hex digits of a UUID

// New returns prefix, an underscore, and the 32 lower-case hex digits of a new
// UUIDv7 (RFC 9562): "saga_0193a4…". Ids of one process sort in the order they
// were made.
func New(prefix string) string {
	u, err := uuid.NewV7FromReader(rand.Reader)
	if err != nil {
		panic("id: " + err.Error()) // crypto/rand never fails; see its documentation
	}
	return prefix + "_" + hex.EncodeToString(u[:])
}

// Random8 returns the last 8 hex digits of an id. All 32 bits are random, while
// the first digits of a UUIDv7 are time and collide. An id with fewer than 8
// characters is returned whole.
func Random8(id string) string {
	return id[max(0, len(id)-8):]
}

// Check returns a fault of kind Invalid unless s has the form that New(prefix)
// gives. It does not look at the UUID's version, so ids can be written by hand.
func Check(prefix, s string) error {
	rest, ok := strings.CutPrefix(s, prefix+"_")
	if ok && len(rest) == digits && strings.Trim(rest, "0123456789abcdef") == "" {
		return nil
	}
	return fault.New(fault.Invalid, "%q is no %s id. One looks like %s_ followed by 32 hexadecimal digits.", clip(s), prefix, prefix)
}

// clip keeps an absurdly long id out of a sentence.
func clip(s string) string {
	const longest = 64
	if len(s) <= longest {
		return s
	}
	return strings.ToValidUTF8(s[:longest], "") + "…"
}
