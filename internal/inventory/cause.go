package inventory

import (
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
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

// A deed is a request of a saga that may have changed something.
type deed struct {
	saga saga.Saga
	step string
	path string
	at   time.Time // by our clock
}

// A jury says what brought changes about, for the changes of one list.
type jury struct {
	within  window
	deeds   []deed
	marked  map[string]saga.Saga // sagas by their markers
	actions map[string][]action  // by the URN of what they were done to, the newest last
}

// call gathers what may explain the changes within a window.
func (s *Service) call(ctx context.Context, account string, w window) (*jury, error) {
	j := &jury{within: w, marked: map[string]saga.Saga{}, actions: map[string][]action{}}
	if w.firstSight {
		return j, nil
	}
	// A list may be late, so that what it shows may have been done before the last one.
	around, err := s.sagas.Around(ctx, w.ourFrom.Add(-2*w.patience), w.ourTo)
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
	return j, s.readActions(ctx, account, w.from.Add(-2*w.patience), j.actions)
}

// deeds are the requests of a saga that may have changed something.
func (s *Service) deeds(ctx context.Context, of saga.Saga) (deeds []deed, err error) {
	for after := int64(0); ; {
		events, err := s.sagas.Events(ctx, of.ID, after, 500)
		if err != nil || len(events) == 0 {
			return deeds, err
		}
		for _, e := range events {
			after = e.Seq
			var call saga.Call
			if e.Type != saga.APICall || json.Unmarshal(e.Detail, &call) != nil || call.Unsent || call.Method == http.MethodGet {
				continue
			}
			deeds = append(deeds, deed{of, e.Step, call.Path, e.At})
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
	for _, tag := range l.Tags {
		if m := markerTag.FindStringSubmatch(tag); m != nil {
			return m[1]
		}
	}
	return ""
}

// cause says what brought a change of a resource about, and when that was if it is
// known to the instant; zero otherwise.
func (j *jury) cause(t ChangeType, f found) (Cause, time.Time) {
	if j.within.firstSight {
		return Cause{Type: FirstSight}, time.Time{}
	}
	if t == Created {
		if of, ok := j.marked[markerOf(f.look)]; ok {
			return bySaga(of, stepOf(of, f)), f.look.CreatedAt
		}
	}
	for i := len(j.deeds) - 1; i >= 0; i-- {
		if d := j.deeds[i]; d.touches(f.kind, f.id) && (t == Deleted) == strings.HasSuffix(d.path, "/"+f.id) {
			return bySaga(d.saga, d.step), j.within.doTime(d.at)
		}
	}
	if a, ok := j.action(t, f); ok {
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

// touches reports whether the request was about this resource.
func (d deed) touches(k *Kind, id string) bool {
	if k.Get == "" {
		return false
	}
	own := path(k.Get, "", id)
	return d.path == own || strings.HasPrefix(d.path, own+"/")
}

// action is the one that explains a change, the newest where several may.
func (j *jury) action(t ChangeType, f found) (action, bool) {
	about := []string{f.urn}
	if f.kind == snapshot && t == Created {
		for _, e := range f.kind.Edges(f.doc) {
			about = append(about, e.To)
		}
	}
	for _, urn := range about {
		actions := j.actions[urn]
		for i := len(actions) - 1; i >= 0; i-- {
			if a := actions[i]; a.explains(t, f, j.within) {
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
