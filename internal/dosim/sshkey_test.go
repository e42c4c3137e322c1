package dosim_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
)

const publicKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKvT2vM0sXxW8S6d1oGZ9w5c0jZx7oDq0m2m0n3aJ0aT laptop"

func tellSSHKeys(d driver) {
	crud{
		path: "/v2/account/keys", key: "ssh_key", list: "ssh_keys",
		create: object{"name": "laptop", "public_key": publicKey}, update: object{"name": "old laptop"},
		refused: []object{{"public_key": publicKey}, {"name": "laptop"}, {"name": "laptop", "public_key": "ssh-rsa not-base64"}, {"name": "a", "public_key": "mine"}},
	}.tell(d)
}

func TestSSHKeysAreKnownByTheirFingerprint(t *testing.T) {
	inBubble(t, with(nil), func(t *testing.T, s *dosimtest.Server) {
		made := do(t, s, "POST", "/v2/account/keys", object{"name": "one", "public_key": publicKey})
		print, _ := at(made.Body, "ssh_key", "fingerprint").(string)
		if want := "7d:19:c0:3b:4e:f0:0c:5c:97:89:fa:32:d7:cb:ee:20"; print != want {
			t.Errorf("fingerprint = %s, want %s as ssh-keygen -l -E md5 says", print, want)
		}
		wantStatus(t, "its fingerprint's address", do(t, s, "GET", "/v2/account/keys/"+print, nil), 200)
		again := do(t, s, "POST", "/v2/account/keys", object{"name": "two", "public_key": publicKey})
		if again.Status != 422 || again.Body["message"] != "SSH Key is already in use on your account" {
			t.Errorf("the same key again: %d %v", again.Status, again.Body)
		}
		wantStatus(t, "DELETE", do(t, s, "DELETE", "/v2/account/keys/"+print, nil), 204)
		wantStatus(t, "the same key after the delete", do(t, s, "POST", "/v2/account/keys", object{"name": "two", "public_key": publicKey}), 201)
	})
}

// DigitalOcean's documentation: the list of SSH keys has a limit of its own.
func TestListsOfSSHKeysHaveALimitOfTheirOwn(t *testing.T) {
	inBubble(t, with(nil), func(t *testing.T, s *dosimtest.Server) {
		for n := range 10 {
			wantStatus(t, fmt.Sprintf("list %d", n+1), do(t, s, "GET", "/v2/account/keys", nil), 200)
			time.Sleep(time.Second)
		}
		e := do(t, s, "GET", "/v2/account/keys", nil)
		if e.Status != 429 || e.Header.Get("Retry-After") != "50" || e.Body["id"] != "too_many_requests" {
			t.Errorf("list 11: %d, retry after %q, %v", e.Status, e.Header.Get("Retry-After"), e.Body)
		}
		wantStatus(t, "another operation", do(t, s, "GET", "/v2/account", nil), 200)
		time.Sleep(50 * time.Second)
		wantStatus(t, "a list after the wait", do(t, s, "GET", "/v2/account/keys", nil), 200)
		wantStatus(t, "the next one", do(t, s, "GET", "/v2/account/keys", nil), 429)
	})
}

// Quirk 4: digitalocean/terraform-provider-digitalocean#923, #1163. The lag is
// the kind's own, and the general one where it has none.
func TestQuirk04CreatedSSHKeyIsNotFoundForAWhile(t *testing.T) {
	knob(t, "lag.get_after_create.ssh_key", "0s", "20s", func(t *testing.T, s *dosimtest.Server, on bool) {
		made := do(t, s, "POST", "/v2/account/keys", object{"name": "one", "public_key": publicKey})
		path := "/v2/account/keys/" + idOf(made, "ssh_key", "id")
		if e := do(t, s, "GET", path, nil); (e.Status == 404) != on {
			t.Errorf("GET at once = %d", e.Status)
		}
		time.Sleep(20 * time.Second)
		wantStatus(t, "GET after the lag", do(t, s, "GET", path, nil), 200)
	})
}
