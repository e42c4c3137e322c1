package client

import (
	"context"
	"net/http"
	"net/url"
)

// A StackBackup is a verified snapshot of each droplet and each volume of a stack.
type StackBackup struct {
	ID        string            `json:"id" example:"backup_0193a4c0d1e2738fa1b2c3d4e5f60718"`
	Stack     string            `json:"stack" doc:"Id."`
	Account   string            `json:"account"`
	Reason    string            `json:"reason" enum:"manual,schedule,safety,final" doc:"Why it was made, which says how long it is kept."`
	Saga      string            `json:"saga"`
	TakenAt   Time              `json:"taken_at" format:"date-time"`
	ExpiresAt *Time             `json:"expires_at" format:"date-time" doc:"When it may be deleted; null: no time is set."`
	DeletedAt *Time             `json:"deleted_at" format:"date-time"`
	Items     []StackBackupItem `json:"items" nullable:"false"`
	Lost      []string          `json:"lost" nullable:"false" doc:"Keys of the items whose snapshot was deleted at DigitalOcean by somebody else, as far as the inventory knows: the backup cannot be restored."`
}

// A StackBackupItem is the snapshot of one droplet or volume.
type StackBackupItem struct {
	Key        string `json:"key" example:"droplet.web"`
	Kind       string `json:"kind" enum:"droplet,volume"`
	Snapshot   string `json:"snapshot" doc:"Its id at DigitalOcean."`
	Name       string `json:"name" doc:"Of the snapshot."`
	Source     string `json:"source" doc:"Id of what it is of."`
	Region     string `json:"region"`
	SizeGB     string `json:"size_gb" doc:"What it holds, decimal." example:"2.36"`
	MinDiskGiB int    `json:"min_disk_gib" doc:"Of what is made of it."`
}

// A StackBackupPage is a list of backups, the newest first.
type StackBackupPage struct {
	Items []StackBackup `json:"items" nullable:"false"`
}

// StackBackups lists the backups of a stack, the newest first; deleted ones too where all
// is set.
func (c *Client) StackBackups(ctx context.Context, stack string, all bool) (p StackBackupPage, err error) {
	q := url.Values{}
	if all {
		q.Set("all", "true")
	}
	_, err = c.call(ctx, http.MethodGet, "/v1/stacks/"+url.PathEscape(stack)+"/backups", q, nil, nil, &p)
	return p, err
}

// A BackupSchedule says when a stack is backed up by itself.
type BackupSchedule struct {
	Stack     string    `json:"stack" doc:"Id."`
	Named     string    `json:"named" example:"acme/web" doc:"The stack's tenant and name."`
	Cron      string    `json:"cron" example:"30 3 * * *"`
	Zone      string    `json:"zone" example:"Europe/Berlin"`
	Keep      Retention `json:"keep"`
	Actor     string    `json:"actor" doc:"Who set it; blueprint where it is the policy of that."`
	NextAt    *Time     `json:"next_at" format:"date-time"`
	LastAt    *Time     `json:"last_at" format:"date-time" doc:"When a backup was begun by it last."`
	LastSaga  *string   `json:"last_saga"`
	LastState string    `json:"last_state,omitempty" doc:"Of that saga."`
	LastError string    `json:"last_error,omitempty" doc:"Why none could be begun since."`
}

// A Retention is of how many days, weeks, months and years a backup is kept.
type Retention struct {
	Daily   int `json:"daily,omitempty"`
	Weekly  int `json:"weekly,omitempty"`
	Monthly int `json:"monthly,omitempty"`
	Yearly  int `json:"yearly,omitempty"`
}

// A BackupScheduleOrder sets a schedule.
type BackupScheduleOrder struct {
	Cron string    `json:"cron" example:"30 3 * * *" doc:"Minute, hour, day of the month, month and day of the week."`
	Zone string    `json:"zone,omitempty" doc:"Whose clock counts; without it the stack's."`
	Keep Retention `json:"keep"`
}

// A BackupSchedulePage is a list of schedules.
type BackupSchedulePage struct {
	Items []BackupSchedule `json:"items" nullable:"false"`
}

// BackupSchedules lists the schedules of all stacks, or of one.
func (c *Client) BackupSchedules(ctx context.Context, stack string) (p BackupSchedulePage, err error) {
	q := url.Values{}
	set(q, "stack", stack)
	_, err = c.call(ctx, http.MethodGet, "/v1/backup-schedules", q, nil, nil, &p)
	return p, err
}

// SetBackupSchedule has a stack be backed up by itself, in place of how it was before.
func (c *Client) SetBackupSchedule(ctx context.Context, stack string, o BackupScheduleOrder) (p BackupSchedulePage, err error) {
	_, err = c.call(ctx, http.MethodPut, "/v1/stacks/"+url.PathEscape(stack)+"/backup-schedule", nil, nil, o, &p)
	return p, err
}

// RemoveBackupSchedule ends that. The backups stay.
func (c *Client) RemoveBackupSchedule(ctx context.Context, stack string) (p BackupSchedulePage, err error) {
	_, err = c.call(ctx, http.MethodDelete, "/v1/stacks/"+url.PathEscape(stack)+"/backup-schedule", nil, nil, nil, &p)
	return p, err
}

// A StackDrill is a restore that was tried out beside its stack.
type StackDrill struct {
	ID      string `json:"id"`
	Stack   string `json:"stack" doc:"Id."`
	Backup  string `json:"backup"`
	Saga    string `json:"saga"`
	Outcome string `json:"outcome" enum:"running,passed,failed,undone" doc:"Undone: it did not get as far as the probes."`
	Said    string `json:"said,omitempty" doc:"Why it failed."`
	BeganAt Time   `json:"began_at" format:"date-time"`
	ReadyAt *Time  `json:"ready_at" format:"date-time" doc:"When all probes were content."`
	EndedAt *Time  `json:"ended_at" format:"date-time" doc:"When all was destroyed again."`
}

// A StackDrillPage is a list of drills, the newest first.
type StackDrillPage struct {
	Items []StackDrill `json:"items" nullable:"false"`
}

// StackDrills lists the drills of a stack, the newest first.
func (c *Client) StackDrills(ctx context.Context, stack string) (p StackDrillPage, err error) {
	_, err = c.call(ctx, http.MethodGet, "/v1/stacks/"+url.PathEscape(stack)+"/drills", nil, nil, nil, &p)
	return p, err
}
