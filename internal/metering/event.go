// Package metering is what tenants used: usage events, shaped like CloudEvents
// 1.0, and the lifetimes of resources. Here they are read and checked, pure
// functions of the text; nothing is stored.
package metering

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/exact"
	"github.com/arcadia-cloud/arcadia/internal/fault"
)

// An Event is something that a tenant used: a CloudEvent whose subject is the
// tenant and whose data hold the value. It is counted once by (source, id).
type Event struct {
	Line       int // of the file, from 1
	Source, ID string
	Type       string
	At         time.Time // when it happened
	RecordedAt time.Time // when it became known; At where the event does not say
	Data       map[string]Value
}

// Name is what the event is known by.
func (e Event) Name() string { return e.Source + "/" + e.ID }

// A Value is a member of an event's data, as text: of a string, a number or a
// boolean.
type Value string

// Decimal reads the value as a decimal number; see [exact.ParseDecimal].
func (v Value) Decimal() (exact.Number, error) { return exact.ParseDecimal(string(v)) }

// A Rejected event is one that is not counted, and why.
type Rejected struct {
	Line   int    `json:"line"`
	Reason string `json:"reason"`
}

// maxLine is how long a line of a file may be.
const maxLine = 1 << 20

// lines calls see with every line that is not blank, numbered from 1.
func lines(name string, r io.Reader, see func(n int, line []byte) error) error {
	scanner := bufio.NewScanner(r)
	scanner.Buffer(make([]byte, 0, 64<<10), maxLine)
	n := 0
	for scanner.Scan() {
		n++
		if line := bytes.TrimSpace(scanner.Bytes()); len(line) > 0 {
			if err := see(n, line); err != nil {
				return err
			}
		}
	}
	if err := scanner.Err(); errors.Is(err, bufio.ErrTooLong) {
		return fault.New(fault.Invalid, "%s:%d: the line is longer than %d bytes.", name, n+1, maxLine)
	} else if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// ReadEvents reads usage events of one tenant, one JSON object a line, and returns
// those that count and those that do not: of another tenant, incomplete, told
// twice. A line that is no JSON object is a fault of kind Invalid that names the
// file and the line, for then nobody knows what it was meant to say.
func ReadEvents(name string, r io.Reader, tenant string) ([]Event, []Rejected, error) {
	var (
		events   []Event
		rejected []Rejected
		seen     = make(map[[2]string]string) // (source, id) → content
	)
	err := lines(name, r, func(n int, line []byte) error {
		attributes, err := object(line)
		if err != nil {
			return fault.New(fault.Invalid, "%s:%d: the line is no JSON object (%v). A usage event is one CloudEvent a line.", name, n, err)
		}
		event, err := readEvent(attributes, tenant)
		if err == nil {
			event.Line = n
			key, content := [2]string{event.Source, event.ID}, content(event)
			before, told := seen[key]
			switch {
			case !told:
				seen[key] = content
				events = append(events, event)
				return nil
			case before == content:
				err = fmt.Errorf("duplicate: the event %s of source %s was already counted", event.ID, event.Source)
			default:
				err = fmt.Errorf("conflict: the event %s of source %s was already counted with another content", event.ID, event.Source)
			}
		}
		rejected = append(rejected, Rejected{n, err.Error()})
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	return events, rejected, nil
}

// object reads one JSON object and nothing after it. Numbers stay text.
func object(line []byte) (map[string]json.RawMessage, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(line, &members); err != nil {
		return nil, err
	}
	if members == nil {
		return nil, errors.New("it is null")
	}
	return members, nil
}

func readEvent(attributes map[string]json.RawMessage, tenant string) (Event, error) {
	text := func(name string) (string, error) {
		raw, ok := attributes[name]
		if !ok || string(raw) == "null" {
			return "", nil
		}
		var s string
		if err := json.Unmarshal(raw, &s); err != nil {
			return "", fmt.Errorf("%s: it is no string", name)
		}
		return s, nil
	}
	texts := make(map[string]string)
	for _, name := range []string{"specversion", "id", "source", "type", "subject", "time", "recordedtime"} {
		s, err := text(name)
		if err != nil {
			return Event{}, err
		}
		texts[name] = s
	}
	for _, name := range []string{"id", "source", "type", "subject", "time"} {
		if texts[name] == "" {
			return Event{}, fmt.Errorf("%s: it is missing", name)
		}
	}
	if v := texts["specversion"]; v != "" && v != "1.0" {
		return Event{}, fmt.Errorf("specversion: it is %.20q, not 1.0", v)
	}
	if texts["subject"] != tenant {
		return Event{}, fmt.Errorf("subject: the event is of %.80q, not of %s", texts["subject"], tenant)
	}
	e := Event{Source: texts["source"], ID: texts["id"], Type: texts["type"]}
	var err error
	if e.At, err = instant("time", texts["time"]); err != nil {
		return Event{}, err
	}
	e.RecordedAt = e.At
	if s := texts["recordedtime"]; s != "" {
		if e.RecordedAt, err = instant("recordedtime", s); err != nil {
			return Event{}, err
		}
	}
	e.Data, err = data(attributes["data"])
	return e, err
}

func instant(name, text string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || !isPlausible(t) {
		return time.Time{}, fmt.Errorf("%s: %.40q is no time of RFC 3339, like 2026-01-31T12:00:00Z", name, text)
	}
	return t.UTC().Truncate(time.Microsecond), nil
}

// data keeps the members of data that can be a value.
func data(raw json.RawMessage) (map[string]Value, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil
	}
	members, err := object(raw)
	if err != nil {
		return nil, errors.New("data: it is no JSON object")
	}
	values := make(map[string]Value, len(members))
	for name, member := range members {
		switch member[0] {
		case '"':
			var s string
			if err := json.Unmarshal(member, &s); err != nil {
				return nil, fmt.Errorf("data.%s: %w", name, err)
			}
			values[name] = Value(s)
		case '{', '[', 'n': // objects, lists and null are no values
		default:
			values[name] = Value(member)
		}
	}
	return values, nil
}

// content is what two tellings of one event agree on: all but when each became
// known.
func content(e Event) string {
	members, _ := json.Marshal(e.Data) // sorted; a map of strings always works
	return strings.Join([]string{e.Type, e.At.Format(time.RFC3339Nano), string(members)}, "\x00")
}
