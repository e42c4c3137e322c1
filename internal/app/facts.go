package app

import (
	"context"

	"github.com/arcadia-cloud/arcadia/internal/billing"
	"github.com/arcadia-cloud/arcadia/internal/metering"
)

// facts are what bills are made of: usage as it was recorded, and how long resources
// lived as their tenant's.
func (a *App) facts(ctx context.Context, asked billing.Asked) (f billing.Facts, err error) {
	if len(asked.Types) > 0 {
		f.Events, err = a.metering.Events(ctx, metering.EventFilter{Tenant: asked.Tenant, Types: asked.Types, To: asked.Until, Known: asked.Until, Corrected: true})
		if err != nil {
			return f, err
		}
		for i := range f.Events {
			f.Events[i].Line = i + 1 // events are told apart by it
		}
	}
	if !asked.Lives {
		return f, nil
	}
	if asked.Nobody {
		lives, err := a.metering.Lives(ctx, metering.LifeFilter{Nobody: true, To: asked.Until})
		for _, l := range lives {
			f.Lifetimes = append(f.Lifetimes, l.Lifetime)
		}
		return f, err
	}
	if f.Lifetimes, err = a.metering.KnownLives(ctx, asked.Tenant, asked.Until); err != nil || !asked.Evidence {
		return f, err
	}
	f.Lives, err = a.metering.Lives(ctx, metering.LifeFilter{Tenant: asked.Tenant, To: asked.Until})
	return f, err
}
