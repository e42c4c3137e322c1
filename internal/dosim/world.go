package dosim

import (
	"encoding/binary"
	"encoding/hex"
	"hash/fnv"
	"time"
)

// The world is everything that the cloud holds: a fold over the events, with no
// state beside them. Nothing in it moves by itself. An action that will end in a
// minute is stored with that instant, and whether it has ended is a question of
// when somebody looks, so that no clock needs a goroutine.
type world struct {
	catalog   catalog
	droplets  table[*droplet]
	actions   table[*action]
	snapshots table[*snapshot]
	last      map[string]int64 // the newest id of each kind
}

func newWorld(seed uint64) *world {
	// Ids of one cloud begin where its seed says, so that a client cannot
	// come to rely on their values.
	return &world{
		catalog: newCatalog(),
		last: map[string]int64{
			"droplet":  400_000_000 + int64(hash(seed, "droplet")%90_000_000),
			"action":   2_000_000_000 + int64(hash(seed, "action")%900_000_000),
			"snapshot": 150_000_000 + int64(hash(seed, "snapshot")%9_000_000),
		},
	}
}

// A table keeps the things of one kind in the order of their making. What is
// deleted stays: lists show it for a while, and the past remains countable.
type table[T any] struct {
	all  []T
	byID map[int64]T
}

func (t *table[T]) add(id int64, thing T) {
	if t.byID == nil {
		t.byID = map[int64]T{}
	}
	t.all = append(t.all, thing)
	t.byID[id] = thing
}

// A life is when a thing is there, and when each way of looking at it shows so.
// Every instant is fixed when it becomes known; a zero one has not come to be.
type life struct {
	Seq    int64     `json:"-"`               // of the event that made it
	From   time.Time `json:"from"`            // it is there
	Get    time.Time `json:"get"`             // its own address shows it
	List   time.Time `json:"list"`            // lists show it
	Tagged time.Time `json:"tagged,omitzero"` // lists by tag show it
	Until  time.Time `json:"until,omitzero"`  // it is gone, and its own address answers 404
	Unlist time.Time `json:"unlist,omitzero"` // lists have ceased to show it
}

// exists is the truth, which no client sees.
func (l life) exists(at time.Time) bool {
	return !at.Before(l.From) && (l.Until.IsZero() || at.Before(l.Until))
}

// gettable and listed are the views; behind is how far the replica that answers
// trails the others for this thing. A deletion is never hidden from the thing's
// own address: there a 404 is the truth.
func (l life) gettable(at time.Time, behind time.Duration) bool {
	return !at.Before(l.Get.Add(behind)) && (l.Until.IsZero() || at.Before(l.Until))
}

func (l life) listed(at time.Time, behind time.Duration) bool {
	return !at.Before(l.List.Add(behind)) && (l.Unlist.IsZero() || at.Before(l.Unlist.Add(behind)))
}

// end deletes the thing at at; lists go on showing it for linger.
func (l *life) end(at time.Time, linger time.Duration) { l.Until, l.Unlist = at, at.Add(linger) }

// hash is the simulator's only source of chance: the same seed and the same
// question give the same answer, in every process and in any order of asking.
func hash(seed uint64, about ...string) uint64 {
	h := fnv.New64a()
	_ = binary.Write(h, binary.LittleEndian, seed)
	for _, s := range about {
		_, _ = h.Write([]byte(s))
		_, _ = h.Write([]byte{0})
	}
	// FNV's low bits barely mix in the last bytes; this is splitmix64's finisher.
	x := h.Sum64()
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// uuid returns the UUID, version 4 in form, that belongs to what it is about.
func uuid(seed uint64, about ...string) string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], hash(seed, about...))
	binary.BigEndian.PutUint64(b[8:], hash(seed+1, about...))
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	s := hex.EncodeToString(b[:])
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}
