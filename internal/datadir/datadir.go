// Package datadir is the directory of the embedded database, which one process
// at a time may hold.
//
// The holder has a file lock, which the kernel takes back when the process ends,
// however it ends. So who gets the lock knows that every older holder is dead.
// The holder may announce the address it serves, for the command line to talk to
// it instead of opening the directory itself.
package datadir

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/gofrs/flock"

	"github.com/arcadia-cloud/arcadia/internal/fault"
)

const (
	lockFile   = "lock"
	holderFile = "holder.json"
)

// patience is how long Hold tries: a call of Holder has the lock for an instant.
const (
	patience = 300 * time.Millisecond
	pause    = 10 * time.Millisecond
)

// A Dir is a data directory that this process holds.
type Dir struct {
	path string
	lock *flock.Flock
}

// holder is what the holder says of itself. It counts only while the lock is held.
type holder struct {
	PID  int    `json:"pid"`
	Addr string `json:"addr,omitempty"`
}

// Hold makes the directory with mode 0700 when it is missing and takes its lock.
// While another process holds it, that is a fault of kind Conflict which says who
// does; a directory that cannot be made or written is one of kind Unavailable.
func Hold(dir string) (*Dir, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "The data directory %s cannot be made. Make it, or name another with ARCADIA_DATA_DIR or --data-dir.", dir)
	}
	lock := newLock(dir)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	switch ok, err := lock.TryLockContext(ctx, pause); {
	case errors.Is(err, context.DeadlineExceeded), err == nil && !ok:
		return nil, fault.New(fault.Conflict, "The data directory %s is in use by %s. Stop that one, or name another directory with ARCADIA_DATA_DIR or --data-dir.", dir, read(dir))
	case err != nil:
		return nil, fault.Wrap(fault.Unavailable, err, "The data directory %s cannot be locked. Make it writable for this user, or name another with ARCADIA_DATA_DIR or --data-dir.", dir)
	}
	d := &Dir{dir, lock}
	if err := d.write(holder{PID: os.Getpid()}); err != nil { // over what a dead holder left
		return nil, errors.Join(err, lock.Unlock())
	}
	return d, nil
}

// newLock is the directory's lock, not yet taken.
func newLock(dir string) *flock.Flock {
	return flock.New(filepath.Join(dir, lockFile), flock.SetFlag(os.O_CREATE|os.O_RDWR), flock.SetPermissions(0o600))
}

// Path is the directory.
func (d *Dir) Path() string { return d.path }

// Announce says at which address, such as "127.0.0.1:4000", this process serves.
// The user who owns the directory can read it, and nobody else.
func (d *Dir) Announce(addr string) error { return d.write(holder{os.Getpid(), addr}) }

// Close gives the directory back.
func (d *Dir) Close() error {
	err := os.Remove(filepath.Join(d.path, holderFile))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, d.lock.Unlock())
}

// write replaces what is said of the holder; readers see the old or the new.
func (d *Dir) write(h holder) error {
	text, err := json.Marshal(h)
	if err != nil {
		return err
	}
	path := filepath.Join(d.path, holderFile)
	next := path + ".next"
	switch err := os.WriteFile(next, text, 0o600); {
	case errors.Is(err, syscall.ENOSPC):
		return fault.Wrap(fault.Unavailable, err, "The disk that holds the data directory %s is full. Free some space and try again.", d.path)
	case err != nil:
		return fault.Wrap(fault.Unavailable, err, "The data directory %s cannot be written. Make it writable for this user, or name another with ARCADIA_DATA_DIR or --data-dir.", d.path)
	}
	return os.Rename(next, path)
}

// Holder reports whether a process holds the directory, and the address that it
// announced, "" when it announced none. What a dead holder left says nothing. A
// directory that does not exist is held by nobody.
func Holder(dir string) (addr string, held bool, err error) {
	if _, err := os.Stat(filepath.Join(dir, lockFile)); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return "", false, nil
		}
		return "", false, fault.Wrap(fault.Unavailable, err, "The data directory %s cannot be read. Make it readable for this user.", dir)
	}
	lock := newLock(dir)
	free, err := lock.TryRLock() // shared, so that two who ask do not see each other
	if err != nil {
		return "", false, fault.Wrap(fault.Unavailable, err, "The data directory %s cannot be read. Make it readable for this user.", dir)
	}
	if free {
		return "", false, lock.Unlock()
	}
	return read(dir).Addr, true, lock.Close()
}

// read returns what the holder said, as far as it can be read.
func read(dir string) (h holder) {
	if text, err := os.ReadFile(filepath.Join(dir, holderFile)); err == nil {
		if json.Unmarshal(text, &h) != nil {
			return holder{}
		}
	}
	return h
}

// String names the holder for a sentence.
func (h holder) String() string {
	switch {
	case h.PID == 0:
		return "another arcadia"
	case h.Addr == "":
		return fmt.Sprintf("another arcadia (process %d)", h.PID)
	default:
		return fmt.Sprintf("another arcadia (process %d, serving %s)", h.PID, h.Addr)
	}
}
