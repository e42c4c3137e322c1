package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/alecthomas/kong"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/id"
	"github.com/arcadia-cloud/arcadia/internal/wire"
)

type sagaCommand struct {
	List  sagaListCommand  `cmd:"" help:"List sagas, the newest first."`
	Show  sagaShowCommand  `cmd:"" help:"Show a saga's step ledger."`
	Watch sagaWatchCommand `cmd:"" help:"Show a saga's step ledger as it changes, until it rests."`

	Start        actCommand      `cmd:"" help:"Start a saga that was only created."`
	Pause        actCommand      `cmd:"" help:"Let a saga rest at its next boundary."`
	Resume       actCommand      `cmd:"" help:"Let a paused saga go on."`
	Cancel       actCommand      `cmd:"" help:"Turn a saga back: it undoes what it did."`
	Retry        actCommand      `cmd:"" help:"Try the step of a stuck saga again, or let a waiting one look now."`
	Skip         skipCommand     `cmd:"" help:"Pass over the step at hand."`
	MarkDone     markDoneCommand `cmd:"" help:"Say that you made the step at hand true."`
	ForceRelease actCommand      `cmd:"" help:"Take a saga from an owner that you know is dead."`
}

// A sagaRef is a saga's id, checked before anything is asked.
type sagaRef struct {
	ID string `arg:"" name:"saga" help:"The saga's id: saga_ and 32 hexadecimal digits."`
}

// AfterApply checks the id.
func (s *sagaRef) AfterApply() error { return id.Check("saga", s.ID) }

type sagaListCommand struct {
	State   string `placeholder:"STATE" help:"Only sagas in this state, such as stuck."`
	Kind    string `placeholder:"KIND" help:"Only sagas of this kind, such as snapshot_droplet."`
	Subject string `placeholder:"URN" help:"Only sagas of this subject, such as do:droplet:1."`
	Limit   int    `default:"50" help:"How many, 1 to 200."`
	Cursor  string `placeholder:"NEXT" help:"Where the page before ended."`
}

// Run lists sagas.
func (c *sagaListCommand) Run(ctx context.Context, r *runner) error {
	if c.Limit < 1 || c.Limit > 200 {
		return usage{fmt.Errorf("--limit must be 1 to 200, not %d", c.Limit)}
	}
	page, err := fetch(ctx, r, func(cl *client.Client) (client.SagaPage, error) {
		return cl.Sagas(ctx, client.SagaFilter{State: c.State, Kind: c.Kind, Subject: c.Subject, Limit: c.Limit, Cursor: c.Cursor})
	})
	switch {
	case err != nil:
		return err
	case r.json:
		return r.print(page)
	case len(page.Items) == 0:
		if c.State != "" || c.Kind != "" || c.Subject != "" || c.Cursor != "" {
			r.say("There are no such sagas.")
		} else {
			r.say("There are no sagas yet. Start one with: arcadia snapshot DROPLET")
		}
		return nil
	}
	rows, now := [][]string{}, time.Now()
	for _, s := range page.Items {
		glyph, _ := wire.LookOf(s.State)
		span := "–"
		if s.StartedAt != nil {
			end := now
			if s.FinishedAt != nil {
				end = s.FinishedAt.Time
			}
			span = wire.Took(end.Sub(s.StartedAt.Time))
		}
		rows = append(rows, []string{s.ID, glyph + " " + wire.Words(s.State), wire.BriefOf(s), ago(&s.CreatedAt, now), span})
	}
	if err := table(r.Out, "SAGA|STATE|WHAT|CREATED|TOOK", rows); err != nil {
		return err
	}
	if page.Next != nil {
		r.say("\nThere are more: --cursor %s", *page.Next)
	}
	return nil
}

type sagaShowCommand struct {
	sagaRef
	Events bool `help:"Show everything that happened to it instead, each API call too."`
}

// Run shows a saga.
func (c *sagaShowCommand) Run(ctx context.Context, r *runner) error {
	if c.Events {
		return c.events(ctx, r)
	}
	s, err := fetch(ctx, r, func(cl *client.Client) (client.Saga, error) { return cl.Saga(ctx, c.ID) })
	if err != nil {
		return err
	}
	return r.show(s)
}

func deref(s *string) string {
	if s == nil {
		return "–"
	}
	return *s
}

type sagaWatchCommand struct{ sagaRef }

// Run watches a saga. Without a server this process drives it meanwhile.
func (c *sagaWatchCommand) Run(ctx context.Context, r *runner) (err error) {
	s, err := r.connect(ctx, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	return s.finish(ctx, c.ID)
}

// What every verb of an operator takes.
type actFlags struct {
	sagaRef
	Reason string `short:"r" placeholder:"WHY" help:"Why; it is kept in the saga's events."`
	Wait   bool   `short:"w" help:"Wait until the saga rests. Without a server it always does."`
}

type actCommand struct{ actFlags }

// Run does the verb that the command is named after.
func (c *actCommand) Run(ctx context.Context, r *runner, k *kong.Context) error {
	return r.act(ctx, c.actFlags, client.Verb(k.Selected().Name), client.Act{Reason: c.Reason})
}

type skipCommand struct {
	actFlags
	Step string `placeholder:"STEP" help:"The step that you mean; refused when the saga is at another."`
}

// Run passes over the step at hand.
func (c *skipCommand) Run(ctx context.Context, r *runner) error {
	return r.act(ctx, c.actFlags, client.Skip, client.Act{Reason: c.Reason, Step: c.Step})
}

type markDoneCommand struct {
	actFlags
	Step   string `placeholder:"STEP" help:"The step that you mean; refused when the saga is at another."`
	Output string `placeholder:"JSON" help:"An object whose fields are laid over the saga's state."`
}

// Run marks the step at hand as done.
func (c *markDoneCommand) Run(ctx context.Context, r *runner) error {
	a := client.Act{Reason: c.Reason, Step: c.Step}
	if c.Output != "" {
		var object map[string]json.RawMessage
		if err := json.Unmarshal([]byte(c.Output), &object); err != nil {
			return usage{errors.New(`--output must be a JSON object, as '{"snapshot_id":"1"}'`)}
		}
		a.Output = json.RawMessage(c.Output)
	}
	return r.act(ctx, c.actFlags, client.MarkDone, a)
}

// act does a verb. Where this process is the server, nobody would move the saga
// after it: so it stays until the saga rests.
func (r *runner) act(ctx context.Context, f actFlags, v client.Verb, a client.Act) (err error) {
	s, err := r.connect(ctx, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	var after client.Saga
	err = s.write(ctx, func(cl *client.Client) (err error) {
		after, err = cl.ActOn(ctx, f.ID, v, a)
		return err
	})
	if err != nil {
		return err
	}
	if f.Wait || s.conn.Embedded {
		return s.finish(ctx, f.ID)
	}
	return r.show(after)
}
