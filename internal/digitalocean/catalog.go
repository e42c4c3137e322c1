package digitalocean

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/digitalocean/godo"
)

// A Region is where DigitalOcean has machines.
type Region struct {
	Slug      string
	Name      string
	Available bool     // for new droplets
	Sizes     []string // slugs
	Features  []string // "storage", "backups" …
}

// Regions lists DigitalOcean's regions. Purpose: provisioning.
func (c *Client) Regions(ctx context.Context) (List[Region], error) {
	if err := c.may("Regions", Provisioning); err != nil {
		return List[Region]{}, err
	}
	return all(ctx, c, collection[godo.Region, Region]{
		path: "v2/regions", key: "regions", id: func(r Region) string { return r.Slug },
		item: func(w godo.Region) Region { return Region{w.Slug, w.Name, w.Available, w.Sizes, w.Features} },
	})
}

// An Image is what a droplet can be made of: a distribution, or a snapshot or backup
// of the account's.
type Image struct {
	ID        int64
	Slug      string // of public ones alone
	Name      string
	Type      string // "base", "snapshot", "backup", "custom"
	Status    string // "available" …
	Regions   []string
	MinDiskGB int // of a droplet that is made of it
}

// Image reads one image by its id, or a public one by its slug. Purpose: provisioning.
func (c *Client) Image(ctx context.Context, slugOrID string) (Image, error) {
	path := "/v2/images/" + url.PathEscape(slugOrID)
	w, err := read[godo.Image](ctx, c, "Image", path, "image")
	if err != nil {
		return Image{}, err
	}
	if w.Slug != slugOrID && strconv.Itoa(w.ID) != slugOrID {
		return Image{}, c.unclear(http.MethodGet, path, "an answer without the image")
	}
	return Image{int64(w.ID), w.Slug, w.Name, w.Type, w.Status, w.Regions, w.MinDiskSize}, nil
}

// An SSHKey is a public key of the account's that new droplets may be given.
type SSHKey struct {
	ID          int64
	Fingerprint string // MD5, like "3b:16:e4:bf:8b:00:8b:b8"
	Name        string
}

func sshKeyFrom(w godo.Key) SSHKey { return SSHKey{int64(w.ID), w.Fingerprint, w.Name} }

// SSHKey reads one key by its id or its fingerprint. Purpose: provisioning.
func (c *Client) SSHKey(ctx context.Context, idOrFingerprint string) (SSHKey, error) {
	path := "/v2/account/keys/" + url.PathEscape(idOrFingerprint)
	w, err := read[godo.Key](ctx, c, "SSHKey", path, "ssh_key")
	if err != nil {
		return SSHKey{}, err
	}
	if w.Fingerprint != idOrFingerprint && strconv.Itoa(w.ID) != idOrFingerprint {
		return SSHKey{}, c.unclear(http.MethodGet, path, "an answer without the key")
	}
	return sshKeyFrom(w), nil
}

// SSHKeys lists the keys of the account. DigitalOcean answers it ten times a minute.
// Purpose: provisioning.
func (c *Client) SSHKeys(ctx context.Context) (List[SSHKey], error) {
	if err := c.may("SSHKeys", Provisioning); err != nil {
		return List[SSHKey]{}, err
	}
	return all(ctx, c, collection[godo.Key, SSHKey]{
		path: "v2/account/keys", key: "ssh_keys", id: func(k SSHKey) string { return strconv.FormatInt(k.ID, 10) }, item: sshKeyFrom,
	})
}
