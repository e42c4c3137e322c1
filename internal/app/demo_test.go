package app

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/app/demo"
	"github.com/arcadia-cloud/arcadia/internal/vault"
)

// The demonstration's own snapshots are bounded; what no saga made is nobody's to
// delete.
func TestDemoPrunesWhatSagasMade(t *testing.T) {
	dir := t.TempDir()
	log := slog.New(slog.DiscardHandler)
	if err := demo.Prepare(dir); err != nil {
		t.Fatal(err)
	}
	cloud, err := demo.OpenCloud(t.Context(), dir, "127.0.0.1:1", 100, log)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cloud.Close() }()
	a, err := Open(t.Context(), Config{
		DataDir: dir, APIURL: cloud.URL, ProvisioningToken: vault.NewSecret("dop_v1_demonstration"), demo: true, cloudSpeed: 100,
		Lease: 15 * time.Second, Horizon: demo.Horizon(100), Settle: demo.Horizon(100), Poll: demo.Poll(100),
	}, "test", log)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = a.Close() }()
	l, err := listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stopped := make(chan error, 1)
	go func() { stopped <- a.run(ctx, l, All, func(string) {}) }()
	defer func() {
		stop()
		if err := <-stopped; err != nil {
			t.Error(err)
		}
	}()
	c, err := client.New("http://"+l.Addr().String(), client.Options{Actor: demo.Actor})
	if err != nil {
		t.Fatal(err)
	}
	traffic := demo.NewTraffic(c, cloud, log)
	first := truth(t, cloud)
	droplets, err := c.Droplets(ctx)
	if err != nil {
		t.Fatal(err)
	}

	res := send(t, http.MethodPost, cloud.URL+"/v2/droplets/"+droplets[0].ID+"/actions", `{"type":"snapshot","name":"by-hand"}`)
	res.Body.Close()
	if res.StatusCode != http.StatusCreated {
		t.Fatalf("a snapshot by hand: %s", res.Status)
	}
	for _, d := range droplets[1:6] {
		s, _, err := c.SnapshotDroplet(ctx, client.DropletRef{Droplet: d.ID}, "")
		if err == nil {
			s, err = c.Watch(ctx, s.ID, func(client.Saga) {})
		}
		if err != nil || s.State != client.Completed {
			t.Fatalf("snapshot of %s: %s, %v", d.Name, s.State, err)
		}
	}
	before := truth(t, cloud)[len(first):]
	if len(before) != 6 || before[0] != "by-hand" {
		t.Fatalf("the cloud has %v, want one by hand and five of sagas", before)
	}
	// A few requests fail in realistic weather; later rounds make up for them.
	for range 20 {
		if err = traffic.Prune(ctx, 3); err == nil && len(truth(t, cloud)) == len(first)+4 {
			break
		}
	}
	if got, want := truth(t, cloud), slices.Concat(first, []string{"by-hand"}, before[3:]); !slices.Equal(got, want) {
		t.Errorf("of %v there is %v left, want %v; %v", before, got, want, err)
	}
}

// truth are the names of the snapshots that the cloud really has, the oldest first.
func truth(t *testing.T, c *demo.Cloud) (names []string) {
	t.Helper()
	var list struct{ Items []struct{ Name string } }
	res := send(t, http.MethodGet, c.AdminURL+"/truth?kind=snapshot", "")
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(&list); err != nil {
		t.Fatal(err)
	}
	for _, s := range list.Items {
		if !strings.Contains(s.Name, " ") { // a backup, which is made when its hour comes
			names = append(names, s.Name)
		}
	}
	return names
}

func send(t *testing.T, method, url, body string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer dop_v1_somebody")
	req.Header.Set("Content-Type", "application/json")
	res, err := (&http.Client{Timeout: time.Minute}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return res
}
