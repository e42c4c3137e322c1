// Package demo is what surrounds Arcadia in its demonstration: a directory of its
// own, a simulated DigitalOcean with a fleet in it, somebody who takes snapshots, and
// three months of business with tenants. Arcadia itself runs as it always does, and cannot tell.
package demo

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/datadir"
	"github.com/arcadia-cloud/arcadia/internal/fault"
)

// Speed is how many times as fast as ours the simulated clock runs, unless the
// user says otherwise: a snapshot takes six seconds and not a minute.
const Speed = 10

// What Arcadia is told of the cloud: its own defaults, in the simulated clock's
// seconds. Only the looks are half as frequent: DigitalOcean's limits of requests
// are kept by our clock.
const (
	horizon = 180 * time.Second
	poll    = 10 * time.Second

	leastPoll = 500 * time.Millisecond
)

// Horizon is how long, by our clock, the cloud may hide the truth.
func Horizon(speed float64) time.Duration { return max(scaled(horizon, speed), 2*time.Second) }

// Poll is the time between two looks, by our clock.
func Poll(speed float64) time.Duration { return max(scaled(poll, speed), leastPoll) }

func scaled(d time.Duration, speed float64) time.Duration {
	return time.Duration(float64(d) / speed).Round(time.Millisecond)
}

// markFile says that a directory is a demonstration's, and may be emptied.
const markFile = "demo.json"

// kept are the files of a demonstration that Fresh removes. Anything else in the
// directory was put there by somebody else.
var kept = []string{"arcadia.db", "arcadia.db-wal", "arcadia.db-shm", "master.key", cloudFile, cloudFile + ".next", historyFile}

// Is reports whether dir is the directory of a demonstration.
func Is(dir string) bool {
	info, err := os.Stat(filepath.Join(dir, markFile))
	return err == nil && info.Mode().IsRegular()
}

// Prepare makes dir the directory of a demonstration, or finds that it is one
// already. It refuses, as a fault.Conflict, a directory that holds anything else.
func Prepare(dir string) error {
	if Is(dir) {
		return nil
	}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		err = os.MkdirAll(dir, 0o700)
	}
	if err == nil && len(entries) > 0 {
		return fault.New(fault.Conflict, "%s holds something else, and a demonstration needs a directory of its own: name another one with --data-dir.", dir)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, markFile), []byte(`{"arcadia_demo":1}`+"\n"), 0o600)
	}
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "The demonstration's directory %s cannot be used: %v. Name another one with --data-dir.", dir, cause(err))
	}
	return nil
}

// Empty removes what a demonstration has kept in dir, and nothing else. It
// refuses, as a fault.Conflict, a directory that is not a demonstration's, or in
// which one runs.
func Empty(dir string) (err error) {
	if !Is(dir) {
		return fault.New(fault.Conflict, "%s is not a demonstration's directory: nothing in it was removed.", dir)
	}
	held, err := datadir.Hold(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, held.Close()) }()
	for _, name := range kept {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fault.Wrap(fault.Unavailable, err, "%s cannot be removed: %v.", filepath.Join(dir, name), cause(err))
		}
	}
	return nil
}

func cause(err error) error {
	for inner := err; inner != nil; inner = errors.Unwrap(inner) {
		err = inner
	}
	return err
}
