package cli

import (
	"fmt"
	"strings"

	"github.com/arcadia-cloud/arcadia/internal/rating"
)

// explainText writes an explanation as a tree, one rule a line, with so many names at
// most of what a rule is about.
func explainText(b *strings.Builder, e rating.Explanation, indent, names int) {
	facts := make([]string, 0, len(e.Facts))
	for _, f := range e.Facts {
		value := short(f.Number)
		switch {
		case len(f.Texts) > names:
			value = strings.Join(f.Texts[:names], ", ") + ", …"
		case f.Texts != nil:
			value = strings.Join(f.Texts, ", ")
		case f.Text != "":
			value = f.Text
		}
		facts = append(facts, strings.ReplaceAll(f.Name, "_", " ")+" "+value)
	}
	fmt.Fprintf(b, "%s%s = %s", strings.Repeat(" ", indent), strings.ReplaceAll(e.Rule, "_", " "), short(e.Value))
	if len(facts) > 0 {
		fmt.Fprintf(b, " (%s)", strings.Join(facts, "; "))
	}
	b.WriteByte('\n')
	for _, part := range e.Of {
		explainText(b, part, indent+2, names)
	}
}
