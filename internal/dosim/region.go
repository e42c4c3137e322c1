package dosim

func regionResource() resource {
	return resource{routes: []route{op("GET /v2/regions", func(c *call) answer {
		return listPage(c, "regions", c.sim.world.catalog.regions, asIs)
	}, "regions:read")}}
}

func sizeResource() resource {
	return resource{routes: []route{op("GET /v2/sizes", func(c *call) answer {
		return listPage(c, "sizes", c.sim.world.sizesAt(c.at), asIs)
	}, "sizes:read", "regions:read")}}
}
