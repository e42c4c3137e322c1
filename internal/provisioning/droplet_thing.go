package provisioning

import (
	"context"
	"slices"
	"strconv"

	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/provisioning/blueprint"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// droplet is recognized by its marker, which is one of its tags. Its user data has
// one-time addresses in it, which are opened before it is asked for.
func (b *builder) droplet(r blueprint.Resource) thing {
	d, marker := r.Droplet, b.marker(r)
	judge := func(is digitalocean.Droplet) (bool, string) {
		if is.Status != "active" || is.PublicIPv4 == "" {
			return false, "its status is " + is.Status
		}
		b.state.know("droplet."+r.Key+".id", strconv.FormatInt(is.ID, 10))
		b.state.know("droplet."+r.Key+".public_ip", is.PublicIPv4)
		b.state.know("droplet."+r.Key+".private_ip", is.PrivateIPv4)
		b.state.know("droplet."+r.Key+".public_ipv6", is.PublicIPv6)
		return true, ""
	}
	var userData string
	return thing{
		listed: among(b, "droplets", b.c.Droplets, func(d digitalocean.Droplet) string { return strconv.FormatInt(d.ID, 10) }, judge),
		prepare: func(ctx context.Context) (err error) {
			if b.from[r.ID] == "" { // else its disk has been set up already
				userData, err = b.userData(ctx, r)
			}
			return err
		},
		find: func(ctx context.Context) ([]string, error) {
			list, err := b.c.DropletsTagged(ctx, marker)
			return idsOf(list.Items, func(d digitalocean.Droplet) string { return strconv.FormatInt(d.ID, 10) }), err
		},
		create: func(ctx context.Context) (string, int64, error) {
			request := digitalocean.DropletCreate{
				Name: r.Name, Region: d.Region, Size: d.Size, Image: d.Image, SSHKeys: d.SSHKeys, Tags: append(slices.Clone(r.Tags), marker),
				VPC: b.id(d.VPC), Monitoring: d.Monitoring, IPv6: d.IPv6, UserData: userData, Marker: marker,
			}
			if d.VPC == "" {
				request.VPC = ""
			}
			for _, volume := range d.Volumes {
				request.Volumes = append(request.Volumes, b.id(volume))
			}
			if d.Backups != nil {
				request.BackupPlan = &digitalocean.BackupPlan{Plan: d.Backups.Plan, Weekday: d.Backups.Weekday, Hour: d.Backups.Hour}
			}
			if of := b.from[r.ID]; of != "" {
				request.Image, request.UserData = of, b.state.links(r)
			}
			made, action, err := b.c.CreateDroplet(b.permitted(ctx, request.Permit(b.state.Account)), request)
			return strconv.FormatInt(made.ID, 10), action, err
		},
		read: func(ctx context.Context, id string) (bool, string, error) {
			n, err := strconv.ParseInt(id, 10, 64)
			if err != nil {
				return false, "", err
			}
			is, err := b.c.Droplet(ctx, n)
			if err != nil {
				return false, "", err
			}
			ready, lacks := judge(is)
			return ready, lacks, nil
		},
		watch: func(id string, action int64) saga.Watch {
			return resourceWatch(b.state.Account, "droplet", id, action)
		},
		delete: func(ctx context.Context, id string) error {
			n, err := strconv.ParseInt(id, 10, 64)
			if err != nil {
				return err
			}
			return b.c.DeleteDroplet(b.permitted(ctx, digitalocean.DeleteDropletPermit(n)), n)
		},
		tidy: b.untag(marker),
	}
}
