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
	"unicode"

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
	Data       Data
}

// Data are the members of an event's data that can be a value, by their names.
type Data map[string]Value

// text is the data as they are kept: an object of strings, sorted by name.
func (d Data) text() (string, error) {
	if len(d) == 0 {
		return "{}", nil
	}
	text, err := json.Marshal(d)
	if err == nil && len(text) > maxData {
		err = fmt.Errorf("data: they are longer than %d bytes", maxData)
	}
	return string(text), err
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
		told := readTold(attributes)
		event, err := told.Event, told.Err
		switch {
		case err != nil:
		case told.Subject != tenant:
			err = fmt.Errorf("subject: the event is of %.80q, not of %s", told.Subject, tenant)
		case told.Replaces+told.Voids != "":
			err = errors.New("replaces, voids: a file of usage holds what counts, and no corrections")
		default:
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

// A Told event is an event as somebody told it, or what is wrong with it.
type Told struct {
	Event
	Subject string // the tenant's slug or id, as the event names it
	// Replaces and Voids are the id of another event of the source that no longer
	// counts: this one does in its place, or nothing does. At most one is set.
	Replaces, Voids string
	Err             error

	text string // Data, as it is kept
}

// The longest that the attributes of an event may be, in bytes, and its data as they
// are kept.
const (
	maxAttribute = 256
	maxData      = 64 << 10
)

// readTold reads the attributes of a CloudEvent. Whether there is a subject is asked
// by who needs one.
func readTold(attributes map[string]json.RawMessage) (told Told) {
	texts := make(map[string]string, 8)
	for _, name := range []string{"specversion", "id", "source", "type", "subject", "time", "recordedtime", "replaces", "voids"} {
		raw, ok := attributes[name]
		if !ok || string(raw) == "null" {
			continue
		}
		var text string
		if json.Unmarshal(raw, &text) != nil {
			told.Err = fmt.Errorf("%s: it is no string", name)
			return told
		}
		texts[name] = text
	}
	told = Told{
		Event:   Event{Source: texts["source"], ID: texts["id"], Type: texts["type"]},
		Subject: texts["subject"], Replaces: texts["replaces"], Voids: texts["voids"],
	}
	told.Err = func() (err error) {
		for _, a := range [...]struct {
			name, text string
			needed     bool
		}{
			{"id", told.ID, true}, {"source", told.Source, true}, {"type", told.Type, true}, {"subject", told.Subject, false},
			{"replaces", told.Replaces, false}, {"voids", told.Voids, false}, {"time", texts["time"], true},
		} {
			if err := checkAttribute(a.name, a.text, a.needed); err != nil {
				return err
			}
		}
		switch {
		case texts["specversion"] != "" && texts["specversion"] != "1.0":
			return fmt.Errorf("specversion: it is %.20q, not 1.0", texts["specversion"])
		case told.Replaces != "" && told.Voids != "":
			return errors.New("voids: an event replaces another or voids it, not both")
		case told.Replaces == told.ID || told.Voids == told.ID:
			return errors.New("id: an event cannot correct itself; a correction has an id of its own")
		}
		if told.At, err = instant("time", texts["time"]); err != nil {
			return err
		}
		told.RecordedAt = told.At
		if s := texts["recordedtime"]; s != "" {
			if told.RecordedAt, err = instant("recordedtime", s); err != nil {
				return err
			}
		}
		told.Data, err = data(attributes["data"])
		return err
	}()
	if told.Err == nil {
		told.text, told.Err = told.Data.text()
	}
	return told
}

// checkAttribute refuses what cannot be a key, or cannot be shown in a line.
func checkAttribute(name, text string, needed bool) error {
	switch {
	case text == "" && needed:
		return fmt.Errorf("%s: it is missing", name)
	case len(text) > maxAttribute:
		return fmt.Errorf("%s: it is longer than %d bytes", name, maxAttribute)
	case strings.ContainsFunc(text, unicode.IsControl):
		return fmt.Errorf("%s: it has a character that cannot be shown", name)
	}
	return nil
}

func instant(name, text string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || !isPlausible(t) {
		return time.Time{}, fmt.Errorf("%s: %.40q is no time of RFC 3339, like 2026-01-31T12:00:00Z", name, text)
	}
	return t.UTC().Truncate(time.Microsecond), nil
}

// data keeps the members of data that can be a value.
func data(raw json.RawMessage) (Data, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil
	}
	members, err := object(raw)
	if err != nil {
		return nil, errors.New("data: it is no JSON object")
	}
	values := make(Data, len(members))
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
	members, _ := e.Data.text() // it was read, so it can be written
	return strings.Join([]string{e.Type, e.At.Format(time.RFC3339Nano), members}, "\x00")
}
