package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/wire"
)

func (a *API) backupRoutes(h huma.API) {
	register(a, h, operation("list-stack-backups", http.MethodGet, "/v1/stacks/{stack}/backups", "List a stack's backups, the newest first"), a.listStackBackups)
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
