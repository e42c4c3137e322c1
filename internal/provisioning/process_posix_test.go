//go:build unix && !linux

package provisioning_test

import (
	"os/exec"
	"syscall"
)

// dieWithParent has nothing to add here: a worker ends when its standard input does.
func dieWithParent(*exec.Cmd) {}

// freeze stops this process until SIGCONT.
func freeze() { _ = syscall.Kill(syscall.Getpid(), syscall.SIGSTOP) }
