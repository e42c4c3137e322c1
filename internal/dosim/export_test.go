package dosim

import (
	"os"
	"testing"
)

// AdminPatterns are the operations of the simulator's own port.
func AdminPatterns() []string {
	var all []string
	for _, rt := range New(Options{}).adminRoutes() {
		all = append(all, rt.pattern)
	}
	return all
}

// FillDisk makes every further write of the data file fail as on a full disk.
func (s *Sim) FillDisk(t testing.TB) {
	t.Helper()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.data.f.Close()
	s.data.f = full
}
