// Package blueprint reads descriptions of what a tenant gets, and works out what
// must stand at DigitalOcean for one.
//
// A [Blueprint] is a document that a person writes. [Resolve] puts a tenant's values
// into it: a [Spec], every resource with its fields, in an order in which they can be
// made. [Compare] says what must happen to turn one Spec into another, and
// [RenderUserData] writes what a droplet runs when it first starts.
//
// The package is pure: it knows no database, no cloud and no clock.
package blueprint

import "encoding/json"

// A Blueprint describes a stack. It is what [Parse] read, and is never changed.
type Blueprint struct {
	Name         string                 `json:"name"`
	Version      int                    `json:"version"`
	Description  string                 `json:"description,omitempty"`
	Parameters   map[string]*Parameter  `json:"parameters,omitempty"`
	Region       Expr                   `json:"region"` // of whatever names none
	Tags         []Expr                 `json:"tags,omitempty"`
	Project      Expr                   `json:"project,omitempty"` // a project's name
	VPC          *VPC                   `json:"vpc,omitempty"`     // nil: the region's default
	Droplets     map[string]*Droplet    `json:"droplets,omitempty"`
	Volumes      map[string]*Volume     `json:"volumes,omitempty"`
	Firewalls    map[string]*Firewall   `json:"firewalls,omitempty"`
	ReservedIPs  map[string]*ReservedIP `json:"reserved_ips,omitempty"`
	DNS          *DNS                   `json:"dns,omitempty"`
	BackupPolicy *BackupPolicy          `json:"backup_policy,omitempty"`
	Health       map[string]*Probe      `json:"health,omitempty"`
	TenantPlan   Expr                   `json:"tenant_plan,omitempty"` // plan@version of the catalog
}

// A Type is what the values of a parameter are.
type Type string

// The types of parameters.
const (
	String  Type = "string"
	Integer Type = "integer"
	Boolean Type = "boolean"
	Region  Type = "region" // a slug, like fra1
	Size    Type = "size"   // a slug, like s-1vcpu-1gb
	Image   Type = "image"  // a slug, or the id of an image or a snapshot
	Secret  Type = "secret" // the name of a secret, never what is in it
)

// An Effect is what a change asks for, the least first.
type Effect string

// The effects of changes.
const (
	Live    Effect = "live"    // nothing stops
	Resize  Effect = "resize"  // the droplet is off for a while, or a disk grows for good
	Rebuild Effect = "rebuild" // the thing is made anew; what is on its own disk is lost
	Never   Effect = "never"   // it cannot be had without another stack
)

var effects = []Effect{Live, Resize, Rebuild, Never}

// Who gives a parameter its value.
const (
	ByOperator = "operator" // whoever runs Arcadia
	ByTenant   = "tenant"   // the customer
)

// A Parameter is what differs from stack to stack.
type Parameter struct {
	Type        Type   `json:"type"`
	Description string `json:"description,omitempty"`
	Default     *Expr  `json:"default,omitempty"` // nil: a value must be given
	Pattern     string `json:"pattern,omitempty"` // of the whole text, in the syntax of RE2
	Enum        []Expr `json:"enum,omitempty"`
	Min         *int64 `json:"min,omitempty"`
	Max         *int64 `json:"max,omitempty"`
	Changeable  Effect `json:"changeable,omitempty"` // at least what its uses ask for, which is the default
	SetBy       string `json:"set_by,omitempty"`     // ByOperator where it is empty
}

// A VPC is a private network of the stack's own.
type VPC struct {
	IPRange Expr `json:"ip_range,omitempty"` // CIDR; empty: DigitalOcean chooses
}

// A Droplet is a machine.
type Droplet struct {
	Size       Expr     `json:"size"`
	Image      Expr     `json:"image"` // a slug, or the id of an image or a snapshot
	Region     Expr     `json:"region,omitempty"`
	SSHKeys    []Expr   `json:"ssh_keys,omitempty"` // ids or fingerprints
	Monitoring Expr     `json:"monitoring,omitempty"`
	IPv6       Expr     `json:"ipv6,omitempty"`
	Backups    *Backups `json:"backups,omitempty"`
	Tags       []Expr   `json:"tags,omitempty"`
	CloudInit  string   `json:"cloud_init,omitempty"` // a template, see [RenderUserData]
}

// Backups are those that DigitalOcean makes and charges for.
type Backups struct {
	Plan    string `json:"plan"`              // daily or weekly
	Weekday string `json:"weekday,omitempty"` // of weekly ones, SUN to SAT
	Hour    int    `json:"hour"`              // UTC, 0 to 20 in steps of 4: the window's begin
}

// A Volume is a disk that outlives the droplet that it is attached to.
type Volume struct {
	SizeGiB    Expr   `json:"size_gib"`
	Filesystem string `json:"filesystem,omitempty"` // ext4 or xfs; empty: none
	Droplet    string `json:"droplet,omitempty"`    // the key of the one that it is attached to
	Tags       []Expr `json:"tags,omitempty"`
}

// A Firewall stands before droplets. What no rule allows is dropped.
type Firewall struct {
	Droplets []string `json:"droplets"`
	Inbound  []Rule   `json:"inbound,omitempty"`
	Outbound []Rule   `json:"outbound,omitempty"`
}

// A Rule allows traffic with addresses, or with droplets of the stack.
type Rule struct {
	Protocol  string   `json:"protocol"`        // tcp, udp or icmp
	Ports     Expr     `json:"ports,omitempty"` // 443, 8000-9000 or all; none for icmp
	Addresses []Expr   `json:"addresses,omitempty"`
	Droplets  []string `json:"droplets,omitempty"`
}

// A ReservedIP is an address that outlives the droplet that it leads to.
type ReservedIP struct {
	Droplet string `json:"droplet"`
}

// DNS are records in a domain that the account already has.
type DNS struct {
	Domain  Expr               `json:"domain"`
	Records map[string]*Record `json:"records"`
}

// A Record is a DNS record.
type Record struct {
	Type     string `json:"type"`
	Name     Expr   `json:"name"` // within the domain; @ is the domain itself
	Data     Expr   `json:"data"`
	TTL      int    `json:"ttl,omitempty"`      // seconds; 0: 1800
	Priority int    `json:"priority,omitempty"` // of MX and SRV
	Port     int    `json:"port,omitempty"`     // of SRV
	Weight   int    `json:"weight,omitempty"`   // of SRV
}

// A BackupPolicy says when snapshots are taken, and which are kept.
type BackupPolicy struct {
	Schedule string    `json:"schedule"` // cron, five fields, in the tenant's zone
	Keep     Retention `json:"keep"`
	Verify   bool      `json:"verify,omitempty"` // look at each snapshot after it was taken
	Drill    string    `json:"drill,omitempty"`  // cron: when a restore is tried out
}

// Retention is how many snapshots are kept: of the last days, weeks, months and
// years that have one, the newest of each.
type Retention struct {
	Daily   int `json:"daily,omitempty"`
	Weekly  int `json:"weekly,omitempty"`
	Monthly int `json:"monthly,omitempty"`
	Yearly  int `json:"yearly,omitempty"`
}

// A Probe tells whether the stack works. A callback waits for the droplet's own
// word, at an address that is good for one time.
type Probe struct {
	Type    string `json:"type"`              // http, https, tcp or callback
	Droplet string `json:"droplet,omitempty"` // of a callback
	Target  Expr   `json:"target,omitempty"`  // a host's name or an address, of the others
	Port    int    `json:"port,omitempty"`    // of tcp; otherwise 80 or 443 where it is 0
	Path    Expr   `json:"path,omitempty"`    // of http and https; / where it is empty
	Status  int    `json:"status,omitempty"`  // the answer that is expected; 200 where it is 0
	Timeout string `json:"timeout,omitempty"` // how long it may take to come up; 10m where it is empty
}

// UnmarshalJSON reads a string, and a number or a boolean as it is written. What is
// none of them leaves the expression empty: the schema says that it is wrong.
func (e *Expr) UnmarshalJSON(text []byte) error {
	var s string
	if err := json.Unmarshal(text, &s); err == nil {
		*e = Expr(s)
	} else if len(text) > 0 && text[0] != '{' && text[0] != '[' && string(text) != "null" {
		*e = Expr(text)
	}
	return nil
}
