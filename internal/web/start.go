package web

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/access"
	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/id"
	"github.com/arcadia-cloud/arcadia/internal/inventory"
	"github.com/arcadia-cloud/arcadia/internal/provisioning"
	"github.com/arcadia-cloud/arcadia/internal/saga"
	"github.com/arcadia-cloud/arcadia/internal/web/ui"
)

// A beginning is a saga that a page can start on a droplet.
type beginning struct {
	name, title, button string
	happens             []string
}

var beginnings = map[string]beginning{
	"snapshot": {"snapshot", "Take a snapshot", "Take snapshot", []string{
		"DigitalOcean copies the droplet's disk while it runs; that takes minutes, and the copy costs by its size for as long as it is kept.",
		"No other saga touches the droplet until it is done.",
	}},
	"smoke": {"smoke", "Run a smoke test", "Run smoke test", []string{
		"A snapshot of the droplet is taken, the saga fails on purpose, and the snapshot is deleted again: it should end rolled back, with nothing left over.",
		"The droplet itself is not changed.",
	}},
}

func (s *Server) begin(ctx context.Context, b beginning, r provisioning.SnapshotRequest) (saga.Saga, bool, error) {
	if b.name == "smoke" {
		return s.o.Provisioning.Smoke(ctx, r)
	}
	return s.o.Provisioning.SnapshotDroplet(ctx, r)
}

// askStart is the page that asks before a saga is started on a droplet.
func (s *Server) askStart(v *visit) error { return s.confirmStart(v, http.StatusOK, nil) }

func (s *Server) confirmStart(v *visit, status int, refusal error) error {
	b, ok := beginnings[strings.TrimSuffix(v.r.PathValue("verb"), ".json")]
	if !ok {
		return errNowhere
	}
	d, err := s.changeable(v.r.Context(), v.r.PathValue("urn"))
	if err != nil {
		return err
	}
	path := resourcePath(d.URN)
	c := ui.Confirm{
		Title: b.title, About: "Droplet " + d.Name + " (" + d.ID + ")", Back: path, Action: path + "/" + b.name,
		Key: formKey(v), Verb: b.button, NoReason: true, Hidden: url.Values{},
	}
	if refusal != nil {
		c.Refusal = v.problem(refusal).Detail
	}
	if v.wants("json") {
		return v.json(question{Title: c.Title, About: c.About, Happens: b.happens, Method: http.MethodPost, Path: "/v1/droplets/" + d.ID + "/" + b.name})
	}
	return v.show(status, startPage(v.page(b.title, "/inventory"), c, b, nil, "", b.twins(v, d.ID, path+"/"+b.name+".json")))
}

// changeable is the droplet with a URN, where its account has a token to change it
// with. NotFound where the inventory knows none, Conflict where it is gone.
func (s *Server) changeable(ctx context.Context, urn string) (d inventory.Resource, err error) {
	if d, err = s.o.Inventory.Resource(ctx, urn, time.Time{}); err != nil {
		return d, err
	}
	switch {
	case d.Kind != "droplet":
		return d, errNowhere
	case d.Gone():
		return d, fault.New(fault.Conflict, "Droplet %s no longer exists.", nameOr(d.Name, urn))
	}
	return d, s.o.Access.MustWrite(ctx, d.Account)
}

// readOnly is why nothing can be changed in any account; empty where something can.
func (s *Server) readOnly(ctx context.Context) (why string, err error) {
	tokens, err := s.o.Access.Tokens(ctx)
	if err != nil || slices.ContainsFunc(tokens, func(t access.Token) bool { return t.Purpose == digitalocean.Provisioning }) {
		return "", err
	}
	_, why, err = s.o.Access.Writable(ctx, s.o.Account)
	return why, err
}

// formKey is the key of the form that is shown: that of the form that was refused,
// which may have been carried out all the same, or else a new one.
func formKey(v *visit) string {
	if key := v.r.PostFormValue("key"); id.Check("form", key) == nil {
		return key
	}
	return id.New("form")
}

// twins are how a program begins the same on a droplet.
func (b beginning) twins(v *visit, droplet, asJSON string) ui.Twin {
	cli := "arcadia snapshot " + droplet
	if b.name == "smoke" {
		cli = "arcadia smoke --droplet " + droplet
	}
	return ui.Twin{CLI: cli, API: "curl -X POST http://" + v.r.Host + "/v1/droplets/" + droplet + "/" + b.name + " -d '{}'", JSON: asJSON}
}

// start begins a saga. The form's key makes it one saga, however often it is sent.
func (s *Server) start(v *visit) error {
	b, ok := beginnings[v.r.PathValue("verb")]
	if !ok {
		return errNowhere
	}
	begun, err := s.beginOn(v, b, v.r.PathValue("urn"))
	if err != nil {
		if fault.KindOf(err) == fault.NotFound {
			return err
		}
		return s.confirmStart(v, v.problem(err).Status, err)
	}
	return v.redirect("/sagas/" + string(begun.ID) + "?did=" + b.name)
}

func (s *Server) beginOn(v *visit, b beginning, urn string) (saga.Saga, error) {
	if err := formError(v.r.ParseForm()); err != nil {
		return saga.Saga{}, err
	}
	key := v.r.PostFormValue("key")
	if err := id.Check("form", key); err != nil {
		return saga.Saga{}, fault.Wrap(fault.Invalid, err, "The form is not whole: open its page again.")
	}
	d, err := s.changeable(v.r.Context(), urn)
	if err != nil {
		return saga.Saga{}, err
	}
	begun, _, err := s.begin(v.r.Context(), b, provisioning.SnapshotRequest{
		Account: d.Account, Droplet: d.ID, RequestedBy: actor, Scope: "web", Key: key,
	})
	return begun, err
}

// mostDroplets is how many droplets a form lets choose from.
const mostDroplets = 500

// askSmoke is the page that asks on which droplet a smoke test is to run.
func (s *Server) askSmoke(v *visit) error { return s.confirmSmoke(v, http.StatusOK, nil) }

func (s *Server) confirmSmoke(v *visit, status int, refusal error) error {
	if why, err := s.readOnly(v.r.Context()); err != nil || why != "" {
		return cmp.Or(err, fault.WithCode(fault.New(fault.Unprocessable, "%s", why), access.ReadOnly))
	}
	droplets, err := s.changeables(v.r.Context())
	if err != nil {
		return err
	}
	b := beginnings["smoke"]
	c := ui.Confirm{
		Title: b.title, About: "On a droplet of your choice", Back: "/", Action: "/smoke", Key: formKey(v), Verb: b.button,
		NoReason: true, Hidden: url.Values{},
	}
	if refusal != nil {
		c.Refusal = v.problem(refusal).Detail
	}
	if v.wants("json") {
		choices := make([]client.Droplet, len(droplets))
		for i, d := range droplets {
			choices[i] = client.Droplet{ID: d.ID, Name: d.Name, Status: d.Status, Region: d.Region, Size: d.Size, Tags: append([]string{}, d.Tags...), CreatedAt: client.At(d.CreatedAt)}
		}
		return v.json(question{
			Title: c.Title, About: c.About, Happens: b.happens, Method: http.MethodPost, Path: "/v1/droplets/{id}/smoke", Droplets: choices,
		})
	}
	return v.show(status, startPage(v.page(b.title, "/"), c, b, droplets, v.r.PostFormValue("droplet"), b.twins(v, "DROPLET", "/smoke.json")))
}

// changeables are the droplets of accounts that can be changed, by their names, as
// many as a form shows. Unprocessable where the inventory knows none.
func (s *Server) changeables(ctx context.Context) ([]inventory.Found, error) {
	all, err := s.o.Access.Accounts(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, a := range all {
		writable, _, err := s.o.Access.Writable(ctx, a.Name)
		if err != nil {
			return nil, err
		}
		if writable {
			names = append(names, a.Name)
		}
	}
	l, err := s.o.Inventory.Resources(ctx, inventory.Query{Terms: []inventory.Term{
		{Key: "kind", Op: ":", Values: []string{"droplet"}}, {Key: "account", Op: ":", Values: names},
	}}, inventory.Page{Limit: mostDroplets})
	if err == nil && l.Total == 0 {
		err = fault.New(fault.Unprocessable, "The inventory knows of no droplet in an account that can be changed. Sync it first: arcadia inventory sync")
	}
	return l.Items, err
}

// smoke begins a smoke test on the droplet that the form names.
func (s *Server) smoke(v *visit) error {
	begun, err := s.beginOn(v, beginnings["smoke"], v.r.PostFormValue("droplet"))
	if err != nil {
		return s.confirmSmoke(v, v.problem(err).Status, err)
	}
	return v.redirect("/sagas/" + string(begun.ID) + "?did=smoke")
}
