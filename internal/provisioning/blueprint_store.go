package provisioning

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/provisioning/blueprint"
)

// A Draft is a blueprint that is kept, as it was given.
type Draft struct {
	*blueprint.Blueprint
	Source    string
	Hash      string // of the source
	Shipped   bool   // it is part of the program
	CreatedAt time.Time
	Actor     string
	UsedAt    time.Time // since when a stack is made from it; zero: none is
}

// Ref names the draft, "sky-ai@1".
func (d Draft) Ref() string { return fmt.Sprintf("%s@%d", d.Name, d.Version) }

// AddBlueprint keeps a blueprint. One of the same name and version is replaced as long
// as no stack was made from it; after that it is fault.Conflict, unless it is the same.
func (s *Service) AddBlueprint(ctx context.Context, file string, source []byte, actor string, at time.Time) (d Draft, err error) {
	bp, err := blueprint.Parse(file, source)
	if err != nil {
		return d, err
	}
	d = Draft{Blueprint: bp, Source: string(source), Hash: hashOf(source), CreatedAt: at, Actor: actor}
	err = s.db.Write(ctx, func(tx *sql.Tx) error {
		was, err := keptBlueprint(ctx, tx, bp.Name, bp.Version)
		switch {
		case err == nil && was.Hash == d.Hash:
			d = was
			return nil
		case err == nil && !was.UsedAt.IsZero():
			return fault.New(fault.Conflict, "Stacks are made from %s, which never changes. Give the new one version %d.", was.Ref(), bp.Version+1)
		case err != nil && fault.KindOf(err) != fault.NotFound:
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO blueprints (name, version, source, hash, created_at, actor) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (name, version) DO UPDATE SET source = excluded.source, hash = excluded.hash, created_at = excluded.created_at, actor = excluded.actor`,
			bp.Name, bp.Version, d.Source, d.Hash, db.Micros(at), actor)
		return err
	})
	return d, err
}

func hashOf(source []byte) string {
	sum := sha256.Sum256(source)
	return hex.EncodeToString(sum[:])
}

// Blueprint is a blueprint by its name, the newest version, or by name@version. It
// answers fault.NotFound.
func (s *Service) Blueprint(ctx context.Context, ref string) (Draft, error) {
	return findBlueprint(ctx, s.db.Read(), ref)
}

func findBlueprint(ctx context.Context, q db.Queryer, ref string) (Draft, error) {
	name, digits, versioned := strings.Cut(ref, "@")
	version := 0
	if versioned {
		n, err := strconv.Atoi(digits)
		if err != nil || n < 1 {
			return Draft{}, fault.New(fault.Invalid, "A blueprint is named like sky-ai or sky-ai@1, not %q.", clip(ref))
		}
		version = n
	}
	kept, err := keptBlueprint(ctx, q, name, version)
	if err != nil && fault.KindOf(err) != fault.NotFound {
		return kept, err
	}
	if ours, ok := shippedBlueprint(name); ok && (version == 0 && (err != nil || ours.Version >= kept.Version) || version == ours.Version && err != nil) {
		return ours, nil
	}
	return kept, err
}

// shipped is who adds those that are part of the program. Nobody else is called so: each
// actor says where they came in, "cli:root".
const shipped = "arcadia"

// shippedBlueprints are those that are part of the program. To parse them takes a while, and
// nothing changes them.
var shippedBlueprints = sync.OnceValue(func() (all []Draft) {
	for _, bp := range blueprint.All() {
		source, _ := blueprint.Source(bp.Name)
		all = append(all, Draft{Blueprint: bp, Source: string(source), Hash: hashOf(source), Shipped: true, Actor: shipped})
	}
	return all
})

// shippedBlueprint is the one of that name.
func shippedBlueprint(name string) (Draft, bool) {
	all := shippedBlueprints()
	i := slices.IndexFunc(all, func(d Draft) bool { return d.Name == name })
	if i < 0 {
		return Draft{}, false
	}
	return all[i], true
}

// keptBlueprint reads one from the database: the newest where version is 0.
func keptBlueprint(ctx context.Context, q db.Queryer, name string, version int) (Draft, error) {
	d, err := scanDraft(q.QueryRowContext(ctx, `SELECT `+draftColumns+` FROM blueprints WHERE name = $1 AND ($2 = 0 OR version = $2) ORDER BY version DESC LIMIT 1`, name, version))
	if errors.Is(err, sql.ErrNoRows) {
		return d, fault.New(fault.NotFound, "There is no blueprint %s. See: arcadia blueprint list", clip(name))
	}
	return d, err
}

const draftColumns = `source, hash, created_at, actor, used_at`

func scanDraft(row row) (d Draft, err error) {
	var created int64
	var used db.NullTime
	if err := row.Scan(&d.Source, &d.Hash, &created, &d.Actor, &used); err != nil {
		return d, err
	}
	d.CreatedAt, d.UsedAt, d.Shipped = db.Time(created), used.Time, d.Actor == shipped
	d.Blueprint, err = blueprint.Parse("blueprint", []byte(d.Source))
	return d, err
}

// Blueprints are all that there are, those that are part of the program among them.
func (s *Service) Blueprints(ctx context.Context) (all []Draft, err error) {
	all, err = db.All(ctx, s.db.Read(), func(rows *sql.Rows) (Draft, error) { return scanDraft(rows) },
		`SELECT `+draftColumns+` FROM blueprints ORDER BY name, version`)
	if err != nil {
		return nil, err
	}
	kept := map[string]bool{}
	for _, d := range all {
		kept[d.Ref()] = true
	}
	for _, d := range shippedBlueprints() {
		if !kept[d.Ref()] {
			all = append(all, d)
		}
	}
	return all, nil
}

// useBlueprint makes a blueprint one that never changes: one that is part of the
// program is kept with it, since the next release may bring another.
func useBlueprint(ctx context.Context, tx *sql.Tx, d Draft, at time.Time) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO blueprints (name, version, source, hash, created_at, actor, used_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (name, version) DO UPDATE SET used_at = COALESCE(blueprints.used_at, excluded.used_at)`,
		d.Name, d.Version, d.Source, d.Hash, db.Micros(at), d.Actor, db.Micros(at))
	return err
}
