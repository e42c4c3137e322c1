package inventory

import (
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

// A RuleName is a link of the chain that says whose a resource is.
type RuleName string

// The chain, the strongest first (docs/adr, "Whose a resource is"). What one says
// is not asked of the next.
const (
	ByManual   RuleName = "manual"   // somebody said so
	ByLedger   RuleName = "ledger"   // the saga that made it was for a tenant
	ByTag      RuleName = "tag"      // tenant:<slug>, or a tag that a rule knows
	ByProject  RuleName = "project"  // a rule knows its project
	ByRelation RuleName = "relation" // what it hangs on is one tenant's
	ByName     RuleName = "name"     // a rule knows its name
)

// Chain is all of them in their order.
func Chain() []RuleName {
	return []RuleName{ByManual, ByLedger, ByTag, ByProject, ByRelation, ByName}
}

// confidence is how far a rule is to be trusted, in percent: what was said by hand
// or done by ourselves is certain, a tag is nearly so, a name is a guess.
var confidence = map[RuleName]int{ByManual: 100, ByLedger: 100, ByTag: 95, ByProject: 80, ByRelation: 75, ByName: 50}

// A RuleID names a rule: "rule_" and 32 hex digits.
type RuleID string

// A Rule says that what has a tag, is in a project or has a name is a tenant's.
type Rule struct {
	ID   RuleID
	Type RuleName // ByTag, ByProject or ByName
	// Pattern is a tag, the id or name of a project, or a name, in any case; "*"
	// stands for any characters and "?" for one.
	Pattern string
	Tenant  tenant.ID
	Actor   string // who added it
	At      time.Time
}

// longestPattern bounds a pattern: no tag and no name is longer.
const longestPattern = 255

// check answers fault.Invalid for a rule that cannot be.
func (r Rule) check() error {
	switch {
	case r.Type != ByTag && r.Type != ByProject && r.Type != ByName:
		return fault.New(fault.Invalid, "%q is no type of a rule: it is tag, project or name.", clip(string(r.Type)))
	case r.Pattern == "" || r.Pattern != strings.TrimSpace(r.Pattern):
		return fault.New(fault.Invalid, "The pattern of a rule is a word without spaces around it, such as acme-*.")
	case utf8.RuneCountInString(r.Pattern) > longestPattern || !utf8.ValidString(r.Pattern) || strings.ContainsFunc(r.Pattern, unicode.IsControl):
		return fault.New(fault.Invalid, "The pattern is too long, or has characters that cannot be shown: at most %d.", longestPattern)
	case strings.Trim(r.Pattern, "*?") == "":
		return fault.New(fault.Invalid, "The pattern %s fits everything: name at least one character of what you mean.", clip(r.Pattern))
	case r.Type == ByTag && strings.HasPrefix(strings.ToLower(r.Pattern), tenant.TagPrefix):
		return fault.New(fault.Invalid, "Tags that begin with %s say by themselves whose a resource is: they need no rule.", tenant.TagPrefix)
	}
	return nil
}

// glob is a pattern, ready to be matched.
func glob(pattern string) *regexp.Regexp {
	quoted := regexp.QuoteMeta(pattern)
	quoted = strings.NewReplacer(`\*`, `.*`, `\?`, `.`).Replace(quoted)
	return regexp.MustCompile(`(?is)^` + quoted + `$`)
}

// An Assignment is what somebody said by hand of one resource.
type Assignment struct {
	URN    string
	Tenant tenant.ID // empty: nobody's, on purpose
	Reason string
	Actor  string
	At     time.Time
}
