package dosim

// networkTables are of what connects droplets with one another and the world.
type networkTables struct {
	vpcs          *table[*vpc]
	firewalls     *table[*firewall]
	domains       *table[*domain]
	domainRecords *table[*domainRecord]
	certificates  *table[*certificate]
	loadBalancers *table[*loadBalancer]
	reservedIPv6s *table[*reservedIPv6]
}

func networkResources() []resource {
	return []resource{
		vpcResource(),
		firewallResource(),
		domainResource(),
		domainRecordResource(),
		certificateResource(),
		loadBalancerResource(),
		reservedIPv6Resource(),
	}
}
