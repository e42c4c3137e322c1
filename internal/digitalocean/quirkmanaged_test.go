package digitalocean_test

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/dosim"
)

// managedQuirks are those of what DigitalOcean runs itself.
var managedQuirks = []quirk{
	{
		number: 5, name: "a new database is not found for a while", on: param("lag.get_after_create", "30s"), off: param("lag.get_after_create", "0s"),
		naive: func(u *cloudUser) error {
			path, err := u.database()
			if err == nil {
				_, err = u.want("GET", path, nil)
			}
			return err
		},
		ours: func(u *cloudUser) error {
			path, err := u.database()
			if err != nil {
				return err
			}
			return u.persist("GET", path, nil, digitalocean.NotFound)
		},
	},
	{
		number: 30, name: "a cluster's volumes outlive it",
		naive: func(u *cloudUser) error {
			path, _, err := u.cluster()
			if err == nil {
				_, err = u.want("DELETE", path, nil)
			}
			time.Sleep(time.Hour)
			if n := u.made("volume"); err == nil && n > 0 {
				err = fmt.Errorf("%d volumes are paid for by nobody", n)
			}
			return err
		},
		ours: func(u *cloudUser) error { // whole lists show what is left with the tag
			path, tag, err := u.cluster()
			if err != nil {
				return err
			}
			if err := u.persist("DELETE", path, nil); err != nil {
				return err
			}
			volumes, err := u.documents("/v2/volumes", "volumes")
			for _, v := range volumes {
				if tags, _ := v["tags"].([]any); err == nil && slices.Contains(tags, any(tag)) {
					err = u.persist("DELETE", "/v2/volumes/"+id(v["id"]), nil, digitalocean.Conflict)
				}
			}
			if n := u.made("volume"); err == nil && n > 0 {
				err = errors.New("a volume is left")
			}
			return err
		},
	},
}

func (u *cloudUser) database() (path string, err error) {
	made, err := u.want("POST", "/v2/databases", body{"name": "backend", "engine": "pg", "region": "nyc3", "size": "db-s-1vcpu-1gb", "num_nodes": 1})
	return "/v2/databases/" + id(in(made, "database", "id")), err
}

// cluster is a Kubernetes cluster with a node and the volume of a claim, and the tag
// that they have.
func (u *cloudUser) cluster() (path, tag string, err error) {
	cluster, err := u.SeedThing(dosim.SeedThing{Kind: "kubernetes_cluster"})
	if err != nil {
		return "", "", err
	}
	tag = "k8s:" + cluster
	node := u.SeedDroplet(dosim.SeedDroplet{Tags: []string{tag}})
	claim := aVolume("pvc-1")
	claim["tags"] = []string{tag}
	made, err := u.want("POST", "/v2/volumes", claim)
	if err != nil {
		return "", "", err
	}
	time.Sleep(time.Minute)
	_, err = u.want("POST", "/v2/volumes/"+id(in(made, "volume", "id"))+"/actions", body{"type": "attach", "droplet_id": node})
	time.Sleep(time.Minute)
	return "/v2/kubernetes/clusters/" + cluster, tag, err
}
