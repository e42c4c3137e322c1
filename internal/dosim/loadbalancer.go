package dosim

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A loadBalancer hands what comes to it on to droplets: those that it names, or
// those with its tag. It processes one change at a time.
type loadBalancer struct {
	thing
	networked
	loadBalancerSettings
	Region      string    `json:"region"` // empty: it is global
	Type        string    `json:"type"`
	Network     string    `json:"network"`
	Stack       string    `json:"network_stack"`
	ActiveAt    time.Time `json:"active_at"`
	LockedUntil time.Time `json:"locked_until"`
}

// loadBalancerSettings are what a PUT resets where its body names nothing.
type loadBalancerSettings struct {
	Name                string           `json:"name"`
	SizeUnit            int              `json:"size_unit"`
	Algorithm           string           `json:"algorithm"`
	ForwardingRules     []forwardingRule `json:"forwarding_rules"`
	HealthCheck         *healthCheck     `json:"health_check"`
	StickySessions      *stickySessions  `json:"sticky_sessions"`
	DropletIDs          []int64          `json:"droplet_ids"`
	Tag                 string           `json:"tag"`
	RedirectHTTPToHTTPS bool             `json:"redirect_http_to_https"`
	EnableProxyProtocol bool             `json:"enable_proxy_protocol"`
	EnableKeepalive     bool             `json:"enable_backend_keepalive"`
	HTTPIdleTimeout     int              `json:"http_idle_timeout_seconds"`
	DisableLetsEncrypt  bool             `json:"disable_lets_encrypt_dns_records"`
	Firewall            *balancerRules   `json:"firewall"`
	TLSCipherPolicy     string           `json:"tls_cipher_policy"`
	Domains             []balancerDomain `json:"domains,omitempty"`
	GLBSettings         *glbSettings     `json:"glb_settings,omitempty"`
	Targets             []string         `json:"target_load_balancer_ids,omitempty"`
}

type forwardingRule struct {
	EntryProtocol  string `json:"entry_protocol"`
	EntryPort      int    `json:"entry_port"`
	TargetProtocol string `json:"target_protocol"`
	TargetPort     int    `json:"target_port"`
	CertificateID  string `json:"certificate_id"`
	TLSPassthrough bool   `json:"tls_passthrough"`
}

type healthCheck struct {
	Protocol               string `json:"protocol"`
	Port                   int    `json:"port"`
	Path                   string `json:"path"`
	CheckIntervalSeconds   int    `json:"check_interval_seconds"`
	ResponseTimeoutSeconds int    `json:"response_timeout_seconds"`
	HealthyThreshold       int    `json:"healthy_threshold"`
	UnhealthyThreshold     int    `json:"unhealthy_threshold"`
}

type stickySessions struct {
	Type             string `json:"type"`
	CookieName       string `json:"cookie_name,omitempty"`
	CookieTTLSeconds int    `json:"cookie_ttl_seconds,omitempty"`
}

type balancerRules struct {
	Deny  []string `json:"deny"`
	Allow []string `json:"allow"`
}

type balancerDomain struct {
	Name          string `json:"name"`
	IsManaged     bool   `json:"is_managed"`
	CertificateID string `json:"certificate_id,omitempty"`
}

type glbSettings struct {
	TargetProtocol    string         `json:"target_protocol"`
	TargetPort        int            `json:"target_port"`
	CDN               *glbCDN        `json:"cdn,omitempty"`
	RegionPriorities  map[string]int `json:"region_priorities,omitempty"`
	FailoverThreshold int            `json:"failover_threshold,omitempty"`
}

type glbCDN struct {
	IsEnabled bool `json:"is_enabled"`
}

type loadBalancerWire struct {
	ID   string `json:"id"`
	IP   string `json:"ip"`
	IPv6 string `json:"ipv6,omitempty"`
	Size string `json:"size"`
	loadBalancerSettings
	Status       string      `json:"status"`
	CreatedAt    string      `json:"created_at"`
	Region       *regionWire `json:"region,omitempty"`
	VPCUUID      string      `json:"vpc_uuid"`
	ProjectID    string      `json:"project_id"`
	Network      string      `json:"network"`
	NetworkStack string      `json:"network_stack"`
	Type         string      `json:"type"`
}

const (
	kindLoadBalancer        = "load_balancer"
	paramLoadBalancerCreate = "load_balancer.create"
	paramLoadBalancerLock   = "load_balancer.lock"
	globalBalancer          = "GLOBAL"
)

func loadBalancerResource() resource {
	return resource{
		table: func(w *world) anyTable {
			w.loadBalancers = newTable(w.seed, kind[*loadBalancer]{
				name: kindLoadBalancer, wire: func(c *call, b *loadBalancer) any { return b.wire(c) },
				title: func(b *loadBalancer) string { return b.Name },
				check: checkLoadBalancer, path: "/v2/load_balancers/", urn: "loadbalancer",
				keys: func(b *loadBalancer) []string {
					keys := []string{"name:" + strings.ToLower(b.Name), "uses:" + urn("tag", b.Tag)}
					for _, d := range b.DropletIDs {
						keys = append(keys, "uses:"+dropletURN(strconv.FormatInt(d, 10)))
					}
					for _, id := range b.certificates() {
						keys = append(keys, "uses:"+urn(kindCertificate, id))
					}
					return keys
				},
			})
			return w.loadBalancers
		},
		routes: []route{
			op("GET /v2/load_balancers", func(c *call) answer {
				return c.sim.world.loadBalancers.page(c, "load_balancers", c.sim.world.loadBalancers.listed(c))
			}, "load_balancer:read"),
			op("POST /v2/load_balancers", createLoadBalancer, "load_balancer:create"),
			op("GET /v2/load_balancers/{load_balancer}", getLoadBalancer, "load_balancer:read"),
			op("PUT /v2/load_balancers/{load_balancer}", replaceLoadBalancer, "load_balancer:update"),
			op("DELETE /v2/load_balancers/{load_balancer}", deleteLoadBalancer, "load_balancer:delete"),
			op("DELETE /v2/load_balancers/{load_balancer}/cache", purgeLoadBalancer, "load_balancer:delete"),
			op("POST /v2/load_balancers/{load_balancer}/droplets", addBalancedDroplets, "load_balancer:update"),
			op("DELETE /v2/load_balancers/{load_balancer}/droplets", removeBalancedDroplets, "load_balancer:update"),
			op("POST /v2/load_balancers/{load_balancer}/forwarding_rules", addForwardingRules, "load_balancer:update"),
			op("DELETE /v2/load_balancers/{load_balancer}/forwarding_rules", removeForwardingRules, "load_balancer:update"),
		},
		params: []Param{
			{paramLoadBalancerCreate, "60s", 0, 0, "from a load balancer's create to its being active"},
			{paramLoadBalancerLock, "10s", 0, 0, "how long a load balancer refuses another change after one"},
		},
		gone: forgetBalanced,
	}
}

func checkLoadBalancer(w *world, b *loadBalancer) error {
	if _, ok := w.catalog.region(b.Region); !ok && b.Type != globalBalancer {
		return fmt.Errorf("load balancer %s is in the unknown region %q", b.ID, b.Region)
	}
	if b.HealthCheck == nil || b.StickySessions == nil || b.Firewall == nil {
		return fmt.Errorf("load balancer %s lacks settings", b.ID)
	}
	return nil
}

// certificates are the ids of those in use.
func (b *loadBalancer) certificates() []string {
	var ids []string
	for _, r := range b.ForwardingRules {
		ids = append(ids, r.CertificateID)
	}
	for _, d := range b.Domains {
		ids = append(ids, d.CertificateID)
	}
	return only(ids, func(id string) bool { return id != "" })
}

func (b *loadBalancer) wire(c *call) loadBalancerWire {
	w := loadBalancerWire{
		ID: b.ID, loadBalancerSettings: b.loadBalancerSettings, Status: "new", CreatedAt: wireTime(b.CreatedAt), VPCUUID: b.VPC,
		ProjectID: b.Project, Network: b.Network, NetworkStack: b.Stack, Type: b.Type, Size: "lb-small",
	}
	if size := slices.Index([]int{1, 3, 6}, b.SizeUnit); size > 0 {
		w.Size = []string{"lb-small", "lb-medium", "lb-large"}[size]
	}
	if region, ok := c.sim.world.catalog.region(b.Region); ok {
		w.Region = &region
	}
	if !c.at.Before(b.ActiveAt) {
		w.Status = "active"
		if n := hash(c.sim.seed, "address", b.ID); b.Network != "INTERNAL" {
			w.IP = ip4(198<<24 | (18+uint32(n>>16&1))<<16 | uint32(n>>32&0xff00) | 2 + uint32(n%252)).String() // RFC 2544, which leads to nobody
			if b.Stack == "DUALSTACK" {
				w.IPv6 = fmt.Sprintf("2001:db8:%x:%x::1", n>>16&0xffff, n>>32&0xffff)
			}
		}
	}
	w.ForwardingRules, w.DropletIDs = append([]forwardingRule{}, b.ForwardingRules...), append([]int64{}, b.DropletIDs...)
	if b.Tag != "" {
		for _, d := range c.sim.world.droplets.listedByTag(c, b.Tag) {
			if d.Region == b.Region {
				w.DropletIDs = append(w.DropletIDs, number(d.ID))
			}
		}
	}
	return w
}

// A loadBalancerBody is that of a create or a PUT.
type loadBalancerBody struct {
	loadBalancerSettings
	Size      string `json:"size"`
	Region    string `json:"region"`
	VPCUUID   string `json:"vpc_uuid"`
	ProjectID string `json:"project_id"`
	Network   string `json:"network"`
	Stack     string `json:"network_stack"`
	Type      string `json:"type"`
}

// settle fills in DigitalOcean's defaults. A size_unit counts more than a size,
// for godo sends back both.
func (b *loadBalancerBody) settle() error {
	if i := slices.Index([]string{"lb-small", "lb-medium", "lb-large"}, b.Size); b.Size != "" {
		if i < 0 {
			return errors.New("size must be one of lb-small, lb-medium, lb-large")
		}
		b.SizeUnit = either(b.SizeUnit, []int{1, 3, 6}[i])
	}
	b.SizeUnit = either(b.SizeUnit, 1)
	b.Algorithm = either(b.Algorithm, "round_robin")
	b.HTTPIdleTimeout = either(b.HTTPIdleTimeout, 60)
	b.TLSCipherPolicy = either(b.TLSCipherPolicy, "DEFAULT")
	b.Type, b.Network, b.Stack = either(b.Type, "REGIONAL"), either(b.Network, "EXTERNAL"), either(b.Stack, "IPV4")
	h := deref(b.HealthCheck)
	b.HealthCheck = &healthCheck{
		either(h.Protocol, "http"), either(h.Port, 80), either(h.Path, "/"), either(h.CheckIntervalSeconds, 10),
		either(h.ResponseTimeoutSeconds, 5), either(h.HealthyThreshold, 5), either(h.UnhealthyThreshold, 3),
	}
	if b.HealthCheck.Protocol == "tcp" {
		b.HealthCheck.Path = h.Path
	}
	s := deref(b.StickySessions)
	s.Type = either(s.Type, "none")
	b.StickySessions = &s
	f := deref(b.Firewall)
	b.Firewall = &balancerRules{append([]string{}, f.Deny...), append([]string{}, f.Allow...)}
	return nil
}

// either is v, or what stands for nothing.
func either[T comparable](v, otherwise T) T {
	var none T
	if v == none {
		return otherwise
	}
	return v
}

// check reports DigitalOcean's objection to the settings of a load balancer, old
// or new: id is "" for a new one.
func (s loadBalancerSettings) check(c *call, id, kind, region string) error {
	for _, same := range c.sim.world.loadBalancers.under(c, "name:"+strings.ToLower(s.Name)) {
		if same.ID != id {
			return errors.New("name is not unique") // kubernetes-sigs/cluster-api-provider-digitalocean#217
		}
	}
	switch {
	case !isHostname(s.Name):
		return errors.New("name is invalid: it has letters, digits, periods and dashes")
	case s.SizeUnit < 1 || s.SizeUnit > 100:
		return errors.New("size_unit must be between 1 and 100")
	case s.HTTPIdleTimeout < 30 || s.HTTPIdleTimeout > 600:
		return errors.New("http_idle_timeout_seconds must be between 30 and 600")
	case !slices.Contains([]string{"round_robin", "least_connections"}, s.Algorithm):
		return errors.New("algorithm must be one of round_robin, least_connections")
	case !slices.Contains([]string{"DEFAULT", "STRONG"}, s.TLSCipherPolicy):
		return errors.New("tls_cipher_policy must be one of DEFAULT, STRONG")
	case !slices.Contains([]string{"http", "https", "tcp"}, s.HealthCheck.Protocol):
		return errors.New("health_check protocol must be one of http, https, tcp")
	case s.StickySessions.Type != "none" && (s.StickySessions.Type != "cookies" || s.StickySessions.CookieName == ""):
		return errors.New("sticky_sessions must be none, or cookies with a cookie_name")
	case s.Tag != "" && len(s.DropletIDs) > 0:
		return errors.New("droplet_ids and tag are mutually exclusive")
	case s.Tag != "" && len(c.sim.world.tags.under(c, "name:"+strings.ToLower(s.Tag))) == 0:
		return fmt.Errorf("tag %q does not exist", s.Tag)
	case kind == globalBalancer && s.GLBSettings == nil:
		return errors.New("glb_settings is required")
	case len(s.ForwardingRules) == 0:
		return errors.New("forwarding_rules must have at least one rule")
	}
	for _, id := range s.DropletIDs {
		if d, ok := c.sim.world.droplets.get(c.account(), strconv.FormatInt(id, 10)); !ok || !d.exists(c.at) || d.Region != region {
			return fmt.Errorf("droplet %d does not exist in this region", id)
		}
	}
	return checkForwarding(c, s.ForwardingRules)
}

func checkForwarding(c *call, rules []forwardingRule) error {
	taken := map[string]bool{}
	for _, r := range rules {
		transport := "tcp"
		if r.EntryProtocol == "udp" || r.EntryProtocol == "http3" {
			transport = "udp"
		}
		entry := transport + strconv.Itoa(r.EntryPort)
		switch {
		case !slices.Contains([]string{"http", "https", "http2", "http3", "tcp", "udp"}, r.EntryProtocol),
			!slices.Contains([]string{"http", "https", "http2", "tcp", "udp"}, r.TargetProtocol),
			(r.EntryProtocol == "udp") != (r.TargetProtocol == "udp"):
			return errors.New("forwarding rule has an invalid protocol")
		case r.EntryPort < 1 || r.EntryPort > 65535 || r.TargetPort < 1 || r.TargetPort > 65535:
			return errors.New("forwarding rule has an invalid port")
		case taken[entry]:
			return fmt.Errorf("forwarding rules share the entry port %d", r.EntryPort)
		case slices.Contains([]string{"https", "http2", "http3"}, r.EntryProtocol) && r.CertificateID == "" && !r.TLSPassthrough:
			return fmt.Errorf("forwarding rule for %s needs a certificate or TLS passthrough", r.EntryProtocol)
		}
		if e, ok := c.sim.world.certificates.get(c.account(), r.CertificateID); r.CertificateID != "" && (!ok || !e.exists(c.at)) {
			return fmt.Errorf("certificate %s does not exist", r.CertificateID)
		}
		taken[entry] = true
	}
	return nil
}

func createLoadBalancer(c *call) answer {
	var body loadBalancerBody
	if !c.decode(&body) {
		return invalidJSON()
	}
	b, err := body.loadBalancer(c)
	if err != nil {
		return unprocessable(err.Error())
	}
	balancers := c.sim.world.loadBalancers
	return answer{http.StatusAccepted, map[string]any{"load_balancer": balancers.render(c, balancers.create(c, b))}}
}

// loadBalancer is the one that the body describes, or DigitalOcean's objection.
func (b *loadBalancerBody) loadBalancer(c *call) (*loadBalancer, error) {
	if err := b.settle(); err != nil {
		return nil, err
	}
	regional := b.Type != globalBalancer
	_, known := c.sim.world.catalog.region(b.Region)
	project, hasProject := c.sim.world.projects.find(c, b.ProjectID)
	switch {
	case !slices.Contains([]string{"REGIONAL", "REGIONAL_NETWORK", globalBalancer}, b.Type):
		return nil, errors.New("type must be one of REGIONAL, REGIONAL_NETWORK, GLOBAL")
	case !slices.Contains([]string{"EXTERNAL", "INTERNAL"}, b.Network):
		return nil, errors.New("network must be one of EXTERNAL, INTERNAL")
	case !slices.Contains([]string{"IPV4", "DUALSTACK"}, b.Stack):
		return nil, errors.New("network_stack must be one of IPV4, DUALSTACK")
	case regional && !known:
		return nil, errors.New("region is invalid")
	case !regional && b.Region != "":
		return nil, errors.New("a global load balancer has no region")
	case b.ProjectID != "" && !hasProject:
		return nil, errors.New("project_id is invalid")
	}
	if err := b.check(c, "", b.Type, b.Region); err != nil {
		return nil, err
	}
	made := &loadBalancer{loadBalancerSettings: b.loadBalancerSettings, Region: b.Region, Type: b.Type, Network: b.Network, Stack: b.Stack}
	if hasProject {
		made.Project, made.ProjectAt = project.ID, c.at
	}
	made.ActiveAt = c.at.Add(c.sim.params.duration(paramLoadBalancerCreate))
	made.LockedUntil = made.ActiveAt
	var err error
	if regional {
		made.networked, err = c.networkIn(b.Region, b.VPCUUID)
	}
	return made, err
}

// loadBalancer finds the load balancer in the path.
func (c *call) loadBalancer() (*loadBalancer, bool) {
	return c.sim.world.loadBalancers.find(c, c.values[kindLoadBalancer])
}

func getLoadBalancer(c *call) answer {
	b, ok := c.loadBalancer()
	if !ok {
		return notFound()
	}
	return showing("load_balancer", c.sim.world.loadBalancers.render(c, b))
}

func deleteLoadBalancer(c *call) answer {
	b, ok := c.loadBalancer()
	if !ok {
		return notFound()
	}
	c.sim.world.loadBalancers.remove(c, b)
	return noContent()
}
