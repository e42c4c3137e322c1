package dosim

type accountWire struct {
	DropletLimit    int      `json:"droplet_limit"`
	FloatingIPLimit int      `json:"floating_ip_limit"`
	ReservedIPLimit int      `json:"reserved_ip_limit"`
	VolumeLimit     int      `json:"volume_limit"`
	Email           string   `json:"email"`
	Name            string   `json:"name"`
	UUID            string   `json:"uuid"`
	EmailVerified   bool     `json:"email_verified"`
	Status          string   `json:"status"`
	StatusMessage   string   `json:"status_message"`
	Team            teamWire `json:"team"`
}

type teamWire struct {
	UUID string `json:"uuid"`
	Name string `json:"name"`
}

func accountResource() resource {
	return resource{routes: []route{op("GET /v2/account", getAccount, "account:read")}}
}

func getAccount(c *call) answer {
	name, p := c.account(), c.sim.params
	return showing("account", accountWire{
		DropletLimit: p.number(paramDropletLimit), FloatingIPLimit: p.number(paramReservedIPLimit),
		ReservedIPLimit: p.number(paramReservedIPLimit), VolumeLimit: p.number(paramVolumeLimit),
		Email: c.email(), Name: name, UUID: uuid(c.sim.seed, "account", name), EmailVerified: true,
		Status: "active", Team: teamWire{c.teamUUID(), name},
	})
}

func (c *call) email() string { return c.account() + "@example.com" }

func (c *call) teamUUID() string { return uuid(c.sim.seed, "team", c.account()) }

// teamURN is how billing calls the account.
func (c *call) teamURN() string { return "do:team:" + c.teamUUID() }

// ownerID is the number of the account, within those of older days.
func (c *call) ownerID() int64 { return int64(hash(c.sim.seed, "owner", c.account()) % 10_000_000) }
