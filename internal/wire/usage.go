package wire

import (
	"time"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/metering"
	"github.com/arcadia-cloud/arcadia/internal/period"
)

// UsageBatch is what became of events that were sent together.
func UsageBatch(results []metering.Result) client.UsageBatch {
	b := client.UsageBatch{Items: make([]client.UsageResult, len(results))}
	for i, r := range results {
		b.Items[i] = client.UsageResult{Status: string(r.Status), Late: r.Late, Reason: string(r.Reason), Detail: r.Detail}
		switch r.Status {
		case metering.Accepted:
			b.Accepted++
		case metering.Duplicate:
			b.Duplicates++
		default:
			b.Rejected++
		}
	}
	return b
}

// UsageEvent is an event as it is kept.
func UsageEvent(e metering.Event) client.UsageEvent {
	w := client.UsageEvent{
		Source: e.Source, ID: e.ID, Type: e.Type, Time: client.Time{Time: e.At}, RecordedAt: client.Time{Time: e.RecordedAt}, Data: make(map[string]string, len(e.Data)),
	}
	for name, value := range e.Data {
		w.Data[name] = string(value)
	}
	return w
}

// KeptUsageEvent is an event as it was accepted, and what became known of it.
func KeptUsageEvent(k metering.Kept) client.KeptUsageEvent {
	return client.KeptUsageEvent{
		UsageEvent: UsageEvent(k.Event), Counts: k.Counts(), OnlyVoids: k.OnlyVoids, CorrectedBy: Text(k.CorrectedBy), CorrectedAt: client.At(k.CorrectedAt), Conflicts: k.Conflicts,
	}
}

// UsageConflict is an event that was told again with another content, of the tenant
// with this slug.
func UsageConflict(c metering.Conflict, slug string) client.UsageConflict {
	return client.UsageConflict{Tenant: slug, Counts: UsageEvent(c.Counts), Against: UsageEvent(c.Event), Told: c.Told, LastAt: client.Time{Time: c.Last}}
}

// Lifetime is a time of a resource's life, which was the tenant's with this slug.
func Lifetime(l metering.Life, slug string) client.Lifetime {
	w := client.Lifetime{
		URN: l.URN, Account: l.Account, Kind: l.Kind, Size: l.Size, Status: l.Status, Tenant: Text(slug),
		From: instant(l.From, l.Began), To: instant(l.To, l.Ended),
	}
	if !l.Unpriced {
		price := l.PriceMonthly.String()
		w.PriceMonthly = &price
	}
	return w
}

func instant(at time.Time, e metering.Evidence) client.Instant {
	return client.Instant{At: client.At(at), Earliest: client.At(e.Earliest), Exact: !at.IsZero() && e.Earliest.Equal(at), Evidence: e.By}
}

// Meter is a meter.
func Meter(m metering.Meter) client.Meter {
	w := client.Meter{
		ID: m.ID, EventType: m.EventType, Aggregate: string(m.Aggregate), Value: m.Value, GroupBy: append([]string{}, m.GroupBy...), Filter: m.Filter,
	}
	if w.Filter == nil {
		w.Filter = map[string][]string{}
	}
	return w
}

// MeterOutcome is what becomes of a meter.
func MeterOutcome(o metering.MeterOutcome) client.MeterOutcome {
	return client.MeterOutcome{Meter: Meter(o.Meter), Action: string(o.Action)}
}

// UsageTotals are what a meter comes to for the tenant with this slug.
func UsageTotals(m metering.Meter, slug string, p period.Period, totals []metering.Total) client.UsageTotals {
	w := client.UsageTotals{
		Meter: m.ID, Tenant: slug, From: client.Time{Time: p.From}, To: client.Time{Time: p.To}, Items: make([]client.UsageTotal, len(totals)),
	}
	for i, t := range totals {
		w.Items[i] = client.UsageTotal{Group: make(map[string]string, len(t.Group)), Quantity: t.Quantity.String(), Events: t.Events}
		for n, value := range t.Group {
			w.Items[i].Group[m.GroupBy[n]] = value
		}
	}
	return w
}
