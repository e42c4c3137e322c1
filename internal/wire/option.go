package wire

import (
	"regexp"
	"strings"
)

// option is the name of an option in a fault of provisioning.
var option = regexp.MustCompile("`[a-z_]+`")

// NameOptions puts in the place of each option that a refusal of a plan names what a surface
// calls it.
func NameOptions(refusal string, called func(option string) string) string {
	return option.ReplaceAllStringFunc(refusal, func(name string) string { return called(strings.Trim(name, "`")) })
}
