package web

import (
	"net/http"
	"net/url"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/provisioning"
	"github.com/arcadia-cloud/arcadia/internal/web/ui"
)

func protectPath(of provisioning.StackID) string   { return stackPath(of) + "/protect" }
func unprotectPath(of provisioning.StackID) string { return stackPath(of) + "/unprotect" }

// protectedSubject names a stack among what is protected.
func protectedSubject(of provisioning.StackID) string { return "stack:" + string(of) }

// askProtect is the page that asks before a stack is protected.
func (s *Server) askProtect(v *visit) error { return s.confirmProtect(v, http.StatusOK, true, nil) }

// askUnprotect is the page that asks before a stack's protection is ended.
func (s *Server) askUnprotect(v *visit) error { return s.confirmProtect(v, http.StatusOK, false, nil) }

func (s *Server) confirmProtect(v *visit, status int, protect bool, refusal error) error {
	one, err := s.o.Provisioning.Stack(v.r.Context(), v.r.PathValue("stack"))
	if err != nil {
		return err
	}
	var by provisioning.Protection
	found, err := s.o.Provisioning.Protections(v.r.Context(), protectedSubject(one.ID))
	if err != nil {
		return err
	}
	if len(found) > 0 {
		by = found[0]
	}
	if !protect && len(found) == 0 && refusal == nil {
		return fault.New(fault.NotFound, "Stack %s is not protected.", one.Name)
	}
	c := ui.Confirm{
		Title: "Protect " + one.Name, About: "Nothing of it is destroyed while it is protected", Back: stackPath(one.ID), Action: protectPath(one.ID), Key: formKey(v), Verb: "Protect it",
		Hidden: url.Values{}, ReasonRequired: true, ReasonNote: "Who wants to destroy it is told", Reason: v.r.PostFormValue("reason"),
	}
	twins := ui.Twin{CLI: "arcadia stack protect " + string(one.ID) + " --reason WHY", API: "curl -X PUT http://" + v.r.Host + "/v1/stacks/" + string(one.ID) + "/protection -d " + quoted(`{"reason":"WHY"}`)}
	if !protect {
		c.Title, c.About, c.Action, c.Verb = "End the protection of "+one.Name, "Then it can be torn down", unprotectPath(one.ID), "End the protection"
		c.Danger, c.NoReason, c.ReasonRequired = true, true, false
		twins = ui.Twin{CLI: "arcadia stack unprotect " + string(one.ID), API: "curl -X DELETE http://" + v.r.Host + "/v1/stacks/" + string(one.ID) + "/protection"}
	}
	if refusal != nil {
		c.Refusal = v.problem(refusal).Detail
	}
	return v.show(status, protectPage(v.page(c.Title, "/stacks"), c, by, twins))
}

// protect keeps a stack from being destroyed.
func (s *Server) protect(v *visit) error {
	return s.setProtection(v, true, func(one provisioning.Stack) error {
		if v.r.PostFormValue("reason") == "" {
			return fault.New(fault.Invalid, "Say why: whoever wants to destroy it is told.")
		}
		return s.o.Provisioning.Protect(v.r.Context(), protectedSubject(one.ID), v.r.PostFormValue("reason"), actor, time.Now())
	})
}

// unprotect ends a stack's protection.
func (s *Server) unprotect(v *visit) error {
	return s.setProtection(v, false, func(one provisioning.Stack) error {
		return s.o.Provisioning.Unprotect(v.r.Context(), protectedSubject(one.ID))
	})
}

func (s *Server) setProtection(v *visit, protect bool, set func(provisioning.Stack) error) error {
	if err := formError(v.r.ParseForm()); err != nil {
		return err
	}
	one, err := s.o.Provisioning.Stack(v.r.Context(), v.r.PathValue("stack"))
	if err != nil {
		return err
	}
	if err := s.sent.once(v.r.PostFormValue("key"), func() error { return set(one) }); err != nil {
		return s.confirmProtect(v, v.problem(err).Status, protect, err)
	}
	did := "protect"
	if !protect {
		did = "unprotect"
	}
	return v.redirect(stackPath(one.ID) + "?did=" + did)
}
