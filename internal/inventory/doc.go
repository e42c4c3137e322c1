package inventory

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/exact"
)

// A Doc is a document as DigitalOcean wrote it, with numbers as it wrote them, so
// that none loses a digit.
type Doc struct {
	// Parent is the id of what the document was listed under: a record's domain,
	// which the record itself does not name. Empty where nothing is above it.
	Parent string

	object map[string]any
}

// ParseDoc reads one document.
func ParseDoc(raw []byte) (Doc, error) {
	reader := json.NewDecoder(bytes.NewReader(raw))
	reader.UseNumber()
	var d Doc
	if err := reader.Decode(&d.object); err != nil {
		return Doc{}, err
	}
	if d.object == nil || reader.More() {
		return Doc{}, errors.New("not one object")
	}
	return d, nil
}

// At is what stands at a path of keys, nil for nothing.
func (d Doc) At(keys ...string) any {
	var at any = d.object
	for _, key := range keys {
		object, _ := at.(map[string]any)
		at = object[key]
	}
	return at
}

// Text is the text or number at a path, "" for nothing or anything else.
func (d Doc) Text(keys ...string) string {
	switch at := d.At(keys...).(type) {
	case string:
		return at
	case json.Number:
		return at.String()
	}
	return ""
}

// Bool reports whether true stands at a path.
func (d Doc) Bool(keys ...string) bool { yes, _ := d.At(keys...).(bool); return yes }

// Texts are the texts and numbers of the list at a path.
func (d Doc) Texts(keys ...string) []string {
	list, _ := d.At(keys...).([]any)
	var texts []string
	for _, item := range list {
		switch item := item.(type) {
		case string:
			texts = append(texts, item)
		case json.Number:
			texts = append(texts, item.String())
		}
	}
	return texts
}

// Docs are the objects of the list at a path.
func (d Doc) Docs(keys ...string) []Doc {
	list, _ := d.At(keys...).([]any)
	var docs []Doc
	for _, item := range list {
		if object, ok := item.(map[string]any); ok {
			docs = append(docs, Doc{d.Parent, object})
		}
	}
	return docs
}

// Number is the number at a path, also where it was written as a text; ok is
// false where there is none.
func (d Doc) Number(keys ...string) (n exact.Number, ok bool) {
	text := d.Text(keys...)
	if text == "" {
		return n, false
	}
	n, err := exact.ParseDecimal(text)
	return n, err == nil
}

// Time is the RFC 3339 time at a path, zero where there is none.
func (d Doc) Time(keys ...string) time.Time {
	at, err := time.Parse(time.RFC3339, d.Text(keys...))
	if err != nil {
		return time.Time{}
	}
	return at.UTC().Truncate(time.Microsecond)
}

// canonical is the document as it is kept, and the hash that tells it from
// other versions: keys sorted, secrets out, and what changes without meaning
// anything left out of the hash, but not of what is kept.
func canonical(k *Kind, d Doc) (kept []byte, hash string, err error) {
	redact(d, k.Secret)
	if kept, err = json.Marshal(d.object); err != nil {
		return nil, "", err
	}
	told := copied(d.object).(map[string]any)
	silence(k, told)
	text, err := json.Marshal(told)
	if err != nil {
		return nil, "", err
	}
	sum := sha256.Sum256(text)
	return kept, hex.EncodeToString(sum[:16]), nil
}

// copied is a value of a document with objects and lists of its own.
func copied(at any) any {
	switch at := at.(type) {
	case map[string]any:
		to := make(map[string]any, len(at))
		for key, value := range at {
			to[key] = copied(value)
		}
		return to
	case []any:
		to := make([]any, len(at))
		for i, item := range at {
			to[i] = copied(item)
		}
		return to
	}
	return at
}

// ordered puts lists of texts and numbers into order: DigitalOcean gives tags,
// features, ids and the like in whatever order it finds them.
func ordered(at any) {
	switch at := at.(type) {
	case map[string]any:
		for _, value := range at {
			ordered(value)
		}
	case []any:
		plain := true
		for _, item := range at {
			switch item.(type) {
			case map[string]any, []any:
				ordered(item)
				plain = false
			}
		}
		if plain {
			slices.SortFunc(at, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
		}
	}
}

// remove takes out what stands at a path; "*" is every item of a list and every
// value of an object, and "!id" at the end every key but id.
func remove(at any, path []string) {
	switch at := at.(type) {
	case map[string]any:
		but, others := strings.CutPrefix(path[0], "!")
		switch {
		case others:
			maps.DeleteFunc(at, func(key string, _ any) bool { return key != but })
		case len(path) == 1 && path[0] == "*":
			clear(at)
		case len(path) == 1:
			delete(at, path[0])
		case path[0] == "*":
			for _, item := range at {
				remove(item, path[1:])
			}
		default:
			remove(at[path[0]], path[1:])
		}
	case []any:
		if path[0] == "*" && len(path) > 1 {
			for _, item := range at {
				remove(item, path[1:])
			}
		}
	}
}

// redacted stands in place of a secret.
const redacted = "[redacted]"

// secretKeys are keys under which, wherever they stand, a text is a secret.
var secretKeys = map[string]bool{
	"password": true, "secret": true, "secret_key": true, "private_key": true, "token": true, "api_key": true, "access_token": true,
	"refresh_token": true, "client_secret": true, "kubeconfig": true, "user_data": true, "auth_token": true,
}

// redact takes secrets out of a document before it reaches the database: texts
// under keys that are always secrets, and what the kind says.
func redact(d Doc, paths []string) {
	for _, path := range paths {
		if deep, ok := strings.CutPrefix(path, "**."); ok {
			replaceWithin(d.object, strings.Split(deep, "."))
			continue
		}
		replace(d.object, strings.Split(path, "."))
	}
	hide(d.object)
}

func hide(at any) {
	switch at := at.(type) {
	case map[string]any:
		for key, value := range at {
			if text, ok := value.(string); ok && text != "" && secretKeys[key] {
				at[key] = redacted
				continue
			}
			hide(value)
		}
	case []any:
		for _, item := range at {
			hide(item)
		}
	}
}

// replace puts redacted in place of the texts at a path.
func replace(at any, path []string) {
	switch at := at.(type) {
	case map[string]any:
		for key, value := range at {
			if path[0] != key && path[0] != "*" {
				continue
			}
			if text, ok := value.(string); ok && len(path) == 1 && text != "" {
				at[key] = redacted
			} else if len(path) > 1 {
				replace(value, path[1:])
			}
		}
	case []any:
		for i, item := range at {
			if path[0] != "*" {
				continue
			}
			if text, ok := item.(string); ok && len(path) == 1 && text != "" {
				at[i] = redacted
			} else if len(path) > 1 {
				replace(item, path[1:])
			}
		}
	}
}

// replaceWithin is replace at any depth.
func replaceWithin(at any, path []string) {
	replace(at, path)
	switch at := at.(type) {
	case map[string]any:
		for _, value := range at {
			replaceWithin(value, path)
		}
	case []any:
		for _, item := range at {
			replaceWithin(item, path)
		}
	}
}

// parseFor reads a document of a kind and says which thing it is of.
func parseFor(k *Kind, raw []byte) (d Doc, id string, err error) {
	if d, err = ParseDoc(raw); err != nil {
		return Doc{}, "", fmt.Errorf("a %s that cannot be read: %w", k.Name, err)
	}
	if id = k.identify(d); id == "" {
		return Doc{}, "", fmt.Errorf("a %s without its %s", k.Name, k.ID)
	}
	return d, id, nil
}
