package dosim

import (
	"fmt"
	"testing"
)

func TestRouter(t *testing.T) {
	at := func(name string) func(*call) answer { return func(*call) answer { return answer{body: name} } }
	routes := []route{
		op("GET /v2/things", at("list"), "thing:read"),
		op("GET /v2/things/{thing}", at("one"), "thing:read"),
		op("GET /v2/things/default", at("default"), "thing:read"),
		op("GET /v2/things/{thing}/parts/{part}", at("part"), "thing:read"),
		op("POST /v2/things/{thing}/parts", at("new part"), "thing:update"),
		op("GET /v2/thingsandmore", at("more"), "more:read"),
	}
	r := newRouter([]resource{{routes: routes}, {routes: aliases("/v2/things", "/v2/objects", routes)}})
	for request, want := range map[string]string{
		"GET /v2/things":                "list map[] false",
		"HEAD /v2/things":               "list map[] false",
		"GET /v2/things/7":              "one map[thing:7] false",
		"GET /v2/things/default":        "default map[] false",
		"GET /v2/things/7/parts/x":      "part map[part:x thing:7] false",
		"POST /v2/things/7/parts":       "new part map[thing:7] false",
		"GET /v2/objects":               "list map[] true",
		"GET /v2/objects/7/parts/x":     "part map[part:x thing:7] true",
		"GET /v2/things/":               "",
		"GET /v2/things//parts/x":       "",
		"POST /v2/things":               "",
		"GET /v2/objectsandmore":        "",
		"GET /v2/things/7/parts/x/more": "",
	} {
		var method, path string
		if _, err := fmt.Sscan(request, &method, &path); err != nil {
			t.Fatal(err)
		}
		got := ""
		if rt, values, ok := r.find(method, path); ok {
			got = fmt.Sprintf("%v %v %v", rt.serve(nil).body, values, rt.alias)
		}
		if want != got {
			t.Errorf("%s finds %q, want %q", request, got, want)
		}
	}
}
