package digitalocean

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"github.com/digitalocean/godo"
)

// A ReservedIP is an IPv4 address that stays when its droplet goes.
type ReservedIP struct {
	IP      string
	Region  string // slug
	Droplet int64  // that it leads to; 0: none
	Project string // id
	Locked  bool   // an action holds it
}

func reservedIPOf(w godo.ReservedIP) ReservedIP {
	r := ReservedIP{IP: w.IP, Project: w.ProjectID, Locked: w.Locked}
	if w.Region != nil {
		r.Region = w.Region.Slug
	}
	if w.Droplet != nil {
		r.Droplet = int64(w.Droplet.ID)
	}
	return r
}

// A ReservedIPCreate asks for an address that leads to a droplet.
type ReservedIPCreate struct{ Droplet int64 }

func (r ReservedIPCreate) request() any {
	return struct {
		Droplet int64 `json:"droplet_id"`
	}{r.Droplet}
}

// Permit is leave to send the request.
func (r ReservedIPCreate) Permit(account string) Permit {
	return createPermit(account, "/v2/reserved_ips", "", r.request())
}

// CreateReservedIP reserves an address, once, and answers it with the action that has
// it lead to its droplet, 0 where the answer names none. Purpose: provisioning, under
// a Capability.
func (c *Client) CreateReservedIP(ctx context.Context, r ReservedIPCreate) (ReservedIP, int64, error) {
	var answer struct {
		IP    godo.ReservedIP `json:"reserved_ip"`
		Links struct {
			Actions []struct{ ID int64 } `json:"actions"`
		} `json:"links"`
	}
	if err := c.change(ctx, "CreateReservedIP", http.MethodPost, "/v2/reserved_ips", marshal(r.request()), &answer); err != nil {
		return ReservedIP{}, 0, err
	}
	action := int64(0)
	for _, a := range answer.Links.Actions {
		action = a.ID
	}
	return reservedIPOf(answer.IP), action, nil
}

// ReservedIPs lists every reserved IPv4 address of the account. Purpose: provisioning.
func (c *Client) ReservedIPs(ctx context.Context) (List[ReservedIP], error) {
	if err := c.may("ReservedIPs", Provisioning); err != nil {
		return List[ReservedIP]{}, err
	}
	return all(ctx, c, collection[godo.ReservedIP, ReservedIP]{
		path: "v2/reserved_ips", key: "reserved_ips", item: reservedIPOf, id: func(r ReservedIP) string { return r.IP },
	})
}

// ReservedIP reads one address. Purpose: provisioning.
func (c *Client) ReservedIP(ctx context.Context, ip string) (ReservedIP, error) {
	w, err := read[godo.ReservedIP](ctx, c, "ReservedIP", "/v2/reserved_ips/"+url.PathEscape(ip), "reserved_ip")
	return reservedIPOf(w), err
}

// A ReservedIPAct asks for an address to lead somewhere else.
type ReservedIPAct struct {
	IP      string
	Type    string // assign, unassign
	Droplet int64  // of assign
}

func (r ReservedIPAct) request() any {
	return struct {
		Type    string `json:"type"`
		Droplet int64  `json:"droplet_id,omitempty"`
	}{r.Type, r.Droplet}
}

// Permit is leave to send the request.
func (r ReservedIPAct) Permit() Permit {
	return Permit{Method: http.MethodPost, Template: "/v2/reserved_ips/{ip}/actions", Target: "do:reserved_ip:" + r.IP, Body: marshal(r.request())}
}

// ActOnReservedIP starts an action, once. Purpose: provisioning, under a Capability.
func (c *Client) ActOnReservedIP(ctx context.Context, r ReservedIPAct) (Action, error) {
	return c.act(ctx, "ActOnReservedIP", fmt.Sprintf("/v2/reserved_ips/%s/actions", url.PathEscape(r.IP)), marshal(r.request()))
}

// DeleteReservedIPPermit is leave to release an address.
func DeleteReservedIPPermit(ip string) Permit {
	return deletePermit("/v2/reserved_ips/{ip}", "reserved_ip", ip)
}

// DeleteReservedIP releases an address; somebody else may have it next. Purpose:
// provisioning, under a Capability.
func (c *Client) DeleteReservedIP(ctx context.Context, ip string) error {
	return c.change(ctx, "DeleteReservedIP", http.MethodDelete, "/v2/reserved_ips/"+url.PathEscape(ip), nil, nil)
}

// ActionByID reads an action of anything. Purpose: provisioning.
func (c *Client) ActionByID(ctx context.Context, id int64) (Action, error) {
	if err := c.may("ActionByID", Provisioning); err != nil {
		return Action{}, err
	}
	path := fmt.Sprintf("/v2/actions/%d", id)
	root, at, err := c.root(ctx, path)
	if err != nil {
		return Action{}, err
	}
	var got *godo.Action
	if err := json.Unmarshal(root["action"], &got); err != nil {
		return Action{}, c.failed(http.MethodGet, path, err)
	}
	return c.action(http.MethodGet, path, got, at)
}
