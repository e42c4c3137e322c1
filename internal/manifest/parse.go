package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sort"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/arcadia-cloud/arcadia/internal/fault"
)

// What a document may hold, far above what people write and far below what hurts.
const (
	maxSize  = 4 << 20
	maxDepth = 64
)

func malformed(name string, line int, format string, args ...any) error {
	return fault.New(fault.Invalid, "%s:%d: %s", name, max(line, 1), fmt.Sprintf(format, args...))
}

func parse(name string, document []byte) (*node, error) {
	if len(document) > maxSize {
		return nil, fault.New(fault.Invalid, "%s is larger than %d MiB.", name, maxSize>>20)
	}
	document = bytes.TrimPrefix(document, []byte("\uFEFF"))
	trimmed := bytes.TrimSpace(document)
	if len(trimmed) == 0 {
		return nil, malformed(name, 1, "The document is empty.")
	}
	if trimmed[0] != '{' && trimmed[0] != '[' {
		return parseYAML(name, document)
	}
	root, err := parseJSON(name, document)
	if err != nil && !strings.HasSuffix(name, ".json") {
		if other, yamlErr := parseYAML(name, document); yamlErr == nil { // YAML may begin so too
			return other, nil
		}
	}
	return root, err
}

type jsonReader struct {
	name   string
	d      *json.Decoder
	breaks []int // offsets of the line breaks
}

func parseJSON(name string, document []byte) (*node, error) {
	j := &jsonReader{name: name, d: json.NewDecoder(bytes.NewReader(document))}
	for i, b := range document {
		if b == '\n' {
			j.breaks = append(j.breaks, i)
		}
	}
	j.d.UseNumber()
	root, err := j.value(0)
	if err != nil {
		return nil, err
	}
	if _, err := j.d.Token(); !errors.Is(err, io.EOF) {
		return nil, malformed(name, j.line(), "Something follows after the document.")
	}
	return root, nil
}

// line is where the reader is.
func (j *jsonReader) line() int {
	return sort.SearchInts(j.breaks, int(j.d.InputOffset())) + 1
}

func (j *jsonReader) token() (json.Token, error) {
	t, err := j.d.Token()
	if err == nil {
		return t, nil
	}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return nil, malformed(j.name, sort.SearchInts(j.breaks, int(syntax.Offset)-1)+1, "It is no JSON: %v.", err)
	}
	return nil, malformed(j.name, j.line(), "It is no JSON: it ends too early.")
}

func (j *jsonReader) value(depth int) (*node, error) {
	t, err := j.token()
	if err != nil {
		return nil, err
	}
	n := &node{line: j.line()}
	if depth > maxDepth {
		return nil, malformed(j.name, n.line, "It is nested more than %d deep.", maxDepth)
	}
	switch t := t.(type) {
	case nil:
		n.kind = null
	case bool:
		n.kind, n.text = scalar, fmt.Sprint(t)
	case json.Number:
		n.kind, n.text = scalar, t.String()
	case string:
		n.kind, n.text = text, t
	case json.Delim:
		if t == '[' {
			n.kind = list
			for j.d.More() {
				item, err := j.value(depth + 1)
				if err != nil {
					return nil, err
				}
				n.items = append(n.items, item)
			}
		} else {
			n.kind = object
			for j.d.More() {
				if err := j.field(n, depth); err != nil {
					return nil, err
				}
			}
		}
		if _, err := j.token(); err != nil { // the closing bracket
			return nil, err
		}
	}
	return n, nil
}

func (j *jsonReader) field(n *node, depth int) error {
	t, err := j.token()
	if err != nil {
		return err
	}
	name, ok := t.(string)
	if !ok {
		return malformed(j.name, j.line(), "It is no JSON: a field has no name.")
	}
	f := field{name: name, line: j.line()}
	if f.value, err = j.value(depth + 1); err != nil {
		return err
	}
	return n.add(j.name, f)
}

func (n *node) add(name string, f field) error {
	for _, g := range n.fields {
		if g.name == f.name {
			return malformed(name, f.line, "%s: It is written twice, first on line %d.", cut(f.name), g.line)
		}
	}
	n.fields = append(n.fields, f)
	return nil
}

func parseYAML(name string, document []byte) (root *node, err error) {
	if line, deep := nesting(document); deep {
		return nil, malformed(name, line, "It is nested more than %d deep.", maxDepth)
	}
	defer func() {
		if broken := recover(); broken != nil { // the parser's own fault with what is no YAML
			root, err = nil, malformed(name, 1, "It is no YAML that can be read.")
		}
	}()
	file, err := parser.ParseBytes(document, 0)
	if err != nil {
		line, what := 1, err.Error()
		var syntax interface {
			GetToken() *token.Token
			GetMessage() string
		}
		if errors.As(err, &syntax) {
			what = syntax.GetMessage()
			if t := syntax.GetToken(); t != nil && t.Position != nil {
				line = t.Position.Line
			}
		}
		return nil, malformed(name, line, "It is no YAML: %s.", strings.TrimSuffix(cut(what), "."))
	}
	var body ast.Node
	for _, doc := range file.Docs {
		switch {
		case doc.Body == nil || doc.Body.Type() == ast.CommentType:
		case body != nil:
			return nil, malformed(name, lineOf(doc.Body), "A second document begins. One file is one document.")
		default:
			body = doc.Body
		}
	}
	if body == nil {
		return nil, malformed(name, 1, "The document is empty.")
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

func lineOf(n ast.Node) int {
	if t := n.GetToken(); t != nil && t.Position != nil {
		return t.Position.Line
	}
	return 1
}

func fromYAML(name string, n ast.Node, depth int) (*node, error) {
	if depth > maxDepth {
		return nil, malformed(name, lineOf(n), "It is nested more than %d deep.", maxDepth)
	}
	out := &node{line: lineOf(n)}
	switch n := n.(type) {
	case *ast.NullNode:
		out.kind = null
	case *ast.StringNode:
		out.kind, out.text = text, n.Value
	case *ast.LiteralNode:
		out.kind, out.text = text, n.Value.Value
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		out.kind, out.text = scalar, n.GetToken().Value
	case *ast.SequenceNode:
		out.kind = list
		for _, item := range n.Values {
			value, err := fromYAML(name, item, depth+1)
			if err != nil {
				return nil, err
			}
			out.items = append(out.items, value)
		}
	case *ast.MappingNode:
		out.kind = object
		for _, pair := range n.Values {
			if err := out.pair(name, pair, depth); err != nil {
				return nil, err
			}
		}
	case *ast.MappingValueNode:
		out.kind = object
		if err := out.pair(name, n, depth); err != nil {
			return nil, err
		}
	default:
		return nil, malformed(name, out.line, "Anchors, aliases and tags are not read. Write the value out.")
	}
	return out, nil
}

func (n *node) pair(name string, pair *ast.MappingValueNode, depth int) error {
	key, err := fromYAML(name, pair.Key, depth+1)
	if err != nil {
		return err
	}
	if key.kind != text && key.kind != scalar {
		return malformed(name, key.line, "The name of a field must be a text.")
	}
	value, err := fromYAML(name, pair.Value, depth+1)
	if err != nil {
		return err
	}
	return n.add(name, field{name: key.text, line: key.line, value: value})
}
