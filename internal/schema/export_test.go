package schema

import (
	"context"
	"io/fs"

	"github.com/arcadia-cloud/arcadia/internal/db"
)

// MigrateFrom is Migrate with the migrations of dir.
func MigrateFrom(ctx context.Context, d *db.DB, dir fs.FS) (applied int, err error) {
	history, err := load(dir)
	if err != nil {
		return 0, err
	}
	return migrate(ctx, d, history)
}
