package datadir_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/arcadia-cloud/arcadia/internal/datadir"
	"github.com/arcadia-cloud/arcadia/internal/fault"
)

const (
	childVariable = "DATADIR_TEST_HOLD"
	childAddr     = "127.0.0.1:4321"
)

// TestMain is also the program of a child process that holds a directory until
// it is killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv(childVariable); dir != "" {
		d, err := datadir.Hold(dir)
		if err == nil {
			err = d.Announce(childAddr)
		}
		fmt.Println("held:", err)
		_, _ = bufio.NewReader(os.Stdin).ReadString('\n') // until the parent ends, if it does not kill
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// child starts a process that holds dir.
func child(t *testing.T, dir string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"="+dir)
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = cmd.Process.Kill(), cmd.Wait() })
	if said, err := bufio.NewReader(out).ReadString('\n'); said != "held: <nil>\n" {
		t.Fatalf("the child said %q, %v", said, err)
	}
	return cmd
}

func wantHolder(t *testing.T, dir, wantAddr string, wantHeld bool) {
	t.Helper()
	addr, held, err := datadir.Holder(dir)
	if addr != wantAddr || held != wantHeld || err != nil {
		t.Errorf("Holder = %q, %t, %v, want %q, %t", addr, held, err, wantAddr, wantHeld)
	}
}

func TestOneHoldsTheDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "data")
	wantHolder(t, dir, "", false)
	d, err := datadir.Hold(dir)
	if err != nil {
		t.Fatal(err)
	}
	wantHolder(t, dir, "", true)
	if err := d.Announce("127.0.0.1:4000"); err != nil {
		t.Fatal(err)
	}
	wantHolder(t, dir, "127.0.0.1:4000", true)

	_, err = datadir.Hold(dir)
	if !errors.Is(err, fault.Conflict) {
		t.Fatalf("a second Hold = %v, want a fault of kind conflict", err)
	}
	for _, part := range []string{dir, fmt.Sprintf("process %d", os.Getpid()), "127.0.0.1:4000"} {
		if !strings.Contains(fault.Message(err), part) {
			t.Errorf("%q does not say %s", fault.Message(err), part)
		}
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	wantHolder(t, dir, "", false)
	again, err := datadir.Hold(dir)
	if err != nil {
		t.Fatalf("after Close: %v", err)
	}
	again.Close()
}

func TestItIsPrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	d, err := datadir.Hold(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := d.Announce("127.0.0.1:4000"); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]os.FileMode{".": 0o700, "lock": 0o600, "holder.json": 0o600} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("the mode of %s is %o, want %o", name, got, want)
		}
	}
}

// A killed holder cleans nothing up. Its lock is free at once, its address is
// worth nothing, and the next holder does not inherit it.
func TestAKilledHolderHoldsNothing(t *testing.T) {
	dir := t.TempDir()
	holder := child(t, dir)
	wantHolder(t, dir, childAddr, true)
	if _, err := datadir.Hold(dir); !errors.Is(err, fault.Conflict) || !strings.Contains(fault.Message(err), fmt.Sprint(holder.Process.Pid)) {
		t.Errorf("Hold beside process %d = %v", holder.Process.Pid, err)
	}

	if err := holder.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = holder.Wait() // it was killed
	if _, err := os.Stat(filepath.Join(dir, "holder.json")); err != nil {
		t.Fatalf("the killed holder left nothing to ignore: %v", err)
	}
	wantHolder(t, dir, "", false)
	d, err := datadir.Hold(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	wantHolder(t, dir, "", true)
}

// Asking who holds a directory takes its lock for an instant, and may not keep
// a holder out.
func TestAskingDoesNotKeepAHolderOut(t *testing.T) {
	dir := t.TempDir()
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				if _, _, err := datadir.Holder(dir); err != nil {
					t.Error(err)
					return
				}
			}
		}
	})
	for range 10 {
		d, err := datadir.Hold(dir)
		if err != nil {
			t.Error(err)
			break
		}
		d.Close()
	}
	close(stop)
	wg.Wait()
}

func TestADirectoryThatCannotBeMade(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := datadir.Hold(filepath.Join(file, "data")); !errors.Is(err, fault.Unavailable) {
		t.Errorf("Hold below a file = %v, want a fault of kind unavailable", err)
	}
}
