package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/wire"
)

func (c *sagaShowCommand) events(ctx context.Context, r *runner) error {
	events, err := fetch(ctx, r, func(cl *client.Client) ([]client.Event, error) { return cl.SagaEvents(ctx, c.ID, 0) })
	if err != nil {
		return err
	}
	if r.json {
		return r.print(client.List[client.Event]{Items: append([]client.Event{}, events...)})
	}
	rows := [][]string{}
	for _, e := range events {
		rows = append(rows, []string{fmt.Sprint(e.Seq), e.At.UTC().Format("2006-01-02 15:04:05.000"), wire.Words(e.Type), deref(e.Step), deref(e.Actor), detailOf(e)})
	}
	return table(r.Out, "SEQ|AT (UTC)|EVENT|STEP|BY|DETAIL", rows)
}

// detailOf is what an event tells beside its type, as a person reads it.
func detailOf(e client.Event) string {
	if e.Type == "api_call" {
		var c client.APICall
		if json.Unmarshal(e.Detail, &c) == nil {
			return callLine(c)
		}
	}
	var fields map[string]any
	if json.Unmarshal(e.Detail, &fields) != nil {
		return "" // null
	}
	var parts []string
	for _, key := range []string{"reason", "message", "error", "why"} { // words come first, and speak for themselves
		if text, ok := fields[key].(string); ok && text != "" {
			parts = append(parts, text)
			delete(fields, key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		parts = append(parts, wire.Words(key)+" "+valueOf(fields[key]))
	}
	return strings.Join(parts, " · ")
}

// valueOf is a value of an event's detail: times as times of day, the rest as it is.
func valueOf(v any) string {
	switch v := v.(type) {
	case string:
		if at, err := time.Parse(time.RFC3339Nano, v); err == nil {
			return clock(at)
		}
		return v
	case float64:
		return fmt.Sprintf("%.15g", v)
	}
	text, err := json.Marshal(v)
	if err != nil {
		return "?"
	}
	return string(text)
}

func milliseconds(n int64) string {
	if n == 0 {
		return "< 1 ms"
	}
	return fmt.Sprintf("%d ms", n)
}

// callLine is an API call in a line.
func callLine(c client.APICall) string {
	how := fmt.Sprint(c.Status)
	switch {
	case c.Unsent:
		how = "not sent"
	case c.Status == 0:
		how = "no answer"
	}
	parts := []string{c.Method + " " + c.Path + " → " + how}
	if c.Attempt > 1 {
		parts[0] += fmt.Sprintf(" (try %d)", c.Attempt)
	}
	if !c.Unsent {
		parts = append(parts, milliseconds(c.TookMS))
	}
	if c.Code != "" {
		parts = append(parts, cmp.Or(c.Error, wire.Words(c.Code)))
	}
	if c.RequestID != "" {
		parts = append(parts, "request "+c.RequestID)
	}
	return strings.Join(parts, " · ")
}
