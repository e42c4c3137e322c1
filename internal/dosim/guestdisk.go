package dosim

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/arcadia-cloud/arcadia/internal/fault"
)

// A disk is what somebody wrote on a droplet's or a volume's disk, and what a
// snapshot keeps of that. Its id is the URN of what it belongs to. There is none
// where nothing was written.
type disk struct {
	thing
	Files map[string]string `json:"files"`
}

const (
	kindDisk     = "disk"
	maxFiles     = 100
	maxFilesSize = 64 << 10 // bytes of all names and contents
)

func diskResource() resource {
	return resource{
		table: func(w *world) anyTable {
			w.disks = newTable(w.seed, kind[*disk]{name: kindDisk, check: checkDisk})
			return w.disks
		},
		gone: func(c *call, urn string, _ entity) { c.sim.world.disks.discard(c, urn) },
	}
}

func checkDisk(w *world, d *disk) error {
	parts := strings.SplitN(d.ID, ":", 3)
	if len(parts) != 3 || !slices.Contains([]string{kindDroplet, kindVolume, kindSnapshot, kindVolumeSnapshot}, parts[1]) ||
		w.tables[parts[1]].lookup(d.Account, parts[2]) == nil {
		return fmt.Errorf("there is no %q to have a disk", d.ID)
	}
	return checkFiles(d.Files)
}

func checkFiles(files map[string]string) error {
	size := 0
	for name, content := range files {
		size += len(name) + len(content)
	}
	if len(files) > maxFiles || size > maxFilesSize {
		return fmt.Errorf("a disk holds at most %d files and %d bytes", maxFiles, maxFilesSize)
	}
	return nil
}

// files is what is on the disk of what the URN names. It is to be read.
func (c *call) files(urn string) map[string]string {
	if d, ok := c.sim.world.disks.get(c.account(), urn); ok && d.exists(c.at) && d.Files != nil {
		return d.Files
	}
	return map[string]string{}
}

// imprint makes the disk of what the URN names hold these files and no others.
func (c *call) imprint(urn string, files map[string]string) {
	if maps.Equal(c.files(urn), files) {
		return
	}
	disks := c.sim.world.disks
	if d, ok := disks.get(c.account(), urn); ok {
		disks.update(c, d, func(next *disk) { next.Files = files })
		return
	}
	disks.create(c, &disk{thing: thing{life: everShown(c.at), ID: urn, Unasked: true}, Files: files})
}

// filesOfImage is what is on an image: nothing, unless it was made of a droplet.
func (c *call) filesOfImage(id string) map[string]string { return c.files(urn(kindSnapshot, id)) }

var errNoDisk = errors.New("there is no droplet, volume or snapshot of this URN")

// Disk returns what is on the disk of what a URN of [Sim.Truth] names: a droplet, a
// volume, or a snapshot of either. What is not there is a fault.NotFound.
func (s *Sim) Disk(urn string) (map[string]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.callOfDisk(urn)
	if err != nil {
		return nil, err
	}
	return maps.Clone(c.files(urn)), nil
}

// WriteDisk makes a droplet's or a volume's disk hold these files, by name, and no
// others. What is not there is a fault.NotFound, a snapshot a fault.Conflict, and
// more than a hundred files or 64 KiB a fault.Unprocessable.
func (s *Sim) WriteDisk(urn string, files map[string]string) error {
	if err := checkFiles(files); err != nil {
		return fault.Wrap(fault.Unprocessable, err, "The disk cannot hold that: %v.", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.callOfDisk(urn)
	if err != nil {
		return err
	}
	if kind := strings.Split(urn, ":")[1]; kind == kindSnapshot || kind == kindVolumeSnapshot {
		return fault.New(fault.Conflict, "A snapshot stays what it is. Write to the droplet's or the volume's disk.")
	}
	events := len(s.events)
	c.imprint(urn, maps.Clone(files))
	s.hearChange(entry{Events: slices.Clone(s.events[events:])})
	return s.save(entry{})
}

// callOfDisk is a call of the account whose droplet, volume or snapshot it is.
func (s *Sim) callOfDisk(urn string) (*call, error) {
	at := s.now()
	for account := range s.world.accounts {
		like := disk{thing: thing{Account: account, ID: urn}}
		if checkDisk(s.world, &like) != nil {
			continue
		}
		parts := strings.SplitN(urn, ":", 3)
		if owner := s.world.tables[parts[1]].lookup(account, parts[2]).self(); owner.exists(at) {
			return s.callAs(account, at), nil
		}
	}
	return nil, fault.Wrap(fault.NotFound, errNoDisk, "There is no droplet, volume or snapshot %q. GET /truth shows the URNs.", urn)
}

func (s *Sim) adminDisk(r *http.Request, _ []byte) (any, error) { return s.Disk(r.PathValue("urn")) }

func (s *Sim) adminWriteDisk(r *http.Request, body []byte) (any, error) {
	var files map[string]string
	if err := read(body, &files); err != nil {
		return nil, err
	}
	return nil, s.WriteDisk(r.PathValue("urn"), files)
}
