package dosim

import (
	"crypto/md5" //nolint:gosec // the fingerprint that DigitalOcean shows is an MD5 sum
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"
	"time"
)

// An sshKey is a public key that new droplets may be given.
type sshKey struct {
	thing
	Name      string `json:"name"`
	PublicKey string `json:"public_key"`
}

type sshKeyWire struct {
	ID          int64  `json:"id"`
	Fingerprint string `json:"fingerprint"`
	PublicKey   string `json:"public_key"`
	Name        string `json:"name"`
}

const paramSSHKeyLimit = "ratelimit.ssh_keys"

func sshKeyResource() resource {
	return resource{
		table: func(w *world) anyTable {
			w.sshKeys = newTable(w.seed, kind[*sshKey]{
				name: "ssh_key", numbers: 40_000_000, wire: func(_ *call, k *sshKey) any { return k.wire() },
				title: func(k *sshKey) string { return k.Name },
				keys:  func(k *sshKey) []string { return []string{"fingerprint:" + fingerprint(k.PublicKey)} },
			})
			return w.sshKeys
		},
		routes: []route{
			op("GET /v2/account/keys", listSSHKeys, "ssh_key:read").limited(limit{paramSSHKeyLimit, time.Minute}),
			op("POST /v2/account/keys", createSSHKey, "ssh_key:create"),
			op("GET /v2/account/keys/{ssh_key}", getSSHKey, "ssh_key:read"),
			op("PUT /v2/account/keys/{ssh_key}", renameSSHKey, "ssh_key:update"),
			op("DELETE /v2/account/keys/{ssh_key}", deleteSSHKey, "ssh_key:delete"),
		},
		params: []Param{{paramSSHKeyLimit, "10", 1, 1_000_000, "lists of SSH keys per token in any minute"}},
	}
}

func (k *sshKey) wire() sshKeyWire {
	return sshKeyWire{ID: number(k.ID), Fingerprint: fingerprint(k.PublicKey), PublicKey: k.PublicKey, Name: k.Name}
}

// fingerprint is the MD5 sum of the key itself, without its type and its
// comment; empty when it is no key.
func fingerprint(public string) string {
	fields := strings.Fields(public)
	if len(fields) < 2 || !slices.Contains(sshKeyTypes(), fields[0]) {
		return ""
	}
	key, err := base64.StdEncoding.DecodeString(fields[1])
	if err != nil || len(key) == 0 {
		return ""
	}
	sum := md5.Sum(key) //nolint:gosec // see the import
	var pairs []string
	for _, b := range sum {
		pairs = append(pairs, hex.EncodeToString([]byte{b}))
	}
	return strings.Join(pairs, ":")
}

func sshKeyTypes() []string {
	return []string{
		"ssh-rsa", "ssh-dss", "ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521",
		"sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com",
	}
}

// sshKey finds the key in the path.
func (c *call) sshKey() (*sshKey, bool) { return c.sshKeyNamed(c.values["ssh_key"]) }

// sshKeyNamed finds a key by its id or its fingerprint.
func (c *call) sshKeyNamed(id string) (*sshKey, bool) {
	keys := c.sim.world.sshKeys
	if same := keys.under(c, "fingerprint:"+id); strings.Contains(id, ":") && len(same) > 0 {
		id = same[0].ID
	}
	return keys.find(c, id)
}

func listSSHKeys(c *call) answer {
	keys := c.sim.world.sshKeys
	return keys.page(c, "ssh_keys", keys.listed(c))
}

func createSSHKey(c *call) answer {
	var body struct {
		Name      string `json:"name"`
		PublicKey string `json:"public_key"`
	}
	if !c.decode(&body) {
		return invalidJSON()
	}
	body.PublicKey = strings.TrimSpace(body.PublicKey)
	print := fingerprint(body.PublicKey)
	keys := c.sim.world.sshKeys
	switch {
	case strings.TrimSpace(body.Name) == "":
		return unprocessable("Name can't be blank")
	case print == "":
		return unprocessable("Key invalid, key should be one of the following types: [" + strings.Join(sshKeyTypes(), ", ") + "]")
	case len(keys.under(c, "fingerprint:"+print)) > 0:
		return unprocessable("SSH Key is already in use on your account")
	}
	return created("ssh_key", keys.render(c, keys.create(c, &sshKey{Name: body.Name, PublicKey: body.PublicKey})))
}

func getSSHKey(c *call) answer {
	k, ok := c.sshKey()
	if !ok {
		return notFound()
	}
	return showing("ssh_key", c.sim.world.sshKeys.render(c, k))
}

func renameSSHKey(c *call) answer {
	k, ok := c.sshKey()
	if !ok {
		return notFound()
	}
	var body struct {
		Name string `json:"name"`
	}
	if !c.decode(&body) {
		return invalidJSON()
	}
	if strings.TrimSpace(body.Name) == "" {
		return unprocessable("Name can't be blank")
	}
	c.sim.world.sshKeys.update(c, k, func(next *sshKey) { next.Name = body.Name })
	return showing("ssh_key", k.wire())
}

func deleteSSHKey(c *call) answer {
	k, ok := c.sshKey()
	if !ok {
		return notFound()
	}
	c.sim.world.sshKeys.remove(c, k)
	return noContent()
}
