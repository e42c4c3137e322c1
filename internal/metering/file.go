package metering

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"path/filepath"
	"slices"
	"strings"

	"github.com/arcadia-cloud/arcadia/internal/fault"
)

// A Piece is one event of a file, as JSON, with where it stands.
type Piece struct {
	Line int // from 1; in an array the number of the event
	JSON json.RawMessage
}

// Pieces takes a file of usage events apart: one event a line, an array of events, or
// CSV where its name ends in .csv or it begins with neither "{" nor "[". A row of CSV
// has the columns id, source, type, subject, time, replaces and voids, of which it
// may leave out what it need not say; every other column is a member of the data. It
// ends with the first fault of kind Invalid; what came before it is good. No file is
// too long: it is never held as a whole.
func Pieces(name string, r io.Reader) iter.Seq2[Piece, error] {
	return func(yield func(Piece, error) bool) {
		buffered := bufio.NewReaderSize(r, 64<<10)
		first, err := firstByte(buffered)
		switch {
		case errors.Is(err, io.EOF):
			err = fault.New(fault.Invalid, "%s: the file is empty. It holds usage events: one JSON object a line, an array of them, or CSV.", name)
		case err != nil:
			err = fmt.Errorf("%s: %w", name, err)
		case strings.EqualFold(filepath.Ext(name), ".csv"), first != '{' && first != '[':
			err = rows(name, buffered, yield)
		case first == '[':
			err = elements(name, buffered, yield)
		default:
			err = lines(name, buffered, func(n int, line []byte) error {
				if !json.Valid(line) {
					return fault.New(fault.Invalid, "%s:%d: the line is no JSON. A usage event is one CloudEvent a line.", name, n)
				}
				if !yield(Piece{n, bytes.Clone(line)}, nil) {
					return errEnough
				}
				return nil
			})
		}
		if err != nil && !errors.Is(err, errEnough) {
			yield(Piece{}, err)
		}
	}
}

// errEnough says that nobody wants more.
var errEnough = errors.New("enough")

// firstByte is the first byte that is no space, which stays to be read.
func firstByte(r *bufio.Reader) (byte, error) {
	if mark, err := r.Peek(3); err == nil && string(mark) == "\ufeff" {
		_, _ = r.Discard(len(mark)) // it was just looked at
	}
	for {
		b, err := r.ReadByte()
		if err != nil {
			return 0, err
		}
		if !bytes.ContainsRune([]byte(" \t\r\n"), rune(b)) {
			return b, r.UnreadByte()
		}
	}
}

// elements yields the elements of an array.
func elements(name string, r io.Reader, yield func(Piece, error) bool) error {
	decoder := json.NewDecoder(r)
	wrong := func(err error) error {
		return fault.Wrap(fault.Invalid, err, "%s: the file is no JSON after byte %d.", name, decoder.InputOffset())
	}
	if _, err := decoder.Token(); err != nil {
		return wrong(err)
	}
	for n := 1; decoder.More(); n++ {
		var one json.RawMessage
		if err := decoder.Decode(&one); err != nil {
			return wrong(err)
		}
		if !yield(Piece{n, one}, nil) {
			return errEnough
		}
	}
	if _, err := decoder.Token(); err != nil {
		return wrong(err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return wrong(err)
	}
	return nil
}

// attributes are the columns of CSV that are no members of the data.
var attributes = []string{"id", "source", "type", "subject", "time", "replaces", "voids"}

// rows yields the rows of CSV (RFC 4180) under a heading.
func rows(name string, r io.Reader, yield func(Piece, error) bool) error {
	reader := csv.NewReader(r)
	reader.ReuseRecord = true
	heading, err := reader.Read()
	if err != nil {
		return noCSV(name, err)
	}
	heading = slices.Clone(heading)
	for i, column := range heading {
		heading[i] = strings.TrimSpace(column)
		if heading[i] == "" || slices.Contains(heading[:i], heading[i]) {
			return fault.New(fault.Invalid, "%s:1: column %d is %.40q: each column has a name of its own.", name, i+1, heading[i])
		}
	}
	for _, needed := range []string{"id", "time"} {
		if !slices.Contains(heading, needed) {
			return fault.New(fault.Invalid, "%s:1: there is no column %s. The columns are %s, and the members of the data.", name, needed, strings.Join(attributes, ", "))
		}
	}
	for {
		record, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return noCSV(name, err)
		}
		event, data := make(map[string]any, len(heading)), make(map[string]string)
		for i, field := range record {
			switch {
			case field == "":
			case slices.Contains(attributes, heading[i]):
				event[heading[i]] = field
			default:
				data[strings.TrimPrefix(heading[i], "data.")] = field
			}
		}
		event["data"] = data
		text, err := json.Marshal(event)
		if err != nil {
			return err
		}
		line, _ := reader.FieldPos(0)
		if !yield(Piece{line, text}, nil) {
			return errEnough
		}
	}
}

func noCSV(name string, err error) error {
	var bad *csv.ParseError
	if errors.As(err, &bad) {
		return fault.New(fault.Invalid, "%s:%d: the line is no CSV: %v.", name, bad.Line, bad.Err)
	}
	return fmt.Errorf("%s: %w", name, err)
}
