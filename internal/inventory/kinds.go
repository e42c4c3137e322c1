package inventory

import (
	"slices"
	"strings"

	"github.com/arcadia-cloud/arcadia/internal/exact"
)

// kinds are all of them. What others hang on comes first.
var kinds []*Kind

func init() { // here, and not above: some kinds look others up by name
	kinds = []*Kind{
		project, vpc, droplet, volume, snapshot, image, reservedIP, reservedIPv6, loadBalancer, firewall, natGateway, domain,
		database, kubernetesCluster, app, registry, registrySubscription, nfs,
		autoscalePool, certificate, cdnEndpoint, vpcPeering, functionsNamespace, agent, spacesKey, alertPolicy, uptimeCheck, sshKey, tag,
		domainRecord, databaseReplica, backupPolicy, projectResource,
		region, size, publicImage,
	}
}

// What many kinds say alike.

// perGiB is the charge for what is billed by its size.
func perGiB(sku string, d Doc, keys ...string) Charge {
	size, ok := d.Number(keys...)
	if !ok {
		sku += ":unsized" // which no price book has: an alarm, and never nothing
	}
	return Charge{SKU: sku, Quantity: size}
}

func flat(sku string) Charge { return Charge{SKU: sku, Quantity: exact.Whole(1)} }

// inNetwork is that something is in a private network, which has to outlive it.
func inNetwork(vpc string) []Edge {
	if vpc == "" {
		return nil
	}
	return []Edge{{Type: MemberOf, To: "do:vpc:" + vpc, First: true}}
}

// needs is that something cannot do without another, which has to outlive it.
func needs(prefix, id string) []Edge {
	if id == "" {
		return nil
	}
	return []Edge{{Type: DependsOn, To: prefix + id, First: true}}
}

func toEach(t EdgeType, prefix string, ids []string) []Edge {
	var edges []Edge
	for _, id := range ids {
		edges = append(edges, Edge{Type: t, To: prefix + id})
	}
	return edges
}

// given are the texts that say something.
func given(texts ...string) []string {
	return slices.DeleteFunc(texts, func(text string) bool { return strings.TrimSpace(text) == "" })
}

func contains(list []string, text string) bool { return slices.Contains(list, text) }
