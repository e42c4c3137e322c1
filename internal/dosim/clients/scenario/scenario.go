// Package scenario is what DigitalOcean's clients that are built with godo do
// with a simulated DigitalOcean: one story through everything that it serves,
// and one each of what the Terraform provider and doctl ask for. It is compiled
// with every version of godo that is tried.
package scenario

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"time"

	"github.com/digitalocean/godo"
	"golang.org/x/oauth2"
)

// A drive is one run of a story.
type drive struct {
	*godo.Client
	ctx   context.Context //nolint:containedctx // of the one run that it is
	admin string
}

// stories are the chapters of each story, by its name.
func stories() map[string][]chapter {
	return map[string][]chapter{
		"everything": {
			{"the account and its catalogue", drive.catalogue},
			{"keys and tags", drive.keysAndTags},
			{"a droplet's life", drive.dropletLife},
			{"droplets by the dozen", drive.dropletFleet},
			{"backups", drive.backups},
			{"images", drive.images},
			{"volumes", drive.volumes},
			{"reserved IPs", drive.reservedIPs},
			{"reserved IPv6", drive.reservedIPv6s},
			{"reserved IPs as floating IPs", drive.floatingIPs},
			{"a droplet with all that belongs to it", drive.associated},
			{"VPCs", drive.vpcs},
			{"firewalls", drive.firewalls},
			{"domains", drive.domains},
			{"certificates and load balancers", drive.balancers},
			{"a global load balancer", drive.globalBalancer},
			{"projects", drive.projects},
			{"what is only listed", drive.listed},
			{"what is refused", drive.refusals},
			{"what stays", drive.estate},
			{"billing", drive.billing},
		},
		"terraform": {{"a plan's life", drive.terraform}},
		"doctl":     {{"a session", drive.doctl}},
	}
}

type chapter struct {
	name string
	tell func(drive)
}

// Run tells the story against the cloud at api, whose own port is admin. An
// answer that is not as expected is an error.
func Run(story, api, admin, token string) error {
	chapters, ok := stories()[story]
	if !ok {
		return fmt.Errorf("there is no story %q", story)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	source := oauth2.StaticTokenSource(&oauth2.Token{AccessToken: token})
	// doctl's own setting, with waits that a test can bear.
	retries := godo.WithRetryAndBackoffs(godo.RetryConfig{RetryMax: 5, RetryWaitMin: godo.PtrTo(0.001), RetryWaitMax: godo.PtrTo(0.01)})
	client, err := godo.New(oauth2.NewClient(ctx, source), godo.SetBaseURL(api), retries)
	if err != nil {
		return err
	}
	d := drive{client, ctx, admin}
	for _, c := range chapters {
		if err := d.read(c); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	return nil
}

// read tells one chapter, up to the first thing that is not as it should be.
func (d drive) read(c chapter) (err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case failure:
			err = r
		default:
			panic(r)
		}
	}()
	c.tell(d)
	return nil
}

// steer sends the simulator's own port what it takes.
func (d drive) steer(path, body string) {
	r, err := http.NewRequestWithContext(d.ctx, http.MethodPost, d.admin+path, strings.NewReader(body))
	must(err)
	client := http.Client{Timeout: 10 * time.Second}
	resp, err := client.Do(r)
	must(err)
	defer func() { _ = resp.Body.Close() }()
	said, err := io.ReadAll(resp.Body)
	must(err)
	if resp.StatusCode != http.StatusOK {
		fail("%s: %s %s", path, resp.Status, said)
	}
}

// pass advances the cloud's clock.
func (d drive) pass(t time.Duration) {
	d.steer("/clock/advance", fmt.Sprintf(`{"seconds":%v}`, t.Seconds()))
}

// settle lets every lag pass.
func (d drive) settle() { d.pass(time.Minute) }

// ended polls an action every so often, as clients do, until it has ended well.
func (d drive) ended(id int, every time.Duration) {
	for range 60 {
		a := got(d.Actions.Get(d.ctx, id))
		switch a.Status {
		case godo.ActionCompleted:
			if a.CompletedAt == nil {
				fail("action %d has ended and does not say when", id)
			}
			return
		case godo.ActionInProgress:
		default:
			fail("action %d is %s", id, a.Status)
		}
		d.pass(every)
	}
	fail("action %d does not end", id)
}

// did waits for what has just been started, which must be of the type.
func (d drive) did(kind string) func(*godo.Action, *godo.Response, error) *godo.Action {
	return func(a *godo.Action, _ *godo.Response, err error) *godo.Action {
		must(err)
		want("the type of the action", a.Type, kind)
		want("the action's status at first", a.Status, godo.ActionInProgress)
		d.ended(a.ID, 5*time.Second)
		return a
	}
}

// didAll is did for an action by tag, on n droplets.
func (d drive) didAll(kind string, n int) func([]godo.Action, *godo.Response, error) {
	return func(all []godo.Action, _ *godo.Response, err error) {
		must(err)
		want("how many actions of type "+kind, len(all), n)
		for _, a := range all {
			want("the type of the action", a.Type, kind)
			d.ended(a.ID, 5*time.Second)
		}
	}
}

// created waits for the droplets that a create has just answered with.
func (d drive) created(resp *godo.Response) {
	want("the create's status", resp.StatusCode, http.StatusAccepted)
	for _, link := range resp.Links.Actions {
		want("the link's rel", link.Rel, "create")
		u, err := url.Parse(link.HREF)
		must(err)
		want("the link's path", u.Path, fmt.Sprintf("/v2/actions/%d", link.ID))
		d.ended(link.ID, 5*time.Second)
	}
}

// all is the page that is enough for everything there is.
func all() *godo.ListOptions { return &godo.ListOptions{PerPage: 200} }

// A failure is what ends a story.
type failure struct{ error }

// fail ends the story.
func fail(format string, args ...any) { panic(failure{fmt.Errorf(format, args...)}) }

func must(err error) {
	if err != nil {
		panic(failure{err})
	}
}

// got is what a call returned.
func got[T any](v T, _ *godo.Response, err error) T {
	must(err)
	return v
}

// done is got for calls that return nothing.
func done(_ *godo.Response, err error) { must(err) }

// want ends the story where what is there is not what should be.
func want(what string, have, should any) {
	if !reflect.DeepEqual(have, should) {
		fail("%s: have %+v, want %+v", what, have, should)
	}
}

// names are the names of all.
func names[T any](all []T, name func(T) string) []string {
	found := []string{}
	for _, e := range all {
		found = append(found, name(e))
	}
	return found
}

// refused is got for a call that must not succeed: its answer is an error of
// godo's, with the status. It returns DigitalOcean's message.
func refused[T any](status int) func(T, *godo.Response, error) string {
	return func(_ T, resp *godo.Response, err error) string { return refusal(status, resp, err) }
}

// undone is refused for calls that return nothing.
func undone(status int) func(*godo.Response, error) {
	return func(resp *godo.Response, err error) { refusal(status, resp, err) }
}

func refusal(status int, resp *godo.Response, err error) string {
	e, ok := errors.AsType[*godo.ErrorResponse](err)
	if !ok {
		fail("error %v, want DigitalOcean's refusal with %d", err, status)
	}
	want("the status of "+e.Error(), resp.StatusCode, status)
	if e.Message == "" || e.RequestID == "" {
		fail("the refusal %+v lacks something", e)
	}
	return e.Message
}

// isGone reports whether a read finds nothing there.
func isGone(resp *godo.Response, err error) bool {
	if resp != nil && resp.StatusCode == http.StatusNotFound {
		return true
	}
	must(err)
	return false
}
