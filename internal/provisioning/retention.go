package provisioning

import (
	"slices"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/period"
	"github.com/arcadia-cloud/arcadia/internal/provisioning/blueprint"
)

// kept says which of these times a retention keeps, newest first or in any other order,
// and as what: of the last days, weeks (ISO, from Monday), months and years that have one,
// as many as it says, the newest of each. Days begin at midnight in the zone. A time that
// two of them keep counts for both.
func kept(taken []time.Time, keep blueprint.Retention, zone *time.Location) map[time.Time][]string {
	newest := slices.Clone(taken)
	slices.SortFunc(newest, func(a, b time.Time) int { return b.Compare(a) })
	all := map[time.Time][]string{}
	for _, one := range []struct {
		as   string
		most int
		of   func(time.Time) [2]int
	}{
		{"daily", keep.Daily, func(t time.Time) [2]int { return [2]int{t.Year(), t.YearDay()} }},
		{"weekly", keep.Weekly, func(t time.Time) [2]int { year, week := t.ISOWeek(); return [2]int{year, week} }},
		{"monthly", keep.Monthly, func(t time.Time) [2]int { return [2]int{t.Year(), int(t.Month())} }},
		{"yearly", keep.Yearly, func(t time.Time) [2]int { return [2]int{t.Year(), 0} }},
	} {
		seen := map[[2]int]bool{}
		for _, t := range newest {
			if period := one.of(t.In(zone)); !seen[period] && len(seen) < one.most {
				seen[period], all[t] = true, append(all[t], one.as)
			}
		}
	}
	return all
}

// A Keeping is why a backup is there.
type Keeping struct {
	Rules  []string  // of its schedule's retention, by which it stays: daily, weekly, monthly, yearly
	Until  time.Time // zero: no time is set
	Newest bool      // its time is over, but it is the newest of a stack that may need it
	Over   bool      // it is deleted with the next pruning
}

// keepings say of each of one stack's backups why it is there at a time. Scheduled ones
// go where the retention does not keep them, others when their time is over. The newest
// stays while there is a stack that may need it. A stack without a retention keeps its
// scheduled ones. One of which something is lost is the newest of nothing, takes no good
// one's place in a retention, and stays as long as it would have: what is left of it may
// be all that somebody has.
func keepings(all []StackBackup, keep *blueprint.Retention, zone *time.Location, there bool, at time.Time) []Keeping {
	var scheduled, good []time.Time
	newest := time.Time{}
	for _, b := range all {
		whole := len(b.Lost) == 0
		if whole {
			newest = period.Later(newest, b.TakenAt)
		}
		if b.Reason == ScheduledBackup {
			if scheduled = append(scheduled, b.TakenAt); whole {
				good = append(good, b.TakenAt)
			}
		}
	}
	var rules, withLost map[time.Time][]string
	if keep != nil {
		rules, withLost = kept(good, *keep, zone), kept(scheduled, *keep, zone)
	}
	keeps := make([]Keeping, len(all))
	for i, b := range all {
		k := Keeping{Until: b.ExpiresAt}
		gone := !b.ExpiresAt.IsZero() && !at.Before(b.ExpiresAt)
		if b.Reason == ScheduledBackup && keep != nil && there {
			if k.Rules = rules[b.TakenAt]; len(b.Lost) > 0 {
				k.Rules = withLost[b.TakenAt]
			}
			gone = len(k.Rules) == 0
		}
		k.Newest = gone && there && len(b.Lost) == 0 && b.TakenAt.Equal(newest)
		k.Over = gone && !k.Newest
		keeps[i] = k
	}
	return keeps
}

// expired are the backups of one stack that are to be deleted at a time.
func expired(all []StackBackup, keep *blueprint.Retention, zone *time.Location, there bool, at time.Time) (over []StackBackup) {
	for i, k := range keepings(all, keep, zone, there, at) {
		if k.Over {
			over = append(over, all[i])
		}
	}
	return over
}

// Keepings say of each backup why it is there at a time. all are backups of one stack in a
// state, and by is the stack's schedule, nil for none.
func Keepings(all []StackBackup, by *BackupSchedule, state StackState, at time.Time) ([]Keeping, error) {
	keep, zone, err := by.retention()
	if err != nil {
		return nil, err
	}
	return keepings(all, keep, zone, !state.over(), at), nil
}

// retention is what a schedule keeps, nil for no schedule, and whose days count.
func (b *BackupSchedule) retention() (*blueprint.Retention, *time.Location, error) {
	if b == nil {
		return nil, time.UTC, nil
	}
	plan, err := parseCron(b.Cron, b.Zone)
	return &b.Keep, plan.zone, err
}
