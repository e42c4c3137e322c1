package web

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/a-h/templ"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/exact"
	"github.com/arcadia-cloud/arcadia/internal/provisioning"
	"github.com/arcadia-cloud/arcadia/internal/provisioning/blueprint"
	"github.com/arcadia-cloud/arcadia/internal/saga"
	"github.com/arcadia-cloud/arcadia/internal/web/ui"
	"github.com/arcadia-cloud/arcadia/internal/wire"
)

// mostBackups and mostDrills are how many of each a page shows.
const (
	mostBackups = 200
	mostDrills  = 20
)

// A backupLine is a backup with why it is there.
type backupLine struct {
	provisioning.StackBackup
	provisioning.Keeping
	stack namedStack
}

// A scheduleLine is a schedule with how it went last.
type scheduleLine struct {
	provisioning.BackupSchedule
	stack namedStack
	last  saga.State // of its last saga; empty: it has none
}

// A drillLine is a drill of a stack.
type drillLine struct {
	provisioning.StackDrill
	stack namedStack
}

// A namedStack is a stack with whose it is.
type namedStack struct {
	provisioning.Stack
	tenant string // slug
}

// A trouble is something about backups that a person should look at.
type trouble struct {
	hue              wire.Hue
	state            string // of its badge
	what, said, href string
	at               time.Time
}

// A custody is what is known of backups: of all stacks, or of one.
type custody struct {
	backups   []backupLine
	schedules []scheduleLine
	drills    []drillLine
	troubles  []trouble
	size      exact.Number // GB, of all backups
}

// custody reads what there is of backups. It is of all stacks where the id is empty.
func (s *Server) custody(ctx context.Context, of provisioning.StackID, at time.Time) (c custody, err error) {
	p := s.o.Provisioning
	stacks, err := p.Stacks(ctx, provisioning.StackFilter{Gone: true})
	if err != nil {
		return c, err
	}
	tenants, err := s.o.Tenants.All(ctx)
	if err != nil {
		return c, err
	}
	slugs := map[string]string{}
	for _, t := range tenants {
		slugs[string(t.ID)] = t.Slug
	}
	named := map[provisioning.StackID]namedStack{}
	for _, one := range stacks {
		named[one.ID] = namedStack{one, slugs[string(one.Tenant)]}
	}
	schedules, err := p.BackupSchedules(ctx, of)
	if err != nil {
		return c, err
	}
	by := map[provisioning.StackID]*provisioning.BackupSchedule{}
	for _, one := range schedules {
		line := scheduleLine{BackupSchedule: one, stack: named[one.Stack]}
		if one.LastSaga != "" {
			last, err := s.o.Engine.Saga(ctx, one.LastSaga)
			if err != nil {
				return c, err
			}
			line.last = last.State
		}
		by[one.Stack] = &line.BackupSchedule
		c.schedules = append(c.schedules, line)
	}
	slices.SortFunc(c.schedules, func(a, b scheduleLine) int { return a.NextAt.Compare(b.NextAt) })
	backups, err := p.Backups(ctx, of, false)
	if err != nil {
		return c, err
	}
	if err := c.keep(backups, by, named, at); err != nil {
		return c, err
	}
	drills, err := p.Drills(ctx, of)
	if err != nil {
		return c, err
	}
	for _, d := range drills {
		c.drills = append(c.drills, drillLine{d, named[d.Stack]})
	}
	c.lookFor(stacks, named, of)
	return c, nil
}

// keep adds backups, the newest first, with why each is there.
func (c *custody) keep(all []provisioning.StackBackup, by map[provisioning.StackID]*provisioning.BackupSchedule, named map[provisioning.StackID]namedStack, at time.Time) error {
	of := map[provisioning.StackID][]provisioning.StackBackup{}
	for _, b := range all {
		of[b.Stack] = append(of[b.Stack], b)
	}
	for id, mine := range of {
		why, err := provisioning.Keepings(mine, by[id], named[id].State, at)
		if err != nil {
			return err
		}
		for i, b := range mine {
			c.backups = append(c.backups, backupLine{b, why[i], named[id]})
			size, err := sizeOf(b)
			if err != nil {
				return err
			}
			c.size = c.size.Add(size)
		}
	}
	slices.SortFunc(c.backups, func(a, b backupLine) int {
		return cmp.Or(b.TakenAt.Compare(a.TakenAt), cmp.Compare(b.ID, a.ID))
	})
	return nil
}

// sizeOf is what a backup holds, in GB.
func sizeOf(b provisioning.StackBackup) (sum exact.Number, err error) {
	for _, i := range b.Items {
		size, err := exact.ParseDecimal(cmp.Or(i.SizeGB, "0"))
		if err != nil {
			return sum, fmt.Errorf("backup %s: the size of %s: %w", b.ID, i.Key, err)
		}
		sum = sum.Add(size)
	}
	return sum, nil
}

// lookFor finds what a person should look at: what failed last, and what has nothing to
// go back to.
func (c *custody) lookFor(stacks []provisioning.Stack, named map[provisioning.StackID]namedStack, of provisioning.StackID) {
	for _, s := range c.schedules {
		switch {
		case s.LastError != "":
			c.troubles = append(c.troubles, trouble{wire.Bad, "failed", "A backup of " + s.stack.Name + " is due and cannot begin", s.LastError, stackPath(s.Stack), s.LastAt})
		case s.last == saga.RolledBack || s.last == saga.Stuck:
			c.troubles = append(c.troubles, trouble{wire.Bad, string(s.last), "The last backup of " + s.stack.Name + " by its schedule was not made", "", "/sagas/" + string(s.LastSaga), s.LastAt})
		}
	}
	tried := map[provisioning.StackID]bool{}
	for _, d := range c.drills { // the newest of each stack counts
		if !tried[d.Stack] && (d.Outcome == "failed" || d.Outcome == "undone") {
			c.troubles = append(c.troubles, trouble{wire.Bad, d.Outcome, "The last restore of " + d.stack.Name + " that was tried out failed", d.Said, "/sagas/" + string(d.Saga), d.BeganAt})
		}
		tried[d.Stack] = true
	}
	safe := map[provisioning.StackID]bool{}
	for _, b := range c.backups {
		safe[b.Stack] = true
	}
	for _, s := range c.schedules {
		safe[s.Stack] = true // its first one is due
	}
	var bare []string
	for _, one := range stacks {
		if (of == "" || of == one.ID) && one.State == provisioning.StackActive && !safe[one.ID] {
			bare = append(bare, named[one.ID].tenant+"/"+one.Name)
		}
	}
	if len(bare) == 1 {
		c.troubles = append(c.troubles, trouble{hue: wire.Attention, state: "off", what: bare[0] + " has no backup and no schedule", href: "/stacks"})
	} else if len(bare) > 1 {
		c.troubles = append(c.troubles, trouble{hue: wire.Attention, state: "off", what: fmt.Sprintf("%d stacks have no backup and no schedule", len(bare)), said: strings.Join(bare, ", "), href: "/stacks"})
	}
}

// keptWords say why a backup is there.
func (b backupLine) keptWords() string {
	switch {
	case len(b.Lost) > 0:
		return "Lost: " + strings.Join(b.Lost, ", ") + " was deleted at DigitalOcean, so that it cannot be restored"
	case len(b.Rules) > 0:
		return ui.Upper(strings.Join(b.Rules, ", "))
	case b.Over:
		return "Over: goes with the next pruning"
	case b.Newest:
		return "The newest: stays although its time is over"
	case !b.Until.IsZero():
		return "Until " + b.Until.UTC().Format("2 January 2006")
	case b.Reason == provisioning.ScheduledBackup:
		return "Until somebody deletes it: its schedule was taken away"
	}
	return "Until somebody deletes it"
}

var reasonWords = map[provisioning.BackupReason]string{
	provisioning.ManualBackup: "By hand", provisioning.ScheduledBackup: "By schedule", provisioning.SafetyBackup: "Before a restore", provisioning.FinalBackup: "Before a teardown, or of a suspension",
}

// copied is what a backup has copies of: "1 droplet, 2 volumes".
func (b backupLine) copied() string {
	n := map[string]int{}
	for _, i := range b.Items {
		n[i.Kind]++
	}
	var words []string
	for _, kind := range []string{"droplet", "volume"} {
		if n[kind] == 1 {
			words = append(words, "1 "+kind)
		} else if n[kind] > 1 {
			words = append(words, fmt.Sprintf("%d %ss", n[kind], kind))
		}
	}
	return strings.Join(words, ", ")
}

func (b backupLine) size() string {
	sum, err := sizeOf(b.StackBackup)
	if err != nil {
		return "" // custody would not have been read
	}
	return fixed(sum, 2)
}

// retention is what a schedule keeps, in words: "7 days, 4 weeks".
func retention(k blueprint.Retention) string {
	var words []string
	for _, one := range []struct {
		n    int
		unit string
	}{{k.Daily, "day"}, {k.Weekly, "week"}, {k.Monthly, "month"}, {k.Yearly, "year"}} {
		if one.n == 1 {
			words = append(words, "1 "+one.unit)
		} else if one.n > 1 {
			words = append(words, fmt.Sprintf("%d %ss", one.n, one.unit))
		}
	}
	return strings.Join(words, ", ")
}

// restoreTime is how long a drill took from its begin until all probes were content.
func (d drillLine) restoreTime() string {
	if d.ReadyAt.IsZero() {
		return ""
	}
	return wire.Took(d.ReadyAt.Sub(d.BeganAt))
}

// state is a drill's outcome as a badge says it.
func (d drillLine) state() string {
	if d.Outcome == "undone" {
		return string(saga.RolledBack)
	}
	return d.Outcome
}

// A backupsView is what the page of backups and drills shows.
type backupsView struct {
	ui.Page
	custody
	of    *provisioning.Stack // whose; nil: of all
	table ui.Table
	twins ui.Twin
}

// A backupsTwin is the page's JSON.
type backupsTwin struct {
	Backups   []client.StackBackup    `json:"backups"`
	Schedules []client.BackupSchedule `json:"schedules"`
	Drills    []client.StackDrill     `json:"drills"`
}

// backups is the page of backups, schedules and drills: of all stacks, or of the one that
// the address names.
func (s *Server) backups(v *visit) error {
	ctx := v.r.Context()
	at, err := s.position(ctx)
	if err != nil {
		return err
	}
	view := backupsView{}
	var of provisioning.StackID
	if ref := v.query.Get("stack"); ref != "" {
		one, err := s.o.Provisioning.Stack(ctx, ref)
		if err != nil {
			return err
		}
		view.of, of = &one, one.ID
	}
	if view.custody, err = s.custody(ctx, of, v.now.Time); err != nil {
		return err
	}
	if v.wants("json") {
		return v.json(view.twin())
	}
	title := "Backups"
	view.twins = ui.Twin{CLI: "arcadia stack schedule list", API: "curl http://" + v.r.Host + "/v1/backup-schedules", JSON: v.twin("/backups", "json")}
	if view.of != nil {
		title += " of " + view.of.Name
		view.twins.CLI, view.twins.API = "arcadia stack backups "+string(of), "curl http://"+v.r.Host+"/v1/stacks/"+string(of)+"/backups"
	}
	view.Page = v.live(title, "/stacks", "", at)
	view.table = ui.Table{
		Caption: "Backups", Query: v.query, Total: int64(len(view.custody.backups)), Unit: "backups", Columns: []ui.Column{
			{Key: "stack", Title: "Stack", Phone: ui.PhoneTitle}, {Key: "taken", Title: "Taken", Phone: ui.PhoneState}, {Key: "has", Title: "Copies of"},
			{Key: "size", Title: "GB", Number: true}, {Key: "why", Title: "Made"}, {Key: "kept", Title: "Kept"}, {Key: "verified", Title: "Verified", Phone: ui.PhoneHide}, {Key: "id", Title: "Id", Phone: ui.PhoneHide},
		},
	}
	for _, b := range view.custody.backups[:min(len(view.custody.backups), mostBackups)] {
		view.table.Rows = append(view.table.Rows, ui.Row{ID: string(b.ID), Cells: []templ.Component{
			backupStack(b), ui.Ago(b.TakenAt, v.now), text(b.copied()), backupSize(b), text(reasonWords[b.Reason]), keptCell(b), verifiedCell(b), backupID(b),
		}})
	}
	return v.show(http.StatusOK, backupsPage(view))
}

func (v backupsView) twin() backupsTwin {
	t := backupsTwin{Schedules: make([]client.BackupSchedule, len(v.schedules))}
	backups, drills := make([]provisioning.StackBackup, len(v.custody.backups)), make([]provisioning.StackDrill, len(v.drills))
	for i, b := range v.custody.backups {
		backups[i] = b.StackBackup
	}
	for i, d := range v.drills {
		drills[i] = d.StackDrill
	}
	for i, one := range v.schedules {
		t.Schedules[i] = wire.BackupSchedule(one.BackupSchedule)
		t.Schedules[i].LastState = string(one.last)
	}
	t.Backups, t.Drills = wire.StackBackups(backups).Items, wire.StackDrills(drills).Items
	return t
}
