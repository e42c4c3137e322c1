package provisioning

import (
	"context"
	"slices"

	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/provisioning/blueprint"
)

// drawInto plans a new stack of a backup: what the blueprint says, but for the droplets'
// and the volumes' disks. It is made by provision_stack.
func (s *Service) drawInto(ctx context.Context, r PlanRequest, from StackBackup, d *drawn) error {
	old, read := d.stack, d.Read
	next := PlanRequest{
		Verb: Restore, Account: old.Account, Blueprint: old.Blueprint, Tenant: string(old.Tenant), Name: r.Options["into"], NewID: r.NewID,
		Zone: old.Spec.Tenant.Zone, Parameters: old.Parameters, Options: map[string]string{},
	}
	d.building = Building{Origin: from.ID, From: map[string]string{}, Disks: map[string]string{}}
	for _, i := range from.Items {
		d.building.From[i.Key] = i.Snapshot
		if i.Kind == string(blueprint.VolumeKind) {
			d.building.Disks[i.Key] = i.Name
		}
	}
	d.trim = func(spec *blueprint.Spec) error {
		for _, i := range from.Items {
			switch now, ok := spec.Resource(i.Key); {
			case !ok:
				return fault.New(fault.Conflict, "The backup has %s, which blueprint %s has not with these parameters.", i.Key, old.Blueprint)
			case now.Volume != nil && now.Volume.SizeGiB < i.MinDiskGiB:
				return fault.New(fault.Conflict, "The backup of %s needs %d GiB, and the volume would have %d.", i.Key, i.MinDiskGiB, now.Volume.SizeGiB)
			}
		}
		if r.Options["dns"] != "true" {
			withoutRecords(spec)
		}
		for key, probe := range spec.Health { // nobody calls back: the disks have been set up already
			if probe.Type == "callback" || r.Options["skip_probe"] == "true" {
				delete(spec.Health, key)
			}
		}
		return nil
	}
	d.stack, d.has = Stack{}, nil
	if err := s.drawProvision(ctx, next, d); err != nil {
		return err
	}
	d.Verb, d.kind = Restore, ProvisionStackKind
	for _, key := range []string{"backup"} {
		d.Read[key] = read[key]
	}
	for i, change := range d.Changes {
		if snapshot := d.building.From[change.Key]; snapshot != "" {
			d.Changes[i].Detail += ", from snapshot " + snapshot
		}
	}
	return nil
}

// withoutRecords takes the DNS records out of a spec, and the probes that would ask by
// their names: these lead to the stack that has them.
func withoutRecords(spec *blueprint.Spec) {
	names := map[string]bool{}
	spec.Resources = slices.DeleteFunc(slices.Clone(spec.Resources), func(r blueprint.Resource) bool {
		if r.Kind != blueprint.RecordKind {
			return false
		}
		names[r.Record.Name+"."+r.Record.Domain] = true
		return true
	})
	for key, probe := range spec.Health {
		if names[string(probe.Target)] {
			delete(spec.Health, key)
		}
	}
}
