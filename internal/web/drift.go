package web

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"

	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/inventory"
	"github.com/arcadia-cloud/arcadia/internal/provisioning"
	"github.com/arcadia-cloud/arcadia/internal/web/ui"
)

func (s *Server) driftRoutes(page func(string, func(*visit) error)) {
	page("GET /stacks/{stack}/drift/{difference}", s.askIgnore)
	page("POST /stacks/{stack}/drift/{difference}", s.ignoreDrift)
}

func differencePath(of provisioning.StackID, id provisioning.DifferenceID) string {
	return stackPath(of) + "/drift/" + string(id)
}

// A driftPanel is the drift of a stack on its page.
type driftPanel struct {
	provisioning.Drift
	stack provisioning.Stack
	now   ui.Clock
	table ui.Table
}

func (s *Server) driftPanel(ctx context.Context, v stackView, now ui.Clock) (p driftPanel, err error) {
	p.stack, p.now = v.Stack, now
	if p.Drift, err = s.o.Provisioning.Drift(ctx, v.Stack, now.Time); err != nil {
		return p, err
	}
	rows := make([]ui.Row, len(p.Differences))
	for i, d := range p.Differences {
		rows[i] = ui.Row{ID: string(d.ID), Cells: []templ.Component{
			differenceName(d), differenceIs(d), text(differenceCost(d)), differenceMend(d), differenceVerb(p.stack.ID, d),
		}}
	}
	p.table = ui.Table{
		Caption: "Drift", Columns: []ui.Column{
			{Key: "what", Title: "What", Phone: ui.PhoneTitle}, {Key: "is", Title: "Expected, and is"}, {Key: "monthly", Title: "A month", Number: true},
			{Key: "mend", Title: "A repair", Phone: ui.PhoneHide}, {Key: "ignore", Title: "Ignore"},
		},
		Rows: rows, Query: ui.Query{}, Total: int64(len(rows)), Unit: "differences",
	}
	return p, nil
}

// sum is what the drift comes to, in words.
func (p driftPanel) sum() string {
	monthly, unpriced := p.Monthly()
	words := strconv.Itoa(len(p.Heard())) + " to be heard, " + addedDollars(monthly) + " a month"
	if unpriced > 0 {
		words += ", and " + strconv.Itoa(unpriced) + " without a price"
	}
	return words
}

func addedDollars(micros int64) string {
	if micros < 0 {
		return dollars(inventory.Micros(micros))
	}
	return "+" + dollars(inventory.Micros(micros))
}

func differenceCost(d provisioning.Difference) string {
	if d.Monthly == nil {
		return "no price"
	}
	return addedDollars(*d.Monthly)
}

// askIgnore asks until when a difference is ignored, and why.
func (s *Server) askIgnore(v *visit) error { return s.confirmIgnore(v, http.StatusOK, nil) }

func (s *Server) confirmIgnore(v *visit, status int, refusal error) error {
	stack, d, err := s.readDifference(v)
	if err != nil {
		return err
	}
	c := ui.Confirm{
		Title: "Ignore a difference", About: differenceWords(d), Back: stackPath(stack.ID), Action: differencePath(stack.ID, d.ID), Key: formKey(v), Verb: "Ignore",
		Hidden: url.Values{}, ReasonRequired: true, Reason: v.r.PostFormValue("reason"), ReasonNote: "It is kept with the difference",
	}
	twins := ui.Twin{
		CLI: "arcadia stack ignore " + string(stack.ID) + " " + string(d.ID) + " --until TIME --reason WHY",
		API: "curl -X PUT http://" + v.r.Host + "/v1/stacks/" + string(stack.ID) + "/drift/" + string(d.ID) + "/ignore",
	}
	if d.Ignored != nil {
		c.Title, c.Verb, c.NoReason, c.ReasonRequired = "Hear of it again", "Hear of it again", true, false
		twins.CLI = "arcadia stack heed " + string(stack.ID) + " " + string(d.ID)
		twins.API = strings.Replace(twins.API, "PUT", "DELETE", 1)
	}
	if refusal != nil {
		c.Refusal = v.problem(refusal).Detail
	}
	until := v.r.PostFormValue("until")
	if until == "" {
		until = v.now.AddDate(0, 0, 7).UTC().Format(time.DateOnly)
	}
	return v.show(status, ignorePage(v.page(c.Title, "/stacks"), c, d, until, twins))
}

func (s *Server) readDifference(v *visit) (provisioning.Stack, provisioning.Difference, error) {
	stack, err := s.o.Provisioning.Stack(v.r.Context(), v.r.PathValue("stack"))
	if err != nil {
		return stack, provisioning.Difference{}, err
	}
	drift, err := s.o.Provisioning.Drift(v.r.Context(), stack, v.now.Time)
	if err != nil {
		return stack, provisioning.Difference{}, err
	}
	id := v.r.PathValue("difference")
	i := slices.IndexFunc(drift.Differences, func(d provisioning.Difference) bool { return string(d.ID) == id })
	if i < 0 {
		return stack, provisioning.Difference{}, fault.New(fault.NotFound, "The stack has no difference %q. It may be over by now.", clip(id))
	}
	return stack, drift.Differences[i], nil
}

// ignoreDrift ignores a difference, or has one that is ignored be heard of again.
func (s *Server) ignoreDrift(v *visit) error {
	if err := formError(v.r.ParseForm()); err != nil {
		return err
	}
	stack, d, err := s.readDifference(v)
	if err != nil {
		return err
	}
	err = s.sent.once(v.r.PostFormValue("key"), func() error {
		if d.Ignored != nil {
			_, err := s.o.Provisioning.HearDrift(v.r.Context(), stack, d.ID, v.now.Time)
			return err
		}
		until, err := time.Parse(time.DateOnly, v.r.PostFormValue("until"))
		if err != nil {
			return fault.New(fault.Invalid, "Say until which day it is ignored, like 2026-12-01.")
		}
		_, err = s.o.Provisioning.IgnoreDrift(v.r.Context(), stack, d.ID, provisioning.Ignore{Until: until, Reason: v.r.PostFormValue("reason"), Actor: actor, At: v.now.Time})
		return err
	})
	if err != nil {
		return s.confirmIgnore(v, v.problem(err).Status, err)
	}
	return v.redirect(stackPath(stack.ID))
}

// differenceWords are a difference in a sentence.
func differenceWords(d provisioning.Difference) string {
	about := d.Key
	if about == "" {
		about = d.Name
	}
	if d.What != provisioning.ChangedThing {
		return about + " is " + string(d.What)
	}
	return about + ": " + d.Field + " is " + nameOr(d.Is, "nothing") + ", expected " + nameOr(d.Expected, "nothing")
}
