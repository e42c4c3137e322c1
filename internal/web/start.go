package web

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

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
	if err := s.o.Access.MustWrite(v.r.Context(), s.o.Account); err != nil {
		return err
	}
	d, err := s.fleet.one(v.r.Context(), v.r.PathValue("id"))
	if err != nil {
		return err
	}
	path := dropletPath(d)
	c := ui.Confirm{
		Title: b.title, About: "Droplet " + d.Name + " (" + strconv.FormatInt(d.ID, 10) + ")", Back: path, Action: path + "/" + b.name,
		Key: formKey(v), Verb: b.button, NoReason: true, Hidden: url.Values{},
	}
	if refusal != nil {
		c.Refusal = v.problem(refusal).Detail
	}
	if v.wants("json") {
		return v.json(question{Title: c.Title, About: c.About, Happens: b.happens, Method: http.MethodPost, Path: "/v1" + c.Action})
	}
	return v.show(status, startPage(v.page(b.title, "/inventory"), c, b, nil, "", b.twins(v, decimal(d.ID), path+"/"+b.name+".json")))
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
	begun, err := s.beginOn(v, b, v.r.PathValue("id"))
	if err != nil {
		if fault.KindOf(err) == fault.NotFound {
			return err
		}
		return s.confirmStart(v, v.problem(err).Status, err)
	}
	return v.redirect("/sagas/" + string(begun.ID) + "?did=" + b.name)
}

func (s *Server) beginOn(v *visit, b beginning, droplet string) (saga.Saga, error) {
	if err := formError(v.r.ParseForm()); err != nil {
		return saga.Saga{}, err
	}
	if err := s.o.Access.MustWrite(v.r.Context(), s.o.Account); err != nil {
		return saga.Saga{}, err
	}
	key := v.r.PostFormValue("key")
	if err := id.Check("form", key); err != nil {
		return saga.Saga{}, fault.Wrap(fault.Invalid, err, "The form is not whole: open its page again.")
	}
	begun, _, err := s.begin(v.r.Context(), b, provisioning.SnapshotRequest{
		Account: s.o.Account, Droplet: droplet, RequestedBy: actor, Scope: "web", Key: key,
	})
	return begun, err
}

// askSmoke is the page that asks on which droplet a smoke test is to run.
func (s *Server) askSmoke(v *visit) error { return s.confirmSmoke(v, http.StatusOK, nil) }

func (s *Server) confirmSmoke(v *visit, status int, refusal error) error {
	if err := s.o.Access.MustWrite(v.r.Context(), s.o.Account); err != nil {
		return err
	}
	list, err := s.fleet.droplets(v.r.Context(), anyAge)
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
		return v.json(question{
			Title: c.Title, About: c.About, Happens: b.happens, Method: http.MethodPost, Path: "/v1/droplets/{id}/smoke", Droplets: wireDroplets(list.items),
		})
	}
	return v.show(status, startPage(v.page(b.title, "/"), c, b, list.items, v.r.PostFormValue("droplet"), b.twins(v, "DROPLET", "/smoke.json")))
}

// smoke begins a smoke test on the droplet that the form names.
func (s *Server) smoke(v *visit) error {
	begun, err := s.beginOn(v, beginnings["smoke"], v.r.PostFormValue("droplet"))
	if err != nil {
		return s.confirmSmoke(v, v.problem(err).Status, err)
	}
	return v.redirect("/sagas/" + string(begun.ID) + "?did=smoke")
}

// find goes to what was typed: a saga's id, a droplet's id or its name, a URN, or
// else what the inventory has with that in its names, addresses and tags.
func (s *Server) find(v *visit) error {
	q := strings.TrimSpace(v.query.Get("q"))
	if id.Check("saga", q) == nil {
		return v.redirect("/sagas/" + q)
	}
	if list, err := s.fleet.droplets(v.r.Context(), anyAge); err == nil {
		for _, d := range list.items {
			if strings.EqualFold(d.Name, q) || strconv.FormatInt(d.ID, 10) == q {
				return v.redirect(dropletPath(d))
			}
		}
	}
	if strings.HasPrefix(q, "do:") {
		return v.redirect(resourcePath(q))
	}
	word := inventory.Query{Terms: []inventory.Term{{Values: []string{q}}}}
	return v.redirect(ui.Query{Path: "/inventory"}.With("q", word.String()).String())
}

func dropletPath(d digitalocean.Droplet) string { return "/droplets/" + strconv.FormatInt(d.ID, 10) }
