package dosim

import (
	"slices"
	"time"
)

// A bucket holds the instants of one token's requests of the last hour, oldest
// first. Each expires by itself an hour after it was made: DigitalOcean's limit
// is a sliding window, beside which at most so many may fall in one minute.
type bucket []time.Time

// A bucketKey is a token and the name of a special limit, "" for the limits of
// every request.
type bucketKey struct{ token, limit string }

func (s *Sim) bucket(token, limit string) *bucket {
	key := bucketKey{token, limit}
	b := s.buckets[key]
	if b == nil {
		b = &bucket{}
		s.buckets[key] = b
	}
	return b
}

// A limit is one that some operations share beside the limits of every request.
type limit struct {
	param  string // of how many requests
	window time.Duration
}

// within counts the call against a special limit. A refusal tells that limit's
// numbers, and when there is room again.
func (c *call) within(l limit) bool {
	b := c.sim.bucket(c.bearer, l.param)
	most := c.sim.params.number(l.param)
	expired := 0
	for expired < len(*b) && !(*b)[expired].After(c.at.Add(-l.window)) {
		expired++
	}
	*b = (*b)[expired:]
	if len(*b) < most {
		*b = append(*b, c.at)
		return true
	}
	reset := (*b)[0].Add(l.window)
	c.quota = quota{Limit: most, Reset: reset, RetryAfter: reset.Sub(c.at), Refused: true}
	return false
}

// A quota is where a token stands after a request, as the answer's headers tell it.
type quota struct {
	Limit, Remaining int
	Reset            time.Time     // when the oldest request expires
	RetryAfter       time.Duration // of a burst that was refused, else 0
	Refused          bool
}

// take counts one request at at. A refused request is not counted: a client
// that keeps knocking is let in as soon as its window has room.
func (b *bucket) take(at time.Time, hourly, burst int) quota {
	expired := 0
	for expired < len(*b) && !(*b)[expired].After(at.Add(-time.Hour)) {
		expired++
	}
	*b = (*b)[expired:]
	minute, _ := slices.BinarySearchFunc(*b, at.Add(-time.Minute), func(made, since time.Time) int {
		if made.After(since) {
			return 1
		}
		return -1
	})
	q := quota{Limit: hourly}
	switch lastMinute := len(*b) - minute; {
	case len(*b) >= hourly:
		q.Refused = true
	case lastMinute >= burst:
		q.Refused = true
		q.RetryAfter = (*b)[len(*b)-burst].Add(time.Minute).Sub(at)
	default:
		*b = append(*b, at)
		q.Remaining = hourly - len(*b)
	}
	q.Reset = at.Add(time.Hour)
	if len(*b) > 0 {
		q.Reset = (*b)[0].Add(time.Hour)
	}
	return q
}
