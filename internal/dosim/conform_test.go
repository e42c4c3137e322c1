package dosim_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
)

// start and pipe are how every test of dosim starts one: each answer that comes
// back through Server.Client is checked against DigitalOcean's description.
func start(t testing.TB, o ...dosim.Options) *dosimtest.Server {
	return checked(t, dosimtest.Start(t, o...))
}

func pipe(t testing.TB, o ...dosim.Options) *dosimtest.Server {
	return checked(t, dosimtest.Pipe(t, o...))
}

func checked(t testing.TB, s *dosimtest.Server) *dosimtest.Server {
	t.Helper()
	spec, err := description()
	if err != nil && !errors.Is(err, errNoDescription) {
		t.Fatal(err)
	}
	s.Client.Transport = &checkingTransport{t: t, s: s, base: s.Client.Transport, spec: spec}
	return s
}

// errNoDescription says that the description is not here and nobody claimed it is.
var errNoDescription = errors.New("DigitalOcean's OpenAPI description is not here: set ARCADIA_DO_OPENAPI")

var description = sync.OnceValues(func() (routers.Router, error) {
	openapi3filter.RegisterBodyDecoder("application/pdf", openapi3filter.FileBodyDecoder) // it knows no PDF
	doc, err := document()
	if err != nil {
		return nil, err
	}
	return gorillamux.NewRouter(doc)
})

var document = sync.OnceValues(func() (*openapi3.T, error) {
	path, claimed := os.LookupEnv("ARCADIA_DO_OPENAPI")
	if !claimed || path == "" {
		claimed, path = false, filepath.Join("..", "..", "..", "shared", "spec", "digitalocean-openapi.yaml.gz")
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) && !claimed {
		return nil, errNoDescription
	}
	if err != nil {
		return nil, fmt.Errorf("ARCADIA_DO_OPENAPI: %w", err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(z)
	if err != nil {
		return nil, err
	}
	doc, err := openapi3.NewLoader().LoadFromData(raw)
	if err != nil {
		return nil, err
	}
	doc.Servers = nil // match any host
	return doc, nil
})

// A checkingTransport fails the test on the first answer that is not
// DigitalOcean's. What a fault has spoiled is let through.
type checkingTransport struct {
	t    testing.TB
	s    *dosimtest.Server
	base http.RoundTripper
	spec routers.Router // nil: the description is not here

	mu      sync.Mutex
	seq     int64          // of the newest request before the one that is sent
	checked map[string]int // operations whose good answers passed, by method and path template
}

func (c *checkingTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	seq, earliest := c.newest(), c.s.Clock().Now()
	resp, err := c.base.RoundTrip(r)
	if err != nil {
		return resp, err
	}
	if strings.HasPrefix(r.URL.String(), c.s.AdminURL) {
		return resp, c.checkAdmin(r, resp)
	}
	id := resp.Header.Get("X-Request-Id")
	spoiled := false
	for _, entry := range c.s.Requests(seq) {
		if entry.RequestID == id || id == "" && entry.Status == resp.StatusCode {
			spoiled = spoiled || entry.Fault != nil
		}
	}
	if spoiled {
		return resp, nil
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	_ = resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(body))
	if err := c.check(r, resp, body); err != nil {
		c.t.Errorf("%s %s answered %d, not as DigitalOcean: %v\n%.2000s", r.Method, r.URL, resp.StatusCode, err, body)
	}
	date, err := http.ParseTime(resp.Header.Get("Date"))
	if latest := c.s.Clock().Now(); err != nil || date.Before(earliest.Truncate(1e9)) || date.After(latest) {
		c.t.Errorf("%s %s has Date %q; the simulator's clock went from %s to %s", r.Method, r.URL, resp.Header.Get("Date"), earliest, latest)
	}
	return resp, nil
}

// newest is the seq of the newest request so far.
func (c *checkingTransport) newest() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.s.Requests(c.seq) {
		c.seq = r.Seq
	}
	return c.seq
}

func (c *checkingTransport) check(r *http.Request, resp *http.Response, body []byte) error {
	for _, h := range []string{"X-Request-Id", "X-Gateway", "X-Response-From", "Ratelimit-Limit", "Ratelimit-Remaining", "Ratelimit-Reset"} {
		if resp.Header.Get(h) == "" {
			return fmt.Errorf("the header %s is missing", h)
		}
	}
	if resp.StatusCode >= 400 {
		var e struct{ ID, Message, RequestID string }
		if err := json.Unmarshal(bytes.ReplaceAll(body, []byte("request_id"), []byte("RequestID")), &e); err != nil {
			return err
		}
		if e.ID == "" || e.Message == "" || e.RequestID != resp.Header.Get("X-Request-Id") {
			return fmt.Errorf("the error envelope %+v lacks something", e)
		}
	}
	if c.spec == nil || r.Method == http.MethodHead {
		return nil
	}
	route, params, err := c.spec.FindRoute(r)
	if err != nil {
		if resp.StatusCode == http.StatusNotFound {
			return nil
		}
		return err
	}
	var v any
	if len(body) > 0 && isJSON(resp.Header) {
		if err := json.Unmarshal(body, &v); err != nil {
			return err
		}
	}
	opts := &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true}
	err = openapi3filter.ValidateResponse(r.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route, Options: opts},
		Status:                 resp.StatusCode, Header: resp.Header, Options: opts,
		Body: io.NopCloser(bytes.NewReader(allowKnownDefects(body))),
	})
	if err != nil {
		return err
	}
	declared := route.Operation.Responses.Status(resp.StatusCode)
	if declared == nil {
		return nil // kin-openapi has held it against the default
	}
	if media := declared.Value.Content.Get("application/json"); media != nil && len(body) > 0 {
		if err := lacksNoExampleKey(media, v, exampleDefects[route.Method+" "+route.Path]); err != nil {
			return err
		}
	}
	if resp.StatusCode < 300 {
		c.count(route)
	}
	return nil
}

// isJSON tells an answer of JSON from a file.
func isJSON(h http.Header) bool { return strings.Contains(h.Get("Content-Type"), "json") }

func (c *checkingTransport) count(route *routers.Route) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.checked == nil {
		c.checked = map[string]int{}
	}
	c.checked[route.Method+" "+route.Path]++
}

// allowKnownDefects is the body with those defects of the description mended that
// concern us: next_backup_window is null in its own examples, though its schema
// does not allow that, and a project's environment is empty where none was chosen:
// the Terraform provider's plan would not be empty if it became another.
func allowKnownDefects(body []byte) []byte {
	var v any
	if json.Unmarshal(body, &v) != nil {
		return body
	}
	found := false
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if w, ok := v["next_backup_window"]; ok && w == nil {
				v["next_backup_window"], found = map[string]any{}, true
			}
			if e, ok := v["environment"]; ok && e == "" {
				v["environment"], found = "Development", true
			}
			for _, child := range v {
				walk(child)
			}
		case []any:
			for _, child := range v {
				walk(child)
			}
		}
	}
	walk(v)
	if !found {
		return body
	}
	mended, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return mended
}

// exampleDefects are the keys that an example shows and no answer has, because
// the example is wrong or shows another case.
var exampleDefects = map[string][]string{
	"GET /v2/tags/{tag_id}":     {".tag.tag"},                                                  // the example has the tag within itself
	"POST /v2/load_balancers":   {".load_balancer.region"},                                     // a global one has none
	"GET /v2/monitoring/alerts": {".links.first", ".links.last", ".links.next", ".links.prev"}, // no pages around them
	// What an app has while it is being deployed, and from where its source may come as well.
	"GET /v2/apps": {".apps[].pending_deployment", ".apps[].progress"},
	"GET /v2/apps/{id}": {
		".app.pending_deployment", ".app.spec.services[].github", ".app.active_deployment.spec.services[].github",
	},
	// There is no example: these are an agent's only if it has such a thing.
	"GET /v2/gen-ai/agents": {
		".agents[].model", ".agents[].model_router", ".agents[].route_created_at", ".agents[].route_created_by", ".agents[].route_name",
		".agents[].route_uuid", ".agents[].template",
	},
	"GET /v2/gen-ai/agents/{uuid}": {
		".agent.anthropic_api_key", ".agent.logging_config", ".agent.model", ".agent.model_provider_key", ".agent.model_router",
		".agent.openai_api_key", ".agent.route_created_at", ".agent.route_created_by", ".agent.route_name", ".agent.route_uuid",
		".agent.template", ".agent.workspace",
	},
	"GET /v2/droplets/{droplet_id}/firewalls": { // its only rules happen to have every sort of peer
		".firewalls[].inbound_rules[].sources.addresses", ".firewalls[].inbound_rules[].sources.droplet_ids",
		".firewalls[].inbound_rules[].sources.load_balancer_uids", ".firewalls[].inbound_rules[].sources.tags",
		".firewalls[].outbound_rules[].destinations.droplet_ids", ".firewalls[].outbound_rules[].destinations.load_balancer_uids",
		".firewalls[].outbound_rules[].destinations.tags",
	},
	// The example is of one that ended well. What is not destroyed has no instant, and null is none.
	"GET /v2/droplets/{droplet_id}/destroy_with_associated_resources/status": {
		".completed_at", ".droplet.destroyed_at", ".resources.snapshots[].destroyed_at", ".resources.reserved_ips[].destroyed_at",
		".resources.floating_ips[].destroyed_at", ".resources.volume_snapshots[].destroyed_at",
	},
	// The example's own droplets.
	"GET /v2/droplets/backups/policies": {".policies.436444618", ".policies.444909314", ".policies.444909706"},
	// There is no example, and not every droplet has a GPU.
	"GET /v2/droplets/{droplet_id}/neighbors": {".droplets[].gpu_info", ".droplets[].size.gpu_info"},
	// The example's own payment has neither.
	"GET /v2/customers/my/billing_history": {".billing_history[].invoice_id", ".billing_history[].invoice_uuid"},
}

// A shape is the keys that an example shows. Its fields are those of an object;
// item is what the elements of a list look like.
type shape struct {
	fields map[string]*shape
	item   *shape
}

// lacksNoExampleKey reports which key that the description's example shows is
// not in the answer. Where it has several examples, one must be satisfied;
// where it has none, the examples of the schema's properties are taken.
func lacksNoExampleKey(media *openapi3.MediaType, v any, defects []string) error {
	var examples []*shape
	for _, e := range media.Examples {
		examples = append(examples, shapeOf(e.Value.Value))
	}
	switch {
	case media.Example != nil:
		examples = append(examples, shapeOf(media.Example))
	case media.Schema != nil && len(examples) == 0 && media.Schema.Value.Example != nil:
		examples = append(examples, shapeOf(media.Schema.Value.Example))
	case media.Schema != nil && len(examples) == 0:
		examples = append(examples, shapeOfSchema(media.Schema.Value))
	}
	var missing []string
	for _, e := range examples {
		lacks := slices.DeleteFunc(e.missing(v, ""), func(path string) bool { return slices.Contains(defects, path) })
		if len(lacks) == 0 {
			return nil
		}
		missing = append(missing, lacks...)
	}
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("keys that the example shows are missing: %s", strings.Join(slices.Compact(slices.Sorted(slices.Values(missing))), ", "))
}

func shapeOf(example any) *shape {
	s := &shape{}
	switch e := example.(type) {
	case map[string]any:
		s.fields = map[string]*shape{}
		for k, v := range e {
			s.fields[k] = shapeOf(v)
		}
	case []any:
		s.item = &shape{}
		for i, v := range e {
			if i == 0 {
				s.item = shapeOf(v)
			} else {
				s.item = s.item.common(shapeOf(v))
			}
		}
	}
	return s
}

// shapeOfSchema goes round no circle: within, a schema shows no more of itself.
func shapeOfSchema(schema *openapi3.Schema, within ...*openapi3.Schema) *shape {
	s := &shape{}
	if slices.Contains(within, schema) {
		return s
	}
	within = append(slices.Clone(within), schema)
	for _, part := range schema.AllOf {
		s = s.and(shapeOfSchema(part.Value, within...))
	}
	if schema.Items != nil {
		s.item = shapeOfSchema(schema.Items.Value, within...)
	}
	for name, p := range schema.Properties {
		child := shapeOfSchema(p.Value, within...)
		if p.Value.Example == nil && child.fields == nil && child.item == nil {
			continue
		}
		if s.fields == nil {
			s.fields = map[string]*shape{}
		}
		s.fields[name] = child
	}
	return s
}

func (s *shape) and(o *shape) *shape {
	both := &shape{fields: maps.Clone(s.fields), item: s.item}
	if both.item == nil {
		both.item = o.item
	}
	for k, v := range o.fields {
		if both.fields == nil {
			both.fields = map[string]*shape{}
		}
		if mine := both.fields[k]; mine != nil {
			v = mine.and(v)
		}
		both.fields[k] = v
	}
	return both
}

// common is what both show: a key that one element of an example's list lacks, as
// a firewall's rules show only what each has, may be lacking.
func (s *shape) common(o *shape) *shape {
	both := &shape{item: s.item}
	switch {
	case s.item == nil:
		both.item = o.item
	case o.item != nil:
		both.item = s.item.common(o.item)
	}
	for k, v := range s.fields {
		if other := o.fields[k]; other != nil {
			if both.fields == nil {
				both.fields = map[string]*shape{}
			}
			both.fields[k] = v.common(other)
		}
	}
	return both
}

// missing lists the paths of s that v lacks. A null and an empty list show no
// more of their inside; links.pages holds only the pages that there are.
func (s *shape) missing(v any, at string) []string {
	var lacks []string
	switch v := v.(type) {
	case map[string]any:
		for k, child := range s.fields {
			path := at + "." + k
			if path == ".links.pages" {
				continue
			}
			if k == "last_tagged_uri" && v["count"] == 0.0 {
				continue // nothing was ever tagged: the example of POST /v2/tags has none
			}
			if inner, ok := v[k]; ok {
				lacks = append(lacks, child.missing(inner, path)...)
			} else {
				lacks = append(lacks, path)
			}
		}
	case []any:
		for _, e := range v {
			if s.item != nil {
				lacks = append(lacks, s.item.missing(e, at+"[]")...)
			}
		}
	}
	return lacks
}
