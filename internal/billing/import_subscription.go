package billing

import (
	"context"
	"database/sql"
	"strconv"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/money"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

// importSubscriptions makes a subscription of each new line.
func (s *Service) importSubscriptions(ctx context.Context, tx *sql.Tx, m *importing) error {
	fresh, err := s.newLines(ctx, tx, m)
	if err != nil {
		return err
	}
	tenants, err := s.tenants.All(ctx)
	if err != nil {
		return err
	}
	left := make(map[tenant.ID]error)
	for _, t := range tenants {
		if t.State == tenant.Closed {
			left[t.ID] = closedTenant(t)
		}
	}
	offers := make(map[money.Currency]*offer)
	made := make(map[int]*Agreement)
	for _, line := range fresh {
		n, customer := line.n, line.customer
		r := m.rows[n]
		o := Order{Plan: r.text("plan"), Quantity: r.text("quantity"), From: r.text("from"), Taxes: r.list("taxes"), Coupons: r.list("coupons"), Reason: r.text("reason"), By: m.by}
		if text := r.text("anchor_day"); text != "" {
			if o.AnchorDay, err = strconv.Atoi(text); err != nil || o.AnchorDay < 1 {
				r.refuse("anchor_day", "The anchor day is 1 to 31, not %q.", cut(text))
				o.AnchorDay = 0
			}
		}
		if err := r.blame("tenant", left[customer.Tenant]); err != nil {
			return err
		}
		a, change, faults := o.agreement(customer, m.at)
		for _, err := range faults {
			if err := r.blame("", err); err != nil {
				return err
			}
		}
		if offers[customer.Currency] == nil {
			if offers[customer.Currency], err = offerIn(ctx, tx, customer.Currency); err != nil {
				return err
			}
		}
		if len(r.Problems) > 0 {
			continue
		}
		if err := offers[customer.Currency].record(ctx, tx, &a, change, true, false); err != nil {
			if err := r.blame("", err); err != nil {
				return err
			}
			continue
		}
		if err := m.land(ctx, tx, n, string(a.ID)); err != nil {
			return err
		}
		m.lines[n].What = a.Slug + " " + change.Plan + " from " + change.EffectiveAt.Format(time.RFC3339)
		made[n] = &a
	}
	m.after = func() error { // outside of the transaction: it reads what tenants used
		for n, a := range made {
			if m.lines[n].Action != ImportAdded {
				continue
			}
			due, err := s.upcomingOf(ctx, offers[a.Currency].catalog, a, m.at)
			if err != nil {
				return err
			}
			m.lines[n].Amount = money.New(sumOf(due, (*Invoice).gross), a.Currency)
		}
		return nil
	}
	return nil
}

// A newLine is a line that was not imported before, of somebody who is billed.
type newLine struct {
	n        int // of the row
	customer Customer
}

// newLines are those of an import of what customers have. It refuses the lines of others.
func (s *Service) newLines(ctx context.Context, tx *sql.Tx, m *importing) (all []newLine, err error) {
	fresh, err := m.known(ctx, tx)
	if err != nil {
		return nil, err
	}
	customers, err := s.customersByRef(ctx, tx)
	if err != nil {
		return nil, err
	}
	for _, n := range fresh {
		r := m.rows[n]
		if customer, known := customers[r.text("tenant")]; known {
			all = append(all, newLine{n, customer})
		} else {
			r.refuse("tenant", "Nobody has said how %q is billed. Import the customers first.", cut(r.text("tenant")))
		}
	}
	return all, nil
}

// customersByRef are all customers, by slug and by id.
func (s *Service) customersByRef(ctx context.Context, tx *sql.Tx) (map[string]Customer, error) {
	tenants, err := s.tenants.All(ctx)
	if err != nil {
		return nil, err
	}
	all, err := listCustomers(ctx, tx, "")
	if err != nil {
		return nil, err
	}
	slugs := make(map[tenant.ID]string, len(tenants))
	for _, t := range tenants {
		slugs[t.ID] = t.Slug
	}
	by := make(map[string]Customer, 2*len(all))
	for _, c := range all {
		c.Slug = slugs[c.Tenant]
		by[c.Slug], by[string(c.Tenant)] = c, c
	}
	return by, nil
}
