package web_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/metering"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

// The page of usage adds up what meters count, and shows what counts nowhere.
func TestUsagePage(t *testing.T) {
	s := serve(t, dbtest.New(t))
	if page := s.get(t, "/usage"); page.status != 200 || !strings.Contains(page.body, "No meter counts anything yet") {
		t.Errorf("/usage, empty, is %d: %s", page.status, page.body)
	}
	ctx, now := t.Context(), time.Now().UTC()
	for _, slug := range []string{"acme", "other"} {
		if _, err := s.tenants.Add(ctx, tenant.Entry{Slug: slug}, now); err != nil {
			t.Fatal(err)
		}
	}
	meters := []metering.Meter{
		{ID: "calls", EventType: "call", Aggregate: metering.Sum, Value: "n"}, {ID: "peak", EventType: "call", Aggregate: metering.Largest, Value: "n"},
	}
	if _, err := s.usage.ApplyMeters(ctx, meters, "test", now, false); err != nil {
		t.Fatal(err)
	}
	if page := s.get(t, "/usage"); !strings.Contains(page.body, "Nothing was used in this time") {
		t.Errorf("/usage without events: %s", page.body)
	}
	at := now.Truncate(time.Hour).Add(-30 * time.Hour)
	event := func(slug, id, kind, n string) string {
		return fmt.Sprintf(`{"id":%q,"source":"s","type":%q,"subject":%q,"time":%q,"data":{"n":%q}}`, id, kind, slug, at.Format(time.RFC3339), n)
	}
	for _, body := range []string{
		event("acme", "1", "call", "1200.5"), event("other", "1", "call", "34"), event("acme", "2", "mail", "3"), event("acme", "3", "call", "many"),
		event("acme", "1", "call", "7"),
	} {
		told, err := metering.ReadBatch([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.usage.Push(ctx, told, "", now); err != nil {
			t.Fatal(err)
		}
	}
	for path, says := range map[string][]string{
		"/usage":                          {"1\u202f234.5", "acme", "other", "data-plot", at.Format("Mon 2 Jan"), "mail", "s/1", "counts n 1200.5, told later n 7"},
		"/usage?tenant=other":             {">34<", `aria-label="Of all tenants"`, "No event contradicts another", "All that was accepted is in a meter"},
		"/usage?span=7d":                  {"1\u202f234.5", at.Format("2 Jan 15:04")},
		"/usage?span=24h":                 {"Nothing was used in this time"},
		"/usage?meter=peak":               {"does not add up", "1\u202f200.5"},
		"/usage?meter=peak&tenant=acme":   {"1\u202f200.5", "data-plot"},
		"/usage.json?span=24h":            {`"items": []`},
		"/usage.json?meter=calls":         {`"quantity": "1200.5"`, `"tenant": "acme"`},
		"/usage.csv?tenant=other&span=7d": {"tenant,meter,from,to,quantity,events", "other,calls," + at.Format("2006-01-02T15:04")},
	} {
		page := s.get(t, path)
		for _, text := range says {
			if page.status != 200 || !strings.Contains(page.body, text) {
				t.Errorf("%s is %d and does not say %q", path, page.status, text)
			}
		}
	}
	for path, want := range map[string]int{"/usage?meter=none": 404, "/usage?tenant=none": 404, "/usage?span=1y": 400, "/usage?by=week": 400, "/usage?span=90d&by=hour": 400} {
		if page := s.get(t, path); page.status != want {
			t.Errorf("%s = %d, want %d", path, page.status, want)
		}
	}
}
