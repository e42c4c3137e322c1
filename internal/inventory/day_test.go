package inventory_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
	"github.com/arcadia-cloud/arcadia/internal/inventory"
	"github.com/arcadia-cloud/arcadia/internal/saga"
	"github.com/arcadia-cloud/arcadia/internal/vault"
)

// TestAStormyDay keeps the inventory by its own schedule through the storms of a simulated
// day, two hours each, while people make and delete things. After each comes a calm:
// one hot interval and one horizon with its second look later the inventory is what is
// true, and the next storm breaks. ARCADIA_STORMS has more of them, eleven for a whole day. DigitalOcean never has to refuse a request for its rate but where the weather does.
func TestAStormyDay(t *testing.T) {
	if testing.Short() {
		t.Skip("a day takes its time")
	}
	storms := 4
	if n, err := strconv.Atoi(os.Getenv("ARCADIA_STORMS")); err == nil {
		storms = n
	}
	bubble(t, dosim.Options{Seed: 9}, func(t *testing.T, y *yard) {
		r := rand.New(rand.NewPCG(9, 9))
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		var scheduling sync.WaitGroup
		scheduling.Go(func() { // as the job does
			tick := time.NewTicker(time.Minute)
			defer tick.Stop()
			for ctx.Err() == nil {
				if err := y.Schedule(ctx); err != nil && ctx.Err() == nil {
					t.Error(err)
				}
				select {
				case <-tick.C:
				case <-ctx.Done():
				}
			}
		})
		defer scheduling.Wait()
		defer stop()
		var seen int64
		own429 := 0
		count := func() {
			for _, q := range y.cloud.Requests(seen) {
				seen = q.Seq
				if q.Status == http.StatusTooManyRequests && q.Fault == nil {
					own429++
				}
			}
		}
		var droplets []string
		for storm := range storms {
			if err := y.cloud.SetPreset("stormy"); err != nil {
				t.Fatal(err)
			}
			for range 30 {
				switch n := r.IntN(6); {
				case n < 3 || len(droplets) == 0:
					droplets = append(droplets, fmt.Sprintf("do:droplet:%d", y.cloud.SeedDroplet(dosim.SeedDroplet{Name: fmt.Sprintf("d-%d", r.IntN(1e6))})))
				case n < 5:
					k := r.IntN(len(droplets))
					y.try("DELETE", "/v2/droplets/"+strings.TrimPrefix(droplets[k], "do:droplet:"), nil)
					droplets = slices.Delete(droplets, k, k+1)
				default:
					y.try("POST", "/v2/volumes", map[string]any{"name": fmt.Sprintf("v-%d", r.IntN(1e6)), "region": "nyc3", "size_gigabytes": 1})
				}
				time.Sleep(4 * time.Minute)
				count()
			}
			if err := y.cloud.SetPreset("calm"); err != nil {
				t.Fatal(err)
			}
			// What the storm did last may be hidden for a minute; then it is listed within a
			// hot interval, and what is gone is asked for by its id a horizon later.
			time.Sleep(time.Minute + 2*time.Minute + horizon + 2*time.Minute)
			count()
			for _, kind := range []string{"droplet", "volume"} {
				y.expect(fmt.Sprintf("%s after storm %d", kind, storm+1), y.live(kind), y.truth(kind))
			}
		}
		if own429 > 0 || seen < int64(1000*storms) {
			t.Errorf("%d requests of %d were refused for their rate, want none of many", own429, seen)
		}
		y.checkFeed()
	})
}

// An ownToken passes on what carries one token and counts what does not.
type ownToken struct {
	next     http.RoundTripper
	token    string
	strayed  *atomic.Int64
	requests *atomic.Int64
}

func (o ownToken) RoundTrip(r *http.Request) (*http.Response, error) {
	o.requests.Add(1)
	if r.Header.Get("Authorization") != "Bearer "+o.token {
		o.strayed.Add(1)
	}
	return o.next.RoundTrip(r)
}

// TestAThousandSyncsSideBySide syncs two accounts at the same time, a thousand times
// each, in bubbled time: no row, token or header crosses over.
func TestAThousandSyncsSideBySide(t *testing.T) {
	rounds := 1000
	if testing.Short() {
		rounds = 50
	}
	synctest.Test(t, func(t *testing.T) {
		cloud := dosimtest.Pipe(t, dosim.Options{Seed: 3})
		d := dbtest.New(t)
		var strayed, requests atomic.Int64
		clients, names := map[string]*digitalocean.Client{}, []string{"east", "west"}
		users := map[string]*yard{}
		for _, name := range names {
			token := cloud.CreateToken(dosim.TokenSpec{Account: name})
			c, err := digitalocean.New(digitalocean.Options{
				BaseURL: cloud.URL, Account: name, Purpose: digitalocean.Inventory, Token: vault.NewSecret(token),
				Transport: ownToken{cloud.Client.Transport, token, &strayed, &requests},
			})
			if err != nil {
				t.Fatal(err)
			}
			clients[name] = c
			users[name] = &yard{t: t, cloud: &dosimtest.Server{Sim: cloud.Sim, URL: cloud.URL, Token: token, Client: cloud.Client}}
			users[name].do("POST", "/v2/tags", map[string]any{"name": "web"}) // the same name in each account
		}
		engine, err := saga.New(d, saga.Options{})
		if err != nil {
			t.Fatal(err)
		}
		y := &yard{t: t, cloud: cloud, db: d, Service: inventory.New(d, engine, inventory.Settings{
			Horizon:  horizon,
			Client:   func(_ context.Context, account string) (*digitalocean.Client, error) { return clients[account], nil },
			Accounts: func(context.Context) ([]string, error) { return names, nil },
		})}
		ctx, stop := context.WithCancel(t.Context())
		over := make(chan error, 1)
		go func() { over <- y.Serve(ctx) }()
		defer func() { stop(); <-over }()
		for round := range rounds {
			if round%20 == 0 {
				for _, name := range names {
					users[name].do("POST", "/v2/volumes", map[string]any{"name": fmt.Sprintf("%s-%d", name, round), "region": "nyc3", "size_gigabytes": 1})
				}
			}
			var syncing sync.WaitGroup
			for _, name := range names {
				syncing.Go(func() { y.syncAccount(name, "volume", "tag") })
			}
			syncing.Wait()
		}
		time.Sleep(time.Minute)
		for _, name := range names {
			y.syncAccount(name, "volume", "tag")
		}
		rows, err := d.Read().QueryContext(t.Context(), `SELECT account, name FROM inv_versions WHERE kind = 'volume'`)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		volumes := 0
		for rows.Next() {
			var account, name string
			if err := rows.Scan(&account, &name); err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(name, account+"-") {
				t.Errorf("account %s has the volume %s", account, name)
			}
			volumes++
		}
		if err := rows.Err(); err != nil || volumes != 2*((rounds+19)/20) || len(y.live("tag")) != 2 {
			t.Errorf("%d volumes and %d tags, %v", volumes, len(y.live("tag")), err)
		}
		if strayed.Load() != 0 || requests.Load() < int64(4*rounds) {
			t.Errorf("%d of %d requests carried another account's token", strayed.Load(), requests.Load())
		}
	})
}
