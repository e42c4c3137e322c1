package manifest

import (
	"bytes"
	"encoding/json"
)

// JSON is the value as JSON, its fields in their order: another spelling of what was
// read, which reads the same.
func (v Value) JSON() json.RawMessage {
	var b bytes.Buffer
	v.n.json(&b)
	return b.Bytes()
}

func (n *node) json(b *bytes.Buffer) {
	switch n.kind {
	case text:
		quote(b, n.text)
	case scalar:
		if json.Valid([]byte(n.text)) {
			b.WriteString(n.text)
		} else { // .5, or a word that JSON does not know
			quote(b, n.text)
		}
	case list:
		b.WriteByte('[')
		for i, item := range n.items {
			if i > 0 {
				b.WriteByte(',')
			}
			item.json(b)
		}
		b.WriteByte(']')
	case object:
		b.WriteByte('{')
		for i, f := range n.fields {
			if i > 0 {
				b.WriteByte(',')
			}
			quote(b, f.name)
			b.WriteByte(':')
			f.value.json(b)
		}
		b.WriteByte('}')
	default:
		b.WriteString("null")
	}
}

func quote(b *bytes.Buffer, s string) {
	quoted, _ := json.Marshal(s) // a string always marshals
	b.Write(quoted)
}
