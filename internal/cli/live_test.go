package cli

import (
	"slices"
	"testing"
)

func TestWrap(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		width      int
		want       []string
	}{
		{"it fits", "short", 5, []string{"short"}},
		{"between words", "The action has completed; looks again.", 20, []string{"The action has", "  completed; looks", "  again."}},
		{"a word that is too long", "abcdefghij", 6, []string{"abcdef", "  ghij"}},
		{"an indented line stays indented", "    one two three", 11, []string{"    one two", "      three"}},
		{"colours take no place", "\x1b[32m✓\x1b[0m Completed.\x1b[0m", 12, []string{"\x1b[32m✓\x1b[0m Completed.\x1b[0m"}},
		{"no room at all", "some words", 2, []string{"some words"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := wrap(tt.text, tt.width); !slices.Equal(got, tt.want) {
				t.Errorf("wrap(%q, %d) = %q, want %q", tt.text, tt.width, got, tt.want)
			}
		})
	}
}
