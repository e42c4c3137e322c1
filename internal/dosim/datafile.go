package dosim

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/gofrs/flock"

	"github.com/arcadia-cloud/arcadia/internal/fault"
)

// A dataFile keeps a cloud over the end of its process, however it ends. It is a
// log of JSON lines to which each change is appended before its request is
// answered, in one write; reading it back is folding it. What a killed process
// leaves of a line that it had not finished, nobody was told of, and it is
// dropped. The journal of requests and the rate limits' windows are not kept, but
// how many requests there may have been.
type dataFile struct {
	path string
	lock *flock.Flock
	f    *os.File
	size int64 // of what is known to be whole
	err  error // why nothing more can be kept
}

// An entry is one line of a data file. Each field stands for itself.
type entry struct {
	Version  int               `json:"version,omitempty"` // in the first line alone, with the seed
	Seed     *uint64           `json:"seed,omitempty"`
	Clock    *clockEntry       `json:"clock,omitempty"`
	Params   map[string]string `json:"params,omitempty"`
	Preset   *string           `json:"preset,omitempty"`
	Tokens   []Token           `json:"tokens,omitempty"`
	Faults   []faultState      `json:"faults,omitempty"`   // each instead of what has its id
	Disarmed []string          `json:"disarmed,omitempty"` // ids of faults
	Events   []event           `json:"events,omitempty"`   // of one request
	Marks    []int64           `json:"marks,omitempty"`
	Requests int64             `json:"requests,omitempty"` // no request has had a higher number
}

// A clockEntry says what the clock showed at an instant of the machine's. A clock
// that runs goes on from there, whether or not a process was there to look.
type clockEntry struct {
	Mode  Mode      `json:"mode"`
	Speed float64   `json:"speed"`
	Shown time.Time `json:"shown"`
	Wall  time.Time `json:"wall"`
}

// Open is [New] for options that may be wrong, and for Options.Data: the cloud
// that the file holds, or a new one that it will hold from now on. The file's
// seed and clock win over the options'; Options.Preset and Options.Params are
// set on top. A file that another process uses is a fault.Conflict, one that
// cannot be read or written a fault.Unavailable, and one that is no cloud, or an
// option that cannot be, a fault.Unprocessable.
func Open(o Options) (*Sim, error) {
	s := newSim(o)
	if o.Data != "" {
		if err := s.openData(o.Data); err != nil {
			return nil, err
		}
	}
	err := s.set(o)
	if err != nil {
		s.Close()
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.runBoots()
	return s, nil
}

func (s *Sim) set(o Options) error {
	if o.Preset != "" {
		if err := s.SetPreset(o.Preset); err != nil {
			return err
		}
	}
	if len(o.Params) == 0 {
		return nil
	}
	return s.SetParams(o.Params)
}

// Empty reports whether nothing has ever been made in this cloud.
func (s *Sim) Empty() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.events) == 0
}

// openData takes the file's lock and makes the cloud what it holds.
func (s *Sim) openData(path string) error {
	cannot := func(err error) error {
		return fault.Wrap(fault.Unavailable, err, "The data file %s cannot be used: %v. Make it writable for this user, or name another one.", path, innermost(err))
	}
	d := &dataFile{path: path, lock: flock.New(path + ".lock")}
	switch locked, err := d.lock.TryLock(); {
	case err != nil:
		return cannot(err)
	case !locked:
		return fault.New(fault.Conflict, "The data file %s is in use by another process. Stop that one, or name another file.", path)
	}
	st, err := readData(path)
	if err != nil {
		if fault.KindOf(err) == fault.Internal {
			err = cannot(err)
		}
		return errors.Join(err, d.lock.Unlock())
	}
	if st != nil {
		next, err := st.sim()
		if err != nil {
			return errors.Join(fault.Wrap(fault.Unprocessable, err, "The data file %s holds no cloud: %s", path, fault.Message(err)), d.lock.Unlock())
		}
		s.install(st.state, next)
		s.journal.seq = st.Requests
		if err := s.clock.resume(st.clock); err != nil {
			return errors.Join(err, d.lock.Unlock())
		}
		if n := len(s.events); n > 0 {
			s.clock.Set(s.events[n-1].At)
		}
	}
	s.data = d
	if err := s.rewrite(); err != nil {
		s.data = nil
		return errors.Join(cannot(err), d.lock.Unlock())
	}
	return nil
}

func innermost(err error) error {
	for inner := err; inner != nil; inner = errors.Unwrap(inner) {
		err = inner
	}
	return err
}

// A stored is a state as a file holds it, and its clock.
type stored struct {
	state
	clock clockEntry
}

// readData folds a file's lines, nil when there is no file or nothing in it.
func readData(path string) (*stored, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st := &stored{state: state{Version: stateVersion}}
	faults := map[string]faultState{}
	r := bufio.NewReaderSize(f, 1<<16)
	for n := 1; ; n++ {
		line, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) && (n > 1 || len(line) == 0) { // without its end, a line was never finished
			break
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		var e entry
		d := json.NewDecoder(bytes.NewReader(line))
		d.DisallowUnknownFields()
		if err := d.Decode(&e); err != nil || n == 1 && (e.Version == 0 || e.Seed == nil) {
			return nil, fault.Wrap(fault.Unprocessable, err, "%s is no data file of a simulated cloud, or line %d of it is damaged. Name another file.", path, n)
		}
		st.add(e, faults)
	}
	if st.Params == nil {
		return nil, nil
	}
	for _, f := range faults {
		st.Faults = append(st.Faults, f)
	}
	slices.SortFunc(st.Faults, func(a, b faultState) int { return a.number() - b.number() })
	return st, nil
}

func (st *stored) add(e entry, faults map[string]faultState) {
	if e.Seed != nil {
		st.Version, st.Seed = e.Version, *e.Seed
	}
	if e.Clock != nil {
		st.clock = *e.Clock
		st.Clock = clockJSON{e.Clock.Mode, e.Clock.Speed, e.Clock.Shown}
	}
	if e.Params != nil {
		st.Params = e.Params
	}
	if e.Preset != nil {
		st.Preset = *e.Preset
	}
	for _, id := range e.Disarmed {
		delete(faults, id)
	}
	for _, f := range e.Faults {
		faults[f.ID] = f
		st.Armed = max(st.Armed, f.number())
	}
	st.Tokens = append(st.Tokens, e.Tokens...)
	st.Events = append(st.Events, e.Events...)
	st.Marks = append(st.Marks, e.Marks...)
	st.Requests = max(st.Requests, e.Requests)
}

// numberedAhead is for how many requests the file vouches beforehand, so that it
// grows with what changes something alone. A cloud that is read back goes on
// after them: an id of a request never comes again.
const numberedAhead = 1000

// save keeps e and every event that is not kept yet. s.mu must be held. Without
// a data file it does nothing. Once it has failed, the cloud serves nobody: what
// it would say could be forgotten.
func (s *Sim) save(e entry) error {
	s.hearChange(e)
	if s.data == nil {
		return nil
	}
	if s.data.err != nil {
		return s.data.err
	}
	e.Events = s.events[s.saved:]
	e.Faults = append(e.Faults, s.struck...)
	s.struck = nil
	if now := s.clock.entry(); now != s.kept {
		s.kept, e.Clock = now, &now
	}
	if s.journal.seq > s.numbered {
		s.numbered = s.journal.seq + numberedAhead
		e.Requests = s.numbered
	}
	line, err := json.Marshal(e)
	if err != nil {
		panic("dosim: an entry is no JSON: " + err.Error())
	}
	if string(line) == "{}" {
		return nil
	}
	if err := s.data.append(append(line, '\n')); err != nil {
		s.logger.Error("dosim cannot keep what happens and answers nobody from now on", slog.String("file", s.data.path), slog.Any("error", err))
		s.data.err = fault.Wrap(fault.Unavailable, err, "The data file %s cannot be written: %v.", s.data.path, innermost(err))
		return s.data.err
	}
	s.saved = len(s.events)
	return nil
}

// keep is save for who holds no lock and has nothing to add.
func (s *Sim) keep() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.save(entry{})
}

func (d *dataFile) append(line []byte) error {
	if _, err := d.f.Write(line); err != nil {
		return errors.Join(err, d.f.Truncate(d.size))
	}
	d.size += int64(len(line))
	return nil
}

// broken reports that what happens can no longer be kept.
func (s *Sim) broken() bool { return s.data != nil && s.data.err != nil }

// rewrite makes the file hold the cloud as it is, in few lines: all of it or, if
// that fails, what it held before.
func (s *Sim) rewrite() error {
	if s.data == nil {
		return nil
	}
	d := s.data
	next, err := os.OpenFile(d.path+".next", os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	w := &countingWriter{w: bufio.NewWriter(next)}
	now, numbered := s.clock.entry(), s.journal.seq+numberedAhead
	encode := json.NewEncoder(w)
	err = encode.Encode(entry{
		Version: stateVersion, Seed: &s.seed, Clock: &now, Params: s.params.text, Preset: &s.preset,
		Tokens: slices.Collect(maps.Values(s.tokens)), Faults: s.faultStates(), Marks: s.marks, Requests: numbered,
	})
	for i := range s.events {
		err = errors.Join(err, encode.Encode(entry{Events: s.events[i : i+1]}))
	}
	err = errors.Join(err, w.w.Flush(), next.Sync())
	if err == nil {
		err = os.Rename(next.Name(), d.path)
	}
	if err != nil {
		return errors.Join(err, next.Close(), os.Remove(next.Name()))
	}
	if d.f != nil {
		_ = d.f.Close() // it has no name any more
	}
	d.f, d.size = next, w.n
	s.saved, s.kept, s.struck, s.numbered = len(s.events), now, nil, numbered
	return nil
}

type countingWriter struct {
	w *bufio.Writer
	n int64
}

func (c *countingWriter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}

func (d *dataFile) close() {
	_ = d.f.Sync()
	_ = d.f.Close()
	_ = d.lock.Unlock()
}

func (f faultState) number() int {
	var n int
	_, _ = fmt.Sscanf(f.ID, "fault_%d", &n)
	return n
}
