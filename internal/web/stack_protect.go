package web

import (
	"net/http"
	"net/url"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/provisioning"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
	"github.com/arcadia-cloud/arcadia/internal/web/ui"
)

func protectPath(of provisioning.StackID) string   { return stackPath(of) + "/protect" }
func unprotectPath(of provisioning.StackID) string { return stackPath(of) + "/unprotect" }

// A guarded is what can be protected from a page: a stack, or all stacks of a tenant.
type guarded struct {
	subject string // among what is protected
	name    string // in a sentence
	about   string // what a protection does
	page    string // its own, below which are those that ask
	section string // of the pages
	cli     string // the command, "arcadia stack"
	ref     string // how the command and the API name it
	api     string // "/v1/stacks/"
}

func (s *Server) guardedStack(v *visit) (guarded, error) {
	one, err := s.o.Provisioning.Stack(v.r.Context(), v.r.PathValue("stack"))
	return guarded{
		subject: "stack:" + string(one.ID), name: one.Name, about: "Nothing of it is destroyed while it is protected", page: stackPath(one.ID),
		section: "/stacks", cli: "arcadia stack", ref: string(one.ID), api: "/v1/stacks/",
	}, err
}

func (s *Server) guardedTenant(v *visit) (guarded, error) {
	one, err := s.o.Tenants.Tenant(v.r.Context(), v.r.PathValue("slug"))
	return guardedTenantOf(one), err
}

func guardedTenantOf(one tenant.Tenant) guarded {
	return guarded{
		subject: provisioning.TenantScope(one.ID), name: tenantName(one), about: "Nothing of all its stacks is destroyed while it is protected", page: tenantPath(one.Slug),
		section: "/tenants", cli: "arcadia tenant", ref: one.Slug, api: "/v1/tenants/",
	}
}

func (s *Server) protectionRoutes(page func(string, func(*visit) error)) {
	for path, of := range map[string]func(*visit) (guarded, error){"/stacks/{stack}": s.guardedStack, "/tenants/{slug}": s.guardedTenant} {
		for verb, protect := range map[string]bool{"/protect": true, "/unprotect": false} {
			page("GET "+path+verb, func(v *visit) error { return s.confirmProtect(v, http.StatusOK, of, protect, nil) })
			page("POST "+path+verb, func(v *visit) error { return s.setProtection(v, of, protect) })
		}
	}
}

// confirmProtect is the page that asks before something is protected, or is no more.
func (s *Server) confirmProtect(v *visit, status int, of func(*visit) (guarded, error), protect bool, refusal error) error {
	one, err := of(v)
	if err != nil {
		return err
	}
	var by provisioning.Protection
	found, err := s.o.Provisioning.Protections(v.r.Context(), one.subject)
	if err != nil {
		return err
	}
	if len(found) > 0 {
		by = found[0]
	}
	if !protect && len(found) == 0 && refusal == nil {
		return fault.New(fault.NotFound, "%s is not protected.", one.name)
	}
	c := ui.Confirm{
		Title: "Protect " + one.name, About: one.about, Back: one.page, Action: one.page + "/protect", Key: formKey(v), Verb: "Protect it",
		Hidden: url.Values{}, ReasonRequired: true, ReasonNote: "Who wants to destroy it is told", Reason: v.r.PostFormValue("reason"),
	}
	api := "http://" + v.r.Host + one.api + one.ref + "/protection"
	twins := ui.Twin{CLI: one.cli + " protect " + one.ref + " --reason WHY", API: "curl -X PUT " + api + " -d " + quoted(`{"reason":"WHY"}`)}
	if !protect {
		c.Title, c.About, c.Action, c.Verb = "End the protection of "+one.name, "Then what it has can be torn down", one.page+"/unprotect", "End the protection"
		c.Danger, c.NoReason, c.ReasonRequired = true, true, false
		twins = ui.Twin{CLI: one.cli + " unprotect " + one.ref, API: "curl -X DELETE " + api}
	}
	if refusal != nil {
		c.Refusal = v.problem(refusal).Detail
	}
	return v.show(status, protectPage(v.page(c.Title, one.section), c, by, twins))
}

// setProtection keeps something from being destroyed, or ends that.
func (s *Server) setProtection(v *visit, of func(*visit) (guarded, error), protect bool) error {
	if err := formError(v.r.ParseForm()); err != nil {
		return err
	}
	one, err := of(v)
	if err != nil {
		return err
	}
	ctx, reason := v.r.Context(), v.r.PostFormValue("reason")
	did := "protect"
	if !protect {
		did = "unprotect"
	}
	err = s.sent.once(v.r.PostFormValue("key"), func() error {
		switch {
		case !protect:
			return s.o.Provisioning.Unprotect(ctx, one.subject)
		case reason == "":
			return fault.New(fault.Invalid, "Say why: whoever wants to destroy it is told.")
		}
		return s.o.Provisioning.Protect(ctx, one.subject, reason, actor, time.Now())
	})
	if err != nil {
		return s.confirmProtect(v, v.problem(err).Status, of, protect, err)
	}
	return v.redirect(one.page + "?did=" + did)
}
