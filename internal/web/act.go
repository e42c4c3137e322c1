package web

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/access"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/id"
	"github.com/arcadia-cloud/arcadia/internal/provisioning"
	"github.com/arcadia-cloud/arcadia/internal/saga"
	"github.com/arcadia-cloud/arcadia/internal/web/ui"
	"github.com/arcadia-cloud/arcadia/internal/wire"
)

// A verb is what an operator may ask of a saga, in the page's words.
type verb struct {
	name   string // as the API has it
	label  string // the button's
	danger bool   // it destroys, or passes over a safeguard: it needs a reason
	rare   bool   // behind "more"
	onStep bool   // it is about the step at hand
}

// verbs are all there are, in the order in which a page offers them.
var verbs = []verb{
	{name: "start", label: "Start"},
	{name: "resume", label: "Resume"},
	{name: "retry", label: "Look now"},
	{name: "pause", label: "Pause"},
	{name: "cancel", label: "Cancel and undo", danger: true},
	{name: "skip", label: "Skip the step", danger: true, rare: true, onStep: true},
	{name: "mark-done", label: "Mark the step done", danger: true, rare: true, onStep: true},
	{name: "force-release", label: "Take it from its owner", danger: true, rare: true},
}

func verbNamed(name string) (verb, error) {
	i := slices.IndexFunc(verbs, func(v verb) bool { return v.name == name })
	if i < 0 {
		return verb{}, errNowhere
	}
	return verbs[i], nil
}

// labelFor is the verb's label for a saga as it is.
func (d verb) labelFor(s saga.Saga) string {
	if d.name == "retry" && s.State == saga.Stuck {
		return "Try again"
	}
	return d.label
}

func (d verb) class() string {
	switch {
	case d.danger:
		return "danger"
	case d.name == "start" || d.name == "resume":
		return "primary"
	}
	return ""
}

// happens says what the verb will do to a saga as it is.
func (d verb) happens(s saga.Saga, step string) string {
	switch d.name {
	case "start":
		return "The saga begins as soon as a worker is free and its subject is."
	case "resume":
		return "It goes on where it rests."
	case "retry":
		if s.State == saga.Stuck {
			return fmt.Sprintf("The step %s is entered again, with its attempts counted anew. It looks before it asks for anything.", step)
		}
		return "It does not wait any longer, and looks now. Where it finds nothing new, it waits again."
	case "pause":
		return "It rests at its next boundary. What is under way at DigitalOcean goes on; nothing new is asked for until it is resumed. It keeps what it locks."
	case "cancel":
		undone := []string{}
		for _, st := range slices.Backward(s.Steps) {
			if !st.StartedAt.IsZero() {
				undone = append(undone, st.Name)
			}
		}
		if len(undone) == 0 {
			return "Nothing has been done yet: it ends without a trace."
		}
		return "It turns back at its next boundary and undoes what it did: " + strings.Join(undone, ", then ") + ". What it made at DigitalOcean is deleted."
	case "skip":
		return fmt.Sprintf("The step %s is passed over as if it were not there. A step that was begun is still undone when the saga turns back.", step)
	case "mark-done":
		return fmt.Sprintf("You say that you made the step %s true by hand. The saga believes it and goes on.", step)
	case "force-release":
		return "Its owner can write nothing from now on. The saga goes on with another when the lease is over, and looks first at what the old one may have sent. For an owner that is hung or gone."
	}
	return ""
}

// standing is how a saga stands, without the verbs that would have it change something
// in an account that can only be looked at, and why that is.
func (s *Server) standing(ctx context.Context, of saga.Saga) (standing saga.Standing, why string, err error) {
	if standing, err = s.o.Engine.Standing(ctx, of.ID); err != nil {
		return standing, "", err
	}
	_, why, err = s.o.Access.Writable(ctx, cmp.Or(provisioning.AccountOf(of), s.o.Account))
	if why != "" {
		standing.Verbs = slices.DeleteFunc(standing.Verbs, provisioning.Acts)
	}
	return standing, why, err
}

// ask is the page that asks before a verb is done.
func (s *Server) ask(v *visit) error { return s.confirm(v, http.StatusOK, nil) }

// confirm shows a verb's form, and what was refused of it where refusal is not nil.
func (s *Server) confirm(v *visit, status int, refusal error) error {
	sagaID, err := parseSaga(v.r.PathValue("id"))
	if err != nil {
		return err
	}
	d, err := verbNamed(strings.TrimSuffix(v.r.PathValue("verb"), ".json"))
	if err != nil {
		return err
	}
	ctx := v.r.Context()
	row, err := s.o.Engine.Saga(ctx, sagaID)
	if err != nil {
		return err
	}
	standing, why, err := s.standing(ctx, row)
	if err != nil {
		return err
	}
	if why != "" && refusal == nil && provisioning.Acts(d.name) {
		return fault.WithCode(fault.New(fault.Unprocessable, "%s", why), access.ReadOnly)
	}
	if refusal == nil && !slices.Contains(standing.Verbs, d.name) {
		return fault.New(fault.Conflict, "%s is not possible while %s is %s. Its page offers what is.", d.labelFor(row), sagaID, wire.Words(string(row.State)))
	}
	back := "/sagas/" + string(sagaID)
	c := ui.Confirm{
		Title: d.labelFor(row), About: wire.NameOf(wire.Saga(row)), Back: back, Action: back + "/" + d.name, Key: id.New("form"),
		Verb: d.labelFor(row), Danger: d.danger, Hidden: url.Values{}, ReasonRequired: d.danger, Reason: v.r.PostFormValue("reason"),
	}
	if d.onStep {
		c.Hidden.Set("step", standing.Step)
	}
	if refusal != nil {
		c.Refusal = v.problem(refusal).Detail
	}
	asked := question{Title: c.Title, About: c.About, Happens: []string{d.happens(row, standing.Step)}, Method: http.MethodPost, Path: "/v1" + c.Action, ReasonRequired: d.danger}
	if d.onStep {
		asked.Step = standing.Step
	}
	if v.wants("json") {
		return v.json(asked)
	}
	return v.show(status, verbPage(v.page(c.Title, "/sagas"), c, d, asked, v.r.PostFormValue("output"), verbTwins(v, sagaID, d, asked)))
}

// A question is the twin of a page that asks before something is done, and says
// how a program does it.
type question struct {
	Title          string           `json:"title"`
	About          string           `json:"about"`
	Happens        []string         `json:"happens"`
	Method         string           `json:"method"`
	Path           string           `json:"path"`
	Step           string           `json:"step,omitempty"` // that it is about
	ReasonRequired bool             `json:"reason_required"`
	Droplets       []client.Droplet `json:"droplets,omitempty"` // to choose from
}

func verbTwins(v *visit, of saga.ID, d verb, asked question) ui.Twin {
	body, err := json.Marshal(client.Act{Reason: "WHY", Step: asked.Step})
	if err != nil {
		panic(err) // texts always marshal
	}
	t := ui.Twin{
		CLI:  "arcadia saga " + d.name + " " + string(of) + " --reason WHY",
		API:  "curl -X POST http://" + v.r.Host + asked.Path + " -d " + quoted(string(body)),
		JSON: "/sagas/" + string(of) + "/" + d.name + ".json",
	}
	if asked.Step != "" {
		t.CLI += " --step " + quoted(asked.Step)
	}
	return t
}

// act does a verb.
func (s *Server) act(v *visit) error {
	sagaID, err := parseSaga(v.r.PathValue("id"))
	if err != nil {
		return err
	}
	d, err := verbNamed(v.r.PathValue("verb"))
	if err != nil {
		return err
	}
	err = s.sent.once(v.r.PostFormValue("key"), func() error { return s.carryOut(v, sagaID, d) })
	if err != nil {
		p := v.problem(err)
		if p.Status == http.StatusNotFound {
			return err
		}
		return s.confirm(v, p.Status, err)
	}
	return v.redirect("/sagas/" + string(sagaID) + "?did=" + d.name)
}

func (s *Server) carryOut(v *visit, of saga.ID, d verb) error {
	if err := formError(v.r.ParseForm()); err != nil {
		return err
	}
	by := saga.Actor{Name: actor, Reason: strings.TrimSpace(v.r.PostFormValue("reason"))}
	if d.danger && by.Reason == "" {
		return fault.New(fault.Invalid, "Say why: the reason is kept in the saga's events, for whoever looks at it later.")
	}
	e, ctx := s.o.Engine, v.r.Context()
	row, err := e.Saga(ctx, of)
	if err == nil && provisioning.Acts(d.name) {
		err = s.o.Access.MustWrite(ctx, cmp.Or(provisioning.AccountOf(row), s.o.Account))
	}
	if err != nil {
		return err
	}
	switch d.name {
	case "skip":
		_, err = e.Skip(ctx, of, v.r.PostFormValue("step"), by)
	case "mark-done":
		var output json.RawMessage
		if text := strings.TrimSpace(v.r.PostFormValue("output")); text != "" {
			if output = json.RawMessage(text); !json.Valid(output) || output[0] != '{' {
				return fault.New(fault.Invalid, `What the step recorded must be a JSON object, as {"snapshot_id": "1"}, or empty.`)
			}
		}
		_, err = e.MarkDone(ctx, of, v.r.PostFormValue("step"), output, by)
	default:
		simple := map[string]func(context.Context, saga.ID, saga.Actor) (saga.Saga, error){
			"start": e.Start, "pause": e.Pause, "resume": e.Resume, "cancel": e.Cancel, "retry": e.Retry, "force-release": e.ForceRelease,
		}
		_, err = simple[d.name](ctx, of, by)
	}
	return err
}

// formError is what is wrong with a form that could not be read.
func formError(err error) error {
	var large *http.MaxBytesError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &large):
		return fault.Wrap(fault.TooLarge, err, "The form is too large: at most %d KiB are taken.", maxForm>>10)
	}
	return fault.Wrap(fault.Invalid, err, "The form could not be read.")
}

// sent remembers the forms that were sent in the last minutes, so that a second
// click does nothing a second time. What starts a saga does not rely on it: there
// the form's key is the request's idempotency key, which the ledger keeps.
type sent struct {
	mu    sync.Mutex
	forms map[string]*form
}

type form struct {
	once sync.Once
	at   time.Time
	err  error
}

const (
	sentFor  = 10 * time.Minute
	mostSent = 1000
)

func newSent() *sent { return &sent{forms: map[string]*form{}} }

// once does what a form asks for, or answers what came of it the first time. A
// form that was refused may be sent again.
func (s *sent) once(key string, do func() error) error {
	if id.Check("form", key) != nil {
		return do()
	}
	f := s.form(key)
	f.once.Do(func() { f.err = do() })
	if f.err != nil {
		s.mu.Lock()
		delete(s.forms, key)
		s.mu.Unlock()
	}
	return f.err
}

func (s *sent) form(key string) *form {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for key, f := range s.forms {
		if len(s.forms) > mostSent || now.Sub(f.at) > sentFor {
			delete(s.forms, key)
		}
	}
	if s.forms[key] == nil {
		s.forms[key] = &form{at: now}
	}
	return s.forms[key]
}
