package billing

import (
	"context"
	"database/sql"
	"slices"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/exact"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/manifest"
	"github.com/arcadia-cloud/arcadia/internal/money"
	"github.com/arcadia-cloud/arcadia/internal/rating"
)

// cloudCurrency is what DigitalOcean's prices are in.
const cloudCurrency money.Currency = "USD"

// A Rate is what a US dollar is in another currency from a day on, in UTC, until the next
// rate's day.
type Rate struct {
	Pair   string       // USD/EUR: a dollar in euros; EUR/USD: a euro in dollars
	From   string       // a day, 2026-10-01
	Rate   exact.Number // a decimal above zero
	Source string       // who says so; may be empty
	SetAt  time.Time
	SetBy  string
}

// Currency is the one beside the dollar.
func (r Rate) Currency() money.Currency {
	base, quote, _ := strings.Cut(r.Pair, "/")
	if base == string(cloudCurrency) {
		return money.Currency(quote)
	}
	return money.Currency(base)
}

// exchange is what dollars come to, and why.
func (r Rate) exchange(dollars exact.Number, why rating.Explanation) (exact.Number, rating.Explanation) {
	value := dollars.Mul(r.Rate)
	if !strings.HasPrefix(r.Pair, string(cloudCurrency)) {
		value = exact.Quotient(dollars, r.Rate)
	}
	facts := []rating.Fact{rating.Text("pair", r.Pair), rating.Num("rate", r.Rate), rating.Text("since", r.From)}
	if r.Source != "" {
		facts = append(facts, rating.Text("source", r.Source))
	}
	return value, rating.Explanation{Rule: "exchange", Value: value, Facts: facts, Of: []rating.Explanation{why}}
}

// check says what is wrong with a rate; empty: nothing.
func (r Rate) check() string {
	base, quote, both := strings.Cut(r.Pair, "/")
	_, err := time.Parse(time.DateOnly, r.From)
	_, unknown := money.ParseCurrency(string(r.Currency()))
	switch {
	case !both || (base == string(cloudCurrency)) == (quote == string(cloudCurrency)):
		return "pair: it is like USD/EUR or EUR/USD: one of the two is the US dollar."
	case unknown != nil:
		return "pair: " + cut(string(r.Currency())) + " is no currency."
	case r.Rate.Sign() <= 0:
		return "rate: it is above zero."
	case err != nil:
		return "from: it is a day like 2026-10-01."
	case len(r.Source) > 200:
		return "source: it is at most 200 characters."
	}
	return ""
}

// rateOn is the catalog's rate on the day, in UTC, of an instant. It is a conflict where
// there is none: what is not known is not guessed.
func (c *Catalog) rateOn(at time.Time) (Rate, error) {
	day := at.UTC().Format(time.DateOnly)
	var found *Rate
	for i, r := range c.Rates {
		if r.From <= day && (found == nil || found.From < r.From) {
			found = &c.Rates[i]
		}
	}
	if found == nil {
		return Rate{}, fault.New(fault.Conflict, "Nobody has said what a US dollar is in %s on %s, and DigitalOcean's prices are in dollars. Say it: arcadia fx set USD/%[1]s RATE --from %[2]s.",
			c.Currency, day)
	}
	return *found, nil
}

// readRate reads a rate of a catalog that is only tried.
func (c *Catalog) readRate(v manifest.Value) Rate {
	var r Rate
	if !v.Object("pair", "from", "rate", "source") {
		return r
	}
	r = Rate{Pair: v.Field("pair").Text(), From: v.Field("from").Text(), Rate: v.Field("rate").Decimal(), Source: v.Field("source").TextOr("")}
	switch what := r.check(); {
	case what != "":
		v.Fail("%s", what)
	case r.Currency() != c.Currency:
		v.Field("pair").Fail("The catalog is in %s.", c.Currency)
	case slices.ContainsFunc(c.Rates, func(other Rate) bool { return other.From == r.From }):
		v.Field("from").Fail("There is another rate from %s on.", r.From)
	}
	return r
}

// SetRate says what a dollar is from a day on. A rate never changes for a day that has
// begun and had one: bills of that day may be issued. The same again changes nothing. It answers fault.Invalid for what is no rate, and
// fault.Conflict where it would change what was.
func (s *Service) SetRate(ctx context.Context, r Rate, now time.Time) (Rate, error) {
	if what := r.check(); what != "" {
		return r, fault.New(fault.Invalid, "%s", what)
	}
	r.SetAt = micros(now)
	today := r.SetAt.Format(time.DateOnly)
	err := s.db.Write(ctx, func(tx *sql.Tx) error {
		have, err := listRates(ctx, tx, r.Currency())
		if err != nil {
			return err
		}
		if i := slices.IndexFunc(have, func(h Rate) bool { return h.From == r.From }); i >= 0 && have[i].same(r) {
			r = have[i]
			return nil
		}
		inForce := slices.ContainsFunc(have, func(h Rate) bool { return h.From <= r.From })
		if inForce && r.From <= today {
			return fault.New(fault.Conflict, "from: what was billed until today, %s, is not exchanged anew. A rate of %s begins tomorrow or later.", today, r.Pair)
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO billing_rates (currency, from_day, pair, rate, source, set_at, set_by) VALUES ($1, $2, $3, $4, $5, $6, $7)
			ON CONFLICT (currency, from_day) DO UPDATE SET pair = excluded.pair, rate = excluded.rate, source = excluded.source, set_at = excluded.set_at, set_by = excluded.set_by`,
			string(r.Currency()), r.From, r.Pair, r.Rate.String(), r.Source, db.Micros(r.SetAt), r.SetBy)
		return err
	})
	return r, err
}

func (r Rate) same(other Rate) bool {
	return r.Pair == other.Pair && r.Rate.Equal(other.Rate) && r.Source == other.Source
}

// Rates are those of a currency, or of all where it is empty: by currency, the newest
// first.
func (s *Service) Rates(ctx context.Context, c money.Currency) ([]Rate, error) {
	return listRates(ctx, s.db.Read(), c)
}

func listRates(ctx context.Context, q db.Queryer, c money.Currency) ([]Rate, error) {
	return db.All(ctx, q, func(rows *sql.Rows) (r Rate, err error) {
		var rate string
		var at int64
		if err := rows.Scan(&r.Pair, &r.From, &rate, &r.Source, &at, &r.SetBy); err != nil {
			return r, err
		}
		r.SetAt = db.Time(at)
		r.Rate, err = exact.ParseDecimal(rate)
		return r, err
	}, `SELECT pair, from_day, rate, source, set_at, set_by FROM billing_rates WHERE CAST($1 AS TEXT) = '' OR currency = $1 ORDER BY currency, from_day DESC`, string(c))
}
