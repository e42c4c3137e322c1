package inventory

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/fault"
)

// A Resource is one thing at DigitalOcean as it was at some time.
type Resource struct {
	URN     string
	Kind    string
	Account string
	ID      string
	Parent  string // the id of what it hangs on; empty for most
	Version int64
	At      time.Time // from when on this version was in force
	Until   time.Time // and until when; zero: it is still
	Look
	Monthly *int64 // micro-dollars of a whole month; nil where there is no price
	Doc     json.RawMessage

	FirstSeen    time.Time
	LastChanged  time.Time // the newest version's At
	MissingSince time.Time // by our clock: lists lack it, and it is not yet certain that it is gone
	Born, Ended  Bounds
	ManagedBy    string // the saga that made it; empty for none
}

// Bounds are between when and when something happened at DigitalOcean, and what
// shows it. Where both are the same it is known to the instant.
type Bounds struct {
	From, To time.Time // To is zero: it has not happened. From is zero: nobody knows
	By       string    // "document", "lists", or a cause
}

// Gone reports whether the resource no longer exists.
func (r Resource) Gone() bool { return !r.Ended.To.IsZero() }

// Resource is a resource as it was at a time, or as it is now where at is zero;
// one that is gone is as it was last. It answers fault.NotFound for what was never
// seen, or not yet at that time.
func (s *Service) Resource(ctx context.Context, urn string, at time.Time) (Resource, error) {
	condition, args := "v.version = (SELECT MAX(version) FROM inv_versions WHERE urn = $1 AND NOT gone)", []any{urn}
	if !at.IsZero() {
		condition, args = "v.at <= $2 AND (v.until IS NULL OR v.until > $2) AND NOT v.gone", append(args, db.Micros(at))
	}
	r, err := scanResource(s.db.Read().QueryRowContext(ctx, `SELECT `+resourceColumns+` FROM inv_versions v
		JOIN inv_resources r ON r.urn = v.urn WHERE v.urn = $1 AND `+condition, args...))
	if errors.Is(err, sql.ErrNoRows) {
		when := ""
		if !at.IsZero() {
			when = fmt.Sprintf(" as of %s", at.UTC().Format(time.RFC3339))
		}
		return Resource{}, fault.New(fault.NotFound, "The inventory knows no %s%s. Ids are as in: arcadia inventory list", clip(urn), when)
	}
	return r, err
}

// mostURNs is how many resources one statement asks for.
const mostURNs = 400

// Current are the resources of these URNs as they are now; one that is gone is as it was
// last. What was never seen is not among them.
func (s *Service) Current(ctx context.Context, urns []string) (map[string]Resource, error) {
	current := make(map[string]Resource, len(urns))
	for part := range slices.Chunk(urns, mostURNs) {
		places, args := make([]string, len(part)), make([]any, len(part))
		for i, urn := range part {
			places[i], args[i] = fmt.Sprintf("$%d", i+1), urn
		}
		err := db.Each(ctx, s.db.Read(), func(rows *sql.Rows) error {
			r, err := scanResource(rows)
			current[r.URN] = r
			return err
		}, `SELECT `+resourceColumns+` FROM inv_versions v JOIN inv_resources r ON r.urn = v.urn WHERE v.urn IN (`+strings.Join(places, ", ")+`)
			AND v.version = (SELECT MAX(version) FROM inv_versions WHERE urn = v.urn AND NOT gone)`, args...)
		if err != nil {
			return nil, err
		}
	}
	return current, nil
}

// Versions are all versions of a resource, the newest first, those without a
// document too, which say that it was gone.
func (s *Service) Versions(ctx context.Context, urn string) (versions []Resource, err error) {
	rows, err := s.db.Read().QueryContext(ctx, `SELECT `+resourceColumns+` FROM inv_versions v
		JOIN inv_resources r ON r.urn = v.urn WHERE v.urn = $1 ORDER BY v.version DESC`, urn)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		r, err := scanResource(rows)
		if err != nil {
			return nil, err
		}
		versions = append(versions, r)
	}
	return versions, rows.Err()
}

// resourceColumns are a version's, as v, with its resource's, as r.
const resourceColumns = `v.urn, v.kind, v.account, v.id, r.parent, v.version, v.at, v.until, v.name, v.region, v.status, v.size, v.project, v.tags,
	v.monthly, v.created_at, v.doc, r.first_seen, r.last_changed, r.missing_since, r.born_from, r.born_to, r.born_by,
	r.ended_from, r.ended_to, COALESCE(r.ended_by, ''), COALESCE(r.managed_by, '')`

func scanResource(row scanner) (r Resource, err error) {
	var (
		at, first, changed, born                                 int64
		until, created, missing, bornFrom, endedFrom, endedUntil db.NullTime
		tags                                                     db.JSON[[]string]
		doc                                                      sql.NullString
		monthly                                                  sql.NullInt64
	)
	err = row.Scan(&r.URN, &r.Kind, &r.Account, &r.ID, &r.Parent, &r.Version, &at, &until, &r.Name, &r.Region, &r.Status, &r.Size, &r.Project, &tags,
		&monthly, &created, &doc, &first, &changed, &missing, &bornFrom, &born, &r.Born.By, &endedFrom, &endedUntil, &r.Ended.By, &r.ManagedBy)
	if err != nil {
		return r, err
	}
	r.At, r.Until, r.CreatedAt, r.Tags = db.Time(at), until.Time, created.Time, tags.V
	r.FirstSeen, r.LastChanged, r.MissingSince = db.Time(first), db.Time(changed), missing.Time
	r.Born.From, r.Born.To = bornFrom.Time, db.Time(born)
	r.Ended.From, r.Ended.To = endedFrom.Time, endedUntil.Time
	if monthly.Valid {
		r.Monthly = &monthly.Int64
	}
	if doc.Valid {
		r.Doc = json.RawMessage(doc.String)
	}
	return r, nil
}

// Forget removes versions that were not in force at or after a time, and changes
// noticed before it. What is current stays, and one row per resource that ever was.
func (s *Service) Forget(ctx context.Context, before time.Time) (versions, changes int64, err error) {
	err = s.db.Write(ctx, func(tx *sql.Tx) error {
		for _, one := range []struct {
			query string
			n     *int64
		}{
			{`DELETE FROM inv_versions WHERE until IS NOT NULL AND until < $1 AND NOT gone
				AND EXISTS (SELECT 1 FROM inv_versions n WHERE n.urn = inv_versions.urn AND n.version > inv_versions.version AND NOT n.gone)`, &versions},
			{`DELETE FROM inv_changes WHERE seen < $1`, &changes},
		} {
			res, err := tx.ExecContext(ctx, one.query, db.Micros(before))
			if err != nil {
				return err
			}
			if *one.n, err = res.RowsAffected(); err != nil {
				return err
			}
		}
		if versions > 0 {
			if _, err := tx.ExecContext(ctx, `UPDATE inv_feed SET epoch = epoch + 1 WHERE id = 1`); err != nil {
				return err
			}
		}
		for _, query := range []string{
			`DELETE FROM inv_generations WHERE began_at < $1`,
			`DELETE FROM inv_runs WHERE finished_at IS NOT NULL AND created_at < $1`,
			`DELETE FROM inv_actions WHERE completed_at IS NOT NULL AND started_at < $1`,
		} {
			if _, err := tx.ExecContext(ctx, query, db.Micros(before)); err != nil {
				return err
			}
		}
		return nil
	})
	return versions, changes, err
}

// A VersionName names a version of a resource.
type VersionName struct {
	URN     string
	Version int64
}

// NamedVersions are those of the named versions that were not forgotten, without
// their documents.
func (s *Service) NamedVersions(ctx context.Context, names []VersionName) (map[VersionName]Resource, error) {
	const most = 100
	found := make(map[VersionName]Resource, len(names))
	for part := range slices.Chunk(names, most) {
		var values []string
		var args []any
		for i := range most { // one text for every number of names
			n := part[min(i, len(part)-1)]
			values = append(values, fmt.Sprintf("($%d, CAST($%d AS BIGINT))", 2*i+1, 2*i+2))
			args = append(args, n.URN, n.Version)
		}
		rows, err := s.db.Read().QueryContext(ctx, `SELECT `+strings.Replace(resourceColumns, "v.doc", "NULL", 1)+` FROM inv_versions v
			JOIN inv_resources r ON r.urn = v.urn WHERE (v.urn, v.version) IN (VALUES `+strings.Join(values, ", ")+`)`, args...)
		if err != nil {
			return nil, err
		}
		err = func() error {
			defer rows.Close()
			for rows.Next() {
				r, err := scanResource(rows)
				if err != nil {
					return err
				}
				found[VersionName{r.URN, r.Version}] = r
			}
			return rows.Err()
		}()
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}
