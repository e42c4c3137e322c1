package provisioning

import (
	"context"
	"database/sql"
	"errors"
	"regexp"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/fault"
)

// Keep has a thing never be deleted by a clean-up, nor destroyed with a stack, and ends
// its mark. It answers fault.Invalid without a reason or for what is no URN,
// fault.NotFound for what there is not, and fault.Conflict where it is being deleted.
func (s *Service) Keep(ctx context.Context, urn, reason, actor string, at time.Time) error {
	if err := keepable(urn); err != nil {
		return err
	}
	if reason = strings.TrimSpace(reason); reason == "" || len(reason) > 500 {
		return fault.New(fault.Invalid, "Say why it is kept, in at most 500 bytes.")
	}
	if err := s.isThere(ctx, urn); err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx *sql.Tx) error {
		if err := unmark(ctx, tx, urn, actor+" has it kept: "+reason, at); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO protections (subject, reason, actor, at) VALUES ($1, $2, $3, $4) ON CONFLICT (subject) DO NOTHING`,
			urn, reason, actor, db.Micros(at))
		return err
	})
}

// Unkeep ends that. It answers fault.Invalid for what is no URN, and fault.NotFound where
// the thing is not kept.
func (s *Service) Unkeep(ctx context.Context, urn string) error {
	if err := keepable(urn); err != nil {
		return err
	}
	return s.Unprotect(ctx, urn)
}

// keepable answers fault.Invalid for what is no resource's URN: stacks and tenants are
// protected by other verbs.
func keepable(urn string) error {
	kind, rest, _ := strings.Cut(strings.TrimPrefix(urn, "do:"), ":")
	if strings.HasPrefix(urn, "do:") && kind != "" && rest != "" && len(urn) <= 300 {
		return nil
	}
	return fault.New(fault.Invalid, "What is kept is named by its URN, like do:volume:506f78a4, not %q. See: arcadia cleanup list", clip(urn))
}

// readable are the URNs of what can be asked for by its id.
var readable = regexp.MustCompile(`^do:(volume|snapshot|droplet|reserved_ip):([0-9]{1,18}|[0-9a-f]+-[0-9a-f-]+|[0-9]+(?:\.[0-9]+){3})$`)

// isThere answers fault.NotFound for a thing that is neither a stack's nor a backup's, that
// the inventory has not, and that DigitalOcean does not show: whoever mistyped a URN would
// believe that it is kept.
func (s *Service) isThere(ctx context.Context, urn string) error {
	known, err := s.isOurs(ctx, urn)
	if err != nil || known {
		return err
	}
	if s.inventory != nil {
		found, err := s.inventory.Current(ctx, []string{urn})
		if err != nil {
			return err
		}
		if is, seen := found[urn]; seen && !is.Gone() {
			return nil
		}
	}
	if m := readable.FindStringSubmatch(urn); m != nil {
		c, err := s.reading(ctx, s.steps.set.Account)
		if err != nil {
			return err
		}
		if _, err = readHeld(ctx, c, Orphan{Kind: m[1], ID: m[2]}); !errors.Is(err, digitalocean.NotFound) {
			return err
		}
	}
	return fault.New(fault.NotFound, "There is no %s to keep: no stack, no backup and no inventory has it, and DigitalOcean does not show it. URNs are in arcadia cleanup plan, and in arcadia stack show.", clip(urn))
}

// isOurs reports whether a stack or a backup is made of a thing.
func (s *Service) isOurs(ctx context.Context, urn string) (bool, error) {
	snapshot, _ := strings.CutPrefix(urn, snapshotURN(""))
	var n int
	err := s.db.Read().QueryRowContext(ctx, `SELECT (SELECT COUNT(*) FROM stack_resources WHERE urn = $1) +
		(SELECT COUNT(*) FROM stack_backup_items i JOIN stack_backups b ON b.id = i.backup_id WHERE i.snapshot = $2 AND b.deleted_at IS NULL)`, urn, snapshot).Scan(&n)
	return n > 0, err
}
