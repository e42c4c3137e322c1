package blueprint

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// A Tenant is whose a stack is.
type Tenant struct {
	Slug string `json:"slug"`
	Zone string `json:"zone"` // of its schedules, like Europe/Berlin
}

// A Stack is what is made of a blueprint for a tenant.
type Stack struct {
	ID   string `json:"id"`   // in tags: letters, digits, dashes and underscores
	Name string `json:"name"` // 2 to 40 small letters, digits and dashes
}

// The tags of everything that Arcadia makes for a stack, where its kind takes tags,
// begin so; the stack's id and the tenant's slug follow. Beside them stands the tag
// by which the inventory tells whose a resource is ([tenant.TagPrefix]).
const (
	StackTagPrefix  = "arcadia:stack:"
	TenantTagPrefix = "arcadia:tenant:"
)

// A Spec is what must stand at DigitalOcean: a blueprint with values put in. It is
// made by [Resolve], kept as JSON, and the same for the same input.
type Spec struct {
	Blueprint    string             `json:"blueprint"`
	Version      int                `json:"version"`
	Tenant       Tenant             `json:"tenant"`
	Stack        Stack              `json:"stack"`
	Region       string             `json:"region"`
	Parameters   map[string]Setting `json:"parameters,omitempty"`
	Resources    []Resource         `json:"resources"` // each after all that it depends on
	BackupPolicy *BackupPolicy      `json:"backup_policy,omitempty"`
	Health       map[string]Probe   `json:"health,omitempty"` // with every default filled in
	TenantPlan   string             `json:"tenant_plan,omitempty"`
}

// A Setting is a parameter with its value.
type Setting struct {
	Type       Type   `json:"type"`
	Value      string `json:"value"` // of a secret: its name
	Changeable Effect `json:"changeable"`
	SetBy      string `json:"set_by"`
}

// A Resource is one thing at DigitalOcean. The one field of its kind is set. Whatever
// refers to another resource does so by its id.
type Resource struct {
	ID        string   `json:"id"` // kind.key
	Kind      Kind     `json:"kind"`
	Key       string   `json:"key"`
	Name      string   `json:"name"` // at DigitalOcean, <stack>-<key>; of a tag itself, of a project its name
	Tags      []string `json:"tags,omitempty"`
	DependsOn []string `json:"depends_on,omitempty"` // ids

	VPC        *VPCSpec        `json:"vpc,omitempty"`
	Volume     *VolumeSpec     `json:"volume,omitempty"`
	Droplet    *DropletSpec    `json:"droplet,omitempty"`
	Firewall   *FirewallSpec   `json:"firewall,omitempty"`
	ReservedIP *ReservedIPSpec `json:"reserved_ip,omitempty"`
	Record     *RecordSpec     `json:"domain_record,omitempty"`
	Project    *ProjectSpec    `json:"project,omitempty"`
	Snapshot   *SnapshotSpec   `json:"snapshot,omitempty"`
}

// A VPCSpec is a private network.
type VPCSpec struct {
	Region  string `json:"region"`
	IPRange string `json:"ip_range,omitempty"` // empty: DigitalOcean chooses
}

// A VolumeSpec is a disk of its own.
type VolumeSpec struct {
	Region     string `json:"region"`
	SizeGiB    int    `json:"size_gib"`
	Filesystem string `json:"filesystem,omitempty"` // empty: none
	Droplet    string `json:"droplet,omitempty"`    // that it is attached to
}

// A DropletSpec is a machine.
type DropletSpec struct {
	Region     string    `json:"region"`
	Size       string    `json:"size"`
	Image      string    `json:"image"`         // a slug, or an id in digits
	VPC        string    `json:"vpc,omitempty"` // empty: the region's default one
	SSHKeys    []string  `json:"ssh_keys,omitempty"`
	Volumes    []string  `json:"volumes,omitempty"` // attached when it is made
	Monitoring bool      `json:"monitoring"`
	IPv6       bool      `json:"ipv6"`
	Backups    *Backups  `json:"backups,omitempty"`
	UserData   *UserData `json:"user_data,omitempty"`
}

// UserData is what a droplet runs when it first starts. [RenderUserData] writes it
// out, as late as what it needs is known.
type UserData struct {
	Template string            `json:"template"`
	Values   map[string]string `json:"values,omitempty"` // what it refers to and is known already
	Needs    []string          `json:"needs,omitempty"`  // what [Known] must have
}

// A FirewallSpec is what may come to droplets and go from them.
type FirewallSpec struct {
	Droplets []string   `json:"droplets"`
	Tags     []string   `json:"tags,omitempty"` // whose droplets it is for, too; a blueprint names none
	Inbound  []RuleSpec `json:"inbound,omitempty"`
	Outbound []RuleSpec `json:"outbound,omitempty"`
}

// A RuleSpec allows traffic.
type RuleSpec struct {
	Protocol  string   `json:"protocol"`        // tcp, udp or icmp
	Ports     string   `json:"ports,omitempty"` // 443, 8000-9000 or all
	Addresses []Expr   `json:"addresses,omitempty"`
	Droplets  []string `json:"droplets,omitempty"`
}

// A ReservedIPSpec is an address of its own.
type ReservedIPSpec struct {
	Region  string `json:"region"`
	Droplet string `json:"droplet"`
}

// A RecordSpec is a DNS record.
type RecordSpec struct {
	Domain   string `json:"domain"`
	Type     string `json:"type"`
	Name     string `json:"name"`
	Data     Expr   `json:"data"`
	TTL      int    `json:"ttl"` // seconds
	Priority int    `json:"priority,omitempty"`
	Port     int    `json:"port,omitempty"`
	Weight   int    `json:"weight,omitempty"`
}

// A ProjectSpec puts resources into a project that the account has.
type ProjectSpec struct {
	Members []string `json:"members"`
}

// A SnapshotSpec is a copy of a disk that stands for a droplet or a volume while its
// stack is suspended without them.
type SnapshotSpec struct {
	Of        string `json:"of"` // id of the resource
	Region    string `json:"region"`
	SizeGB    string `json:"size_gb,omitempty"`    // decimal; until it is taken, the most that it can be
	PrivateIP string `json:"private_ip,omitempty"` // of the droplet, which gets another one
}

// Known are values that are there only once something was made, by the words that
// refer to them: droplet.web.private_ip, reserved_ip.front.address. User data also
// asks for the one-time addresses of secrets and of callbacks: secret.<the secret's
// name>, callback.<the probe's key>.
type Known map[string]string

// Hash is the SHA-256 of the Spec in its canonical form, in hex: two Specs with one
// hash ask for the same.
func (s Spec) Hash() string {
	text, err := json.Marshal(s) // fields in their order, maps by key
	if err != nil {
		panic(err) // there is nothing in it that has no JSON
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// Resource is the one with the id.
func (s Spec) Resource(id string) (Resource, bool) {
	for _, r := range s.Resources {
		if r.ID == id {
			return r, true
		}
	}
	return Resource{}, false
}
