package provisioning

import (
	"context"
	"fmt"
	"strings"

	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/provisioning/blueprint"
)

// A Room is how much of its limits an account uses, and how much a stack needs. A limit
// of 0 is not known.
type Room struct {
	Droplets    Share `json:"droplets"`
	Volumes     Share `json:"volumes"`
	ReservedIPs Share `json:"reserved_ips"`

	volumes []digitalocean.Volume // that were counted
}

// A Share is a part of a limit.
type Share struct {
	Used  int `json:"used"`
	Needs int `json:"needs"`
	Limit int `json:"limit"`
}

// String is the share in words.
func (s Share) String() string { return fmt.Sprintf("%d of %d", s.Used, s.Limit) }

// short says what there is too little of, "" for nothing.
func (r Room) short() string {
	var words []string
	for _, one := range []struct {
		what string
		Share
	}{{"droplets", r.Droplets}, {"volumes", r.Volumes}, {"reserved IPs", r.ReservedIPs}} {
		if one.Limit > 0 && one.Needs > 0 && one.Used+one.Needs > one.Limit {
			words = append(words, fmt.Sprintf("The account has %d of %d %s, and the stack needs %d more.", one.Used, one.Limit, one.what, one.Needs))
		}
	}
	return strings.Join(words, " ")
}

// roomFor reads the limits of an account, and counts what it has of what a spec needs.
func roomFor(ctx context.Context, from reading, c *digitalocean.Client, spec blueprint.Spec) (r Room, err error) {
	for _, one := range spec.Resources {
		switch one.Kind {
		case blueprint.DropletKind:
			r.Droplets.Needs++
		case blueprint.VolumeKind:
			r.Volumes.Needs++
		case blueprint.ReservedIPKind:
			r.ReservedIPs.Needs++
		}
	}
	account, err := listed(ctx, from, "account", func(ctx context.Context) (digitalocean.List[digitalocean.Account], error) {
		is, err := c.Account(ctx)
		return digitalocean.List[digitalocean.Account]{Items: []digitalocean.Account{is}}, err
	})
	if err != nil {
		return r, err
	}
	limits := account[0].Limits
	r.Droplets.Limit, r.Volumes.Limit, r.ReservedIPs.Limit = limits.Droplets, limits.Volumes, limits.ReservedIPs
	if r.Droplets.Needs > 0 {
		list, err := listed(ctx, from, "droplets", c.Droplets)
		if err != nil {
			return r, err
		}
		r.Droplets.Used = len(list)
	}
	if r.Volumes.Needs > 0 {
		list, err := listed(ctx, from, "volumes", c.Volumes)
		if err != nil {
			return r, err
		}
		r.Volumes.Used, r.volumes = len(list), list
	}
	if r.ReservedIPs.Needs > 0 {
		list, err := listed(ctx, from, "reserved addresses", c.ReservedIPs)
		if err != nil {
			return r, err
		}
		r.ReservedIPs.Used = len(list)
	}
	return r, nil
}
