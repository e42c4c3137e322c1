package digitalocean_test

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/digitalocean/godo"

	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/dosim"
)

func param(name, value string) map[string]string { return map[string]string{name: value} }

// quirks are those of compute; networkQuirks those of the rest.
var quirks = append([]quirk{
	{
		number: 1, name: "one pending event per droplet", on: param("pending_event", "1"), off: param("pending_event", "0"),
		naive: func(u *cloudUser) error {
			if _, err := u.want("POST", u.path()+"/actions", body{"type": "reboot"}); err != nil {
				return err
			}
			_, err := u.want("POST", u.path()+"/actions", body{"type": "snapshot", "name": "x"})
			return err
		},
		ours: func(u *cloudUser) error {
			if _, err := u.want("POST", u.path()+"/actions", body{"type": "reboot"}); err != nil {
				return err
			}
			_, err := u.CreateDropletSnapshot(u.may().in(u.t.Context()), u.droplet, u.marker())
			if !errors.Is(err, digitalocean.PendingEvent) {
				return fmt.Errorf("busy is taken for %w", err)
			}
			_, err = u.ensureSnapshot()
			return err
		},
	},
	{
		number: 2, name: "a new droplet is not found for a while", on: param("lag.get_after_create", "30s"), off: param("lag.get_after_create", "0s"),
		naive: func(u *cloudUser) error {
			made, err := u.want("POST", "/v2/droplets", aDroplet("new"))
			if err != nil {
				return err
			}
			_, err = u.want("GET", "/v2/droplets/"+id(in(made, "droplet", "id")), nil)
			return err
		},
		ours: func(u *cloudUser) error {
			made, err := u.want("POST", "/v2/droplets", aDroplet("new"))
			if err != nil {
				return err
			}
			return u.until("the droplet", func() (bool, error) {
				_, err := u.Droplet(u.t.Context(), int64(in(made, "droplet", "id").(float64)))
				if errors.Is(err, digitalocean.NotFound) { // within the horizon that says nothing
					return false, nil
				}
				return err == nil, err
			})
		},
	},
	{
		number: 2, name: "a new droplet is missing from lists for a while", on: param("lag.list_after_create", "30s"), off: param("lag.list_after_create", "0s"),
		naive: func(u *cloudUser) error {
			if _, err := u.want("POST", "/v2/droplets", aDroplet("new")); err != nil {
				return err
			}
			list, err := u.want("GET", "/v2/droplets?name=new", nil)
			if all, _ := in(list, "droplets").([]any); err == nil && len(all) != 1 {
				err = errors.New("there is none of that name: it would be made again")
			}
			return err
		},
		ours: func(u *cloudUser) error {
			if _, err := u.want("POST", "/v2/droplets", aDroplet("new")); err != nil {
				return err
			}
			return u.until("the droplet", func() (bool, error) { all, err := u.DropletByName(u.t.Context(), "new"); return len(all) == 1, err })
		},
	},
	{
		number: 3, name: "what was created vanishes", fault: &dosim.Fault{Kind: dosim.CreateVanishes, Match: dosim.Match{Method: "POST", Path: "/v2/droplets"}},
		naive: func(u *cloudUser) error { // 202: it is on its way
			made, err := u.want("POST", "/v2/droplets", aDroplet("new"))
			if err != nil {
				return err
			}
			return u.until("the droplet to be active", func() (bool, error) {
				got, err := u.want("GET", "/v2/droplets/"+id(in(made, "droplet", "id")), nil)
				return in(got, "droplet", "status") == "active", ignore404(err)
			})
		},
		ours: func(u *cloudUser) error {
			made, err := u.want("POST", "/v2/droplets", aDroplet("new"))
			if err != nil {
				return err
			}
			time.Sleep(4 * time.Minute) // a horizon: after it NotFound is the truth
			if _, err := u.Droplet(u.t.Context(), int64(in(made, "droplet", "id").(float64))); !errors.Is(err, digitalocean.NotFound) {
				return fmt.Errorf("it is there: %w", err)
			}
			return nil
		},
	},
	{
		number: 6, name: "a snapshot's action does not name the snapshot",
		naive: func(u *cloudUser) error {
			a, err := u.want("POST", u.path()+"/actions", body{"type": "snapshot", "name": "x"})
			if err != nil {
				return err
			}
			time.Sleep(5 * time.Minute)
			_, err = u.want("GET", "/v2/snapshots/"+id(in(a, "action", "resource_id")), nil)
			return err
		},
		ours: func(u *cloudUser) error { _, err := u.ensureSnapshot(); return err },
	},
	{
		number: 7, name: "a snapshot is listed late", on: param("lag.snapshot_visible", "30s"), off: param("lag.snapshot_visible", "0s"),
		naive: func(u *cloudUser) error { // as the Terraform provider: the list is read once
			a, err := u.want("POST", u.path()+"/actions", body{"type": "snapshot", "name": "x"})
			if err != nil {
				return err
			}
			for in(a, "action", "status") != "completed" {
				time.Sleep(time.Second)
				if a, err = u.want("GET", "/v2/actions/"+id(in(a, "action", "id")), nil); err != nil {
					return err
				}
			}
			list, err := u.want("GET", "/v2/snapshots?per_page=200", nil)
			if err == nil && len(in(list, "snapshots").([]any)) == 0 {
				err = errors.New("could not locate the snapshot")
			}
			return err
		},
		ours: func(u *cloudUser) error { _, err := u.ensureSnapshot(); return err },
	},
	{
		number: 8, name: "completed_at is null in one view", on: param("quirk.completed_at_null", "1"), off: param("quirk.completed_at_null", "0"),
		naive: func(u *cloudUser) error {
			a, err := u.want("POST", u.path()+"/actions", body{"type": "snapshot", "name": "x"})
			if err != nil {
				return err
			}
			return u.until("completed_at", func() (bool, error) {
				got, err := u.want("GET", u.path()+"/actions/"+id(in(a, "action", "id")), nil)
				return in(got, "action", "completed_at") != nil, err
			})
		},
		ours: func(u *cloudUser) error {
			a := u.snapshot(u.t)
			return u.until("the action's end", func() (bool, error) {
				got, err := u.DropletAction(u.t.Context(), u.droplet, a.ID)
				return got.Status.Terminal(), err
			})
		},
	},
	{
		number: 9, name: "a status that is none", fault: &dosim.Fault{Kind: dosim.UnknownStatus, Match: dosim.Match{Method: "POST", Path: "/v2/droplets/*/actions"}},
		naive: func(u *cloudUser) error {
			a, err := u.want("POST", u.path()+"/actions", body{"type": "snapshot", "name": "x"})
			if err != nil {
				return err
			}
			return u.until("the end", func() (bool, error) {
				got, err := u.want("GET", u.path()+"/actions/"+id(in(a, "action", "id")), nil)
				return in(got, "action", "status") == "completed", err
			})
		},
		ours: func(u *cloudUser) error { // the status counts as running, and a second witness tells the end
			a := u.snapshot(u.t)
			if err := u.until("the snapshot", func() (bool, error) { s, err := u.byName(u.marker()); return s.ID != "", err }); err != nil {
				return err
			}
			got, err := u.DropletAction(u.t.Context(), u.droplet, a.ID)
			if err == nil && (got.Status.Terminal() || !strings.Contains(u.log.String(), "not documented")) {
				err = fmt.Errorf("the status %q passes for an end, or nobody is told", got.Status)
			}
			return err
		},
	},
	{
		number: 10, name: "the poll of an action fails", fault: &dosim.Fault{Kind: dosim.ActionPoll404, Match: dosim.Match{Path: "/v2/droplets/*/actions/*"}},
		naive: func(u *cloudUser) error {
			a, err := u.want("POST", u.path()+"/actions", body{"type": "snapshot", "name": "x"})
			if err != nil {
				return err
			}
			time.Sleep(time.Minute)
			_, err = u.want("GET", u.path()+"/actions/"+id(in(a, "action", "id")), nil)
			return err
		},
		ours: func(u *cloudUser) error { // the list of actions is the second witness
			a := u.snapshot(u.t)
			return u.until("the action's end", func() (bool, error) {
				if _, err := u.DropletAction(u.t.Context(), u.droplet, a.ID); !errors.Is(err, digitalocean.NotFound) {
					return false, fmt.Errorf("the poll ended with %w", err)
				}
				all, err := u.DropletActions(u.t.Context(), u.droplet)
				for _, other := range all.Items {
					if other.ID == a.ID && other.Status == digitalocean.ActionCompleted {
						return true, nil
					}
				}
				return false, err
			})
		},
	},
	{
		number: 10, name: "the poll of an action answers 500", fault: &dosim.Fault{Kind: dosim.ActionPoll500, Match: dosim.Match{Path: "/v2/droplets/*/actions/*"}},
		naive: func(u *cloudUser) error {
			a, err := u.want("POST", u.path()+"/actions", body{"type": "snapshot", "name": "x"})
			if err != nil {
				return err
			}
			_, err = u.want("GET", u.path()+"/actions/"+id(in(a, "action", "id")), nil)
			return err
		},
		ours: func(u *cloudUser) error { // it says nothing of the action: the snapshot is there in the end
			a := u.snapshot(u.t)
			if _, err := u.DropletAction(u.t.Context(), u.droplet, a.ID); !errors.Is(err, digitalocean.Unavailable) {
				return fmt.Errorf("the poll ended with %w", err)
			}
			return u.until("the snapshot", func() (bool, error) { s, err := u.byName(u.marker()); return s.ID != "", err })
		},
	},
	{
		number: 11, name: "the droplet's status lags behind its action", on: param("lag.status", "20s"), off: param("lag.status", "0s"),
		naive: func(u *cloudUser) error {
			a, err := u.want("POST", u.path()+"/actions", body{"type": "power_off"})
			if err != nil {
				return err
			}
			for in(a, "action", "status") != "completed" {
				time.Sleep(time.Second)
				if a, err = u.want("GET", "/v2/actions/"+id(in(a, "action", "id")), nil); err != nil {
					return err
				}
			}
			got, err := u.want("GET", u.path(), nil)
			if err == nil && in(got, "droplet", "status") != "off" {
				err = errors.New("it is not off although it was switched off")
			}
			return err
		},
		ours: func(u *cloudUser) error {
			if _, err := u.want("POST", u.path()+"/actions", body{"type": "power_off"}); err != nil {
				return err
			}
			return u.until("the droplet to be off", func() (bool, error) { d, err := u.Droplet(u.t.Context(), u.droplet); return d.Status == "off", err })
		},
	},
	{
		number: 18, name: "a create sent again makes two", fault: &dosim.Fault{Kind: dosim.ServerErrorAfter, Match: dosim.Match{Method: "POST", Path: "/v2/droplets"}, Times: 1},
		naive: func(u *cloudUser) error {
			client, err := u.godo()
			if err != nil {
				return err
			}
			_, _, err = client.Droplets.Create(u.t.Context(), &godo.DropletCreateRequest{
				Name: "new", Region: "nyc3", Size: "s-1vcpu-1gb", Image: godo.DropletCreateImage{Slug: "debian-12-x64"},
			})
			if n := u.made("droplet"); err == nil && n != 1 {
				err = fmt.Errorf("it made %d droplets", n)
			}
			return err
		},
		ours: func(u *cloudUser) error {
			_, err := u.ensureDroplet()
			if n := u.made("droplet"); err == nil && n != 1 {
				err = fmt.Errorf("it made %d droplets", n)
			}
			return err
		},
	},
	{
		number: 19, name: "a list is cut into pages of 20",
		naive: func(u *cloudUser) error {
			client, err := u.godo()
			if err != nil {
				return err
			}
			u.seed(29)
			all, _, err := client.Droplets.List(u.t.Context(), &godo.ListOptions{})
			if err == nil && len(all) != 30 {
				err = fmt.Errorf("it sees %d of 30 droplets", len(all))
			}
			return err
		},
		ours: func(u *cloudUser) error { u.seed(29); return u.sees(30) },
	},
	{
		number: 19, name: "pages shift while they are read", fault: &dosim.Fault{Kind: dosim.MissingAcrossPages, Match: dosim.Match{Path: "/v2/droplets"}, Times: 1},
		naive: func(u *cloudUser) error {
			client, err := u.godo()
			if err != nil {
				return err
			}
			u.seed(249)
			n := 0
			for page := 1; ; page++ {
				all, resp, err := client.Droplets.List(u.t.Context(), &godo.ListOptions{Page: page, PerPage: 200})
				if err != nil {
					return err
				}
				if n += len(all); resp.Links.IsLastPage() {
					break
				}
			}
			if n != 250 {
				err = fmt.Errorf("it sees %d of 250 droplets", n)
			}
			return err
		},
		ours: func(u *cloudUser) error { u.seed(249); return u.sees(250) },
	},
	{
		number: 19, name: "an item ends one page and begins the next", fault: &dosim.Fault{Kind: dosim.DuplicateAcrossPages, Match: dosim.Match{Path: "/v2/droplets"}, Times: 1},
		naive: func(u *cloudUser) error {
			client, err := u.godo()
			if err != nil {
				return err
			}
			u.seed(249)
			n := 0
			for page := 1; ; page++ {
				all, resp, err := client.Droplets.List(u.t.Context(), &godo.ListOptions{Page: page, PerPage: 200})
				if err != nil {
					return err
				}
				if n += len(all); resp.Links.IsLastPage() {
					break
				}
			}
			if n != 250 {
				err = fmt.Errorf("it sees %d of 250 droplets", n)
			}
			return err
		},
		ours: func(u *cloudUser) error { u.seed(249); return u.sees(250) },
	},
	{
		number: 20, name: "a failed list passes for an empty one", fault: &dosim.Fault{Kind: dosim.ServerErrorBefore, Match: dosim.Match{Path: "/v2/droplets"}, Times: 1},
		naive: func(u *cloudUser) error {
			list, _ := u.want("GET", "/v2/droplets?per_page=200", nil) // an error is as good as nothing
			if all, _ := in(list, "droplets").([]any); len(all) != 1 {
				return fmt.Errorf("it sees %d droplets and would make another", len(all))
			}
			return nil
		},
		ours: func(u *cloudUser) error { return u.sees(1) },
	},
	{
		number: 22, name: "the proxy answers in HTML", fault: &dosim.Fault{Kind: dosim.HTML504, Match: dosim.Match{Path: "/v2/droplets/*"}, Times: 1},
		naive: func(u *cloudUser) error { _, err := u.want("GET", u.path(), nil); return err },
		ours:  func(u *cloudUser) error { _, err := u.Droplet(u.t.Context(), u.droplet); return err },
	},
	{
		number: 23, name: "the connection is reset after the effect", fault: &dosim.Fault{Kind: dosim.ResetAfter, Match: dosim.Match{Method: "POST", Path: "/v2/droplets/*/actions"}, Times: 1},
		naive: func(u *cloudUser) error { // nothing came back, so nothing was done
			_, err := u.want("POST", u.path()+"/actions", body{"type": "snapshot", "name": "x"})
			if err != nil {
				_, err = u.want("POST", u.path()+"/actions", body{"type": "snapshot", "name": "x"})
			}
			return err
		},
		ours: func(u *cloudUser) error {
			_, err := u.ensureSnapshot()
			if n := u.made("snapshot"); err == nil && (n != 1 || u.sent("POST") != 1) {
				err = fmt.Errorf("%d snapshots by %d requests", n, u.sent("POST"))
			}
			return err
		},
	},
	{
		number: 23, name: "the connection is reset before the effect", fault: &dosim.Fault{Kind: dosim.ResetBefore, Match: dosim.Match{Method: "POST", Path: "/v2/droplets/*/actions"}, Times: 1},
		naive: func(u *cloudUser) error {
			_, err := u.want("POST", u.path()+"/actions", body{"type": "snapshot", "name": "x"})
			return err
		},
		ours: func(u *cloudUser) error { _, err := u.ensureSnapshot(); return err },
	},
	{
		number: 24, name: "503 on a create with quota left", fault: &dosim.Fault{Kind: dosim.ServerErrorBefore, Match: dosim.Match{Method: "POST", Path: "/v2/droplets"}, Times: 1},
		naive: func(u *cloudUser) error {
			_, err := u.want("POST", "/v2/droplets", aDroplet("new"))
			return err
		},
		ours: func(u *cloudUser) error { // a look first: then a second request is no second droplet
			_, err := u.ensureDroplet()
			if n := u.made("droplet"); err == nil && n != 1 {
				err = fmt.Errorf("it made %d droplets", n)
			}
			return err
		},
	},
	{
		number: 31, name: "what is deleted lingers in lists", on: param("lag.list_after_delete", "60s"), off: param("lag.list_after_delete", "0s"),
		naive: func(u *cloudUser) error {
			s, err := u.ensureSnapshot()
			if err != nil {
				return err
			}
			if _, err := u.want("DELETE", "/v2/snapshots/"+s.ID, nil); err != nil {
				return err
			}
			list, err := u.want("GET", "/v2/snapshots?per_page=200", nil)
			if err == nil && len(in(list, "snapshots").([]any)) > 0 {
				err = errors.New("it is not gone: delete it again")
			}
			return err
		},
		ours: func(u *cloudUser) error { // its own address is the authority
			s, err := u.ensureSnapshot()
			if err != nil {
				return err
			}
			if err := u.DeleteSnapshot(u.may(s.ID).in(u.t.Context()), s.ID); err != nil {
				return err
			}
			if _, err := u.Snapshot(u.t.Context(), s.ID); !errors.Is(err, digitalocean.NotFound) {
				return fmt.Errorf("it is there: %w", err)
			}
			return nil
		},
	},
	{
		number: 32, name: "204 is not gone", on: param("lag.list_after_delete", "60s"), off: param("lag.list_after_delete", "0s"),
		naive: func(u *cloudUser) error { // safe to proceed as if it does not exist
			if _, err := u.want("DELETE", u.path(), nil); err != nil {
				return err
			}
			list, err := u.want("GET", "/v2/droplets?name=web", nil)
			if err == nil && len(in(list, "droplets").([]any)) > 0 {
				err = errors.New("one of that name exists")
			}
			return err
		},
		ours: func(u *cloudUser) error {
			if err := u.DeleteDroplet(u.leave(u.t, digitalocean.DeleteDropletPermit(u.droplet)), u.droplet); err != nil {
				return err
			}
			return u.until("the end", func() (bool, error) {
				_, err := u.Droplet(u.t.Context(), u.droplet)
				if errors.Is(err, digitalocean.NotFound) {
					return true, nil
				}
				return false, err
			})
		},
	},
}, append(networkQuirks, managedQuirks...)...)

func ignore404(err error) error {
	if err != nil && strings.Contains(err.Error(), ": 404 ") {
		return nil
	}
	return err
}

// seed makes so many more droplets, which every list shows.
func (u *cloudUser) seed(n int) {
	for range n {
		u.SeedDroplet(dosim.SeedDroplet{})
	}
	time.Sleep(time.Minute)
}

// sees says whether this client sees so many droplets.
func (u *cloudUser) sees(n int) error {
	list, err := u.Droplets(u.t.Context())
	if err == nil && len(list.Items) != n {
		err = fmt.Errorf("it sees %d of %d droplets", len(list.Items), n)
	}
	return err
}
