// Command godo drives a simulated DigitalOcean through one scenario with the
// godo that it is built with. It never waits: where a client would, it has the
// cloud's clock advance, so that two runs see the same instants.
package main

import (
	"fmt"
	"os"

	"github.com/arcadia-cloud/arcadia/internal/dosim/clients/scenario"
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: godo API-URL ADMIN-URL TOKEN")
		os.Exit(2)
	}
	if err := scenario.Run(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
