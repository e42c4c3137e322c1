package cli

import (
	"context"
	"fmt"

	"github.com/arcadia-cloud/arcadia/client"
)

type stackScheduleCommand struct {
	Set  stackScheduleSetCommand  `cmd:"" help:"Have a stack be backed up by itself."`
	Rm   stackScheduleRmCommand   `cmd:"" help:"End that. The backups stay."`
	List stackScheduleListCommand `cmd:"" help:"List schedules, with what became of them."`
}

type stackScheduleSetCommand struct {
	stackRef
	Cron    string `arg:"" help:"When: minute, hour, day of the month, month and day of the week, like '30 3 * * *'."`
	Zone    string `placeholder:"ZONE" help:"Whose clock counts, like Europe/Berlin; without it the stack's."`
	Daily   int    `default:"7" help:"Of how many days a backup is kept."`
	Weekly  int    `default:"4" help:"Of how many weeks."`
	Monthly int    `default:"12" help:"Of how many months."`
	Yearly  int    `default:"0" help:"Of how many years."`
}

// Run sets a stack's schedule.
func (c *stackScheduleSetCommand) Run(ctx context.Context, r *runner) error {
	return r.showSchedules(send(ctx, r, func(cl *client.Client) (client.BackupSchedulePage, error) {
		return cl.SetBackupSchedule(ctx, c.Stack, client.BackupScheduleOrder{
			Cron: c.Cron, Zone: c.Zone, Keep: client.Retention{Daily: c.Daily, Weekly: c.Weekly, Monthly: c.Monthly, Yearly: c.Yearly},
		})
	}))
}

type stackScheduleRmCommand struct{ stackRef }

// Run ends a stack's schedule.
func (c *stackScheduleRmCommand) Run(ctx context.Context, r *runner) error {
	return r.showSchedules(send(ctx, r, func(cl *client.Client) (client.BackupSchedulePage, error) {
		return cl.RemoveBackupSchedule(ctx, c.Stack)
	}))
}

type stackScheduleListCommand struct {
	Stack string `arg:"" optional:"" help:"Only this stack's."`
}

// Run lists schedules.
func (c *stackScheduleListCommand) Run(ctx context.Context, r *runner) error {
	return r.showSchedules(fetch(ctx, r, func(cl *client.Client) (client.BackupSchedulePage, error) { return cl.BackupSchedules(ctx, c.Stack) }))
}

func (r *runner) showSchedules(page client.BackupSchedulePage, err error) error {
	if err != nil {
		return err
	}
	return listing(r, page, page.Items, "There are no schedules. Set one with: arcadia stack schedule set STACK '30 3 * * *'",
		"STACK|WHEN|ZONE|KEEPS|NEXT|LAST|SAGA|TROUBLE", func(s client.BackupSchedule) []string {
			last, became := "never", "-"
			if s.LastAt != nil {
				last = s.LastAt.UTC().Format("2006-01-02 15:04")
			}
			if s.LastSaga != nil {
				became = *s.LastSaga + " " + s.LastState
			}
			next := "-"
			if s.NextAt != nil {
				next = s.NextAt.UTC().Format("2006-01-02 15:04")
			}
			return []string{s.Named, s.Cron, s.Zone, fmt.Sprintf("%dd %dw %dm %dy", s.Keep.Daily, s.Keep.Weekly, s.Keep.Monthly, s.Keep.Yearly), next, last, became, orDash(s.LastError)}
		})
}
