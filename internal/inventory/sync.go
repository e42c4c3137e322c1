package inventory

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/id"
)

const (
	kindsAtOnce = 4                // of one account
	runLease    = 30 * time.Second // of who carries a run out
	runBeat     = 10 * time.Second
	runPoll     = 500 * time.Millisecond
)

// every is how often a tier is listed. A try counts, also one that failed.
var every = map[Tier]time.Duration{Hot: time.Minute, Warm: 15 * time.Minute, Daily: 24 * time.Hour}

// Serve carries out syncs until ctx is done, one at a time for each account.
func (s *Service) Serve(ctx context.Context) error {
	var running sync.WaitGroup
	defer running.Wait()
	look := time.NewTicker(runPoll)
	defer look.Stop()
	for {
		r, ok, err := s.claim(ctx)
		switch {
		case err != nil && ctx.Err() == nil:
			s.log.ErrorContext(ctx, "inventory: syncs could not be looked for", "err", err)
		case ok:
			running.Go(func() { s.carryOut(ctx, r) })
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-s.awake:
		case <-look.C:
		}
	}
}

func (s *Service) wake() {
	select {
	case s.awake <- struct{}{}:
	default:
	}
}

// A claimed run is ours until its lease is over.
type claimed struct {
	Run
	owner  string
	within bool // another run, which takes long
}

// claim takes the oldest run that nobody carries out, of an account of which no
// other is carried out. A run whose process died is taken up by another.
func (s *Service) claim(ctx context.Context) (r claimed, ok bool, err error) {
	var open bool
	err = s.db.Read().QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM inv_runs WHERE finished_at IS NULL)`).Scan(&open)
	if err != nil || !open {
		return r, false, err
	}
	r.owner = id.New("owner")
	err = s.db.Write(ctx, func(tx *sql.Tx) error {
		ok = false
		run, err := scanRun(tx.QueryRowContext(ctx, `UPDATE inv_runs SET lease_owner = $1, lease_until = `+db.Now+` + $2,
				started_at = COALESCE(started_at, $3)
			WHERE id = (SELECT id FROM inv_runs r WHERE finished_at IS NULL AND (lease_until IS NULL OR lease_until < `+db.Now+`)
				AND NOT EXISTS (SELECT 1 FROM inv_runs o WHERE o.account = r.account AND o.id <> r.id AND o.finished_at IS NULL AND o.lease_until >= `+db.Now+`)
				ORDER BY created_at, id LIMIT 1)
			RETURNING `+runColumns, r.owner, runLease.Microseconds(), db.Micros(time.Now())))
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		r.Run, ok = run, err == nil
		return err
	})
	return r, ok && err == nil, err
}

// carryOut lists what a run asks for, and ends it. When the process is to stop, or
// the lease was lost, the run stays open: somebody else takes it up, and lists
// what has not been listed yet.
func (s *Service) carryOut(ctx context.Context, r claimed) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var beating sync.WaitGroup
	beating.Go(func() { s.beat(ctx, cancel, r) })
	defer beating.Wait()
	defer cancel()

	err := s.fillRun(ctx, &r.Run)
	if err == nil {
		err = s.listAll(ctx, r)
	}
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		s.log.WarnContext(ctx, "inventory: a sync ended early", "run", r.ID, "account", r.Account, "err", err)
	}
	err = s.db.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE inv_runs SET finished_at = $1, error = $2, lease_owner = NULL, lease_until = NULL WHERE id = $3 AND lease_owner = $4`,
			db.Micros(time.Now()), nullWord(sentence(err)), r.ID, r.owner)
		return err
	})
	if err != nil && ctx.Err() == nil {
		s.log.ErrorContext(ctx, "inventory: the end of a sync could not be written", "run", r.ID, "err", err)
	}
	s.mu.Lock()
	delete(s.live, r.ID)
	s.mu.Unlock()
}

// beat renews the lease of a run, and stops whoever carries it out when that fails.
func (s *Service) beat(ctx context.Context, lost func(), r claimed) {
	tick := time.NewTicker(runBeat)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		var renewed bool
		err := s.db.Write(ctx, func(tx *sql.Tx) error {
			res, err := tx.ExecContext(ctx, `UPDATE inv_runs SET lease_until = `+db.Now+` + $1 WHERE id = $2 AND lease_owner = $3 AND lease_until >= `+db.Now,
				runLease.Microseconds(), r.ID, r.owner)
			if err != nil {
				return err
			}
			n, err := res.RowsAffected()
			renewed = n == 1
			return err
		})
		if err == nil && !renewed {
			lost()
			return
		}
	}
}

// listAll lists the kinds of a run that were not listed yet: first what DigitalOcean
// did, which explains what changed; then the plans of backups, which decide what
// droplets cost; then what stands alone, several kinds at once; then what hangs on
// something else.
func (s *Service) listAll(ctx context.Context, r claimed) error {
	c, err := s.settings.Client(ctx, r.Account)
	if err != nil {
		return err
	}
	if err := s.claimAccount(ctx, c, r.Account); err != nil {
		return err
	}
	if err := s.reprice(ctx); err != nil {
		return err
	}
	var before, alone, under []task
	for _, g := range r.Kinds {
		switch k := KindNamed(g.Kind); {
		case !g.EndedAt.IsZero(): // by who had the run before us
		case g.Kind == ActionKind:
			if err := s.listActions(ctx, c, r); err != nil {
				return err
			}
		case k == nil: // a kind of another version of this program
		case k == backupPolicy: // droplets say what is in it
			before = append(before, task{kind: k})
		case k.Parent == "":
			alone = append(alone, task{kind: k})
		default:
			under = append(under, task{kind: k})
		}
	}
	if _, err := s.listTogether(ctx, c, r, before); err != nil {
		return err
	}
	changed, err := s.listTogether(ctx, c, r, alone)
	if err != nil {
		return err
	}
	hinted, err := s.hints(ctx, r.Account, changed, under)
	if err != nil {
		return err
	}
	if err := s.extend(ctx, r, hinted); err != nil {
		return err
	}
	if len(under) > 0 && !r.within {
		// Looking under hundreds of parents takes minutes: what is known already is
		// told first, and what is hot is looked at again meanwhile.
		if err := s.conclude(ctx, c, r.Account); err != nil {
			return err
		}
		defer s.meanwhile(ctx, r.Account)()
	}
	if _, err = s.listTogether(ctx, c, r, append(under, hinted...)); err != nil {
		return err
	}
	return s.conclude(ctx, c, r.Account)
}

// claimAccount asks once whose a token is: one team under two names would have each
// of its resources twice, or move it to and fro.
func (s *Service) claimAccount(ctx context.Context, c *digitalocean.Client, account string) error {
	s.mu.Lock()
	known := s.owned[account] == c
	s.mu.Unlock()
	if known || s.settings.Claim == nil {
		return nil
	}
	owner, err := c.Account(ctx)
	if _, foreign := errors.AsType[*digitalocean.Error](err); foreign && ctx.Err() == nil {
		return nil // the lists will say what is wrong; the next run asks again
	}
	if err == nil {
		err = s.settings.Claim(ctx, account, owner)
	}
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.owned[account] = c
	return nil
}

// meanwhile looks at the hot kinds of an account each minute, in runs of their own,
// until it is told to stop.
func (s *Service) meanwhile(ctx context.Context, account string) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var looking sync.WaitGroup
	looking.Go(func() {
		tick := time.NewTicker(every[Hot])
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if err := s.lookAtHot(ctx, account); err != nil && ctx.Err() == nil {
				s.log.WarnContext(ctx, "inventory: the hot kinds could not be listed beside a long sync", "account", account, "err", err)
			}
		}
	})
	return func() {
		cancel()
		looking.Wait()
	}
}

// lookAtHot carries a run of the hot kinds out.
func (s *Service) lookAtHot(ctx context.Context, account string) error {
	hot := slices.DeleteFunc(inOrder(nil), func(name string) bool {
		k := KindNamed(name)
		return name != ActionKind && (k.Tier != Hot || k.Parent != "")
	})
	r := claimed{within: true, owner: id.New("owner"), Run: newRun(account, "schedule", hot)}
	err := s.db.Write(ctx, func(tx *sql.Tx) error {
		if err := insertRun(ctx, tx, r.Run); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `UPDATE inv_runs SET lease_owner = $1, lease_until = `+db.Now+` + $2, started_at = $3 WHERE id = $4`,
			r.owner, runLease.Microseconds(), db.Micros(r.CreatedAt), r.ID)
		return err
	})
	if err == nil {
		s.carryOut(ctx, r)
	}
	return err
}

// A task is a kind to be listed: under all its parents, or under some alone.
type task struct {
	kind  *Kind
	under []string // ids of parents; nil: all
}

// hints are what hangs on something that has just changed and is not about to be
// listed anyway: the records of a domain that changed, and the default project's
// members where there is something new that a project can have. The other
// parents are left to the tier: an account may have hundreds.
func (s *Service) hints(ctx context.Context, account string, changed map[*Kind]Generation, under []task) (hinted []task, err error) {
	for _, k := range kinds {
		if k.Parent == "" || slices.ContainsFunc(under, func(t task) bool { return t.kind == k }) {
			continue
		}
		t := task{kind: k}
		for c, g := range changed {
			switch {
			case c.Name == k.Parent:
				t.under = append(t.under, g.touched...)
			case k == projectResource && c.Project != "" && g.Created > 0:
				ids, err := s.defaultProject(ctx, account)
				if err != nil {
					return nil, err
				}
				t.under = append(t.under, ids...)
			}
		}
		if slices.Sort(t.under); len(t.under) > 0 {
			t.under = slices.Compact(t.under)
			hinted = append(hinted, t)
		}
	}
	return hinted, nil
}

// defaultProject is the id of the project that takes what names none; none before the
// projects were listed.
func (s *Service) defaultProject(ctx context.Context, account string) ([]string, error) {
	var id string
	err := s.db.Read().QueryRowContext(ctx, `SELECT id FROM inv_versions WHERE kind = $1 AND account = $2 AND until IS NULL AND NOT gone AND size = 'default'`,
		project.Name, account).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return []string{id}, err
}

// extend adds kinds to a run.
func (s *Service) extend(ctx context.Context, r claimed, more []task) error {
	if len(more) == 0 {
		return nil
	}
	var names []string
	for _, g := range r.Kinds {
		names = append(names, g.Kind)
	}
	for _, t := range more {
		names = append(names, t.kind.Name)
	}
	return s.db.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE inv_runs SET kinds = $1 WHERE id = $2 AND lease_owner = $3`, db.JSON[[]string]{V: names}, r.ID, r.owner)
		return err
	})
}

// listTogether lists kinds, several at once. The error is one of ours: what
// DigitalOcean refuses is in the kinds' results.
func (s *Service) listTogether(ctx context.Context, c *digitalocean.Client, r claimed, all []task) (changed map[*Kind]Generation, failed error) {
	var (
		listing sync.WaitGroup
		mu      sync.Mutex
		turns   = make(chan task)
	)
	changed = map[*Kind]Generation{}
	for range min(kindsAtOnce, len(all)) {
		listing.Go(func() {
			for t := range turns {
				g, err := s.list(ctx, c, r, t)
				mu.Lock()
				if err != nil {
					failed = errors.Join(failed, fmt.Errorf("%s: %w", t.kind.Name, err))
				}
				if g.Created+g.Updated+g.Deleted+len(g.touched) > 0 {
					changed[t.kind] = g
				}
				mu.Unlock()
			}
		})
	}
	for _, t := range all {
		turns <- t
	}
	close(turns)
	listing.Wait()
	return changed, failed
}

// list lists one kind and applies what it finds.
func (s *Service) list(ctx context.Context, c *digitalocean.Client, r claimed, t task) (Generation, error) {
	k := t.kind
	g, ctx, done := s.begin(ctx, r, k.Name)
	defer done()
	read, err := s.read(ctx, c, r.Account, t, func(items, total int) { s.progress(g, items, total) })
	if err != nil {
		return g.Generation, err
	}
	if k == droplet {
		if err := s.addPlans(ctx, r.Account, read.items); err != nil {
			return g.Generation, err
		}
	}
	g.BeganAt, g.State, g.Resources, g.Problem = read.began, read.state(), len(read.items), sentence(read.problem)
	g.partly = t.under != nil
	if g.State == Complete {
		g.AsOf = read.at
	}
	g.Requests, g.EndedAt = g.requests(), time.Now()
	g.touched = s.hintedBy(k, read.items)
	err = s.apply(ctx, c, r.Account, k, read, &g.Generation)
	if errors.Is(err, errSuperseded) {
		s.log.InfoContext(ctx, "inventory: a list came too late", "account", r.Account, "kind", k.Name)
		return g.Generation, nil
	}
	return g.Generation, err
}

// hintedBy are the ids of the resources whose hint is another than the last time that
// this process saw it.
func (s *Service) hintedBy(k *Kind, items []found) (ids []string) {
	if k.Hint == "" {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range items {
		sum := sha256.Sum256([]byte(f.hint))
		now := string(sum[:8])
		if last, known := s.hinted[f.urn]; known && last != now {
			ids = append(ids, f.id)
		}
		s.hinted[f.urn] = now
	}
	return ids
}

// listActions reads what DigitalOcean did. A token that may not is no failure: causes
// are less exact without it.
func (s *Service) listActions(ctx context.Context, c *digitalocean.Client, r claimed) error {
	g, ctx, done := s.begin(ctx, r, ActionKind)
	defer done()
	read := reading{began: time.Now(), complete: true, lists: 1}
	if err := s.pullActions(ctx, c, r.Account, s.Now(r.Account)); err != nil {
		if _, foreign := errors.AsType[*digitalocean.Error](err); !foreign || ctx.Err() != nil {
			return err
		}
		read.complete, read.lists, read.problem = false, 0, err
	}
	g.BeganAt, g.State, g.Problem = read.began, read.state(), sentence(read.problem)
	if read.complete {
		g.AsOf = s.Now(r.Account)
	}
	g.Requests, g.EndedAt = g.requests(), time.Now()
	return s.db.Write(ctx, func(tx *sql.Tx) error { return writeGeneration(ctx, tx, g.Generation) })
}

// A listing is a generation under way.
type listing struct {
	Generation

	mu   sync.Mutex
	sent int
}

func (l *listing) requests() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sent
}

// begin notes that a kind is being listed, and has its requests counted.
func (s *Service) begin(ctx context.Context, r claimed, kind string) (*listing, context.Context, func()) {
	l := &listing{Generation: Generation{Run: r.ID, Account: r.Account, Kind: kind, State: Running, BeganAt: time.Now()}}
	ctx = digitalocean.WithObserver(ctx, func(c digitalocean.Call) {
		if c.Unsent {
			return
		}
		l.mu.Lock()
		l.sent++
		l.mu.Unlock()
		s.mu.Lock()
		defer s.mu.Unlock()
		if live, ok := s.live[r.ID][kind]; ok {
			live.Requests++
			s.live[r.ID][kind] = live
		}
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.live[r.ID] == nil {
		s.live[r.ID] = map[string]Generation{}
	}
	s.live[r.ID][kind] = l.Generation
	return l, ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.live[r.ID], kind)
	}
}

// progress notes how far a listing is.
func (s *Service) progress(l *listing, items, total int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	live, ok := s.live[l.Run][l.Kind]
	if !ok {
		return
	}
	live.Items, live.Total = items, total
	s.live[l.Run][l.Kind] = live
}

// Schedule asks for a sync of every account of which some kinds are due, unless one
// is under way or waiting already, and ends the observation of accounts that were
// removed.
func (s *Service) Schedule(ctx context.Context) error {
	accounts, err := s.settings.Accounts(ctx)
	if err != nil {
		return err
	}
	failed := []error{s.leaveRemoved(ctx)}
	for _, account := range accounts {
		due, err := s.due(ctx, account)
		if err == nil && len(due) > 0 {
			_, err = s.StartSync(ctx, account, due, "schedule")
		}
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}

// due are the kinds of an account that were not tried for as long as their tier
// allows; none while a run is open.
func (s *Service) due(ctx context.Context, account string) ([]string, error) {
	var open bool
	err := s.db.Read().QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM inv_runs WHERE account = $1 AND finished_at IS NULL)`, account).Scan(&open)
	if err != nil || open {
		return nil, err
	}
	fresh, err := s.Freshness(ctx, account)
	if err != nil {
		return nil, err
	}
	tried := map[string]time.Time{}
	for _, f := range fresh {
		tried[f.Kind] = f.TriedAt
	}
	due := []string{}
	for _, name := range inOrder(nil) {
		tier := Hot
		if k := KindNamed(name); k != nil {
			tier = k.Tier
		}
		// The schedule comes every minute, a little sooner or later.
		if time.Since(tried[name]) >= every[tier]-every[Hot]/2 {
			due = append(due, name)
		}
	}
	return due, nil
}
