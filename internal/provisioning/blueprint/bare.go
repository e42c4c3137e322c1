package blueprint

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Bare are the droplets that are behind no firewall, which is open to all that the
// machine itself does not refuse.
func (bp *Blueprint) Bare() []string {
	var behind []string
	for _, f := range bp.Firewalls {
		behind = append(behind, f.Droplets...)
	}
	return slices.DeleteFunc(slices.Sorted(maps.Keys(bp.Droplets)), func(key string) bool { return slices.Contains(behind, key) })
}

// Bare are the droplets of a spec that are behind no firewall, by their keys.
func (s Spec) Bare() []string {
	var droplets, behind []string
	for _, r := range s.Resources {
		switch {
		case r.Droplet != nil:
			droplets = append(droplets, r.Key)
		case r.Firewall != nil:
			for _, id := range r.Firewall.Droplets {
				behind = append(behind, strings.TrimPrefix(id, string(DropletKind)+"."))
			}
		}
	}
	return slices.DeleteFunc(droplets, func(key string) bool { return slices.Contains(behind, key) })
}

// BareWarning says that droplets are behind no firewall, and what follows: there is no gate
// then while a stack is made.
func BareWarning(droplets []string) string {
	return fmt.Sprintf("No firewall is for %s: what is not refused on the machine itself is open to everybody. While the stack is made, no droplet of it is shut off, either.",
		strings.Join(droplets, ", "))
}
