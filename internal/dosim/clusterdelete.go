package dosim

import (
	"net/http"
	"slices"
)

// clusterResource is what requests do to Kubernetes clusters, which [listedKinds]
// shows.
func clusterResource() resource {
	const path, scope = "/v2/kubernetes/clusters/{kubernetes_cluster}", "kubernetes:delete"
	return resource{
		routes: []route{
			op("DELETE "+path, deleteCluster, scope),
			op("GET "+path+"/destroy_with_associated_resources", listOfCluster, "kubernetes:read"),
			op("DELETE "+path+"/destroy_with_associated_resources/dangerous", deleteClusterWithAll, scope),
			op("DELETE "+path+"/destroy_with_associated_resources/selective", deleteClusterWithSome, scope),
		},
		gone: nodesOfGone,
	}
}

// A clusterPart is something that a cluster had made: it is tagged with the
// cluster's id, or balances what is.
type clusterPart struct {
	ID   string `json:"id"`
	Name string `json:"name"`

	delete func()
}

type clusterParts struct {
	LoadBalancers   []clusterPart `json:"load_balancers"`
	Volumes         []clusterPart `json:"volumes"`
	VolumeSnapshots []clusterPart `json:"volume_snapshots"`
}

func clusterTag(id string) string { return "k8s:" + id }

// partsOf are what a cluster had made and costs something without it.
func (c *call) partsOf(e *listedThing) clusterParts {
	w, tag := c.sim.world, clusterTag(e.ID)
	parts := clusterParts{[]clusterPart{}, []clusterPart{}, []clusterPart{}}
	for _, b := range w.loadBalancers.under(c, wholeAccount) {
		if b.Tag == tag {
			parts.LoadBalancers = append(parts.LoadBalancers, clusterPart{b.ID, b.Name, func() { w.loadBalancers.remove(c, b) }})
		}
	}
	for _, v := range w.volumes.under(c, tagKey(tag)) {
		parts.Volumes = append(parts.Volumes, clusterPart{v.ID, v.Name, func() { w.volumes.remove(c, v) }})
		for _, s := range w.volumeSnapshots.under(c, "of:"+v.urn()) {
			parts.VolumeSnapshots = append(parts.VolumeSnapshots, clusterPart{s.ID, s.Name, func() { w.volumeSnapshots.remove(c, s) }})
		}
	}
	return parts
}

func (c *call) cluster() (*listedThing, bool) {
	return c.sim.world.listed(kindCluster).find(c, c.values[kindCluster])
}

func listOfCluster(c *call) answer {
	e, ok := c.cluster()
	if !ok {
		return notFound()
	}
	return answer{http.StatusOK, c.partsOf(e)}
}

// deleteCluster deletes the cluster and its nodes. What else it had made stays, and
// costs: digitalocean/doctl#437.
func deleteCluster(c *call) answer {
	return c.deleteClusterAnd(func(string, string) bool { return false })
}

func deleteClusterWithAll(c *call) answer {
	return c.deleteClusterAnd(func(string, string) bool { return true })
}

func deleteClusterWithSome(c *call) answer {
	var body struct {
		LoadBalancers   []string `json:"load_balancers"`
		Volumes         []string `json:"volumes"`
		VolumeSnapshots []string `json:"volume_snapshots"`
	}
	if !c.decode(&body) {
		return invalidJSON()
	}
	named := map[string][]string{kindLoadBalancer: body.LoadBalancers, kindVolume: body.Volumes, kindVolumeSnapshot: body.VolumeSnapshots}
	return c.deleteClusterAnd(func(kind, id string) bool { return slices.Contains(named[kind], id) })
}

// deleteClusterAnd deletes the cluster in the path and those of its parts that too
// says.
func (c *call) deleteClusterAnd(too func(kind, id string) bool) answer {
	e, ok := c.cluster()
	if !ok {
		return notFound()
	}
	parts := c.partsOf(e)
	c.sim.world.listed(kindCluster).remove(c, e)
	for _, of := range []struct {
		kind string
		all  []clusterPart
	}{{kindLoadBalancer, parts.LoadBalancers}, {kindVolumeSnapshot, parts.VolumeSnapshots}, {kindVolume, parts.Volumes}} {
		for _, p := range of.all {
			if too(of.kind, p.ID) {
				p.delete()
			}
		}
	}
	return noContent()
}

// nodesOfGone deletes the nodes of a cluster with it.
func nodesOfGone(c *call, urnOf string, e entity) {
	if urnOf != urn(kindCluster, e.self().ID) {
		return
	}
	for _, d := range c.sim.world.droplets.under(c, tagKey(clusterTag(e.self().ID))) {
		c.sim.world.droplets.remove(c, d)
	}
}
