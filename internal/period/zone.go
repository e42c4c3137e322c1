package period

import (
	"sync"
	"time"
)

var zones sync.Map // of *time.Location, by name

// Zone is time.LoadLocation, which reads a file each time, once for each name that
// there is.
func Zone(name string) (*time.Location, error) {
	if zone, ok := zones.Load(name); ok {
		return zone.(*time.Location), nil
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, err
	}
	zones.Store(name, zone)
	return zone, nil
}
