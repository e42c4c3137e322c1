package inventory_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
	"github.com/arcadia-cloud/arcadia/internal/inventory"
	"github.com/arcadia-cloud/arcadia/internal/saga"
	"github.com/arcadia-cloud/arcadia/internal/vault"
)

const horizon = 3 * time.Minute

// A yard is an inventory over a simulated cloud.
type yard struct {
	*inventory.Service

	t     testing.TB
	stop  func() // ends its serving
	cloud *dosimtest.Server
	db    *db.DB
	sagas *saga.Engine

	reader   *digitalocean.Client
	refused  error              // why the token is not the account's
	reported []inventory.Report // by others, in every account
}

// readWith has the inventory read with a token, which has limits of its own.
func (y *yard) readWith(token string) {
	y.t.Helper()
	reader, err := digitalocean.New(digitalocean.Options{
		BaseURL: y.cloud.URL, Account: "main", Purpose: digitalocean.Inventory, Token: vault.NewSecret(token), Transport: y.cloud.Client.Transport,
	})
	if err != nil {
		y.t.Fatal(err)
	}
	y.reader = reader
}

func newYard(t *testing.T, d *db.DB, cloud *dosimtest.Server) *yard {
	t.Helper()
	return newYardOf(t, d, cloud, horizon, "main")
}

func newYardOf(t testing.TB, d *db.DB, cloud *dosimtest.Server, horizon time.Duration, accounts ...string) *yard {
	t.Helper()
	sagas, err := saga.New(d, saga.Options{})
	if err != nil {
		t.Fatal(err)
	}
	y := &yard{t: t, cloud: cloud, db: d, sagas: sagas}
	y.readWith(cloud.Token)
	y.Service = inventory.New(d, sagas, inventory.Settings{
		Horizon:  horizon,
		Client:   func(context.Context, string) (*digitalocean.Client, error) { return y.reader, nil },
		Accounts: func(context.Context) ([]string, error) { return accounts, nil },
		Claim:    func(context.Context, string, digitalocean.Account) error { return y.refused },
		Reports:  func(context.Context, string) ([]inventory.Report, error) { return y.reported, nil },
	})
	ctx, stop := context.WithCancel(t.Context())
	over := make(chan error, 1)
	go func() { over <- y.Serve(ctx) }()
	y.stop = sync.OnceFunc(func() {
		stop()
		if err := <-over; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(y.stop)
	return y
}

// sync lists kinds, all of them where none is named, and waits for the end.
func (y *yard) sync(kinds ...string) inventory.Run {
	y.t.Helper()
	return y.syncAccount("main", kinds...)
}

func (y *yard) syncAccount(account string, kinds ...string) inventory.Run {
	r, err := y.StartSync(y.t.Context(), account, kinds, "test")
	for pause := 20 * time.Millisecond; err == nil && r.FinishedAt.IsZero(); pause = min(2*pause, 5*time.Second) {
		time.Sleep(pause)
		r, err = y.Run(y.t.Context(), r.ID)
	}
	if err != nil {
		y.t.Error(err)
	}
	return r
}

// send sends a request to the cloud and answers with its body, nil where there was
// no proper answer.
func (y *yard) send(method, path string, body any) (status int, answer map[string]any) {
	y.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		y.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(y.t.Context(), method, y.cloud.URL+path, strings.NewReader(string(text)))
	if err != nil {
		y.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+y.cloud.Token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := y.cloud.Client.Do(req)
	if err != nil {
		return 0, nil
	}
	defer resp.Body.Close()
	_ = json.NewDecoder(resp.Body).Decode(&answer)
	return resp.StatusCode, answer
}

// do is send for a request that must succeed.
func (y *yard) do(method, path string, body any) map[string]any {
	y.t.Helper()
	status, answer := y.send(method, path, body)
	if status < 200 || status >= 300 {
		y.t.Fatalf("%s %s: %d %v", method, path, status, answer)
	}
	return answer
}

// droplet makes a droplet and waits until every list shows it.
func (y *yard) droplet(name string, tags ...string) (urn string) {
	y.t.Helper()
	answer := y.do("POST", "/v2/droplets", map[string]any{
		"name": name, "region": "nyc3", "size": "s-1vcpu-1gb", "image": "ubuntu-24-04-x64", "tags": append([]string{}, tags...),
	})
	made, _ := answer["droplet"].(map[string]any)
	urn = fmt.Sprintf("do:droplet:%.0f", made["id"])
	time.Sleep(2 * time.Minute)
	return urn
}

// bubble runs a test on SQLite in a bubble: a simulated day costs milliseconds.
func bubble(t *testing.T, o dosim.Options, test func(t *testing.T, y *yard)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2026, 11, 10, 9, 0, 0, 0, time.UTC))) // bubbles begin in 2000, when there were no prices
		test(t, newYard(t, dbtest.New(t), dosimtest.Pipe(t, o)))
	})
}

func TestASyncSeesWhatThereIs(t *testing.T) {
	bubble(t, dosim.Options{}, func(t *testing.T, y *yard) {
		web := y.droplet("web-1", "tenant:acme")
		r := y.sync()
		if r.State() != inventory.Complete {
			t.Errorf("the sync is %s: %+v", r.State(), r)
		}
		changes, err := y.Changes(t.Context(), inventory.ChangeFilter{URN: web})
		if err != nil || len(changes) != 1 || changes[0].Type != inventory.Created || changes[0].Cause.Type != inventory.FirstSight {
			t.Errorf("the changes of %s are %+v, %v", web, changes, err)
		}
	})
}
