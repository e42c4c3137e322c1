package provisioning

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// ProtectedBy answers fault.Conflict where one of the subjects, those of what has the
// name, is protected. The steps ask it too, which know no service.
func ProtectedBy(ctx context.Context, q db.Queryer, name string, subjects []string) error {
	found, err := protections(ctx, q, subjects...)
	if err != nil || len(found) == 0 {
		return err
	}
	subject := found[0].Subject
	end := "arcadia stack unprotect " + strings.TrimPrefix(subject, "stack:")
	switch of, tenant := strings.CutPrefix(subject, "tenant:"); {
	case tenant:
		end = "arcadia tenant unprotect " + of
	case strings.HasPrefix(subject, "do:"):
		end = "arcadia cleanup unkeep " + subject
	}
	return fault.New(fault.Conflict, "%s is protected (%s, by %s: %s). To end that: %s", name, subject, found[0].Actor, strings.TrimSuffix(found[0].Reason, "."), end)
}

// targetProtected answers fault.Conflict where what a request would destroy is protected:
// itself, or as what a stack has that is, or whose tenant is. What a suspension adds to a
// stack does not count, for it goes as the stack is resumed.
func targetProtected(ctx context.Context, q db.Queryer, target string) error {
	if of, ok := strings.CutPrefix(target, "do:domain_record:"); ok { // its domain is in the path, and not in its URN
		target = "do:domain_record:" + of[strings.LastIndex(of, "/")+1:]
	}
	subjects := []string{target}
	owners, err := db.All(ctx, q, func(rows *sql.Rows) (of [2]string, err error) {
		return of, rows.Scan(&of[0], &of[1])
	}, `SELECT s.id, s.tenant_id FROM stack_resources r JOIN stacks s ON s.id = r.stack_id WHERE r.urn = $1 AND r.kind NOT IN ('snapshot', 'tag') AND r.key <> $2`,
		target, quarantineID)
	if err != nil {
		return err
	}
	for _, of := range owners {
		subjects = append(subjects, "stack:"+of[0], "tenant:"+of[1])
	}
	return ProtectedBy(ctx, q, target, subjects)
}

// unprotected answers an error that no retry cures where one of the subjects is
// protected: asked before a saga prepares to destroy something.
func (p *Steps) unprotected(ctx context.Context, subjects []string) error {
	if p.set.Protected == nil {
		return nil
	}
	return saga.Permanent(p.set.Protected(ctx, subjects))
}

// stillUnprotected has a pivot not happen where one of the subjects was protected since
// the saga began. It is asked in the pivot's transaction: what is protected later is the
// write guard's to find.
func stillUnprotected(ctx context.Context, q db.Queryer, s *Building, subjects []string) error {
	err := ProtectedBy(ctx, q, s.Name, subjects)
	if errors.Is(err, fault.Conflict) {
		return saga.NotDone(err)
	}
	return err
}
