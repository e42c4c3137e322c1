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
