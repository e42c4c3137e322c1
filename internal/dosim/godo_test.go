package dosim_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/digitalocean/godo"
	"golang.org/x/oauth2"

	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
)

// godoClient is an unmodified godo that talks to s.
func godoClient(t testing.TB, s *dosimtest.Server) *godo.Client {
	t.Helper()
	client := *s.Client
	client.Transport = &oauth2.Transport{
		Base: s.Client.Transport, Source: oauth2.StaticTokenSource(&oauth2.Token{AccessToken: s.Token}),
	}
	g, err := godo.New(&client, godo.SetBaseURL(s.URL))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestGodoDrivesADropletsLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := pipe(t)
		g := godoClient(t, s)
		ctx := t.Context()

		d, resp, err := g.Droplets.Create(ctx, &godo.DropletCreateRequest{
			Name: "web-1", Region: "nyc3", Size: "s-1vcpu-1gb", Image: godo.DropletCreateImage{Slug: "ubuntu-24-04-x64"}, Tags: []string{"web"},
		})
		if err != nil {
			t.Fatal(err)
		}
		if d.Status != "new" || resp.StatusCode != 202 {
			t.Errorf("created droplet is %q with %d, want new with 202", d.Status, resp.StatusCode)
		}
		created := resp.Links.Actions[0]
		time.Sleep(26 * time.Second)
		if a, _, err := g.Actions.Get(ctx, created.ID); err != nil || a.Status != "completed" {
			t.Fatalf("create action = %v, %v; want completed", a, err)
		}
		if d, _, err = g.Droplets.Get(ctx, d.ID); err != nil || d.Status != "active" {
			t.Fatalf("droplet = %v, %v; want active", d, err)
		}
		if ip, _ := d.PublicIPv4(); ip == "" {
			t.Error("an active droplet has no public address")
		}

		a, _, err := g.DropletActions.Snapshot(ctx, d.ID, "before-upgrade")
		if err != nil {
			t.Fatal(err)
		}
		for a.Status == "in-progress" {
			time.Sleep(5 * time.Second)
			if a, _, err = g.DropletActions.Get(ctx, d.ID, a.ID); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(5 * time.Second)
		snaps, _, err := g.Snapshots.ListDroplet(ctx, nil)
		if err != nil || len(snaps) != 1 || snaps[0].Name != "before-upgrade" {
			t.Fatalf("snapshots = %v, %v; want before-upgrade alone", snaps, err)
		}
		if _, err := g.Snapshots.Delete(ctx, snaps[0].ID); err != nil {
			t.Fatal(err)
		}
		if _, err := g.Droplets.Delete(ctx, d.ID); err != nil {
			t.Fatal(err)
		}
		if leaks := s.Leaks(0); len(leaks) != 0 {
			t.Errorf("left over: %v", leaks)
		}
	})
}

func TestGodoPagesThroughDroplets(t *testing.T) {
	s := start(t)
	for range 45 {
		s.SeedDroplet(dosim.SeedDroplet{})
	}
	g := godoClient(t, s)
	seen := map[int]bool{}
	opt := &godo.ListOptions{}
	requests := 0
	for {
		ds, resp, err := g.Droplets.List(t.Context(), opt)
		if err != nil {
			t.Fatal(err)
		}
		requests++
		for _, d := range ds {
			seen[d.ID] = true
		}
		if resp.Meta.Total != 45 {
			t.Errorf("meta.total = %d, want 45", resp.Meta.Total)
		}
		if resp.Links.IsLastPage() {
			break
		}
		page, err := resp.Links.CurrentPage()
		if err != nil {
			t.Fatal(err)
		}
		opt.Page = page + 1
	}
	if len(seen) != 45 || requests != 3 {
		t.Errorf("%d droplets in %d pages, want 45 in 3", len(seen), requests)
	}
}

// godo has callers look for these words in a refusal; the CSI driver does.
func TestVolumesAreRefusedInGodosWords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := pipe(t, dosim.Options{Params: map[string]string{"limit.volumes": "17"}})
		g, ctx := godoClient(t, s), t.Context()
		id := int(s.SeedDroplet(dosim.SeedDroplet{}))
		volume := func(n int) string {
			v, _, err := g.Storage.CreateVolume(ctx, &godo.VolumeCreateRequest{Name: fmt.Sprintf("data-%d", n), Region: "nyc3", SizeGigaBytes: 1})
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(5 * time.Second)
			return v.ID
		}
		attach := func(id string, to int) error {
			_, _, err := g.StorageActions.Attach(ctx, id, to)
			return err
		}
		var volumes []string
		for n := range 17 {
			volumes = append(volumes, volume(n))
		}
		for n, v := range volumes[:15] {
			if err := attach(v, id); err != nil {
				t.Fatalf("volume %d: %v", n, err)
			}
			if n == 0 {
				wantRefusal(t, attach(volumes[1], id), 422, godo.ErrDropletPendingEvent)
			}
			time.Sleep(10 * time.Second)
		}
		wantRefusal(t, attach(volumes[0], id), 422, godo.ErrVolumeAlreadyAttached)
		wantRefusal(t, attach(volumes[15], id), 422, godo.ErrPerDropletVolumeCountLimit)
		_, _, err := g.StorageActions.DetachByDropletID(ctx, volumes[15], id)
		wantRefusal(t, err, 422, godo.ErrAttachmentNotFound)
		_, _, err = g.Storage.CreateVolume(ctx, &godo.VolumeCreateRequest{Name: "one-more", Region: "nyc3", SizeGigaBytes: 1})
		wantRefusal(t, err, 403, godo.ErrVolumeCapacityLimitExceeded)
	})
}

func wantRefusal(t *testing.T, err error, status int, words string) {
	t.Helper()
	e, ok := errors.AsType[*godo.ErrorResponse](err)
	if !ok || e.Response.StatusCode != status || !strings.Contains(e.Message, words) {
		t.Errorf("refused with %v, want %d and %q", err, status, words)
	}
}
