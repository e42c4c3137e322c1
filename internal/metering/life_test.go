package metering_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
	"github.com/arcadia-cloud/arcadia/internal/inventory"
	"github.com/arcadia-cloud/arcadia/internal/metering"
	"github.com/arcadia-cloud/arcadia/internal/saga"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
	"github.com/arcadia-cloud/arcadia/internal/vault"
)

// A yard is a simulated cloud with its inventory and its metering.
type yard struct {
	*metering.Service
	t         *testing.T
	db        *db.DB
	cloud     *dosimtest.Server
	inventory *inventory.Service
}

func newYard(t *testing.T, d *db.DB, cloud *dosimtest.Server, horizon time.Duration) *yard {
	t.Helper()
	sagas, err := saga.New(d, saga.Options{})
	if err != nil {
		t.Fatal(err)
	}
	reader, err := digitalocean.New(digitalocean.Options{
		BaseURL: cloud.URL, Account: "main", Purpose: digitalocean.Inventory, Token: vault.NewSecret(cloud.Token), Transport: cloud.Client.Transport,
	})
	if err != nil {
		t.Fatal(err)
	}
	inv := inventory.New(d, sagas, inventory.Settings{
		Horizon:  horizon,
		Client:   func(context.Context, string) (*digitalocean.Client, error) { return reader, nil },
		Accounts: func(context.Context) ([]string, error) { return []string{"main"}, nil },
	})
	ctx, stop := context.WithCancel(t.Context())
	over := make(chan error, 1)
	go func() { over <- inv.Serve(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-over; err != nil {
			t.Error(err)
		}
	})
	return &yard{metering.New(d, inv, nil), t, d, cloud, inv}
}

func (y *yard) sync() {
	y.t.Helper()
	r, err := y.inventory.StartSync(y.t.Context(), "main", []string{"droplet", "volume", "action"}, "test")
	for err == nil && r.FinishedAt.IsZero() {
		time.Sleep(20 * time.Millisecond)
		r, err = y.inventory.Run(y.t.Context(), r.ID)
	}
	if err != nil {
		y.t.Fatal(err)
	}
}

// send sends a request to the cloud; what it refuses does not happen.
func (y *yard) send(method, path string, body any) (answer map[string]any) {
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
		y.t.Fatal(err)
	}
	defer resp.Body.Close()
	_ = json.NewDecoder(resp.Body).Decode(&answer)
	return answer
}

func (y *yard) droplet(name string, tags ...string) (id, urn string) {
	y.t.Helper()
	answer := y.send("POST", "/v2/droplets", map[string]any{
		"name": name, "region": "nyc3", "size": "s-1vcpu-1gb", "image": "ubuntu-24-04-x64", "tags": append([]string{}, tags...),
	})
	made, _ := answer["droplet"].(map[string]any)
	id = fmt.Sprintf("%.0f", made["id"])
	return id, "do:droplet:" + id
}

// all are all lives there are.
func (y *yard) all() []metering.Life {
	y.t.Helper()
	lives, err := y.Lives(y.t.Context(), metering.LifeFilter{})
	if err != nil {
		y.t.Fatal(err)
	}
	return lives
}

// check compares lives with what the inventory says of the resources: the lives of
// each follow each other without gaps from its birth to its end, and of every tenant
// they are as long as its tenures.
func (y *yard) check(at time.Time) (resources int) {
	y.t.Helper()
	byURN := map[string][]metering.Life{}
	for _, l := range y.all() {
		byURN[l.URN] = append(byURN[l.URN], l)
	}
	for urn, lives := range byURN {
		r, err := y.inventory.Resource(y.t.Context(), urn, time.Time{})
		if err != nil {
			y.t.Fatal(err)
		}
		first, last := lives[0], lives[len(lives)-1]
		if !first.From.Equal(r.Born.To) || !last.To.Equal(r.Ended.To) {
			y.t.Errorf("%s lived [%s, %s), and the inventory says [%s, %s)", urn, first.From, last.To, r.Born.To, r.Ended.To)
		}
		until := func(t time.Time) time.Time {
			if t.IsZero() || t.After(at) {
				return at
			}
			return t
		}
		whole := until(r.Ended.To).Sub(r.Born.To)
		of := map[tenant.ID]time.Duration{}
		var sum time.Duration
		for i, l := range lives {
			if i > 0 && !lives[i-1].To.Equal(l.From) {
				y.t.Errorf("%s: a life ends at %s and the next begins at %s", urn, lives[i-1].To, l.From)
			}
			if !l.To.IsZero() && !l.To.After(l.From) || l.Began.By == "" || (l.Ended.By == "") != l.To.IsZero() {
				y.t.Errorf("%s: %+v", urn, l)
			}
			of[l.Tenant] += until(l.To).Sub(l.From)
			sum += until(l.To).Sub(l.From)
		}
		if sum != whole {
			y.t.Errorf("%s: its lives are %s, and it lived %s", urn, sum, whole)
		}
		tenures, err := y.inventory.Tenures(y.t.Context(), urn)
		if err != nil {
			y.t.Fatal(err)
		}
		for _, t := range tenures {
			if t.Tenant == "" {
				continue
			}
			from, to := t.Since, until(t.Until)
			if from.Before(r.Born.To) {
				from = r.Born.To
			}
			if end := until(r.Ended.To); to.After(end) {
				to = end
			}
			of[t.Tenant] -= max(0, to.Sub(from))
		}
		delete(of, "")
		for id, rest := range of {
			if rest != 0 {
				y.t.Errorf("%s: tenant %s had it %s longer by its lives than by its tenures", urn, id, rest)
			}
		}
	}
	return len(byURN)
}

// replay follows the whole feed from its beginning, and must come to the same.
func (y *yard) replay() {
	y.t.Helper()
	want := y.all()
	err := y.db.Write(y.t.Context(), func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(y.t.Context(), `DELETE FROM usage_lifetimes`); err != nil {
			return err
		}
		_, err := tx.ExecContext(y.t.Context(), `UPDATE usage_cursor SET last = 0`)
		return err
	})
	if err != nil {
		y.t.Fatal(err)
	}
	got := y.all()
	for _, lives := range [][]metering.Life{got, want} {
		for i := range lives {
			lives[i].RecordedAt = time.Time{}
		}
	}
	if !reflect.DeepEqual(got, want) {
		y.t.Errorf("followed from the beginning:\n%+v\nand as it came:\n%+v", got, want)
	}
}

// A droplet is made, resized, turned off, given to another tenant and destroyed.
func TestALife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2026, 11, 10, 9, 0, 0, 0, time.UTC)))
		d := dbtest.New(t)
		y := newYard(t, d, dosimtest.Pipe(t, dosim.Options{}), 3*time.Minute)
		ids := tenants(t, d, "acme", "globex")
		then := map[time.Time][]string{} // what was known of acme's when
		pass := func() {
			time.Sleep(10 * time.Minute)
			y.sync()
			lives, err := y.Lives(t.Context(), metering.LifeFilter{Tenant: ids[0]})
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range lives {
				then[time.Now()] = append(then[time.Now()], lifeText(l.Lifetime))
			}
			time.Sleep(time.Second)
		}
		born := time.Now()
		id, urn := y.droplet("web", "tenant:acme")
		pass()
		y.send("POST", "/v2/droplets/"+id+"/actions", map[string]any{"type": "power_off"})
		pass()
		y.send("POST", "/v2/droplets/"+id+"/actions", map[string]any{"type": "resize", "size": "s-2vcpu-2gb"})
		pass()
		y.send("POST", "/v2/droplets/"+id+"/actions", map[string]any{"type": "power_on"})
		pass()
		if _, err := y.inventory.Assign(t.Context(), []string{urn}, "globex", "moved", "test", time.Now()); err != nil {
			t.Fatal(err)
		}
		pass()
		y.send("DELETE", "/v2/droplets/"+id, nil)
		pass()
		pass()
		lives, err := y.Lives(t.Context(), metering.LifeFilter{URN: urn})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, l := range lives {
			who := map[tenant.ID]string{ids[0]: "acme", ids[1]: "globex"}[l.Tenant]
			got = append(got, strings.Join([]string{l.Size, l.Status, who, l.PriceMonthly.String(), l.Began.By, l.Ended.By}, " "))
		}
		want := []string{
			"s-1vcpu-1gb active acme 6 document action",
			"s-1vcpu-1gb off acme 6 action action",
			"s-2vcpu-2gb off acme 18 action action",
			"s-2vcpu-2gb active acme 18 action attribution",
			"s-2vcpu-2gb active globex 18 attribution lists", // no action tells of a deletion
		}
		if !slices.Equal(got, want) {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if len(lives) > 0 && lives[0].From.Sub(born) > 5*time.Second {
			t.Errorf("it was born at %s and lived from %s", born, lives[0].From)
		}
		for _, l := range lives {
			if !l.Began.Earliest.Equal(l.From) {
				t.Errorf("the beginning of %+v is not exact, though an action or a document says it", l)
			}
		}
		y.check(time.Now())
		known, err := y.KnownLives(t.Context(), ids[0], time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if len(then) < 6 {
			t.Fatalf("acme had something after %d passes", len(then))
		}
		for at, want := range then {
			var got []string
			for _, l := range known {
				if l.IsKnown(at) {
					got = append(got, lifeText(l))
				}
			}
			if slices.Sort(got); !slices.Equal(got, slices.Sorted(slices.Values(want))) {
				t.Errorf("what was known at %s is now\n%s\nand was\n%s", at, strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		}
		y.replay()
	})
}

func lifeText(l metering.Lifetime) string {
	return fmt.Sprint(l.URN, l.Kind, l.Size, l.PriceMonthly, l.Unpriced, l.From.UnixMicro(), l.To.UnixMicro())
}

// Whatever happens to resources in whatever order, with a feed that is followed now
// and then: the lives are as long as the resources lived, second by second.
func TestLivesAddUp(t *testing.T) {
	for seed := range uint64(3) {
		synctest.Test(t, func(t *testing.T) {
			time.Sleep(time.Until(time.Date(2026, 11, 10, 9, 0, 0, 0, time.UTC)))
			d := dbtest.New(t)
			y := newYard(t, d, dosimtest.Pipe(t, dosim.Options{Seed: seed + 1}), 3*time.Minute)
			tenants(t, d, "acme", "globex")
			random := rand.New(rand.NewPCG(seed, 1))
			var ids []string
			for range 60 {
				switch n := random.IntN(10); {
				case n < 3 || len(ids) == 0:
					var tags []string
					if random.IntN(2) == 0 {
						tags = []string{"tenant:acme"}
					}
					id, _ := y.droplet(fmt.Sprint("d", random.IntN(1e6)), tags...)
					ids = append(ids, id)
				case n < 4:
					y.send("POST", "/v2/volumes", map[string]any{"name": fmt.Sprint("v", random.IntN(1e6)), "region": "nyc3", "size_gigabytes": 1 + random.IntN(9)})
				case n < 6:
					y.send("DELETE", "/v2/droplets/"+ids[random.IntN(len(ids))], nil)
				case n < 8:
					action := []string{"power_off", "power_on", "resize"}[random.IntN(3)]
					y.send("POST", "/v2/droplets/"+ids[random.IntN(len(ids))]+"/actions", map[string]any{"type": action, "size": "s-2vcpu-2gb"})
				default:
					to := []string{"acme", "globex", ""}[random.IntN(3)]
					// What the inventory does not know yet cannot be assigned.
					_, _ = y.inventory.Assign(t.Context(), []string{"do:droplet:" + ids[random.IntN(len(ids))]}, to, "r", "test", time.Now())
				}
				time.Sleep(time.Duration(random.IntN(240)) * time.Second)
				if random.IntN(2) == 0 {
					y.sync()
				}
				if random.IntN(4) == 0 {
					if _, err := y.Follow(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
			}
			time.Sleep(10 * time.Minute)
			y.sync()
			if n := y.check(time.Now()); n < 15 {
				t.Errorf("only %d resources", n)
			}
			y.replay()
		})
	}
}

// On both databases: several follow at the same time, and are cut anywhere.
func TestFollowIsCutAnywhere(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		cloud := dosimtest.Start(t, dosim.Options{Params: map[string]string{"lag.replica": "0s"}})
		y := newYard(t, d, cloud, 300*time.Millisecond)
		acme := tenants(t, d, "acme")[0]
		for i := range 12 {
			cloud.SeedDroplet(dosim.SeedDroplet{Name: fmt.Sprint("web-", i), Tags: []string{"tenant:acme"}})
		}
		y.sync()
		want := func() int64 { return count(t, d, `SELECT last FROM inv_feed`) }
		for n := 1; ; n += 1 + n/8 {
			ctx, cut := cutAfter(t.Context(), n)
			_, err := y.Follow(ctx)
			if !cut() {
				if err != nil {
					t.Fatal(err)
				}
				break
			}
			lives, last := count(t, d, `SELECT COUNT(*) FROM usage_lifetimes`), count(t, d, `SELECT last FROM usage_cursor`)
			if whole := lives >= 12 && last == want(); !whole && (lives != 0 || last != 0) {
				t.Fatalf("cut %d left %d lives and the cursor at %d", n, lives, last)
			}
		}
		over := make(chan error)
		for range 4 {
			go func() { _, err := y.Follow(t.Context()); over <- err }()
		}
		for range 4 {
			if err := <-over; err != nil {
				t.Error(err)
			}
		}
		if n := y.check(time.Now()); n < 12 {
			t.Errorf("only %d resources", n)
		}
		// What is given to nobody is known to have been acme's until then.
		first := y.all()[0]
		if _, err := y.inventory.Assign(t.Context(), []string{first.URN}, "", "r", "test", time.Now()); err != nil {
			t.Fatal(err)
		}
		known, err := y.KnownLives(t.Context(), acme, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		replaced := slices.DeleteFunc(known, func(l metering.Lifetime) bool { return l.ReplacedAt.IsZero() })
		if len(replaced) != 1 || replaced[0].URN != first.URN || !replaced[0].RecordedAt.Equal(first.RecordedAt) || !replaced[0].To.IsZero() {
			t.Errorf("%s is nobody's, and of acme's is known otherwise: %+v", first.URN, replaced)
		}
		y.replay()
	})
}
