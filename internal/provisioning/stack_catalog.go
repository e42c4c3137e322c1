package provisioning

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/provisioning/blueprint"
)

// isSold answers an error where DigitalOcean has a resource's region not, or sells a
// droplet's size or image not there: what a saga would find out only once half of the
// stack was made. Which regions there are, sizes tell.
func (s *Service) isSold(ctx context.Context, from reading, c *digitalocean.Client, b *Building, r blueprint.Resource, sizes []digitalocean.Size) error {
	region := regionOf(r)
	if region == "" {
		return nil
	}
	var regions []string
	for _, size := range sizes {
		regions = append(regions, size.Regions...)
	}
	slices.Sort(regions)
	if regions = slices.Compact(regions); !slices.Contains(regions, region) {
		return fault.New(fault.Invalid, "DigitalOcean has no region %q for %s. There are: %s.", clip(region), r.ID, strings.Join(regions, ", "))
	}
	if r.Droplet == nil {
		return nil
	}
	i := slices.IndexFunc(sizes, func(size digitalocean.Size) bool { return size.Slug == r.Droplet.Size })
	switch {
	case i < 0:
		return fault.New(fault.Invalid, "DigitalOcean sells no size %q, which %s is to have.", clip(r.Droplet.Size), r.ID)
	case !sizes[i].Available || !slices.Contains(sizes[i].Regions, region):
		return fault.New(fault.Unprocessable, "Size %s is not to be had in %s now, where %s is to stand. Take another size or region.", r.Droplet.Size, region, r.ID)
	case b.From[r.ID] != "": // it is made of a snapshot, which was looked at
		return nil
	}
	return hasImage(ctx, from, c, r, sizes[i])
}

// hasImage answers an error where a droplet cannot be made of its image.
func hasImage(ctx context.Context, from reading, c *digitalocean.Client, r blueprint.Resource, size digitalocean.Size) error {
	name := r.Droplet.Image
	found, err := listed(ctx, from, "image "+name, func(ctx context.Context) (one digitalocean.List[digitalocean.Image], err error) {
		is, err := c.Image(ctx, name)
		if errors.Is(err, digitalocean.NotFound) {
			return one, nil
		}
		one.Items = []digitalocean.Image{is}
		return one, err
	})
	switch {
	case err != nil:
		return err
	case len(found) == 0:
		return fault.New(fault.NotFound, "The account has no image %q, and DigitalOcean none of that name, which %s is to be made of.", clip(name), r.ID)
	}
	switch is := found[0]; {
	case is.Status != "" && is.Status != "available":
		return fault.New(fault.Unprocessable, "Image %s, which %s is to be made of, is %s.", name, r.ID, is.Status)
	case !slices.Contains(is.Regions, r.Droplet.Region):
		return fault.New(fault.Unprocessable, "Image %s is not in %s, where %s is to stand.", name, r.Droplet.Region, r.ID)
	case is.MinDiskGB > size.DiskGiB:
		return fault.New(fault.Unprocessable, "Image %s needs a disk of %d GiB, and %s with size %s has %d.", name, is.MinDiskGB, r.ID, size.Slug, size.DiskGiB)
	}
	return nil
}

// readKeys answers fault.NotFound where a droplet is to be given an SSH key that the account
// has not: DigitalOcean would refuse the droplet once half of the stack was made. What
// each is is a part of what the plan has read.
func readKeys(ctx context.Context, from reading, c *digitalocean.Client, d *drawn) error {
	for _, r := range d.building.Spec.Resources {
		if r.Droplet == nil || d.building.From[r.ID] != "" { // a copied disk has its keys
			continue
		}
		for _, name := range r.Droplet.SSHKeys {
			found, err := listed(ctx, from, "SSH key "+name, func(ctx context.Context) (one digitalocean.List[digitalocean.SSHKey], err error) {
				is, err := c.SSHKey(ctx, name)
				if errors.Is(err, digitalocean.NotFound) {
					return one, nil
				}
				one.Items = []digitalocean.SSHKey{is}
				return one, err
			})
			if err == nil && len(found) == 0 {
				err = noKey(ctx, c, name, r.ID)
			}
			if err != nil {
				return err
			}
			d.Read["SSH key "+name] = found[0].Name + ", " + found[0].Fingerprint
		}
	}
	return nil
}

// noKey says which keys there are in place of one that there is not.
func noKey(ctx context.Context, c *digitalocean.Client, name, droplet string) error {
	list, err := c.SSHKeys(ctx)
	if err != nil {
		return err
	}
	var there []string
	for _, k := range list.Items {
		there = append(there, fmt.Sprintf("%d (%s)", k.ID, k.Name))
	}
	if len(there) == 0 {
		return fault.New(fault.NotFound, "The account has no SSH key %q, which %s is to have, and no other. Add it at DigitalOcean first.", clip(name), droplet)
	}
	return fault.New(fault.NotFound, "The account has no SSH key %q, which %s is to have. There are: %s.", clip(name), droplet, strings.Join(there, ", "))
}
