package wire

import (
	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/secret"
)

// Secret is what may be shown of a secret; tenant is the slug of whose it is.
func Secret(s secret.Secret, tenant string) client.Secret {
	return client.Secret{
		Name: s.Name, Tenant: tenant, Version: s.Version, Fingerprint: s.Fingerprint, SetBy: s.Actor,
		CreatedAt: client.Time{Time: s.CreatedAt}, UpdatedAt: client.Time{Time: s.UpdatedAt},
	}
}
