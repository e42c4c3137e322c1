package clients_test

import (
	"os/exec"
	"testing"
)

// Apache Libcloud's drivers for droplets and for domains. Python is the system's:
// it is there that scripts/setup puts Libcloud.
func TestLibcloud(t *testing.T) {
	const python = "/usr/bin/python3"
	needs(t, exec.CommandContext(t.Context(), python, "-c", "import libcloud").Run())
	reads(t, "libcloud/drive.py")
	s := stepped(t, nil)
	out, err := exec.CommandContext(t.Context(), python, "libcloud/drive.py", s.URL, s.AdminURL, s.Token).CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if n := s.UnknownPaths(); n != 0 {
		t.Errorf("it asks %d times for what is not served", n)
	}
	for _, l := range s.Leaks(0) {
		t.Errorf("left over: %v", l)
	}
}
