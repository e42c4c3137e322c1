package inventory

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/period"
)

// A brief is a resource that /v2/actions tells of and no list ever showed.
type brief struct {
	kind    *Kind
	id      string
	created action
	ended   action // zero where no action says when
}

// recordBriefs finds what came and went between two lists, which only the list of
// actions tells of, and records it: it was billed. What asked for by its id turns
// out to exist is new, and the next list will have it.
func (s *Service) recordBriefs(ctx context.Context, c *digitalocean.Client, account string) error {
	for _, k := range kinds {
		if k.Actions == "" || k.Get == "" || k.Parent != "" {
			continue
		}
		h, err := s.head(ctx, account, k.Name)
		if err != nil {
			return err
		}
		if h.firstAsOf.IsZero() || h.state != Complete {
			continue // what is missing may only not have been listed
		}
		briefs, err := s.briefs(ctx, account, k, h)
		if err != nil {
			return err
		}
		for _, b := range briefs {
			f, err := s.document(ctx, c, account, k, "", b.id)
			if err != nil {
				return err
			}
			if f != nil {
				continue
			}
			if err := s.recordBrief(ctx, account, b, h); err != nil {
				return err
			}
		}
	}
	return nil
}

// briefs are the resources of a kind whose creation was begun since the first list,
// so long ago that a list would show it, and that no list had.
func (s *Service) briefs(ctx context.Context, account string, k *Kind, h head) (briefs []brief, err error) {
	rows, err := s.db.Read().QueryContext(ctx, `SELECT a.id, a.status, a.type, a.resource_type, a.resource, a.started_at, a.completed_at
		FROM inv_actions a WHERE a.account = $1 AND a.resource_type = $2 AND a.type IN ('create', 'destroy') AND a.started_at > $3 AND a.started_at < $4
			AND NOT EXISTS (SELECT 1 FROM inv_resources r WHERE r.kind = $5 AND r.id = a.resource)
		ORDER BY a.started_at, a.id`, account, k.Actions, db.Micros(h.firstAsOf), db.Micros(h.asOf.Add(-s.settings.Horizon)), k.Name)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	at := map[string]int{}
	for rows.Next() {
		a, err := scanAction(rows)
		if err != nil {
			return nil, err
		}
		i, known := at[a.resource]
		switch {
		case a.kind == "create" && !known:
			at[a.resource] = len(briefs)
			briefs = append(briefs, brief{kind: k, id: a.resource, created: a})
		case a.kind == "destroy" && known:
			briefs[i].ended = a
		}
	}
	return briefs, rows.Err()
}

// recordBrief records the life of a resource in one transaction: two versions, of
// which the first knows no more than the id.
func (s *Service) recordBrief(ctx context.Context, account string, b brief, h head) error {
	doc, err := json.Marshal(map[string]any{b.kind.ID: json.Number(b.id)})
	if err != nil {
		return err
	}
	f := found{kind: b.kind, urn: b.kind.URN(account, b.id), id: b.id, kept: doc, hash: "brief"}
	birth := b.created.startedAt
	cause := Cause{Type: ByAction, Action: b.created.id, What: b.created.kind}
	common := Change{URN: f.urn, Account: account, Kind: b.kind.Name, Seen: h.asOf, Cause: cause}

	begin := edit{change: common, found: f, born: [2]time.Time{birth, birth}, bornBy: string(ByAction)}
	begin.change.Type, begin.change.Version, begin.change.After, begin.change.At = Created, 1, birth, birth

	end := edit{change: common, found: f, old: kept{urn: f.urn, id: f.id, version: 1, hash: f.hash}, born: begin.born, bornBy: begin.bornBy}
	end.change.Type, end.change.Version, end.change.After, end.change.At = Deleted, 2, birth, h.asOf
	end.change.Cause, end.endBy = Cause{Type: OutOfBand}, "lists"
	if !b.ended.startedAt.IsZero() {
		at := period.Later(b.ended.completedAt, b.ended.startedAt)
		end.change.After, end.change.At, end.endBy = at, at, string(ByAction)
		end.change.Cause = Cause{Type: ByAction, Action: b.ended.id, What: b.ended.kind}
	}
	life := h.asOf.Sub(birth)
	why, err := s.call(ctx, account, window{from: birth, to: h.asOf, ourFrom: h.beganAt.Add(-life), ourTo: h.beganAt, patience: s.settings.Horizon}, nil)
	if err != nil {
		return err
	}
	for _, e := range []*edit{&begin, &end} {
		if by, _, ok := why.bySaga(e, nil); ok {
			e.change.Cause = by
		}
	}
	if !end.change.At.After(birth) {
		end.change.At = birth.Add(time.Microsecond)
	}
	err = s.db.Write(ctx, func(tx *sql.Tx) error {
		if err := s.writeEdits(ctx, tx, account, b.kind, []edit{begin}); err != nil {
			return err
		}
		return s.writeEdits(ctx, tx, account, b.kind, []edit{end})
	})
	if errors.Is(err, errSuperseded) {
		return nil // a list has it after all
	}
	return err
}

// conclude is what follows when the lists of a run are done.
func (s *Service) conclude(ctx context.Context, c *digitalocean.Client, account string) error {
	if err := s.recordBriefs(ctx, c, account); err != nil {
		return err
	}
	if err := s.relateAll(ctx, account); err != nil {
		return err
	}
	if _, err := s.attributeFor(ctx, account, time.Time{}, nil); err != nil {
		return err
	}
	return s.refreshFindings(ctx, c, account)
}
