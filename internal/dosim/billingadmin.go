package dosim

import (
	"cmp"
	"maps"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/money"
)

// GrantCredit gives an account, [FirstAccount] when empty, so many cents to
// spend on invoices. Less than a cent, or more than ten million dollars, is a
// fault.Unprocessable.
func (s *Sim) GrantCredit(account string, cents int64, description string) error {
	g := &grant{thing: thing{Unasked: true}, Description: cmp.Or(description, "Credit"), Cents: cents}
	if err := g.checkAmount(); err != nil {
		return err
	}
	return enter(s, cmp.Or(account, FirstAccount), g, func(w *world) *table[*grant] { return w.grants })
}

func (g *grant) checkAmount() error {
	if g.Cents < 1 || g.Cents > 1_000_000_000 || len(g.Description) > 255 {
		return fault.New(fault.Unprocessable, "A credit is of 0.01 to 10000000.00 dollars, with a description of up to 255 bytes.")
	}
	return nil
}

// SetPrice changes what an SKU costs: a size's slug, or one of those that
// GET /billing/prices lists. Monthly are dollars for 672 hours, such as "6" or
// "0.06". It counts from since on, which is not in the past; zero is now. It
// does not change what GET /v2/sizes shows. What cannot be is a fault.Unprocessable.
func (s *Sim) SetPrice(sku, monthly string, since time.Time) error {
	p := &price{thing: thing{Unasked: true}, SKU: sku, Monthly: monthly, Since: since.UTC().Truncate(time.Second)}
	if err := p.checkPrice(); err != nil {
		return err
	}
	now := s.clock.Now().Truncate(time.Second)
	if since.IsZero() {
		p.Since = now
	}
	if p.Since.Before(now) {
		return fault.New(fault.Unprocessable, "A price cannot change in the past: %s is before %s, which is now.", p.Since.Format(time.RFC3339), now.Format(time.RFC3339))
	}
	return enter(s, "", p, func(w *world) *table[*price] { return w.prices })
}

func (p *price) checkPrice() error {
	if p.SKU == "" || len(p.SKU) > 255 {
		return fault.New(fault.Unprocessable, "A price is of an SKU, such as a size's slug.")
	}
	if m, ok := new(big.Rat).SetString(p.Monthly); !ok || len(p.Monthly) > 20 || m.Sign() <= 0 || m.Cmp(big.NewRat(1_000_000, 1)) > 0 || strings.Trim(p.Monthly, "0123456789.") != "" {
		return fault.New(fault.Unprocessable, "A price is a decimal number of dollars above 0 and up to 1000000, not %q.", p.Monthly)
	}
	if !p.Since.IsZero() && !inTime(p.Since) {
		return fault.New(fault.Unprocessable, "A price cannot begin in the year %d.", p.Since.Year())
	}
	return nil
}

// A Price is what an SKU costs from an instant on.
type Price struct {
	SKU     string    `json:"sku"`
	Monthly string    `json:"monthly"`        // dollars for a unit and 672 hours, or for a GiB of "transfer"
	Since   time.Time `json:"since,omitzero"` // zero: as long as anybody knows
}

// Prices returns every price that there is or will be, by SKU and time.
func (s *Sim) Prices() []Price {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now()
	skus := map[string]bool{}
	for sku := range priceList() {
		skus[sku] = true
	}
	for _, size := range s.world.catalog.sizes {
		skus[size.Slug] = true
	}
	for _, p := range s.world.prices.all {
		skus[p.SKU] = true
	}
	var all []Price
	for _, sku := range slices.Sorted(maps.Keys(skus)) {
		for _, p := range s.world.pricesOf(sku) {
			all = append(all, Price{sku, strings.TrimSuffix(strings.TrimRight(p.price.FloatString(6), "0"), "."), p.since})
		}
	}
	return all
}

// Transfer has an account, [FirstAccount] when empty, send so many GiB to the
// internet now, beside what the parameter billing.outbound_gib says. Fewer than
// one, or more than a thousand million, are a fault.Unprocessable.
func (s *Sim) Transfer(account string, gib int64) error {
	t := &transfer{thing: thing{Unasked: true}, GiB: gib}
	if err := t.checkSize(); err != nil {
		return err
	}
	return enter(s, cmp.Or(account, FirstAccount), t, func(w *world) *table[*transfer] { return w.transfers })
}

func (t *transfer) checkSize() error {
	if t.GiB < 1 || t.GiB > 1_000_000_000 {
		return fault.New(fault.Unprocessable, "A transfer is of 1 to 1000000000 GiB.")
	}
	return nil
}

// enter puts a thing of billing's own into the log.
func enter[E entity](s *Sim, account string, e E, in func(w *world) *table[E]) error {
	if err := checkAccount(account); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.callAs(account, s.now())
	events := len(s.events)
	if account != "" {
		c.open()
	}
	in(s.world).create(c, e)
	s.hearChange(entry{Events: slices.Clone(s.events[events:])})
	return s.save(entry{})
}

// unpriced returns what the month so far has of things that are billed and
// whose price nobody knows. They are on no invoice until [Sim.SetPrice] says it.
func (s *Sim) unpriced(account string) ([]unpriced, error) {
	if err := checkAccount(account); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, preview := s.callAs(account, s.now()).bills()
	return append([]unpriced{}, preview.unpriced...), nil
}

func (s *Sim) adminGrant(_ *http.Request, body []byte) (any, error) {
	var b struct {
		Account     string `json:"account"`
		Amount      string `json:"amount"` // dollars, "12.34"
		Description string `json:"description"`
	}
	if err := read(body, &b); err != nil {
		return nil, err
	}
	amount, err := money.Parse(b.Amount, "USD")
	if err != nil {
		return nil, err
	}
	return nil, s.GrantCredit(b.Account, amount.Minor, b.Description)
}

func (s *Sim) adminSetPrice(_ *http.Request, body []byte) (any, error) {
	var b struct {
		SKU     string    `json:"sku"`
		Monthly string    `json:"monthly"`
		Since   time.Time `json:"since"`
	}
	if err := read(body, &b); err != nil {
		return nil, err
	}
	return nil, s.SetPrice(b.SKU, b.Monthly, b.Since)
}

func (s *Sim) adminTransfer(_ *http.Request, body []byte) (any, error) {
	var b struct {
		Account string `json:"account"`
		GiB     int64  `json:"gib"`
	}
	if err := read(body, &b); err != nil {
		return nil, err
	}
	return nil, s.Transfer(b.Account, b.GiB)
}

func (s *Sim) adminUnpriced(r *http.Request, _ []byte) (any, error) {
	all, err := s.unpriced(cmp.Or(r.URL.Query().Get("account"), FirstAccount))
	if err != nil {
		return nil, err
	}
	return items(all), nil
}
