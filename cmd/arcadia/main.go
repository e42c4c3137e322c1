// Command arcadia runs durable operations at DigitalOcean: sagas that complete or
// undo themselves. See arcadia --help.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // one binary: customers' zones are known where the machine has none

	"github.com/arcadia-cloud/arcadia/internal/app"
	"github.com/arcadia-cloud/arcadia/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal ends the process at once.
	context.AfterFunc(ctx, stop)
	code := app.Run(ctx, cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}, os.Args[1:])
	stop()
	os.Exit(code)
}
