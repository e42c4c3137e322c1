package blueprint

import (
	"errors"
	"fmt"
	"strings"
)

// An Expr is a text with references in it, as a blueprint has it:
//
//	text      = { character | "$$" | "${" reference "}" }
//	reference = word "." word [ "." word ]
//
// $$ is the text $, and so is a $ before anything but $ and {. There is nothing else: no arithmetic, no calls, no conditions.
type Expr string

// A part of an expression is text or a reference.
type part struct {
	text string
	ref  reference
}

// A reference is the words between ${ and }, with dots.
type reference string

func (r reference) words() []string { return strings.Split(string(r), ".") }

// parts takes an expression apart. An error is a sentence.
func (e Expr) parts() ([]part, error) {
	var parts []part
	var text strings.Builder
	flush := func() {
		if text.Len() > 0 {
			parts = append(parts, part{text: text.String()})
			text.Reset()
		}
	}
	rest := string(e)
	for {
		before, after, found := strings.Cut(rest, "$")
		text.WriteString(before)
		if !found {
			break
		}
		switch {
		case strings.HasPrefix(after, "$"):
			text.WriteByte('$')
			rest = after[1:]
		case strings.HasPrefix(after, "{"):
			inside, behind, closed := strings.Cut(after[1:], "}")
			if !closed {
				return nil, errors.New("A reference begins with ${ and does not end with }. For the text ${ itself write $${.")
			}
			if !isReference(inside) {
				return nil, fmt.Errorf("${%s} is no reference. One is like ${param.size} or ${droplet.web.private_ip}; for the text ${ itself write $${.", clip(inside))
			}
			flush()
			parts = append(parts, part{ref: reference(inside)})
			rest = behind
		default:
			text.WriteByte('$')
			rest = after
		}
	}
	flush()
	return parts, nil
}

// isReference reports whether s is two or three words with dots between them.
func isReference(s string) bool {
	words := strings.Split(s, ".")
	for _, w := range words {
		if w == "" || strings.ContainsFunc(w, func(c rune) bool {
			return (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_'
		}) {
			return false
		}
	}
	return len(words) == 2 || len(words) == 3
}

// Literal is the expression whose value is the text.
func Literal(text string) Expr { return Expr(strings.ReplaceAll(text, "$", "$$")) }

// references are those of the expression, each time that they stand in it.
func (e Expr) references() []reference {
	parts, err := e.parts()
	if err != nil {
		return nil
	}
	var all []reference
	for _, p := range parts {
		if p.ref != "" {
			all = append(all, p.ref)
		}
	}
	return all
}

// replace puts values in the place of those references that known answers, and
// leaves the others as they are.
func (e Expr) replace(known func(reference) (string, bool)) Expr {
	parts, err := e.parts()
	if err != nil {
		return e
	}
	var out strings.Builder
	for _, p := range parts {
		value, ok := "", false
		if p.ref != "" {
			value, ok = known(p.ref)
		}
		switch {
		case p.ref == "":
			out.WriteString(string(Literal(p.text)))
		case ok:
			out.WriteString(string(Literal(value)))
		default:
			out.WriteString("${" + string(p.ref) + "}")
		}
	}
	return Expr(out.String())
}

// Value is the text of an expression with what is known put in: the words of a
// reference, like droplet.web.private_ip, and their value. An error names the first
// reference that is not known.
func (e Expr) Value(known map[string]string) (string, error) {
	parts, err := e.parts()
	if err != nil {
		return "", err
	}
	var out strings.Builder
	for _, p := range parts {
		if p.ref == "" {
			out.WriteString(p.text)
			continue
		}
		value, ok := known[string(p.ref)]
		if !ok {
			return "", fmt.Errorf("${%s} is not known yet", p.ref)
		}
		out.WriteString(value)
	}
	return out.String(), nil
}

// References are the words of the references in the expression, in order.
func (e Expr) References() []string {
	var all []string
	for _, r := range e.references() {
		all = append(all, string(r))
	}
	return all
}

func clip(s string) string {
	s = strings.ToValidUTF8(s, "�")
	if r := []rune(s); len(r) > 60 {
		return string(r[:60]) + "…"
	}
	return s
}

// Words is the expression for people to read: a reference as what it stands for, "the
// reserved IP front".
func (e Expr) Words() string {
	parts, err := e.parts()
	if err != nil {
		return string(e)
	}
	var out strings.Builder
	for _, p := range parts {
		if p.ref == "" {
			out.WriteString(p.text)
			continue
		}
		out.WriteString(p.ref.inWords())
	}
	return out.String()
}

// inWords is what a reference stands for.
func (r reference) inWords() string {
	words := r.words()
	property := strings.NewReplacer("public_ipv6", "public IPv6 address", "public_ip", "public address", "private_ip", "private address", "ip_range", "address range").Replace(words[len(words)-1])
	thing := strings.NewReplacer("reserved_ip", "reserved IP", "vpc", "network").Replace(words[0])
	if len(words) == 3 {
		thing += " " + words[1]
	} else if words[0] != "vpc" {
		return "the " + property + " of the " + thing // param.size, tenant.slug
	}
	if words[0] == "reserved_ip" {
		return "the " + thing
	}
	if len(words) == 2 {
		thing = "the " + thing
	}
	return "the " + property + " of " + thing
}
