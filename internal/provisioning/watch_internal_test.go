package provisioning

import (
	"testing"

	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// A wait that cannot be read would keep all others of its account asleep.
func TestEveryWaitIsRead(t *testing.T) {
	for _, tt := range []struct {
		watch           saga.Watch
		droplet, action int64
		bad             bool
	}{
		{watch: watchOf("main", digitalocean.Action{ID: 9, Resource: 7}), droplet: 7, action: 9},
		{watch: resourceWatch("main", "droplet", "7", 9), droplet: 7, action: 9},
		{watch: resourceWatch("main", "reserved_ip", "192.0.2.1", 9), action: 9},
		{watch: resourceWatch("main", "volume", "0a-b1", 9), action: 9},
		{watch: saga.Watch{Key: "7/9"}, droplet: 7, action: 9}, // of a saga that began to wait under an older version
		{watch: saga.Watch{Key: "9"}, bad: true},
		{watch: saga.Watch{Key: "droplet/x/9"}, bad: true},
		{watch: saga.Watch{Key: "volume/x/y"}, bad: true},
	} {
		got, err := parseWatch(saga.OpenWait{ID: "saga_1", Rev: 3, Watch: tt.watch})
		if (err != nil) != tt.bad || err == nil && (got.Droplet != tt.droplet || got.Action != tt.action || got.Key != "saga_1 3") {
			t.Errorf("%q is read as %+v, %v", tt.watch.Key, got, err)
		}
	}
}
