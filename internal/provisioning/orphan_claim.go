package provisioning

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/inventory"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// claims are why things are somebody's, by everything that is known here.
type claims struct {
	stacks      map[string]string // by URN
	backups     map[string]string // by id of a snapshot
	protections map[string]Protection
	atWork      map[string]string // by a word in the state of a saga that is open
	named       []string          // texts of blueprints and of stacks, which may name an image
	findings    map[string]bool   // by URN and rule
	is          map[string]inventory.Resource
}

// readClaims reads what is known of things of an account.
func (s *Service) readClaims(ctx context.Context, account string, urns []string) (c claims, err error) {
	c = claims{backups: map[string]string{}, protections: map[string]Protection{}, findings: map[string]bool{}}
	if c.stacks, err = s.stacksOf(ctx, s.db.Read()); err != nil {
		return c, err
	}
	all, err := backups(ctx, s.db.Read(), `deleted_at IS NULL`)
	if err != nil {
		return c, err
	}
	for _, b := range all {
		for _, i := range b.Items {
			c.backups[i.Snapshot] = string(b.ID)
		}
	}
	kept, err := s.Protections(ctx)
	if err != nil {
		return c, err
	}
	for _, p := range kept {
		c.protections[p.Subject] = p
	}
	if c.atWork, err = s.atWork(ctx, account); err != nil {
		return c, err
	}
	if c.named, err = s.namings(ctx); err != nil {
		return c, err
	}
	for rule := range orphaning {
		found, err := s.inventory.Findings(ctx, inventory.FindingFilter{Account: account, Rule: rule})
		if err != nil {
			return c, err
		}
		for _, f := range found {
			c.findings[f.URN+" "+string(rule)] = true
		}
	}
	c.is, err = s.inventory.Current(ctx, urns)
	return c, err
}

// atWork are all words and numbers in the states of open sagas of an account, with the
// saga: what is among them it may need, or is about to delete itself.
func (s *Service) atWork(ctx context.Context, account string) (map[string]string, error) {
	of := map[string]string{}
	f := saga.Filter{States: saga.Open(), Limit: 200}
	for {
		sagas, next, err := s.engine.Sagas(ctx, f)
		if err != nil {
			return nil, err
		}
		for _, one := range sagas {
			if in := AccountOf(one); one.Kind == CleanupOrphansKind || in != "" && in != account {
				continue
			}
			for _, word := range append(wordsIn(one.Data), one.Subjects...) {
				of[word] = fmt.Sprintf("saga %s (%s) is at work with it", one.ID, one.Kind)
			}
		}
		if f.Cursor = next; next == "" {
			return of, nil
		}
	}
}

// wordsIn are all texts and numbers in a document, as texts, keys too.
func wordsIn(document json.RawMessage) (all []string) {
	decoder := json.NewDecoder(bytes.NewReader(document))
	decoder.UseNumber()
	for {
		token, err := decoder.Token()
		if err != nil {
			return all // the ledger holds whole documents: it is the end
		}
		switch word := token.(type) {
		case string:
			all = append(all, word)
		case json.Number:
			all = append(all, word.String())
		}
	}
}

// namings are texts that may name a snapshot of which droplets are to be made.
func (s *Service) namings(ctx context.Context) (texts []string, err error) {
	all, err := s.Blueprints(ctx)
	if err != nil {
		return nil, err
	}
	for _, one := range all {
		texts = append(texts, one.Source)
	}
	stacks, err := s.Stacks(ctx, StackFilter{})
	if err != nil {
		return nil, err
	}
	for _, one := range stacks {
		spec, err := json.Marshal(one.Spec)
		if err != nil {
			return nil, err
		}
		texts = append(texts, string(spec))
		texts = slices.AppendSeq(texts, maps.Values(one.Parameters))
	}
	return texts, nil
}

// claim says why an orphan is somebody's; empty: it is nobody's.
func (s *Service) claim(ctx context.Context, c *claims, o Orphan) (string, error) {
	switch {
	case c.stacks[o.URN] != "":
		return "it is stack " + c.stacks[o.URN] + "'s", nil
	case o.Kind == "snapshot" && c.backups[o.ID] != "":
		return "it is a part of backup " + c.backups[o.ID], nil
	case c.protections[o.URN].Subject != "":
		p := c.protections[o.URN]
		return fmt.Sprintf("%s has it kept: %s", p.Actor, orNothing(p.Reason)), nil
	case c.atWork[o.ID]+c.atWork[o.URN] != "":
		return cmp.Or(c.atWork[o.ID], c.atWork[o.URN]), nil
	case o.Kind == "snapshot" && slices.ContainsFunc(c.named, func(text string) bool { return strings.Contains(text, o.ID) }):
		return "a blueprint or a stack names it", nil
	case o.Reason != leftover && !c.findings[o.URN+" "+o.Reason]:
		return "its finding is over, or muted", nil
	case o.Version != 0 && c.is[o.URN].Version != o.Version:
		return "the inventory saw it change", nil
	}
	whose, err := s.inventory.Attribution(ctx, o.URN, time.Time{})
	if err != nil {
		return "", err
	}
	// The tags and the ledger of whom a leftover was made for do not make it theirs.
	if whose.Tenant != "" && (o.Reason != leftover || whose.Rule == inventory.ByManual) {
		return "it is a tenant's: " + whose.Evidence, nil
	}
	return "", nil
}

// LookAfter ends those marks of a saga whose things are used, with why, and those whose
// things are somebody's by now, and answers the URNs of the rest.
func (s *Service) LookAfter(ctx context.Context, of saga.ID, used map[string]string) ([]string, error) {
	marks, err := marksWhere(ctx, s.db.Read(), `saga_id = $1 AND state = 'marked'`, string(of))
	if err != nil || len(marks) == 0 {
		return nil, err
	}
	rest := map[string]Orphan{}
	for _, m := range marks {
		if used[m.URN] == "" {
			rest[m.URN] = m.Orphan
		}
	}
	spared := maps.Clone(used)
	if spared == nil {
		spared = map[string]string{}
	}
	if len(rest) > 0 {
		if s.inventory == nil {
			return nil, errNoInventory
		}
		c, err := s.readClaims(ctx, marks[0].Account, slices.Sorted(maps.Keys(rest)))
		if err != nil {
			return nil, err
		}
		for urn, o := range rest {
			why, err := s.claim(ctx, &c, o)
			if err != nil {
				return nil, err
			}
			if why != "" {
				spared[urn] = why
				delete(rest, urn)
			}
		}
	}
	err = s.db.Write(ctx, func(tx *sql.Tx) error {
		for urn, why := range spared {
			if _, err := tx.ExecContext(ctx, `UPDATE cleanup_marks SET state = 'spared', why = $1, ended_at = $2 WHERE saga_id = $3 AND urn = $4 AND state = 'marked'`,
				why, db.Micros(time.Now()), string(of), urn); err != nil {
				return err
			}
		}
		return nil
	})
	return slices.Sorted(maps.Keys(rest)), err
}
