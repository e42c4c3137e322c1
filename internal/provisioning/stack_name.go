package provisioning

import (
	"context"
	"errors"
	"slices"

	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/provisioning/blueprint"
)

// namesAreFree answers fault.Conflict where DigitalOcean has a network, or in the same
// region a volume, of a name that the stack needs: it takes no second one, and the making
// of the stack would end there. Names of other kinds may be had twice. What a list shows
// is asked for once more: lists show what is gone for a while.
func namesAreFree(ctx context.Context, from reading, c *digitalocean.Client, spec blueprint.Spec, volumes []digitalocean.Volume) error {
	if slices.ContainsFunc(spec.Resources, func(r blueprint.Resource) bool { return r.VPC != nil }) {
		vpcs, err := listed(ctx, from, "networks", c.VPCs)
		if err != nil {
			return err
		}
		for _, r := range spec.Resources {
			i := slices.IndexFunc(vpcs, func(v digitalocean.VPC) bool { return r.VPC != nil && v.Name == r.Name })
			if i < 0 {
				continue
			}
			switch is, err := c.VPC(ctx, vpcs[i].ID); {
			case errors.Is(err, digitalocean.NotFound): // it is gone
			case err != nil:
				return err
			case is.Default:
				return fault.New(fault.Conflict, "The account has a network %s already (%s), which is the default of %s and cannot be deleted. Give the stack another name.", is.Name, is.ID, is.Region)
			default:
				return fault.New(fault.Conflict, "The account has a network %s already (%s in %s), and names of networks are unique. Give the stack another name, or rename or delete that network.", is.Name, is.ID, is.Region)
			}
		}
	}
	for _, r := range spec.Resources {
		i := slices.IndexFunc(volumes, func(v digitalocean.Volume) bool {
			return r.Volume != nil && v.Name == r.Name && v.Region == r.Volume.Region
		})
		if i < 0 {
			continue
		}
		is, err := c.Volume(ctx, volumes[i].ID)
		switch {
		case errors.Is(err, digitalocean.NotFound):
		case err != nil:
			return err
		default:
			return fault.New(fault.Conflict, "Region %s has a volume %s already (%s), and names of volumes are unique in a region. Give the stack another name, or delete that volume.", is.Region, is.Name, is.ID)
		}
	}
	return nil
}
