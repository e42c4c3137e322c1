package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/billing"
	"github.com/arcadia-cloud/arcadia/internal/exact"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/money"
	"github.com/arcadia-cloud/arcadia/internal/wire"
)

func (a *API) rateRoutes(h huma.API) {
	set := operation("set-exchange-rate", http.MethodPost, "/v1/exchange-rates", "Say what a US dollar is in another currency from a day on")
	set.Description = "DigitalOcean's prices are in dollars: charges that pass them on in another currency are billed at the rate of the last day of their service. " +
		"A rate never changes for a day that has begun and had one."
	register(a, h, set, a.setRate)
	register(a, h, operation("list-exchange-rates", http.MethodGet, "/v1/exchange-rates", "List rates of exchange, the newest first"), a.listRates)
}

func (a *API) setRate(ctx context.Context, in *struct{ Body client.RateOrder }) (*struct{ Body client.Rate }, error) {
	o := in.Body
	rate, err := exact.ParseDecimal(o.Rate)
	if err != nil {
		return nil, fault.New(fault.Invalid, "rate: it is a decimal like 0.9215.")
	}
	r, err := a.o.Bills.SetRate(ctx, billing.Rate{Pair: strings.ToUpper(o.Pair), From: o.From, Rate: rate, Source: o.Source, SetBy: actor(ctx)}, time.Now())
	if err != nil {
		return nil, err
	}
	return &struct{ Body client.Rate }{wire.Rate(r)}, nil
}

func (a *API) listRates(ctx context.Context, in *struct {
	Currency string `query:"currency" doc:"Beside the dollar; left away: all." example:"EUR"`
}) (*struct {
	Body client.List[client.Rate]
}, error) {
	of := money.Currency(in.Currency)
	if in.Currency != "" {
		var err error
		if of, err = money.ParseCurrency(in.Currency); err != nil {
			return nil, err
		}
	}
	rates, err := a.o.Bills.Rates(ctx, of)
	if err != nil {
		return nil, err
	}
	out := client.List[client.Rate]{Items: make([]client.Rate, len(rates))}
	for i, r := range rates {
		out.Items[i] = wire.Rate(r)
	}
	return &struct {
		Body client.List[client.Rate]
	}{out}, nil
}
