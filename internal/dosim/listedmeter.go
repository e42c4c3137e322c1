package dosim

import (
	"strings"
	"time"
)

const kindCluster = "kubernetes_cluster"

// isNode reports whether the droplet is a node of a cluster: DigitalOcean tags it
// with the cluster's id.
func (w *world) isNode(d *droplet) bool {
	for _, tag := range d.Tags {
		id, ok := strings.CutPrefix(tag, "k8s:")
		if _, known := w.listed(kindCluster).get(d.Account, id); ok && known {
			return true
		}
	}
	return false
}

// text and number are what is under a key of what the API shows of the thing.
func (e *listedThing) text(key string) string { s, _ := e.Data[key].(string); return s }

func (e *listedThing) number(key string) string { return numberIn(e.Data, key) }

func numberIn(data map[string]any, key string) string {
	n, _ := data[key].(float64)
	return decimal(n)
}

// databaseRates are those of a cluster by its nodes, or of a replica, which is one.
func databaseRates(_ *world, e *listedThing) []rate {
	nodes := "1"
	if _, ok := e.Data["num_nodes"]; ok {
		nodes = e.number("num_nodes")
	}
	id, replica, _ := strings.Cut(e.ID, "/")
	name := e.text("name")
	if replica != "" {
		id, _ = e.Data["id"].(string)
	}
	return []rate{{
		what: what{product: "Database Clusters", sku: e.text("size"), units: nodes, least: time.Minute},
		code: "DO-DBAAS", uuid: id, description: name + " (" + e.text("size") + ", nodes: " + nodes + ")", region: e.text("region"),
	}}
}

// clusterRates are those of each pool of nodes, which is a line of its own, and of
// a control plane that is highly available.
func clusterRates(_ *world, e *listedThing) []rate {
	var rates []rate
	pools, _ := e.Data["node_pools"].([]any)
	for _, p := range pools {
		pool, _ := p.(map[string]any)
		size, _ := pool["size"].(string)
		name, _ := pool["name"].(string)
		nodes := numberIn(pool, "count")
		if nodes == "0" {
			continue
		}
		rates = append(rates, rate{
			what: what{
				product: "Kubernetes Clusters", sku: size, units: nodes, least: time.Minute,
				pool: urn(kindCluster, e.ID) + "/" + name,
			},
			code: "DO-K8S", uuid: e.ID, group: e.text("name"), description: name + " (" + size + ", nodes: " + nodes + ")", region: e.text("region"),
		})
	}
	if ha, _ := e.Data["ha"].(bool); ha {
		rates = append(rates, rate{
			what: what{product: "Kubernetes Clusters", sku: "kubernetes_ha", units: "1"},
			code: "DO-K8SHA", uuid: e.ID, group: e.text("name"), description: "High availability control plane", region: e.text("region"),
		})
	}
	return rates
}

func registryRates(_ *world, e *listedThing) []rate {
	subscription, _ := e.Data["subscription"].(map[string]any)
	tier, _ := subscription["tier"].(map[string]any)
	slug, _ := tier["slug"].(string)
	return []rate{{
		what: what{product: "Container Registry Subscription", sku: "registry_" + slug, units: "1"},
		code: "DO-REG", description: e.text("name") + " (" + slug + ")", region: e.text("region"),
	}}
}

// appRates are those of an app's instances, by service.
func appRates(_ *world, e *listedThing) []rate {
	var rates []rate
	spec, _ := e.Data["spec"].(map[string]any)
	services, _ := spec["services"].([]any)
	for _, s := range services {
		service, _ := s.(map[string]any)
		size, _ := service["instance_size_slug"].(string)
		name, _ := service["name"].(string)
		n := numberIn(service, "instance_count")
		rates = append(rates, rate{
			what: what{product: "App Platform", sku: size, units: n, least: time.Minute},
			code: "DO-APP", uuid: e.ID, description: name + " (" + size + ", instances: " + n + ")",
		})
	}
	return rates
}

// What follows has no price until somebody sets one.

func natGatewayRates(_ *world, e *listedThing) []rate {
	return []rate{{
		what: what{product: "VPC NAT Gateways", sku: "nat_gateway", units: e.number("size")},
		code: "DO-NAT", uuid: e.ID, description: e.text("name") + " (size: " + e.number("size") + ")", region: e.text("region"),
	}}
}

func shareRates(_ *world, e *listedThing) []rate {
	gib := e.number("size_gib")
	return []rate{{
		what: what{product: "Network File Storage", sku: "nfs", units: gib},
		code: "DO-NFS", uuid: e.ID, description: e.text("name") + " (" + gib + " GiB)", region: e.text("region"),
	}}
}

func uptimeRates(_ *world, e *listedThing) []rate {
	return []rate{{
		what: what{product: "Uptime Health Check", sku: "uptime_check", units: "1"},
		code: "DO-UPT", uuid: e.ID, description: e.text("name"),
	}}
}
