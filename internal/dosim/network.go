package dosim

// networkTables are of what connects droplets with one another and the world.
type networkTables struct{} //nolint:unused // its first table comes with its first family

func networkResources() []resource { return nil }
