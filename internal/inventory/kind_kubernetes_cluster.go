package inventory

import "strings"

// kubernetesCluster is a managed cluster. Its nodes are droplets, which say by a
// tag whose they are and are counted and charged as such; what remains is the
// control plane, which costs something if it has a second one beside it.
var kubernetesCluster = &Kind{
	Name: "kubernetes_cluster", Title: "Kubernetes cluster", Many: "Kubernetes clusters", Tier: Hot,
	Lists: []Listing{{Path: "/v2/kubernetes/clusters", Key: "kubernetes_clusters"}},
	Get:   "/v2/kubernetes/clusters/{id}", One: "kubernetes_cluster", Scope: "kubernetes:read",
	ID: "id", Project: "do:kubernetes:",
	Ignore: []string{"updated_at", "node_pools.*.nodes.*.updated_at", "node_pools.*.nodes.*.status.message"},
	Look: func(d Doc) Look {
		var pools []string
		for _, p := range d.Docs("node_pools") {
			pools = append(pools, p.Text("count")+" × "+p.Text("size"))
		}
		return Look{
			Name: d.Text("name"), Region: d.Text("region"), Status: d.Text("status", "state"), Size: strings.Join(pools, ", "),
			Tags: d.Texts("tags"), Addresses: given(d.Text("ipv4")), CreatedAt: d.Time("created_at"),
		}
	},
	Edges: func(d Doc) []Edge { return inNetwork(d.Text("vpc_uuid")) },
	Charges: func(d Doc) []Charge {
		if !d.Bool("ha") {
			return nil
		}
		return []Charge{flat("kubernetes:ha")}
	},
}
