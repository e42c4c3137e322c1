// Package scenario is what every version of godo must be able to do with a
// simulated DigitalOcean. It is compiled once for each of them.
package scenario

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/digitalocean/godo"
	"golang.org/x/oauth2"
)

const publicKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPfo2BhL0jHXk1F1bBqaTJZRWeTIQzMIdRvZ6FRBxl5c ops"

// A drive is one run.
type drive struct {
	*godo.Client
	ctx   context.Context //nolint:containedctx // of the one run that it is
	admin string
}

// Run goes through the scenario against the cloud at api, whose own port is
// admin. An answer that is not as expected is an error.
func Run(api, admin, token string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	source := oauth2.StaticTokenSource(&oauth2.Token{AccessToken: token})
	client, err := godo.New(oauth2.NewClient(ctx, source), godo.SetBaseURL(api))
	if err != nil {
		return err
	}
	d := drive{client, ctx, admin}
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"the account and its catalogue", d.catalogue},
		{"a droplet's life", d.droplets},
		{"networks", d.networks},
		{"what is refused", d.refusals},
	} {
		if err := step.do(); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
	}
	return nil
}

// pass advances the cloud's clock.
func (d drive) pass(t time.Duration) error {
	body := strings.NewReader(fmt.Sprintf(`{"seconds":%v}`, t.Seconds()))
	r, err := http.NewRequestWithContext(d.ctx, http.MethodPost, d.admin+"/clock/advance", body)
	if err != nil {
		return err
	}
	client := http.Client{Timeout: 10 * time.Second}
	resp, err := client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		b, _ := io.ReadAll(resp.Body)
		return fmt.Errorf("the clock: %s %s", resp.Status, b)
	}
	return nil
}

// ended polls an action, as clients do, until it has ended well.
func (d drive) ended(id int) error {
	for range 60 {
		a, _, err := d.Actions.Get(d.ctx, id)
		if err != nil {
			return err
		}
		switch a.Status {
		case godo.ActionCompleted:
			return nil
		case godo.ActionInProgress:
		default:
			return fmt.Errorf("action %d is %s", id, a.Status)
		}
		if err := d.pass(5 * time.Second); err != nil {
			return err
		}
	}
	return fmt.Errorf("action %d does not end", id)
}

func (d drive) catalogue() error {
	if a, _, err := d.Account.Get(d.ctx); err != nil || a.Status != "active" {
		return fmt.Errorf("account %v: %w", a, err)
	}
	if _, _, err := d.Keys.Create(d.ctx, &godo.KeyCreateRequest{Name: "ops", PublicKey: publicKey}); err != nil {
		return err
	}
	if _, _, err := d.Tags.Create(d.ctx, &godo.TagCreateRequest{Name: "web"}); err != nil {
		return err
	}
	if err := d.pass(10 * time.Second); err != nil {
		return err
	}
	all := &godo.ListOptions{PerPage: 200}
	keys, _, err := d.Keys.List(d.ctx, all)
	if err != nil || len(keys) != 1 {
		return fmt.Errorf("keys %v: %w", keys, err)
	}
	sizes, _, err := d.Sizes.List(d.ctx, all)
	if err != nil || len(sizes) == 0 {
		return fmt.Errorf("%d sizes: %w", len(sizes), err)
	}
	image, _, err := d.Images.GetBySlug(d.ctx, "ubuntu-24-04-x64")
	if err != nil || image.Slug != "ubuntu-24-04-x64" {
		return fmt.Errorf("image %v: %w", image, err)
	}
	return nil
}

func (d drive) droplets() error {
	var ids []int
	for _, name := range []string{"web-1", "web-2", "web-3"} {
		made, resp, err := d.Droplets.Create(d.ctx, &godo.DropletCreateRequest{
			Name: name, Region: "nyc3", Size: "s-1vcpu-1gb", Image: godo.DropletCreateImage{Slug: "ubuntu-24-04-x64"}, Tags: []string{"web"},
		})
		if err != nil {
			return err
		}
		if err := d.ended(resp.Links.Actions[0].ID); err != nil {
			return err
		}
		ids = append(ids, made.ID)
	}
	one, _, err := d.Droplets.Get(d.ctx, ids[0])
	if err != nil || one.Status != "active" || one.VPCUUID == "" {
		return fmt.Errorf("droplet %v: %w", one, err)
	}
	if ip, err := one.PublicIPv4(); err != nil || ip == "" {
		return fmt.Errorf("address %q: %w", ip, err)
	}
	a, _, err := d.DropletActions.Snapshot(d.ctx, ids[0], "before-upgrade")
	if err != nil {
		return err
	}
	if err := d.ended(a.ID); err != nil {
		return err
	}
	if a, _, err = d.DropletActions.PowerOff(d.ctx, ids[1]); err != nil {
		return err
	}
	if err := d.ended(a.ID); err != nil {
		return err
	}
	if err := d.pass(30 * time.Second); err != nil {
		return err
	}
	shots, _, err := d.Droplets.Snapshots(d.ctx, ids[0], &godo.ListOptions{PerPage: 200})
	if err != nil || len(shots) != 1 || shots[0].Created != a.StartedAt.Format(time.RFC3339) && shots[0].Name != "before-upgrade" {
		return fmt.Errorf("snapshots %v: %w", shots, err)
	}
	if off, _, err := d.Droplets.Get(d.ctx, ids[1]); err != nil || off.Status != "off" {
		return fmt.Errorf("droplet %v: %w", off, err)
	}
	if _, err := d.Droplets.Delete(d.ctx, ids[2]); err != nil {
		return err
	}
	if err := d.pass(30 * time.Second); err != nil {
		return err
	}
	left, _, err := d.Droplets.ListByTag(d.ctx, "web", &godo.ListOptions{PerPage: 200})
	if err != nil || len(left) != 2 {
		return fmt.Errorf("%d droplets with the tag: %w", len(left), err)
	}
	return nil
}

func (d drive) networks() error {
	vpc, _, err := d.VPCs.Create(d.ctx, &godo.VPCCreateRequest{Name: "inside", RegionSlug: "nyc3", IPRange: "10.77.0.0/20"})
	if err != nil {
		return err
	}
	if err := d.pass(10 * time.Second); err != nil {
		return err
	}
	if got, _, err := d.VPCs.Get(d.ctx, vpc.ID); err != nil || got.IPRange != "10.77.0.0/20" {
		return fmt.Errorf("VPC %v: %w", got, err)
	}
	if _, _, err := d.Domains.Create(d.ctx, &godo.DomainCreateRequest{Name: "example.com"}); err != nil {
		return err
	}
	if err := d.pass(10 * time.Second); err != nil {
		return err
	}
	record := &godo.DomainRecordEditRequest{Type: "A", Name: "www", Data: "192.0.2.1", TTL: 600}
	if _, _, err := d.Domains.CreateRecord(d.ctx, "example.com", record); err != nil {
		return err
	}
	_, _, err = d.Firewalls.Create(d.ctx, &godo.FirewallRequest{
		Name: "web", Tags: []string{"web"},
		InboundRules: []godo.InboundRule{{Protocol: "tcp", PortRange: "443", Sources: &godo.Sources{Addresses: []string{"0.0.0.0/0", "::/0"}}}},
		OutboundRules: []godo.OutboundRule{
			{Protocol: "tcp", PortRange: "all", Destinations: &godo.Destinations{Addresses: []string{"0.0.0.0/0", "::/0"}}},
		},
	})
	return err
}

// refusals are told as errors of godo's own.
func (d drive) refusals() error {
	_, resp, err := d.Droplets.Get(d.ctx, 1)
	var refusal *godo.ErrorResponse
	if !errors.As(err, &refusal) || resp.StatusCode != http.StatusNotFound || refusal.RequestID == "" {
		return fmt.Errorf("a droplet that is not there: %w", err)
	}
	_, resp, err = d.Droplets.Create(d.ctx, &godo.DropletCreateRequest{Name: "no name", Region: "nyc3", Size: "s-1vcpu-1gb"})
	if err == nil || resp.StatusCode != http.StatusUnprocessableEntity {
		return fmt.Errorf("a droplet that cannot be: %w", err)
	}
	return nil
}
