package inventory

import (
	"maps"
	"net/url"

	"github.com/arcadia-cloud/arcadia/internal/access"
)

// Probes are the smallest requests that only tokens get an answer to which have the
// scopes that the kinds need, one for each scope.
func Probes() (probes []access.Probe) {
	tried := map[string]bool{}
	for _, k := range kinds {
		if k.Parent != "" || tried[k.Scope] || len(k.Lists) == 0 {
			continue // what hangs on something has the scope of that
		}
		tried[k.Scope] = true
		list := k.Lists[0]
		query := url.Values{}
		maps.Copy(query, list.Query)
		if !list.Unpaged {
			query.Set("per_page", "1")
		}
		path := list.Path
		if len(query) > 0 {
			path += "?" + query.Encode()
		}
		probes = append(probes, access.Probe{Scope: k.Scope, Path: path})
	}
	return probes
}
