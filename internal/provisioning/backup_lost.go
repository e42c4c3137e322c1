package provisioning

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// withLost notes of which copies of backups the snapshot is certainly gone, by the
// inventory: somebody else deleted it. Without one nothing is known to be.
func (s *Service) withLost(ctx context.Context, all []StackBackup) ([]StackBackup, error) {
	if s.inventory == nil {
		return all, nil
	}
	var urns []string
	for _, b := range all {
		if b.DeletedAt.IsZero() {
			for _, i := range b.Items {
				urns = append(urns, snapshotURN(i.Snapshot))
			}
		}
	}
	is, err := s.inventory.Current(ctx, urns)
	if err != nil {
		return nil, err
	}
	for n := range all {
		for _, i := range all[n].Items {
			if snapshot, seen := is[snapshotURN(i.Snapshot)]; seen && snapshot.Gone() && all[n].DeletedAt.IsZero() {
				all[n].Lost = append(all[n].Lost, i.Key)
			}
		}
	}
	return all, nil
}

// lostSays is what is wrong with the backups of one stack of which something is lost;
// empty: nothing is.
func lostSays(of []StackBackup) string {
	var says []string
	for _, b := range of {
		if len(b.Lost) > 0 {
			says = append(says, fmt.Sprintf("%s of the backup of %s", strings.Join(b.Lost, ", "), minute(b.TakenAt)))
		}
	}
	if len(says) == 0 {
		return ""
	}
	return "Deleted at DigitalOcean, so that it cannot be restored: the snapshot of " + strings.Join(says, "; of ") + "."
}

// lastGood is which of one stack's backups, the newest first, is the newest of which
// nothing is lost; -1: none is.
func lastGood(all []StackBackup) int {
	return slices.IndexFunc(all, func(b StackBackup) bool { return len(b.Lost) == 0 })
}
