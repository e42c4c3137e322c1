package provisioning

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/inventory"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// The time between the marking of an orphan and its end.
const (
	usualWait   = 7 * 24 * time.Hour
	longestWait = 90 * 24 * time.Hour
)

var cleanupOperation = Operation{
	Verb: CleanUp, Kind: CleanupOrphansKind, Help: "Delete what nobody has, after a time in which somebody may use it.",
	Options: []Option{
		{Name: "wait", Type: TextOption, Default: "168h", Help: "How long a thing stays marked before it is deleted, like 24h."},
		{Name: "only", Type: TextOption, Most: 4000, Help: "URNs, with commas between; empty: everything that nobody has."},
	},
	draw: (*Service).drawCleanup,
}

func (s *Service) drawCleanup(ctx context.Context, r PlanRequest, d *drawn) error {
	account := cmp.Or(r.Account, s.steps.set.Account)
	d.Plan = Plan{Verb: CleanUp, Name: account, Account: account, Read: map[string]string{}}
	wait, err := time.ParseDuration(cmp.Or(r.Options["wait"], usualWait.String()))
	if err != nil || wait < s.steps.set.Horizon || wait > longestWait {
		return fault.New(fault.Invalid, "`wait` is a time from %s, for so long lists may be old, to %s, like 168h, not %q.", s.steps.set.Horizon, longestWait, clip(r.Options["wait"]))
	}
	found, passed, err := s.orphans(ctx, account, time.Now())
	if err != nil {
		return err
	}
	if found, err = chosenOrphans(found, passed, r.Options["only"]); err != nil {
		return err
	}
	if len(found) == 0 {
		return fault.New(fault.Unprocessable, "Account %s has nothing that is nobody's.", account)
	}
	var calls []string
	for _, o := range found {
		change := Change{Action: "destroy", Key: o.Kind + "." + o.ID, Kind: o.Kind, Name: o.Name, URN: o.URN, Detail: o.Evidence}
		if o.Monthly == nil {
			d.Unpriced = append(d.Unpriced, o.URN)
		} else {
			d.Before += *o.Monthly
			change.Monthly = new(-*o.Monthly)
		}
		d.Changes = append(d.Changes, change)
		d.Read[o.URN] = o.Reason + "; " + o.Is
		calls = append(calls, deletions[o.Kind])
	}
	d.Warnings = append(d.Warnings,
		fmt.Sprintf("Nothing is deleted before %s have passed since it was applied. What is used, attached, changed, tagged %s, kept or adopted until then is spared.", days(wait), KeepTag),
		"What is deleted is gone for good: of volumes and snapshots no copy is made, and somebody else may get an address next.")
	if len(passed) > 0 {
		d.Warnings = append(d.Warnings, fmt.Sprintf("%d more that look like nobody's are spared: %s.", len(passed), shortly(passed)))
	}
	d.Steps = planned(s.steps.cleanupOrphans(), map[string][]string{waitForUseStep: nil, deleteOrphansStep: calls})
	d.input = func(of PlanID) any { return Cleanup{Account: account, Plan: of, Wait: wait, Orphans: found} }
	d.begin = func(ctx context.Context, tx *sql.Tx, of saga.ID, at time.Time) error {
		return insertMarks(ctx, tx, account, found, of, at, at.Add(wait))
	}
	return nil
}

// deletions are the requests that delete orphans, by kind.
var deletions = map[string]string{
	"volume": "DELETE /v2/volumes/{id}", "reserved_ip": "DELETE /v2/reserved_ips/{ip}", "snapshot": "DELETE /v2/snapshots/{id}", "droplet": "DELETE /v2/droplets/{id}",
}

// shortly are the first few things that are spared, with why.
func shortly(passed map[string]string) string {
	var parts []string
	for urn, why := range passed {
		parts = append(parts, urn+" ("+why+")")
	}
	slices.Sort(parts)
	if len(parts) > 5 {
		parts = append(parts[:5], "…")
	}
	return strings.Join(parts, "; ")
}

// chosenOrphans are those that are named, or all where none is.
func chosenOrphans(found []Orphan, passed map[string]string, only string) (chosen []Orphan, err error) {
	names := namesIn(only)
	if len(names) == 0 {
		return found, nil
	}
	for _, name := range names {
		i := slices.IndexFunc(found, func(o Orphan) bool { return o.URN == name })
		switch {
		case i >= 0 && !slices.ContainsFunc(chosen, func(o Orphan) bool { return o.URN == name }):
			chosen = append(chosen, found[i])
		case i < 0 && passed[name] != "":
			return nil, fault.New(fault.Conflict, "%s is not deleted: %s.", name, passed[name])
		case i < 0:
			return nil, fault.New(fault.NotFound, "The account has no %s that is nobody's. See: arcadia cleanup plan", clip(name))
		}
	}
	return chosen, nil
}

// orphans are the things of an account that nobody has, the dearest first, and those that
// look so at first and are spared, by URN with why.
func (s *Service) orphans(ctx context.Context, account string, at time.Time) (found []Orphan, passed map[string]string, err error) {
	if s.inventory == nil {
		return nil, nil, errNoInventory
	}
	c, err := s.steps.cloud(ctx, account)
	if err != nil {
		return nil, nil, err
	}
	has, err := readHoldings(ctx, c)
	if err != nil {
		return nil, nil, err
	}
	passed = map[string]string{}
	suspects := map[string]Orphan{}
	for rule, kind := range orphaning {
		all, err := s.inventory.Findings(ctx, inventory.FindingFilter{Account: account, Rule: rule})
		if err != nil {
			return nil, nil, err
		}
		for _, f := range all {
			if one, there := has[f.URN]; there && one.kind == kind {
				suspects[f.URN] = Orphan{URN: f.URN, Reason: string(rule), Evidence: f.Says}
			}
		}
	}
	for urn, one := range has {
		from, err := s.provenance(ctx, one, at)
		if err != nil {
			return nil, nil, err
		}
		_, suspected := suspects[urn]
		switch {
		case from.owned != "" && suspected:
			passed[urn] = from.owned
			delete(suspects, urn)
		case from.left != "":
			suspects[urn] = Orphan{URN: urn, Reason: leftover, Evidence: from.left, Tenant: from.tenant}
		}
	}
	if len(suspects) == 0 {
		return nil, passed, nil
	}
	return s.judge(ctx, account, has, suspects, passed)
}

// judge keeps those suspects that are used by nothing and nobody's.
func (s *Service) judge(ctx context.Context, account string, has holdings, suspects map[string]Orphan, passed map[string]string) (found []Orphan, _ map[string]string, err error) {
	var urns []string
	for urn := range suspects {
		urns = append(urns, urn)
	}
	slices.Sort(urns)
	claims, err := s.readClaims(ctx, account, urns)
	if err != nil {
		return nil, nil, err
	}
	marked, err := s.Marks(ctx, account, false)
	if err != nil {
		return nil, nil, err
	}
	for _, m := range marked {
		passed[m.URN] = fmt.Sprintf("saga %s has marked it", m.Saga)
	}
	for _, urn := range urns {
		o, one := suspects[urn], has[urn]
		o.Kind, o.ID, o.Name, o.Is = one.kind, one.id, one.name, one.is
		if is, known := claims.is[urn]; known {
			o.Monthly, o.Version = is.Monthly, is.Version
		}
		why := passed[urn]
		if why == "" {
			why = has.spares(o, one)
		}
		if why == "" {
			if why, err = s.claim(ctx, &claims, o); err != nil {
				return nil, nil, err
			}
		}
		if why != "" {
			// Most things that carry a marker are simply a stack's: nobody took them for orphans.
			if o.Reason != leftover || claims.stacks[urn] == "" && claims.backups[one.id] == "" {
				passed[urn] = why
			}
			continue
		}
		found = append(found, o)
	}
	slices.SortStableFunc(found, func(a, b Orphan) int { return cmp.Or(-cmp.Compare(worth(a), worth(b)), strings.Compare(a.URN, b.URN)) })
	return found, passed, nil
}

// worth is what an orphan is known to cost a month.
func worth(o Orphan) int64 {
	if o.Monthly == nil {
		return 0
	}
	return *o.Monthly
}

// days says how long a wait is: in days where these are whole.
func days(wait time.Duration) string {
	switch n := wait / (24 * time.Hour); {
	case n == 0 || wait%(24*time.Hour) != 0:
		return wait.String()
	case n == 1:
		return "1 day"
	default:
		return fmt.Sprintf("%d days", n)
	}
}
