package blueprint

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxValue is how many bytes the value of a parameter may have.
const maxValue = 4096

// maxInteger is the largest whole number that no JSON reader takes for another.
const maxInteger = 1<<53 - 1

var slugForms = map[Type]*regexp.Regexp{
	Region: regexp.MustCompile(`^[a-z]{2,5}[0-9]{1,2}$`),
	Size:   regexp.MustCompile(`^[a-z][a-z0-9._-]{0,62}$`),
	Image:  regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,99}$`),
	Secret: regexp.MustCompile(`^[a-z0-9][a-z0-9_.-]{0,63}$`),
}

var slugExamples = map[Type]string{Region: "fra1", Size: "s-1vcpu-1gb", Image: "debian-12-x64 or an id", Secret: "database-password"}

// check says what is wrong with a value, as a sentence; nil where nothing is.
func (p *Parameter) check(value string) error {
	if len(value) > maxValue {
		return fmt.Errorf("It is longer than %d bytes.", maxValue)
	}
	if !utf8.ValidString(value) || strings.ContainsFunc(value, isForbidden) {
		return fmt.Errorf("It has characters in it that are no text.")
	}
	switch p.Type {
	case Integer:
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || strconv.FormatInt(n, 10) != value || n > maxInteger || n < -maxInteger {
			return fmt.Errorf("%q is no whole number.", clip(value))
		}
		if p.Min != nil && n < *p.Min {
			return fmt.Errorf("%d is less than %d, the least that is allowed.", n, *p.Min)
		}
		if p.Max != nil && n > *p.Max {
			return fmt.Errorf("%d is more than %d, the most that is allowed.", n, *p.Max)
		}
	case Boolean:
		if value != "true" && value != "false" {
			return fmt.Errorf("%q is neither true nor false.", clip(value))
		}
	case Region, Size, Image, Secret:
		if !slugForms[p.Type].MatchString(value) {
			return fmt.Errorf("%q is no %s. One is like %s.", clip(value), p.noun(), slugExamples[p.Type])
		}
	case String:
		if p.Pattern == "" {
			break
		}
		if compiled, err := compilePattern(p.Pattern); err != nil || !compiled.whole.MatchString(value) {
			return fmt.Errorf("%q is not of the form %s.", clip(value), p.Pattern)
		}
	}
	if len(p.Enum) > 0 && !slices.Contains(p.Enum, Expr(value)) {
		return fmt.Errorf("%q is not allowed. It is one of %s.%s", clip(value), listed(p.Enum), near(value, texts(p.Enum)))
	}
	return nil
}

func (p *Parameter) noun() string {
	if p.Type == Secret {
		return "name of a secret"
	}
	return string(p.Type)
}

// isForbidden is for control characters other than tab and the ends of lines, and
// for what Unicode says is no character.
func isForbidden(c rune) bool {
	return c < ' ' && c != '\t' && c != '\n' && c != '\r' || c == 0x7f || c >= 0x80 && c <= 0x9f ||
		c >= 0xfdd0 && c <= 0xfdef || c&0xfffe == 0xfffe
}

// isWords reports whether no value of the parameter needs quotes anywhere: it has
// only letters, digits and . _ : / -, whatever is chosen.
func (p *Parameter) isWords() bool {
	switch p.Type {
	case Secret:
		return false
	case String:
		if len(p.Enum) > 0 {
			return !slices.ContainsFunc(p.Enum, func(e Expr) bool { return !isWord(string(e)) })
		}
		compiled, err := compilePattern(p.Pattern)
		return err == nil && p.Pattern != "" && compiled.words
	default:
		return true
	}
}

func isWord(s string) bool {
	return s != "" && !strings.HasPrefix(s, "-") && !strings.ContainsFunc(s, func(c rune) bool { return !isOfWord(c) })
}

// isOfWord reports whether a character may stand in a word.
func isOfWord(c rune) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.ContainsRune("._:/-", c)
}

// A pattern is a regular expression of a whole text.
type pattern struct {
	whole *regexp.Regexp
	words bool // it matches only what isWord
}

func compilePattern(source string) (*pattern, error) {
	whole, err := regexp.Compile(`\A(?:` + source + `)\z`)
	if err != nil {
		return nil, err
	}
	tree, err := syntax.Parse(source, syntax.Perl)
	if err != nil {
		return nil, err
	}
	tree = tree.Simplify()
	return &pattern{whole, onlyWords(tree) && !whole.MatchString("") && !admitsDash(tree)}, nil
}

// onlyWords reports whether every character that can match may stand in a word.
func onlyWords(r *syntax.Regexp) bool {
	switch r.Op {
	case syntax.OpLiteral:
		if r.Flags&syntax.FoldCase != 0 { // K is also the sign for kelvin
			return false
		}
		return !slices.ContainsFunc(r.Rune, func(c rune) bool { return !isOfWord(c) })
	case syntax.OpCharClass:
		for i := 0; i < len(r.Rune); i += 2 {
			if r.Rune[i+1] > 'z' {
				return false
			}
			for c := r.Rune[i]; c <= r.Rune[i+1]; c++ {
				if !isOfWord(c) {
					return false
				}
			}
		}
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return false
	}
	return !slices.ContainsFunc(r.Sub, func(sub *syntax.Regexp) bool { return !onlyWords(sub) })
}

// admitsDash reports whether the first character may be a dash.
func admitsDash(r *syntax.Regexp) bool {
	switch r.Op {
	case syntax.OpLiteral:
		return len(r.Rune) > 0 && r.Rune[0] == '-'
	case syntax.OpCharClass:
		for i := 0; i < len(r.Rune); i += 2 {
			if r.Rune[i] <= '-' && '-' <= r.Rune[i+1] {
				return true
			}
		}
		return false
	case syntax.OpConcat:
		for _, sub := range r.Sub {
			if admitsDash(sub) {
				return true
			}
			if !matchesEmpty(sub) {
				return false
			}
		}
		return false
	}
	return slices.ContainsFunc(r.Sub, admitsDash)
}

func matchesEmpty(r *syntax.Regexp) bool {
	if r.Op >= syntax.OpBeginLine && r.Op <= syntax.OpNoWordBoundary {
		return true
	}
	return regexp.MustCompile(`\A(?:` + r.String() + `)\z`).MatchString("")
}
