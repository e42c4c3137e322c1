package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// cpu is the time that this process and the PostgreSQL server have computed so
// far, in user and system mode. A ratio of it is steadier than one of sagas a
// second where others use the machine too. It is 0 where Linux does not tell.
func (l *lab) cpu() time.Duration {
	var self syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &self); err != nil {
		return 0
	}
	total := time.Duration(self.Utime.Nano() + self.Stime.Nano())
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return 0
	}
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil && l.serverID != 0 {
			if p := processOf(pid); pid == l.serverID {
				total += p.own + p.ended
			} else if p.parent == l.serverID {
				total += p.own
			}
		}
	}
	return total
}

// A process is what Linux tells of one: proc(5), /proc/PID/stat.
type process struct {
	parent     int
	own, ended time.Duration // of itself, and of children that have ended
}

func parentOf(pid int) int { return processOf(pid).parent }

func processOf(pid int) (p process) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return p // it has ended
	}
	// The name, in parentheses, may hold anything; what follows are numbers.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	const first = 3 // the number that proc(5) gives to fields[0]
	number := func(field int) int {
		n, _ := strconv.Atoi(fields[field-first])
		return n
	}
	const tick = 10 * time.Millisecond // USER_HZ is 100 on every architecture that Go knows
	p.parent = number(4)
	p.own = time.Duration(number(14)+number(15)) * tick
	p.ended = time.Duration(number(16)+number(17)) * tick
	return p
}
