package schema

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A token is a piece of SQL; the tokens of a text, joined, are the text.
type token struct {
	kind tokenKind
	text string
}

type tokenKind int

const (
	space       tokenKind = iota // blanks and comments
	word                         // a keyword, a name, or a name in double quotes
	literal                      // a string in single quotes, or a number
	punctuation                  // one character
)

// lex splits SQL far enough to tell its words from its strings and comments.
func lex(text string) ([]token, error) {
	var tokens []token
	for text != "" {
		kind, n, err := next(text)
		if err != nil {
			return nil, err
		}
		tokens = append(tokens, token{kind, text[:n]})
		text = text[n:]
	}
	return tokens, nil
}

// next returns the kind and the length of the token that text begins with.
func next(text string) (tokenKind, int, error) {
	first, size := utf8.DecodeRuneInString(text)
	switch {
	case unicode.IsSpace(first):
		return space, length(text, unicode.IsSpace), nil
	case strings.HasPrefix(text, "--"):
		if end := strings.IndexByte(text, '\n'); end >= 0 {
			return space, end, nil
		}
		return space, len(text), nil
	case strings.HasPrefix(text, "/*"):
		return closed(space, text, 2, "*/")
	case first == '\'':
		return closed(literal, text, 1, "'") // '' inside is two tokens, which join to the same
	case first == '"':
		return closed(word, text, 1, `"`)
	case first == '$':
		return 0, 0, fmt.Errorf("dollar quotes belong between %q and %q", "-- only: postgres", "-- end")
	case first == '_' || unicode.IsLetter(first):
		return word, length(text, isWord), nil
	case unicode.IsDigit(first):
		return literal, length(text, isWord), nil
	default:
		return punctuation, size, nil
	}
}

func isWord(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) }

// length is how far text's characters belong.
func length(text string, belongs func(rune) bool) int {
	if end := strings.IndexFunc(text, func(r rune) bool { return !belongs(r) }); end >= 0 {
		return end
	}
	return len(text)
}

// closed finds the end of a token that runs to the next mark after its first skip bytes.
func closed(kind tokenKind, text string, skip int, mark string) (tokenKind, int, error) {
	end := strings.Index(text[skip:], mark)
	if end < 0 {
		return 0, 0, fmt.Errorf("%.20q… is not closed by %s", text, mark)
	}
	return kind, skip + end + len(mark), nil
}
