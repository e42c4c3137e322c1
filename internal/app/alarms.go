package app

import (
	"context"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/inventory"
	"github.com/arcadia-cloud/arcadia/internal/provisioning"
)

// reports are provisioning's alarms in an account, as findings of the inventory's.
func (a *App) reports(ctx context.Context, account string) ([]inventory.Report, error) {
	alarms, err := a.provisioning.Alarms(ctx, account, time.Now())
	if err != nil {
		return nil, err
	}
	all := make([]inventory.Report, len(alarms))
	for i, alarm := range alarms {
		rule, verb := inventory.BackupFailed, "backup"
		switch alarm.Kind {
		case provisioning.BackupOverdue:
			rule = inventory.BackupOverdue
		case provisioning.BackupLost:
			rule = inventory.BackupLost
		case provisioning.DrillFailed:
			rule, verb = inventory.DrillFailed, "drill"
		}
		name := alarm.Slug + "/" + alarm.Stack.Name
		all[i] = inventory.Report{
			Rule: rule, Subject: string(alarm.Stack.ID), Name: name, URNs: alarm.URNs, Says: alarm.Says, Mend: "arcadia stack " + verb + " " + name,
		}
	}
	return all, nil
}
