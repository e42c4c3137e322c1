package inventory

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
)

// limitsHold is how long it is believed how much an account may have.
const limitsHold = time.Hour

// A lookout is what the last look for findings in an account went by.
type lookout struct {
	feed        int64     // the last change
	hour        time.Time // days pass without changes
	reports     string    // what others found
	limits      digitalocean.Limits
	limitsUntil time.Time // zero: they were never asked for
}

func (s *Service) lookout(account string) lookout {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lookouts[account]
}

// refreshFindings looks for what is worth a look, after a run. Where nothing changed
// within the hour there is nothing new to be found.
func (s *Service) refreshFindings(ctx context.Context, c *digitalocean.Client, account string) error {
	s.looking.Lock()
	defer s.looking.Unlock()
	at := s.Now(account)
	feed, err := s.FeedEnd(ctx)
	if err != nil {
		return err
	}
	reports, err := s.reports(ctx, account)
	if err != nil {
		return err
	}
	was := s.lookout(account)
	now := lookout{feed: feed, hour: at.Truncate(time.Hour), reports: fmt.Sprint(reports), limits: was.limits, limitsUntil: was.limitsUntil}
	if now == was {
		return nil
	}
	if !at.Before(now.limitsUntil) {
		whose, err := c.Account(ctx)
		if err != nil {
			s.log.WarnContext(ctx, "inventory: how much the account may have is not known", "account", account, "err", err)
		} else {
			now.limits, now.limitsUntil = whose.Limits, at.Add(limitsHold)
		}
	}
	if err := s.lookIn(ctx, account, at, now, reports); err != nil {
		return err
	}
	s.mu.Lock()
	s.lookouts[account] = now
	s.mu.Unlock()
	return nil
}

func (s *Service) reports(ctx context.Context, account string) ([]Report, error) {
	if s.settings.Reports == nil {
		return nil, nil
	}
	return s.settings.Reports(ctx, account)
}

// lookIn looks for what is worth a look in an account, and writes it down.
func (s *Service) lookIn(ctx context.Context, account string, at time.Time, by lookout, reports []Report) error {
	sc, err := s.scene(ctx, account, at)
	if err != nil {
		return err
	}
	sc.reports = reports
	var blind []FindingRule
	if s.settings.Reports == nil {
		blind = append(blind, reportedRules...)
	}
	if sc.limits = by.limits; by.limitsUntil.IsZero() {
		blind = append(blind, QuotaNearlyUsed)
	}
	if s.settings.Tokens == nil {
		blind = append(blind, ExpiringToken)
	} else if sc.tokens, err = s.settings.Tokens(ctx); err != nil {
		return err
	}
	return s.writeFindings(ctx, account, sc.findings(), blind...)
}

// lookAgain looks for findings in every account, after somebody said whose something
// is: nobody waits for the next sync to see what follows. Of several who say something
// at once one looks for all. What was said stands also where the look fails; the next
// sync looks again then.
func (s *Service) lookAgain(ctx context.Context) {
	turn := s.looksAsked.Add(1)
	s.looking.Lock()
	defer s.looking.Unlock()
	if s.looked >= turn {
		return
	}
	turn = s.looksAsked.Load()
	var accounts []string
	err := db.Each(ctx, s.db.Read(), func(rows *sql.Rows) error {
		var account string
		err := rows.Scan(&account)
		accounts = append(accounts, account)
		return err
	}, `SELECT DISTINCT account FROM inv_heads WHERE as_of IS NOT NULL ORDER BY account`)
	for _, account := range accounts {
		var reports []Report
		if err == nil {
			reports, err = s.reports(ctx, account)
		}
		if err == nil {
			err = s.lookIn(ctx, account, s.Now(account), s.lookout(account), reports)
		}
	}
	if err != nil {
		s.log.WarnContext(ctx, "inventory: findings could not be looked for", "err", err)
		return
	}
	s.looked = turn
}
