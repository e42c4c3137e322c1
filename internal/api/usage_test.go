package api_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
)

func TestUsage(t *testing.T) {
	s := serve(t, dbtest.New(t), false)
	if _, err := s.client.AddTenant(t.Context(), client.TenantEntry{Slug: "acme"}); err != nil {
		t.Fatal(err)
	}
	at := time.Now().UTC().Format(time.RFC3339)
	event := func(id, n string) string {
		return fmt.Sprintf(`{"specversion":"1.0","source":"s","type":"use","subject":"acme","id":%q,"time":%q,"data":{"n":%s}}`, id, at, n)
	}
	for _, tt := range []struct {
		name, query, body string
		status            int
		want              string
	}{
		{"an array", "", "[" + event("a", "1") + "," + event("b", "0.10") + "," + event("a", "2") + "]", 200, "accepted accepted rejected"},
		{"one a line", "", event("a", "1") + "\n" + event("c", "1") + "\n", 200, "duplicate accepted"},
		{"one", "?tenant=acme", event("d", "1"), 200, "accepted"},
		{"no tenant", "?tenant=globex", event("d", "1"), 404, ""},
		{"no JSON", "", "[" + event("e", "1"), 400, ""},
		{"nothing", "", "[]", 400, ""},
		{"too many", "", "[" + strings.Repeat("1,", 10_000) + "1]", 413, ""},
		{"too much", "", `["` + strings.Repeat("x", 17<<20) + `"]`, 413, ""},
		{"another parameter", "?tenat=acme", event("e", "1"), 400, ""},
	} {
		status, _, text := s.do(t, "POST", "/v1/usage"+tt.query, tt.body)
		if status != tt.status {
			t.Errorf("%s: %d %.300s, want %d", tt.name, status, text, tt.status)
			continue
		}
		if status != 200 {
			continue
		}
		var words []string
		for _, r := range exactly[client.UsageBatch](t, text).Items {
			words = append(words, r.Status)
		}
		if got := strings.Join(words, " "); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
	whole, err := s.client.UsageEvents(t.Context(), client.UsageEventFilter{Tenant: "acme"})
	if err != nil || len(whole.Items) != 4 || whole.Next != nil {
		t.Fatalf("events: %+v, %v", whole, err)
	}
	var paged []client.KeptUsageEvent
	for cursor := ""; ; {
		page, err := s.client.UsageEvents(t.Context(), client.UsageEventFilter{Tenant: "acme", Limit: 3, Cursor: cursor})
		if err != nil {
			t.Fatal(err)
		}
		paged = append(paged, page.Items...)
		if page.Next == nil {
			break
		}
		cursor = *page.Next
	}
	if !reflect.DeepEqual(paged, whole.Items) || paged[3].ID != "a" || paged[3].Conflicts != 1 || !paged[3].Counts {
		t.Errorf("events by pages: %+v, want %+v", paged, whole.Items)
	}
	for query, want := range map[string]int{"": 400, "?tenant=globex": 404, "?tenant=acme&cursor=x": 400, "?tenant=acme&meter=none": 404} {
		if status, _, text := s.do(t, "GET", "/v1/usage/events"+query, ""); status != want {
			t.Errorf("events%s: %d %.300s, want %d", query, status, text, want)
		}
	}
	conflicts, err := s.client.UsageConflicts(t.Context(), "acme", 10)
	if err != nil || len(conflicts) != 1 || conflicts[0].Counts.Data["n"] != "1" || conflicts[0].Against.Data["n"] != "2" || conflicts[0].Tenant != "acme" {
		t.Errorf("conflicts: %+v, %v", conflicts, err)
	}
}
