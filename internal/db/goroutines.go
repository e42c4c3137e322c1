package db

import (
	"bytes"
	"runtime"
	"strconv"
	"sync"
)

// goroutines is a set of goroutines: those that hold a transaction of one DB.
//
// A nested Write cannot be seen in the ctx it is given, because nothing makes
// the caller derive it from anything of ours, and on SQLite it would wait for
// the one writer that it holds itself. What is certain is that fn runs on one
// goroutine and that a nested call comes from the same one. So the goroutine is
// what is remembered, by the number that runtime.Stack prints; reading it costs
// about a microsecond, a commit a hundred.
type goroutines struct {
	mu  sync.Mutex
	ids map[uint64]struct{}
}

// enter adds the calling goroutine; false when it was in the set already.
func (g *goroutines) enter() (leave func(), ok bool) {
	id := goroutineID()
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, nested := g.ids[id]; nested {
		return nil, false
	}
	if g.ids == nil {
		g.ids = make(map[uint64]struct{})
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
	id := goroutineID()
	g.mu.Lock()
	defer g.mu.Unlock()
	_, ok := g.ids[id]
	return ok
}

// goroutineID reads the number from "goroutine 123 [running]:…".
func goroutineID() uint64 {
	var buf [40]byte
	line := bytes.TrimPrefix(buf[:runtime.Stack(buf[:], false)], []byte("goroutine "))
	digits, _, _ := bytes.Cut(line, []byte(" "))
	id, err := strconv.ParseUint(string(digits), 10, 64)
	if err != nil {
		panic("db: runtime.Stack no longer begins with the goroutine's number")
	}
	return id
}
