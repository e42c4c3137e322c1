package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/wire"
)

// checkDroplet refuses what can name no droplet.
func checkDroplet(ref string) error {
	if strings.Trim(ref, ". ") == "" {
		return fault.New(fault.Invalid, "Say which droplet: its id or its name, not %q.", ref)
	}
	return nil
}

type snapshotCommand struct {
	Droplet string `arg:"" help:"The droplet's id or its name."`
	Account string `placeholder:"NAME" help:"The account that has it; else the one in which the inventory knows it."`
	Key     string `placeholder:"KEY" help:"Makes the command safe to repeat: the same key is the same snapshot."`
	Wait    bool   `default:"true" negatable:"" help:"Wait until the snapshot is taken. Without a server it always does."`
}

// Run takes a snapshot.
func (c *snapshotCommand) Run(ctx context.Context, r *runner) (err error) {
	if err := checkDroplet(c.Droplet); err != nil {
		return err
	}
	s, err := r.connect(ctx, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	var started client.Saga
	err = s.write(ctx, func(cl *client.Client) (err error) {
		started, _, err = cl.SnapshotDroplet(ctx, client.DropletRef{Droplet: c.Droplet, Account: c.Account}, c.Key)
		return err
	})
	if err != nil {
		return err
	}
	if !c.Wait && !s.conn.Embedded {
		return r.accepted(started)
	}
	return s.finish(ctx, started.ID)
}

// accepted shows a saga that was started and is not waited for.
func (r *runner) accepted(s client.Saga) error {
	if r.json {
		return r.print(s)
	}
	r.say("%s: started.\nFollow it with: arcadia saga watch %s", wire.NameOf(s), s.ID)
	return nil
}

// finish follows a saga until it rests, shows how it ended, and exits with the
// code that says so.
func (s *session) finish(ctx context.Context, id string) error {
	last, err := s.follow(ctx, id)
	if err != nil {
		return s.left(ctx, id, err)
	}
	if err := s.r.show(last); err != nil {
		return err
	}
	return endOf(last)
}

// left says how a saga goes on that nobody waits for any more.
func (s *session) left(ctx context.Context, id string, err error) error {
	if ctx.Err() == nil || s.r.json {
		return err
	}
	if s.conn.Embedded {
		s.r.say("The saga rests where it is, in the ledger. Go on with: arcadia saga watch %s", id)
	} else {
		s.r.say("The saga goes on without you. Follow it with: arcadia saga watch %s", id)
	}
	return err
}

// show shows a saga as it is.
func (r *runner) show(s client.Saga) error {
	if r.json {
		return r.print(s)
	}
	_, err := fmt.Fprint(r.Out, ledger(penFor(r.Out), s, time.Now()))
	return err
}

// endOf is the exit code of a saga at rest.
func endOf(s client.Saga) error {
	switch s.State {
	case client.RolledBack:
		return exit(exitRolledBack)
	case client.Stuck:
		return exit(exitStuck)
	}
	return nil
}

type smokeCommand struct {
	Droplet string `xor:"what" placeholder:"ID|NAME" help:"The droplet to take a snapshot of."`
	Account string `placeholder:"NAME" help:"The account that has it; else the one in which the inventory knows it."`
	Demo    bool   `xor:"what" help:"Instead: use a simulated DigitalOcean with one droplet. Nothing has to be set up."`
	Key     string `placeholder:"KEY" help:"Makes the command safe to repeat: the same key is the same saga."`
}

// A smokeReport is what smoke --json prints.
type smokeReport struct {
	Saga       client.Saga       `json:"saga"`
	LeftOver   []client.LeftOver `json:"left_over"`
	VerifiedAt client.Time       `json:"verified_at"`
}

// Run takes a snapshot, fails, and proves that nothing is left over.
func (c *smokeCommand) Run(ctx context.Context, r *runner) (err error) {
	s := &session{r: r, drive: true}
	switch {
	case c.Demo:
		sandbox, err := r.host.Sandbox(ctx, r.log)
		if err != nil {
			return err
		}
		s.conn, c.Droplet = &sandbox.Connection, sandbox.Droplet
		if !r.json {
			r.say("A simulated DigitalOcean with one droplet, %s, where a snapshot takes two seconds.\n"+
				"The saga takes a snapshot of it, then fails on purpose: it has to undo what it did.\n", sandbox.Droplet)
		}
	case c.Droplet == "":
		return usage{errors.New("say which droplet with --droplet ID or NAME, or try it without any: arcadia smoke --demo")}
	default:
		if err := checkDroplet(c.Droplet); err != nil {
			return err
		}
		if err := s.open(ctx); err != nil {
			return err
		}
	}
	defer func() { err = errors.Join(err, s.close()) }()

	var started client.Saga
	err = s.write(ctx, func(cl *client.Client) (err error) {
		started, _, err = cl.SmokeDroplet(ctx, client.DropletRef{Droplet: c.Droplet, Account: c.Account}, c.Key)
		return err
	})
	if err != nil {
		return err
	}
	last, err := s.follow(ctx, started.ID)
	if err != nil {
		return s.left(ctx, started.ID, err)
	}
	var left client.LeftOvers
	if last.Ended() || last.State == client.Stuck {
		err = s.read(ctx, func(cl *client.Client) (err error) {
			left, err = cl.LeftOver(ctx, last.ID)
			return err
		})
		if err != nil {
			return err
		}
	}
	if err := r.showSmoke(last, left); err != nil {
		return err
	}
	switch {
	case last.State == client.RolledBack && len(left.Items) == 0:
		return nil
	case last.State == client.Stuck:
		return exit(exitStuck)
	}
	return exit(exitFailed)
}

func (r *runner) showSmoke(s client.Saga, left client.LeftOvers) error {
	if r.json {
		return r.print(smokeReport{Saga: s, LeftOver: append([]client.LeftOver{}, left.Items...), VerifiedAt: left.VerifiedAt})
	}
	if err := r.show(s); err != nil {
		return err
	}
	p := penFor(r.Out)
	switch {
	case left.VerifiedAt.IsZero():
		r.say("%s What is left over was not looked for.", p.in(wire.Attention, "?"))
	case len(left.Items) == 0:
		r.say("%s Nothing is left over: the whole account was looked through at %s.", p.in(wire.Good, "✓"), clock(left.VerifiedAt.Time))
	default:
		r.say("%s Left over:", p.in(wire.Bad, "!"))
		for _, l := range left.Items {
			r.say("    %s  %s  made %s", l.URN, l.Name, ago(l.CreatedAt, time.Now()))
		}
	}
	return nil
}
