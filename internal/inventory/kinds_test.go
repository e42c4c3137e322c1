package inventory

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
	"github.com/arcadia-cloud/arcadia/internal/golden"
	"github.com/arcadia-cloud/arcadia/internal/vault"
)

// A showroom is a simulated cloud with one of everything, and a client that may
// do what an inventory's token may, and nothing else.
type showroom struct {
	*dosimtest.Server
	service *Service
	client  *digitalocean.Client
}

func newShowroom(t *testing.T) *showroom {
	t.Helper()
	text, err := os.ReadFile("testdata/everything.yaml")
	if err != nil {
		t.Fatal(err)
	}
	scenario, err := dosim.ReadScenario(text)
	if err != nil {
		t.Fatal(err)
	}
	clock := dosim.NewClock(dosim.Stepped)
	clock.Set(time.Date(2026, 11, 1, 10, 0, 0, 0, time.UTC))
	s := &showroom{Server: dosimtest.Start(t, dosim.Options{Clock: clock}), service: New(nil, nil, Settings{})}
	if err := s.Play(scenario); err != nil {
		t.Fatal(err)
	}
	s.client = s.as(t, s.CreateToken(dosim.TokenSpec{Scopes: digitalocean.Inventory.Scopes()}))
	return s
}

// as is a client with a token.
func (s *showroom) as(t *testing.T, token string) *digitalocean.Client {
	t.Helper()
	c, err := digitalocean.New(digitalocean.Options{
		BaseURL: s.URL, Account: "main", Purpose: digitalocean.Inventory, Token: vault.NewSecret(token), Transport: s.Server.Client.Transport,
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// get is the text of an answer to who may see everything.
func (s *showroom) get(t *testing.T, path string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.Token)
	resp, err := s.Server.Client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %d, %v", path, resp.StatusCode, err)
	}
	return string(body)
}

// list reads all that there is of every kind.
func (s *showroom) list(t *testing.T) map[string][]found {
	t.Helper()
	all := map[string][]found{}
	for _, k := range Kinds() {
		parents := []string{""}
		if k.Parent != "" {
			parents = nil
			for _, p := range all[k.Parent] {
				parents = append(parents, p.id)
			}
		}
		for _, parent := range parents {
			items, _, err := s.service.readUnder(t.Context(), s.client, "main", k, parent, nil)
			if err != nil {
				t.Fatalf("%s: %v", k.Name, err)
			}
			all[k.Name] = append(all[k.Name], items...)
		}
		if len(all[k.Name]) == 0 {
			t.Errorf("there is no %s: the test needs one", k.Name)
		}
	}
	return all
}

// byChance are the ids and addresses that the simulated cloud draws by lot.
var byChance = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|10\.[0-9]+\.[0-9]+\.[1-9][0-9]*|198\.1[89]\.[0-9.]+|2001:db8:[0-9a-f:]+`)

func TestWhatEveryKindSays(t *testing.T) {
	all := newShowroom(t).list(t)
	names := map[string]string{} // by URN, for people
	for _, k := range Kinds() {
		for _, f := range all[k.Name] {
			if names[f.urn] != "" {
				t.Errorf("%s is two things", f.urn)
			}
			names[f.urn] = f.kind.Name + " " + f.look.Name
		}
	}
	var text strings.Builder
	for _, k := range Kinds() {
		fmt.Fprintf(&text, "%s\n", k.Many)
		for _, f := range all[k.Name] {
			l := f.look
			if k.Sold && !slices.Contains([]string{"nyc3", "s-1vcpu-1gb", "ubuntu-24-04-x64"}, l.Name) {
				continue // there are more by the month
			}
			if l.Name == "" {
				t.Errorf("%s has no name", f.urn)
			}
			fmt.Fprintf(&text, "  %s | %s | %s | %s | tags %v | at %v | project %s\n",
				l.Name, l.Region, l.Status, l.Size, l.Tags, l.Addresses, strings.TrimPrefix(names["do:project:"+l.Project], "project "))
			if k.Edges != nil {
				for _, e := range k.Edges(f.doc) {
					tellEdge(t, &text, names, e)
				}
			}
			if k.Charges != nil {
				for _, c := range k.Charges(f.doc) {
					fmt.Fprintf(&text, "    pays %s × %s", c.Quantity, c.SKU)
					if c.Listed {
						fmt.Fprintf(&text, " at $%s", c.Monthly)
					}
					fmt.Fprintln(&text)
				}
			}
		}
	}
	golden.Equal(t, "testdata/kinds.txt", byChance.ReplaceAllString(text.String(), "…"))
}

func tellEdge(t *testing.T, text *strings.Builder, names map[string]string, e Edge) {
	t.Helper()
	if from := names[e.From]; e.From != "" {
		if from == "" {
			t.Errorf("%s is what nobody listed", e.From)
		}
		fmt.Fprintf(text, "    %s:", from)
	}
	to := names[e.To]
	switch {
	case e.Tag != "":
		to = "what has the tag " + e.Tag
	case e.Address != "":
		to = "what is at " + e.Address
	case to == "":
		t.Errorf("%s %s is what nobody listed", e.Type, e.To)
	}
	if e.First {
		to += ", and goes first"
	}
	fmt.Fprintf(text, "    %s %s\n", e.Type, to)
}

// What is listed again after nothing has happened is the same by its hash, though
// some of it looks another way.
func TestNothingChangesByItself(t *testing.T) {
	s := newShowroom(t)
	before := s.list(t)
	s.Clock().Advance(90 * time.Minute)
	hashes := map[string]string{}
	for _, items := range s.list(t) {
		for _, f := range items {
			hashes[f.urn] = f.hash
		}
	}
	for kind, items := range before {
		for _, f := range items {
			if hashes[f.urn] != f.hash {
				t.Errorf("the %s %s has another hash 90 minutes later", kind, f.look.Name)
			}
		}
	}
}

// A droplet's new name shows in the address that is assigned to it, and is no
// change of the address.
func TestAReservedIPIsNotItsDroplet(t *testing.T) {
	for _, k := range []*Kind{reservedIP, reservedIPv6} {
		isNotItsDroplet(t, k)
	}
}

func isNotItsDroplet(t *testing.T, k *Kind) {
	t.Helper()
	parse := func(text string) (hash string) {
		f, err := k.found("main", "", json.RawMessage(text))
		if err != nil {
			t.Fatal(err)
		}
		return f.hash
	}
	before := parse(`{"ip":"203.0.113.1","droplet":{"id":1,"name":"web","status":"active"},"region":{"slug":"nyc3"}}`)
	renamed := parse(`{"ip":"203.0.113.1","droplet":{"id":1,"name":"db","status":"off"},"region":{"slug":"nyc3"}}`)
	moved := parse(`{"ip":"203.0.113.1","droplet":{"id":2,"name":"web","status":"active"},"region":{"slug":"nyc3"}}`)
	if renamed != before || moved == before {
		t.Errorf("%s: %s, of a renamed droplet %s, of another one %s; want the first two alike and the third not", k.Name, before, renamed, moved)
	}
}

func TestSecretsAreNotKept(t *testing.T) {
	s := newShowroom(t)
	s.client = s.as(t, s.Token) // which DigitalOcean shows every password to
	planted := 0
	for _, k := range Kinds() {
		for _, l := range k.Lists {
			if k.Parent == "" {
				planted += strings.Count(s.get(t, l.Path+"?"+l.Query.Encode()), "planted-secret")
			}
		}
	}
	if planted < 10 {
		t.Fatalf("%d secrets are planted: too few to prove anything", planted)
	}
	for kind, items := range s.list(t) {
		for _, f := range items {
			if i := bytes.Index(f.kept, []byte("planted-secret")); i >= 0 {
				t.Errorf("a secret of the %s %s is kept: …%s…", kind, f.look.Name, f.kept[max(0, i-60):i+20])
			}
		}
	}
}

// Secrets that the simulated cloud does not show, as DigitalOcean's description
// shows them.
func TestSecretsOfTheDescription(t *testing.T) {
	for _, tt := range []struct {
		kind *Kind
		doc  string
	}{
		{database, `{"id":"1","connection":{"uri":"postgres://a:planted@b","password":"planted"},"users":[{"name":"a","password":"planted","access_cert":"planted","access_key":"planted"}]}`},
		{app, `{"id":"1","spec":{"envs":[{"key":"A","value":"planted"}],"jobs":[{"envs":[{"key":"A","value":"planted"}],"image":{"registry_credentials":"planted"},
			"log_destinations":[{"name":"x","datadog":{"api_key":"planted"},"logtail":{"token":"planted"},"papertrail":{"endpoint":"planted"},"open_search":{"basic_auth":{"password":"planted"}}}]}],
			"alerts":[{"slack_webhooks":[{"channel":"#a","url":"planted"}]}]},
			"pending_deployment":{"spec":{"workers":[{"envs":[{"key":"A","value":"planted"}]}]}}}`},
		{agent, `{"uuid":"1","api_keys":[{"api_key":"planted"}],"mcp_servers":[{"headers":{"x":"planted"},"authorization":"planted"}]}`},
		{autoscalePool, `{"id":"1","droplet_template":{"user_data":"planted"}}`},
		{alertPolicy, `{"uuid":"1","alerts":{"slack":[{"channel":"a","url":"planted"}]}}`},
		{functionsNamespace, `{"namespace":"1","key":"planted"}`},
		{spacesKey, `{"access_key":"1","secret_key":"planted"}`},
	} {
		f, err := tt.kind.found("main", "", json.RawMessage(tt.doc))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(f.kept, []byte("planted")) {
			t.Errorf("a secret of a %s is kept: %s", tt.kind.Name, f.kept)
		}
	}
}

func TestEveryKindIsAskedForByItsID(t *testing.T) {
	s := newShowroom(t)
	for kind, items := range s.list(t) {
		k, f := KindNamed(kind), items[0]
		if k.Get == "" {
			continue
		}
		one, err := s.service.document(t.Context(), s.client, "main", k, f.parent, f.id)
		if err != nil || one == nil {
			t.Errorf("%s %s: %v, %v", kind, f.id, one, err)
		}
	}
}

func TestInventoryTokensHaveTheScopesOfTheKinds(t *testing.T) {
	want := []string{"account:read", "actions:read"}
	for _, k := range Kinds() {
		want = append(want, strings.Fields(k.Scope)...)
	}
	slices.Sort(want)
	if want, got := slices.Compact(want), digitalocean.Inventory.Scopes(); !slices.Equal(got, want) {
		t.Errorf("an inventory token is said to need %q; the kinds need %q", got, want)
	}
}

func TestKindsAreInOrder(t *testing.T) {
	seen, urns := map[string]bool{}, map[string]bool{}
	for _, k := range Kinds() {
		if seen[k.Name] || k.Title == "" || k.Many == "" || k.Look == nil || k.ID == "" || k.Scope == "" || len(k.Lists) == 0 || (k.Get == "") != (k.One == "") {
			t.Errorf("the kind %q is there twice or has gaps", k.Name)
		}
		if k.Parent != "" && !seen[k.Parent] {
			t.Errorf("%s is listed before its parents", k.Name)
		}
		if k.Project != "" && urns[k.Project] {
			t.Errorf("%s is two kinds to a project", k.Project)
		}
		if k.Sold && !k.Local {
			t.Errorf("%s is sold to every account, and its URN does not say to which", k.Name)
		}
		seen[k.Name], urns[k.Project] = true, true
	}
}

func TestOddDocuments(t *testing.T) {
	charges := func(k *Kind, text string) string {
		d, err := ParseDoc([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		var told []string
		for _, c := range k.Charges(d) {
			told = append(told, c.Quantity.String()+" "+c.SKU)
		}
		return strings.Join(told, ", ")
	}
	for _, tt := range []struct {
		kind      *Kind
		doc, want string
	}{
		{loadBalancer, `{"size":"lb-medium"}`, "3 load_balancer:regional"},
		{loadBalancer, `{"size_unit":4,"type":"GLOBAL"}`, "4 load_balancer:global"},
		{loadBalancer, `{}`, "1 load_balancer:unsized"},
		{volume, `{}`, "0 volume:unsized"},
		{image, `{"type":"custom","status":"available"}`, "0 custom_image:unsized"},
		{image, `{"type":"custom","status":"pending","size_gigabytes":3}`, ""},
		{database, `{"size":"db-s-1vcpu-1gb"}`, "1 database:unsized"},
		{kubernetesCluster, `{"ha":false,"node_pools":[{"size":"s-1vcpu-1gb","count":3}]}`, ""},
		{app, `{"spec":{"services":[{"instance_size_slug":"a","autoscaling":{"min_instance_count":2,"max_instance_count":9}}],"workers":[{}],
			"databases":[{"production":true},{"name":"dev"}]},"dedicated_ips":[{"ip":"203.0.113.1"}]}`,
			"2 app:a, 1 app:unsized, 1 app:dev_database, 1 app:dedicated_ip"},
		{nfs, `{"size_gib":50,"performance_tier":"PERFORMANCE_TIER_HIGH"}`, "50 nfs:high"},
	} {
		if got := charges(tt.kind, tt.doc); got != tt.want {
			t.Errorf("%s %s pays %q, want %q", tt.kind.Name, tt.doc, got, tt.want)
		}
	}
}
