package dosim

import (
	"os"
	"testing"
)

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
