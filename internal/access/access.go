// Package access knows who and what may do what: at present the DigitalOcean
// tokens, one per account and purpose. It owns the table do_tokens.
package access

import (
	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/vault"
)

// A Service keeps the tokens of one installation.
type Service struct {
	db    *db.DB
	vault *vault.Vault
}

// New returns the service over d, with secrets sealed by v.
func New(d *db.DB, v *vault.Vault) *Service { return &Service{db: d, vault: v} }
