package metering

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"
)

// readPlain reads a batch as ReadBatch does, several times as fast: events whose data
// hold no objects and lists. It answers false for whatever it does not understand, be
// it wrong or only unusual; that is read by who can say what is wrong.
func readPlain(body []byte) ([]Told, bool) {
	if !utf8.Valid(body) {
		return nil, false
	}
	p := plain{text: body, names: make(map[string]string)}
	array := p.takes('[')
	var told []Told
	for {
		if len(told) == MaxBatch {
			return nil, false
		}
		one, ok := p.event()
		if !ok {
			return nil, false
		}
		told = append(told, one)
		switch {
		case array && p.takes(','):
		case array && p.takes(']'):
			return told, p.isDone()
		case array:
			return nil, false
		case p.isDone():
			return told, true
		}
	}
}

// A plain is a text that is read from its beginning to its end.
type plain struct {
	text  []byte
	at    int
	names map[string]string // texts that come again and again
}

func (p *plain) space() {
	for p.at < len(p.text) {
		switch p.text[p.at] {
		case ' ', '\t', '\r', '\n':
			p.at++
		default:
			return
		}
	}
}

func (p *plain) isDone() bool {
	p.space()
	return p.at == len(p.text)
}

// takes passes over a character where it comes next.
func (p *plain) takes(c byte) bool {
	p.space()
	if p.at == len(p.text) || p.text[p.at] != c {
		return false
	}
	p.at++
	return true
}

// event reads an object of attributes.
func (p *plain) event() (Told, bool) {
	var raw attributesOf
	ok := p.object(func(name string) bool {
		p.space()
		if name == "data" {
			data, ok := p.data()
			raw.data = data
			return ok
		}
		value, kind, ok := p.value(true)
		if !ok {
			return false
		}
		to := raw.named(name)
		if to == nil {
			return true
		}
		*to = value
		return kind == '"' || kind == 'n'
	})
	if !ok {
		return Told{}, false
	}
	return raw.told(nil), true
}

// data reads the members that can be a value.
func (p *plain) data() (Data, bool) {
	if bytes.HasPrefix(p.text[p.at:], []byte("null")) {
		p.at += len("null")
		return nil, true
	}
	data := make(Data)
	ok := p.object(func(name string) bool {
		value, kind, ok := p.value(false)
		if kind == 'n' {
			delete(data, name)
		} else {
			data[name] = Value(value)
		}
		return ok
	})
	return data, ok
}

// object reads an object, whose members see reads.
func (p *plain) object(see func(name string) bool) bool {
	if !p.takes('{') {
		return false
	}
	if p.takes('}') {
		return true
	}
	for {
		p.space()
		name, ok := p.quoted(true)
		if !ok || !p.takes(':') || !see(name) {
			return false
		}
		if p.takes('}') {
			return true
		}
		if !p.takes(',') {
			return false
		}
	}
}

// value reads a string, a number, a boolean or null: as its text, "" for null, with
// the first character of how it is written. again says that the text is likely to
// come again.
func (p *plain) value(again bool) (text string, kind byte, ok bool) {
	p.space()
	if p.at == len(p.text) {
		return "", 0, false
	}
	kind = p.text[p.at]
	if kind == '"' {
		text, ok = p.quoted(again)
		return text, kind, ok
	}
	end := p.at
	for end < len(p.text) && !bytes.ContainsRune([]byte(",]} \t\r\n"), rune(p.text[end])) {
		end++
	}
	word := p.text[p.at:end]
	if kind == '{' || kind == '[' || !json.Valid(word) {
		return "", kind, false
	}
	p.at = end
	if kind == 'n' {
		return "", kind, true
	}
	return string(word), kind, true
}

// quoted reads a string.
func (p *plain) quoted(again bool) (string, bool) {
	if p.at == len(p.text) || p.text[p.at] != '"' {
		return "", false
	}
	begin, escaped := p.at, false
	for end := begin + 1; end < len(p.text); end++ {
		switch c := p.text[end]; {
		case c == '"':
			p.at = end + 1
			inner := p.text[begin+1 : end]
			if escaped {
				var text string
				err := json.Unmarshal(p.text[begin:p.at], &text)
				return text, err == nil
			}
			if !again {
				return string(inner), true
			}
			text, known := p.names[string(inner)]
			if !known {
				text = string(inner)
				if len(p.names) < 1000 {
					p.names[text] = text
				}
			}
			return text, true
		case c == '\\':
			escaped = true
			end++
		case c < ' ':
			return "", false
		}
	}
	return "", false
}
