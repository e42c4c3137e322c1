// Package clients_test has clients that others have written, each built or
// installed in a place of its own, drive a simulated DigitalOcean over sockets.
package clients_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
)

// reads has go test run again when a file of the patterns changes, which another
// program reads: go test remembers what a test opened.
func reads(t *testing.T, patterns ...string) {
	t.Helper()
	for _, p := range patterns {
		files, err := filepath.Glob(p)
		if err != nil || len(files) == 0 {
			t.Fatalf("no files %s: %v", p, err)
		}
		for _, f := range files {
			if _, err := os.ReadFile(f); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// A godo is a version of godo, and where the module is that has it.
type godo struct{ version, dir, pkg string }

// The newest godo, and the one that doctl and the Terraform provider pin.
func newest() godo { return godo{"v1.236.0", "../../..", "./internal/dosim/clients/godo"} }
func pinned() godo { return godo{"v1.202.0", "godo1202", "."} }

// built is the path of a program that was built with this godo. What it says of
// itself shows that it was.
func (g godo) built(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("it builds programs")
	}
	reads(t, "scenario/*.go", "godo/main.go", "godo1202/main.go", "godo1202/go.*")
	path := filepath.Join(t.TempDir(), "godo")
	run := func(args ...string) string {
		out, err := exec.CommandContext(t.Context(), "go", args...).CombinedOutput()
		if err != nil {
			t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	run("-C", g.dir, "build", "-o", path, g.pkg)
	said := false
	for line := range strings.Lines(run("version", "-m", path)) {
		f := strings.Fields(line)
		said = said || len(f) > 2 && (f[0] == "dep" || f[0] == "=>") && f[1] == "github.com/digitalocean/godo" && f[2] == g.version
	}
	if !said {
		t.Fatalf("the program in %s is not built with godo %s", g.dir, g.version)
	}
	return path
}

// stepped is a cloud whose clock stands until the client has it advance, so that
// two clients see the same instants.
func stepped(t *testing.T, params map[string]string) *dosimtest.Server {
	t.Helper()
	clock := dosim.NewClock(dosim.Stepped)
	clock.Set(time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC))
	return dosimtest.Start(t, dosim.Options{Seed: 21, Clock: clock, Params: params})
}

// tell has the program tell the story, and returns what it objects to.
func tell(t *testing.T, s *dosimtest.Server, program, story string) error {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), program, story, s.URL, s.AdminURL, s.Token).CombinedOutput() //nolint:gosec // built above
	if n := s.UnknownPaths(); n != 0 {
		t.Errorf("%s asks %d times for what is not served", story, n)
	}
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", story, err, out)
	}
	return nil
}

// Both versions of godo go through all that dosim serves whole, find every answer
// as a caller relies on it, and leave the same seed's cloud in the same state.
func TestGodoVersionsEndInTheSameState(t *testing.T) {
	ends := map[string]string{}
	for _, g := range []godo{newest(), pinned()} {
		s := stepped(t, nil)
		seedListed(t, s)
		if err := tell(t, s, g.built(t), "everything"); err != nil {
			t.Fatalf("godo %s: %v", g.version, err)
		}
		if diff := cmp.Diff(slices.Sorted(slices.Values(append(godoHasNone(), leftOut()...))), unreached(s)); diff != "" {
			t.Errorf("godo %s gets a good answer of all but these (-want +have):\n%s", g.version, diff)
		}
		var end strings.Builder
		kinds := map[string]int{}
		for _, i := range s.Truth("") {
			kinds[i.Kind]++
			fmt.Fprintf(&end, "%s %s %s\n%s\n", i.URN, i.Name, i.CreatedAt, strings.ReplaceAll(string(i.Data), s.URL, "URL"))
		}
		for kind, n := range map[string]int{
			"droplet": 2, "volume": 1, "volume_snapshot": 1, "ssh_key": 1, "firewall": 1, "domain": 1, "domain_record": 12, "load_balancer": 1,
			"certificate": 1, "reserved_ip": 1, "image": 1, "project": 2, "tag": 5,
		} {
			if kinds[kind] != n {
				t.Errorf("godo %s leaves %d of kind %s, want %d", g.version, kinds[kind], kind, n)
			}
		}
		ends[g.version] = end.String()
	}
	if diff := cmp.Diff(ends[newest().version], ends[pinned().version]); diff != "" {
		t.Errorf("the two versions end in different states (-%s +%s):\n%s", newest().version, pinned().version, diff)
	}
}

// seedListed puts one thing there of each kind that is only listed.
func seedListed(t *testing.T, s *dosimtest.Server) {
	t.Helper()
	parent := map[string]string{}
	for _, seed := range []dosim.SeedThing{
		{Kind: "database", Data: map[string]any{"name": "orders", "region": "fra1"}},
		{Kind: "database_replica", Data: map[string]any{"name": "read-1"}},
		{Kind: "kubernetes_cluster", Data: map[string]any{"name": "shop", "region": "fra1"}},
		{Kind: "nat_gateway", Data: map[string]any{"name": "way-out"}},
		{Kind: "vpc_peering", Data: map[string]any{"name": "both-ways"}},
		{Kind: "cdn_endpoint", Data: map[string]any{"origin": "site.nyc3.digitaloceanspaces.com"}},
		{Kind: "registry", Data: map[string]any{"name": "images"}},
		{Kind: "alert_policy", Data: map[string]any{"description": "disk is full"}},
		{Kind: "uptime_check", Data: map[string]any{"name": "landing"}},
		{Kind: "uptime_alert", Data: map[string]any{"name": "landing is down"}},
		{Kind: "autoscale_pool", Data: map[string]any{"name": "burst"}},
		{Kind: "app", Data: map[string]any{"tier_slug": "professional"}},
		{Kind: "functions_namespace", Data: map[string]any{"label": "jobs"}},
		{Kind: "agent", Data: map[string]any{"name": "helper"}},
		{Kind: "nfs", Data: map[string]any{"name": "shared", "region": "fra1"}},
		{Kind: "spaces_key", Data: map[string]any{"name": "backup", "access_key": "DO00EXAMPLE"}},
	} {
		seed.Parent = parent[map[string]string{"database_replica": "database", "uptime_alert": "uptime_check"}[seed.Kind]]
		id, err := s.SeedThing(seed)
		if err != nil {
			t.Fatal(err)
		}
		parent[seed.Kind] = id
	}
}

// unreached are the operations that are served and gave no good answer.
func unreached(s *dosimtest.Server) []string {
	var missed []string
	good := s.Requests(0)
	for _, op := range dosim.Operations() {
		words := strings.Split(op.Path, "/")
		if !slices.ContainsFunc(good, func(r dosim.Request) bool {
			return r.Status < 300 && r.Method == op.Method && fits(words, strings.Split(r.Path, "/")) && !closer(op, r)
		}) {
			missed = append(missed, op.Method+" "+op.Path)
		}
	}
	slices.Sort(missed)
	return missed
}

// fits reports whether the words of a path are those of an operation's, in which
// {…} stands for any.
func fits(words, path []string) bool {
	return slices.EqualFunc(words, path, func(w, p string) bool { return w == p || strings.HasPrefix(w, "{") })
}

// closer reports whether another operation fits the request with fewer variables.
func closer(op dosim.Operation, r dosim.Request) bool {
	return slices.ContainsFunc(dosim.Operations(), func(o dosim.Operation) bool {
		return o.Method == r.Method && strings.Count(o.Path, "{") < strings.Count(op.Path, "{") && fits(strings.Split(o.Path, "/"), strings.Split(r.Path, "/"))
	})
}

// godoHasNone are the operations that are served and that godo v1.202.0 has no
// method for, or does by another operation: dosim's own tests have them.
func godoHasNone() []string {
	return []string{
		"DELETE /v2/droplets/{droplet}/destroy_with_associated_resources/selective",
		"DELETE /v2/volumes",
		"DELETE /v2/volumes/snapshots/{volume_snapshot}",
		"GET /v2/billing/{account_urn}/insights/{start_date}/{end_date}",
		"GET /v2/images/{image}/actions",
		"GET /v2/reports/droplet_neighbors_ids",
		"GET /v2/volumes/snapshots/{volume_snapshot}",
		"PATCH /v2/domains/{domain}/records/{domain_record}",
		"POST /v2/droplets/{droplet}/destroy_with_associated_resources/retry",
		"POST /v2/images/{image}/account_transfer",
		"POST /v2/images/{image}/account_transfer/accept",
		"POST /v2/images/{image}/account_transfer/cancel",
		"POST /v2/images/{image}/account_transfer/decline",
		"POST /v2/volumes/actions",
		"PUT /v2/projects/default",
		"PUT /v2/projects/{project}",
	}
}

// leftOut are the operations that godo has methods for and that its story leaves out: it
// finds what was listed before, and makes and deletes none. dosim's own tests have them.
func leftOut() []string {
	return []string{
		"DELETE /v2/databases/{database}",
		"DELETE /v2/kubernetes/clusters/{kubernetes_cluster}",
		"DELETE /v2/kubernetes/clusters/{kubernetes_cluster}/destroy_with_associated_resources/dangerous",
		"DELETE /v2/kubernetes/clusters/{kubernetes_cluster}/destroy_with_associated_resources/selective",
		"GET /v2/kubernetes/clusters/{kubernetes_cluster}/destroy_with_associated_resources",
		"POST /v2/databases",
	}
}

// A stand-in for the Terraform provider, which is not run: what it shows and what
// it does not is said at the story itself. Nothing is left when it is over.
func TestTerraformsRequests(t *testing.T) {
	program := pinned().built(t)
	// What the provider was seen to find its snapshot with, and not to find it with.
	found := map[string]string{"action.snapshot": "2s", "lag.snapshot_visible": "3s"}
	s := stepped(t, found)
	s.SeedDroplet(dosim.SeedDroplet{Region: "fra1"}) // whose VPC is the region's default one, that cannot be deleted
	mark := s.Mark()
	if err := tell(t, s, program, "terraform"); err != nil {
		t.Error(err)
	}
	if leaks := s.Leaks(mark); len(leaks) != 0 {
		t.Errorf("left over: %v", leaks)
	}
	late := stepped(t, map[string]string{"action.snapshot": "2s", "lag.snapshot_visible": "30s"})
	if err := tell(t, late, program, "terraform"); err == nil || !strings.Contains(err.Error(), "Could not locate the Droplet Snapshot") {
		t.Errorf("with a snapshot that shows late: %v; want the provider's complaint", err)
	}
}

// A stand-in for doctl, which is not run.
func TestDoctlsRequests(t *testing.T) {
	s := stepped(t, nil)
	if err := tell(t, s, pinned().built(t), "doctl"); err != nil {
		t.Fatal(err)
	}
	if leaks := s.Leaks(0); len(leaks) != 0 {
		t.Errorf("left over: %v", leaks)
	}
	polls := 0
	for _, r := range s.Requests(0) {
		if r.Method == "GET" && strings.HasPrefix(r.Path, "/v2/actions/") {
			polls++
		}
	}
	// 25 s of a create and 60 s of a snapshot, every 5 s.
	if polls != 6+12 {
		t.Errorf("%d polls of actions, want 18", polls)
	}
}
