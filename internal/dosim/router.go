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
	segments  []string
	variables int
}

func newRouter(resources []resource) router {
	r := router{}
	for _, res := range resources {
		for _, rt := range res.routes {
			p := routePath{route: rt, segments: strings.Split(rt.path, "/"), variables: strings.Count(rt.path, "{")}
			key := routerKey(rt.method, p.segments)
			r[key] = append(r[key], p)
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
	var best *routePath
	candidates := r[routerKey(method, segments)]
	for i := range candidates {
		if p := &candidates[i]; p.fits(segments) && (best == nil || p.variables < best.variables) {
			best = p
		}
	}
	if best == nil {
		return route{}, nil, false
	}
	return best.route, best.values(segments), true
}

func (p *routePath) fits(segments []string) bool {
	for i, s := range p.segments {
		if strings.HasPrefix(s, "{") {
			if segments[i] == "" {
				return false
			}
		} else if s != segments[i] {
			return false
		}
	}
	return true
}

func (p *routePath) values(segments []string) map[string]string {
	values := make(map[string]string, p.variables)
	for i, s := range p.segments {
		if strings.HasPrefix(s, "{") {
			values[strings.Trim(s, "{}")] = segments[i]
		}
	}
	return values
}
