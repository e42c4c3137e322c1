package saga

import (
	"slices"
	"strings"
	"time"
	"unicode"
)

// The types of the events that tell of things outside: APICall records a Call, and
// Adopted what a Do or an Undo found that an earlier entry had made, whose answer was lost.
const (
	APICall = "api_call"
	Adopted = "adopted"
)

// An Adoption is what was found.
type Adoption struct {
	Thing string `json:"thing"` // as a Call names it
}

// Adopt notes that a thing outside is this saga's though no answer to it said so. It is
// written with the commit that ends this entry.
func (a *Attempt) Adopt(thing string) { a.adopted = append(a.adopted, brief(thing, maxCallText)) }

// A Call is one request that a Do or an Undo made to somebody outside, as the
// ledger keeps it for people to read; nothing is ever decided by it. Whoever
// records it sees to it that it holds no secret and no body.
type Call struct {
	Method    string `json:"method"`
	Path      string `json:"path"`                 // without the query
	Status    int    `json:"status"`               // 0: there was no answer
	RequestID string `json:"request_id,omitempty"` // the answer's, for the other side's support
	TookMS    int64  `json:"took_ms"`              // milliseconds
	Attempt   int    `json:"attempt"`              // which sending of one request, from 1
	Code      string `json:"code,omitempty"`       // what sort of failure it was; empty: none
	Error     string `json:"error,omitempty"`      // in words
	Unsent    bool   `json:"unsent,omitempty"`     // nothing left this process

	// Things are what it made, or is about beside what its path names; at most a hundred.
	Things []string `json:"things,omitempty"`

	at time.Time // when it began, by the database's clock
}

// What the calls of one entry may take of the ledger.
const (
	maxCalls    = 50
	maxThings   = 100
	maxCallText = 300 // bytes of each text
)

// Record notes a call that has just ended. It is written with the commit that
// ends this entry, and never where the entry has no such commit: the owner died
// or lost its lease. Of more than fifty in one entry the further ones are only
// counted. It is safe for concurrent use.
func (a *Attempt) Record(c Call) {
	for _, text := range []*string{&c.Method, &c.Path, &c.RequestID, &c.Code, &c.Error} {
		*text = brief(*text, maxCallText)
	}
	c.Things = slices.Clone(c.Things[:min(len(c.Things), maxThings)])
	for i, thing := range c.Things {
		c.Things[i] = brief(thing, maxCallText)
	}
	c.at = a.Now().Add(-time.Duration(c.TookMS) * time.Millisecond)
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.calls) < maxCalls {
		a.calls = append(a.calls, c)
	} else {
		a.moreCalls++
	}
}

// recorded are the calls of an entry that has ended, and how many more there were.
func (a *Attempt) recorded() (calls []Call, more int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.calls[:len(a.calls):len(a.calls)], a.moreCalls
}

// called writes down the calls of the entry that ends, and what it found.
func (c *change) called(step string, calls []Call, more int, adopted []string) {
	for _, call := range calls {
		c.event(APICall, step, call)
		c.events[len(c.events)-1].At = call.at
	}
	if more > 0 {
		c.event("api_calls_omitted", step, map[string]any{"calls": more})
	}
	for _, thing := range adopted {
		c.event(Adopted, step, Adoption{thing})
	}
}

// brief is a text on one line and of at most so many bytes.
func brief(text string, most int) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most-len("…")], "") + "…"
}
