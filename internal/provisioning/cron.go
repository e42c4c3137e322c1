package provisioning

import (
	"time"

	"github.com/robfig/cron/v3"

	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/provisioning/blueprint"
)

// A cronPlan is a schedule in five fields of cron, by the clock on a wall.
type cronPlan struct {
	wall cron.Schedule
	zone *time.Location
}

// parseCron reads a schedule and a zone. It answers fault.Invalid.
func parseCron(text, zone string) (p cronPlan, err error) {
	if p.zone, err = time.LoadLocation(zone); err != nil || zone == "" || zone == "Local" {
		return p, fault.New(fault.Invalid, "There is no time zone %q. They are named like Europe/Berlin.", clip(zone))
	}
	p.wall, err = blueprint.ParseCron(text)
	if err != nil || len(text) > 100 {
		return p, fault.New(fault.Invalid, "%q is no schedule. Five fields of cron are minute, hour, day of the month, month and day of the week, like 30 3 * * *.", clip(text))
	}
	if p.next(time.Now()).IsZero() {
		return p, fault.New(fault.Invalid, "The schedule %q never comes.", clip(text))
	}
	return p, nil
}

// next is the first time after one. Every time on the wall counts once: where clocks are
// put back, at its first coming; where they are put forward, a time that is left out
// comes at the moment when they are. The library reads the wall alone, in UTC, for it
// would lose the one and repeat the other. Zero: it never comes.
func (p cronPlan) next(after time.Time) time.Time {
	local := after.In(p.zone)
	wall := time.Date(local.Year(), local.Month(), local.Day(), local.Hour(), local.Minute(), local.Second(), 0, time.UTC)
	// What was left out on the wall a moment ago comes now, at an instant that is not
	// after: looking begins before it.
	for wall = p.wall.Next(wall.Add(-3 * time.Hour)); !wall.IsZero(); wall = p.wall.Next(wall) {
		if at := instantOf(wall, p.zone); at.After(after) {
			return at
		}
	}
	return time.Time{}
}

// instantOf is when a clock on the wall of a zone first shows a time, or a later one.
func instantOf(wall time.Time, zone *time.Location) time.Time {
	at := time.Date(wall.Year(), wall.Month(), wall.Day(), wall.Hour(), wall.Minute(), wall.Second(), 0, zone)
	shows := func(at time.Time) time.Time {
		_, offset := at.In(zone).Zone()
		return at.UTC().Add(time.Duration(offset) * time.Second)
	}
	begin, end := at.ZoneBounds()
	switch is := shows(at); {
	case is.After(wall): // it is left out, and at is behind the gap
		return begin
	case is.Before(wall): // and at is before it
		return end
	}
	if begin.IsZero() {
		return at
	}
	_, before := begin.Add(-time.Second).In(zone).Zone()
	if first := wall.Add(-time.Duration(before) * time.Second); first.Before(begin) && shows(first).Equal(wall) {
		return first.In(zone)
	}
	return at
}
