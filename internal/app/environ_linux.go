package app

import (
	"bytes"
	"fmt"
	"os"
	"strings"
)

// forget overwrites what the kernel shows of this process's environment, in
// /proc/<pid>/environ and ps, for the named settings: unsetting them changes only
// our copy. Where the kernel does not let us, they stay; only this user and root
// can read them there.
func forget(names []string) error {
	from, to, err := environ()
	if err != nil {
		return err
	}
	mem, err := os.OpenFile("/proc/self/mem", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer mem.Close()
	block := make([]byte, to-from)
	if _, err := mem.ReadAt(block, from); err != nil {
		return err
	}
	at := from
	for setting := range bytes.SplitSeq(block, []byte{0}) {
		for _, name := range names {
			if value, ok := bytes.CutPrefix(setting, []byte(name+"=")); ok {
				blank := bytes.Repeat([]byte{'x'}, len(value))
				if _, err := mem.WriteAt(blank, at+int64(len(setting)-len(value))); err != nil {
					return err
				}
			}
		}
		at += int64(len(setting)) + 1
	}
	return nil
}

// environ is where the kernel laid our environment: fields 50 and 51 of
// /proc/self/stat (proc_pid_stat(5)), counted behind the name, which may hold spaces.
func environ() (from, to int64, err error) {
	text, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return 0, 0, err
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	const start = 50 - 3 // the first field behind the name is the third
	if len(fields) < start+2 {
		return 0, 0, fmt.Errorf("/proc/self/stat has %d fields", len(fields))
	}
	if _, err := fmt.Sscan(fields[start]+" "+fields[start+1], &from, &to); err != nil {
		return 0, 0, err
	}
	if from <= 0 || to < from || to-from > 16<<20 {
		return 0, 0, fmt.Errorf("an environment from %d to %d", from, to)
	}
	return from, to, nil
}
