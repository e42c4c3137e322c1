package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/provisioning"
	"github.com/arcadia-cloud/arcadia/internal/provisioning/blueprint"
	"github.com/arcadia-cloud/arcadia/internal/wire"
)

func (a *API) backupRoutes(h huma.API) {
	register(a, h, operation("list-stack-backups", http.MethodGet, "/v1/stacks/{stack}/backups", "List a stack's backups, the newest first"), a.listStackBackups)
	register(a, h, operation("list-stack-drills", http.MethodGet, "/v1/stacks/{stack}/drills", "List the restores of a stack that were tried out, the newest first"), a.listStackDrills)
	register(a, h, operation("list-backup-schedules", http.MethodGet, "/v1/backup-schedules", "List when stacks are backed up by themselves"), a.listBackupSchedules)
	register(a, h, operation("set-backup-schedule", http.MethodPut, "/v1/stacks/{stack}/backup-schedule", "Have a stack be backed up by itself"), a.setBackupSchedule)
	register(a, h, operation("remove-backup-schedule", http.MethodDelete, "/v1/stacks/{stack}/backup-schedule", "End that; the backups stay"), a.removeBackupSchedule)
}

type schedulesAnswer struct{ Body client.BackupSchedulePage }

// schedules are those of one stack, or of all.
func (a *API) schedules(ctx context.Context, of provisioning.StackID) (*schedulesAnswer, error) {
	all, err := a.o.Provisioning.BackupSchedules(ctx, of)
	if err != nil {
		return nil, err
	}
	page := client.BackupSchedulePage{Items: make([]client.BackupSchedule, len(all))}
	for i, one := range all {
		page.Items[i] = wire.BackupSchedule(one)
		if page.Items[i].Named, err = a.stackName(ctx, one.Stack); err != nil {
			return nil, err
		}
		if one.LastSaga == "" {
			continue
		}
		last, err := a.o.Engine.Saga(ctx, one.LastSaga)
		if err != nil {
			return nil, err
		}
		page.Items[i].LastState = string(last.State)
	}
	return &schedulesAnswer{page}, nil
}

// stackName is a stack as people name it, "acme/web".
func (a *API) stackName(ctx context.Context, id provisioning.StackID) (string, error) {
	one, err := a.o.Provisioning.Stack(ctx, string(id))
	if err != nil {
		return "", err
	}
	of, err := a.o.Tenants.Tenant(ctx, string(one.Tenant))
	return of.Slug + "/" + one.Name, err
}

func (a *API) listBackupSchedules(ctx context.Context, in *struct {
	Stack string `query:"stack" doc:"Only this stack's: its id, NAME or TENANT/NAME."`
}) (*schedulesAnswer, error) {
	if in.Stack == "" {
		return a.schedules(ctx, "")
	}
	s, err := a.o.Provisioning.Stack(ctx, in.Stack)
	if err != nil {
		return nil, err
	}
	return a.schedules(ctx, s.ID)
}

func (a *API) setBackupSchedule(ctx context.Context, in *struct {
	StackQuery
	Body client.BackupScheduleOrder
}) (*schedulesAnswer, error) {
	s, err := a.o.Provisioning.Stack(ctx, in.Stack)
	if err != nil {
		return nil, err
	}
	o := in.Body
	if _, err := a.o.Provisioning.SetBackupSchedule(ctx, s, o.Cron, o.Zone, blueprint.Retention(o.Keep), actor(ctx), time.Now()); err != nil {
		return nil, err
	}
	return a.schedules(ctx, s.ID)
}

func (a *API) removeBackupSchedule(ctx context.Context, in *StackQuery) (*schedulesAnswer, error) {
	s, err := a.o.Provisioning.Stack(ctx, in.Stack)
	if err == nil {
		err = a.o.Provisioning.RemoveBackupSchedule(ctx, s, actor(ctx), time.Now())
	}
	if err != nil {
		return nil, err
	}
	return a.schedules(ctx, s.ID)
}

func (a *API) listStackBackups(ctx context.Context, in *struct {
	StackQuery
	All bool `query:"all" doc:"Also those that were deleted."`
}) (*struct{ Body client.StackBackupPage }, error) {
	s, err := a.o.Provisioning.Stack(ctx, in.Stack)
	if err != nil {
		return nil, err
	}
	all, err := a.o.Provisioning.Backups(ctx, s.ID, in.All)
	return &struct{ Body client.StackBackupPage }{wire.StackBackups(all)}, err
}

func (a *API) listStackDrills(ctx context.Context, in *StackQuery) (*struct{ Body client.StackDrillPage }, error) {
	s, err := a.o.Provisioning.Stack(ctx, in.Stack)
	if err != nil {
		return nil, err
	}
	all, err := a.o.Provisioning.Drills(ctx, s.ID)
	return &struct{ Body client.StackDrillPage }{wire.StackDrills(all)}, err
}
