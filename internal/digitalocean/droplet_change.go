package digitalocean

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/digitalocean/godo"
)

// A DropletCreate asks for a droplet. DigitalOcean takes it with 202 and makes the
// droplet later, or never (quirks 2 and 3).
type DropletCreate struct {
	Name       string
	Region     string
	Size       string
	Image      string // slug, or id in digits
	SSHKeys    []string
	Tags       []string // Marker among them
	Volumes    []string // ids
	VPC        string   // id; empty: the region's default
	UserData   string
	Monitoring bool
	IPv6       bool
	BackupPlan *BackupPlan // nil: no backups
	Marker     string
}

// A BackupPlan says when DigitalOcean backs a droplet up.
type BackupPlan struct {
	Plan    string `json:"plan"`              // daily or weekly
	Weekday string `json:"weekday,omitempty"` // of weekly ones, SUN to SAT
	Hour    int    `json:"hour"`              // UTC, 0 to 20 in steps of 4
}

func (r DropletCreate) request() any {
	keys := []any{}
	for _, key := range r.SSHKeys {
		keys = append(keys, number(key))
	}
	return struct {
		Name       string      `json:"name"`
		Region     string      `json:"region"`
		Size       string      `json:"size"`
		Image      any         `json:"image"`
		SSHKeys    []any       `json:"ssh_keys,omitempty"`
		Backups    bool        `json:"backups"`
		Plan       *BackupPlan `json:"backup_policy,omitempty"`
		IPv6       bool        `json:"ipv6"`
		Monitoring bool        `json:"monitoring"`
		Tags       []string    `json:"tags"`
		UserData   string      `json:"user_data,omitempty"`
		Volumes    []string    `json:"volumes,omitempty"`
		VPC        string      `json:"vpc_uuid,omitempty"`
	}{
		r.Name, r.Region, r.Size, number(r.Image), keys, r.BackupPlan != nil, r.BackupPlan, r.IPv6, r.Monitoring, r.Tags, r.UserData, r.Volumes, r.VPC,
	}
}

// number is an id as a number where it is one: DigitalOcean tells ids from slugs so.
func number(text string) any {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n
	}
	return text
}

// Permit is leave to send the request.
func (r DropletCreate) Permit(account string) Permit {
	return createPermit(account, "/v2/droplets", r.Marker, r.request())
}

// CreateDroplet asks for a droplet, once, and answers it with the action that makes
// it, 0 where the answer names none. Unknown means that it may have been carried out.
// Purpose: provisioning, under a Capability.
func (c *Client) CreateDroplet(ctx context.Context, r DropletCreate) (Droplet, int64, error) {
	var answer struct {
		Droplet godo.Droplet `json:"droplet"`
		Links   struct {
			Actions []struct{ ID int64 } `json:"actions"`
		} `json:"links"`
	}
	if err := c.change(ctx, "CreateDroplet", http.MethodPost, "/v2/droplets", marshal(r.request()), &answer); err != nil {
		return Droplet{}, 0, err
	}
	action := int64(0)
	for _, a := range answer.Links.Actions {
		action = a.ID
	}
	return dropletOf(answer.Droplet), action, nil
}

// DropletsTagged lists the droplets, GPU droplets too, that have a tag. A new one may
// not be among them for a while (quirk 29). Purpose: provisioning.
func (c *Client) DropletsTagged(ctx context.Context, tag string) (List[Droplet], error) {
	if err := c.may("DropletsTagged", Provisioning); err != nil {
		return List[Droplet]{}, err
	}
	list, err := c.droplets(ctx, url.Values{"tag_name": {tag}})
	if err != nil {
		return List[Droplet]{}, err
	}
	list.Items = slices.DeleteFunc(list.Items, func(d Droplet) bool { // GPU droplets have no filter by tag
		return !slices.ContainsFunc(d.Tags, func(t string) bool { return strings.EqualFold(t, tag) })
	})
	return list, nil
}

// DeleteDropletPermit is leave to delete a droplet.
func DeleteDropletPermit(id int64) Permit { return deletePermit("/v2/droplets/{id}", "droplet", id) }

// DeleteDroplet deletes a droplet. It is gone only once reading it answers NotFound
// (quirk 12). Purpose: provisioning, under a Capability.
func (c *Client) DeleteDroplet(ctx context.Context, id int64) error {
	return c.change(ctx, "DeleteDroplet", http.MethodDelete, fmt.Sprintf("/v2/droplets/%d", id), nil, nil)
}

// A DropletAct asks for an action of a droplet.
type DropletAct struct {
	Droplet int64
	Type    string // power_on, power_off, power_cycle, shutdown, reboot, resize, rebuild, restore, rename, enable_ipv6, enable_backups, disable_backups, change_backup_policy
	Size    string // of resize
	Disk    bool   // of resize: the disk grows too, for good
	Image   string // of rebuild and restore: slug or id
	Name    string // of rename

	BackupPlan *BackupPlan // of enable_backups and change_backup_policy
}

func (r DropletAct) request() any {
	out := struct {
		Type  string      `json:"type"`
		Size  string      `json:"size,omitempty"`
		Disk  *bool       `json:"disk,omitempty"`
		Image any         `json:"image,omitempty"`
		Name  string      `json:"name,omitempty"`
		Plan  *BackupPlan `json:"backup_policy,omitempty"`
	}{Type: r.Type, Size: r.Size, Name: r.Name, Plan: r.BackupPlan}
	if r.Type == "resize" {
		out.Disk = &r.Disk
	}
	if r.Image != "" {
		out.Image = number(r.Image)
	}
	return out
}

// Permit is leave to send the request.
func (r DropletAct) Permit() Permit {
	return Permit{
		Method: http.MethodPost, Template: "/v2/droplets/{id}/actions", Target: fmt.Sprintf("do:droplet:%d", r.Droplet), Body: marshal(r.request()),
	}
}

// ActOnDroplet starts an action, once. PendingEvent says that the droplet is busy.
// Purpose: provisioning, under a Capability.
func (c *Client) ActOnDroplet(ctx context.Context, r DropletAct) (Action, error) {
	path := fmt.Sprintf("/v2/droplets/%d/actions", r.Droplet)
	return c.act(ctx, "ActOnDroplet", path, marshal(r.request()))
}

// act starts an action.
func (c *Client) act(ctx context.Context, verb, path string, body []byte) (Action, error) {
	var answer struct{ Action *godo.Action }
	at, err := c.changeAt(ctx, verb, http.MethodPost, path, body, &answer)
	if err != nil {
		return Action{}, err
	}
	return c.action(http.MethodPost, path, answer.Action, at)
}
