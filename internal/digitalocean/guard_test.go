package digitalocean_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/vault"
)

// A form is one row of what may leave, said apart from the code that enforces it.
type form struct {
	method, path string // each % stands for an id
	kind         string // of the target
	marker       string // the part of the body where it stands: "name", "tags", "snapshot" for the name of that action alone; "" for nowhere
}

// forms are every change that Arcadia can make.
var forms = []form{
	{"POST", "/v2/droplets", "", "tags"},
	{"DELETE", "/v2/droplets/%", "do:droplet:", ""},
	{"POST", "/v2/droplets/%/actions", "do:droplet:", "snapshot"},
	{"DELETE", "/v2/snapshots/%", "do:snapshot:", ""},
	{"POST", "/v2/volumes", "", "tags"},
	{"DELETE", "/v2/volumes/%", "do:volume:", ""},
	{"POST", "/v2/volumes/%/actions", "do:volume:", ""},
	{"POST", "/v2/volumes/%/snapshots", "do:volume:", "name"},
	{"POST", "/v2/vpcs", "", "description"},
	{"DELETE", "/v2/vpcs/%", "do:vpc:", ""},
	{"POST", "/v2/firewalls", "", "name"},
	{"PUT", "/v2/firewalls/%", "do:firewall:", ""},
	{"DELETE", "/v2/firewalls/%", "do:firewall:", ""},
	{"POST", "/v2/firewalls/%/droplets", "do:firewall:", ""},
	{"DELETE", "/v2/firewalls/%/droplets", "do:firewall:", ""},
	{"POST", "/v2/reserved_ips", "", ""},
	{"DELETE", "/v2/reserved_ips/%", "do:reserved_ip:", ""},
	{"POST", "/v2/reserved_ips/%/actions", "do:reserved_ip:", ""},
	{"POST", "/v2/domains/%/records", "do:domain:", ""},
	{"PUT", "/v2/domains/%/records/%", "do:domain_record:", ""},
	{"DELETE", "/v2/domains/%/records/%", "do:domain_record:", ""},
	{"POST", "/v2/projects/%/resources", "do:project:", ""},
	{"POST", "/v2/tags", "", ""},
	{"DELETE", "/v2/tags/%", "do:tag:", ""},
	{"POST", "/v2/tags/%/resources", "do:tag:", ""},
	{"DELETE", "/v2/tags/%/resources", "do:tag:", ""},
}

const marker = "arcadia-cafe0001"

// requests are one of each request that the verbs know, with ids that are drawn.
func requests(number int64, uuid, ip string) []digitalocean.Permit {
	rules := []digitalocean.FirewallRule{{Protocol: "tcp", Ports: "22", Addresses: []string{"0.0.0.0/0"}}}
	firewall := digitalocean.FirewallCreate{Name: "web-" + marker, Inbound: rules, Droplets: []int64{number}}
	record := digitalocean.RecordCreate{Domain: "app.example.com", Type: "A", Name: "www", Data: ip, TTL: 60}
	return []digitalocean.Permit{
		digitalocean.DropletCreate{Name: "web", Region: "nyc3", Size: "s-1vcpu-1gb", Image: "debian-12-x64", Tags: []string{"a", marker}, Marker: marker}.Permit("main"),
		digitalocean.DeleteDropletPermit(number),
		digitalocean.DropletAct{Droplet: number, Type: "power_off"}.Permit(),
		digitalocean.DropletAct{Droplet: number, Type: "rebuild", Image: "7"}.Permit(),
		digitalocean.DropletSnapshotPermit(number, marker),
		digitalocean.DeleteSnapshotPermit(uuid),
		digitalocean.VolumeCreate{Name: "data", Region: "nyc3", SizeGiB: 10, Tags: []string{marker}, Marker: marker}.Permit("main"),
		digitalocean.DeleteVolumePermit(uuid),
		digitalocean.VolumeAct{Volume: uuid, Type: "attach", Droplet: number}.Permit(),
		digitalocean.VolumeSnapshot{Volume: uuid, Name: marker, Marker: marker}.Permit(),
		digitalocean.VPCCreate{Name: "net", Region: "nyc3", Description: "Stack x, " + marker, Marker: marker}.Permit("main"),
		digitalocean.DeleteVPCPermit(uuid),
		firewall.Permit("main"),
		firewall.ReplacePermit(uuid),
		digitalocean.DeleteFirewallPermit(uuid),
		digitalocean.FirewallDroplets{Firewall: uuid, Droplets: []int64{number}}.AddPermit(),
		digitalocean.FirewallDroplets{Firewall: uuid, Droplets: []int64{number}}.RemovePermit(),
		digitalocean.ReservedIPCreate{Droplet: number}.Permit("main"),
		digitalocean.DeleteReservedIPPermit(ip),
		digitalocean.ReservedIPAct{IP: ip, Type: "unassign"}.Permit(),
		record.Permit(),
		record.ReplacePermit(number),
		digitalocean.DeleteRecordPermit(record.Domain, number),
		digitalocean.ProjectAssign{Project: uuid, URNs: []string{"do:droplet:1"}}.Permit(),
		digitalocean.TagCreate{Name: "a:b"}.Permit("main"),
		digitalocean.DeleteTagPermit("a:b"),
		digitalocean.Tagging{Tag: "a:b", URNs: []string{"do:droplet:1"}}.TagPermit(),
		digitalocean.Tagging{Tag: "a:b", URNs: []string{"do:droplet:1"}}.UntagPermit(),
	}
}

// TestNothingLeavesOutsideTheCapability sends requests of every form, most of them
// spoiled in one detail, under capabilities of which most are too, straight to the
// transport, below every verb, and compares what reaches the server with what a
// reading of the permits allows.
func TestNothingLeavesOutsideTheCapability(t *testing.T) {
	var arrived atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		arrived.Add(1)
		refuse(w, 422, "unprocessable_entity", "no")
	}))
	defer s.Close()

	passed, tried := make(map[string]int), 0
	rapid.Check(t, func(t *rapid.T) {
		tried++
		valid, frozen, has := !seldom(t, "lease over"), seldom(t, "frozen"), !seldom(t, "no capability")
		purpose := rapid.SampledFrom([]digitalocean.Purpose{
			digitalocean.Provisioning, digitalocean.Provisioning, digitalocean.Provisioning, digitalocean.Inventory, digitalocean.Billing,
		}).Draw(t, "purpose")
		known := slices.Concat(
			requests(1, "77", "192.0.2.1"), requests(12, "0a-b1", "192.0.2.12"),
		)
		permits := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) digitalocean.Permit {
			return spoilPermit(t, rapid.SampledFrom(known).Draw(t, "permit"), known)
		}), 0, 4).Draw(t, "permits")
		c, err := digitalocean.New(digitalocean.Options{
			BaseURL: s.URL, Account: "main", Purpose: purpose, Token: vault.NewSecret(planted),
			Freeze: func(context.Context, string, string) error {
				if frozen {
					return errors.New("frozen")
				}
				return nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx := context.Background()
		if has {
			ctx = digitalocean.WithCapability(ctx, &digitalocean.Capability{Permits: permits, Valid: func() error {
				if valid {
					return nil
				}
				return errors.New("the lease is over")
			}})
		}
		for range 30 {
			asked := rapid.SampledFrom(known).Draw(t, "asked")
			if len(permits) > 0 && !seldom(t, "wild") {
				asked = rapid.SampledFrom(permits).Draw(t, "asked of the permits")
			}
			method, path, body := asked.Method, pathOf(asked), string(asked.Body)
			switch spoil := rapid.IntRange(0, 15).Draw(t, "spoil"); spoil {
			case 0:
				method = rapid.SampledFrom([]string{"POST", "DELETE", "PUT", "PATCH", "post", "PURGE"}).Draw(t, "method")
			case 1:
				path += rapid.SampledFrom([]string{"?x=1", "/", "/actions", "//", "/../1", "?", "%2f"}).Draw(t, "tail")
			case 2:
				path = strings.Replace(path, "1", "%31", 1)
			case 3:
				body = strings.Replace(body, "{", `{"type":"destroy",`, 1)
			case 4:
				body = strings.ReplaceAll(body, marker, "arcadia-cafe0002")
			case 5:
				body += rapid.SampledFrom([]string{" ", "\n", "{}", `{"name":"x"}`}).Draw(t, "more")
			case 6:
				body = ""
			case 7:
				path = strings.Replace(path, "/v2/", rapid.SampledFrom([]string{"/v2//", "/", "/v1/", "/v2/account/"}).Draw(t, "root"), 1)
			}
			req, err := http.NewRequestWithContext(ctx, method, s.URL+path, strings.NewReader(body))
			if err != nil {
				continue // no such request can be made
			}
			allowed := purpose == digitalocean.Provisioning && !frozen && has && valid &&
				slices.ContainsFunc(permits, func(p digitalocean.Permit) bool { return allows(p, req, body) })
			before := arrived.Load()
			resp, err := digitalocean.Wire(c).RoundTrip(req)
			if got := arrived.Load() - before; got > 0 != allowed || got > 1 {
				t.Fatalf("%s %s %s under %+v: %d requests arrived, want %v (answer %v, %v)", method, path, body, permits, got, allowed, resp, err)
			}
			if !allowed && !errors.Is(err, digitalocean.NotSent) {
				t.Fatalf("%s %s: the refusal is %v, want NotSent", method, path, err)
			}
			if allowed {
				passed[asked.Method+" "+asked.Template]++
			}
		}
	})
	if tried >= 100 && len(passed) < len(forms)/2 && !t.Failed() {
		t.Errorf("of %d forms only these passed with a permit, so that the test shows little: %v", len(forms), passed)
	}
}

// spoilPermit makes a permit, as often as not, one of parts that do not belong
// together.
func spoilPermit(t *rapid.T, p digitalocean.Permit, known []digitalocean.Permit) digitalocean.Permit {
	other := rapid.SampledFrom(known).Draw(t, "other")
	switch rapid.IntRange(0, 15).Draw(t, "spoiled") {
	case 0:
		p.Method = other.Method
	case 1:
		p.Template = other.Template
	case 2:
		p.Target = other.Target
	case 3:
		p.Body = other.Body
	case 4:
		p.Name = rapid.SampledFrom([]string{"", "cafe", "arcadia-cafe0002", "web"}).Draw(t, "name")
	case 5:
		p.Target += rapid.SampledFrom([]string{"/../2", "/", ":", "/7", "?x=1"}).Draw(t, "target's tail")
	case 6:
		p.Target = strings.Replace(p.Target, ":1", rapid.SampledFrom([]string{":-1", ":01", ":", ":%31", ":../1"}).Draw(t, "id"), 1)
	}
	return p
}

// seldom is true once in eight times.
func seldom(t *rapid.T, what string) bool {
	return rapid.SampledFrom([]bool{false, false, false, false, false, false, false, true}).Draw(t, what)
}

// pathOf puts the ids of a permit's target into its template.
func pathOf(p digitalocean.Permit) string {
	path := p.Template
	_, ids, _ := strings.Cut(strings.TrimPrefix(p.Target, "do:"), ":")
	for id := range strings.SplitSeq(ids, "/") {
		if from := strings.Index(path, "{"); from >= 0 {
			path = path[:from] + id + path[strings.Index(path, "}")+1:]
		}
	}
	return path
}

// allows is the meaning of a permit, said apart from the code that enforces it.
func allows(p digitalocean.Permit, req *http.Request, body string) bool {
	template, part := "", ""
	for part = range strings.SplitSeq(p.Template, "/") {
		if strings.HasPrefix(part, "{") {
			part = "%"
		}
		template += "/" + part
	}
	template = strings.TrimPrefix(template, "/")
	i := slices.IndexFunc(forms, func(f form) bool { return f.method == p.Method && f.path == template })
	if i < 0 || req.Method != p.Method || body != string(p.Body) {
		return false
	}
	f := forms[i]
	if f.kind == "" && p.Target != "account:main" {
		return false
	}
	if f.kind != "" {
		ids, ok := strings.CutPrefix(p.Target, f.kind)
		parts := strings.Split(ids, "/")
		if !ok || len(parts) != strings.Count(f.path, "%") || !sound(f.kind, parts) {
			return false
		}
	}
	return req.URL.String() == "http://"+req.URL.Host+pathOf(p) && carries(f.marker, body, p.Name)
}

// sound says whether ids are such as DigitalOcean gives, and mean no more than
// themselves in a path.
func sound(kind string, ids []string) bool {
	if kind == "do:reserved_ip:" {
		ip, err := netip.ParseAddr(ids[0])
		return err == nil && len(ids) == 1 && ip.String() == ids[0]
	}
	form := map[string]string{
		"do:domain:":        `^app\.example\.com$`,
		"do:domain_record:": `^(app\.example\.com|[1-9][0-9]*)$`, "do:tag:": `^[a-z0-9:_-]+$`,
	}[kind]
	if form == "" {
		form = `^([1-9][0-9]*|[a-z0-9][a-z0-9-]*-[a-z0-9-]*|[a-z][a-z0-9-]*)$`
	}
	return !slices.ContainsFunc(ids, func(id string) bool { return !regexp.MustCompile(form).MatchString(id) })
}

// carries says whether a body has the marker where a form has it.
func carries(where, body, marker string) bool {
	var m struct {
		Type, Name, Description string
		Tags                    []string
	}
	_ = json.Unmarshal([]byte(body), &m)
	if where == "" || where == "snapshot" && m.Type != "snapshot" {
		return marker == ""
	}
	in := map[string]bool{
		"name": strings.Contains(m.Name, marker), "description": strings.Contains(m.Description, marker),
		"tags": slices.Contains(m.Tags, marker), "snapshot": m.Name == marker,
	}
	return marker != "" && slices.ContainsFunc(strings.Fields(where), func(part string) bool { return in[part] })
}

// Every form of a change, sent as it is permitted and then with one thing wrong.
func TestEachChangeIsGuarded(t *testing.T) {
	covered := make(map[string]bool)
	for _, p := range requests(1, "77", "192.0.2.1") {
		covered[p.Method+" "+p.Template] = true
		t.Run(p.Method+" "+p.Template, func(t *testing.T) {
			s := serve(t, func(w http.ResponseWriter, _ *http.Request, _ int) { refuse(w, 422, "unprocessable_entity", "no") })
			send := func(body string, purpose digitalocean.Purpose, change func(*leave)) error {
				l := may()
				l.Permits = []digitalocean.Permit{p}
				change(l)
				c := client(t, s.URL, func(o *digitalocean.Options) { o.Purpose = purpose })
				req, err := http.NewRequestWithContext(l.in(t.Context()), p.Method, s.URL+pathOf(p), strings.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				_, err = digitalocean.Wire(c).RoundTrip(req)
				return err
			}
			as := func(*leave) {}
			for what, err := range map[string]error{
				"another body":   send(string(p.Body)+`{"x":1}`, digitalocean.Provisioning, as),
				"another target": send(string(p.Body), digitalocean.Provisioning, func(l *leave) { l.Permits[0].Target += "9" }),
				"another kind": send(string(p.Body), digitalocean.Provisioning, func(l *leave) {
					l.Permits[0].Target = strings.Replace(p.Target, "do:", "do:other_", 1) + "x"
				}),
				"another marker": send(string(p.Body), digitalocean.Provisioning, func(l *leave) { l.Permits[0].Name += "x" }),
				"another method": send(string(p.Body), digitalocean.Provisioning, func(l *leave) { l.Permits[0].Method = "PATCH" }),
				"the inventory":  send(string(p.Body), digitalocean.Inventory, as),
				"no lease":       send(string(p.Body), digitalocean.Provisioning, func(l *leave) { l.Valid = func() error { return errors.New("over") } }),
				"other account": send(string(p.Body), digitalocean.Provisioning, func(l *leave) {
					l.Permits[0].Target = strings.Replace(p.Target+"?", "account:main?", "account:other", 1)
				}),
			} {
				if !errors.Is(err, digitalocean.NotSent) || fault.Message(err) == "" {
					t.Errorf("with %s: %v, want NotSent and a sentence", what, err)
				}
			}
			if strings.HasPrefix(p.Target, "account:") {
				l := may()
				l.Permits = []digitalocean.Permit{p}
				c := client(t, s.URL, func(o *digitalocean.Options) { o.Account = "other" })
				req, err := http.NewRequestWithContext(l.in(t.Context()), p.Method, s.URL+pathOf(p), bytes.NewReader(p.Body))
				if err != nil {
					t.Fatal(err)
				}
				if _, err = digitalocean.Wire(c).RoundTrip(req); !errors.Is(err, digitalocean.NotSent) {
					t.Errorf("by the client of another account: %v, want NotSent", err)
				}
			}
			if p.Name != "" {
				l := func(l *leave) { l.Permits[0].Name = "" }
				if err := send(string(p.Body), digitalocean.Provisioning, l); !errors.Is(err, digitalocean.NotSent) {
					t.Errorf("without a marker: %v, want NotSent", err)
				}
			}
			if got := s.requests(); len(got) != 0 {
				t.Errorf("refused requests arrived: %v", got)
			}
			if err := send(string(p.Body), digitalocean.Provisioning, as); !errors.Is(err, digitalocean.Unprocessable) || len(s.requests()) != 1 {
				t.Errorf("as it is permitted: %v after %d requests; want the server's own refusal", err, len(s.requests()))
			}
		})
	}
	for _, f := range forms {
		place := map[string]string{
			"do:reserved_ip:": "{ip}", "do:domain:": "{domain}", "do:domain_record:": "{domain}", "do:tag:": "{tag}",
		}[f.kind]
		template := strings.ReplaceAll(strings.Replace(f.path, "%", cmp.Or(place, "{id}"), 1), "%", "{id}")
		if !covered[f.method+" "+template] {
			t.Errorf("no request is tried that has the form %s %s", f.method, f.path)
		}
	}
}

// What is no id goes nowhere, even where a permit names it.
func TestNoIDMeansMoreThanItself(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request, _ int) { refuse(w, 422, "unprocessable_entity", "no") })
	c := client(t, s.URL)
	for template, ids := range map[string][]string{
		"/v2/volumes/{id}":      {"-1", "0", "01", "", "..", "%2e", "a/b", "a?b", "A-1", "1.5", "a b", strings.Repeat("1", 65)},
		"/v2/reserved_ips/{ip}": {"1", "192.0.2", "192.0.2.1/24", "2001:db8::1", "localhost", "", "192.0.2.01"},
		"/v2/tags/{tag}":        {"", "..", "a/b", "a.b", "a%3Ab", "é", strings.Repeat("a", 256)},
		"/v2/domains/{domain}/records/{id}": {
			"example..com/1", ".example.com/1", "../1", "example.com/-1", "example.com/", "example.com/x.y", "/1", "Example.com/1",
		},
	} {
		for _, id := range ids {
			kind := map[string]string{"{id}": "volume", "{ip}": "reserved_ip", "{tag}": "tag"}[template[strings.LastIndex(template, "/")+1:]]
			if strings.Contains(template, "{domain}") {
				kind = "domain_record"
			}
			p := digitalocean.Permit{Method: "DELETE", Template: template, Target: "do:" + kind + ":" + id}
			l := may()
			l.Permits = []digitalocean.Permit{p}
			req, err := http.NewRequestWithContext(l.in(t.Context()), p.Method, s.URL+pathOf(p), nil)
			if err != nil {
				continue // no such request can be made
			}
			if _, err := digitalocean.Wire(c).RoundTrip(req); !errors.Is(err, digitalocean.NotSent) {
				t.Errorf("%s with %q: %v, want NotSent", template, id, err)
			}
		}
	}
	if got := s.requests(); len(got) != 0 {
		t.Errorf("these arrived: %v", got)
	}
}

// A 2xx answer that does not say what was done is one whose outcome nobody knows.
func TestEachAnswerMustSayWhatWasDone(t *testing.T) {
	for _, p := range requests(1, "77", "192.0.2.1") {
		if p.Method == http.MethodDelete {
			continue // 204 says it
		}
		for what, write := range map[string]func(http.ResponseWriter){
			"an empty object": func(w http.ResponseWriter) { answer(w, 200, "{}") },
			"nothing":         func(w http.ResponseWriter) { w.WriteHeader(200) },
			"something else": func(w http.ResponseWriter) {
				answer(w, 200, `{"action":{"id":9,"type":"other","resource_id":1},"droplet":{"id":3,"name":"x"},"volume":{"id":"4","name":"x"},
					"snapshot":{"id":"5","name":"x"},"vpc":{"id":"6","name":"x"},"firewall":{"id":"7","name":"x"},"reserved_ip":{"ip":""},
					"domain_record":{"id":0,"type":"A"},"resources":[{"urn":"do:droplet:9","status":"ok"}],"tag":{"name":""}}`)
			},
		} {
			s := serve(t, func(w http.ResponseWriter, _ *http.Request, _ int) { write(w) })
			l := may()
			l.Permits = []digitalocean.Permit{p}
			req, err := http.NewRequestWithContext(l.in(t.Context()), p.Method, s.URL+pathOf(p), bytes.NewReader(p.Body))
			if err != nil {
				t.Fatal(err)
			}
			_, err = digitalocean.Wire(client(t, s.URL)).RoundTrip(req)
			if !errors.Is(err, digitalocean.Unknown) || slices.Contains(l.answered, true) {
				t.Errorf("%s %s, answered with %s: %v, known %v; want Unknown", p.Method, p.Template, what, err, l.answered)
			}
		}
	}
}
