package dosim

import (
	"context"
	"math"
	"sync"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/fault"
)

// A Mode says how a [Clock] runs.
type Mode string

// The modes of a clock.
const (
	Real    Mode = "real"    // as fast as the process's own clock
	Scaled  Mode = "scaled"  // a multiple of it, see [Clock.SetSpeed]
	Stepped Mode = "stepped" // stands still but for [Clock.Advance]
)

// maxSpeed bounds a scaled clock, so that an hour of running stays within lifetimes.
const maxSpeed = 100_000

// endOfTime is where every clock stops. RFC 3339 has room for nine years more,
// and so for whatever is due after it.
var endOfTime = time.Date(9990, 1, 1, 0, 0, 0, 0, time.UTC)

// A Clock is the simulator's time. It never runs backwards: a change of mode or
// speed goes on from the instant it shows. It reads the process's clock, so that
// in a testing/synctest bubble it follows the bubble's.
type Clock struct {
	mu      sync.Mutex
	mode    Mode
	speed   float64   // simulated seconds per second: 0 when stepped
	shown   time.Time // what the clock showed at wall
	wall    time.Time
	changed chan struct{} // closed and replaced when the clock is advanced or set
}

// NewClock returns a clock that shows the present. A scaled one runs at speed 1
// until [Clock.SetSpeed]; a mode that does not exist counts as [Real].
func NewClock(mode Mode) *Clock {
	now := time.Now()
	c := &Clock{mode: Real, speed: 1, shown: now, wall: now, changed: make(chan struct{})}
	switch mode {
	case Scaled:
		c.mode = Scaled
	case Stepped:
		c.mode, c.speed = Stepped, 0
	}
	return c
}

// Now returns the simulated instant, in UTC and whole microseconds.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now()
}

func (c *Clock) now() time.Time {
	passed := time.Duration(float64(time.Since(c.wall)) * c.speed)
	if c.speed == 1 {
		passed = time.Since(c.wall) // exact
	}
	now := c.shown.Add(passed)
	if now.After(endOfTime) {
		now = endOfTime
	}
	return now.UTC().Truncate(time.Microsecond)
}

// Advance moves the clock forward by d, whatever its mode; a negative d is ignored.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.jump(c.now().Add(max(d, 0)))
}

// Set moves the clock to at. An instant in the clock's past is ignored: a cloud
// whose time ran backwards would have answered from its future.
func (c *Clock) Set(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at.After(c.now()) {
		c.jump(at)
	}
}

// SetSpeed makes the clock scaled: speed simulated seconds for each second,
// above 0 and at most 100,000; anything else is a fault.Unprocessable.
func (c *Clock) SetSpeed(speed float64) error { return c.SetMode(Scaled, speed) }

// SetMode changes how the clock runs. Speed counts for [Scaled] alone.
func (c *Clock) SetMode(mode Mode, speed float64) error {
	speed, err := mode.speed(speed)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.jump(c.now())
	c.mode, c.speed = mode, speed
	return nil
}

// restore makes the clock show at, in its past too. In real time it shows the
// present if that is later.
func (c *Clock) restore(mode Mode, speed float64, at time.Time) error {
	speed, err := mode.speed(speed)
	if err != nil {
		return err
	}
	if now := time.Now(); mode == Real && now.After(at) {
		at = now
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mode, c.speed = mode, speed
	c.jump(at)
	return nil
}

// entry is what it takes to go on from here in another process.
func (c *Clock) entry() clockEntry {
	c.mu.Lock()
	defer c.mu.Unlock()
	return clockEntry{c.mode, c.speed, c.shown.UTC().Round(0), c.wall.UTC().Round(0)}
}

// resume makes the clock what the entry was: one that runs has run on since.
func (c *Clock) resume(e clockEntry) error {
	speed, err := e.Mode.speed(e.Speed)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mode, c.speed, c.shown, c.wall = e.Mode, speed, e.Shown, e.Wall
	c.jump(c.now())
	return nil
}

// speed is how fast a clock of this mode runs when it is asked for speed.
func (m Mode) speed(asked float64) (float64, error) {
	switch m {
	case Real:
		return 1, nil
	case Stepped:
		return 0, nil
	case Scaled:
		if !(asked > 0 && asked <= maxSpeed) {
			return 0, fault.New(fault.Unprocessable, "The speed of a scaled clock is above 0 and at most %d.", maxSpeed)
		}
		return asked, nil
	}
	return 0, fault.New(fault.Unprocessable, "There is no clock mode %q: it is real, scaled or stepped.", m)
}

// Mode returns how the clock runs and its speed: 1 when real, 0 when stepped.
func (c *Clock) Mode() (Mode, float64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mode, c.speed
}

func (c *Clock) jump(to time.Time) {
	c.shown, c.wall = to, time.Now()
	close(c.changed)
	c.changed = make(chan struct{})
}

// sleep returns when d of simulated time has passed, or with ctx's error. Under
// a stepped clock that takes somebody's Advance.
func (c *Clock) sleep(ctx context.Context, d time.Duration) error {
	return c.sleepUntil(ctx, c.Now().Add(d))
}

// sleepUntil is sleep for an instant.
func (c *Clock) sleepUntil(ctx context.Context, until time.Time) error {
	for {
		c.mu.Lock()
		left, speed, changed := until.Sub(c.now()), c.speed, c.changed
		c.mu.Unlock()
		if left <= 0 {
			return nil
		}
		var rung <-chan time.Time
		if speed > 0 {
			t := time.NewTimer(time.Duration(math.Ceil(float64(left) / speed)))
			defer t.Stop() //nolint:gocritic // one or two turns: only a change of the clock makes another
			rung = t.C
		}
		select {
		case <-rung:
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
