package dosim_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/arcadia-cloud/arcadia/internal/dosim"
)

// An oracle bills by counting seconds one after another, in integers. It knows
// what a client knows: when it asked for what.
type oracle struct {
	things []*counted
	prices map[string]int64 // ten-thousandths of a dollar for 672 hours
}

// A counted thing is in a state from a second on, until the next.
type counted struct {
	name   string
	states []countedState
	from   int64
	to     int64 // 0: it is there
}

// A countedState is what is billed: product, price in ten-thousandths, and how many
// hundredths of it.
type countedState []countedRate

type countedRate struct {
	product    string
	price      int64
	hundredths int64
	least      int64
	since      int64 // a line begins when a state does
}

// lines counts the seconds of the month of each line, and bills them.
func (o *oracle) lines(from, to int64) []string {
	var all []string
	for _, th := range o.things {
		end := th.to
		if end == 0 || end > to {
			end = to
		}
		seconds, i := make([]int64, len(th.states)), 0
		for second := max(th.from, from); second < end; second++ {
			for i+1 < len(th.states) && th.states[i+1][0].since <= second {
				i++
			}
			seconds[i]++
		}
		counts := map[countedRate]int64{}
		for i, st := range th.states {
			for _, r := range st {
				counts[r] += seconds[i]
			}
		}
		last := th.states[0][0] // what it was in its last second
		for _, st := range th.states {
			if st[0].since < th.to {
				last = st[0]
			}
		}
		endsNow := th.to > from && th.to <= to || th.to == th.from && th.from >= from && th.from < to
		if lived := th.to - th.from; endsNow && lived < last.least {
			counts[last] += last.least - lived
		}
		for r, seconds := range counts {
			const month = 28 * 24 * 60 * 60
			seconds = min(seconds, month)
			// cents = price/1e4 · hundredths/100 · seconds/month · 100, rounded half up
			numerator, denominator := r.price*r.hundredths*seconds, int64(1e4*month)
			cents := max(1, (2*numerator+denominator)/(2*denominator))
			if seconds > 0 {
				all = append(all, fmt.Sprintf("%s %s %d.%02d", r.product, th.name, cents/100, cents%100))
			}
		}
	}
	slices.Sort(all)
	return all
}

func TestInvoicesAgreeWithAnOracleThatCountsSeconds(t *testing.T) {
	rapid.Check(t, agreesWithOracle)
}

func agreesWithOracle(t *rapid.T) {
	o := with(map[string]string{"action.resize": "0s", "action.power_off": "0s", "action.backup": "0s", "ratelimit.burst": "1000000", "ratelimit.hourly": "1000000"})
	o.Clock = dosim.NewClock(dosim.Stepped)
	s := dosim.New(o)
	if err := s.Import([]byte(`{"version":2,"clock":{"mode":"stepped","now":"2026-01-20T00:00:00Z"}}`)); err != nil {
		t.Fatal(err)
	}
	if err := s.SetParams(o.Params); err != nil {
		t.Fatal(err)
	}
	call := func(want int, method, path string, body any) (answer object) {
		b, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		w := ask(s.API(), method, path, b)
		if w.Code != want {
			t.Fatalf("%s %s %s: %d %s", method, path, b, w.Code, w.Body)
		}
		_ = json.Unmarshal(w.Body.Bytes(), &answer)
		return answer
	}
	seed := func(thing dosim.SeedThing) {
		if _, err := s.SeedThing(thing); err != nil {
			t.Fatal(err)
		}
	}
	began := s.Clock().Now()
	oracle := &oracle{prices: map[string]int64{"s-1vcpu-1gb": 60_000, "c-2": 420_000, "gpu-h100x8-640gb": 160_742_400}}
	sizes := []string{"s-1vcpu-1gb", "c-2", "gpu-h100x8-640gb"} // the first two have the same disk
	type machine struct {
		id, size string
		backups  bool
		counted  *counted
	}
	var machines []*machine
	state := func(m *machine) countedState {
		now, least := s.Clock().Now().Unix(), int64(60)
		if strings.HasPrefix(m.size, "gpu") {
			least = 300
		}
		st := countedState{{"Droplets", oracle.prices[m.size], 100, least, now}}
		if m.backups {
			st = append(st, countedRate{"Droplet Backups", oracle.prices[m.size], 30, 0, now})
		}
		return st
	}
	for range rapid.IntRange(1, 25).Draw(t, "steps") {
		var m *machine
		if len(machines) > 0 {
			m = machines[rapid.IntRange(0, len(machines)-1).Draw(t, "droplet")]
		}
		now := s.Clock().Now().Unix()
		switch what := rapid.SampledFrom([]string{"create", "delete", "snapshot", "price", "resize", "resize", "database", "cluster", "wait", "wait", "wait"}).Draw(t, "what"); {
		case what == "create" && len(oracle.things) < 6:
			m := &machine{size: rapid.SampledFrom(sizes).Draw(t, "size"), backups: rapid.Bool().Draw(t, "backups")}
			image, region, name := "debian-12-x64", "nyc2", fmt.Sprintf("m%d", len(oracle.things))
			if strings.HasPrefix(m.size, "gpu") {
				image = "gpu-h100x1-base"
			}
			made := call(202, "POST", "/v2/droplets", object{"name": name, "size": m.size, "image": image, "region": region, "backups": m.backups})
			m.id = fmt.Sprintf("%.0f", at(made, "droplet", "id"))
			m.counted = &counted{name: name, from: now, states: []countedState{state(m)}}
			machines, oracle.things = append(machines, m), append(oracle.things, m.counted)
		case what == "delete" && m != nil:
			call(204, "DELETE", "/v2/droplets/"+m.id, nil)
			m.counted.to = now
			machines = slices.DeleteFunc(machines, func(other *machine) bool { return other == m })
		case what == "snapshot" && m != nil:
			name := fmt.Sprintf("s%d", len(oracle.things))
			call(201, "POST", "/v2/droplets/"+m.id+"/actions", object{"type": "snapshot", "name": name})
			s.Clock().Advance(time.Minute)
			shots := call(200, "GET", "/v2/snapshots?per_page=200", nil)
			all, _ := shots["snapshots"].([]any)
			gb, _ := at(all[len(all)-1], "size_gigabytes").(float64)
			since := s.Clock().Now().Unix()
			oracle.things = append(oracle.things, &counted{
				name: name, from: since,
				states: []countedState{{{"Droplet Snapshots", 600, int64(gb*100 + 0.5), 0, since}}},
			})
		case what == "resize" && m != nil && !strings.HasPrefix(m.size, "gpu"):
			m.size = map[string]string{sizes[0]: sizes[1], sizes[1]: sizes[0]}[m.size]
			for _, body := range []object{{"type": "power_off"}, {"type": "resize", "size": m.size}} {
				call(201, "POST", "/v2/droplets/"+m.id+"/actions", body)
			}
			m.counted.states = append(m.counted.states, state(m))
		case what == "database" && len(oracle.things) < 8:
			name, nodes := fmt.Sprintf("d%d", len(oracle.things)), rapid.IntRange(1, 3).Draw(t, "nodes")
			seed(dosim.SeedThing{Kind: "database", Data: object{"name": name, "size": "db-s-2vcpu-4gb", "num_nodes": nodes}})
			oracle.things = append(oracle.things, &counted{
				name: name, from: now, states: []countedState{{{"Database Clusters", 609_000, int64(100 * nodes), 60, now}}},
			})
		case what == "cluster" && len(oracle.things) < 8:
			name, pools := fmt.Sprintf("p%d", len(oracle.things)), []object{}
			for i := range rapid.IntRange(0, 2).Draw(t, "pools") {
				nodes := rapid.IntRange(0, 4).Draw(t, "nodes")
				pools = append(pools, object{"name": fmt.Sprint(name, i), "size": "g-2vcpu-8gb", "count": nodes})
				if nodes > 0 {
					oracle.things = append(oracle.things, &counted{
						name: fmt.Sprint(name, i), from: now, states: []countedState{{{"Kubernetes Clusters", 630_000, int64(100 * nodes), 60, now}}},
					})
				}
			}
			ha := rapid.Bool().Draw(t, "ha")
			seed(dosim.SeedThing{Kind: "kubernetes_cluster", Data: object{"name": name, "ha": ha, "node_pools": pools}})
			if ha {
				oracle.things = append(oracle.things, &counted{
					name: "High", from: now, states: []countedState{{{"Kubernetes Clusters", 400_000, 100, 0, now}}},
				})
			}
		case what == "price":
			s.Clock().Advance(time.Second) // it counts from the full second on
			size := rapid.SampledFrom(sizes[:2]).Draw(t, "size")
			dollars := rapid.SampledFrom([]int64{1, 7, 13, 60, 24192}).Draw(t, "dollars") // the last is a cent a second
			oracle.prices[size] = dollars * 10_000
			if err := s.SetPrice(size, fmt.Sprint(dollars), time.Time{}); err != nil {
				t.Fatal(err)
			}
			for _, m := range machines {
				if m.size == size {
					m.counted.states = append(m.counted.states, state(m))
				}
			}
		default:
			unit := rapid.SampledFrom([]time.Duration{time.Millisecond, time.Second, time.Minute, time.Hour, 24 * time.Hour}).Draw(t, "unit")
			s.Clock().Advance(time.Duration(rapid.IntRange(0, 999).Draw(t, "units")) * unit / map[bool]time.Duration{true: 50, false: 1}[unit > time.Minute])
		}
	}
	s.Clock().Advance(31 * 24 * time.Hour)
	invoices := call(200, "GET", "/v2/customers/my/invoices?per_page=200", nil)
	byMonth := map[string]object{}
	all, _ := invoices["invoices"].([]any)
	for _, i := range all {
		inv, _ := i.(object)
		byMonth[text(inv["invoice_period"])] = inv
	}
	for month := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC); !month.AddDate(0, 1, 0).After(s.Clock().Now()); month = month.AddDate(0, 1, 0) {
		want := oracle.lines(max(month.Unix(), began.Unix()), month.AddDate(0, 1, 0).Unix())
		var got []string
		if inv := byMonth[month.Format("2006-01")]; inv != nil {
			items, _ := call(200, "GET", "/v2/customers/my/invoices/"+text(inv["invoice_uuid"])+"?per_page=200", nil)["invoice_items"].([]any)
			for _, i := range items {
				name, _, _ := strings.Cut(text(at(i, "description")), " ")
				got = append(got, fmt.Sprintf("%v %s %v", at(i, "product"), name, at(i, "amount")))
			}
		}
		slices.Sort(got)
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Fatalf("%s is billed as\n%s\nand counted as\n%s", month.Format("January"), strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}
