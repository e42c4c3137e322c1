package dosim

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"hash/fnv"
	"time"
)

// The world is everything that the cloud holds: a fold over the events, with no
// state beside them. Nothing in it moves by itself. What will be in a minute is
// stored with that instant, and whether it has come is a question of when
// somebody looks, so that no clock needs a goroutine; what has to change
// something then is a [duty].
type world struct {
	seed     uint64
	catalog  catalog
	accounts map[string]bool
	tables   map[string]anyTable // every one, by its kind
	order    []anyTable          // the same, in the order of resources
	due      schedule
	duties   map[string]func(*call, json.RawMessage)

	coreTables
	computeTables
	networkTables
	billingTables
}

// coreTables are of what other families build on.
type coreTables struct {
	actions  *table[*action]
	tags     *table[*tag]
	projects *table[*project]
}

func newWorld(seed uint64) *world {
	w := &world{
		seed: seed, catalog: offered(), accounts: map[string]bool{},
		tables: map[string]anyTable{}, duties: map[string]func(*call, json.RawMessage){},
	}
	for _, r := range resources() {
		if r.table != nil {
			t := r.table(w)
			w.tables[t.kindName()] = t
			w.order = append(w.order, t)
		}
		for _, d := range r.duties {
			w.duties[d.name] = d.do
		}
	}
	return w
}

// accountOpened is the first that the cloud hears of an account.
type accountOpened struct {
	Account string `json:"account"`
}

func (ch *accountOpened) name() string            { return "account_opened" }
func (ch *accountOpened) check(*world) error      { return checkAccount(ch.Account) }
func (ch *accountOpened) apply(w *world, _ event) { w.accounts[ch.Account] = true }

// open gives a new account what accounts begin with.
func (c *call) open() {
	if c.sim.world.accounts[c.account()] {
		return
	}
	c.record(&accountOpened{c.account()})
	founder := c.sim.callAs(c.account(), c.at)
	founder.founding = true
	for _, r := range c.sim.resources {
		if r.found != nil {
			r.found(founder)
		}
	}
}

// everShown is the life of what every view has shown since long ago.
func everShown(at time.Time) life {
	known := at.Add(-maxParam) // long enough for every replica
	return life{From: at, Get: known, List: known, Tagged: known}
}

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
