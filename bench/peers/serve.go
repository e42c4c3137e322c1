package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// What `arcadia serve` is to reach: idle memory, in bytes. Source: DESIGN.md.
const idleMemory = 100 << 20

// settled is how long a server has been ready when its idle memory is read.
const settled = 3 * time.Second

// measureServe starts the real binary on an empty data directory, several times,
// and prints how long it takes to answer /readyz and how much memory it holds
// when nobody asks it anything.
func measureServe(ctx context.Context, binary, dir string, rounds int, w io.Writer) error {
	var ready, memory []float64
	for n := range rounds {
		took, resident, err := serveOnce(ctx, binary, filepath.Join(dir, fmt.Sprintf("serve_%d", n)))
		if err != nil {
			return err
		}
		ready = append(ready, took.Seconds()*1000)
		memory = append(memory, float64(resident))
	}
	r, m := spreadOf(ready), spreadOf(memory)
	word := "reached"
	if m.median >= idleMemory {
		word = "MISSED"
	}
	fmt.Fprintln(w, "\nThe server alone, on a new data directory (median [min–max])")
	t := table(w)
	fmt.Fprintf(t, "  time to ready\t%.0f ms\t[%.0f–%.0f]\n", r.median, r.low, r.high)
	fmt.Fprintf(t, "  idle memory (resident)\t%.0f MB\t[%.0f–%.0f]\tgoal < %d MB\t%s\n",
		m.median/(1<<20), m.low/(1<<20), m.high/(1<<20), idleMemory>>20, word)
	return t.Flush()
}

func serveOnce(ctx context.Context, binary, dir string) (ready time.Duration, resident int64, err error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return 0, 0, err
	}
	addr, err := freeAddr()
	if err != nil {
		return 0, 0, err
	}
	var said bytes.Buffer
	cmd := exec.CommandContext(ctx, binary, "serve", "--addr", addr)
	cmd.Env = append(withoutSettings(os.Environ()), "ARCADIA_DATA_DIR="+dir)
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	started := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, 0, err
	}
	defer func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if left := cmd.Wait(); err == nil && left != nil {
			err = fmt.Errorf("arcadia serve, when it was told to stop: %w\n%s", left, said.String())
		}
	}()
	if err := answers(ctx, "http://"+addr+"/readyz", 30*time.Second); err != nil {
		return 0, 0, fmt.Errorf("arcadia serve: %w", err)
	}
	ready = time.Since(started)
	select {
	case <-time.After(settled):
	case <-ctx.Done():
		return 0, 0, ctx.Err()
	}
	resident, err = residentMemory(cmd.Process.Pid)
	return ready, resident, err
}

// answers waits until url answers 200, looking every millisecond.
func answers(ctx context.Context, url string, atMost time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, atMost)
	defer cancel()
	client := &http.Client{Timeout: time.Second}
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		if resp, err := client.Do(req); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return fmt.Errorf("%s did not answer within %s", url, atMost)
		}
	}
}

func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// withoutSettings removes Arcadia's own settings, so that nobody's reach a measurement.
func withoutSettings(env []string) (clean []string) {
	for _, e := range env {
		if !strings.HasPrefix(e, "ARCADIA_") {
			clean = append(clean, e)
		}
	}
	return clean
}

// residentMemory is a process's resident set in bytes, as Linux tells it.
func residentMemory(pid int) (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if kb, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			n, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(kb), "kB")), 10, 64)
			return n << 10, err
		}
	}
	return 0, errors.New("the process has no resident set")
}
