// Package cli is the command line. It reads arguments, calls one verb of the REST
// API through package client, and shows the answer: tables and sentences for
// people, JSON for programs. Whether a server answers, or this process opens the
// data directory and runs the engine itself, it does not know: package app gives
// it the connection.
package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"
	"golang.org/x/term"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/wire"
)

// A Place says where the data are that a command is about. Empty fields leave it
// to the environment.
type Place struct {
	URL      string // of a server
	DataDir  string
	Database string // sqlite:///… or postgres://…
	Log      *slog.Logger
}

// A Connection is a server that answers: another process, or this one.
type Connection struct {
	Client   *client.Client
	Embedded bool         // this process is the server, for as long as the connection is open
	Close    func() error // ends what this process serves
}

// A Sandbox is a simulated cloud with a droplet, and a server of its own.
type Sandbox struct {
	Connection
	Droplet string // its name
}

// Serving says how the server runs.
type Serving struct {
	Addr  string // host and port; empty leaves it to the environment
	Role  string // "all", "web" or "worker"
	Ready func(url string)

	PublicURL  string // where droplets reach the server; empty leaves it to the environment
	ProbeProxy string // an HTTP proxy for health probes; empty leaves it to the environment
}

// A Host is what the commands ask of the process that they run in.
type Host struct {
	Version string

	// Connect finds who serves the place, or serves it by itself; drive says
	// that it then runs sagas too.
	Connect func(ctx context.Context, p Place, drive bool) (*Connection, error)
	Serve   func(context.Context, Place, Serving) error
	Demo    func(context.Context, Place, Demo) error
	Sandbox func(context.Context, *slog.Logger) (*Sandbox, error)
	Migrate func(context.Context, Place) (applied int, where string, err error)
	Checks  func(context.Context, Place) []client.Check
}

// Streams are a process's three.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// The exit codes that scripts can trust.
const (
	exitDone       = 0 // completed; for smoke: rolled back, and nothing left over
	exitFailed     = 1 // anything else
	exitUsage      = 2
	exitRolledBack = 3
	exitStuck      = 4
)

// An exit ends the process with a code and without a word: all is said.
type exit int

func (e exit) Error() string { return fmt.Sprintf("exit %d", int(e)) }

// A usage error is in what was typed.
type usage struct{ error }

func (u usage) Unwrap() error { return u.error }

type commands struct {
	JSON    bool   `name:"json" help:"Print JSON, for programs."`
	Verbose bool   `short:"v" help:"Log what happens to standard error."`
	URL     string `name:"url" placeholder:"URL" help:"The server to talk to ($$ARCADIA_URL)."`
	DataDir string `name:"data-dir" placeholder:"DIR" help:"Where the data are ($$ARCADIA_DATA_DIR)."`
	DB      string `name:"db" placeholder:"URL" help:"The database: sqlite:///path or postgres://… ($$ARCADIA_DATABASE_URL)."`

	Demo         demoCommand         `cmd:"" help:"Open a living system over a simulated DigitalOcean, with nothing to configure."`
	Smoke        smokeCommand        `cmd:"" help:"Take a snapshot, fail on purpose, and prove that nothing is left over."`
	Snapshot     snapshotCommand     `cmd:"" help:"Take a snapshot of a droplet."`
	Saga         sagaCommand         `cmd:"" help:"Look at sagas and act on them."`
	Inventory    inventoryCommand    `cmd:"" help:"See what there is at DigitalOcean, what changed and why."`
	Billing      billingCommand      `cmd:"" help:"Work out what tenants are to pay."`
	Usage        usageCommand        `cmd:"" help:"Record what tenants used, and see what it comes to."`
	Fx           fxCommand           `cmd:"" help:"Keep what a US dollar is in other currencies."`
	Catalog      catalogCommand      `cmd:"" help:"Keep what can be sold: plans, meters, taxes, coupons."`
	Customer     customerCommand     `cmd:"" help:"Keep how tenants are billed."`
	Subscription subscriptionCommand `cmd:"" help:"Keep what customers subscribed to."`
	Invoice      invoiceCommand      `cmd:"" help:"Look at invoices and credit notes."`
	Payment      paymentCommand      `cmd:"" help:"Book what tenants paid, and take it back."`
	Statement    statementCommand    `cmd:"" help:"Show what a tenant owes and how that came about, by the journal."`
	Issuer       issuerCommand       `cmd:"" help:"Keep who sends invoices."`
	Blueprint    blueprintCommand    `cmd:"" help:"Keep descriptions of what tenants get."`
	Stack        stackCommand        `cmd:"" help:"Make tenants' stacks, and destroy them: planned first."`
	Cleanup      cleanupCommand      `cmd:"" help:"Delete what nobody has: planned first, and marked for a time."`
	Freeze       freezeCommand       `cmd:"" help:"Forbid changes at DigitalOcean for a while."`
	Tenant       tenantCommand       `cmd:"" help:"Keep whom the product is hosted for."`
	Account      accountCommand      `cmd:"" help:"Keep the accounts at DigitalOcean."`
	Token        tokenCommand        `cmd:"" help:"Keep the tokens of DigitalOcean."`
	Secret       secretCommand       `cmd:"" help:"Keep what droplets are told in private when they first start."`
	Serve        serveCommand        `cmd:"" help:"Run the server: REST API, sagas, schedules."`
	Dosim        dosimCommand        `cmd:"" help:"Run a simulated DigitalOcean to try things with."`
	Doctor       doctorCommand       `cmd:"" help:"Check that everything is in place."`
	Migrate      migrateCommand      `cmd:"" help:"Bring the database's schema up to date."`
	Version      versionCommand      `cmd:"" help:"Print the version."`
}

const about = `Durable operations at DigitalOcean that either complete or undo themselves.

Without a server a command opens the data directory and does its work itself. Try it, with nothing set up: arcadia demo`

// Run runs one command line, without the program's name, and returns the code to
// exit with.
func Run(ctx context.Context, h Host, s Streams, args []string) int {
	var c commands
	helped := false
	parser, err := kong.New(&c,
		kong.Name("arcadia"), kong.Description(about), kong.Writers(s.Out, s.Err),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}),
		kong.Exit(func(int) { helped = true }),
	)
	if err != nil {
		panic(err) // the grammar above is wrong
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	parsed, err := parser.Parse(withNegatives(args))
	if helped {
		return exitDone
	}
	r := &runner{host: h, Streams: s, json: c.JSON || asksForJSON(args), log: slog.New(slog.DiscardHandler)}
	if err == nil {
		if c.Verbose {
			r.log = slog.New(slog.NewTextHandler(s.Err, &slog.HandlerOptions{Level: slog.LevelDebug}))
		}
		r.place = Place{URL: c.URL, DataDir: c.DataDir, Database: c.DB, Log: r.log}
		parsed.BindTo(ctx, (*context.Context)(nil))
		err = parsed.Run(r)
	} else {
		err = mistyped(err)
	}
	return r.report(ctx, err)
}

// withNegatives ties a negative number to the flag that it was given to, which the parser
// would take for a flag itself: so that the command says what is wrong with it.
func withNegatives(args []string) []string {
	tied := make([]string, 0, len(args))
	for _, a := range args {
		last := len(tied) - 1
		if _, err := strconv.Atoi(a); err == nil && a[0] == '-' && last >= 0 && strings.HasPrefix(tied[last], "--") && len(tied[last]) > 2 && !strings.Contains(tied[last], "=") {
			tied[last] += "=" + a
			continue
		}
		tied = append(tied, a)
	}
	return tied
}

// mistyped is what a command line that could not be read is answered with.
func mistyped(err error) error {
	at := commandOf(err)
	switch text := err.Error(); {
	case at == "arcadia token set" && strings.HasPrefix(text, "unexpected argument"):
		return asArgument("token")
	case at == "arcadia secret set" && strings.HasPrefix(text, "unexpected argument"):
		return asArgument("secret")
	case strings.HasPrefix(text, "expected one of"):
		err = errors.New("a command is missing") // kong lists a few of them
	}
	return usage{fmt.Errorf("%s. See %s --help", strings.TrimRight(err.Error(), ".?"), at)}
}

// commandOf is the command that was typed, as far as it is one.
func commandOf(err error) string {
	var typed *kong.ParseError
	if errors.As(err, &typed) && typed.Context != nil && typed.Context.Selected() != nil {
		// without its arguments: "arcadia token set <purpose>"
		path, _, _ := strings.Cut(typed.Context.Selected().FullPath(), " <")
		return strings.TrimSpace(path)
	}
	return "arcadia"
}

// asksForJSON looks for the flag where a command line could not be read.
func asksForJSON(args []string) bool {
	for _, a := range args {
		if a == "--json" {
			return true
		}
	}
	return false
}

// A runner is what a command runs with.
type runner struct {
	Streams
	host  Host
	place Place
	json  bool
	log   *slog.Logger
}

// report says what went wrong, in one sentence, and returns the code to exit with.
func (r *runner) report(ctx context.Context, err error) int {
	var (
		code exit
		bad  usage
	)
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &code):
		return int(code)
	case errors.As(err, &bad):
		r.complain(problemOf(fault.Invalid, strings.TrimRight(upperFirst(bad.Error()), ".?")+"."))
		return exitUsage
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		r.complain(problemOf(fault.Unavailable, "Interrupted."))
		return exitFailed
	}
	p := asProblem(err)
	r.log.Debug("command failed", "err", err)
	r.complain(p)
	if p.Code == string(fault.Invalid) {
		return exitUsage
	}
	return exitFailed
}

// atPlace is how a sentence begins that says where in a file something is wrong.
var atPlace = regexp.MustCompile(`^\S+:\d+:\d+: `)

func (r *runner) complain(p client.Problem) {
	if r.json {
		_ = json.NewEncoder(r.Err).Encode(p) // nobody is left to tell
		return
	}
	if atPlace.MatchString(p.Detail) { // as editors read it
		fmt.Fprintln(r.Err, p.Detail)
		return
	}
	fmt.Fprintf(r.Err, "arcadia: %s\n", p.Detail)
}

func problemOf(k fault.Kind, detail string) client.Problem {
	return wire.Problem(k, string(k), detail)
}

// asProblem is any error as a refusal. What is no fault shows as it is: whoever
// runs the command line may know.
func asProblem(err error) client.Problem {
	var p *client.Problem
	if errors.As(err, &p) {
		return *p
	}
	var gone *client.UnreachableError
	if errors.As(err, &gone) {
		return problemOf(fault.Unavailable, gone.Error()+" Is ARCADIA_URL right, and arcadia serve running?")
	}
	var stranger *client.StrangerError
	if errors.As(err, &stranger) {
		return problemOf(fault.Unavailable, stranger.Error()+" Is ARCADIA_URL right?")
	}
	var address *client.AddressError
	if errors.As(err, &address) {
		return problemOf(fault.Invalid, address.Error())
	}
	if k := fault.KindOf(err); k != fault.Internal {
		return wire.Problem(k, fault.Code(err), fault.Message(err))
	}
	return problemOf(fault.Internal, "Something went wrong: "+strings.TrimSuffix(err.Error(), ".")+".")
}

// print writes v as JSON.
func (r *runner) print(v any) error {
	e := json.NewEncoder(r.Out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// say writes a line for people.
func (r *runner) say(format string, args ...any) { fmt.Fprintf(r.Out, format+"\n", args...) }

// isTerminal reports whether a stream is a person's.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
