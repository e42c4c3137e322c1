package dosim

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

const (
	kindDatabase       = "database"
	paramDatabase      = "database.create"
	dutyDatabaseOnline = "database.online"
)

// databaseResource is what requests do to databases, which [listedKinds] shows.
func databaseResource() resource {
	return resource{
		routes: []route{
			op("POST /v2/databases", createDatabase, "database:create"),
			op("DELETE /v2/databases/{database}", deleteDatabase, "database:delete"),
		},
		duties: []duty{{dutyDatabaseOnline, databaseOnline}},
		params: []Param{{paramDatabase, "5m", 0, 0, "from the create of a database cluster to its being online"}},
		gone: func(c *call, urn string, _ entity) {
			replicas := c.sim.world.listed("database_replica")
			for _, r := range replicas.under(c, "of:"+urn) {
				replicas.remove(c, r)
			}
		},
	}
}

type createDatabaseBody struct {
	Name    string   `json:"name"`
	Engine  string   `json:"engine"`
	Version string   `json:"version"`
	Region  string   `json:"region"`
	Size    string   `json:"size"`
	Nodes   int      `json:"num_nodes"`
	Storage int      `json:"storage_size_mib"`
	Tags    []string `json:"tags"`
	VPC     string   `json:"private_network_uuid"`
	Project string   `json:"project_id"`
	Restore *struct {
		Name string `json:"database_name"`
	} `json:"backup_restore"`
}

// createDatabase makes a cluster that is created for a while. Its trusted sources
// are taken and shown nowhere.
func createDatabase(c *call) answer {
	var body createDatabaseBody
	if !c.decode(&body) {
		return invalidJSON()
	}
	databases := c.sim.world.listed(kindDatabase)
	e := &listedThing{thing: thing{Account: c.account(), CreatedAt: c.at}}
	data, err := body.data(c)
	if err == nil {
		err = listedKindOf(kindDatabase).fill(c, e, data)
	}
	if err != nil {
		return unprocessable(err.Error())
	}
	e = databases.create(c, e)
	c.later(c.sim.params.duration(paramDatabase), dutyDatabaseOnline, e.ID)
	return created("database", databases.render(c, e))
}

// An engine is a database system, of which a cluster may be.
type engine struct {
	version string // the usual one
	scheme  string // of an address
	port    float64
}

func engines() map[string]engine {
	return map[string]engine{
		"pg": {"17", "postgresql", 25060}, "mysql": {"8", "mysql", 25060}, "valkey": {"8", "rediss", 25061}, "mongodb": {"8.0", "mongodb+srv", 27017},
		"kafka": {"3.8", "kafka", 25073}, "opensearch": {"2.19", "https", 25060},
		"advanced_pg": {"17", "postgresql", 25060}, "advanced_mysql": {"8", "mysql", 25060},
	}
}

// data is the cluster that the body describes, as the API shows it, or
// DigitalOcean's objection.
func (b createDatabaseBody) data(c *call) (map[string]any, error) {
	of, known := engines()[b.Engine]
	region, hasRegion := c.sim.world.catalog.region(b.Region)
	called := func(name string) bool {
		return len(only(c.sim.world.listed(kindDatabase).under(c, wholeAccount), func(e *listedThing) bool { return e.text("name") == name })) > 0
	}
	switch {
	case !isVolumeName(b.Name):
		return nil, errors.New("invalid cluster name")
	case called(b.Name):
		return nil, errors.New("cluster name is not available")
	case !known:
		return nil, errors.New("invalid cluster engine")
	case !hasRegion:
		return nil, errors.New("invalid region")
	case !strings.Contains(b.Size, "db-"):
		return nil, errors.New("invalid size")
	case b.Nodes < 1 || b.Nodes > 15:
		return nil, errors.New("invalid number of nodes")
	case b.Storage < 0:
		return nil, errors.New("invalid storage size")
	case b.Restore != nil && !called(b.Restore.Name):
		return nil, errors.New("backup not found")
	}
	if b.Version == "" {
		b.Version = of.version
	}
	data := map[string]any{
		"name": b.Name, "engine": b.Engine, "version": b.Version, "semantic_version": b.Version + ".0", "region": region.Slug, "size": b.Size,
		"num_nodes": b.Nodes, "status": "creating", "tags": b.Tags, "private_network_uuid": b.VPC, "project_id": b.Project,
	}
	if b.Storage > 0 {
		data["storage_size_mib"] = b.Storage
	}
	for key, v := range listedKindOf(kindDatabase).shape() {
		if usual, ok := v.(map[string]any); ok && strings.HasSuffix(key, "connection") {
			uri := strings.NewReplacer("postgresql:", of.scheme+":", ":25060", fmt.Sprintf(":%.0f", of.port)).Replace(fmt.Sprint(usual["uri"]))
			data[key] = map[string]any{"uri": uri, "port": of.port}
		}
	}
	return data, nil
}

func databaseOnline(c *call, arg json.RawMessage) {
	var id string
	if json.Unmarshal(arg, &id) != nil {
		return
	}
	databases := c.sim.world.listed(kindDatabase)
	if e, ok := databases.get(c.account(), id); ok && e.exists(c.at) {
		databases.update(c, e, func(next *listedThing) { next.Data = overlay(e.Data, map[string]any{"status": "online"}) })
	}
}

func deleteDatabase(c *call) answer {
	databases := c.sim.world.listed(kindDatabase)
	e, ok := databases.find(c, c.values[kindDatabase])
	if !ok {
		return notFound()
	}
	databases.remove(c, e)
	return noContent()
}
