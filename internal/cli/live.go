package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/wire"
)

// follow shows a saga until it rests: drawn over on a terminal, a line for each
// change elsewhere, nothing where JSON is asked for. It returns the saga as it rests.
func (s *session) follow(ctx context.Context, id string) (last client.Saga, err error) {
	show := s.r.watcher()
	defer show.end()
	err = s.read(ctx, func(c *client.Client) (err error) {
		last, err = c.Watch(ctx, id, show.saga)
		return err
	})
	return last, err
}

// A watcher shows a saga as it changes.
type watcher interface {
	saga(client.Saga)
	end()
}

func (r *runner) watcher() watcher {
	f, ok := r.Out.(*os.File)
	switch {
	case r.json:
		return silent{}
	case ok && isTerminal(f):
		return newLedgerScreen(f)
	}
	return &printer{w: r.Out}
}

type silent struct{}

func (silent) saga(client.Saga) {}
func (silent) end()             {}

// A printer writes a line for each change, for logs and pipes.
type printer struct {
	w    io.Writer
	last string
}

func (p *printer) saga(s client.Saga) {
	if p.last == "" {
		fmt.Fprintf(p.w, "%s  %s, %s\n", clock(time.Now()), s.ID, wire.NameOf(s))
	}
	if now := line(s); now != p.last {
		p.last = now
		fmt.Fprintf(p.w, "%s  %s\n", clock(time.Now()), now)
	}
}

func (p *printer) end() {
	if p.last != "" {
		fmt.Fprintln(p.w)
	}
}

// A ledgerScreen draws a saga's ledger.
type ledgerScreen struct {
	*screen

	mu   sync.Mutex
	last *client.Saga
}

func newLedgerScreen(f *os.File) *ledgerScreen {
	s := &ledgerScreen{}
	pen := penFor(f)
	s.screen = newScreen(f, func() string {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.last == nil {
			return ""
		}
		return ledger(pen, *s.last, time.Now())
	})
	return s
}

func (s *ledgerScreen) saga(of client.Saga) {
	s.mu.Lock()
	s.last = &of
	s.mu.Unlock()
	s.draw()
}

// A screen draws a text over itself, each time that something changes and twice a
// second, so that times and countdowns move.
type screen struct {
	f    *os.File
	text func() string // what to draw now; empty: nothing yet
	stop chan struct{}
	done sync.WaitGroup

	mu    sync.Mutex
	lines int // drawn, to be drawn over
}

const redraw = 500 * time.Millisecond

func newScreen(f *os.File, text func() string) *screen {
	s := &screen{f: f, text: text, stop: make(chan struct{})}
	s.done.Go(func() {
		tick := time.NewTicker(redraw)
		defer tick.Stop()
		for {
			select {
			case <-s.stop:
				return
			case <-tick.C:
				s.draw()
			}
		}
	})
	return s
}

// end takes the drawing away: what comes after shows how it ended.
func (s *screen) end() {
	close(s.stop)
	s.done.Wait()
	s.clear()
}

func (s *screen) draw() {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.text()
	if now == "" {
		return
	}
	s.clear()
	width, _, err := term.GetSize(int(s.f.Fd()))
	if err != nil || width <= 0 {
		width = 80
	}
	for text := range strings.Lines(now) {
		for _, row := range wrap(strings.TrimSuffix(text, "\n"), width) {
			fmt.Fprintln(s.f, row)
			s.lines++
		}
	}
}

func (s *screen) clear() {
	if s.lines > 0 {
		fmt.Fprintf(s.f, "\x1b[%dA\x1b[J", s.lines)
	}
	s.lines = 0
}

// wrap breaks a line into rows of a terminal of this width, between words where
// it can, the later ones indented a little more.
func wrap(text string, width int) (rows []string) {
	indent := text[:len(text)-len(strings.TrimLeft(text, " "))] + "  "
	for width > len(indent) {
		end := rowEnd(text, width)
		if end == len(text) {
			break
		}
		rows = append(rows, strings.TrimRight(text[:end], " "))
		text = indent + strings.TrimLeft(text[end:], " ")
	}
	return append(rows, text)
}

// rowEnd is where the first row of text ends. Escape sequences take no place.
func rowEnd(text string, width int) int {
	shown, space, escape := 0, 0, false
	for i, c := range text {
		switch {
		case c == '\x1b':
			escape = true
		case escape:
			escape = c != 'm'
		case shown == width && (c == ' ' || space == 0):
			return i
		case shown == width:
			return space
		default:
			shown++
			if c == ' ' && strings.TrimSpace(text[:i]) != "" {
				space = i
			}
		}
	}
	return len(text)
}
