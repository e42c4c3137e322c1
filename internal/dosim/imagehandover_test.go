package dosim_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
)

// A recipient is the other account of a transfer.
type recipient struct {
	token, email string
	team         string
}

func newRecipient(t testing.TB, s *dosimtest.Server, name string) recipient {
	t.Helper()
	token := s.CreateToken(dosim.TokenSpec{Account: name})
	account := doAs(t, s, token, "GET", "/v2/account", nil).Body
	return recipient{token, text(at(account, "account", "email")), text(at(account, "account", "team", "uuid"))}
}

// keepsake makes a droplet and a snapshot of it, and returns the snapshot's id.
func keepsake(t testing.TB, s *dosimtest.Server, tags ...string) string {
	t.Helper()
	droplet := fmt.Sprintf("/v2/droplets/%d", s.SeedDroplet(dosim.SeedDroplet{}))
	e := do(t, s, "POST", droplet+"/actions", object{"type": "snapshot", "name": "keepsake"})
	wantStatus(t, "the snapshot", e, 201)
	time.Sleep(3 * time.Minute)
	all := list(do(t, s, "GET", droplet+"/snapshots", nil), "snapshots")
	id := text(at(all[len(all)-1], "id"))
	for _, tag := range tags {
		do(t, s, "POST", "/v2/tags", object{"name": tag})
		e := do(t, s, "POST", "/v2/tags/"+tag+"/resources", object{"resources": []object{{"resource_id": id, "resource_type": "image"}}})
		wantStatus(t, "tagging the snapshot", e, 204)
	}
	return id
}

func tellImageHandovers(d driver) {
	other := newRecipient(d, d.s, "other")
	image := "/v2/images/" + keepsake(d, d.s)
	offer := func() object {
		made := d.want(201, "POST", image+"/account_transfer", object{"recipient_email": other.email})
		return object{"transfer_id": at(made.Body, "transfer_id"), "recipient_uuid": other.team}
	}
	d.want(204, "POST", image+"/account_transfer/cancel", offer())
	wantStatus(d, "decline", doAs(d, d.s, other.token, "POST", image+"/account_transfer/decline", offer()), 204)
	wantStatus(d, "accept", doAs(d, d.s, other.token, "POST", image+"/account_transfer/accept", offer()), 201)
	d.lag()
	d.want(404, "GET", image, nil)
	wantStatus(d, "the recipient's GET", doAs(d, d.s, other.token, "GET", image, nil), 200)
	wantStatus(d, "the recipient's list", doAs(d, d.s, other.token, "GET", "/v2/images?private=true", nil), 200)
	wantStatus(d, "the recipient's snapshots", doAs(d, d.s, other.token, "GET", "/v2/snapshots", nil), 200)
}

// Whoever is offered a snapshot has it once they accept, under the id that it
// had, and can make droplets of it and hand it back. The sender has it no more.
func TestASnapshotMovesToTheAccountThatAccepts(t *testing.T) {
	inBubble(t, with(nil), func(t *testing.T, s *dosimtest.Server) {
		other, first := newRecipient(t, s, "other"), newRecipient(t, s, dosim.FirstAccount)
		id := keepsake(t, s, "golden")
		image := "/v2/images/" + id
		before := at(do(t, s, "GET", image, nil).Body, "image").(object)
		move := func(from, to recipient) {
			t.Helper()
			made := doAs(t, s, from.token, "POST", image+"/account_transfer", object{"recipient_uuid": to.team})
			wantStatus(t, "transfer", made, 201)
			wantStatus(t, "the recipient's GET before", doAs(t, s, to.token, "GET", image, nil), 404)
			body := object{"transfer_id": at(made.Body, "transfer_id"), "recipient_uuid": to.team}
			wantStatus(t, "accept", doAs(t, s, to.token, "POST", image+"/account_transfer/accept", body), 201)
			wantStatus(t, "accept again", doAs(t, s, to.token, "POST", image+"/account_transfer/accept", body), 404)
			time.Sleep(time.Minute)
			wantStatus(t, "the sender's GET", doAs(t, s, from.token, "GET", image, nil), 404)
			if n := len(list(doAs(t, s, from.token, "GET", "/v2/snapshots", nil), "snapshots")); n != 0 {
				t.Errorf("the sender still lists %d snapshots", n)
			}
		}
		newer := keepsake(t, s)
		wantStatus(t, "DELETE of a newer one", do(t, s, "DELETE", "/v2/images/"+newer, nil), 204)
		move(first, other)
		if again := keepsake(t, s); again == newer {
			t.Errorf("two snapshots have the id %s", again)
		}
		after := at(doAs(t, s, other.token, "GET", image, nil).Body, "image").(object)
		for _, key := range []string{"id", "name", "type", "distribution", "regions", "created_at", "min_disk_size", "size_gigabytes"} {
			if fmt.Sprint(after[key]) != fmt.Sprint(before[key]) {
				t.Errorf("%s is %v after the transfer, was %v", key, after[key], before[key])
			}
		}
		if len(before["tags"].([]any)) != 1 || len(after["tags"].([]any)) != 0 {
			t.Errorf("tags %v became %v, want the sender's alone to have one", before["tags"], after["tags"])
		}
		made := doAs(t, s, other.token, "POST", "/v2/droplets", object{"name": "copy", "region": "nyc3", "size": "s-1vcpu-1gb", "image": before["id"]})
		wantStatus(t, "a droplet of it", made, 202)
		move(other, first)
		wantStatus(t, "back again", do(t, s, "GET", image, nil), 200)
		droplet := "/v2/droplets/" + idOf(made, "droplet", "id")
		if got := at(doAs(t, s, other.token, "GET", droplet, nil).Body, "droplet", "image", "id"); got != before["id"] {
			t.Errorf("the droplet is of image %v, want %v", got, before["id"])
		}
		if err := s.Import(s.Export()); err != nil {
			t.Errorf("the log of the moves is refused: %v", err)
		}
		wantStatus(t, "DELETE", do(t, s, "DELETE", image, nil), 204)
	})
}

func TestOnlySnapshotsAreTransferredAndOnlyByWhomItConcerns(t *testing.T) {
	inBubble(t, with(nil), func(t *testing.T, s *dosimtest.Server) {
		other, third := newRecipient(t, s, "other"), newRecipient(t, s, "third")
		first := newRecipient(t, s, dosim.FirstAccount)
		custom := do(t, s, "POST", "/v2/images", object{"name": "x", "url": "http://images.example.com/x.img", "region": "nyc3"})
		backed := do(t, s, "POST", "/v2/droplets", object{"name": "web", "size": "s-1vcpu-1gb", "image": "debian-12-x64", "backups": true})
		time.Sleep(8 * 24 * time.Hour)
		backup := idOf(do(t, s, "GET", "/v2/droplets/"+idOf(backed, "droplet", "id")+"/backups", nil), "backups", 0, "id")
		image := "/v2/images/" + keepsake(t, s)
		transfer := image + "/account_transfer"
		to := object{"recipient_email": other.email}
		for what, r := range map[string]struct {
			path string
			body any
			want int
		}{
			"a custom image":    {"/v2/images/" + idOf(custom, "image", "id") + "/account_transfer", to, 400},
			"a backup":          {"/v2/images/" + backup + "/account_transfer", to, 400},
			"a public image":    {"/v2/images/195932981/account_transfer", to, 403},
			"no image":          {"/v2/images/1/account_transfer", to, 404},
			"no JSON":           {transfer, "{", 400},
			"nobody":            {transfer, object{}, 400},
			"two recipients":    {transfer, object{"recipient_email": other.email, "recipient_uuid": other.team}, 400},
			"a stranger":        {transfer, object{"recipient_email": "nobody@example.net"}, 400},
			"the own account":   {transfer, object{"recipient_uuid": first.team}, 400},
			"an end of none":    {transfer + "/cancel", object{"transfer_id": 1}, 404},
			"an end without id": {transfer + "/cancel", object{}, 400},
		} {
			wantStatus(t, what, do(t, s, "POST", r.path, r.body), r.want)
		}

		made := do(t, s, "POST", transfer, to)
		body := object{"transfer_id": at(made.Body, "transfer_id"), "recipient_uuid": other.team}
		wantStatus(t, "a second transfer", do(t, s, "POST", transfer, object{"recipient_uuid": third.team}), 400)
		for _, end := range []string{"accept", "decline", "cancel"} {
			wantStatus(t, "a third party's "+end, doAs(t, s, third.token, "POST", transfer+"/"+end, body), 404)
			if end == "cancel" {
				wantStatus(t, "the recipient's cancel", doAs(t, s, other.token, "POST", transfer+"/"+end, body), 404)
			} else {
				wantStatus(t, "the sender's "+end, do(t, s, "POST", transfer+"/"+end, body), 404)
			}
		}
		wrong := object{"transfer_id": body["transfer_id"], "recipient_uuid": third.team}
		wantStatus(t, "accept into another team", doAs(t, s, other.token, "POST", transfer+"/accept", wrong), 400)
		wantStatus(t, "accept of another image", doAs(t, s, other.token, "POST", "/v2/images/1/account_transfer/accept", body), 404)

		wantStatus(t, "a move meanwhile", do(t, s, "POST", image+"/actions", object{"type": "transfer", "region": "fra1"}), 201)
		wantStatus(t, "accept during the move", doAs(t, s, other.token, "POST", transfer+"/accept", body), 422)
		time.Sleep(3 * time.Minute)
		wantStatus(t, "DELETE while it is offered", do(t, s, "DELETE", image, nil), 204)
		wantStatus(t, "cancel of what is gone", do(t, s, "POST", transfer+"/cancel", body), 404)
		wantStatus(t, "accept of what is gone", doAs(t, s, other.token, "POST", transfer+"/accept", body), 404)
	})
}

func TestATransferToAnOwnTeamNeedsNoAcceptance(t *testing.T) {
	knob(t, "image.transfer_accepted", "0", "1", func(t *testing.T, s *dosimtest.Server, on bool) {
		other := newRecipient(t, s, "other")
		image := "/v2/images/" + keepsake(t, s)
		made := do(t, s, "POST", image+"/account_transfer", object{"recipient_uuid": other.team})
		wantStatus(t, "transfer", made, 201)
		time.Sleep(time.Minute)
		there := doAs(t, s, other.token, "GET", image, nil).Status == 200
		if at0 := at(made.Body, "transfer_id") == 0.0; at0 != on || there != on {
			t.Errorf("transfer_id %v, and the recipient has it: %v", at(made.Body, "transfer_id"), there)
		}
	})
}
