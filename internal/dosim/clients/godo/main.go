// Command godo drives a simulated DigitalOcean through one story with the
// godo that it is built with. It never waits: where a client would, it has the
// cloud's clock advance, so that two runs see the same instants.
package main

import (
	"fmt"
	"os"

	"github.com/arcadia-cloud/arcadia/internal/dosim/clients/scenario"
)

func main() {
	if len(os.Args) != 5 {
		fmt.Fprintln(os.Stderr, "usage: godo STORY API-URL ADMIN-URL TOKEN")
		os.Exit(2)
	}
	if err := scenario.Run(os.Args[1], os.Args[2], os.Args[3], os.Args[4]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
