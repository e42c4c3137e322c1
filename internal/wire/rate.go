package wire

import (
	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/billing"
)

// Rate is what a US dollar is in another currency.
func Rate(r billing.Rate) client.Rate {
	return client.Rate{Pair: r.Pair, From: r.From, Rate: r.Rate.String(), Source: r.Source, SetAt: client.Time{Time: r.SetAt}, SetBy: r.SetBy}
}
