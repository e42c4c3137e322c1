package dosim

// listedTables are of what the cloud only lists: it is seeded, and no request
// makes any.
type listedTables struct{} //nolint:unused // its first table comes with its first family

func listedResources() []resource { return nil }
