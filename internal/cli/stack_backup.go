package cli

import (
	"context"
	"strconv"
	"strings"

	"github.com/arcadia-cloud/arcadia/client"
)

type stackBackupCommand struct {
	stackRef
	KeepDays int `placeholder:"DAYS" help:"After how many days it may be deleted; without it somebody has to."`
}

// Run plans a backup.
func (c *stackBackupCommand) Run(ctx context.Context, r *runner) error {
	options := map[string]string{}
	if c.KeepDays != 0 {
		options["keep_days"] = strconv.Itoa(c.KeepDays)
	}
	return r.plan(ctx, client.PlanOrder{Verb: "backup", Stack: c.Stack, Options: options})
}

type stackBackupsCommand struct {
	stackRef
	All bool `help:"Also those that were deleted."`
}

// Run lists a stack's backups.
func (c *stackBackupsCommand) Run(ctx context.Context, r *runner) error {
	page, err := fetch(ctx, r, func(cl *client.Client) (client.StackBackupPage, error) { return cl.StackBackups(ctx, c.Stack, c.All) })
	if err != nil {
		return err
	}
	return listing(r, page, page.Items, "There are no backups. Plan one with: arcadia stack backup "+c.Stack,
		"BACKUP|TAKEN|WHY|COPIES|HOLDS GB|KEPT UNTIL|SAGA", func(b client.StackBackup) []string {
			return []string{b.ID, b.TakenAt.UTC().Format("2006-01-02 15:04"), b.Reason, strconv.Itoa(len(b.Items)), heldBy(b), keptUntil(b), b.Saga}
		})
}

// heldBy lists what the copies of a backup hold.
func heldBy(b client.StackBackup) string {
	text := ""
	for _, one := range b.Items {
		if text != "" {
			text += " + "
		}
		text += one.SizeGB
	}
	return text
}

func keptUntil(b client.StackBackup) string {
	switch {
	case b.DeletedAt != nil:
		return "deleted " + b.DeletedAt.UTC().Format("2006-01-02 15:04")
	case len(b.Lost) > 0:
		return "lost: " + strings.Join(b.Lost, ", ")
	case b.ExpiresAt != nil:
		return b.ExpiresAt.UTC().Format("2006-01-02 15:04")
	}
	return "-"
}

type stackRestoreCommand struct {
	stackRef
	Backup    string `help:"The backup's id; without it the newest."`
	Into      string `placeholder:"NAME" help:"Make a new stack of this name instead, and leave this one as it is."`
	DNS       bool   `name:"dns" help:"With --into: make the DNS records too. They have to be free."`
	NoSafety  bool   `help:"Do not back up first what is written over."`
	SkipProbe bool   `help:"Do not ask the health probes in the end."`
}

// Run plans a restore.
func (c *stackRestoreCommand) Run(ctx context.Context, r *runner) error {
	return r.plan(ctx, client.PlanOrder{Verb: "restore", Stack: c.Stack, Options: map[string]string{
		"backup": c.Backup, "into": c.Into, "dns": strconv.FormatBool(c.DNS), "safety_backup": strconv.FormatBool(!c.NoSafety), "skip_probe": strconv.FormatBool(c.SkipProbe),
	}})
}

type stackPruneCommand struct {
	stackRef
	Backup string `help:"This backup alone; without it all whose time is over."`
}

// Run plans the deletion of backups.
func (c *stackPruneCommand) Run(ctx context.Context, r *runner) error {
	return r.plan(ctx, client.PlanOrder{Verb: "prune", Stack: c.Stack, Options: map[string]string{"backup": c.Backup}})
}
