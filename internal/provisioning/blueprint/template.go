package blueprint

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/template"
	"text/template/parse"
)

// maxUserData is what DigitalOcean takes, in bytes.
const maxUserData = 64 << 10

// A cloudInit is the cloud-init part of a droplet: Go's text/template without
// variables, loops, definitions and calls of methods. What it writes out goes through
// print, which puts a token in its place; render puts the values in, once it is known
// where each stands.
type cloudInit struct {
	source   string
	template *template.Template
	uses     []templateUse
	raw      []string // the parameters that are written without quotes
}

// A templateUse is a reference in a template, a secret or a callback included.
type templateUse struct {
	reference
	line int // of the template, from 1
}

// A lineError is what is wrong with a line of a template, from 1.
type lineError struct {
	line    int
	message string
}

func (e *lineError) Error() string { return e.message }

func wrongAt(line int, format string, args ...any) error {
	return &lineError{line, fmt.Sprintf(format, args...)}
}

// The functions of templates. Each of encodings says how a value is written.
var (
	encodings = []string{"quote", "yaml", "json", "base64", "raw"}
	questions = []string{"and", "or", "not", "eq", "ne", "lt", "le", "gt", "ge"}
)

const emitName = "print" // takes the place of the builtin, which templates do not have

// An encoded value is one for which a template says how it is written.
type encoded struct {
	how   string
	value any
}

// lookUp answers what a template may refer to.
type lookUp struct {
	parameter func(name string) (kind Type, setBy string, ok bool)
	reference func(reference) error // says what is wrong with another one
	callback  func(key string) error
}

var templateLine = regexp.MustCompile(`^template: cloud_init:(\d+)(?::\d+)?: (?:executing "cloud_init" at )?`)

// compileTemplate reads a template, and tells all that it may not have.
func compileTemplate(source string, look lookUp) (*cloudInit, []error) {
	c := &cloudInit{source: source}
	head, _, _ := strings.Cut(source, "\n")
	if head = strings.TrimRight(head, " \r"); head != "#cloud-config" && shellOf(head) == "" {
		return nil, []error{wrongAt(1, "It begins with #cloud-config, or with the #! line of a shell like #!/bin/sh.")}
	}
	functions := template.FuncMap{emitName: func() string { return "" }, "secret": func(string) string { return "" }}
	for _, name := range encodings {
		functions[name] = func(any) any { return nil }
	}
	t, err := template.New("cloud_init").Option("missingkey=error").Funcs(functions).Parse(source)
	if err != nil {
		return nil, []error{templateError(err)}
	}
	c.template = t
	w := &templateWalk{c: c, look: look}
	if len(t.Templates()) > 1 {
		w.fail(1, "A template has no definitions of others.")
	}
	if t.Tree != nil {
		w.list(t.Root)
	}
	if len(w.problems) > 0 {
		return nil, w.problems
	}
	return c, nil
}

// templateError turns an error of text/template into a sentence with its line.
func templateError(err error) error {
	if wrong, ok := errors.AsType[*lineError](err); ok {
		return wrong
	}
	text, line := err.Error(), 1
	if m := templateLine.FindStringSubmatch(text); m != nil {
		line, _ = strconv.Atoi(m[1])
		text = text[len(m[0]):]
	}
	return wrongAt(line, "The template cannot be read: %s.", strings.TrimSuffix(clip(text), "."))
}

// A templateWalk looks at everything in a template, and makes what it writes out go
// through print.
type templateWalk struct {
	c        *cloudInit
	look     lookUp
	problems []error
}

func (w *templateWalk) fail(line int, format string, args ...any) {
	w.problems = append(w.problems, wrongAt(line, format, args...))
}

func (w *templateWalk) line(n parse.Node) int {
	return 1 + strings.Count(w.c.source[:min(int(n.Position()), len(w.c.source))], "\n")
}

func (w *templateWalk) list(l *parse.ListNode) {
	if l == nil {
		return
	}
	for _, n := range l.Nodes {
		switch n := n.(type) {
		case *parse.TextNode, *parse.CommentNode:
		case *parse.ActionNode:
			w.pipe(n.Pipe, true)
			w.emit(n)
		case *parse.IfNode:
			w.pipe(n.Pipe, false)
			w.list(n.List)
			w.list(n.ElseList)
		default:
			w.fail(w.line(n), "A template has values in {{ }}, if, else and end. It has no %s.", word(n.String()))
		}
	}
}

// word is the first word within the braces of a node.
func word(node string) string {
	fields := strings.Fields(strings.Trim(node, "{}- "))
	if len(fields) == 0 {
		return "such thing"
	}
	return clip(fields[0])
}

// emit lets what the action writes pass through print, with the line.
func (w *templateWalk) emit(n *parse.ActionNode) {
	line := w.line(n)
	number := &parse.NumberNode{NodeType: parse.NodeNumber, Pos: n.Pos, IsInt: true, Int64: int64(line), Text: strconv.Itoa(line)}
	n.Pipe.Cmds = append(n.Pipe.Cmds, &parse.CommandNode{
		NodeType: parse.NodeCommand, Pos: n.Pos,
		Args: []parse.Node{parse.NewIdentifier(emitName).SetPos(n.Pos).SetTree(w.c.template.Tree), number},
	})
}

// pipe looks at a pipeline. written: its value is written out, so that its last
// command may be an encoding.
func (w *templateWalk) pipe(p *parse.PipeNode, written bool) {
	if p == nil {
		return
	}
	if len(p.Decl) > 0 {
		w.fail(w.line(p), "A template has no variables.")
		return
	}
	for i, command := range p.Cmds {
		w.command(p, i, command, written && i == len(p.Cmds)-1)
	}
}

func (w *templateWalk) command(p *parse.PipeNode, i int, command *parse.CommandNode, last bool) {
	first, arguments := command.Args[0], command.Args[1:]
	name, isCall := first.(*parse.IdentifierNode)
	if !isCall {
		for _, n := range command.Args {
			w.operand(n)
		}
		return
	}
	line := w.line(command)
	switch {
	case name.Ident == "secret":
		w.secret(line, arguments)
		return
	case slices.Contains(encodings, name.Ident):
		if !last {
			w.fail(line, "%s stands at the end, and nothing follows on it.", name.Ident)
		}
		if given := len(arguments) + min(i, 1); given != 1 {
			w.fail(line, "%s takes one value.", name.Ident)
		}
		if name.Ident == "raw" {
			w.raw(line, p, i, arguments)
		}
	case !slices.Contains(questions, name.Ident):
		w.fail(line, "A template has no %s. It has %s, secret, and after if %s.", clip(name.Ident), strings.Join(encodings, ", "), strings.Join(questions, ", "))
	}
	for _, n := range arguments {
		w.operand(n)
	}
}

func (w *templateWalk) operand(n parse.Node) {
	switch n := n.(type) {
	case *parse.FieldNode:
		w.field(w.line(n), strings.Join(n.Ident, "."))
	case *parse.PipeNode:
		w.pipe(n, false)
	case *parse.StringNode, *parse.NumberNode, *parse.BoolNode:
	default:
		w.fail(w.line(n), "%s: a template has values like .param.size and .droplet.web.private_ip, texts and numbers.", clip(n.String()))
	}
}

// field looks at a reference, written with a dot before it.
func (w *templateWalk) field(line int, text string) {
	if !isReference(text) {
		w.fail(line, ".%s is no value. One is like .param.size or .droplet.web.private_ip.", clip(text))
		return
	}
	r := reference(text)
	var err error
	if name, is := r.parameter(); is {
		kind, _, ok := w.look.parameter(name)
		switch {
		case !ok:
			err = w.look.reference(r)
		case kind == Secret:
			err = fmt.Errorf("A secret is never written out. Take {{ secret %q }}, an address that gives it once.", name)
		}
	} else if words := r.words(); words[0] == "callback" && len(words) == 2 {
		err = w.look.callback(words[1])
	} else {
		err = w.look.reference(r)
	}
	if err != nil {
		w.fail(line, "%s", strings.ReplaceAll(err.Error(), "${"+text+"}", "."+text))
		return
	}
	w.c.uses = append(w.c.uses, templateUse{r, line})
}

// secret looks at the name of a secret, which is written out.
func (w *templateWalk) secret(line int, arguments []parse.Node) {
	if len(arguments) == 1 {
		if text, ok := arguments[0].(*parse.StringNode); ok {
			kind, _, found := w.look.parameter(text.Text)
			if !found || kind != Secret {
				w.fail(line, "secret %q: there is no parameter of type secret with this name.", clip(text.Text))
				return
			}
			w.c.uses = append(w.c.uses, templateUse{reference("secret." + text.Text), line})
			return
		}
	}
	w.fail(line, `secret takes the name of a parameter of type secret in quotes: {{ secret "password" }}.`)
}

// raw sees that nothing but what the operator sets is written without quotes.
func (w *templateWalk) raw(line int, p *parse.PipeNode, i int, arguments []parse.Node) {
	var operand parse.Node
	switch {
	case len(arguments) == 1 && i == 0:
		operand = arguments[0]
	case len(arguments) == 0 && i == 1 && len(p.Cmds[0].Args) == 1:
		operand = p.Cmds[0].Args[0]
	}
	field, ok := operand.(*parse.FieldNode)
	if !ok || len(field.Ident) != 2 || field.Ident[0] != "param" {
		w.fail(line, "raw takes a parameter and nothing else: {{ .param.name | raw }}.")
		return
	}
	if _, setBy, ok := w.look.parameter(field.Ident[1]); ok && setBy == ByTenant {
		w.fail(line, "raw: the tenant sets the parameter %s, so that it is never written without quotes.", field.Ident[1])
	}
	w.c.raw = append(w.c.raw, field.Ident[1])
}
