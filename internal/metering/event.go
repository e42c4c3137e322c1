package metering

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
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
	// CorrectedAt is when it became known that the event does not count; zero: it does.
	CorrectedAt time.Time
	Data        Data
}

// Data are the members of an event's data that can be a value, by their names.
type Data map[string]Value

// text is the data as they are kept: an object of strings, sorted by name.
func (d Data) text() (string, error) {
	if len(d) == 0 {
		return "{}", nil
	}
	text := make([]byte, 0, 128)
	separator := byte('{')
	names := make([]string, 0, len(d))
	for name := range d {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		text, separator = append(text, separator), ','
		text = appendQuoted(append(appendQuoted(text, name), ':'), string(d[name]))
	}
	if len(text) >= maxData {
		return "", fmt.Errorf("data: they are longer than %d bytes", maxData)
	}
	return string(append(text, '}')), nil
}

// appendQuoted appends a string of JSON.
func appendQuoted(text []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			quoted, _ := json.Marshal(s) // a string always works
			return append(text, quoted...)
		}
	}
	return append(append(append(text, '"'), s...), '"')
}

// CountsAt reports whether the event counts by what was known at an instant.
func (e Event) CountsAt(known time.Time) bool {
	return !e.RecordedAt.After(known) && (e.CorrectedAt.IsZero() || e.CorrectedAt.After(known))
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

// attributesOf are the attributes of a CloudEvent that we read, as texts.
type attributesOf struct {
	version, id, source, kind, subject, time, recorded, replaces, voids string

	data Data
}

// named is the attribute of a name, nil where we do not read it.
func (a *attributesOf) named(name string) *string {
	switch name {
	case "specversion":
		return &a.version
	case "id":
		return &a.id
	case "source":
		return &a.source
	case "type":
		return &a.kind
	case "subject":
		return &a.subject
	case "time":
		return &a.time
	case "recordedtime":
		return &a.recorded
	case "replaces":
		return &a.replaces
	case "voids":
		return &a.voids
	}
	return nil
}

// readTold reads an event of its members. Whether there is a subject is asked by who
// needs one.
func readTold(members map[string]json.RawMessage) Told {
	var a attributesOf
	for _, name := range [...]string{"specversion", "id", "source", "type", "subject", "time", "recordedtime", "replaces", "voids"} {
		if raw, ok := members[name]; ok && json.Unmarshal(raw, a.named(name)) != nil {
			return Told{Err: fmt.Errorf("%s: it is no string", name)}
		}
	}
	var err error
	a.data, err = data(members["data"])
	return a.told(err)
}

// told is the event that the attributes make; err is what is wrong with its data.
func (a *attributesOf) told(err error) Told {
	told := Told{
		Event:   Event{Source: a.source, ID: a.id, Type: a.kind, Data: a.data},
		Subject: a.subject, Replaces: a.replaces, Voids: a.voids,
	}
	if told.Err = a.check(&told); told.Err == nil {
		told.Err = err
	}
	if told.Err == nil {
		told.text, told.Err = told.Data.text()
	}
	return told
}

// check says what is wrong with the attributes, and reads the times.
func (a *attributesOf) check(told *Told) (err error) {
	for _, one := range [...]struct {
		name, text string
		needed     bool
	}{
		{"id", a.id, true}, {"source", a.source, true}, {"type", a.kind, true}, {"subject", a.subject, false},
		{"replaces", a.replaces, false}, {"voids", a.voids, false}, {"time", a.time, true},
	} {
		if err := checkAttribute(one.name, one.text, one.needed); err != nil {
			return err
		}
	}
	switch {
	case a.version != "" && a.version != "1.0":
		return fmt.Errorf("specversion: it is %.20q, not 1.0", a.version)
	case a.replaces != "" && a.voids != "":
		return errors.New("voids: an event replaces another or voids it, not both")
	case a.replaces == a.id || a.voids == a.id:
		return errors.New("id: an event cannot correct itself; a correction has an id of its own")
	}
	if told.At, err = instant("time", a.time); err != nil {
		return err
	}
	told.RecordedAt = told.At
	if a.recorded != "" {
		told.RecordedAt, err = instant("recordedtime", a.recorded)
	}
	return err
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
