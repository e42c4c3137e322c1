package dosim_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
)

func plainHTTP() object {
	return object{"entry_protocol": "http", "entry_port": 80, "target_protocol": "http", "target_port": 8080, "certificate_id": "", "tls_passthrough": false}
}

func passthrough() object {
	return object{"entry_protocol": "https", "entry_port": 443, "target_protocol": "https", "target_port": 443, "certificate_id": "", "tls_passthrough": true}
}

func tellLoadBalancers(d driver) {
	one, two := d.s.SeedDroplet(dosim.SeedDroplet{Tags: []string{"web"}}), d.s.SeedDroplet(dosim.SeedDroplet{})
	far := d.s.SeedDroplet(dosim.SeedDroplet{Region: "fra1"})
	rules := []object{plainHTTP()}
	crud{
		path: "/v2/load_balancers", key: "load_balancer", list: "load_balancers", status: 202,
		create: object{"name": "one", "region": "nyc3", "forwarding_rules": rules, "droplet_ids": []int64{one}},
		update: object{"name": "two", "size_unit": 3, "redirect_http_to_https": true, "forwarding_rules": rules},
		refused: []object{
			{"region": "nyc3", "forwarding_rules": rules}, {"name": "a", "forwarding_rules": rules}, {"name": "a", "region": "nyc3"},
			{"name": "a", "region": "nyc3", "forwarding_rules": []object{plainHTTP(), plainHTTP()}},
			{"name": "a", "region": "nyc3", "forwarding_rules": []object{{"entry_protocol": "https", "entry_port": 443, "target_protocol": "http", "target_port": 80}}},
			{"name": "a", "region": "nyc3", "forwarding_rules": []object{{"entry_protocol": "udp", "entry_port": 53, "target_protocol": "tcp", "target_port": 53}}},
			{"name": "a", "region": "nyc3", "forwarding_rules": []object{{"entry_protocol": "tcp", "entry_port": 0, "target_protocol": "tcp", "target_port": 53}}},
			{"name": "a", "region": "nyc3", "forwarding_rules": rules, "droplet_ids": []int64{far}},
			{"name": "a", "region": "nyc3", "forwarding_rules": rules, "droplet_ids": []int64{one}, "tag": "web"},
			{"name": "a", "region": "nyc3", "forwarding_rules": rules, "tag": "nobody-has-it"},
			{"name": "a", "region": "nyc3", "forwarding_rules": rules, "size_unit": 101}, {"name": "a", "region": "nyc3", "forwarding_rules": rules, "size": "lb-huge"},
			{"name": "a", "region": "nyc3", "forwarding_rules": rules, "type": "CIRCULAR"}, {"name": "a", "region": "nyc3", "forwarding_rules": rules, "vpc_uuid": "none"},
			{"name": "a", "region": "nyc3", "forwarding_rules": rules, "project_id": "none"}, {"name": "a", "type": "GLOBAL"},
		},
	}.tell(d)

	made := d.want(202, "POST", "/v2/load_balancers", object{"name": "three", "region": "nyc3", "forwarding_rules": rules, "network_stack": "DUALSTACK"})
	if at(made.Body, "load_balancer", "status") != "new" || at(made.Body, "load_balancer", "ip") != "" {
		d.Errorf("a new load balancer is %v", made.Body)
	}
	d.lag()
	lb := "/v2/load_balancers/" + text(at(made.Body, "load_balancer", "id"))
	show := func(key string) string { return fmt.Sprint(at(d.get(lb).Body, "load_balancer", key)) }
	if show("status") != "active" || show("ip") == "" || show("ipv6") == "<nil>" {
		d.Errorf("after a minute it is %s at %q and %q", show("status"), show("ip"), show("ipv6"))
	}
	for _, step := range []struct {
		method, path string
		body         object
		key, want    string
	}{
		{"POST", "/droplets", object{"droplet_ids": []int64{one, two}}, "droplet_ids", fmt.Sprintf("[%v %v]", float64(one), float64(two))},
		{"DELETE", "/droplets", object{"droplet_ids": []int64{one}}, "droplet_ids", fmt.Sprintf("[%v]", float64(two))},
		{"POST", "/forwarding_rules", object{"forwarding_rules": []object{passthrough()}}, "forwarding_rules",
			"[map[certificate_id: entry_port:80 entry_protocol:http target_port:8080 target_protocol:http tls_passthrough:false] " +
				"map[certificate_id: entry_port:443 entry_protocol:https target_port:443 target_protocol:https tls_passthrough:true]]"},
		{"DELETE", "/forwarding_rules", object{"forwarding_rules": rules}, "forwarding_rules",
			"[map[certificate_id: entry_port:443 entry_protocol:https target_port:443 target_protocol:https tls_passthrough:true]]"},
	} {
		d.want(204, step.method, lb+step.path, step.body)
		if got := show(step.key); got != step.want {
			d.Errorf("%s after %s %s is %s, want %s", step.key, step.method, step.path, got, step.want)
		}
		d.lag()
		d.want(422, step.method, lb+step.path, object{})
	}
	d.want(422, "DELETE", lb+"/forwarding_rules", object{"forwarding_rules": []object{passthrough()}})
	d.want(422, "PUT", lb, object{"name": "three", "region": "fra1", "forwarding_rules": rules})
	d.want(422, "DELETE", lb+"/cache", nil)
	d.want(200, "PUT", lb, object{"name": "three", "region": "nyc3", "forwarding_rules": rules, "tag": "web"})
	if got := show("droplet_ids"); got != fmt.Sprintf("[%v]", float64(one)) {
		d.Errorf("droplets by the tag: %s", got)
	}
	vpc := show("vpc_uuid")
	if n := len(list(d.get("/v2/vpcs/"+vpc+"/members?resource_type=loadbalancer"), "members")); n != 1 {
		d.Errorf("its VPC has %d load balancers, want it", n)
	}
	global := d.want(202, "POST", "/v2/load_balancers", object{
		"name": "world", "type": "GLOBAL", "forwarding_rules": rules, "target_load_balancer_ids": []string{"4de7ac8b-495b-4884-9a69-1050c6793cd6"},
		"glb_settings": object{"target_protocol": "http", "target_port": 80, "cdn": object{"is_enabled": true}},
	})
	d.lag()
	d.want(204, "DELETE", "/v2/load_balancers/"+text(at(global.Body, "load_balancer", "id"))+"/cache", nil)
	d.want(404, "DELETE", "/v2/load_balancers/none/cache", nil)
}

// Quirk 16: digitalocean/openapi#1173, ansible-collections/community.digitalocean#185.
func TestQuirk16LoadBalancerIsLockedWhileItChanges(t *testing.T) {
	knob(t, "load_balancer.lock", "0s", "10s", func(t *testing.T, s *dosimtest.Server, on bool) {
		body := object{"name": "one", "region": "nyc3", "forwarding_rules": []object{plainHTTP()}}
		made := do(t, s, "POST", "/v2/load_balancers", body)
		lb := "/v2/load_balancers/" + text(at(made.Body, "load_balancer", "id"))
		time.Sleep(time.Minute)
		wantStatus(t, "PUT", do(t, s, "PUT", lb, body), 200)
		again := func() exchange {
			return do(t, s, "POST", lb+"/forwarding_rules", object{"forwarding_rules": []object{passthrough()}})
		}
		if !on {
			wantStatus(t, "another change at once", again(), 204)
			return
		}
		for range 2 {
			e := again()
			if e.Status != 403 || e.Body["message"] != "Load Balancer can't be updated while it processes previous actions" {
				t.Errorf("another change within the lock: %d %v", e.Status, e.Body)
			}
			time.Sleep(5 * time.Second)
		}
		wantStatus(t, "another change after the lock", again(), 204)
	})
}

// Quirk 17: kubernetes-sigs/cluster-api-provider-digitalocean#217. There is no knob.
func TestQuirk17LoadBalancerNamesAreUnique(t *testing.T) {
	inBubble(t, with(nil), func(t *testing.T, s *dosimtest.Server) {
		create := func(name, region string) exchange {
			return do(t, s, "POST", "/v2/load_balancers", object{"name": name, "region": region, "forwarding_rules": []object{plainHTTP()}})
		}
		made := create("one", "nyc3")
		wantStatus(t, "the same name in another region", create("One", "fra1"), 422)
		wantStatus(t, "DELETE", do(t, s, "DELETE", "/v2/load_balancers/"+text(at(made.Body, "load_balancer", "id")), nil), 204)
		wantStatus(t, "the same name after the delete", create("one", "fra1"), 202)
	})
}

func TestLoadBalancersForgetWhatIsDeleted(t *testing.T) {
	inBubble(t, with(nil), func(t *testing.T, s *dosimtest.Server) {
		droplet := s.SeedDroplet(dosim.SeedDroplet{Tags: []string{"web"}})
		for name, target := range map[string]object{"one": {"droplet_ids": []int64{droplet}}, "two": {"tag": "web"}} {
			target["name"], target["region"], target["forwarding_rules"] = name, "nyc3", []object{plainHTTP()}
			wantStatus(t, "create", do(t, s, "POST", "/v2/load_balancers", target), 202)
		}
		do(t, s, "DELETE", fmt.Sprintf("/v2/droplets/%d", droplet), nil)
		do(t, s, "DELETE", "/v2/tags/web", nil)
		for _, b := range list(do(t, s, "GET", "/v2/load_balancers", nil), "load_balancers") {
			if got := fmt.Sprint(at(b, "droplet_ids"), at(b, "tag")); got != "[]" {
				t.Errorf("%v has %s after both are gone", at(b, "name"), got)
			}
		}
	})
}

// pair is a certificate and its key.
func pair(t testing.TB) (leaf, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC), DNSNames: []string{"example.com"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	encode := func(kind string, b []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}))
	}
	return encode("CERTIFICATE", der), encode("PRIVATE KEY", pkcs8)
}

func tellCertificates(d driver) {
	leaf, key := pair(d)
	_, otherKey := pair(d)
	d.want(201, "POST", "/v2/domains", object{"name": "example.com"})
	crud{
		path: "/v2/certificates", key: "certificate", list: "certificates",
		create: object{"name": "own", "type": "custom", "leaf_certificate": leaf, "private_key": key, "certificate_chain": leaf},
		refused: []object{
			{"leaf_certificate": leaf, "private_key": key}, {"name": "a", "leaf_certificate": leaf}, {"name": "a", "leaf_certificate": leaf, "private_key": otherKey},
			{"name": "a", "leaf_certificate": leaf, "private_key": key, "certificate_chain": "mine"}, {"name": "a", "type": "self_signed"},
			{"name": "a", "type": "lets_encrypt"}, {"name": "a", "type": "lets_encrypt", "dns_names": []string{"example.org"}},
			{"name": "a", "type": "lets_encrypt", "dns_names": []string{"not a name"}},
		},
	}.tell(d)

	made := d.want(201, "POST", "/v2/certificates", object{"name": "free", "type": "lets_encrypt", "dns_names": []string{"www.example.com", "*.example.com"}})
	if got := at(made.Body, "certificate", "state"); got != "pending" {
		d.Errorf("state = %v at once", got)
	}
	d.lag()
	id := text(at(made.Body, "certificate", "id"))
	if got := at(d.get("/v2/certificates/"+id).Body, "certificate", "state"); got != "verified" {
		d.Errorf("state = %v after a minute", got)
	}
	for name, want := range map[string]int{"free": 1, "own": 0} {
		if n := len(list(d.get("/v2/certificates?name="+name), "certificates")); n != want {
			d.Errorf("%d certificates named %s, want %d", n, name, want)
		}
	}
	rule := object{"entry_protocol": "https", "entry_port": 443, "target_protocol": "http", "target_port": 80, "certificate_id": id}
	lb := d.want(202, "POST", "/v2/load_balancers", object{"name": "one", "region": "nyc3", "forwarding_rules": []object{rule}})
	d.want(403, "DELETE", "/v2/certificates/"+id, nil)
	d.lag()
	d.want(204, "DELETE", "/v2/load_balancers/"+text(at(lb.Body, "load_balancer", "id")), nil)
	d.want(204, "DELETE", "/v2/certificates/"+id, nil)
	d.want(422, "POST", "/v2/load_balancers", object{"name": "two", "region": "nyc3", "forwarding_rules": []object{rule}})
}
