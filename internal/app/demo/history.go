package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/billing"
	"github.com/arcadia-cloud/arcadia/internal/metering"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

// historyFile says when the demonstration began, and whether its history is made.
const historyFile = "history.json"

// months is how many whole months of business lie before the demonstration's first.
const months = 3

// A History is the business that the demonstration had before it began: tenants who
// became customers, what they used, invoices that billing runs issued, and what was
// paid of them. All of it is done by the verbs that people and schedules use, each at
// its day; it is the same for everybody who begins on the same day.
type History struct {
	Tenants  *tenant.Service
	Metering *metering.Service
	Bills    *billing.Service
	Dir      string // of the demonstration
	Log      *slog.Logger

	made atomic.Bool
}

// Made reports whether the history is whole. Until then nobody else may bill: what is
// due at its days would be issued today.
func (h *History) Made() bool { return h.made.Load() }

// An era is what the history's file says.
type era struct {
	BeganAt time.Time `json:"began_at"`
	Made    bool      `json:"made"`
}

// Run makes the history, or what is left of it to make: it may be cut off anywhere. It
// returns once the history is there. Where that cannot be, the demonstration goes on
// without.
func (h *History) Run(ctx context.Context) error {
	begun := time.Now()
	if err := h.make(ctx, begun); err != nil {
		if ctx.Err() == nil {
			h.Log.WarnContext(ctx, "the demonstration's history could not be made", "err", err)
		}
		return nil
	}
	h.made.Store(true)
	h.Log.DebugContext(ctx, "the demonstration has its history", "took", time.Since(begun))
	return nil
}

func (h *History) make(ctx context.Context, now time.Time) error {
	name := filepath.Join(h.Dir, historyFile)
	e := era{BeganAt: now.UTC().Truncate(time.Second)}
	text, err := os.ReadFile(name) //nolint:gosec // a file of our own directory
	switch {
	case err == nil:
		if err := json.Unmarshal(text, &e); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	case errors.Is(err, fs.ErrNotExist):
		if err := e.keep(name); err != nil {
			return err
		}
	default:
		return err
	}
	if e.Made {
		return nil
	}
	for _, s := range h.steps(e.BeganAt) {
		if err := s.do(ctx, s.at); err != nil {
			return fmt.Errorf("%s: %w", s.at.Format(time.DateTime), err)
		}
	}
	e.Made = true
	return e.keep(name)
}

func (e era) keep(name string) error {
	text, err := json.Marshal(e)
	if err != nil {
		return err
	}
	return os.WriteFile(name, append(text, '\n'), 0o600)
}

// A step is a thing that somebody did at an instant. Done again it changes nothing.
type step struct {
	at time.Time
	do func(ctx context.Context, at time.Time) error
}

// steps are the history of a demonstration that began at an instant, in its order.
func (h *History) steps(began time.Time) []step {
	first := time.Date(began.Year(), began.Month()-months, 1, 0, 0, 0, 0, time.UTC)
	yesterday := time.Date(began.Year(), began.Month(), began.Day()-1, 0, 0, 0, 0, time.UTC)
	var all []step
	do := func(at time.Time, what func(context.Context, time.Time) error) {
		if at.Before(began) {
			all = append(all, step{at, what})
		}
	}
	do(first.AddDate(0, 0, -3), h.open)
	for _, c := range customers {
		order := billing.Order{Tenant: c.slug, Plan: c.plan, Coupons: c.coupons, From: first.Format(time.DateOnly), By: Actor}
		if c.anniversary { // its last period ended yesterday, so that it has a draft
			order.From, order.AnchorDay = yesterday.AddDate(0, -months, 0).Format(time.DateOnly), yesterday.Day()
		}
		do(first.AddDate(0, 0, -2), func(ctx context.Context, at time.Time) error { return h.subscribe(ctx, order, at) })
	}
	for day := first; day.Before(began); day = day.AddDate(0, 0, 1) {
		// The usage of a day is told at its end, at once.
		do(earlier(day.AddDate(0, 0, 1), began.Add(-time.Second)), func(ctx context.Context, at time.Time) error { return h.use(ctx, first, day, at) })
		if day.Day() <= 3 || slices.Contains([]int{yesterday.Day(), yesterday.Day() + 1, yesterday.Day() + 2}, day.Day()) {
			do(day.Add(6*time.Hour), h.bill)
		}
	}
	on := func(month, day, hour int) time.Time {
		return first.AddDate(0, month, day-1).Add(time.Duration(hour) * time.Hour)
	}
	for n := range months + 1 {
		do(on(n, 13, 9), h.pays("fjord-energy", "harbor-health", "juniper-schools", "granite-legal", "atlas-freight", "kestrel-media"))
		if n < months-1 {
			do(on(n, 14, 10), h.pays("bluefin-foods", "cobalt-labs", "lumen-analytics"))
		}
	}
	do(on(1, 5, 8), h.late)
	do(on(1, 20, 15), h.upgrade)
	do(on(1, 21, 14), h.credit)
	do(on(1, 22, 11), h.cancel)
	do(on(2, 15, 11), h.paysPart)
	do(on(2, 15, 12), h.paysMore)
	do(on(2, 16, 11), h.paysRest)
	do(on(3, 14, 11), h.paysRest)
	slices.SortStableFunc(all, func(a, b step) int { return a.at.Compare(b.at) })
	return append(all, step{began, h.bill})
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
