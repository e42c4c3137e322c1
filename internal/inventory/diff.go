package inventory

import (
	"encoding/json"
	"strings"

	"github.com/wI2L/jsondiff"
)

// maxFields is how many changed fields a change keeps; a page that wants more
// compares the versions.
const maxFields = 24

// Diff says in which fields two documents differ, without what the kind's noise
// filter leaves out: the paths of a JSON patch (RFC 6902), with the values before
// and after. Lists are compared as sets where they are lists of texts, as
// DigitalOcean orders them anew from answer to answer.
func Diff(k *Kind, before, after []byte) ([]Field, error) {
	old, err := quiet(k, before)
	if err != nil {
		return nil, err
	}
	current, err := quiet(k, after)
	if err != nil {
		return nil, err
	}
	patch, err := jsondiff.Compare(old, current, jsondiff.Invertible())
	if err != nil {
		return nil, err
	}
	var fields []Field
	var tested any
	for _, op := range patch {
		f := Field{Path: op.Path}
		switch op.Type {
		case jsondiff.OperationTest: // the old value stands in the test before the change
			tested = op.Value
			continue
		case jsondiff.OperationReplace:
			f.Before, f.After = asJSON(tested), asJSON(op.Value)
		case jsondiff.OperationRemove:
			f.Before = asJSON(tested)
		default:
			f.After = asJSON(op.Value)
		}
		fields = append(fields, f)
		tested = nil
	}
	return fields, nil
}

func asJSON(v any) json.RawMessage {
	text, err := json.Marshal(v)
	if err != nil {
		return nil // it was made from JSON
	}
	return text
}

// quiet is a document without its kind's noise.
func quiet(k *Kind, kept []byte) (map[string]any, error) {
	d, err := ParseDoc(kept)
	if err != nil {
		return nil, err
	}
	silence(k, d.object)
	return d.object, nil
}

// silence takes a kind's noise out of a document.
func silence(k *Kind, object map[string]any) {
	for _, path := range k.Ignore {
		remove(object, strings.Split(path, "."))
	}
	ordered(object)
}
