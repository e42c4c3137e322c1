package inventory

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/fault"
)

// A finding's words, as they are kept.
type findingDetail struct {
	Name string `json:"name"`
	Says string `json:"says"`
	Mend string `json:"mend"`
}

// scene reads an account as it is.
func (s *Service) scene(ctx context.Context, account string, at time.Time) (sc scene, err error) {
	sc = scene{account: account, at: at, listed: map[string]bool{}, index: map[string]int{}, guarded: map[string]bool{}, guards: map[string][]string{}}
	if err := db.Each(ctx, s.db.Read(), func(rows *sql.Rows) error {
		var kind string
		err := rows.Scan(&kind)
		sc.listed[kind] = true
		return err
	}, `SELECT kind FROM inv_heads WHERE account = $1 AND as_of IS NOT NULL`, account); err != nil {
		return sc, err
	}
	if err := s.readObjects(ctx, &sc); err != nil {
		return sc, err
	}
	if err := db.Each(ctx, s.db.Read(), func(rows *sql.Rows) error {
		var from, to string
		err := rows.Scan(&from, &to)
		if _, there := sc.index[to]; there {
			sc.guarded[to] = true
			sc.guards[from] = append(sc.guards[from], to)
		}
		return err
	}, `SELECT DISTINCT source, target FROM inv_edges WHERE type = 'protects' AND source LIKE 'do:firewall:%' ORDER BY source, target`); err != nil {
		return sc, err
	}
	sc.against, err = s.Contradictions(ctx, account)
	return sc, err
}

// readObjects reads the documents of those kinds alone whose rules look into them.
func (s *Service) readObjects(ctx context.Context, sc *scene) error {
	return db.Each(ctx, s.db.Read(), func(rows *sql.Rows) error {
		var (
			o             object
			kind          string
			monthly       sql.NullInt64
			born          int64
			made, off     db.NullTime
			doc           sql.NullString
			decided, ours bool
		)
		if err := rows.Scan(&o.urn, &o.id, &kind, &o.name, &monthly, &made, &born, &decided, &ours, &off, &doc); err != nil {
			return err
		}
		if o.kind = KindNamed(kind); o.kind == nil {
			return nil
		}
		o.monthly, o.priced, o.owned, o.tenant, o.offSince = Micros(monthly.Int64), monthly.Valid, decided, ours, off.Time
		if o.born = made.Time; made.Time.IsZero() {
			o.born = db.Time(born)
		}
		if doc.Valid {
			var err error
			if o.doc, err = ParseDoc([]byte(doc.String)); err != nil {
				return err
			}
		}
		sc.index[o.urn] = len(sc.objects)
		sc.objects = append(sc.objects, o)
		return nil
	}, `SELECT v.urn, v.id, v.kind, v.name, v.monthly, v.created_at, r.born_to, a.rule IS NOT NULL, a.tenant_id IS NOT NULL,
			CASE WHEN v.kind = 'droplet' AND v.status = 'off' THEN (SELECT MIN(o.at) FROM inv_versions o WHERE o.urn = v.urn AND o.version >
				COALESCE((SELECT MAX(p.version) FROM inv_versions p WHERE p.urn = v.urn AND p.status <> 'off'), 0)) END,
			CASE WHEN v.kind IN ('volume', 'reserved_ip', 'snapshot', 'droplet', 'certificate', 'firewall') THEN v.doc END
		FROM inv_versions v JOIN inv_resources r ON r.urn = v.urn LEFT JOIN inv_attributions a ON a.urn = v.urn AND a.until IS NULL
		WHERE `+ownable()+` AND v.account = $1 ORDER BY v.urn`, sc.account)
}

// writeFindings has the table say what was found. What is still there keeps the time
// since when it is, and what the rules said before that could not look this time stays.
func (s *Service) writeFindings(ctx context.Context, account string, found []Finding, blind ...FindingRule) error {
	was := map[string]Finding{}
	err := db.Each(ctx, s.db.Read(), func(rows *sql.Rows) error {
		f, err := scanFinding(rows)
		was[f.ID] = f
		return err
	}, `SELECT `+findingColumns+` WHERE f.account = $1`, account)
	if err != nil {
		return err
	}
	var news, over [][]any
	for _, f := range found {
		old, there := was[f.ID]
		delete(was, f.ID)
		if there && old.Monthly == f.Monthly && old.Name == f.Name && old.Says == f.Says && old.Mend == f.Mend {
			continue
		}
		detail, err := db.JSON[findingDetail]{V: findingDetail{f.Name, f.Says, f.Mend}}.Value()
		if err != nil {
			return err
		}
		news = append(news, []any{f.ID, string(f.Rule), f.URN, account, db.Micros(f.Since), int64(f.Monthly), detail})
	}
	for id, f := range was {
		if !slices.Contains(blind, f.Rule) {
			over = append(over, []any{id})
		}
	}
	if len(news)+len(over) == 0 {
		return nil
	}
	return s.db.Write(ctx, func(tx *sql.Tx) error {
		return s.db.Pipeline(ctx, tx, db.Statement{Bulk: deleteFindings, Rows: over}, db.Statement{Bulk: writeFindings, Rows: news})
	})
}

var (
	deleteFindings = db.NewBulk(`DELETE FROM inv_findings WHERE id IN (SELECT id FROM given)`, db.Column{Name: "id"})

	writeFindings = db.NewBulk(`INSERT INTO inv_findings (id, rule, urn, account, since, monthly, detail)
		SELECT id, rule, NULLIF(urn, ''), account, since, monthly, detail FROM given WHERE true
		ON CONFLICT (id) DO UPDATE SET monthly = excluded.monthly, detail = excluded.detail`,
		db.Column{Name: "id"}, db.Column{Name: "rule"}, db.Column{Name: "urn"}, db.Column{Name: "account"},
		db.Column{Name: "since", Type: db.Integer}, db.Column{Name: "monthly", Type: db.Integer}, db.Column{Name: "detail", Type: db.Object})
)

const findingColumns = `f.id, f.rule, COALESCE(f.urn, ''), f.account, f.since, f.monthly, f.detail, m.until, COALESCE(m.reason, ''), COALESCE(m.actor, ''), m.at
	FROM inv_findings f LEFT JOIN inv_mutes m ON m.finding = f.id`

func scanFinding(row scanner) (f Finding, err error) {
	var (
		since     int64
		detail    db.JSON[findingDetail]
		mute      Mute
		until, at db.NullTime
	)
	if err := row.Scan(&f.ID, (*string)(&f.Rule), &f.URN, &f.Account, &since, (*int64)(&f.Monthly), &detail, &until, &mute.Reason, &mute.Actor, &at); err != nil {
		return f, err
	}
	f.Since, f.Name, f.Says, f.Mend = db.Time(since), detail.V.Name, detail.V.Says, detail.V.Mend
	if !at.Time.IsZero() {
		mute.Until, mute.At = until.Time, at.Time
		f.Mute = &mute
	}
	return f, nil
}

// A FindingFilter says which findings are meant; its zero value means all that
// nobody has muted.
type FindingFilter struct {
	Account string
	Rule    FindingRule
	URN     string
	Muted   bool      // those that are muted, too
	At      time.Time // by our clock, for mutes that end; zero is now
}

// Findings are what is worth a look, the dearest first.
func (s *Service) Findings(ctx context.Context, filter FindingFilter) (all []Finding, err error) {
	if filter.At.IsZero() {
		filter.At = time.Now()
	}
	err = db.Each(ctx, s.db.Read(), func(rows *sql.Rows) error {
		f, err := scanFinding(rows)
		if err != nil {
			return err
		}
		if f.Mute != nil && !f.Mute.Until.IsZero() && !f.Mute.Until.After(filter.At) {
			f.Mute = nil // it is over
		}
		if f.Mute == nil || filter.Muted {
			all = append(all, f)
		}
		return nil
	}, `SELECT `+findingColumns+` WHERE ($1 = '' OR f.account = $1) AND ($2 = '' OR f.rule = $2) AND ($3 = '' OR f.urn = $3)
		ORDER BY f.monthly DESC, f.rule, f.urn, f.account`, filter.Account, string(filter.Rule), filter.URN)
	return all, err
}

// maxReason is how long the reason of a mute may be, in bytes.
const maxReason = 500

// Mute has a finding not be heard of, until a time or, where that is zero, for ever.
// A further mute replaces it. fault.NotFound where there is no such finding,
// fault.Invalid without a reason or for a time that is over.
func (s *Service) Mute(ctx context.Context, id string, m Mute) (f Finding, err error) {
	m.Reason = strings.TrimSpace(m.Reason)
	switch {
	case m.Reason == "":
		return f, fault.New(fault.Invalid, "Say why nobody has to hear of it: a reason is needed.")
	case len(m.Reason) > maxReason:
		return f, fault.New(fault.Invalid, "The reason is longer than %d bytes.", maxReason)
	case !m.Until.IsZero() && !m.Until.After(m.At):
		return f, fault.New(fault.Invalid, "%s is over: mute it until a later time.", m.Until.Format(time.RFC3339))
	}
	err = s.db.Write(ctx, func(tx *sql.Tx) error {
		if _, err := s.finding(ctx, tx, id); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO inv_mutes (finding, until, reason, actor, at) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (finding) DO UPDATE SET until = excluded.until, reason = excluded.reason, actor = excluded.actor, at = excluded.at`,
			id, nullMicros(m.Until), m.Reason, m.Actor, db.Micros(m.At))
		if err != nil {
			return err
		}
		f, err = s.finding(ctx, tx, id)
		return err
	})
	return f, err
}

// Unmute has a finding be heard of again. It may be heard of already.
func (s *Service) Unmute(ctx context.Context, id string) (f Finding, err error) {
	err = s.db.Write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM inv_mutes WHERE finding = $1`, id); err != nil {
			return err
		}
		f, err = s.finding(ctx, tx, id)
		return err
	})
	return f, err
}

func (s *Service) finding(ctx context.Context, tx *sql.Tx, id string) (Finding, error) {
	f, err := scanFinding(tx.QueryRowContext(ctx, `SELECT `+findingColumns+` WHERE f.id = $1`, id))
	if errors.Is(err, sql.ErrNoRows) {
		err = fault.New(fault.NotFound, "There is no finding %q: it is over, or never was.", clip(id))
	}
	return f, err
}
