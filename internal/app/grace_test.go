package app

import (
	"strings"
	"testing"
	"time"
)

// A teardown of which nobody says how long it is to wait waits as the settings say.
func TestTheSettingsGiveATeardownItsGrace(t *testing.T) {
	c, err := ReadConfig()
	if err != nil || c.Grace != 24*time.Hour {
		t.Errorf("told nothing, a teardown waits for %s: %v", c.Grace, err)
	}
	if got := (&App{config: c}).stackSettings(nil).Grace; got != c.Grace {
		t.Errorf("stacks are torn down after %s, want %s", got, c.Grace)
	}
	for _, wrong := range []string{"-1s", "2161h"} {
		t.Setenv("ARCADIA_STACK_GRACE", wrong)
		if _, err := ReadConfig(); err == nil || !strings.Contains(err.Error(), "ARCADIA_STACK_GRACE") {
			t.Errorf("a grace of %s: %v", wrong, err)
		}
	}
}
