package demo

import (
	"maps"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/dosim"
)

// A demonstration that is left alone for a week stays small.
func TestTrafficFadesAway(t *testing.T) {
	rounds, soon := 0, 0
	for age := time.Duration(0); age < 7*24*time.Hour; age += interval(age) {
		rounds++
		if age < 10*time.Minute {
			soon++
		}
	}
	// A round is a saga or three; a saga is some thirty events of a few hundred bytes.
	if soon < 30 || rounds > 2500 {
		t.Errorf("%d rounds in the first ten minutes and %d in a week; want 30 at least, and 2,500 at most", soon, rounds)
	}
}

// An inventory of the demonstration has something to show of every kind, and most
// of it is somebody's.
func TestTheEstateHasOneOfEveryKind(t *testing.T) {
	begun, err := fleet()
	if err != nil {
		t.Fatal(err)
	}
	clock := dosim.NewClock(dosim.Stepped)
	clock.Set(time.Date(2060, 1, 7, 12, 0, 0, 0, time.UTC)) // a Wednesday: how many backups there are depends on it
	s := dosim.New(dosim.Options{Seed: 1, Clock: clock})
	if err := s.Play(begun); err != nil {
		t.Fatal(err)
	}
	kinds := map[string]int{}
	for _, i := range s.Truth("") {
		kinds[i.Kind]++
	}
	delete(kinds, "action")
	if want := map[string]int{
		"droplet": 60, "tag": 19, "project": 13, "volume": 14, "volume_snapshot": 6, "snapshot": 7, "image": 1, "reserved_ip": 7, "domain": 7,
		"domain_record": 40, "firewall": 12, "certificate": 4, "load_balancer": 4, "vpc": 6, "ssh_key": 2, "database": 3, "database_replica": 1,
		"kubernetes_cluster": 1, "cdn_endpoint": 2, "uptime_check": 4, "app": 2, "spaces_key": 2, "vpc_peering": 1, "nat_gateway": 1,
		"registry": 1, "alert_policy": 1, "functions_namespace": 1, "agent": 1, "nfs": 1, "uptime_alert": 2, "autoscale_pool": 1, "reserved_ipv6": 1,
	}; !maps.Equal(kinds, want) {
		t.Errorf("the estate has %v, want %v", kinds, want)
	}
}
