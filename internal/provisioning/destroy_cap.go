package provisioning

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// A DestroyCap bounds how many different things are destroyed, or have their disk
// written over, before somebody looks: what a fault in a saga, or a slip of a hand, can
// cost. To destroy the same thing again does not count. Fields that are 0 take their
// defaults.
type DestroyCap struct {
	Operation int // by one saga; default 50
	Hour      int // in an account within an hour; default 200
	Day       int // in an account within a day; default 1000
	Percent   int // of an account's resources within a day; default 25. It counts from PercentFrom things on
}

// PercentFrom is how much may be destroyed in a day whatever part of the account it
// is: an account with two stacks could tear down none.
const PercentFrom = 50

// WithDefaults fills in the defaults.
func (c DestroyCap) WithDefaults() DestroyCap {
	for _, one := range []struct {
		at *int
		is int
	}{{&c.Operation, 50}, {&c.Hour, 200}, {&c.Day, 1000}, {&c.Percent, 25}} {
		if *one.at <= 0 {
			*one.at = one.is
		}
	}
	return c
}

// Destroys notes in the database that a saga is about to destroy a thing, so that no
// restart forgets it. It answers fault.Forbidden where a cap is reached, and
// fault.Conflict where the thing is protected. The write guard asks it directly before
// the request. What is temporary counts for no cap. size counts an account's resources, and
// answers 0 where they are not known.
func Destroys(ctx context.Context, d *db.DB, most DestroyCap, size func(ctx context.Context, account string) (int, error), what digitalocean.Destruction, at time.Time) error {
	most = most.WithDefaults()
	resources, err := size(ctx, what.Account)
	if err != nil {
		return err
	}
	return d.Write(ctx, func(tx *sql.Tx) error {
		if err := targetProtected(ctx, tx, what.Target); err != nil || what.Temporary {
			return err
		}
		was, err := destroyed(ctx, tx, what, at)
		if err != nil || was.again {
			return err
		}
		of, hour, day := was.bySaga, was.hour, was.day
		switch {
		case of >= most.Operation:
			return fault.New(fault.Forbidden, "Saga %s has destroyed %d things, which is the cap of one operation. Look at it; to let it go on, raise ARCADIA_DESTROY_CAP_OPERATION and retry it.", what.Saga, of)
		case hour >= most.Hour:
			return fault.Wrap(fault.Forbidden, capReached{until: was.hourFrom.Add(time.Hour)}, "%d things of account %s were destroyed within an hour, which is its cap. Look at what does that; then wait, or raise ARCADIA_DESTROY_CAP_HOUR, and retry.", hour, what.Account)
		case day >= most.Day:
			return fault.Wrap(fault.Forbidden, capReached{until: was.dayFrom.Add(24 * time.Hour)}, "%d things of account %s were destroyed within a day, which is its cap. Look at what does that; then wait, or raise ARCADIA_DESTROY_CAP_DAY, and retry.", day, what.Account)
		case day >= PercentFrom && resources > 0 && (day+1)*100 > most.Percent*(resources+day):
			return fault.Wrap(fault.Forbidden, capReached{until: was.dayFrom.Add(24 * time.Hour)}, "%d of the %d things that account %s had were destroyed within a day, and %d%% is its cap. Look at what does that; then wait, or raise ARCADIA_DESTROY_CAP_PERCENT, and retry.",
				day, resources+day, what.Account, most.Percent)
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM destructions WHERE account = $1 AND at < $2`, what.Account, db.Micros(at.Add(-30*24*time.Hour))); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO destructions (account, saga_id, target, at) VALUES ($1, $2, $3, $4)`, what.Account, what.Saga, what.Target, db.Micros(at))
		return err
	})
}

// capReached is that an account may destroy no more until a time, when the first of what
// counts does so no longer.
type capReached struct{ until time.Time }

func (c capReached) Error() string { return "nothing more is destroyed until " + minute(c.until) }

// untilCap has a step wait until the cap of its account lets it destroy something again.
// For what goes by the clock, and nobody looks at, that is no failure. The cap of one
// operation is.
func untilCap(err error) error {
	if reached, ok := errors.AsType[capReached](err); ok {
		return saga.Wait(reached.until.Add(time.Second), "%s", fault.Message(err))
	}
	return err
}

// A destruction is what was destroyed until now.
type destruction struct {
	bySaga, hour, day int       // by the saga, and in its account within an hour and a day
	hourFrom, dayFrom time.Time // when the first of these was
	again             bool      // the saga was let go to destroy the thing before
}

func destroyed(ctx context.Context, q db.Queryer, what digitalocean.Destruction, at time.Time) (d destruction, err error) {
	var same int
	var hourFrom, dayFrom db.NullTime
	err = q.QueryRowContext(ctx, `SELECT
		(SELECT COUNT(*) FROM destructions WHERE saga_id = $1),
		(SELECT COUNT(DISTINCT target) FROM destructions WHERE account = $2 AND at > $3), (SELECT MIN(at) FROM destructions WHERE account = $2 AND at > $3),
		(SELECT COUNT(DISTINCT target) FROM destructions WHERE account = $2 AND at > $4), (SELECT MIN(at) FROM destructions WHERE account = $2 AND at > $4),
		(SELECT COUNT(*) FROM destructions WHERE saga_id = $1 AND target = $5)`,
		what.Saga, what.Account, db.Micros(at.Add(-time.Hour)), db.Micros(at.Add(-24*time.Hour)), what.Target,
	).Scan(&d.bySaga, &d.hour, &hourFrom, &d.day, &dayFrom, &same)
	d.hourFrom, d.dayFrom, d.again = hourFrom.Time, dayFrom.Time, same > 0
	return d, err
}

// withinCaps answers fault.Unprocessable for a plan that would destroy more than one
// operation may.
func (s *Service) withinCaps(p Plan) error {
	most := s.steps.set.Destroys.WithDefaults().Operation
	if n := len(p.Destroys()); n > most {
		return fault.New(fault.Unprocessable, "It would destroy %d things, and one operation may destroy %d. If that is right, raise ARCADIA_DESTROY_CAP_OPERATION.", n, most)
	}
	return nil
}
