package wire

import (
	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/provisioning"
)

// StackBackups are backups of stacks.
func StackBackups(all []provisioning.StackBackup) client.StackBackupPage {
	w := client.StackBackupPage{Items: make([]client.StackBackup, len(all))}
	for i, b := range all {
		one := client.StackBackup{
			ID: string(b.ID), Stack: string(b.Stack), Account: b.Account, Reason: string(b.Reason), Saga: string(b.Saga), TakenAt: client.Time{Time: b.TakenAt},
			ExpiresAt: client.At(b.ExpiresAt), DeletedAt: client.At(b.DeletedAt), Items: make([]client.StackBackupItem, len(b.Items)),
			Lost: append([]string{}, b.Lost...),
		}
		for j, item := range b.Items {
			one.Items[j] = client.StackBackupItem{
				Key: item.Key, Kind: item.Kind, Snapshot: item.Snapshot, Name: item.Marker, Source: item.Source, Region: item.Region,
				SizeGB: item.SizeGB, MinDiskGiB: item.MinDiskGiB,
			}
		}
		w.Items[i] = one
	}
	return w
}

// BackupSchedule is a schedule; the state of its last saga is the caller's to add.
func BackupSchedule(b provisioning.BackupSchedule) client.BackupSchedule {
	return client.BackupSchedule{
		Stack: string(b.Stack), Cron: b.Cron, Zone: b.Zone, Keep: client.Retention(b.Keep), Actor: b.Actor,
		NextAt: client.At(b.NextAt), LastAt: client.At(b.LastAt), LastSaga: Text(string(b.LastSaga)), LastError: b.LastError,
	}
}

// StackDrills are restores that were tried out.
func StackDrills(all []provisioning.StackDrill) client.StackDrillPage {
	w := client.StackDrillPage{Items: make([]client.StackDrill, len(all))}
	for i, d := range all {
		w.Items[i] = client.StackDrill{
			ID: string(d.ID), Stack: string(d.Stack), Backup: string(d.Backup), Saga: string(d.Saga), Outcome: d.Outcome, Said: d.Said,
			BeganAt: client.Time{Time: d.BeganAt}, ReadyAt: client.At(d.ReadyAt), EndedAt: client.At(d.EndedAt),
		}
	}
	return w
}
