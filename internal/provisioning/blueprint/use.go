package blueprint

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// A use is a place in a blueprint where an expression stands.
type use struct {
	path     []string // of the document: fields, and indices of lists
	expr     *Expr
	form     form
	late     bool   // it may have what is known only once something was made
	effect   Effect // of a change of its value
	resource string // the id of the resource whose field it is, "" where there is none
}

// visit calls see with every expression of the blueprint, in a lasting order. What
// is empty and may be so is not seen.
func (bp *Blueprint) visit(see func(use)) {
	at := func(e *Expr, f form, effect Effect, resource string, path ...string) {
		if *e != "" {
			see(use{path: path, expr: e, form: f, effect: effect, resource: resource})
		}
	}
	late := func(e *Expr, f form, resource string, path ...string) {
		if *e != "" {
			see(use{path: path, expr: e, form: f, late: true, effect: Live, resource: resource})
		}
	}
	each := func(list []Expr, one func(e *Expr, i string)) {
		for i := range list {
			one(&list[i], strconv.Itoa(i))
		}
	}
	at(&bp.Region, regionForm, Never, "", "region")
	each(bp.Tags, func(e *Expr, i string) { at(e, tagForm, Live, "", "tags", i) })
	at(&bp.Project, textForm, Live, projectID, "project")
	at(&bp.TenantPlan, textForm, Live, "", "tenant_plan")
	if bp.VPC != nil {
		at(&bp.VPC.IPRange, privateRangeForm, Never, vpcID, "vpc", "ip_range")
	}
	for _, key := range sortedKeys(bp.Droplets) {
		d, id, path := bp.Droplets[key], DropletKind.id(key), []string{"droplets", key}
		in := func(more ...string) []string { return slices.Concat(path, more) }
		at(&d.Size, sizeForm, Resize, id, in("size")...)
		at(&d.Image, imageForm, Rebuild, id, in("image")...)
		at(&d.Region, regionForm, Never, id, in("region")...)
		at(&d.Monitoring, switchForm, Rebuild, id, in("monitoring")...)
		at(&d.IPv6, switchForm, Rebuild, id, in("ipv6")...)
		each(d.SSHKeys, func(e *Expr, i string) { at(e, sshKeyForm, Rebuild, id, in("ssh_keys", i)...) })
		each(d.Tags, func(e *Expr, i string) { at(e, tagForm, Live, id, in("tags", i)...) })
	}
	for _, key := range sortedKeys(bp.Volumes) {
		v, id := bp.Volumes[key], VolumeKind.id(key)
		at(&v.SizeGiB, sizeGiBForm, Resize, id, "volumes", key, "size_gib")
		each(v.Tags, func(e *Expr, i string) { at(e, tagForm, Live, id, "volumes", key, "tags", i) })
	}
	for _, key := range sortedKeys(bp.Firewalls) {
		f, id := bp.Firewalls[key], FirewallKind.id(key)
		rules := func(list []Rule, side string) {
			for i := range list {
				path := []string{"firewalls", key, side, strconv.Itoa(i)}
				at(&list[i].Ports, portsForm, Live, id, slices.Concat(path, []string{"ports"})...)
				each(list[i].Addresses, func(e *Expr, j string) {
					late(e, addressesForm, id, slices.Concat(path, []string{"addresses", j})...)
				})
			}
		}
		rules(f.Inbound, "inbound")
		rules(f.Outbound, "outbound")
	}
	if bp.DNS != nil {
		at(&bp.DNS.Domain, domainForm, Rebuild, "", "dns", "domain")
		for _, key := range sortedKeys(bp.DNS.Records) {
			r, id := bp.DNS.Records[key], RecordKind.id(key)
			at(&r.Name, recordNameForm, Live, id, "dns", "records", key, "name")
			late(&r.Data, recordDataForm(r.Type), id, "dns", "records", key, "data")
		}
	}
	for _, key := range sortedKeys(bp.Health) {
		p := bp.Health[key]
		late(&p.Target, hostForm, "", "health", key, "target")
		at(&p.Path, textForm, Live, "", "health", key, "path")
	}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// A Kind is what a resource is.
type Kind string

// The kinds of resources.
const (
	TagKind        Kind = "tag"
	VPCKind        Kind = "vpc"
	VolumeKind     Kind = "volume"
	DropletKind    Kind = "droplet"
	FirewallKind   Kind = "firewall"
	ReservedIPKind Kind = "reserved_ip"
	RecordKind     Kind = "domain_record"
	ProjectKind    Kind = "project"
	SnapshotKind   Kind = "snapshot" // no blueprint has one: a suspended stack does
)

// A stack has one network of its own and is in one project.
const (
	vpcKey     = "net"
	vpcID      = "vpc." + vpcKey
	projectKey = "membership"
	projectID  = "project." + projectKey
)

func (k Kind) id(key string) string { return string(k) + "." + key }

// about says what a reference is about: whether it is known before anything was
// made, which resource must be made before it is, and what is wrong with it, as a
// sentence. Those to parameters are for the caller.
func (bp *Blueprint) about(r reference) (early bool, resource string, err error) {
	words := r.words()
	unknown := func(what string, options []string) error {
		if len(options) == 0 {
			return fmt.Errorf("${%s}: this blueprint has no %s.", r, what)
		}
		word := words[len(words)-1]
		if slices.Contains([]string{"droplet", "volume", "reserved_ip", "callback"}, words[0]) && !known(bp, words) {
			word = words[1]
		}
		return fmt.Errorf("${%s}: there is no %s %s. There is %s.%s", r, what, clip(word), listed(options), near(word, options))
	}
	roots := []string{"param", "tenant", "stack", "droplet", "volume", "reserved_ip", "vpc"}
	fields := map[string][]string{
		"tenant":      {"slug", "zone"},
		"stack":       {"name", "id", "region"},
		"droplet":     {"name", "id", "public_ip", "private_ip", "public_ipv6"},
		"volume":      {"name", "id", "device"},
		"reserved_ip": {"address"},
		"vpc":         {"ip_range"},
	}[words[0]]
	isEarly := slices.Contains([]string{"name", "device"}, words[len(words)-1])
	switch words[0] {
	case "tenant", "stack":
		if len(words) != 2 || !slices.Contains(fields, words[1]) {
			return false, "", unknown("field of the "+words[0], fields)
		}
		return true, "", nil
	case "vpc":
		if bp.VPC == nil {
			return false, "", fmt.Errorf("${%s}: this blueprint has no vpc.", r)
		}
		if len(words) != 2 || words[1] != "ip_range" {
			return false, "", unknown("field of the vpc", fields)
		}
		return false, vpcID, nil
	case "droplet", "volume", "reserved_ip":
		keys := map[string][]string{"droplet": sortedKeys(bp.Droplets), "volume": sortedKeys(bp.Volumes), "reserved_ip": sortedKeys(bp.ReservedIPs)}[words[0]]
		if !slices.Contains(keys, words[1]) {
			return false, "", unknown(words[0], keys)
		}
		if len(words) != 3 || !slices.Contains(fields, words[2]) {
			return false, "", unknown("field of a "+words[0], fields)
		}
		if words[2] == "public_ipv6" && bp.Droplets[words[1]].IPv6 == "" {
			return false, "", fmt.Errorf("${%s}: droplet %s has no ipv6: true.", r, words[1])
		}
		return isEarly, Kind(words[0]).id(words[1]), nil
	default:
		return false, "", fmt.Errorf("${%s}: there is no %s. A reference begins with %s.%s", r, clip(words[0]), listed(roots), near(words[0], roots))
	}
}

// known reports whether the second word of a reference is the key of something.
func known(bp *Blueprint, words []string) bool {
	switch words[0] {
	case "droplet":
		return bp.Droplets[words[1]] != nil
	case "volume":
		return bp.Volumes[words[1]] != nil
	case "reserved_ip":
		return bp.ReservedIPs[words[1]] != nil
	}
	return false
}

// IDs are those of a blueprint's resources of a kind, like droplet.web, sorted. Of records
// and what a stack has besides there are none.
func (bp *Blueprint) IDs(kind Kind) (ids []string) {
	var keys []string
	switch kind {
	case DropletKind:
		keys = sortedKeys(bp.Droplets)
	case VolumeKind:
		keys = sortedKeys(bp.Volumes)
	case FirewallKind:
		keys = sortedKeys(bp.Firewalls)
	case ReservedIPKind:
		keys = sortedKeys(bp.ReservedIPs)
	case VPCKind:
		if bp.VPC != nil {
			keys = []string{vpcKey}
		}
	}
	for _, key := range keys {
		ids = append(ids, kind.id(key))
	}
	return ids
}
