// Package origin keeps strangers out of the surfaces that browsers reach. Until
// log-in exists, what a server on a loopback address has to fear is a page of
// somebody else in a browser of this machine: it may have its own name resolve to
// our address (DNS rebinding), or send us a form.
package origin

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// What Guard says to those whom it refuses.
const (
	WrongHost = "This server answers to localhost and its loopback address alone, not to the name that the request gave."
	WrongPage = "A page of another origin may not change anything here: send the request from this server's own pages, or from a program."
)

// Guard lets requests through to next that name this machine and, where they
// change something, were not sent by a page of another origin. Others go to deny,
// with a sentence for whoever reads the answer, whose status is 403.
func Guard(next http.Handler, deny func(w http.ResponseWriter, r *http.Request, why string)) http.Handler {
	cross := http.NewCrossOriginProtection()
	cross.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { deny(w, r, WrongPage) }))
	same := cross.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !Local(r.Host) {
			deny(w, r, WrongHost)
			return
		}
		same.ServeHTTP(w, r)
	})
}

// Local reports whether a host, with or without a port, is this machine: a page
// whose name was made to resolve to our address still sends its own name.
func Local(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}
