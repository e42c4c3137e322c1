package dosim

import (
	"net/http"
	"slices"
	"strconv"
)

// purgeLoadBalancer empties the cache of a global load balancer's CDN: there is
// nothing in it that could be seen to be gone.
func purgeLoadBalancer(c *call) answer {
	b, ok := c.loadBalancer()
	if !ok {
		return notFound()
	}
	if b.Type != globalBalancer {
		return unprocessable("Only a global load balancer has a cache.")
	}
	return noContent()
}

// replaceLoadBalancer resets what the body does not name, but for what is fixed
// at the creation.
func replaceLoadBalancer(c *call) answer {
	var body loadBalancerBody
	a := changeLoadBalancer(c, &body, func(b *loadBalancer) (loadBalancerSettings, *answer) {
		refused := unprocessable("region, type, network and network_stack can not be changed")
		if err := body.settle(); err != nil {
			refused = unprocessable(err.Error())
		} else if body.Region == "" || body.Region == b.Region {
			return body.loadBalancerSettings, nil
		}
		return loadBalancerSettings{}, &refused
	})
	b, ok := c.loadBalancer()
	if !ok || a.status != http.StatusNoContent {
		return a
	}
	if project, ok := c.sim.world.projects.find(c, body.ProjectID); ok && project.ID != b.Project {
		c.sim.world.loadBalancers.assign(c, b, project.ID)
	}
	return showing("load_balancer", b.wire(c))
}

// changeLoadBalancer reads the body, and gives the load balancer in the path the
// settings that next makes of it, unless it is still busy with a change:
// digitalocean/openapi#1173.
func changeLoadBalancer(c *call, body any, next func(*loadBalancer) (loadBalancerSettings, *answer)) answer {
	b, ok := c.loadBalancer()
	if !ok {
		return notFound()
	}
	if !c.decode(body) {
		return invalidJSON()
	}
	if c.at.Before(b.LockedUntil) {
		return refusal(http.StatusForbidden, "forbidden", "Load Balancer can't be updated while it processes previous actions")
	}
	settings, refused := next(b)
	if refused != nil {
		return *refused
	}
	if err := settings.check(c, b.ID, b.Type, b.Region); err != nil {
		return unprocessable(err.Error())
	}
	c.sim.world.loadBalancers.update(c, b, func(b *loadBalancer) {
		b.loadBalancerSettings = settings
		b.LockedUntil = c.at.Add(c.sim.params.duration(paramLoadBalancerLock))
	})
	return noContent()
}

// changeDroplets lets change make another list of the droplets that are named.
func changeDroplets(c *call, change func(old, named []int64) []int64) answer {
	var body struct {
		DropletIDs []int64 `json:"droplet_ids"`
	}
	return changeLoadBalancer(c, &body, func(b *loadBalancer) (loadBalancerSettings, *answer) {
		if len(body.DropletIDs) == 0 {
			refused := unprocessable("droplet_ids is required")
			return b.loadBalancerSettings, &refused
		}
		s := b.loadBalancerSettings
		s.DropletIDs = change(s.DropletIDs, body.DropletIDs)
		return s, nil
	})
}

func addBalancedDroplets(c *call) answer {
	return changeDroplets(c, func(old, named []int64) []int64 {
		return slices.Compact(slices.Sorted(slices.Values(slices.Concat(old, named))))
	})
}

func removeBalancedDroplets(c *call) answer {
	return changeDroplets(c, func(old, named []int64) []int64 {
		return only(old, func(id int64) bool { return !slices.Contains(named, id) })
	})
}

// changeForwarding lets change make another list of the rules.
func changeForwarding(c *call, change func(old, named []forwardingRule) []forwardingRule) answer {
	var body struct {
		Rules []forwardingRule `json:"forwarding_rules"`
	}
	return changeLoadBalancer(c, &body, func(b *loadBalancer) (loadBalancerSettings, *answer) {
		if len(body.Rules) == 0 {
			refused := unprocessable("forwarding_rules is required")
			return b.loadBalancerSettings, &refused
		}
		s := b.loadBalancerSettings
		s.ForwardingRules = change(s.ForwardingRules, body.Rules)
		return s, nil
	})
}

func addForwardingRules(c *call) answer {
	return changeForwarding(c, func(old, named []forwardingRule) []forwardingRule {
		return slices.Concat(old, only(named, func(r forwardingRule) bool { return !slices.Contains(old, r) }))
	})
}

func removeForwardingRules(c *call) answer {
	return changeForwarding(c, func(old, named []forwardingRule) []forwardingRule {
		return only(old, func(r forwardingRule) bool { return !slices.Contains(named, r) })
	})
}

// forgetBalanced takes a deleted droplet or tag out of the load balancers.
func forgetBalanced(c *call, urn string, e entity) {
	balancers := c.sim.world.loadBalancers
	for _, b := range balancers.under(c, "uses:"+urn) {
		balancers.update(c, b, func(b *loadBalancer) {
			switch e.(type) {
			case *tag:
				b.Tag = ""
			case *droplet:
				b.DropletIDs = only(b.DropletIDs, func(id int64) bool { return strconv.FormatInt(id, 10) != e.self().ID })
			}
		})
	}
}
