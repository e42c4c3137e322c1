package web

import (
	"bufio"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A client that never reads is dropped once the kernel's buffers are full and a
// hint has waited for its time. The server keeps nothing for it, and whoever reads
// is told things meanwhile and after.
func TestClientThatNeverReadsIsDropped(t *testing.T) {
	type end struct {
		err   error
		hints int64
		grew  uint64 // bytes of heap
	}
	dropped := make(chan end, 1)
	tell := make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("/deaf", func(w http.ResponseWriter, _ *http.Request) {
		out, before := newHints(w, 200*time.Millisecond), heap()
		var e end
		for ; e.err == nil; e.hints++ {
			e.err = out.changed(strconv.FormatInt(e.hints, 10))
		}
		e.grew = max(heap(), before) - before
		dropped <- e
	})
	mux.HandleFunc("/reader", func(w http.ResponseWriter, _ *http.Request) {
		out := newHints(w, sendTime)
		for range tell {
			if err := out.changed("1"); err != nil {
				t.Errorf("the one that reads is dropped: %v", err)
			}
		}
	})
	s := httptest.NewUnstartedServer(mux)
	s.Config.ConnState = func(c net.Conn, state http.ConnState) {
		if tcp, ok := c.(*net.TCPConn); ok && state == http.StateNew {
			_ = tcp.SetWriteBuffer(4 << 10) // or the kernel takes megabytes
		}
	}
	s.Start()
	t.Cleanup(func() {
		close(tell)
		s.Close()
	})

	reader := bufio.NewScanner(dial(t, s, "/reader"))
	told := func() {
		t.Helper()
		tell <- struct{}{}
		for reader.Scan() {
			if strings.HasPrefix(reader.Text(), "event: ") {
				return
			}
		}
		t.Fatalf("the one that reads is told nothing: %v", reader.Err())
	}
	told()
	dial(t, s, "/deaf")
	for {
		select {
		case e := <-dropped:
			if !errors.Is(e.err, os.ErrDeadlineExceeded) {
				t.Errorf("it is dropped for %v", e.err)
			}
			if e.grew > 1<<20 {
				t.Errorf("%d hints for it took %d KB", e.hints, e.grew>>10)
			}
			told()
			t.Logf("dropped after %d hints; the heap grew by %d KB", e.hints, e.grew>>10)
			return
		case <-time.After(10 * time.Millisecond):
			told()
		}
	}
}

// dial asks for a path over a connection of its own, of which nothing is read.
func dial(t *testing.T, s *httptest.Server, path string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.(*net.TCPConn).SetReadBuffer(4 << 10)
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := c.Write([]byte("GET " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	return c
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
