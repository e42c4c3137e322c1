package provisioning

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/provisioning/blueprint"
)

// TestCronCountsEveryTimeOnTheWallOnce walks schedules through both changes of the clocks.
func TestCronCountsEveryTimeOnTheWallOnce(t *testing.T) {
	for _, tt := range []struct {
		name, cron, zone, after string
		want                    []string
	}{
		{"a usual day", "30 3 * * *", "Europe/Berlin", "2026-07-01T00:00:00Z", []string{"2026-07-01T01:30:00Z", "2026-07-02T01:30:00Z"}},
		{"a time that is left out comes when the clocks are put forward", "30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", []string{"2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"}},
		{"a time that comes twice counts once", "30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", []string{"2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"}},
		{"several that are left out come as one", "*/20 2 * * *", "America/New_York", "2026-03-08T05:00:00Z", []string{"2026-03-08T07:00:00Z", "2026-03-09T06:00:00Z"}},
		{"asked in the hour that comes again", "45 1 * * *", "America/New_York", "2026-11-01T06:10:00Z", []string{"2026-11-02T06:45:00Z"}},
		{"once a month", "0 5 1 * *", "Asia/Kolkata", "2026-01-31T23:00:00Z", []string{"2026-01-31T23:30:00Z", "2026-02-28T23:30:00Z"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := parseCron(tt.cron, tt.zone)
			if err != nil {
				t.Fatal(err)
			}
			at, err := time.Parse(time.RFC3339, tt.after)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range tt.want {
				at = p.next(at)
				if got := at.UTC().Format(time.RFC3339); got != want {
					t.Errorf("next = %s, want %s", got, want)
				}
			}
		})
	}
	for _, bad := range [][2]string{{"30 3 * *", "UTC"}, {"30 3 30 2 *", "UTC"}, {"30 3 * * *", "Mars"}, {"30 3 * * *", ""}, {"TZ=Asia/Tokyo 30 3 * * *", "UTC"}, {"CRON_TZ=UTC", "UTC"}, {"TZ=", "UTC"}} {
		if _, err := parseCron(bad[0], bad[1]); err == nil {
			t.Errorf("%q in %q is taken", bad[0], bad[1])
		}
	}
}

// TestADailyScheduleComesOnceADay walks a year in zones that change their clocks: one
// time on each day, in order.
func TestADailyScheduleComesOnceADay(t *testing.T) {
	for _, zone := range []string{"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "UTC"} {
		for _, hour := range []string{"0", "1", "2", "3"} {
			p, err := parseCron("15 "+hour+" * * *", zone)
			if err != nil {
				t.Fatal(err)
			}
			at := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
			days := map[string]bool{}
			for range 365 {
				next := p.next(at)
				day := next.In(p.zone).Format(time.DateOnly)
				if !next.After(at) || days[day] || next.Sub(at) > 27*time.Hour {
					t.Fatalf("%s at %s: after %s comes %s", zone, hour, at, next)
				}
				days[day], at = true, next
			}
		}
	}
}

// TestRetentionKeepsTheNewestOfEachPeriod checks against random histories what a retention
// promises.
func TestRetentionKeepsTheNewestOfEachPeriod(t *testing.T) {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		keep := blueprint.Retention{Daily: random.IntN(5), Weekly: random.IntN(4), Monthly: random.IntN(4), Yearly: random.IntN(3)}
		var taken []time.Time
		at := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
		for range random.IntN(150) {
			at = at.Add(time.Duration(1+random.IntN(200)) * time.Hour)
			taken = append(taken, at)
		}
		keeps := kept(taken, keep, zone)
		if most := keep.Daily + keep.Weekly + keep.Monthly + keep.Yearly; len(keeps) > most {
			t.Fatalf("%+v keeps %d of %d", keep, len(keeps), len(taken))
		}
		if len(taken) > 0 && keep != (blueprint.Retention{}) && len(keeps[taken[len(taken)-1]]) == 0 {
			t.Fatalf("%+v does not keep the newest", keep)
		}
		// As time goes on, what was dropped is not missed: pruning at every step and
		// pruning once come to the same.
		var left []time.Time
		for _, one := range taken {
			left = append(left, one)
			stays := kept(left, keep, zone)
			next := left[:0:0]
			for _, t := range left {
				if len(stays[t]) > 0 {
					next = append(next, t)
				}
			}
			left = next
		}
		if len(left) != len(keeps) {
			t.Fatalf("%+v: pruned at every step %d are left, pruned once %d", keep, len(left), len(keeps))
		}
		for _, one := range left {
			if len(keeps[one]) == 0 {
				t.Fatalf("%+v: %s is left where it is pruned at every step", keep, one)
			}
		}
	}
}

// TestTheLastGoodBackupStays: whatever a retention says, and whatever time is over.
func TestTheLastGoodBackupStays(t *testing.T) {
	at := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	old := func(id BackupID, days int, reason BackupReason, until time.Time) StackBackup {
		return StackBackup{ID: id, Reason: reason, TakenAt: at.AddDate(0, 0, -days), ExpiresAt: until}
	}
	ids := func(all []StackBackup) (text string) {
		for _, b := range all {
			text += string(b.ID) + " "
		}
		return text
	}
	all := []StackBackup{
		old("newest", 1, SafetyBackup, at.AddDate(0, 0, -1)), old("daily", 2, ScheduledBackup, time.Time{}), old("second", 3, ScheduledBackup, time.Time{}),
		old("by hand", 400, ManualBackup, time.Time{}), old("for a time", 400, ManualBackup, at),
	}
	keep := &blueprint.Retention{Daily: 1}
	for _, tt := range []struct {
		name  string
		keep  *blueprint.Retention
		there bool
		want  string
	}{
		{"of a stack that is there", keep, true, "second for a time "},
		{"without a schedule", nil, true, "for a time "},
		{"of a stack that is gone", keep, false, "newest for a time "},
	} {
		if got := ids(expired(all, tt.keep, time.UTC, tt.there, at)); got != tt.want {
			t.Errorf("%s: %q is deleted, want %q", tt.name, got, tt.want)
		}
	}
}

// TestWhatIsShownToStayStays: for a stack in any state a backup is said to be deleted where
// pruning deletes it, and nowhere else.
func TestWhatIsShownToStayStays(t *testing.T) {
	at := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	all := []StackBackup{{ID: "last", Reason: ManualBackup, TakenAt: at.AddDate(0, 0, -9), ExpiresAt: at.AddDate(0, 0, -2)}}
	for state, goes := range map[StackState]bool{StackActive: false, StackSuspended: false, StackGone: true, StackReleased: true} {
		shown, err := Keepings(all, nil, state, at)
		if err != nil {
			t.Fatal(err)
		}
		if pruned := len(expired(all, nil, time.UTC, !state.over(), at)) == 1; shown[0].Over != goes || pruned != goes {
			t.Errorf("of a stack that is %s its last backup, whose time is over, is said to go: %v, and goes: %v; want %v", state, shown[0].Over, pruned, goes)
		}
	}
}

// TestRetentionByTheCalendar has each rule alone keep what it says of a year of daily
// backups at midnight in Berlin: days, weeks from Monday, months and years are the zone's.
func TestRetentionByTheCalendar(t *testing.T) {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	var taken []time.Time
	for day := time.Date(2025, 1, 2, 0, 30, 0, 0, zone); day.Before(time.Date(2026, 3, 6, 0, 0, 0, 0, zone)); day = day.AddDate(0, 0, 1) {
		taken = append(taken, day, day.Add(20*time.Hour)) // the first is of the day before by UTC
	}
	for _, tt := range []struct {
		keep blueprint.Retention
		as   string
		want []string
	}{
		{blueprint.Retention{Daily: 3}, "daily", []string{"2026-03-03 20:30", "2026-03-04 20:30", "2026-03-05 20:30"}},
		{blueprint.Retention{Weekly: 3}, "weekly", []string{"2026-02-22 20:30", "2026-03-01 20:30", "2026-03-05 20:30"}}, // Sundays
		{blueprint.Retention{Monthly: 3}, "monthly", []string{"2026-01-31 20:30", "2026-02-28 20:30", "2026-03-05 20:30"}},
		{blueprint.Retention{Yearly: 3}, "yearly", []string{"2025-12-31 20:30", "2026-03-05 20:30"}},
	} {
		var got []string
		for at, as := range kept(taken, tt.keep, zone) {
			got = append(got, at.In(zone).Format("2006-01-02 15:04"))
			if len(as) != 1 || as[0] != tt.as {
				t.Errorf("%s is kept as %q, want %s", at, as, tt.as)
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s keeps %q, want %q", tt.as, got, tt.want)
		}
	}
}

// TestALostBackupTakesNoGoodOnesPlace: of what is lost neither a retention nor what keeps
// the newest counts, and it stays as long as it would have.
func TestALostBackupTakesNoGoodOnesPlace(t *testing.T) {
	day := func(n int) time.Time { return time.Date(2026, 11, n, 3, 30, 0, 0, time.UTC) }
	lost := []string{"volume.data"}
	keep := &blueprint.Retention{Daily: 2}
	scheduled := []StackBackup{
		{ID: "lost", Reason: ScheduledBackup, TakenAt: day(4), Lost: lost},
		{ID: "second", Reason: ScheduledBackup, TakenAt: day(3)},
		{ID: "first", Reason: ScheduledBackup, TakenAt: day(2)},
		{ID: "old", Reason: ScheduledBackup, TakenAt: day(1)},
	}
	byHand := []StackBackup{
		{ID: "lost", Reason: ManualBackup, TakenAt: day(4), ExpiresAt: day(5), Lost: lost},
		{ID: "good", Reason: ManualBackup, TakenAt: day(3), ExpiresAt: day(4)},
	}
	for _, tt := range []struct {
		all  []StackBackup
		keep *blueprint.Retention
		want BackupID
	}{{scheduled, keep, "old"}, {byHand, nil, "lost"}} {
		over := expired(tt.all, tt.keep, time.UTC, true, day(9))
		if len(over) != 1 || over[0].ID != tt.want {
			t.Errorf("it deletes %+v, want %s alone", over, tt.want)
		}
	}
}
