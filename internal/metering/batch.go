package metering

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"

	"github.com/arcadia-cloud/arcadia/internal/fault"
)

// ReadBatch reads usage events as programs send them: a JSON array of CloudEvents,
// one event, or one event a line. What is wrong with a single event is said in it. A
// body that is no JSON, is empty or holds more than MaxBatch events is a fault of
// kind Invalid, and nothing of it was read.
func ReadBatch(body []byte) ([]Told, error) {
	body = bytes.TrimSpace(body)
	if len(body) == 0 {
		return nil, fault.New(fault.Invalid, "The body is empty. It is a JSON array of events, or one event a line.")
	}
	if told, ok := readPlain(body); ok {
		return told, nil
	}
	return readAny(body)
}

// readAny reads what readPlain does not understand, and says what is wrong with it.
func readAny(body []byte) ([]Told, error) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	array := body[0] == '['
	if array {
		if _, err := decoder.Token(); err != nil {
			return nil, noJSON(decoder, err)
		}
	}
	var told []Told
	for !array || decoder.More() {
		var one json.RawMessage
		err := decoder.Decode(&one)
		if errors.Is(err, io.EOF) && !array {
			break
		}
		if err != nil {
			return nil, noJSON(decoder, err)
		}
		if len(told) == MaxBatch {
			return nil, tooMany()
		}
		attributes, err := object(one)
		if err != nil {
			told = append(told, Told{Err: errors.New("it is no JSON object")})
			continue
		}
		told = append(told, readTold(attributes))
	}
	if array {
		if _, err := decoder.Token(); err != nil {
			return nil, noJSON(decoder, err)
		}
		if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
			return nil, fault.New(fault.Invalid, "After the array there is more. Send one array, or one event a line.")
		}
	}
	if len(told) == 0 {
		return nil, fault.New(fault.Invalid, "The batch holds no event.")
	}
	return told, nil
}

func tooMany() error {
	return fault.New(fault.TooLarge, "The batch holds more than %d events. Send several batches.", MaxBatch)
}

func noJSON(d *json.Decoder, err error) error {
	return fault.Wrap(fault.Invalid, err, "The body is no JSON after byte %d. It is a JSON array of events, or one event a line.", d.InputOffset())
}
