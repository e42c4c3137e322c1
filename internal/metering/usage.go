package metering

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

const (
	// MaxBatch is how many events may come together.
	MaxBatch = 10_000
	// MaxAhead is how far a producer's clock may be before ours. A bill would take
	// what is further ahead for the usage of another day.
	MaxAhead = 5 * time.Minute
	// OldestUsage is how old an event may be where nobody says otherwise: older than any
	// bill that is looked at, it is a producer's wrong clock or a backlog of another system.
	OldestUsage = 400 * 24 * time.Hour
	// LateAfter is how old an event may be before it is called late: by then its
	// month may be billed, and the usage lands in the open one.
	LateAfter = 48 * time.Hour
)

// A Status says what became of an event.
type Status string

// The statuses.
const (
	Accepted  Status = "accepted"
	Duplicate Status = "duplicate" // it was accepted before, with the same content
	Refused   Status = "rejected"
)

// A Reason says why an event was rejected, for programs.
type Reason string

// The reasons.
const (
	Malformed     Reason = "malformed"
	TooFarAhead   Reason = "too_far_ahead"
	TooOld        Reason = "too_old"
	UnknownTenant Reason = "unknown_tenant"
	WrongTenant   Reason = "wrong_tenant" // the batch is another tenant's
	ClosedTenant  Reason = "closed_tenant"
	Conflicting   Reason = "conflict"      // it was accepted before, with another content
	UnknownEvent  Reason = "unknown_event" // that it corrects
	CorrectedOnce Reason = "already_corrected"
)

// A Result is what became of one event.
type Result struct {
	Status Status
	Reason Reason // of a rejection
	Detail string // of a rejection: a sentence for a person
	Late   bool   // it was accepted and happened longer than LateAfter ago
}

func refused(r Reason, format string, args ...any) Result {
	return Result{Status: Refused, Reason: r, Detail: fmt.Sprintf(format, args...)}
}

// A key names an event among all tenants'. It is not joined: ("a-b", "c") is
// another one than ("a", "b-c").
type key struct {
	tenant     tenant.ID
	source, id string
}

func (k key) compare(o key) int {
	return cmp.Or(cmp.Compare(k.tenant, o.tenant), cmp.Compare(k.source, o.source), cmp.Compare(k.id, o.id))
}

// An entry is an event that is to be recorded.
type entry struct {
	key
	*Told
	hash     string
	position int // in the batch
}

// sum is of what two tellings of one event must agree on. Each part is told with
// its length, so that no two events have the same parts.
func (e *entry) sum() string {
	buffer := binary.BigEndian.AppendUint64(make([]byte, 0, 512), uint64(db.Micros(e.At)))
	for _, part := range [...]string{string(e.tenant), e.source, e.id, e.Type, e.Replaces, e.Voids, e.text} {
		buffer = binary.AppendUvarint(buffer, uint64(len(part)))
		buffer = append(buffer, part...)
	}
	digest := sha256.Sum256(buffer)
	return hex.EncodeToString(digest[:16])
}

// corrects is the id of the event that this one corrects, empty for none.
func (e *entry) corrects() string { return cmp.Or(e.Replaces, e.Voids) }

// Push records events, all that can be in one transaction, and answers for each
// what became of it, in their order. It may be repeated: what was accepted is a
// duplicate then. only, an id or slug, is whose all events must be; where it is not
// empty an event need not say so. at is when the events became known.
//
// Errors: Invalid for no or too many events, NotFound where only names no tenant.
func (s *Service) Push(ctx context.Context, told []Told, only string, at time.Time) ([]Result, error) {
	if len(told) == 0 || len(told) > MaxBatch {
		return nil, fault.New(fault.Invalid, "A batch holds 1 to %d events, not %d.", MaxBatch, len(told))
	}
	at = at.UTC().Truncate(time.Microsecond)
	tenants, err := s.subjects(ctx, told, only)
	if err != nil {
		return nil, err
	}
	results := make([]Result, len(told))
	entries := make([]*entry, 0, len(told))
	first := make(map[key]*entry, len(told))
	var again []*entry // told before in the same batch
	for i := range told {
		e, refusal := judge(&told[i], tenants, only, at, s.Oldest)
		if refusal != nil {
			results[i] = *refusal
			continue
		}
		e.position, e.hash = i, e.sum()
		if first[e.key] != nil {
			again = append(again, e)
			continue
		}
		first[e.key] = e
		entries = append(entries, e)
	}
	// Batches that share events lock them in the same order.
	slices.SortFunc(entries, func(a, b *entry) int { return a.compare(b.key) })
	conflicts, err := s.record(ctx, entries, again, results, at)
	if err != nil {
		return nil, err
	}
	return results, s.keepConflicts(ctx, conflicts, at)
}

// subjects are the tenants that the events name, by what they name them.
func (s *Service) subjects(ctx context.Context, told []Told, only string) (map[string]tenant.Tenant, error) {
	refs := make([]string, 0, 1)
	if only != "" {
		t, err := s.tenants.Tenant(ctx, only)
		if err != nil {
			return nil, err
		}
		refs = append(refs, string(t.ID))
	}
	seen := make(map[string]bool)
	for i := range told {
		if ref := told[i].Subject; ref != "" && told[i].Err == nil && !seen[ref] {
			seen[ref] = true
			refs = append(refs, ref)
		}
	}
	tenants, err := s.tenants.Named(ctx, refs)
	if err == nil && only != "" {
		tenants[only] = tenants[refs[0]]
	}
	return tenants, err
}

// judge is what an event is to be recorded as, or why it is not.
func judge(e *Told, tenants map[string]tenant.Tenant, only string, at time.Time, oldest time.Duration) (*entry, *Result) {
	refuse := func(r Reason, format string, args ...any) (*entry, *Result) {
		result := refused(r, format, args...)
		return nil, &result
	}
	if e.Err != nil {
		return refuse(Malformed, "%v", e.Err)
	}
	t, known := tenants[cmp.Or(e.Subject, only)]
	switch {
	case e.Subject == "" && only == "":
		return refuse(Malformed, "subject: it is missing; it names the tenant by slug or id")
	case !known:
		return refuse(UnknownTenant, "subject: there is no tenant %.80q", e.Subject)
	case only != "" && t.ID != tenants[only].ID:
		return refuse(WrongTenant, "subject: the event is of %.80q, and the batch of %.80q", e.Subject, only)
	case e.At.After(at.Add(MaxAhead)):
		return refuse(TooFarAhead, "time: %s is more than %d minutes ahead of the server's clock; set the producer's clock right",
			e.At.Format(time.RFC3339Nano), MaxAhead/time.Minute)
	case e.At.Before(at.Add(-oldest)):
		return refuse(TooOld, "time: %s is more than %d days ago, and usage is taken for so long; set the producer's clock right, or ARCADIA_USAGE_WINDOW for a backlog",
			e.At.Format(time.RFC3339Nano), oldest/(24*time.Hour))
	case t.State == tenant.Closed && e.At.After(t.ChangedAt):
		return refuse(ClosedTenant, "subject: tenant %s was closed before the event happened", t.Slug)
	}
	return &entry{key: key{t.ID, e.Source, e.ID}, Told: e}, nil
}

// record writes entries, sorted by their keys, and notes what became of each and of
// those that tell the same events again. It returns those that contradict what
// counts.
func (s *Service) record(ctx context.Context, entries, again []*entry, results []Result, at time.Time) (conflicts []*entry, err error) {
	var (
		kept  map[key]string // the hashes of what was there
		wrong map[key]Result // what corrects what it cannot
	)
	for attempt := 1; ; attempt++ {
		// What is there is there for good: events are never changed.
		if kept, err = s.hashes(ctx, entries); err != nil {
			return nil, err
		}
		wrong, err = s.insert(ctx, entries, kept, at)
		if err == nil {
			break
		}
		// Another batch told of one of them meanwhile: it is found now.
		if !db.IsUnique(err) || attempt == mostAttempts {
			return nil, err
		}
	}
	counts := make(map[key]string, len(entries)) // the hash of what counts
	var there []*entry
	for _, e := range entries {
		hash, was := kept[e.key]
		switch refusal, ok := wrong[e.key]; {
		case ok:
			results[e.position] = refusal
		case was:
			counts[e.key] = hash
			there = append(there, e)
		default:
			counts[e.key] = e.hash
			results[e.position] = Result{Status: Accepted, Late: e.At.Before(at.Add(-LateAfter))}
		}
	}
	for _, e := range append(there, again...) {
		refusal, ok := wrong[e.key]
		switch {
		case ok:
			results[e.position] = refusal
		case counts[e.key] == e.hash:
			results[e.position] = Result{Status: Duplicate}
		default:
			results[e.position] = refused(Conflicting, "id: event %s of source %s was accepted before with another content, which counts; "+
				"to correct it send an event with an id of its own that replaces it", e.ID, e.Source)
			conflicts = append(conflicts, e)
		}
	}
	return conflicts, nil
}

// mostAttempts bounds how often a batch is tried whose events others tell of at the same
// time: each attempt finds at least one more of them.
const mostAttempts = 100

func keysOf(entries []*entry) []key {
	keys := make([]key, len(entries))
	for i, e := range entries {
		keys[i] = e.key
	}
	return keys
}
