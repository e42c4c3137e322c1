package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
)

// browser is what the tests ask servers with. It follows streams, so its limit is long.
var browser = &http.Client{Timeout: time.Minute}

// binary is the program under test, as users have it.
var binary string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "arcadia-binary-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		if err := os.Chmod(dir, 0o755); err != nil { // one test runs it as another user
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		binary = filepath.Join(dir, "arcadia")
		if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
			return 1
		}
		return m.Run()
	}())
}

// A house is an installation: a data directory, a simulated cloud with the droplet
// web-1, and the environment that names both.
type house struct {
	cloud *dosimtest.Server
	drop  int64
	dir   string
	env   []string
}

const goodToken = "dop_v1_0123456789abcdef"

// newHouse has settings under which a saga takes moments.
func newHouse(t *testing.T, params ...string) *house {
	t.Helper()
	p := map[string]string{
		"action.snapshot": "200ms", "lag.snapshot_visible": "50ms", "lag.list_after_delete": "50ms", "lag.replica": "0s",
	}
	for i := 0; i+1 < len(params); i += 2 {
		p[params[i]] = params[i+1]
	}
	h := &house{cloud: dosimtest.Start(t, dosim.Options{Params: p}), dir: filepath.Join(t.TempDir(), "data")}
	h.drop = h.cloud.SeedDroplet(dosim.SeedDroplet{Name: "web-1"})
	h.env = []string{
		"HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH"), "ARCADIA_DATA_DIR=" + h.dir, "ARCADIA_DO_API_URL=" + h.cloud.URL,
		"ARCADIA_LEASE=3s", "ARCADIA_DO_HORIZON=400ms", "ARCADIA_DO_POLL=50ms", "ARCADIA_DO_TOKEN_PROVISIONING=" + goodToken,
	}
	return h
}

// with is the same house with other settings; a setting without a value is taken away.
func (h *house) with(settings ...string) *house {
	other := *h
	other.env = nil
	for _, have := range h.env {
		name, _, _ := strings.Cut(have, "=")
		replaced := false
		for _, s := range settings {
			n, _, _ := strings.Cut(s, "=")
			replaced = replaced || n == name
		}
		if !replaced {
			other.env = append(other.env, have)
		}
	}
	for _, s := range settings {
		if strings.Contains(s, "=") {
			other.env = append(other.env, s)
		}
	}
	return &other
}

// A result is how a command ended.
type result struct {
	code     int
	out, err string
}

// longest is what no command here may take.
const longest = time.Minute

func (h *house) command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), longest)
	t.Cleanup(cancel)
	c := exec.CommandContext(ctx, binary, args...)
	c.Env = h.env
	c.WaitDelay = time.Second
	return c
}

// run runs a command to its end.
func (h *house) run(t *testing.T, args ...string) result { t.Helper(); return h.pipe(t, "", args...) }

// pipe runs a command with text on its standard input.
func (h *house) pipe(t *testing.T, in string, args ...string) result {
	t.Helper()
	c := h.command(t, args...)
	return finish(t, c, in)
}

func finish(t *testing.T, c *exec.Cmd, in string) result {
	t.Helper()
	var out, errs bytes.Buffer
	c.Stdin, c.Stdout, c.Stderr = strings.NewReader(in), &out, &errs
	err := c.Run()
	var exited *exec.ExitError
	if err != nil && !errors.As(err, &exited) {
		t.Fatalf("%v: %v", c.Args, err)
	}
	return result{c.ProcessState.ExitCode(), out.String(), errs.String()}
}

// want fails the test unless the command ended with the code.
func (r result) want(t *testing.T, code int) result {
	t.Helper()
	if r.code != code {
		t.Fatalf("exit %d, want %d\n%s%s", r.code, code, r.out, r.err)
	}
	return r
}

// A server is `arcadia serve` in a process of its own.
type server struct {
	url   string
	cmd   *exec.Cmd
	logs  *syncBuffer
	ended chan struct{}
	said  json.RawMessage // when it was ready
}

// serve starts the server and waits until it is ready.
func (h *house) serve(t *testing.T, args ...string) *server {
	t.Helper()
	s := h.start(t, append([]string{"serve", "--addr", "127.0.0.1:0", "--json"}, args...)...)
	eventually(t, "the server is ready", func() bool {
		res, err := browser.Get(s.url + "/readyz")
		if err != nil {
			return false
		}
		res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
	return s
}

// worker starts a process that only runs sagas.
func (h *house) worker(t *testing.T) *server {
	t.Helper()
	return h.start(t, "serve", "--role", "worker", "--json")
}

// start starts a process that says where it serves, and lasts as long as the test.
func (h *house) start(t *testing.T, args ...string) *server {
	t.Helper()
	c := h.command(t, args...)
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	s := &server{cmd: c, logs: &syncBuffer{}, ended: make(chan struct{})}
	c.Stderr = s.logs
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	var ready struct{ URL string }
	err = json.NewDecoder(out).Decode(&s.said)
	if err == nil {
		err = json.Unmarshal(s.said, &ready)
	}
	if err != nil {
		_ = c.Wait() // then all that it complained of is there
		t.Fatalf("it said nothing: %v\n%s", err, s.logs)
	}
	s.url = ready.URL
	go func() {
		_, _ = io.Copy(io.Discard, out)
		_ = c.Wait() // the tests look at ProcessState
		close(s.ended)
	}()
	t.Cleanup(func() {
		_ = c.Process.Kill()
		<-s.ended
	})
	return s
}

// A syncBuffer takes a process's output while the test looks at it.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// eventually polls until ok or a deadline.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	timeout := time.After(time.Minute)
	for !ok() {
		select {
		case <-tick.C:
		case <-timeout:
			t.Fatalf("it never came that %s", what)
		}
	}
}

// snapshots are those that the cloud really has.
func (h *house) snapshots() (names []string) {
	for _, s := range h.cloud.Truth("snapshot") {
		names = append(names, s.Name)
	}
	return names
}

// posted counts the requests that would make a snapshot.
func (h *house) posted() (n int) {
	for _, r := range h.cloud.Requests(0) {
		if r.Method == "POST" {
			n++
		}
	}
	return n
}

func (h *house) droplet() string { return strconv.FormatInt(h.drop, 10) }

// The contract's shapes, written out a second time so that a change of the
// client's types cannot change both.
type (
	wireSaga struct {
		ID             string         `json:"id"`
		Kind           string         `json:"kind"`
		State          string         `json:"state"`
		Direction      string         `json:"direction"`
		Want           string         `json:"want"`
		Subjects       []string       `json:"subjects"`
		Tenant         *string        `json:"tenant"`
		RequestedBy    string         `json:"requested_by"`
		IdempotencyKey *string        `json:"idempotency_key"`
		Epoch          int64          `json:"epoch"`
		Rev            int64          `json:"rev"`
		CreatedAt      time.Time      `json:"created_at"`
		StartedAt      *time.Time     `json:"started_at"`
		FinishedAt     *time.Time     `json:"finished_at"`
		Wait           *wireWait      `json:"wait"`
		Error          *wireError     `json:"error"`
		Data           map[string]any `json:"data"`
		Steps          []wireStep     `json:"steps"`
	}
	wireWait struct {
		Reason string    `json:"reason"`
		Until  time.Time `json:"until"`
	}
	wireError struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	wireStep struct {
		Position     int            `json:"position"`
		Name         string         `json:"name"`
		State        string         `json:"state"`
		Attempts     int            `json:"attempts"`
		UndoAttempts int            `json:"undo_attempts"`
		StartedAt    *time.Time     `json:"started_at"`
		FinishedAt   *time.Time     `json:"finished_at"`
		Output       map[string]any `json:"output"`
		Error        *wireError     `json:"error"`
	}
	wireSmoke struct {
		Saga       wireSaga       `json:"saga"`
		LeftOver   []wireLeftOver `json:"left_over"`
		VerifiedAt time.Time      `json:"verified_at"`
	}
	wireLeftOver struct {
		URN       string    `json:"urn"`
		Name      string    `json:"name"`
		CreatedAt time.Time `json:"created_at"`
	}
	wireProblem struct {
		Type   string `json:"type"`
		Title  string `json:"title"`
		Status int    `json:"status"`
		Code   string `json:"code"`
		Detail string `json:"detail"`
	}
)

// exactly decodes text into a T and refuses keys that T does not have.
func exactly[T any](t *testing.T, text string) (v T) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%s\nis not the contract's shape: %v", text, err)
	}
	if d.More() {
		t.Fatalf("%s\nis more than one value", text)
	}
	return v
}
