package db

// Queued is how many calls of WriteFenced wait for a lane.
func (d *DB) Queued() int {
	d.fenced.mu.Lock()
	defer d.fenced.mu.Unlock()
	return len(d.fenced.queue)
}

// IsContended is what Write and WriteFenced retry on.
func IsContended(err error) bool { return isContended(err) }

// MaxStatements is how many statements a SQLite connection keeps.
const MaxStatements = maxStatements
