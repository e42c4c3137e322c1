package blueprint

import (
	"embed"
	"fmt"
	"path"
)

//go:embed shipped/*.yaml
var shipped embed.FS

// All are the blueprints that Arcadia ships, by name.
func All() []*Blueprint {
	var all []*Blueprint
	for _, name := range Names() {
		source, _ := Source(name)
		bp, err := Parse(name+".yaml", source)
		if err != nil {
			panic(fmt.Sprintf("a blueprint that is part of the program: %v", err))
		}
		all = append(all, bp)
	}
	return all
}

// Names are those of the blueprints that Arcadia ships, sorted.
func Names() []string {
	entries, err := shipped.ReadDir("shipped")
	if err != nil {
		panic(err) // it is part of the program
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name()[:len(e.Name())-len(path.Ext(e.Name()))])
	}
	return names
}

// Source is the text of a blueprint that Arcadia ships, to read or to begin one's own
// with; false where there is none of the name.
func Source(name string) ([]byte, bool) {
	source, err := shipped.ReadFile("shipped/" + name + ".yaml")
	return source, err == nil
}
