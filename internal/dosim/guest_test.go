package dosim_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
)

// visit is what a client out on the internet gets to see of a port: "silent",
// "nobody", or the name of the droplet that answers.
func visit(t testing.TB, s *dosimtest.Server, address string, port int) string {
	t.Helper()
	s.Guests.CloseIdleConnections()
	resp, err := s.Guests.Get(fmt.Sprintf("http://%s:%d/healthz", address, port))
	switch {
	case errors.Is(err, syscall.ETIMEDOUT):
		return "silent"
	case errors.Is(err, syscall.EHOSTUNREACH):
		return "nobody"
	case err != nil:
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var g dosim.Guest
	if err := json.NewDecoder(resp.Body).Decode(&g); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("a guest answers %d: %v", resp.StatusCode, err)
	}
	return g.Name
}

// publicOf is the droplet's public address.
func publicOf(t testing.TB, s *dosimtest.Server, path string) string {
	t.Helper()
	networks, _ := at(do(t, s, "GET", path, nil).Body, "droplet", "networks", "v4").([]any)
	for _, n := range networks {
		if at(n, "type") == "public" {
			return fmt.Sprint(at(n, "ip_address"))
		}
	}
	t.Fatalf("%s has no public address: %v", path, networks)
	return ""
}

func guests(t *testing.T, set map[string]string, test func(t *testing.T, s *dosimtest.Server)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, pipe(t, with(set))) })
}

func TestAGuestAnswersWhileItsDropletIsOn(t *testing.T) {
	guests(t, map[string]string{"droplet.create": "25s", "lag.status": "20s"}, func(t *testing.T, s *dosimtest.Server) {
		create := do(t, s, "POST", "/v2/droplets", object{"name": "web", "region": "fra1", "size": "s-1vcpu-1gb", "image": "debian-12-x64"})
		id := idOf(create, "droplet", "id")
		d := "/v2/droplets/" + id
		want := func(when, want string) {
			t.Helper()
			g := ok(t, s, "GET", "/guests/"+id, nil)
			if got := visit(t, s, text(at(g["addresses"], 0)), 80); got != want || g["running"] != (want == "web") {
				t.Errorf("%s: %s, running %v, want %s", when, got, g["running"], want)
			}
		}
		want("before it is active", "silent")
		time.Sleep(26 * time.Second)
		want("when it is active, whatever its status says", "web")
		time.Sleep(20 * time.Second)
		address := publicOf(t, s, d)
		if got := visit(t, s, address, 22); got != "web" {
			t.Errorf("the address that the API shows: %s", got)
		}
		for _, step := range []struct {
			action object
			during string
			after  string
		}{
			{object{"type": "snapshot"}, "web", "web"},
			{object{"type": "power_off"}, "web", "silent"},
			{object{"type": "power_on"}, "silent", "web"},
			{object{"type": "reboot"}, "silent", "web"},
			{object{"type": "power_cycle"}, "silent", "web"},
			{object{"type": "rebuild", "image": "debian-12-x64"}, "silent", "web"},
			{object{"type": "rename", "name": "front"}, "web", "front"},
			{object{"type": "rename", "name": "web"}, "front", "web"},
			{object{"type": "shutdown"}, "web", "silent"},
		} {
			wantStatus(t, fmt.Sprint(step.action), do(t, s, "POST", d+"/actions", step.action), 201)
			if got := visit(t, s, address, 80); got != step.during {
				t.Errorf("during %v: %s, want %s", step.action, got, step.during)
			}
			time.Sleep(90 * time.Second)
			if got := visit(t, s, address, 80); got != step.after {
				t.Errorf("after %v: %s, want %s", step.action, got, step.after)
			}
		}
		wantStatus(t, "delete", do(t, s, "DELETE", d, nil), 204)
		if got := visit(t, s, address, 80); got != "nobody" {
			t.Errorf("the address of a droplet that is gone: %s", got)
		}
		if e := admin(t, s, "GET", "/guests/"+id, nil); e.Status != 404 {
			t.Errorf("the guest of a droplet that is gone: %d", e.Status)
		}
	})
}

func TestFirewallsKeepGuestsToThemselves(t *testing.T) {
	guests(t, map[string]string{"firewall.apply": "5s"}, func(t *testing.T, s *dosimtest.Server) {
		d := seeded(s)
		address, id := publicOf(t, s, d), do(t, s, "GET", d, nil)
		droplet := at(id.Body, "droplet", "id")
		want := func(when string, ports map[int]bool) {
			t.Helper()
			for port, open := range ports {
				if got := visit(t, s, address, port) != "silent"; got != open {
					t.Errorf("%s: port %d is open: %v", when, port, got)
				}
			}
		}
		rule := func(ports string, from ...string) object {
			return object{"protocol": "tcp", "ports": ports, "sources": object{"addresses": from}}
		}
		rules := func(all ...object) object { return object{"inbound_rules": all} }
		made := do(t, s, "POST", "/v2/firewalls", object{
			"name": "https", "droplet_ids": []any{droplet},
			"inbound_rules": []object{rule("443", "0.0.0.0/0", "::/0"), rule("8000-8100", "0.0.0.0/0"), rule("80", "10.0.0.0/8"), {"protocol": "udp", "ports": "0", "sources": object{"addresses": []string{"0.0.0.0/0"}}}},
		})
		wantStatus(t, "create", made, 202)
		f := "/v2/firewalls/" + text(at(made.Body, "firewall", "id"))
		want("before it is in force", map[int]bool{80: true, 443: true, 22: true})
		time.Sleep(5 * time.Second)
		want("when it is in force", map[int]bool{80: false, 443: true, 22: false, 7999: false, 8000: true, 8100: true, 8101: false})

		wantStatus(t, "add rules", do(t, s, "POST", f+"/rules", rules(rule("80", "0.0.0.0/0"))), 204)
		wantStatus(t, "remove rules", do(t, s, "DELETE", f+"/rules", rules(rule("443", "0.0.0.0/0", "::/0"))), 204)
		want("while its rules change", map[int]bool{80: false, 443: true})
		time.Sleep(5 * time.Second)
		want("when its rules have changed", map[int]bool{80: true, 443: false})

		other := do(t, s, "POST", "/v2/firewalls", object{"name": "ssh", "droplet_ids": []any{droplet}, "inbound_rules": []object{rule("22", "0.0.0.0/0")}})
		time.Sleep(5 * time.Second)
		want("with another one", map[int]bool{80: true, 443: false, 22: true})
		wantStatus(t, "take it off", do(t, s, "DELETE", f+"/droplets", object{"droplet_ids": []any{droplet}}), 204)
		want("while it is taken off", map[int]bool{80: true, 443: false, 22: true})
		time.Sleep(5 * time.Second)
		want("with the other one", map[int]bool{80: false, 443: false, 22: true})
		wantStatus(t, "delete", do(t, s, "DELETE", "/v2/firewalls/"+text(at(other.Body, "firewall", "id")), nil), 204)
		want("without any", map[int]bool{80: true, 443: true, 22: true})
	})
}

func TestAReservedIPLeadsToItsDroplet(t *testing.T) {
	guests(t, nil, func(t *testing.T, s *dosimtest.Server) {
		one, two := s.SeedDroplet(dosim.SeedDroplet{Name: "blue"}), s.SeedDroplet(dosim.SeedDroplet{Name: "green"})
		ip := text(at(do(t, s, "POST", "/v2/reserved_ips", object{"region": "nyc3"}).Body, "reserved_ip", "ip"))
		for _, step := range []struct {
			action object
			want   string
		}{
			{nil, "nobody"},
			{object{"type": "assign", "droplet_id": one}, "blue"},
			{object{"type": "assign", "droplet_id": two}, "green"},
			{object{"type": "unassign"}, "nobody"},
		} {
			if step.action != nil {
				wantStatus(t, fmt.Sprint(step.action), do(t, s, "POST", "/v2/reserved_ips/"+ip+"/actions", step.action), 201)
				time.Sleep(6 * time.Second)
			}
			if got := visit(t, s, ip, 80); got != step.want {
				t.Errorf("after %v: %s, want %s", step.action, got, step.want)
			}
		}
	})
}

// The admin port is a proxy to guests for whoever is in another process, with the
// connections of any HTTP client and with CONNECT.
func TestTheAdminPortIsAProxyToGuests(t *testing.T) {
	s := start(t, dosim.Options{Params: calm()})
	d := seeded(s)
	address := publicOf(t, s, d)
	proxy, err := url.Parse(s.AdminURL)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(proxy), DisableKeepAlives: true}}
	get := func(url string) (status int, server string) {
		resp, err := client.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		return resp.StatusCode, resp.Header.Get("Server")
	}
	connect := func(to string) (*http.Response, net.Conn, *bufio.Reader) {
		conn, err := net.Dial("tcp", proxy.Host)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		if _, err := fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", to, to); err != nil {
			t.Fatal(err)
		}
		in := bufio.NewReader(conn)
		resp, err := http.ReadResponse(in, &http.Request{Method: http.MethodConnect})
		if err != nil {
			t.Fatal(err)
		}
		return resp, conn, in
	}
	if status, server := get("http://" + address + "/healthz"); status != 200 || !strings.HasSuffix(d, server[len("guest of droplet "):]) {
		t.Errorf("a droplet that is on: %d from %q", status, server)
	}
	resp, conn, in := connect(address + ":5432")
	ask := func() (*http.Response, error) {
		if _, err := fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			return nil, err
		}
		return http.ReadResponse(in, nil)
	}
	if answer, err := ask(); resp.StatusCode != 200 || err != nil || answer.StatusCode != 200 {
		t.Fatalf("through CONNECT: %d, then %v %v", resp.StatusCode, answer, err)
	} else if _, err := in.Discard(int(answer.ContentLength)); err != nil {
		t.Fatal(err)
	}
	do(t, s, "POST", d+"/actions", object{"type": "power_off"})
	ok(t, s, "PUT", "/clock", `{"mode":"stepped"}`)
	ok(t, s, "POST", "/clock/advance", `{"seconds":5}`)
	if answer, err := ask(); err == nil {
		t.Errorf("the connection outlives its droplet's power: %v", answer)
	}
	for _, to := range []struct {
		host string
		want int
	}{{address, 504}, {"203.0.113.9", 502}, {"web.example.com", 502}, {"127.0.0.1", 502}, {proxy.Hostname(), 502}} {
		if status, _ := get("http://" + to.host + "/healthz"); status != to.want {
			t.Errorf("GET %s: %d, want %d", to.host, status, to.want)
		}
		if resp, _, _ := connect(to.host + ":22"); resp.StatusCode != to.want {
			t.Errorf("CONNECT %s: %d, want %d", to.host, resp.StatusCode, to.want)
		}
	}
}

func TestPublicAddressesAreTheirDropletsOwn(t *testing.T) {
	s := start(t, dosim.Options{Params: calm()})
	seen := map[string]int64{}
	for n := range 3000 {
		account := []string{"", "other"}[n%2]
		s.SeedDroplet(dosim.SeedDroplet{Account: account})
	}
	for _, g := range s.Sim.Guests() {
		if other, taken := seen[g.Addresses[0]]; taken {
			t.Fatalf("droplets %d and %d have the address %s", g.Droplet, other, g.Addresses[0])
		}
		seen[g.Addresses[0]] = g.Droplet
	}
	if len(seen) != 3000 {
		t.Errorf("there are %d guests", len(seen))
	}
}
