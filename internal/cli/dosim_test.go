package cli

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/arcadia-cloud/arcadia/internal/dosim"
)

// A scenario is played in its own weather. The weather that the command asks for comes
// after it, under what the scenario sets by itself.
func TestTheCommandsPresetFollowsTheScenario(t *testing.T) {
	file := filepath.Join(t.TempDir(), "two.yaml")
	if err := os.WriteFile(file, []byte(`
preset: calm
params: {lag.tag: 7s}
steps:
  - {request: POST /v2/droplets, save: {web: droplet.id}, body: {name: web, size: s-1vcpu-1gb, image: debian-12-x64}}
  - {request: "POST /v2/volumes", save: {disk: volume.id}, body: {name: disk, region: nyc1, size_gigabytes: 1}}
  - {request: "DELETE /v2/volumes/{disk}"} # which hostile would not find yet
`), 0o600); err != nil {
		t.Fatal(err)
	}
	for asked, want := range map[string]string{"": "calm", "hostile": "hostile"} {
		sim, err := dosim.Open(dosim.Options{Preset: asked})
		if err != nil {
			t.Fatal(err)
		}
		defer sim.Close()
		c := dosimCommand{Preset: asked, Scenario: file}
		if err := c.play(sim); err != nil {
			t.Fatalf("--preset %q: %v", asked, err)
		}
		values := sim.ParamValues()
		if sim.Preset() != want || (len(sim.Faults()) > 0) != (want == "hostile") || values["lag.tag"] != "7s" {
			t.Errorf("--preset %q: %s with %d faults, lag.tag %s", asked, sim.Preset(), len(sim.Faults()), values["lag.tag"])
		}
		if n := len(sim.Truth("droplet")); n != 1 {
			t.Errorf("--preset %q: %d droplets, want 1", asked, n)
		}
	}
}
