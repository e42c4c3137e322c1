package scenario

import (
	"reflect"

	"github.com/digitalocean/godo"
)

// oneOf reads the list, which has one thing with the name, and that thing at its
// own address: both say the same of it.
func oneOf[T any](kind, name string, listed []T, named func(T) string, id func(T) string, get func(id string) T) T {
	want("the things of kind "+kind, names(listed, named), []string{name})
	one := listed[0]
	if read := get(id(one)); !reflect.DeepEqual(read, one) {
		fail("the %s is %+v in its list and %+v at its own address", kind, one, read)
	}
	return one
}

// listed is what nobody makes over the API here and what was there before: one of
// each kind.
func (d drive) listed() {
	ctx := d.ctx
	db := oneOf("database", "orders", got(d.Databases.List(ctx, all())), func(e godo.Database) string { return e.Name },
		func(e godo.Database) string { return e.ID }, func(id string) godo.Database { return *got(d.Databases.Get(ctx, id)) })
	want("the database", []string{db.EngineSlug, db.Status, db.RegionSlug}, []string{"pg", "online", "fra1"})
	oneOf("database_replica", "read-1", got(d.Databases.ListReplicas(ctx, db.ID, all())), func(e godo.DatabaseReplica) string { return e.Name },
		func(e godo.DatabaseReplica) string { return e.Name },
		func(name string) godo.DatabaseReplica { return *got(d.Databases.GetReplica(ctx, db.ID, name)) })
	cluster := oneOf("kubernetes_cluster", "shop", got(d.Kubernetes.List(ctx, all())), func(e *godo.KubernetesCluster) string { return e.Name },
		func(e *godo.KubernetesCluster) string { return e.ID }, func(id string) *godo.KubernetesCluster { return got(d.Kubernetes.Get(ctx, id)) })
	want("the cluster", []string{string(cluster.Status.State), cluster.RegionSlug}, []string{"running", "fra1"})
	for _, p := range got(d.Kubernetes.ListNodePools(ctx, cluster.ID, all())) {
		want("a pool of it", got(d.Kubernetes.GetNodePool(ctx, cluster.ID, p.ID)), p)
	}
	oneOf("nat_gateway", "way-out", got(d.VPCNATGateways.List(ctx, nil)), func(e *godo.VPCNATGateway) string { return e.Name },
		func(e *godo.VPCNATGateway) string { return e.ID }, func(id string) *godo.VPCNATGateway { return got(d.VPCNATGateways.Get(ctx, id)) })
	peering := oneOf("vpc_peering", "both-ways", got(d.VPCs.ListVPCPeerings(ctx, all())), func(e *godo.VPCPeering) string { return e.Name },
		func(e *godo.VPCPeering) string { return e.ID }, func(id string) *godo.VPCPeering { return got(d.VPCs.GetVPCPeering(ctx, id)) })
	if len(peering.VPCIDs) != 2 {
		fail("the peering is between %v", peering.VPCIDs)
	}
	for _, v := range got(d.VPCs.List(ctx, all())) {
		want("the peerings of "+v.Name, len(got(d.VPCs.ListVPCPeeringsByVPCID(ctx, v.ID, all()))), 0)
	}
	oneOf("cdn_endpoint", "site.nyc3.digitaloceanspaces.com", got(d.CDNs.List(ctx, all())), func(e godo.CDN) string { return e.Origin },
		func(e godo.CDN) string { return e.ID }, func(id string) godo.CDN { return *got(d.CDNs.Get(ctx, id)) })
	registry := oneOf("registry", "images", got(d.Registries.List(ctx)), func(e *godo.Registry) string { return e.Name },
		func(e *godo.Registry) string { return e.Name }, func(id string) *godo.Registry { return got(d.Registries.Get(ctx, id)) })
	want("the only registry", got(d.Registry.Get(ctx)).Name, registry.Name)
	for _, of := range []struct {
		subscription *godo.RegistrySubscription
		options      *godo.RegistryOptions
	}{
		{got(d.Registry.GetSubscription(ctx)), got(d.Registry.GetOptions(ctx))},
		{got(d.Registries.GetSubscription(ctx)), got(d.Registries.GetOptions(ctx))},
	} {
		want("the subscription", []any{of.subscription.Tier.Slug, len(of.options.SubscriptionTiers)}, []any{"basic", 3})
	}
	oneOf("alert_policy", "disk is full", got(d.Monitoring.ListAlertPolicies(ctx, all())), func(e godo.AlertPolicy) string { return e.Description },
		func(e godo.AlertPolicy) string { return e.UUID }, func(id string) godo.AlertPolicy { return *got(d.Monitoring.GetAlertPolicy(ctx, id)) })
	check := oneOf("uptime_check", "landing", got(d.UptimeChecks.List(ctx, all())), func(e godo.UptimeCheck) string { return e.Name },
		func(e godo.UptimeCheck) string { return e.ID }, func(id string) godo.UptimeCheck { return *got(d.UptimeChecks.Get(ctx, id)) })
	want("the check's state", got(d.UptimeChecks.GetState(ctx, check.ID)).Regions["us_east"].Status, "UP")
	oneOf("uptime_alert", "landing is down", got(d.UptimeChecks.ListAlerts(ctx, check.ID, all())), func(e godo.UptimeAlert) string { return e.Name },
		func(e godo.UptimeAlert) string { return e.ID }, func(id string) godo.UptimeAlert { return *got(d.UptimeChecks.GetAlert(ctx, check.ID, id)) })
	pool := oneOf("autoscale_pool", "burst", got(d.DropletAutoscale.List(ctx, all())), func(e *godo.DropletAutoscalePool) string { return e.Name },
		func(e *godo.DropletAutoscalePool) string { return e.ID }, func(id string) *godo.DropletAutoscalePool { return got(d.DropletAutoscale.Get(ctx, id)) })
	want("the pool's members and events", []int{
		len(got(d.DropletAutoscale.ListMembers(ctx, pool.ID, all()))), len(got(d.DropletAutoscale.ListHistory(ctx, pool.ID, all()))),
	}, []int{0, 1})
	oneOf("app", "professional", got(d.Apps.List(ctx, &godo.ListOptions{PerPage: 200, WithProjects: true})), func(e *godo.App) string { return e.TierSlug },
		func(e *godo.App) string { return e.ID }, func(id string) *godo.App { return got(d.Apps.Get(ctx, id)) })
	oneOf("functions_namespace", "jobs", got(d.Functions.ListNamespaces(ctx)), func(e godo.FunctionsNamespace) string { return e.Label },
		func(e godo.FunctionsNamespace) string { return e.Namespace }, func(id string) godo.FunctionsNamespace { return *got(d.Functions.GetNamespace(ctx, id)) })
	oneOf("nfs", "shared", got(d.Nfs.List(ctx, all(), "fra1")), func(e *godo.Nfs) string { return e.Name },
		func(e *godo.Nfs) string { return e.ID }, func(id string) *godo.Nfs { return got(d.Nfs.Get(ctx, id, "fra1")) })
	oneOf("spaces_key", "backup", got(d.SpacesKeys.List(ctx, all())), func(e *godo.SpacesKey) string { return e.Name },
		func(e *godo.SpacesKey) string { return e.AccessKey }, func(id string) *godo.SpacesKey { return got(d.SpacesKeys.Get(ctx, id)) })

	// What godo calls agents' service is another name in each version.
	var agents struct{ Agents []*godo.Agent }
	d.raw("GET", "v2/gen-ai/agents", false, &agents)
	want("the agents", names(agents.Agents, func(a *godo.Agent) string { return a.Name }), []string{"helper"})
	var agent struct{ Agent *godo.Agent }
	d.raw("GET", "v2/gen-ai/agents/"+agents.Agents[0].Uuid, false, &agent)
	want("the agent", agent.Agent.Name, "helper")
}
