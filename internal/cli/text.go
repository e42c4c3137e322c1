package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/period"
	"github.com/arcadia-cloud/arcadia/internal/wire"
)

// ansi is a hue's colour.
var ansi = map[wire.Hue]string{wire.Dim: "2", wire.Good: "32", wire.Running: "34", wire.Attention: "33", wire.Bad: "31"}

// A pen writes for a person: in colour where that shows and is wanted.
type pen struct{ colour bool }

func penFor(stream any) pen {
	return pen{colour: isTerminal(stream) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
}

func (p pen) in(h wire.Hue, text string) string {
	if !p.colour || ansi[h] == "" || text == "" {
		return text
	}
	return "\x1b[" + ansi[h] + "m" + text + "\x1b[0m"
}

// ago is how long before now something was.
func ago(t *client.Time, now time.Time) string {
	if t == nil {
		return "–"
	}
	if d := now.Sub(t.Time); d >= time.Second {
		return wire.Took(d.Truncate(time.Second)) + " ago"
	}
	return "just now"
}

// clock is a time of day with its zone.
func clock(t time.Time) string { return t.UTC().Format("15:04:05 UTC") }

// clockIn is an instant by a customer's clock, with the zone as it is called then.
func clockIn(t client.Time, zone string) string {
	return period.In(t.Time, zone).Format("2006-01-02 15:04 MST")
}

// listing shows what is listed: the whole answer as JSON for programs, else a row for
// each item, or that there is none and what to do.
func listing[T any](r *runner, answer any, items []T, none, heading string, row func(T) []string) error {
	switch {
	case r.json:
		return r.print(answer)
	case len(items) == 0:
		r.say("%s", none)
		return nil
	}
	rows := make([][]string, len(items))
	for i, item := range items {
		rows[i] = row(item)
	}
	return table(r.Out, heading, rows)
}

// table writes rows under a heading, in columns.
func table(w io.Writer, heading string, rows [][]string) error {
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	fmt.Fprintln(t, strings.ReplaceAll(heading, "|", "\t"))
	for _, row := range rows {
		fmt.Fprintln(t, strings.Join(row, "\t"))
	}
	return t.Flush()
}
