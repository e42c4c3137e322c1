package inventory

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/exact"
)

// A Tier says how often a kind is listed.
type Tier string

// The tiers (DESIGN, "Inventory").
const (
	Hot   Tier = "hot"   // every minute: what costs money and what changes by hand
	Warm  Tier = "warm"  // every quarter of an hour, or after a hint: what hangs on something else
	Daily Tier = "daily" // once a day: what DigitalOcean sells
)

// A Kind is all that the inventory has to say of one kind of resource: where it
// is listed, how to read its documents, what it hangs on and what it costs. A new
// kind is a file of its own and a line in [Kinds]; see docs/adding-a-resource.md.
type Kind struct {
	Name  string // "droplet": in URNs, in searches and in CSV
	Title string // "Droplet": of one, for people
	Many  string // "Droplets"
	Tier  Tier

	Lists  []Listing // together they are the whole list
	Get    string    // "/v2/droplets/{id}": whether one exists; empty where nothing answers that
	One    string    // the key around one in Get's answer
	Parent string    // the kind for each of whose resources the list is read; "{parent}" in a path is its id
	Scope  string    // what a token needs to list it, "droplet:read"

	ID    string           // the key of its id
	Skip  func(d Doc) bool // what stands in its lists and is of another kind; nil: nothing
	Local bool             // the id is unique in its account only: the URN names the account too
	// Ignore are paths of what changes without meaning anything, "size.available":
	// "*" is any key or item, and "!id" at the end every key but id.
	Ignore []string
	// Secret are paths of texts that are secrets, beside those that are secrets
	// everywhere: "*" is any key or item, and "**" at the beginning any depth.
	Secret []string
	Hint   string // the key of what is noise itself, and tells that something changed which hangs on the resource
	Link   bool   // not a thing but a tie between two; shown only when asked for
	Sold   bool   // not ours but DigitalOcean's: part of what it sells

	// What is read out of a document. Each may be nil where there is nothing to
	// read; Look is never nil.
	Look    func(d Doc) Look
	Edges   func(d Doc) []Edge
	Charges func(d Doc) []Charge

	// Project is the prefix of the kind in the URNs of projects, "do:dbaas:";
	// empty where a project cannot hold it.
	Project string
	// Actions is the kind's name in /v2/actions, "droplet"; empty where it is in none.
	Actions string
}

// A Listing is one of the lists of a kind.
type Listing struct {
	Path    string // "/v2/droplets"
	Query   url.Values
	Key     string // "droplets"
	Unpaged bool
	Keyed   bool // the documents stand in an object, each under its id
	Single  bool // there is one document under the key, or none and the answer is 404
}

// A Look is what pages and searches show of a document.
type Look struct {
	Name      string
	Region    string // slug; empty where it has none
	Status    string // in DigitalOcean's words; empty where it has none
	Size      string // what it is of its kind: a size, a count of GiB, a tier
	Tags      []string
	Addresses []string  // IPs and names by which it is found
	Project   string    // id of its project, where the document says so
	CreatedAt time.Time // zero where the document does not say
}

// An EdgeType says how one resource stands to another.
type EdgeType string

// The types of edges, each read from the one that has the edge.
const (
	AttachedTo EdgeType = "attached_to" // a volume to a droplet, an address to a droplet
	MemberOf   EdgeType = "member_of"   // a droplet of a VPC, anything of a project
	DependsOn  EdgeType = "depends_on"  // a balancer on its certificate, a record on its domain
	SnapshotOf EdgeType = "snapshot_of" // of a droplet or a volume, which may be gone
	PointsTo   EdgeType = "points_to"   // a DNS record to an address
	Protects   EdgeType = "protects"    // a firewall droplets
	Serves     EdgeType = "serves"      // a balancer droplets
	Watches    EdgeType = "watches"     // an alert policy droplets, an uptime check an address
)

// An Edge goes from the resource whose document says so to another.
type Edge struct {
	Type EdgeType
	From string // URN; empty: the resource whose document it is
	// To is the other's URN. Where the document knows it by a tag or an address
	// only, To is empty and one of the others is set.
	To      string
	Tag     string // every droplet with this tag
	Address string // whatever has this address
	// First says that the resource has to be deleted before the other can be: a
	// droplet before its VPC.
	First bool
}

// A Charge is one thing for which DigitalOcean bills a resource.
type Charge struct {
	SKU      string       // in the price book, "volume"; a droplet's is "droplet:" and its size
	Quantity exact.Number // how many units: GiB, nodes; 1 for what has none
	// Monthly is the price of a unit for a whole month in US dollars, where the
	// document says so itself: it wins over the price book's. Listed says that it does.
	Monthly exact.Number
	Listed  bool
	// Assumed is what was taken for granted where no document says it; empty for most.
	Assumed string
}

// URN names a resource of the kind: "do:droplet:3164494". Where ids are unique in
// an account only it is "do:tag:main/web".
func (k *Kind) URN(account, id string) string {
	if k.Local {
		return "do:" + k.Name + ":" + account + "/" + id
	}
	return "do:" + k.Name + ":" + id
}

// identify is the id that a document gives itself, "" for none.
func (k *Kind) identify(d Doc) string { return d.Text(strings.Split(k.ID, ".")...) }

// path fills the ids into a path.
func path(template, parent, id string) string {
	return strings.NewReplacer("{parent}", url.PathEscape(parent), "{id}", url.PathEscape(id)).Replace(template)
}

// Kinds are all kinds that the inventory keeps, in the order in which they are
// listed: whatever others hang on first.
func Kinds() []*Kind { return kinds }

// KindNamed is the kind of a name, nil for none.
func KindNamed(name string) *Kind {
	if i := slices.IndexFunc(kinds, func(k *Kind) bool { return k.Name == name }); i >= 0 {
		return kinds[i]
	}
	return nil
}
