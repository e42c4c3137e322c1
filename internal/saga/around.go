package saga

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
)

// maxAround is how many sagas Around looks at: of more than that in one window
// nobody can say which did what.
const maxAround = 2000

// Around lists the sagas that were open at some time between from and to, with
// their subjects and steps: whoever sees a change at a cloud asks it whose it was.
func (e *Engine) Around(ctx context.Context, from, to time.Time) ([]Saga, error) {
	sagas, err := e.around(ctx, from, to)
	if err != nil {
		return nil, err
	}
	for i := range sagas {
		r, err := consistent(ctx, e.db.Read(), sagas[i].ID)
		if err != nil {
			return nil, err
		}
		sagas[i] = r.Saga
	}
	return sagas, e.fillSubjects(ctx, sagas)
}

func (e *Engine) around(ctx context.Context, from, to time.Time) (sagas []Saga, err error) {
	rows, err := e.db.Read().QueryContext(ctx, `SELECT id FROM (
			SELECT id, started_at FROM sagas WHERE finished_at IS NULL
			UNION ALL
			SELECT id, started_at FROM sagas WHERE finished_at >= $1) AS open
		WHERE started_at <= $2 ORDER BY id DESC LIMIT $3`, db.Micros(from), db.Micros(to), maxAround)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var s Saga
		if err := rows.Scan(&s.ID); err != nil {
			return nil, err
		}
		sagas = append(sagas, s)
	}
	return sagas, rows.Err()
}

// Marked finds the saga whose markers carry marker8, the newest where several do;
// ok is false when there is none. It looks at every saga's id: it is for things
// that are seen for the first time.
func (e *Engine) Marked(ctx context.Context, marker8 string) (s Saga, ok bool, err error) {
	var id ID
	err = e.db.Read().QueryRowContext(ctx,
		`SELECT id FROM sagas WHERE SUBSTR(id, LENGTH(id) - 7) = $1 ORDER BY id DESC LIMIT 1`, marker8).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return Saga{}, false, nil
	}
	if err == nil {
		s, err = e.Saga(ctx, id)
	}
	return s, err == nil, err
}
