package provisioning

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/exact"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/provisioning/blueprint"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// A Building is the state of a saga that makes a stack.
type Building struct {
	Account string         `json:"account"`
	Tenant  string         `json:"tenant"` // id
	Stack   StackID        `json:"stack"`
	Name    string         `json:"name"`
	Plan    PlanID         `json:"plan"`
	Saga    saga.ID        `json:"saga,omitempty"` // once it runs
	Spec    blueprint.Spec `json:"spec"`
	Project string         `json:"project,omitempty"` // id of the one that the spec names
	// PublicURL is where droplets reach Arcadia; empty where they need not.
	PublicURL string           `json:"public_url,omitempty"`
	Made      map[string]*Made `json:"made,omitempty"` // by resource of the spec
	Known     blueprint.Known  `json:"known,omitempty"`
	Health    map[string]Seen  `json:"health,omitempty"` // by probe

	Origin BackupID `json:"origin,omitempty"` // that it is made of, and locks; empty: none
	// From names the snapshots that droplets and volumes are made of in place of what
	// their specs say, and Disks the names that volumes had when these were taken.
	From  map[string]string `json:"from,omitempty"`
	Disks map[string]string `json:"disks_were,omitempty"`
}

// links is user data for a droplet that is made of a snapshot: its disk knows volumes by
// their names, and finds them under those that they have now. Empty: they are the same.
func (s *Building) links(r blueprint.Resource) string {
	var lines []string
	for _, id := range r.Droplet.Volumes {
		now, ok := s.Spec.Resource(id)
		if was := s.Disks[id]; ok && was != "" && was != now.Name {
			lines = append(lines, fmt.Sprintf("  - [ln, -sfn, %q, %q]\n", diskPrefix+now.Name, diskPrefix+was))
		}
	}
	if len(lines) == 0 {
		return ""
	}
	return "#cloud-config\nbootcmd:\n" + strings.Join(lines, "") + "  - [mount, -a]\n"
}

// diskPrefix and a volume's name are where a droplet finds it.
const diskPrefix = "/dev/disk/by-id/scsi-0DO_Volume_"

// made is what the state knows of a resource.
func (s *Building) made(id string) *Made {
	if s.Made == nil {
		s.Made = map[string]*Made{}
	}
	if s.Made[id] == nil {
		s.Made[id] = &Made{}
	}
	return s.Made[id]
}

// know notes a value for expressions.
func (s *Building) know(word, value string) {
	if s.Known == nil {
		s.Known = blueprint.Known{}
	}
	if value != "" {
		s.Known[word] = value
	}
}

// value is an expression with what is known put in.
func (s *Building) value(e blueprint.Expr) (string, error) { return e.Value(s.Known) }

// of are the resources of a kind, in the order in which they are made.
func (s *Building) of(kind blueprint.Kind) (all []blueprint.Resource) {
	for _, r := range s.Spec.Resources {
		if r.Kind == kind {
			all = append(all, r)
		}
	}
	return all
}

// resourceMarker is the tag, or the end of the name, that proves that a resource is a
// saga's: no other saga and no other resource has it.
func resourceMarker(of saga.ID, r blueprint.Resource) string {
	return fmt.Sprintf("arcadia:%s-%s-%s", of.Marker8(), strings.ReplaceAll(string(r.Kind), "_", "-"), r.Key)
}

// A builder makes the resources of one saga's stack.
type builder struct {
	c       *digitalocean.Client
	looks   *looks
	attempt *saga.Attempt // nil: none, in a sweep
	set     *Settings
	state   *Building
	marker  func(blueprint.Resource) string
	leave   func(context.Context, ...digitalocean.Permit) context.Context // to change things

	// from names the snapshots that droplets and volumes are made of in place of what
	// their specs say; nil: none are.
	from map[string]string
}

func (p *Steps) builder(ctx context.Context, s *Building) (*builder, error) {
	c, err := p.cloud(ctx, s.Account)
	if err != nil {
		return nil, err
	}
	a := saga.Current(ctx)
	of := a.Saga
	return &builder{
		c: c, looks: p.looks, attempt: a, set: &p.set, state: s, from: s.From,
		marker: func(r blueprint.Resource) string {
			if m := s.Made[r.ID]; m != nil && m.By != "" {
				return resourceMarker(m.By, r)
			}
			return resourceMarker(of, r)
		},
		leave: func(ctx context.Context, permits ...digitalocean.Permit) context.Context {
			return capabilityOf(ctx, s.Tenant, permits...)
		},
	}, nil
}

// permitted is ctx with leave for changes.
func (b *builder) permitted(ctx context.Context, permits ...digitalocean.Permit) context.Context {
	return b.leave(ctx, permits...)
}

// id is the id at DigitalOcean of a resource that was made; empty for none.
func (b *builder) id(resource string) string { return b.state.made(resource).ID }

// number is that id where it is a number.
func (b *builder) number(resource string) (int64, error) {
	n, err := strconv.ParseInt(b.id(resource), 10, 64)
	if err != nil {
		return 0, saga.Permanent(fault.New(fault.Internal, "%s is needed and was not made.", resource))
	}
	return n, nil
}

// thing is how a resource is made.
func (b *builder) thing(r blueprint.Resource) thing {
	var t thing
	switch r.Kind {
	case blueprint.TagKind:
		t = b.tag(r)
	case blueprint.VPCKind:
		t = b.vpc(r)
	case blueprint.VolumeKind:
		t = b.volume(r)
	case blueprint.DropletKind:
		t = b.droplet(r)
	case blueprint.ReservedIPKind:
		t = b.reservedIP(r)
	case blueprint.FirewallKind:
		t = b.firewall(r)
	case blueprint.RecordKind:
		t = b.record(r)
	case blueprint.SnapshotKind:
		t = b.snapshot(r)
	default:
		panic("provisioning: no way to make a " + string(r.Kind))
	}
	t.what, t.kind = strings.ReplaceAll(string(r.Kind), "_", " ")+" "+r.Name, string(r.Kind)
	return t
}

func (b *builder) volume(r blueprint.Resource) thing {
	v, marker := r.Volume, b.marker(r)
	judge := func(is digitalocean.Volume) (bool, string) {
		b.state.know("volume."+r.Key+".id", is.ID)
		return true, ""
	}
	return thing{
		listed: among(b, "volumes", b.c.Volumes, func(v digitalocean.Volume) string { return v.ID }, judge),
		find: func(ctx context.Context) ([]string, error) {
			list, err := b.c.VolumesNamed(ctx, r.Name, v.Region)
			ours := slices.DeleteFunc(list.Items, func(v digitalocean.Volume) bool { return !slices.Contains(v.Tags, marker) })
			return idsOf(ours, func(v digitalocean.Volume) string { return v.ID }), err
		},
		create: func(ctx context.Context) (string, int64, error) {
			request := digitalocean.VolumeCreate{
				Name: r.Name, Region: v.Region, SizeGiB: int64(v.SizeGiB), Filesystem: v.Filesystem,
				Tags: append(slices.Clone(r.Tags), marker), Marker: marker,
			}
			if of := b.from[r.ID]; of != "" { // whose region and file system it has
				request.Snapshot, request.Region, request.Filesystem = of, "", ""
			}
			made, err := b.c.CreateVolume(b.permitted(ctx, request.Permit(b.state.Account)), request)
			return made.ID, 0, err
		},
		read: func(ctx context.Context, id string) (bool, string, error) {
			is, err := b.c.Volume(ctx, id)
			if err != nil {
				return false, "", err
			}
			ready, lacks := judge(is)
			return ready, lacks, nil
		},
		delete: func(ctx context.Context, id string) error {
			return b.c.DeleteVolume(b.permitted(ctx, digitalocean.DeleteVolumePermit(id)), id)
		},
		tidy: b.untag(marker),
	}
}

// snapshot is one of a volume; one of a droplet is made otherwise (snapshot_droplet.go),
// and read and deleted alike.
func (b *builder) snapshot(r blueprint.Resource) thing {
	marker := strings.TrimPrefix(b.marker(r), "arcadia:")
	name := r.Name + "-" + marker
	return thing{
		find: func(ctx context.Context) ([]string, error) {
			list, err := b.c.Snapshots(ctx)
			ours := slices.DeleteFunc(list.Items, func(s digitalocean.Snapshot) bool { return s.Name != name })
			return idsOf(ours, func(s digitalocean.Snapshot) string { return s.ID }), err
		},
		create: func(ctx context.Context) (string, int64, error) {
			request := digitalocean.VolumeSnapshot{Volume: b.id(r.Snapshot.Of), Name: name, Tags: r.Tags, Marker: marker}
			made, err := b.c.SnapshotVolume(b.permitted(ctx, request.Permit()), request)
			return made.ID, 0, err
		},
		read: func(ctx context.Context, id string) (bool, string, error) {
			is, err := b.c.Snapshot(ctx, id)
			if err != nil {
				return false, "", err
			}
			size, err := exact.ParseDecimal(is.SizeGigabytes)
			switch {
			case err != nil || size.Sign() < 0 || size.Sign() == 0 && strings.HasPrefix(r.Snapshot.Of, "droplet."): // a volume may be empty
				return false, "it has no size", nil
			case !slices.Contains(is.Regions, r.Snapshot.Region):
				return false, "it is not in " + r.Snapshot.Region, nil
			}
			r.Snapshot.SizeGB = is.SizeGigabytes
			return true, "", nil
		},
		delete: func(ctx context.Context, id string) error {
			return b.c.DeleteSnapshot(b.permitted(ctx, digitalocean.DeleteSnapshotPermit(id)), id)
		},
	}
}

// untag deletes a marker's tag, which nothing carries any more.
func (b *builder) untag(marker string) func(context.Context) error {
	return func(ctx context.Context) error {
		return b.c.DeleteTag(b.permitted(ctx, digitalocean.DeleteTagPermit(marker)), marker)
	}
}

func (b *builder) vpc(r blueprint.Resource) thing {
	marker := b.marker(r)
	judge := func(is digitalocean.VPC) (bool, string) {
		b.state.know("vpc.ip_range", is.IPRange)
		return true, ""
	}
	return thing{
		listed: among(b, "networks", b.c.VPCs, func(v digitalocean.VPC) string { return v.ID }, judge),
		find: func(ctx context.Context) ([]string, error) {
			list, err := b.c.VPCs(ctx)
			ours := slices.DeleteFunc(list.Items, func(v digitalocean.VPC) bool { return !strings.Contains(v.Description, marker) })
			return idsOf(ours, func(v digitalocean.VPC) string { return v.ID }), err
		},
		create: func(ctx context.Context) (string, int64, error) {
			request := digitalocean.VPCCreate{
				Name: r.Name, Region: r.VPC.Region, IPRange: r.VPC.IPRange, Description: "Stack " + b.state.Name + ", " + marker, Marker: marker,
			}
			made, err := b.c.CreateVPC(b.permitted(ctx, request.Permit(b.state.Account)), request)
			return made.ID, 0, err
		},
		read: func(ctx context.Context, id string) (bool, string, error) {
			is, err := b.c.VPC(ctx, id)
			if err != nil {
				return false, "", err
			}
			ready, lacks := judge(is)
			return ready, lacks, nil
		},
		delete: func(ctx context.Context, id string) error {
			err := b.c.DeleteVPC(b.permitted(ctx, digitalocean.DeleteVPCPermit(id)), id)
			if errors.Is(err, digitalocean.Forbidden) {
				// The first network of a region becomes its default, which stays for good.
				if is, _ := b.c.VPC(ctx, id); is.Default {
					return errKept
				}
			}
			return err
		},
	}
}

// reservedIP is recognized by the droplet that it leads to, which is this saga's: the
// address itself carries no name.
func (b *builder) reservedIP(r blueprint.Resource) thing {
	judge := func(is digitalocean.ReservedIP) (bool, string) {
		if droplet := b.id(r.ReservedIP.Droplet); strconv.FormatInt(is.Droplet, 10) != droplet || is.Locked {
			return false, "it does not lead to its droplet yet"
		}
		b.state.know("reserved_ip."+r.Key+".address", is.IP)
		return true, ""
	}
	return thing{
		unmarked: true,
		listed:   among(b, "reserved addresses", b.c.ReservedIPs, func(ip digitalocean.ReservedIP) string { return ip.IP }, judge),
		find: func(ctx context.Context) ([]string, error) {
			droplet, err := b.number(r.ReservedIP.Droplet)
			if err != nil {
				return nil, nil // there is none that it could lead to
			}
			list, err := b.c.ReservedIPs(ctx)
			ours := slices.DeleteFunc(list.Items, func(ip digitalocean.ReservedIP) bool { return ip.Droplet != droplet })
			return idsOf(ours, func(ip digitalocean.ReservedIP) string { return ip.IP }), err
		},
		create: func(ctx context.Context) (string, int64, error) {
			droplet, err := b.number(r.ReservedIP.Droplet)
			if err != nil {
				return "", 0, err
			}
			request := digitalocean.ReservedIPCreate{Droplet: droplet}
			made, action, err := b.c.CreateReservedIP(b.permitted(ctx, request.Permit(b.state.Account)), request)
			return made.IP, action, err
		},
		read: func(ctx context.Context, id string) (bool, string, error) {
			is, err := b.c.ReservedIP(ctx, id)
			if err != nil {
				return false, "", err
			}
			ready, lacks := judge(is)
			return ready, lacks, nil
		},
		watch: func(id string, action int64) saga.Watch {
			return resourceWatch(b.state.Account, "reserved_ip", id, action)
		},
		delete: func(ctx context.Context, id string) error {
			is, err := b.c.ReservedIP(ctx, id)
			switch {
			case errors.Is(err, digitalocean.NotFound): // which only the answer to a deletion proves
			case err != nil:
				return err
			case is.Locked:
				return errNotYet
			case is.Droplet != 0: // DigitalOcean releases only what leads nowhere
				request := digitalocean.ReservedIPAct{IP: id, Type: "unassign"}
				if _, err := b.c.ActOnReservedIP(b.permitted(ctx, request.Permit()), request); err != nil {
					return err
				}
				return errNotYet
			}
			return b.c.DeleteReservedIP(b.permitted(ctx, digitalocean.DeleteReservedIPPermit(id)), id)
		},
	}
}

// recordSaying is a record with what it says put in.
func recordSaying(spec *blueprint.RecordSpec, data string) digitalocean.RecordCreate {
	return digitalocean.RecordCreate{
		Domain: spec.Domain, Type: spec.Type, Name: spec.Name, Data: data, TTL: spec.TTL, Priority: spec.Priority, Port: spec.Port, Weight: spec.Weight,
	}
}

// record is recognized by what it says: one that says the same and was there before is
// not this saga's.
func (b *builder) record(r blueprint.Resource) thing {
	spec := r.Record
	request := func() (digitalocean.RecordCreate, error) {
		data, err := b.state.value(spec.Data)
		if err != nil {
			err = saga.Permanent(fault.Wrap(fault.Internal, err, "What record %s says is not known: %v.", r.Name, err))
		}
		return recordSaying(spec, data), err
	}
	records := func(ctx context.Context) (digitalocean.List[digitalocean.Record], error) {
		return b.c.Records(ctx, spec.Domain)
	}
	return thing{
		exact: true, unmarked: true,
		listed: among(b, "records of "+spec.Domain, records, func(r digitalocean.Record) string { return strconv.FormatInt(r.ID, 10) },
			func(digitalocean.Record) (bool, string) { return true, "" }),
		find: func(ctx context.Context) ([]string, error) {
			asked, err := request()
			if err != nil {
				return nil, nil // what it would say was never known: it was never asked for
			}
			list, err := sinceStep(ctx, b, "records of "+spec.Domain, records)
			if m := b.state.made(r.ID); err == nil && !m.Looked && b.attempt != nil && !b.attempt.Undoing {
				others := slices.DeleteFunc(slices.Clone(list), func(one digitalocean.Record) bool { return b.made(strconv.FormatInt(one.ID, 10)) })
				if err := clash(spec, others); err != nil {
					return nil, saga.Permanent(err)
				}
			}
			same := slices.DeleteFunc(list, func(r digitalocean.Record) bool {
				return r.Type != asked.Type || r.Name != asked.Name || !sameData(r.Data, asked.Data)
			})
			return idsOf(same, func(r digitalocean.Record) string { return strconv.FormatInt(r.ID, 10) }), err
		},
		create: func(ctx context.Context) (string, int64, error) {
			asked, err := request()
			if err != nil {
				return "", 0, err
			}
			made, err := b.c.CreateRecord(b.permitted(ctx, asked.Permit()), asked)
			return strconv.FormatInt(made.ID, 10), 0, err
		},
		read: func(ctx context.Context, id string) (bool, string, error) {
			n, err := strconv.ParseInt(id, 10, 64)
			if err == nil {
				_, err = b.c.Record(ctx, spec.Domain, n)
			}
			return err == nil, "", err
		},
		delete: func(ctx context.Context, id string) error {
			n, err := strconv.ParseInt(id, 10, 64)
			if err != nil {
				return err
			}
			return b.c.DeleteRecord(b.permitted(ctx, digitalocean.DeleteRecordPermit(spec.Domain, n)), spec.Domain, n)
		},
	}
}

// made reports whether an id is of a record that this stack has.
func (b *builder) made(record string) bool {
	for _, r := range b.state.of(blueprint.RecordKind) {
		if b.id(r.ID) == record {
			return true
		}
	}
	return false
}

// sinceStep is a list as it was since the step began, shared where many want it: what a
// step looks for is there before, or it is the step's own.
func sinceStep[T any](ctx context.Context, b *builder, list string, read func(context.Context) (digitalocean.List[T], error)) ([]T, error) {
	if a := b.attempt; a != nil && a.UnknownSince.IsZero() && !a.Undoing {
		return listed(ctx, reading{looks: b.looks, account: b.state.Account, step: true}, list, read)
	}
	all, err := read(ctx)
	return all.Items, err
}

// among is how a thing is seen in a list that many sagas share.
func among[T any](b *builder, list string, read func(context.Context) (digitalocean.List[T], error), id func(T) string, judge func(T) (ready bool, lacks string),
) func(context.Context, string, time.Time) (sight, bool, error) {
	if b.attempt == nil {
		return nil // a sweep is alone
	}
	return func(ctx context.Context, want string, since time.Time) (s sight, ok bool, err error) {
		v, ok, err := shared(ctx, b.looks, b.state.Account+" "+list, since, read)
		if !ok || err != nil {
			return s, ok, err
		}
		s.began, s.next = v.began, v.next
		if i := slices.IndexFunc(v.items, func(one T) bool { return id(one) == want }); i >= 0 {
			s.found = true
			s.ready, s.lacks = judge(v.items[i])
		}
		return s, true, nil
	}
}

// sameData compares what two records say: addresses by value, names without the dot
// at their end.
func sameData(a, b string) bool {
	if x, y := net.ParseIP(a), net.ParseIP(b); x != nil && y != nil {
		return x.Equal(y)
	}
	return strings.EqualFold(strings.TrimSuffix(a, "."), strings.TrimSuffix(b, "."))
}

// tag is made by name: to ask for one that there is answers the one. Only what was not
// there before, and is on nothing else, goes again. A stack's own tag has its id.
func (b *builder) tag(r blueprint.Resource) thing {
	return thing{
		exact: !onlyOurs(r.Name), sure: true,
		find: func(ctx context.Context) ([]string, error) {
			found, err := sinceStep(ctx, b, "tag "+r.Name, func(ctx context.Context) (one digitalocean.List[digitalocean.Tag], err error) {
				is, err := b.c.Tag(ctx, r.Name)
				if errors.Is(err, digitalocean.NotFound) {
					return one, nil
				}
				one.Items = []digitalocean.Tag{is}
				return one, err
			})
			return idsOf(found, func(digitalocean.Tag) string { return r.Name }), err
		},
		create: func(ctx context.Context) (string, int64, error) {
			request := digitalocean.TagCreate{Name: r.Name}
			return r.Name, 0, b.c.CreateTag(b.permitted(ctx, request.Permit(b.state.Account)), request)
		},
		read: func(ctx context.Context, id string) (bool, string, error) {
			_, err := b.c.Tag(ctx, id)
			return err == nil, "", err
		},
		delete: func(ctx context.Context, id string) error {
			if slices.Contains(b.state.made(r.ID).Before, id) {
				return errKept
			}
			if !onlyOurs(id) {
				is, err := b.c.Tag(ctx, id)
				if errors.Is(err, digitalocean.NotFound) { // once is not enough to leave it for good
					is, err = b.c.Tag(ctx, id)
				}
				switch {
				case err != nil:
					return err
				case is.Resources > 0:
					return errKept
				}
			}
			return b.c.DeleteTag(b.permitted(ctx, digitalocean.DeleteTagPermit(id)), id)
		},
	}
}

// errNotYet says that a thing can be deleted a moment later.
var errNotYet = errors.New("something has to end first")

// errKept says that a thing is not deleted, since it is not the saga's alone any more.
var errKept = errors.New("it is kept")

func idsOf[T any](items []T, id func(T) string) []string {
	ids := make([]string, len(items))
	for i, item := range items {
		ids[i] = id(item)
	}
	return ids
}
