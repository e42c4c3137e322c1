package db

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"time"
)

// Now is the SQL expression for the database's clock: a BIGINT, microseconds
// since 1970 UTC, read at the moment the expression is evaluated. Only leases
// ask for it; every other time is a parameter.
const Now = "arcadia_now()"

// Micros returns t as the database keeps it: microseconds since 1970 UTC,
// rounded down.
func Micros(t time.Time) int64 { return t.UnixMicro() }

// Time is the inverse of [Micros], in UTC.
func Time(micros int64) time.Time { return time.UnixMicro(micros).UTC() }

// NullTime is a nullable column of microseconds: the zero time is NULL.
type NullTime struct{ Time time.Time }

// Scan reads a BIGINT of microseconds, or NULL.
func (t *NullTime) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		t.Time = time.Time{}
	case int64:
		t.Time = Time(v)
	default:
		return fmt.Errorf("db: a time column holds a %T, not microseconds", src)
	}
	return nil
}

// Value is NULL for the zero time, else microseconds.
func (t NullTime) Value() (driver.Value, error) {
	if t.Time.IsZero() {
		return nil, nil
	}
	return Micros(t.Time), nil
}

// JSON is a column of type JSONB (TEXT on SQLite) that holds a T.
type JSON[T any] struct{ V T }

// Scan decodes the column into V. NULL gives the zero T.
func (j *JSON[T]) Scan(src any) error {
	j.V = *new(T)
	switch v := src.(type) {
	case nil:
		return nil
	case string:
		return json.Unmarshal([]byte(v), &j.V)
	case []byte:
		return json.Unmarshal(v, &j.V)
	default:
		return fmt.Errorf("db: a JSON column holds a %T", src)
	}
}

// Value is V as JSON text. A nil pointer, map or slice is the JSON null, not NULL.
func (j JSON[T]) Value() (driver.Value, error) {
	text, err := json.Marshal(j.V)
	return string(text), err
}
