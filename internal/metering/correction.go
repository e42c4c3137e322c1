package metering

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
)

// A correction says that an event no longer counts. The event that says so counts
// in its place, or nothing does.
type correction struct {
	by     *entry
	target key
	kind   string    // the type of the event that no longer counts
	at     time.Time // and when it happened
}

// checkCorrections finds what those of the entries that correct others correct, and
// what is wrong with the rest of them, by their keys. An event can be corrected
// once; after that its correction is what can be corrected.
func checkCorrections(ctx context.Context, q db.Queryer, entries []*entry) (corrections []correction, wrong map[key]Result, err error) {
	var correcting []*entry
	for _, e := range entries {
		if e.corrects() != "" {
			correcting = append(correcting, e)
		}
	}
	if len(correcting) == 0 {
		return nil, nil, nil
	}
	// In the order in which they were told: a batch may correct what it corrected.
	slices.SortFunc(correcting, func(a, b *entry) int { return cmp.Compare(a.position, b.position) })
	together := make(map[key]*entry, len(entries))
	for _, e := range entries {
		together[e.key] = e
	}
	targets := make([]key, len(correcting))
	for i, e := range correcting {
		targets[i] = key{e.tenant, e.source, e.corrects()}
	}
	kept, err := keptEvents(ctx, q, append(keysOf(correcting), targets...))
	if err != nil {
		return nil, nil, err
	}
	corrected, err := correctedEvents(ctx, q, targets)
	if err != nil {
		return nil, nil, err
	}
	wrong = make(map[key]Result)
	judged := make(map[key]bool)
	for i, e := range correcting {
		target, there := kept[targets[i]]
		if own := together[targets[i]]; !there && own != nil && (own.corrects() == "" || judged[own.key]) {
			target, there = keptEvent{kind: own.Type, at: own.At, counts: own.Voids == ""}, true
		}
		by, done := corrected[targets[i]]
		switch _, told := kept[e.key]; {
		case told: // a duplicate, or a conflict
			continue
		case !there:
			wrong[e.key] = refused(UnknownEvent, "source %s has told of no event %.80q that could be corrected; send that one first", e.source, e.corrects())
			continue
		case done:
			wrong[e.key] = refused(CorrectedOnce, "event %.80q was corrected already, by %.80q; correct that one", e.corrects(), by)
			continue
		case !target.counts:
			wrong[e.key] = refused(UnknownEvent, "event %.80q only voids another and cannot be corrected; send the other anew, with an id of its own", e.corrects())
			continue
		}
		judged[e.key], corrected[targets[i]] = true, e.id
		corrections = append(corrections, correction{e, targets[i], target.kind, target.at})
	}
	return corrections, wrong, nil
}
