package dosim_test

func networkStories() []story {
	return []story{
		{"VPCs", tellVPCs},
		{"firewalls", tellFirewalls},
		{"domains", tellDomains},
		{"certificates", tellCertificates},
		{"load balancers", tellLoadBalancers},
		{"reserved IPv6", tellReservedIPv6s},
	}
}
