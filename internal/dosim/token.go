package dosim

import (
	"slices"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/fault"
)

// tokenPrefix begins every personal access token of DigitalOcean.
const tokenPrefix = "dop_v1_"

// FirstAccount is the account of every token that names none.
const FirstAccount = "first"

// A TokenSpec is a token to be made.
type TokenSpec struct {
	Account   string    `json:"account"`             // FirstAccount when empty; an account begins with its first token or droplet
	Scopes    []string  `json:"scopes"`              // such as "droplet:read"; none means all
	ExpiresAt time.Time `json:"expires_at,omitzero"` // zero means never
	Purpose   string    `json:"purpose,omitempty"`   // what the client has it for; only faults ask
}

// A Token is what the simulator knows about a bearer token that was made.
type Token struct {
	Token     string    `json:"token"`
	RevokedAt time.Time `json:"revoked_at,omitzero"`
	TokenSpec
}

// may reports whether the token carries every one of the scopes.
func (t Token) may(scopes []string) bool {
	if len(t.Scopes) == 0 {
		return true
	}
	return !slices.ContainsFunc(scopes, func(s string) bool { return !slices.Contains(t.Scopes, s) })
}

// good reports whether the token opens anything. DigitalOcean tells one that has
// expired or is revoked from one that never was by no word: all are 401.
func (t Token) good(at time.Time) bool {
	return t.RevokedAt.IsZero() && (t.ExpiresAt.IsZero() || at.Before(t.ExpiresAt))
}

func (spec TokenSpec) check() error {
	known := Scopes()
	for _, s := range spec.Scopes {
		if _, found := slices.BinarySearch(known, s); !found {
			return fault.New(fault.Unprocessable, "There is no scope %q at DigitalOcean.", s)
		}
	}
	return checkAccount(spec.Account)
}

func checkAccount(name string) error {
	if len(name) > 64 || strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_'
	}) {
		return fault.New(fault.Unprocessable, "An account's name is up to 64 lower-case letters, digits, - and _; not %q.", name)
	}
	return nil
}

// Scopes returns, sorted, the scopes that DigitalOcean's OpenAPI description
// names, and droplet:admin, which stands only in its prose.
func Scopes() []string {
	families := []string{
		"account read", "actions read", "addon create delete read update", "api read write",
		"app access_console create delete read update", "billing read", "block_storage create delete read",
		"block_storage_action create read", "block_storage_snapshot create delete read",
		"byoip_prefix create delete read write", "cdn create delete read update", "certificate create delete read",
		"database create delete read update view_credentials write", "dedicated_inference create delete read update",
		"dedicated_inference_tokens create delete read", "domain create delete read update",
		"droplet admin create delete read update", "firewall create delete read update",
		"function admin create delete read update", "genai create default delete read update",
		"image create delete read update", "kubernetes access_cluster create delete read update",
		"load_balancer create delete read update", "monitoring create delete read update",
		"nat_gateway create delete read update", "nfs create delete list read", "organization create read",
		"partner_network_connect create read write", "project assign_resource create delete read update",
		"regions read", "registry create delete read update", "reserved_ip create delete read update",
		"security create delete read update", "sizes read", "snapshot delete read",
		"spaces_key create_credentials delete read update", "ssh_key create delete read update",
		"tag create delete read", "uptime create delete read update", "vpc create delete read update",
		"vpc_peering create delete read update",
	}
	var scopes []string
	for _, f := range families {
		family, verbs, _ := strings.Cut(f, " ")
		for v := range strings.FieldsSeq(verbs) {
			scopes = append(scopes, family+":"+v)
		}
	}
	slices.Sort(scopes)
	return scopes
}
