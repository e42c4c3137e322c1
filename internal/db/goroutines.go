package db

import (
	"bytes"
	"runtime"
	"strconv"
	"sync"

	"github.com/petermattis/goid"
)

// goroutines is a set of goroutines: those that hold a transaction of one DB.
//
// A nested Write cannot be seen in the ctx it is given, because nothing makes
// the caller derive it from anything of ours, and on SQLite it would wait for
// the one writer that it holds itself. What is certain is that fn runs on one
// goroutine and that a nested call comes from the same one. So the goroutine is
// what is remembered, by its number.
type goroutines struct {
	mu  sync.Mutex
	ids map[int64]struct{}
}

// enter adds the calling goroutine; false when it was in the set already.
func (g *goroutines) enter() (leave func(), ok bool) {
	id := goid.Get()
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, nested := g.ids[id]; nested {
		return nil, false
	}
	if g.ids == nil {
		g.ids = make(map[int64]struct{})
	}
	g.ids[id] = struct{}{}
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		delete(g.ids, id)
	}, true
}

// has reports whether the calling goroutine is in the set.
func (g *goroutines) has() bool {
	id := goid.Get()
	g.mu.Lock()
	defer g.mu.Unlock()
	_, ok := g.ids[id]
	return ok
}

// The library reads the number where the runtime of its time keeps it. A runtime
// that keeps it elsewhere is found out here, by the slow way, which prints it.
func init() {
	var buf [40]byte
	line := bytes.TrimPrefix(buf[:runtime.Stack(buf[:], false)], []byte("goroutine "))
	digits, _, _ := bytes.Cut(line, []byte(" "))
	if id, err := strconv.ParseInt(string(digits), 10, 64); err != nil || id != goid.Get() {
		panic("db: this version of Go keeps a goroutine's number where github.com/petermattis/goid does not look")
	}
}
