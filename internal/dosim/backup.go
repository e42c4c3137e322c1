package dosim

import (
	"cmp"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"time"
)

// A backupPolicy says when a droplet's backups are made and for how long they
// are kept.
type backupPolicy struct {
	Plan      string `json:"plan"` // daily or weekly
	Weekday   string `json:"weekday,omitempty"`
	Hour      *int   `json:"hour"` // at which the window begins, UTC
	Window    int    `json:"window_length_hours"`
	Retention int    `json:"retention_period_days"`
}

// backupsOn is a policy in force.
type backupsOn struct {
	backupPolicy
	Since time.Time `json:"since"`
}

const backupWindow = 4 // hours

func weekdays() []string { return []string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"} }

func backupHours() []int { return []int{0, 4, 8, 12, 16, 20} }

// backupPolicyFor is the policy that a request asks for, with what DigitalOcean
// fills in: daily, on Sunday, at an hour that the cloud picks.
func backupPolicyFor(asked *backupPolicy, seed uint64) (backupPolicy, error) {
	var p backupPolicy
	if asked != nil {
		p = *asked
	}
	p.Plan, p.Window = cmp.Or(p.Plan, "daily"), backupWindow
	if p.Hour == nil {
		hour := backupHours()[hash(seed, "backup hour")%6]
		p.Hour = &hour
	}
	switch p.Plan {
	case "daily":
		p.Weekday, p.Retention = "", 7
	case "weekly":
		p.Weekday, p.Retention = cmp.Or(p.Weekday, "SUN"), 28
	default:
		return p, errors.New("The backup plan must be daily or weekly.")
	}
	if !slices.Contains(backupHours(), *p.Hour) || p.Plan == "weekly" && !slices.Contains(weekdays(), p.Weekday) {
		return p, errors.New("The backup policy's hour or weekday is not supported.")
	}
	return p, nil
}

// next is when the first window after at begins.
func (p backupPolicy) next(at time.Time) time.Time {
	start := at.UTC().Truncate(24 * time.Hour).Add(time.Duration(*p.Hour) * time.Hour)
	for !start.After(at) || p.Plan == "weekly" && weekdays()[start.Weekday()] != p.Weekday {
		start = start.AddDate(0, 0, 1)
	}
	return start
}

func backupResource() resource {
	return resource{
		routes: []route{
			op("GET /v2/droplets/{droplet}/backups", listBackups, "droplet:read"),
			op("GET /v2/droplets/{droplet}/backups/policy", getBackupPolicy, "droplet:read"),
			op("GET /v2/droplets/backups/policies", listBackupPolicies, "droplet:read"),
			op("GET /v2/droplets/backups/supported_policies", listSupportedPolicies, "droplet:read"),
		},
		duties: []duty{{dutyBackup, makeBackup}, {dutyBackupExpires, expireBackup}},
		params: []Param{{paramBackup, "120s", 0, 0, "how long it takes to make a backup that is due"}},
		gone:   backupsGone,
	}
}

const (
	paramBackup       = "action.backup"
	dutyBackup        = "droplet.backup"
	dutyBackupExpires = "droplet.backup_expires"
)

// A backupDue is one appointment of a policy. It lapses with the policy.
type backupDue struct {
	Droplet string    `json:"droplet"`
	Since   time.Time `json:"since"`
	Until   time.Time `json:"until"` // the window's end
}

// scheduleBackup appoints the droplet's next backup, somewhere in its window.
func (c *call) scheduleBackup(d *droplet) {
	if d.Backups == nil {
		return
	}
	start := d.Backups.next(c.at)
	within := hash(c.sim.seed, "backup", d.ID, start.Format(time.DateOnly)) % uint64(backupWindow*time.Hour-10*time.Minute)
	c.later(start.Sub(c.at)+time.Duration(within).Truncate(time.Second), dutyBackup,
		backupDue{d.ID, d.Backups.Since, start.Add(backupWindow * time.Hour)})
}

func makeBackup(c *call, arg json.RawMessage) {
	var due backupDue
	if json.Unmarshal(arg, &due) != nil {
		return
	}
	d, ok := c.sim.world.droplets.get(c.account(), due.Droplet)
	if !ok || !d.exists(c.at) || d.Backups == nil || !d.Backups.Since.Equal(due.Since) {
		return
	}
	if later := 10 * time.Minute; c.pending(d.urn()) {
		if c.at.Add(later).Before(due.Until) {
			c.later(later, dutyBackup, due)
		} else {
			c.scheduleBackup(d)
		}
		return
	}
	a := c.act(d.action("backup"), c.sim.params.duration(paramBackup), "", nil)
	made := c.snapshot(d, a, &snapshot{
		thing: thing{Unasked: true}, Kind: kindOfBackup, Name: d.Name + "- " + c.at.UTC().Format(time.DateOnly),
	})
	c.later(time.Duration(d.Backups.Retention)*24*time.Hour, dutyBackupExpires, made.ID)
	c.scheduleBackup(d)
}

// expireBackup deletes a backup that has had its time, unless it has been made a
// snapshot of.
func expireBackup(c *call, arg json.RawMessage) {
	var id string
	if json.Unmarshal(arg, &id) != nil {
		return
	}
	if s, ok := c.sim.world.snapshots.get(c.account(), id); ok && s.exists(c.at) && s.Kind == kindOfBackup {
		c.sim.world.snapshots.remove(c, s)
	}
}

// backupsGone deletes the backups of a droplet with it. That they go is what the
// documentation warns of; when they go is an assumption.
func backupsGone(c *call, _ string, e entity) {
	d, ok := e.(*droplet)
	if !ok {
		return
	}
	for _, b := range c.sim.world.snapshots.under(c, kindOfBackup+":"+d.ID) {
		c.sim.world.snapshots.remove(c, b)
	}
}

func listBackups(c *call) answer {
	d, ok := c.droplet()
	if !ok {
		return notFound()
	}
	return listPage(c, "backups", c.sim.world.snapshots.listedUnder(c, kindOfBackup+":"+d.ID), func(s *snapshot) backupWire {
		return backupWire{s.dropletWire(), s.image(c.sim.world).Distribution, nil, false}
	})
}

// A backupWire is a backup in its droplet's list, which says more than that of
// the snapshots.
type backupWire struct {
	dropletSnapshotWire
	Distribution string  `json:"distribution"`
	Slug         *string `json:"slug"` // it has none
	Public       bool    `json:"public"`
}

type backupPolicyWire struct {
	DropletID        int64         `json:"droplet_id"`
	BackupEnabled    bool          `json:"backup_enabled"`
	BackupPolicy     *backupPolicy `json:"backup_policy,omitempty"`
	NextBackupWindow *windowWire   `json:"next_backup_window,omitempty"`
}

func (d *droplet) policyWire(c *call) backupPolicyWire {
	w := backupPolicyWire{DropletID: number(d.ID), BackupEnabled: d.Backups != nil, NextBackupWindow: d.nextBackup(c)}
	if d.Backups != nil {
		w.BackupPolicy = &d.Backups.backupPolicy
	}
	return w
}

// nextBackup is the window in which the droplet's next backup will be made.
func (d *droplet) nextBackup(c *call) *windowWire {
	if d.Backups == nil {
		return nil
	}
	start := d.Backups.next(c.at)
	return &windowWire{wireTime(start), wireTime(start.Add(backupWindow * time.Hour))}
}

func getBackupPolicy(c *call) answer {
	d, ok := c.droplet()
	if !ok {
		return notFound()
	}
	return showing("policy", d.policyWire(c))
}

// listBackupPolicies is paged like a list, and a map from the droplets' ids.
func listBackupPolicies(c *call) answer {
	page := listPage(c, "policies", c.sim.world.droplets.listed(c), func(d *droplet) backupPolicyWire { return d.policyWire(c) })
	byDroplet := map[string]backupPolicyWire{}
	if body, ok := page.body.(map[string]any); ok {
		shown, _ := body["policies"].([]backupPolicyWire)
		for _, p := range shown {
			byDroplet[strconv.FormatInt(p.DropletID, 10)] = p
		}
		body["policies"] = byDroplet
	}
	return page
}

type supportedPolicyWire struct {
	Name      string   `json:"name"`
	Hours     []int    `json:"possible_window_starts"`
	Window    int      `json:"window_length_hours"`
	Retention int      `json:"retention_period_days"`
	Days      []string `json:"possible_days"`
}

func listSupportedPolicies(*call) answer {
	return showing("supported_policies", []supportedPolicyWire{
		{"weekly", backupHours(), backupWindow, 28, weekdays()},
		{"daily", backupHours(), backupWindow, 7, []string{}},
	})
}
