package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/metering"
)

type usageCommand struct {
	Push      usagePushCommand      `cmd:"" help:"Record usage events of a file; it may be repeated."`
	List      usageListCommand      `cmd:"" help:"List a tenant's events as they were accepted, those too that do not count any more."`
	Conflicts usageConflictsCommand `cmd:"" help:"List events that were told again with another content."`
	Meters    usageMetersCommand    `cmd:"" help:"Keep which events count, and how."`
	Totals    usageTotalsCommand    `cmd:"" help:"Say what a meter comes to for a tenant over a period."`
	Unmetered usageUnmeteredCommand `cmd:"" help:"Sum up events that were accepted and that no meter counts."`
	Rebuild   usageRebuildCommand   `cmd:"" help:"Roll all usage up again from the events; totals stay what they are."`
	Lifetimes usageLifetimesCommand `cmd:"" help:"List for how long resources had a size, a price, a status and a tenant."`
}

type usagePushCommand struct {
	File   string `arg:"" help:"Usage events: one JSON object a line, a JSON array, or CSV; - for standard input."`
	Tenant string `help:"Whose all events are, slug or id; left away: each says so in its subject."`
	Source string `help:"The source of events that name none."`
	Type   string `help:"The type of events that name none."`
	Batch  int    `default:"1000" help:"How many are sent at once, 1 to 10000."`
}

// A pushed sums up what became of a file.
type pushed struct {
	Events     int              `json:"events"`
	Accepted   int              `json:"accepted"`
	Late       int              `json:"late"`
	Duplicates int              `json:"duplicates"`
	Rejected   int              `json:"rejected"`
	Rejections []rejectedAtLine `json:"rejections"`
	More       int              `json:"more_rejections"`
}

// A rejectedAtLine is an event that was not accepted, by its place in the file.
type rejectedAtLine struct {
	Line   int    `json:"line"`
	Reason string `json:"reason"`
	Detail string `json:"detail"`
}

// mostRejections is how many rejections are shown; all are counted.
const mostRejections = 1000

// Run pushes the events of a file.
func (c *usagePushCommand) Run(ctx context.Context, r *runner) (err error) {
	if c.Batch < 1 || c.Batch > metering.MaxBatch {
		return usage{fmt.Errorf("--batch must be 1 to %d, not %d", metering.MaxBatch, c.Batch)}
	}
	file := r.In
	if c.File != "-" {
		opened, err := os.Open(c.File)
		if err != nil {
			return fault.Wrap(fault.Invalid, err, "%s cannot be read: %v.", c.File, pathless(err))
		}
		defer opened.Close()
		file = opened
	}
	s, err := r.connect(ctx, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	sum := pushed{Rejections: []rejectedAtLine{}}
	progress := r.pushProgress()
	if err := c.push(ctx, s, file, &sum, progress.at); err != nil {
		progress.end()
		if sum.Events > 0 && !r.json {
			r.say("%s Before that: %s", "It was broken off.", sum)
		}
		return err
	}
	progress.end()
	if r.json {
		err = r.print(sum)
	} else {
		err = r.showPushed(sum)
	}
	if err == nil && sum.Rejected > 0 {
		err = exit(exitFailed)
	}
	return err
}

// push sends the events of a file, some at a time.
func (c *usagePushCommand) push(ctx context.Context, s *session, file io.Reader, sum *pushed, tell func(int)) error {
	var (
		batch []json.RawMessage
		lines []int
		bytes int
	)
	send := func() error {
		if len(batch) == 0 {
			return nil
		}
		var done client.UsageBatch
		err := s.read(ctx, func(cl *client.Client) (err error) { // what arrived twice counts once
			done, err = cl.PushUsage(ctx, c.Tenant, batch)
			return err
		})
		if err != nil {
			return err
		}
		sum.add(done, lines)
		tell(sum.Events)
		batch, lines, bytes = batch[:0], lines[:0], 0
		return nil
	}
	const mostBytes = 8 << 20
	for piece, err := range metering.Pieces(c.File, file) {
		if err != nil {
			return errors.Join(send(), err)
		}
		event, err := c.filled(piece.JSON)
		if err != nil {
			return err
		}
		if len(batch) == c.Batch || bytes+len(event) > mostBytes {
			if err := send(); err != nil {
				return err
			}
		}
		batch, lines, bytes = append(batch, event), append(lines, piece.Line), bytes+len(event)
	}
	return send()
}

// filled is an event with what the command line says of all that do not.
func (c *usagePushCommand) filled(event json.RawMessage) (json.RawMessage, error) {
	if c.Source == "" && c.Type == "" {
		return event, nil
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(event, &members) != nil || members == nil {
		return event, nil // the server says what is wrong with it
	}
	for name, value := range map[string]string{"source": c.Source, "type": c.Type} {
		if _, told := members[name]; !told && value != "" {
			text, _ := json.Marshal(value) // a string always works
			members[name] = text
		}
	}
	return json.Marshal(members)
}

func (p *pushed) add(done client.UsageBatch, lines []int) {
	p.Events += len(done.Items)
	p.Accepted, p.Duplicates, p.Rejected = p.Accepted+done.Accepted, p.Duplicates+done.Duplicates, p.Rejected+done.Rejected
	for i, r := range done.Items {
		if r.Late {
			p.Late++
		}
		switch {
		case r.Status != string(metering.Refused):
		case len(p.Rejections) == mostRejections:
			p.More++
		default:
			p.Rejections = append(p.Rejections, rejectedAtLine{lines[i], r.Reason, r.Detail})
		}
	}
}

// String is the sum in words.
func (p pushed) String() string {
	late := ""
	if p.Late > 0 {
		late = fmt.Sprintf(" (%d late)", p.Late)
	}
	return fmt.Sprintf("%s: %d accepted%s, %d counted before, %d rejected.", plural(p.Events, "event"), p.Accepted, late, p.Duplicates, p.Rejected)
}

func (r *runner) showPushed(sum pushed) error {
	if len(sum.Rejections) > 0 {
		rows := [][]string{}
		for _, one := range sum.Rejections {
			rows = append(rows, []string{count(int64(one.Line)), one.Reason, one.Detail})
		}
		if err := table(r.Out, "LINE|REJECTED|WHY", rows); err != nil {
			return err
		}
		if sum.More > 0 {
			r.say("… and %d more", sum.More)
		}
		r.say("")
	}
	r.say("%s", sum)
	return nil
}

// A pushProgress says on a terminal how far a file is sent.
type pushProgress struct {
	w     io.Writer // nil: nobody looks
	began time.Time
	told  time.Time
}

func (r *runner) pushProgress() *pushProgress {
	p := &pushProgress{began: time.Now()}
	if isTerminal(r.Err) && !r.json {
		p.w = r.Err
	}
	return p
}

func (p *pushProgress) at(events int) {
	if p.w == nil || time.Since(p.told) < 200*time.Millisecond {
		return
	}
	p.told = time.Now()
	fmt.Fprintf(p.w, "\r\x1b[K%d events, %.0f a second", events, float64(events)/time.Since(p.began).Seconds())
}

func (p *pushProgress) end() {
	if p.w != nil && !p.told.IsZero() {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}

type usageConflictsCommand struct {
	Tenant string `help:"Of this tenant, slug or id."`
	Limit  int    `default:"100" help:"How many, 1 to 1000."`
}

// Run lists conflicts.
func (c *usageConflictsCommand) Run(ctx context.Context, r *runner) error {
	conflicts, err := fetch(ctx, r, func(cl *client.Client) ([]client.UsageConflict, error) {
		return cl.UsageConflicts(ctx, c.Tenant, c.Limit)
	})
	switch {
	case err != nil:
		return err
	case r.json:
		return r.print(client.List[client.UsageConflict]{Items: append([]client.UsageConflict{}, conflicts...)})
	case len(conflicts) == 0:
		r.say("There are no conflicts: no event was told again with another content.")
		return nil
	}
	for _, one := range conflicts {
		r.say("%s of %s", one.Counts.Source+"/"+one.Counts.ID, one.Tenant)
		r.say("  counts      %s", eventText(one.Counts))
		r.say("  told later  %s", eventText(one.Against))
		r.say("  %s, the last at %s UTC\n", plural(int(one.Told), "time"), one.LastAt.UTC().Format(time.DateTime))
	}
	r.say("What was told first counts. To correct it, send an event with an id of its own that replaces it.")
	return nil
}

// eventText is what an event says, in a line.
func eventText(e client.UsageEvent) string {
	data, _ := json.Marshal(e.Data) // a map of strings always works
	return fmt.Sprintf("%s %s %s", e.Type, e.Time.UTC().Format(time.RFC3339), data)
}
