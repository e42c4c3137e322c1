package app

import (
	"context"
	"errors"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/billing"
	"github.com/arcadia-cloud/arcadia/internal/jobs"
)

const (
	sweepEvery  = time.Minute      // looks for sweeps that are due
	syncEvery   = time.Minute      // looks for kinds that are due to be listed
	followEvery = time.Minute      // brings the lifetimes of resources up to date
	rollEvery   = time.Minute      // rolls usage up by hours
	billEvery   = time.Hour        // issues and drafts invoices
	backupEvery = time.Minute      // looks for backups that are due
	forgetEvery = 24 * time.Hour   // removes old versions, and requests that were answered
	jobsEnd     = 10 * time.Second // for running jobs, once the process is to stop
)

// sweepArgs is the job that sweeps after sagas with lost answers.
type sweepArgs struct{}

// Kind is the job's name, for good.
func (sweepArgs) Kind() string { return "saga_sweep" }

// syncArgs is the job that asks for the syncs that are due.
type syncArgs struct{}

// Kind is the job's name, for good.
func (syncArgs) Kind() string { return "inventory_schedule" }

// followArgs is the job that follows the inventory's feed for the lifetimes of resources.
type followArgs struct{}

// Kind is the job's name, for good.
func (followArgs) Kind() string { return "metering_follow" }

// rollArgs is the job that rolls usage up by hours.
type rollArgs struct{}

// Kind is the job's name, for good.
func (rollArgs) Kind() string { return "metering_roll" }

// billArgs is the job that issues and drafts invoices.
type billArgs struct{}

// Kind is the job's name, for good.
func (billArgs) Kind() string { return "billing_run" }

// backupArgs is the job that begins the backups of stacks that are due.
type backupArgs struct{}

// Kind is the job's name, for good.
func (backupArgs) Kind() string { return "stack_schedules" }

// forgetArgs is the job that removes what need not be known any more.
type forgetArgs struct{}

// Kind is the job's name, for good.
func (forgetArgs) Kind() string { return "inventory_forget" }

// buildSchedules says what is done on the clock.
func (a *App) buildSchedules(context.Context) (err error) {
	if a.jobs, err = jobs.New(a.db, jobs.Options{Logger: a.log}); err != nil {
		return err
	}
	jobs.Handle(a.jobs, func(ctx context.Context, _ *jobs.Job[sweepArgs]) error { return a.provisioning.Sweep(ctx) })
	jobs.Handle(a.jobs, func(ctx context.Context, _ *jobs.Job[syncArgs]) error {
		return errors.Join(a.inventory.Schedule(ctx), a.provisioning.ListStale(ctx, time.Now()))
	})
	jobs.Handle(a.jobs, func(ctx context.Context, _ *jobs.Job[followArgs]) error {
		_, err := a.metering.Follow(ctx)
		return err
	})
	jobs.Handle(a.jobs, func(ctx context.Context, _ *jobs.Job[rollArgs]) error {
		_, err := a.metering.Roll(ctx)
		return err
	})
	jobs.Handle(a.jobs, func(ctx context.Context, _ *jobs.Job[billArgs]) error {
		if a.isFilling() {
			return nil
		}
		_, err := a.bills.BillDue(ctx, billing.DueOrder{DraftOnly: a.config.Billing == draftOnly, By: "schedule"}, time.Now())
		return err
	})
	jobs.Handle(a.jobs, func(ctx context.Context, _ *jobs.Job[backupArgs]) error {
		return a.provisioning.RunSchedules(ctx, time.Now())
	})
	jobs.Handle(a.jobs, func(ctx context.Context, _ *jobs.Job[forgetArgs]) error {
		_, _, err := a.inventory.Forget(ctx, time.Now().Add(-a.config.Retention))
		_, requests := a.bills.ForgetRequests(ctx, time.Now())
		return errors.Join(err, requests)
	})
	return errors.Join(a.jobs.Every(sweepEvery, sweepArgs{}), a.jobs.Every(syncEvery, syncArgs{}), a.jobs.Every(followEvery, followArgs{}),
		a.jobs.Every(rollEvery, rollArgs{}), a.jobs.Every(billEvery, billArgs{}), a.jobs.Every(backupEvery, backupArgs{}),
		a.jobs.Every(forgetEvery, forgetArgs{}))
}

// schedules does what is due on the clock until ctx is done.
func (a *App) schedules(ctx context.Context) error {
	if err := a.jobs.Start(ctx); err != nil {
		return err
	}
	<-ctx.Done()
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), jobsEnd)
	defer cancel()
	return a.jobs.Stop(ending)
}

// sweepOnce does what is due now, for a process that does not last.
func (a *App) sweepOnce(ctx context.Context) error {
	if err := a.provisioning.Sweep(ctx); err != nil && ctx.Err() == nil {
		a.log.WarnContext(ctx, "sweep", "err", err) // the next process tries again
	}
	return nil
}
