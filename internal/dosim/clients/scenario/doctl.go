package scenario

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/digitalocean/godo"
)

// doctl stands in for doctl, which is not run: it makes the requests that some of
// doctl's commands are known to make, with the godo that doctl pins. A list asks for pages of 200, --wait polls every
// 5 seconds, and what fails for no fault of the request is sent again.
func (d drive) doctl() {
	// doctl account get, while the API is out of order
	d.steer("/faults", `{"kind":"5xx_before","times":2,"match":{"method":"GET","path":"/v2/account"}}`)
	want("account get", got(d.Account.Get(d.ctx)).Status, "active")
	// doctl compute ssh-key import, list
	got(d.Keys.Create(d.ctx, &godo.KeyCreateRequest{Name: "ops", PublicKey: publicKey}))
	d.settle()
	keys := every(d.Keys.List, d)
	want("ssh-key list", names(keys, func(k godo.Key) string { return k.Name }), []string{"ops"})
	// doctl compute tag create, list
	got(d.Tags.Create(d.ctx, &godo.TagCreateRequest{Name: "fleet"}))

	// doctl compute droplet create --wait
	r := plainDroplet("solo")
	r.SSHKeys = []godo.DropletCreateSSHKey{{Fingerprint: keys[0].Fingerprint}}
	made, resp, err := d.Droplets.Create(d.ctx, r)
	must(err)
	i := slices.IndexFunc(resp.Links.Actions, func(l godo.LinkAction) bool { return l.Rel == "create" })
	for {
		a := got(d.DropletActions.GetByURI(d.ctx, resp.Links.Actions[i].HREF))
		if a.Status != godo.ActionInProgress {
			want("droplet create --wait", a.Status, godo.ActionCompleted)
			break
		}
		d.pass(5 * time.Second)
	}
	want("the droplet then", d.status(made.ID), "active")

	// doctl compute droplet-action snapshot --wait, droplet snapshots, snapshot list
	a := got(d.DropletActions.Snapshot(d.ctx, made.ID, "by-hand"))
	d.pass(5 * time.Second)
	d.ended(a.ID, 5*time.Second)
	d.settle()
	shots := every(func(ctx context.Context, o *godo.ListOptions) ([]godo.Image, *godo.Response, error) {
		return d.Droplets.Snapshots(ctx, made.ID, o)
	}, d)
	want("droplet snapshots", names(shots, func(i godo.Image) string { return i.Name }), []string{"by-hand"})
	want("snapshot list", len(every(d.Snapshots.List, d)), 1)
	want("image list-user", len(every(d.Images.ListUser, d)), 1)
	d.steer("/faults", `{"kind":"5xx_before","status":502,"times":1,"match":{"method":"DELETE","path":"/v2/snapshots/*"}}`)
	done(d.Snapshots.Delete(d.ctx, strconv.Itoa(shots[0].ID)))

	// doctl compute droplet create, of more than fit a page, ten by ten
	var fleet []string
	for len(fleet) < 230 {
		var some []string
		for range 10 {
			some = append(some, fmt.Sprintf("fleet-%03d", len(fleet)+len(some)))
		}
		_, _, err := d.Droplets.CreateMultiple(d.ctx, &godo.DropletMultiCreateRequest{
			Names: some, Region: "nyc3", Size: "s-1vcpu-1gb", Image: godo.DropletCreateImage{Slug: "ubuntu-24-04-x64"}, Tags: []string{"fleet"},
		})
		must(err)
		fleet = append(fleet, some...)
		d.pass(time.Second)
	}
	d.settle()
	droplets := every(d.Droplets.List, d)
	want("droplet list", names(droplets, func(d godo.Droplet) string { return d.Name }), append([]string{"solo"}, fleet...))
	// doctl compute droplet delete NAME: it looks for the name itself
	i = slices.IndexFunc(droplets, func(d godo.Droplet) bool { return d.Name == "fleet-229" })
	done(d.Droplets.Delete(d.ctx, droplets[i].ID))
	// doctl compute droplet delete --tag-name
	done(d.Droplets.DeleteByTag(d.ctx, "fleet"))
	d.settle()
	want("droplet list then", len(every(d.Droplets.List, d)), 1)

	// doctl sends a POST again too. Where the lost answer was a success there are two.
	d.steer("/faults", `{"kind":"5xx_after_commit","times":1,"match":{"method":"POST","path":"/v2/droplets"}}`)
	twice := got(d.Droplets.Create(d.ctx, plainDroplet("twice")))
	d.settle()
	want("droplets with the name", len(got(d.Droplets.ListByName(d.ctx, "twice", all()))), 2)
	for _, one := range every(d.Droplets.List, d) {
		done(d.Droplets.Delete(d.ctx, one.ID))
	}
	// doctl compute droplet get, of what is not there: exit status 1, with the message
	_, resp, err = d.Droplets.Get(d.ctx, twice.ID)
	if _, ok := errors.AsType[*godo.ErrorResponse](err); !ok || resp.StatusCode != http.StatusNotFound {
		fail("droplet get of a droplet that is gone: %v", err)
	}
	// doctl compute tag delete, ssh-key delete
	done(d.Tags.Delete(d.ctx, "fleet"))
	done(d.Keys.DeleteByFingerprint(d.ctx, keys[0].Fingerprint))
	// doctl balance get, invoice list
	want("balance get", got(d.Balance.Get(d.ctx)).AccountBalance, "0.00")
	want("invoice list", len(got(d.Invoices.List(d.ctx, all())).Invoices), 0)
}

// every is all pages of a list, as doctl asks for them: the first, and then those
// that the last link says there are.
func every[T any](list func(context.Context, *godo.ListOptions) ([]T, *godo.Response, error), d drive) []T {
	found, resp, err := list(d.ctx, all())
	must(err)
	if resp.Links == nil || resp.Links.Pages == nil || resp.Links.Pages.Last == "" {
		return found
	}
	u, err := url.Parse(resp.Links.Pages.Last)
	must(err)
	last := number(u.Query().Get("page"))
	for page := 2; page <= last; page++ {
		found = append(found, got(list(d.ctx, &godo.ListOptions{Page: page, PerPage: 200}))...)
	}
	return found
}
