package digitalocean

import (
	"slices"
	"strings"

	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/vault"
)

// A Purpose is what a token is for. Each has its own token with no more scopes
// than it needs, so that what reads invoices can delete nothing.
type Purpose string

// The purposes.
const (
	Inventory    Purpose = "inventory"    // reads what there is
	Provisioning Purpose = "provisioning" // creates and deletes, and reads what that needs
	Billing      Purpose = "billing"      // reads invoices
)

// Purposes are all of them, in the order they are shown.
func Purposes() []Purpose { return []Purpose{Inventory, Provisioning, Billing} }

// ParsePurpose reads the name of a purpose. It answers fault.Invalid for any
// other word.
func ParsePurpose(s string) (Purpose, error) {
	if p := Purpose(s); slices.Contains(Purposes(), p) {
		return p, nil
	}
	return "", fault.New(fault.Invalid, "%q is no purpose of a token: it is inventory, provisioning or billing.", s)
}

// Scopes are the token scopes that the purpose's calls need at present
// (DigitalOcean's scope names; reference B).
func (p Purpose) Scopes() []string {
	switch p {
	case Provisioning:
		return []string{ // droplet:admin is for rebuild and restore alone
			"account:read", "actions:read", "block_storage:create", "block_storage:delete", "block_storage:read", "block_storage_action:create",
			"block_storage_action:read", "block_storage_snapshot:create", "block_storage_snapshot:delete", "block_storage_snapshot:read",
			"domain:create", "domain:delete", "domain:read", "domain:update", "droplet:admin", "droplet:create", "droplet:delete", "droplet:read",
			"droplet:update", "firewall:create", "firewall:delete", "firewall:read", "firewall:update", "image:create", "image:delete", "image:read",
			"project:read", "project:update", "regions:read", "reserved_ip:create", "reserved_ip:delete", "reserved_ip:read", "reserved_ip:update",
			"sizes:read", "snapshot:delete", "snapshot:read", "ssh_key:read", "tag:create", "tag:delete", "tag:read", "vpc:create", "vpc:delete", "vpc:read",
		}
	case Inventory:
		return []string{ // those of the inventory's kinds; a test there says which are missing
			"account:read", "actions:read", "app:read", "block_storage:read", "block_storage_snapshot:read", "cdn:read", "certificate:read", "database:read", "domain:read",
			"droplet:read", "firewall:read", "function:admin", "function:read", "genai:read", "image:read", "kubernetes:read",
			"load_balancer:read", "monitoring:read", "nat_gateway:read", "nfs:list", "project:read", "regions:read", "registry:read",
			"reserved_ip:read", "sizes:read", "snapshot:read", "spaces_key:read", "ssh_key:read", "tag:read", "uptime:read", "vpc:read",
			"vpc_peering:read",
		}
	default:
		return []string{"account:read", "billing:read"}
	}
}

// DefaultAccount is the account that is meant where nobody names any.
const DefaultAccount = "default"

// SetCommand is the command that sets the token of an account for a purpose.
func SetCommand(p Purpose, account string) string {
	command := "arcadia token set " + string(p)
	if account != DefaultAccount && account != "" {
		command += " --account " + account
	}
	return command
}

// CheckToken answers fault.Invalid for what cannot be a token: nothing, or
// anything but printable ASCII without spaces. It never quotes the token.
func CheckToken(token vault.Secret) error {
	text := token.Reveal()
	if text == "" {
		return fault.New(fault.Invalid, "The token is empty.")
	}
	if strings.IndexFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) >= 0 {
		return fault.New(fault.Invalid, "The token has a character that no token has, as a space or a line break: paste it alone.")
	}
	return nil
}

// may refuses a verb that this client's purpose does not cover. The sentence
// names the token to set.
func (c *Client) may(verb string, allowed ...Purpose) error {
	if slices.Contains(allowed, c.purpose) {
		return nil
	}
	return refusal("", verb, fault.New(fault.Forbidden,
		"%s is not for the %s token of account %s: it needs the %s token. Set it with: %s",
		verb, c.purpose, c.account, allowed[0], SetCommand(allowed[0], c.account)))
}
