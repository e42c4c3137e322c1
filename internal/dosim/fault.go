package dosim

import (
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/fault"
)

// A FaultKind is one way in which an answer goes wrong.
type FaultKind string

// The kinds. "Before" means that the request had no effect, "after" that it had
// its full effect and only the answer went wrong; an "after" fault leaves alone
// what was refused anyhow. The four that end actions wrongly mark, on a request that makes
// an action, that action for good; on one that reads actions, they show them so
// in that answer alone.
const (
	ServerErrorBefore    FaultKind = "5xx_before"             // Status, default 503
	ServerErrorAfter     FaultKind = "5xx_after_commit"       // Status, default 503
	HTML504              FaultKind = "html_504"               // after: the proxy's page instead of JSON
	HTML504Before        FaultKind = "html_504_before"        //
	ResetBefore          FaultKind = "reset_before"           // the connection is cut
	ResetAfter           FaultKind = "reset_after"            //
	ResetCommitLate      FaultKind = "reset_commit_late"      // cut at once; takes effect after Delay, default 10s
	Hang                 FaultKind = "hang"                   // no answer until the client goes; no effect
	HangAfter            FaultKind = "hang_after_commit"      //
	Slow                 FaultKind = "slow"                   // effect and answer come after Delay, default 3s
	Burst429             FaultKind = "429_burst"              // with retry-after
	Hourly429            FaultKind = "429_hourly"             // without
	ResetInPast          FaultKind = "reset_in_past"          // an hourly 429 whose ratelimit-reset is over
	Expired401           FaultKind = "401_expired"            //
	Scope403             FaultKind = "403_scope"              //
	NotFound404          FaultKind = "404_flap"               //
	Conflict409          FaultKind = "409"                    //
	Precondition412      FaultKind = "412"                    //
	Pending422           FaultKind = "422_pending"            //
	ActionPoll404        FaultKind = "action_poll_404"        // of the reads of one action alone
	ActionPoll500        FaultKind = "action_poll_500"        //
	TruncatedJSON        FaultKind = "truncated_json"         // after: half of the body, under a true Content-Length
	Empty200             FaultKind = "empty_200"              // after: status 200 and no body
	UnknownFields        FaultKind = "unknown_fields"         // after: every object has a key that no description names
	PriceChange          FaultKind = "price_change"           // after: the prices of sizes in that answer are a quarter higher
	CreateVanishes       FaultKind = "create_vanishes"        // what the request made is gone Delay (default 3s) after it came to be, without a word
	ActionErrored        FaultKind = "action_errored"         //
	ActionStuck          FaultKind = "action_stuck"           // it never ends
	UnknownStatus        FaultKind = "unknown_status"         // ends as "done", which is none of the statuses
	CompletedAtNull      FaultKind = "completed_at_null"      // ends without completed_at
	DuplicateAcrossPages FaultKind = "duplicate_across_pages" // a later page begins with the item that ended the one before
	MissingAcrossPages   FaultKind = "missing_across_pages"   // a later page leaves out its first item
)

// FaultKinds returns every kind there is.
func FaultKinds() []FaultKind {
	return slices.Concat(beforeKinds(), afterKinds(), actionKinds(), []FaultKind{
		ActionPoll404, ActionPoll500, CreateVanishes, DuplicateAcrossPages, MissingAcrossPages,
	})
}

func beforeKinds() []FaultKind {
	return []FaultKind{
		ServerErrorBefore, HTML504Before, ResetBefore, ResetCommitLate, Hang, Slow, Burst429, Hourly429, ResetInPast,
		Expired401, Scope403, NotFound404, Conflict409, Precondition412, Pending422,
	}
}

func afterKinds() []FaultKind {
	return []FaultKind{ServerErrorAfter, HTML504, ResetAfter, HangAfter, TruncatedJSON, Empty200, UnknownFields, PriceChange}
}

func actionKinds() []FaultKind {
	return []FaultKind{ActionErrored, ActionStuck, UnknownStatus, CompletedAtNull}
}

// A Match says which requests a fault may hit. An empty field matches all.
type Match struct {
	Method      string    `json:"method,omitempty"`
	Path        string    `json:"path,omitempty"`        // a glob: * is within one segment, ** is any rest
	Token       string    `json:"token,omitempty"`       // a glob over the bearer token
	Purpose     string    `json:"purpose,omitempty"`     // a glob over what the token was made for, see [TokenSpec]
	Nth         int       `json:"nth,omitempty"`         // begins with the nth request that matches the rest and that the fault can harm
	Probability float64   `json:"probability,omitempty"` // in (0,1]; 0 means 1
	From        time.Time `json:"from,omitzero"`         // by the simulator's clock
	To          time.Time `json:"to,omitzero"`           // exclusive
}

// A Fault is what goes wrong, when, and how often.
type Fault struct {
	ID     string    `json:"id"`
	Match  Match     `json:"match"`
	Kind   FaultKind `json:"kind"`
	Times  int       `json:"times,omitempty"`  // 0: without end, but once when Match.Nth is given
	Status int       `json:"status,omitempty"` // of the 5xx kinds: 500, 502, 503 or 504
	Delay  string    `json:"delay,omitempty"`  // of slow, reset_commit_late and create_vanishes, a Go duration by the simulator's clock
	Hits   int       `json:"hits"`             // how often it has struck
	Preset string    `json:"preset,omitempty"` // the preset that armed it
}

// An armedFault is a fault with what its matching needs.
type armedFault struct {
	Fault
	seen int // requests that matched, struck or not

	path, token, purpose *regexp.Regexp
}

func (f Fault) arm() (*armedFault, error) {
	no := func(format string, args ...any) (*armedFault, error) {
		return nil, fault.New(fault.Unprocessable, format, args...)
	}
	m := f.Match
	switch {
	case !slices.Contains(FaultKinds(), f.Kind):
		return no("There is no fault kind %q. There are: %s.", f.Kind, joinKinds(FaultKinds()))
	case !slices.Contains([]string{"", http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}, strings.ToUpper(m.Method)):
		return no("A fault matches the method GET, HEAD, POST, PUT, PATCH or DELETE, not %q.", m.Method)
	case m.Path != "" && m.Path[0] != '/' && m.Path[0] != '*':
		return no("A fault's path is a glob that begins with / or *, such as /v2/droplets/*/actions; not %q.", m.Path)
	case m.Nth < 0:
		return no("A fault's nth counts from 1, so it cannot be %d.", m.Nth)
	case !(m.Probability >= 0 && m.Probability <= 1):
		return no("A fault's probability is from 0 to 1, not %v.", m.Probability)
	case !m.From.IsZero() && !m.To.IsZero() && !m.From.Before(m.To):
		return no("A fault's window must begin before it ends.")
	case f.Times < 0:
		return no("A fault cannot strike %d times.", f.Times)
	case f.Status != 0 && !slices.Contains([]int{500, 502, 503, 504}, f.Status):
		return no("A fault's status is 500, 502, 503 or 504, not %d.", f.Status)
	}
	if f.Delay != "" {
		if d, err := time.ParseDuration(f.Delay); err != nil || d < 0 || d > maxParam {
			return no("A fault's delay is a duration like \"3s\" from 0s to 8760h, not %q.", f.Delay)
		}
	}
	if m.Nth > 0 && f.Times == 0 {
		f.Times = 1
	}
	return &armedFault{Fault: f, path: glob(m.Path), token: glob(m.Token), purpose: glob(m.Purpose)}, nil
}

// says objects to what a fault of its kind does not heed. Only who arms one is told:
// states and recordings of old may hold it.
func (f Fault) says() error {
	switch {
	case f.Status != 0 && f.Kind != ServerErrorBefore && f.Kind != ServerErrorAfter:
		return fault.New(fault.Unprocessable, "A fault of kind %s has no status to choose: leave it away.", f.Kind)
	case f.Delay != "" && f.Kind != Slow && f.Kind != ResetCommitLate && f.Kind != CreateVanishes:
		return fault.New(fault.Unprocessable, "A fault of kind %s has no delay: leave it away.", f.Kind)
	}
	return nil
}

func joinKinds(kinds []FaultKind) string {
	var s []string
	for _, k := range kinds {
		s = append(s, string(k))
	}
	return strings.Join(s, ", ")
}

// glob compiles a pattern in which * stands for anything but / and ** for anything.
func glob(pattern string) *regexp.Regexp {
	if pattern == "" {
		pattern = "**"
	}
	quoted := regexp.QuoteMeta(pattern)
	quoted = strings.ReplaceAll(quoted, `\*\*`, `.*`)
	quoted = strings.ReplaceAll(quoted, `\*`, `[^/]*`)
	return regexp.MustCompile(`(?s)^` + quoted + `$`)
}

func (f *armedFault) matches(c *call) bool {
	if c.r == nil {
		return false // nobody sent it
	}
	m := f.Match
	return (m.Method == "" || strings.EqualFold(m.Method, c.r.Method)) &&
		f.path.MatchString(c.r.URL.Path) && f.token.MatchString(c.bearer) &&
		(m.Purpose == "" || f.purpose.MatchString(c.sim.tokens[c.bearer].Purpose)) &&
		(m.From.IsZero() || !c.at.Before(m.From)) && (m.To.IsZero() || c.at.Before(m.To))
}

// strikes counts a request that matches and decides whether the fault hits it.
func (f *armedFault) strikes(seed uint64) bool {
	f.seen++
	if f.seen < f.Match.Nth || f.Times > 0 && f.Hits >= f.Times {
		return false
	}
	if p := f.Match.Probability; p > 0 && p < 1 {
		chance := hash(seed, "fault", f.ID, strconv.Itoa(f.seen))
		if float64(chance>>11)/(1<<53) >= p {
			return false
		}
	}
	f.Hits++
	return true
}

func (f *armedFault) delay(otherwise time.Duration) time.Duration {
	if d, err := time.ParseDuration(f.Delay); err == nil {
		return d
	}
	return otherwise
}

// bitten returns the first fault of the given kinds that strikes the call now,
// nil when none does. A kind is asked for exactly where it would have effect,
// so that none is spent on a request that it cannot harm.
func (c *call) bitten(kinds ...FaultKind) *armedFault {
	for _, f := range c.sim.faults {
		if slices.Contains(kinds, f.Kind) && f.matches(c) && f.strikes(c.sim.seed) {
			if c.log.Fault == nil {
				kind := string(f.Kind)
				c.log.Fault = &kind
			}
			if f.Times > 0 && c.sim.data != nil {
				c.sim.struck = append(c.sim.struck, faultState{f.Fault, f.seen})
			}
			return f
		}
	}
	return nil
}
