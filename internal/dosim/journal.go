package dosim

import (
	"cmp"
	"slices"
	"time"
)

// A Request is one entry of the journal of requests.
type Request struct {
	Seq       int64     `json:"seq"` // from 1
	At        time.Time `json:"at"`
	Method    string    `json:"method"`
	Path      string    `json:"path"`
	Query     string    `json:"query,omitempty"`
	Status    int       `json:"status"`     // 0: no answer, yet or ever
	Committed bool      `json:"committed"`  // it changed something
	Fault     *string   `json:"fault"`      // the kind of the fault that struck it, or null
	RequestID string    `json:"request_id"` // the answer's x-request-id
}

// journalSize is how many requests are remembered at least.
const journalSize = 10_000

// A journal remembers the newest requests, in order.
type journal struct {
	entries      []*Request
	seq          int64
	unknownPaths int
}

func (j *journal) begin(r Request) *Request {
	if len(j.entries) >= 2*journalSize {
		j.entries = append([]*Request(nil), j.entries[len(j.entries)-journalSize:]...)
	}
	j.seq++
	r.Seq = j.seq
	j.entries = append(j.entries, &r)
	return &r
}

// remember puts the journal of a cloud that this one has become in the place of its own,
// and refuses the tokens that that one refuses.
func (s *Sim) remember(other *Sim) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.journal.entries, s.knownTokensOnly = other.journal.entries, other.knownTokensOnly
}

// Requests returns the requests whose seq is above after, oldest first: at most
// some ten thousand of the newest are kept. A request is entered when it comes
// in, and its status when it has been answered.
func (s *Sim) Requests(after int64) []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now()
	requests := []Request{}
	i, _ := slices.BinarySearchFunc(s.journal.entries, after, func(r *Request, after int64) int {
		return cmp.Compare(r.Seq, after+1)
	})
	for _, r := range s.journal.entries[i:] {
		requests = append(requests, *r)
	}
	return requests
}

// UnknownPaths returns how many requests asked for an operation that is not
// simulated. Each was answered 404.
func (s *Sim) UnknownPaths() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.journal.unknownPaths
}
