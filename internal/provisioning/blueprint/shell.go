package blueprint

import (
	"path"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// shellOf is the shell that a script's first line names, "" where it names none.
func shellOf(head string) string {
	command, ok := strings.CutPrefix(head, "#!")
	words := strings.Fields(command)
	if !ok || len(words) == 0 {
		return ""
	}
	shell := path.Base(words[0])
	if shell == "env" && len(words) > 1 {
		shell = words[1]
	}
	if !slices.Contains([]string{"sh", "dash", "ash", "bash"}, shell) {
		return ""
	}
	return shell
}

// A place says what a token in a script would be to the shell.
type place int

const (
	quotedPlace  place = iota // within quotes, a comment or the like: nothing but a word may stand here
	plainPlace                // a word of its own or a part of one, which may be put in quotes
	commandPlace              // the name of a command, a function or a variable: no value may stand here
)

// evaluators run what they are given as an argument: quotes do not help there.
var evaluators = []string{"eval", ".", "source", "trap", "sh", "dash", "ash", "bash", "ksh", "zsh", "su", "ssh", "xargs", "awk", "sed", "-c", "-e", "-exec"}

// shellPlaces reads a script and says where each token stands. An error is what is
// wrong with the script.
func shellPlaces(script, shell string, tokens []string) (map[string]place, error) {
	dialect := syntax.LangPOSIX
	if shell == "bash" {
		dialect = syntax.LangBash
	}
	file, err := syntax.NewParser(syntax.Variant(dialect)).Parse(strings.NewReader(script), "")
	if err != nil {
		return nil, err
	}
	places := make(map[string]place)
	for _, token := range tokens {
		places[token] = quotedPlace
	}
	var above []syntax.Node
	syntax.Walk(file, func(n syntax.Node) bool {
		if n == nil {
			above = above[:len(above)-1]
			return true
		}
		if lit, ok := n.(*syntax.Lit); ok {
			for _, token := range tokens {
				if at := strings.Index(lit.Value, token); at >= 0 {
					places[token] = placeOf(lit, at, above)
				}
			}
		}
		above = append(above, n)
		return true
	})
	return places, nil
}

// placeOf judges a literal by the nodes above it.
func placeOf(lit *syntax.Lit, at int, above []syntax.Node) place {
	if len(above) < 2 {
		return commandPlace
	}
	word, inWord := above[len(above)-1].(*syntax.Word)
	if !inWord {
		switch above[len(above)-1].(type) {
		case *syntax.DblQuoted:
			return quotedPlace
		}
		return commandPlace // the name of a variable or of a function
	}
	if strings.HasSuffix(lit.Value[:at], `\`) {
		return quotedPlace
	}
	switch n := above[len(above)-2].(type) {
	case *syntax.CallExpr:
		if n.Args[0] == word {
			return commandPlace
		}
		for _, argument := range n.Args {
			if slices.Contains(evaluators, path.Base(argument.Lit())) {
				return quotedPlace
			}
		}
		return plainPlace
	case *syntax.Assign:
		if n.Value == word && !n.Naked && n.Index == nil {
			return plainPlace
		}
	case *syntax.Redirect:
		if slices.Contains([]syntax.RedirOperator{syntax.RdrOut, syntax.AppOut, syntax.RdrIn, syntax.WordHdoc}, n.Op) {
			return plainPlace
		}
	case *syntax.WordIter, *syntax.CaseClause:
		return plainPlace
	}
	return quotedPlace
}

// shellQuote is the text as one word of a shell.
func shellQuote(text string) string {
	if isWord(text) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
