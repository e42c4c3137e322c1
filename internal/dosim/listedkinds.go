package dosim

import (
	"net/http"
	"slices"
	"time"
)

// paramCDNLimit is of all operations on CDN endpoints together.
const paramCDNLimit = "ratelimit.cdn"

// listedKinds are all kinds that are only listed. To add one: a line here, a
// file in listed, and a story.
func listedKinds() []listedKind {
	uuidAndName := func(k listedKind) listedKind {
		k.id, k.title = "id", "name"
		return k
	}
	return []listedKind{
		uuidAndName(listedKind{
			name: kindDatabase, path: "/v2/databases", list: "databases", one: "database", scope: "database:read", unpaged: true,
			urn: "dbaas", tag: &tagKind{"database", "databases"}, network: "private_network_uuid", shown: hideCredentials,
		}),
		{
			name: "database_replica", path: "/v2/databases/{database}/replicas", list: "replicas", one: "replica", id: "name", title: "name",
			scope: "database:read", unpaged: true, parent: "database", shown: hideCredentials,
		},
		uuidAndName(listedKind{
			name: kindCluster, path: "/v2/kubernetes/clusters", list: "kubernetes_clusters", one: "kubernetes_cluster",
			scope: "kubernetes:read", urn: "kubernetes", network: "vpc_uuid",
			more: []route{
				op("GET /v2/kubernetes/clusters/{kubernetes_cluster}/node_pools", listNodePools, "kubernetes:read"),
				op("GET /v2/kubernetes/clusters/{kubernetes_cluster}/node_pools/{node_pool}", getNodePool, "kubernetes:read"),
			},
		}),
		uuidAndName(listedKind{
			name: "nat_gateway", path: "/v2/vpc_nat_gateways", list: "vpc_nat_gateways", one: "vpc_nat_gateway", scope: "nat_gateway:read",
			filters: []string{"state", "region", "type", "name"},
		}),
		uuidAndName(listedKind{
			name: "vpc_peering", path: "/v2/vpc_peerings", list: "vpc_peerings", one: "vpc_peering", scope: "vpc_peering:read",
			more: []route{op("GET /v2/vpcs/{vpc}/peerings", listPeeringsOfVPC, "vpc_peering:read")},
		}),
		{
			name: "cdn_endpoint", path: "/v2/cdn/endpoints", list: "endpoints", one: "endpoint", id: "id", title: "endpoint", scope: "cdn:read",
			limit: &limit{paramCDNLimit, 10 * time.Second},
		},
		{
			name: "registry", path: "/v2/registries", list: "registries", one: "registry", id: "name", title: "name", scope: "registry:read", unpaged: true,
			more: []route{
				op("GET /v2/registry", getOnlyRegistry, "registry:read"),
				op("GET /v2/registry/subscription", getRegistrySubscription, "registry:read"),
				op("GET /v2/registries/subscription", getRegistrySubscription, "registry:read"),
				op("GET /v2/registry/options", getRegistryOptions, "registry:read"),
				op("GET /v2/registries/options", getRegistryOptions, "registry:read"),
			},
		},
		{
			name: "alert_policy", path: "/v2/monitoring/alerts", list: "policies", one: "policy", id: "uuid", title: "description", scope: "monitoring:read",
		},
		uuidAndName(listedKind{
			name: "uptime_check", path: "/v2/uptime/checks", list: "checks", one: "check", scope: "uptime:read", hidden: []string{"state"},
			more: []route{op("GET /v2/uptime/checks/{uptime_check}/state", getCheckState, "uptime:read")},
		}),
		uuidAndName(listedKind{
			name: "uptime_alert", path: "/v2/uptime/checks/{uptime_check}/alerts", list: "alerts", one: "alert", scope: "uptime:read", parent: "uptime_check",
		}),
		uuidAndName(listedKind{
			name: "autoscale_pool", path: "/v2/droplets/autoscale", list: "autoscale_pools", one: "autoscale_pool", scope: "droplet:read",
			filters: []string{"name"}, hidden: []string{"members", "history"},
			more: []route{
				op("GET /v2/droplets/autoscale/{autoscale_pool}/members", listPartsOf("autoscale_pool", "members", "droplets"), "droplet:read"),
				op("GET /v2/droplets/autoscale/{autoscale_pool}/history", listPartsOf("autoscale_pool", "history", "history"), "droplet:read"),
			},
		}),
		{
			name: "app", path: "/v2/apps", list: "apps", one: "app", id: "id", title: "default_ingress", scope: "app:read", urn: "app", shown: hideProject,
		},
		{
			name: "functions_namespace", path: "/v2/functions/namespaces", list: "namespaces", one: "namespace", id: "namespace", title: "label",
			scopes: [2][]string{{"function:read", "function:admin"}, {"function:admin"}}, unpaged: true,
		},
		{
			name: "agent", path: "/v2/gen-ai/agents", list: "agents", one: "agent", id: "uuid", title: "name", scope: "genai:read", pages: true,
		},
		uuidAndName(listedKind{
			name: "nfs", path: "/v2/nfs", list: "shares", one: "share", scopes: [2][]string{{"nfs:list"}, {"nfs:read"}}, unpaged: true, filters: []string{"region"},
		}),
		{
			name: "spaces_key", path: "/v2/spaces/keys", list: "keys", one: "key", id: "access_key", title: "name", scope: "spaces_key:read", filters: []string{"name"},
		},
	}
}

func listedKindOf(name string) listedKind {
	all := listedKinds()
	return all[slices.IndexFunc(all, func(k listedKind) bool { return k.name == name })]
}

func listedNames() []string {
	var names []string
	for _, k := range listedKinds() {
		names = append(names, k.name)
	}
	return names
}

func listedResources() []resource {
	var all []resource
	for _, k := range listedKinds() {
		all = append(all, listedResource(k))
	}
	return append(all, databaseResource(), clusterResource(), resource{params: []Param{{paramCDNLimit, "5", 1, 1_000_000, "requests about CDN endpoints per token in any 10 seconds"}}})
}

// hideCredentials leaves the passwords out for a token that may not see them.
func hideCredentials(c *call, data map[string]any) {
	if c.token.may([]string{"database:view_credentials"}) {
		return
	}
	for key, v := range data {
		connection, ok := v.(map[string]any)
		if _, secret := connection["password"]; !ok || !secret {
			continue
		}
		data[key] = overlay(connection, map[string]any{"password": "", "uri": ""})
	}
	if users, ok := data["users"].([]any); ok {
		hidden := make([]any, len(users))
		for i, u := range users {
			user, _ := u.(map[string]any)
			hidden[i] = overlay(user, map[string]any{"password": ""})
		}
		data["users"] = hidden
	}
}

// hideProject leaves out of the list of apps what only with_projects=true shows.
func hideProject(c *call, data map[string]any) {
	if c.r != nil && c.values["app"] == "" && c.r.URL.Query().Get("with_projects") != "true" {
		delete(data, "project_id")
	}
}

// nodePools are the node pools of the cluster in the path.
func nodePools(c *call) (pools []any, ok bool) {
	e, ok := c.sim.world.listed("kubernetes_cluster").find(c, c.values["kubernetes_cluster"])
	if !ok {
		return nil, false
	}
	pools, _ = e.Data["node_pools"].([]any)
	return append([]any{}, pools...), true
}

func listNodePools(c *call) answer {
	pools, ok := nodePools(c)
	if !ok {
		return notFound()
	}
	return answer{http.StatusOK, map[string]any{"node_pools": pools}}
}

func getNodePool(c *call) answer {
	pools, _ := nodePools(c)
	for _, p := range pools {
		if pool, _ := p.(map[string]any); pool["id"] == c.values["node_pool"] {
			return showing("node_pool", pool)
		}
	}
	return notFound()
}

func listPeeringsOfVPC(c *call) answer {
	v, ok := c.vpc()
	if !ok {
		return notFound()
	}
	peerings := c.sim.world.listed("vpc_peering")
	return peerings.page(c, "peerings", only(peerings.listed(c), func(e *listedThing) bool {
		ids, _ := e.Data["vpc_ids"].([]any)
		for _, id := range ids {
			if id == v.ID {
				return true
			}
		}
		return false
	}))
}

// getOnlyRegistry is from when an account had one registry at most.
func getOnlyRegistry(c *call) answer {
	registries := c.sim.world.listed("registry")
	switch all := registries.listed(c); len(all) {
	case 0:
		return notFound()
	case 1:
		return showing("registry", registries.render(c, all[0]))
	}
	return refusal(http.StatusPreconditionFailed, "precondition_failed",
		"This API is not supported if you have created multiple registries. Please use '/v2/registries/{registry_name}' instead.")
}

// listPartsOf pages through what the thing in the path has under a key.
func listPartsOf(kind, key, list string) func(c *call) answer {
	return func(c *call) answer {
		e, ok := c.sim.world.listed(kind).find(c, c.values[kind])
		if !ok {
			return notFound()
		}
		parts, _ := e.Data[key].([]any)
		return listPage(c, list, parts, asIs)
	}
}

func getCheckState(c *call) answer {
	e, ok := c.sim.world.listed("uptime_check").find(c, c.values["uptime_check"])
	if !ok {
		return notFound()
	}
	return showing("state", e.Data["state"])
}

// getRegistrySubscription shows the account's, which all of its registries have.
func getRegistrySubscription(c *call) answer {
	all := c.sim.world.listed("registry").listed(c)
	if len(all) == 0 {
		return notFound()
	}
	return showing("subscription", all[0].Data["subscription"])
}

// A registryTier is one of those that there are to subscribe to.
type registryTier struct {
	Name         string   `json:"name"`
	Slug         string   `json:"slug"`
	Repositories int      `json:"included_repositories"` // 0: any number
	Storage      float64  `json:"included_storage_bytes"`
	Overage      bool     `json:"allow_storage_overage"`
	Bandwidth    float64  `json:"included_bandwidth_bytes"`
	Cents        int      `json:"monthly_price_in_cents"`
	OverageCents int      `json:"storage_overage_price_in_cents"`
	Eligible     bool     `json:"eligible"`
	Reasons      []string `json:"eligibility_reasons"`
}

// getRegistryOptions says of each tier whether what the account stores would fit.
func getRegistryOptions(c *call) answer {
	stored := 0.0
	for _, e := range c.sim.world.listed("registry").listed(c) {
		bytes, _ := e.Data["storage_usage_bytes"].(float64)
		stored += bytes
	}
	tiers := []registryTier{
		{Name: "Starter", Slug: "starter", Repositories: 1, Storage: 500 << 20, Bandwidth: 500 << 20},
		{Name: "Basic", Slug: "basic", Repositories: 5, Storage: 5 << 30, Overage: true, Bandwidth: 5 << 30, Cents: 500, OverageCents: 2},
		{Name: "Professional", Slug: "professional", Storage: 100 << 30, Overage: true, Bandwidth: 100 << 30, Cents: 2000, OverageCents: 2},
	}
	for i := range tiers {
		t := &tiers[i]
		t.Eligible, t.Reasons = t.Overage || stored <= t.Storage, []string{}
		if !t.Eligible {
			t.Reasons = append(t.Reasons, "OverStorageLimit")
		}
	}
	return showing("options", map[string]any{
		"available_regions": []string{"nyc3", "sfo3", "ams3", "sgp1", "fra1"}, "subscription_tiers": tiers,
	})
}
