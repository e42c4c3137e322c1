package dosim

import (
	"net/http"
	"strconv"
	"strings"
)

// A router finds the operation that a request asks for. http.ServeMux would
// redirect paths that are not clean and answer 405 for a method that is not
// served; DigitalOcean does neither.
type router map[string][]routePath // by method and number of segments

type routePath struct {
	route
	segments []string
}

func newRouter(resources []resource) router {
	r := router{}
	for _, res := range resources {
		for _, rt := range res.routes {
			method, path, _ := strings.Cut(rt.pattern, " ")
			segments := strings.Split(path, "/")
			key := routerKey(method, segments)
			r[key] = append(r[key], routePath{rt, segments})
		}
	}
	return r
}

func routerKey(method string, segments []string) string {
	return method + " " + strconv.Itoa(len(segments))
}

// find returns the route of a request and the values of its path's variables.
// A literal segment wins over a variable.
func (r router) find(method, path string) (found route, values map[string]string, ok bool) {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	segments := strings.Split(path, "/")
	for _, candidate := range r[routerKey(method, segments)] {
		v, fits := candidate.match(segments)
		if fits && (!ok || len(v) < len(values)) {
			found, values, ok = candidate.route, v, true
		}
	}
	return found, values, ok
}

func (p routePath) match(segments []string) (values map[string]string, fits bool) {
	values = map[string]string{}
	for i, s := range p.segments {
		switch {
		case strings.HasPrefix(s, "{") && segments[i] != "":
			values[strings.Trim(s, "{}")] = segments[i]
		case s != segments[i]:
			return nil, false
		}
	}
	return values, true
}
