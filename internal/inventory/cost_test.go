package inventory

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/arcadia-cloud/arcadia/internal/exact"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/period"
)

func TestCostOf(t *testing.T) {
	for _, tt := range []struct {
		name    string
		monthly Micros
		lived   time.Duration
		want    Micros
	}{
		{"nothing lived", 24_000_000, 0, 0},
		{"what is free", 0, time.Hour, 0},
		{"an instant is a cent", 24_000_000, time.Millisecond, 10_000},
		{"the least is a minute's price", 40_320_000_000, time.Second, 1_000_000},
		{"half of 672 hours", 24_000_000, 336 * time.Hour, 12_000_000},
		{"DigitalOcean's own example of nodes", 300_000_000, 2_336_420 * time.Second, 289_734_623}, // 289.7346, reference F
		{"672 hours", 24_000_000, 672 * time.Hour, 24_000_000},
		{"a month of 31 days", 24_000_000, 744 * time.Hour, 24_000_000},
		{"what costs less than a cent a month", 6_000, 744 * time.Hour, 6_000},
	} {
		if got := CostOf(tt.monthly, tt.lived); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

// However a resource's time is cut into versions of one price, it costs the same;
// never more than a month, never less than before.
func TestCutsCostNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		month := MonthOf(time.Date(2026, time.Month(rapid.IntRange(1, 12).Draw(t, "month")), 9, 0, 0, 0, 0, time.UTC))
		monthly := Micros(rapid.Int64Range(0, 40_000_000_000).Draw(t, "monthly"))
		at := month.From.Add(time.Duration(rapid.Int64Range(-1e6, 2e6).Draw(t, "from")) * time.Second)
		first := at
		var times []priceTime
		for range rapid.IntRange(1, 8).Draw(t, "versions") {
			to := at.Add(time.Duration(rapid.Int64Range(0, 1e6).Draw(t, "lived")) * time.Second)
			times = append(times, priceTime{monthly: monthly, known: true, in: stretchOf(period.Period{From: at, To: to})})
			at = to
		}
		whole := []priceTime{{monthly: monthly, known: true, in: stretchOf(period.Period{From: first, To: at})}}
		cut, _ := costWithin(times, stretchOf(month))
		if uncut, _ := costWithin(whole, stretchOf(month)); cut != uncut {
			t.Fatalf("cut it costs %s, whole %s", cut, uncut)
		}
		if cut < 0 || cut > monthly {
			t.Fatalf("it costs %s of %s a month", cut, monthly)
		}
	})
}

// The arithmetic of 128 bits says what that of fractions does.
func TestCostIsAsExactFractionsSay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		monthly := Micros(rapid.Int64Range(0, 90_000_000_000_000).Draw(t, "monthly"))
		lived := time.Duration(rapid.Int64Range(1, 31*24*3600*1_000_000).Draw(t, "microseconds")) * time.Microsecond
		long := max(lived, time.Minute)
		exactly := exact.Quotient(exact.Whole(int64(monthly)).Mul(exact.Whole(long.Microseconds())), exact.Whole(monthSeconds*1_000_000)).Units(0)
		want := min(monthly, max(10_000, Micros(exactly.Int64())))
		if got := CostOf(monthly, lived); got != want {
			t.Fatalf("%s a month for %s costs %s, want %s", monthly, lived, got, want)
		}
	})
}

// What has two prices in a month has two lines, each with its own cap.
func TestAResizeIsTwoLines(t *testing.T) {
	month := MonthOf(time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC))
	at := month.From.Add(336 * time.Hour)
	got, known := costWithin([]priceTime{
		{monthly: 6_000_000, known: true, in: stretchOf(period.Period{From: month.From.AddDate(0, -3, 0), To: at})},
		{monthly: 12_000_000, known: true, in: stretchOf(period.Period{From: at, To: month.To.AddDate(0, 3, 0)})},
	}, stretchOf(month))
	if want := Micros(3_000_000) + CostOf(12_000_000, 408*time.Hour); got != want || !known {
		t.Errorf("%s, known %v; want %s", got, known, want)
	}
}

// Who turns backups on pays the droplet's price once, not once without and once with.
func TestEachPartOfAPriceIsItsOwnLine(t *testing.T) {
	month := MonthOf(time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)) // 31 days
	at := month.From.Add(72 * time.Hour)
	alone := []chargeTime{{sku: "droplet:s", monthly: 24_000_000}}
	times := []priceTime{
		{monthly: 24_000_000, known: true, in: stretchOf(period.Period{From: month.From, To: at}), charges: alone},
		{monthly: 28_800_000, known: true, in: stretchOf(period.Period{From: at, To: month.To}), charges: append(alone, chargeTime{sku: "backup:weekly", monthly: 4_800_000})},
	}
	if got, _ := costWithin(times, stretchOf(month)); got != 28_800_000 {
		t.Errorf("a droplet of $24 with backups from the third day on costs %s in 31 days, want 28.80", got)
	}
	two := chargesOf([]PricedCharge{
		{Charge: Charge{SKU: "app:x"}, Cost: exact.Whole(5)}, {Charge: Charge{SKU: "app:x"}, Cost: exact.Whole(5)},
	})
	if got, _ := costWithin([]priceTime{{monthly: 10_000_000, known: true, in: stretchOf(month), charges: two}}, stretchOf(month)); got != 10_000_000 {
		t.Errorf("two instances of $5 cost %s", got)
	}
}

func TestWhatHasNoPriceIsNotFree(t *testing.T) {
	d, err := ParseDoc([]byte(`{"id":"1","size":9}`))
	if err != nil {
		t.Fatal(err)
	}
	if micros, ok := Prices().monthlyMicros(natGateway, d, time.Now()); ok {
		t.Errorf("a gateway of an unknown size costs %d", micros)
	}
	d, err = ParseDoc([]byte(`{"id":1,"size_slug":"gpu-by-contract","size":{"slug":"gpu-by-contract"}}`))
	if err != nil {
		t.Fatal(err)
	}
	if micros, ok := Prices().monthlyMicros(droplet, d, time.Now()); ok {
		t.Errorf("a droplet by contract costs %d", micros)
	}
}

func TestBackupsCostWhatTheirPlanSays(t *testing.T) {
	for _, tt := range []struct {
		name, rest string
		micros     int64
		known      bool
		assumed    bool
	}{
		{"none", ``, 24_000_000, true, false},
		{"weekly", `,"features":["backups"],"backup_policy":{"plan":"weekly"}`, 28_800_000, true, false},
		{"daily", `,"features":["backups"],"backup_policy":{"plan":"daily"}`, 31_200_000, true, false},
		{"nobody knows", `,"features":["backups"]`, 28_800_000, true, true},
		{"a plan without a price", `,"features":["backups"],"backup_policy":{"plan":"hourly"}`, 0, false, false},
	} {
		d, err := ParseDoc([]byte(`{"id":1,"size_slug":"s-2vcpu-4gb","size":{"price_monthly":24}` + tt.rest + `}`))
		if err != nil {
			t.Fatal(err)
		}
		micros, known := Prices().monthlyMicros(droplet, d, time.Now())
		priced := Prices().priced(droplet, d, time.Now())
		if assumed := strings.Contains(priced[len(priced)-1].Source, "weekly plan"); micros != tt.micros || known != tt.known || assumed != tt.assumed {
			t.Errorf("%s: %d, %v, assumed %v; want %d, %v, %v", tt.name, micros, known, assumed, tt.micros, tt.known, tt.assumed)
		}
	}
}

// price_hourly is a rounded float: it must not matter.
func TestADropletCostsItsMonthlyPrice(t *testing.T) {
	d, err := ParseDoc([]byte(`{"id":1,"size_slug":"s-1vcpu-1gb","size":{"price_monthly":5,"price_hourly":0.00743999984115362},"features":["backups"]}`))
	if err != nil {
		t.Fatal(err)
	}
	if micros, ok := Prices().monthlyMicros(droplet, d, time.Now()); !ok || micros != 6_000_000 {
		t.Errorf("with weekly backups it costs %d micro-dollars, %v; want 6 dollars", micros, ok)
	}
}

func TestPricesAreDated(t *testing.T) {
	old, _ := Prices().Price("reserved_ip:unassigned", time.Date(2022, 6, 30, 0, 0, 0, 0, time.UTC))
	now, _ := Prices().Price("reserved_ip:unassigned", time.Date(2022, 7, 1, 0, 0, 0, 0, time.UTC))
	if old.Monthly.String() != "4" || now.Monthly.String() != "5" {
		t.Errorf("an address cost %s and costs %s, want 4 and 5", old.Monthly, now.Monthly)
	}
	if _, ok := Prices().Price("volume", time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)); ok {
		t.Error("a volume had a price before there were volumes")
	}
}

func TestABadBookIsRefused(t *testing.T) {
	const good = `{sku: a, unit: GiB, monthly: "1", from: 2026-01-02, source: x, checked: true}`
	for _, tt := range []struct{ name, book, says string }{
		{"an unknown field", `prices: [{sku: a, unit: GiB, monthly: "1", from: 2026-01-01, source: x, checked: true, per: hour}]`, "per"},
		{"a float", `prices: [{sku: a, unit: GiB, monthly: 1.5, from: 2026-01-01, source: x, checked: true}]`, "quotes"},
		{"no price", `prices: [{sku: a, unit: GiB, from: 2026-01-01, source: x, checked: true}]`, "price"},
		{"a day that is none", `prices: [{sku: a, unit: GiB, monthly: "1", from: 2026-02-30, source: x, checked: true}]`, "day"},
		{"two prices from one day", "prices:\n  - " + good + "\n  - " + good, "later"},
	} {
		_, err := ReadBook("book.yaml", []byte(tt.book))
		if fault.KindOf(err) != fault.Invalid || !strings.Contains(fault.Message(err), tt.says) {
			t.Errorf("%s: %v, want a sentence with %q", tt.name, err, tt.says)
		}
	}
}
