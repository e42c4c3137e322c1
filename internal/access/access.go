// Package access knows who and what may do what: at present the accounts at
// DigitalOcean and their tokens, one per account and purpose. It owns the tables
// do_accounts and do_tokens.
package access

import (
	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/vault"
)

// A Given token is one of the environment's. It is the default account's, and wins
// over a stored one.
type Given struct {
	Purpose digitalocean.Purpose
	Token   vault.Secret
}

// A Service keeps the accounts and tokens of one installation.
type Service struct {
	db    *db.DB
	vault *vault.Vault
	given map[digitalocean.Purpose]vault.Secret
}

// New returns the service over d, with secrets sealed by v.
func New(d *db.DB, v *vault.Vault, given ...Given) *Service {
	s := &Service{db: d, vault: v, given: map[digitalocean.Purpose]vault.Secret{}}
	for _, g := range given {
		s.given[g.Purpose] = g.Token
	}
	return s
}
