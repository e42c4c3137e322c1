package provisioning_test

import (
	"os/exec"
	"runtime"
	"syscall"
)

// dieWithParent has the kernel kill the process when its parent ends, even while
// it is stopped.
func dieWithParent(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

// freeze stops this process until SIGCONT. The signal goes to the calling thread,
// so that not one instruction comes after it.
func freeze() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	_ = syscall.Tgkill(syscall.Getpid(), syscall.Gettid(), syscall.SIGSTOP)
}
