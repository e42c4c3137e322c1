package digitalocean

import "time"

// A Use is how much of a token's limits is used up at a moment.
type Use struct {
	Hour, HourLimit     int // requests in the last hour, ours and those that others sent with the same token
	Minute, MinuteLimit int // ours in the last minute
	InFlight            int
	ClosedUntil         time.Time // DigitalOcean told us to wait until then; zero: it did not
}

// Use tells how much of the limits is used up now.
func (b *Budget) Use() Use {
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.prune(now)
	u := Use{
		Hour: len(b.ended) + b.inFlight + b.others, HourLimit: b.limit,
		Minute: len(b.ended) - b.since(now.Add(-time.Minute)) + b.inFlight, MinuteLimit: b.perMinute(), InFlight: b.inFlight,
	}
	if b.closedUntil.After(now) {
		u.ClosedUntil = b.closedUntil
	}
	return u
}
