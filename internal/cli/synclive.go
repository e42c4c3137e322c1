package cli

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/wire"
)

// A syncWatcher shows a sync as it goes on.
type syncWatcher interface {
	run(client.SyncRun)
	end()
}

func (r *runner) syncWatcher() syncWatcher {
	f, ok := r.Out.(*os.File)
	switch {
	case r.json:
		return silentSync{}
	case ok && isTerminal(f):
		return newSyncScreen(f)
	}
	return &syncPrinter{w: r.Out, told: map[string]bool{}}
}

type silentSync struct{}

func (silentSync) run(client.SyncRun) {}
func (silentSync) end()               {}

// A syncPrinter writes a line for each kind that is done, for logs and pipes.
type syncPrinter struct {
	w    io.Writer
	told map[string]bool
}

func (p *syncPrinter) run(run client.SyncRun) {
	for _, k := range run.Kinds {
		if k.State == "waiting" || k.State == "running" || p.told[k.Kind] {
			continue
		}
		p.told[k.Kind] = true
		fmt.Fprintf(p.w, "%s  %s: %s\n", clock(time.Now()), k.Kind, wire.Words(k.State))
	}
}

func (p *syncPrinter) end() { fmt.Fprintln(p.w) }

// A syncScreen draws the table of a sync over itself.
type syncScreen struct {
	*screen

	mu   sync.Mutex
	last *client.SyncRun
}

func newSyncScreen(f *os.File) *syncScreen {
	s := &syncScreen{}
	pen := penFor(f)
	s.screen = newScreen(f, func() string {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.last == nil {
			return ""
		}
		return syncText(pen, *s.last)
	})
	return s
}

func (s *syncScreen) run(run client.SyncRun) {
	s.mu.Lock()
	s.last = &run
	s.mu.Unlock()
	s.draw()
}
