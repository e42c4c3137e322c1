package inventory

import (
	"database/sql"
	"errors"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// What was thought over before somebody said something is not written after it: a
// sync that is under way cannot undo an assignment.
func TestAVerdictThatCameTooLateIsNotWritten(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		sagas, err := saga.New(d, saga.Options{})
		if err != nil {
			t.Fatal(err)
		}
		s, ctx := New(d, sagas, Settings{}), t.Context()
		err = d.Write(ctx, func(tx *sql.Tx) error {
			for _, statement := range []string{
				`INSERT INTO tenants (id, slug, name, contact, state, created_at, changed_at) VALUES ('ten_a', 'acme', 'a', '', 'active', 1, 1)`,
				`INSERT INTO inv_resources (urn, account, kind, id, parent, version, hash, first_seen, last_changed, born_to, born_by) VALUES
					('do:droplet:1', 'main', 'droplet', '1', '', 1, 'h', 5, 5, 5, 'document')`,
				`INSERT INTO inv_versions (urn, version, at, account, kind, id, gone, name, region, status, size, project, tags, tag_lines, words, doc) VALUES
					('do:droplet:1', 1, 5, 'main', 'droplet', '1', FALSE, 'web', '', '', '', '', '["tenant:acme"]', '', '', '{}')`,
			} {
				if _, err := tx.ExecContext(ctx, statement); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		early, err := s.readDocket(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Assign(ctx, []string{"do:droplet:1"}, "", "a test machine", "cli:ops", time.Now()); err != nil {
			t.Fatal(err)
		}
		late, _ := s.rulings(early, "", time.Now(), nil)
		if len(late) != 1 {
			t.Fatalf("%d verdicts were thought over, want 1", len(late))
		}
		if err := s.writeRulings(ctx, early, late); !errors.Is(err, errSaidMore) {
			t.Errorf("writing them: %v, want them refused", err)
		}
		if v, err := s.Attribution(ctx, "do:droplet:1", time.Time{}); err != nil || v.Rule != ByManual || v.Tenant != "" {
			t.Errorf("the verdict in force is %+v, %v", v, err)
		}
	})
}
