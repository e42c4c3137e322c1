package dosim

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"
)

const kindVPC = "vpc"

// A vpc is a private network of one region. The first of a region is its default,
// which takes whatever is made there without naming another.
type vpc struct {
	thing
	Name        string       `json:"name"`
	Description string       `json:"description"`
	Region      string       `json:"region"`
	Range       netip.Prefix `json:"range"`
	Default     bool         `json:"default"`
}

// networked is the network of a thing. A kind whose things are members of a VPC
// embeds it, and has an urn.
type networked struct {
	VPC string `json:"vpc,omitempty"` // its id
}

func (n *networked) network() *networked { return n }

type networkHolder interface{ network() *networked }

// vpcKey is what a member of the VPC is found under in its table.
func vpcKey(id string) string { return "vpc:" + id }

const (
	paramVPCMembers  = "lag.vpc_members"
	paramVPCConflict = "quirk.vpc_members_conflict"
)

func vpcResource() resource {
	return resource{
		table: func(w *world) anyTable {
			w.vpcs = newTable(w.seed, kind[*vpc]{
				name: kindVPC, wire: func(_ *call, v *vpc) any { return v.wire() },
				title: func(v *vpc) string { return v.Name },
				check: checkVPC,
				keys: func(v *vpc) []string {
					keys := []string{"region:" + v.Region, "name:" + strings.ToLower(v.Name)}
					if v.Default {
						keys = append(keys, "default:"+v.Region)
					}
					return keys
				},
			})
			return w.vpcs
		},
		routes: []route{
			op("GET /v2/vpcs", func(c *call) answer { return c.sim.world.vpcs.page(c, "vpcs", c.sim.world.vpcs.listed(c)) }, "vpc:read"),
			op("POST /v2/vpcs", createVPC, "vpc:create"),
			op("GET /v2/vpcs/{vpc}", getVPC, "vpc:read"),
			op("PUT /v2/vpcs/{vpc}", updateVPC, "vpc:update"),
			op("PATCH /v2/vpcs/{vpc}", updateVPC, "vpc:update"),
			op("DELETE /v2/vpcs/{vpc}", deleteVPC, "vpc:delete"),
			op("GET /v2/vpcs/{vpc}/members", listVPCMembers, "vpc:read"),
		},
		params: []Param{
			{paramVPCMembers, "30s", 0, 0, "how long a deleted thing remains a member of its VPC, which cannot be deleted meanwhile"},
			{paramVPCConflict, "1", 0, 1, "1: the delete of a VPC with members answers 409, as reported; 0: 403, as documented"},
		},
	}
}

func checkVPC(w *world, v *vpc) error {
	if _, ok := w.catalog.region(v.Region); !ok || !v.Range.IsValid() || !v.Range.Addr().Is4() {
		return fmt.Errorf("VPC %s has an unknown region or no range of addresses", v.ID)
	}
	return nil
}

type vpcWire struct {
	ID          string `json:"id"`
	URN         string `json:"urn"`
	Name        string `json:"name"`
	Description string `json:"description"`
	Region      string `json:"region"`
	IPRange     string `json:"ip_range"`
	Default     bool   `json:"default"`
	CreatedAt   string `json:"created_at"`
}

func (v *vpc) wire() vpcWire {
	return vpcWire{v.ID, urn(kindVPC, v.ID), v.Name, v.Description, v.Region, v.Range.String(), v.Default, wireTime(v.CreatedAt)}
}

// networkIn is the VPC of something that is made in the region: the one it names,
// or else the region's default, which is made with the first that needs it. The
// error is DigitalOcean's objection.
func (c *call) networkIn(region, id string) (networked, error) {
	vpcs := c.sim.world.vpcs
	if id != "" {
		v, ok := vpcs.get(c.account(), id)
		if !ok || !v.exists(c.at) || v.Region != region {
			return networked{}, errors.New("Failed to resolve VPC")
		}
		return networked{v.ID}, nil
	}
	if all := vpcs.under(c, "default:"+region); len(all) > 0 {
		return networked{all[0].ID}, nil
	}
	name := "default-" + region
	for n := 2; len(vpcs.under(c, "name:"+name)) > 0; n++ {
		name = fmt.Sprintf("default-%s-%d", region, n)
	}
	free, ok := c.freeRange()
	if !ok {
		return networked{}, errors.New("Failed to resolve VPC")
	}
	v := vpcs.create(c, &vpc{
		thing: thing{life: everShown(c.at), Unasked: true}, Name: name, Region: region, Range: free, Default: true,
	})
	return networked{v.ID}, nil
}

// hosts is how many addresses the VPC has for its members: the first two and the
// last are the network's own.
func (v *vpc) hosts() uint32 { return 1<<(32-v.Range.Bits()) - 3 }

// privateAddress is the nth address of the VPC for a member, from 0, and its
// netmask.
func (v *vpc) privateAddress(n uint32) (address, netmask string) {
	base := v.Range.Masked().Addr().As4()
	sum := binary.BigEndian.Uint32(base[:]) + 2 + n%v.hosts()
	mask := ^uint32(0) << (32 - v.Range.Bits())
	return ip4(sum).String(), ip4(mask).String()
}

func ip4(n uint32) netip.Addr {
	return netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
}

// privateRanges are RFC 1918's, and reservedRanges those that DigitalOcean keeps
// for itself (its documentation of VPC limits).
func privateRanges() []netip.Prefix {
	return []netip.Prefix{
		netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("192.168.0.0/16"),
	}
}

func reservedRanges() []netip.Prefix {
	return []netip.Prefix{
		netip.MustParsePrefix("10.244.0.0/16"), netip.MustParsePrefix("10.245.0.0/16"), netip.MustParsePrefix("10.246.0.0/24"),
		netip.MustParsePrefix("10.229.0.0/16"),
	}
}

func (c *call) rangeIsFree(p netip.Prefix) bool {
	return !slices.ContainsFunc(reservedRanges(), p.Overlaps) &&
		!slices.ContainsFunc(c.sim.world.vpcs.under(c, wholeAccount), func(v *vpc) bool { return v.Range.Overlaps(p) })
}

// freeRange is the first /20 from 10.100.0.0 on that nobody has.
func (c *call) freeRange() (netip.Prefix, bool) {
	for n := range uint32(1 << 12) {
		p := netip.PrefixFrom(ip4(10<<24|(100<<16+n<<12)&0xffffff), 20)
		if c.rangeIsFree(p) {
			return p, true
		}
	}
	return netip.Prefix{}, false
}

// addressRange reads what a body asks for, a free one when it asks for none.
func (c *call) addressRange(text string) (p netip.Prefix, err error) {
	if text == "" {
		p, ok := c.freeRange()
		if !ok {
			return p, errors.New("There is no free range of addresses left in this account.")
		}
		return p, nil
	}
	p, err = netip.ParsePrefix(text)
	inside := func(of netip.Prefix) bool { return of.Overlaps(p) && of.Bits() <= p.Bits() }
	switch {
	case err != nil || !p.Addr().Is4() || p != p.Masked():
		return p, errors.New("ip_range is not a valid CIDR block.")
	case p.Bits() < 16 || p.Bits() > 28:
		return p, errors.New("ip_range must be between /16 and /28.")
	case !slices.ContainsFunc(privateRanges(), inside):
		return p, errors.New("ip_range must be within the private addresses of RFC1918.")
	case slices.ContainsFunc(reservedRanges(), p.Overlaps):
		return p, errors.New("ip_range overlaps with a range that is reserved for internal use.")
	case !c.rangeIsFree(p):
		return p, errors.New("This range/size overlaps with another VPC network in your account. Please try again with another range/size")
	}
	return p, nil
}

func createVPC(c *call) answer {
	var body struct {
		Name        string `json:"name"`
		Description string `json:"description"`
		Region      string `json:"region"`
		IPRange     string `json:"ip_range"`
	}
	if !c.decode(&body) {
		return invalidJSON()
	}
	if err := c.checkVPCNamed("", body.Name, body.Description); err != nil {
		return unprocessable(err.Error())
	}
	if _, ok := c.sim.world.catalog.region(body.Region); !ok {
		return unprocessable("You specified an invalid region for VPC creation.")
	}
	free, err := c.addressRange(body.IPRange)
	if err != nil {
		return unprocessable(err.Error())
	}
	vpcs := c.sim.world.vpcs
	return created("vpc", vpcs.render(c, vpcs.create(c, &vpc{
		Name: body.Name, Description: body.Description, Region: body.Region, Range: free,
		Default: len(vpcs.under(c, "default:"+body.Region)) == 0,
	})))
}

// checkVPCNamed reports why the VPC cannot be called so; id is "" for a new one.
func (c *call) checkVPCNamed(id, name, description string) error {
	switch {
	case strings.TrimSpace(name) == "":
		return errors.New("Name can't be blank")
	case len(name) > 255 || !onlyAlnumAnd(name, "-."):
		return errors.New("Name may only contain alphanumeric characters, dashes, and periods.")
	case len(description) > 255:
		return errors.New("Description is too long (maximum is 255 characters)")
	}
	for _, same := range c.sim.world.vpcs.under(c, "name:"+strings.ToLower(name)) {
		if same.ID != id {
			return errors.New("A VPC with this name already exists in your account.")
		}
	}
	return nil
}

// vpc finds the VPC in the path.
func (c *call) vpc() (*vpc, bool) { return c.sim.world.vpcs.find(c, c.values["vpc"]) }

func getVPC(c *call) answer {
	v, ok := c.vpc()
	if !ok {
		return notFound()
	}
	return showing("vpc", c.sim.world.vpcs.render(c, v))
}

// updateVPC is PUT, which must name the VPC, and PATCH. There is always a default
// in a region: another VPC takes its place, and nothing else ends it.
func updateVPC(c *call) answer {
	v, ok := c.vpc()
	if !ok {
		return notFound()
	}
	var body struct {
		Name        *string `json:"name"`
		Description *string `json:"description"`
		Default     *bool   `json:"default"`
	}
	if !c.decode(&body) {
		return invalidJSON()
	}
	put := c.r.Method == http.MethodPut
	next := *v
	if body.Name != nil || put {
		next.Name = deref(body.Name)
	}
	if body.Description != nil || put {
		next.Description = deref(body.Description)
	}
	if err := c.checkVPCNamed(v.ID, next.Name, next.Description); err != nil {
		return unprocessable(err.Error())
	}
	if v.Default && body.Default != nil && !*body.Default {
		return unprocessable("The default VPC of a region can not be unset: set another one as the default.")
	}
	vpcs := c.sim.world.vpcs
	takesOver := !v.Default && body.Default != nil && *body.Default
	if takesOver {
		for _, old := range vpcs.under(c, "default:"+v.Region) {
			vpcs.update(c, old, func(old *vpc) { old.Default = false })
		}
	}
	vpcs.update(c, v, func(v *vpc) {
		v.Name, v.Description, v.Default = next.Name, next.Description, v.Default || takesOver
	})
	return showing("vpc", v.wire())
}

// deref is what p points to, or nothing.
func deref[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// deleteVPC refuses while something is or has lately been in the network:
// digitalocean/terraform-provider-digitalocean#446, #488, pulumi/pulumi-digitalocean#753.
func deleteVPC(c *call) answer {
	v, ok := c.vpc()
	if !ok {
		return notFound()
	}
	if v.Default {
		return refusal(http.StatusForbidden, "forbidden", "Can not delete default VPCs")
	}
	if len(c.membersOf(v.ID)) > 0 {
		const message = "Can not delete VPC with members"
		if c.sim.params.on(paramVPCConflict) {
			return refusal(http.StatusConflict, "conflict", message)
		}
		return refusal(http.StatusForbidden, "forbidden", message)
	}
	c.sim.world.vpcs.remove(c, v)
	return noContent()
}

type vpcMemberWire struct {
	Name      string `json:"name"`
	URN       string `json:"urn"`
	CreatedAt string `json:"created_at"`

	kind string
	at   time.Time
}

// membersOf are the VPC's members of every kind, and those that it has not yet
// heard are gone; the newest first.
func (c *call) membersOf(id string) []vpcMemberWire {
	var all []vpcMemberWire
	since := c.at.Add(-c.sim.params.duration(paramVPCMembers))
	for _, t := range c.sim.world.order {
		for _, e := range t.lately(c.account(), vpcKey(id), since, c.at) {
			th := e.self()
			all = append(all, vpcMemberWire{t.called(e), projectURN(t, th), wireTime(th.CreatedAt), t.urnWord(), th.CreatedAt})
		}
	}
	slices.SortStableFunc(all, func(a, b vpcMemberWire) int { return cmp.Or(b.at.Compare(a.at), cmp.Compare(a.URN, b.URN)) })
	return all
}

// listVPCMembers shows the members that the token may see, of one type alone when
// the query names it.
func listVPCMembers(c *call) answer {
	v, ok := c.vpc()
	if !ok {
		return notFound()
	}
	of := c.r.URL.Query().Get("resource_type")
	return listPage(c, "members", only(c.membersOf(v.ID), func(m vpcMemberWire) bool {
		return (of == "" || m.kind == of) && c.maySee(m.kind)
	}), asIs)
}
