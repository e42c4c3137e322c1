package billing

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/fault"
)

// A Request is one that may come again, as where its answer was lost on the way, and is
// done once.
type Request struct {
	Key    string // that whoever asks gave it
	Digest string // of all that is asked
}

// RequestsKept is for how long a request that comes again is known: it is done anew
// after that.
const RequestsKept = 30 * 24 * time.Hour

type requestKey struct{}

// WithRequest has what is asked with the context be done as one request: a second one of
// its key is refused with [ErrDone].
func WithRequest(ctx context.Context, r Request) context.Context {
	return context.WithValue(ctx, requestKey{}, r)
}

// ErrDone refuses a request that was done before, or beside it.
var ErrDone = fault.New(fault.Conflict, "The request with this key was done, and what was answered is not known. Look at what came of it before you ask with another key.")

// claimRequest notes the context's request, if it is one, in the transaction that does
// what is asked: where that is rolled back, it may be asked again.
func claimRequest(ctx context.Context, tx *sql.Tx, at time.Time) error {
	r, asked := ctx.Value(requestKey{}).(Request)
	if !asked {
		return nil
	}
	done, err := tx.ExecContext(ctx, `INSERT INTO billing_requests (key, digest, done_at) VALUES ($1, $2, $3) ON CONFLICT (key) DO NOTHING`, r.Key, r.Digest, db.Micros(at))
	if err != nil {
		return err
	}
	if n, err := done.RowsAffected(); err != nil || n == 1 {
		return err
	}
	return ErrDone
}

// Answered is what was answered to a request, JSON; nil where it was not done yet. It
// answers fault.Unprocessable where the key is of another request, and [ErrDone] where
// the process ended before the answer was kept.
func (s *Service) Answered(ctx context.Context, r Request) ([]byte, error) {
	var digest string
	var answer sql.NullString
	err := s.db.Read().QueryRowContext(ctx, `SELECT digest, answer FROM billing_requests WHERE key = $1`, r.Key).Scan(&digest, &answer)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, nil
	case err != nil:
		return nil, err
	case digest != r.Digest:
		return nil, fault.New(fault.Unprocessable, "The key %q was used for another request. Use a new key.", cut(r.Key))
	case !answer.Valid:
		return nil, ErrDone
	}
	return []byte(answer.String), nil
}

// KeepAnswer keeps what was answered to a request that was done; of one that changed
// nothing nothing is kept.
func (s *Service) KeepAnswer(ctx context.Context, r Request, answer []byte) error {
	return s.db.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE billing_requests SET answer = $2 WHERE key = $1 AND digest = $3 AND answer IS NULL`, r.Key, string(answer), r.Digest)
		return err
	})
}

// ForgetRequests forgets the requests that are older than [RequestsKept], and answers how
// many there were.
func (s *Service) ForgetRequests(ctx context.Context, now time.Time) (forgotten int64, err error) {
	err = s.db.Write(ctx, func(tx *sql.Tx) error {
		gone, err := tx.ExecContext(ctx, `DELETE FROM billing_requests WHERE done_at < $1`, db.Micros(now.Add(-RequestsKept)))
		if err != nil {
			return err
		}
		forgotten, err = gone.RowsAffected()
		return err
	})
	return forgotten, err
}
