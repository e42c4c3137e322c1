package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sort"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// What a document may hold, far above what people write and far below what hurts.
const (
	maxSize  = 4 << 20
	maxDepth = 64
)

func malformed(name string, at place, format string, args ...any) *Problem {
	return &Problem{File: name, Line: max(at.line, 1), Column: max(at.column, 1), Message: fmt.Sprintf(format, args...)}
}

func parse(name string, document []byte) (*node, *Problem) {
	if len(document) > maxSize {
		return nil, malformed(name, place{}, "It is larger than %d MiB.", maxSize>>20)
	}
	document = bytes.TrimPrefix(document, []byte("\uFEFF"))
	trimmed := bytes.TrimSpace(document)
	if len(trimmed) == 0 {
		return nil, malformed(name, place{}, "The document is empty.")
	}
	if trimmed[0] != '{' && trimmed[0] != '[' {
		return parseYAML(name, document)
	}
	root, problem := parseJSON(name, document)
	if problem != nil && !strings.HasSuffix(name, ".json") {
		if other, inYAML := parseYAML(name, document); inYAML == nil { // YAML may begin so too
			return other, nil
		}
	}
	return root, problem
}

type jsonReader struct {
	name     string
	document []byte
	d        *json.Decoder
	breaks   []int // offsets of the line breaks
}

func parseJSON(name string, document []byte) (*node, *Problem) {
	j := &jsonReader{name: name, document: document, d: json.NewDecoder(bytes.NewReader(document))}
	for i, b := range document {
		if b == '\n' {
			j.breaks = append(j.breaks, i)
		}
	}
	j.d.UseNumber()
	root, problem := j.value(0)
	if problem != nil {
		return nil, problem
	}
	if _, err := j.d.Token(); !errors.Is(err, io.EOF) {
		return nil, malformed(name, j.next(), "Something follows after the document.")
	}
	return root, nil
}

// at is the place of an offset.
func (j *jsonReader) at(offset int) place {
	line := sort.SearchInts(j.breaks, offset)
	from := 0
	if line > 0 {
		from = j.breaks[line-1] + 1
	}
	return place{line + 1, utf8.RuneCount(j.document[from:max(from, offset)]) + 1}
}

// next is where the next token begins.
func (j *jsonReader) next() place {
	offset := int(j.d.InputOffset())
	for offset < len(j.document) && strings.IndexByte(" \t\r\n,:", j.document[offset]) >= 0 {
		offset++
	}
	return j.at(offset)
}

func (j *jsonReader) token() (json.Token, *Problem) {
	t, err := j.d.Token()
	if err == nil {
		return t, nil
	}
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return nil, malformed(j.name, j.at(int(syntax.Offset)-1), "It is no JSON: %v.", err)
	}
	return nil, malformed(j.name, j.next(), "It is no JSON: it ends too early.")
}

func (j *jsonReader) value(depth int) (*node, *Problem) {
	n := &node{place: j.next()}
	t, problem := j.token()
	if problem != nil {
		return nil, problem
	}
	if depth > maxDepth {
		return nil, malformed(j.name, n.place, "It is nested more than %d deep.", maxDepth)
	}
	switch t := t.(type) {
	case nil:
		n.kind = null
	case bool:
		n.kind, n.text = scalar, fmt.Sprint(t)
	case json.Number:
		n.kind, n.text = scalar, t.String()
	case string:
		n.kind, n.text, n.quoted = text, t, true
	case json.Delim:
		if t == '[' {
			n.kind = list
			for j.d.More() {
				item, problem := j.value(depth + 1)
				if problem != nil {
					return nil, problem
				}
				n.items = append(n.items, item)
			}
		} else {
			n.kind = object
			for j.d.More() {
				if problem := j.field(n, depth); problem != nil {
					return nil, problem
				}
			}
		}
		if _, problem := j.token(); problem != nil { // the closing bracket
			return nil, problem
		}
	}
	return n, nil
}

func (j *jsonReader) field(n *node, depth int) *Problem {
	f := field{place: j.next()}
	t, problem := j.token()
	if problem != nil {
		return problem
	}
	var ok bool
	if f.name, ok = t.(string); !ok {
		return malformed(j.name, f.place, "It is no JSON: a field has no name.")
	}
	if f.value, problem = j.value(depth + 1); problem != nil {
		return problem
	}
	return n.add(j.name, f)
}

func (n *node) add(name string, f field) *Problem {
	for _, g := range n.fields {
		if g.name == f.name {
			return malformed(name, f.place, "%s: It is written twice, first on line %d.", cut(f.name), g.line)
		}
	}
	n.fields = append(n.fields, f)
	return nil
}

func parseYAML(name string, document []byte) (root *node, problem *Problem) {
	if line, deep := nesting(document); deep {
		return nil, malformed(name, place{line: line}, "It is nested more than %d deep.", maxDepth)
	}
	defer func() {
		if broken := recover(); broken != nil { // the parser's own fault with what is no YAML
			root, problem = nil, malformed(name, place{}, "It is no YAML that can be read.")
		}
	}()
	file, err := parser.ParseBytes(document, 0)
	if err != nil {
		at, what := place{}, err.Error()
		var syntax interface {
			GetToken() *token.Token
			GetMessage() string
		}
		if errors.As(err, &syntax) {
			what = syntax.GetMessage()
			if t := syntax.GetToken(); t != nil && t.Position != nil {
				at = place{t.Position.Line, t.Position.Column}
			}
		}
		return nil, malformed(name, at, "It is no YAML: %s.", strings.TrimSuffix(cut(what), "."))
	}
	var body ast.Node
	for _, doc := range file.Docs {
		switch {
		case doc.Body == nil || doc.Body.Type() == ast.CommentType:
		case body != nil:
			return nil, malformed(name, placeOf(doc.Body), "A second document begins. One file is one document.")
		default:
			body = doc.Body
		}
	}
	if body == nil {
		return nil, malformed(name, place{}, "The document is empty.")
	}
	return fromYAML(name, body, 0)
}

// nesting looks for more brackets and list dashes within each other than anybody
// writes, before a parser that recurses does.
func nesting(document []byte) (line int, deep bool) {
	line, depth := 1, 0
	dashes := 0
	for _, b := range document {
		switch b {
		case '\n':
			line++
			dashes = 0
		case '[', '{':
			depth++
		case ']', '}':
			depth = max(0, depth-1)
		case '-', '?', ':':
			dashes++
		case ' ', '\t':
		default:
			dashes = 0
		}
		if depth > 4*maxDepth || dashes > 4*maxDepth {
			return line, true
		}
	}
	return line, false
}

func placeOf(n ast.Node) place {
	if t := n.GetToken(); t != nil && t.Position != nil {
		return place{t.Position.Line, t.Position.Column}
	}
	return place{1, 1}
}

func fromYAML(name string, n ast.Node, depth int) (*node, *Problem) {
	if depth > maxDepth {
		return nil, malformed(name, placeOf(n), "It is nested more than %d deep.", maxDepth)
	}
	out := &node{place: placeOf(n)}
	switch n := n.(type) {
	case *ast.NullNode:
		out.kind = null
	case *ast.StringNode:
		out.kind, out.text = text, n.Value
		out.quoted = n.Token.Type == token.SingleQuoteType || n.Token.Type == token.DoubleQuoteType
	case *ast.LiteralNode:
		out.kind, out.text, out.quoted, out.block = text, n.Value.Value, true, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		out.kind, out.text = scalar, n.GetToken().Value
	case *ast.SequenceNode:
		out.kind = list
		for _, item := range n.Values {
			value, problem := fromYAML(name, item, depth+1)
			if problem != nil {
				return nil, problem
			}
			out.items = append(out.items, value)
		}
	case *ast.MappingNode:
		out.kind = object
		for _, pair := range n.Values {
			if problem := out.pair(name, pair, depth); problem != nil {
				return nil, problem
			}
		}
	case *ast.MappingValueNode:
		out.kind = object
		if problem := out.pair(name, n, depth); problem != nil {
			return nil, problem
		}
	default:
		return nil, malformed(name, out.place, "Anchors, aliases and tags are not read. Write the value out.")
	}
	if len(out.fields) > 0 { // where it begins, not where its first colon is
		out.place = out.fields[0].place
	}
	return out, nil
}

func (n *node) pair(name string, pair *ast.MappingValueNode, depth int) *Problem {
	key, problem := fromYAML(name, pair.Key, depth+1)
	if problem != nil {
		return problem
	}
	if key.kind != text && key.kind != scalar {
		return malformed(name, key.place, "The name of a field must be a text.")
	}
	value, problem := fromYAML(name, pair.Value, depth+1)
	if problem != nil {
		return problem
	}
	return n.add(name, field{place: key.place, name: key.text, value: value})
}
