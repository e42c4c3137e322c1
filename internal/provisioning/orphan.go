package provisioning

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/inventory"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// leftover is the reason of an orphan that carries the marker of a saga which has ended
// and does not have it. Other reasons are rules of findings.
const leftover = "leftover"

// orphaning are the findings that call a thing an orphan, with its kind.
var orphaning = map[inventory.FindingRule]string{
	inventory.UnattachedVolume: "volume", inventory.UnassignedIP: "reserved_ip", inventory.OrphanSnapshot: "snapshot",
}

// An Orphan is a thing at DigitalOcean that nobody has, as it was when that was found.
type Orphan struct {
	URN      string `json:"urn"`
	Kind     string `json:"kind"` // volume, reserved_ip, snapshot or droplet
	ID       string `json:"id"`
	Name     string `json:"name"`
	Reason   string `json:"reason"` // leftover, or the rule of the finding that says so
	Evidence string `json:"evidence"`
	Tenant   string `json:"tenant,omitempty"`  // id of whom it was made for: its freeze counts
	Monthly  *int64 `json:"monthly,omitempty"` // micro-dollars; nil: nobody knows
	Is       string `json:"is"`                // all of it that tells whether it changed, in words
	Version  int64  `json:"version"`           // in the inventory; 0: it has none
}

// A held is a thing that an account has, as far as it may be an orphan.
type held struct {
	urn, kind, id, name string
	tags                []string
	is                  string // all that tells whether it changed
	used                string // why it is no orphan, as it shows itself; empty: nothing does
	source              string // URN of what a snapshot was taken of
}

func heldDroplet(d digitalocean.Droplet) held {
	h := held{urn: dropletURN(d.ID), kind: "droplet", id: strconv.FormatInt(d.ID, 10), name: d.Name, tags: d.Tags}
	h.is = fmt.Sprintf("%s, %s, %s, %s, made %s, volumes %s, tags %s", d.Name, d.Size, d.Region, d.Status, stamp(d.CreatedAt), words(d.VolumeIDs), words(d.Tags))
	switch {
	case len(d.VolumeIDs) > 0:
		h.used = "volume " + d.VolumeIDs[0] + " is attached to it"
	case d.Locked:
		h.used = "an action is at work on it"
	}
	return h
}

func heldVolume(v digitalocean.Volume) held {
	h := held{urn: "do:volume:" + v.ID, kind: "volume", id: v.ID, name: v.Name, tags: v.Tags}
	h.is = fmt.Sprintf("%s, %d GiB, %s, made %s, droplets %s, tags %s", v.Name, v.SizeGiB, v.Region, stamp(v.CreatedAt), words(numbers(v.Droplets)), words(v.Tags))
	if len(v.Droplets) > 0 {
		h.used = fmt.Sprintf("droplet %d uses it", v.Droplets[0])
	}
	return h
}

func heldAddress(a digitalocean.ReservedIP) held {
	h := held{urn: "do:reserved_ip:" + a.IP, kind: "reserved_ip", id: a.IP, name: a.IP}
	h.is = fmt.Sprintf("%s, droplet %d, project %s", a.Region, a.Droplet, orNothing(a.Project))
	switch {
	case a.Droplet != 0:
		h.used = fmt.Sprintf("it leads to droplet %d", a.Droplet)
	case a.Locked:
		h.used = "an action is at work on it"
	}
	return h
}

func heldSnapshot(s digitalocean.Snapshot) held {
	h := held{urn: snapshotURN(s.ID), kind: "snapshot", id: s.ID, name: s.Name, tags: s.Tags, source: "do:" + s.ResourceType + ":" + s.Resource}
	h.is = fmt.Sprintf("%s, %s GB, of %s, made %s, regions %s, tags %s", s.Name, s.SizeGigabytes, h.source, stamp(s.CreatedAt), words(s.Regions), words(s.Tags))
	return h
}

func stamp(at time.Time) string { return at.UTC().Format(time.RFC3339) }

// words are texts in an order that does not depend on DigitalOcean's.
func words(texts []string) string {
	return strings.Join(slices.Sorted(slices.Values(texts)), " ")
}

// Holdings are all things of an account that may be orphans, by URN, from whole lists.
type holdings map[string]held

// readHoldings lists them. What another thing says of one counts as its use.
func readHoldings(ctx context.Context, c *digitalocean.Client) (holdings, error) {
	droplets, err1 := c.Droplets(ctx)
	volumes, err2 := c.Volumes(ctx)
	addresses, err3 := c.ReservedIPs(ctx)
	snapshots, err4 := c.Snapshots(ctx)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return nil, err // a list that is not whole tells nothing
	}
	all := holdings{}
	for _, one := range droplets.Items {
		all.add(heldDroplet(one))
	}
	for _, one := range volumes.Items {
		all.add(heldVolume(one))
	}
	for _, one := range addresses.Items {
		all.add(heldAddress(one))
		all.use(dropletURN(one.Droplet), "address "+one.IP+" leads to it")
	}
	for _, one := range snapshots.Items {
		all.add(heldSnapshot(one))
	}
	for _, one := range droplets.Items {
		all.use(snapshotURN(one.Image), fmt.Sprintf("droplet %d was made of it", one.ID))
	}
	return all, nil
}

func (h holdings) add(one held) { h[one.urn] = one }

func (h holdings) use(urn, why string) {
	if one, ok := h[urn]; ok && one.used == "" {
		one.used = why
		h[urn] = one
	}
}

// readHeld asks for one thing by its id. It answers digitalocean.NotFound.
func readHeld(ctx context.Context, c *digitalocean.Client, o Orphan) (held, error) {
	switch o.Kind {
	case "volume":
		is, err := c.Volume(ctx, o.ID)
		return heldVolume(is), err
	case "reserved_ip":
		is, err := c.ReservedIP(ctx, o.ID)
		return heldAddress(is), err
	case "snapshot":
		is, err := c.Snapshot(ctx, o.ID)
		return heldSnapshot(is), err
	}
	n, err := strconv.ParseInt(o.ID, 10, 64)
	if err != nil {
		return held{}, saga.Permanent(err)
	}
	is, err := c.Droplet(ctx, n)
	return heldDroplet(is), err
}

// keeps says why a thing is not to be deleted, by what DigitalOcean shows of it and of
// what stands around it; empty: for no reason.
func (h holdings) keeps(one held) string {
	around, listed := h[one.urn]
	switch {
	case one.used != "":
		return one.used
	case listed && around.used != "":
		return around.used
	case slices.ContainsFunc(one.tags, isKeepTag):
		return "it is tagged to be kept"
	}
	return ""
}

// KeepTag is the tag with which somebody has a thing kept, by itself or with a word
// after a colon.
const KeepTag = "keep"

func isKeepTag(tag string) bool {
	tag = strings.ToLower(tag)
	return tag == KeepTag || strings.HasPrefix(tag, KeepTag+":")
}

// spares says why a marked thing is not to be deleted any more.
func (h holdings) spares(o Orphan, is held) string {
	why := h.keeps(is)
	_, sourced := h[is.source]
	switch {
	case why != "":
		return why
	case o.Reason == string(inventory.OrphanSnapshot) && sourced:
		return "what it was taken of is there"
	case is.is != o.Is:
		return fmt.Sprintf("it changed: it was %s and is %s", o.Is, is.is)
	}
	return ""
}

// The markers of what sagas make, in tags and in names of snapshots.
var (
	tagMarker  = regexp.MustCompile(`^arcadia:([0-9a-f]{8})-[a-z]`)
	snapMarker = regexp.MustCompile(`^arcadia-snap-[^-].*?-([0-9a-f]{8})(?:-|$)`)
)

// markers are the parts of sagas' ids in the markers that a thing carries.
func (one held) markers() (all []string) {
	for _, tag := range one.tags {
		if m := tagMarker.FindStringSubmatch(strings.ToLower(tag)); m != nil {
			all = append(all, m[1])
		}
	}
	if m := snapMarker.FindStringSubmatch(one.name); m != nil && one.kind == "snapshot" {
		all = append(all, m[1])
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// provenance is what the markers of a thing say.
type provenance struct {
	left   string // how a saga left it behind; empty: none did
	owned  string // why it is somebody's; empty: it is not
	tenant string // id of whom it was made for
}

// provenance looks at the sagas whose markers a thing carries. Markers of another
// installation, of a saga that is not long over, and of a stack that was let go, are no
// sign of an orphan.
func (s *Service) provenance(ctx context.Context, one held, at time.Time) (p provenance, err error) {
	for _, marker := range one.markers() {
		of, ok, err := s.engine.Marked(ctx, marker)
		if err != nil {
			return p, err
		}
		switch {
		case !ok:
			p.owned = fmt.Sprintf("it carries the marker %s of a saga that this Arcadia does not know", marker)
		case !of.State.Ended():
			p.owned = fmt.Sprintf("saga %s, which made it, is %s", of.ID, of.State)
		case at.Sub(of.FinishedAt) < s.engine.Swept()+2*s.steps.set.Horizon:
			p.owned = fmt.Sprintf("saga %s, which made it, has just ended, and may be swept yet", of.ID)
		default:
			if p.owned, err = s.ownedBy(ctx, of, one); err != nil {
				return p, err
			}
		}
		if p.owned != "" {
			p.left = ""
			return p, nil
		}
		p.tenant = of.Tenant
		p.left = fmt.Sprintf("It carries the marker of saga %s (%s, %s), which does not have it.", of.ID, of.Kind, of.State)
	}
	return p, nil
}

// ownedBy says why a thing is that of a saga which has ended; empty: it is not.
func (s *Service) ownedBy(ctx context.Context, of saga.Saga, one held) (string, error) {
	if of.Kind == SnapshotDropletKind {
		state, err := stateOf(of)
		if err == nil && of.State == saga.Completed && state.SnapshotID == one.id {
			return fmt.Sprintf("saga %s took it, as somebody asked", of.ID), nil
		}
		return "", err
	}
	state, err := saga.StateOf[Building](of)
	if err != nil || state.Stack == "" {
		return "", err
	}
	stack, err := s.Stack(ctx, string(state.Stack))
	switch {
	case errors.Is(err, fault.NotFound): // one that was only tried out
		return "", nil
	case err == nil && stack.State == StackReleased:
		return fmt.Sprintf("it was stack %s's, which was let go with all that it has", stack.Name), nil
	}
	return "", err
}
