package billing_test

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/billing"
	"github.com/arcadia-cloud/arcadia/internal/dosim/biller"
	"github.com/arcadia-cloud/arcadia/internal/exact"
	"github.com/arcadia-cloud/arcadia/internal/metering"
	"github.com/arcadia-cloud/arcadia/internal/period"
)

// A history is what happened to some resources: as the cloud bills it, and as lifetimes
// that were followed from outside.
type history struct {
	used []biller.Usage
	seen []metering.Lifetime
	gap  *big.Rat // dollars: the price of the time between what happened and what was seen
}

// anyHistory is of droplets, with and without GPUs, and volumes in January to March: they
// live for seconds or months, are resized, and turned off and on, at times near the
// edge of a month too. Where it is not exact, what ends a stage is seen late.
func anyHistory(r *rand.Rand, exactly bool) history {
	h := history{gap: new(big.Rat)}
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	seconds := func(n int) time.Duration { return time.Duration(1+r.IntN(n)) * time.Second }
	lasts := func() time.Duration {
		switch r.IntN(4) {
		case 0:
			return seconds(150)
		case 1:
			return seconds(86400)
		case 2:
			return seconds(28 * 86400)
		}
		return 672*time.Hour + time.Duration(r.IntN(7)-3)*time.Second
	}
	for n := range 1 + r.IntN(3) {
		kind := []string{"droplet", "droplet", "volume"}[r.IntN(3)]
		urn, gpu := fmt.Sprintf("do:%s:%d", kind, n), kind == "droplet" && r.IntN(4) == 0
		at := begin.Add(seconds(70 * 86400))
		stages, edge := 1+r.IntN(3), r.IntN(4) == 0
		if edge { // a short life across the end of a month
			at, stages = begin.AddDate(0, 1+r.IntN(2), 0).Add(-seconds(40)), 1
		}
		born, seenFrom := at, at
		for i := range stages {
			price := []string{"4", "6", "12", "0.1", "24192", "3.5", "16074.24", "0.06"}[r.IntN(8)]
			size := fmt.Sprintf("s-%d", i)
			if gpu {
				size = "gpu-" + size
			}
			length := lasts()
			if edge {
				length = seconds(90)
			}
			if stages > 1 {
				length += 6 * time.Minute // nothing is resized within a life's least time
			}
			end := at.Add(length)
			late := time.Duration(0)
			if !exactly && r.IntN(2) == 0 {
				late = seconds(300)
			}
			dollars, _ := new(big.Rat).SetString(price)
			u := biller.Usage{Labels: biller.Labels{Product: kind, ResourceID: urn, SKU: size}, Of: urn, Price: dollars, Quantity: big.NewRat(1, 1), From: at, To: end}
			if least := map[bool]time.Duration{false: time.Minute, true: 5 * time.Minute}[gpu]; kind == "droplet" && i == stages-1 {
				u.Unused = max(0, least-end.Sub(born))
			}
			h.used = append(h.used, u)
			off := new(big.Rat).SetInt64(int64((late + seenFrom.Sub(at)) / time.Second)) // at either end
			h.gap.Add(h.gap, off.Mul(off, dollars).Quo(off, big.NewRat(biller.MonthSeconds, 1)))

			l := metering.Lifetime{URN: urn, Kind: kind, Size: size, PriceMonthly: exact.Must(price), From: seenFrom, To: end.Add(late)}
			for kind == "droplet" && r.IntN(3) == 0 { // turned off, or on again
				if next := l.From.Add(seconds(3600)); next.Before(l.To) {
					first := l
					first.To, l.From = next, next
					h.seen = append(h.seen, first)
				}
			}
			h.seen = append(h.seen, l)
			at, seenFrom = end, end.Add(late)
		}
	}
	return h
}

// What resources cost by our rating is what they cost by the simulated cloud's own
// biller, which shares no rule with it: each line of each month to the cent where both
// know when everything happened, and else within the price of what was seen late.
func TestCloudCostIsWhatTheCloudBills(t *testing.T) {
	const histories = 10_000
	w := world{plan: `late: {grace: 0s}, charges: [{id: do, type: resource, model: cost_plus}]`, phases: `{plan: p@1, from: 2025-12-01}`}
	catalog, err := billing.ReadCatalog("c", []byte(w.catalog()))
	if err != nil {
		t.Fatal(err)
	}
	sub, err := billing.ReadSubscription("s", []byte(w.subscription()), catalog)
	if err != nil {
		t.Fatal(err)
	}
	lines, exactLines, most := 0, 0, int64(0)
	for seed := range uint64(histories) {
		exactly := seed%2 == 0
		h := anyHistory(rand.New(rand.NewPCG(seed, 7)), exactly)
		out, err := billing.Preview(catalog, sub, billing.Facts{Lifetimes: h.seen}, time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC))
		if err != nil {
			t.Fatal(err)
		}
		ours, theirs := make(map[string]int64), make(map[string]int64)
		var total, want, both int64
		for _, i := range out.Invoices {
			for _, l := range i.Lines {
				ours[l.Service.From.Format("2006-01 ")+l.Group["urn"]+" "+l.Group["size"]] += l.Amount
				total += l.Amount
				both++
			}
		}
		for month := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC); month.Before(time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC)); month = month.AddDate(0, 1, 0) {
			for _, l := range (biller.Terms{}).Charges(period.Period{From: month, To: month.AddDate(0, 1, 0)}, h.used) {
				theirs[month.Format("2006-01 ")+l.ResourceID+" "+l.SKU] += l.Cents
				want += l.Cents
				both++
			}
		}
		lines += len(theirs)
		if exactly {
			exactLines += len(theirs)
			for key, cents := range theirs {
				if ours[key] != cents {
					t.Errorf("history %d: %s costs %d by our rating, and the cloud bills %d", seed, key, ours[key], cents)
				}
			}
			if len(ours) != len(theirs) {
				t.Errorf("history %d: %d lines, and the cloud has %d: %v, %v", seed, len(ours), len(theirs), ours, theirs)
			}
			continue
		}
		off := max(total-want, want-total)
		if most = max(most, off); big.NewRat(off-both, 100).Cmp(h.gap) > 0 { // each line is rounded, or is a cent at least
			t.Errorf("history %d: %d by our rating, and the cloud bills %d: more than the gap of %s dollars and %d lines", seed, total, want, h.gap.FloatString(4), both)
		}
		if t.Failed() {
			t.Fatalf("used %+v\nseen %+v", h.used, h.seen)
		}
	}
	t.Logf("%d histories with %d lines, %d of them to the cent; the others within the price of the gap, at most %d cents off", histories, lines, exactLines, most)
}
