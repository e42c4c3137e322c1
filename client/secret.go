package client

import (
	"context"
	"net/http"
	"net/url"
)

// A Secret is what is shown of a secret that droplets get; its value never is.
type Secret struct {
	Name        string `json:"name" example:"api-key"`
	Tenant      string `json:"tenant" doc:"Slug of whose stacks may name it; empty: every tenant's."`
	Version     int64  `json:"version" doc:"From 1; a new value has the next one."`
	Fingerprint string `json:"fingerprint" doc:"The same value has the same one."`
	SetBy       string `json:"set_by"`
	CreatedAt   Time   `json:"created_at" format:"date-time"`
	UpdatedAt   Time   `json:"updated_at" format:"date-time"`
}

// A SecretText carries a secret's value to the server, once.
type SecretText struct {
	Value string `json:"value" writeOnly:"true"`
}

// A SecretRemoved says what became of a secret.
type SecretRemoved struct {
	Removed string `json:"removed" doc:"Its name."`
	Tenant  string `json:"tenant" doc:"Slug; empty: every tenant's."`
	Revoked int64  `json:"revoked" doc:"Addresses that would have handed it out."`
}

// Secrets lists what may be shown of the secrets that a tenant's stacks may name, or of
// all where none is named.
func (c *Client) Secrets(ctx context.Context, tenant string) ([]Secret, error) {
	var l List[Secret]
	_, err := c.call(ctx, http.MethodGet, "/v1/secrets", ofTenant(tenant), nil, nil, &l)
	return l.Items, err
}

// SetSecret stores a secret's value in place of the one that was there: a tenant's, or
// every tenant's where none is named.
func (c *Client) SetSecret(ctx context.Context, tenant, name string, value SecretText) (s Secret, err error) {
	_, err = c.call(ctx, http.MethodPut, "/v1/secrets/"+url.PathEscape(name), ofTenant(tenant), nil, value, &s)
	return s, err
}

// RemoveSecret forgets a secret for good.
func (c *Client) RemoveSecret(ctx context.Context, tenant, name string) (r SecretRemoved, err error) {
	_, err = c.call(ctx, http.MethodDelete, "/v1/secrets/"+url.PathEscape(name), ofTenant(tenant), nil, nil, &r)
	return r, err
}

func ofTenant(tenant string) url.Values {
	if tenant == "" {
		return nil
	}
	return url.Values{"tenant": {tenant}}
}
