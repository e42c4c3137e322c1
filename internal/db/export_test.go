package db

// Queued is how many writes wait for a lane.
func (d *DB) Queued() int {
	n := d.fenced.queued()
	if d.grouped != d.fenced {
		n += d.grouped.queued()
	}
	return n
}

func (c *committer) queued() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.queue)
}

// IsContended is what Write and WriteFenced retry on.
func IsContended(err error) bool { return isContended(err) }

// MaxStatements is how many statements a SQLite connection keeps.
const MaxStatements = maxStatements
