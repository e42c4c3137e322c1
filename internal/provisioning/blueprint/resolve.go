package blueprint

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

var (
	stackNameForm = regexp.MustCompile(`^[a-z][a-z0-9-]{0,38}[a-z0-9]$`)
	stackIDForm   = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
)

// Resolve puts values into a blueprint, for a stack of a tenant. values are the texts
// of parameters by name: a whole number in digits, true or false, the name of a
// secret. Those that are not there take their default. All that is wrong is told at
// once, a sentence on each line: a fault of kind Invalid.
func Resolve(bp *Blueprint, values map[string]string, of Tenant, stack Stack) (Spec, error) {
	r := &resolver{bp: bp, tenant: of, stack: stack}
	r.names()
	r.settings(values)
	if len(r.problems) > 0 {
		return Spec{}, r.err()
	}
	r.fill()
	if len(r.problems) > 0 {
		return Spec{}, r.err()
	}
	spec := r.spec()
	if len(r.problems) > 0 {
		return Spec{}, r.err()
	}
	r.tryUserData(spec)
	if len(r.problems) > 0 {
		return Spec{}, r.err()
	}
	return spec, nil
}

type resolver struct {
	bp       *Blueprint // as it was read
	filled   *Blueprint // a copy with everything put in that is known already
	tenant   Tenant
	stack    Stack
	set      map[string]Setting
	problems []string
}

func (r *resolver) fail(format string, args ...any) {
	r.problems = append(r.problems, fmt.Sprintf(format, args...))
}

func (r *resolver) err() error {
	return fault.New(fault.Invalid, "%s", strings.Join(r.problems, "\n"))
}

func (r *resolver) names() {
	if !stackNameForm.MatchString(r.stack.Name) || strings.Contains(r.stack.Name, "--") {
		r.fail("%q is no name of a stack. It has 2 to 40 small letters, digits and single dashes, begins with a letter and does not end with a dash.", clip(r.stack.Name))
	}
	if !stackIDForm.MatchString(r.stack.ID) {
		r.fail("%q is no id of a stack.", clip(r.stack.ID))
	}
	if err := tenant.CheckSlug(r.tenant.Slug); err != nil {
		r.fail("%s", fault.Message(err))
	}
	if _, err := time.LoadLocation(r.tenant.Zone); err != nil || r.tenant.Zone == "" || r.tenant.Zone == "Local" {
		r.fail("%q is no time zone. One is like Europe/Berlin.", clip(r.tenant.Zone))
	}
}

func (r *resolver) settings(values map[string]string) {
	names := sortedKeys(r.bp.Parameters)
	for _, name := range sortedKeys(values) {
		if r.bp.Parameters[name] == nil {
			if len(names) == 0 {
				r.fail("There is no parameter %s: the blueprint %s has none.", clip(name), r.bp.Name)
				continue
			}
			r.fail("There is no parameter %s. There is %s.%s", clip(name), listed(names), near(name, names))
		}
	}
	r.set = make(map[string]Setting)
	for _, name := range names {
		p := r.bp.Parameters[name]
		value, given := values[name]
		if !given {
			if p.Default == nil {
				r.fail("The parameter %s has no value and no default.%s", name, sentence(p.Description))
				continue
			}
			value = string(*p.Default)
		}
		if err := p.check(value); err != nil {
			r.fail("The parameter %s: %v", name, err)
			continue
		}
		r.set[name] = Setting{Type: p.Type, Value: value, Changeable: p.Changeable, SetBy: p.SetBy}
	}
}

func sentence(description string) string {
	if description == "" {
		return ""
	}
	return " It is: " + strings.TrimSuffix(description, ".") + "."
}

// early answers what is known before anything was made.
func (r *resolver) early(ref reference) (string, bool) {
	if name, is := ref.parameter(); is {
		s, ok := r.set[name]
		return s.Value, ok
	}
	words := ref.words()
	switch ref {
	case "tenant.slug":
		return r.tenant.Slug, true
	case "tenant.zone":
		return r.tenant.Zone, true
	case "stack.name":
		return r.stack.Name, true
	case "stack.id":
		return r.stack.ID, true
	case "stack.region":
		region, err := r.bp.Region.Value(r.texts())
		return region, err == nil
	}
	switch words[len(words)-1] {
	case "name":
		return r.name(words[1]), true
	case "device":
		return devicePrefix + r.name(words[1]), true
	}
	return "", false
}

// texts are the values of the parameters by the words that refer to them.
func (r *resolver) texts() map[string]string {
	all := make(map[string]string)
	for name, s := range r.set {
		all["param."+name] = s.Value
	}
	return all
}

func (r *resolver) name(key string) string { return r.stack.Name + "-" + key }

// fill puts in what is known, and sees that the result is of the right form.
func (r *resolver) fill() {
	text, err := json.Marshal(r.bp)
	if err == nil {
		err = json.Unmarshal(text, &r.filled)
	}
	if err != nil {
		r.fail("The blueprint cannot be copied: %v.", err)
		return
	}
	r.filled.visit(func(u use) {
		filled := u.expr.replace(r.early)
		if u.late {
			*u.expr = filled
			if len(filled.references()) > 0 {
				return
			}
		}
		value, err := filled.Value(nil)
		if err == nil {
			err = u.form.check(value)
		}
		if err != nil {
			r.fail("%s: %v", strings.Join(u.path, "."), err)
		}
		if !u.late {
			*u.expr = Expr(value)
		}
	})
}

// spec builds the resources and orders them.
func (r *resolver) spec() Spec {
	bp := r.filled
	s := Spec{
		Blueprint: bp.Name, Version: bp.Version, Tenant: r.tenant, Stack: r.stack, Region: string(bp.Region),
		Parameters: r.set, BackupPolicy: bp.BackupPolicy, TenantPlan: string(bp.TenantPlan),
	}
	all := make(map[string]*Resource)
	add := func(kind Kind, key, name string) *Resource {
		res := &Resource{ID: kind.id(key), Kind: kind, Key: key, Name: name}
		all[res.ID] = res
		return res
	}
	if bp.VPC != nil {
		add(VPCKind, vpcKey, r.name(vpcKey)).VPC = &VPCSpec{Region: s.Region, IPRange: string(bp.VPC.IPRange)}
	}
	for _, key := range sortedKeys(bp.Droplets) {
		res := add(DropletKind, key, r.name(key))
		res.Tags = r.tags(bp.Droplets[key].Tags)
		res.Droplet = r.droplet(key)
	}
	for _, key := range sortedKeys(bp.Volumes) {
		v := bp.Volumes[key]
		res := add(VolumeKind, key, r.name(key))
		res.Tags = r.tags(v.Tags)
		size, _ := strconv.Atoi(string(v.SizeGiB)) // the form was checked
		res.Volume = &VolumeSpec{Region: r.regionOf(v.Droplet), SizeGiB: size, Filesystem: v.Filesystem}
		if v.Droplet != "" {
			res.Volume.Droplet = DropletKind.id(v.Droplet)
		}
	}
	for _, key := range sortedKeys(bp.Firewalls) {
		f := bp.Firewalls[key]
		add(FirewallKind, key, r.name(key)).Firewall = &FirewallSpec{Droplets: ids(DropletKind, f.Droplets), Inbound: rules(f.Inbound), Outbound: rules(f.Outbound)}
	}
	for _, key := range sortedKeys(bp.ReservedIPs) {
		droplet := bp.ReservedIPs[key].Droplet
		add(ReservedIPKind, key, r.name(key)).ReservedIP = &ReservedIPSpec{Region: r.regionOf(droplet), Droplet: DropletKind.id(droplet)}
	}
	if bp.DNS != nil {
		for _, key := range sortedKeys(bp.DNS.Records) {
			d := bp.DNS.Records[key]
			spec := &RecordSpec{Domain: string(bp.DNS.Domain), Type: d.Type, Name: string(d.Name), Data: d.Data, TTL: d.TTL, Priority: d.Priority, Port: d.Port, Weight: d.Weight}
			if spec.TTL == 0 {
				spec.TTL = 1800
			}
			add(RecordKind, key, r.name(key)).Record = spec
		}
	}
	if bp.Project != "" {
		project := add(ProjectKind, projectKey, string(bp.Project))
		project.Project = &ProjectSpec{Members: []string{}}
		for _, id := range sortedKeys(all) {
			if k := all[id].Kind; k == DropletKind || k == VolumeKind || k == ReservedIPKind {
				project.Project.Members = append(project.Project.Members, id)
				project.DependsOn = append(project.DependsOn, id)
			}
		}
	}
	for _, id := range sortedKeys(all) {
		for _, tag := range all[id].Tags {
			all[id].DependsOn = append(all[id].DependsOn, TagKind.id(tag))
			if all[TagKind.id(tag)] == nil {
				add(TagKind, tag, tag)
			}
		}
	}
	for _, e := range r.bp.edges() {
		all[e.from].DependsOn = append(all[e.from].DependsOn, e.to)
	}
	s.Resources = ordered(all)
	s.Health = r.health()
	return s
}

func (r *resolver) droplet(key string) *DropletSpec {
	d := r.filled.Droplets[key]
	spec := &DropletSpec{
		Region: r.regionOf(key), Size: string(d.Size), Image: string(d.Image), SSHKeys: texts(d.SSHKeys),
		Monitoring: d.Monitoring == "true", IPv6: d.IPv6 == "true", Backups: d.Backups,
	}
	if r.filled.VPC != nil {
		spec.VPC = vpcID
		if spec.Region != string(r.filled.Region) {
			r.fail("The droplet %s is in %s. The stack's network is in %s, and a network does not reach another region.", key, spec.Region, r.filled.Region)
		}
	}
	for _, volume := range sortedKeys(r.filled.Volumes) {
		if r.filled.Volumes[volume].Droplet == key {
			spec.Volumes = append(spec.Volumes, VolumeKind.id(volume))
		}
	}
	if d.CloudInit != "" {
		spec.UserData = r.userData(key)
	}
	return spec
}

// regionOf is where a droplet is, the stack's region where there is none such.
func (r *resolver) regionOf(droplet string) string {
	if d := r.filled.Droplets[droplet]; d != nil && d.Region != "" {
		return string(d.Region)
	}
	return string(r.filled.Region)
}

// tags are Arcadia's own, then the blueprint's, each once.
func (r *resolver) tags(more []Expr) []string {
	all := []string{StackTagPrefix + r.stack.ID, TenantTagPrefix + r.tenant.Slug, tenant.TagPrefix + r.tenant.Slug}
	others := texts(slices.Concat(r.filled.Tags, more))
	slices.Sort(others)
	for _, tag := range others {
		if !slices.Contains(all, tag) {
			all = append(all, tag)
		}
	}
	return all
}

func ids(kind Kind, keys []string) []string {
	var all []string
	for _, key := range keys {
		all = append(all, kind.id(key))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func rules(list []Rule) []RuleSpec {
	var all []RuleSpec
	for _, r := range list {
		all = append(all, RuleSpec{Protocol: r.Protocol, Ports: string(r.Ports), Addresses: r.Addresses, Droplets: ids(DropletKind, r.Droplets)})
	}
	return all
}

// health fills in what probes leave to their defaults.
func (r *resolver) health() map[string]Probe {
	all := make(map[string]Probe)
	for key, p := range r.filled.Health {
		probe := *p
		web := probe.Type == "http" || probe.Type == "https"
		if web && probe.Port == 0 {
			probe.Port = map[string]int{"http": 80, "https": 443}[probe.Type]
		}
		if web && probe.Path == "" {
			probe.Path = "/"
		}
		if web && probe.Status == 0 {
			probe.Status = 200
		}
		if probe.Timeout == "" {
			probe.Timeout = "10m"
		}
		if probe.Droplet != "" {
			probe.Droplet = DropletKind.id(probe.Droplet)
		}
		all[key] = probe
	}
	return all
}

// devicePrefix begins the path of a volume on the droplet that it is attached to; its
// name follows (https://docs.digitalocean.com/products/volumes/how-to/mount/).
const devicePrefix = "/dev/disk/by-id/scsi-0DO_Volume_"

var kindOrder = []Kind{TagKind, VPCKind, VolumeKind, DropletKind, ReservedIPKind, FirewallKind, RecordKind, ProjectKind}

// ordered puts each resource after all that it depends on, otherwise by kind and key.
func ordered(all map[string]*Resource) []Resource {
	byKind := slices.SortedFunc(slices.Values(sortedKeys(all)), func(a, b string) int {
		if d := slices.Index(kindOrder, all[a].Kind) - slices.Index(kindOrder, all[b].Kind); d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	out := []Resource{}
	placed := make(map[string]bool)
	var place func(id string)
	place = func(id string) {
		if placed[id] {
			return
		}
		placed[id] = true
		res := all[id]
		slices.Sort(res.DependsOn)
		res.DependsOn = slices.Compact(res.DependsOn)
		for _, other := range res.DependsOn {
			place(other)
		}
		out = append(out, *res)
	}
	for _, id := range byKind {
		place(id)
	}
	return out
}
