package dosim

func regionResource() resource {
	return resource{routes: []route{{"GET /v2/regions", []string{"regions:read"}, func(c *call) answer {
		return listPage(c, "regions", c.sim.world.catalog.regions, asIs)
	}}}}
}

func sizeResource() resource {
	return resource{routes: []route{{"GET /v2/sizes", []string{"sizes:read", "regions:read"}, func(c *call) answer {
		return listPage(c, "sizes", c.sim.world.catalog.sizes, asIs)
	}}}}
}
