package inventory

import (
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// A window is the time between two lists, by DigitalOcean's clock and by ours: a
// change that the second list shows came about within it.
type window struct {
	from, to       time.Time // DigitalOcean's; from is zero before the first list
	ourFrom, ourTo time.Time
	patience       time.Duration // how late a list may show what happened
	firstSight     bool
}

// doTime is an instant of our clock by DigitalOcean's, within the window.
func (w window) doTime(ours time.Time) time.Time {
	at := w.to.Add(ours.Sub(w.ourTo)).Truncate(time.Microsecond)
	if at.After(w.to) {
		return w.to
	}
	if at.Before(w.from) {
		return w.from
	}
	return at
}

// A deed is a request of a saga that may have changed something, or what it found that
// an earlier one had made.
type deed struct {
	saga   saga.Saga
	step   string
	method string // empty: it was found
	path   string
	lost   bool      // nobody heard what came of it
	things []string  // that it made, or is about beside what the path names
	at     time.Time // by our clock
}

// A jury says what brought changes about, for the changes of one list.
type jury struct {
	within  window
	deeds   []deed
	marked  map[string]saga.Saga // sagas by their markers
	actions map[string][]action  // by the URN of what they were done to, the newest last
}

// call gathers what may explain the changes within a window that begins with the oldest
// of them.
func (s *Service) call(ctx context.Context, account string, w window, edits []edit) (*jury, error) {
	j := &jury{within: w, marked: map[string]saga.Saga{}, actions: map[string][]action{}}
	if w.firstSight {
		return j, nil
	}
	from, ourFrom := w.from, w.ourFrom
	for _, e := range edits {
		if since := e.since(w); since.Before(from) {
			from, ourFrom = since, w.ourTo.Add(-w.to.Sub(since))
		}
	}
	// A list may be late, so that what it shows may have been done before the last one.
	around, err := s.sagas.Around(ctx, ourFrom.Add(-2*w.patience), w.ourTo)
	if err != nil {
		return nil, err
	}
	for _, of := range around {
		j.marked[of.ID.Marker8()] = of
		deeds, err := s.deeds(ctx, of)
		if err != nil {
			return nil, err
		}
		j.deeds = append(j.deeds, deeds...)
	}
	return j, s.readActions(ctx, account, from.Add(-2*w.patience), j.actions)
}

// since is when the last list began that did not show a change yet, by DigitalOcean's
// clock: what is gone was missing for a while before it is known to be.
func (e *edit) since(w window) time.Time {
	if e.change.Type == Deleted && !e.old.missingFrom.IsZero() && e.old.missingFrom.Before(w.from) {
		return e.old.missingFrom
	}
	return w.from
}

// deeds are the requests of a saga that may have changed something, and what it found.
func (s *Service) deeds(ctx context.Context, of saga.Saga) (deeds []deed, err error) {
	for after := int64(0); ; {
		events, err := s.sagas.Events(ctx, of.ID, after, 500)
		if err != nil || len(events) == 0 {
			return deeds, err
		}
		for _, e := range events {
			after = e.Seq
			var call saga.Call
			var found saga.Adoption
			switch {
			case e.Type == saga.APICall && json.Unmarshal(e.Detail, &call) == nil && !call.Unsent && call.Method != http.MethodGet:
				lost := call.Code == string(digitalocean.Unknown)
				deeds = append(deeds, deed{of, e.Step, call.Method, call.Path, lost, call.Things, e.At})
			case e.Type == saga.Adopted && json.Unmarshal(e.Detail, &found) == nil:
				deeds = append(deeds, deed{saga: of, step: e.Step, things: []string{found.Thing}, at: e.At})
			}
		}
	}
}

// markers are how what a saga made says so: in the name that is ours to choose,
// or in a tag (DESIGN, "Effectively once").
var (
	markerName = regexp.MustCompile(`^arcadia-[a-z]+-.+-([0-9a-f]{8})(?:-[0-9]+)?$`)
	markerTag  = regexp.MustCompile(`^arcadia:([0-9a-f]{8})-`)
)

// markerOf is the marker that a resource carries, empty for none.
func markerOf(l Look) string {
	if m := markerName.FindStringSubmatch(l.Name); m != nil {
		return m[1]
	}
	for _, tag := range append([]string{l.Name}, l.Tags...) { // a tag's own name may be one
		if m := markerTag.FindStringSubmatch(tag); m != nil {
			return m[1]
		}
	}
	return ""
}

// cause says what brought a change of a resource about, and when that was if it is
// known to the instant; zero otherwise. fields are what is different, of an update.
func (j *jury) cause(e *edit, fields []Field) (Cause, time.Time) {
	t, f := e.change.Type, e.found
	if j.within.firstSight {
		return Cause{Type: FirstSight}, time.Time{}
	}
	if c, at, ok := j.bySaga(e, fields); ok {
		return c, at
	}
	if a, ok := j.action(e); ok {
		at := a.completedAt
		if at.IsZero() {
			at = a.startedAt
		}
		if t == Created && !f.look.CreatedAt.IsZero() {
			at = f.look.CreatedAt
		}
		return Cause{Type: ByAction, Action: a.id, What: a.kind}, at
	}
	if t == Created {
		return Cause{Type: OutOfBand}, f.look.CreatedAt
	}
	return Cause{Type: OutOfBand}, time.Time{}
}

// bySaga is the saga that brought a change about; ok is false where none did.
func (j *jury) bySaga(e *edit, fields []Field) (c Cause, at time.Time, ok bool) {
	t, f := e.change.Type, e.found
	did, ok := j.deed(func(d deed) bool { return d.did(t, f) })
	if of, marked := j.marked[markerOf(f.look)]; !ok && marked && t == Created {
		return bySaga(of, stepOf(of, f)), f.look.CreatedAt, true
	}
	if !ok {
		did, ok = j.deed(func(d deed) bool { return t == Updated && d.shows(fields) || t == Created && d.lost && d.asksFor(f) })
	}
	if !ok {
		return c, at, false
	}
	if at = j.within.doTime(did.at); t == Created && !f.look.CreatedAt.IsZero() {
		at = f.look.CreatedAt
	}
	return bySaga(did.saga, did.step), at, true
}

// deed is the newest of those that fit.
func (j *jury) deed(fits func(deed) bool) (deed, bool) {
	for _, d := range slices.Backward(j.deeds) {
		if fits(d) {
			return d, true
		}
	}
	return deed{}, false
}

func bySaga(of saga.Saga, step string) Cause {
	return Cause{Type: BySaga, Saga: string(of.ID), Step: step, Actor: of.RequestedBy}
}

// stepOf is the step of a saga that made a resource, as far as its ledger says:
// the one whose output names it, else the first.
func stepOf(of saga.Saga, f found) string {
	for _, step := range of.Steps {
		if strings.Contains(string(step.Output), strconv.Quote(f.id)) {
			return step.Name
		}
	}
	for _, step := range of.Steps {
		if !step.StartedAt.IsZero() {
			return step.Name
		}
	}
	return ""
}

// did reports whether the request made, changed or deleted this very resource, or what it
// hangs on alone.
func (d deed) did(t ChangeType, f found) bool {
	k, id, thing := f.kind, f.id, ""
	switch k {
	case projectResource:
		if slices.Contains(d.things, id) {
			return true
		}
		thing = urnInProject(id)
	case backupPolicy:
		thing = "do:droplet:" + id
	default:
		thing = "do:" + k.Name + ":" + id
	}
	own := ""
	if kind, id, _ := strings.Cut(strings.TrimPrefix(thing, "do:"), ":"); KindNamed(kind) != nil && KindNamed(kind).Get != "" {
		own = path(KindNamed(kind).Get, f.parent, id)
	}
	deletes := d.method == http.MethodDelete && d.path == own
	switch t {
	case Deleted:
		return deletes
	case Created:
		return slices.Contains(d.things, thing)
	}
	return !deletes && own != "" && (d.path == own || strings.HasPrefix(d.path, own+"/")) || slices.Contains(d.things, thing)
}

// shows reports whether what is different in a resource is that it has to do with what
// the request was about: a droplet's volume that was attached, a firewall's droplet that
// was deleted.
func (d deed) shows(fields []Field) bool {
	about := make([]string, 0, len(d.things)+2)
	for _, thing := range d.things {
		if parts := strings.SplitN(thing, ":", 3); len(parts) == 3 {
			about = append(about, parts[2])
		}
	}
	for i, part := range strings.Split(d.path, "/") { // "/v2/domains/example.com/records/1"
		if i >= 3 && i%2 == 1 {
			about = append(about, part)
		}
	}
	for _, f := range fields {
		for _, side := range []json.RawMessage{f.Before, f.After} {
			for _, word := range strings.FieldsFunc(string(side), func(r rune) bool { return strings.ContainsRune("[]{}\", ", r) }) {
				if slices.Contains(about, strings.TrimPrefix(word, ":")) {
					return true
				}
			}
		}
	}
	return false
}

// asksFor reports whether the request may have made this resource, which nothing tells
// from what anybody makes.
func (d deed) asksFor(f found) bool {
	return d.method == http.MethodPost && slices.ContainsFunc(f.kind.Lists, func(l Listing) bool { return d.path == path(l.Path, f.parent, "") })
}

// action is the one that explains a change, the newest where several may.
func (j *jury) action(e *edit) (action, bool) {
	t, f := e.change.Type, e.found
	w := j.within
	w.from = e.since(w)
	about := []string{f.urn}
	if f.kind == snapshot && t == Created {
		for _, e := range f.kind.Edges(f.doc) {
			about = append(about, e.To)
		}
	}
	for _, urn := range about {
		actions := j.actions[urn]
		for i := len(actions) - 1; i >= 0; i-- {
			if a := actions[i]; a.explains(t, f, w) {
				return a, true
			}
		}
	}
	return action{}, false
}

// explains reports whether the action can have brought the change about.
func (a action) explains(t ChangeType, f found, w window) bool {
	ended := a.completedAt
	if ended.IsZero() {
		ended = w.to
	}
	if ended.Before(w.from.Add(-w.patience)) || a.startedAt.After(w.to) {
		return false
	}
	switch {
	case t == Created && f.kind == snapshot:
		return a.kind == "snapshot" && !f.look.CreatedAt.Before(a.startedAt.Add(-time.Second)) && !f.look.CreatedAt.After(ended)
	case t == Created:
		return a.kind == "create"
	case t == Deleted:
		return a.kind == "destroy"
	}
	return a.kind != "create" || w.from.Sub(a.startedAt) < w.patience
}

// readActions fills in the actions that ended at from or later, or have not ended.
func (s *Service) readActions(ctx context.Context, account string, from time.Time, into map[string][]action) error {
	rows, err := s.db.Read().QueryContext(ctx, `SELECT id, status, type, resource_type, resource, started_at, completed_at FROM inv_actions
		WHERE account = $1 AND (completed_at IS NULL OR completed_at >= $2) ORDER BY started_at, id`, account, db.Micros(from))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		a, err := scanAction(rows)
		if err != nil {
			return err
		}
		into[a.urn()] = append(into[a.urn()], a)
	}
	return rows.Err()
}
