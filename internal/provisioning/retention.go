package provisioning

import (
	"slices"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/period"
	"github.com/arcadia-cloud/arcadia/internal/provisioning/blueprint"
)

// kept says which of these times a retention keeps, newest first or in any other order:
// of the last days, weeks (ISO, from Monday), months and years that have one, as many as
// it says, the newest of each. Days begin at midnight in the zone. A time that two of them
// keep counts for both.
func kept(taken []time.Time, keep blueprint.Retention, zone *time.Location) map[time.Time]bool {
	newest := slices.Clone(taken)
	slices.SortFunc(newest, func(a, b time.Time) int { return b.Compare(a) })
	all := map[time.Time]bool{}
	for _, one := range []struct {
		most int
		of   func(time.Time) [2]int
	}{
		{keep.Daily, func(t time.Time) [2]int { return [2]int{t.Year(), t.YearDay()} }},
		{keep.Weekly, func(t time.Time) [2]int { year, week := t.ISOWeek(); return [2]int{year, week} }},
		{keep.Monthly, func(t time.Time) [2]int { return [2]int{t.Year(), int(t.Month())} }},
		{keep.Yearly, func(t time.Time) [2]int { return [2]int{t.Year(), 0} }},
	} {
		seen := map[[2]int]bool{}
		for _, t := range newest {
			if period := one.of(t.In(zone)); !seen[period] && len(seen) < one.most {
				seen[period], all[t] = true, true
			}
		}
	}
	return all
}

// expired are the backups of one stack that are to be deleted at a time: scheduled ones
// that the retention does not keep, and others whose time is over. The newest is never
// among them while there is a stack that may need it. A stack without a retention keeps
// its scheduled ones.
func expired(all []StackBackup, keep *blueprint.Retention, zone *time.Location, there bool, at time.Time) (over []StackBackup) {
	var scheduled []time.Time
	newest := time.Time{}
	for _, b := range all {
		newest = period.Later(newest, b.TakenAt)
		if b.Reason == ScheduledBackup {
			scheduled = append(scheduled, b.TakenAt)
		}
	}
	var keeps map[time.Time]bool
	if keep != nil {
		keeps = kept(scheduled, *keep, zone)
	}
	for _, b := range all {
		gone := !b.ExpiresAt.IsZero() && !at.Before(b.ExpiresAt)
		if b.Reason == ScheduledBackup && keep != nil && there {
			gone = !keeps[b.TakenAt]
		}
		if gone && !(there && b.TakenAt.Equal(newest)) {
			over = append(over, b)
		}
	}
	return over
}
